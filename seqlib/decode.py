"""From a model's predictions to symbols: greedy, sampling, beam search; always with a length limit.

    (temperature)   p_k = exp(logit_k / tau) / sum_j exp(logit_j / tau)
    (beam-score)    score(y) = log p(y) / |y|^alpha          |y| counts the end symbol

A model here is anything with step(params, ids, state) -> (logits, state).  -inf among the logits
forbids a symbol; NaN, +inf or nothing but -inf is a ValueError that names step and row, and so is
an argument out of range.  Where several symbols are the likeliest, the first is taken.
Sources: top-k, Fan et al., 2018; top-p (nucleus), Holtzman et al., 2020; the exponent of the length
penalty, Wu et al., Google's neural machine translation system, 2016, there of (5 + |y|) / 6.
Formulas: chapters/02_rnn.ipynb and 07_encoder_decoder.ipynb.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks, ops
from seqlib.scratch.state import map_state


class Decoded(NamedTuple):
    ids: np.ndarray  # (B, N), N <= max_length; rows that ended are filled with the end symbol
    lengths: np.ndarray  # (B,) symbols up to and with the end symbol
    log_probability: np.ndarray  # (B,) of the whole row under the model, in nats


def greedy(model, params, first, state, *, max_length, end=None):
    """Take the likeliest symbol at every step.

    first       (B,)  ids to feed at the first step
    state       the model's state before it, from model.start
    max_length  symbols to generate at most
    end         id after which a row is finished; None never ends early

    Returns Decoded.
    """
    return generate(model, params, first, state, lambda logits: logits.argmax(-1), max_length, end)


def sample(
    model,
    params,
    first,
    state,
    rng,
    *,
    max_length,
    end=None,
    temperature=1.0,
    top_k=None,
    top_p=None,
):
    """Draw every symbol from the model's distribution, sharpened or cut if asked.

    rng          np.random.Generator
    temperature  below 1 sharpens, above 1 flattens; towards 0 the likeliest symbol alone is left,
                 or several if their logits are equal
    top_k        keep the k likeliest symbols, of equals the first; 1 is greedy
    top_p        keep the likeliest symbols that together reach probability top_p; 1 keeps all
    The other arguments and the result are those of `greedy`; log_probability is under the model
    itself.
    """

    def choose(logits):
        kept = with_temperature(logits, temperature)
        kept = kept if top_k is None else keep_top_k(kept, top_k)
        kept = kept if top_p is None else keep_top_p(kept, top_p)
        return (kept + rng.gumbel(size=kept.shape)).argmax(-1)  # a draw from softmax(kept)

    return generate(model, params, first, state, choose, max_length, end)


def generate(model, params, first, state, choose, max_length, end=None):
    """The loop of every decoder without search; choose(logits (B, V)) -> ids (B,)."""
    checks.sizes(max_length=max_length)
    ids = first_ids(first)
    log_probability = np.zeros(len(ids))
    lengths = np.zeros(len(ids), dtype=int)
    running = np.ones(len(ids), dtype=bool)
    steps = []
    while running.any() and len(steps) < max_length:
        logits, state = model.step(params, ids, state)
        logits = scores(logits, running, len(steps) + 1, end)
        ids = choose(logits)
        picked = np.take_along_axis(ops.log_softmax(logits), ids[:, None], axis=-1)[:, 0]
        log_probability += np.where(running, picked, 0)
        lengths += running
        if end is not None:
            ids = np.where(running, ids, end)
            running = running & (ids != end)
        steps.append(ids)
    return Decoded(np.stack(steps, axis=1), lengths, log_probability)


def beam_search(model, params, first, state, *, width, max_length, end=None, alpha=0.0):
    """Of the `width` best beginnings at every step, the best row in the end.

    A row that is finished stays among the `width` with its score, and no longer grows; the search
    ends when all of them are finished.

    width  beginnings to keep; 1 is greedy choice
    alpha  0 compares log-probabilities, which favors short rows; 1 their mean per symbol
    The other arguments and the result are those of `greedy`.

    Returns Decoded, the best of each row of the batch.
    Raises ValueError if width or max_length is less than 1, or alpha is negative.
    """
    checks.sizes(width=width, max_length=max_length)
    if not 0 <= alpha < np.inf:
        raise ValueError(f"alpha is {alpha}; expected at least 0, and finite")
    first = first_ids(first)
    B, rows = len(first), np.arange(len(first))[:, None]
    ids = np.repeat(first, width)  # (B width,): the beginnings of a row of the batch lie together
    state = map_state(lambda a: np.repeat(a, width, axis=0), state)
    log_p = np.where(np.arange(width) == 0, 0.0, np.full((B, width), -np.inf))  # one beginning yet
    lengths, running = np.zeros((B, width), int), np.ones((B, width), bool)
    written = np.zeros((B, width, 0), int)
    while running.any() and written.shape[2] < max_length:
        logits, state = model.step(params, ids, state)
        alive = running & (log_p > -np.inf)
        logits = scores(logits, alive.ravel(), written.shape[2] + 1, end)
        log_next = ops.log_softmax(logits).reshape(B, width, -1).astype(float)
        V = log_next.shape[2]
        if end is not None:  # a finished row goes on in one way, for nothing
            stay = np.where(np.arange(V) == end, 0.0, -np.inf)
            log_next = np.where(running[..., None], log_next, stay)
        grown = lengths + running
        log_next += log_p[..., None]
        score = log_next / grown[..., None] ** alpha  # (beam-score)
        best = np.argsort(-score.reshape(B, -1), axis=1, kind="stable")[:, :width]
        parent, ids = best // V, best % V
        log_p = log_next.reshape(B, -1)[rows, best]
        lengths, running = grown[rows, parent], running[rows, parent]
        written = np.concatenate([written[rows, parent], ids[..., None]], axis=2)
        if end is not None:
            running = running & (ids != end)
        ids, moved = ids.ravel(), (rows * width + parent).ravel()
        state = map_state(lambda a, moved=moved: a[moved], state)
    n = lengths[:, 0]  # the beginnings stand in the order of their scores
    return Decoded(written[:, 0, : n.max()], n, log_p[:, 0])


def first_ids(first):
    """The ids to feed at the first step as an array (B,), B at least 1."""
    first = np.asarray(checks.listed(first))
    checks.shape("first", first, (None,))
    checks.sizes(B=len(first))
    return first


def scores(logits, running, step, end):
    """The logits (B, V) of a step as floats, checked in the rows that are running, 0 in others."""
    logits = as_floats(logits)
    checks.shape(f"logits of step {step}", logits, (len(running), None))
    if end is not None:
        checks.ids("end", end, logits.shape[1])
    logits = np.where(running[:, None], logits, 0)
    checks.logits(f"the logits of step {step}", logits)
    return logits


def as_floats(logits):
    logits = np.asarray(logits)
    return logits if np.issubdtype(logits.dtype, np.floating) else logits.astype(np.float64)


def with_temperature(logits, temperature):
    """The logits less the largest of their row, divided by a temperature.

    The softmax of the result is (temperature).  What overflows is -inf, which is its limit.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(
            f"temperature is {temperature}; expected more than 0, and finite (greedy is its limit"
            " at 0)"
        )
    logits = as_floats(logits)
    checks.logits("logits", logits)
    below = (logits - logits.max(axis=-1, keepdims=True)).astype(np.float64)
    with np.errstate(over="ignore"):
        return (below / temperature).astype(logits.dtype)  # (temperature)


