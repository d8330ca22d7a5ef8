"""Plausible wrong answers, the points of each, and words of the hint that it must trigger."""

import numpy as np
from seqlib.grading.mutants import Mutant, constant, nan
from seqlib.scratch import ops


def step(params, x, h, c, c_before, look=None, of_g=True, H=None):
    H = H or h.shape[1]
    a = x @ params["W_x"].T + h @ params["W_h"].T + params["b"]
    a_i, a_f, a_g, a_o = (a[:, k * H : (k + 1) * H] for k in range(4))
    look = c_before if look is None else look
    i, f = ops.sigmoid(a_i + params["p_i"] * look), ops.sigmoid(a_f + params["p_f"] * look)
    new = f * c + i * np.tanh(a_g + params["p_g"] * look * of_g)
    return ops.sigmoid(a_o) * np.tanh(new), new


def looks_one_step_back(params, x, h, c, c_before):
    return step(params, x, h, c, c_before, look=c)


def no_peephole_of_g(params, x, h, c, c_before):
    return step(params, x, h, c, c_before, of_g=False)


def no_peepholes(params, x, h, c, c_before):
    return step(params, x, h, c, 0)


def swapped(*given):
    return step(*given)[::-1]


def first_row_for_all(params, x, h, c, c_before):
    return step(params, *(np.broadcast_to(v[:1], v.shape) for v in (x, h, c, c_before)))


def of_one_size(params, x, h, c, c_before):
    return step(params, x, h, c, c_before, H=7)


def no_large_cells(params, x, h, c, c_before):
    return step(params, x, h, np.clip(c, -6, 6), np.clip(c_before, -6, 6))


MUTANTS = {
    "lstm.late_peephole": (
        Mutant(looks_one_step_back, 1, "not at c_{t-1}"),
        Mutant(no_peephole_of_g, 1, "The candidate"),
        Mutant(no_peepholes, 1, "Which cell"),
        Mutant(swapped, 0, "in this order"),
        Mutant(first_row_for_all, 1, "Which cell"),
        Mutant(of_one_size, 0, "See (lstm-c)"),
        Mutant(no_large_cells, 3, "One row"),
        Mutant(constant, 0, "See (lstm-c)"),
        Mutant(nan, 0, "See (lstm-c)"),
    ),
}
