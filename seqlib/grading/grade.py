"""Grade notebooks: `python -m seqlib.grading grade SUBMISSIONS/ --out grades.db`.

Trusted code alone holds seeds, expected values and records.  A notebook's code runs only in
children of a sandbox; each question gets a child of its own.
"""

import hashlib
import json
import platform
import re
import secrets
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

import seqlib
from seqlib.grading import exercises
from seqlib.grading.questions import judged
from seqlib.grading.records import Records
from seqlib.grading.sandbox import Answer, Fault, Sandbox

LARGEST = 20 * 2**20  # bytes of a notebook
CELLS, LENGTH = 2000, 2**17  # cells, and bytes of all their code in JSON, that are run


class Task(NamedTuple):
    """All that is needed to grade one submission, anywhere."""

    path: str
    digest: str
    content: bytes | None  # None: larger than LARGEST
    seed: int
    folder: str  # of the exercises
    exercise: str | None
    seconds: float
    megabytes: int


class Row(NamedTuple):
    """What came of one question of one submission."""

    question: str
    points: int
    most: int
    outcome: str  # full, partial, wrong, missing, stopped, unreadable
    cause: str
    seconds: float
    cases: tuple  # (points, most, title, message, hint) each


class Unreadable(ValueError):
    """A file that holds no notebook."""


def versions():
    """What the marks were made with."""
    return (
        f"seqlib {seqlib.__version__}, numpy {np.__version__}, python {platform.python_version()}"
    )


