"""Encoder and decoder with attention before the recurrence.

    (bahdanau-step)      s_t = cell([y_{t-1}; c_t], s_{t-1})
    (bahdanau-readout)   logits_t = W_o [s_t; y_{t-1}; c_t] + b_o

s_t is the decoder's output after word t, y_t the embedding of word t.  The output before it asks,
s_{t-1}: c_t is the average of the encoder's outputs under the weights of `additive`.  The maxout
units of the read-out are left out.
Source: Bahdanau, Cho and Bengio, Neural machine translation by jointly learning to align and
translate, 2015.  Formulas: chapters/08_attention.ipynb.
V symbols of a vocabulary, D features of an embedding, H hidden units, B rows, S words to read, T to
write; E features of the encoder's outputs.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import additive, checks, embedding, gru, linear, losses
from seqlib.scratch.attentive import LAYERS, READER, begin, begin_backward, real_words, start_init
from seqlib.scratch.feeding import fed
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import carried, run, width
from seqlib.scratch.seq2seq import no_start
from seqlib.scratch.shapes import check_layers


class Bahdanau(NamedTuple):
    """Attention before the recurrence: what was written so far asks, and the answer is an input.

    V_source  symbols to read
    V_target  symbols to write
    D, H      features of an embedding, hidden units; the score's hidden layer has H too
    cell      the recurrent module of the decoder
    encoder   that of the encoder
    """

    V_source: int
    V_target: int
    D: int
    H: int
    cell: Any = gru
    encoder: Any = READER

    def init(self, rng, dtype=np.float64):
        """Parameters: "source.W", "encoder.*", "bridge.*", "target.W", "decoder.*", "attention.*",
        "readout.*".
        """
        D, H, E = self.D, self.H, width(self.encoder, self.H)
        return {
            **start_init(self, rng, D + E, dtype),
            **prefixed("attention", additive.init(rng, H, E, H, dtype)),
            **prefixed("readout", linear.init(rng, H + D + E, self.V_target, dtype)),
        }

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient: see `seq2seq.Sutskever`."""
        no_start(state)
        batch = fed(self, params, batch, rng)
        s_y_c, state_T, caches = self._forward(params, batch, rng)
        logits, scored = linear.forward(sub(params, "readout"), s_y_c)  # (bahdanau-readout)
        loss, compared = losses.cross_entropy_forward(logits, batch.targets, batch.mask)

        dlogits = losses.cross_entropy_backward(compared)
        dsyc, readout_grads = linear.backward(dlogits, scored)  # (bahdanau-readout)
        grads = self._backward(dsyc, caches)
        return loss, {**grads, **prefixed("readout", readout_grads)}, state_T

    def _forward(self, params, batch, rng=None):
        """[s_t; y_{t-1}; c_t] of all steps (B, T, H + D + E), the state, and all caches."""
        check_layers(params, *LAYERS, "attention", "readout")
        width_of_input = self.D + width(self.encoder, self.H)
        decoder, attention = sub(params, "decoder"), sub(params, "attention")
        mask, real = batch.source_mask[:, None], checks.boolean_mask(batch.mask, batch.inputs.shape)
        h, state, begun = begin(self, params, batch.source, batch.source_mask, width_of_input, rng)
        keys, projected = additive.keys_forward(attention, h)
        y, seen = embedding.forward(sub(params, "target"), batch.inputs)
        s_t, state, first = carried(self.cell, decoder, width_of_input, state)
        parts, steps = [], []
        for t in range(y.shape[1]):
            c_t, asked = additive.query_forward(attention, s_t, keys, h, mask)
            y_c = np.concatenate([y[:, t : t + 1], c_t], axis=2)
            s_t, state, ran = run(
                self.cell, decoder, y_c, state, real[:, t : t + 1], rng
            )  # (bahdanau-step)
            parts.append(np.concatenate([s_t, y_c], axis=2))
            steps.append((asked, ran))
        return np.concatenate(parts, axis=1), state, (begun, projected, seen, first, steps)

    def _backward(self, dsyc, caches):
        """The gradients of all but the read-out, from those of [s_t; y_{t-1}; c_t]."""
        begun, projected, seen, first, steps = caches
        ds, dy, dc = np.split(dsyc, [self.H, self.H + self.D], axis=2)
        dkeys = dh = ds_next = 0
        dstate, dys, decoder, attention = None, [], {}, {}
        for t in reversed(range(len(steps))):
            asked, ran = steps[t]
            ds_t = ds[:, t : t + 1] + ds_next  # s_t is read out, and asks at step t + 1
            dy_c, dstate, grads = self.cell.backward(ds_t, dstate, ran)  # (bahdanau-step)
            decoder = added(decoder, grads)
            dys.append(dy[:, t : t + 1] + dy_c[:, :, : self.D])
            dc_t = dc[:, t : t + 1] + dy_c[:, :, self.D :]
            ds_next, dkeys_t, dv, grads = additive.query_backward(dc_t, asked)
            attention = added(attention, grads)
            dkeys, dh = dkeys + dkeys_t, dh + dv  # every step asks the same keys
        _, dstate, _ = self.cell.backward(ds_next, dstate, first)
        dk, grads = additive.keys_backward(dkeys, projected)
        attention = added(attention, grads)
        return {
            **begin_backward(self, dh + dk, dstate, begun),
            **prefixed("target", embedding.backward(np.concatenate(dys[::-1], axis=1), seen)),
            **prefixed("decoder", decoder),
            **prefixed("attention", attention),
        }

    def logits(self, params, batch):
        """The logits (B, T, V_target) of a batch's targets, given its inputs."""
        return linear.forward(sub(params, "readout"), self._forward(params, batch)[0])[0]

    def weights(self, params, batch):
        """The attention weights (B, T, S) while writing a batch's targets, given its inputs."""
        steps = self._forward(params, batch)[2][-1]
        return np.concatenate([asked.pooled.weights for asked, _ in steps], axis=1)

    def start(self, params, source, source_mask=None):
        """The state after source (B, S) was read: the decoder's, its output, keys, values, mask."""
        check_layers(params, *LAYERS, "attention", "readout")
        mask, D = real_words(source, source_mask), self.D + width(self.encoder, self.H)
        h, state, _ = begin(self, params, source, mask, D)
        s_0, state, _ = carried(self.cell, sub(params, "decoder"), D, state)
        keys, _ = additive.keys_forward(sub(params, "attention"), h)
        return state, s_0[:, 0], keys, h, mask

    def step(self, params, ids, state):
        """The logits (B, V_target) of the symbol after ids (B,), and the new state."""
        before, s, keys, h, mask = state
        attention = sub(params, "attention")
        c_t, _ = additive.query_forward(attention, s[:, None], keys, h, mask[:, None])
        y_t, _ = embedding.forward(sub(params, "target"), ids)
        y_c = np.concatenate([y_t, c_t[:, 0]], axis=1)
        s_t, after = self.cell.step(sub(params, "decoder"), y_c, before)
        logits, _ = linear.forward(sub(params, "readout"), np.concatenate([s_t, y_c], axis=1))
        return logits, (after, s_t, keys, h, mask)


def added(total, grads):
    """Gradients that several steps share, added up."""
    return {**total, **{key: total.get(key, 0) + value for key, value in grads.items()}}
