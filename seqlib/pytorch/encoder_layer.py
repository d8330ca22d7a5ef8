"""A layer of the Transformer's encoder in PyTorch.

    (post-norm-self)   z = self_norm(x + self_attention(x))
    (post-norm-feed)   z = feed_norm(x + feed_forward(x))
    (pre-norm-self)    z = x + self_attention(self_norm(x))
    (pre-norm-feed)    z = x + feed_forward(feed_norm(x))

The mirror of `seqlib.scratch.encoder_layer`.  Formulas: chapters/10_transformer.ipynb.
"""

import torch
from torch import nn

from seqlib.pytorch.feed_forward import FeedForward
from seqlib.pytorch.layernorm import LayerNorm
from seqlib.pytorch.multihead import MultiHead


class PostNormEncoderLayer(nn.Module):
    """Self-attention and feed-forward network, with the norms after the sums.

    rate  of the dropout after each of the two, in training
    """

    def __init__(self, D, H, heads, rate=0.0, dtype=torch.float64):
        super().__init__()
        self.self_attention = MultiHead(D, heads, dtype=dtype)
        self.self_norm = LayerNorm(D, dtype)
        self.feed_forward = FeedForward(D, H, dtype)
        self.feed_norm = LayerNorm(D, dtype)
        self.drop = nn.Dropout(rate)

    def forward(self, x, mask=None, bias=None, angles=None):
        """x (B, T, D), mask and bias broadcast to (B, N, T, T).  Returns y (B, T, D)."""
        attended = self.drop(self.self_attention(x, x, x, mask, bias, angles))
        z = self.self_norm(x + attended)  # (post-norm-self)
        return self.feed_norm(z + self.drop(self.feed_forward(z)))  # (post-norm-feed)


class PreNormEncoderLayer(PostNormEncoderLayer):
    """The same with the norms before."""

    def forward(self, x, mask=None, bias=None, angles=None):
        """x (B, T, D), mask and bias broadcast to (B, N, T, T).  Returns y (B, T, D)."""
        normed = self.self_norm(x)
        z = x + self.drop(
            self.self_attention(normed, normed, normed, mask, bias, angles)
        )  # (pre-norm-self)
        return z + self.drop(self.feed_forward(self.feed_norm(z)))  # (pre-norm-feed)
