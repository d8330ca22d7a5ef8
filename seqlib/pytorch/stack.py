"""Recurrent layers on top of each other, in PyTorch.

    (stack)   h_t^l = cell_l(h_t^{l-1}, h_{t-1}^l),   h_t^0 = x_t

The mirror of `seqlib.scratch.stack`.  A recurrent module is called with (x, state, mask) and
returns (h, state_T).  Formula: chapters/06_gru.ipynb.
"""

import torch
from torch import nn

from seqlib.scratch.state import split_state


class Stack(nn.Module):
    """Layers of one recurrent module.

    cell     makes a layer: called as cell(D, H, dtype=dtype)
    layers   how many
    dropout  rate of the dropout between two layers, in training
    """

    def __init__(self, D, H, cell, layers, dropout=0.0, dtype=torch.float64):
        super().__init__()
        self.layers, self.dropout = layers, dropout
        for layer in range(layers):
            self.add_module(str(layer), cell(D, H, dtype=dtype))
            D = self.width = width(self.get_submodule(str(layer)), H)

    def forward(self, x, state=None, mask=None):
        """x (B, T, D), state a tuple of the layers' states or None, mask (B, T) boolean or None.

        Returns h (B, T, H) of the uppermost layer and the tuple of the layers' final states.
        """
        h, ends = x, []
        states = split_state("the state", state, self.layers)
        for layer, start in zip(self.children(), states, strict=True):
            if ends:
                h = nn.functional.dropout(h, self.dropout, self.training)
            h, end = layer(h, start, mask)  # (stack)
            ends.append(end)
        return h, tuple(ends)


def width(layer, H):
    """The features of a layer's output at each step: H, but for one that says otherwise."""
    return getattr(layer, "width", H)
