"""The layers of a Transformer on top of each other: its encoder, and its decoder.

    (encoder-stack)   x^l = encoder_layer_l(x^{l-1})
    (decoder-stack)   x^l = decoder_layer_l(x^{l-1}, encoded)
    (last-norm)       y = norm(x^L)

x^0 is the embedding with the positions.  Post-norm layers end in a norm, so that y = x^L; behind
pre-norm layers, whose sums nothing has normalized, stands one more.
Sources: Vaswani et al., Attention is all you need, 2017, figure 1; the last norm: Xiong et al., On
layer normalization in the Transformer architecture, 2020.
Formulas: chapters/10_transformer.ipynb.

`model` is a NamedTuple of sizes and choices, such as `transformer.Transformer`: D features, H
hidden units of the feed-forward networks, heads, layers, norms, positions, and the rate of the
dropout of x^0, and after each attention and each feed-forward network.
B batch, T steps, S steps of the source.
"""

from typing import Any, NamedTuple

import numpy as np

from seqlib.scratch import checks, decoder_layer, dropout, encoder_layer, layernorm
from seqlib.scratch.params import prefixed, sub
from seqlib.scratch.shapes import check_layers


class Norms(NamedTuple):
    """Where the norms of a layer stand: the passes of the layers, and whether one more follows."""

    name: str
    encoder_forward: Any
    encoder_backward: Any
    decoder_forward: Any
    decoder_backward: Any
    last: bool


PRE_NORM = Norms(
    "pre-norm",
    encoder_layer.pre_norm_forward,
    encoder_layer.pre_norm_backward,
    decoder_layer.pre_norm_forward,
    decoder_layer.pre_norm_backward,
    last=True,
)
POST_NORM = Norms(
    "post-norm",
    encoder_layer.post_norm_forward,
    encoder_layer.post_norm_backward,
    decoder_layer.post_norm_forward,
    decoder_layer.post_norm_backward,
    last=False,
)


class Cache(NamedTuple):
    placed: Any  # that of the positions
    dropped: dropout.Cache
    layers: tuple  # caches of encoder_layer or of decoder_layer
    norm: layernorm.Cache | None


def init(model, kind, rng, dtype=np.float64):
    """The parameters of a stack: "0.*", "1.*" ..., "positions.*" if learned, "norm.*" if pre-norm.

    kind  of the layers: the module encoder_layer or decoder_layer

    Raises ValueError if a size is less than 1 or the heads do not divide D.
    """
    checks.sizes(D=model.D, heads=model.heads, layers=model.layers)
    if model.D % model.heads:
        raise ValueError(f"D is {model.D}; {model.heads} heads do not divide it")
    params = model.positions.init(rng, model.D, dtype)
    for layer in range(model.layers):
        params |= prefixed(str(layer), kind.init(rng, model.D, model.H, dtype=dtype))
    if model.norms.last:
        params |= prefixed("norm", layernorm.init(rng, model.D, dtype))
    return params


def encoder_forward(model, params, x, mask=None, rng=None):
    """All layers of an encoder; under a causal mask, of a decoder-only model.

    params  those of `init`
    x       (B, T, D)
    mask    boolean, (T, T) or of 4 axes, broadcasts to (B, N, T, T); None allows all
    rng     for the dropout; None drops nothing

    Returns y (B, T, D) and a cache.  Raises ValueError if a shape or dtype does not fit.
    """
    x, placed, dropped = begin(model, params, x, rng)
    bias, angles = model.positions.scores(x.shape[1], model.D, model.heads, x.dtype)
    choices = {"heads": model.heads, "angles": angles, "rate": model.rate, "rng": rng}
    caches = []
    for layer in range(model.layers):
        weights = sub(params, str(layer))
        x, cache = model.norms.encoder_forward(weights, x, mask, bias, **choices)  # (encoder-stack)
        caches.append(cache)
    y, norm = end(model, params, x)
    return y, Cache(placed, dropped, tuple(caches), norm)


