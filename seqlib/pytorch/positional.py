"""Positions in PyTorch: sinusoidal, learned, rotary, and ALiBi's bias.

    (sinusoidal)          p_{t,2i} = sin(t / 10000^(2i/D)),   p_{t,2i+1} = cos(t / 10000^(2i/D))
    (learned-positions)   y_t = x_t + p_t, where p_t is row t of a table P that is learned
    (rotary)              [y_2i; y_2i+1] = R(t theta_i) [x_2i; x_2i+1],   theta_i = base^(-2i/K)
    (alibi)               bias_ts = -m_n |t - s|,   m_n = 2^(-8n/N) for head n = 1 ... N

The mirror of `seqlib.scratch.positional`.  Formulas: chapters/09_self_attention.ipynb.
"""

import torch
from torch import nn


def angles(T, K, base=10000.0):
    """The angles t theta_i, (T, K / 2), in float64."""
    return torch.arange(T)[:, None] * base ** (-torch.arange(0, K, 2, dtype=torch.float64) / K)


def sinusoidal(T, D, dtype=torch.float64):
    """The table (T, D) of sines and cosines."""
    turn = angles(T, D)
    return torch.stack([turn.sin(), turn.cos()], dim=-1).flatten(1).to(dtype)  # (sinusoidal)


class Learned(nn.Module):
    """A learned row for each of at most `most` positions."""

    def __init__(self, most, D, dtype=torch.float64):
        super().__init__()
        self.P = nn.Parameter(torch.randn(most, D, dtype=dtype))

    def forward(self, x):
        """x (B, T, D)"""
        return x + self.P[: x.shape[1]]  # (learned-positions)


def rotary(x, angles):
    """x (..., T, K), its pairs of neighbors turned by angles (T, K / 2): a product of complex
    numbers."""
    pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)).contiguous())
    turns = torch.polar(torch.ones_like(angles), angles).to(pairs.dtype)
    return torch.view_as_real(pairs * turns).flatten(-2)  # (rotary)


def alibi_bias(heads, T, dtype=torch.float64):
    """The bias (N, T, T)."""
    slopes = 2.0 ** (-8 * torch.arange(1, heads + 1, dtype=torch.float64) / heads)
    distance = (torch.arange(T)[:, None] - torch.arange(T)).abs()
    return (-slopes[:, None, None] * distance).to(dtype)  # (alibi)
