"""What a notebook's kernel runs, `check` and `grade` run, and they read the same."""

import json
from pathlib import Path

import numpy as np
import pytest
from graders import MARKS, RIGHT, answered, cell, notebook, points, task

from seqlib.grading import __main__, cells, kernel, notebooks

ROOT = Path(__file__).resolve().parent.parent
DOUBLE = "def double(x):\n    return 2 * x"
STUB = "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError"

STYLES = {
    "% at the beginning of a line": "def double(x):\n    n = (7\n         % 5)\n    return n * x",
    "! at the beginning of a line": "def double(x):\n    assert (1\n        != 2)\n    return 2 * x",
    "magics in a string": 'def double(x):\n    s = """\n!a\n%b\n"""\n    assert "!a" in s and "%b" in s\n    return 2 * x',
    "a list of files": f"files = !ls\nassert len(files) == 0\n{DOUBLE}",
    "a shell command": f"!pip install x\n{DOUBLE}",
    "a shell command within a block": f"if True:\n    !ls\n{DOUBLE}",
    "a cell of shell commands": "%%bash\nrm -r /\ndef double(x): return 2",
    "another program": "%%perl\nprint 1",
    "pip": f"%pip install x\n{DOUBLE}",
    "help before": f"?len\n{DOUBLE}",
    "help after": f"{DOUBLE}\nlen?",
    "sources": f"{DOUBLE}\ndouble??",
    "display": f"display([1])\n{DOUBLE}",
    "display by its name": f"from IPython.display import display\ndisplay([1])\n{DOUBLE}",
    "get_ipython": f"get_ipython().run_line_magic('matplotlib', 'inline')\n{DOUBLE}",
    "get_ipython by its name": f"from IPython import get_ipython\nget_ipython().run_line_magic('matplotlib', 'inline')\n{DOUBLE}",
    "%matplotlib": f"%matplotlib inline\n{DOUBLE}",
    "other magics": f"%load_ext autoreload\n%autoreload 2\n%config x = 1\n%nothing\n{DOUBLE}",
    "%timeit": f"%timeit -n 3 -r 2 len('a')\n{DOUBLE}",
    "%time": "%time factor = 2\ndef double(x):\n    return factor * x",
    "%%time": f"%%time\n{DOUBLE}",
    "%%capture": f"%%capture out\n{DOUBLE}",
    "%%timeit": "%%timeit x = 1\nx + 1",
    "a file by %%writefile": f"%%writefile mine.py\n{DOUBLE}",
    "prompts": ">>> def double(x):\n...     return 2 * x",
    "an indented cell": "    factor = 2\n    def double(x):\n        return factor * x",
    "a result": f"{DOUBLE}\ndouble(1)",
    "top-level await": f"import asyncio\nawait asyncio.sleep(0.01)\n{DOUBLE}",
    "several at once": f"import asyncio\nasync def one():\n    await asyncio.sleep(0)\n    return 2\nfactor, _ = await asyncio.gather(one(), one())\n{DOUBLE}",
    "async for": f"async def two():\n    yield 2\nasync for n in two(): pass\n{DOUBLE}",
    "annotations of the future": "from __future__ import annotations\ndef double(x: Unknown) -> Nothing:\n    return 2 * x",
    "a file": f"open('log.txt', 'w').write('x')\nassert open('log.txt').read() == 'x'\n{DOUBLE}",
    "arrays in files": f"import numpy as np\nnp.savez('a.npz', a=np.ones(2))\nassert np.load('a.npz')['a'].sum() == 2\n{DOUBLE}",
    "folders": f"import os\nos.makedirs('a/b', exist_ok=True)\nos.remove(open('a/b/c', 'w').name)\nos.rmdir('a/b')\n{DOUBLE}",
    "a temporary file": f"import tempfile\nwith tempfile.NamedTemporaryFile() as f: f.write(b'x')\n{DOUBLE}",
    "a lambda": "double = lambda x: 2 * x",
    "a class": "class double:\n    def __new__(cls, x): return 2 * x",
    "within if": "if True:\n    def double(x): return 2 * x",
    "a decorator": "import functools\n@functools.cache\ndef n(): return 2\ndef double(x): return n() * x",
    "threads": "from concurrent.futures import ThreadPoolExecutor\ndef double(x):\n    with ThreadPoolExecutor(4) as pool:\n        return list(pool.map(lambda row: 2 * row, x))",
    "a stub below": f"{DOUBLE}\n{STUB}",
    "a stub with words": f'{DOUBLE}\ndef double(x):\n    """Twice."""\n    y = x\n    raise NotImplementedError("later")',
    "a stub above": f"{STUB}\n{DOUBLE}",
    "NUL": "s = 'a\0b'",
}  # fmt: skip


