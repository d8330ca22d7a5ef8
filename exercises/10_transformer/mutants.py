"""Wrong answers on purpose: the points that each gets, and the hint that it must trigger."""

import runpy
from pathlib import Path

import numpy as np
from seqlib.grading.mutants import Mutant, Probe, constant, nan, only
from seqlib.scratch import feed_forward, layernorm, multihead
from seqlib.scratch.params import prefixed, sub

CHECKS = runpy.run_path(str(Path(__file__).with_name("checks.py")))


def packed(source, target, own=True, padding=True, causal=True, again=True, turned=False):
    def together(asks, answers):
        here = (asks > 0)[:, :, None] & (answers > 0)[:, None]
        pairs = asks[:, :, None] == answers[:, None] if own else here
        return (pairs & here if padding else pairs)[:, None]

    T, cross = target.shape[1], together(target, source)
    decoder = together(target, target)
    decoder = np.tril(decoder) if causal else decoder
    first = np.stack([[np.flatnonzero(r == i)[0] for i in r] for r in target])
    positions = np.arange(T) - (first if again else 0)
    return {
        "encoder": together(source, source),
        "decoder": decoder,
        "cross": cross.swapaxes(2, 3) if turned else cross,
        "positions": positions * (target > 0) if padding else positions,
    }


def from_one(source, target):
    found = packed(source, target)
    return {**found, "positions": (found["positions"] + 1) * (target > 0)}


def cross_causal(source, target):
    found = packed(source, target)
    return {**found, "cross": np.tril(found["cross"])}


def without_the_axis_of_heads(source, target):
    found = packed(source, target)
    return {name: a if name == "positions" else a[:, 0] for name, a in found.items()}


def padded_behind(source, target):
    """As if all padding stood behind the sentences."""

    def moved(a):
        return np.array([[*row[row > 0], *row[row == 0]] for row in a])

    return packed(moved(source), moved(target))


def since_the_padding(source, target):
    """Counts words since the last padding, not since the sentence began."""
    found, count = packed(source, target), np.zeros(len(target), int)
    places = np.zeros(target.shape, int)
    for t in range(target.shape[1]):
        places[:, t] = count * (target[:, t] > 0)
        count = (count + 1) * (target[:, t] > 0)
    return {**found, "positions": places}


def some_sentences(source, target):
    """Three of them, and no more."""
    return packed(source * (source < 4), target * (target < 4))


def in_order(source, target):
    """Numbers the target's sentences by their order in the row."""

    def counted(row):
        order = list(dict.fromkeys(int(i) for i in row if i))
        return [order.index(i) + 1 if i else 0 for i in row]

    return packed(source, np.array([counted(row) for row in target]))


def rms(
    x,
    gain,
    n,
    eps,
    dy,
    through=True,
    some=True,
    by=None,
    heard=False,
    gained=True,
    centered=False,
    add=np.sum,
    rows=(0, 1),
):
    D, some = x.shape[-1], (np.arange(x.shape[-1]) < n) | (not some)
    s = np.sqrt((x[..., :n] ** 2).sum(axis=-1, keepdims=True) / n + eps)
    x_hat, g = x / s, dy * gain
    part = (g if gained else dy) * x_hat * ((np.arange(D) < n) if heard else 1)
    along = part.sum(axis=-1, keepdims=True) / (D if by == "D" else n)
    dx = g - x_hat * some * along * through
    if not gained:
        dx = gain * (dy - x_hat * some * along)
    if centered:
        dx = dx - g.mean(axis=-1, keepdims=True)
    return dx / s, add(dy * x_hat, axis=rows)


def factors(U, P, ids, y, dx, dlogits, root=True, each=True, read=True, write=True, add=np.sum):
    W, D = U @ P, P.shape[1]
    dW = np.einsum("btv,btd->vd", dlogits, y) * write
    scaled = dx * (np.sqrt(D) if root else 1)
    if read and each:
        np.add.at(dW, ids, scaled)
    elif read:
        dW[ids] += scaled
    return {"U": dW @ P.T, "P": U.T @ dW, "b": add(dlogits, axis=(0, 1)), "y": dlogits @ W}


