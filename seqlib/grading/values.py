"""Plain values: all that passes between an answer and its cases.

Numbers, strings, arrays, and tuples, lists and dicts of them.  `plain` makes them from what an
answer returned, where its meaning is clear, and says in words what it cannot use.
"""

import itertools
import numbers
from collections.abc import Iterable

import numpy as np

DEPTH = 8  # of tuples and dicts within each other
ITEMS = 100_000  # of an iterable
LONGEST = 400  # characters of a message
KINDS = "biuf"  # of arrays: booleans, integers, floating numbers


class Wrong(Exception):
    """What a case found wrong.

    hint   takes the place of the case's own
    brief  what a mark that counts may say of it: no number that tells how far off an answer is
    """

    def __init__(self, message, hint=None, brief=None):
        super().__init__(message)
        self.hint, self.brief = hint, brief


class Failed(Wrong):
    """An answer that gave no value: its own error, or the end of its process."""


class Odd(str):
    """What stands in a dict for a value that is no plain one: a sentence that says so."""


def clean(text, most=LONGEST):
    """Anybody's text as one line that a terminal, a page and a table can show."""
    text = str(text)
    shown = "".join(sign if sign.isprintable() else " " for sign in text[:most])
    return shown if len(text) <= most else f"{shown[: most - 3]}..."


def copied(value):
    """Arguments that an answer may change without a case noticing."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(item) for item in value)
    return value


def plain(value, depth=DEPTH):
    """What an answer returned, as values that hold no code.

    Arrays are copied, tensors become arrays, and anything else that is counted off one by one
    becomes a tuple.  A dict keeps a sentence in place of a value that is none.

    Raises Wrong for anything else.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.ndarray | np.generic):
        return _array(value)
    if isinstance(value, numbers.Real) or type(value).__module__ == "decimal":
        return float(value)
    if callable(getattr(value, "detach", None)):  # a tensor
        return _array(value.detach().cpu().numpy())
    if depth and isinstance(value, dict):
        return {str(key): _entry(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, Iterable) and not isinstance(value, bytes | set | frozenset):
        items = tuple(itertools.islice(iter(value), ITEMS + 1))
        if len(items) > ITEMS:
            raise Wrong(f"returned more than {ITEMS} values one by one")
        return tuple(plain(item, depth - 1) for item in items)
    raise Wrong(
        f"returned {type(value).__module__}.{type(value).__name__}; expected numbers, NumPy arrays,"
        " tuples and dicts of them"
    )


def _array(value):
    found = np.array(value, subok=False)
    if found.dtype.kind == "f" and found.dtype.itemsize > 8:
        found = found.astype(float)
    if found.dtype.kind in KINDS:
        return found.astype(found.dtype.newbyteorder("="), copy=False)
    raise Wrong(f"returned an array of dtype {found.dtype}; expected numbers or booleans")


def _entry(value, depth):
    try:
        return plain(value, depth)
    except Wrong as wrong:  # perhaps nobody asks for this key
        return Odd(wrong)


def kind(value):
    """In words, what a value is, without saying which."""
    if isinstance(value, Odd):
        return str(value)
    if isinstance(value, list | tuple):
        return f"a tuple of {len(value)}"
    if isinstance(value, dict):
        return "a dict"
    if value is None:
        return "None"
    if isinstance(value, str):
        return "a string"
    return f"an array of shape {np.shape(value)}" if np.ndim(value) else "a number"
