"""What tells a model where in a sequence a vector stands: four ways.

    (sinusoidal)          p_{t,2i} = sin(t / 10000^(2i/D)),   p_{t,2i+1} = cos(t / 10000^(2i/D))
    (learned-positions)   y_t = x_t + p_t, where p_t is row t of a table P that is learned
    (rotary)              [y_2i; y_2i+1] = R(t theta_i) [x_2i; x_2i+1],   theta_i = base^(-2i/K)
    (alibi)               bias_ts = -m_n |t - s|,   m_n = 2^(-8n/N) for head n = 1 ... N

R(a) = [cos a, -sin a; sin a, cos a] turns a pair of features by the angle a.  Positions t count
from 0.  The first two are added to a layer's input; rotary turns queries and keys, so that their
product depends on t - s alone; ALiBi is a bias of the scores.
Sources: Vaswani et al., Attention is all you need, 2017; Gehring et al., Convolutional sequence to
sequence learning, 2017; Su et al., RoFormer, 2021; Press, Smith and Lewis, Train short, test long,
2022.  Formulas: chapters/09_self_attention.ipynb.
T positions, D features, K features of a query or a key, N heads.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.shapes import Shapes

LEARNED_SHAPES = Shapes("positional.learned", "P (most, D)")


class LearnedCache(NamedTuple):
    P: np.ndarray
    shape: tuple


class RotaryCache(NamedTuple):
    cos: np.ndarray  # (T, K / 2)
    sin: np.ndarray


def sinusoidal(T, D, dtype=np.float64):
    """The table (T, D) of sines and cosines that is added to a layer's input.

    Raises ValueError if D is odd: a frequency has a sine and a cosine.
    """
    angles = rotary_angles(T, D)
    table = np.empty((T, D), dtype)
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)  # (sinusoidal)
    return table


def learned_init(rng, most, D, dtype=np.float64):
    """A row for each position: normal entries of standard deviation 1, as for an embedding.

    most  the largest number of positions

    Returns {"P": (most, D)}.
    """
    return {"P": rng.standard_normal(LEARNED_SHAPES.of(most=most, D=D)["P"]).astype(dtype)}


def learned_forward(params, x):
    """Adds the rows of a table to the steps of x.

    params  P (most, D)
    x       (B, T, D)

    Returns y (B, T, D) and a cache.
    Raises ValueError if T is larger than the table, or a shape or dtype does not fit.
    """
    LEARNED_SHAPES.check(params)
    x, P = checks.floats("x", x, params), params["P"]
    checks.shape("x", x, (None, None, P.shape[1]))
    T = x.shape[1]
    if len(P) < T:
        raise ValueError(f"x has {T} steps; the table has {len(P)} positions")
    return x + P[:T], LearnedCache(P, x.shape)  # (learned-positions)


def learned_backward(dy, cache):
    """Gradients of x (B, T, D), and grads, {"P": (most, D)}: 0 at positions behind T."""
    dy = np.asarray(dy)
    checks.shape("dy", dy, cache.shape)
    dP = np.zeros_like(cache.P)
    dP[: dy.shape[1]] = dy.sum(axis=0)  # (learned-positions)
    return dy.copy(), {"P": dP}


def rotary_angles(T, K, base=10000.0):
    """The angles t theta_i, (T, K / 2), in float64.

    Raises ValueError if K is odd: its features are turned in pairs.
    """
    checks.sizes(T=T, K=K)
    if K % 2:
        raise ValueError(f"{K} features are not pairs: {K} divided by 2 leaves {K % 2}")
    return np.arange(T)[:, None] * base ** (-np.arange(0, K, 2) / K)


def rotary_forward(x, angles):
    """Turns each pair of features (2i, 2i + 1), neighbors as in the paper, by its angle.

    Some programs pair features i and i + K / 2 instead: `half_split_order` leads from one to the
    other.

    x       (..., T, K)
    angles  (T, K / 2)

    Returns y (..., T, K) and a cache.  Raises ValueError if a shape does not fit.
    """
    x, angles = checks.floats("x", x), np.asarray(angles)
    if x.ndim < 2 or (*x.shape[-2:],) != (len(angles), 2 * angles.shape[-1]):
        raise ValueError(
            f"x has shape {x.shape}; angles of shape {angles.shape} turn half of (T, K)"
        )
    cache = RotaryCache(np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype))
    return turned(x, cache.cos, cache.sin), cache  # (rotary)


def rotary_backward(dy, cache):
    """The gradient of x, (..., T, K): dy turned back."""
    dy = np.asarray(dy)
    T, pairs = cache.cos.shape
    checks.shape("dy", dy, (*dy.shape[:-2], T, 2 * pairs))
    return turned(dy, cache.cos, -cache.sin)  # (rotary)


def turned(x, cos, sin):
    y = np.empty_like(x)
    y[..., 0::2] = cos * x[..., 0::2] - sin * x[..., 1::2]
    y[..., 1::2] = sin * x[..., 0::2] + cos * x[..., 1::2]
    return y


def half_split_order(K):
    """The order (K,) of features, 0, 2, 4 ..., 1, 3, 5 ..., that makes neighbors lie K / 2 apart.

    Neighbors turned, then put into this order, are what those that lie K / 2 apart give, turned,
    when x was put into this order before.  As query and key are both reordered, no score changes.
    """
    return np.arange(K).reshape(-1, 2).T.ravel()


def alibi_bias(heads, T, dtype=np.float64):
    """The bias (N, T, T) that lowers each score in proportion to the distance."""
    checks.sizes(heads=heads, T=T)
    slopes = 2.0 ** (-8 * np.arange(1, heads + 1) / heads)
    distance = np.abs(np.arange(T)[:, None] - np.arange(T))
    return (-slopes[:, None, None] * distance).astype(dtype)  # (alibi)
