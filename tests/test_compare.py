"""Answers in another style: accepted where the meaning is clear, else a message in words."""

import collections
import decimal
import fractions

import numpy as np
import pytest

from seqlib.grading import Case, Question, Wrong, ensure, same
from seqlib.grading.questions import asked, judged, marked
from seqlib.grading.values import clean

Pair = collections.namedtuple("Pair", "h c")
A = np.arange(6.0).reshape(2, 3) / 7


def tensor(value):
    import torch

    return torch.tensor(value, requires_grad=True)


ACCEPTED = {
    "nested lists": (A, A.tolist()),
    "a tuple of arrays": (A, tuple(A)),
    "a list of arrays": (A, list(A)),
    "a generator": (A, (row for row in A)),
    "a map": ((1.5, 2.5), map(float, (1.5, 2.5))),
    "a deque": ((1.5, 2.5), collections.deque((1.5, 2.5))),
    "an array for a tuple": ((A[0], A[1]), A),
    "an array for a tuple of numbers": ((1.5, 2.5), np.array([1.5, 2.5])),
    "a named tuple": ((A, A), Pair(A, A)),
    "float32": (A, A.astype(np.float32)),
    "float32 among float64": (A, A.astype(np.float32).astype(float)),
    "a number of float32": (1 / 3, float(np.float32(1 / 3))),
    "longdouble": (A, A.astype(np.longdouble)),
    "a tensor": (A, tensor(A)),
    "a tensor of one number": (0.5, tensor(0.5)),
    "Fortran order": (A, np.asfortranarray(A)),
    "another order of bytes": (A, A.astype(">f8")),
    "a view": (A, A.T.copy().T),
    "not writable": (A, np.broadcast_to(A, A.shape)),
    "an extra key": ({"a": A}, {"a": A, "b": 1}),
    "an extra key that is no text": ({"a": A}, {"a": A, ("b", 1): object}),
    "a defaultdict": ({"a": A}, collections.defaultdict(float, a=A)),
    "one number in an array": (0.25, np.array([0.25])),
    "one number in a list": (0.25, [[0.25]]),
    "a number for an array of one": (np.array([0.25]), 0.25),
    "Decimal": (0.25, decimal.Decimal("0.25")),
    "Fraction": (0.25, fractions.Fraction(1, 4)),
    "np.longdouble": (0.25, np.longdouble(0.25)),
    "a boolean of NumPy": (True, np.True_),
    "0 and 1 for booleans": (np.array([True, False]), np.array([1, 0])),
    "0.0 and 1.0 for booleans": (np.array([True, False]), np.array([1.0, 0.0])),
    "a float for an integer": (3, 3.0),
    "floats for ids": (np.array([1, 2]), [1.0, 2.0]),
    "integers for floats": (np.array([1.0, 2.0]), np.array([1, 2])),
    "small integers": (np.array([1.0, 2.0]), np.array([1, 2], np.int8)),
    "rows of unequal lengths": (((1, 2), (3,)), [np.array([1, 2]), np.array([3])]),
    "nothing in a list": (np.zeros((0,)), []),
    "infinity": (np.array([-np.inf, 1.0]), np.array([-np.inf, 1.0])),
    "a string of NumPy": ("ab", np.str_("ab")),
}
REFUSED = {
    "a set": (A, {1.0}, "returned builtins.set"),
    "bytes": ("a", b"a", "returned builtins.bytes"),
    "a function": (1.0, len, "returned builtins.builtin_function_or_method"),
    "an array of objects": (A, A.astype(object), "dtype object"),
    "an array of strings": (A, A.astype("U3"), "dtype <U3"),
    "complex": (A, A + 0j, "dtype complex128"),
    "float16": (A, A.astype(np.float16), "float16 holds three digits"),
    "a wrong float32": (A, (A + 1e-4).astype(np.float32), "compute in float64"),
    "a far float32": (A, (A + 1).astype(np.float32), "differs by up to 1"),
    "another shape": (A, A.T, "shape (3, 2); expected (2, 3)"),
    "rows missing": (A, A[:1].tolist(), "a tuple of 1; expected an array of shape (2, 3)"),
    "ragged rows": (A, [[1.0, 2.0], [3.0]], "a tuple of 2; expected an array of shape (2, 3)"),
    "a key missing": ({"a": A, "b": 1}, {"a": A}, "no key 'b'"),
    "a key that holds no value": ({"a": 1.0}, {"a": len}, "returned builtins"),
    "no dict": ({"a": 1.0}, 1.0, "a number; expected a dict"),
    "too few": ((1.0, 2.0), (1.0,), "a tuple of 1; expected a tuple of 2"),
    "a number for a tuple": ((1.0, 2.0), 1.0, "a number; expected a tuple of 2"),
    "almost an integer": (3, 3.0000001, "differs"),
    "another sign of infinity": (np.array([-np.inf]), np.array([np.inf]), "infinite"),
    "no number": (A, A + np.nan, "6 of 6 numbers are not finite"),
    "nothing": (A, None, "None; expected an array"),
    "a string for a number": (1.0, "1.0", "a string; expected a number"),
    "without end": (A, iter(int, 1), "returned more than"),
}


