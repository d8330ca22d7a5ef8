"""Plausible wrong answers, the points of each, and words of the hint that it must trigger."""

from functools import partial

import numpy as np
from seqlib.grading.mutants import Mutant, Probe, constant, nan


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


def last_state(w, h_0, x, step):
    """All states, with the weight moved by a step: in every step, or in each one alone."""
    h, moved, found = h_0, h_0, []
    for x_t in x:
        one = np.tanh((w + step) * (h + x_t))
        moved, h = np.tanh((w + step) * (moved + x_t)), np.tanh(w * (h + x_t))
        found.append((one, moved))
    return np.array(found).T


def by_differences(w, h_0, x, step=1e-5):
    one, every = (last_state(w, h_0, x, step) - last_state(w, h_0, x, -step)) / (2 * step)
    return one, every


def by_complex_steps(w, h_0, x, step):
    one, every = last_state(w, h_0, x, 1j * step).imag / step
    return one, every


# Moving one number gives all derivatives by it at once, as fast as a derivation does.
SUBSTITUTES = {
    "bptt.two_derivatives": (
        by_differences,
        *(partial(by_complex_steps, step=step) for step in (1e-200, 1e-20, 1e-6, 1e-5)),
    )
}


def six_steps(w, h_0, x):
    immediate, total = derivatives(w, h_0, np.resize(x, 6))
    return immediate, total


def positive_weight(w, h_0, x):
    immediate, total = derivatives(w, h_0, x)
    return immediate, derivatives(abs(w), h_0, x)[1]


def start_at_zero(w, h_0, x):
    """The first step hears nothing."""
    return derivatives(w, 0.0, x)


def start_moves(w, h_0, x):
    """The start is taken for a state that the weight has moved, too."""
    immediate, total = derivatives(w, h_0, x)
    slopes = 1 - np.tanh(w * (h_0 + x[0])) ** 2
    return immediate, total + slopes * w * h_0


def not_the_last(w, h_0, x):
    immediate, total = derivatives(w, h_0, x)
    total[-1] = immediate[-1] if len(x) > 1 else total[-1]
    return immediate, total


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


def of_two_rows(W_hh, h, dh, every, back):
    return walks(W_hh, h[:2], dh[:2], every, back)


def of_seven_steps(W_hh, h, dh, every, back):
    return walks(W_hh, h[:, :8], dh[:, :7], every, back)


def every_third(W_hh, h, dh, every, back):
    return walks(W_hh, h, dh, 3, back) if every > 1 else walks(W_hh, h, dh, 1, back)


def one_more_back(W_hh, h, dh, every, back):
    return walks(W_hh, h, dh, every, every + 1 if 1 < every < back < dh.shape[1] else back)


def even_rest(W_hh, h, dh, every, back):
    """The last walk goes back no farther than its losses."""
    B, T, H = dh.shape
    left = T % every
    if not left or back >= T:
        return walks(W_hh, h, dh, every, back)
    first = walks(W_hh, h[:, : T - left + 1], dh[:, : T - left], every, back)
    return first + walks(W_hh, h[:, T - left :], dh[:, T - left :], left, left)


def start_at_zero_state(W_hh, h, dh, every, back):
    h = h.copy()
    h[:, 0] = 0
    return walks(W_hh, h, dh, every, back)


def from_the_front(W_hh, h, dh, every, back):
    """Stops counted from the last step, so that the rest is left at the beginning."""
    T = dh.shape[1]
    W, stops = np.zeros(W_hh.shape), range(T, 0, -every)
    for start in stops:
        alone = dh.copy()
        alone[:, start:], alone[:, : max(start - every, 0)] = 0, 0
        W += walks(W_hh, h[:, : start + 1], alone[:, :start], start, back)
    return W


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


def one_row(params, x, y_0, dy):
    """The start of the first row for all rows."""
    return backward(params, x, 0 * y_0 + y_0[:1], dy)


def last_losses(params, x, y_0, dy):
    """Losses count at the last four steps alone."""
    dy = dy.copy()
    dy[:, :-4] = 0
    return backward(params, x, y_0, dy)


