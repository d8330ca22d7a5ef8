"""Wrong answers on purpose: the points that each gets, and the hint that it must trigger."""

import runpy
from pathlib import Path

import numpy as np
from seqlib.grading.mutants import Mutant, Probe, constant, nan, only

CHECKS = runpy.run_path(str(Path(__file__).with_name("checks.py")))


def prefix(mask):
    """As many, but from the first on."""
    return np.arange(mask.shape[-1]) < mask.sum(axis=-1, keepdims=True)


def between(mask):
    """All from the first True to the last."""
    before = np.cumsum(mask, axis=-1)
    after = np.cumsum(mask[..., ::-1], axis=-1)[..., ::-1]
    return (before > 0) & (after > 0)


def weights(e, allowed, shifted=True, fallback="zeros", masked="before"):
    scores = np.where(allowed, e, -np.inf) if masked == "before" else e
    top = scores.max(axis=-1, keepdims=True)
    powers = np.exp(scores - (np.where(top == -np.inf, 0, top) if shifted else 0))
    total = powers.sum(axis=-1, keepdims=True)
    alpha = powers / (np.where(total == 0, 1, total) if fallback == "zeros" else total)
    return alpha if masked == "before" else alpha * allowed


# Entropy


def entropy(
    e,
    allowed,
    deta,
    base=1.0,
    naive=False,
    floor=None,
    sign=1,
    mean=False,
    part="all",
    up=True,
    **how,
):
    alpha = weights(e, allowed, **how)
    log_alpha = np.log(np.where(alpha > 0, alpha, 1)) / base
    if naive:
        log_alpha = np.log(alpha)
    if floor:
        log_alpha = np.log(alpha + floor)
    eta = -sign * (alpha * log_alpha).sum(axis=-1)
    up = deta[..., None] if up else 1
    de = {
        "all": -alpha * (log_alpha + eta[..., None]),
        "weights": np.where(allowed, -log_alpha - 1, 0),
        "diagonal": -alpha * (log_alpha + 1),
        "no weight": np.where(allowed, -(log_alpha + eta[..., None]), 0),
        "mean": -alpha * (log_alpha - log_alpha.mean(axis=-1, keepdims=True)),
    }[part]
    return eta / (e.shape[-1] if mean else 1), de * up


# Links


def grown(one, other, start="and", free="any", corners=True, wrap=False, once=True, rounds=99):
    A = one & other if start == "and" else one | other
    either, (T, S) = one | other, one.shape
    for _ in range(rounds):
        border = np.pad(A, 1, mode="wrap" if wrap else "constant")
        near = np.zeros_like(A)
        for i, j in np.ndindex(3, 3):
            if corners or 1 in (i, j):
                near |= border[i : i + T, j : j + S]
        new = either & ~A & near
        if once:
            rows, columns = ~A.any(axis=1, keepdims=True), ~A.any(axis=0)
            new &= {
                "any": rows | columns,
                "all": rows & columns,
                "target": rows | np.zeros_like(columns),
                "source": columns | np.zeros_like(rows),
                "no": np.ones_like(A),
            }[free]
            if not new.any():
                break
            A = A | new
            continue
        before = A.sum()
        for t, s in np.argwhere(either & ~A):
            close = A[max(t - 1, 0) : t + 2, max(s - 1, 0) : s + 2].any()
            if close and not (A[t].any() and A[:, s].any()):
                A[t, s] = True
        if A.sum() == before:
            break
    return A


# A window


