"""Scaled dot-product attention.

    (attention-scores)    e_ts = q_t . k_s / sqrt(K) + bias_ts
    (attention-weights)   alpha_ts = exp(e_ts) / sum_s' exp(e_ts'), over the allowed s'
    (attention-output)    y_t = sum_s alpha_ts v_s

Where the mask is False, alpha_ts = 0.  A row that may attend to nothing has only zeros: y_t = 0,
and its gradients are 0.
Source: Vaswani et al., Attention is all you need, 2017, equation 1; the bias: Press, Smith and
Lewis, Train short, test long, 2022.
Formulas: chapters/08_attention.ipynb and 09_self_attention.ipynb.
T queries, S positions to attend to, K features of a query and of a key, Kv of a value; (...) are
axes that q, k and v share, such as B batch and N heads.
"""

from math import prod
from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks, pooling

MOST = 2**16  # scores in work at a time: as many as stay in a processor's cache


class Cache(NamedTuple):
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    weights: np.ndarray  # (..., T, S)
    y: np.ndarray


def forward(q, k, v, mask=None, bias=None):
    """Each query receives an average of the values, weighted by how its keys score.

    q     (..., T, K)
    k     (..., S, K)
    v     (..., S, Kv)
    mask  boolean, broadcasts to (..., T, S): True where attending is allowed; None allows all
    bias  added to the scores, broadcasts to (..., T, S); a constant: it gets no gradient

    Returns y (..., T, Kv) and a cache.
    Raises ValueError if a shape or dtype does not fit, or the mask is not boolean.
    """
    q, k, v, mask, bias = checked(q, k, v, mask, bias)
    *axes, T, K = q.shape
    S, scale = k.shape[-2], q.dtype.type(K**-0.5)
    weights = np.empty((*axes, T, S), q.dtype)
    y = np.empty((*axes, T, v.shape[-1]), q.dtype)
    for part in parts(axes, T * S):
        scores, k_T = weights[part], k[part].swapaxes(-1, -2)
        np.matmul(q[part] * scale, k_T, out=scores)  # (attention-scores)
        if bias is not None:
            scores += bias[part]  # (attention-scores)
        pooling.softmax(scores, None if mask is None else mask[part])  # (attention-weights)
        np.matmul(weights[part], v[part], out=y[part])  # (attention-output)
    return y, Cache(q, k, v, weights, y.copy())


def backward(dy, cache):
    """Gradients of the three inputs: the lines of `forward`, last to first.

    dy  (..., T, Kv)

    Returns dq (..., T, K), dk (..., S, K) and dv (..., S, Kv).
    """
    q, k, v, weights, y = cache
    dy = np.asarray(dy)
    checks.shape("dy", dy, y.shape)
    scale = q.dtype.type(q.shape[-1] ** -0.5)
    dq, dk, dv = (np.empty(a.shape, q.dtype) for a in (q, k, v))
    for part in parts(q.shape[:-2], prod(weights.shape[-2:])):
        dweights = dy[part] @ v[part].swapaxes(-1, -2)  # (attention-output)
        np.matmul(weights[part].swapaxes(-1, -2), dy[part], out=dv[part])  # (attention-output)
        dscores = pooling.softmax_backward(
            dweights, weights[part], dy[part], y[part]
        )  # (attention-weights)
        np.matmul(dscores, k[part] * scale, out=dq[part])  # (attention-scores)
        np.matmul(dscores.swapaxes(-1, -2), q[part] * scale, out=dk[part])  # (attention-scores)
    return dq, dk, dv


def causal_mask(T):
    """(T, T), True where s <= t: position t may attend to itself and to what came before it."""
    checks.sizes(T=T)
    return np.tril(np.ones((T, T), dtype=bool))


def padding_mask(real):
    """For real (B, S), True where a position is no padding: (B, 1, 1, S), for all heads and t."""
    real = np.asarray(real)
    checks.shape("real", real, (None, None))
    return checks.boolean_mask(real, real.shape)[:, None, None, :]


def checked(q, k, v, mask=None, bias=None):
    """The arguments as arrays that fit together, mask and bias as views (..., T, S)."""
    q, k, v, mask = pooling.arguments(q, k, v, mask)
    checks.shape("k", k, (*q.shape[:-2], None, q.shape[-1]))
    full = (*q.shape[:-1], k.shape[-2])
    if mask is not None:
        mask = np.broadcast_to(mask, full)
    if bias is not None:
        bias = checks.floats("bias", bias, {"q": q})
        checks.broadcasts("bias", bias, full)
        bias = np.broadcast_to(bias, full)
    return q, k, v, mask, bias


def parts(axes, size):
    """Indices that cut the leading axes into pieces of at most MOST scores, of one matrix at least.

    axes  lengths of the leading axes
    size  scores of one matrix, T S
    """
    if not axes:
        yield ()
        return
    rows = MOST // (size * prod(axes[1:]))
    if rows:
        yield from ((slice(i, i + rows),) for i in range(0, axes[0], rows))
    else:
        yield from ((i, *rest) for i in range(axes[0]) for rest in parts(axes[1:], size))
