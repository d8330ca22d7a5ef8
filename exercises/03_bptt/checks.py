"""What is asked about gradients through loops, and how answers are looked at."""

import numpy as np
from seqlib.gradcheck import numerical_gradient
from seqlib.grading import Case, Question, ensure, same

# Two derivatives

EPS = 1e-5


def unit(rng):
    return float(rng.uniform(0.6, 1.2)), float(rng.uniform(0.3, 0.9)), rng.uniform(-1, 1, 6)


def states(w, h, x):
    found = []
    for x_t in x:
        h = np.tanh(w * (h + x_t))
        found.append(h)
    return np.array(found)


def measured(w, h_0, x):
    """Both by differences: one step with its start held fixed, or all steps together."""
    before = [h_0, *states(w, h_0, x)[:-1]]
    one = [
        (np.tanh((w + EPS) * (b + v)) - np.tanh((w - EPS) * (b + v))) / (2 * EPS)
        for b, v in zip(before, x, strict=True)
    ]
    every = (states(w + EPS, h_0, x) - states(w - EPS, h_0, x)) / (2 * EPS)
    return np.array(one), every


def pair(found):
    ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair")
    return found


def immediate(answer, rng):
    w, h_0, x = unit(rng)
    one, every = measured(w, h_0, x)
    h = states(w, h_0, x)
    suspects = {
        "That is the total derivative: in the immediate one h_{t-1} is a fixed number.": every,
        "The weight scales h_{t-1} and x_t: both are what it is multiplied by.": (
            (1 - h**2) * np.array([h_0, *h[:-1]])
        ),
    }
    found, _ = pair(answer(w, h_0, x))
    same("immediate", found, one, tolerance=1e-8, suspects=suspects)


def total(answer, rng):
    w, h_0, x = unit(rng)
    one, every = measured(w, h_0, x)
    slope = 1 - states(w, h_0, x) ** 2
    moved, kept = [one[0]], [one[0]]
    for t in range(1, len(x)):
        moved.append(one[t] + slope[t] * moved[-1])
        kept.append(one[t] + slope[t] * w * one[t - 1])
    suspects = {
        "That is the immediate derivative: in the total one h_{t-1} moves too.": one,
        "dh_t / dh_{t-1} is the slope times the weight, see (total-derivative).": np.array(moved),
        "What is carried on is the total derivative of the step before, (total-derivative).": (
            np.array(kept)
        ),
        "Each term is carried by the factors between, see (total-sum), not only added.": (
            np.cumsum(one)
        ),
    }
    _, found = pair(answer(w, h_0, x))
    same("total", found, every, tolerance=1e-8, suspects=suspects)


# Truncation

B, T, H = 2, 7, 3


def network(rng):
    W_hh = rng.standard_normal((H, H)) / np.sqrt(H)
    a, h_0 = rng.standard_normal((B, T, H)) / 2, rng.uniform(-0.9, 0.9, (B, H))
    return W_hh, a, h_0, rng.standard_normal((B, T, H))


def forward(W_hh, a, h_0):
    h = [h_0]
    for t in range(T):
        h.append(np.tanh(a[:, t] + h[-1] @ W_hh.T))
    return np.stack(h, axis=1)


def term(W_hh, h, dh, t, i):
    """Of the double sum: loss t, felt through step i; by columns, row by row of the batch."""
    found = np.zeros((H, H))
    for b in range(B):
        row = dh[b, t - 1]
        for j in range(t, i, -1):
            row = row @ (np.diag(1 - h[b, j] ** 2) @ W_hh)
        found += np.outer(row * (1 - h[b, i] ** 2), h[b, i - 1])
    return found


def chosen(W_hh, h, dh, keep):
    pairs = [(t, i) for t in range(1, T + 1) for i in range(1, t + 1)]
    return sum(keep(t, i) * term(W_hh, h, dh, t, i) for t, i in pairs)


