"""Plausible wrong answers, the points of each, and words of the hint that it must trigger."""

import numpy as np
from seqlib.grading.mutants import Mutant, Probe, constant, nan
from seqlib.scratch import ops


def gates(params, x, h):
    return np.split(x @ params["W_x"].T + h @ params["W_h"].T + params["b"], 4, axis=1)


def step(params, x, h, c, see_o="new", see_g=False, see_if=True):
    a_i, a_f, a_g, a_o = gates(params, x, h)
    i = ops.sigmoid(a_i + params["p_i"] * c * see_if)
    f = ops.sigmoid(a_f + params["p_f"] * c * see_if)
    new = f * c + i * np.tanh(a_g + params["p_i"] * c * see_g)
    o = ops.sigmoid(a_o + params["p_o"] * (new if see_o == "new" else c))
    return o * np.tanh(new), new


def without_peepholes(params, x, h, c):
    return step({**params, "p_i": 0, "p_f": 0, "p_o": 0}, x, h, c)


def swapped_state(params, x, h, c):
    return step(params, x, h, c)[::-1]


def order_of_torch_gru(params, x, h, c):
    a_f, a_i, a_g, a_o = gates(params, x, h)
    i, f = ops.sigmoid(a_i + params["p_i"] * c), ops.sigmoid(a_f + params["p_f"] * c)
    new = f * c + i * np.tanh(a_g)
    return ops.sigmoid(a_o + params["p_o"] * new) * np.tanh(new), new


def backward(params, x, h, c, dh_next, dc_next, parents=3, children=True, summed=True):
    a_i, a_f, a_g, a_o = gates(params, x, h)
    i, f = ops.sigmoid(a_i + params["p_i"] * c), ops.sigmoid(a_f + params["p_f"] * c)
    g = np.tanh(a_g)
    new = f * c + i * g
    o, t = ops.sigmoid(a_o + params["p_o"] * new), np.tanh(new)
    da_o = dh_next * t * o * (1 - o)
    dnew = dh_next * o * (1 - t * t)
    dnew = dnew + (dc_next if parents > 1 else 0) + (da_o * params["p_o"] if parents > 2 else 0)
    da_i, da_f, da_g = dnew * g * i * (1 - i), dnew * c * f * (1 - f), dnew * i * (1 - g * g)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    add = np.sum if summed else np.mean
    return {
        "h": da @ params["W_h"],
        "c": dnew * f + (da_i * params["p_i"] + da_f * params["p_f"]) * children,
        "p_i": add(da_i * c, axis=0),
        "p_f": add(da_f * c, axis=0),
        "p_o": add(da_o * new, axis=0),
    }


def repaired(W_h, steps, dh, two_children=True, square=True, carried=True):
    da, (B, T, H) = [], dh.shape
    dh_next = dc_next = np.zeros((B, H))
    for t in reversed(range(T)):
        i, f, g, o, c_before, c = steps[t]
        dh_t, tanh_c = dh[:, t] + dh_next, np.tanh(c)
        dc = dh_t * o * (1 - tanh_c**2) + (dc_next if two_children else 0)
        slopes = i * (1 - i), f * (1 - f), 1 - (g * g if square else g), o * (1 - o)
        sides = dc * g, dc * c_before, dc * i, dh_t * tanh_c
        da_t = np.concatenate([d * s for d, s in zip(sides, slopes, strict=True)], axis=1)
        dh_next, dc_next = da_t @ W_h * carried, dc * f
        da.append(da_t)
    return np.stack(da[::-1], axis=1)


def naive_sigmoid(params, x, h, c):
    """exp(a) / (1 + exp(a)), which is infinite over infinite for large a."""

    def sigmoid(a):
        return np.exp(a) / (1 + np.exp(a))

    a_i, a_f, a_g, a_o = gates(params, x, h)
    i, f = sigmoid(a_i + params["p_i"] * c), sigmoid(a_f + params["p_f"] * c)
    new = f * c + i * np.tanh(a_g)
    return sigmoid(a_o + params["p_o"] * new) * np.tanh(new), new


def four_units(params, x, h, c):
    a = x @ params["W_x"].T + h @ params["W_h"].T + params["b"]
    a_i, a_f, a_g, a_o = a[:, :4], a[:, 4:8], a[:, 8:12], a[:, 12:]
    i, f = ops.sigmoid(a_i + params["p_i"] * c), ops.sigmoid(a_f + params["p_f"] * c)
    new = f * c + i * np.tanh(a_g)
    return ops.sigmoid(a_o + params["p_o"] * new) * np.tanh(new), new


