"""Tasks with exact answers, drawn from a random generator, and one measured series.

A batch's mask is False where a row has ended; the recurrent layers and the losses take it as it is.
Sentences, grammars, Reber's strings, dates, reversal, progressions and recall have modules of their
own and are found here too.
"""

from typing import NamedTuple

import numpy as np

from seqlib import text
from seqlib.dates import DATE_CHARACTERS as DATE_CHARACTERS
from seqlib.dates import ISO_CHARACTERS as ISO_CHARACTERS
from seqlib.dates import dates as dates
from seqlib.grammars import Grammar as Grammar
from seqlib.grammars import agreement_grammar as agreement_grammar
from seqlib.reber import reber as reber
from seqlib.reber import reber_grammar as reber_grammar
from seqlib.reber import reber_stream as reber_stream
from seqlib.recall import InductionBatch as InductionBatch
from seqlib.recall import RecallBatch as RecallBatch
from seqlib.recall import associative_recall as associative_recall
from seqlib.recall import induction as induction
from seqlib.rewriting import progressions as progressions
from seqlib.rewriting import reversal as reversal
from seqlib.scratch import checks
from seqlib.sentences import HE_NAMES as HE_NAMES
from seqlib.sentences import PRONOUN_WORDS as PRONOUN_WORDS
from seqlib.sentences import SHE_NAMES as SHE_NAMES
from seqlib.sentences import PronounBatch as PronounBatch
from seqlib.sentences import pronouns as pronouns
from seqlib.sentences import tagging as tagging
from seqlib.sentiment import sentiment as sentiment

ADDING_BASELINE = 1 / 6  # mean squared error of the answer 1: the variance of u + v
LATCH_BASELINE = 1 / 2  # accuracy of a model that has lost the bit; its cross-entropy is ln 2
ANBN_SYMBOLS = text.Vocabulary(("$", "a", "b"))


class AddingBatch(NamedTuple):
    """Numbers and marks; the target is the sum of the two marked numbers."""

    inputs: np.ndarray  # (B, T, 2) numbers in [0, 1), and marks: 1 at two steps, 0 at the others
    targets: np.ndarray  # (B, 1)
    mask: np.ndarray  # (B, T) all True


class LatchBatch(NamedTuple):
    """One bit at the first step, asked for after the last."""

    inputs: np.ndarray  # (B, T, 1) the bit as -1 or 1, then zeros or noise
    targets: np.ndarray  # (B,) the bit as 0 or 1
    mask: np.ndarray  # (B, T) all True


class CopyBatch(NamedTuple):
    """Symbols, a delay, and the same symbols as targets; ids K is the blank, K + 1 the signal."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    mask: np.ndarray  # (B, T) all True: the blanks are scored too
    answers: np.ndarray  # (B, T) True where the target is one of the symbols


class AnbnBatch(NamedTuple):
    """Strings a^n b^n as ids of ANBN_SYMBOLS; targets are the inputs one symbol later."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    mask: np.ndarray  # (B, T)
    determined: np.ndarray  # (B, T) True where the target follows from the inputs so far
    n: np.ndarray  # (B,)


