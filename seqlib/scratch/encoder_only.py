"""A Transformer's encoder alone: models that answer about a sequence, having seen all of it.

    (readout)        logits_t = W_hy y_t + b_y                    tagger
    (mean-pooling)   logits = W_hy mean(y) + b_y                  classifier

mean(y) is that of the outputs at the real steps.
Source: Devlin et al., BERT, 2019, which answers from the output at a symbol put before the row
instead of the mean.  Formulas: chapters/02_rnn.ipynb and 10_transformer.ipynb.
B rows, T steps, V symbols, D features, H hidden units of the feed-forward networks, N heads, L
layers.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import encoder_layer, layer_stack, linear, losses, tied
from seqlib.scratch.layer_stack import PRE_NORM, encoder_backward, encoder_forward, self_weights
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.positions import SINUSOIDAL
from seqlib.scratch.reading import no_start, reading_mask, real_steps
from seqlib.scratch.shapes import check_layers


class TransformerTagger(NamedTuple):
    """One answer for each symbol of a sequence, from all of it: an encoder-only Transformer.

    V     symbols of the vocabulary
    tags  how many answers there are
    The other fields are those of `transformer.Transformer`.
    """

    V: int
    D: int
    H: int
    heads: int
    layers: int
    tags: int
    norms: Any = PRE_NORM
    positions: Any = SINUSOIDAL
    rate: float = 0.0
    smoothing: float = 0.0

    def init(self, rng, dtype=np.float64):
        """Parameters: "embedding.W", "encoder.*", "readout.W" (tags, D), "readout.b"."""
        return init(self, self.tags, rng, dtype)

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch, its targets smoothed, and its gradient.

        batch  inputs (B, T) and targets (B, T), integers; mask (B, T) or None
        state  None: there is no other

        Returns the loss in nats per symbol, grads keyed like params, and None.
        """
        no_start(state)
        y, cache = encode(self, params, batch.inputs, batch.mask, rng)
        logits, scored = linear.forward(sub(params, "readout"), y)  # (readout)
        loss, compared = losses.smoothed_cross_entropy_forward(
            logits, batch.targets, batch.mask, eps=self.smoothing
        )

        dlogits = losses.smoothed_cross_entropy_backward(compared)
        dy, readout_grads = linear.backward(dlogits, scored)  # (readout)
        grads = encode_backward(self, dy, cache) | prefixed("readout", readout_grads)
        return loss, grads, None

    def logits(self, params, ids, mask=None):
        """The logits (B, T, tags) of each of ids (B, T)."""
        return linear.forward(sub(params, "readout"), encode(self, params, ids, mask)[0])[0]

    def weights(self, params, ids, mask=None):
        """The weights of self-attention (B, L, N, T, T)."""
        return self_weights(encode(self, params, ids, mask)[1][1])


class TransformerClassifier(NamedTuple):
    """One answer for a whole sequence, from the mean of its steps: an encoder-only Transformer.

    V        symbols of the vocabulary
    classes  how many answers there are
    The other fields are those of `transformer.Transformer`.
    """

    V: int
    D: int
    H: int
    heads: int
    layers: int
    classes: int
    norms: Any = PRE_NORM
    positions: Any = SINUSOIDAL
    rate: float = 0.0
    smoothing: float = 0.0

    def init(self, rng, dtype=np.float64):
        """Parameters: "embedding.W", "encoder.*", "readout.W" (classes, D), "readout.b"."""
        return init(self, self.classes, rng, dtype)

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch, its targets smoothed, and its gradient.

        batch  inputs (B, T) and targets (B,), integers; mask (B, T) or None
        state  None: there is no other

        Returns the loss in nats per row, grads keyed like params, and None.
        """
        no_start(state)
        y, cache = encode(self, params, batch.inputs, batch.mask, rng)
        mean, share = mean_forward(y, real_steps(batch.inputs, batch.mask))
        logits, scored = linear.forward(sub(params, "readout"), mean)
        loss, compared = losses.smoothed_cross_entropy_forward(
            logits, batch.targets, eps=self.smoothing
        )

        dlogits = losses.smoothed_cross_entropy_backward(compared)
        dmean, readout_grads = linear.backward(dlogits, scored)
        dy = mean_backward(dmean, share)
        grads = encode_backward(self, dy, cache) | prefixed("readout", readout_grads)
        return loss, grads, None

    def logits(self, params, ids, mask=None):
        """The logits (B, classes) of the rows of ids (B, T)."""
        y, _ = encode(self, params, ids, mask)
        mean, _ = mean_forward(y, real_steps(ids, mask))
        return linear.forward(sub(params, "readout"), mean)[0]

    def weights(self, params, ids, mask=None):
        """The weights of self-attention (B, L, N, T, T)."""
        return self_weights(encode(self, params, ids, mask)[1][1])


def init(model, answers, rng, dtype):
    """The parameters of embedding, layers and read-out."""
    return {
        **prefixed("embedding", tied.table(rng, model.V, model.D, dtype)),
        **prefixed("encoder", layer_stack.init(model, encoder_layer, rng, dtype)),
        **prefixed("readout", linear.init(rng, model.D, answers, dtype)),
    }


def encode(model, params, ids, mask=None, rng=None):
    """Embed ids (B, T) and run the encoder over them: outputs (B, T, D) and a cache."""
    check_layers(params, "embedding.W", "encoder", "readout")
    x, seen = tied.embed_forward(params, "embedding", ids)
    weights, mask = sub(params, "encoder"), reading_mask(ids, mask)
    y, ran = encoder_forward(model, weights, x, mask, rng)
    return y, (seen, ran)


def encode_backward(model, dy, cache):
    """The gradients of the embedding and of the encoder, keyed like params."""
    seen, ran = cache
    dx, grads = encoder_backward(model, dy, ran)
    return prefixed("embedding", tied.embed_backward(dx, seen)) | prefixed("encoder", grads)


def mean_forward(y, mask):
    """The mean (B, D) of y (B, T, D) over the real steps, and what each step counts for in it.

    Raises ValueError if a row has no real step.
    """
    counts = mask.sum(axis=1)
    if not counts.all():
        raise ValueError(f"row {counts.argmin()} has 0 real steps; a mean needs at least 1")
    share = (mask / counts[:, None]).astype(y.dtype)[:, :, None]
    return (y * share).sum(axis=1), share  # (mean-pooling)


def mean_backward(dmean, share):
    """The gradient of y (B, T, D)."""
    return dmean[:, None] * share  # (mean-pooling)
