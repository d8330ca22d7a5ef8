"""Layer normalization: each vector less its own mean, over its own standard deviation.

    (layernorm-hat)   x_hat = (x - mean(x)) / sqrt(var(x) + eps)
    (layernorm)       y = gain * x_hat + bias

Mean and variance are over the D features of one position: no position and no example sees another.
Source: Ba, Kiros and Hinton, Layer normalization, 2016.  Formulas: chapters/10_transformer.ipynb.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes("layernorm", "gain (D,), bias (D,)")


class Cache(NamedTuple):
    gain: np.ndarray
    x_hat: np.ndarray
    scale: np.ndarray  # (..., 1)  1 / sqrt(var(x) + eps)


def init(rng, D, dtype=np.float64):
    """Gain 1 and bias 0: nothing is drawn.  Returns {"gain": (D,), "bias": (D,)}."""
    checks.sizes(D=D)
    return {"gain": np.ones(D, dtype), "bias": np.zeros(D, dtype)}


def forward(params, x, eps=1e-5):
    """Normalize the last axis of x.

    params  gain (D,), bias (D,)
    x       (..., D)
    eps     keeps a vector of equal features from a division by zero

    Returns y (..., D) and a cache.  Raises ValueError if x has not D features or another dtype.
    """
    SHAPES.check(params)
    x, gain = checks.floats("x", x, params), params["gain"]
    if x.ndim == 0 or x.shape[-1] != len(gain):
        raise ValueError(f"x has shape {x.shape}; gain takes {len(gain)} features in its last axis")
    x_hat = x - x.mean(axis=-1, keepdims=True)
    variance = np.vecdot(x_hat, x_hat)[..., None] / x.dtype.type(len(gain))
    scale = 1 / np.sqrt(variance + x.dtype.type(eps))
    x_hat *= scale  # (layernorm-hat)
    return gain * x_hat + params["bias"], Cache(gain, x_hat, scale)  # (layernorm)


def backward(dy, cache):
    """Gradients of layer normalization.

    dy  (..., D)

    Returns dx (..., D) and grads, {"gain", "bias"}.
    """
    gain, x_hat, scale = cache
    dy = np.asarray(dy)
    checks.shape("dy", dy, x_hat.shape)
    D = len(gain)
    rows, drows = x_hat.reshape(-1, D), dy.reshape(-1, D)
    grads = {"gain": (drows * rows).sum(axis=0), "bias": drows.sum(axis=0)}  # (layernorm)
    dx = dy * gain  # (layernorm), now the gradient of x_hat
    along = np.vecdot(dx, x_hat)[..., None] / x_hat.dtype.type(D)
    dx -= dx.mean(axis=-1, keepdims=True)  # x moves its own mean and standard deviation
    dx -= x_hat * along
    dx *= scale  # (layernorm-hat)
    return dx, grads
