"""Attention pooling: scores become weights, and the values are averaged under them.

    (attention-weights)   alpha_ts = exp(e_ts) / sum_s' exp(e_ts'), over the allowed s'
    (attention-output)    y_t = sum_s alpha_ts v_s

Where the mask is False, alpha_ts = 0.  A row that may attend to nothing has only zeros: y_t = 0.
Formulas: chapters/08_attention.ipynb.
T queries, S positions to attend to, Kv features of a value; (...) are axes that all arrays share.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks


class Cache(NamedTuple):
    weights: np.ndarray  # (..., T, S)
    v: np.ndarray
    y: np.ndarray


def forward(scores, v, mask=None):
    """The average of the values, weighted by the softmax of the scores.

    scores  (..., T, S)
    v       (..., S, Kv)
    mask    boolean, broadcasts to (..., T, S): True where attending is allowed; None allows all

    Returns y (..., T, Kv) and a cache.
    Raises ValueError if a shape or dtype does not fit, or the mask is not boolean.
    """
    scores = checks.floats("scores", scores)
    v = checks.floats("v", v, {"scores": scores})
    checks.shape("v", v, (*scores.shape[:-2], scores.shape[-1], None))
    mask = attention_mask(mask, scores.shape)
    if mask is not None:
        v = seen(mask, v)
    weights = softmax(scores.copy(), mask)  # (attention-weights)
    y = weights @ v  # (attention-output)
    return y, Cache(weights, v, y.copy())


def backward(dy, cache):
    """Gradients of the scores and of the values.

    dy  (..., T, Kv)

    Returns dscores (..., T, S), 0 where masked, and dv (..., S, Kv).
    """
    weights, v, y = cache
    dy = np.asarray(dy)
    checks.shape("dy", dy, y.shape)
    dv = weights.swapaxes(-1, -2) @ dy  # (attention-output)
    dweights = dy @ v.swapaxes(-1, -2)  # (attention-output)
    return softmax_backward(dweights, weights, dy, y), dv  # (attention-weights)


def softmax(scores, mask=None):
    """Overwrites the scores with their weights, and returns them.

    The maximum of a row is subtracted first, so that exp stays finite; a row that may attend to
    nothing has the maximum -inf, and its sum of 0 must not divide.
    """
    if mask is not None:
        np.copyto(scores, -np.inf, where=~mask)
    top = scores.max(axis=-1, keepdims=True)
    scores -= np.where(top == -np.inf, 0, top)
    np.exp(scores, out=scores)
    scores /= np.maximum(scores.sum(axis=-1, keepdims=True), 1)  # any other row sums to 1 or more
    return scores


def softmax_backward(dweights, weights, dy, y):
    """Overwrites dweights with dscores = weights * (dweights - mean), and returns it.

    The mean of dweights under the weights is sum_s alpha_ts (dy_t . v_s) = dy_t . y_t.
    """
    dweights -= (dy * y).sum(axis=-1, keepdims=True)
    dweights *= weights
    return dweights


def arguments(q, k, v, mask=None):
    """Queries, keys and values as arrays that fit together but for their features, and the mask.

    What no query may attend to is 0 in k and v, and so is a query that may attend to nothing: there
    they may hold anything, NaN too, and 0 times NaN is NaN.
    """
    q = checks.floats("q", q)
    k, v = (checks.floats(name, a, {"q": q}) for name, a in (("k", k), ("v", v)))
    for name, a in (("q", q), ("k", k), ("v", v)):
        if a.ndim < 2:
            raise ValueError(f"{name} has {a.ndim} axes; expected at least 2: positions, features")
        if 0 in a.shape:
            raise ValueError(f"{name} has shape {a.shape}; every axis must be at least 1 long")
    checks.shape("k", k, (*q.shape[:-2], None, None))
    checks.shape("v", v, (*k.shape[:-1], None))
    mask = attention_mask(mask, (*q.shape[:-1], k.shape[-2]))
    if mask is not None:
        q, k, v = seen(mask.swapaxes(-1, -2), q), seen(mask, k), seen(mask, v)
    return q, k, v, mask


def attention_mask(mask, expected):
    """The mask as a boolean array; None stays None.

    Raises ValueError if it is not boolean or does not broadcast to the expected shape (..., T, S).
    """
    if mask is None:
        return None
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise ValueError(f"the mask is {mask.dtype}; expected bool, True where t may attend to s")
    checks.broadcasts("the mask", mask, expected)
    return mask.reshape((1,) * (2 - mask.ndim) + mask.shape)


def seen(mask, a):
    """The array (..., S, K), with 0 at the positions that no query may attend to."""
    used = mask.any(axis=-2)[..., None]
    return a if used.all() else np.where(used, a, 0)
