"""What the tests of the grader share: a small exercise, notebooks that answer it, runs."""

import json
import shutil
import sqlite3

import pytest

from seqlib.grading import grade, sandbox

SECONDS = 1.0

CHECKS = """
import numpy as np
from seqlib.grading import Case, Question, same

def doubled(answer, rng):
    x = rng.standard_normal((2, 3))
    same("y", answer(x), 2 * x, suspects={"Do not square.": x * x})

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
    """A private folder with one exercise."""
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
    made, close = grade.Grader(), grade.close
    grade._grader, grade.close = made, lambda: None  # runs in this process use its sandboxes
    yield made
    grade._grader, grade.close = None, close
    made.close()


def cell(source):
    return {
        **{"cell_type": "code", "id": "c", "metadata": {}, "outputs": []},
        **{"execution_count": None, "source": source},
    }


def notebook(*sources, **kept):
    cells = [cell(source) | {"id": f"c{i}"} for i, source in enumerate(sources)]
    return {
        "cells": cells,
        "metadata": {"seqlib": {"exercise": "01_test"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    } | kept


def answered(*extra, **changed):
    """A notebook with all right answers but for those changed, and cells before them."""
    return notebook("import numpy as np", *extra, *(RIGHT | changed).values())


def task(content, folder, seconds=SECONDS, exercise="01_test"):
    if isinstance(content, dict):
        content = json.dumps(content).encode()
    return grade.Task("d", content, 70007, str(folder), exercise, seconds, 1024)


def points(grader, folder, content, **choice):
    rows = grader.grade(task(content, folder, **choice))
    return {row.question: row.points for row in rows}, {row.question: row.cause for row in rows}


def write(folder, **notebooks):
    """A submission NAME/my.ipynb for each."""
    for name, content in notebooks.items():
        path = folder / name / "my.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def command(submissions, out, folder, *more):
    """The words of a run of `grade`."""
    words = ["grade", submissions, "--out", out, "--exercises", folder, "--seconds", SECONDS]
    return [*map(str, words), "--quiet", *map(str, more)]


def rows(out):
    """What counts, as the page for teachers has it."""
    connection = sqlite3.connect(out)
    query = "SELECT student, question, points, outcome FROM grades"
    found = connection.execute(query).fetchall()
    connection.close()
    return found