def walk_of(t, every):
    """The step at which the walk starts that takes loss t along."""
    return min(T, -(-t // every) * every)


def mistakes(W_hh, h, dh, every, back):
    """What known ones give, by the terms that they keep, or count more than once."""

    def walks_with(t, i):
        starts = {walk_of(s, every) for s in range(1, T + 1)}
        return sum(t <= s and i > s - back for s in starts)

    def kept(t, i):
        return i > walk_of(t, every) - back

    rules = {
        "A loss that two walks take along is counted twice: each walk takes the new ones only.": (
            walks_with
        ),
        "The last losses need a walk of their own when T is no multiple of every.": (
            lambda t, i: kept(t, i) and t <= T // every * every
        ),
        "One step too far: a walk has `back` steps, the one where it starts is the first.": (
            lambda t, i: i >= walk_of(t, every) - back
        ),
        "One step short: a walk has `back` steps, the one where it starts is the first.": (
            lambda t, i: i > walk_of(t, every) - back + 1
        ),
        "That is a window of its own for each loss; a walk serves several, see (truncated).": (
            lambda t, i: t - i < back
        ),
        "A walk goes on behind its last loss, and carries what it has, (backward-recursion).": (
            lambda t, i: (t - 1) // every == (i - 1) // every
        ),
    }
    return {hint: chosen(W_hh, h, dh, rule) for hint, rule in rules.items()}


def walks(every, back):
    def case(answer, rng):
        W_hh, a, h_0, dh = network(rng)
        h = forward(W_hh, a, h_0)
        if back >= T:
            right = numerical_gradient(lambda W: np.sum(forward(W, a, h_0)[:, 1:] * dh), W_hh)
        else:
            right = chosen(W_hh, h, dh, lambda t, i: i > walk_of(t, every) - back)
        same(
            f"dW_hh for every = {every}, back = {back}",
            answer(W_hh, h, dh, every, back),
            right,
            tolerance=1e-7,
            suspects=mistakes(W_hh, h, dh, every, back)
            | {
                "The mean over the rows: a shared weight gets the sum.": right / B,
                "The transpose: W_hh is (out, in), so da_t comes first, (bptt-dw).": right.T,
            },
        )

    return case


# A network that hears itself

D, V = 4, 5


def jordan_network(rng, steps):
    shapes = {"W_xh": (H, D), "W_yh": (H, V), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    params = {n: rng.standard_normal(s) / np.sqrt(s[-1]) for n, s in shapes.items()}
    x, dy = rng.standard_normal((B, steps, D)), rng.standard_normal((B, steps, V))
    return params, x, rng.standard_normal((B, V)), dy


def heard(params, x, y, dy):
    """The outputs times dy, added up: a loss whose gradient by the outputs is dy."""
    loss = 0.0
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ params["W_xh"].T + y @ params["W_yh"].T + params["b_h"])
        y = h @ params["W_hy"].T + params["b_y"]
        loss += float(np.sum(y * dy[:, t]))
    return loss


def jordan(steps, names, hints=()):
    """A case that compares some of the gradients with central differences."""

    def case(answer, rng):
        params, x, y_0, dy = jordan_network(rng, steps)

        def loss(name, value):
            other = {**params, name: value}
            return heard(other, value if name == "x" else x, value if name == "y_0" else y_0, dy)

        at = {**params, "x": x, "y_0": y_0}
        expected = {n: numerical_gradient(lambda v, n=n: loss(n, v), at[n]) for n in names}
        found = answer(params, x, y_0, dy)
        ensure(isinstance(found, dict), "what came back is no dict")
        found = {n: found.get(n) for n in names}
        suspects = {hint: {n: make(params, x, y_0, dy)[n] for n in names} for hint, make in hints}
        same("gradient", found, expected, tolerance=1e-7, suspects=suspects)

    return case


def with_mistake(immediate_readout=False, late=False, first_state=True):
    """The backward pass with a known mistake, a row of the batch and a step at a time."""

    def grads(params, x, y_0, dy):
        found = {n: np.zeros(v.shape) for n, v in params.items()}
        for b in range(B):
            y, h = [y_0[b]], [None]
            for x_t in x[b]:
                h.append(np.tanh(params["W_xh"] @ x_t + params["W_yh"] @ y[-1] + params["b_h"]))
                y.append(params["W_hy"] @ h[-1] + params["b_y"])
            back = np.zeros(V)
            for t in range(len(h) - 1, 0, -1):
                dy_t = dy[b, t - 1] + back
                da = (1 - h[t] ** 2) * (params["W_hy"].T @ dy_t)
                at_readout = dy[b, t - 1] if immediate_readout else dy_t
                before = y[t] if late else y[t - 1]
                before = before if first_state or t > 1 else 0 * before
                found["W_hy"] += np.outer(at_readout, h[t])
                found["b_y"] += at_readout
                found["W_xh"] += np.outer(da, x[b, t - 1])
                found["W_yh"] += np.outer(da, before)
                found["b_h"] += da
                back = params["W_yh"].T @ da
        return found

    return grads


QUESTIONS = (
    Question(
        "bptt.two_derivatives",
        "two_derivatives",
        (
            Case(
                1,
                "the immediate derivatives",
                immediate,
                "Hold h_{t-1} fixed, and derive tanh(w (h_{t-1} + x_t)), see (total-derivative).",
            ),
            Case(
                2,
                "the total derivatives",
                total,
                "The immediate one, and what comes by way of h_{t-1}, see (total-derivative).",
            ),
        ),
    ),
    Question(
        "bptt.truncated",
        "truncated_gradient",
        (
            Case(
                1,
                "walks back to the beginning: the whole gradient",
                walks(3, 7),
                "Every term of (double-sum) once, whatever the stops.",
            ),
            Case(
                1,
                "a stop at every step, two steps back",
                walks(1, 2),
                "With a stop at every step it is the sliding window, see (truncated).",
            ),
            Case(
                2,
                "a stop every third step, four steps back",
                walks(3, 4),
                "Where do the walks start, what does each take along, how far? See (double-sum).",
            ),
        ),
    ),
    Question(
        "bptt.jordan",
        "jordan_backward",
        (
            Case(
                1,
                "one step, all weights",
                jordan(1, ["W_xh", "W_yh", "b_h", "W_hy", "b_y"]),
                "From y_1 to h_1 by (bptt-readout), through tanh by (bptt-da), to the weights.",
            ),
            Case(
                2,
                "four steps, the weights of the hidden units",
                jordan(
                    4,
                    ["W_xh", "W_yh", "b_h"],
                    (
                        (
                            "W_yh was multiplied by the output of the step before, see (bptt-dw).",
                            with_mistake(late=True),
                        ),
                        (
                            "At the first step W_yh was multiplied by y_0, see (bptt-dw).",
                            with_mistake(first_state=False),
                        ),
                    ),
                ),
                "At y_t arrive the gradient of its step and that of step t + 1, see (bptt-dh).",
            ),
            Case(
                1,
                "four steps, the read-out",
                jordan(
                    4,
                    ["W_hy", "b_y"],
                    (
                        (
                            "The read-out acts on later steps too: it gets the total gradient at"
                            " y_t, not the immediate one alone.",
                            with_mistake(immediate_readout=True),
                        ),
                    ),
                ),
                "The gradient at y_t times h_t, summed over steps and rows, see (bptt-readout).",
            ),
            Case(
                1,
                "four steps, the inputs and the start",
                jordan(4, ["x", "y_0"]),
                "What is left leaves the layer through W_xh and W_yh, see (bptt-dx).",
            ),
        ),
    ),
)
