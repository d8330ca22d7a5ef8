"""LSTM of 1997, without a forget gate, in PyTorch.

    (lstm97-a)   [a_i; a_g; a_o] = W_x x_t + W_h h_{t-1} + b
    (lstm97-i)   i_t = sigmoid(a_i)
    (lstm97-g)   g_t = tanh(a_g)
    (lstm97-o)   o_t = sigmoid(a_o)
    (lstm97-c)   c_t = c_{t-1} + i_t * g_t
    (lstm97-h)   h_t = o_t * tanh(c_t)
    (carry)      where the mask is False, h_t = h_{t-1} and c_t = c_{t-1}

The mirror of `seqlib.scratch.lstm1997`: forward line by line, the gradients by autograd.
Formulas: chapters/02_rnn.ipynb and 05_lstm.ipynb.
"""

import torch
from torch import nn


class LSTM1997(nn.Module):
    """One recurrent layer over D inputs with H hidden units."""

    def __init__(self, D, H, dtype=torch.float64):
        super().__init__()
        bound = H**-0.5
        self.W_x = nn.Parameter(torch.empty(3 * H, D, dtype=dtype).uniform_(-bound, bound))
        self.W_h = nn.Parameter(torch.empty(3 * H, H, dtype=dtype).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.zeros(3 * H, dtype=dtype))

    def forward(self, x, state=None, mask=None):
        """x (B, T, D), state (h, c), each (B, H), or None, mask (B, T) boolean or None.

        Returns h (B, T, H) and the pair (h_T, c_T).
        """
        zeros = x.new_zeros(len(x), self.W_h.shape[1])
        h_t, c_t = (zeros, zeros) if state is None else state
        h = []
        for t in range(x.shape[1]):
            a_t = x[:, t] @ self.W_x.T + h_t @ self.W_h.T + self.b  # (lstm97-a)
            a_i, a_g, a_o = a_t.chunk(3, dim=1)
            i_t, o_t = a_i.sigmoid(), a_o.sigmoid()  # (lstm97-i) (lstm97-o)
            g_t = a_g.tanh()  # (lstm97-g)
            new_c = c_t + i_t * g_t  # (lstm97-c)
            new_h = o_t * new_c.tanh()  # (lstm97-h)
            if mask is not None:
                new_c = torch.where(mask[:, t, None], new_c, c_t)  # (carry)
                new_h = torch.where(mask[:, t, None], new_h, h_t)  # (carry)
            h_t, c_t = new_h, new_c
            h.append(h_t)
        return torch.stack(h, dim=1), (h_t, c_t)
