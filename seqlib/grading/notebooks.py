"""Notebooks of exercises: from the solution to the student's copy, and from a copy to its marks.

The cells carry nbgrader's metadata and markers.  A solution lies between `### BEGIN SOLUTION` and
`### END SOLUTION`.
"""

import contextlib
import copy
import io
import json
import linecache
import re
from pathlib import Path

from seqlib.grading import exercises, report
from seqlib.grading.questions import marked

SOLUTION = re.compile(
    r"^([ \t]*)### BEGIN SOLUTION[^\n]*\n.*?^[ \t]*### END SOLUTION[^\n]*$", re.M | re.S
)
STUB = r"\1# YOUR CODE HERE\n\1raise NotImplementedError"
ROLE = re.compile(r"\{eq\}`([^`]+)`")
DOCUMENT = re.compile(r"\{doc\}`(?:([^`<]*)<)?([^`>]+)>?`")


def read(path):
    """The notebook in a file as a dict.  Raises ValueError if there is none in it."""
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a notebook: {error}") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError(f"{path} is not a notebook of format 4: it has no list of cells")
    return notebook


def source(cell):
    """The text of a cell, which a file may hold as lines."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


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
            text = DOCUMENT.sub(as_words, ROLE.sub(r"(\1)", text))
        for key in ("tags", "mystnb"):
            cell["metadata"].pop(key, None)
        cell["source"] = text.splitlines(keepends=True)  # as Jupyter stores it
    if not stubs:
        raise ValueError("nothing stands between ### BEGIN SOLUTION and ### END SOLUTION")
    notebook["metadata"]["seqlib"].pop("cpu_seconds", None)
    return notebook


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


def namespace(notebook, limited=contextlib.nullcontext):
    """The names that a notebook's code defines.  A cell that fails leaves the others alone.

    limited  function that gives a context for each cell to run in

    Returns the names and, for each cell that failed, a sentence.
    """
    names, failed = {"__name__": "__main__"}, []
    number = 0
    for cell in notebook["cells"]:
        if cell.get("cell_type") != "code":
            continue
        number += 1
        text, file = without_magics(source(cell)), f"<cell {number}>"
        linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file
        try:
            with contextlib.redirect_stdout(io.StringIO()), limited():
                exec(compile(text, file, "exec"), names)
        except NotImplementedError:
            continue
        except (Exception, SystemExit) as error:
            failed.append(f"code cell {number}: {type(error).__name__}: {error}")
    return names, failed


def without_magics(text):
    """The code of a cell without the lines that only a notebook's kernel understands."""
    return re.sub(r"^([ \t]*)([%!].*)$", r"\1pass  # \2", text, flags=re.MULTILINE)


def exercise_in(notebook):
    """The exercise that a notebook answers, as its metadata tell, else the checks that it calls.

    Raises ValueError if neither tells.
    """
    kept = notebook.get("metadata", {}).get("seqlib", {}).get("exercise")
    if kept:
        return kept
    for cell in notebook["cells"]:
        for name in re.findall(r"""check\(\s*["']([\w.]+)["']""", source(cell)):
            with contextlib.suppress(ValueError):
                return exercises.exercise_of(name)
    raise ValueError("the notebook does not say which exercise it answers, and calls no check")


def marks(notebook, exercise=None, seed=0):
    """A Report for each question of an exercise, from the functions that a notebook defines.

    Returns the reports, and what failed in the notebook as sentences.
    """
    found = exercises.questions(exercise or exercise_in(notebook))
    report.IN_CHILD = True  # the checks that the notebook calls itself are not needed
    try:
        names, failed = namespace(notebook)
        reports = [
            report.Report(question, marked(question, names.get(question.function, missing), seed))
            for question in found.values()
        ]
    finally:
        report.IN_CHILD = False
    return reports, failed


def missing(*arguments):
    raise NotImplementedError
