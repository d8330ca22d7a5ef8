"""The layers without a recurrence as a table, so that a law is written once and holds for each.

`LAYERS[name](rng, size, kind)` draws a `Problem`: parameters, inputs, the mask and the bias of a
kind, and the passes with all of these by name.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest

from seqlib.scratch import (
    additive,
    attention,
    decoder_layer,
    encoder_layer,
    feed_forward,
    layernorm,
    multihead,
    multiplicative,
    online_attention,
    pooling,
    positional,
)

# No mask; causal; the ends of rows are padding; holes, with rows that may attend to nothing; these
# and a bias
KINDS = ["none", "causal", "padding", "holes", "bias"]


class Problem(NamedTuple):
    """A layer with all that it needs; a layer without parameters has none."""

    params: dict
    inputs: dict  # what gets a gradient, by name, in the order of the layer's arguments
    options: dict  # what gets none: mask, bias and the layer's choices
    run: Any  # function (params, *inputs, **options) -> (y, cache)
    undo: Any  # function (dy, cache) -> the gradients of the inputs, and grads if there are params

    def forward(self, params=None, **inputs):
        inputs = {**self.inputs, **inputs}
        weights = [params or self.params] if self.params else []
        return self.run(*weights, *inputs.values(), **self.options)

    def backward(self, dy, cache):
        """The gradients by name, those of the parameters under "params"."""
        found = self.undo(dy, cache)
        found = found if isinstance(found, tuple) else (found,)
        names = [*self.inputs, "params"] if self.params else list(self.inputs)
        return dict(zip(names, found, strict=True))

    def astype(self, dtype):
        """The same with all floating numbers of another dtype."""

        def cast(part):
            if not isinstance(part, dict):
                return part.astype(dtype) if getattr(part, "dtype", None) == np.float64 else part
            return {key: cast(a) for key, a in part.items()}

        return self._replace(
            params=cast(self.params), inputs=cast(self.inputs), options=cast(self.options)
        )

    def gradients(self, dy, cache):
        """All gradients in one flat dict of arrays: "dx", "W_q"."""
        found = self.backward(dy, cache)
        params = found.pop("params", {})
        return {**{f"d{name}": a for name, a in found.items()}, **params}

    def both(self, dy):
        """The output and all gradients in one flat dict of arrays."""
        y, cache = self.forward()
        return {"y": y, **self.gradients(dy, cache)}


def normal(rng, *shape):
    return rng.standard_normal(shape)


def drawn_mask(rng, kind, B, N, T, S):
    """The options of a kind: a mask that broadcasts to (B, N, T, S), a bias."""
    if kind == "none":
        return {}
    if kind == "causal":  # the last T of S positions
        return {"mask": np.tril(np.ones((T, S), dtype=bool), S - T)}
    if kind == "padding":
        lengths = np.append(rng.integers(1, S + 1, B - 1), S)
        return {"mask": attention.padding_mask(np.arange(S) < lengths[:, None])}
    mask = rng.random((B, N, T, S)) < 0.6
    mask[-1, :, 0] = True  # where one position alone is allowed the scores have no gradient
    mask[0, :, T - 1] = False
    if kind == "holes":
        return {"mask": mask}
    return {"mask": mask[:, :1], "bias": normal(rng, N, T, S)}


def attend(rng, size, kind):
    B, T, S, K = size
    N, Kv = 2, T + 1
    inputs = {"q": (B, N, T, K), "k": (B, N, S, K), "v": (B, N, S, Kv)}
    inputs = {name: normal(rng, *shape) for name, shape in inputs.items()}
    options = drawn_mask(rng, kind, B, N, T, S)
    return Problem({}, inputs, options, attention.forward, attention.backward)


def attend_online(rng, size, kind):
    """In blocks of three, so that most sizes leave a smaller one at the end."""
    layer = attend(rng, size, kind)
    run, undo = online_attention.forward, online_attention.backward
    return layer._replace(options={"block": 3, **layer.options}, run=run, undo=undo)


def pool(rng, size, kind):
    B, T, S, K = size
    inputs = {"scores": normal(rng, B, 2, T, S), "v": normal(rng, B, 2, S, K)}
    options = drawn_mask(rng, kind, B, 2, T, S)
    options.pop("bias", None)
    return Problem({}, inputs, options, pooling.forward, pooling.backward)


def scored(make=None, forward=None, backward=None):
    """Attention by another score: without heads, and without a bias.

    make  function (rng, D_q, D_k) -> params; None where there are none, and D_q = D_k
    """

    def drawn(rng, size, kind):
        B, T, S, D = size
        D_k = D + 2 if make else D
        inputs = {"q": normal(rng, B, T, D), "k": normal(rng, B, S, D_k)}
        inputs["v"] = normal(rng, B, S, T + 1)
        options = drawn_mask(rng, kind, B, 1, T, S)
        options.pop("bias", None)
        if options:
            options["mask"] = options["mask"].reshape(-1, *options["mask"].shape[-2:])
        params = parameters(rng, make(rng, D, D_k)) if make else {}
        return Problem(params, inputs, options, forward, backward)

    return drawn


def parameters(rng, params):
    """Parameters of the same shapes, none of them 0."""
    return {key: 0.6 * normal(rng, *a.shape) for key, a in params.items()}


def cross_attention(rng, size, kind):
    """Two heads; what they attend to has other features than what asks."""
    B, T, S, half = size
    D, source = 2 * half, half + 3
    inputs = {"q": normal(rng, B, T, D), "k": normal(rng, B, S, source)}
    inputs["v"] = normal(rng, *inputs["k"].shape)
    options = {"heads": 2, **drawn_mask(rng, kind, B, 2, T, S)}
    params = parameters(rng, multihead.init(rng, D, source))
    return Problem(params, inputs, options, multihead.forward, multihead.backward)


def rotary_attention(rng, size, kind):
    """Self-attention with turned queries and keys."""
    B, T, _, half = size
    half = min(half, 2)
    D = 4 * half
    inputs = {name: normal(rng, B, T, D) for name in "qkv"}
    angles = positional.rotary_angles(T, 2 * half)
    options = {"heads": 2, "angles": angles, **drawn_mask(rng, kind, B, 2, T, T)}
    params = parameters(rng, multihead.init(rng, D))
    return Problem(params, inputs, options, multihead.forward, multihead.backward)


def encoder(forward, backward):
    """With a bias come rotary positions too."""

    def drawn(rng, size, kind):
        B, T, H, half = size
        D = 4 if kind == "bias" else 2 * min(half, 3)  # a difference for each parameter takes time
        params = parameters(rng, encoder_layer.init(rng, D, H))
        options = {"heads": 2, **drawn_mask(rng, kind, B, 2, T, T)}
        if kind == "bias":
            options["angles"] = positional.rotary_angles(T, 2)
        return Problem(params, {"x": normal(rng, B, T, D)}, options, forward, backward)

    return drawn


def decoder(forward, backward):
    """The mask of the kind is that of the source; self-attention has none, but bias and angles."""

    def drawn(rng, size, kind):
        B, T, S, half = size
        D, source = 4 if kind == "bias" else 2 * min(half, 3), half + 2
        params = parameters(rng, decoder_layer.init(rng, D, S + 1, source))
        inputs = {"x": normal(rng, B, T, D), "source": normal(rng, B, S, source)}
        found = drawn_mask(rng, kind, B, 2, T, S)
        options = {"heads": 2, **({"source_mask": found["mask"]} if found else {})}
        if kind == "bias":
            options |= {"bias": normal(rng, 2, T, T), "angles": positional.rotary_angles(T, 2)}
        return Problem(params, inputs, options, forward, backward)

    return drawn


def norm(rng, size, kind):
    B, T, _, D = size
    params = parameters(rng, layernorm.init(rng, D + 2))
    inputs = {"x": normal(rng, B, T, D + 2)}
    return Problem(params, inputs, {}, layernorm.forward, layernorm.backward)


def network(rng, size, kind):
    B, T, H, D = size
    params = parameters(rng, feed_forward.init(rng, D, H))
    inputs = {"x": normal(rng, B, T, D)}
    return Problem(params, inputs, {}, feed_forward.forward, feed_forward.backward)


def learned_positions(rng, size, kind):
    B, T, more, D = size
    params = positional.learned_init(rng, T + more, D)
    forward, backward = positional.learned_forward, positional.learned_backward
    return Problem(params, {"x": normal(rng, B, T, D)}, {}, forward, backward)


def rotary(rng, size, kind):
    B, T, N, half = size
    inputs, angles = {"x": normal(rng, B, N, T, 2 * half)}, positional.rotary_angles(T, 2 * half)
    options = {"angles": angles}
    return Problem({}, inputs, options, positional.rotary_forward, positional.rotary_backward)


TRANSFORMER = {
    "encoder, post-norm": encoder(
        encoder_layer.post_norm_forward, encoder_layer.post_norm_backward
    ),
    "encoder, pre-norm": encoder(encoder_layer.pre_norm_forward, encoder_layer.pre_norm_backward),
    "decoder, post-norm": decoder(
        decoder_layer.post_norm_forward, decoder_layer.post_norm_backward
    ),
    "decoder, pre-norm": decoder(decoder_layer.pre_norm_forward, decoder_layer.pre_norm_backward),
}
ATTENDING = {  # these take a mask
    "pooling": pool,
    "attention": attend,
    "online_attention": attend_online,
    "dot": scored(None, multiplicative.dot_forward, multiplicative.dot_backward),
    "general": scored(
        multiplicative.general_init,
        multiplicative.general_forward,
        multiplicative.general_backward,
    ),
    "additive": scored(
        lambda rng, D_q, D_k: additive.init(rng, D_q, D_k, 4), additive.forward, additive.backward
    ),
    "multihead": cross_attention,
    "multihead, rotary": rotary_attention,
    **TRANSFORMER,
}
LAYERS = {
    **ATTENDING,
    "layernorm": norm,
    "feed_forward": network,
    "learned positions": learned_positions,
    "rotary": rotary,
}
CASES = [(name, kind) for name in LAYERS for kind in (KINDS if name in ATTENDING else KINDS[:1])]
cases = pytest.mark.parametrize(("name", "kind"), CASES)


def kinks(cache):
    """Where the relus of a layer bend: their distance to the nearest of its inputs, inf if none."""
    if isinstance(cache, feed_forward.Cache):
        (params, x), _ = cache
        a = x @ params["W"].T + params["b"]
        return np.abs(a).min()
    parts = cache if isinstance(cache, tuple) else ()
    return min([kinks(part) for part in parts], default=np.inf)


def layer_problem(name, kind, size, seed):
    """A layer with all that it needs, an upstream gradient, and the generator that drew them."""
    rng = np.random.default_rng(seed)
    problem = LAYERS[name](rng, size, kind)
    return rng, problem, normal(rng, *problem.forward()[0].shape)
