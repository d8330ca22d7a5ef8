"""Grade notebooks: `python -m seqlib.grading grade SUBMISSIONS/ --out grades.db`.

Trusted code alone holds seeds, expected values and records.  A notebook's code runs only in
children of a sandbox; each question gets a child of its own.
"""

import contextlib
import ctypes
import hashlib
import os
import platform
import re
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

import seqlib
from seqlib.grading import cells, exercises, submissions, table
from seqlib.grading.questions import judged
from seqlib.grading.records import Records
from seqlib.grading.sandbox import Answer, Cells, Fault, Sandbox
from seqlib.grading.values import Failed, clean

JUDGING = 10  # seconds of our own processor for one case, whatever came back
FLAVORS = {  # what a sandbox has imported, if the code has a word of it
    "plots": re.compile(r"\b(matplotlib|pylab|seaborn|plots|drawing)\b"),
    "torch": re.compile(r"\btorch\b"),
}


class Task(NamedTuple):
    """All that is needed to grade one notebook, anywhere."""

    digest: str
    content: bytes
    seed: int
    folder: str  # of the exercises
    exercise: str
    seconds: float
    megabytes: int


class Row(NamedTuple):
    """What came of one question of one notebook."""

    question: str
    points: int
    most: int
    outcome: str  # full, partial, wrong, missing, stopped, unreadable
    cause: str
    seconds: float
    cases: tuple  # (points, most, title, message, hint, whether it is a known mistake) each
    notes: tuple = ()  # what was done in another way than a notebook's kernel does it


def versions():
    """What the marks were made with."""
    return (
        f"seqlib {seqlib.__version__}, numpy {np.__version__}, python {platform.python_version()}"
    )


def asked_of(exercise, folder):
    """SHA-256 of what is asked: other checks, other marks."""
    content = (Path(folder) / exercise / "checks.py").read_bytes()
    return hashlib.sha256(exercise.encode() + b"\0" + content).hexdigest()


def the_exercise(given, folder):
    """The exercise that was set: the one given, or the only one of a folder.

    Raises ValueError if the teacher has to say which.
    """
    names = exercises.names(folder)
    if not names:
        raise ValueError(f"there is no exercise in {folder}")
    if given:
        exercises.questions(given, folder)
        return given
    if len(names) > 1:
        raise ValueError(f"say which exercise was set: --exercise, one of {', '.join(names)}")
    return names[0]


def another(notebook, sources, exercise, folder):
    """The other exercise that a notebook answers, by its metadata or its functions, or None."""
    if exercises.functions(exercise, folder) & cells.defined(sources):
        return None
    known = {name: home for home in (exercises.FOLDER, folder) if home
             for name in exercises.names(home)}  # fmt: skip
    if cells.claimed(notebook) in known.keys() - {exercise}:
        return cells.claimed(notebook)
    written = cells.defined(sources)
    score = {name: len(written & exercises.functions(name, home)) for name, home in known.items()}
    best = max(score, key=score.get)
    return best if score[best] and best != exercise else None


class Grader:
    """Grades one task after the other; keeps a sandbox for each flavor that was needed."""

    def __init__(self):
        self.open = {}

    def sandbox(self, *flavor):
        if flavor not in self.open:
            self.open[flavor] = Sandbox(flavor).__enter__()
        return self.open[flavor]

    def close(self):
        while self.open:
            self.open.popitem()[1].__exit__()

    def grade(self, task):
        """The rows of a notebook.  Raises Fault, if the sandbox fails twice."""
        try:
            notebook = cells.parsed(task.content)
            sources = cells.sources(notebook)
        except cells.Unreadable as error:
            return [Row("", 0, 0, "unreadable", str(error), 0.0, ())]
        asked = exercises.questions(task.exercise, task.folder).values()
        other = another(notebook, sources, task.exercise, task.folder)
        if other:
            cause = f"a notebook of exercise {clean(other)}; {task.exercise} was set"
            return [Row(q.name, 0, q.points, "missing", cause, 0.0, ()) for q in asked]
        flavor = tuple(name for name, word in FLAVORS.items() if any(map(word.search, sources)))
        run = Cells(sources)
        return [self.row(task, question, run, flavor) for question in asked]

    def row(self, task, question, run, flavor):
        if question.derivation:
            flavor = (*(word for word in flavor if word != "torch"), "derivation")
        for attempt in (0, 1):
            try:
                return self._row(task, question, run, flavor)
            except Fault:
                self.close()
                if attempt:
                    raise

    def _row(self, task, question, run, flavor):
        start = time.monotonic()
        choice = question.function, task.seconds, task.megabytes
        with Answer(self.sandbox(*flavor), run, *choice) as answer:
            cases = tuple(c._replace(run=within(JUDGING, c.run)) for c in question.cases)
            timed = question._replace(cases=cases)
            outcomes = judged(timed, answer, task.seed, brief=True)
        seconds = round(time.monotonic() - start, 3)
        points = sum(outcome.points for outcome in outcomes)
        messages = [outcome.message for outcome in outcomes if not outcome.passed]
        cause = (answer.causes or messages or [""])[0]
        if points == question.points:
            outcome, cause = "full", ""
        elif answer.causes or (run.left_out and set(messages) == {"not written yet"}):
            outcome = "stopped"
        elif set(messages) == {"not written yet"}:
            outcome = "missing"
        else:
            outcome = "partial" if points else "wrong"
        if answer.failed and outcome != "full":
            cause = f"{cause}; {answer.failed[0]}"
        cases = tuple(
            (o.points, o.case.points, o.case.title, o.message, o.hint, o.known) for o in outcomes
        )
        notes = (*answer.failed, *answer.notes)
        return Row(question.name, points, question.points, outcome, cause, seconds, cases, notes)


