"""An affine map of the last axis.

    (linear)   y = W x + b

Formula: chapters/01_sequences.ipynb.
D inputs, K outputs.  In code x holds rows, so the line is x @ W.T + b.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes("linear", "W (K, D), b (K,)")


class Cache(NamedTuple):
    params: dict
    x: np.ndarray


def init(rng, D, K, dtype=np.float64):
    """Weights uniform within 1/sqrt(D), as torch.nn.Linear draws them.

    Returns {"W": (K, D), "b": (K,)}.
    """
    shapes, bound = SHAPES.of(D=D, K=K), D**-0.5
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def forward(params, x):
    """An affine map of the last axis of x.

    params  W (K, D), b (K,)
    x       (..., D)

    Returns y (..., K) and a cache.  Raises ValueError if x has not D features or another dtype.
    """
    SHAPES.check(params)
    x = checks.floats("x", x, params)
    W, b = params["W"], params["b"]
    if x.ndim == 0 or x.shape[-1] != W.shape[1]:
        raise ValueError(f"x has shape {x.shape}; W takes {W.shape[1]} features in its last axis")
    rows = x.reshape(
        -1, W.shape[1]
    )  # one product of all rows, where x of 3 axes would be B of them
    y = rows @ W.T + b  # (linear)
    return y.reshape(*x.shape[:-1], len(W)), Cache(params, x)


def backward(dy, cache):
    """Gradients of an affine map.

    dy  (..., K)

    Returns dx (..., D) and grads, keyed and shaped like params.
    """
    W = cache.params["W"]
    checks.shape("dy", dy, (*cache.x.shape[:-1], W.shape[0]))
    rows, drows = cache.x.reshape(-1, W.shape[1]), dy.reshape(-1, W.shape[0])
    grads = {
        "W": drows.T @ rows,
        "b": drows.sum(axis=0),
    }  # every row used the same W and b
    return (drows @ W).reshape(cache.x.shape), grads  # (linear)
