"""Dropout: in training, each activation is set to zero with probability `rate`.

    (dropout)   y = m x / (1 - rate),   m = 0 with probability rate, else 1

The division keeps the mean, so that nothing has to be scaled when nothing is dropped.
Source: Srivastava et al., Dropout, 2014.  Formula: chapters/06_gru.ipynb.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks


class Cache(NamedTuple):
    scale: np.ndarray | None  # m / (1 - rate); None if nothing was dropped
    shape: tuple


def forward(x, rate, rng=None):
    """Drop entries of x at random and scale up the others.

    x     any shape
    rate  probability of a zero, at least 0 and less than 1
    rng   np.random.Generator; None, as outside of training, drops nothing

    Returns y, shaped like x, and a cache.  Raises ValueError if the rate is out of range.
    """
    x = checks.floats("x", x)
    if not 0 <= rate < 1:
        raise ValueError(f"the dropout rate is {rate}; expected at least 0 and less than 1")
    if rng is None or rate == 0:
        return x.copy(), Cache(None, x.shape)
    m = rng.random(x.shape, dtype=x.dtype) >= rate
    scale = m.astype(x.dtype) / x.dtype.type(1 - rate)
    return x * scale, Cache(scale, x.shape)  # (dropout)


def backward(dy, cache):
    """The gradient with respect to x: what was dropped gets none."""
    dy = np.asarray(dy)
    checks.shape("dy", dy, cache.shape)
    return dy.copy() if cache.scale is None else dy * cache.scale  # (dropout)
