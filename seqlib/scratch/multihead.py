"""Multi-head attention: N attentions side by side, each in a narrower space of its own.

    (multihead-heads)    q_t^n = W_q^n q_t + b_q^n,   and so k_s^n and v_s^n
    (multihead-output)   y_t = W_o [y_t^1; ...; y_t^N] + b_o,   y^n = attention(q^n, k^n, v^n)

W_q^n are K rows of W_q, those of head n.  Self-attention has q = k = v; in cross-attention k and v
are another sequence.  b_k adds the same number to all scores of a row, which the softmax removes:
it has no effect, and no gradient, unless the keys are turned (rotary).
Source: Vaswani et al., Attention is all you need, 2017, section 3.2.2.
Formulas: chapters/09_self_attention.ipynb.
B batch, T queries, S positions to attend to, D features, N heads of K features each.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import attention, checks, linear, positional
from seqlib.scratch.shapes import Shapes

SHAPES = Shapes(
    "multihead",
    "W_q (Q, D), W_k (Q, S), W_v (V, S_v), W_o (O, V), b_q (Q,), b_k (Q,), b_v (V,), b_o (O,)",
)


class Cache(NamedTuple):
    q: linear.Cache  # of the three projections
    k: linear.Cache
    v: linear.Cache
    turns: positional.RotaryCache | None
    heads: attention.Cache  # its weights are (B, N, T, S)
    o: linear.Cache  # its x is (B, T, N K), the heads' outputs side by side


def init(rng, D, source=None, dtype=np.float64):
    """Weights uniform within sqrt(6 / (in + out)), after Glorot and Bengio (2010); biases 0.

    D       features of the queries and of the output
    source  features of keys and values; None means D

    Returns W_q (D, D), W_k and W_v (D, source), W_o (D, D) and b_q, b_k, b_v, b_o (D,).
    """
    source = D if source is None else source
    checks.sizes(D=D, source=source)
    params = {}
    for name, width in (("q", D), ("k", source), ("v", source), ("o", D)):
        bound = (6 / (width + D)) ** 0.5
        params[f"W_{name}"] = rng.uniform(-bound, bound, (D, width)).astype(dtype)
        params[f"b_{name}"] = np.zeros(D, dtype)
    return params


def forward(params, q, k, v, mask=None, bias=None, *, heads, angles=None):
    """Each head attends with its own projections; their outputs are joined and mixed.

    params  W_q, W_k, W_v, W_o and b_q, b_k, b_v, b_o
    q       (B, T, D)
    k, v    (B, S, source)
    mask    boolean, of 2 or 4 axes, broadcasts to (B, N, T, S): True where attending is allowed
    bias    added to the scores, broadcasts to (B, N, T, S); a constant
    heads   N, a divisor of the rows of W_q and of W_v
    angles  (T, K / 2) by which rotary turns the heads' queries and keys, in self-attention; None
            turns nothing

    Returns y (B, T, D) and a cache.
    Raises ValueError if a shape or dtype does not fit, or heads is no divisor.
    """
    SHAPES.check(params)
    check_mask(mask)
    checks.sizes(heads=heads)
    found, caches = {}, {}
    for name, x in {"q": q, "k": k, "v": v}.items():
        own = named(params, name)
        x = checks.floats(name, x, params)
        checks.sequences(name, x, f"W_{name}", own["W"])
        if len(own["W"]) % heads:
            raise ValueError(f"W_{name} has {len(own['W'])} rows; {heads} heads do not divide them")
        projected, caches[name] = linear.forward(own, x)  # (multihead-heads)
        found[name] = split(projected, heads)
    turns = None
    if angles is not None:
        found["q"], turns = positional.rotary_forward(found["q"], angles)
        found["k"], _ = positional.rotary_forward(found["k"], angles)
    y, attended = attention.forward(**found, mask=mask, bias=bias)
    y, joined = linear.forward(named(params, "o"), join(y))  # (multihead-output)
    return y, Cache(**caches, turns=turns, heads=attended, o=joined)


def backward(dy, cache):
    """Gradients of multi-head attention: the lines of `forward`, last to first.

    dy  (B, T, D)

    Returns dq (B, T, D), dk and dv (B, S, source), and grads, keyed and shaped like params.  Where
    q, k and v were one array, its gradient is the sum of the three.
    """
    djoined, own = linear.backward(dy, cache.o)  # (multihead-output)
    grads_o = {"W_o": own["W"], "b_o": own["b"]}
    N = cache.heads.q.shape[1]
    dheads = dict(zip("qkv", attention.backward(split(djoined, N), cache.heads), strict=True))
    if cache.turns is not None:
        for name in "qk":
            dheads[name] = positional.rotary_backward(dheads[name], cache.turns)
    dinputs, grads = {}, {}
    for name, dhead in dheads.items():
        dinputs[name], own = linear.backward(join(dhead), getattr(cache, name))  # (multihead-heads)
        grads |= {f"W_{name}": own["W"], f"b_{name}": own["b"]}
    return *dinputs.values(), grads | grads_o


def named(params, name):
    return {"W": params[f"W_{name}"], "b": params[f"b_{name}"]}


def split(a, heads):
    """(B, T, N K) seen as (B, N, T, K)."""
    B, T, width = a.shape
    return a.reshape(B, T, heads, width // heads).swapaxes(1, 2)


def join(a):
    """The inverse of `split`, as a new array."""
    B, N, T, K = a.shape
    return a.swapaxes(1, 2).reshape(B, T, N * K)


def check_mask(mask):
    """Raises ValueError for a mask of 3 axes, which NumPy would take for (N, T, S)."""
    if mask is not None and np.ndim(mask) == 3:
        raise ValueError(
            "the mask has 3 axes; expected 2, (T, S), or 4, (B, N, T, S), with 1 for all alike"
        )
