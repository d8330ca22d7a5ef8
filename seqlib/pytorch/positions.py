"""The ways to tell a Transformer where a symbol stands, in PyTorch, under one signature.

    forward(x)                   the input of the first layer
    scores(T, D, heads, dtype)   bias and angles for the self-attention of every layer, or None

Each is called with D and dtype.  The mirror of `seqlib.scratch.positions`; the formulas:
`positional`.
"""

import torch
from torch import nn

from seqlib.pytorch import positional


class NoPositions(nn.Module):
    """No positions."""

    def __init__(self, D, dtype=torch.float64):
        super().__init__()

    def forward(self, x):
        """x (B, T, D), as it is"""
        return x

    def scores(self, T, D, heads, dtype):
        return None, None


class Sinusoidal(NoPositions):
    """Sines and cosines are added."""

    def forward(self, x):
        """x (B, T, D)"""
        return x + positional.sinusoidal(*x.shape[1:], x.dtype)


class Alibi(NoPositions):
    """A bias of the scores."""

    def scores(self, T, D, heads, dtype):
        return positional.alibi_bias(heads, T, dtype), None


class Rotary(NoPositions):
    """Queries and keys are turned."""

    def scores(self, T, D, heads, dtype):
        return None, positional.angles(T, D // heads)


class Learned(NoPositions):
    """A learned vector for each of `most` places is added."""

    def __init__(self, D, dtype=torch.float64, most=100):
        super().__init__(D, dtype)
        self.P = nn.Parameter(torch.randn(most, D, dtype=dtype))

    def forward(self, x):
        """x (B, T, D)"""
        return x + self.P[: x.shape[1]]
