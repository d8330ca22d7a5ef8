"""Two recurrent layers over one sequence, from its beginning and from its end, in PyTorch.

    (bidirectional)   h_t = [f_t; b_t],   f_t = cell_f(x_t, f_{t-1}),   b_t = cell_b(x_t, b_{t+1})

The mirror of `seqlib.scratch.bidirectional`: each row is reversed within its own length.
Formula: chapters/06_gru.ipynb.
"""

import torch
from torch import nn

from seqlib.scratch.bidirectional import reversed_steps
from seqlib.scratch.state import split_state


class Bidirectional(nn.Module):
    """A recurrent module run both ways.

    cell  makes the module of one direction: called as cell(D, H, dtype=dtype)
    """

    def __init__(self, D, H, cell, dtype=torch.float64):
        super().__init__()
        self.width = 2 * H
        # Not as attributes: the parameters of a direction are called "forward.*", as in NumPy, and
        # that name is taken by the method below.
        self._modules["forward"] = cell(D, H, dtype=dtype)
        self._modules["backward"] = cell(D, H, dtype=dtype)

    def forward(self, x, state=None, mask=None):
        """x (B, T, D), state a pair or None, mask (B, T) boolean or None, True up to a row's end.

        Returns h (B, T, 2 H) and the pair of final states.
        """
        B, T, _ = x.shape
        steps = reversed_steps(None if mask is None else mask.cpu().numpy(), B, T)
        order = torch.from_numpy(steps).to(x.device)
        rows = torch.arange(B, device=x.device)[:, None]
        start, end = split_state("the state", state, 2)
        f, f_T = self._modules["forward"](x, start, mask)
        b, b_1 = self._modules["backward"](x[rows, order], end, mask)
        return torch.cat([f, b[rows, order]], dim=2), (f_T, b_1)  # (bidirectional)
