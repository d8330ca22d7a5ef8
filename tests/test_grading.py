"""Grades that cannot be forged: what a submission may try, what it gets, and what is recorded.

Every attack stands in a notebook whose other functions are right: these keep their marks.
"""

import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqlib.grading import (
    __main__,
    cluster,
    exercises,
    feedback,
    grade,
    questions,
    records,
    sandbox,
    wire,
)

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 2.0

CHECKS = """
import numpy as np
from seqlib.grading import Case, Question, same

def doubled(answer, rng):
    x = rng.standard_normal((2, 3))
    same("y", answer(x), 2 * x)

def total(answer, rng):
    x = rng.standard_normal(5)
    same("sum", answer({"x": x}), (float(x.sum()), None))

def even(answer, rng):
    n = int(rng.integers(2, 9))
    same("n", answer(n), 2 * n)

QUESTIONS = (
    Question("t.double", "double", (Case(2, "twice", doubled, "See (double)."),)),
    Question("t.total", "total", (Case(3, "sum", total, "See (total)."),)),
    Question("t.even", "even", (Case(1, "even", even, "See (even)."), Case(1, "even", even, "e"))),
)
"""
RIGHT = {
    "double": "def double(x):\n    return 2 * x",
    "total": "def total(d):\n    return d['x'].sum(), None",
    "even": "def even(n):\n    return 2 * n",
}
MARKS = {"t.double": 2, "t.total": 3, "t.even": 2}


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A private exercise."""
    home = tmp_path_factory.mktemp("private") / "01_test"
    home.mkdir()
    (home / "checks.py").write_text(CHECKS)
    return home.parent


@pytest.fixture(scope="session")
def grader():
    reason = sandbox.missing()
    if reason and shutil.which("bwrap") is None:  # then the refusal is what there is to test
        pytest.skip(reason)
    assert reason is None, reason
    made = grade.Grader()
    yield made
    made.close()


def notebook(*sources, **kept):
    cells = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": s,
        }
        for i, s in enumerate(sources)
    ]
    return {
        "cells": cells,
        "metadata": {"seqlib": {"exercise": "01_test"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    } | kept


def answered(*extra, **changed):
    """A notebook with all right answers but for those changed, and cells before them."""
    return notebook("import numpy as np", *extra, *(RIGHT | changed).values())


def task(content, folder, seconds=SECONDS):
    if isinstance(content, dict):
        content = json.dumps(content).encode()
    return grade.Task("a.ipynb", "d", content, 70007, str(folder), None, seconds, 1024)


def points(grader, folder, content, **choice):
    _, rows = grader.grade(task(content, folder, **choice))
    return {row.question: row.points for row in rows}, {row.question: row.cause for row in rows}


def test_right_answers_get_all_points(grader, folder):
    assert points(grader, folder, answered())[0] == MARKS


# What a function may try: its question gets nothing, the others keep their points

CHEATS = {
    "replaces np.allclose": "import numpy as np\nnp.allclose = lambda *a, **k: True\nnp.abs = lambda x: 0 * x\n"
    "np.testing.assert_allclose = lambda *a, **k: None\ndef double(x):\n    return x",
    "replaces builtins": "import builtins\nbuiltins.float = lambda x: 0.0\nbuiltins.max = lambda *a: 1e9\n"
    "def double(x):\n    return x",
    "replaces the checker": "import seqlib.grading.questions as q, seqlib.grading.report as r\n"
    "q.same = q._compare = lambda *a, **k: None\nr.check = lambda *a: True\n"
    "q.judged = q.marked = lambda *a: []\ndef double(x):\n    return x",
    "an array that lies": "import numpy as np\nclass Liar(np.ndarray):\n    def __eq__(s, o): return True\n"
    "    def __array_ufunc__(s, *a, **k): return np.zeros(())\ndef double(x):\n    return x.view(Liar)",
    "an object that lies": "class Liar:\n    def __eq__(s, o): return True\n    def __sub__(s, o): return 0\n"
    "    def __array__(s, *a, **k): raise SystemExit\ndef double(x):\n    return Liar()",
    "a pickle": "import pickle, os\nclass Bomb:\n    def __reduce__(s): return os.system, ('true',)\n"
    "def double(x):\n    return pickle.dumps(Bomb())",
    "an object array": "import numpy as np\ndef double(x):\n    return np.array([object()])",
    "loops for ever": "def double(x):\n    while True: pass",
    "sleeps": "import time\ndef double(x):\n    time.sleep(1000)",
    "loops and will not be stopped": "import signal\ndef double(x):\n    for n in range(1, 32):\n"
    "        try: signal.signal(n, lambda *a: None)\n        except (OSError, ValueError): pass\n"
    "    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "6 GB of memory": "import numpy as np\ndef double(x):\n    a = [np.ones(2**27) for _ in range(6)]\n    return 2 * x",
    "6 GB shared": "import mmap\ndef double(x):\n    m = mmap.mmap(-1, 6 * 2**30); m[::4096] = b'x' * (6 * 2**18)\n    return 2 * x",
    "os._exit": "import os\ndef double(x):\n    os._exit(0)",
    "sys.exit": "import sys\ndef double(x):\n    sys.exit(0)",
    "a segmentation fault": "import ctypes\ndef double(x):\n    ctypes.string_at(0)",
    "kills all": "import os, signal\ndef double(x):\n    os.kill(-1, signal.SIGKILL); os.kill(os.getppid(), 9)",
    "forks": "import os\ndef double(x):\n    for _ in range(200):\n        os.fork()\n    return 2 * x",
    "starts programs": "import subprocess\ndef double(x):\n    subprocess.run(['true'])\n    return 2 * x",
    "opens a socket": "import socket\ndef double(x):\n    socket.create_connection(('127.0.0.1', 9))",
    "makes a socket": "import socket\ndef double(x):\n    socket.socket(socket.AF_UNIX).bind('/tmp/s')\n    return 2 * x",
    "writes": "def double(x):\n    open('/tmp/x', 'w').write('x')\n    return 2 * x",
    "writes to shared memory": "def double(x):\n    open('/dev/shm/x', 'w').write('x')\n    return 2 * x",
    "deletes": "import os\ndef double(x):\n    os.remove(np.__file__)\n    return 2 * x",
    "makes folders": "import os\ndef double(x):\n    os.mkdir('/tmp/d')\n    return 2 * x",
    "traces": "import ctypes\ndef double(x):\n    c = ctypes.CDLL(None)\n    assert c.ptrace(16, c.getppid(), 0, 0) == 0\n    return 2 * x",
    "a reply of 1 GB": "import numpy as np\ndef double(x):\n    return np.zeros(2**27, np.int8).repeat(8)",
    "a string of 100 MB": "def double(x):\n    return 'x' * 10**8",
    "nested for ever": "def double(x):\n    y = []\n    y.append(y)\n    return y",
    "a wrong number": "def double(x):\n    return 3 * x",
    "half a character": "def double(x):\n    raise ValueError('\\ud800')",
    "half a character returned": "def double(x):\n    return {'\\udfff': '\\ud800'}",
    "a huge integer": "def double(x):\n    return 10**4000",
    "complex": "def double(x):\n    return 2 * x + 0j",
}
DESCRIPTOR = "import os\ndef fds():\n    for n in range(3, 64):\n        try: os.fstat(n)\n        except OSError: continue\n        yield n\n"
FORGED = {
    "a frame of its own": "json.dumps({'tuple': ['value', {'array': ['float64', [2, 3]]}]}).encode(), bytes(48)",
    "a header without end": "b'{' * 1000, b''",
    "a negative shape": "json.dumps({'tuple': ['value', {'array': ['float64', [-2, 3]]}]}).encode(), bytes(48)",
    "a huge shape": "json.dumps({'tuple': ['value', {'array': ['float64', [2**62, 2**62]]}]}).encode(), bytes(48)",
    "a dtype of objects": "json.dumps({'tuple': ['value', {'array': ['O', [2]]}]}).encode(), bytes(16)",
    "another kind": "json.dumps({'tuple': ['pass', 9]}).encode(), b''",
    "a promise of 4 GB": "None, b''",
    "a deep header": "b'{\"tuple\": [' * 20000, b''",
}
for name, parts in FORGED.items():
    CHEATS[name] = (
        f"import json, struct\n{DESCRIPTOR}def double(x):\n    header, data = {parts}\n"
        "    sizes = (2**32 - 1, 2**32 - 1) if header is None else (len(header), len(data))\n"
        "    message = struct.pack('<II', *sizes) + (header or b'') + data\n"
        "    for n in fds():\n        try: os.write(n, message)\n        except OSError: pass\n"
        "    os._exit(0)"
    )


@pytest.mark.parametrize("name", CHEATS)
def test_what_a_function_tries(grader, folder, name):
    found, causes = points(grader, folder, answered(double=CHEATS[name]))
    assert found == MARKS | {"t.double": 0}, causes
    assert causes["t.double"]
    assert points(grader, folder, answered())[0] == MARKS  # the next submission is unharmed


# What a right answer has around it: it gets its points

SURROUNDINGS = {
    "a warning": "import warnings\nwarnings.warn('careful')",
    "warnings as errors": "import warnings\nwarnings.simplefilter('error')",
    "an error in one cell": "1 / 0",
    "no Python": "this is no Python",
    "magics": "%matplotlib inline\n!pip install x\n%timeit 1",
    "a cell magic": "%%bash\nls",
    "an endless loop at import": "while True: pass",
    "a sleep at import": "import time\ntime.sleep(1000)",
    "500 MB printed": "import sys\nfor _ in range(500):\n    sys.__stdout__.write('x' * 10**6)\n    print('x' * 10**6)",
    "sys.exit at import": "import sys\nsys.exit(1)",
    "checks of its own": "from seqlib.grading import check\nassert check('t.double', len)",
    "layers of the library": "from seqlib.scratch import lstm\nimport numpy as np\n"
    "lstm.init(np.random.default_rng(0), 2, 3)",
    "input": "name = input()",
    "an open figure": "import matplotlib.pyplot as plt",
    "other characters": "é = 'ü 漢字'",
}


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_right_answer_gets_its_points(grader, folder, name):
    found, causes = points(grader, folder, answered(SURROUNDINGS[name]))
    assert found == MARKS, causes


TORCH = {
    "gradients": (
        "import torch\ndef double(x):\n    y = torch.tensor(x, requires_grad=True)\n"
        "    (y * y).sum().backward()\n    return y.grad.numpy()",
        2,
    ),
    "a tensor": ("import torch\ndef double(x):\n    return 2 * torch.tensor(x)", 0),
    "6 GB": (
        "import torch\ndef double(x):\n    a = [torch.ones(2**28) for _ in range(6)]\n    return 2 * x",
        0,
    ),
}


@pytest.mark.parametrize("name", TORCH)
def test_answers_in_torch(grader, folder, name):
    source, expected = TORCH[name]
    found, causes = points(grader, folder, answered(double=source), seconds=10.0)
    assert found == MARKS | {"t.double": expected}, causes


def test_fork_at_import(grader, folder):
    found, _ = points(grader, folder, answered("import os\nfor _ in range(200):\n    os.fork()"))
    assert found == MARKS


def test_exit_at_import_ends_the_submission_alone(grader, folder):
    found, causes = points(grader, folder, answered("import os\nos._exit(3)"))
    assert set(found.values()) == {0} and "exit code 3" in causes["t.double"]
    assert points(grader, folder, answered())[0] == MARKS


# What it may see

LOOKS = {
    "the environment": "sorted(os.environ)",
    "home": "[p for p in ('/root', '/home', '/etc/passwd', '/proc', '/sys', '/var') if os.path.exists(p) and (not os.path.isdir(p) or [n for n in os.listdir(p) if not n.startswith('.pyenv')])]",
    "exercises": "[os.path.join(d, n) for d, _, names in os.walk('/') for n in names if '/exercises' in d or n in ('solution.ipynb', 'student.ipynb', 'grades.db')]",
    "the exercises": "[p for p in sys.path if os.path.isdir(os.path.join(p, 'exercises')) and os.listdir(os.path.join(p, 'exercises'))]",
    "the package's exercises": "os.listdir(os.path.join(os.path.dirname(seqlib.__file__), 'exercises')) if os.path.isdir(os.path.join(os.path.dirname(seqlib.__file__), 'exercises')) else []",
    "questions": "[q for q in (seqlib.grading.exercises.names(seqlib.grading.exercises.FOLDER) if seqlib.grading.exercises.FOLDER else [])]",
    "the seed": "[k for k, v in vars(sys.modules['__main__']).items() if v == 70007]",
}


@pytest.mark.parametrize("name", LOOKS)
def test_what_a_submission_sees(grader, folder, name):
    """Nothing: the answer gives what it found as a string, which the test reads from the child."""
    look = f"import os, sys, seqlib, seqlib.grading.exercises\ndef look():\n    return repr({LOOKS[name]})"
    with sandbox.Answer(grader.sandbox(False), [look], "look", 20.0, 1024) as answer:
        found = answer()
    if name == "the environment":
        allowed = {
            "HOME",
            "USER",
            "LC_CTYPE",
            "MKL_NUM_THREADS",
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "PWD",
        }
        allowed |= {"PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHONPATH"}
        assert set(eval(found)) <= allowed
    else:
        assert found == "[]"


# Files

FILES = {
    "empty": (b"", 0),
    "not JSON": (b"{", 0),
    "no notebook": (b"[1, 2]", 0),
    "no cells": (b'{"nbformat": 4}', 0),
    "deep": (b"[" * 100_000, 0),
    "200 MB": (None, 0),
    "UTF-16": (json.dumps(answered(), ensure_ascii=False).encode("utf-16"), 7),
    "with a mark of order": (b"\xef\xbb\xbf" + json.dumps(answered()).encode(), 7),
    "Latin-1": (json.dumps(answered("# é"), ensure_ascii=False).encode("latin-1"), 7),
    "strange cells": (
        json.dumps(
            answered()
            | {
                "cells": [
                    3,
                    None,
                    {},
                    *answered()["cells"],
                    {"cell_type": "code", "source": [1, "x = 1"]},
                ]
            }
        ).encode(),
        7,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_may_be(grader, folder, name):
    content, expected = FILES[name]
    found, causes = points(grader, folder, content)
    assert sum(found.values()) == expected, causes
    assert expected or causes[""]


def without(*keys):
    made = answered()
    for cell in made["cells"]:
        for key in keys:
            cell.pop(key)
    return made


def renamed():
    """The cells have other names, of which two are the same, and each claims to be another's."""
    made = answered()
    for cell in made["cells"]:
        cell["id"] = "same"
        cell["metadata"] = {"nbgrader": {"grade_id": "t.even", "solution": True, "points": 99}}
    return made


