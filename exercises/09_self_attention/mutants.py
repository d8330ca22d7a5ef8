"""Wrong answers on purpose: the points that each gets, and the hint that it must trigger."""

import runpy
from pathlib import Path

import numpy as np
from seqlib.grading.mutants import Mutant, Probe, constant, nan, only

CHECKS = runpy.run_path(str(Path(__file__).with_name("checks.py")))


def window(
    T, S, width, real, first=None, over=0, ahead=False, columns=True, rows=False, whole=False
):
    asks = (S - T if first is None else first) + np.arange(T)
    back = asks[:, None] - np.arange(S)
    near = (np.abs(back) < width) if ahead else (back >= 0) & (back < width + over)
    near = back >= 0 if whole else near
    mask = np.broadcast_to(near, (len(real), 1, T, S))
    mask = mask & real[:, None, None, :] if columns else mask
    return mask & real[:, None, S - T :, None] if rows else mask


def prefix(mask):
    """As many, but from the first on."""
    return np.arange(mask.shape[-1]) < mask.sum(axis=-1, keepdims=True)


def between(mask):
    """All from the first True to the last."""
    before = np.cumsum(mask, axis=-1)
    after = np.cumsum(mask[..., ::-1], axis=-1)[..., ::-1]
    return (before > 0) & (after > 0)


def merge(y, L, top="row", guard=True, weigh=np.exp, divide=True, logs="sum"):
    m = {"row": L.max(axis=0), "all": L.max(), "none": 0.0, "first": L[0]}[top]
    m = np.where(m == -np.inf, 0, m) if guard else m
    parts = weigh(L - m)
    Z = parts.sum(axis=0)
    total = (parts[..., None] * y).sum(axis=0)
    total = total / (np.where(Z > 0, Z, 1) if guard else Z)[..., None] if divide else total
    logs = {"sum": np.log(Z) + m, "max": L.max(axis=0), "add": L.sum(axis=0), "Z": np.log(Z)}[logs]
    return total, logs


def in_turn(y, L):
    """Part by part, each new one merged with a half."""
    total, logs = y[0], L[0]
    for other, new in zip(y[1:], L[1:], strict=True):
        total, logs = (total + other) / 2, np.logaddexp(logs, new)
    return total, logs


def relative(
    q,
    k,
    v,
    a,
    dy,
    size=None,
    shifted=True,
    sign=1,
    scale=True,
    add=True,
    table=True,
    mean=True,
    clip=True,
    over="sum",
):
    T, K = q.shape[1:]
    c, places = len(a) // 2 if size is None else size, np.arange(T)
    far = sign * (places - places[:, None])
    row = np.clip(far, -c, c) + c
    keys = k[:, None] + a[row]
    e = np.einsum("btk,btsk->bts", q, keys) / K**0.5
    alpha = np.exp(e - (e.max(axis=2, keepdims=True) if shifted else 0))
    alpha /= alpha.sum(axis=2, keepdims=True)
    dalpha = dy @ v.swapaxes(1, 2)
    de = alpha * (dalpha - (alpha * dalpha).sum(axis=2, keepdims=True) * mean)
    de = de / K**0.5 if scale else de
    pairs = np.einsum("bts,btk->tsk", de, q) / (len(q) if over == "mean" else 1)
    pairs = pairs if clip else pairs * (np.abs(far) <= c)[..., None]
    da = np.zeros_like(a)
    if add:
        np.add.at(da, row, pairs)
    else:
        da[row] += pairs
    dq = np.einsum("bts,btsk->btk", de, keys if table else np.broadcast_to(k[:, None], keys.shape))
    return {"q": dq, "k": de.swapaxes(1, 2) @ q, "v": alpha.swapaxes(1, 2) @ dy, "a": da}


def without_the_table(q, k, v, a, dy):
    found = relative(q, k, v, 0 * a, dy)
    return {**found, "a": relative(q, k, v, a, dy)["a"]}


