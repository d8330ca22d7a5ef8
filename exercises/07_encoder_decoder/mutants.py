"""Wrong answers on purpose: the points that each gets, and the hint that it must trigger."""

import runpy
from collections import Counter
from pathlib import Path

import numpy as np
from seqlib.grading.mutants import Mutant, Probe, constant, nan, only

CHECKS = runpy.run_path(str(Path(__file__).with_name("checks.py")))


def slip(e, d, T, k, first="e", late=0, at_k=0.0, recover=True, joint=True, cost="difference"):
    def right(at):
        before, found = 1.0, []
        for t in range(1, T + 1):
            e_t = d if t == 1 and first == "d" else e
            before = before * (1 - e_t) + (1 - before) * (1 - d) * recover
            before = at_k if t == at else before
            found.append(before)
        return np.array(found)

    free, slipped = right(None), right(k + late)
    costs = {
        "difference": np.sum((free - slipped)[k:]),
        "with k": np.sum((free - slipped)[k - 1 :]),
        "all wrong": np.sum(1 - slipped[k:]),
        "mean": np.sum((free - slipped)[k:]) / max(T - k, 1),
        "no gain": max(0.0, np.sum((free - slipped)[k:])),
        "last": (free - slipped)[-1],
    }
    exact = (1 - e) ** T if joint else np.prod(free)
    return {"exact": exact, "free": free, "slip": slipped, "cost": float(costs[cost])}


def independent(e, d, T, k):
    free = np.full(T, 1 - e)
    after = np.where(np.arange(1, T + 1) == k, 0, free)
    return {"exact": (1 - e) ** T, "free": free, "slip": after, "cost": 0.0}


def agree(
    candidates,
    log_p,
    clip=True,
    size=max,
    lengths=(1, 2, 3, 4),
    shares=False,
    weigh="softmax",
    own=True,
    likeliest=False,
    once=False,
    run=tuple,
    silent=1.0,
):
    def runs(row, n):
        return Counter(run(row[i : i + n]) for i in range(len(row) - n + 1))

    def alike(one, other):
        hits, sizes = [], []
        for n in lengths:
            a, b = runs(one, n), runs(other, n)
            hits.append((a & b).total() if clip else sum(a[run] for run in a if run in b))
            sizes.append((a.total(), b.total()))
        if shares:
            return np.mean([hit / max(*pair, 1) for hit, pair in zip(hits, sizes, strict=True)])
        total = size(*np.sum(sizes, axis=0))
        return sum(hits) / total if total else silent

    n = len(candidates)
    g = np.array([[alike(a, b) for b in candidates] for a in candidates])
    if not own:
        np.fill_diagonal(g, 0)
    weights = np.full(n, 1 / n)
    if log_p is not None:
        weights = {
            "softmax": lambda: np.exp(log_p - max(log_p)) / np.sum(np.exp(log_p - max(log_p))),
            "even": lambda: weights,
            "bare": lambda: np.exp(log_p),
            "naive": lambda: np.exp(log_p) / np.exp(log_p).sum(),
            "offset": lambda: np.exp(log_p + 900) / np.exp(log_p + 900).sum(),
            "top": lambda: np.exp(log_p - max(log_p)),
            "log": lambda: log_p / log_p.sum(),
        }[weigh]()
    elif once:
        weights = np.array([1 / candidates.count(row) for row in candidates])
        weights /= weights.sum()
    gains = g @ weights
    best = gains if log_p is None or not likeliest else log_p
    return int(np.argmax(best)), gains


def fails_on_empty(candidates, log_p):
    if () in candidates:
        raise ZeroDivisionError("division by zero")
    return agree(candidates, log_p)


def digits(run):
    return "".join(map(str, run))


def as_sets(candidates, log_p):
    """Each run counts once in a sentence."""

    def runs(row):
        return {row[i : i + n] for n in (1, 2, 3, 4) for i in range(len(row) - n + 1)}

    def alike(a, b):
        return len(a & b) / max(len(a), len(b)) if a or b else 1.0

    found = [runs(row) for row in candidates]
    g = np.array([[alike(a, b) for b in found] for a in found])
    logs = np.zeros(len(found)) if log_p is None else log_p - np.max(log_p)
    gains = g @ (np.exp(logs) / np.exp(logs).sum())
    return int(np.argmax(gains)), gains