def first_cell(params, x, h, c):
    """The peepholes see the first row of the batch alone."""
    p = params
    a_i, a_f, a_g, a_o = gates(params, x, h)
    i, f = ops.sigmoid(a_i + p["p_i"] * c[0]), ops.sigmoid(a_f + p["p_f"] * c[0])
    new = f * c + i * np.tanh(a_g)
    return ops.sigmoid(a_o + p["p_o"] * new) * np.tanh(new), new


def bounded(params, x, h, c):
    """The pre-activations are cut off at 20, the candidate's as well as the gates'."""
    return step({**params, "b": np.clip(params["b"], -20, 20)}, x, h, c)


def one_peephole(params, x, h, c):
    return step({**params, "p_f": params["p_i"]}, x, h, c)


def other(names, make):
    """The right gradients, but for some."""

    def answer(params, x, h, c, dh, dc):
        grads = backward(params, x, h, c, dh, dc)
        return grads | {name: make(grads[name], dh) for name in names}

    return answer


def few(answer, most=2000):
    """Right where probing would come to an end, a guess elsewhere."""

    def either(*arguments):
        found = answer(*arguments)
        if np.size(arguments[-1]) < most:
            return found
        return {k: 0 * a for k, a in found.items()} if isinstance(found, dict) else 0 * found

    return either


def first_rows(params, x, h, c, dh, dc):
    """As if a batch had three rows at most."""
    grads = backward(params, x[:3], h[:3], c[:3], dh[:3], dc[:3])
    return grads | {k: np.vstack([grads[k], 0 * h[3:]]) for k in "hc"}


def open_gates(params, x, h, c, dh, dc):
    """The cell's way through the forget gate as if the gate had no slope where it is large."""
    return backward(params | {"p_f": np.clip(params["p_f"], 0, None)}, x, h, c, dh, dc)


def empty_start(W_h, steps, dh):
    """The cell before a step is taken from the step before, and before the first one it is zero."""
    first = (*steps[0][:4], np.zeros_like(steps[0][4]), steps[0][5])
    return repaired(W_h, [first, *steps[1:]], dh)


def five_steps(W_h, steps, dh):
    return repaired(W_h, steps[:5], dh[:, :5])


def four_wide(W_h, steps, dh):
    return repaired(W_h[:, :4], [[part[:, :4] for part in parts] for parts in steps], dh[..., :4])


def last_loss(W_h, steps, dh):
    """The gradients from outside count at the last step alone."""
    alone = np.zeros_like(dh)
    alone[:, -1] = dh[:, -1]
    return repaired(W_h, steps, alone)


def first_row(W_h, steps, dh):
    return repaired(W_h, [[0 * part + part[:1] for part in parts] for parts in steps], dh)


def new_cell(W_h, steps, dh):
    """The forget gate is multiplied by the new cell."""
    return repaired(W_h, [(*parts[:4], parts[5], parts[5]) for parts in steps], dh)


def not_the_first(W_h, steps, dh):
    """The first of several steps gets nothing."""
    da = repaired(W_h, steps, dh)
    da[:, : len(steps) > 1] = 0
    return da


def sigmoid(a):
    return 1 / (1 + np.exp(-a))  # of complex numbers too


def peephole_loss(moved, params, x, h, c, dh, dc):
    p = {**params, **moved}
    a_i, a_f, a_g, a_o = gates(p, x, moved["h"])
    i, f = sigmoid(a_i + p["p_i"] * moved["c"]), sigmoid(a_f + p["p_f"] * moved["c"])
    new = f * moved["c"] + i * np.tanh(a_g)
    return np.sum(sigmoid(a_o + p["p_o"] * new) * np.tanh(new) * dh + new * dc)


def inputs_of(W_h, steps, dh):
    """What was added to W_h h, from the gates; of the first step all."""
    a = [
        np.hstack([np.log(i / (1 - i)), np.log(f / (1 - f)), np.arctanh(g), np.log(o / (1 - o))])
        for i, f, g, o, _, _ in steps
    ]
    h = [o * np.tanh(c) for _, _, _, o, _, c in steps[:-1]]
    return np.stack([a[0], *(a_t - h_t @ W_h.T for a_t, h_t in zip(a[1:], h, strict=True))], axis=1)


