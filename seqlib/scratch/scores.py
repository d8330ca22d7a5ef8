"""The three scores of attention under one signature, so that a model can be given any of them.

    init(rng, D_q, D_k, dtype)              -> params
    forward(params, q, k, v, mask=None)     -> y, cache
    backward(dy, cache)                     -> dq, dk, dv, grads
    weights(cache)                          -> (B, T, S)

The formulas: `multiplicative` and `additive`.
"""

from typing import Any, NamedTuple

from seqlib.scratch import additive, multiplicative


class Score(NamedTuple):
    name: str
    init: Any
    forward: Any
    backward: Any
    weights: Any
    learned: bool = True  # whether it has parameters


DOT = Score(
    "dot",
    lambda rng, D_q, D_k, dtype: {},
    lambda params, q, k, v, mask=None: multiplicative.dot_forward(q, k, v, mask),
    lambda dy, cache: (*multiplicative.dot_backward(dy, cache), {}),
    lambda cache: cache.pooled.weights,
    learned=False,
)
GENERAL = Score(
    "general",
    multiplicative.general_init,
    multiplicative.general_forward,
    multiplicative.general_backward,
    lambda cache: cache.dot.pooled.weights,
)
ADDITIVE = Score(
    "additive",
    lambda rng, D_q, D_k, dtype: additive.init(rng, D_q, D_k, D_q, dtype),
    additive.forward,
    additive.backward,
    lambda cache: cache.query.pooled.weights,
)
