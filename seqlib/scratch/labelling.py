"""Models that answer about a sequence: once for all of it, or once for each of its symbols.

    (many-to-one)   logits = W_hy h_T + b_y          classifier
    (readout)       logits_t = W_hy h_t + b_y        tagger

Formulas: chapters/05_lstm.ipynb and 02_rnn.ipynb.
V symbols, D features of an embedding, H hidden units (of each direction, if the cell has two).
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import embedding, linear, losses, rnn
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import run, width
from seqlib.scratch.shapes import check_layers


class Classifier(NamedTuple):
    """One answer for a whole sequence, from the output after its last step.

    V        symbols of the vocabulary
    D        features of an embedding
    H        hidden units
    classes  how many answers there are
    cell     the recurrent module
    """

    V: int
    D: int
    H: int
    classes: int
    cell: Any = rnn

    def init(self, rng, dtype=np.float64):
        """Parameters: "embedding.W" (V, D), "readout.W" (classes, H), "readout.b", "cell.*"."""
        return init(self, self.classes, rng, dtype)

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient.

        batch  inputs (B, T) and targets (B,), integers; mask (B, T) or None
        state  the state to start from; None means zeros
        rng    for a cell with dropout; None drops nothing

        Returns the loss in nats per row, grads keyed like params, and the state after the last
        step.
        """
        h, state_T, cache = read(self.cell, params, batch.inputs, state, batch.mask, rng)
        logits, scored = linear.forward(sub(params, "readout"), ends(h, self.H))  # (many-to-one)
        loss, compared = losses.cross_entropy_forward(logits, batch.targets)

        dlogits = losses.cross_entropy_backward(compared)
        dends, readout_grads = linear.backward(dlogits, scored)  # (many-to-one)
        dh = ends_backward(dends, self.H, h.shape)
        grads = read_backward(self.cell, dh, cache) | prefixed("readout", readout_grads)
        return loss, grads, state_T

    def logits(self, params, ids, mask=None):
        """The logits (B, classes) of the rows of ids (B, T)."""
        h, _, _ = read(self.cell, params, ids, mask=mask)
        return linear.forward(sub(params, "readout"), ends(h, self.H))[0]


class Tagger(NamedTuple):
    """One answer for each symbol of a sequence; with a bidirectional cell, from both sides of it.

    V     symbols of the vocabulary
    D     features of an embedding
    H     hidden units
    tags  how many answers there are
    cell  the recurrent module
    """

    V: int
    D: int
    H: int
    tags: int
    cell: Any = rnn

    def init(self, rng, dtype=np.float64):
        """Parameters: "embedding.W" (V, D), "readout.W" (tags, H), "readout.b", "cell.*"."""
        return init(self, self.tags, rng, dtype)

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient.

        batch  inputs (B, T) and targets (B, T), integers; mask (B, T) or None
        state  the state to start from; None means zeros
        rng    for a cell with dropout; None drops nothing

        Returns the loss in nats per symbol, grads keyed like params, and the state after the last
        step.
        """
        h, state_T, cache = read(self.cell, params, batch.inputs, state, batch.mask, rng)
        logits, scored = linear.forward(sub(params, "readout"), h)  # (readout)
        loss, compared = losses.cross_entropy_forward(logits, batch.targets, batch.mask)

        dlogits = losses.cross_entropy_backward(compared)
        dh, readout_grads = linear.backward(dlogits, scored)  # (readout)
        grads = read_backward(self.cell, dh, cache) | prefixed("readout", readout_grads)
        return loss, grads, state_T

    def logits(self, params, ids, mask=None):
        """The logits (B, T, tags) of each of ids (B, T)."""
        h, _, _ = read(self.cell, params, ids, mask=mask)
        return linear.forward(sub(params, "readout"), h)[0]


def init(model, answers, rng, dtype):
    """The parameters of embedding, cell and read-out."""
    return {
        **prefixed("embedding", embedding.init(rng, model.V, model.D, dtype)),
        **prefixed("cell", model.cell.init(rng, model.D, model.H, dtype)),
        **prefixed("readout", linear.init(rng, width(model.cell, model.H), answers, dtype)),
    }


def read(cell, params, ids, state=None, mask=None, rng=None):
    """Embed ids (B, T) and run the cell over them: outputs, final state and a cache."""
    check_layers(params, "embedding", "cell", "readout")
    x, seen = embedding.forward(sub(params, "embedding"), ids)
    h, state_T, ran = run(cell, sub(params, "cell"), x, state, mask, rng)
    return h, state_T, (seen, ran)


def read_backward(cell, dh, cache):
    """The gradients of the embedding and of the cell, keyed like params."""
    seen, ran = cache
    dx, _, grads = cell.backward(dh, None, ran)
    return prefixed("embedding", embedding.backward(dx, seen)) | prefixed("cell", grads)


def ends(h, H):
    """h_T: the output of each direction after its last real step.

    Behind the end of a row a cell carries its output on, so the forward direction's stands in the
    last place; that of a backward direction, features H and up, ends in the first.
    """
    return np.concatenate([h[:, -1, :H], h[:, 0, H:]], axis=1)


def ends_backward(dends, H, shape):
    """The gradient with respect to h, of the given shape: zero but at the ends."""
    dh = np.zeros(shape, dends.dtype)
    dh[:, -1, :H], dh[:, 0, H:] = dends[:, :H], dends[:, H:]
    return dh