def exercises_digest(folder):
    """SHA-256 of all that is asked: other checks, other marks."""
    total = hashlib.sha256()
    for path in sorted(Path(folder).glob("*/checks.py")):
        total.update(path.parent.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def submissions(folder):
    """All notebooks below a folder, in order, but for those that an editor kept."""
    found = sorted(Path(folder).rglob("*.ipynb"))
    return [path for path in found if ".ipynb_checkpoints" not in path.parts and path.is_file()]


def student(path, folder):
    """Whose a submission is: its folder, or its file where all lie in one folder."""
    inside = path.relative_to(folder)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def digest_of(path):
    """SHA-256 of a file, read in pieces."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parsed(content):
    """The notebook in the bytes of a file, in any encoding and of any format that has cells.

    Raises Unreadable.
    """
    if content is None:
        raise Unreadable(f"a file of more than {LARGEST // 2**20} MB")
    if not content.strip():
        raise Unreadable("an empty file")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(notebook, dict):
        raise Unreadable("JSON, but no notebook")
    sheets = notebook.get("worksheets")  # of format 3
    if isinstance(sheets, list):
        cells = [c for sheet in sheets if isinstance(sheet, dict) for c in sheet.get("cells", [])]
    else:
        cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise Unreadable("JSON, but no notebook: it has no cells")
    kept = notebook.get("metadata")
    return {
        "cells": [c for c in cells if isinstance(c, dict)],
        "metadata": kept if isinstance(kept, dict) else {},
    }


def code_of(notebook):
    """The sources of the code cells."""
    sources = []
    for cell in notebook["cells"]:
        if cell.get("cell_type") != "code":
            continue
        text = cell.get("source", cell.get("input", ""))
        if isinstance(text, list):
            text = "".join(part for part in text if isinstance(part, str))
        if isinstance(text, str):
            sources.append(text)
    size = len(json.dumps(sources))
    if len(sources) > CELLS or size > LENGTH:
        raise Unreadable(
            f"{len(sources)} cells with {size} bytes of code; at most {CELLS} and {LENGTH}"
        )
    return sources


def exercise_for(notebook, sources, folder, given):
    """The exercise that is answered: the one given, the one in the metadata, or the one whose
    functions are written.
    """
    names = exercises.names(folder)
    kept = notebook["metadata"].get("seqlib")
    kept = kept.get("exercise") if isinstance(kept, dict) else None
    if given or kept in names:
        return given or kept
    text = "\n".join(sources)
    written = set(re.findall(r"^\s*def (\w+)\(", text, re.MULTILINE))
    score = {
        name: len(written & {q.function for q in exercises.questions(name, folder).values()})
        for name in names
    }
    best = max(score, key=score.get, default=None)
    if best is None or not score[best]:
        raise Unreadable(
            "a notebook that does not say which exercise it answers, and writes no function of any"
        )
    return best


class Grader:
    """Grades one task after the other; keeps a sandbox for NumPy, and one for torch if needed."""

    def __init__(self):
        self.open = {}

    def sandbox(self, with_torch):
        if with_torch not in self.open:
            self.open[with_torch] = Sandbox(with_torch).__enter__()
        return self.open[with_torch]

    def close(self):
        while self.open:
            self.open.popitem()[1].__exit__()

    def grade(self, task):
        """The rows of a submission, and its exercise.  Raises Fault, if the sandbox fails twice."""
        try:
            notebook = parsed(task.content)
            sources = code_of(notebook)
            exercise = exercise_for(notebook, sources, task.folder, task.exercise)
        except Unreadable as error:
            return None, [Row("", 0, 0, "unreadable", str(error), 0.0, ())]
        asked = exercises.questions(exercise, task.folder).values()
        return exercise, [self.row(task, question, sources) for question in asked]

    def row(self, task, question, sources):
        for attempt in (0, 1):
            try:
                return self._row(task, question, sources)
            except Fault:
                self.close()
                if attempt:
                    raise

    def _row(self, task, question, sources):
        start = time.monotonic()
        with_torch = any(re.search(r"\btorch\b", text) for text in sources)
        choice = question.function, task.seconds, task.megabytes
        with Answer(self.sandbox(with_torch), sources, *choice) as answer:
            outcomes = judged(question, answer, task.seed)
        seconds = round(time.monotonic() - start, 3)
        points = sum(outcome.points for outcome in outcomes)
        messages = [outcome.message for outcome in outcomes if not outcome.passed]
        cause = (answer.causes or messages or [""])[0]
        if points == question.points:
            outcome, cause = "full", ""
        elif answer.causes:
            outcome = "stopped"
        elif set(messages) == {"not written yet"}:
            outcome = "missing"
        else:
            outcome = "partial" if points else "wrong"
        if answer.failed and outcome != "full":
            cause = f"{cause}; {answer.failed[0]}"
        cases = tuple((o.points, o.case.points, o.case.title, o.message, o.hint) for o in outcomes)
        return Row(question.name, points, question.points, outcome, cause, seconds, cases)


_grader = None


def graded(task):
    """Grade one task in this process, which keeps its sandboxes.

    Returns the digest, the exercise, the rows, and what failed of the sandbox, or None.
    """
    global _grader
    _grader = _grader or Grader()
    try:
        return task.digest, *_grader.grade(task), None
    except Fault as fault:
        return task.digest, None, [], str(fault)
    except Exception as error:  # of ours: this submission stays without a result, the others go on
        return task.digest, None, [], f"{type(error).__name__}: {error}"


def task_of(path, digest, settings):
    """What a worker needs: the bytes of the file, if they are not too many."""
    content = path.read_bytes() if path.stat().st_size <= LARGEST else None
    return Task(str(path), digest, content, *settings)


def run(
    folder,
    out,
    *,
    exercise_folder=None,
    exercise=None,
    seed=None,
    jobs=1,
    seconds=10.0,
    megabytes=2048,
    tell=None,
    mapper=None,
):
    """Grade what is not yet graded.

    folder    of the submissions
    out       the database; made if it is not there
    seed      of all inputs; None: the database's, or a fresh secret one
    mapper    function (tasks) -> results as they come; None: `jobs` processes here
    tell      function (done, all) for progress

    Returns the number of submissions without a result.
    """
    folder = Path(folder)
    exercise_folder = Path(exercise_folder or exercises.FOLDER).resolve()
    found = submissions(folder)
    if not found:
        raise ValueError(f"there is no *.ipynb below {folder}")
    if not exercises.names(exercise_folder):
        raise ValueError(f"there is no exercise in {exercise_folder}")
    with Records(out) as records:
        asked = exercises_digest(exercise_folder)
        seed = records.seed(seed, fresh=secrets.randbits(63))
        settings = seed, str(exercise_folder), exercise, seconds, megabytes
        digests = {}
        for path in found:
            digest = digest_of(path)
            digests.setdefault(digest, path)
            records.submission(str(path.relative_to(folder)), student(path, folder), digest)
        open_ones = [d for d in digests if not records.done(d, asked)]
        done, failed = len(digests) - len(open_ones), {}
        tasks = (task_of(digests[d], d, settings) for d in open_ones)
        for digest, which, rows, fault in (mapper or local(jobs))(tasks):
            if fault:
                failed[digest] = fault
            else:
                records.result(digest, asked, which, rows, seed, versions())
            done += 1
            if tell:
                tell(done, len(digests))
        return failed


def local(jobs):
    """Grade in processes of this machine, few tasks waiting at a time."""

    def mapped(tasks):
        if jobs == 1:
            try:
                yield from map(graded, tasks)
            finally:
                if _grader:
                    _grader.close()
            return
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            waiting = []
            for task in tasks:
                waiting.append(pool.submit(graded, task))
                if len(waiting) >= 4 * jobs:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()

    return mapped
