"""The layers of a Transformer on top of each other in PyTorch: its encoder, and its decoder.

    (encoder-stack)   x^l = encoder_layer_l(x^{l-1})
    (decoder-stack)   x^l = decoder_layer_l(x^{l-1}, encoded)
    (last-norm)       y = norm(x^L)

The mirror of `seqlib.scratch.layer_stack`.  Formulas: chapters/10_transformer.ipynb.
"""

from typing import Any, NamedTuple

import torch
from torch import nn

from seqlib.pytorch.decoder_layer import PostNormDecoderLayer, PreNormDecoderLayer
from seqlib.pytorch.encoder_layer import PostNormEncoderLayer, PreNormEncoderLayer
from seqlib.pytorch.layernorm import LayerNorm
from seqlib.pytorch.positions import Sinusoidal


class Norms(NamedTuple):
    """Where the norms of a layer stand: the layers, and what follows the last one."""

    encoder: Any
    decoder: Any
    last: Any


PRE_NORM = Norms(PreNormEncoderLayer, PreNormDecoderLayer, LayerNorm)
POST_NORM = Norms(PostNormEncoderLayer, PostNormDecoderLayer, None)


class EncoderStack(nn.Module):
    """The layers of an encoder; under a causal mask, of a decoder-only model.

    norms      PRE_NORM or POST_NORM
    positions  a class of `positions`
    rate       of the dropout: of x^0, after each attention and each feed-forward network
    """

    KIND = "encoder"

    def __init__(
        self,
        D,
        H,
        heads,
        layers,
        norms=PRE_NORM,
        positions=Sinusoidal,
        rate=0.0,
        dtype=torch.float64,
    ):
        super().__init__()
        self.D, self.heads, self.layers = D, heads, layers
        self.positions, self.drop = positions(D, dtype=dtype), nn.Dropout(rate)
        for layer in range(layers):
            made = getattr(norms, self.KIND)(D, H, heads, rate=rate, dtype=dtype)
            self.add_module(str(layer), made)
        self.norm = norms.last(D, dtype) if norms.last else nn.Identity()

    def forward(self, x, mask=None):
        """x (B, T, D), mask broadcasts to (B, N, T, T).  Returns y (B, T, D)."""
        x = self.drop(self.positions(x))
        scores = self.positions.scores(x.shape[1], self.D, self.heads, x.dtype)
        for layer in range(self.layers):
            x = self.get_submodule(str(layer))(x, mask, *scores)  # (encoder-stack)
        return self.norm(x)  # (last-norm)


class DecoderStack(EncoderStack):
    """The layers of a decoder."""

    KIND = "decoder"

    def forward(self, x, encoded, mask=None, source_mask=None):
        """x (B, T, D), encoded (B, S, D), masks broadcast to (B, N, T, T) and (B, N, T, S).

        Without a mask, self-attention is causal.  Returns y (B, T, D).
        """
        x = self.drop(self.positions(x))
        scores = self.positions.scores(x.shape[1], self.D, self.heads, x.dtype)
        for layer in range(self.layers):
            decode = self.get_submodule(str(layer))
            x = decode(x, encoded, mask, source_mask, *scores)  # (decoder-stack)
        return self.norm(x)  # (last-norm)
