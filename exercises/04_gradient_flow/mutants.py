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


def moved_start(params, x, h_0, leak, step):
    """The last state, with each entry of the first one moved by a step: a column for each."""
    h = h_0[:, None] + step * np.eye(len(h_0))
    for x_t in x:
        n = np.tanh((params["W_xh"] @ x_t + params["b_h"])[:, None] + params["W_hh"] @ h)
        h = (1 - leak) * h + leak * n
    return h


def by_differences(*arguments):
    return (moved_start(*arguments, 1e-5) - moved_start(*arguments, -1e-5)) / 2e-5


def by_complex_steps(*arguments):
    return moved_start(*arguments, 1e-20j).imag / 1e-20


def by_tiny_complex_steps(*arguments):
    return moved_start(*arguments, 1e-200j).imag / 1e-200


def step_by_step(params, x, h, leak):
    """The Jacobian of each step by complex steps, then multiplied."""
    P = np.eye(len(h))
    for x_t in x:
        P = by_complex_steps(params, x_t[None], h, leak) @ P
        n = np.tanh(params["W_xh"] @ x_t + params["W_hh"] @ h + params["b_h"])
        h = (1 - leak) * h + leak * n
    return P


# Moving H numbers costs no more than multiplying matrices: numbers that grow stop these.
SUBSTITUTES = {
    "flow.leaky": (by_differences, by_complex_steps, by_tiny_complex_steps, step_by_step)
}


def four_units(params, x, h, leak):
    return leaky(params, x, h, leak) @ np.eye(4)


def from_zero(params, x, h, leak):
    """As if the state before the first step were zero."""
    return leaky(params, x, 0 * h, leak)


def half_a_leak(params, x, h, leak):
    return leaky(params, x, h, 0.5)


def ends_apart(params, x, h, leak):
    """At the ends of its range the leak is taken for none."""
    return leaky(params, x, h, leak) if 0 < leak < 1 else np.eye(len(h))


def five_steps(params, x, h, leak):
    return leaky(params, x[:5], h, leak)


def not_the_first(params, x, h, leak):
    """The first step is only gone, not derived."""
    n = np.tanh(params["W_xh"] @ x[0] + params["W_hh"] @ h + params["b_h"])
    return leaky(params, x[1:], (1 - leak) * h + leak * n, leak)


def shares_within(gradients, share):
    return clip(gradients, min(max(share, 0.01), 0.99))


def last_twelve(gradients, share):
    return [clip(gradients[max(i - 11, 0) : i + 1], share)[-1] for i in range(len(gradients))]


def four_fifths(gradients, share):
    return clip(gradients, share if len(gradients) <= 3 else 0.8)


def three_names(gradients, share):
    return clip([{k: g[k] for k in g if k in ("W", "b", "V")} for g in gradients], share)


def flat_norms(gradients, share):
    """Matrix norms, which are not those of all entries for arrays with two axes."""
    sizes = [
        {k: a * (np.linalg.norm(a, 2) / np.linalg.norm(a) if a.ndim == 2 and a.any() else 1)}
        for g in gradients
        for k, a in g.items()
    ]
    count = len(gradients[0])
    measured = [
        np.sqrt(sum(np.sum(a**2) for one in sizes[i : i + count] for a in one.values()))
        for i in range(0, len(sizes), count)
    ]
    clipped = []
    for i, g in enumerate(gradients):
        limit = np.quantile(measured[: i + 1], share)
        scale = limit / measured[i] if measured[i] > limit else 1.0
        clipped.append({k: scale * a for k, a in g.items()})
    return clipped


def guarded_once(gradients, share):
    """Only a first gradient of zeros is looked after."""
    first = not any(a.any() for a in gradients[0].values())
    rest = zero_over_zero(gradients, share)
    return [gradients[0], *rest[1:]] if first else rest


def at_sixty(J):
    """Sizes are taken out at every sixtieth step alone."""
    P, taken, found = np.eye(J.shape[1]), 0.0, [0.0]
    for k, J_t in enumerate(J[::-1], 1):
        P = P @ J_t
        found.append(taken + np.log(np.linalg.norm(P, 2)))
        if k % 60 == 0:
            P, taken = P / np.linalg.norm(P, 2), found[-1]
    return np.array(found)


