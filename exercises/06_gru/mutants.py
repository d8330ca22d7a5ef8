"""Wrong answers on purpose: the points that each gets, and the hint that it must trigger."""

import numpy as np
from seqlib.grading.mutants import Mutant, constant, nan
from seqlib.scratch import ops


def moved(
    kernel,
    recurrent,
    bias,
    order="run",
    sides=("W_x", "W_h", "b_x", "b_h"),
    turn=True,
    by_unit=True,
):
    """sides: those whose update gate changes its sign."""
    parts = {"W_x": kernel, "W_h": recurrent, "b_x": bias[0], "b_h": bias[1]}
    made = {}
    for name, part in parts.items():
        found = [part[..., k::3] for k in range(3)] if by_unit else np.split(part, 3, axis=-1)
        block = dict(zip("urn", found, strict=True))
        if name in sides:
            block["u"] = -block["u"]
        if name == "W_h" and not turn:
            made[name] = np.concatenate([block[k] for k in order])
        else:
            made[name] = np.concatenate([block[k].T for k in order])
    return made


def one_bias(kernel, recurrent, bias):
    made = moved(kernel, recurrent, bias)
    return {**made, "b_x": made["b_x"] + made["b_h"], "b_h": 0 * made["b_h"]}


def not_turned(kernel, recurrent, bias):
    made = moved(kernel, recurrent, bias)
    return {**made, "W_x": made["W_x"].T, "W_h": made["W_h"].T}


def mgu(params, x, h, mask, swap=False, opposite=False, after=False, seen=True, masked="where"):
    W_x, W_h, b = (np.split(params[k], 2)[:: -1 if swap else 1] for k in ("W_x", "W_h", "b"))
    states = []
    for t in range(x.shape[1]):
        f = ops.sigmoid(x[:, t] @ W_x[0].T + h @ W_h[0].T + b[0])
        from_h = f * (h @ W_h[1].T) if after else ((f if seen else 1) * h) @ W_h[1].T
        n = np.tanh(x[:, t] @ W_x[1].T + from_h + b[1])
        new = (1 - f) * n + f * h if opposite else (1 - f) * h + f * n
        m = mask[:, t, None]
        h = {
            "where": np.where(m, new, h),
            "product": m * new + (1 - m) * h,
            "zeros": np.where(m, new, 0),
            "": new,
        }[masked]
        states.append(h)
    return np.stack(states, axis=1)


def far(eps):
    n = 1
    while (n / (n + 1)) ** n / (n + 1) >= eps:
        n += 1
    return n


def own(z, eps):
    n = 0
    while z**n * (1 - z) >= eps:
        n += 1
    return z, n


def coarse(eps):
    return max((own(z, eps) for z in np.arange(0.1, 1, 0.1)), key=lambda pair: pair[1])


def different(eps):
    """Counts as long as two states are different floats."""
    h, n = 0.0, 0
    while 0.5 * h + 0.5 != h:
        h, n = 0.5 * h + 0.5, n + 1
    return 0.5, n


def backward(
    params,
    x,
    h,
    dh,
    mean=1,
    candidate=1,
    sign=1,
    sides=("h", "s"),
    straight=1,
    slope=True,
    gated=True,
    add=1,
):
    W_x, W_h, b = (np.split(params[k], 2) for k in ("W_x", "W_h", "b"))
    f = ops.sigmoid(x @ W_x[0].T + h @ W_h[0].T + b[0])
    n = np.tanh(x @ W_x[1].T + (f * h) @ W_h[1].T + b[1])
    da_n = dh * f * (1 - n * n if slope else 1)
    ds = da_n @ W_h[1]
    da_f = (mean * sign * dh * (n - h) + candidate * ds * h) * f * (1 - f)
    da, side = np.hstack([da_f, da_n]), {"h": h, "s": f * h}
    return {
        "x": da @ params["W_x"],
        "h": straight * dh * (1 - f) + da_f @ W_h[0] + ds * (f if gated else 1),
        "W_x": da.T @ x / add,
        "W_h": np.vstack([da_f.T @ side[sides[0]], da_n.T @ side[sides[1]]]) / add,
        "b": da.sum(axis=0) / add,
    }


