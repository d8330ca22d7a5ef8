"""Elman RNN with skip connections in time: a second path from the state `reach` steps before.

    (skip-a)   a_t = W_xh x_t + W_hh h_{t-1} + W_sh h_{t-reach} + b_h
    (skip-h)   h_t = tanh(a_t)
    (carry)    where the mask is False, h_t = h_{t-1}, and the step does not count

A gradient crosses k steps in about k / reach factors instead of k.
Source: Lin, Horne, Tino and Giles, Learning long-term dependencies in NARX recurrent neural
networks, 1996.
Formulas: chapters/02_rnn.ipynb and 04_gradient_flow.ipynb.
B batch, T steps, D inputs, H hidden.  A batch of rows meets a weight (out, in) as x @ W.T.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.rnn import carry_mask
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes("skip", "W_xh (H, D), W_hh (H, H), W_sh (H, H), b_h (H,)")


class Cache(NamedTuple):
    params: dict
    x: np.ndarray  # (T, B, D), time-major, as every array of the cache
    h: np.ndarray  # (T + 1, B, H), h[0] is the newest initial state
    skipped: np.ndarray  # (T, B, H), the state `reach` real steps before
    mask: np.ndarray | None  # (T, B, 1)


class SkipRNN(NamedTuple):
    """A recurrent module whose state (B, reach, H) is its last outputs, the newest last.

    reach  steps that the skip connections cross
    """

    reach: int

    def init(self, rng, D, H, dtype=np.float64):
        """Weights and bias uniform within 1/sqrt(H).

        Returns {"W_xh": (H, D), "W_hh": (H, H), "W_sh": (H, H), "b_h": (H,)}.
        """
        checks.sizes(reach=self.reach)
        shapes, bound = SHAPES.of(D=D, H=H), H**-0.5
        return {
            name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()
        }

    def forward(self, params, x, state=None, mask=None):
        """Run the recurrence over all steps of a batch of sequences.

        params  W_xh (H, D), W_hh (H, H), W_sh (H, H), b_h (H,)
        x       (B, T, D)
        state   (B, reach, H)  the outputs before the first step; None means zeros
        mask    (B, T)  boolean; where False, the state is carried through unchanged

        Returns h (B, T, H), the final state (B, reach, H) and a cache.
        Raises ValueError if a shape or dtype does not fit or B or T is 0.
        """
        SHAPES.check(params)
        x = checks.floats("x", x, params)
        W_xh, W_hh, W_sh, b_h = (params[name] for name in ("W_xh", "W_hh", "W_sh", "b_h"))
        checks.sequences("x", x, "W_xh", W_xh)
        (B, T, D), H = x.shape, len(W_hh)
        mask = carry_mask(mask, B, T)
        last = self._state(state, B, H, x.dtype).swapaxes(0, 1)  # (reach, B, H)

        h, skipped = np.empty((T + 1, B, H), x.dtype), np.empty((T, B, H), x.dtype)
        h[0] = last[-1]
        x = np.ascontiguousarray(x.swapaxes(0, 1))  # (T, B, D)
        if mask is not None:
            x = np.where(mask, x, 0)  # padding may hold anything, and 0 times NaN is NaN
        a = (x.reshape(T * B, D) @ W_xh.T + b_h).reshape(T, B, H)
        for t in range(T):
            skipped[t] = last[0]
            a[t] += h[t] @ W_hh.T + skipped[t] @ W_sh.T  # (skip-a)
            np.tanh(a[t], out=h[t + 1])  # (skip-h)
            moved = np.concatenate([last[1:], h[t + 1 : t + 2]])
            last = moved if mask is None else np.where(mask[t], moved, last)  # (carry)
            h[t + 1] = last[-1]
        outputs = h[1:].swapaxes(0, 1).copy()
        return outputs, last.swapaxes(0, 1).copy(), Cache(params, x, h, skipped, mask)

    def backward(self, dh, dstate_T, cache):
        """Backpropagation through time, along both paths.

        dh        (B, T, H)      gradient reaching h_t through the outputs; None if unused
        dstate_T  (B, reach, H)  gradient reaching the final state; None if unused

        Returns dx (B, T, D), dstate_0 (B, reach, H) and grads, keyed and shaped like params.
        """
        W_xh, W_hh, W_sh = (cache.params[name] for name in ("W_xh", "W_hh", "W_sh"))
        x, h, mask = cache.x, cache.h, cache.mask
        (T, B, D), H = x.shape, len(W_hh)
        dh = np.zeros((B, T, H), x.dtype) if dh is None else np.asarray(dh, x.dtype)
        checks.shape("dh", dh, (B, T, H))
        dlast = self._state(dstate_T, B, H, x.dtype, "dstate_T").swapaxes(0, 1).copy()

        slope = 1 - h[1:] ** 2  # all steps at once
        da = np.empty((T, B, H), x.dtype)
        for t in reversed(range(T)):
            dlast[-1] += dh[:, t]  # the newest of the last outputs is h_t
            np.multiply(dlast[-1], slope[t], out=da[t])  # (skip-h)
            moved = np.concatenate([np.zeros_like(dlast[:1]), dlast[:-1]])  # one place older
            if mask is not None:
                da[t] *= mask[t]
                moved = np.where(mask[t], moved, dlast)  # (carry)
            moved[-1] += da[t] @ W_hh  # (skip-a)
            moved[0] += da[t] @ W_sh  # (skip-a)
            dlast = moved
        steps = da.reshape(T * B, H)
        grads = {
            "W_xh": steps.T @ x.reshape(T * B, D),
            "W_hh": steps.T @ h[:-1].reshape(T * B, H),
            "W_sh": steps.T @ cache.skipped.reshape(T * B, H),
            "b_h": steps.sum(axis=0),
        }
        dx = (steps @ W_xh).reshape(T, B, D).swapaxes(0, 1)
        return np.ascontiguousarray(dx), dlast.swapaxes(0, 1).copy(), grads

    def step(self, params, x_t, state=None):
        """One step without a cache, for generation.

        x_t    (B, D)
        state  (B, reach, H)  the last outputs, the newest last; None means zeros

        Returns h_t (B, H) and the new state.
        """
        SHAPES.check(params)
        x_t = checks.floats("x_t", x_t, params)
        W_xh, W_hh, W_sh, b_h = (params[name] for name in ("W_xh", "W_hh", "W_sh", "b_h"))
        checks.shape("x_t", x_t, (None, W_xh.shape[1]))
        last = self._state(state, len(x_t), len(W_hh), x_t.dtype)
        h_t = np.tanh(x_t @ W_xh.T + last[:, -1] @ W_hh.T + last[:, 0] @ W_sh.T + b_h)
        return h_t, np.concatenate([last[:, 1:], h_t[:, None]], axis=1)

    def _state(self, state, B, H, dtype, name="the state"):
        """The state (B, reach, H), zeros for None; a ValueError if shape or dtype do not fit."""
        checks.sizes(reach=self.reach)
        if state is None:
            return np.zeros((B, self.reach, H), dtype)
        state = np.asarray(state)
        checks.shape(name, state, (B, self.reach, H))
        if state.dtype != dtype:
            raise ValueError(
                f"{name} is {state.dtype}, x is {dtype}; a layer computes in one dtype"
            )
        return state
