"""A layer of the Transformer's decoder in PyTorch.

    (post-norm-self)    z = self_norm(x + self_attention(x))
    (post-norm-cross)   z = cross_norm(x + cross_attention(x, source))
    (post-norm-feed)    z = feed_norm(x + feed_forward(x))
    (pre-norm-self)     z = x + self_attention(self_norm(x))
    (pre-norm-cross)    z = x + cross_attention(cross_norm(x), source)
    (pre-norm-feed)     z = x + feed_forward(feed_norm(x))

The mirror of `seqlib.scratch.decoder_layer`.  Formulas: chapters/10_transformer.ipynb.
"""

import torch
from torch import nn

from seqlib.pytorch.feed_forward import FeedForward
from seqlib.pytorch.layernorm import LayerNorm
from seqlib.pytorch.multihead import MultiHead


class PostNormDecoderLayer(nn.Module):
    """Self-attention, cross-attention, feed-forward network, with the norms after the sums.

    source  features of the source; None means D
    rate    of the dropout after each of the three, in training
    """

    def __init__(self, D, H, heads, source=None, rate=0.0, dtype=torch.float64):
        super().__init__()
        self.self_attention = MultiHead(D, heads, dtype=dtype)
        self.self_norm = LayerNorm(D, dtype)
        self.cross_attention = MultiHead(D, heads, source, dtype)
        self.cross_norm = LayerNorm(D, dtype)
        self.feed_forward = FeedForward(D, H, dtype)
        self.feed_norm = LayerNorm(D, dtype)
        self.drop = nn.Dropout(rate)

    def forward(self, x, source, mask=None, source_mask=None, bias=None, angles=None):
        """x (B, T, D), source (B, S, source); mask and bias broadcast to (B, N, T, T), source_mask
        to (B, N, T, S); no mask is the causal one.  Returns y (B, T, D)."""
        mask = causal(x) if mask is None else mask
        attended = self.drop(self.self_attention(x, x, x, mask, bias, angles))
        z = self.self_norm(x + attended)  # (post-norm-self)
        crossed = self.drop(self.cross_attention(z, source, source, source_mask))
        u = self.cross_norm(z + crossed)  # (post-norm-cross)
        return self.feed_norm(u + self.drop(self.feed_forward(u)))  # (post-norm-feed)


class PreNormDecoderLayer(PostNormDecoderLayer):
    """The same with the norms before."""

    def forward(self, x, source, mask=None, source_mask=None, bias=None, angles=None):
        """The arguments are those of the other one."""
        mask, normed = causal(x) if mask is None else mask, self.self_norm(x)
        attended = self.drop(self.self_attention(normed, normed, normed, mask, bias, angles))
        z = x + attended  # (pre-norm-self)
        normed = self.cross_norm(z)
        u = z + self.drop(
            self.cross_attention(normed, source, source, source_mask)
        )  # (pre-norm-cross)
        return u + self.drop(self.feed_forward(self.feed_norm(u)))  # (pre-norm-feed)


def causal(x):
    """(T, T), True where position t may attend to s: s <= t."""
    T = x.shape[1]
    return torch.ones(T, T, dtype=torch.bool, device=x.device).tril()
