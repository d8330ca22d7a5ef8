"""Encoder and decoder with attention after the recurrence.

    (luong-hidden)    a_t = tanh(W_c [c_t; s_t] + b_c)
    (luong-readout)   logits_t = W_s a_t + b_s

s_t is the decoder's output after word t, which asks: c_t is the average of the encoder's outputs
under the weights that one of `scores` gives them.  Without the paper's input feeding the decoder
runs on without having attended, so that all T words attend at once.
Source: Luong, Pham and Manning, Effective approaches to attention-based neural machine translation,
2015.  Formulas: chapters/08_attention.ipynb.
V symbols of a vocabulary, D features of an embedding, H hidden units, B rows, S words to read, T to
write; E features of the encoder's outputs.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import embedding, gru, linear, losses
from seqlib.scratch.attentive import LAYERS, READER, begin, begin_backward, real_words, start_init
from seqlib.scratch.feeding import fed
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import run, width
from seqlib.scratch.scores import GENERAL
from seqlib.scratch.seq2seq import no_start
from seqlib.scratch.shapes import check_layers


class Luong(NamedTuple):
    """Attention after the recurrence: what the decoder has in mind asks the encoder.

    V_source  symbols to read
    V_target  symbols to write
    D, H      features of an embedding, hidden units
    cell      the recurrent module of the decoder
    encoder   that of the encoder
    score     one of `scores`: DOT, GENERAL, ADDITIVE
    """

    V_source: int
    V_target: int
    D: int
    H: int
    cell: Any = gru
    encoder: Any = READER
    score: Any = GENERAL

    def init(self, rng, dtype=np.float64):
        """Parameters: "source.W", "encoder.*", "bridge.*", "target.W", "decoder.*", "attention.*",
        "hidden.*", "readout.*".
        """
        D, H, E = self.D, self.H, width(self.encoder, self.H)
        attention = self.score.init(rng, H, E, dtype)
        return {
            **start_init(self, rng, D, dtype),
            **prefixed("attention", attention),
            **prefixed("hidden", linear.init(rng, E + H, H, dtype)),
            **prefixed("readout", linear.init(rng, H, self.V_target, dtype)),
        }

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient: see `seq2seq.Sutskever`."""
        no_start(state)
        self._check(params)
        batch = fed(self, params, batch, rng)
        h, start, begun = begin(self, params, batch.source, batch.source_mask, self.D, rng)
        y, seen = embedding.forward(sub(params, "target"), batch.inputs)
        s, state_T, wrote = run(self.cell, sub(params, "decoder"), y, start, batch.mask, rng)
        logits, answered = self._answer(params, s, h, batch.source_mask[:, None])
        loss, compared = losses.cross_entropy_forward(logits, batch.targets, batch.mask)

        attended, mixed, a, scored = answered
        dlogits = losses.cross_entropy_backward(compared)
        da, readout_grads = linear.backward(dlogits, scored)  # (luong-readout)
        dcs, hidden_grads = linear.backward(da * (1 - a * a), mixed)  # (luong-hidden)
        dc, ds = np.split(dcs, [h.shape[2]], axis=2)
        dq, dk, dv, attention_grads = self.score.backward(dc, attended)
        dy, dstart, decoder_grads = self.cell.backward(ds + dq, None, wrote)
        grads = {
            **begin_backward(self, dk + dv, dstart, begun),
            **prefixed("target", embedding.backward(dy, seen)),
            **prefixed("decoder", decoder_grads),
            **prefixed("attention", attention_grads),
            **prefixed("hidden", hidden_grads),
            **prefixed("readout", readout_grads),
        }
        return loss, grads, state_T

    def logits(self, params, batch):
        """The logits (B, T, V_target) of a batch's targets, given its inputs."""
        return self._all(params, batch)[0]

    def weights(self, params, batch):
        """The attention weights (B, T, S) while writing a batch's targets, given its inputs."""
        return self.score.weights(self._all(params, batch)[1][0])

    def _all(self, params, batch):
        self._check(params)
        h, start, _ = begin(self, params, batch.source, batch.source_mask, self.D)
        y, _ = embedding.forward(sub(params, "target"), batch.inputs)
        s, _, _ = self.cell.forward(sub(params, "decoder"), y, start, batch.mask)
        return self._answer(params, s, h, batch.source_mask[:, None])

    def _check(self, params):
        check_layers(
            params, *LAYERS, *(["attention"] if self.score.learned else []), "hidden", "readout"
        )

    def _answer(self, params, s, h, mask):
        """The logits after outputs s (B, T, H), and what the way back needs."""
        weights = sub(params, "attention") if self.score.learned else {}
        c, attended = self.score.forward(weights, s, h, h, mask)
        a, mixed = linear.forward(sub(params, "hidden"), np.concatenate([c, s], axis=2))
        a = np.tanh(a)  # (luong-hidden)
        logits, scored = linear.forward(sub(params, "readout"), a)  # (luong-readout)
        return logits, (attended, mixed, a, scored)

    def start(self, params, source, source_mask=None):
        """The state after source (B, S) was read: the decoder's, what it attends to, its mask."""
        self._check(params)
        mask = real_words(source, source_mask)
        h, start, _ = begin(self, params, source, mask, self.D)
        return start, h, mask

    def step(self, params, ids, state):
        """The logits (B, V_target) of the symbol after ids (B,), and the new state."""
        before, h, mask = state
        y_t, _ = embedding.forward(sub(params, "target"), ids)
        s_t, after = self.cell.step(sub(params, "decoder"), y_t, before)
        logits, _ = self._answer(params, s_t[:, None], h, mask[:, None])
        return logits[:, 0], (after, h, mask)
