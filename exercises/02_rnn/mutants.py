"""Plausible wrong answers, the points of each, and words of the hint that it must trigger."""

import numpy as np
from seqlib.grading.mutants import Mutant, constant, nan
from seqlib.scratch import ops


def as_prefix(mask):
    """As if the real places of a row always came first."""
    return np.arange(mask.shape[1]) < mask.sum(axis=1)[:, None]


def jordan(params, x, y_0, mask, fed="y", start=True, bias=True, padding="carried"):
    y = y_0 if start else np.zeros_like(y_0)
    b_y, hear, outputs = params["b_y"] * bias, y, []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ params["W_xh"].T + hear @ params["W_yh"].T + params["b_h"])
        new, real = h @ params["W_hy"].T + b_y, mask[:, t, None]
        multiplied = real * new + ~real * y
        y = {"multiplied": multiplied, "read": new}.get(padding, np.where(real, new, y))
        hear = {"y": y, "tanh": np.tanh(y), "start": hear, "without bias": y - b_y}[fed]
        outputs.append(y * real if padding == "zero" else y)
    return np.stack(outputs, axis=1)


def temperature(logits, targets, mask, inverse=False, low=0.02, high=50.0, weigh="places"):
    if weigh == "all":
        mask = np.ones_like(mask)
    rows, _ = np.nonzero(mask)
    z, y = logits[mask], targets[mask]
    w = np.ones(len(y)) if weigh != "rows" else 1 / mask.sum(axis=1)[rows]
    w = w / w.sum()
    came = w @ z[np.arange(len(y)), y]
    for _ in range(60):
        tau = np.sqrt(low * high)
        sure = w @ (ops.softmax(z / tau) * z).sum(axis=-1) > came
        low, high = (tau, high) if sure else (low, tau)
    return 1 / tau if inverse else tau


def stops_early(params, x, y_0, mask):
    """Once no row is real at a step, nothing is expected to come."""
    none = np.flatnonzero(~mask.any(axis=0))
    T = none[0] if len(none) else mask.shape[1]
    y = jordan(params, x[:, :T], y_0, mask[:, :T])
    return np.concatenate([y, np.repeat(y[:, -1:], mask.shape[1] - T, axis=1)], axis=1)


def by_nan(params, x, y_0, mask):
    return jordan(params, x, y_0, ~np.isnan(x[:, :, 0]))


def first_is_real(params, x, y_0, mask):
    return jordan(params, x, y_0, mask | (np.arange(mask.shape[1]) == 0))


def of_one_size(params, x, y_0, mask):
    h, y = np.zeros(5), jordan(params, x, y_0, mask)
    return y + 0 * (h + params["b_h"]).sum()


def last_step_alone(params, x, y_0, mask):
    """A row's last real state is right, what stands before it is lost."""
    y = jordan(params, x, y_0, mask)
    return np.where(mask.all(axis=1)[:, None, None], y, y[:, -1:])


def own_softmax(logits, targets, mask):
    """Without a look at how large the numbers are."""
    z, y, low, high = logits[mask], targets[mask], 0.05, 20.0
    came = z[np.arange(len(y)), y].mean()
    for _ in range(60):
        tau = np.sqrt(low * high)
        e = np.exp(z / tau)
        sure = ((e / e.sum(axis=1, keepdims=True)) * z).sum(axis=1).mean() > came
        low, high = (tau, high) if sure else (low, tau)
    return tau


def weighted(logits, targets, mask, low=0.05, high=20.0):
    """Losses times the mask."""
    y = np.clip(targets, 0, logits.shape[-1] - 1)[..., None]
    came = (np.take_along_axis(logits, y, -1)[..., 0] * mask).sum() / mask.sum()
    for _ in range(60):
        tau = np.sqrt(low * high)
        expected = ((ops.softmax(logits / tau) * logits).sum(-1) * mask).sum() / mask.sum()
        low, high = (tau, high) if expected > came else (low, tau)
    return tau


def picked_first(logits, targets, mask):
    """The targets of the padding are used as places, though not counted."""
    picked = np.take_along_axis(logits, targets[..., None], axis=-1)
    return temperature(logits, targets, mask) + 0 * np.nansum(picked)


def five_symbols(logits, targets, mask):
    return temperature(logits[..., :5], np.minimum(targets, 4), mask)


def grid(logits, targets, mask):
    taus, z, y = np.linspace(0.05, 20, 2000), logits[mask], targets[mask]
    scores = [ops.log_softmax(z / tau)[np.arange(len(y)), y].mean() for tau in taus]
    return taus[np.argmax(scores)]


def hottest(logits, targets, mask):
    """The temperature that maximizes the probability of being right at a draw, not its log."""
    taus, z, y = np.geomspace(0.05, 20, 400), logits[mask], targets[mask]
    scores = [ops.softmax(z / tau)[np.arange(len(y)), y].mean() for tau in taus]
    return taus[np.argmax(scores)]


def delay(k, D, boxes=1, transposed=False, signed=True, mixed=False, bias=0.0, fed=True):
    sides = np.concatenate([np.eye(D), -np.eye(D)]) if signed else np.eye(D)
    n = len(sides)
    H = n * (k + boxes)
    W_xh, W_hy = np.zeros((H, D)), np.zeros((D, H))
    W_xh[:n], W_hy[:, H - n :] = sides, sides.T
    W_hh = np.eye(H, k=-1 if mixed else -n) * fed
    return {
        "W_xh": W_xh,
        "W_hh": W_hh.T if transposed else W_hh,
        "b_h": np.full(H, bias),
        "W_hy": W_hy,
        "b_y": np.zeros(D),
    }


