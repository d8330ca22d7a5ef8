"""The Transformer in PyTorch: encoder and decoder, and each of them alone.

    (scaled-embedding)      x_t = sqrt(D) W^T u_t
    (tied-readout)          logits_t = W y_t + b        not tied, with another table in place of W
    (transformer-encoder)   encoded = encoder(x)
    (transformer-decoder)   y = decoder(x, encoded)
    (decoder-only)          y = encoder(x) under the causal mask
    (readout)               logits_t = W_hy y_t + b_y
    (mean-pooling)          logits = W_hy mean(y) + b_y

The mirror of `seqlib.scratch.transformer`, `decoder_only`, `encoder_only` and `tied`; the choices
of `layer_stack` go by name.
Formulas: chapters/10_transformer.ipynb and 02_rnn.ipynb.
"""

import torch
from torch import nn

from seqlib.pytorch.decoder_layer import causal
from seqlib.pytorch.layer_stack import DecoderStack, EncoderStack
from seqlib.pytorch.models import Linear


class Table(nn.Module):
    """Vectors of D features for V ids, of variance 1 when they are read."""

    def __init__(self, V, D, dtype=torch.float64):
        super().__init__()
        self.W = nn.Parameter(torch.randn(V, D, dtype=dtype) * D**-0.5)

    def forward(self, ids):
        return self.W[ids] * self.W.shape[1] ** 0.5  # (scaled-embedding)


class Readout(nn.Module):
    """The logits of V ids; its table is the caller's, unless it has its own."""

    def __init__(self, V, D, tied, dtype=torch.float64):
        super().__init__()
        self.b = nn.Parameter(torch.zeros(V, dtype=dtype))
        self.register_parameter("W", None if tied else Linear(D, V, dtype).W)

    def forward(self, y, W):
        W = W if self.W is None else self.W
        return y @ W.T + self.b  # (tied-readout)


class Transformer(nn.Module):
    """Encoder and decoder, for translation."""

    def __init__(
        self, V_source, V_target, D, H, heads, layers, tied=True, dtype=torch.float64, **choices
    ):
        super().__init__()
        self.source, self.target = Table(V_source, D, dtype), Table(V_target, D, dtype)
        self.encoder = EncoderStack(D, H, heads, layers, dtype=dtype, **choices)
        self.decoder = DecoderStack(D, H, heads, layers, dtype=dtype, **choices)
        self.readout = Readout(V_target, D, tied, dtype)

    def forward(self, source, inputs, source_mask, mask):
        """The logits (B, T, V_target), given source (B, S), inputs (B, T) and their masks."""
        source_mask = source_mask[:, None, None]
        encoded = self.encoder(self.source(source), source_mask)  # (transformer-encoder)
        mask = mask[:, None, None] & causal(inputs)
        y = self.decoder(self.target(inputs), encoded, mask, source_mask)  # (transformer-decoder)
        return self.readout(y, self.target.W)


class TransformerLanguageModel(nn.Module):
    """Predicts the next symbol from all that came before it."""

    def __init__(self, V, D, H, heads, layers, tied=True, dtype=torch.float64, **choices):
        super().__init__()
        self.embedding = Table(V, D, dtype)
        self.decoder = EncoderStack(D, H, heads, layers, dtype=dtype, **choices)
        self.readout = Readout(V, D, tied, dtype)

    def forward(self, ids, mask):
        """The logits (B, T, V) of what follows each of ids (B, T), of which mask (B, T) is real."""
        mask = mask[:, None, None] & causal(ids)
        y = self.decoder(self.embedding(ids), mask)  # (decoder-only)
        return self.readout(y, self.embedding.W)


class TransformerTagger(nn.Module):
    """One answer for each symbol of a sequence."""

    def __init__(self, V, D, H, heads, layers, answers, dtype=torch.float64, **choices):
        super().__init__()
        self.embedding = Table(V, D, dtype)
        self.encoder = EncoderStack(D, H, heads, layers, dtype=dtype, **choices)
        self.readout = Linear(D, answers, dtype)

    def forward(self, ids, mask):
        """The logits (B, T, tags) of each of ids (B, T), of which mask (B, T) is real."""
        y = self.encoder(self.embedding(ids), mask[:, None, None])
        return self.readout(y)  # (readout)


class TransformerClassifier(TransformerTagger):
    """One answer for a whole sequence, from the mean of its real steps."""

    def forward(self, ids, mask):
        """The logits (B, classes) of the rows of ids (B, T), of which mask (B, T) is real."""
        y = self.encoder(self.embedding(ids), mask[:, None, None])
        real = mask[:, :, None].to(y.dtype)
        return self.readout((y * real).sum(1) / real.sum(1))  # (mean-pooling)
