"""Pascanu's regularizer: going back through a step, a gradient should keep its norm.

    (omega)   Omega = sum_t (||d_{t+1} W_hh diag(phi'(a_t))|| / ||d_{t+1}|| - 1)^2,   d_t = dL/da_t

The product is what step t + 1 hands back to step t.  The state of the paper's network is x_t, of
which W_hh phi(x_{t-1}) is a part: our a_t.  As in the paper, the gradient of Omega is the immediate
one: W_hh moves where the formula shows it, while a_t and d_{t+1} are held constant, although they
depend on W_hh too.

Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013,
equations 9 and 10.
Formulas: chapters/04_gradient_flow.ipynb.
B batch, T steps, H hidden; the mean over the rows is taken.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks, ops, rnn


class Cache(NamedTuple):
    d: np.ndarray  # (N, H) d_{t+1} for each pair of steps and row, scaled to norm 1
    u: np.ndarray  # (N, H) what is handed back, for d of norm 1
    slope: np.ndarray  # (N, H) phi'(a_t)
    ratio: np.ndarray  # (N,) ||u||
    B: int


def forward(dh, dh_T, ran):
    """Omega of a batch that an RNN has read.

    dh    (B, T, H)  gradient reaching h_t through the outputs; None if they are unused
    dh_T  (B, H)     gradient reaching h_T through the final state; None if it is unused
    ran              the cache of `rnn.forward`

    A pair of steps counts where both are real and a gradient arrives at the later one.

    Returns Omega, a float, the mean over the rows, and a cache.
    Raises ValueError if a shape does not fit or a gradient is not finite.
    """
    W_hh, mask = ran.params["W_hh"], ran.mask
    _, B, H = ran.h.shape
    # An input that enters a_t with the weight 1 has the gradient of a_t.
    unit = {**ran.params, "W_xh": np.eye(H, dtype=W_hh.dtype)}
    d, _, _ = rnn.backward(dh, dh_T, ran._replace(params=unit, x=ran.h[1:]))
    d = d.swapaxes(0, 1)[1:].astype(np.float64)  # (T - 1, B, H); float32 loses small norms
    _, slope_of = rnn.activation_pair(ran.activation)
    slope = slope_of(ran.h[1:-1])
    checks.finite("the gradient of a_t", d)
    norm = ops.norm(d, axis=-1)
    counts = norm > 0
    if mask is not None:
        counts &= np.logical_or.accumulate(mask[:-1, :, 0])  # some a_t stands before
    d, slope = d[counts] / norm[counts][:, None], slope[counts]
    u = (d @ W_hh) * slope
    ratio = ops.norm(u, axis=-1)
    return float(((ratio - 1) ** 2).sum() / B), Cache(d, u, slope, ratio, B)  # (omega)


def backward(cache):
    """The immediate gradient of Omega: {"W_hh": (H, H)}, to be added to that of the loss."""
    d, u, slope, ratio, B = cache
    safe = np.where(ratio > 0, ratio, 1)  # where nothing is handed back, u is 0
    du = u * (2 * (ratio - 1) / (safe * B))[:, None]  # (omega)
    return {"W_hh": (d.T @ (du * slope)).astype(slope.dtype)}  # (omega)
