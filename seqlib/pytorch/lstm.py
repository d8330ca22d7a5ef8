"""LSTM with a forget gate in PyTorch.

    (lstm-a)   [a_i; a_f; a_g; a_o] = W_x x_t + W_h h_{t-1} + b
    (lstm-i)   i_t = sigmoid(a_i)
    (lstm-f)   f_t = sigmoid(a_f)
    (lstm-g)   g_t = tanh(a_g)
    (lstm-o)   o_t = sigmoid(a_o)
    (lstm-c)   c_t = f_t * c_{t-1} + i_t * g_t
    (lstm-h)   h_t = o_t * tanh(c_t)
    (carry)    where the mask is False, h_t = h_{t-1} and c_t = c_{t-1}

The mirror of `seqlib.scratch.lstm`: forward line by line, the gradients by autograd.
Formulas: chapters/02_rnn.ipynb and 05_lstm.ipynb.
"""

import torch
from torch import nn


class LSTM(nn.Module):
    """One recurrent layer over D inputs with H hidden units.

    forget_bias  what the forget gate's bias starts from
    """

    def __init__(self, D, H, forget_bias=1.0, dtype=torch.float64):
        super().__init__()
        bound = H**-0.5
        self.W_x = nn.Parameter(torch.empty(4 * H, D, dtype=dtype).uniform_(-bound, bound))
        self.W_h = nn.Parameter(torch.empty(4 * H, H, dtype=dtype).uniform_(-bound, bound))
        b = torch.zeros(4 * H, dtype=dtype)
        b[H : 2 * H] = forget_bias
        self.b = nn.Parameter(b)

    def forward(self, x, state=None, mask=None):
        """x (B, T, D), state (h, c), each (B, H), or None, mask (B, T) boolean or None.

        Returns h (B, T, H) and the pair (h_T, c_T).
        """
        zeros = x.new_zeros(len(x), self.W_h.shape[1])
        h_t, c_t = (zeros, zeros) if state is None else state
        h = []
        for t in range(x.shape[1]):
            a_t = x[:, t] @ self.W_x.T + h_t @ self.W_h.T + self.b  # (lstm-a)
            a_i, a_f, a_g, a_o = a_t.chunk(4, dim=1)
            i_t, f_t = a_i.sigmoid(), a_f.sigmoid()  # (lstm-i) (lstm-f)
            g_t, o_t = a_g.tanh(), a_o.sigmoid()  # (lstm-g) (lstm-o)
            new_c = f_t * c_t + i_t * g_t  # (lstm-c)
            new_h = o_t * new_c.tanh()  # (lstm-h)
            if mask is not None:
                new_c = torch.where(mask[:, t, None], new_c, c_t)  # (carry)
                new_h = torch.where(mask[:, t, None], new_h, h_t)  # (carry)
            h_t, c_t = new_h, new_c
            h.append(h_t)
        return torch.stack(h, dim=1), (h_t, c_t)
