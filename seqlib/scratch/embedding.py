"""A table with one learned vector per id.

    (embedding)   x_t = W^T u_t = the row of W that the id names; u_t is its one-hot vector

Formula: chapters/01_sequences.ipynb.  V ids, D features per vector.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes("embedding", "W (V, D)")


class Cache(NamedTuple):
    W: np.ndarray
    ids: np.ndarray


def init(rng, V, D, dtype=np.float64):
    """Normal entries of standard deviation 1, as torch.nn.Embedding draws them.

    Returns {"W": (V, D)}.
    """
    return {"W": rng.standard_normal(SHAPES.of(V=V, D=D)["W"]).astype(dtype)}


def forward(params, ids):
    """The vectors of the ids.

    params  W (V, D)
    ids     integers of any shape (...), 0 to V - 1

    Returns x (..., D) and a cache.  Raises ValueError if an id is not an integer or out of range.
    """
    SHAPES.check(params)
    W = params["W"]
    ids = checks.ids("ids", ids, len(W))
    return W[ids], Cache(W, ids)  # (embedding)


def backward(dx, cache):
    """Gradients of the table: each row sums what reached all the places where its id stood.

    dx  (..., D)

    Returns grads, {"W": (V, D)}.  There is no gradient with respect to ids.
    """
    V, D = cache.W.shape
    checks.shape("dx", dx, (*cache.ids.shape, D))
    dW, ids = np.zeros((V, D), dtype=dx.dtype), cache.ids.ravel()
    order = np.argsort(ids, kind="stable")  # the places of one id side by side
    rows, starts = np.unique(ids[order], return_index=True)
    dW[rows] = np.add.reduceat(dx.reshape(-1, D)[order], starts, axis=0)  # (embedding)
    return {"W": dW}
