"""Layer normalization in PyTorch.

    (layernorm-hat)   x_hat = (x - mean(x)) / sqrt(var(x) + eps)
    (layernorm)       y = gain * x_hat + bias

The mirror of `seqlib.scratch.layernorm`.  Formulas: chapters/10_transformer.ipynb.
"""

import torch
from torch import nn


class LayerNorm(nn.Module):
    """Over the last D features."""

    def __init__(self, D, dtype=torch.float64, eps=1e-5):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(D, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(D, dtype=dtype))
        self.eps = eps

    def forward(self, x):
        """x (..., D)"""
        centered = x - x.mean(dim=-1, keepdim=True)
        variance = centered.square().mean(dim=-1, keepdim=True)
        x_hat = centered / (variance + self.eps).sqrt()  # (layernorm-hat)
        return self.gain * x_hat + self.bias  # (layernorm)