def grouped(
    q, k, v, mask, dy, shifted=True, beside=True, add=np.sum, first=False, masked=True, guard=True
):
    (B, N, T, K), (G, S) = q.shape, k.shape[1:3]
    own = np.arange(N) * G // N if beside else np.arange(N) % G
    keys, values = k[:, own], v[:, own]
    e = q @ keys.swapaxes(2, 3) / K**0.5
    e = np.where(mask, e, -np.inf) if masked else e
    top = e.max(axis=3, keepdims=True)
    alpha = np.exp(e - (np.where(np.isfinite(top), top, 0) if guard else top) * shifted)
    Z = alpha.sum(axis=3, keepdims=True)
    alpha /= np.where(Z > 0, Z, 1) if guard else Z
    dalpha = dy @ values.swapaxes(2, 3)
    de = alpha * (dalpha - (alpha * dalpha).sum(axis=3, keepdims=True)) / K**0.5
    dk, dv = de.swapaxes(2, 3) @ q, alpha.swapaxes(2, 3) @ dy
    heads = [np.flatnonzero(own == g)[: 1 if first else None] for g in range(G)]
    dk, dv = (np.stack([add(d[:, h], axis=1) for h in heads], axis=1) for d in (dk, dv))
    return {"q": de @ keys, "k": dk, "v": dv}