def local(
    e,
    v,
    z,
    n,
    D,
    dy,
    first=1,
    length="own",
    width=2.0,
    window=True,
    again=False,
    mixed=False,
    plain_v=False,
    masked=True,
    slope="all",
    sign=1,
    power=2,
    bell_in_sum=True,
    shifted=True,
    inside=True,
    most=np.inf,
):
    s = np.arange(first, e.shape[2] + first)
    n = (n if length == "own" else np.full(len(n), e.shape[2]))[:, None]
    p = n / (1 + np.exp(-z))
    off = s - p[..., None]
    seen = (s < n[..., None] + first) if masked else np.ones(off.shape, bool)
    close = (np.abs(off) <= D) if inside else (np.abs(off) < D)
    seen = seen & close if window else np.broadcast_to(seen, off.shape)
    alpha, sigma = weights(np.clip(e, -most, most), seen, shifted=shifted), D / width
    bell = np.exp(-(off**2) / (2 * sigma**2))
    beta = alpha * bell
    if again:
        beta = beta / beta.sum(axis=-1, keepdims=True)
    y, dbeta = beta @ v, dy @ v.swapaxes(1, 2)
    dalpha = dbeta * (bell if bell_in_sum else 1)
    de = alpha * (dalpha - (alpha * dalpha).sum(axis=-1, keepdims=True))
    if mixed:
        de = beta * (dbeta - (dy * y).sum(axis=-1, keepdims=True))
    dp = sign * (dbeta * beta * off / sigma**power).sum(axis=-1)
    slopes = {"all": p * (1 - p / n), "none": 1, "no length": p / n * (1 - p / n)}
    return {
        "y": y,
        "e": de,
        "v": (alpha if plain_v else beta).swapaxes(1, 2) @ dy,
        "z": dp * slopes[slope],
    }


# Coverage


def cover(
    e,
    real,
    shifted=True,
    masked=True,
    own=False,
    direct=True,
    later="all",
    softmax=True,
    swap=False,
    mean=False,
):
    allowed = np.broadcast_to(real[:, None], e.shape)
    alpha = weights(e, allowed if masked else np.ones(e.shape, bool), shifted=shifted)
    covered = np.cumsum(alpha, axis=1) - (0 if own else alpha)
    price = np.minimum(alpha, covered)
    price = price.mean(axis=1).sum(axis=1) if mean else price.sum(axis=(1, 2))
    smaller = ((covered > alpha) if swap else (covered < alpha)).astype(float)
    sums = smaller[:, ::-1].cumsum(axis=1)[:, ::-1]
    following = {
        "all": sums - smaller,
        "own": sums,
        "next": np.concatenate([smaller[:, 1:], 0 * smaller[:, :1]], axis=1),
        "before": np.cumsum(smaller, axis=1) - smaller,
        "none": 0.0,
    }[later]
    dalpha = direct * ((alpha > covered) if swap else (alpha < covered)) + following
    if not softmax:
        return price, dalpha * real[:, None]
    de = alpha * (dalpha - (alpha * dalpha).sum(axis=-1, keepdims=True))
    return price, de / (e.shape[1] if mean else 1)


