"""Models made of layers: NamedTuples of their sizes.

Their parameters are a flat dict with dotted keys.

    (readout)   logits_t = W_hy h_t + b_y

Every model has `init` and `loss_and_grads` for training; those that generate have `start` and
`step`.  A cell is any recurrent module (`seqlib.scratch.recurrent`).
Formula: chapters/02_rnn.ipynb.  V symbols, D features of an embedding, H hidden units.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import checks, embedding, linear, losses, rnn
from seqlib.scratch.bahdanau import Bahdanau
from seqlib.scratch.cho import Cho
from seqlib.scratch.decoder_only import TransformerLanguageModel
from seqlib.scratch.encoder_only import TransformerClassifier, TransformerTagger
from seqlib.scratch.labelling import Classifier, Tagger
from seqlib.scratch.luong import Luong
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import run
from seqlib.scratch.seq2seq import Sutskever
from seqlib.scratch.series import SeriesClassifier, SeriesRegressor
from seqlib.scratch.shapes import check_layers
from seqlib.scratch.transformer import Transformer

__all__ = [
    "Bahdanau",
    "Cho",
    "Classifier",
    "LanguageModel",
    "Luong",
    "SeriesClassifier",
    "SeriesRegressor",
    "Sutskever",
    "Tagger",
    "Transformer",
    "TransformerClassifier",
    "TransformerLanguageModel",
    "TransformerTagger",
    "WindowModel",
]


LAYERS = ("embedding", "cell", "readout")


class LanguageModel(NamedTuple):
    """Predicts the next symbol from all that came before it: embedding, recurrent layer, read-out.

    V     symbols of the vocabulary
    D     features of an embedding
    H     hidden units
    cell  the recurrent module
    """

    V: int
    D: int
    H: int
    cell: Any = rnn

    def init(self, rng, dtype=np.float64):
        """Parameters: "embedding.W" (V, D), "readout.W" (V, H), "readout.b", "cell.*"."""
        return {
            **prefixed("embedding", embedding.init(rng, self.V, self.D, dtype)),
            **prefixed("cell", self.cell.init(rng, self.D, self.H, dtype)),
            **prefixed("readout", linear.init(rng, self.H, self.V, dtype)),
        }

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient.

        batch  inputs (B, T) and targets (B, T), integers; mask (B, T) or None
        state  the state to start from; None means zeros.  No gradient goes back beyond it: carried
               over from the chunk before, it truncates
        rng    for a cell with dropout; None drops nothing

        Returns the loss in nats per symbol, grads keyed like params, and the state after the last
        step.
        """
        check_layers(params, *LAYERS)
        x, seen = embedding.forward(sub(params, "embedding"), batch.inputs)
        h, state_T, ran = run(self.cell, sub(params, "cell"), x, state, batch.mask, rng)
        logits, read = linear.forward(sub(params, "readout"), h)  # (readout)
        loss, scored = losses.cross_entropy_forward(logits, batch.targets, batch.mask)

        dlogits = losses.cross_entropy_backward(scored)
        dh, readout_grads = linear.backward(dlogits, read)  # (readout)
        dx, _, cell_grads = self.cell.backward(dh, None, ran)
        grads = {
            **prefixed("embedding", embedding.backward(dx, seen)),
            **prefixed("cell", cell_grads),
            **prefixed("readout", readout_grads),
        }
        return loss, grads, state_T

    def hidden(self, params, ids, state=None, mask=None):
        """The hidden states (B, T, H) while reading ids (B, T), and the state at the end."""
        check_layers(params, *LAYERS)
        x, _ = embedding.forward(sub(params, "embedding"), ids)
        h, state_T, _ = self.cell.forward(sub(params, "cell"), x, state, mask)
        return h, state_T

    def logits(self, params, ids, state=None, mask=None):
        """The logits (B, T, V) of what follows each of ids (B, T), and the state at the end."""
        h, state_T = self.hidden(params, ids, state, mask)
        return linear.forward(sub(params, "readout"), h)[0], state_T

    def start(self, params, source):
        """The state after reading the ids of `source` (B, T); T may be 0, which leaves zeros."""
        source = checks.ids("source", source, self.V)
        checks.shape("source", source, (None, None))
        if source.shape[1] == 0:
            W = params["embedding.W"]
            nothing = np.zeros((len(source), 1, self.D), W.dtype)
            unread = np.zeros((len(source), 1), dtype=bool)
            return self.cell.forward(sub(params, "cell"), nothing, None, unread)[1]
        return self.hidden(params, source)[1]

    def step(self, params, ids, state):
        """The logits (B, V) of the symbol after ids (B,), and the new state."""
        check_layers(params, *LAYERS)
        x_t, _ = embedding.forward(sub(params, "embedding"), ids)
        h_t, state = self.cell.step(sub(params, "cell"), x_t, state)
        return linear.forward(sub(params, "readout"), h_t)[0], state


