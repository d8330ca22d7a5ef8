"""Wrong answers on purpose: the points that each gets, and the hint that it must trigger."""

import numpy as np
from seqlib.grading.mutants import Mutant, constant, nan
from seqlib.scratch import feed_forward, layernorm, multihead
from seqlib.scratch.params import prefixed, sub


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
        Mutant(constant, 0, "passes no norm"),
        Mutant(nan, 0, "passes no norm"),
    ),
}
