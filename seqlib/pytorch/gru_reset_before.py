"""GRU whose reset gate acts before the product, in PyTorch.

    (grub-r)   r_t = sigmoid(W_xr x_t + W_hr h_{t-1} + b_r)
    (grub-z)   z_t = sigmoid(W_xz x_t + W_hz h_{t-1} + b_z)
    (grub-n)   n_t = tanh(W_xn x_t + W_hn (r_t * h_{t-1}) + b_n)
    (grub-h)   h_t = (1 - z_t) * n_t + z_t * h_{t-1}
    (carry)    where the mask is False, h_t = h_{t-1}

The mirror of `seqlib.scratch.gru_reset_before`: forward line by line, the gradients by autograd.
Formulas: chapters/02_rnn.ipynb and 06_gru.ipynb.
"""

import torch
from torch import nn


class GRUResetBefore(nn.Module):
    """One recurrent layer over D inputs with H hidden units."""

    def __init__(self, D, H, dtype=torch.float64):
        super().__init__()
        bound = H**-0.5
        self.W_x = nn.Parameter(torch.empty(3 * H, D, dtype=dtype).uniform_(-bound, bound))
        self.W_h = nn.Parameter(torch.empty(3 * H, H, dtype=dtype).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.empty(3 * H, dtype=dtype).uniform_(-bound, bound))

    def forward(self, x, state=None, mask=None):
        """x (B, T, D), state (B, H) or None, mask (B, T) boolean or None.

        Returns h (B, T, H) and h_T (B, H).
        """
        h_t = x.new_zeros(len(x), self.W_h.shape[1]) if state is None else state
        W_hr, W_hz, W_hn = self.W_h.chunk(3)
        h = []
        for t in range(x.shape[1]):
            x_r, x_z, x_n = (x[:, t] @ self.W_x.T + self.b).chunk(3, dim=1)
            r_t = torch.sigmoid(x_r + h_t @ W_hr.T)  # (grub-r)
            z_t = torch.sigmoid(x_z + h_t @ W_hz.T)  # (grub-z)
            n_t = torch.tanh(x_n + (r_t * h_t) @ W_hn.T)  # (grub-n)
            new = (1 - z_t) * n_t + z_t * h_t  # (grub-h)
            h_t = new if mask is None else torch.where(mask[:, t, None], new, h_t)  # (carry)
            h.append(h_t)
        return torch.stack(h, dim=1), h_t
