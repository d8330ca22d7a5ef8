"""GRU whose reset gate acts after the product: forward pass and backpropagation through time.

    (gru-r)   r_t = sigmoid(W_xr x_t + b_xr + W_hr h_{t-1} + b_hr)
    (gru-z)   z_t = sigmoid(W_xz x_t + b_xz + W_hz h_{t-1} + b_hz)
    (gru-n)   n_t = tanh(W_xn x_t + b_xn + r_t * (W_hn h_{t-1} + b_hn))
    (gru-h)   h_t = (1 - z_t) * n_t + z_t * h_{t-1}
    (carry)   where the mask is False, h_t = h_{t-1}

Source: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014; there the reset
gate acts before the product, as in `gru_reset_before`.
Formulas: chapters/02_rnn.ipynb and 06_gru.ipynb.
B batch, T steps, D inputs, H hidden.  The gates are stacked as in torch.nn.GRU: r, z, n.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.gates import SIGMOID, TANH, gate, held, scale_and_shift, zero_held
from seqlib.scratch.rnn import carry_mask, initial_state, upstream
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes("gru", "W_x (3H, D), W_h (3H, H), b_x (3H,), b_h (3H,)")
GATES = {"r": SIGMOID, "z": SIGMOID, "n": TANH}


class Cache(NamedTuple):
    params: dict
    x: np.ndarray  # (T, B, D), time-major, as every array of the cache
    r: np.ndarray  # (T, B, H), and so z, n
    z: np.ndarray
    n: np.ndarray
    m: np.ndarray  # (T, B, H), W_hn h_{t-1} + b_hn, which r_t multiplies
    h: np.ndarray  # (T + 1, B, H), h[0] is the initial state
    mask: np.ndarray | None  # (T, B, 1)
    hold: dict


def init(rng, D, H, dtype=np.float64):
    """Weights and biases uniform within 1/sqrt(H), as torch.nn.GRU draws them.

    Returns {"W_x": (3H, D), "W_h": (3H, H), "b_x": (3H,), "b_h": (3H,)}.
    """
    shapes, bound = SHAPES.of(D=D, H=H), H**-0.5
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def forward(params, x, state=None, mask=None, hold=None):
    """Run the recurrence over all steps of a batch of sequences.

    params  W_x (3H, D), W_h (3H, H), b_x (3H,), b_h (3H,)
    x       (B, T, D)
    state   (B, H)  h_0; None means zeros
    mask    (B, T)  boolean; where False, the state is carried through unchanged
    hold    gates to hold at a number, such as {"r": 1.0}; None holds none

    Returns h (B, T, H), the final state h_T (B, H) and a cache.
    Raises ValueError if a shape or dtype does not fit, B or T is 0, or hold names no gate.
    """
    SHAPES.check(params)
    x = checks.floats("x", x, params)
    W_x, W_h, b_x, b_h = params["W_x"], params["W_h"], params["b_x"], params["b_h"]
    checks.sequences("x", x, "W_x", W_x)
    (B, T, D), H = x.shape, W_h.shape[1]
    mask = carry_mask(mask, B, T)
    scale, shift = scale_and_shift(held(GATES, hold), B, H, x.dtype)

    h, m = np.empty((T + 1, B, H), dtype=x.dtype), np.empty((T, B, H), dtype=x.dtype)
    h[0] = initial_state(state, B, H, x.dtype)
    x = np.ascontiguousarray(x.swapaxes(0, 1))  # (T, B, D): a step is one block of memory
    if mask is not None:
        x = np.where(mask, x, 0)  # padding may hold anything, and 0 times NaN is NaN
    rows = scale[0]  # the scale of a, put once into the rows of the weights
    b = b_x + b_h
    b[2 * H :] = b_x[2 * H :]  # r multiplies b_hn, so that it has to wait
    a = (x.reshape(T * B, D) @ (W_x.T * rows) + b * rows).reshape(T, B, 3 * H)
    W_h_T, b_hn = np.ascontiguousarray(W_h.T * rows), (b_h * rows)[2 * H :]
    r, z, n = a.reshape(T, B, 3, H).transpose(2, 0, 1, 3)  # views: the loop turns a into gates
    product = np.empty((B, 3 * H), dtype=x.dtype)
    product_rz, product_n = product[:, : 2 * H], product[:, 2 * H :]
    rz, shift_n = a[:, :, : 2 * H], shift[:, 2 * H :]
    scale, shift = scale[:, : 2 * H], shift[:, : 2 * H]
    for t in range(T):
        rz_t, n_t, h_t = rz[t], n[t], h[t + 1]
        np.dot(h[t], W_h_T, out=product)
        rz_t += product_rz
        np.tanh(rz_t, out=rz_t)
        rz_t *= scale
        rz_t += shift  # (gru-r) (gru-z)
        np.add(product_n, b_hn, out=m[t])
        np.multiply(r[t], m[t], out=product_n)
        n_t += product_n
        np.tanh(n_t, out=n_t)
        n_t += shift_n  # (gru-n)
        np.subtract(h[t], n_t, out=h_t)
        h_t *= z[t]
        h_t += n_t  # (gru-h), as n + z * (h - n)
        if mask is not None:
            np.copyto(h_t, h[t], where=~mask[t])  # (carry)
    outputs = h[1:].swapaxes(0, 1).copy()  # (B, T, H); the cache keeps its own
    return outputs, h[T].copy(), Cache(params, x, r, z, n, m, h, mask, dict(hold or {}))


def backward(dh, dh_T, cache):
    """Backpropagation through time: the lines of `forward`, last to first.

    dh    (B, T, H)  gradient reaching h_t through the outputs
    dh_T  (B, H)     gradient reaching h_T through the final state; None if it is unused

    Returns dx (B, T, D), dh_0 (B, H) and grads, keyed and shaped like params.
    """
    params, x, r, z, n, m, h, mask, hold = cache
    W_x, W_h = params["W_x"], params["W_h"]
    (T, B, D), H = x.shape, W_h.shape[1]
    dh, dh_next = upstream(dh, dh_T, T, B, H, x.dtype)

    # All slopes of h_t at once: along a_n, along what r multiplies, along a_z and a_r.
    slope_n = (1 - z) * (1 - n * n)  # (gru-n)
    if "n" in hold:
        slope_n[:] = 0
    da = np.empty((T, B, 3, H), dtype=x.dtype)
    np.multiply(slope_n, r, out=da[:, :, 2])  # (gru-n)
    np.multiply(h[:-1] - n, z * (1 - z), out=da[:, :, 1])  # (gru-z)
    np.multiply(slope_n * m, r * (1 - r), out=da[:, :, 0])  # (gru-r)
    zero_held(da, GATES, hold)
    if mask is not None:
        slope_n, da, z = slope_n * mask, da * mask[..., None], np.where(mask, z, 1)  # (carry)
    steps, dh_total = da.reshape(T, B, 3 * H), np.empty((T, B, H), dtype=x.dtype)
    through_gates = np.empty_like(dh_next)
    for t in reversed(range(T)):
        da_t, dh_t = da[t], dh_total[t]
        np.add(dh[t], dh_next, out=dh_t)  # h_t feeds the output and step t + 1
        da_t *= dh_t[:, None]  # (gru-h)
        np.dot(steps[t], W_h, out=through_gates)
        np.multiply(dh_t, z[t], out=dh_next)  # (gru-h)
        dh_next += through_gates  # h_{t-1} reaches h_t through z and through the gates
    steps = steps.reshape(T * B, 3 * H)  # the weights are shared: gradients sum over all steps
    dW_h, db_h = steps.T @ h[:-1].reshape(T * B, H), steps.sum(axis=0)
    np.multiply(dh_total, slope_n, out=da[:, :, 2])  # r does not multiply what x adds to a_n
    grads = {
        "W_x": steps.T @ x.reshape(T * B, D),
        "W_h": dW_h,
        "b_x": steps.sum(axis=0),
        "b_h": db_h,
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
    W_x, W_h, b_x, b_h = params["W_x"], params["W_h"], params["b_x"], params["b_h"]
    checks.shape("x_t", x_t, (None, W_x.shape[1]))
    h = initial_state(state, len(x_t), W_h.shape[1], x_t.dtype)
    gates = held(GATES, hold)
    x_r, x_z, x_n = np.split(x_t @ W_x.T + b_x, 3, axis=1)
    h_r, h_z, h_n = np.split(h @ W_h.T + b_h, 3, axis=1)
    r, z = gate(gates["r"], x_r + h_r), gate(gates["z"], x_z + h_z)
    n = gate(gates["n"], x_n + r * h_n)
    h_t = (1 - z) * n + z * h
    return h_t, h_t