def of_three_units(params, x, y_0, dy):
    grads = backward(params, x, y_0, dy)
    return grads | {"b_h": np.resize(grads["b_h"], 3)}


def not_the_first(params, x, y_0, dy):
    """The gradient of the first input is lost when there are others."""
    grads = backward(params, x, y_0, dy)
    if x.shape[1] > 1:
        grads["x"][:, 0] = 0
    return grads


def mean_over_steps(params, x, y_0, dy):
    grads = backward(params, x, y_0, dy)
    return {n: v / x.shape[1] if n in params else v for n, v in grads.items()}


def few_entries(params, x, y_0, dy):
    """Right where probing would come to an end, a guess elsewhere."""
    grads = backward(params, x, y_0, dy)
    return grads if x.size < 2000 else {name: 0 * a for name, a in grads.items()}


def few_weights(W_hh, *rest):
    dW = walks(W_hh, *rest)
    return dW if dW.size < 2000 else 0 * dW


def truncated_loss(moved, W_hh, h, dh, every, back):
    """The losses of each walk from where it stops, with states that W_hh moves from there on."""
    a = np.arctanh(h[:, 1:]) - h[:, :-1] @ W_hh.T
    loss, T = 0.0, dh.shape[1]
    for last in range(0, T, every):
        start = min(last + every, T)
        stop = max(start - back, 0)
        state = h[:, stop]
        for t in range(stop + 1, start + 1):
            state = np.tanh(a[:, t - 1] + state @ moved["W_hh"].T)
            loss = loss + (np.sum(dh[:, t - 1] * state) if t > last else 0)
    return loss


def jordan_loss(moved, params, x, y_0, dy):
    """The outputs times dy, added up: a loss whose gradient by the outputs is dy."""
    loss, y = 0.0, moved["y_0"]
    for t in range(x.shape[1]):
        a = moved["x"][:, t] @ moved["W_xh"].T + y @ moved["W_yh"].T + moved["b_h"]
        y = np.tanh(a) @ moved["W_hy"].T + moved["b_y"]
        loss = loss + np.sum(y * dy[:, t])
    return loss


# What the loss alone gives, without a derivation.
PROBES = {
    "bptt.truncated": Probe(
        lambda W_hh, *rest: {"W_hh": W_hh}, truncated_loss, lambda found: found["W_hh"]
    ),
    "bptt.jordan": Probe(
        lambda params, x, y_0, dy: {**params, "x": x, "y_0": y_0},
        jordan_loss,
    ),
}

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
        *(
            Mutant(substitute, 0, "Hold h_{t-1} fixed")
            for substitute in SUBSTITUTES["bptt.two_derivatives"]
        ),
        Mutant(six_steps, 0, "Hold h_{t-1} fixed"),
        Mutant(positive_weight, 1, "by way of h_{t-1}"),
        Mutant(start_at_zero, 0, "Hold h_{t-1} fixed"),
        Mutant(start_moves, 1, "by way of h_{t-1}"),
        Mutant(not_the_last, 1, "by way of h_{t-1}"),
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
        Mutant(of_two_rows, 0, "Every term of (double-sum) once"),
        Mutant(of_seven_steps, 0, "(double-sum)"),
        Mutant(every_third, 2, "Where do the walks start"),
        Mutant(one_more_back, 2, "One step short"),
        Mutant(even_rest, 2, "Where do the walks start"),
        Mutant(from_the_front, 2, "Where do the walks start"),
        Mutant(start_at_zero_state, 0, "Every term of (double-sum) once"),
        Mutant(few_weights, 0, "Every term of (double-sum) once"),
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
        Mutant(one_row, 0, "through tanh"),
        Mutant(last_losses, 1, "and that of step t + 1"),
        Mutant(of_three_units, 2, "and that of step t + 1"),
        Mutant(not_the_first, 4, "What is left leaves the layer"),
        Mutant(mean_over_steps, 2, "summed over steps and rows"),
        Mutant(few_entries, 0, "through tanh"),
        Mutant(constant, 0, "through tanh"),
        Mutant(nan, 0, "through tanh"),
    ),
}
