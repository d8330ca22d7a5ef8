"""Elman RNN with skip connections in time, in PyTorch.

    (skip-a)   a_t = W_xh x_t + W_hh h_{t-1} + W_sh h_{t-reach} + b_h
    (skip-h)   h_t = tanh(a_t)
    (carry)    where the mask is False, h_t = h_{t-1}, and the step does not count

The mirror of `seqlib.scratch.skip`: forward line by line, the gradients by autograd.
Formulas: chapters/02_rnn.ipynb and 04_gradient_flow.ipynb.
"""

import torch
from torch import nn


class SkipRNN(nn.Module):
    """One recurrent layer over D inputs with H hidden units.

    reach  steps that the skip connections cross
    """

    def __init__(self, D, H, reach, dtype=torch.float64):
        super().__init__()
        self.reach = reach
        bound = H**-0.5
        self.W_xh = nn.Parameter(torch.empty(H, D, dtype=dtype).uniform_(-bound, bound))
        self.W_hh = nn.Parameter(torch.empty(H, H, dtype=dtype).uniform_(-bound, bound))
        self.W_sh = nn.Parameter(torch.empty(H, H, dtype=dtype).uniform_(-bound, bound))
        self.b_h = nn.Parameter(torch.empty(H, dtype=dtype).uniform_(-bound, bound))

    def forward(self, x, state=None, mask=None):
        """x (B, T, D), state (B, reach, H) or None, mask (B, T) boolean or None.

        Returns h (B, T, H) and the last `reach` outputs (B, reach, H), the newest last.
        """
        last = x.new_zeros(len(x), self.reach, len(self.b_h)) if state is None else state
        h = []
        for t in range(x.shape[1]):
            past = last[:, -1] @ self.W_hh.T + last[:, 0] @ self.W_sh.T
            a_t = x[:, t] @ self.W_xh.T + past + self.b_h  # (skip-a)
            h_t = torch.tanh(a_t)  # (skip-h)
            moved = torch.cat([last[:, 1:], h_t[:, None]], dim=1)
            last = moved if mask is None else torch.where(mask[:, t, None, None], moved, last)
            h.append(last[:, -1])  # (carry)
        return torch.stack(h, dim=1), last
