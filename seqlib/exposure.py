"""What a decoder makes of its own mistakes: scores under teacher forcing and running free.

A model here is one that translates: it has logits(params, batch), start and step; a batch is a
text.TranslationBatch.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.feeding import fed
from seqlib.text import END


class Scores(NamedTuple):
    forced: float  # share of symbols that are right after the right symbols
    free: float  # the same after the model's own symbols
    exact: float  # share of rows without a mistake, which is the same either way
    forced_after: float  # forced, of the symbols that follow the row's first mistake; NaN if none
    free_after: float  # free, of the same symbols


def hits(model, params, batch, own=0.0):
    """Where the likeliest symbol is right, (B, T): after the right symbols, or with own=1 its own.

    False behind the ends of rows.  Raises ValueError if a logit of a real place is NaN or +inf.
    """
    batch = fed(model, params, batch._replace(own=own), np.random.default_rng(0))
    logits = model.logits(params, batch)
    checks.logits("logits", np.where(batch.mask[..., None], logits, 0))
    return (logits.argmax(axis=-1) == batch.targets) & batch.mask


def scores(model, params, batch):
    """Scores of a batch, and what changes in them when a model reads its own symbols.

    Raises ValueError if a row is padding only, or as `hits`.
    """
    checks.real_rows(batch.mask)
    forced, free = (hits(model, params, batch, own) for own in (0.0, 1.0))
    wrong = ~free & batch.mask
    after = (np.cumsum(wrong, axis=1) - wrong > 0) & batch.mask
    exact = (free | ~batch.mask).all(axis=1)
    late = (float(found[after].mean()) if after.any() else np.nan for found in (forced, free))
    shares = (float(found[batch.mask].mean()) for found in (forced, free))
    return Scores(*shares, float(exact.mean()), *late)


def slipped(model, params, batch, place, symbols, rng):
    """Let the model run free, but slip one wrong symbol in; where is it right?

    place    the step, counted from 0, whose symbol is replaced before the model reads it
    symbols  ids to draw it from, at least 2 different ones; it is never the right one

    Returns (B, T) booleans, False behind the ends of rows.
    Raises ValueError if place is not within the steps, there are fewer than 2 symbols, or a logit
    of a real place is NaN or +inf.
    """
    symbols, (B, T) = np.unique(symbols), batch.targets.shape
    if not 0 <= place < T or len(symbols) < 2:
        raise ValueError(f"place is {place} of {T} steps, with {len(symbols)} symbols to draw from")
    found, ids = np.zeros((B, T), bool), batch.inputs[:, 0]
    state = model.start(params, batch.source, batch.source_mask)
    for t in range(T):
        logits, state = model.step(params, ids, state)
        checks.logits(f"the logits of step {t}", np.where(batch.mask[:, t, None], logits, 0))
        ids = logits.argmax(axis=-1)
        found[:, t] = ids == batch.targets[:, t]
        if t == place:
            ids = other(rng, batch.targets[:, t], symbols)
    return found & batch.mask


def mistyped(batch, share, symbols, rng):
    """The batch with a share of its target symbols drawn anew, in the inputs too; END stays.

    Raises ValueError if the share is not between 0 and 1, or symbols are not one row.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; expected 0 to 1")
    symbols = np.asarray(checks.listed(symbols))
    checks.shape("symbols", symbols, (None,))
    checks.shape("targets", batch.targets, batch.mask.shape)
    targets, inputs = batch.targets.copy(), batch.inputs.copy()
    hit = (rng.random(targets.shape) < share) & (targets != END) & batch.mask
    targets[hit] = rng.choice(symbols, hit.sum())
    inputs[:, 1:] = np.where(batch.mask[:, 1:], targets[:, :-1], inputs[:, 1:])
    return batch._replace(inputs=inputs, targets=targets)


def other(rng, ids, symbols):
    """For each of ids (B,) one of the symbols that is another one."""
    order = rng.permuted(np.broadcast_to(symbols, (len(ids), len(symbols))), axis=1)
    return np.where(order[:, 0] != ids, order[:, 0], order[:, 1])
