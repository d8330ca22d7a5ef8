"""The feed-forward network of a Transformer layer in PyTorch.

    (feed-forward)   y = W_2 h + b_2,   h = relu(W_1 x + b_1)

The mirror of `seqlib.scratch.feed_forward`.  Formula: chapters/10_transformer.ipynb.
"""

import torch
from torch import nn


class FeedForward(nn.Module):
    """D features, H hidden units."""

    def __init__(self, D, H, dtype=torch.float64):
        super().__init__()
        for layer, (out, width) in ((1, (H, D)), (2, (D, H))):
            for name, shape in ((f"W_{layer}", (out, width)), (f"b_{layer}", (out,))):
                drawn = torch.empty(shape, dtype=dtype).uniform_(-(width**-0.5), width**-0.5)
                self.register_parameter(name, nn.Parameter(drawn))

    def forward(self, x):
        """x (..., D)"""
        h = (x @ self.W_1.T + self.b_1).relu()  # (feed-forward)
        return h @ self.W_2.T + self.b_2  # (feed-forward)
