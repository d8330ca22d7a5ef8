"""Plausible wrong answers, the points of each, and words of the hint that it must trigger."""

import numpy as np
from seqlib.grading.mutants import Mutant, constant, nan


def derivatives(w, h_0, x, reads=True, weight=True, carry="total", square=True):
    h, moved, immediate, total = h_0, 0.0, [], []
    for x_t in x:
        z, new = h + x_t, np.tanh(w * (h + x_t))
        slope = 1 - (new * new if square else new)
        one = slope * (z if reads else h)
        every = one + {"total": slope * (w if weight else 1) * moved, "none": 0, "sum": moved}.get(
            carry, slope * w * (immediate[-1] if immediate else 0)
        )
        h, moved = new, every
        immediate.append(one)
        total.append(every)
    return np.array(immediate), np.array(total)


def walks(W_hh, h, dh, every, back, new=True, rest=True, more=0, on=True, transposed=False):
    (B, T, H), dW = dh.shape, np.zeros(W_hh.shape)
    for last in range(0, T if rest else T // every * every, every):
        start, carried = min(last + every, T), np.zeros((B, H))
        stop = max(start - back - more, 0) if on else last
        for t in range(start, stop, -1):
            if t > last or not new:
                carried = carried + dh[:, t - 1]
            da = (1 - h[:, t] ** 2) * carried
            dW += da.T @ h[:, t - 1]
            carried = da @ (W_hh.T if transposed else W_hh)
    return dW


def windows(W_hh, h, dh, every, back):
    return walks(W_hh, h, dh, 1, back)


def whole(W_hh, h, dh, every, back):
    return walks(W_hh, h, dh, 1, dh.shape[1])


def late_states(W_hh, h, dh, every, back):
    return walks(W_hh, np.concatenate([h[:, 1:], h[:, -1:]], axis=1), dh, every, back)


def backward(
    params, x, y_0, dy, feeds=True, readout="total", before=0, start=True, add=np.sum, square=True
):
    T, h, y = x.shape[1], [None], [y_0]
    for t in range(T):
        h.append(np.tanh(x[:, t] @ params["W_xh"].T + y[t] @ params["W_yh"].T + params["b_h"]))
        y.append(h[-1] @ params["W_hy"].T + params["b_y"])
    if not start:
        y[0] = np.zeros_like(y_0)
    grads = {name: np.zeros(value.shape) for name, value in params.items()}
    dx, back, n = np.zeros(x.shape), np.zeros(y_0.shape), len(x) if add is np.mean else 1
    for t in range(T, 0, -1):
        total = dy[:, t - 1] + back * feeds
        da = (1 - (h[t] ** 2 if square else h[t])) * (total @ params["W_hy"])
        at_readout = total if readout == "total" else dy[:, t - 1]
        grads["W_hy"] += at_readout.T @ h[t] / n
        grads["b_y"] += at_readout.sum(axis=0) / n
        grads["W_xh"] += da.T @ x[:, t - 1] / n
        grads["W_yh"] += da.T @ y[t - 1 + before] / n
        grads["b_h"] += da.sum(axis=0) / n
        dx[:, t - 1], back = da @ params["W_xh"], da @ params["W_yh"]
    return grads | {"x": dx, "y_0": back}


def start_forgotten(*arguments):
    grads = backward(*arguments)
    return grads | {"y_0": np.zeros_like(grads["y_0"])}


def first_step_alone(params, x, y_0, dy):
    """The weights' gradients overwritten at every step instead of added up."""
    grads = backward(params, x, y_0, dy)
    if x.shape[1] == 1:
        return grads
    h = np.tanh(x[:, 0] @ params["W_xh"].T + y_0 @ params["W_yh"].T + params["b_h"])
    rest = backward(params, x[:, 1:], h @ params["W_hy"].T + params["b_y"], dy[:, 1:])
    return {n: v - rest[n] if n in params else v for n, v in grads.items()}


MUTANTS = {
    "bptt.two_derivatives": (
        Mutant(lambda *a: derivatives(*a)[::-1], 0, "That is the total derivative"),
        Mutant(lambda *a: (derivatives(*a)[1],) * 2, 2, "h_{t-1} is a fixed number"),
        Mutant(lambda *a: derivatives(*a, carry="none"), 1, "That is the immediate derivative"),
        Mutant(lambda *a: derivatives(*a, carry="one"), 1, "of the step before"),
        Mutant(lambda *a: derivatives(*a, carry="sum"), 1, "not only added"),
        Mutant(lambda *a: derivatives(*a, weight=False), 1, "the slope times the weight"),
        Mutant(lambda *a: derivatives(*a, reads=False), 0, "both are what it is multiplied by"),
        Mutant(lambda *a: derivatives(*a, square=False), 0, "Hold h_{t-1} fixed"),
        Mutant(constant, 0, "Hold h_{t-1} fixed"),
        Mutant(nan, 0, "Hold h_{t-1} fixed"),
    ),
    "bptt.truncated": (
        Mutant(lambda *a: walks(*a, new=False), 0, "counted twice"),
        Mutant(lambda *a: walks(*a, rest=False), 1, "a walk of their own"),
        Mutant(lambda *a: walks(*a, more=1), 1, "One step too far"),
        Mutant(lambda *a: walks(*a, more=-1), 0, "One step short"),
        Mutant(lambda *a: walks(*a, on=False), 0, "goes on behind its last loss"),
        Mutant(lambda *a: walks(*a, transposed=True), 0, "Every term of (double-sum) once"),
        Mutant(lambda *a: walks(*a).T, 0, "da_t comes first"),
        Mutant(lambda *a: walks(*a) / len(a[1]), 0, "gets the sum"),
        Mutant(windows, 2, "a window of its own"),
        Mutant(whole, 1, "see (truncated)"),
        Mutant(late_states, 0, "Every term of (double-sum) once"),
        Mutant(constant, 0, "Every term of (double-sum) once"),
        Mutant(nan, 0, "Every term of (double-sum) once"),
    ),
    "bptt.jordan": (
        Mutant(lambda *a: backward(*a, feeds=False), 1, "and that of step t + 1"),
        Mutant(lambda *a: backward(*a, readout="immediate"), 4, "acts on later steps too"),
        Mutant(lambda *a: backward(*a, before=1), 2, "the output of the step before"),
        Mutant(lambda *a: backward(*a, start=False), 2, "multiplied by y_0"),
        Mutant(lambda *a: backward(*a, add=np.mean), 1, "summed over steps and rows"),
        Mutant(lambda *a: backward(*a, square=False), 0, "through tanh"),
        Mutant(start_forgotten, 4, "What is left leaves the layer"),
        Mutant(first_step_alone, 2, "summed over steps and rows"),
        Mutant(constant, 0, "through tanh"),
        Mutant(nan, 0, "through tanh"),
    ),
}
