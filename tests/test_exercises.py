"""Exercises: solutions earn all points, students' copies none, wrong answers what they should."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import marks
import nbformat
import numpy as np
import pytest
import varied

from seqlib.grading import (
    Case,
    Question,
    Wrong,
    __main__,
    cases,
    check,
    ensure,
    exercises,
    mutants,
    notebooks,
    questions,
    report,
    same,
)

ROOT = Path(__file__).resolve().parent.parent
EXERCISES = sorted(path.parent.name for path in ROOT.glob("exercises/*/solution.ipynb"))
ALL = [(exercise, name) for exercise in EXERCISES for name in exercises.questions(exercise)]
LEAST_QUESTIONS, LEAST_MUTANTS = 3, 11
SECRETS = [8_675_309_401_123, 3, 2**62 + 17]
LIMIT = 10  # seconds of the processor that `grade` gives to a question
FIXED = {  # what the text of a question itself fixes, and why
    "gru.elsewhere": {"bias size 0": "the input's side and the state's"},
}
ROLE = re.compile(r"\{(?:eq|doc|ref|numref|cite)[:\w]*\}`")


@cache
def notebook(exercise, kind):
    return notebooks.read(ROOT / "exercises" / exercise / f"{kind}.ipynb")


def solution_of(exercise, name):
    return mutants.solutions(exercise)[exercises.questions(exercise)[name].function]


def wrong_answers(exercise):
    return mutants.written(exercise)["MUTANTS"]


def code(exercise, kind):
    return [cell for cell in notebook(exercise, kind)["cells"] if cell["cell_type"] == "code"]


# Each exercise


def test_there_are_exercises():
    assert len(EXERCISES) >= 1
    assert EXERCISES == exercises.names(ROOT / "exercises")
    chapters = {path.stem for path in (ROOT / "chapters").glob("*.ipynb")}
    assert set(EXERCISES) <= chapters


@pytest.mark.parametrize("exercise", EXERCISES)
def test_three_questions_with_names_of_their_own(exercise):
    asked = exercises.questions(exercise)
    assert len(asked) >= LEAST_QUESTIONS
    assert all(question.points >= 2 for question in asked.values())
    everywhere = [name for _, name in ALL]
    assert len(everywhere) == len(set(everywhere))
    functions = [question.function for question in asked.values()]
    assert len(functions) == len(set(functions))


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_solution_earns_all_points(exercise):
    """Its notebook as a whole; with secrets, question by question, below."""
    reports, failed = notebooks.marks(notebook(exercise, "solution"))
    assert not failed
    assert all(reports), "\n".join(map(repr, reports))
    assert sum(one.points for one in reports) >= 8


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_students_copy_earns_nothing(exercise):
    """By running it; and every stub says that it is one."""
    reports, failed = notebooks.marks(notebook(exercise, "student"))
    assert failed == []
    assert len(reports) == len(exercises.questions(exercise))
    assert [one.points for one in reports] == [0] * len(reports)
    messages = {outcome.message for one in reports for outcome in one.outcomes}
    assert messages == {"not written yet"}


@pytest.mark.parametrize("exercise", EXERCISES)
def test_jupyter_saves_the_students_copy_as_it_is(exercise):
    path = ROOT / "exercises" / exercise / "student.ipynb"
    saved = nbformat.writes(nbformat.read(path, as_version=4)) + "\n"
    assert saved == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_students_copy_is_fresh(exercise):
    stored = (ROOT / "exercises" / exercise / "student.ipynb").read_text(encoding="utf-8")
    assert stored == notebooks.written(notebooks.student(notebook(exercise, "solution"))), (
        f"python -m seqlib.grading build {exercise}"
    )


@pytest.mark.parametrize(("exercise", "name"), ALL)
@pytest.mark.parametrize("secret", SECRETS)
def test_answers_get_what_they_should(exercise, name, secret):
    """The solution all points, wrong answers exactly their own and a hint, constants nothing."""
    question, wrong = exercises.questions(exercise)[name], wrong_answers(exercise)[name]
    assert len(wrong) >= LEAST_MUTANTS
    assert {mutants.constant, mutants.nan} <= {mutant.answer for mutant in wrong}
    found = mutants.faults(question, solution_of(exercise, name), wrong, secret)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_question_has_mutants(exercise):
    assert list(wrong_answers(exercise)) == list(exercises.questions(exercise))


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_record_of_fifty_secrets_is_of_these_exercises_and_without_a_fault(exercise):
    kept = json.loads((ROOT / "benchmarks" / "marks.json").read_text("utf-8"))["results"][exercise]
    assert kept["digest"] == marks.digest(exercise), f"python benchmarks/marks.py {exercise}"
    assert [one["faults"] for one in kept["questions"].values()] == [[]] * len(kept["questions"])
    assert kept["questions"].keys() == exercises.questions(exercise).keys()


@pytest.mark.parametrize(("exercise", "name"), ALL)
def test_every_argument_varies(exercise, name):
    """Within the cases of one secret: each number, each size, and where the real places lie."""
    found = varied.facts(exercises.questions(exercise)[name], solution_of(exercise, name), 1)
    never = [" ".join(one) for one in varied.fixed(found)]
    assert sorted(never) == sorted(FIXED.get(name, {})), "what never varies, and FIXED"


def test_what_never_varies_is_told():
    def case(answer, rng):
        answer(3, rng.standard_normal((2, 4)), [1], np.array([[True, True], [True, False]]))
        answer(3, rng.standard_normal((2, 5)), [1, 2], np.array([[True, False], [True, False]]))

    question = Question("test.fixed", "f", (Case(1, "", case, ""),))
    found = varied.facts(question, lambda n, x, these, mask: 0, 0)
    assert set(varied.fixed(found)) == {
        *(("n", "value"), ("x", "size 0"), ("mask", "size 0"), ("mask", "size 1")),
        ("mask", "no holes"),
    }
    assert found["these[]", "value"] == [1, 1, 2] and found["x", "size 1"] == [4, 5]


def probes(exercise):
    return mutants.written(exercise).get("PROBES", {})


DERIVATIONS = [
    (exercise, name) for exercise, name in ALL if exercises.questions(exercise)[name].derivation
]


PROBED = [(exercise, name) for exercise, name in DERIVATIONS if name in probes(exercise)]


@pytest.mark.parametrize(("exercise", "name"), PROBED)
def test_a_derivation_cannot_be_replaced_by_probing(exercise, name):
    """The loss moved entry by entry gives the gradient, but not within twenty times the limit.

    The right answer needs less than a twentieth of it.  Probing is timed on some entries.
    """
    question, solution = exercises.questions(exercise)[name], solution_of(exercise, name)
    probe = probes(exercise)[name]
    seen = sorted(varied.calls(question, solution, 1), key=lambda a: entries(probe, a))
    small, large = seen[0], seen[-1]
    for complex_steps, tolerance in ((False, 1e-6), (True, 1e-9)):
        found = mutants.by_probing(probe, complex_steps)(*small)
        same("gradient", found, questions.plain(solution(*small)), tolerance=tolerance)

    start = time.process_time()
    solution(*large)
    assert time.process_time() - start < LIMIT / 20
    assert entries(probe, large) >= 1e5
    for complex_steps in (False, True):
        probing, start, number = mutants.probed(probe, large, complex_steps), time.process_time(), 0
        while time.process_time() - start < 0.1:
            next(probing)
            number += 1
        each = (time.process_time() - start) / number
        assert each * entries(probe, large) > 20 * LIMIT


def entries(probe, arguments):
    return sum(np.size(a) for a in probe.at(*arguments).values())


@pytest.mark.parametrize(("exercise", "name"), sorted(set(DERIVATIONS) - set(PROBED)))
def test_where_probing_is_fast_its_answers_are_mutants(exercise, name):
    """They are right on ordinary numbers, and are listed as answers that get nothing."""
    question, solution = exercises.questions(exercise)[name], solution_of(exercise, name)
    first = varied.calls(question, solution, 1)[0]
    substitutes = mutants.written(exercise)["SUBSTITUTES"][name]
    nothing = {mutant.answer for mutant in wrong_answers(exercise)[name] if mutant.points == 0}
    assert len(substitutes) >= 3 and set(substitutes) <= nothing
    for substitute in substitutes:
        expected = questions.plain(solution(*first))
        same("derivative", questions.plain(substitute(*first)), expected, tolerance=1e-6)


@pytest.mark.parametrize(("exercise", "name"), DERIVATIONS)
def test_a_derivation_says_what_may_not_be_used(exercise, name):
    function = exercises.questions(exercise)[name].function
    cells = [notebooks.source(cell) for cell in notebook(exercise, "solution")["cells"]]
    written = next(n for n, text in enumerate(cells) if f"def {function}(" in text)
    asked = next(text for text in cells[written::-1] if text.startswith("## Question"))
    for word in ("gradcheck", "autograd", "differences", "complex steps"):
        assert word in asked, word


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_notebook_is_nbgraders(exercise):
    """Its metadata and markers; a test cell for each question, worth its points, of one line."""
    asked = exercises.questions(exercise)
    cells = {c["metadata"]["nbgrader"]["grade_id"]: c for c in all_marked(exercise)}
    assert len(cells) == len(all_marked(exercise))
    for name, question in asked.items():
        test = cells[f"test-{name.replace('.', '-')}"]
        assert notebooks.source(test) == f'assert check("{name}", {question.function})'
        kept = test["metadata"]["nbgrader"]
        assert kept["grade"] and kept["locked"] and not kept["solution"]
        assert kept["points"] == question.points and kept["schema_version"] == 3
        written = cells[question.function]
        assert written["metadata"]["nbgrader"]["solution"]
        assert f"def {question.function}(" in notebooks.source(written)
        assert "hide-input" in written["metadata"]["tags"]


def all_marked(exercise):
    cells = notebook(exercise, "solution")["cells"]
    return [cell for cell in cells if "nbgrader" in cell["metadata"]]


@pytest.mark.parametrize("exercise", EXERCISES)
def test_each_question_says_what_is_wanted(exercise):
    """A title with points, a worked value, one to three folded hints, a link to a formula."""
    text = "\n".join(
        notebooks.source(c)
        for c in notebook(exercise, "solution")["cells"]
        if c["cell_type"] == "markdown"
    )
    assert text.startswith("# Exercise ")
    parts = re.split(r"^## Question \d+: ", text, flags=re.MULTILINE)[1:]
    asked = list(exercises.questions(exercise).values())
    assert len(parts) == len(asked)
    for part, question in zip(parts, asked, strict=True):
        title = part.split("\n")[0]
        assert title.endswith(f"({question.points} points)"), title
        assert "**A worked value.**" in part, title
        assert 1 <= part.count("<details><summary>Hint") <= 3, title
        assert part.count("<details>") == part.count("</details>"), title
    assert "{eq}`" in text and f"../../chapters/{exercise}" in text


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_solution_was_run(exercise):
    """Stored outputs in order, from one run, full marks in each: without them it proves nothing."""
    cells = code(exercise, "solution")
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    tests = [cell for cell in cells if "check(" in notebooks.source(cell)]
    for cell, question in zip(tests, exercises.questions(exercise).values(), strict=True):
        assert "nbval-check-output" in cell["metadata"]["tags"]
        shown = "".join(map(shown_text, cell["outputs"]))
        assert f"{question.name}: {question.points} of {question.points} points" in shown
        assert "✗" not in shown
    for cell in cells:
        assert max(map(len, notebooks.source(cell).split("\n"))) <= 82


def shown_text(output):
    text = output.get("data", {}).get("text/plain", output.get("text", ""))
    return text if isinstance(text, str) else "".join(text)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_students_copy_reads_without_the_book(exercise):
    """No roles, no outputs, no trace of a solution; no network."""
    text = json.dumps(notebook(exercise, "student"), ensure_ascii=False)
    assert not ROLE.search(text) and "SOLUTION" not in text and "http" not in text
    assert all(cell["outputs"] == [] for cell in code(exercise, "student"))
    assert notebook(exercise, "student")["metadata"]["seqlib"] == {"exercise": exercise}


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_exercise_is_in_the_book(exercise):
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    assert f"- file: exercises/{exercise}/solution" in toc
    chapter = (ROOT / "chapters" / f"{exercise}.ipynb").read_text(encoding="utf-8")
    assert f"../exercises/{exercise}/solution" in chapter


# Checking, on a small question


def doubled(answer, rng):
    x = rng.standard_normal((2, 3))
    same("y", answer(x), 2 * x, suspects={"Do not square.": x * x})


QUESTION = Question("test.double", "double", (Case(2, "twice", doubled, "See (double)."),))


def test_a_weak_case_and_a_wrong_mark_are_told():
    """By the function that tries all mutants: it is what finds weak cases."""

    def double(x):
        return 2 * x

    good = mutants.Mutant(lambda x: x * x, 0, "Do not square")
    assert mutants.faults(QUESTION, double, (good,)) == []
    (one,) = mutants.faults(QUESTION, double, (mutants.Mutant(lambda x: x, 2, "See"),))
    assert "gets 0 points, not 2" in one
    (one,) = mutants.faults(QUESTION, double, (mutants.Mutant(lambda x: x, 0, "Do not"),))
    assert "does not trigger its hint" in one
    found = mutants.faults(QUESTION, double, (mutants.Mutant(double, 2, ""),))
    assert "gets 2 points" in found[0]  # it passes
    (one,) = mutants.faults(QUESTION, lambda x: 3 * x, ())
    assert "the solution fails at 'twice'" in one

    def weak(answer, rng):
        ensure(np.all(np.asarray(answer(rng.random(3))) <= 1.5), "large")

    question = Question("test.weak", "f", (Case(2, "small", weak, ""),))
    found = mutants.faults(question, lambda x: x, ())
    assert "1 everywhere: passes 'small'" in found and "0.5: passes 'small'" in found
    assert not any("nan" in one for one in found)


def outcome(answer):
    (found,) = questions.marked(QUESTION, answer)
    return found


def grown(x):
    x += x
    return x


@pytest.mark.parametrize(
    ("answer", "message", "hint"),
    [
        (lambda x: 3 * x, "y: differs by up to", "See (double)."),
        (lambda x: x * x, "y: differs by up to", "Do not square."),
        (lambda x: 2 * x[0], "y: shape (3,); expected (2, 3)", "See (double)."),
        (lambda x: np.full_like(x, np.nan), "y: 6 of 6 numbers are not finite", "See (double)."),
        (lambda x: None, "y: None; expected an array of shape (2, 3)", "See (double)."),
        (lambda x: (x, x), "y: a tuple of 2; expected an array", "See (double)."),
        (lambda x: (2 * x).astype(object), "dtype object", "See (double)."),
        (lambda x: x.astype("U8"), "dtype <U8", "See (double)."),
        (lambda x: {1, 2}, "returned builtins.set", "See (double)."),
        (lambda x: 1 / 0, "ZeroDivisionError: division by zero", "See (double)."),
        (lambda x, y: x, "TypeError", "See (double)."),
    ],
)
def test_what_is_wrong_is_told(answer, message, hint):
    found = outcome(answer)
    assert not found.passed and found.points == 0
    assert message in found.message and found.hint == hint


def test_a_right_answer_passes_also_if_it_changes_its_input_or_is_an_array_of_its_own_kind():
    class Liar(np.ndarray):
        def __eq__(self, other):
            return True

    assert outcome(lambda x: 2 * x).passed and outcome(grown).passed
    assert outcome(lambda x: (2 * x).view(Liar)).passed
    assert not outcome(lambda x: (3 * x).view(Liar)).passed


def test_a_message_never_tells_the_value():
    def secret(answer, rng):
        same("y", answer(), 123456.789)
        same("word", answer(), "hidden")

    question = Question("q", "f", (Case(1, "", secret, ""),))
    for answer in (lambda: 1.0, lambda: "x", lambda: None, lambda: [1], lambda: np.zeros(3)):
        (found,) = questions.marked(question, answer)
        assert "1234" not in found.message and "hidden" not in found.message


def test_other_seeds_draw_other_inputs():
    seen = []
    for seed in (0, 0, 1):
        questions.marked(QUESTION, lambda x: seen.append(x) or x)
        questions.marked(QUESTION, lambda x: seen.append(x) or x, seed)
    assert np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[0], seen[5])


@pytest.mark.parametrize(
    ("found", "expected", "passes"),
    [
        ((1.0, {"a": np.ones(2)}), (1.0, {"a": np.ones(2)}), True),
        ((1.0, {"a": np.ones(2)}), [1.0, {"a": np.ones(2)}], True),
        ({"a": 1.0, "b": 2.0}, {"a": 1.0}, True),
        ({"b": 2.0}, {"a": 1.0}, False),
        ({"a": 1.0}, {"a": 1.0 + 1e-12}, True),
        (1e9, 1e9 + 0.5, True),
        (1e9, 1e9 + 5, False),
        (np.array([1, 2]), np.array([1, 2]), True),
        (np.array([1.0, 2.0]), np.array([1, 2]), True),
        (np.array([1.5, 2.0]), np.array([1, 2]), False),
        (np.array([True]), np.array([False]), False),
        ("a", "a", True),
        (None, None, True),
        (np.inf, 1.0, False),
        (True, 2.0, False),
    ],
)
def test_same(found, expected, passes):
    if passes:
        same("v", found, expected)
    else:
        with pytest.raises(Wrong, match="v"):
            same("v", found, expected)


def test_ensure():
    ensure(True, "never")
    with pytest.raises(Wrong, match="told") as caught:
        ensure(False, "told", "look")
    assert caught.value.hint == "look"


def test_a_mistake_of_a_case_is_no_other_error():
    """What came back has another form: the case could not even look at it."""
    question = Question("q", "f", (Case(1, "", lambda f, rng: f()[0]["a"] + 1, "see"),))
    for answer in (lambda: None, lambda: [], lambda: [{}], lambda: [{"a": None}]):
        (found,) = questions.marked(question, answer)
        assert "another form" in found.message and found.hint == "see"


# What the student sees

FIRST_EXERCISE, FIRST = ALL[0]


def first_solution():
    return solution_of(FIRST_EXERCISE, FIRST)


def test_check_shows_and_returns_the_same(capsys):
    assert check(FIRST, first_solution())
    shown = capsys.readouterr().out
    points = exercises.question(FIRST).points
    assert f"{FIRST}: {points} of {points} points" in shown and "✗" not in shown

    wrong = check(FIRST, lambda *a: None)
    shown = capsys.readouterr().out
    assert not wrong and wrong.points == 0
    assert "✗" in shown and "Hint: " in shown


def test_the_table_is_html_without_scripts_of_an_answer():
    def bad(*arguments):
        raise ValueError("<script>alert(1)</script>")

    found = report.Report(QUESTION, questions.marked(QUESTION, bad))
    table = found._repr_html_()
    assert "<script>" not in table and "&lt;script&gt;" in table
    assert table.count("<tr>") == 1 + len(QUESTION.cases)


def test_the_failing_line_is_told():
    source = "def double(x):\n    y = 2 * x\n    return y / missing\n"
    names, _ = notebooks.namespace({"cells": [{"cell_type": "code", "source": source}]})
    found = outcome(names["double"])
    assert "in line 3 of its cell: return y / missing" in found.message


def test_a_question_that_is_not_there():
    with pytest.raises(ValueError, match="no question 'lstm\\.nothing'; there are"):
        check("lstm.nothing", len)
    with pytest.raises(ValueError, match="no exercise '99_none'; there are"):
        exercises.questions("99_none")
    with pytest.raises(TypeError, match="expected a function"):
        check(FIRST, 3)


# Whole notebooks


def cells(*sources):
    return [{"cell_type": "code", "source": s, "metadata": {}, "outputs": []} for s in sources]


def test_a_cell_that_fails_leaves_the_others_alone():
    names, failed = notebooks.namespace(
        {
            "cells": cells(
                "a = 1", "b = 1 / 0", "%matplotlib inline\n!ls\nc = a + 1", "d = (", "e = 5"
            )
        }
    )
    assert names["c"] == 2 and names["e"] == 5 and "b" not in names
    assert [sentence[:12] for sentence in failed] == ["code cell 2:", "code cell 4:"]


def test_cells_may_be_deleted_moved_or_without_metadata(tmp_path):
    solution = notebook(FIRST_EXERCISE, "solution")
    kept = [c for c in solution["cells"] if c["cell_type"] == "code"]
    imports, *others = [c for c in kept if "check(" not in notebooks.source(c)]
    bare = {"cells": [imports, *others[::-1]], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    reports, _ = notebooks.marks(bare, FIRST_EXERCISE)
    assert all(reports)
    with pytest.raises(ValueError, match="does not say which exercise"):
        notebooks.marks(bare)
    named = {"cells": [*bare["cells"], *cells(f'check("{FIRST}", len)')], "metadata": {}}
    assert notebooks.exercise_in(named) == FIRST_EXERCISE


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a notebook"),
        (b"not json", "is not a notebook"),
        (b"[1, 2]", "no list of cells"),
        (b'{"cells": 3}', "no list of cells"),
        (b"\xff\xfe\x00", "is not a notebook"),
    ],
)
def test_what_is_no_notebook(tmp_path, content, message, capsys):
    path = tmp_path / "my.ipynb"
    path.write_bytes(content)
    assert __main__.main(["check", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_the_command_line_checks_a_notebook(capsys):
    folder = ROOT / "exercises" / FIRST_EXERCISE
    most = sum(question.points for question in exercises.questions(FIRST_EXERCISE).values())
    assert __main__.main(["check", str(folder / "solution.ipynb")]) == 0
    assert f"{most} of {most} points" in capsys.readouterr().out
    assert __main__.main(["check", str(folder / "student.ipynb")]) == 1
    shown = capsys.readouterr().out
    assert f"0 of {most} points" in shown and "Not isolated" in shown
    assert __main__.main(["check", str(folder / "missing.ipynb")]) == 2


def test_markers_without_a_partner():
    with pytest.raises(ValueError, match="no partner"):
        notebooks.student({"cells": cells("### BEGIN SOLUTION\nx = 1"), "metadata": {"seqlib": {}}})
    with pytest.raises(ValueError, match="nothing stands between"):
        notebooks.student({"cells": cells("x = 1"), "metadata": {"seqlib": {}}})


def test_the_checks_travel_with_the_package(tmp_path):
    """Somebody who has only the wheel can check: no file of the repository is near."""
    for part in ("seqlib", "exercises"):
        shutil.copytree(ROOT / part, tmp_path / "source" / part)
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, tmp_path / "source")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    built = subprocess.run(
        [*command, "-w", tmp_path, tmp_path / "source"], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    script = f"import sys; sys.path[:0] = {paths(wheel, tmp_path)!r}; "
    script += f"from seqlib.grading import check; print(bool(check({FIRST!r}, lambda *a: None)))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert f"{FIRST}: 0 of" in done.stdout and done.stdout.rstrip().endswith("False")


def paths(wheel, folder):
    """The unpacked wheel, and NumPy alone from here."""
    import zipfile

    zipfile.ZipFile(wheel).extractall(folder / "unpacked")
    return [str(folder / "unpacked"), str(Path(np.__file__).parent.parent)]


def test_the_display_in_a_kernel_is_a_table(monkeypatch):
    shown = io.StringIO()

    class Display:
        @staticmethod
        def display(found):
            shown.write(found._repr_html_())

    class Kernel:
        kernel = object()

    class IPython:
        display = Display
        get_ipython = staticmethod(lambda: Kernel)

    monkeypatch.setitem(sys.modules, "IPython", IPython)
    check(FIRST, first_solution())
    assert "<table>" in shown.getvalue()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_console_that_knows_few_signs(encoding):
    path = ROOT / "exercises" / EXERCISES[0] / "solution.ipynb"
    call = [sys.executable, "-m", "seqlib.grading", "check", str(path)]
    env = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(call, env=env, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"14 of 14 points" in done.stdout


# Gradients along random directions


def bent(at):
    return np.sum(np.tanh(at["x"] @ at["w"]))


def bent_gradients(at):
    slope = 1 - np.tanh(at["x"] @ at["w"]) ** 2
    return {"x": slope[:, None] * at["w"], "w": slope @ at["x"]}


def drawn(seed=0, rows=300):
    rng = np.random.default_rng(seed)
    return {"x": rng.standard_normal((rows, 4)), "w": rng.standard_normal(4)}, rng


def test_right_gradients_pass_whatever_their_size():
    for seed, rows in enumerate((1, 3, 30_000)):
        at, rng = drawn(seed, rows)
        cases.same_gradients(bent_gradients(at), bent, at, rng)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d["x"].__setitem__((7, 2), d["x"][7, 2] + 1e-6), "gradient .*'x'"),
        (lambda d: d.update(w=d["w"] * (1 + 1e-7)), "gradient .*'w'"),
        (lambda d: d.update(w=d["w"][:3]), r"shape \(3,\); expected \(4,\)"),
        (lambda d: d.update(w=np.nan * d["w"]), "not finite"),
        (lambda d: d.update(w="none"), "no array of numbers"),
        (lambda d: d.pop("x"), "no key 'x'"),
    ],
)
def test_a_wrong_entry_among_many_is_found(spoil, message):
    at, rng = drawn()
    found = bent_gradients(at)
    spoil(found)
    with pytest.raises(Wrong, match=message):
        cases.same_gradients(found, bent, at, rng)


def test_a_known_mistake_in_a_gradient_is_named_and_a_part_is_looked_at_alone():
    at, rng = drawn()
    turned = {name: -a for name, a in bent_gradients(at).items()}
    with pytest.raises(Wrong) as caught:
        cases.same_gradients(turned, bent, at, rng, suspects={"sign": lambda a: -bent(a)})
    assert caught.value.hint == "sign"
    half = bent_gradients(at)
    half["w"][2:] = 0
    cases.same_gradients(half, bent, at, rng, where={"w": slice(0, 2)})
    with pytest.raises(Wrong):
        cases.same_gradients(half, bent, at, rng, where={"w": slice(1, 3)})


def test_sizes_are_unequal_twice():
    for seed in range(20):
        one, other = cases.unequal(np.random.default_rng(seed), 4, least=3)
        assert len(set(one)) == len(set(other)) == 4 and min(one) >= 3
        assert all(a != b for a, b in zip(one, other, strict=True))