def of_five(candidates, log_p):
    best, gains = agree(candidates, log_p)
    return best, gains * len(candidates) / 5 if log_p is None else gains


def beam(
    log_p,
    width,
    bonus,
    copies=False,
    grows=False,
    own=True,
    paid=False,
    end=True,
    mean=False,
    best_only=False,
    own_best=False,
    leave=False,
    memory=True,
):
    N, _, V = log_p.shape
    kept, done = [((), 0.0)] * (width if copies else 1), []

    def score(pair, n=0):
        row, total = pair
        size = len(row) if own else n
        if not end and row[-1] == 0:
            size -= 1
        return total / len(row) if mean and bonus else total + bonus * size

    for n, step in enumerate(log_p, start=1):
        grown = []
        for row, total in kept:
            if row and row[-1] == 0 and not grows:
                grown.append((row, total))
                continue
            last = row[-1] if row and memory else V
            more = [((*row, v), total + step[last, v]) for v in range(V)]
            grown += [max(more, key=score)] if own_best and row else more
        grown.sort(key=lambda pair, n=n: -score(pair, n))
        kept = grown[:width]
        if leave:
            done += [pair for pair in kept if pair[0][-1] == 0]
            kept = [pair for pair in kept if pair[0][-1] != 0]
    kept = sorted(kept + done, key=lambda pair: -score(pair, N))[:width]
    rows, totals = zip(*kept[: 1 if best_only else None], strict=True)
    return list(rows), np.array(totals) + (bonus * np.array(list(map(len, rows))) if paid else 0)


def back(
    params,
    h,
    real,
    y,
    ds,
    start=True,
    steps="all",
    before=True,
    zero=False,
    slope=True,
    turned=False,
    n="real",
    masked=True,
    scaled=True,
    by=1,
    carried=True,
    last=False,
    inside=np.inf,
):
    T = y.shape[1]
    share = real / real.sum(axis=1, keepdims=True)
    if n == "all":
        share = real / real.shape[1]
    elif n == "no mask":
        share = np.full(real.shape, 1 / real.shape[1])
    c = np.einsum("bs,bsh->bh", share, h)
    if last:
        c = h[:, -1]
    states = [c]
    for t in range(T):
        a = y[:, t] @ params["W_y"].T + states[-1] @ params["W_s"].T
        states.append(np.tanh(np.clip(a + c @ params["W_c"].T + params["b"], -inside, inside)))
    carry, dc = np.zeros_like(c), np.zeros_like(c)
    dW_s, dW_c = np.zeros_like(params["W_s"]), np.zeros_like(params["W_c"])
    for t in reversed(range(T)):
        da = (ds[:, t] + carry * carried) * ((1 - states[t + 1] ** 2) if slope else 1)
        dW_s += da.T @ (states[t if before else t + 1] * (0 if zero and t == 0 else 1))
        if steps == "all" or t == T - 1:
            dW_c += da.T @ c
        if steps == "all":
            dc += da @ params["W_c"]
        carry = da @ (params["W_s"].T if turned else params["W_s"])
    dc += carry * start
    if not masked:
        share = np.ones_like(share) / real.sum(axis=1, keepdims=True)
    if not scaled:
        share = real.astype(float)
    if last:
        share = np.zeros(real.shape)
        share[:, -1] = 1
    return {"h": share[..., None] * dc[:, None], "W_s": dW_s / by, "W_c": dW_c / by}


def prefix(params, h, real, y, ds):
    return back(params, h, np.arange(real.shape[1]) < real.sum(axis=1, keepdims=True), y, ds)


def between(params, h, real, y, ds):
    """All from the first word to the last."""
    before, after = np.cumsum(real, axis=1), np.cumsum(real[:, ::-1], axis=1)[:, ::-1]
    return back(params, h, (before > 0) & (after > 0), y, ds)


def first_row(params, h, real, y, ds):
    return back(params, h, np.broadcast_to(real[:1], real.shape), y, ds)


