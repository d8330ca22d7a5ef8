"""Looking things up in what was read: repeats of unknown length, and values by their keys."""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks


class InductionBatch(NamedTuple):
    """Rows that repeat themselves; targets are the inputs one symbol later."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    mask: np.ndarray  # (B, T) all True
    repeated: np.ndarray  # (B, T) True where the target was a target one period before
    period: np.ndarray  # (B,)


class RecallBatch(NamedTuple):
    """Pairs of a key and its value, and one of the keys again; the target is its value."""

    inputs: np.ndarray  # (B, 2 pairs + 1)
    targets: np.ndarray  # (B,)
    mask: np.ndarray  # (B, 2 pairs + 1) all True


def induction(rng, B, T, V=32, least=8, most=24):
    """Random symbols that repeat after a period, which differs from row to row.

    To predict a repeated symbol, find where the last one stood before, and look what came after
    it.  With one period for all rows a fixed distance would do instead.  A guess costs ln V; where
    `repeated`, nothing is left to guess.

    B            rows
    T            steps
    V            symbols; the first period holds no symbol twice
    least, most  the period is drawn evenly between them

    Returns an InductionBatch.  Raises ValueError unless 1 <= least <= most <= V and most < T.
    Source: Olsson et al., In-context learning and induction heads, 2022.

    >>> batch = induction(np.random.default_rng(0), B=1, T=8, V=9, least=3, most=3)
    >>> batch.inputs
    array([[4, 5, 2, 4, 5, 2, 4, 5]])
    >>> batch.repeated.astype(int)
    array([[0, 0, 0, 1, 1, 1, 1, 1]])
    """
    checks.sizes(B=B)
    if not 1 <= least <= most <= V or not most < T:
        raise ValueError(
            f"periods {least} to {most} of {V} symbols in {T} steps;"
            " expected 1 <= least <= most <= V, and most < T"
        )
    period = rng.integers(least, most + 1, B)
    symbols = rng.permuted(np.tile(np.arange(V), (B, 1)), axis=1)
    place = np.arange(T + 1) % period[:, None]
    rows = np.take_along_axis(symbols, place, axis=1)
    repeated = np.broadcast_to(np.arange(T) >= period[:, None], (B, T)).copy()
    return InductionBatch(rows[:, :-1], rows[:, 1:], np.ones((B, T), bool), repeated, period)


def associative_recall(rng, B, pairs, keys=16, values=16):
    """Pairs of a key and a value, then one key: what was its value?

    The keys of a row all differ, and so do its values.  Who knows the values that were shown, but
    not which belongs to the key, is right with probability 1 / pairs.

    B       rows
    pairs   pairs of a row
    keys    symbols for keys: ids 0 to keys - 1
    values  symbols for values: ids keys to keys + values - 1

    Returns a RecallBatch; the targets are ids of values, less keys: 0 to values - 1.
    Raises ValueError unless B >= 1 and 1 <= pairs <= keys and values.
    Source: Graves, Wayne and Danihelka, Neural Turing machines, 2014; in this form Ba et al., Using
    fast weights to attend to the recent past, 2016.

    >>> batch = associative_recall(np.random.default_rng(0), B=1, pairs=3, keys=4, values=5)
    >>> batch.inputs, batch.targets
    (array([[2, 6, 0, 8, 1, 7, 2]]), array([2]))
    """
    checks.sizes(B=B)
    if not 1 <= pairs <= min(keys, values):
        raise ValueError(
            f"{pairs} pairs of {keys} keys and {values} values; expected 1 to {min(keys, values)}"
        )
    shown = rng.permuted(np.tile(np.arange(keys), (B, 1)), axis=1)[:, :pairs]
    answers = rng.permuted(np.tile(np.arange(values), (B, 1)), axis=1)[:, :pairs]
    asked, rows = rng.integers(pairs, size=B), np.arange(B)
    read = np.stack([shown, keys + answers], axis=2).reshape(B, 2 * pairs)
    inputs = np.concatenate([read, shown[rows, asked][:, None]], axis=1)
    return RecallBatch(inputs, answers[rows, asked], np.ones(inputs.shape, bool))
