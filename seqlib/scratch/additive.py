"""Additive attention: a small network scores each pair of a query and a key.

    (additive-scores)   e_ts = w . tanh(W_q q_t + W_k k_s)

The weights and the average are those of `pooling`.  In the paper the query is the decoder's state
before the step, keys and values are the encoder's outputs, and the letters are v, W, U for w, W_q,
W_k.  W_k k_s needs no query: where queries come one at a time it is computed once, `keys_forward`.
Source: Bahdanau, Cho and Bengio, Neural machine translation by jointly learning to align and
translate, 2015, section A.1.2.  Formula: chapters/08_attention.ipynb.
B batch, T queries of D_q features, S positions with keys of D_k features, H hidden units.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks, linear, pooling
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes("additive", "W_q (H, D_q), W_k (H, D_k), w (H,)")


class KeysCache(NamedTuple):
    W_k: np.ndarray
    k: np.ndarray


class QueryCache(NamedTuple):
    params: dict
    q: np.ndarray
    h: np.ndarray  # (B, T, S, H)  the hidden layer
    pooled: pooling.Cache  # its weights are (B, T, S)


class Cache(NamedTuple):
    keys: KeysCache
    query: QueryCache


def init(rng, D_q, D_k, H, dtype=np.float64):
    """Weights uniform within 1/sqrt(in).

    Returns {"W_q": (H, D_q), "W_k": (H, D_k), "w": (H,)}.
    """
    shapes = SHAPES.of(D_q=D_q, D_k=D_k, H=H)
    return {
        name: rng.uniform(-(shape[-1] ** -0.5), shape[-1] ** -0.5, shape).astype(dtype)
        for name, shape in shapes.items()
    }


def forward(params, q, k, v, mask=None):
    """Each query receives an average of the values, weighted by how the network scores the keys.

    params  W_q (H, D_q), W_k (H, D_k), w (H,)
    q       (B, T, D_q)
    k       (B, S, D_k)
    v       (B, S, Kv)
    mask    boolean, broadcasts to (B, T, S): True where attending is allowed; None allows all

    Returns y (B, T, Kv) and a cache.
    Raises ValueError if a shape or dtype does not fit, or the mask is not boolean.
    """
    _, k, _, _ = pooling.arguments(q, k, v, mask)
    keys, keys_cache = keys_forward(params, k)
    y, query_cache = query_forward(params, q, keys, v, mask)
    return y, Cache(keys_cache, query_cache)


def backward(dy, cache):
    """Gradients of additive attention.

    dy  (B, T, Kv)

    Returns dq (B, T, D_q), dk (B, S, D_k), dv (B, S, Kv) and grads, keyed and shaped like params.
    """
    dq, dkeys, dv, grads = query_backward(dy, cache.query)
    dk, own = keys_backward(dkeys, cache.keys)
    return dq, dk, dv, {"W_q": grads["W_q"], **own, "w": grads["w"]}


def keys_forward(params, k):
    """W_k k_s for all positions, once for all queries: keys (B, S, H), and a cache."""
    SHAPES.check(params)
    k, W_k = checks.floats("k", k, params), params["W_k"]
    checks.sequences("k", k, "W_k", W_k)
    return k @ W_k.T, KeysCache(W_k, k)


def keys_backward(dkeys, cache):
    """For dkeys (B, S, H), summed over all queries: dk (B, S, D_k) and grads, {"W_k": (H, D_k)}."""
    dk, grads = linear.backward(dkeys, linear.Cache({"W": cache.W_k}, cache.k))
    return dk, {"W_k": grads["W"]}


def query_forward(params, q, keys, v, mask=None):
    """Attention to keys that `keys_forward` has projected; the other arguments are `forward`'s."""
    SHAPES.check(params)
    q, keys, v, mask = pooling.arguments(q, keys, v, mask)
    W_q, w = params["W_q"], params["w"]
    checks.floats("q", q, params)
    checks.sequences("q", q, "W_q", W_q)
    checks.shape("keys", keys, (None, None, len(w)))
    h = (q @ W_q.T)[:, :, None] + keys[:, None]  # (B, T, S, H)
    np.tanh(h, out=h)
    y, pooled = pooling.forward(h @ w, v, mask)  # (additive-scores)
    return y, QueryCache(params, q, h, pooled)


def query_backward(dy, cache):
    """Returns dq (B, T, D_q), dkeys (B, S, H), dv (B, S, Kv) and grads of W_q and w."""
    params, q, h, pooled = cache
    dscores, dv = pooling.backward(dy, pooled)
    da = dscores[..., None] * params["w"] * (1 - h * h)  # (additive-scores)
    dq, grads = linear.backward(da.sum(axis=2), linear.Cache({"W": params["W_q"]}, q))
    dw = dscores.reshape(-1) @ h.reshape(-1, h.shape[-1])  # (additive-scores)
    return dq, da.sum(axis=1), dv, {"W_q": grads["W"], "w": dw}
