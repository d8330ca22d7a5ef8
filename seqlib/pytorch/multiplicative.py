"""Multiplicative attention in PyTorch.

    (dot-scores)       e_ts = q_t . k_s
    (general-scores)   e_ts = q_t . W k_s

The mirror of `seqlib.scratch.multiplicative`.  Formulas: chapters/08_attention.ipynb.
"""

import torch
from torch import nn

from seqlib.pytorch.pooling import pool


def dot(q, k, v, mask=None):
    """q (..., T, D), k (..., S, D), v (..., S, Kv), mask broadcasts to (..., T, S), or None.

    Returns y (..., T, Kv).
    """
    return pool(q @ k.transpose(-1, -2), v, mask)  # (dot-scores)


class General(nn.Module):
    """Queries of D_q features, keys of D_k."""

    def __init__(self, D_q, D_k, dtype=torch.float64):
        super().__init__()
        self.W = nn.Parameter(torch.empty(D_q, D_k, dtype=dtype).uniform_(-(D_k**-0.5), D_k**-0.5))

    def forward(self, q, k, v, mask=None):
        """q (..., T, D_q), k (..., S, D_k), v (..., S, Kv), mask broadcasts to (..., T, S)."""
        return dot(q @ self.W, k, v, mask)  # (general-scores)