@pytest.mark.parametrize("name", STYLES)
def test_what_a_kernel_runs(grader, folder, name):
    """After it comes the right answer, if the cell itself has none: nothing of it may be in the way."""
    source = STYLES[name]
    own = "2 * x" in source and not source.startswith(("%%bash", "%%writefile"))
    content = answered(double=source if own else f"{source}\n", even="")
    if not own:
        content["cells"].append(cell(DOUBLE))
    content["cells"].append(cell(RIGHT["even"]))
    found, causes = points(grader, folder, content)
    assert found == MARKS, causes


@pytest.mark.parametrize("name", [n for n in STYLES if "file" not in n and n != "folders"])
def test_check_runs_the_same(name):
    ran = kernel.run(["import numpy as np", STYLES[name]])
    assert ran.failed == [] or name == "NUL"
    if "def double" in STYLES[name] and not STYLES[name].startswith("%%bash"):
        assert list(ran.names["double"](np.ones(2))) == [2, 2]


def test_what_was_done_in_another_way_is_told(grader, folder):
    content = answered("%%bash\nls", "x = !ls", DOUBLE, STUB, double="")
    (first, *_) = grader.grade(task(content, folder))
    assert first.outcome == "full"
    assert first.notes == (
        "code cell 2: %%bash starts nothing here",
        "code cell 3: a shell command; none is started here, and it gives an empty list",
        "code cell 5: a stub of double below an answer; the answer counts",
    )


def test_other_functions_see_the_answer_and_not_the_stub():
    ran = kernel.run([DOUBLE, STUB, "def four(x):\n    return double(double(x))"])
    assert ran.names["four"](1) == 4
    later = "def double(x):\n    return 3 * x"
    assert kernel.run([DOUBLE, later]).names["double"](1) == 3  # no stub: the last one counts


PLOTS = """import matplotlib.pyplot as plt
import numpy as np
fig, ax = plt.subplots()
ax.plot([1, 2]); ax.set_title("ü")
plt.savefig("plot.png"); plt.show()
def double(x):
    return 2 * x"""


def test_plots(grader, folder):
    found, causes = points(grader, folder, notebook(PLOTS, *RIGHT.values()))
    assert found == MARKS, causes


# Files

