"""LSTM of 1997, without a forget gate: forward pass and backpropagation through time.

    (lstm97-a)   [a_i; a_g; a_o] = W_x x_t + W_h h_{t-1} + b
    (lstm97-i)   i_t = sigmoid(a_i)
    (lstm97-g)   g_t = tanh(a_g)
    (lstm97-o)   o_t = sigmoid(a_o)
    (lstm97-c)   c_t = c_{t-1} + i_t * g_t
    (lstm97-h)   h_t = o_t * tanh(c_t)
    (carry)      where the mask is False, h_t = h_{t-1} and c_t = c_{t-1}

Source: Hochreiter and Schmidhuber, Long short-term memory, 1997.  Two things differ: for our two
tanh the paper has sigmoids stretched to (-2, 2) and (-1, 1), and it drops the part of the gradient
that goes back in time through a_t, of which `backward` keeps all.
Formulas: chapters/02_rnn.ipynb and 05_lstm.ipynb.
B batch, T steps, D inputs, H hidden.  The gates are stacked in the order i, g, o.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.gates import (
    SIGMOID,
    TANH,
    gate,
    held,
    initial_pair,
    scale_and_shift,
    upstream_pair,
    zero_held,
)
from seqlib.scratch.rnn import carry_mask
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes("lstm1997", "W_x (3H, D), W_h (3H, H), b (3H,)")
GATES = {"i": SIGMOID, "g": TANH, "o": SIGMOID}


class Cache(NamedTuple):
    params: dict
    x: np.ndarray  # (T, B, D), time-major, as every array of the cache
    i: np.ndarray  # (T, B, H), and so g, o
    g: np.ndarray
    o: np.ndarray
    c: np.ndarray  # (T + 1, B, H), c[0] is the initial cell
    tanh_c: np.ndarray  # (T, B, H)
    h: np.ndarray  # (T + 1, B, H), h[0] is the initial state
    mask: np.ndarray | None  # (T, B, 1)
    hold: dict


def init(rng, D, H, dtype=np.float64):
    """Weights uniform within 1/sqrt(H), biases 0.

    Returns {"W_x": (3H, D), "W_h": (3H, H), "b": (3H,)}.
    """
    shapes, bound = SHAPES.of(D=D, H=H), H**-0.5
    b = np.zeros(shapes.pop("b"), dtype)
    drawn = {key: rng.uniform(-bound, bound, shape).astype(dtype) for key, shape in shapes.items()}
    return {**drawn, "b": b}


def forward(params, x, state=None, mask=None, hold=None):
    """Run the recurrence over all steps of a batch of sequences.

    params  W_x (3H, D), W_h (3H, H), b (3H,)
    x       (B, T, D)
    state   the pair (h_0, c_0), each (B, H); None, also for one of them, means zeros
    mask    (B, T)  boolean; where False, h and c are carried through unchanged
    hold    gates to hold at a number, such as {"o": 1.0}; None holds none

    Returns h (B, T, H), the final state (h_T, c_T), each (B, H), and a cache.
    Raises ValueError if a shape or dtype does not fit, B or T is 0, or hold names no gate.
    """
    SHAPES.check(params)
    x = checks.floats("x", x, params)
    W_x, W_h, b = params["W_x"], params["W_h"], params["b"]
    checks.sequences("x", x, "W_x", W_x)
    (B, T, D), H = x.shape, W_h.shape[1]
    mask = carry_mask(mask, B, T)
    scale, shift = scale_and_shift(held(GATES, hold), B, H, x.dtype)

    h, c, tanh_c = (np.empty((steps, B, H), dtype=x.dtype) for steps in (T + 1, T + 1, T))
    h[0], c[0] = initial_pair(state, B, H, x.dtype)
    x = np.ascontiguousarray(x.swapaxes(0, 1))  # (T, B, D): a step is one block of memory
    if mask is not None:
        x = np.where(mask, x, 0)  # padding may hold anything, and 0 times NaN is NaN
    rows = scale[0]  # the scale of a, put once into the rows of the weights
    a = (x.reshape(T * B, D) @ (W_x.T * rows) + b * rows).reshape(T, B, 3 * H)
    W_h_T = np.ascontiguousarray(W_h.T * rows)
    i, g, o = a.reshape(T, B, 3, H).transpose(2, 0, 1, 3)  # views: the loop turns a into gates
    product, i_times_g = np.empty((B, 3 * H), dtype=x.dtype), np.empty((B, H), dtype=x.dtype)
    for t in range(T):
        a_t, c_t = a[t], c[t + 1]
        np.dot(h[t], W_h_T, out=product)
        a_t += product  # (lstm97-a)
        np.tanh(a_t, out=a_t)
        a_t *= scale
        a_t += shift  # (lstm97-i) (lstm97-g) (lstm97-o)
        np.multiply(i[t], g[t], out=i_times_g)
        np.add(c[t], i_times_g, out=c_t)  # (lstm97-c)
        np.tanh(c_t, out=tanh_c[t])
        np.multiply(o[t], tanh_c[t], out=h[t + 1])  # (lstm97-h)
        if mask is not None:
            np.copyto(c_t, c[t], where=~mask[t])  # (carry)
            np.copyto(h[t + 1], h[t], where=~mask[t])  # (carry)
    outputs = h[1:].swapaxes(0, 1).copy()  # (B, T, H); the cache keeps its own
    cache = Cache(params, x, i, g, o, c, tanh_c, h, mask, dict(hold or {}))
    return outputs, (h[T].copy(), c[T].copy()), cache


def backward(dh, dstate_T, cache):
    """Backpropagation through time: the lines of `forward`, last to first.

    dh        (B, T, H)  gradient reaching h_t through the outputs
    dstate_T  the pair (dh_T, dc_T), each (B, H), reaching the final state; None if unused

    Returns dx (B, T, D), the pair (dh_0, dc_0) and grads, keyed and shaped like params.
    """
    params, x, i, g, o, _, tanh_c, h, mask, hold = cache
    W_x, W_h = params["W_x"], params["W_h"]
    (T, B, D), H = x.shape, W_h.shape[1]
    dh, dh_next, dc = upstream_pair(dh, dstate_T, T, B, H, x.dtype)

    # All slopes at once: of h_t along c_t, of h_t along a_o, of c_t along a_g and a_i.
    slope = o * (1 - tanh_c * tanh_c)  # (lstm97-h)
    da = np.empty((T, B, 3, H), dtype=x.dtype)
    np.multiply(tanh_c, o * (1 - o), out=da[:, :, 2])  # (lstm97-o)
    np.multiply(i, 1 - g * g, out=da[:, :, 1])  # (lstm97-g)
    np.multiply(g, i * (1 - i), out=da[:, :, 0])  # (lstm97-i)
    zero_held(da, GATES, hold)
    if mask is not None:
        slope, da = slope * mask, da * mask[..., None]  # (carry)
    steps, da_ig, da_o = da.reshape(T, B, 3 * H), da[:, :, :2], da[:, :, 2]
    dh_previous, through_h = np.empty_like(dc), np.empty_like(dc)
    for t in reversed(range(T)):
        da_ig_t, da_o_t = da_ig[t], da_o[t]
        dh_next += dh[t]  # h_t feeds the output and step t + 1
        da_o_t *= dh_next
        np.multiply(dh_next, slope[t], out=through_h)  # (lstm97-h)
        dc += through_h  # c_t has two children, h_t and c_{t+1}: dc adds, and nothing shrinks it
        da_ig_t *= dc[:, None]  # (lstm97-c)
        np.dot(steps[t], W_h, out=dh_previous)  # (lstm97-a)
        if mask is not None:
            np.copyto(dh_previous, dh_next, where=~mask[t])  # (carry)
        dh_next, dh_previous = dh_previous, dh_next
    steps = steps.reshape(T * B, 3 * H)  # the weights are shared: gradients sum over all steps
    grads = {
        "W_x": steps.T @ x.reshape(T * B, D),
        "W_h": steps.T @ h[:-1].reshape(T * B, H),
        "b": steps.sum(axis=0),
    }
    dx = (steps @ W_x).reshape(T, B, D)
    return np.ascontiguousarray(dx.swapaxes(0, 1)), (dh_next, dc), grads


def step(params, x_t, state=None, hold=None):
    """One step without a cache, for generation.

    x_t    (B, D)
    state  the pair (h_{t-1}, c_{t-1}), each (B, H); None means zeros
    hold   gates to hold at a number, as in `forward`

    Returns h_t (B, H) and the new state (h_t, c_t).
    """
    SHAPES.check(params)
    x_t = checks.floats("x_t", x_t, params)
    W_x, W_h, b = params["W_x"], params["W_h"], params["b"]
    checks.shape("x_t", x_t, (None, W_x.shape[1]))
    h, c = initial_pair(state, len(x_t), W_h.shape[1], x_t.dtype)
    gates = held(GATES, hold)
    a_t = np.split(x_t @ W_x.T + h @ W_h.T + b, 3, axis=1)
    i, g, o = (gate(gates[name], a) for name, a in zip("igo", a_t, strict=True))
    c_t = c + i * g
    h_t = o * np.tanh(c_t)
    return h_t, (h_t, c_t)
