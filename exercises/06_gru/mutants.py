"""Wrong answers on purpose: the points that each gets, and the hint that it must trigger."""

import runpy
from pathlib import Path

import numpy as np
from seqlib.grading.mutants import Mutant, Probe, constant, nan, only
from seqlib.scratch import ops

CHECKS = runpy.run_path(str(Path(__file__).with_name("checks.py")))


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


def without_order(kernel, recurrent, bias):
    """As if three units were all that there are."""
    H = len(recurrent)
    places = np.array([1, 4, 7, 0, 3, 6, 2, 5, 8])[: 3 * H]
    signs = np.repeat([1, -1, 1], H)
    return {
        "W_x": (kernel[:, places] * signs).T,
        "W_h": (recurrent[:, places] * signs).T,
        "b_x": bias[0, places] * signs,
        "b_h": bias[1, places] * signs,
    }


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


def between(mask):
    """All from the first True to the last."""
    before, after = np.cumsum(mask, axis=1), np.cumsum(mask[:, ::-1], axis=1)[:, ::-1]
    return (before > 0) & (after > 0)


def until_all_rest(params, x, h_0, mask):
    """Ends at the first step at which no row is real."""
    going = np.cumprod(mask.any(axis=0)).astype(bool)
    return mgu(params, x, h_0, mask & going)


def empty_rows_of_zeros(params, x, h_0, mask):
    return mgu(params, x, h_0, mask) * mask.any(axis=1)[:, None, None]


def near_zero(params, x, h_0, mask):
    """The logistic function of numbers up to 30 only."""
    a = np.abs(x[:, 0] @ params["W_x"].T + params["b"])
    return mgu(params, x, h_0, mask) if np.nanmax(a * mask[:, :1], initial=0) < 30 else 0 * x


def far(eps, n=1, most=1000):
    while (n / (n + 1)) ** n / (n + 1) >= eps and n < most:
        n += 1
    return n


def best(eps, **how):
    n = far(eps, **how)
    return (n - 1) / n, n


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
    inside=np.inf,
):
    W_x, W_h, b = (np.split(params[k], 2) for k in ("W_x", "W_h", "b"))
    f = ops.sigmoid(np.clip(x @ W_x[0].T + h @ W_h[0].T + b[0], -inside, inside))
    n = np.tanh(np.clip(x @ W_x[1].T + (f * h) @ W_h[1].T + b[1], -inside, inside))
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
        Mutant(lambda *a: moved(*a, sides=("W_x", "W_h")), 0, "also of the biases"),
        Mutant(lambda *a: moved(*a, sides=("W_x", "b_x", "b_h")), 1, "also from the state"),
        Mutant(lambda *a: moved(*a, order="urn"), 0, "go as r, z, n"),
        Mutant(lambda *a: moved(*a, turn=False), 1, "has to be transposed"),
        Mutant(lambda *a: moved(*a, by_unit=False), 0, "unit by unit"),
        Mutant(one_bias, 0, "Each side keeps its own bias"),
        Mutant(not_turned, 0, "transpose each"),
        Mutant(without_order, 0, "one gate after the other"),
        Mutant(only(lambda k, r, b: len(r) == 4, moved), 0, "one gate after the other"),
        Mutant(only(lambda k, r, b: len(k) == 2, moved), 0, "one gate after the other"),
        Mutant(only(lambda k, r, b: len(k) != len(r), moved), 0, "one gate after the other"),
        Mutant(lambda k, r, b: moved(k, r, b[:1].repeat(2, 0)), 0, "one gate after the other"),
        Mutant(lambda k, r, b: moved(k, r, np.clip(b, -1, 1)), 0, "one gate after the other"),
        Mutant(lambda k, r, b: moved(np.clip(k, -9, 9), r, b), 1, "all that enters it"),
        Mutant(constant, 0, "one gate after the other"),
        Mutant(nan, 0, "all that enters it"),
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
        Mutant(lambda p, x, h, m: mgu(p, x, h, between(m)), 1, "the old state goes on"),
        Mutant(
            lambda p, x, h, m: mgu(p, x, h, np.arange(m.shape[1]) < m.sum(1)[:, None]),
            1,
            "may have holes",
        ),
        Mutant(until_all_rest, 1, "the old state goes on"),
        Mutant(empty_rows_of_zeros, 1, "the old state goes on"),
        Mutant(lambda p, x, h, m: mgu(p, np.nan_to_num(x), h, m | ~m[:, :1]), 1, "goes on"),
        Mutant(near_zero, 2, "Gate, candidate, mean"),
        Mutant(only(lambda p, x, h, m: len(x) == 3, mgu), 0, "Gate, candidate, mean"),
        Mutant(only(lambda p, x, h, m: x.shape[2] == 2, mgu), 0, "Gate, candidate, mean"),
        Mutant(only(lambda p, x, h, m: h.shape[1] == 4, mgu), 0, "Gate, candidate, mean"),
        Mutant(only(lambda p, x, h, m: x.shape[1] in (1, 5), mgu), 1, "the old state goes on"),
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
        Mutant(different, 0, "another z is best"),
        Mutant(lambda eps: best(eps, n=6), 0, "count the steps"),
        Mutant(lambda eps: best(eps, most=50), 0, "count the steps"),
        Mutant(lambda eps: own(best(max(eps, 0.007))[0], eps), 1, "as small as 0.005"),
        Mutant(lambda eps: own(best(min(eps, 0.1))[0], eps), 0, "as large as 0.2"),
        Mutant(lambda eps: own(0.9, eps), 0, "another z is best"),
        Mutant(lambda eps: best(0.1), 0, "count the steps"),
        Mutant(lambda eps: best(eps, n=2) if eps < 0.19 else (0.75, 2), 0, "count the steps"),
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
        Mutant(lambda p, x, h, d: backward(p, x, h, 0 * d + 1), 0, "da_n as in (gru-dn)"),
        Mutant(only(lambda p, x, h, d: len(x) == 3, backward), 0, "da_n as in (gru-dn)"),
        Mutant(only(lambda p, x, h, d: x.shape[1] == 2, backward), 0, "da_n as in (gru-dn)"),
        Mutant(only(lambda p, x, h, d: h.shape[1] == 4, backward), 0, "da_n as in (gru-dn)"),
        Mutant(only(lambda p, x, h, d: len(x) > 1, backward), 0, "da_n as in (gru-dn)"),
        Mutant(only(lambda p, x, h, d: p["W_x"].size < 1e4, backward), 0, "da_n as in (gru-dn)"),
        Mutant(lambda *a: backward(*a, inside=6), 0, "da_n as in (gru-dn)"),
        Mutant(lambda p, x, h, d: backward(p, x, np.clip(h, -1, 1), d), 0, "da_n as in (gru-dn)"),
        Mutant(constant, 0, "da_n as in (gru-dn)"),
        Mutant(nan, 0, "Three ways"),
    ),
}

PROBES = {
    "gru.mgu_backward": Probe(
        lambda params, x, h, dh: {**params, "x": x, "h": h},
        lambda at, params, x, h, dh: CHECKS["mgu_loss"](at, dh),
    ),
}
