"""Multiplicative attention: a product scores each pair of a query and a key.

    (dot-scores)       e_ts = q_t . k_s
    (general-scores)   e_ts = q_t . W k_s

The weights and the average are those of `pooling`.  In the paper the query is the decoder's state
after the step, keys and values are the encoder's outputs.
Source: Luong, Pham and Manning, Effective approaches to attention-based neural machine translation,
2015, section 3.1.  Formulas: chapters/08_attention.ipynb.
T queries of D_q features, S positions with keys of D_k features; (...) are axes that all share.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks, linear, pooling
from seqlib.scratch.shapes import Shapes

GENERAL_SHAPES = Shapes("multiplicative", "W (D_q, D_k)")


class DotCache(NamedTuple):
    q: np.ndarray
    k: np.ndarray
    pooled: pooling.Cache  # its weights are (..., T, S)


class GeneralCache(NamedTuple):
    W: np.ndarray
    q: np.ndarray
    dot: DotCache


def dot_forward(q, k, v, mask=None):
    """Each query receives an average of the values, weighted by its products with the keys.

    q     (..., T, D)
    k     (..., S, D)
    v     (..., S, Kv)
    mask  boolean, broadcasts to (..., T, S): True where attending is allowed; None allows all

    Returns y (..., T, Kv) and a cache.
    Raises ValueError if a shape or dtype does not fit, or the mask is not boolean.
    """
    q, k, v, mask = pooling.arguments(q, k, v, mask)
    checks.shape("k", k, (*k.shape[:-1], q.shape[-1]))
    y, pooled = pooling.forward(q @ k.swapaxes(-1, -2), v, mask)  # (dot-scores)
    return y, DotCache(q, k, pooled)


def dot_backward(dy, cache):
    """Gradients dq (..., T, D), dk (..., S, D) and dv (..., S, Kv), for dy (..., T, Kv)."""
    q, k, pooled = cache
    dscores, dv = pooling.backward(dy, pooled)
    dq = dscores @ k  # (dot-scores)
    dk = dscores.swapaxes(-1, -2) @ q  # (dot-scores)
    return dq, dk, dv


def general_init(rng, D_q, D_k, dtype=np.float64):
    """Weights uniform within 1/sqrt(D_k).  Returns {"W": (D_q, D_k)}."""
    shape = GENERAL_SHAPES.of(D_q=D_q, D_k=D_k)["W"]
    return {"W": rng.uniform(-(D_k**-0.5), D_k**-0.5, shape).astype(dtype)}


def general_forward(params, q, k, v, mask=None):
    """The same with a learned matrix between query and key: q_t W is what meets the keys.

    params  W (D_q, D_k)
    q       (..., T, D_q)
    k       (..., S, D_k)
    v, mask  those of `dot_forward`

    Returns y (..., T, Kv) and a cache.
    Raises ValueError if a shape or dtype does not fit, or the mask is not boolean.
    """
    GENERAL_SHAPES.check(params)
    q, k, v, mask = pooling.arguments(q, k, v, mask)
    W = params["W"]
    checks.floats("q", q, params)
    for name, a, width in (("q", q, len(W)), ("k", k, W.shape[1])):
        if a.shape[-1] != width:
            raise ValueError(f"{name} has {a.shape[-1]} features; W takes {width}")
    y, dot = dot_forward(q @ W, k, v, mask)  # (general-scores)
    return y, GeneralCache(W, q, dot)


def general_backward(dy, cache):
    """Gradients dq (..., T, D_q), dk (..., S, D_k), dv (..., S, Kv) and grads, {"W"}."""
    W, q, dot = cache
    dmoved, dk, dv = dot_backward(dy, dot)  # (general-scores)
    dq, grads = linear.backward(dmoved, linear.Cache({"W": W.T}, q))  # (general-scores)
    return dq, dk, dv, {"W": grads["W"].T.copy()}