MUTANTS = {
    "attend.entropy": (
        Mutant(lambda *a: entropy(*a, base=np.log(2)), 0, "natural one"),
        Mutant(lambda *a: entropy(*a, sign=-1), 0, "never negative"),
        Mutant(lambda *a: entropy(*a, mean=True), 1, "no mean"),
        Mutant(lambda *a: entropy(*a, part="weights"), 1, "gradient of the weights"),
        Mutant(lambda *a: entropy(*a, part="diagonal"), 1, "second part"),
        Mutant(lambda *a: entropy(*a, part="no weight"), 1, "(softmax-jacobian)"),
        Mutant(lambda *a: entropy(*a, part="mean"), 1, "(softmax-jacobian)"),
        Mutant(lambda *a: entropy(*a, up=False), 1, "times deta"),
        Mutant(lambda *a: entropy(*a, masked="after"), 1, "there is nothing"),
        Mutant(lambda *a: entropy(*a, naive=True), 1, "0 ln 0 is 0"),
        Mutant(lambda *a: entropy(*a, floor=1e-4), 0, "(softmax-jacobian)"),
        Mutant(lambda *a: entropy(*a, shifted=False), 2, "taken from all scores"),
        Mutant(lambda *a: entropy(*a, fallback="nan"), 2, "0 ln 0 is 0"),
        Mutant(lambda e, m, d: entropy(e, prefix(m), d), 1, "there is nothing"),
        Mutant(lambda e, m, d: entropy(e, between(m), d), 1, "there is nothing"),
        Mutant(lambda e, m, d: entropy(e, np.broadcast_to(m[:, :1], m.shape), d), 1, "is nothing"),
        Mutant(lambda e, m, d: entropy(np.clip(e, -50, 50), m, d), 2, "taken from all scores"),
        Mutant(
            lambda e, m, d: entropy(e - e.max(-1, keepdims=True), m, d, shifted=False), 2, "is 0"
        ),
        Mutant(lambda e, m, d: entropy(e, m, d[:, :1] + 0 * d), 1, "times deta"),
        Mutant(only(lambda e, m, d: e.shape[2] == 5, entropy), 0, "The weights come first"),
        Mutant(only(lambda e, m, d: e.shape[1] > 1, entropy), 1, "The weights come first"),
        Mutant(only(lambda e, m, d: e.shape[2] > 1, entropy), 1, "The weights come first"),
        Mutant(only(lambda e, m, d: e.size < 1e4, entropy), 2, "(softmax-jacobian)"),
        Mutant(constant, 0, "The weights come first"),
        Mutant(nan, 0, "0 ln 0 is 0"),
    ),
    "attend.grow": (
        Mutant(lambda one, other: one & other, 1, "near a link"),
        Mutant(lambda one, other: one | other, 0, "Where nothing touches"),
        Mutant(lambda one, other: one, 0, "Where nothing touches"),
        Mutant(lambda *a: grown(*a, free="all"), 1, "is enough"),
        Mutant(lambda *a: grown(*a, free="no"), 1, "is needed"),
        Mutant(lambda *a: grown(*a, free="target"), 1, "a free word"),
        Mutant(lambda *a: grown(*a, free="source"), 1, "a free word"),
        Mutant(lambda *a: grown(*a, corners=False), 1, "by a corner"),
        Mutant(lambda *a: grown(*a, wrap=True), 0, "do not touch"),
        Mutant(lambda *a: grown(*a, once=False), 1, "judged by the links before"),
        Mutant(lambda *a: grown(*a, rounds=1), 2, "go on"),
        Mutant(lambda *a: grown(*a, rounds=2), 2, "Two rounds may not be enough"),
        Mutant(lambda one, other: grown(other, one & other), 1, "in either direction"),
        Mutant(lambda one, other: grown(one, one & other), 1, "in either direction"),
        Mutant(lambda one, other: grown(one, other) | (one & other)[::-1], 0, "nothing touches"),
        Mutant(only(lambda one, other: one.shape[0] <= one.shape[1], grown), 0, "nothing touches"),
        Mutant(only(lambda one, other: one.shape[0] >= one.shape[1], grown), 0, "nothing touches"),
        Mutant(only(lambda one, other: one.shape == (7, 9), grown), 0, "nothing touches"),
        Mutant(only(lambda one, other: (one & other).any(), grown), 2, "nothing touches"),
        Mutant(only(lambda one, other: min(one.shape) > 1, grown), 2, "nothing touches"),
        Mutant(constant, 0, "Where nothing touches"),
        Mutant(nan, 0, "Where nothing touches"),
    ),
    "attend.local": (
        Mutant(lambda *a: local(*a, first=0), 0, "Positions count from 1"),
        Mutant(lambda *a: local(*a, length="longest"), 0, "of its own row"),
        Mutant(lambda *a: local(*a, width=1.0), 0, "half of D"),
        Mutant(lambda *a: local(*a, window=False), 0, "over the window alone"),
        Mutant(lambda *a: local(*a, masked=False), 0, "over the window alone"),
        Mutant(lambda *a: local(*a, again=True), 0, "not normalized"),
        Mutant(lambda *a: local(*a, mixed=True), 3, "multiplied by the bell"),
        Mutant(lambda *a: local(*a, bell_in_sum=False), 3, "multiplied by the bell"),
        Mutant(lambda *a: local(*a, plain_v=True), 3, "(attention-dv)"),
        Mutant(lambda *a: local(*a, slope="none"), 2, "gradient of the place"),
        Mutant(lambda *a: local(*a, slope="no length"), 2, "times the length"),
        Mutant(lambda *a: local(*a, sign=-1), 2, "moves right"),
        Mutant(lambda *a: local(*a, power=0), 2, "exponent of the bell"),
        Mutant(lambda *a: local(*a, shifted=False), 0, "over the window alone"),
        Mutant(lambda *a: local(*a, most=50), 0, "over the window alone"),
        Mutant(lambda *a: local(*a, inside=False), 0, "over the window alone"),
        Mutant(lambda e, v, z, n, D, dy: local(e, v, z, n, 2.6, dy), 0, "half of D is its width"),
        Mutant(lambda e, v, z, n, D, dy: local(e, v, z, n, round(D), dy), 0, "half of D"),
        Mutant(lambda e, v, z, n, D, dy: local(e, v, np.clip(z, -3, 3), n, D, dy), 0, "alone"),
        Mutant(lambda e, v, z, n, D, dy: local(e, v, z, n[:1] + 0 * n, D, dy), 0, "alone"),
        Mutant(only(lambda e, v, z, n, D, dy: e.shape[2] == 9, local), 0, "window alone"),
        Mutant(only(lambda e, v, z, n, D, dy: len(e) == 2, local), 0, "window alone"),
        Mutant(only(lambda e, v, z, n, D, dy: v.shape[2] == 3, local), 0, "window alone"),
        Mutant(only(lambda e, v, z, n, D, dy: n.min() > 1, local), 0, "window alone"),
        Mutant(only(lambda e, v, z, n, D, dy: e.size < 1e4, local), 0, "window alone"),
        Mutant(constant, 0, "over the window alone"),
        Mutant(nan, 0, "exponent of the bell"),
    ),
    "attend.coverage": (
        Mutant(lambda *a: cover(*a, masked=False), 0, "Padding must have no weight"),
        Mutant(lambda *a: cover(*a, own=True), 0, "without its own"),
        Mutant(lambda *a: cover(*a, mean=True), 0, "everything summed"),
        Mutant(lambda *a: cover(*a, later="none"), 1, "every later step"),
        Mutant(lambda *a: cover(*a, later="next"), 2, "Not only the next step"),
        Mutant(lambda *a: cover(*a, later="own"), 1, "and only there"),
        Mutant(lambda *a: cover(*a, later="before"), 1, "all later steps"),
        Mutant(lambda *a: cover(*a, direct=False), 1, "and only there"),
        Mutant(lambda *a: cover(*a, swap=True), 1, "which side is smaller"),
        Mutant(lambda *a: cover(*a, softmax=False), 1, "there is a softmax"),
        Mutant(lambda *a: cover(*a, shifted=False), 0, "Weights by"),
        Mutant(lambda e, real: cover(np.clip(e, -50, 50), real), 0, "all later steps"),
        Mutant(lambda e, real: cover(e, prefix(real)), 0, "Weights by"),
        Mutant(lambda e, real: cover(e, between(real)), 0, "all later steps"),
        Mutant(lambda e, real: cover(e, real[:1] | (real & False)), 0, "Weights by"),
        Mutant(only(lambda e, real: e.shape[1] in (2, 4, 5), cover), 1, "Weights by"),
        Mutant(only(lambda e, real: e.shape[2] == 5, cover), 0, "Weights by"),
        Mutant(only(lambda e, real: len(e) == 2, cover), 0, "Weights by"),
        Mutant(only(lambda e, real: e.shape[1] > 1, cover), 1, "Weights by"),
        Mutant(only(lambda e, real: e.size < 1e4, cover), 1, "all later steps"),
        Mutant(constant, 0, "Weights by"),
        Mutant(nan, 0, "all later steps"),
    ),
}

PROBES = {  # what stands beside the gradients is one, too: of a factor in front of it
    "attend.entropy": Probe(
        lambda e, allowed, deta: {"eta": 0 * deta, "e": e},
        lambda at, e, allowed, deta: np.sum(
            CHECKS["spread"](at["e"], allowed) * (deta + at["eta"])
        ),
        lambda found: (found["eta"], found["e"]),
    ),
    "attend.local": Probe(
        lambda e, v, z, n, D, dy: {"y": 0 * dy, "e": e, "v": v, "z": z},
        lambda at, e, v, z, n, D, dy: CHECKS["window_loss"](at, n, D, dy + at["y"]),
    ),
    "attend.coverage": Probe(
        lambda e, real: {"price": np.zeros(len(e)), "e": e},
        lambda at, e, real: np.sum(CHECKS["cover_prices"](at["e"], real) * (1 + at["price"])),
        lambda found: (found["price"], found["e"]),
    ),
}
