"""The Transformer: an encoder reads a row, a decoder writes another one.

    (transformer-encoder)   encoded = encoder(x)                        x the source's embedding
    (transformer-decoder)   y = decoder(x, encoded)    x the embedding of the words written so far

A read-out makes y the logits (`tied`).  Attention is causal in the decoder, so that y_t depends on
the words written before it alone; padding is attended to nowhere.
Source: Vaswani et al., Attention is all you need, 2017.  Formulas: chapters/10_transformer.ipynb.
B rows, S words to read, T to write, V symbols of a vocabulary, D features, H hidden units of the
feed-forward networks, N heads, L layers.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import decoder_layer, encoder_layer, layer_stack, losses, tied
from seqlib.scratch.feeding import fed
from seqlib.scratch.layer_stack import (
    PRE_NORM,
    cross_weights,
    decoder_backward,
    decoder_forward,
    encoder_backward,
    encoder_forward,
    self_weights,
)
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.positions import SINUSOIDAL
from seqlib.scratch.reading import appended, no_start, reading_mask, real_steps, writing_mask
from seqlib.scratch.shapes import check_layers


class Transformer(NamedTuple):
    """Encoder and decoder, for translation.

    V_source   symbols to read
    V_target   symbols to write
    D, H       features, hidden units of the feed-forward networks
    heads      of every attention, a divisor of D
    layers     of the encoder, and as many of the decoder
    norms      PRE_NORM, or POST_NORM as in the paper, which it trains with a warm-up of the rate
    positions  one of `positions`, for both
    tied       whether the table of the target's embedding is that of the read-out too
    rate       of the dropout; the paper's is 0.1
    smoothing  eps of label smoothing; the paper's is 0.1
    """

    V_source: int
    V_target: int
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
        """Parameters: "source.W", "encoder.*", "target.W", "decoder.*", "readout.b", and
        "readout.W" if it is not tied.
        """
        return {
            **prefixed("source", tied.table(rng, self.V_source, self.D, dtype)),
            **prefixed("encoder", layer_stack.init(self, encoder_layer, rng, dtype)),
            **prefixed("decoder", layer_stack.init(self, decoder_layer, rng, dtype)),
            **tied.init(rng, "target", self.V_target, self.D, self.tied, dtype),
        }

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch, its targets smoothed, and its gradient.

        batch  a text.TranslationBatch; what the decoder is fed, its `own` says: see `feeding`
        state  None: a row to write starts from the row that was read
        rng    for the dropout, and where own is more than 0; None drops nothing

        Returns the loss in nats per symbol, grads keyed like params, and None: nothing is left to
        start the next batch from.
        """
        no_start(state)
        batch = fed(self, params, batch, rng)
        logits, (seen, read, shown, wrote, scored) = self._forward(params, batch, rng)
        loss, compared = losses.smoothed_cross_entropy_forward(
            logits, batch.targets, batch.mask, eps=self.smoothing
        )

        dlogits = losses.smoothed_cross_entropy_backward(compared)
        dy, readout_grads = tied.readout_backward(dlogits, scored)
        dy, dencoded, decoder_grads = decoder_backward(self, dy, wrote)  # (transformer-decoder)
        dx, encoder_grads = encoder_backward(self, dencoded, read)  # (transformer-encoder)
        shown_grads = tied.embed_backward(dy, shown)
        grads = {
            **prefixed("source", tied.embed_backward(dx, seen)),
            **prefixed("encoder", encoder_grads),
            **prefixed("decoder", decoder_grads),
            **tied.together("target", self.tied, shown_grads, readout_grads),
        }
        return loss, grads, None

    def logits(self, params, batch):
        """The logits (B, T, V_target) of a batch's targets, given its inputs."""
        return self._forward(params, batch)[0]

    def weights(self, params, batch):
        """The weights of cross-attention (B, L, N, T, S) while writing a batch's targets."""
        return cross_weights(self._forward(params, batch)[1][3])

    def all_weights(self, params, batch):
        """The weights of every attention while writing a batch's targets.

        Returns those of the encoder (B, L, N, S, S), of the decoder's self-attention
        (B, L, N, T, T) and of cross-attention (B, L, N, T, S).
        """
        _, (_, read, _, wrote, _) = self._forward(params, batch)
        return self_weights(read), self_weights(wrote), cross_weights(wrote)

    def _forward(self, params, batch, rng=None):
        source_mask = reading_mask(batch.source, batch.source_mask)
        encoded, seen, read = self._read(params, batch.source, source_mask, rng)
        masks = writing_mask(batch.inputs, batch.mask), source_mask
        y, shown, wrote = self._write(params, batch.inputs, encoded, *masks, rng)
        logits, scored = tied.readout_forward(params, "target", y)
        return logits, (seen, read, shown, wrote, scored)

    def _read(self, params, source, mask, rng=None):
        check_layers(params, "source.W", "encoder", "decoder", *tied.names("target", self.tied))
        x, seen = tied.embed_forward(params, "source", source)
        weights = sub(params, "encoder")
        encoded, read = encoder_forward(self, weights, x, mask, rng)  # (transformer-encoder)
        return encoded, seen, read

    def _write(self, params, inputs, encoded, mask, source_mask, rng=None):
        x, shown = tied.embed_forward(params, "target", inputs)
        weights, masks = sub(params, "decoder"), (mask, source_mask)
        y, wrote = decoder_forward(self, weights, x, encoded, *masks, rng)  # (transformer-decoder)
        return y, shown, wrote

    def start(self, params, source, source_mask=None):
        """The state after source (B, S) was read, of which source_mask (B, S) is real.

        It is what the encoder gave (B, S, D), the mask (B, S), and the ids written so far, (B, 0).
        """
        encoded, _, _ = self._read(params, source, reading_mask(source, source_mask))
        nothing = np.zeros((len(encoded), 0), dtype=np.int64)
        return encoded, real_steps(source, source_mask), nothing

    def step(self, params, ids, state):
        """The logits (B, V_target) of the symbol after ids (B,), and the new state.

        The decoder reads all that was written again: nothing that it computed before is kept.
        """
        encoded, real, written = state
        written = appended(written, ids)
        y, _, _ = self._write(params, written, encoded, None, real[:, None, None])
        logits, _ = tied.readout_forward(params, "target", y[:, -1])
        return logits, (encoded, real, written)