def sequence_loss(moved, W_h, steps, dh):
    h, c, loss = 0 * dh[:, 0], steps[0][4], 0.0
    for t in range(len(steps)):
        i, f, g, o = np.split(moved["da"][:, t] + h @ W_h.T, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        loss = loss + np.sum(h * dh[:, t])
    return loss


# What the loss alone gives, without a derivation.
PROBES = {
    "lstm.peephole_backward": Probe(
        lambda params, x, h, c, *rest: (
            {n: params[n] for n in ("p_i", "p_f", "p_o")} | {"h": h, "c": c}
        ),
        peephole_loss,
    ),
    "lstm.repair": Probe(
        lambda *arguments: {"da": inputs_of(*arguments)}, sequence_loss, lambda found: found["da"]
    ),
}

MUTANTS = {
    "lstm.peephole": (
        Mutant(lambda *a: step(*a, see_o="old"), 1, "the cell that it sees is c_t"),
        Mutant(lambda *a: step(*a, see_g=True), 1, "has no peephole"),
        Mutant(lambda *a: step(*a, see_if=False), 1, "Which cell does each gate see"),
        Mutant(without_peepholes, 1, "Which cell does each gate see"),
        Mutant(swapped_state, 0, "Begin with the step without peepholes"),
        Mutant(order_of_torch_gru, 0, "Begin with the step without peepholes"),
        Mutant(naive_sigmoid, 0, "Begin with the step without peepholes"),
        Mutant(four_units, 0, "Begin with the step without peepholes"),
        Mutant(bounded, 0, "Begin with the step without peepholes"),
        Mutant(first_cell, 1, "Which cell does each gate see"),
        Mutant(one_peephole, 1, "Which cell does each gate see"),
        Mutant(lambda p, x, h, c: step(p, x, 0 * h, c), 0, "without peepholes"),
        Mutant(constant, 0, "Begin with the step without peepholes"),
        Mutant(nan, 0, "Begin with the step without peepholes"),
    ),
    "lstm.peephole_backward": (
        Mutant(lambda *a: backward(*a, parents=2), 1, "and what comes through the peephole"),
        Mutant(lambda *a: backward(*a, parents=1), 1, "only what comes through tanh"),
        Mutant(lambda *a: backward(*a, children=False), 2, "three children"),
        Mutant(lambda *a: backward(*a, summed=False), 2, "all rows of a batch"),
        Mutant(few(backward), 0, "p_o acts through o_t alone"),
        Mutant(first_rows, 0, "p_o acts through o_t alone"),
        Mutant(open_gates, 0, "p_o acts through o_t alone"),
        Mutant(other("h", lambda a, dh: a[:, ::-1]), 2, "goes through W_h"),
        Mutant(other("c", lambda a, dh: np.clip(a, -1, 1)), 2, "three children"),
        Mutant(other(["p_o"], lambda a, dh: a * len(dh)), 3, "all rows of a batch"),
        Mutant(other(["p_i", "p_f"], lambda a, dh: np.resize(a, 4)), 3, "act through c_t"),
        Mutant(lambda p, x, h, c, dh, dc: backward(p, x, h, c, dh, 0 * dc), 1, "three parts"),
        Mutant(constant, 0, "p_o acts through o_t alone"),
        Mutant(nan, 0, "three children"),
    ),
    "lstm.repair": (
        Mutant(lambda *a: repaired(*a, two_children=False), 1, "four slopes are right"),
        Mutant(lambda *a: repaired(*a, square=False), 0, "one of the four slopes is still wrong"),
        Mutant(
            lambda *a: repaired(*a, two_children=False, square=False), 0, "Both mistakes are still"
        ),
        Mutant(lambda *a: repaired(*a, carried=False), 1, "two children"),
        Mutant(empty_start, 0, "four slopes"),
        Mutant(five_steps, 1, "two children"),
        Mutant(four_wide, 0, "four slopes"),
        Mutant(last_loss, 1, "two children"),
        Mutant(first_row, 0, "four slopes"),
        Mutant(new_cell, 0, "four slopes"),
        Mutant(not_the_first, 1, "two children"),
        Mutant(few(repaired), 0, "four slopes"),
        Mutant(constant, 0, "four slopes"),
        Mutant(nan, 0, "four slopes"),
    ),
}