def forward_beside_backward_not(q, k, v, mask, dy):
    (B, N), (G, S) = q.shape[:2], k.shape[1:3]
    all_heads = grouped(q, np.repeat(k, N // G, 1), np.repeat(v, N // G, 1), mask, dy)
    return {
        "q": all_heads["q"],
        **{c: all_heads[c].reshape(B, N // G, G, S, -1).sum(axis=1) for c in "kv"},
    }


MUTANTS = {
    "self_attention.window": (
        Mutant(lambda *a: window(*a, first=0), 1, "are the last T of the S"),
        Mutant(lambda *a: window(*a, over=1), 0, "Count with width 1"),
        Mutant(lambda *a: window(*a, over=-1), 0, "distance back"),
        Mutant(lambda *a: window(*a, ahead=True), 0, "A window looks back"),
        Mutant(lambda *a: window(*a, whole=True), 0, "distance back"),
        Mutant(lambda *a: window(*a, columns=False), 2, "ignores the padding"),
        Mutant(lambda *a: window(*a, columns=False, rows=True), 2, "each example its own"),
        Mutant(lambda *a: window(*a, rows=True), 2, "not its rows"),
        Mutant(lambda *a: ~window(*a), 0, "True means"),
        Mutant(lambda *a: window(*a)[:, 0], 0, "taken for the heads"),
        Mutant(lambda *a: window(*a[:3], a[3][:1] | (a[3] & False)), 2, "each example its own"),
        Mutant(lambda *a: window(*a[:3], prefix(a[3])), 2, "each example its own"),
        Mutant(lambda *a: window(*a[:3], between(a[3])), 2, "each example its own"),
        Mutant(lambda *a: window(*a[:3], np.sort(a[3], axis=1)), 2, "each example its own"),
        Mutant(lambda T, S, width, real: window(T, S, 4, real), 0, "stands behind"),
        Mutant(
            lambda T, S, width, real: window(T, S, max(width, 2), real), 0, "Count with width 1"
        ),
        Mutant(lambda T, S, width, real: window(T, S, min(width, T), real), 1, "stands behind"),
        Mutant(lambda T, S, width, real: window(T, S, min(width, S - 1), real), 0, "back"),
        Mutant(only(lambda T, S, width, real: T > 1, window), 0, "distance back"),
        Mutant(only(lambda T, S, width, real: len(real) == 2, window), 0, "distance back"),
        Mutant(only(lambda T, S, width, real: width <= S, window), 0, "distance back"),
        Mutant(only(lambda T, S, width, real: real.any(axis=1).all(), window), 2, "its own"),
        Mutant(constant, 0, "distance back"),
        Mutant(nan, 0, "distance back"),
    ),
    "self_attention.merge": (
        Mutant(lambda *a: merge(*a, top="none"), 1, "No exponent may be above 0"),
        Mutant(lambda *a: merge(*a, top="all"), 1, "a largest one of its own"),
        Mutant(lambda *a: merge(*a, top="first"), 1, "No exponent may be above 0"),
        Mutant(lambda *a: merge(*a, guard=False), 1, "-inf less -inf"),
        Mutant(lambda *a: merge(*a, top="none", divide=False), 0, "divide by that of all"),
        Mutant(lambda *a: merge(*a, weigh=np.ones_like), 0, "do not weigh the same"),
        Mutant(lambda *a: merge(*a, top="none", weigh=lambda L: L, guard=False), 0, "undo it"),
        Mutant(lambda *a: merge(*a, logs="max"), 0, "not the largest"),
        Mutant(lambda *a: merge(*a, logs="add"), 0, "Logarithms do not add"),
        Mutant(lambda *a: merge(*a, logs="Z"), 0, "(online-sum) and (online-output)"),
        Mutant(in_turn, 0, "do not weigh the same"),
        Mutant(lambda y, L: merge(y[:2], L[:2]), 0, "(online-sum) and (online-output)"),
        Mutant(lambda y, L: merge(y, np.clip(L, -700, 700)), 1, "No exponent may be above 0"),
        Mutant(lambda y, L: merge(y, np.maximum(L, -3000)), 1, "No exponent may be above 0"),
        Mutant(lambda y, L: merge(y, np.minimum(L, 3000)), 1, "No exponent may be above 0"),
        Mutant(lambda y, L: merge(y, L[:, :1] + 0 * L), 0, "(online-sum) and (online-output)"),
        Mutant(lambda y, L: merge(y, L[:, :, :1] + 0 * L), 0, "(online-sum) and (online-output)"),
        Mutant(only(lambda y, L: len(y) > 1, merge), 0, "(online-sum) and (online-output)"),
        Mutant(only(lambda y, L: len(y) in (2, 5), merge), 0, "(online-sum) and (online-output)"),
        Mutant(only(lambda y, L: y.shape[3] == 4, merge), 0, "(online-sum) and (online-output)"),
        Mutant(only(lambda y, L: y.shape[1] == 2, merge), 0, "(online-sum) and (online-output)"),
        Mutant(constant, 0, "(online-sum) and (online-output)"),
        Mutant(nan, 0, "(online-sum) and (online-output)"),
    ),
    "self_attention.relative": (
        Mutant(lambda *a: relative(*a, sign=-1), 0, "key less query"),
        Mutant(lambda *a: relative(*a, table=False), 3, "its gradient (attention-dq) has both"),
        Mutant(lambda *a: relative(*a, add=False), 2, "of all pairs at its distance"),
        Mutant(lambda *a: relative(*a, clip=False), 2, "of all pairs at its distance"),
        Mutant(lambda *a: relative(*a, over="mean"), 2, "in all examples"),
        Mutant(lambda *a: relative(*a, scale=False), 0, "One root of K is missing"),
        Mutant(lambda *a: relative(*a, mean=False), 0, "(attention-dv) and (attention-dq)"),
        Mutant(
            lambda *a: relative(*a, size=min(2, len(a[3]) // 2)),
            0,
            "(attention-dv) and (attention-dq)",
        ),
        Mutant(lambda *a: relative(*a, shifted=False), 0, "(attention-dv) and (attention-dq)"),
        Mutant(
            lambda q, *a: relative(np.clip(q, -9, 9), *a), 0, "(attention-dv) and (attention-dq)"
        ),
        Mutant(
            lambda q, k, v, a, dy: relative(q, k, v, a, dy[:, :1] + 0 * dy),
            0,
            "(attention-dv) and (attention-dq)",
        ),
        Mutant(
            only(lambda q, k, v, a, dy: len(a) == 5 and q.shape[1] > 2, relative),
            0,
            "(attention-dv) and (attention-dq)",
        ),
        Mutant(
            only(lambda q, k, v, a, dy: len(a) > 1, relative),
            0,
            "(attention-dv) and (attention-dq)",
        ),
        Mutant(
            only(lambda q, k, v, a, dy: len(a) < 2 * q.shape[1], relative),
            0,
            "(attention-dv) and (attention-dq)",
        ),
        Mutant(
            only(lambda q, k, v, a, dy: q.shape[1] > 1, relative),
            0,
            "(attention-dv) and (attention-dq)",
        ),
        Mutant(
            only(lambda q, k, v, a, dy: q.shape[2] == v.shape[2], relative),
            0,
            "(attention-dv) and (attention-dq)",
        ),
        Mutant(
            only(lambda q, k, v, a, dy: len(q) == 2, relative),
            0,
            "(attention-dv) and (attention-dq)",
        ),
        Mutant(
            only(lambda q, k, v, a, dy: v.size < 1e4, relative),
            0,
            "(attention-dv) and (attention-dq)",
        ),
        Mutant(without_the_table, 2, "its gradient (attention-dq) has both"),
        Mutant(constant, 0, "of all pairs at its distance"),
        Mutant(nan, 0, "of all pairs at its distance"),
    ),
    "self_attention.grouped": (
        Mutant(lambda *a: grouped(*a, beside=False), 2, "1, 1, 2, 2"),
        Mutant(forward_beside_backward_not, 2, "Which head reads which group"),
        Mutant(lambda *a: grouped(*a, add=np.mean), 1, "gets their sum"),
        Mutant(lambda *a: grouped(*a, first=True), 1, "gets their sum"),
        Mutant(lambda *a: grouped(*a, masked=False), 0, "The mask is not used"),
        Mutant(lambda *a: grouped(*a, guard=False), 2, "weights of 0"),
        Mutant(lambda *a: grouped(*a, shifted=False), 0, "for each."),
        Mutant(lambda q, *a: grouped(np.clip(q, -9, 9), *a), 0, "for each."),
        Mutant(lambda q, k, v, m, dy: grouped(q, k, v, prefix(m), dy), 0, "for each."),
        Mutant(lambda q, k, v, m, dy: grouped(q, k, v, between(m), dy), 0, "Which head reads"),
        Mutant(lambda q, k, v, m, dy: grouped(q, k, v, np.tril(m | True), dy), 0, "for each."),
        Mutant(lambda q, k, v, m, dy: grouped(q, k, v, m, dy[:, :1] + 0 * dy), 0, "for each."),
        Mutant(only(lambda q, k, v, m, dy: q.shape[1] == 4, grouped), 0, "for each."),
        Mutant(only(lambda q, k, v, m, dy: q.shape[1] in (1, 2, 4), grouped), 0, "for each."),
        Mutant(
            only(lambda q, k, v, m, dy: q.shape[1] // k.shape[1] != 3, grouped), 1, "weights of 0"
        ),
        Mutant(only(lambda q, k, v, m, dy: m.shape == (3, 5), grouped), 0, "for each."),
        Mutant(only(lambda q, k, v, m, dy: q.shape[2] > 1, grouped), 0, "for each."),
        Mutant(only(lambda q, k, v, m, dy: q.shape[3] == 2, grouped), 0, "for each."),
        Mutant(only(lambda q, k, v, m, dy: len(q) == 2, grouped), 0, "for each."),
        Mutant(only(lambda q, k, v, m, dy: v.size < 1e4, grouped), 0, "for each."),
        Mutant(constant, 0, "(attention-dv), (attention-de), (attention-dq)"),
        Mutant(nan, 0, "(attention-dv), (attention-de), (attention-dq)"),
    ),
}

PROBES = {
    "self_attention.relative": Probe(
        lambda q, k, v, a, dy: {"q": q, "k": k, "v": v, "a": a},
        lambda at, q, k, v, a, dy: CHECKS["relative_loss"](at, dy),
    ),
    "self_attention.grouped": Probe(
        lambda q, k, v, mask, dy: {"q": q, "k": k, "v": v},
        lambda at, q, k, v, mask, dy: CHECKS["grouped_loss"](at, mask, dy),
    ),
}
