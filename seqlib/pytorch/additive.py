"""Additive attention in PyTorch.

    (additive-scores)   e_ts = w . tanh(W_q q_t + W_k k_s)

The mirror of `seqlib.scratch.additive`.  Formula: chapters/08_attention.ipynb.
"""

import torch
from torch import nn

from seqlib.pytorch.pooling import pool


class Additive(nn.Module):
    """Queries of D_q features, keys of D_k, H hidden units."""

    def __init__(self, D_q, D_k, H, dtype=torch.float64):
        super().__init__()
        for name, shape in (("W_q", (H, D_q)), ("W_k", (H, D_k)), ("w", (H,))):
            bound = shape[-1] ** -0.5
            drawn = torch.empty(shape, dtype=dtype).uniform_(-bound, bound)
            self.register_parameter(name, nn.Parameter(drawn))

    def forward(self, q, k, v, mask=None):
        """q (B, T, D_q), k (B, S, D_k), v (B, S, Kv), mask broadcasts to (B, T, S), or None.

        Returns y (B, T, Kv).
        """
        keys = k @ self.W_k.T
        h = ((q @ self.W_q.T)[:, :, None] + keys[:, None]).tanh()
        return pool(h @ self.w, v, mask)  # (additive-scores)