def forward(J):
    """From the first step on: how the last of k states moves with the first one."""
    P, taken, found = np.eye(J.shape[1]), 0.0, [0.0]
    for J_t in J:
        P = J_t @ P
        size = np.linalg.norm(P, 2)
        P, taken = P / size, taken + np.log(size)
        found.append(taken)
    return np.array(found)


def wrong_side(J):
    return forward(J[::-1])


def one_size(J):
    """The size of the first factor is taken for all."""
    size = np.linalg.norm(J[0], 2)
    return logs(J / size, guard=(-1, np.inf)) + np.arange(len(J) + 1) * np.log(size)


def in_fours(J):
    return logs(
        np.pad(J, ((0, 0), (0, max(4 - J.shape[1], 0)), (0, max(4 - J.shape[1], 0))))[:, :4, :4]
    )


def near_one(w, noise):
    """Searches for crossings below 6."""
    found = latch(w, noise)
    return found | {"low": min(found["low"], 6.0), "high": min(found["high"], 6.0)}


def from_one(w, noise):
    """Iterates from 1, which not always lies above the lower crossing."""
    low = high = 1.0
    for _ in range(2000):
        low, high = w * np.tanh(low) - noise, w * np.tanh(high) + noise
    found = latch(w, noise)
    return found | {"low": low, "high": high, "factor": w * (1 - np.tanh(low) ** 2)}


def straight(w, noise):
    """As if the curve were straight near the fixed point: right for little noise."""
    middle = latch(w, 0.0)["low"]
    slope = w * (1 - np.tanh(middle) ** 2)
    low, high = middle - noise / (1 - slope), middle + noise / (1 - slope)
    most = latch(w, noise)["most"]
    return {"most": most, "low": low, "high": high, "factor": w * (1 - np.tanh(low) ** 2)}


def of_the_chapter(w, noise):
    found = latch(w, noise)
    return found | {
        "factor": latch(2.0, min(noise, 0.5))["factor"],
        "most": latch(2.0, 0.1)["most"],
    }


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


def latch(w, noise, edge=None, rounds=2000, start=None, at="low", once=False):
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
        *(Mutant(substitute, 0, "both parts") for substitute in SUBSTITUTES["flow.leaky"][:3]),
        Mutant(step_by_step, 0, "then multiply"),
        Mutant(four_units, 0, "both parts"),
        Mutant(from_zero, 0, "both parts"),
        Mutant(half_a_leak, 0, "both parts"),
        Mutant(ends_apart, 0, "both parts"),
        Mutant(five_steps, 1, "then multiply"),
        Mutant(not_the_first, 0, "both parts"),
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
        Mutant(shares_within, 1, "among those of the quantile"),
        Mutant(last_twelve, 2, "every update up to this one"),
        Mutant(four_fifths, 2, "every update up to this one"),
        Mutant(three_names, 0, "among those of the quantile"),
        Mutant(flat_norms, 0, "zeros stay zeros"),
        Mutant(guarded_once, 2, "zeros stay zeros"),
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
        Mutant(forward, 0, "begins with step 1."),
        Mutant(wrong_side, 0, "stands on the right"),
        Mutant(at_sixty, 1, "take its size out"),
        Mutant(one_size, 1, "take its size out"),
        Mutant(in_fours, 0, "The largest singular value"),
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
        Mutant(near_one, 2, "Fixed points of the map"),
        Mutant(from_one, 1, "Fixed points of the map"),
        Mutant(lambda *a: latch(*a, rounds=60), 1, "Fixed points of the map"),
        Mutant(straight, 1, "Fixed points of the map"),
        Mutant(of_the_chapter, 2, "touches the diagonal"),
        Mutant(lambda w, noise: latch(min(w, 4.0), noise), 0, "touches the diagonal"),
        Mutant(constant, 0, "touches the diagonal"),
        Mutant(nan, 0, "the end of the range"),
    ),
}
