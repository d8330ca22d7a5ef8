"""Encoder and decoder with a summary that enters every step.

    (cho-context)   c = tanh(W_c h_S + b_c)
    (cho-step)      s_t = cell([y_{t-1}; c], s_{t-1})
    (cho-readout)   logits_t = W_o [s_t; y_{t-1}; c] + b_o

h_S is the encoder's output after the last word, s_t the decoder's output after word t, y_t the
embedding of word t.  The decoder starts from s_0 = tanh(W c + b), `bridge`.  The maxout units of
the read-out are left out.
Source: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014.
Formulas: chapters/07_encoder_decoder.ipynb.
V symbols of a vocabulary, D features of an embedding, H hidden units, B rows, S words to read, T to
write.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import bridge, embedding, gru, linear, losses
from seqlib.scratch.feeding import fed
from seqlib.scratch.labelling import ends, ends_backward
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import run, width
from seqlib.scratch.seq2seq import encode, encoder_backward, no_start
from seqlib.scratch.shapes import check_layers

LAYERS = ("source", "encoder", "context", "target", "bridge", "decoder", "readout")


class Cho(NamedTuple):
    """A summary of what was read enters every step of the decoder, and every read-out.

    V_source  symbols to read
    V_target  symbols to write
    D, H      features of an embedding, hidden units; the summary has H features too
    cell      the recurrent module of the decoder
    encoder   that of the encoder, which may read both ways; None: the same
    """

    V_source: int
    V_target: int
    D: int
    H: int
    cell: Any = gru
    encoder: Any = None

    def init(self, rng, dtype=np.float64):
        """Parameters: "source.W", "encoder.*", "context.*", "target.W", "bridge.*", "decoder.*",
        "readout.*".
        """
        V, D, H, encoder = self.V_target, self.D, self.H, self.encoder or self.cell
        decoder = self.cell.init(rng, D + H, H, dtype)
        return {
            **prefixed("source", embedding.init(rng, self.V_source, D, dtype)),
            **prefixed("encoder", encoder.init(rng, D, H, dtype)),
            **prefixed("context", linear.init(rng, width(encoder, H), H, dtype)),
            **prefixed("target", embedding.init(rng, V, D, dtype)),
            **prefixed("bridge", bridge.init(rng, H, self.cell, decoder, D + H, dtype)),
            **prefixed("decoder", decoder),
            **prefixed("readout", linear.init(rng, D + 2 * H, V, dtype)),
        }

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient: see `Sutskever.loss_and_grads`."""
        no_start(state)
        batch, encoder = fed(self, params, batch, rng), self.encoder or self.cell
        h, c, start, read = self._read(params, batch.source, batch.source_mask, rng)
        y, seen = embedding.forward(sub(params, "target"), batch.inputs)
        y_c = np.concatenate([y, repeated(c, y)], axis=2)
        weights = sub(params, "decoder")
        s, state_T, wrote = run(self.cell, weights, y_c, start, batch.mask, rng)  # (cho-step)
        logits, scored = self._readout(params, s, y_c)
        loss, compared = losses.cross_entropy_forward(logits, batch.targets, batch.mask)

        dlogits = losses.cross_entropy_backward(compared)
        dsyc, readout_grads = linear.backward(dlogits, scored)  # (cho-readout)
        ds, dyc = np.split(dsyc, [self.H], axis=2)
        dinput, dstart, decoder_grads = self.cell.backward(ds, None, wrote)  # (cho-step)
        dy, dcs = np.split(dyc + dinput, [self.D], axis=2)
        dc, bridge_grads = bridge.backward(dstart, read[2])
        dc = dc + dcs.sum(axis=1)  # c entered every step
        dend, context_grads = linear.backward(dc * (1 - c * c), read[1])  # (cho-context)
        dh = ends_backward(dend, self.H, h.shape)
        grads = {
            **encoder_backward(encoder, dh, None, read[0]),
            **prefixed("context", context_grads),
            **prefixed("target", embedding.backward(dy, seen)),
            **prefixed("bridge", bridge_grads),
            **prefixed("decoder", decoder_grads),
            **prefixed("readout", readout_grads),
        }
        return loss, grads, state_T

    def logits(self, params, batch):
        """The logits (B, T, V_target) of a batch's targets, given its inputs."""
        _, c, start, _ = self._read(params, batch.source, batch.source_mask)
        y, _ = embedding.forward(sub(params, "target"), batch.inputs)
        y_c = np.concatenate([y, repeated(c, y)], axis=2)
        s, _, _ = self.cell.forward(sub(params, "decoder"), y_c, start, batch.mask)
        return self._readout(params, s, y_c)[0]

    def _read(self, params, source, source_mask, rng=None):
        """The encoder's outputs, the summary, the decoder's start, and three caches."""
        check_layers(params, *LAYERS)
        encoder = self.encoder or self.cell
        h, _, read = encode(encoder, params, source, source_mask, rng)
        a, summed = linear.forward(sub(params, "context"), ends(h, self.H))
        c = np.tanh(a)  # (cho-context)
        weights, D = sub(params, "decoder"), self.D + self.H
        start, crossed = bridge.forward(sub(params, "bridge"), c, self.cell, weights, D)
        return h, c, start, (read, summed, crossed)

    def _readout(self, params, s, y_c):
        s_y_c = np.concatenate([s, y_c], axis=-1)
        return linear.forward(sub(params, "readout"), s_y_c)  # (cho-readout)

    def start(self, params, source, source_mask=None):
        """The decoder's state after source (B, S) was read, of which source_mask (B, S) is real."""
        _, c, start, _ = self._read(params, source, source_mask)
        return start, c

    def step(self, params, ids, state):
        """The logits (B, V_target) of the symbol after ids (B,), and the new state."""
        before, c = state
        y_t, _ = embedding.forward(sub(params, "target"), ids)
        y_c = np.concatenate([y_t, c], axis=1)
        s_t, after = self.cell.step(sub(params, "decoder"), y_c, before)
        return self._readout(params, s_t, y_c)[0], (after, c)


def repeated(c, y):
    """c (B, E) for each of the T steps of y (B, T, D)."""
    return np.broadcast_to(c[:, None], (*y.shape[:2], c.shape[1]))
