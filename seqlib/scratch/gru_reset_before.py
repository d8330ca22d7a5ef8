"""GRU whose reset gate acts before the product: forward pass and backpropagation through time.

    (grub-r)   r_t = sigmoid(W_xr x_t + W_hr h_{t-1} + b_r)
    (grub-z)   z_t = sigmoid(W_xz x_t + W_hz h_{t-1} + b_z)
    (grub-n)   n_t = tanh(W_xn x_t + W_hn (r_t * h_{t-1}) + b_n)
    (grub-h)   h_t = (1 - z_t) * n_t + z_t * h_{t-1}
    (carry)    where the mask is False, h_t = h_{t-1}

Source: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014.  With the reset
gate after the product, as in `gru`, it is another function.
Formulas: chapters/02_rnn.ipynb and 06_gru.ipynb.
B batch, T steps, D inputs, H hidden.  The gates are stacked in the order r, z, n.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.gates import SIGMOID, TANH, gate, held, scale_and_shift, zero_held
from seqlib.scratch.rnn import carry_mask, initial_state, upstream
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes("gru_reset_before", "W_x (3H, D), W_h (3H, H), b (3H,)")
GATES = {"r": SIGMOID, "z": SIGMOID, "n": TANH}


class Cache(NamedTuple):
    params: dict
    x: np.ndarray  # (T, B, D), time-major, as every array of the cache
    r: np.ndarray  # (T, B, H), and so z, n
    z: np.ndarray
    n: np.ndarray
    rh: np.ndarray  # (T, B, H), r_t * h_{t-1}
    h: np.ndarray  # (T + 1, B, H), h[0] is the initial state
    mask: np.ndarray | None  # (T, B, 1)
    hold: dict


def init(rng, D, H, dtype=np.float64):
    """Weights and bias uniform within 1/sqrt(H).

    Returns {"W_x": (3H, D), "W_h": (3H, H), "b": (3H,)}.
    """
    shapes, bound = SHAPES.of(D=D, H=H), H**-0.5
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def forward(params, x, state=None, mask=None, hold=None):
    """Run the recurrence over all steps of a batch of sequences.

    params  W_x (3H, D), W_h (3H, H), b (3H,)
    x       (B, T, D)
    state   (B, H)  h_0; None means zeros
    mask    (B, T)  boolean; where False, the state is carried through unchanged
    hold    gates to hold at a number, such as {"r": 1.0}; None holds none

    Returns h (B, T, H), the final state h_T (B, H) and a cache.
    Raises ValueError if a shape or dtype does not fit, B or T is 0, or hold names no gate.
    """
    SHAPES.check(params)
    x = checks.floats("x", x, params)
    W_x, W_h, b = params["W_x"], params["W_h"], params["b"]
    checks.sequences("x", x, "W_x", W_x)
    (B, T, D), H = x.shape, W_h.shape[1]
    mask = carry_mask(mask, B, T)
    scale, shift = scale_and_shift(held(GATES, hold), B, H, x.dtype)

    h, rh = np.empty((T + 1, B, H), dtype=x.dtype), np.empty((T, B, H), dtype=x.dtype)
    h[0] = initial_state(state, B, H, x.dtype)
    x = np.ascontiguousarray(x.swapaxes(0, 1))  # (T, B, D): a step is one block of memory
    if mask is not None:
        x = np.where(mask, x, 0)  # padding may hold anything, and 0 times NaN is NaN
    rows = scale[0]  # the scale of a, put once into the rows of the weights
    a = (x.reshape(T * B, D) @ (W_x.T * rows) + b * rows).reshape(T, B, 3 * H)
    W_rz_T, W_n_T = (np.ascontiguousarray(W.T) for W in np.split(rows[:, None] * W_h, [2 * H]))
    r, z, n = a.reshape(T, B, 3, H).transpose(2, 0, 1, 3)  # views: the loop turns a into gates
    rz, shift_n = a[:, :, : 2 * H], shift[:, 2 * H :]
    scale, shift = scale[:, : 2 * H], shift[:, : 2 * H]
    product_rz, product_n = np.empty((B, 2 * H), dtype=x.dtype), np.empty((B, H), dtype=x.dtype)
    for t in range(T):
        rz_t, n_t, h_t = rz[t], n[t], h[t + 1]
        np.dot(h[t], W_rz_T, out=product_rz)
        rz_t += product_rz
        np.tanh(rz_t, out=rz_t)
        rz_t *= scale
        rz_t += shift  # (grub-r) (grub-z)
        np.multiply(r[t], h[t], out=rh[t])
        np.dot(rh[t], W_n_T, out=product_n)
        n_t += product_n
        np.tanh(n_t, out=n_t)
        n_t += shift_n  # (grub-n)
        np.subtract(h[t], n_t, out=h_t)
        h_t *= z[t]
        h_t += n_t  # (grub-h), as n + z * (h - n)
        if mask is not None:
            np.copyto(h_t, h[t], where=~mask[t])  # (carry)
    outputs = h[1:].swapaxes(0, 1).copy()  # (B, T, H); the cache keeps its own
    return outputs, h[T].copy(), Cache(params, x, r, z, n, rh, h, mask, dict(hold or {}))


def backward(dh, dh_T, cache):
    """Backpropagation through time: the lines of `forward`, last to first.

    dh    (B, T, H)  gradient reaching h_t through the outputs
    dh_T  (B, H)     gradient reaching h_T through the final state; None if it is unused

    Returns dx (B, T, D), dh_0 (B, H) and grads, keyed and shaped like params.
    """
    params, x, r, z, n, rh, h, mask, hold = cache
    W_x, W_h = params["W_x"], params["W_h"]
    (T, B, D), H = x.shape, W_h.shape[1]
    dh, dh_next = upstream(dh, dh_T, T, B, H, x.dtype)

    # All slopes at once: of h_t along a_n and a_z, of r_t * h_{t-1} along a_r.
    da = np.empty((T, B, 3, H), dtype=x.dtype)
    np.multiply(1 - z, 1 - n * n, out=da[:, :, 2])  # (grub-n)
    np.multiply(h[:-1] - n, z * (1 - z), out=da[:, :, 1])  # (grub-z)
    np.multiply(rh, 1 - r, out=da[:, :, 0])  # (grub-r)
    zero_held(da, GATES, hold)
    if mask is not None:
        da, z = da * mask[..., None], np.where(mask, z, 1)  # (carry)
    steps, da_r, da_zn = da.reshape(T, B, 3 * H), da[:, :, 0], da[:, :, 1:]
    W_rz, W_n = np.split(W_h, [2 * H])
    drh, through_gates = np.empty_like(dh_next), np.empty_like(dh_next)
    for t in reversed(range(T)):
        da_r_t, da_zn_t = da_r[t], da_zn[t]
        dh_next += dh[t]  # h_t feeds the output and step t + 1
        da_zn_t *= dh_next[:, None]  # (grub-h)
        np.dot(steps[t, :, 2 * H :], W_n, out=drh)  # (grub-n)
        da_r_t *= drh
        np.dot(steps[t, :, : 2 * H], W_rz, out=through_gates)
        dh_next *= z[t]  # (grub-h)
        dh_next += through_gates
        drh *= r[t]
        dh_next += drh  # h_{t-1} reaches h_t through z, through the gates and through r * h
    steps = steps.reshape(T * B, 3 * H)  # the weights are shared: gradients sum over all steps
    dW_rz = steps[:, : 2 * H].T @ h[:-1].reshape(T * B, H)
    dW_n = steps[:, 2 * H :].T @ rh.reshape(T * B, H)
    grads = {
        "W_x": steps.T @ x.reshape(T * B, D),
        "W_h": np.concatenate([dW_rz, dW_n]),
        "b": steps.sum(axis=0),
    }
    dx = (steps @ W_x).reshape(T, B, D)
    return np.ascontiguousarray(dx.swapaxes(0, 1)), dh_next, grads


def step(params, x_t, state=None, hold=None):
    """One step without a cache, for generation.

    x_t    (B, D)
    state  (B, H)  h_{t-1}; None means zeros
    hold   gates to hold at a number, as in `forward`

    Returns h_t (B, H) twice: as the output and as the new state.
    """
    SHAPES.check(params)
    x_t = checks.floats("x_t", x_t, params)
    W_x, W_h, b = params["W_x"], params["W_h"], params["b"]
    checks.shape("x_t", x_t, (None, W_x.shape[1]))
    h = initial_state(state, len(x_t), W_h.shape[1], x_t.dtype)
    gates = held(GATES, hold)
    W_hr, W_hz, W_hn = np.split(W_h, 3)
    a_r, a_z, a_n = np.split(x_t @ W_x.T + b, 3, axis=1)
    r, z = gate(gates["r"], a_r + h @ W_hr.T), gate(gates["z"], a_z + h @ W_hz.T)
    n = gate(gates["n"], a_n + (r * h) @ W_hn.T)
    h_t = (1 - z) * n + z * h
    return h_t, h_t
