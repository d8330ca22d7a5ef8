"""The feed-forward network of a Transformer layer, the same at every position.

    (feed-forward)   y = W_2 h + b_2,   h = relu(W_1 x + b_1)

Source: Vaswani et al., Attention is all you need, 2017, equation 2.
Formula: chapters/10_transformer.ipynb.  D features, H hidden units, often 4 D.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks, linear
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes("feed_forward", "W_1 (H, D), b_1 (H,), W_2 (K, H), b_2 (K,)")


class Cache(NamedTuple):
    first: linear.Cache
    second: linear.Cache  # its x is h, (..., H)


def init(rng, D, H, dtype=np.float64):
    """Weights and biases uniform within 1/sqrt(in), as torch.nn.Linear draws them.

    Returns {"W_1": (H, D), "b_1": (H,), "W_2": (D, H), "b_2": (D,)}.
    """
    first, second = linear.init(rng, D, H, dtype), linear.init(rng, H, D, dtype)
    return {"W_1": first["W"], "b_1": first["b"], "W_2": second["W"], "b_2": second["b"]}


def forward(params, x):
    """Two affine maps with a relu between them, along the last axis of x.

    params  W_1 (H, D), b_1 (H,), W_2 (D, H), b_2 (D,)
    x       (..., D)

    Returns y (..., D) and a cache.  Raises ValueError if x has not D features or another dtype.
    """
    SHAPES.check(params)
    x = checks.floats("x", x, params)
    W_1 = params["W_1"]
    if x.ndim == 0 or x.shape[-1] != W_1.shape[1]:
        raise ValueError(
            f"x has shape {x.shape}; W_1 takes {W_1.shape[1]} features in its last axis"
        )
    h, first = linear.forward({"W": W_1, "b": params["b_1"]}, x)
    np.maximum(h, 0, out=h)  # (feed-forward)
    y, second = linear.forward({"W": params["W_2"], "b": params["b_2"]}, h)  # (feed-forward)
    return y, Cache(first, second)


def backward(dy, cache):
    """Gradients of the feed-forward network.

    dy  (..., D)

    Returns dx (..., D) and grads, keyed and shaped like params.
    """
    dh, second = linear.backward(dy, cache.second)  # (feed-forward)
    dh *= cache.second.x > 0  # relu passes on what it let through
    dx, first = linear.backward(dh, cache.first)  # (feed-forward)
    return dx, {"W_1": first["W"], "b_1": first["b"], "W_2": second["W"], "b_2": second["b"]}
