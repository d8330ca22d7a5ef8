"""Elman RNN in PyTorch.

    (rnn-a)   a_t = W_xh x_t + W_hh h_{t-1} + b_h
    (rnn-h)   h_t = tanh(a_t)
    (carry)   where the mask is False, h_t = h_{t-1}

The mirror of `seqlib.scratch.rnn`: forward line by line, the gradients by autograd.
"""

import torch
from torch import nn

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}


class RNN(nn.Module):
    """One recurrent layer over D inputs with H hidden units.

    activation  "tanh", "relu" or "sigmoid"
    """

    def __init__(self, D, H, activation="tanh", dtype=torch.float64):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"activation is {activation!r}; expected one of {', '.join(ACTIVATIONS)}"
            )
        bound = H**-0.5
        self.W_xh = nn.Parameter(torch.empty(H, D, dtype=dtype).uniform_(-bound, bound))
        self.W_hh = nn.Parameter(torch.empty(H, H, dtype=dtype).uniform_(-bound, bound))
        self.b_h = nn.Parameter(torch.empty(H, dtype=dtype).uniform_(-bound, bound))
        self.f = ACTIVATIONS[activation]

    def forward(self, x, state=None, mask=None):
        """x (B, T, D), state (B, H) or None, mask (B, T) boolean or None.

        Returns h (B, T, H) and h_T (B, H).
        """
        h_t = x.new_zeros(len(x), len(self.b_h)) if state is None else state
        h = []
        for t in range(x.shape[1]):
            a_t = x[:, t] @ self.W_xh.T + h_t @ self.W_hh.T + self.b_h  # (rnn-a)
            new = self.f(a_t)  # (rnn-h)
            h_t = new if mask is None else torch.where(mask[:, t, None], new, h_t)  # (carry)
            h.append(h_t)
        return torch.stack(h, dim=1), h_t