def answer_of(value):
    return asked(lambda: value)


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_clear_is_accepted(name):
    expected, found = ACCEPTED[name]
    same("y", answer_of(found)(), expected)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_is_told_in_words(name):
    expected, found, message = REFUSED[name]
    with pytest.raises(Wrong) as caught:
        same("y", answer_of(found)(), expected)
    assert message in str(caught.value)


# A mark that counts tells no distance

QUESTION = Question(
    "q",
    "f",
    (
        Case(1, "near", lambda f, rng: same("y", f(), 8.0, suspects={"Half.": 4.0}), "h"),
        Case(1, "many", lambda f, rng: same("n", f(), np.arange(5)), "h"),
        Case(1, "word", lambda f, rng: ensure(f() is None, f"{f():.1f} is too much"), "h"),
        Case(1, "form", lambda f, rng: ensure(f() is None, "there is no None"), "h"),
    ),
)


def test_feedback_is_no_oracle():
    for value in (7.5, 6.5, np.arange(5) + 0.5, np.arange(5) + 7, {"a": 1}, np.nan):
        outcomes = judged(QUESTION, answer_of(value), 0, brief=True)
        told = [outcome.message for outcome in outcomes]
        assert not any(outcome.passed for outcome in outcomes)
        assert not any(sign.isdigit() for text in told for sign in text.split("shape")[0]), told
        assert told[3] == "there is no None"
    seven, six = (judged(QUESTION, answer_of(v), 0, brief=True)[:3] for v in (7.5, 6.5))
    assert seven == six
    assert "differs by up to 0.5" in marked(QUESTION, lambda: 7.5)[0].message  # for oneself


def test_a_known_mistake_is_told_also_where_it_counts():
    first = judged(QUESTION, answer_of(4.0), 0, brief=True)[0]
    assert (first.hint, first.known) == ("Half.", True)
    assert not judged(QUESTION, answer_of(5.0), 0, brief=True)[0].known
    failed = judged(QUESTION, asked(lambda: 1 / 0), 0, brief=True)[0]
    assert failed.message.startswith("ZeroDivisionError") and not failed.known


def test_a_message_is_one_line_of_signs():
    text = clean("a\nb\x1b[31m\0c\u202e\ud800" + "x" * 1000)
    assert text.isprintable() and len(text) == 400 and text.startswith("a b [31m c  x")


@pytest.mark.parametrize("error", [OverflowError, ZeroDivisionError, AssertionError, MemoryError])
def test_a_value_that_a_case_cannot_use_is_wrong(error):
    def case(answer, rng):
        raise error("the right value is 42")

    (found,) = judged(Question("q", "f", (Case(1, "", case, ""),)), None, 0)
    assert not found.passed and "42" not in found.message and error.__name__ in found.message
