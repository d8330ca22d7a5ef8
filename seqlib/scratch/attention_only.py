"""A language model of attention alone: no feed-forward networks and no norms.

    (attention-only)   x^l = x^{l-1} + multihead_l(x^{l-1}),   logits_t = W x_t^L + b

x^0 is the embedding with the positions.  The smallest model in which layers of attention can build
on each other; what it lacks of a Transformer is in `encoder_layer`.
Source: Elhage et al., A mathematical framework for Transformer circuits, 2021.
Formulas: chapters/09_self_attention.ipynb.
B rows, T steps, V symbols, D features, N heads, L layers.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import checks, linear, losses, multihead, tied
from seqlib.scratch.layer_stack import layer_names
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.positions import SINUSOIDAL
from seqlib.scratch.reading import no_start, reading_mask, writing_mask
from seqlib.scratch.shapes import check_layers


class AttentionOnly(NamedTuple):
    """Layers of multi-head attention, each added to what it read, between an embedding and logits.

    V          symbols of the vocabulary
    D          features, a multiple of heads
    positions  from `positions`
    causal     True: each step sees itself and what came before it; False: it sees all steps
    """

    V: int
    D: int
    heads: int
    layers: int
    positions: Any = SINUSOIDAL
    causal: bool = True

    def init(self, rng, dtype=np.float64):
        """Parameters: "embedding.W", "0.*", "1.*" ..., "positions.*" if learned, "readout.*"."""
        checks.sizes(heads=self.heads, layers=self.layers)
        if self.D % self.heads:
            raise ValueError(f"D is {self.D}; {self.heads} heads do not divide it")
        params = prefixed("embedding", tied.table(rng, self.V, self.D, dtype))
        params |= self.positions.init(rng, self.D, dtype)
        for layer in range(self.layers):
            params |= prefixed(str(layer), multihead.init(rng, self.D, dtype=dtype))
        return params | prefixed("readout", linear.init(rng, self.D, self.V, dtype))

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient.

        batch  inputs (B, T) and targets (B, T), integers; mask (B, T) or None: the steps that are
               scored, and that are attended to
        state  None: each batch is read from its beginning

        Returns the loss in nats per scored step, grads keyed like params, and None.
        """
        no_start(state)
        y, caches = self._forward(params, batch.inputs, batch.mask)
        logits, scored = linear.forward(sub(params, "readout"), y)  # (attention-only)
        loss, compared = losses.cross_entropy_forward(logits, batch.targets, batch.mask)

        dlogits = losses.cross_entropy_backward(compared)
        dx, own = linear.backward(dlogits, scored)  # (attention-only)
        grads = prefixed("readout", own)
        seen, placed, layers = caches
        for layer in reversed(range(self.layers)):
            dq, dk, dv, own = multihead.backward(dx, layers[layer])  # (attention-only)
            dx = dx + dq + dk + dv  # x is query, key and value, and goes on beside them
            grads |= prefixed(str(layer), own)
        dx, own = self.positions.backward(dx, placed)
        grads |= own | prefixed("embedding", tied.embed_backward(dx, seen))
        return loss, grads, None

    def logits(self, params, ids, mask=None):
        """The logits (B, T, V) at each of ids (B, T)."""
        return linear.forward(sub(params, "readout"), self._forward(params, ids, mask)[0])[0]

    def weights(self, params, ids, mask=None):
        """The attention weights (B, L, N, T, T)."""
        layers = self._forward(params, ids, mask)[1][2]
        return np.stack([cache.heads.weights for cache in layers], axis=1)

    def _forward(self, params, ids, mask=None):
        check_layers(params, "embedding.W", "readout", *layer_names(self))
        x, seen = tied.embed_forward(params, "embedding", ids)
        x, placed = self.positions.forward(params, x)
        mask = (writing_mask if self.causal else reading_mask)(ids, mask)
        bias, angles = self.positions.scores(x.shape[1], self.D, self.heads, x.dtype)
        layers = []
        for layer in range(self.layers):
            own, choices = sub(params, str(layer)), {"heads": self.heads, "angles": angles}
            y, cache = multihead.forward(own, x, x, x, mask, bias, **choices)  # (attention-only)
            x = x + y
            layers.append(cache)
        return x, (seen, placed, layers)
