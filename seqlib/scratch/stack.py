"""Recurrent layers on top of each other: the outputs of one are the inputs of the next.

    (stack)   h_t^l = cell_l(h_t^{l-1}, h_{t-1}^l),   h_t^0 = x_t

Sources: Schmidhuber, Learning complex, extended sequences using the principle of history
compression, 1992; dropout between the layers alone: Zaremba, Sutskever and Vinyals, Recurrent
neural network regularization, 2014.
Formula: chapters/06_gru.ipynb.  B batch, T steps, D inputs, H hidden, l = 1 ... layers.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import checks, dropout
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import run, width
from seqlib.scratch.shapes import check_layers
from seqlib.scratch.state import split_state


class Cache(NamedTuple):
    layers: tuple  # the layers' caches, the lowest first
    dropped: tuple  # those of the dropout below layers 2, 3, ...


class Stack(NamedTuple):
    """Layers of one recurrent module; itself a recurrent module.

    cell     the recurrent module of every layer
    layers   how many
    dropout  rate of the dropout between two layers; nothing is dropped without an rng
    """

    cell: Any
    layers: int
    dropout: float = 0.0

    def init(self, rng, D, H, dtype=np.float64):
        """The cell's parameters for each layer: "0.W_xh", "1.W_xh" and so on, the lowest first."""
        checks.sizes(layers=self.layers)
        inputs = [D] + [self.width(H)] * (self.layers - 1)
        params = {}
        for layer, size in enumerate(inputs):
            params |= prefixed(str(layer), self.cell.init(rng, size, H, dtype))
        return params

    def width(self, H):
        """The features of an output: those of the uppermost layer."""
        return width(self.cell, H)

    def forward(self, params, x, state=None, mask=None, rng=None):
        """Run all layers over a batch of sequences.

        params  those of `init`
        x       (B, T, D)
        state   tuple of the layers' states; None means zeros
        mask    (B, T)  boolean; where False, the states are carried through unchanged
        rng     np.random.Generator for the dropout; None drops nothing

        Returns h (B, T, H) of the uppermost layer, the tuple of the layers' final states and a
        cache.  Raises ValueError if params or state are of another number of layers.
        """
        states, h = self._states(params, state), x
        ends, ran, dropped = [], [], []
        for layer, start in enumerate(states):
            if layer:
                h, kept = dropout.forward(h, self.dropout, rng)
                dropped.append(kept)
            weights = sub(params, str(layer))
            h, end, cache = run(self.cell, weights, h, start, mask, rng)  # (stack)
            ends.append(end)
            ran.append(cache)
        return h, tuple(ends), Cache(tuple(ran), tuple(dropped))

    def backward(self, dh, dstate_T, cache):
        """Backpropagation through all layers, the uppermost first.

        dh        (B, T, H)  gradient reaching the outputs
        dstate_T  tuple of the gradients reaching the layers' final states; None if unused

        Returns dx (B, T, D), the tuple dstate_0 and grads, keyed and shaped like params.
        """
        dends = split_state("dstate_T", dstate_T, self.layers)
        dstarts, grads = [], {}
        for layer in reversed(range(self.layers)):
            dh, dstart, own = self.cell.backward(dh, dends[layer], cache.layers[layer])  # (stack)
            if layer:
                dh = dropout.backward(dh, cache.dropped[layer - 1])
            dstarts.insert(0, dstart)
            grads = prefixed(str(layer), own) | grads
        return dh, tuple(dstarts), grads

    def step(self, params, x_t, state=None):
        """One step of all layers without a cache, for generation; nothing is dropped.

        x_t    (B, D)
        state  tuple of the layers' states; None means zeros

        Returns h_t (B, H) of the uppermost layer and the new state.
        Raises ValueError if the cell has no step, because it also reads backward.
        """
        if not hasattr(self.cell, "step"):
            raise ValueError(f"{type(self.cell).__name__} reads all T steps; it cannot take 1")
        h_t, new = x_t, []
        for layer, before in enumerate(self._states(params, state)):
            h_t, after = self.cell.step(sub(params, str(layer)), h_t, before)
            new.append(after)
        return h_t, tuple(new)

    def _states(self, params, state):
        """The states of the layers, after a check that params are of as many layers."""
        checks.sizes(layers=self.layers)
        check_layers(params, *map(str, range(self.layers)))
        return split_state("the state", state, self.layers)
