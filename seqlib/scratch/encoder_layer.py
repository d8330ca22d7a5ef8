"""A layer of the Transformer's encoder: self-attention, then a feed-forward network.

Each is added to what it reads, and there is a norm after the sum or before:

    (post-norm-self)   z = self_norm(x + self_attention(x))
    (post-norm-feed)   z = feed_norm(x + feed_forward(x))
    (pre-norm-self)    z = x + self_attention(self_norm(x))
    (pre-norm-feed)    z = x + feed_forward(feed_norm(x))

x is what each of them reads: the first the layer's input, the next what the one before gave.
Under a causal mask it is the layer of a decoder-only model.  A stack of pre-norm layers needs one
more norm at its end.
Sources: Vaswani et al., Attention is all you need, 2017; the norm before: Xiong et al., On layer
normalization in the Transformer architecture, 2020.  Formulas: chapters/10_transformer.ipynb.
B batch, T steps, D features, H hidden units of the feed-forward network, N heads.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import feed_forward, layernorm, multihead, sublayers
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.shapes import check_layers

LAYERS = ("self_attention", "self_norm", "feed_forward", "feed_norm")


class Cache(NamedTuple):
    self_attention: sublayers.Cache  # its layer.heads.weights are (B, N, T, T)
    self_norm: layernorm.Cache
    feed_forward: sublayers.Cache
    feed_norm: layernorm.Cache


def init(rng, D, H, dtype=np.float64):
    """Parameters: "self_attention.*", "self_norm.*", "feed_forward.*", "feed_norm.*"."""
    return {
        **prefixed("self_attention", multihead.init(rng, D, dtype=dtype)),
        **prefixed("self_norm", layernorm.init(rng, D, dtype)),
        **prefixed("feed_forward", feed_forward.init(rng, D, H, dtype)),
        **prefixed("feed_norm", layernorm.init(rng, D, dtype)),
    }


def post_norm_forward(params, x, mask=None, bias=None, *, heads, angles=None, rate=0.0, rng=None):
    """The layer with its norms after the sums, as published.

    params  those of `init`
    x       (B, T, D)
    mask    boolean, (T, T) or of 4 axes, broadcasts to (B, N, T, T): True where t may attend to s
    bias    added to the scores, broadcasts to (B, N, T, T); a constant
    heads   N, a divisor of D
    angles  (T, D / N / 2) of rotary positions, or None
    rate    of the dropout after self-attention and after the feed-forward network
    rng     for the dropout; None, as outside of training, drops nothing

    Returns y (B, T, D) and a cache.  Raises ValueError if a shape or dtype does not fit.
    """
    check_layers(params, *LAYERS)
    y, attended = sublayers.self_attention_forward(params, x, mask, bias, heads, angles, rate, rng)
    z, self_normed = layernorm.forward(sub(params, "self_norm"), x + y)  # (post-norm-self)
    y, fed = sublayers.feed_forward_forward(params, z, rate, rng)
    y, feed_normed = layernorm.forward(sub(params, "feed_norm"), z + y)  # (post-norm-feed)
    return y, Cache(attended, self_normed, fed, feed_normed)


def post_norm_backward(dy, cache):
    """Gradients of the layer with its norms after the sums.

    dy  (B, T, D)

    Returns dx (B, T, D) and grads, keyed and shaped like params.
    """
    dsum, feed_norm = layernorm.backward(dy, cache.feed_norm)
    dz, fed = sublayers.feed_forward_backward(dsum, cache.feed_forward)
    dz += dsum  # (post-norm-feed), z has two ways to y
    dsum, self_norm = layernorm.backward(dz, cache.self_norm)
    dx, attended = sublayers.self_attention_backward(dsum, cache.self_attention)
    dx += dsum  # (post-norm-self)
    return dx, together(attended, self_norm, fed, feed_norm)


def pre_norm_forward(params, x, mask=None, bias=None, *, heads, angles=None, rate=0.0, rng=None):
    """The layer with its norms before self-attention and before the feed-forward network.

    The arguments are those of `post_norm_forward`.
    """
    check_layers(params, *LAYERS)
    normed, self_normed = layernorm.forward(sub(params, "self_norm"), x)
    y, attended = sublayers.self_attention_forward(
        params, normed, mask, bias, heads, angles, rate, rng
    )
    z = x + y  # (pre-norm-self)
    normed, feed_normed = layernorm.forward(sub(params, "feed_norm"), z)
    y, fed = sublayers.feed_forward_forward(params, normed, rate, rng)
    y += z  # (pre-norm-feed)
    return y, Cache(attended, self_normed, fed, feed_normed)


def pre_norm_backward(dy, cache):
    """Gradients of the layer with its norms before; the arguments are those of the other one."""
    dnormed, fed = sublayers.feed_forward_backward(dy, cache.feed_forward)
    dz, feed_norm = layernorm.backward(dnormed, cache.feed_norm)
    dz += dy  # (pre-norm-feed), the sum passes dy on as it is
    dnormed, attended = sublayers.self_attention_backward(dz, cache.self_attention)
    dx, self_norm = layernorm.backward(dnormed, cache.self_norm)
    dx += dz  # (pre-norm-self)
    return dx, together(attended, self_norm, fed, feed_norm)


def together(attended, self_norm, fed, feed_norm):
    return {
        **attended,
        **prefixed("self_norm", self_norm),
        **fed,
        **prefixed("feed_norm", feed_norm),
    }
