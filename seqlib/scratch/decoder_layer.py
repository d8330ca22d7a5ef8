"""A layer of the Transformer's decoder: masked self-attention, cross-attention, feed-forward.

Each is added to what it reads, and there is a norm after the sum or before:

    (post-norm-self)    z = self_norm(x + self_attention(x))
    (post-norm-cross)   z = cross_norm(x + cross_attention(x, source))
    (post-norm-feed)    z = feed_norm(x + feed_forward(x))
    (pre-norm-self)     z = x + self_attention(self_norm(x))
    (pre-norm-cross)    z = x + cross_attention(cross_norm(x), source)
    (pre-norm-feed)     z = x + feed_forward(feed_norm(x))

x is what each of them reads: the first the layer's input, the next what the one before gave.  A
stack of pre-norm layers needs one more norm at its end, an encoder that gives the source too.
Sources: Vaswani et al., Attention is all you need, 2017; the norm before: Xiong et al., On layer
normalization in the Transformer architecture, 2020.  Formulas: chapters/10_transformer.ipynb.
B batch, T steps, S steps of the source, D features, H hidden units, N heads.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import (
    attention,
    encoder_layer,
    feed_forward,
    layernorm,
    multihead,
    sublayers,
)
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.shapes import check_layers


class Cache(NamedTuple):
    self_attention: sublayers.Cache  # its layer.heads.weights are (B, N, T, T)
    self_norm: layernorm.Cache
    cross_attention: sublayers.Cache  # its layer.heads.weights are (B, N, T, S)
    cross_norm: layernorm.Cache
    feed_forward: sublayers.Cache
    feed_norm: layernorm.Cache


def init(rng, D, H, source=None, dtype=np.float64):
    """Parameters "self_attention.*", "self_norm.*", and so of cross_attention and feed_forward.

    source  features of the source; None means D
    """
    return {
        **prefixed("self_attention", multihead.init(rng, D, dtype=dtype)),
        **prefixed("self_norm", layernorm.init(rng, D, dtype)),
        **prefixed("cross_attention", multihead.init(rng, D, source, dtype)),
        **prefixed("cross_norm", layernorm.init(rng, D, dtype)),
        **prefixed("feed_forward", feed_forward.init(rng, D, H, dtype)),
        **prefixed("feed_norm", layernorm.init(rng, D, dtype)),
    }


def post_norm_forward(
    params,
    x,
    source,
    mask=None,
    source_mask=None,
    bias=None,
    *,
    heads,
    angles=None,
    rate=0.0,
    rng=None,
):
    """The layer with its norms after the sums, as published.

    params       those of `init`
    x            (B, T, D)
    source       (B, S, source)  what the encoder gave
    mask         of self-attention, boolean, (T, T) or of 4 axes, broadcasts to (B, N, T, T): True
                 where attending is allowed; None is the causal mask
    source_mask  of cross-attention, in the same way to (B, N, T, S); None allows all
    bias         added to the scores of self-attention, broadcasts to (B, N, T, T); a constant
    heads        N, a divisor of D
    angles       (T, D / N / 2) of rotary positions in self-attention, or None
    rate         of the dropout after each of the three
    rng          for the dropout; None, as outside of training, drops nothing

    Returns y (B, T, D) and a cache.  Raises ValueError if a shape or dtype does not fit.
    """
    check_layers(params, *encoder_layer.LAYERS, "cross_attention", "cross_norm")
    mask = causal(x) if mask is None else mask
    y, attended = sublayers.self_attention_forward(params, x, mask, bias, heads, angles, rate, rng)
    z, self_normed = layernorm.forward(sub(params, "self_norm"), x + y)  # (post-norm-self)
    y, crossed = sublayers.cross_attention_forward(params, z, source, source_mask, heads, rate, rng)
    u, cross_normed = layernorm.forward(sub(params, "cross_norm"), z + y)  # (post-norm-cross)
    y, fed = sublayers.feed_forward_forward(params, u, rate, rng)
    y, feed_normed = layernorm.forward(sub(params, "feed_norm"), u + y)  # (post-norm-feed)
    return y, Cache(attended, self_normed, crossed, cross_normed, fed, feed_normed)


def post_norm_backward(dy, cache):
    """Gradients of the layer with its norms after the sums.

    dy  (B, T, D)

    Returns dx (B, T, D), dsource (B, S, source) and grads, keyed and shaped like params.
    """
    dsum, feed_norm = layernorm.backward(dy, cache.feed_norm)
    du, fed = sublayers.feed_forward_backward(dsum, cache.feed_forward)
    du += dsum  # (post-norm-feed), u has two ways to y
    dsum, cross_norm = layernorm.backward(du, cache.cross_norm)
    dz, dsource, crossed = sublayers.cross_attention_backward(dsum, cache.cross_attention)
    dz += dsum  # (post-norm-cross)
    dsum, self_norm = layernorm.backward(dz, cache.self_norm)
    dx, attended = sublayers.self_attention_backward(dsum, cache.self_attention)
    dx += dsum  # (post-norm-self)
    return dx, dsource, together(attended, self_norm, crossed, cross_norm, fed, feed_norm)


def pre_norm_forward(
    params,
    x,
    source,
    mask=None,
    source_mask=None,
    bias=None,
    *,
    heads,
    angles=None,
    rate=0.0,
    rng=None,
):
    """The layer with its norms before: the arguments are those of `post_norm_forward`."""
    check_layers(params, *encoder_layer.LAYERS, "cross_attention", "cross_norm")
    mask = causal(x) if mask is None else mask
    normed, self_normed = layernorm.forward(sub(params, "self_norm"), x)
    y, attended = sublayers.self_attention_forward(
        params, normed, mask, bias, heads, angles, rate, rng
    )
    z = x + y  # (pre-norm-self)
    normed, cross_normed = layernorm.forward(sub(params, "cross_norm"), z)
    y, crossed = sublayers.cross_attention_forward(
        params, normed, source, source_mask, heads, rate, rng
    )
    u = z + y  # (pre-norm-cross)
    normed, feed_normed = layernorm.forward(sub(params, "feed_norm"), u)
    y, fed = sublayers.feed_forward_forward(params, normed, rate, rng)
    y += u  # (pre-norm-feed)
    return y, Cache(attended, self_normed, crossed, cross_normed, fed, feed_normed)


def pre_norm_backward(dy, cache):
    """Gradients of the layer with its norms before; what it returns is that of the other one."""
    dnormed, fed = sublayers.feed_forward_backward(dy, cache.feed_forward)
    du, feed_norm = layernorm.backward(dnormed, cache.feed_norm)
    du += dy  # (pre-norm-feed), the sum passes dy on as it is
    dnormed, dsource, crossed = sublayers.cross_attention_backward(du, cache.cross_attention)
    dz, cross_norm = layernorm.backward(dnormed, cache.cross_norm)
    dz += du  # (pre-norm-cross)
    dnormed, attended = sublayers.self_attention_backward(dz, cache.self_attention)
    dx, self_norm = layernorm.backward(dnormed, cache.self_norm)
    dx += dz  # (pre-norm-self)
    return dx, dsource, together(attended, self_norm, crossed, cross_norm, fed, feed_norm)


def causal(x):
    return attention.causal_mask(np.shape(x)[1])


def together(attended, self_norm, crossed, cross_norm, fed, feed_norm):
    return {
        **attended,
        **prefixed("self_norm", self_norm),
        **crossed,
        **prefixed("cross_norm", cross_norm),
        **fed,
        **prefixed("feed_norm", feed_norm),
    }
