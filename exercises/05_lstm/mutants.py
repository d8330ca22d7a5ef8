"""Plausible wrong answers, the points of each, and words of the hint that it must trigger."""

import numpy as np
from seqlib.grading.mutants import Mutant, constant, nan
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


MUTANTS = {
    "lstm.peephole": (
        Mutant(lambda *a: step(*a, see_o="old"), 1, "the cell that it sees is c_t"),
        Mutant(lambda *a: step(*a, see_g=True), 1, "has no peephole"),
        Mutant(lambda *a: step(*a, see_if=False), 1, "Which cell does each gate see"),
        Mutant(without_peepholes, 1, "Which cell does each gate see"),
        Mutant(swapped_state, 0, "Begin with the step without peepholes"),
        Mutant(order_of_torch_gru, 0, "Begin with the step without peepholes"),
        Mutant(constant, 0, "Begin with the step without peepholes"),
        Mutant(nan, 0, "Begin with the step without peepholes"),
    ),
    "lstm.peephole_backward": (
        Mutant(lambda *a: backward(*a, parents=2), 1, "three parts"),
        Mutant(lambda *a: backward(*a, parents=1), 1, "three parts"),
        Mutant(lambda *a: backward(*a, children=False), 2, "three children"),
        Mutant(lambda *a: backward(*a, summed=False), 2, "all rows of a batch"),
        Mutant(constant, 0, "p_o acts through o_t alone"),
        Mutant(nan, 0, "three children"),
    ),
    "lstm.repair": (
        Mutant(lambda *a: repaired(*a, two_children=False), 1, "two children"),
        Mutant(lambda *a: repaired(*a, square=False), 0, "four slopes"),
        Mutant(lambda *a: repaired(*a, two_children=False, square=False), 0, "four slopes"),
        Mutant(lambda *a: repaired(*a, carried=False), 1, "two children"),
        Mutant(constant, 0, "four slopes"),
        Mutant(nan, 0, "four slopes"),
    ),
}
