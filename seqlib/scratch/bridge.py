"""From a vector to the state that a recurrent module starts from.

    (bridge)   s_0 = tanh(W c + b)

s_0 is all arrays of the state side by side, whatever the module: h alone, h and c, layer by layer.
Sources: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014; Bahdanau, Cho
and Bengio, 2015.  Formula: chapters/07_encoder_decoder.ipynb.
B batch, E features of the vector, S numbers of a state.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import linear
from seqlib.scratch.recurrent import zero_state
from seqlib.scratch.state import as_rows, like


class Cache(NamedTuple):
    read: linear.Cache
    rows: np.ndarray  # (B, S)  the state
    form: Any  # a state that is built as it has to be


def init(rng, E, cell, cell_params, D, dtype=np.float64):
    """Weights uniform within 1/sqrt(E) for a cell with these parameters and D inputs.

    Returns {"W": (S, E), "b": (S,)}.
    """
    S = as_rows(zero_state(cell, cell_params, 1, D, dtype)).shape[1]
    return linear.init(rng, E, S, dtype)


def forward(params, c, cell, cell_params, D):
    """The state to start from.

    params       W (S, E), b (S,)
    c            (B, E)
    cell         the recurrent module, with its parameters and number of inputs

    Returns the state and a cache.
    """
    a, read = linear.forward(params, c)
    rows = np.tanh(a)  # (bridge)
    form = zero_state(cell, cell_params, 1, D, rows.dtype)
    return like(form, rows), Cache(read, rows, form)


def backward(dstate, cache):
    """Gradients dc (B, E) and grads, for dstate, a gradient built as the state."""
    da = as_rows(dstate) * (1 - cache.rows * cache.rows)  # (bridge)
    return linear.backward(da, cache.read)