def adding(rng, B, T, dtype=np.float64):
    """The adding problem: of T random numbers two are marked; their sum is asked for at the end.

    The first mark stands in the first half, the second in the second.  The numbers are uniform in
    [0, 1), so a model that remembers nothing does best by answering 1: its mean squared error is
    ADDING_BASELINE, exactly 1/6.

    B  sequences
    T  steps, at least 2

    Returns an AddingBatch.  Raises ValueError if B is less than 1 or T less than 2.
    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997, with marks 0 and 1.

    >>> batch = adding(np.random.default_rng(0), B=1, T=6)
    >>> batch.inputs[0].T.round(2)
    array([[0.64, 0.27, 0.04, 0.02, 0.81, 0.91],
           [0.  , 1.  , 0.  , 0.  , 1.  , 0.  ]])
    >>> batch.targets.round(2)
    array([[1.08]])
    """
    checks.sizes(B=B)
    if T < 2:
        raise ValueError(f"T is {T}; two marked numbers need at least 2 steps")
    numbers, marks, rows = rng.random((B, T)), np.zeros((B, T)), np.arange(B)
    first, second = rng.integers(0, T // 2, B), rng.integers(T // 2, T, B)
    marks[rows, first] = marks[rows, second] = 1
    targets = (numbers * marks).sum(axis=1, keepdims=True).astype(dtype)
    return AddingBatch(np.stack([numbers, marks], 2).astype(dtype), targets, all_real(B, T))


def latch(rng, B, delay, noise=0.0, dtype=np.float64):
    """The latch problem: one bit at the first step, read at the end.

    A model that has lost the bit is right with probability LATCH_BASELINE, 1/2.

    B      sequences
    delay  steps after the bit; T = delay + 1
    noise  standard deviation of the inputs after the bit

    Returns a LatchBatch.  Raises ValueError if B or delay is less than 1, or noise is negative.
    Source: Bengio, Simard and Frasconi, Learning long-term dependencies with gradient descent is
    difficult, 1994.

    >>> batch = latch(np.random.default_rng(1), B=3, delay=4)
    >>> batch.inputs[:, :, 0]
    array([[-1.,  0.,  0.,  0.,  0.],
           [ 1.,  0.,  0.,  0.,  0.],
           [ 1.,  0.,  0.,  0.,  0.]])
    >>> batch.targets
    array([0, 1, 1])
    """
    checks.sizes(B=B, delay=delay)
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise is {noise}; expected at least 0, and finite")
    targets = rng.integers(0, 2, B)
    inputs = rng.normal(0, noise, (B, delay + 1, 1))
    inputs[:, 0, 0] = 2 * targets - 1
    return LatchBatch(inputs.astype(dtype), targets, all_real(B, delay + 1))


def copy_memory(rng, B, symbols, delay, K=8):
    """The copy problem: read some symbols, wait, and write them down in the same order.

    The inputs are the symbols, delay - 1 blanks, the signal to write, and blanks; the targets are
    blanks, then the symbols.  T = delay + 2 symbols.  `copy_entropy` is the baseline.

    B        sequences
    symbols  how many have to be remembered, each drawn evenly from K
    delay    steps from the last symbol to the signal

    Returns a CopyBatch; the blank is id K, the signal K + 1, so that V = K + 2.
    Raises ValueError if a size is less than 1.
    Source: Hochreiter and Schmidhuber, 1997; in this form Arjovsky, Shah and Bengio, Unitary
    evolution recurrent neural networks, 2016.

    >>> batch = copy_memory(np.random.default_rng(0), B=1, symbols=3, delay=4)
    >>> batch.inputs
    array([[6, 5, 4, 8, 8, 8, 9, 8, 8, 8]])
    >>> batch.targets
    array([[8, 8, 8, 8, 8, 8, 8, 6, 5, 4]])
    """
    checks.sizes(B=B, symbols=symbols, delay=delay, K=K)
    shown, T = rng.integers(0, K, (B, symbols)), delay + 2 * symbols
    inputs, targets = np.full((B, T), K), np.full((B, T), K)
    answers = np.broadcast_to(np.arange(T) >= T - symbols, (B, T)).copy()
    inputs[:, :symbols] = targets[:, -symbols:] = shown
    inputs[:, symbols + delay - 1] = K + 1
    return CopyBatch(inputs, targets, all_real(B, T), answers)


def copy_entropy(symbols, delay, K=8):
    """The least cross-entropy on `copy_memory` without memory of the symbols, in nats per step.

    Blanks cost nothing, each of the symbols ln K: symbols ln K / (delay + 2 symbols).

    >>> round(copy_entropy(symbols=10, delay=100), 4)
    0.1733
    """
    checks.sizes(symbols=symbols, delay=delay, K=K)
    return symbols * float(np.log(K)) / (delay + 2 * symbols)


def anbn(rng, B, most, least=1):
    """Strings a^n b^n between two marks: there are as many b as a.

    From the first b on everything is determined: n - 1 more b, and the mark of the end.

    B     strings
    most  the greatest n; n is drawn evenly from least to most

    Returns an AnbnBatch, padded with the mark.
    Raises ValueError unless B >= 1 and 1 <= least <= most.
    Source: Gers and Schmidhuber, LSTM recurrent networks learn simple context-free and
    context-sensitive languages, 2001.

    >>> batch = anbn(np.random.default_rng(0), B=1, most=3)
    >>> ["".join(ANBN_SYMBOLS.decode(ids[0])) for ids in (batch.inputs, batch.targets)]
    ['$aaabbb', 'aaabbb$']
    >>> batch.determined[0].astype(int)
    array([0, 0, 0, 0, 1, 1, 1])
    """
    checks.sizes(B=B)
    span(least, most)
    n = rng.integers(least, most + 1, B)[:, None]
    place = np.arange(2 * n.max() + 2)
    a, b = (0 < place) & (place <= n), (n < place) & (place <= 2 * n)
    strings = ANBN_SYMBOLS.id("a") * a + ANBN_SYMBOLS.id("b") * b
    mask = place[:-1] <= 2 * n
    return AnbnBatch(strings[:, :-1], strings[:, 1:], mask, b[:, :-1], n[:, 0])


def anbn_entropy(most, least=1):
    """The least cross-entropy on `anbn`, in nats per symbol: only the number of a is open.

    A string costs ln(most - least + 1) and has 2 n + 1 targets, in the mean least + most + 1.

    >>> round(anbn_entropy(most=3), 4)
    0.2197
    """
    span(least, most)
    return float(np.log(most - least + 1)) / (least + most + 1)


def span(least, most):
    if not 1 <= least <= most:
        raise ValueError(f"n is {least} to {most}; expected 1 <= least <= most")


def all_real(B, T):
    """The mask of sequences of one length."""
    return np.ones((B, T), dtype=bool)


def air_passengers():
    """International airline passengers per month, 1949 to 1960, in thousands.

    Returns (144,) float64.  Source: Box and Jenkins, Time series analysis: forecasting and control,
    series G.
    """
    return np.array(AIR_PASSENGERS, dtype=np.float64)


# fmt: off
AIR_PASSENGERS = (
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118,
    115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140,
    145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166,
    171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194,
    196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201,
    204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229,
    242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278,
    284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306,
    315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336,
    340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337,
    360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405,
    417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432,
)
# fmt: on
