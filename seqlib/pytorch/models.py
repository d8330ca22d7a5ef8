"""The recurrent models in PyTorch: embedding, recurrent module, read-out.

    (embedding)     x_t = W^T u_t = the row of W that the id names
    (linear)        y = W x + b
    (readout)       logits_t = W_hy h_t + b_y
    (many-to-one)   logits = W_hy h_T + b_y

The mirror of `seqlib.scratch.models` and of the layers that it is made of.  A cell is called as
cell(D, H, dtype=dtype); functools.partial binds what else it takes, as in partial(Stack, cell=RNN,
layers=2).
Formulas: chapters/01_sequences.ipynb, 02_rnn.ipynb and 05_lstm.ipynb.
V symbols, D features of an embedding, H hidden units.
"""

import torch
from torch import nn

from seqlib.pytorch.rnn import RNN
from seqlib.pytorch.stack import width
from seqlib.scratch.state import map_state


class Embedding(nn.Module):
    """A table with one learned vector of D features for each of V ids."""

    def __init__(self, V, D, dtype=torch.float64):
        super().__init__()
        self.W = nn.Parameter(torch.randn(V, D, dtype=dtype))

    def forward(self, ids):
        return self.W[ids]  # (embedding)


class Linear(nn.Module):
    """An affine map of the last axis, from D features to K."""

    def __init__(self, D, K, dtype=torch.float64):
        super().__init__()
        bound = D**-0.5
        self.W = nn.Parameter(torch.empty(K, D, dtype=dtype).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.empty(K, dtype=dtype).uniform_(-bound, bound))

    def forward(self, x):
        return x @ self.W.T + self.b  # (linear)


class LanguageModel(nn.Module):
    """Predicts the next symbol from all that came before it."""

    def __init__(self, V, D, H, cell=RNN, dtype=torch.float64):
        super().__init__()
        self.embedding = Embedding(V, D, dtype)
        self.cell = cell(D, H, dtype=dtype)
        self.readout = Linear(width(self.cell, H), V, dtype)

    def forward(self, ids, state=None, mask=None):
        """The logits (B, T, V) of what follows each of ids (B, T), and the state at the end.

        No gradient goes back beyond `state`.
        """
        state = map_state(torch.Tensor.detach, state)
        h, state_T = self.cell(self.embedding(ids), state, mask)
        return self.readout(h), state_T  # (readout)


class Classifier(nn.Module):
    """One answer for a whole sequence, from the output after its last step."""

    def __init__(self, V, D, H, classes, cell=RNN, dtype=torch.float64):
        super().__init__()
        self.H = H
        self.embedding = Embedding(V, D, dtype)
        self.cell = cell(D, H, dtype=dtype)
        self.readout = Linear(width(self.cell, H), classes, dtype)

    def forward(self, ids, state=None, mask=None):
        """The logits (B, classes) of the rows of ids (B, T), and the state at the end."""
        h, state_T = self.cell(self.embedding(ids), state, mask)
        ends = torch.cat([h[:, -1, : self.H], h[:, 0, self.H :]], dim=1)  # b ends at the first step
        return self.readout(ends), state_T  # (many-to-one)


class Series(nn.Module):
    """Answers for a whole series of numbers: logits, or numbers, from its last output."""

    def __init__(self, D, H, answers, cell=RNN, dtype=torch.float64):
        super().__init__()
        self.H = H
        self.cell = cell(D, H, dtype=dtype)
        self.readout = Linear(width(self.cell, H), answers, dtype)

    def forward(self, x, state=None, mask=None):
        """The answers (B, answers) to the rows of x (B, T, D), and the state at the end."""
        h, state_T = self.cell(x, state, mask)
        ends = torch.cat([h[:, -1, : self.H], h[:, 0, self.H :]], dim=1)  # b ends at the first step
        return self.readout(ends), state_T  # (many-to-one)


class Tagger(nn.Module):
    """One answer for each symbol of a sequence."""

    def __init__(self, V, D, H, tags, cell=RNN, dtype=torch.float64):
        super().__init__()
        self.embedding = Embedding(V, D, dtype)
        self.cell = cell(D, H, dtype=dtype)
        self.readout = Linear(width(self.cell, H), tags, dtype)

    def forward(self, ids, state=None, mask=None):
        """The logits (B, T, tags) of each of ids (B, T), and the state at the end."""
        h, state_T = self.cell(self.embedding(ids), state, mask)
        return self.readout(h), state_T  # (readout)


def cross_entropy(logits, targets, mask=None):
    """Mean cross-entropy of the targets (...) under logits (..., V), in nats per real place."""
    if mask is not None:
        logits, targets = logits[mask], targets[mask]
    return nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
