"""What a caller can get wrong, said once: a ValueError that names both numbers."""

from collections.abc import Iterator
from numbers import Integral

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def floats(name, a, params=None):
    """`a` as an array of float32 or float64; the params must share its dtype.

    Raises ValueError if `a` is not floating or its dtype differs from a parameter's.
    """
    a = np.asarray(a)
    dtype = a.dtype
    if dtype not in FLOATS:
        raise ValueError(f"{name} is {dtype}; layers take float32 or float64{foreign_bytes(dtype)}")
    for key, value in (params or {}).items():
        if value.dtype != dtype:
            raise ValueError(
                f"{name} is {dtype}, {key} is {value.dtype}; a layer computes in one dtype"
                f"{foreign_bytes(value.dtype)}"
            )
    return a


def foreign_bytes(dtype):
    """How to turn floats whose bytes stand in another order than this machine's; "" for others."""
    if isinstance(dtype, np.dtype) and dtype.newbyteorder("=") in FLOATS and not dtype.isnative:
        return f'; a.astype("{dtype.newbyteorder("=")}") puts the bytes into the order used here'
    return ""


def sizes(**given):
    """Raises ValueError unless every size is at least 1, and finite."""
    for name, size in given.items():
        if not 1 <= size < np.inf:
            raise ValueError(f"{name} is {size}; expected at least 1")


def shape(name, a, expected):
    """Raises ValueError unless a.shape is `expected`, where None stands for any size."""
    matches = len(a.shape) == len(expected) and all(
        want is None or have == want for have, want in zip(a.shape, expected, strict=True)
    )
    if not matches:
        wanted = ", ".join("any" if size is None else str(size) for size in expected)
        raise ValueError(f"{name} has shape {a.shape}; expected ({wanted})")


def broadcasts(name, a, expected):
    """Raises ValueError unless `a` broadcasts to the expected shape."""
    fits = len(a.shape) <= len(expected) and all(
        have in (1, want) for have, want in zip(a.shape[::-1], expected[::-1], strict=False)
    )
    if not fits:
        raise ValueError(f"{name} has shape {a.shape}, which does not broadcast to {expected}")


def sequences(name, x, weight_name, weight):
    """Raises ValueError unless x is (B, T, D), B and T at least 1, for a weight of (out, D)."""
    if x.ndim != 3:
        raise ValueError(f"{name} has {x.ndim} axes; expected 3: batch, steps, features")
    if x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(
            f"{name} has {x.shape[0]} rows of {x.shape[1]} steps; both must be at least 1"
        )
    if x.shape[2] != weight.shape[1]:
        raise ValueError(
            f"{name} has {x.shape[2]} features per step; {weight_name} takes {weight.shape[1]}"
        )


def boolean_mask(mask, expected):
    """The mask as a boolean array of the expected shape.

    Raises ValueError if it is not boolean or has another shape.
    """
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise ValueError(f"the mask is {mask.dtype}; expected bool, True where a step is real")
    shape("the mask", mask, expected)
    return mask


def real_rows(mask):
    """Raises ValueError if a row of a boolean mask (B, T) is padding only."""
    real = mask.any(axis=1)
    if not real.all():
        raise ValueError(f"row {real.argmin()} has 0 real places; expected at least 1")


def ids(name, a, count):
    """`a` as an integer array with 0 <= a < count.

    Raises ValueError if it is not of integers or an id lies outside.
    """
    a = np.asarray(listed(a))
    if not np.issubdtype(a.dtype, np.integer):
        raise ValueError(f"{name} is {a.dtype}; expected integers")
    if a.size and (a.min() < 0 or a.max() >= count):
        bad = a.min() if a.min() < 0 else a.max()
        raise ValueError(f"{name} holds {bad}; expected 0 to {count - 1}")
    return a


def listed(given):
    """What was given, as a list if it is an iterator: that has no length, and can be read once."""
    return list(given) if isinstance(given, Iterator) else given


def string(name, given):
    """Raises TypeError unless a text is a str; bytes have no characters before they are decoded."""
    if not isinstance(given, str):
        raise TypeError(
            f"{name} is {type(given).__name__}; expected str (files.read_text reads a file)"
        )


def tokens(name, row, kinds=(str, Integral)):
    """One row of words or ids, as a list.

    Raises TypeError for bytes; ValueError if the row is a string or a number, or something in it is
    neither a word nor an id, but a row of its own.
    """
    if isinstance(row, bytes | bytearray):
        raise TypeError(f"{name} is {type(row).__name__}; expected words, or decode it first")
    if isinstance(row, str):
        raise ValueError(f"{name} is the string {row[:20]!r}; expected a list of words: split it")
    try:
        row = list(row)
    except TypeError:
        raise ValueError(f"{name} is {row!r}; expected a row of words or ids") from None
    for i, token in enumerate(row):
        if not isinstance(token, kinds):
            wanted = " or ".join("words" if kind is str else "ids" for kind in kinds)
            raise ValueError(
                f"{name} holds a {type(token).__name__} at place {i}; expected one row of {wanted}"
            )
    return row


def finite(name, a):
    """Raises ValueError unless every number of an array is finite; names the first place."""
    bad = ~np.isfinite(a)
    if bad.any():
        place = first_place(bad)
        raise ValueError(
            f"{name} holds {np.asarray(a)[place]} at {place}; {bad.sum()} of {bad.size} are not"
            " finite"
        )


def logits(name, a):
    """Raises ValueError unless each row of logits (..., V) has a softmax.

    The largest of a row must be finite: none is NaN or +inf, and not all are -inf, which forbids a
    symbol.
    """
    largest = np.max(a, axis=-1)
    bad = ~np.isfinite(largest)
    if bad.any():
        place = first_place(bad)
        raise ValueError(
            f"the largest of {name} at {place} is {largest[place]}; expected a finite number,"
            f" which {bad.sum()} of {bad.size} rows have not"
        )


def first_place(found):
    """The first place at which a boolean array is True, as a tuple of indices."""
    return tuple(int(i) for i in np.argwhere(found)[0])
