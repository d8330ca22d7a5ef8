"""Elman RNN: forward pass and backpropagation through time.

    (rnn-a)   a_t = W_xh x_t + W_hh h_{t-1} + b_h
    (rnn-h)   h_t = tanh(a_t)
    (carry)   where the mask is False, h_t = h_{t-1}

The activation may also be relu or sigmoid.  Source: Elman, Finding structure in time, 1990.
Formulas: chapters/02_rnn.ipynb, those of `backward` chapters/03_bptt.ipynb.
B batch, T steps, D inputs, H hidden.  A batch of rows meets a weight (out, in) as x @ W.T.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.shapes import Shapes


def relu(a, out=None):
    return np.maximum(a, 0, out=out)


def sigmoid(a, out=None):
    return np.multiply(0.5, 1 + np.tanh(0.5 * a), out=out)  # ops.sigmoid, written in place


SHAPES = Shapes("rnn", "W_xh (H, D), W_hh (H, H), b_h (H,)")
# name: the function, and its slope written with its value h
ACTIVATIONS = {
    "tanh": (np.tanh, lambda h: 1 - h * h),
    "relu": (relu, lambda h: (h > 0).astype(h.dtype)),
    "sigmoid": (sigmoid, lambda h: h * (1 - h)),
}


class Cache(NamedTuple):
    params: dict
    x: np.ndarray  # (T, B, D), time-major, as every array of the cache
    h: np.ndarray  # (T + 1, B, H), h[0] is the initial state
    mask: np.ndarray | None  # (T, B, 1)
    activation: str


def init(rng, D, H, dtype=np.float64):
    """Weights and bias uniform within 1/sqrt(H), as torch.nn.RNN draws them.

    Returns {"W_xh": (H, D), "W_hh": (H, H), "b_h": (H,)}.
    """
    shapes, bound = SHAPES.of(D=D, H=H), H**-0.5
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def forward(params, x, state=None, mask=None, activation="tanh"):
    """Run the recurrence over all steps of a batch of sequences.

    params      W_xh (H, D), W_hh (H, H), b_h (H,)
    x           (B, T, D)
    state       (B, H)  h_0; None means zeros
    mask        (B, T)  boolean; where False, the state is carried through unchanged
    activation  "tanh", "relu" or "sigmoid"

    Returns h (B, T, H), the final state h_T (B, H) and a cache.
    Raises ValueError if a shape or dtype does not fit, B or T is 0, or the activation is unknown.
    """
    SHAPES.check(params)
    x = checks.floats("x", x, params)
    W_xh, W_hh, b_h = params["W_xh"], params["W_hh"], params["b_h"]
    checks.sequences("x", x, "W_xh", W_xh)
    (B, T, D), H = x.shape, len(W_hh)
    f, _ = activation_pair(activation)
    mask = carry_mask(mask, B, T)

    h = np.empty((T + 1, B, H), dtype=x.dtype)
    h[0] = initial_state(state, B, H, x.dtype)
    x = np.ascontiguousarray(x.swapaxes(0, 1))  # (T, B, D): a step is one block of memory
    if mask is not None:
        x = np.where(mask, x, 0)  # padding may hold anything, and 0 times NaN is NaN
    a = (x.reshape(T * B, D) @ W_xh.T + b_h).reshape(T, B, H)  # the part that needs no h_{t-1}
    W_hh_T = np.ascontiguousarray(W_hh.T)
    for t in range(T):
        np.matmul(h[t], W_hh_T, out=h[t + 1])
        h[t + 1] += a[t]  # (rnn-a)
        f(h[t + 1], out=h[t + 1])  # (rnn-h)
        if mask is not None:
            np.copyto(h[t + 1], h[t], where=~mask[t])  # (carry)
    outputs = h[1:].swapaxes(0, 1).copy()  # (B, T, H); the cache keeps its own
    return outputs, h[T].copy(), Cache(params, x, h, mask, activation)


def backward(dh, dh_T, cache):
    """Backpropagation through time: the lines of `forward`, last to first.

    dh    (B, T, H)  gradient reaching h_t through the outputs
    dh_T  (B, H)     gradient reaching h_T through the final state; None if it is unused

    Returns dx (B, T, D), dh_0 (B, H) and grads, keyed and shaped like params.
    """
    W_xh, W_hh = cache.params["W_xh"], cache.params["W_hh"]
    x, h, mask = cache.x, cache.h, cache.mask
    (T, B, D), H = x.shape, len(W_hh)
    dh, dh_next = upstream(dh, dh_T, T, B, H, x.dtype)

    _, slope_of = activation_pair(cache.activation)
    slope = slope_of(h[1:])  # all steps at once
    da = np.empty((T, B, H), dtype=x.dtype)
    for t in reversed(range(T)):
        dh_next += dh[t]  # h_t feeds the output and step t + 1
        np.multiply(dh_next, slope[t], out=da[t])  # (rnn-h)
        if mask is None:
            np.matmul(da[t], W_hh, out=dh_next)  # (rnn-a)
        else:
            da[t] *= mask[t]
            dh_next = np.where(mask[t], da[t] @ W_hh, dh_next)  # (rnn-a) (carry)
    steps = da.reshape(T * B, H)  # the weights are shared: sum over steps
    grads = {
        "W_xh": steps.T @ x.reshape(T * B, D),
        "W_hh": steps.T @ h[:-1].reshape(T * B, H),
        "b_h": steps.sum(axis=0),
    }
    dx = (steps @ W_xh).reshape(T, B, D)
    return np.ascontiguousarray(dx.swapaxes(0, 1)), dh_next, grads


def step(params, x_t, state=None, activation="tanh"):
    """One step without a cache, for generation.

    x_t    (B, D)
    state  (B, H)  h_{t-1}; None means zeros

    Returns h_t (B, H) twice: as the output and as the new state.
    """
    SHAPES.check(params)
    x_t = checks.floats("x_t", x_t, params)
    W_xh, W_hh, b_h = params["W_xh"], params["W_hh"], params["b_h"]
    checks.shape("x_t", x_t, (None, W_xh.shape[1]))
    f, _ = activation_pair(activation)
    state = initial_state(state, len(x_t), len(W_hh), x_t.dtype)
    h_t = f(x_t @ W_xh.T + state @ W_hh.T + b_h)
    return h_t, h_t


def activation_pair(name):
    if name not in ACTIVATIONS:
        raise ValueError(f"activation is {name!r}; expected one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def initial_state(state, B, H, dtype):
    """The state (B, H) to start from, zeros for None; a ValueError if shape or dtype do not fit."""
    if state is None:
        return np.zeros((B, H), dtype=dtype)
    state = np.asarray(state)
    checks.shape("state", state, (B, H))
    if state.dtype != dtype:
        raise ValueError(f"state is {state.dtype}, x is {dtype}; a layer computes in one dtype")
    return state


def carry_mask(mask, B, T):
    """The mask as (T, B, 1), or None if every step is real: then nothing has to be carried."""
    if mask is None:
        return None
    mask = checks.boolean_mask(mask, (B, T))
    return None if mask.all() else mask.T[:, :, None]


def upstream(dh, dh_T, T, B, H, dtype):
    """dh time-major, (T, B, H), and a copy of dh_T, (B, H), to add to; zeros for None."""
    dh = np.zeros((B, T, H), dtype) if dh is None else np.asarray(dh, dtype)
    checks.shape("dh", dh, (B, T, H))
    dh_T = np.zeros((B, H), dtype) if dh_T is None else np.array(dh_T, dtype)
    checks.shape("dh_T", dh_T, (B, H))
    return dh.swapaxes(0, 1), dh_T
