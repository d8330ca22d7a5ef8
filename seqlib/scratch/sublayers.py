"""What a Transformer layer is made of: attention and the feed-forward network, each with dropout.

Their parameters are those of the whole layer, of which each takes its own: "self_attention.*",
"cross_attention.*", "feed_forward.*".  Between them stand the norms, before or after the sum:
`encoder_layer`, `decoder_layer`.
"""

from typing import Any, NamedTuple

from seqlib.scratch import dropout, feed_forward, multihead
from seqlib.scratch.params import prefixed, sub


class Cache(NamedTuple):
    layer: Any  # that of multihead or feed_forward; of multihead, layer.heads.weights (B, N, T, S)
    dropped: dropout.Cache


def self_attention_forward(params, x, mask, bias, heads, angles, rate, rng):
    """What each position of x (B, T, D) gathers from the others.  Returns y (B, T, D), a cache."""
    own = sub(params, "self_attention")
    y, cache = multihead.forward(own, x, x, x, mask, bias, heads=heads, angles=angles)
    y, dropped = dropout.forward(y, rate, rng)
    return y, Cache(cache, dropped)


def self_attention_backward(dy, cache):
    """Returns dx (B, T, D), the sum over its parts as query, key and value, and grads."""
    dq, dk, dv, grads = multihead.backward(dropout.backward(dy, cache.dropped), cache.layer)
    dq += dk
    dq += dv
    return dq, prefixed("self_attention", grads)


def cross_attention_forward(params, x, source, mask, heads, rate, rng):
    """What each position of x (B, T, D) gathers from source (B, S, D_s).  Returns y, a cache."""
    own = sub(params, "cross_attention")
    y, cache = multihead.forward(own, x, source, source, mask, heads=heads)
    y, dropped = dropout.forward(y, rate, rng)
    return y, Cache(cache, dropped)


def cross_attention_backward(dy, cache):
    """Returns dx (B, T, D), dsource (B, S, D_s), its parts as key and value together, and grads."""
    dx, dk, dv, grads = multihead.backward(dropout.backward(dy, cache.dropped), cache.layer)
    return dx, dk + dv, prefixed("cross_attention", grads)


def feed_forward_forward(params, x, rate, rng):
    """The same network at each position of x (B, T, D).  Returns y (B, T, D), a cache."""
    y, cache = feed_forward.forward(sub(params, "feed_forward"), x)
    y, dropped = dropout.forward(y, rate, rng)
    return y, Cache(cache, dropped)


def feed_forward_backward(dy, cache):
    """Returns dx (B, T, D) and grads."""
    dx, grads = feed_forward.backward(dropout.backward(dy, cache.dropped), cache.layer)
    return dx, prefixed("feed_forward", grads)