MUTANTS = {
    "s2s.slip": (
        Mutant(independent, 0, "wrong with d, not with e"),
        Mutant(lambda *a: slip(*a, recover=False), 0, "may be right again"),
        Mutant(lambda *a: slip(*a, joint=False), 2, "are not independent"),
        Mutant(lambda *a: slip(*a, first="d"), 0, "Two ways lead"),
        Mutant(lambda *a: slip(*a, late=1), 1, "Steps count from 1"),
        Mutant(lambda *a: slip(*a, at_k=0.5), 1, "wrong for certain"),
        Mutant(lambda *a: slip(*a, cost="with k"), 2, "only those after it"),
        Mutant(lambda *a: slip(*a, cost="all wrong"), 2, "wrong without it"),
        Mutant(lambda *a: slip(*a, cost="mean"), 2, "Add up"),
        Mutant(lambda *a: slip(*a, cost="last"), 2, "Add up"),
        Mutant(lambda *a: slip(*a, cost="no gain"), 2, "Add up"),
        Mutant(lambda e, d, T, k: slip(e, 0.5, T, k), 0, "Two ways lead"),
        Mutant(lambda e, d, T, k: slip(0.1, d, T, k), 0, "Two ways lead"),
        Mutant(lambda e, d, T, k: slip(min(e, d), max(e, d), T, k), 0, "Two ways lead"),
        Mutant(lambda e, d, T, k: slip(e, d, T, max(k, 2)), 1, "Steps count from 1"),
        Mutant(lambda e, d, T, k: slip(e, d, T, min(k, T - 1)), 1, "wrong for certain"),
        Mutant(only(lambda e, d, T, k: T > 1, slip), 0, "Two ways lead"),
        Mutant(only(lambda e, d, T, k: T in (6, 7, 60), slip), 0, "Two ways lead"),
        Mutant(only(lambda e, d, T, k: k > 1, slip), 0, "Two ways lead"),
        Mutant(only(lambda e, d, T, k: e - d + 1, slip), 0, "Two ways lead"),
        Mutant(constant, 0, "Two ways lead"),
        Mutant(nan, 0, "wrong for certain"),
    ),
    "s2s.agreement": (
        Mutant(lambda *a: agree(*a, clip=False), 2, "no more often"),
        Mutant(lambda *a: agree(*a, size=min), 0, "by the greater"),
        Mutant(lambda *a: agree(*a, size=lambda one, other: one), 0, "by the greater"),
        Mutant(lambda *a: agree(*a, shares=True), 0, "counted together"),
        Mutant(lambda *a: agree(*a, lengths=(1, 2)), 0, "All four lengths"),
        Mutant(lambda *a: agree(*a, weigh="even"), 2, "its weight is its probability"),
        Mutant(lambda *a: agree(*a, weigh="bare"), 2, "have to sum to 1"),
        Mutant(lambda *a: agree(*a, weigh="naive"), 2, "scaled to the sum 1"),
        Mutant(lambda *a: agree(*a, weigh="top"), 2, "scaled to the sum 1"),
        Mutant(lambda *a: agree(*a, weigh="log"), 2, "not their logarithms"),
        Mutant(lambda *a: agree(*a, once=True), 2, "each draw"),
        Mutant(lambda *a: agree(*a, own=False), 0, "All four lengths"),
        Mutant(lambda *a: agree(*a, likeliest=True), 2, "Not the likeliest"),
        Mutant(fails_on_empty, 1, "each draw"),
        Mutant(lambda *a: agree(*a, run=digits), 2, "no more often"),
        Mutant(lambda *a: agree(*a, silent=0.0), 1, "no more often"),
        Mutant(lambda *a: agree(*a, weigh="offset"), 2, "scaled to the sum 1"),
        Mutant(lambda rows, log_p: agree([r[:8] for r in rows], log_p), 2, "no more often"),
        Mutant(as_sets, 2, "no more often"),
        Mutant(of_five, 1, "each draw"),
        Mutant(only(lambda rows, log_p: len(rows) > 1, agree), 0, "scaled to the sum 1"),
        Mutant(only(lambda rows, log_p: len(rows) in (5, 7, 8), agree), 0, "All four lengths"),
        Mutant(constant, 0, "All four lengths"),
        Mutant(nan, 0, "scaled to the sum 1"),
    ),
    "s2s.beam": (
        Mutant(lambda *a: beam(*a, copies=True, grows=True, own=False), 0, "After END"),
        Mutant(lambda *a: beam(*a, copies=True), 1, "only one beginning"),
        Mutant(lambda *a: beam(*a, grows=True), 0, "After END"),
        Mutant(lambda *a: beam(*a, own=False), 2, "its own words"),
        Mutant(lambda *a: beam(*a, paid=True), 2, "a bonus is added"),
        Mutant(lambda *a: beam(*a, end=False), 2, "a bonus is added"),
        Mutant(lambda *a: beam(*a, mean=True), 2, "a bonus is added"),
        Mutant(lambda *a: beam(*a, best_only=True), 1, "All continuations"),
        Mutant(lambda *a: beam(*a, own_best=True), 1, "All continuations"),
        Mutant(lambda *a: beam(*a, leave=True), 1, "keeps its place"),
        Mutant(lambda *a: beam(*a, grows=True, copies=True), 0, "One more of the three"),
        Mutant(lambda *a: beam(*a, grows=True, own=False), 0, "One more of the three"),
        Mutant(lambda *a: beam(*a, copies=True, own=False), 1, "One more of the three"),
        Mutant(lambda *a: beam(*a, memory=False), 0, "the likeliest word"),
        Mutant(lambda log_p, *a: beam(log_p[:-1], *a), 0, "the likeliest word"),
        Mutant(lambda log_p, width, b: beam(log_p, width, 0.7 if b else 0), 2, "a bonus is added"),
        Mutant(lambda log_p, width, b: beam(log_p, width, min(b, 1)), 2, "a bonus is added"),
        Mutant(lambda log_p, width, b: beam(log_p, min(width, 4), b), 1, "All continuations"),
        Mutant(only(lambda log_p, w, b: log_p.shape[2] == 4, beam), 0, "the likeliest word"),
        Mutant(only(lambda log_p, w, b: len(log_p) == 5, beam), 0, "the likeliest word"),
        Mutant(only(lambda log_p, w, b: len(log_p) > 1, beam), 1, "the likeliest word"),
        Mutant(constant, 0, "the likeliest word"),
        Mutant(nan, 0, "the likeliest word"),
    ),
    "s2s.mean_context": (
        Mutant(lambda *a: back(*a, start=False), 2, "T + 1 places"),
        Mutant(lambda *a: back(*a, steps="last"), 1, "a sum over them"),
        Mutant(lambda *a: back(*a, before=False), 2, "*before* it"),
        Mutant(lambda *a: back(*a, zero=True), 2, "before the first is c"),
        Mutant(lambda *a: back(*a, slope=False), 0, "*before* it"),
        Mutant(lambda *a: back(*a, turned=True), 0, "a sum over them"),
        Mutant(lambda *a: back(*a, carried=False), 0, "a sum over them"),
        Mutant(lambda *a: back(*a, n="all"), 3, "counts the real words"),
        Mutant(lambda *a: back(*a, n="no mask"), 3, "counts the real words"),
        Mutant(lambda *a: back(*a, masked=False), 3, "its gradient is 0"),
        Mutant(lambda *a: back(*a, scaled=False), 2, "1/n"),
        Mutant(lambda *a: back(*a, last=True), 0, "before the first is c"),
        Mutant(lambda *a: back(*a, by=len(a[1])), 1, "a sum over them"),
        Mutant(prefix, 3, "counts the real words"),
        Mutant(between, 3, "counts the real words"),
        Mutant(first_row, 3, "counts the real words"),
        Mutant(lambda *a: back(*a, inside=1), 0, "a sum over them"),
        Mutant(lambda p, h, real, y, ds: back(p, h, real, y, ds[:, -1:] + 0 * ds), 0, "*before*"),
        Mutant(only(lambda p, h, real, y, ds: len(h) == 3, back), 0, "*before* it"),
        Mutant(only(lambda p, h, real, y, ds: h.shape[1] == 4, back), 0, "*before* it"),
        Mutant(only(lambda p, h, real, y, ds: y.shape[1] == 5, back), 0, "*before* it"),
        Mutant(only(lambda p, h, real, y, ds: y.shape[1] > 1, back), 0, "*before* it"),
        Mutant(only(lambda p, h, real, y, ds: y.shape[2] != h.shape[2], back), 0, "*before* it"),
        Mutant(only(lambda p, h, real, y, ds: h.shape[2] < 100, back), 0, "*before* it"),
        Mutant(constant, 0, "*before* it"),
        Mutant(nan, 0, "T + 1 places"),
    ),
}

PROBES = {
    "s2s.mean_context": Probe(
        lambda params, h, real, y, ds: {"W_s": params["W_s"], "W_c": params["W_c"], "h": h},
        lambda at, params, h, real, y, ds: CHECKS["mean_loss"]({**params, **at}, real, y, ds),
    ),
}