def shifted(k, D):
    """A large bias keeps the numbers above zero, up to a size, but not before the first arrives."""
    p = delay(k, D, signed=False)
    p["b_h"][:D] = 100.0
    return p | {"b_y": np.full(D, -100.0)}


def shifted_by_a_thousand(k, D):
    """The same with a unit that is always on, so that the start is right too."""
    n, size = D + 1, 1000.0
    H = n * (k + 1)
    p = {"W_xh": np.zeros((H, D)), "W_hh": np.eye(H, k=-n), "b_h": np.zeros(H)}
    p |= {"W_hy": np.zeros((D, H)), "b_y": np.zeros(D)}
    p["W_xh"][:D], p["b_h"][:n] = np.eye(D), size
    p["W_hy"][:, k * n : k * n + D], p["W_hy"][:, k * n + D] = np.eye(D), -1
    return p


def first_is_signed(k, D):
    """Only the first of the numbers may be negative."""
    p = delay(k, D)
    for side in range(D + 1, 2 * D):
        p["W_xh"][side] = 0
    return p


def swapped(k, D):
    p = delay(k, D)
    return p | {"W_xh": p["W_hy"], "W_hy": p["W_xh"]}


MUTANTS = {
    "rnn.jordan": (
        Mutant(lambda *a: jordan(*a, start=False), 0, "starts from y_0"),
        Mutant(lambda *a: jordan(*a, fed="without bias"), 1, "its bias b_y included"),
        Mutant(lambda *a: jordan(*a, fed="tanh"), 1, "is what the next step hears"),
        Mutant(lambda *a: jordan(*a, fed="start"), 1, "is what the next step hears"),
        Mutant(lambda *a: jordan(*a, bias=False), 0, "Two lines"),
        Mutant(lambda *a: jordan(*a, padding="zero"), 3, "not set to zero"),
        Mutant(lambda *a: jordan(*a, padding="multiplied"), 3, "0 times NaN"),
        Mutant(lambda *a: jordan(*a, padding="read"), 3, "choose the old state"),
        Mutant(lambda *a: jordan(*a)[:, ::-1], 1, "is what the next step hears"),
        Mutant(lambda p, x, y, m: jordan(p, x, y, as_prefix(m)), 3, "need not come first"),
        Mutant(stops_early, 3, "choose the old state"),
        Mutant(by_nan, 3, "choose the old state"),
        Mutant(first_is_real, 3, "choose the old state"),
        Mutant(of_one_size, 0, "Two lines"),
        Mutant(last_step_alone, 3, "choose the old state"),
        Mutant(lambda p, x, y, m: jordan(p, x, 0 * y + y[:1], m), 0, "Two lines"),
        Mutant(lambda p, x, y, m: jordan(p, np.clip(x, -5, 5), y, m), 0, "Two lines"),
        Mutant(constant, 0, "Two lines"),
        Mutant(nan, 0, "Two lines"),
    ),
    "rnn.temperature": (
        Mutant(lambda *a: temperature(*a, inverse=True), 0, "this is 1 / τ"),
        Mutant(lambda *a: temperature(*a, weigh="all"), 2, "use the mask"),
        Mutant(lambda *a: temperature(*a, weigh="rows"), 2, "no mean over rows"),
        Mutant(lambda *a: temperature(*a, low=1.0), 3, "may be too unsure"),
        Mutant(grid, 0, "only digits are missing"),
        Mutant(hottest, 0, "the shares of what came"),
        Mutant(lambda *a: 1.0, 0, "may be too unsure"),
        Mutant(lambda z, y, m: temperature(z, y, as_prefix(m)), 2, "need not come first"),
        Mutant(lambda *a: temperature(*a, low=0.2, high=5.0), 1, "Where is the derivative"),
        Mutant(lambda *a: temperature(*a, low=0.1, high=10.0), 1, "has to reach below 1"),
        Mutant(weighted, 2, "Where is the derivative"),
        Mutant(picked_first, 2, "Where is the derivative"),
        Mutant(own_softmax, 0, "the shares of what came"),
        Mutant(five_symbols, 0, "the shares of what came"),
        Mutant(lambda *a: temperature(*(part[:4] for part in a)), 1, "Where is the derivative"),
        Mutant(constant, 0, "the shares of what came"),
        Mutant(nan, 0, "the shares of what came"),
    ),
    "rnn.delay": (
        Mutant(lambda *a: delay(*a, signed=False), 2, "relu cuts off"),
        Mutant(lambda *a: delay(*a, transposed=True), 0, "the unit that receives"),
        Mutant(lambda *a: delay(*a, boxes=2), 0, "One step too late"),
        Mutant(lambda *a: delay(*a, fed=False), 0, "No output at all"),
        Mutant(lambda *a: delay(*a, mixed=True, signed=False), 1, "in their places"),
        Mutant(lambda *a: delay(*a, bias=0.1), 0, "by hand on 5, 0, 7"),
        Mutant(lambda k, D: delay(max(k - 1, 0), D), 0, "One step too early"),
        Mutant(lambda k, D: delay(0, D), 0, "No delay"),
        Mutant(shifted, 0, "by hand on 5, 0, 7"),
        Mutant(swapped, 0, "by hand on 5, 0, 7"),
        Mutant(shifted_by_a_thousand, 2, "What does a unit hold"),
        Mutant(lambda k, D: delay(min(k, 4), D), 1, "in their places"),
        Mutant(lambda k, D: delay(k, min(D, 3)), 1, "in their places"),
        Mutant(first_is_signed, 2, "What does a unit hold"),
        Mutant(lambda *a: delay(*a, bias=1e-12), 2, "What does a unit hold"),
        Mutant(lambda k, D: delay(max(k, 1), D), 1, "One step too late"),
        Mutant(constant, 0, "No output at all"),
        Mutant(nan, 0, "by hand on 5, 0, 7"),
    ),
}
