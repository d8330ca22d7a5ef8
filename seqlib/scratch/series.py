"""Models that read a series of numbers and answer once, from the output after its last step.

    (many-to-one)   y = W_hy h_T + b_y          the logits, for a classifier

Formula: chapters/05_lstm.ipynb.  The same as `labelling.Classifier`, without the embedding: what
each step holds is already a vector.
D numbers per step, H hidden units (of each direction, if the cell has two).
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import linear, losses, rnn
from seqlib.scratch.labelling import ends, ends_backward
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import run, width
from seqlib.scratch.shapes import check_layers


class SeriesRegressor(NamedTuple):
    """Numbers that answer for a whole series, such as the sum asked for by the adding problem.

    D        numbers per step
    H        hidden units
    outputs  how many numbers the answer has
    cell     the recurrent module
    """

    D: int
    H: int
    outputs: int
    cell: Any = rnn

    def init(self, rng, dtype=np.float64):
        """Parameters: "readout.W" (outputs, H), "readout.b", "cell.*"."""
        return init(self, self.outputs, rng, dtype)

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean squared error of a batch and its gradient.

        batch  inputs (B, T, D) and targets (B, outputs), numbers; mask (B, T) or None
        state  the state to start from; None means zeros
        rng    for a cell with dropout; None drops nothing

        Returns the loss, grads keyed like params, and the state after the last step.
        """
        y, state_T, cache = forward(self, params, batch.inputs, state, batch.mask, rng)
        loss, compared = losses.squared_error_forward(y, batch.targets)
        return loss, backward(self, losses.squared_error_backward(compared), cache), state_T

    def answers(self, params, x, mask=None):
        """The answers (B, outputs) to the rows of x (B, T, D)."""
        return forward(self, params, x, mask=mask)[0]


class SeriesClassifier(NamedTuple):
    """One of several answers for a whole series, such as the bit that the latch problem hides.

    D        numbers per step
    H        hidden units
    classes  how many answers there are
    cell     the recurrent module
    """

    D: int
    H: int
    classes: int
    cell: Any = rnn

    def init(self, rng, dtype=np.float64):
        """Parameters: "readout.W" (classes, H), "readout.b", "cell.*"."""
        return init(self, self.classes, rng, dtype)

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient.

        batch  inputs (B, T, D), numbers, and targets (B,), integers; mask (B, T) or None
        state  the state to start from; None means zeros
        rng    for a cell with dropout; None drops nothing

        Returns the loss in nats per row, grads keyed like params, and the state after the last
        step.
        """
        logits, state_T, cache = forward(self, params, batch.inputs, state, batch.mask, rng)
        loss, compared = losses.cross_entropy_forward(logits, batch.targets)
        return loss, backward(self, losses.cross_entropy_backward(compared), cache), state_T

    def logits(self, params, x, mask=None):
        """The logits (B, classes) of the rows of x (B, T, D)."""
        return forward(self, params, x, mask=mask)[0]


def init(model, answers, rng, dtype):
    """The parameters of cell and read-out."""
    return {
        **prefixed("cell", model.cell.init(rng, model.D, model.H, dtype)),
        **prefixed("readout", linear.init(rng, width(model.cell, model.H), answers, dtype)),
    }


def forward(model, params, x, state=None, mask=None, rng=None):
    """Run the cell over x (B, T, D) and read its last output: answers, final state and a cache."""
    check_layers(params, "cell", "readout")
    h, state_T, ran = run(model.cell, sub(params, "cell"), x, state, mask, rng)
    y, read = linear.forward(sub(params, "readout"), ends(h, model.H))  # (many-to-one)
    return y, state_T, (h.shape, ran, read)


def backward(model, dy, cache):
    """The gradients of cell and read-out, keyed like params."""
    shape, ran, read = cache
    dends, readout_grads = linear.backward(dy, read)  # (many-to-one)
    _, _, cell_grads = model.cell.backward(ends_backward(dends, model.H, shape), None, ran)
    return prefixed("cell", cell_grads) | prefixed("readout", readout_grads)