def old_format():
    cells = [
        {"cell_type": "code", "language": "python", "input": c["source"], "outputs": []}
        for c in answered()["cells"]
    ]
    return {
        "metadata": {},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": cells, "metadata": {}}],
    }


FORMS = {
    "of format 3": (old_format(), MARKS),
    "without ids and metadata": (without("id", "metadata", "outputs", "execution_count"), MARKS),
    "reordered": (
        answered() | {"cells": [answered()["cells"][0], *answered()["cells"][:0:-1]]},
        MARKS,
    ),
    "cells deleted": (
        answered() | {"cells": answered()["cells"][:2]},
        {"t.double": 2, "t.total": 0, "t.even": 0},
    ),
    "renamed": (renamed(), MARKS),
    "without metadata": (answered() | {"metadata": {}}, MARKS),
    "metadata of another kind": (answered() | {"metadata": {"seqlib": 3}}, MARKS),
    "an exercise that is none": (
        answered() | {"metadata": {"seqlib": {"exercise": "99_no"}}},
        MARKS,
    ),
    "lines": (
        notebook(
            *[
                ["import numpy as np\n", *RIGHT["double"].splitlines(True)],
                *list(RIGHT.values())[1:],
            ]
        ),
        MARKS,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_a_notebook(grader, folder, name):
    content, expected = FORMS[name]
    found, causes = points(grader, folder, content)
    assert found == expected, causes


def test_long_code_is_told_and_no_zero_of_a_question(grader, folder):
    """Escaped, one of these characters has six bytes: what is sent has to fit."""
    _, found = grader.grade(task(answered("# " + "漢" * 15_000), folder))
    assert [row.outcome for row in found] == ["full"] * 3
    _, (row,) = grader.grade(task(answered("# " + "漢" * 60_000), folder))
    assert row.outcome == "unreadable" and "bytes of code" in row.cause


@pytest.mark.parametrize("error", [OverflowError, ZeroDivisionError, AssertionError, MemoryError])
def test_a_value_that_a_case_cannot_use_is_wrong(error):
    def case(answer, rng):
        raise error("the right value is 42")

    asked = questions.Question("q", "f", (questions.Case(1, "", case, ""),))
    (found,) = questions.judged(asked, None, 0)
    assert not found.passed and "42" not in found.message and error.__name__ in found.message


def test_an_error_of_ours_leaves_one_submission_ungraded(monkeypatch):
    class Broken:
        def grade(self, task):
            raise OSError("disk")

    monkeypatch.setattr(grade, "_grader", Broken())
    assert grade.graded(task(b"{}", "x")) == ("d", None, [], "OSError: disk")


# A fault of the sandbox is not one of the answer


def test_a_child_that_ends_before_it_is_locked_is_a_fault(grader, folder, monkeypatch):
    def ended(self, value=None):
        raise sandbox.Stopped("the process ended")

    monkeypatch.setattr(sandbox.Answer, "exchange", ended)
    with pytest.raises(sandbox.Fault, match="does not close"):
        grader.grade(task(answered(), folder))


def test_a_fault_is_no_zero(grader, folder, monkeypatch):
    def broken(self):
        raise sandbox.Fault("it does not fork")

    monkeypatch.setattr(sandbox.Sandbox, "fork", broken)
    with pytest.raises(sandbox.Fault, match="does not fork"):
        grader.grade(task(answered(), folder))
    monkeypatch.undo()
    assert points(grader, folder, answered())[0] == MARKS


def test_a_sandbox_that_died_is_replaced(grader, folder):
    grader.sandbox(False).process.kill()
    assert points(grader, folder, answered())[0] == MARKS


# The wire

VALUES = [
    None,
    True,
    3,
    -2.5,
    "é",
    (),
    (1, (2.0, None)),
    [1, "a"],
    {"a": {"b": np.arange(3)}},
    np.zeros((2, 0, 3)),
    np.float32(2) * np.ones((2, 3), np.float32),
    np.array([True, False]),
    np.array(3.0),
    10**30,
    float("inf"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_pass(value):
    stream = memoryview(wire.encoded(value))

    def receive(n):
        nonlocal stream
        part, stream = bytes(stream[:n]), stream[n:]
        return part

    found = wire.decoded(receive)
    assert len(stream) == 0 and type(found) is type(value)
    same_trees(found, value)


def same_trees(a, b):
    if isinstance(b, np.ndarray):
        assert a.dtype == b.dtype and np.array_equal(a, b)
    elif isinstance(b, dict):
        assert list(a) == list(b)
        for key in b:
            same_trees(a[key], b[key])
    elif isinstance(b, tuple | list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same_trees(one, other)
    else:
        assert a == b


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, np.array([object()]), np.zeros(2**24), "x" * 10**6]
)
def test_values_that_do_not(value):
    with pytest.raises(wire.Refused):
        wire.encoded(value)


# A whole run


def write(folder, **notebooks):
    for name, content in notebooks.items():
        path = folder / name / "my.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def command(submissions, out, folder, *more):
    return [
        "grade",
        str(submissions),
        "--out",
        str(out),
        "--exercises",
        str(folder),
        "--seconds",
        "2",
        "--quiet",
        *more,
    ]


def rows(out):
    connection = sqlite3.connect(out)
    found = connection.execute(
        "SELECT student, question, points, outcome FROM submissions JOIN marks USING (digest) ORDER BY student, marks.rowid"
    ).fetchall()
    connection.close()
    return found


def test_a_run(grader, folder, tmp_path, capsys):
    where = write(
        tmp_path / "in",
        anna=answered(),
        berta=answered(double=CHEATS["loops for ever"]),
        carl=b"",
        dora=answered(even="def even(n):\n    return 2 * n if n < 5 else n"),
    )
    (where / "anna" / ".ipynb_checkpoints").mkdir()
    (where / "anna" / ".ipynb_checkpoints" / "my.ipynb").write_bytes(b"")
    out = tmp_path / "grades.db"
    csv, pages = tmp_path / "grades.csv", tmp_path / "pages"
    more = ["--csv", str(csv), "--feedback", str(pages), "--jobs", "2"]
    assert __main__.main(command(where, out, folder, *more)) == 0
    found = rows(out)
    assert [row[:3] for row in found if row[0] == "anna"] == [
        ("anna", q, p) for q, p in MARKS.items()
    ]
    assert [row[2:] for row in found if row[0] == "berta"] == [
        (0, "stopped"),
        (3, "full"),
        (2, "full"),
    ]
    assert [row[2:] for row in found if row[0] == "carl"] == [(0, "unreadable")]
    lines = csv.read_text().splitlines()
    assert lines[0] == "student,notebook,points,most,t.double,t.total,t.even,causes"
    assert lines[1].startswith("anna,") and ",7,7,2,3,2," in lines[1] and len(lines) == 5
    page = (pages / "berta.html").read_text()
    assert "it took longer than 2 s" in page and "<script" not in page

    before = rows(out)
    write(where, emil=answered())
    assert __main__.main(command(where, out, folder)) == 0  # what is missing, and nothing twice
    assert [row for row in rows(out) if row[0] != "emil"] == before and len(rows(out)) == len(
        before
    ) + 3
    assert __main__.main(command(where, out, folder, "--seed", "1")) == 2
    assert "made with another" in capsys.readouterr().err


def test_a_file_of_200_mb_is_not_read(grader, folder, tmp_path):
    where = write(tmp_path / "in", anna=answered(), large=b"{")
    with open(where / "large" / "my.ipynb", "r+b") as file:
        file.truncate(200 * 2**20)
    out = tmp_path / "grades.db"
    assert __main__.main(command(where, out, folder)) == 0
    assert [row[2:] for row in rows(out) if row[0] == "large"] == [(0, "unreadable")]
    assert sum(row[2] for row in rows(out) if row[0] == "anna") == sum(MARKS.values())


def test_submissions_are_read_one_after_the_other(folder, tmp_path, monkeypatch):
    """So that memory does not grow with their number."""
    where = write(tmp_path / "in", **{f"s{i}": answered(f"n = {i}") for i in range(20)})
    read, given = [], []
    monkeypatch.setattr(grade, "task_of", lambda path, digest, settings: read.append(digest))

    def mapper(tasks):
        for _ in tasks:
            assert len(read) == len(given) + 1
            given.append(read[-1])
            yield read[-1], "01_test", [], None

    grade.run(where, tmp_path / "grades.db", exercise_folder=folder, mapper=mapper)
    assert len(given) == 20


def test_the_same_seed_gives_the_same_run(grader, folder, tmp_path):
    where = write(
        tmp_path / "in", a=answered(double="def double(x):\n    return 2 * x if x[0, 0] > 0 else x")
    )
    outs = [tmp_path / f"{i}.db" for i in range(4)]
    for out, seed in zip(outs, "3345", strict=True):
        assert __main__.main(command(where, out, folder, "--seed", seed)) == 0
    assert rows(outs[0]) == rows(outs[1])


def test_a_seed_is_secret_and_fresh(folder, tmp_path):
    seeds = set()
    for name in "ab":
        with records.Records(tmp_path / name) as kept:
            seeds.add(kept.seed(None, fresh=secrets.randbits(63)))
    assert len(seeds) == 2


def test_forty_on_a_cluster_that_loses_a_worker(grader, folder, tmp_path):
    """Every one graded, recorded once, with the grades of one process."""
    from distributed import LocalCluster

    right, wrong = answered(), answered(double=CHEATS["os._exit"])
    made = {f"s{i:02d}": (wrong if i % 4 == 0 else right) | {"n": i} for i in range(40)}
    where = write(tmp_path / "in", **made)
    assert __main__.main(command(where, tmp_path / "one.db", folder, "--seed", "5")) == 0
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as there:
        victim = next(iter(there.workers.values())).pid
        choice = {"exercise_folder": folder, "seed": 5, "seconds": SECONDS}

        def tell(done, most):
            if done == 8:
                os.kill(victim, signal.SIGKILL)

        mapper = cluster.mapper(there.scheduler_address)
        assert grade.run(where, tmp_path / "two.db", mapper=mapper, tell=tell, **choice) == {}
    assert rows(tmp_path / "one.db") == rows(tmp_path / "two.db")
    assert len(counted(tmp_path / "two.db")) == 40


def test_a_killed_run_goes_on(grader, folder, tmp_path):
    """Killed after some results: the next run grades the rest, and what was there stays."""
    where = write(tmp_path / "in", **{f"s{i:02d}": answered(f"n = {i}") for i in range(12)})
    out = tmp_path / "grades.db"
    run = [sys.executable, "-m", "seqlib.grading", *command(where, out, folder)]
    process = subprocess.Popen(run, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        if out.exists() and len(counted(out)) >= 2:
            process.kill()
            break
    process.wait()
    before = counted(out)
    assert 2 <= len(before) < 12
    assert __main__.main(command(where, out, folder)) == 0
    after = counted(out)
    assert len(after) == 12 and after[: len(before)] == before
    assert len(rows(out)) == 12 * 3


def counted(out):
    try:
        connection = sqlite3.connect(out)
        return connection.execute("SELECT digest, time FROM results ORDER BY rowid").fetchall()
    except sqlite3.OperationalError:
        return []


def test_two_runs_at_once(grader, folder, tmp_path):
    where = write(tmp_path / "in", **{f"s{i}": answered(f"n = {i}") for i in range(6)})
    out = tmp_path / "grades.db"
    run = [sys.executable, "-m", "seqlib.grading", *command(where, out, folder)]
    both = [
        subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)
    ]
    assert [process.wait() for process in both] == [0, 0], [p.stderr.read() for p in both]
    for process in both:
        process.stderr.close()
    assert len(rows(out)) == 18 and {row[3] for row in rows(out)} == {"full"}


def test_without_a_sandbox_it_refuses(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    where = write(tmp_path / "in", a=answered())
    assert __main__.main(command(where, tmp_path / "grades.db", folder)) == 2
    assert capsys.readouterr().err.strip() == sandbox.INSTALL
    assert not (tmp_path / "grades.db").exists()


def test_nothing_to_grade(grader, folder, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    assert __main__.main(command(tmp_path / "in", tmp_path / "grades.db", folder)) == 2
    assert "no *.ipynb" in capsys.readouterr().err
    write(tmp_path / "in", a=answered())
    assert __main__.main(command(tmp_path / "in", tmp_path / "grades.db", tmp_path)) == 2
    assert "no exercise" in capsys.readouterr().err


def test_a_fault_leaves_a_submission_ungraded(folder, tmp_path, monkeypatch, capsys):
    reason = "the sandbox does not fork"
    monkeypatch.setattr(grade, "graded", lambda task: (task.digest, None, [], reason))
    monkeypatch.setattr(sandbox, "missing", lambda: None)
    where = write(tmp_path / "in", a=answered())
    assert __main__.main(command(where, tmp_path / "grades.db", folder)) == 1
    assert reason in capsys.readouterr().err and rows(tmp_path / "grades.db") == []


def test_the_published_solutions_earn_all_points_in_the_sandbox(grader):
    for exercise in exercises.names():
        content = (exercises.FOLDER / exercise / "solution.ipynb").read_bytes()
        which, found = grader.grade(
            grade.Task("x", "d", content, 11, str(exercises.FOLDER), None, 20.0, 2048)
        )
        assert which == exercise and all(row.outcome == "full" for row in found), found


def test_each_student_has_a_page_of_her_own(tmp_path):
    kept = {"question": "q", "points": 1, "most": 2, "cause": "<b>", "path": "p", "cases": "[]"}
    names = ["a b", "a_b", "../a", "é/x", "<script>"]
    feedback.write([kept | {"student": name} for name in names], tmp_path / "pages")
    pages = list((tmp_path / "pages").iterdir())
    assert len(pages) == 5 and all(page.suffix == ".html" for page in pages)
    assert not any("<b>" in page.read_text() or "<script>" in page.read_text() for page in pages)


def test_a_csv_holds_no_formula():
    assert (
        records.safe("=1+1") == "'=1+1" and records.safe("anna") == "anna" and records.safe(3) == 3
    )
