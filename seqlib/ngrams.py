"""n-gram models by counting, smoothed by Witten and Bell.

    (witten-bell)   p_n(w | u) = (c(u w) + k(u) p_{n-1}(w | u')) / (c(u) + k(u))

u is the last n-1 symbols, u' is u without the oldest of them; c counts in the training text, k(u)
is the number of different symbols seen after u, and p_0 = 1/V.  Without smoothing, p would be
c(u w) / c(u).  Source: Witten and Bell, The zero-frequency problem, 1991.
Formulas: chapters/01_sequences.ipynb.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks


class Level(NamedTuple):
    """The counts for contexts of one length; a tuple of ids is held as one integer."""

    contexts: np.ndarray  # sorted
    totals: np.ndarray  # c(u)
    kinds: np.ndarray  # k(u)
    grams: np.ndarray  # sorted
    counts: np.ndarray  # c(u w)


class NGram(NamedTuple):
    """A fitted model.

    `step` and `start` make it a model for `decode`; it has no params: pass None.
    """

    order: int  # n
    V: int
    levels: tuple[Level, ...]  # contexts of 0, 1, ... n-1 symbols

    @property
    def size(self):
        """How many different grams of all lengths are stored: the model's numbers."""
        return sum(len(level.grams) for level in self.levels)

    def start(self, params, source):
        """The last n-1 ids of `source` (B, T) as a state (B, n-1); V stands before the text."""
        source = checks.ids("source", source, self.V)
        checks.shape("source", source, (None, None))
        before = np.full((len(source), self.order - 1), self.V)
        return np.concatenate([before, source], axis=1)[:, source.shape[1] :]

    def step(self, params, ids, state):
        """Log-probabilities (B, V) of the symbol after ids (B,), and the new state."""
        ids = checks.ids("ids", ids, self.V)
        checks.shape("ids", ids, (len(state),))
        state = np.concatenate([state, ids[:, None]], axis=1)[:, 1:]
        every = np.broadcast_to(np.arange(self.V), (len(state), self.V))
        return np.log(probabilities(self, state, every)), state


def fit(ids, order, V):
    """Count all grams of up to `order` symbols in a text.

    ids    (N,)  integers, 0 to V - 1
    order  n: a symbol is predicted from the n - 1 before it

    Returns an NGram.  Raises ValueError if ids is empty or out of range, or n symbols do not fit
    one integer.
    """
    ids = checks.ids("ids", ids, V)
    checks.shape("ids", ids, (None,))
    if len(ids) == 0 or order < 1:
        raise ValueError(f"order {order} on {len(ids)} symbols; both must be at least 1")
    if order * np.log2(V + 1) >= 63:
        raise ValueError(
            f"order {order} over {V} symbols needs {order * np.log2(V + 1):.0f} bits a gram; 63 fit"
        )
    padded = np.concatenate([np.full(order - 1, V), ids])
    levels = []
    for length in range(order):
        contexts = as_integers(
            np.lib.stride_tricks.sliding_window_view(padded, length + 1)[:, :-1], V
        )
        contexts = contexts[order - 1 - length :]
        grams, counts = np.unique(contexts * (V + 1) + ids, return_counts=True)
        seen, totals = np.unique(contexts, return_counts=True)
        _, kinds = np.unique(grams // (V + 1), return_counts=True)
        levels.append(Level(seen, totals, kinds, grams, counts))
    return NGram(order, V, tuple(levels))


def probabilities(model, contexts, words):
    """The smoothed probability of words after contexts.

    contexts  (N, n-1)  ids; V stands before the beginning of the text
    words     (N, M)    ids

    Returns p (N, M).  Raises ValueError if a shape does not fit or an id is out of range.
    """
    contexts = checks.ids("contexts", contexts, model.V + 1)
    checks.shape("contexts", contexts, (None, model.order - 1))
    words = checks.ids("words", words, model.V)
    checks.shape("words", words, (len(contexts), None))
    p = np.full(np.shape(words), 1 / model.V)
    for length, level in enumerate(model.levels):
        u = as_integers(contexts[:, model.order - 1 - length :], model.V)[:, None]
        total, kinds = (
            look_up(level.contexts, level.totals, u),
            look_up(level.contexts, level.kinds, u),
        )
        count = look_up(level.grams, level.counts, u * (model.V + 1) + words)
        p = np.where(total, (count + kinds * p) / np.maximum(total + kinds, 1), p)  # (witten-bell)
    return p


def cross_entropy(model, ids):
    """The mean cross-entropy of a text under the model, in nats per symbol, from its first on.

    ids  (N,)  integers, 0 to V - 1; at least one
    """
    ids = checks.ids("ids", ids, model.V)
    checks.shape("ids", ids, (None,))
    checks.sizes(N=len(ids))
    padded = np.concatenate([np.full(model.order - 1, model.V), ids])
    contexts = np.lib.stride_tricks.sliding_window_view(padded, model.order)[:, :-1]
    return float(-np.log(probabilities(model, contexts, ids[:, None])).mean())


def as_integers(contexts, V):
    """Each row of ids, (N, length), as one integer in base V + 1."""
    powers = (V + 1) ** np.arange(contexts.shape[1] - 1, -1, -1, dtype=np.int64)
    return contexts.astype(np.int64) @ powers


def look_up(keys, values, wanted):
    """The values of wanted keys, 0 where a key does not occur; keys are sorted."""
    places = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
