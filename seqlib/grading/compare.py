"""Whether two plain values are the same, whatever style an answer returned its own in."""

import numpy as np

from seqlib.grading.values import Wrong, kind

SINGLE = 32 * float(np.finfo(np.float32).eps)  # what a few steps in float32 leave
FLOAT32 = "; it holds the digits of float32: compute in float64"


def same(what, found, expected, *, tolerance=1e-9, suspects=None):
    """Passes if two values are the same up to rounding.

    what       their name, for the message
    found      of the answer: an array or a number; or a tuple or a dict of them, as expected is
    expected   of the case
    tolerance  largest difference, relative to the largest entry of expected or to 1
    suspects   dict of hint: what an answer with a known mistake gives; the hint is shown for it

    Lists stand for arrays and arrays for tuples, one number in an array for a number, 0 and 1 for
    booleans; keys that nobody asked for are left alone; float32 is compared as far as it goes.

    Raises Wrong.
    """
    try:
        _compare(what, found, expected, tolerance)
    except Wrong as wrong:
        for hint, suspect in (suspects or {}).items():
            if _holds_nan(suspect):  # many mistakes end there
                continue
            try:
                _compare(what, found, suspect, tolerance)
            except Wrong:
                continue
            raise Wrong(str(wrong), hint, wrong.brief) from None
        raise


def _holds_nan(value):
    if isinstance(value, dict):
        return any(map(_holds_nan, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_nan, value))
    a = np.asarray(value)
    return a.dtype.kind == "f" and bool(np.isnan(a).any())


def ensure(condition, message, hint=None):
    """Raises Wrong with the message unless the condition holds."""
    if not condition:
        told = any(sign.isdigit() for sign in message)
        raise Wrong(message, hint, "it is not as the case asks" if told else message)


def _differs(what, text, brief):
    return Wrong(f"{what}: {text}", brief=f"{what}: {brief}")


def _compare(what, found, expected, tolerance):
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            raise _differs(what, f"{kind(found)}; expected a dict", f"{kind(found)}, not a dict")
        missing = sorted(set(map(str, expected)) - set(found))
        if missing:
            raise _differs(what, f"no key {', '.join(map(repr, missing))}", "a key is missing")
        for key, value in expected.items():
            _compare(f"{what}[{key!r}]", found[str(key)], value, tolerance)
        return
    if isinstance(expected, list | tuple):
        if isinstance(found, np.ndarray) and found.ndim:
            found = tuple(found)
        if not isinstance(found, list | tuple) or len(found) != len(expected):
            told = f"{kind(found)}; expected {kind(tuple(expected))}"
            raise _differs(what, told, f"{kind(found)}, another form than asked for")
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            _compare(f"{what}[{i}]", one, other, tolerance)
        return
    if expected is None or isinstance(expected, str):
        if not isinstance(found, type(expected)) or found != expected:
            text = f"another one ({kind(found)}) than expected"
            raise _differs(what, text, text)
        return
    _numbers(what, found, expected, tolerance)


def _numbers(what, found, expected, tolerance):
    a, b = _array(what, found, expected), np.asarray(expected)
    if a.size == b.size == 1:
        a = a.reshape(b.shape)
    if a.shape != b.shape:
        told = f"shape {a.shape}"
        raise _differs(what, f"{told}; expected {b.shape}", f"{told}, another one than asked for")
    if b.dtype.kind in "biu":
        wrong = int(np.sum(a != b))
        if wrong:
            text = f"{wrong} of {a.size} differ" if a.size > 1 else "differs"
            raise _differs(what, text, "differs")
        return
    if a.dtype == np.float16:
        text = "float16 holds three digits: compute in float64"
        raise _differs(what, text, text)
    a, finite = a.astype(np.result_type(a, np.float32)), np.isfinite(b)
    if not np.isfinite(a[finite]).all():
        text = f"{np.sum(~np.isfinite(a))} of {a.size} numbers are not finite"
        raise _differs(what, text, "there are numbers that are not finite")
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        text = "another number where one is infinite, or none"
        raise _differs(what, text, text)
    a, b = a[finite], b[finite]
    with np.errstate(all="ignore"):  # whole numbers are short in any dtype
        single = np.array_equal(a, a.astype(np.float32)) and not np.array_equal(a, np.round(a))
    single = single or a.dtype == np.float32
    size = max(1.0, float(np.abs(b).max(initial=0)))
    most = max(tolerance, SINGLE if single else 0) * size
    difference = float(np.abs(a.astype(float) - b).max(initial=0))
    if not difference <= most:
        told = FLOAT32 if single and difference <= 1e-3 * size else ""
        text = f"differs by up to {difference:.2g}; at most {most:.1g} is allowed{told}"
        raise _differs(what, text, f"differs{told}")


def _array(what, found, expected):
    """What was found as an array of numbers; nested lists of the right lengths are one."""
    a = None
    if isinstance(found, list | tuple):
        try:
            a = np.array(found)
        except (TypeError, ValueError):  # rows of unequal lengths
            a = None
        if a is not None and a.shape != np.shape(expected) and not a.size == np.size(expected) == 1:
            a = None
        if a is not None and not a.size:
            a = a.astype(float)
    elif found is not None and not isinstance(found, str | dict):
        a = np.asarray(found)
    if a is None or a.dtype.kind not in "biuf":
        told = f"{kind(found)}; expected {kind(expected)}"
        raise _differs(what, told, f"{kind(found)}, another form than asked for")
    return a