def within(seconds, case):
    """A case that gives up after so much work of our own: a reply may be made to be slow."""
    if threading.current_thread() is not threading.main_thread():
        return case  # on a cluster the limits of a reply are all there is

    class Late(Exception):
        pass

    def stop(*_):
        raise Late

    def run(answer, rng):
        before = signal.signal(signal.SIGPROF, stop)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            case(answer, rng)
        except Late:
            answer.end()  # perhaps in the middle of a message
            raise Failed("what came back takes too long to look at") from None
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    return run


_grader = None


def graded(task):
    """Grade one task in this process, which keeps its sandboxes.

    Returns the digest, the rows, and what failed of the sandbox, or None.
    """
    global _grader
    _grader = _grader or Grader()
    try:
        return task.digest, _grader.grade(task), None
    except Fault as fault:
        return task.digest, [], str(fault)
    except Exception as error:  # of ours: this submission stays without a result, the others go on
        return task.digest, [], f"{type(error).__name__}: {error}"


def close():
    """End the sandboxes of this process."""
    if _grader:
        _grader.close()


class Run(NamedTuple):
    """What a run has done."""

    assignment: str
    failed: dict  # of digest: what failed of the sandbox
    unknown: list  # what was to be graded again and is not there
    seen: list  # all that was handed in, as `Records.submissions` gives it
    lines: list  # of the table


def run(
    where,
    out,
    *,
    exercise_folder=None,
    exercise=None,
    assignment=None,
    regrade=(),
    jobs=1,
    seconds=10.0,
    megabytes=2048,
    choice=None,
    tell=None,
    mapper=None,
):
    """Grade what is not yet graded.

    where       the folder of the submissions, or a zip archive of it
    out         the database; made if it is not there
    exercise    that was set; None: the only one of its folder
    assignment  its name in the database; None: the exercise's
    regrade     students or files that are graded again; "all", or "changed": those whose marks
                were made by other versions
    choice      dict of what `table.lines` takes: which attempt counts, times, lateness
    mapper      function (tasks) -> results as they come; None: `jobs` processes here
    tell        function (done, all) for progress

    Returns a Run.
    """
    folder = Path(exercise_folder or exercises.FOLDER).resolve()
    limits = f"{seconds:g} s, {megabytes} MB"
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(submissions.opened(where))
        if not files:
            raise ValueError(f"there is nothing in {where}")
        exercise = the_exercise(exercise, folder)
        asked = asked_of(exercise, folder)
        records = stack.enter_context(Records(out))
        name = records.assignment(assignment, exercise, str(Path(where).resolve()), asked)
        failed, after, seen, done, unknown = {}, {}, set(), 0, set(regrade) - {"all", "changed"}

        def open_tasks():
            for entry in submissions.entries(files):
                digest = "" if entry.content is None else hashlib.sha256(entry.content).hexdigest()
                records.submission(name, entry, digest)
                seen.add((entry.path, digest))
                if not digest:
                    continue
                names = {entry.path, entry.person.key, entry.person.name, entry.person.number}
                unknown.difference_update(names)
                last = records.last(digest, asked)
                again = (names | {"all"}).intersection(regrade)
                if digest in after:
                    continue
                if last and last[1] == limits and not again:
                    if "changed" not in regrade or last[2] == versions():
                        continue
                after[digest] = last and last[0]
                seed = records.seed(digest)
                yield Task(digest, entry.content, seed, str(folder), exercise, seconds, megabytes)

        for digest, rows, fault in (mapper or local(jobs))(open_tasks()):
            if fault:
                failed[digest] = fault
            else:
                records.result(digest, asked, exercise, rows, limits, versions(), after[digest])
            done += 1
            if tell:
                tell(done, max(len(files), len(after)))
        records.only(name, seen)
        handed_in = records.submissions(name)
        lines = table.lines(handed_in, records.marks(name), **(choice or {}))
        records.count(name, [(line.path, line.digest) for line in lines])
        return Run(name, failed, sorted(unknown), handed_in, lines)


def local(jobs):
    """Grade in processes of this machine, few tasks waiting at a time."""

    def mapped(tasks):
        if jobs == 1:
            try:
                yield from map(graded, tasks)
            finally:
                close()
            return
        context = get_context("spawn")
        with ProcessPoolExecutor(jobs, context, die_with, (os.getpid(),)) as pool:
            waiting = []
            for task in tasks:
                waiting.append(pool.submit(graded, task))
                while len(waiting) >= 4 * jobs or (waiting and waiting[0].done()):
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()

    return mapped


def die_with(parent):
    """Let the kernel kill this process when the one that started it is no more."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)
