"""LSTM with a forget gate: forward pass and backpropagation through time.

    (lstm-a)   [a_i; a_f; a_g; a_o] = W_x x_t + W_h h_{t-1} + b
    (lstm-i)   i_t = sigmoid(a_i)
    (lstm-f)   f_t = sigmoid(a_f)
    (lstm-g)   g_t = tanh(a_g)
    (lstm-o)   o_t = sigmoid(a_o)
    (lstm-c)   c_t = f_t * c_{t-1} + i_t * g_t
    (lstm-h)   h_t = o_t * tanh(c_t)
    (carry)    where the mask is False, h_t = h_{t-1} and c_t = c_{t-1}

Sources: Hochreiter and Schmidhuber, Long short-term memory, 1997; the forget gate: Gers,
Schmidhuber and Cummins, Learning to forget, 2000.
Formulas: chapters/02_rnn.ipynb and 05_lstm.ipynb.
B batch, T steps, D inputs, H hidden.  The gates are stacked as in torch.nn.LSTM: i, f, g, o.
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

SHAPES = Shapes("lstm", "W_x (4H, D), W_h (4H, H), b (4H,)")
GATES = {"i": SIGMOID, "f": SIGMOID, "g": TANH, "o": SIGMOID}


class Cache(NamedTuple):
    params: dict
    x: np.ndarray  # (T, B, D), time-major, as every array of the cache
    i: np.ndarray  # (T, B, H), and so f, g, o
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    c: np.ndarray  # (T + 1, B, H), c[0] is the initial cell
    tanh_c: np.ndarray  # (T, B, H)
    h: np.ndarray  # (T + 1, B, H), h[0] is the initial state
    mask: np.ndarray | None  # (T, B, 1)
    hold: dict


def init(rng, D, H, dtype=np.float64, forget_bias=1.0):
    """Weights uniform within 1/sqrt(H), as torch.nn.LSTM draws them; biases 0 but forget_bias.

    forget_bias  what the forget gate's bias starts from: sigmoid(forget_bias) of the cell is kept

    Returns {"W_x": (4H, D), "W_h": (4H, H), "b": (4H,)}.
    """
    shapes, bound = SHAPES.of(D=D, H=H), H**-0.5
    b = np.zeros(shapes.pop("b"), dtype)
    b[H : 2 * H] = forget_bias
    drawn = {key: rng.uniform(-bound, bound, shape).astype(dtype) for key, shape in shapes.items()}
    return {**drawn, "b": b}


def forward(params, x, state=None, mask=None, hold=None):
    """Run the recurrence over all steps of a batch of sequences.

    params  W_x (4H, D), W_h (4H, H), b (4H,)
    x       (B, T, D)
    state   the pair (h_0, c_0), each (B, H); None, also for one of them, means zeros
    mask    (B, T)  boolean; where False, h and c are carried through unchanged
    hold    gates to hold at a number, such as {"f": 1.0}; None holds none

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
    a = (x.reshape(T * B, D) @ (W_x.T * rows) + b * rows).reshape(T, B, 4 * H)
    W_h_T = np.ascontiguousarray(W_h.T * rows)
    i, f, g, o = a.reshape(T, B, 4, H).transpose(2, 0, 1, 3)  # views: the loop turns a into gates
    product, i_times_g = np.empty((B, 4 * H), dtype=x.dtype), np.empty((B, H), dtype=x.dtype)
    for t in range(T):
        a_t, c_t = a[t], c[t + 1]
        np.dot(h[t], W_h_T, out=product)
        a_t += product  # (lstm-a)
        np.tanh(a_t, out=a_t)
        a_t *= scale
        a_t += shift  # (lstm-i) (lstm-f) (lstm-g) (lstm-o)
        np.multiply(i[t], g[t], out=i_times_g)
        np.multiply(f[t], c[t], out=c_t)
        c_t += i_times_g  # (lstm-c)
        np.tanh(c_t, out=tanh_c[t])
        np.multiply(o[t], tanh_c[t], out=h[t + 1])  # (lstm-h)
        if mask is not None:
            np.copyto(c_t, c[t], where=~mask[t])  # (carry)
            np.copyto(h[t + 1], h[t], where=~mask[t])  # (carry)
    outputs = h[1:].swapaxes(0, 1).copy()  # (B, T, H); the cache keeps its own
    cache = Cache(params, x, i, f, g, o, c, tanh_c, h, mask, dict(hold or {}))
    return outputs, (h[T].copy(), c[T].copy()), cache


def backward(dh, dstate_T, cache):
    """Backpropagation through time: the lines of `forward`, last to first.

    dh        (B, T, H)  gradient reaching h_t through the outputs
    dstate_T  the pair (dh_T, dc_T), each (B, H), reaching the final state; None if unused

    Returns dx (B, T, D), the pair (dh_0, dc_0) and grads, keyed and shaped like params.
    """
    params, x, i, f, g, o, c, tanh_c, h, mask, hold = cache
    W_x, W_h = params["W_x"], params["W_h"]
    (T, B, D), H = x.shape, W_h.shape[1]
    dh, dh_next, dc = upstream_pair(dh, dstate_T, T, B, H, x.dtype)

    # All slopes at once: of h_t along c_t, of h_t along a_o, of c_t along a_g, a_f and a_i.
    slope = o * (1 - tanh_c * tanh_c)  # (lstm-h)
    da = np.empty((T, B, 4, H), dtype=x.dtype)
    np.multiply(tanh_c, o * (1 - o), out=da[:, :, 3])  # (lstm-o)
    np.multiply(i, 1 - g * g, out=da[:, :, 2])  # (lstm-g)
    np.multiply(c[:-1], f * (1 - f), out=da[:, :, 1])  # (lstm-f)
    np.multiply(g, i * (1 - i), out=da[:, :, 0])  # (lstm-i)
    zero_held(da, GATES, hold)
    if mask is not None:
        slope, da, f = slope * mask, da * mask[..., None], np.where(mask, f, 1)  # (carry)
    steps, da_ifg, da_o = da.reshape(T, B, 4 * H), da[:, :, :3], da[:, :, 3]
    dh_previous, through_h = np.empty_like(dc), np.empty_like(dc)
    for t in reversed(range(T)):
        da_ifg_t, da_o_t = da_ifg[t], da_o[t]
        dh_next += dh[t]  # h_t feeds the output and step t + 1
        da_o_t *= dh_next
        np.multiply(dh_next, slope[t], out=through_h)  # (lstm-h)
        dc += through_h  # c_t has two children, h_t and c_{t+1}: dc is the sum of both
        da_ifg_t *= dc[:, None]  # (lstm-c)
        dc *= f[t]  # (lstm-c)
        np.dot(steps[t], W_h, out=dh_previous)  # (lstm-a)
        if mask is not None:
            np.copyto(dh_previous, dh_next, where=~mask[t])  # (carry)
        dh_next, dh_previous = dh_previous, dh_next
    steps = steps.reshape(T * B, 4 * H)  # the weights are shared: gradients sum over all steps
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
    a_t = np.split(x_t @ W_x.T + h @ W_h.T + b, 4, axis=1)
    i, f, g, o = (gate(gates[name], a) for name, a in zip("ifgo", a_t, strict=True))
    c_t = f * c + i * g
    h_t = o * np.tanh(c_t)
    return h_t, (h_t, c_t)
