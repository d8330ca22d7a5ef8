"""How good a model is, as one number.

    (perplexity)   PP = exp(L)          L the cross-entropy in nats per symbol
    (bits)         bits = L / ln 2

Formulas: chapters/01_sequences.ipynb.
"""

import numpy as np

from seqlib.scratch import checks


def perplexity(nats):
    """The number of equally likely symbols as hard to predict as a mean cross-entropy of nats."""
    return np.exp(nats)  # (perplexity)


def bits(nats):
    """A cross-entropy in bits; per character if nats is per character."""
    return nats / np.log(2)  # (bits)


def accuracy(predictions, targets, mask=None):
    """The share of real places where prediction and target agree.

    predictions, targets  (...)  integers
    mask                  (...)  boolean; None counts every place

    Returns a float.  Raises ValueError if shapes differ or no place is real.
    """
    hits, mask = compared(predictions, targets, mask)
    return float(hits[mask].mean())


def exact_match(predictions, targets, mask=None):
    """The share of rows in which every real place agrees.

    predictions, targets  (B, T)
    mask                  (B, T)  boolean; None counts every place

    Returns a float.  Raises ValueError if shapes differ or no place is real.
    """
    hits, mask = compared(predictions, targets, mask)
    return float((hits | ~mask).all(axis=-1).mean())


def compared(predictions, targets, mask):
    predictions, targets = np.asarray(predictions), np.asarray(targets)
    checks.shape("predictions", predictions, targets.shape)
    mask = (
        np.ones(targets.shape, bool) if mask is None else checks.boolean_mask(mask, targets.shape)
    )
    if not mask.any():
        raise ValueError(f"none of the {mask.size} places is real; a share needs at least 1")
    return predictions == targets, mask
