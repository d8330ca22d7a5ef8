"""Questions, and how an answer to one is marked.

A question asks for one function from plain values to plain values, see `values`.  Nothing else
passes between an answer and its cases, so a case never touches an object of the answer's making,
and the answer may as well run in another process.

A case draws its inputs from a seed, calls the answer, and compares what came back by `same` or
`ensure`.  Its message tells what was compared and by how much it differs, never the right value; in
a mark that counts it does not tell by how much either.
"""

import linecache
import traceback
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from seqlib.grading.values import Failed, Wrong, clean, copied, plain

UNUSABLE = (  # what a case may raise over a value that it did not expect
    *(ArithmeticError, AssertionError, AttributeError, LookupError),
    *(MemoryError, RecursionError, TypeError, ValueError),
)


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
    known: bool = False  # the hint names a known mistake

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


def judged(question, answer, seed, *, brief=False):
    """The same for an answer that may run elsewhere: it gives plain values and fails as Wrong.

    brief  whether it counts: then no message tells how far off an answer is
    """
    outcomes = []
    for number, case in enumerate(question.cases):
        rng = np.random.default_rng([seed, number, *question.name.encode()])
        try:
            with np.errstate(all="ignore"):  # NaN and infinity are reported as what they are
                case.run(answer, rng)
        except Wrong as wrong:
            own = isinstance(wrong, Failed)
            told = str(wrong) if own or not brief else wrong.brief or "it is not as the case asks"
            hint, known = wrong.hint or case.hint, bool(wrong.hint) and not own
            outcomes.append(
                Outcome(case, False, clean(told) or "no reason told", clean(hint), known)
            )
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
            return plain(function(*(copied(value) for value in arguments)))
        except NotImplementedError as error:
            raise Failed("not written yet", hint="Replace the line that raises.") from error
        except Wrong as wrong:
            raise Failed(str(wrong), wrong.hint) from wrong
        except (Exception, SystemExit) as error:
            raise Failed(f"{type(error).__name__}: {error}{where(error)}") from error

    return answer


def where(error):
    """The line in which an answer failed, if it can be told."""
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    if not own or "seqlib" in own[0].filename:
        return ""
    last = [frame for frame in own if frame.filename == own[0].filename][-1]
    line = linecache.getline(last.filename, last.lineno).strip()
    return f", in line {last.lineno} of its cell: {line}" if line else ""
