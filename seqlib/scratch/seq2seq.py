"""Encoder and decoder: a recurrent network reads a row, another one writes a row of another length.

    (s2s-start)       s_0 = the encoder's state after the last word
    (s2s-step)        s_t = cell(y_{t-1}, s_{t-1})
    (readout)         logits_t = W_hy s_t + b_y

s_t is the decoder's state, and its output, after word t; y_t the embedding of word t.
Source: Sutskever, Vinyals and Le, Sequence to sequence learning with neural networks, 2014.
Formulas: chapters/02_rnn.ipynb and 07_encoder_decoder.ipynb.
V symbols of a vocabulary, D features of an embedding, H hidden units, B rows, S words to read, T to
write.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import checks, embedding, linear, losses, lstm
from seqlib.scratch.bidirectional import reversed_steps, take
from seqlib.scratch.feeding import fed
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import run
from seqlib.scratch.shapes import check_layers


class Sutskever(NamedTuple):
    """The encoder's final state is all that the decoder gets: it starts from it.

    V_source  symbols to read
    V_target  symbols to write
    D, H      features of an embedding, hidden units
    cell      the recurrent module of both; in the paper, Stack(lstm, 4)
    reverse   read each row from its last word to its first, as the paper does
    """

    V_source: int
    V_target: int
    D: int
    H: int
    cell: Any = lstm
    reverse: bool = False

    def init(self, rng, dtype=np.float64):
        """Parameters: "source.W", "encoder.*", "target.W", "decoder.*", "readout.*"."""
        return {
            **prefixed("source", embedding.init(rng, self.V_source, self.D, dtype)),
            **prefixed("encoder", self.cell.init(rng, self.D, self.H, dtype)),
            **prefixed("target", embedding.init(rng, self.V_target, self.D, dtype)),
            **prefixed("decoder", self.cell.init(rng, self.D, self.H, dtype)),
            **prefixed("readout", linear.init(rng, self.H, self.V_target, dtype)),
        }

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient.

        batch  a text.TranslationBatch; what the decoder is fed, its `own` says: see `feeding`
        state  None: a row to write starts from the row that was read
        rng    for a cell with dropout, and where own is more than 0

        Returns the loss in nats per symbol, grads keyed like params, and the decoder's state after
        the last step.
        """
        no_start(state)
        batch = fed(self, params, batch, rng)
        h, state_T, (read, seen, wrote) = self._forward(params, batch, rng)
        logits, scored = linear.forward(sub(params, "readout"), h)  # (readout)
        loss, compared = losses.cross_entropy_forward(logits, batch.targets, batch.mask)

        dlogits = losses.cross_entropy_backward(compared)
        dh, readout_grads = linear.backward(dlogits, scored)  # (readout)
        dy, dstart, decoder_grads = self.cell.backward(dh, None, wrote)  # (s2s-start) (s2s-step)
        grads = {
            **encoder_backward(self.cell, None, dstart, read),
            **prefixed("target", embedding.backward(dy, seen)),
            **prefixed("decoder", decoder_grads),
            **prefixed("readout", readout_grads),
        }
        return loss, grads, state_T

    def logits(self, params, batch):
        """The logits (B, T, V_target) of a batch's targets, given its inputs."""
        return linear.forward(sub(params, "readout"), self._forward(params, batch)[0])[0]

    def _forward(self, params, batch, rng=None):
        start, read = self._read(params, batch.source, batch.source_mask, rng)
        y, seen = embedding.forward(sub(params, "target"), batch.inputs)
        weights = sub(params, "decoder")
        h, state_T, wrote = run(self.cell, weights, y, start, batch.mask, rng)  # (s2s-step)
        return h, state_T, (read, seen, wrote)

    def _read(self, params, source, source_mask, rng=None):
        check_layers(params, "source", "encoder", "target", "decoder", "readout")
        if self.reverse:
            checks.shape("source", np.asarray(source), (None, None))
            source = take(np.asarray(source), reversed_steps(source_mask, *np.shape(source)))
        _, state_S, read = encode(self.cell, params, source, source_mask, rng)
        return state_S, read  # (s2s-start)

    def start(self, params, source, source_mask=None):
        """The decoder's state after source (B, S) was read, of which source_mask (B, S) is real."""
        return self._read(params, source, source_mask)[0]

    def step(self, params, ids, state):
        """The logits (B, V_target) of the symbol after ids (B,), and the new state."""
        y_t, _ = embedding.forward(sub(params, "target"), ids)
        s_t, state = self.cell.step(sub(params, "decoder"), y_t, state)
        return linear.forward(sub(params, "readout"), s_t)[0], state


def encode(cell, params, source, source_mask=None, rng=None):
    """Read source (B, S): the outputs (B, S, H), the final state and a cache."""
    checks.shape("source", np.asarray(source), (None, None))
    x, seen = embedding.forward(sub(params, "source"), source)
    h, state_S, ran = run(cell, sub(params, "encoder"), x, None, source_mask, rng)
    return h, state_S, (seen, ran)


def encoder_backward(cell, dh, dstate_S, cache):
    """The gradients of the source's embedding and of the encoder, keyed like params."""
    seen, ran = cache
    dx, _, grads = cell.backward(dh, dstate_S, ran)
    return prefixed("source", embedding.backward(dx, seen)) | prefixed("encoder", grads)


def no_start(state):
    """Raises ValueError if a state is given: a translation starts from its source."""
    if state is not None:
        raise ValueError("state is given; a row to write starts from the row read, expected None")