def encoder_backward(model, dy, cache):
    """Gradients of an encoder's layers, from the last one to the first.

    dy  (B, T, D)

    Returns dx (B, T, D) and grads, keyed and shaped like params.
    """
    dx, grads = end_backward(dy, cache)
    for layer in reversed(range(model.layers)):
        dx, own = model.norms.encoder_backward(dx, cache.layers[layer])  # (encoder-stack)
        grads |= prefixed(str(layer), own)
    dx, placed = begin_backward(model, dx, cache)
    return dx, grads | placed


def decoder_forward(model, params, x, encoded, mask=None, source_mask=None, rng=None):
    """All layers of a decoder: each attends to what was written, and to the same source.

    params       those of `init`
    x            (B, T, D)
    encoded      (B, S, D)  what the encoder gave
    mask         of self-attention, broadcasts to (B, N, T, T); None is the causal mask
    source_mask  of cross-attention, broadcasts to (B, N, T, S); None allows all
    rng          for the dropout; None drops nothing

    Returns y (B, T, D) and a cache.  Raises ValueError if a shape or dtype does not fit.
    """
    x, placed, dropped = begin(model, params, x, rng)
    bias, angles = model.positions.scores(x.shape[1], model.D, model.heads, x.dtype)
    choices = {"heads": model.heads, "angles": angles, "rate": model.rate, "rng": rng}
    caches = []
    for layer in range(model.layers):
        weights = sub(params, str(layer))
        x, cache = model.norms.decoder_forward(
            weights, x, encoded, mask, source_mask, bias, **choices
        )  # (decoder-stack)
        caches.append(cache)
    y, norm = end(model, params, x)
    return y, Cache(placed, dropped, tuple(caches), norm)


def decoder_backward(model, dy, cache):
    """Gradients of a decoder's layers, from the last one to the first.

    dy  (B, T, D)

    Returns dx (B, T, D), dencoded (B, S, D) and grads, keyed and shaped like params.
    """
    dx, grads = end_backward(dy, cache)
    dencoded = 0
    for layer in reversed(range(model.layers)):
        dx, dsource, own = model.norms.decoder_backward(dx, cache.layers[layer])
        dencoded = dencoded + dsource  # (decoder-stack), every layer reads the same source
        grads |= prefixed(str(layer), own)
    dx, placed = begin_backward(model, dx, cache)
    return dx, dencoded, grads | placed


def layer_names(model):
    """ "0", "1" ..., and "positions" if these have parameters."""
    return *map(str, range(model.layers)), *(["positions"] if model.positions.learned else [])


def begin(model, params, x, rng=None):
    """The input of the first layer, x^0 (B, T, D), and the caches of positions and dropout."""
    check_layers(params, *layer_names(model), *(["norm"] if model.norms.last else []))
    x = checks.floats("x", x, params)
    checks.shape("x", x, (None, None, model.D))
    x, placed = model.positions.forward(params, x)
    x, dropped = dropout.forward(x, model.rate, rng)
    return x, placed, dropped


def begin_backward(model, dx, cache):
    return model.positions.backward(dropout.backward(dx, cache.dropped), cache.placed)


def end(model, params, x):
    if not model.norms.last:
        return x, None
    return layernorm.forward(sub(params, "norm"), x)  # (last-norm)


def end_backward(dy, cache):
    if cache.norm is None:
        return dy, {}
    dx, grads = layernorm.backward(dy, cache.norm)  # (last-norm)
    return dx, prefixed("norm", grads)


def self_weights(cache):
    """The weights of self-attention (B, L, N, T, T) in a stack's cache."""
    return np.stack([own.self_attention.layer.heads.weights for own in cache.layers], axis=1)


def cross_weights(cache):
    """The weights of cross-attention (B, L, N, T, S) in the cache of a decoder."""
    return np.stack([own.cross_attention.layer.heads.weights for own in cache.layers], axis=1)