MUTANTS = {
    "gru.elsewhere": (
        Mutant(lambda *a: moved(*a, sides=()), 0, "1 - u"),
        Mutant(lambda *a: moved(*a, sides=("W_x", "W_h")), 0, "each side keeps its own bias"),
        Mutant(lambda *a: moved(*a, sides=("W_x", "b_x", "b_h")), 1, "also from the state"),
        Mutant(lambda *a: moved(*a, order="urn"), 0, "go as r, z, n"),
        Mutant(lambda *a: moved(*a, turn=False), 1, "has to be transposed"),
        Mutant(lambda *a: moved(*a, by_unit=False), 0, "unit by unit"),
        Mutant(one_bias, 0, "each side keeps its own bias"),
        Mutant(not_turned, 0, "Order, transpose and sign"),
        Mutant(constant, 0, "Order, transpose and sign"),
        Mutant(nan, 0, "also from the state"),
    ),
    "gru.mgu": (
        Mutant(lambda *a: mgu(*a, opposite=True), 0, "Here f = 1 writes"),
        Mutant(lambda *a: mgu(*a, after=True), 0, "before the product"),
        Mutant(lambda *a: mgu(*a, seen=False), 0, "Gate, candidate, mean"),
        Mutant(lambda *a: mgu(*a, swap=True), 0, "Gate, candidate, mean"),
        Mutant(lambda *a: mgu(*a, masked=""), 1, "The mask is not used"),
        Mutant(lambda *a: mgu(*a, masked="zeros"), 1, "the old state goes on"),
        Mutant(lambda *a: mgu(*a, masked="product"), 1, "whatever x holds"),
        Mutant(lambda p, x, h, m: mgu(p, x, 0 * h, m), 0, "Gate, candidate, mean"),
        Mutant(constant, 0, "Gate, candidate, mean"),
        Mutant(nan, 0, "the old state goes on"),
    ),
    "gru.count": (
        Mutant(lambda eps: own(0.5, eps), 1, "another z is best"),
        Mutant(coarse, 1, "another z is best"),
        Mutant(lambda eps: own(0.0, eps), 0, "Run (gru-h) with your z"),
        Mutant(lambda eps: own(1 - eps, eps), 0, "another z is best"),
        Mutant(lambda eps: (1 - eps, int(1 / eps)), 0, "Equal steps"),
        Mutant(lambda eps: ((far(eps) - 1) / far(eps), far(eps) + 1), 0, "count the steps"),
        Mutant(lambda eps: ((far(eps) - 1) / far(eps), far(eps) - 1), 0, "count the steps"),
        Mutant(different, 0, "count the steps"),
        Mutant(constant, 0, "Run (gru-h) with your z"),
        Mutant(nan, 0, "another z is best"),
    ),
    "gru.mgu_backward": (
        Mutant(lambda *a: backward(*a, candidate=0), 1, "and through s"),
        Mutant(lambda *a: backward(*a, mean=0), 1, "through the mean"),
        Mutant(lambda *a: backward(*a, sign=-1), 1, "through the mean"),
        Mutant(lambda *a: backward(*a, sides=("h", "h")), 3, "dW_hn as in (grub-back)"),
        Mutant(lambda *a: backward(*a, sides=("s", "s")), 3, "through the mean"),
        Mutant(lambda *a: backward(*a, straight=0), 2, "Three ways"),
        Mutant(lambda *a: backward(*a, gated=False), 2, "Three ways"),
        Mutant(lambda *a: backward(*a, slope=False), 0, "da_n as in (gru-dn)"),
        Mutant(lambda *a: backward(*a, add=len(a[1])), 2, "summed over rows"),
        Mutant(constant, 0, "da_n as in (gru-dn)"),
        Mutant(nan, 0, "Three ways"),
    ),
}