FILES = {
    "empty": (b"", "an empty file"),
    "zeros": (bytes(5000), "an empty file"),
    "not JSON": (b"{", "not JSON"),
    "no notebook": (b"[1, 2]", "no list of cells"),
    "a number": (b"1", "no list of cells"),
    "no cells": (b'{"nbformat": 4}', "no list of cells"),
    "cells in a dict": (b'{"cells": {"0": {}}}', "no list of cells"),
    "deep": (b"[" * 100_000, "not JSON"),
    "a large number": (b'{"cells": ' + b"9" * 10_000 + b"}", "JSON"),
    "70 MB": (b" " * 70 * 2**20, "64 MB"),
    "too many values": (b"[" + b"0," * 2**23 + b"0]", "values"),
    "UTF-16": (json.dumps(answered(), ensure_ascii=False).encode("utf-16"), ""),
    "with a mark of order": (b"\xef\xbb\xbf" + json.dumps(answered()).encode(), ""),
    "Latin-1": (json.dumps(answered("# é"), ensure_ascii=False).encode("latin-1"), ""),
    "strange cells": (
        json.dumps(
            answered()
            | {"cells": [3, None, {}, *answered()["cells"],
                         {"cell_type": "code", "source": [1, "x = 1"]},
                         {"cell_type": "code", "source": {"a": 1}}, {"cell_type": ["code"]}]}
        ).encode(),
        "",
    ),
    "worksheets beside cells": (json.dumps(answered() | {"worksheets": [{"cells": 5}]}).encode(), ""),
    "metadata 900 deep": (
        json.dumps(answered()).replace('"01_test"', '{"a": ' * 900 + "1" + "}" * 900).encode(), "",
    ),
    "2004 cells": (json.dumps(answered(*["a = 1"] * 2000)).encode(), ""),
    "21 MB of pictures": (
        json.dumps(answered() | {"x": {"image/png": "A" * 21 * 2**20}}).encode(), "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_may_be(grader, folder, tmp_path, capsys, name):
    content, fault = FILES[name]
    found, causes = points(grader, folder, content)
    assert found == ({"": 0} if fault else MARKS) and fault in "".join(causes.values())
    path = tmp_path / "my.ipynb"
    path.write_bytes(content)
    if fault:
        assert __main__.main(["check", str(path)]) == 2
        told = capsys.readouterr().err
        assert "is not a notebook" in told and causes[""] in told
    else:
        assert len(cells.sources(notebooks.read(path))) >= 4


def test_code_that_is_too_long_is_told(grader, folder):
    """Escaped, one of these characters has six bytes: what is sent has to fit."""
    rows = grader.grade(task(answered("# " + "漢" * 100_000), folder))
    assert [row.outcome for row in rows] == ["full"] * 3
    (row,) = grader.grade(task(answered("# " + "漢" * 800_000), folder))
    assert row.outcome == "unreadable" and "bytes of code" in row.cause


def without(*keys):
    made = answered()
    for one in made["cells"]:
        for key in keys:
            one.pop(key)
    return made


def renamed():
    """The cells have other names, of which two are the same, and each claims to be another's."""
    made = answered()
    for one in made["cells"]:
        one["id"] = "same"
        one["metadata"] = {"nbgrader": {"grade_id": "t.even", "solution": True, "points": 99}}
    return made


def old_format():
    parts = [
        {"cell_type": "code", "language": "python", "input": c["source"], "outputs": []}
        for c in answered()["cells"]
    ]
    return {
        **{"metadata": {}, "nbformat": 3, "nbformat_minor": 0},
        "worksheets": [{"cells": parts, "metadata": {}}],
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
    "an exercise that is a path": (
        answered() | {"metadata": {"seqlib": {"exercise": "../../01_test"}}},
        MARKS,
    ),
    "metadata of another exercise": (
        answered() | {"metadata": {"seqlib": {"exercise": "05_lstm"}}},
        MARKS,
    ),
    "lines": (
        notebook(["import numpy as np\n", *RIGHT["double"].splitlines(True)], *RIGHT.values()),
        MARKS,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_a_notebook(grader, folder, name):
    content, expected = FORMS[name]
    found, causes = points(grader, folder, content)
    assert found == expected, causes


def test_another_exercise_is_named(grader, folder):
    """Its metadata choose nothing: what was set is graded, and what came instead is told."""
    content = (ROOT / "exercises" / "01_sequences" / "solution.ipynb").read_bytes()
    found, causes = points(grader, folder, content)
    assert sum(found.values()) == 0
    assert causes["t.double"] == "a notebook of exercise 01_sequences; 01_test was set"
    bare = json.loads(content) | {"metadata": {}}  # by its functions
    assert points(grader, folder, bare)[1] == causes


def test_check_has_a_clock_too(tmp_path, capsys):
    """A loop costs its question: the others are told."""
    solution = notebooks.read(ROOT / "exercises" / "01_sequences" / "solution.ipynb")
    loop = "def bits_per_character(log_p, lengths, mask):\n    while True: pass"
    solution["cells"] += [cell("while True: pass"), cell(loop)]
    path = tmp_path / "my.ipynb"
    path.write_text(json.dumps(solution))
    assert __main__.main(["check", str(path), "--seconds", "0.4"]) == 1
    shown = capsys.readouterr().out
    assert "sequences.characters: 0 of 2" in shown and "12 of 14 points" in shown
    assert "TimeoutError: it took too long" in shown
