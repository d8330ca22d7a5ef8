"""Encoder and decoder in PyTorch: Sutskever's and Cho's.

    (s2s-start)       s_0 = the encoder's state after the last word
    (s2s-step)        s_t = cell(y_{t-1}, s_{t-1})
    (readout)         logits_t = W_hy s_t + b_y
    (bridge)          s_0 = tanh(W c + b)
    (cho-context)     c = tanh(W_c h_S + b_c)
    (cho-step)        s_t = cell([y_{t-1}; c], s_{t-1})
    (cho-readout)     logits_t = W_o [s_t; y_{t-1}; c] + b_o

The mirror of `seqlib.scratch.seq2seq`, `cho` and `bridge`.  A model is called with source (B, S),
inputs (B, T) and their masks, or None, and returns logits (B, T, V_target) and the decoder's last
state.  Formulas: chapters/02_rnn.ipynb and 07_encoder_decoder.ipynb.
V symbols, D features of an embedding, H hidden units, E features of the encoder's output.
"""

import torch
from torch import nn

from seqlib.pytorch.lstm import LSTM
from seqlib.pytorch.models import Embedding, Linear
from seqlib.pytorch.stack import width
from seqlib.scratch.bidirectional import reversed_steps
from seqlib.scratch.state import map_state


class Sutskever(nn.Module):
    """The encoder's final state is all that the decoder gets."""

    def __init__(self, V_source, V_target, D, H, cell=LSTM, reverse=False, dtype=torch.float64):
        super().__init__()
        self.reverse = reverse
        self.source = Embedding(V_source, D, dtype)
        self.encoder = cell(D, H, dtype=dtype)
        self.target = Embedding(V_target, D, dtype)
        self.decoder = cell(D, H, dtype=dtype)
        self.readout = Linear(H, V_target, dtype)

    def forward(self, source, inputs, source_mask=None, mask=None):
        if self.reverse:
            real = None if source_mask is None else source_mask.cpu().numpy()
            order = torch.from_numpy(reversed_steps(real, *source.shape)).to(source.device)
            source = source.gather(1, order)
        _, start = self.encoder(self.source(source), None, source_mask)  # (s2s-start)
        s, state_T = self.decoder(self.target(inputs), start, mask)  # (s2s-step)
        return self.readout(s), state_T  # (readout)


class Cho(nn.Module):
    """A summary of what was read enters every step of the decoder, and every read-out."""

    def __init__(self, V_source, V_target, D, H, cell, encoder=None, dtype=torch.float64):
        super().__init__()
        self.H = H
        self.source = Embedding(V_source, D, dtype)
        self.encoder = (encoder or cell)(D, H, dtype=dtype)
        self.context = Linear(width(self.encoder, H), H, dtype)
        self.target = Embedding(V_target, D, dtype)
        self.decoder = cell(D + H, H, dtype=dtype)
        self.bridge = Bridge(H, self.decoder, D + H, dtype)
        self.readout = Linear(D + 2 * H, V_target, dtype)

    def forward(self, source, inputs, source_mask=None, mask=None):
        h, _ = self.encoder(self.source(source), None, source_mask)
        c = self.context(ends(h, self.H)).tanh()  # (cho-context)
        y = self.target(inputs)
        y_c = torch.cat([y, c[:, None].expand(-1, y.shape[1], -1)], dim=2)
        s, state_T = self.decoder(y_c, self.bridge(c, self.decoder), mask)  # (cho-step)
        return self.readout(torch.cat([s, y_c], dim=2)), state_T  # (cho-readout)


class Bridge(Linear):
    """From a vector of E features to the state that a cell with D inputs starts from."""

    def __init__(self, E, cell, D, dtype=torch.float64):
        nothing = torch.zeros(1, 1, D, dtype=dtype)
        with torch.no_grad():
            form = cell(nothing, None, torch.zeros(1, 1, dtype=bool))[1]
        sizes = []
        map_state(lambda a: sizes.append(a[0].numel()), form)
        super().__init__(E, sum(sizes), dtype)
        self.form, self.sizes = form, sizes

    def forward(self, c, cell):
        parts = iter(super().forward(c).tanh().split(self.sizes, dim=1))  # (bridge)
        return map_state(lambda a: next(parts).reshape(len(c), *a.shape[1:]), self.form)


def ends(h, H):
    """The output of each direction after its last real step."""
    return torch.cat([h[:, -1, :H], h[:, 0, H:]], dim=1)