def root_of_r(U, P, ids, y, dx, dlogits):
    return factors(U, P, ids, y, dx * np.sqrt(U.shape[1] / P.shape[1]), dlogits)


def in_each_row(U, P, ids, y, dx, dlogits):
    """A word counts once in each row."""
    read = np.zeros((len(U), P.shape[1]))
    for row, part in zip(ids, dx, strict=True):
        once = np.zeros_like(read)
        once[row] += part
        read += once
    found = factors(U, P, ids, y, 0 * dx, dlogits)
    read *= np.sqrt(P.shape[1])
    return {**found, "U": found["U"] + read @ P.T, "P": found["P"] + U.T @ read}


def projected_with_the_root(U, P, ids, y, dx, dlogits):
    """The root in the read-out, too."""
    found = factors(U, P, ids, y, dx, dlogits * np.sqrt(P.shape[1]))
    return {**found, "b": dlogits.sum(axis=(0, 1))}


def layer(params, x, mask, heads, dz, alone=True, roles=3, straight="after", both=True):
    n, normed = layernorm.forward(sub(params, "norm"), x)
    _, attended = multihead.forward(sub(params, "attention"), n, n, n, mask, heads=heads)
    _, fed = feed_forward.forward(sub(params, "feed_forward"), n)
    dn, feed_grads = feed_forward.backward(dz, fed)
    arrived = dz if alone else dz + dn
    *parts, attention_grads = multihead.backward(arrived, attended)
    dn = (dn if both else 0) + sum(parts[:roles])
    inside = {"after": 0, "never": 0, "norm": dz, "twice": dz}[straight]
    dx, norm_grads = layernorm.backward(dn + inside, normed)
    return {
        "x": dx + (dz if straight in ("after", "twice") else 0),
        **prefixed("norm", norm_grads),
        **prefixed("attention", attention_grads),
        **prefixed("feed_forward", feed_grads),
    }


def broken(*given):
    return layer(*given, alone=False, roles=2, straight="norm")


def without_the_mask(params, x, mask, heads, dz):
    return layer(params, x, np.ones_like(mask), heads, dz)


def prefix(mask):
    """As many, but from the first on."""
    return np.arange(mask.shape[-1]) < mask.sum(axis=-1, keepdims=True)


