"""Plausible wrong answers, the points of each, and words of the hint that it must trigger."""

import numpy as np
from seqlib.grading.mutants import Mutant, constant, nan
from seqlib.scratch import ops


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
        Mutant(constant, 0, "Two lines"),
        Mutant(nan, 0, "Two lines"),
    ),
    "rnn.temperature": (
        Mutant(lambda *a: temperature(*a, inverse=True), 0, "this is 1 / τ"),
        Mutant(lambda *a: temperature(*a, weigh="all"), 2, "use the mask"),
        Mutant(lambda *a: temperature(*a, weigh="rows"), 2, "no mean over rows"),
        Mutant(lambda *a: temperature(*a, low=1.0), 3, "may be too unsure"),
        Mutant(grid, 0, "get five digits right"),
        Mutant(hottest, 0, "the shares of what came"),
        Mutant(lambda *a: 1.0, 0, "may be too unsure"),
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
        Mutant(constant, 0, "No output at all"),
        Mutant(nan, 0, "by hand on 5, 0, 7"),
    ),
}
