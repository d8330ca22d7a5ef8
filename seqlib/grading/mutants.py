"""Wrong answers on purpose: what tests a grader.

A weak case is found only by an answer that is wrong and passes it.  `constant` and `nan` stand for
answers that give zeros, or NaN, of the right shapes: the test makes them from the solution.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Mutant(NamedTuple):
    answer: Callable  # or `constant`, `nan`
    points: int  # that it gets, exactly
    hint: str  # words of a hint that it must trigger


def constant(solution):
    """The answer that gives zeros wherever a solution gives numbers."""
    return lambda *arguments: filled(solution(*arguments), 0)


def nan(solution):
    """The answer that gives NaN wherever a solution gives floating numbers, and -1 for integers."""
    return lambda *arguments: filled(solution(*arguments), np.nan)


def filled(value, number):
    """The same tuples, dicts and shapes with one number everywhere."""
    if isinstance(value, dict):
        return {key: filled(item, number) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(filled(item, number) for item in value)
    if value is None or isinstance(value, str):
        return "" if isinstance(value, str) else None
    a = np.asarray(value)
    if a.dtype.kind == "f":
        return np.full(a.shape, number)
    return np.full(a.shape, -1 if np.isnan(number) else number, a.dtype)
