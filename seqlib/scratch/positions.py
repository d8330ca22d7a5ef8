"""The ways to tell a Transformer where a symbol stands, under one signature: a model takes any.

    init(rng, D, dtype)               -> params, "positions.*", or none
    forward(params, x)                -> y, cache          before the first layer
    backward(dy, cache)               -> dx, grads
    scores(T, D, heads, dtype)        -> bias, angles      for the self-attention of every layer

What is not needed is None.  The formulas: `positional`.
B batch, T steps, D features.
"""

from typing import Any, NamedTuple

from seqlib.scratch import positional
from seqlib.scratch.params import prefixed, sub


class Positions(NamedTuple):
    name: str
    init: Any
    forward: Any
    backward: Any
    scores: Any
    learned: bool = False  # whether it has parameters


def no_params(rng, D, dtype):
    return {}


def as_it_is(params, x):
    return x, None


def passed_on(dy, cache):
    return dy, {}


def no_scores(T, D, heads, dtype):
    return None, None


def sinusoids_added(params, x):
    return x + positional.sinusoidal(*x.shape[1:], x.dtype), None


def biased(T, D, heads, dtype):
    return positional.alibi_bias(heads, T, dtype), None


def turned(T, D, heads, dtype):
    return None, positional.rotary_angles(T, D // heads)


NO_POSITIONS = Positions("none", no_params, as_it_is, passed_on, no_scores)
SINUSOIDAL = Positions("sinusoidal", no_params, sinusoids_added, passed_on, no_scores)
ALIBI = Positions("alibi", no_params, as_it_is, passed_on, biased)
ROTARY = Positions("rotary", no_params, as_it_is, passed_on, turned)


def learned(most):
    """Positions with a learned vector for each of `most` places: no row may be longer."""

    def init(rng, D, dtype):
        return prefixed("positions", positional.learned_init(rng, most, D, dtype))

    def forward(params, x):
        return positional.learned_forward(sub(params, "positions"), x)

    def backward(dy, cache):
        dx, grads = positional.learned_backward(dy, cache)
        return dx, prefixed("positions", grads)

    return Positions("learned", init, forward, backward, no_scores, learned=True)
