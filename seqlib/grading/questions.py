"""Questions, and how an answer to one is marked.

A question asks for one function from plain values to plain values: numbers, strings, arrays, and
tuples, lists and dicts of them.  Nothing else passes between an answer and its cases, so a case
never touches an object of the answer's making, and the answer may as well run in another process.

A case draws its inputs from a seed, calls the answer, and compares what came back by `same` or
`ensure`.  Its message tells what was compared and by how much it differs, never the right value.
"""

import linecache
import traceback
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DEPTH = 8  # of tuples and dicts within each other
KINDS = "biuf"  # of arrays: booleans, integers, floating numbers
UNUSABLE = (  # what a case may raise over a value that it did not expect
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(MemoryError, RecursionError, TypeError, ValueError),
)


class Wrong(Exception):
    """What a case found wrong; `hint` takes the place of the case's own."""

    def __init__(self, message, hint=None):
        super().__init__(message)
        self.hint = hint


class Case(NamedTuple):
    points: int
    title: str  # what is looked at, for the table that the student sees
    run: Callable  # (answer, rng) -> None; raises Wrong
    hint: str  # where to look; names the tag of the formula


class Question(NamedTuple):
    name: str  # unique in the book: "lstm.peephole"
    function: str  # its name in the notebook
    cases: tuple
    derivation: bool = False  # asks for a gradient by hand: nothing that takes one may be used

    @property
    def points(self):
        return sum(case.points for case in self.cases)


class Outcome(NamedTuple):
    """What came of one case."""

    case: Case
    passed: bool
    message: str = ""
    hint: str = ""

    @property
    def points(self):
        return self.case.points if self.passed else 0


def marked(question, function, seed=0):
    """The Outcome of each case of a question.

    question  a Question
    function  the answer to it
    seed      an integer, from which all inputs are drawn: another one, other inputs
    """
    return judged(question, asked(function), seed)


def judged(question, answer, seed):
    """The same for an answer that may run elsewhere: it gives plain values and fails as Wrong."""
    outcomes = []
    for number, case in enumerate(question.cases):
        rng = np.random.default_rng([seed, number, *question.name.encode()])
        try:
            with np.errstate(all="ignore"):  # NaN and infinity are reported as what they are
                case.run(answer, rng)
        except Wrong as wrong:
            outcomes.append(Outcome(case, False, str(wrong), wrong.hint or case.hint))
        except UNUSABLE as error:  # its text might hold the right value
            message = f"what came back has another form than asked for ({type(error).__name__})"
            outcomes.append(Outcome(case, False, message, case.hint))
        else:
            outcomes.append(Outcome(case, True))
    return outcomes


def asked(function):
    """The function as cases call it: it gets copies, gives plain values, and fails as Wrong."""

    def answer(*arguments):
        try:
            found = function(*(copied(value) for value in arguments))
        except NotImplementedError as error:
            raise Wrong("not written yet", hint="Replace the line that raises.") from error
        except (Exception, SystemExit) as error:
            raise Wrong(f"{type(error).__name__}: {error}{where(error)}") from error
        return plain(found)

    return answer


def where(error):
    """The line in which an answer failed, if it can be told."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    if not own or "seqlib" in own[0].filename:
        return ""
    last = [frame for frame in own if frame.filename == own[0].filename][-1]
    line = linecache.getline(last.filename, last.lineno).strip()
    return f", in line {last.lineno} of its cell: {line}" if line else ""


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
    """What an answer returned, as values that hold no code: arrays are copied, tuples for lists.

    Raises Wrong for anything else.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        found = np.array(value, subok=False)
        if found.dtype.kind in KINDS:
            return found
        raise Wrong(f"returned an array of dtype {found.dtype}; expected numbers or booleans")
    if depth and isinstance(value, dict):
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple):
        return tuple(plain(item, depth - 1) for item in value)
    raise Wrong(
        f"returned {type(value).__module__}.{type(value).__name__}; expected numbers, NumPy arrays,"
        " tuples and dicts of them"
    )


def same(what, found, expected, *, tolerance=1e-9, suspects=None):
    """Passes if two values are the same up to rounding.

    what       their name, for the message
    found      of the answer: an array or a number; or a tuple or a dict of them, as expected is
    expected   of the case
    tolerance  largest difference, relative to the largest entry of expected or to 1
    suspects   dict of hint: what an answer with a known mistake gives; the hint is shown for it

    Raises Wrong.
    """
    try:
        _compare(what, found, expected, tolerance)
    except Wrong as wrong:
        for hint, suspect in (suspects or {}).items():
            try:
                _compare(what, found, suspect, tolerance)
            except Wrong:
                continue
            raise Wrong(str(wrong), hint) from None
        raise


def _compare(what, found, expected, tolerance):
    if isinstance(expected, dict):
        keys = sorted(found) if isinstance(found, dict) else kind(found)
        if keys != sorted(expected):
            raise Wrong(f"{what}: keys {keys}; expected {sorted(expected)}")
        for key, value in expected.items():
            _compare(f"{what}[{key!r}]", found[key], value, tolerance)
        return
    if isinstance(expected, list | tuple):
        if not isinstance(found, list | tuple) or len(found) != len(expected):
            raise Wrong(f"{what}: {kind(found)}; expected {kind(tuple(expected))}")
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            _compare(f"{what}[{i}]", one, other, tolerance)
        return
    if expected is None or isinstance(expected, str):
        if found != expected:
            raise Wrong(f"{what}: another one ({kind(found)}) than expected")
        return
    if found is None or isinstance(found, str | dict | list | tuple):
        raise Wrong(f"{what}: {kind(found)}; expected {kind(expected)}")
    a, b = np.asarray(found), np.asarray(expected)
    if a.shape != b.shape:
        raise Wrong(f"{what}: shape {a.shape}; expected {b.shape}")
    if b.dtype.kind in "biu":
        wrong = int(np.sum(a != b))
        if wrong:
            raise Wrong(f"{what}: {wrong} of {a.size} differ" if a.size > 1 else f"{what}: differs")
        return
    if not np.isfinite(a).all():
        raise Wrong(f"{what}: {np.sum(~np.isfinite(a))} of {a.size} numbers are not finite")
    most = tolerance * max(1.0, float(np.abs(b).max(initial=0)))
    difference = float(np.abs(a.astype(float) - b).max(initial=0))
    if not difference <= most:
        raise Wrong(f"{what}: differs by up to {difference:.2g}; at most {most:.1g} is allowed")


def kind(value):
    """In words, what a value is, without saying which."""
    if isinstance(value, list | tuple):
        return f"a tuple of {len(value)}"
    if isinstance(value, dict):
        return "a dict"
    if value is None:
        return "None"
    if isinstance(value, str):
        return "a string"
    return f"an array of shape {np.shape(value)}" if np.ndim(value) else "a number"


def ensure(condition, message, hint=None):
    """Raises Wrong with the message unless the condition holds."""
    if not condition:
        raise Wrong(message, hint)