def keep_top_k(logits, k):
    """Minus infinity for all but the k largest logits of each row; of equals, the first stay."""
    logits = as_floats(logits)
    checks.logits("logits", logits)
    if not 1 <= k <= logits.shape[-1]:
        raise ValueError(f"top_k is {k}; expected 1 to {logits.shape[-1]}")
    order = np.argsort(-logits, axis=-1, kind="stable")
    return drop(logits, order, np.arange(logits.shape[-1]) >= k)


def keep_top_p(logits, p):
    """Minus infinity for all but the likeliest logits that together first reach probability p.

    Of equals, the first stay; 1 keeps all.  A sum that misses p by the rounding of the logits alone
    has reached it.
    """
    if not 0 < p <= 1:
        raise ValueError(f"top_p is {p}; expected more than 0 and at most 1")
    logits = as_floats(logits)
    checks.logits("logits", logits)
    if p == 1:
        return logits.copy()
    order = np.argsort(-logits, axis=-1, kind="stable")
    sorted_p = np.take_along_axis(ops.softmax(logits.astype(np.float64)), order, axis=-1)
    before = np.cumsum(sorted_p, axis=-1) - sorted_p
    return drop(logits, order, before >= p * (1 - 16 * np.finfo(logits.dtype).eps))


def drop(logits, order, dropped):
    """Minus infinity where `dropped` is True, counted in the given order of each row."""
    kept = logits.copy()
    dropped = np.broadcast_to(dropped, logits.shape)
    np.put_along_axis(
        kept,
        order,
        np.where(dropped, -np.inf, np.take_along_axis(logits, order, axis=-1)),
        axis=-1,
    )
    return kept
