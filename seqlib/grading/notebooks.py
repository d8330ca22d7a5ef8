"""Notebooks of exercises: from the solution to the student's copy, and from a copy to its marks.

The cells carry nbgrader's metadata and markers.  A solution lies between `### BEGIN SOLUTION` and
`### END SOLUTION`.
"""

import contextlib
import copy
import json
import re
from pathlib import Path

from seqlib.grading import cells, exercises, kernel, report
from seqlib.grading.cells import source
from seqlib.grading.clock import Clock, budget
from seqlib.grading.questions import marked

SOLUTION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION[^\n]*\n.*?^[ \t]*### END SOLUTION[^\n]*$", re.M | re.S
)
STUB = r"\1# YOUR CODE HERE\n\1raise NotImplementedError"
ROLE = re.compile(r"\{eq\}`([^`]+)`")
DOCUMENT = re.compile(r"\{doc\}`(?:([^`<]*)<)?([^`>]+)>?`")


def read(path):
    """The notebook in a file as a dict.  Raises ValueError if there is none in it."""
    with open(path, "rb") as file:
        content = file.read(cells.LARGEST + 1)
    try:
        return cells.parsed(content)
    except cells.Unreadable as error:
        raise ValueError(f"{path} is not a notebook: {error}") from error


def student(notebook):
    """The student's copy of a solution: stubs for what is to be written, and no outputs.

    Raises ValueError if nothing is marked as a solution, or a marker has no partner.
    """
    notebook, stubs = copy.deepcopy(notebook), 0
    for cell in notebook["cells"]:
        text, found = SOLUTION.subn(STUB, source(cell))
        if "### BEGIN SOLUTION" in text or "### END SOLUTION" in text:
            raise ValueError(f"a marker of a solution has no partner in {source(cell)[:60]!r}")
        stubs += found
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        else:
            text = in_words(text)
        for key in ("tags", "mystnb"):
            cell["metadata"].pop(key, None)
        cell["source"] = text.splitlines(keepends=True)  # as Jupyter stores it
    if not stubs:
        raise ValueError("nothing stands between ### BEGIN SOLUTION and ### END SOLUTION")
    notebook["metadata"]["seqlib"].pop("cpu_seconds", None)
    return notebook


def in_words(text):
    """A text without the roles of the book."""
    return DOCUMENT.sub(as_words, ROLE.sub(r"(\1)", text))


def as_words(role):
    """What a link of the book says, and the file that it leads to: no page is there to go to."""
    words, target = role.groups()
    name = target.rsplit("/", 1)[-1]
    return f"{words.strip()} ({name})" if words else name


def written(notebook):
    """A notebook as the text of its file."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def build(exercise, folder=exercises.FOLDER):
    """Write student.ipynb beside an exercise's solution.ipynb; returns its path."""
    home = Path(folder) / exercise
    path = home / "student.ipynb"
    path.write_text(written(student(read(home / "solution.ipynb"))), encoding="utf-8")
    return path


def for_nbgrader(exercise, course, folder=exercises.FOLDER):
    """Write a solution into the folder source/ of an nbgrader course; returns its path.

    It is called student.ipynb, the name under which students get what nbgrader makes of it, and its
    text has no roles of the book.
    """
    notebook = read(Path(folder) / exercise / "solution.ipynb")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        else:
            cell["source"] = in_words(source(cell)).splitlines(keepends=True)
    path = Path(course) / "source" / exercise / "student.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(written(notebook), encoding="utf-8")
    return path


def namespace(notebook, limited=contextlib.nullcontext):
    """The names that a notebook's code defines.  A cell that fails leaves the others alone.

    limited  function that gives a context for each cell to run in

    Returns the names and, for each cell that failed, a sentence.
    """
    ran = kernel.run(cells.sources(notebook), limited)
    return ran.names, ran.failed


def exercise_in(notebook):
    """The exercise that a notebook answers, as its metadata tell, else the checks that it calls.

    Raises ValueError if neither tells.
    """
    kept = cells.claimed(notebook)
    if kept:
        return kept
    for cell in notebook["cells"]:
        for name in re.findall(r"""check\(\s*["']([\w.]+)["']""", source(cell)):
            with contextlib.suppress(ValueError):
                return exercises.exercise_of(name)
    raise ValueError("the notebook does not say which exercise it answers, and calls no check")


def marks(notebook, exercise=None, seed=0, seconds=None):
    """A Report for each question of an exercise, from the functions that a notebook defines.

    seconds  of the processor for the cells, and for each call of an answer; None: no limit

    Returns the reports, and what failed in the notebook as sentences.
    """
    found = exercises.questions(exercise or exercise_in(notebook))
    clock = Clock()
    limited = budget(clock, seconds, 4) if seconds else contextlib.nullcontext
    report.IN_CHILD = True  # the checks that the notebook calls itself are not needed
    try:
        ran = kernel.run(cells.sources(notebook), limited)
        reports = []
        for question in found.values():
            function = ran.names.get(question.function, missing)
            timed = clock.within(seconds, function) if seconds else function
            reports.append(report.Report(question, marked(question, timed, seed)))
    finally:
        report.IN_CHILD = False
    return reports, [*ran.failed, *ran.notes]


def missing(*arguments):
    raise NotImplementedError
