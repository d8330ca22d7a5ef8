"""Wrong answers on purpose: the points that each gets, and the hint that it must trigger."""

import numpy as np
from seqlib import spectra
from seqlib.grading.mutants import Mutant, constant, nan


def leaky(params, x, h, leak, slope="n", front=True, last=False, straight=True, moves=True):
    P = np.eye(len(h))
    for x_t in x:
        n = np.tanh(params["W_xh"] @ x_t + params["W_hh"] @ h + params["b_h"])
        new = (1 - leak) * h + leak * n
        s = {"n": 1 - n**2, "h": 1 - new**2, "column": 1 - n**2}[slope]
        inner = params["W_hh"] * s if slope == "column" else s[:, None] * params["W_hh"]
        J = (1 - leak) * np.eye(len(h)) * straight + leak * inner
        P = J if last else (J @ P if front else P @ J)
        h = new if moves else h
    return P


def clip(
    gradients, share, joint=True, before=True, lengthen=False, itself=True, guard=True, cut=False
):
    norms, clipped = [], []
    for g in gradients:
        norm = np.sqrt(sum(np.sum(a**2) for a in g.values()))
        limit = np.quantile([*norms, norm] if itself or not norms else norms, share)
        scale = limit / norm if guard is False or norm > limit or lengthen else 1.0
        scale = 1.0 if norm == 0 and guard else scale
        norms.append(norm if before else norm * scale)
        if cut:
            clipped.append({k: np.clip(a, -limit, limit) for k, a in g.items()})
        else:
            clipped.append({k: scale * a for k, a in g.items()})
    if joint:
        return clipped
    alone = {k: clip([{k: g[k]} for g in gradients], share) for k in gradients[0]}
    return [{k: alone[k][i][k] for k in g} for i, g in enumerate(gradients)]


def zero_over_zero(gradients, share):
    norms, clipped = [], []
    for g in gradients:
        norms.append(np.sqrt(sum(np.sum(a**2) for a in g.values())))
        scale = np.minimum(1.0, np.quantile(norms, share) / norms[-1])
        clipped.append({k: scale * a for k, a in g.items()})
    return clipped


def last_three(gradients, share):
    return [clip(gradients[max(i - 2, 0) : i + 1], share)[-1] for i in range(len(gradients))]


def logs(J, order=-1, norm=2, guard=(0.0, np.inf)):
    """Sizes are taken out where they leave guard."""
    P, taken, found = np.eye(J.shape[1]), 0.0, [0.0]
    for J_t in J[::order]:
        P = P @ J_t
        size = np.linalg.norm(P, norm)
        if not guard[0] < size < guard[1]:
            P, taken = P / size, taken + np.log(size)
            size = 1.0
        found.append(taken + np.log(size))
    return np.array(found)


def radius(J):
    P = spectra.products(J)
    return np.log(spectra.spectral_radius(P))


def bound(J):
    sizes = np.linalg.norm(J[::-1], 2, axis=(1, 2))
    return np.append(0, np.cumsum(np.log(sizes)))


def exponents(J):
    return np.array([0, *(k * spectra.lyapunov(J[-k:])[0] for k in range(1, len(J) + 1))])


def latch(w, noise, edge=None, rounds=10_000, start=None, at="low", once=False):
    edge = np.arccosh(np.sqrt(w)) if edge is None else edge
    low = high = middle = w
    for _ in range(rounds):
        low, high = w * np.tanh(low) - noise, w * np.tanh(high) + noise
        middle = w * np.tanh(middle)
    if once:
        low, high = middle - noise, middle + noise
    if start == "lower":
        low = noise
        for _ in range(rounds):
            low = np.arctanh((low + noise) / w)
    place = {"low": low, "high": high, "middle": middle}[at]
    return {
        "most": w * np.tanh(edge) - edge,
        "low": low,
        "high": high,
        "factor": w * (1 - np.tanh(place) ** 2),
    }


MUTANTS = {
    "flow.leaky": (
        Mutant(lambda *a: leaky(*a, slope="h"), 0, "n_t and h_t are two things"),
        Mutant(lambda *a: leaky(*a, slope="column"), 0, "as (jacobian) was derived"),
        Mutant(lambda *a: leaky(*a, front=False), 1, "stands on the right"),
        Mutant(lambda *a: leaky(*a).T, 0, "this is the transpose"),
        Mutant(lambda *a: leaky(*a, last=True), 1, "then multiply"),
        Mutant(lambda *a: leaky(*a, moves=False), 1, "then multiply"),
        Mutant(lambda *a: leaky(*a, straight=False), 0, "both parts"),
        Mutant(lambda p, x, h, leak: leaky(p, x, h, 1.0), 0, "both parts"),
        Mutant(constant, 0, "both parts"),
        Mutant(nan, 0, "then multiply"),
    ),
    "flow.clip": (
        Mutant(lambda *a: clip(*a, joint=False), 1, "all arrays of an update together"),
        Mutant(lambda *a: clip(*a, before=False), 1, "before clipping, not after"),
        Mutant(lambda *a: clip(*a, lengthen=True), 0, "never lengthens"),
        Mutant(lambda *a: clip(*a, itself=False), 0, "among those of the quantile"),
        Mutant(lambda *a: clip(*a, cut=True), 0, "never lengthens"),
        Mutant(lambda g, q: clip(g, 1 - q), 0, "among those of the quantile"),
        Mutant(last_three, 2, "every update up to this one"),
        Mutant(zero_over_zero, 2, "zeros stay zeros"),
        Mutant(lambda g, q: g, 0, "up to this one"),
        Mutant(constant, 0, "never lengthens"),
        Mutant(nan, 0, "zeros stay zeros"),
    ),
    "flow.log_norms": (
        Mutant(lambda J: logs(J, guard=(-1, np.inf)), 1, "becomes infinite"),
        Mutant(lambda J: logs(J, guard=(-1, 1e50)), 2, "becomes zero"),
        Mutant(lambda J: logs(J, guard=(1e-50, np.inf)), 2, "becomes infinite"),
        Mutant(lambda J: logs(J, order=1), 0, "grows toward the past"),
        Mutant(lambda J: logs(J, norm=None), 0, "The largest singular value"),
        Mutant(lambda J: logs(J)[1:], 0, "0 for k = 0"),
        Mutant(bound, 0, "multiply first"),
        Mutant(radius, 0, "The largest singular value"),
        Mutant(exponents, 0, "The largest singular value"),
        Mutant(constant, 0, "The largest singular value"),
        Mutant(nan, 0, "becomes infinite"),
    ),
    "flow.latch": (
        Mutant(lambda *a: latch(*a, edge=0.8814), 3, "touches the diagonal"),
        Mutant(lambda *a: latch(*a, start="lower"), 1, "which does it meet first"),
        Mutant(lambda *a: latch(*a, rounds=3), 1, "Fixed points of the map"),
        Mutant(lambda *a: latch(*a, once=True), 1, "at every step, not once"),
        Mutant(lambda *a: latch(*a, at="high"), 3, "The largest is asked for"),
        Mutant(lambda *a: latch(*a, at="middle"), 3, "to steeper places"),
        Mutant(lambda w, noise: latch(w, -noise), 1, "Fixed points of the map"),
        Mutant(constant, 0, "touches the diagonal"),
        Mutant(nan, 0, "the end of the range"),
    ),
}
