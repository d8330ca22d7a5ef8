"""Multi-head attention in PyTorch.

    (multihead-heads)    q_t^n = W_q^n q_t + b_q^n,   and so k_s^n and v_s^n
    (multihead-output)   y_t = W_o [y_t^1; ...; y_t^N] + b_o,   y^n = attention(q^n, k^n, v^n)

The mirror of `seqlib.scratch.multihead`.  Formulas: chapters/09_self_attention.ipynb.
"""

import torch
from torch import nn

from seqlib.pytorch.attention import attention
from seqlib.pytorch.positional import rotary


class MultiHead(nn.Module):
    """N attentions side by side.

    D       features of the queries and of the output
    heads   N
    source  features of keys and values; None means D
    """

    def __init__(self, D, heads, source=None, dtype=torch.float64):
        super().__init__()
        self.heads, source = heads, D if source is None else source
        for name, width in (("q", D), ("k", source), ("v", source), ("o", D)):
            W = torch.empty(D, width, dtype=dtype)
            self.register_parameter(f"W_{name}", nn.Parameter(nn.init.xavier_uniform_(W)))
            self.register_parameter(f"b_{name}", nn.Parameter(torch.zeros(D, dtype=dtype)))

    def forward(self, q, k, v, mask=None, bias=None, angles=None):
        """q (B, T, D), k and v (B, S, source), mask and bias broadcast to (B, N, T, S).

        Returns y (B, T, D).
        """
        q, k, v = (
            (x @ W.T + b).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (multihead-heads)
            for x, W, b in (
                (q, self.W_q, self.b_q),
                (k, self.W_k, self.b_k),
                (v, self.W_v, self.b_v),
            )
        )
        if angles is not None:
            q, k = rotary(q, angles), rotary(k, angles)
        joined = attention(q, k, v, mask, bias).transpose(1, 2).flatten(2)
        return joined @ self.W_o.T + self.b_o  # (multihead-output)
