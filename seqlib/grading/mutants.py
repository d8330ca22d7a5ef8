"""Wrong answers on purpose: what tests a grader.

A weak case is found only by an answer that is wrong and passes it.  Each question has a list of
mutants, in `mutants.py` of its exercise.  `constant` and `nan` stand for answers that give zeros,
or NaN, of the right shapes: they are made from the solution.

A question that asks for a derivation has a Probe there as well: what somebody would write who finds
the gradient from the loss alone, entry by entry.
"""

import runpy
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqlib.grading import exercises, notebooks, report
from seqlib.grading.questions import asked, judged


class Mutant(NamedTuple):
    answer: Callable  # or `constant`, `nan`
    points: int  # that it gets, exactly, whatever the secret
    hint: str  # words of a hint that it must trigger


class Probe(NamedTuple):
    """A loss, and where it is moved.  It takes complex numbers too."""

    at: Callable  # (*arguments) -> dict of the arrays whose gradients are asked for
    loss: Callable  # (dict of these arrays, *arguments) -> number
    answer: Callable = dict  # dict of their gradients -> what the question asks for


def constant(solution):
    """The answer that gives zeros wherever a solution gives numbers."""
    return lambda *arguments: filled(solution(*arguments), 0)


def nan(solution):
    """The answer that gives NaN wherever a solution gives floating numbers, and -1 for integers."""
    return lambda *arguments: filled(solution(*arguments), np.nan)


def noise(solution):
    """The answer that gives the same drawn numbers at every call, in the right shapes."""

    def answer(*arguments):
        rng = np.random.default_rng(0)
        return filled(solution(*arguments), rng)

    return answer


def only(fits, answer):
    """The answer that is one for some arguments, and fails for all others."""

    def limited(*arguments):
        assert fits(*arguments)
        return answer(*arguments)

    return limited


def filled(value, number):
    """The same tuples, dicts and shapes with one number everywhere, or with drawn ones."""
    if isinstance(value, dict):
        return {key: filled(item, number) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(filled(item, number) for item in value)
    if value is None or isinstance(value, str):
        return "" if isinstance(value, str) else None
    a = np.asarray(value)
    if isinstance(number, np.random.Generator):
        drawn = number.standard_normal(a.shape)
        return drawn if a.dtype.kind == "f" else (4 * np.abs(drawn)).astype(a.dtype)
    if a.dtype.kind == "f":
        return np.full(a.shape, number)
    return np.full(a.shape, -1 if np.isnan(number) else number, a.dtype)


CONSTANTS = {
    **{
        f"{number} everywhere": lambda solution, n=number: (
            lambda *arguments: filled(solution(*arguments), n)
        )
        for number in (0, 1, -1, 0.5, np.nan)
    },
    **{
        f"{value!r}": lambda solution, v=value: lambda *arguments: v
        for value in (None, 0, 1, 0.5, True, "", (), {})
    },
    "the same drawn numbers": noise,
}


@cache
def solutions(exercise, folder=exercises.FOLDER):
    """The names that an exercise's solution defines.  Raises ValueError if a cell fails."""
    path = Path(folder) / exercise / "solution.ipynb"
    report.IN_CHILD = True  # the checks that the notebook calls itself are not needed
    try:
        names, failed = notebooks.namespace(notebooks.read(path))
    finally:
        report.IN_CHILD = False
    if failed:
        raise ValueError(f"{path}: {failed[0]}")
    return names


@cache
def written(exercise, folder=exercises.FOLDER):
    """What an exercise's mutants.py defines: MUTANTS, and PROBES if it asks for derivations."""
    return runpy.run_path(str(Path(folder) / exercise / "mutants.py"))


def faults(question, solution, wrong, seed=0):
    """What is wrong with the cases of a question, at one seed: a list of sentences.

    question  a Question
    solution  the right answer: it gets all points
    wrong     Mutants, each of which gets its points, exactly, and triggers its hint

    Constant answers get nothing.
    """
    found = []
    for outcome in judged(question, asked(solution), seed):
        if not outcome.passed:
            found.append(f"the solution fails at {outcome.case.title!r}: {outcome.message}")
    for number, mutant in enumerate(wrong):
        made = mutant.answer in (constant, nan)
        answer = mutant.answer(solution) if made else mutant.answer
        outcomes = judged(question, asked(answer), seed)
        points = sum(outcome.points for outcome in outcomes)
        who = f"mutant {number} ({mutant.hint!r})"
        if points != mutant.points or points == question.points:
            passed = [outcome.case.title for outcome in outcomes if outcome.passed]
            found.append(f"{who} gets {points} points, not {mutant.points}: it passes {passed}")
        if not any(mutant.hint in outcome.hint for outcome in outcomes):
            hints = [outcome.hint for outcome in outcomes if not outcome.passed]
            found.append(f"{who} does not trigger its hint, but {hints}")
    for name, make in CONSTANTS.items():
        for outcome in judged(question, asked(make(solution)), seed):
            if outcome.passed:
                found.append(f"{name}: passes {outcome.case.title!r}")
    return found


def probed(probe, arguments, complex_steps=False):
    """The gradient by moving one entry after the other: yields (name, index, derivative).

    By central differences, or by complex steps, which have no rounding error.
    """
    for name, a in probe.at(*arguments).items():
        for index in np.ndindex(np.shape(a)):

            def loss(step, name=name, a=a, index=index):
                moved = np.array(a, complex if complex_steps else float)
                moved[index] += step
                return probe.loss({**probe.at(*arguments), name: moved}, *arguments)

            if complex_steps:
                yield name, index, np.imag(loss(1e-30j)) / 1e-30
            else:
                yield name, index, (loss(1e-5) - loss(-1e-5)) / 2e-5


def by_probing(probe, complex_steps=False):
    """The answer that finds the whole gradient so."""

    def answer(*arguments):
        found = {name: np.zeros(np.shape(a)) for name, a in probe.at(*arguments).items()}
        for name, index, derivative in probed(probe, arguments, complex_steps):
            found[name][index] = derivative
        return probe.answer(found)

    return answer