class WindowModel(NamedTuple):
    """Predicts the next symbol from the last `window` symbols alone.

        (window-model)   logits = W_2 tanh(W_1 [x_{t-window+1}; ...; x_t] + b_1) + b_2

    Id V stands for "before the beginning".
    Source: Bengio et al., A neural probabilistic language model, 2003.
    Formula: chapters/01_sequences.ipynb.
    """

    V: int
    D: int
    H: int
    window: int

    def init(self, rng, dtype=np.float64):
        """Parameters: "embedding.W" (V + 1, D), "inner.*" (H, window D), "readout.*" (V, H)."""
        return {
            **prefixed("embedding", embedding.init(rng, self.V + 1, self.D, dtype)),
            **prefixed("inner", linear.init(rng, self.window * self.D, self.H, dtype)),
            **prefixed("readout", linear.init(rng, self.H, self.V, dtype)),
        }

    def loss_and_grads(self, params, batch, state=None, rng=None):
        """Mean cross-entropy of a batch and its gradient.

        batch  inputs (B, window) and targets (B,), integers (from `text.windows`)

        Returns the loss in nats per symbol, grads keyed like params, and None: a window has no
        state.
        """
        logits, (seen, inner, h, read) = self._forward(params, batch.inputs)
        loss, scored = losses.cross_entropy_forward(logits, batch.targets)

        dh, readout_grads = linear.backward(losses.cross_entropy_backward(scored), read)
        dx, inner_grads = linear.backward(dh * (1 - h * h), inner)  # (window-model)
        dx = dx.reshape(*batch.inputs.shape, self.D)
        grads = {
            **prefixed("embedding", embedding.backward(dx, seen)),
            **prefixed("inner", inner_grads),
            **prefixed("readout", readout_grads),
        }
        return loss, grads, None

    def logits(self, params, windows):
        """The logits (B, V) of the symbol after each window (B, window) of ids."""
        return self._forward(params, windows)[0]

    def _forward(self, params, windows):
        check_layers(params, "embedding", "inner", "readout")
        checks.shape("windows", np.asarray(windows), (None, self.window))
        x, seen = embedding.forward(sub(params, "embedding"), windows)
        a, inner = linear.forward(sub(params, "inner"), x.reshape(len(x), -1))
        h = np.tanh(a)
        logits, read = linear.forward(sub(params, "readout"), h)  # (window-model)
        return logits, (seen, inner, h, read)

    def start(self, params, source):
        """The window after reading the ids of `source` (B, T), as its state (B, window)."""
        source = checks.ids("source", source, self.V)
        checks.shape("source", source, (None, None))
        before = np.full((len(source), self.window), self.V)
        return np.concatenate([before, source], axis=1)[:, source.shape[1] :]

    def step(self, params, ids, state):
        """The logits (B, V) of the symbol after ids (B,), and the window moved on by them."""
        state = np.concatenate([state[:, 1:], checks.ids("ids", ids, self.V)[:, None]], axis=1)
        return self.logits(params, state), state