MUTANTS = {
    "transformer.packed": (
        Mutant(lambda *a: packed(*a, padding=False), 0, "and is no sentence"),
        Mutant(lambda *a: packed(*a, own=False), 1, "sees its neighbor"),
        Mutant(lambda *a: packed(*a, causal=False), 2, "is causal"),
        Mutant(lambda *a: packed(*a, again=False), 2, "Positions count from 0"),
        Mutant(lambda *a: packed(*a, turned=True), 2, "the target asks"),
        Mutant(from_one, 2, "has position 0"),
        Mutant(cross_causal, 2, "the target asks"),
        Mutant(without_the_axis_of_heads, 1, "the target asks"),
        Mutant(padded_behind, 0, "and it is not 0"),
        Mutant(since_the_padding, 2, "begins again"),
        Mutant(some_sentences, 0, "and it is not 0"),
        Mutant(in_order, 2, "the target asks"),
        Mutant(lambda s, t: packed(s[:1] | (s & 0), t), 2, "and it is not 0"),
        Mutant(only(lambda s, t: t.shape[1] > s.shape[1], packed), 0, "and it is not 0"),
        Mutant(only(lambda s, t: t.shape[1] <= s.shape[1], packed), 0, "and it is not 0"),
        Mutant(only(lambda s, t: len(s) == 3, packed), 0, "and it is not 0"),
        Mutant(only(lambda s, t: t.any(axis=1).all(), packed), 0, "and it is not 0"),
        Mutant(constant, 0, "nothing later"),
        Mutant(nan, 0, "nothing later"),
    ),
    "transformer.rms": (
        Mutant(lambda *a: rms(*a, some=False), 1, "Only the features that are looked at"),
        Mutant(lambda *a: rms(*a, heard=True), 1, "is over all D"),
        Mutant(lambda *a: rms(*a, by="D"), 1, "a mean of n numbers"),
        Mutant(lambda *a: rms(*a[:2], a[0].shape[-1], *a[3:]), 1, "Derive it again"),
        Mutant(lambda *a: rms(*a, through=False), 0, "through the size"),
        Mutant(lambda *a: rms(*a, gained=False), 0, "The gain comes before"),
        Mutant(lambda *a: rms(*a, centered=True), 0, "Nothing is centered"),
        Mutant(lambda *a: rms(*a[:3], 0.0, a[4]), 0, "under the root"),
        Mutant(lambda *a: rms(*a, add=np.mean), 0, "a sum over all positions"),
        Mutant(lambda *a: rms(*a, rows=0), 0, "a sum over all positions"),
        Mutant(lambda x, g, n, eps, dy: rms(x, g, n, 0.1, dy), 0, "(layernorm-back)"),
        Mutant(lambda x, g, n, eps, dy: rms(x, g, n, min(eps, 1), dy), 0, "(layernorm-back)"),
        Mutant(lambda x, g, n, eps, dy: rms(x, g, n, max(eps, 1e-5), dy), 0, "(layernorm-back)"),
        Mutant(
            lambda x, g, n, eps, dy: rms(x, g, min(max(n, 2), len(g)), eps, dy),
            1,
            "Derive it again",
        ),
        Mutant(
            lambda x, g, n, eps, dy: rms(np.clip(x, -9, 9), g, n, eps, dy), 0, "(layernorm-back)"
        ),
        Mutant(
            lambda x, g, n, eps, dy: rms(x, g, n, eps, dy[:, :1] + 0 * dy), 0, "(layernorm-back)"
        ),
        Mutant(only(lambda x, g, n, eps, dy: eps > 0, rms), 0, "(layernorm-back)"),
        Mutant(only(lambda x, g, n, eps, dy: len(g) == 5, rms), 0, "(layernorm-back)"),
        Mutant(only(lambda x, g, n, eps, dy: n in (2, 5), rms), 0, "(layernorm-back)"),
        Mutant(only(lambda x, g, n, eps, dy: len(x) == 2, rms), 0, "(layernorm-back)"),
        Mutant(only(lambda x, g, n, eps, dy: x.any(axis=-1).all(), rms), 0, "(layernorm-back)"),
        Mutant(only(lambda x, g, n, eps, dy: x.size < 1e4, rms), 0, "(layernorm-back)"),
        Mutant(constant, 0, "(layernorm-back)"),
        Mutant(nan, 0, "(layernorm-back)"),
    ),
    "transformer.factors": (
        Mutant(lambda *a: factors(*a, each=False), 2, "also the second"),
        Mutant(lambda *a: factors(*a, root=False), 2, "the root of D"),
        Mutant(lambda *a: factors(*a, read=False), 2, "has two parts"),
        Mutant(lambda *a: factors(*a, write=False), 1, "dW and the other one"),
        Mutant(lambda *a: factors(*a, add=np.mean), 3, "A linear layer"),
        Mutant(root_of_r, 2, "also the second"),
        Mutant(
            lambda U, P, ids, y, dx, d: factors(U, P, ids, y, dx, d[:, :1] + 0 * d),
            0,
            "A linear layer",
        ),
        Mutant(lambda U, P, ids, y, dx, d: factors(U, P, ids[:1] | 0 * ids, y, dx, d), 2, "second"),
        Mutant(in_each_row, 2, "also the second"),
        Mutant(
            lambda U, P, ids, y, dx, d: factors(U, P, ids, y, 2 * dx / P.shape[1] ** 0.5, d),
            2,
            "second",
        ),
        Mutant(only(lambda U, P, ids, y, dx, d: len(U) == 6, factors), 0, "A linear layer"),
        Mutant(only(lambda U, P, ids, y, dx, d: len(P) == 2, factors), 0, "A linear layer"),
        Mutant(only(lambda U, P, ids, y, dx, d: P.shape[1] == 3, factors), 0, "A linear layer"),
        Mutant(only(lambda U, P, ids, y, dx, d: len(P) < P.shape[1], factors), 0, "A linear layer"),
        Mutant(only(lambda U, P, ids, y, dx, d: ids.shape[1] > 1, factors), 0, "A linear layer"),
        Mutant(
            only(lambda U, P, ids, y, dx, d: ids.max() < len(U) - 1, factors), 0, "A linear layer"
        ),
        Mutant(only(lambda U, P, ids, y, dx, d: U.size < 1e4, factors), 0, "A linear layer"),
        Mutant(projected_with_the_root, 0, "A linear layer"),
        Mutant(constant, 0, "A linear layer"),
        Mutant(nan, 0, "A linear layer"),
    ),
    "transformer.repair": (
        Mutant(broken, 0, "passes no norm"),
        Mutant(lambda *a: layer(*a, alone=False, roles=2), 1, "both get dz alone"),
        Mutant(lambda *a: layer(*a, alone=False), 1, "both get dz alone"),
        Mutant(lambda *a: layer(*a, roles=2), 2, "three roles"),
        Mutant(lambda *a: layer(*a, straight="norm"), 1, "passes no norm"),
        Mutant(lambda *a: layer(*a, straight="twice"), 1, "passes no norm"),
        Mutant(lambda *a: layer(*a, straight="never"), 1, "a straight way"),
        Mutant(lambda *a: layer(*a, both=False), 1, "several readers"),
        Mutant(without_the_mask, 1, "three roles"),
        Mutant(
            lambda p, x, m, heads, dz: layer(p, x, np.tri(len(m), dtype=bool), heads, dz),
            1,
            "three roles",
        ),
        Mutant(lambda p, x, m, heads, dz: layer(p, x, m & m.T, heads, dz), 1, "three roles"),
        Mutant(lambda p, x, m, heads, dz: layer(p, x, prefix(m), heads, dz), 1, "three roles"),
        Mutant(lambda p, x, m, heads, dz: layer(p, x, m, 2, dz), 1, "three roles"),
        Mutant(lambda p, x, m, heads, dz: layer(p, x, m, 1, dz), 1, "three roles"),
        Mutant(
            lambda p, x, m, heads, dz: layer(p, x, m, heads, dz[:, :1] + 0 * dz),
            0,
            "passes no norm",
        ),
        Mutant(
            lambda p, x, m, heads, dz: layer(
                {**p, "norm.bias": 0 * p["norm.bias"]}, x, m, heads, dz
            ),
            0,
            "passes no norm",
        ),
        Mutant(only(lambda p, x, m, heads, dz: x.shape[2] == 4, layer), 0, "passes no norm"),
        Mutant(only(lambda p, x, m, heads, dz: len(m) == 3, layer), 0, "passes no norm"),
        Mutant(only(lambda p, x, m, heads, dz: len(m) > 1, layer), 0, "passes no norm"),
        Mutant(only(lambda p, x, m, heads, dz: len(x) == 2, layer), 0, "passes no norm"),
        Mutant(only(lambda p, x, m, heads, dz: heads == 2, layer), 0, "passes no norm"),
        Mutant(only(lambda p, x, m, heads, dz: heads > 1, layer), 0, "passes no norm"),
        Mutant(only(lambda p, x, m, heads, dz: x.size < 1e3, layer), 0, "passes no norm"),
        Mutant(constant, 0, "passes no norm"),
        Mutant(nan, 0, "passes no norm"),
    ),
}

PROBES = {
    "transformer.rms": Probe(
        lambda x, gain, n, eps, dy: {"x": x, "gain": gain},
        lambda at, x, gain, n, eps, dy: CHECKS["rms_loss"](at, n, eps, dy),
        lambda found: (found["x"], found["gain"]),
    ),
    "transformer.factors": Probe(
        lambda U, P, ids, y, dx, dlogits: {"U": U, "P": P, "b": np.zeros(len(U)), "y": y},
        lambda at, U, P, ids, y, dx, dlogits: CHECKS["factors_loss"](at, ids, dx, dlogits),
    ),
    "transformer.repair": Probe(
        lambda params, x, mask, heads, dz: {"x": x, **params},
        lambda at, params, x, mask, heads, dz: CHECKS["layer_loss"](at, mask, heads, dz),
    ),
}
