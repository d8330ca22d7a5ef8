"""Two recurrent layers over one sequence, one from its beginning and one from its end.

    (bidirectional)   h_t = [f_t; b_t],   f_t = cell_f(x_t, f_{t-1}),   b_t = cell_b(x_t, b_{t+1})

A row is reversed within its own length, so that b starts at the last real step, not in the padding.
Source: Schuster and Paliwal, Bidirectional recurrent neural networks, 1997.
Formula: chapters/06_gru.ipynb.  B batch, T steps, D inputs, H hidden of each direction.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.recurrent import run, width
from seqlib.scratch.shapes import check_layers
from seqlib.scratch.state import split_state


class Cache(NamedTuple):
    forward: Any  # the caches of the two directions
    backward: Any
    order: np.ndarray  # (B, T) the step that stands at each place of a reversed row
    split: int  # the features of the forward direction


class Bidirectional(NamedTuple):
    """A recurrent module run both ways; one too, but without `step`: it has to see the end.

    cell  the recurrent module of both directions
    """

    cell: Any

    def init(self, rng, D, H, dtype=np.float64):
        """The cell's parameters twice: "forward.*" and "backward.*"."""
        self.width(H)
        return {
            **prefixed("forward", self.cell.init(rng, D, H, dtype)),
            **prefixed("backward", self.cell.init(rng, D, H, dtype)),
        }

    def width(self, H):
        """The features of an output, 2 H.  Raises ValueError if the cell itself reads both ways."""
        if width(self.cell, H) != H:
            raise ValueError(
                f"the cell gives {width(self.cell, H)} features, both directions already;"
                f" expected {H}, of one"
            )
        return 2 * H

    def forward(self, params, x, state=None, mask=None, rng=None):
        """Run both directions over a batch of sequences.

        params  those of `init`
        x       (B, T, D)
        state   pair of the states to start from: f's before the first step, b's behind the last
        mask    (B, T)  boolean, in each row True up to its length and False behind; where False,
                f_t is the state after the last real step, and b_t that after the first one
        rng     np.random.Generator for a cell with dropout; None drops nothing

        Returns h (B, T, 2 H), the pair of final states and a cache.
        Raises ValueError if a row of the mask is True behind a False.
        """
        check_layers(params, "forward", "backward")
        x = np.asarray(x)
        checks.shape("x", x, (None, None, None))
        order = reversed_steps(mask, *x.shape[:2])
        start, end = split_state("the state", state, 2)
        f, f_T, ran_f = run(self.cell, sub(params, "forward"), x, start, mask, rng)
        b, b_1, ran_b = run(self.cell, sub(params, "backward"), take(x, order), end, mask, rng)
        h = np.concatenate([f, take(b, order)], axis=2)  # (bidirectional)
        return h, (f_T, b_1), Cache(ran_f, ran_b, order, f.shape[2])

    def backward(self, dh, dstate_T, cache):
        """Backpropagation through both directions.

        dh        (B, T, 2 H)  gradient reaching h_t
        dstate_T  pair of the gradients reaching the final states; None if unused

        Returns dx (B, T, D), the pair dstate_0 and grads, keyed and shaped like params.
        """
        dend_f, dend_b = split_state("dstate_T", dstate_T, 2)
        df = db = None
        if dh is not None:
            dh = np.asarray(dh)
            checks.shape("dh", dh, (*cache.order.shape, 2 * cache.split))
            df = dh[:, :, : cache.split]  # (bidirectional)
            db = take(dh[:, :, cache.split :], cache.order)  # (bidirectional)
        dx, dstart_f, grads_f = self.cell.backward(df, dend_f, cache.forward)
        dx_b, dstart_b, grads_b = self.cell.backward(db, dend_b, cache.backward)
        grads = {**prefixed("forward", grads_f), **prefixed("backward", grads_b)}
        return dx + take(dx_b, cache.order), (dstart_f, dstart_b), grads


def reversed_steps(mask, B, T):
    """For each place of a row reversed within its length, the step that comes there, (B, T).

    Padding stays where it is; the order is its own inverse.
    """
    steps = np.arange(T)
    if mask is None:
        return np.tile(steps[::-1], (B, 1))
    mask = checks.boolean_mask(mask, (B, T))
    resumes = mask[:, 1:] & ~mask[:, :-1]
    if resumes.any():
        row, t = np.argwhere(resumes)[0]
        raise ValueError(
            f"row {row} of the mask is False at step {t} and True at step {t + 1};"
            " to be reversed within its length, a row must be True up to it and False behind"
        )
    lengths = mask.sum(axis=1, keepdims=True)
    return np.where(steps < lengths, lengths - 1 - steps, steps)


def take(a, order):
    """The steps of a (B, T, ...) in another order, (B, T)."""
    return a[np.arange(len(a))[:, None], order]
