"""Encoder and decoder with attention in PyTorch: Luong's and Bahdanau's.

    (luong-hidden)       a_t = tanh(W_c [c_t; s_t] + b_c)
    (luong-readout)      logits_t = W_s a_t + b_s
    (bahdanau-step)      s_t = cell([y_{t-1}; c_t], s_{t-1})
    (bahdanau-readout)   logits_t = W_o [s_t; y_{t-1}; c_t] + b_o

The mirror of `seqlib.scratch.luong` and `bahdanau`; a model is called as in
`seqlib.pytorch.seq2seq`.
Formulas: chapters/08_attention.ipynb.
V symbols, D features of an embedding, H hidden units, E features of the encoder's outputs.
"""

import torch
from torch import nn

from seqlib.pytorch.additive import Additive
from seqlib.pytorch.models import Embedding, Linear
from seqlib.pytorch.multiplicative import General, dot
from seqlib.pytorch.seq2seq import Bridge, ends
from seqlib.pytorch.stack import width


class Luong(nn.Module):
    """Attention after the recurrence.

    score  makes the attention: called as score(D_q, D_k, dtype=dtype)
    """

    def __init__(self, V_source, V_target, D, H, cell, encoder, score=General, dtype=torch.float64):
        super().__init__()
        self.H = H
        self.source = Embedding(V_source, D, dtype)
        self.encoder = encoder(D, H, dtype=dtype)
        E = width(self.encoder, H)
        self.target = Embedding(V_target, D, dtype)
        self.decoder = cell(D, H, dtype=dtype)
        self.bridge = Bridge(E, self.decoder, D, dtype)
        self.attention = score(H, E, dtype=dtype)
        self.hidden = Linear(E + H, H, dtype)
        self.readout = Linear(H, V_target, dtype)

    def forward(self, source, inputs, source_mask=None, mask=None):
        h, _ = self.encoder(self.source(source), None, source_mask)
        start = self.bridge(ends(h, self.H), self.decoder)
        s, state_T = self.decoder(self.target(inputs), start, mask)
        seen = None if source_mask is None else source_mask[:, None]
        c = self.attention(s, h, h, seen)
        a = self.hidden(torch.cat([c, s], dim=2)).tanh()  # (luong-hidden)
        return self.readout(a), state_T  # (luong-readout)


class Bahdanau(nn.Module):
    """Attention before the recurrence."""

    def __init__(self, V_source, V_target, D, H, cell, encoder, dtype=torch.float64):
        super().__init__()
        self.H = H
        self.source = Embedding(V_source, D, dtype)
        self.encoder = encoder(D, H, dtype=dtype)
        E = width(self.encoder, H)
        self.target = Embedding(V_target, D, dtype)
        self.decoder = cell(D + E, H, dtype=dtype)
        self.bridge = Bridge(E, self.decoder, D + E, dtype)
        self.attention = Additive(H, E, H, dtype)
        self.readout = Linear(H + D + E, V_target, dtype)

    def forward(self, source, inputs, source_mask=None, mask=None):
        h, _ = self.encoder(self.source(source), None, source_mask)
        state = self.bridge(ends(h, self.H), self.decoder)
        y = self.target(inputs)
        seen = None if source_mask is None else source_mask[:, None]
        nothing = y.new_zeros(len(y), 1, y.shape[2] + h.shape[2])
        s_t, state = self.decoder(nothing, state, torch.zeros(len(y), 1, dtype=bool))
        read = []
        for t in range(y.shape[1]):
            c_t = self.attention(s_t, h, h, seen)
            y_c = torch.cat([y[:, t : t + 1], c_t], dim=2)
            real = None if mask is None else mask[:, t : t + 1]
            s_t, state = self.decoder(y_c, state, real)  # (bahdanau-step)
            read.append(torch.cat([s_t, y_c], dim=2))
        return self.readout(torch.cat(read, dim=1)), state  # (bahdanau-readout)


class Dot(nn.Module):
    """The score without parameters, made like the others; it takes as many features of both."""

    def __init__(self, D_q, D_k, dtype=torch.float64):
        super().__init__()
        if D_q != D_k:
            raise ValueError(f"queries have {D_q} features, keys {D_k}; a product needs as many")

    def forward(self, q, k, v, mask=None):
        """The average of v under the products of q and k."""
        return dot(q, k, v, mask)
