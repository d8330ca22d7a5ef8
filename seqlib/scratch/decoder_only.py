"""A Transformer's decoder alone: a language model, which writes on.

    (decoder-only)   y = encoder(x) under the causal mask

With nothing to cross-attend to, its layers are those of an encoder; what makes it a decoder is the
causal mask.  Both ends: `tied`.
Source: Radford et al., Improving language understanding by generative pre-training, 2018.
Formulas: chapters/10_transformer.ipynb.
B rows, T steps, V symbols, D features, H hidden units of the feed-forward networks, N heads, L
layers.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import checks, encoder_layer, layer_stack, losses, tied
from seqlib.scratch.layer_stack import PRE_NORM, encoder_backward, encoder_forward, self_weights
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.positions import SINUSOIDAL
from seqlib.scratch.reading import appended, no_start, writing_mask
from seqlib.scratch.shapes import check_layers


class TransformerLanguageModel(NamedTuple):
    """Predicts the next symbol from all that came before it: a decoder-only Transformer.

    V  symbols of the vocabulary
    The other fields are those of `transformer.Transformer`.
    """

    V: int
    D: int
    H: int
    heads: int
    layers: int
    norms: Any = PRE_NORM
    positions: Any = SINUSOIDAL
    tied: bool = True
    rate: float = 0.0
    smoothing: float = 0.0

    def init(self, rng, dtype=np.float64):
        """Parameters: "embedding.W", "decoder.*", "readout.b", and "readout.W" if not tied."""
        return {
            **prefixed("decoder", layer_stack.init(self, encoder_layer, rng, dtype)),
            **tied.init(rng, "embedding", self.V, self.D, self.tied, dtype),
        }

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch, its targets smoothed, and its gradient.

        batch  inputs (B, T) and targets (B, T), integers; mask (B, T) or None
        state  None: each batch is read from its beginning
        rng    for the dropout; None drops nothing

        Returns the loss in nats per symbol, grads keyed like params, and None: nothing is left to
        start the next batch from.
        """
        no_start(state)
        y, (seen, ran) = self._forward(params, batch.inputs, batch.mask, rng)
        logits, scored = tied.readout_forward(params, "embedding", y)
        loss, compared = losses.smoothed_cross_entropy_forward(
            logits, batch.targets, batch.mask, eps=self.smoothing
        )

        dlogits = losses.smoothed_cross_entropy_backward(compared)
        dy, read_grads = tied.readout_backward(dlogits, scored)
        dx, grads = encoder_backward(self, dy, ran)  # (decoder-only)
        seen_grads = tied.embed_backward(dx, seen)
        ends = tied.together("embedding", self.tied, seen_grads, read_grads)
        return loss, prefixed("decoder", grads) | ends, None

    def logits(self, params, ids, mask=None):
        """The logits (B, T, V) of what follows each of ids (B, T)."""
        return tied.readout_forward(params, "embedding", self._forward(params, ids, mask)[0])[0]

    def weights(self, params, ids, mask=None):
        """The weights of self-attention (B, L, N, T, T)."""
        return self_weights(self._forward(params, ids, mask)[1][1])

    def _forward(self, params, ids, mask=None, rng=None):
        check_layers(params, "decoder", *tied.names("embedding", self.tied))
        x, seen = tied.embed_forward(params, "embedding", ids)
        weights, mask = sub(params, "decoder"), writing_mask(ids, mask)
        y, ran = encoder_forward(self, weights, x, mask, rng)  # (decoder-only)
        return y, (seen, ran)

    def start(self, params, source):
        """The state after the ids of `source` (B, T), which may be none: these ids."""
        source = checks.ids("source", source, self.V)
        checks.shape("source", source, (None, None))
        return source.copy()

    def step(self, params, ids, state):
        """The logits (B, V) of the symbol after ids (B,), and the new state: all ids so far."""
        state = appended(state, ids)
        y, _ = self._forward(params, state)
        return tied.readout_forward(params, "embedding", y[:, -1])[0], state
