"""What a Transformer cannot do without: parts taken out one at a time, on short phrases.

python benchmarks/ablations.py      seven minutes; writes benchmarks/ablations.json

Phrases of at most six words, and a run that is short beside those of translation.py.  Every
variant, the whole model among them, has as many updates, the same schedule and the same seeds.
"""

import time
from functools import partial
from typing import Any, NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np
from translation import CLIP, WORDS, exact, wanted, written

from seqlib import metrics, optim, phrases, text, train
from seqlib.scratch import attention, layernorm, sublayers
from seqlib.scratch.layer_stack import POST_NORM, PRE_NORM, Norms
from seqlib.scratch.models import Transformer
from seqlib.scratch.params import count, prefixed, sub
from seqlib.scratch.positions import NO_POSITIONS

SEEDS, BATCH, RATE, WARM_UP, UPDATES = (0, 1, 2), 64, 5e-3, 60, 600
LONGEST = 6  # words of a phrase
TRAIN, TEST = phrases.corpus(train=6000, test=600, longest=LONGEST)
ROWS = phrases.batch(TRAIN)
SELF, CROSS, FEED = "self_attention", "cross_attention", "feed_forward"
NORM = {SELF: "self_norm", CROSS: "cross_norm", FEED: "feed_norm"}


class Cache(NamedTuple):
    parts: list  # in order: name, cache of the part, cache of its norm or None
    cross_attention: Any  # that of the part of this name, where there is one


def forward(parts, residual, norm, params, x, *given, heads, angles=None, rate=0.0, rng=None):
    """A pre-norm layer of the parts named, without its sums or without its norms.

    given  mask and bias in an encoder; source, mask, source_mask and bias in a decoder
    """
    source, mask, source_mask, bias = given if len(given) == 4 else (None, given[0], None, given[1])
    if len(given) == 4 and mask is None:
        mask = attention.causal_mask(x.shape[1])
    caches = []
    for part in parts:
        z, normed = layernorm.forward(sub(params, NORM[part]), x) if norm else (x, None)
        if part == SELF:
            own = mask, bias, heads, angles, rate, rng
            y, cache = sublayers.self_attention_forward(params, z, *own)
        elif part == CROSS:
            own = source, source_mask, heads, rate, rng
            y, cache = sublayers.cross_attention_forward(params, z, *own)
        else:
            y, cache = sublayers.feed_forward_forward(params, z, rate, rng)
        x = x + y if residual else y
        caches.append((part, cache, normed))
    across = next((cache for part, cache, _ in caches if part == CROSS), None)
    return x, Cache(caches, across)


def backward(residual, dx, cache):
    """dx, the gradient of the source (None in an encoder), and grads."""
    dsource, grads = None, {}
    for part, inner, normed in reversed(cache.parts):
        if part == CROSS:
            dz, dsource, own = sublayers.cross_attention_backward(dx, inner)
        else:
            dz, own = getattr(sublayers, f"{part}_backward")(dx, inner)
        if normed is not None:
            dz, norm_grads = layernorm.backward(dz, normed)
            own |= prefixed(NORM[part], norm_grads)
        dx = dx + dz if residual else dz
        grads |= own
    return dx, dsource, grads


def encoder_backward(residual, dy, cache):
    dx, _, grads = backward(residual, dy, cache)
    return dx, grads


def without(name, taken=None, residual=True, norm=True):
    """Norms for `layer_stack`: those of a layer without a part, its sums or its norms."""
    parts = [part for part in (SELF, CROSS, FEED) if part != taken]
    encoder = [part for part in parts if part != CROSS]
    ways = (
        partial(forward, encoder, residual, norm),
        partial(encoder_backward, residual),
        partial(forward, parts, residual, norm),
        partial(backward, residual),
    )
    return Norms(name, *ways, last=norm)


WHOLE = Transformer(*WORDS, D=48, H=192, heads=4, layers=2)
VARIANTS = {
    "whole": WHOLE,
    "no positions": WHOLE._replace(positions=NO_POSITIONS),
    "no residual": WHOLE._replace(norms=without("no residual", residual=False)),
    "no norms": WHOLE._replace(norms=without("no norms", norm=False)),
    "no feed-forward": WHOLE._replace(norms=without("no feed-forward", taken=FEED)),
    "no feed-forward, D 68": WHOLE._replace(  # nearly as many weights as the whole
        D=68, norms=without("no feed-forward", taken=FEED)
    ),
    "one head": WHOLE._replace(heads=1),
    "norms after": WHOLE._replace(norms=POST_NORM),
    "not tied": WHOLE._replace(tied=False),
    "label smoothing 0.1": WHOLE._replace(smoothing=0.1),
    "dropout 0.1": WHOLE._replace(rate=0.1),
}


def used(params, model, rng):
    """The parameters that a batch has a gradient for: those of what was taken out are not."""
    batch = text.TranslationBatch(*(np.zeros((1, 2), int),) * 3, None, None)
    _, grads, _ = model.loss_and_grads(params, batch, rng=rng)
    return {name: value for name, value in params.items() if name in grads}


def rate_of(k):
    """A line up to the greatest rate, and a line down to zero at the last update."""
    return RATE * min(k / WARM_UP, (UPDATES + 1 - k) / (UPDATES + 1 - WARM_UP))


def trained(model, seed):
    rng = np.random.default_rng(seed)
    params = used(model.init(rng, np.float32), model, rng)
    ids = (b for _ in iter(int, 1) for b in text.minibatches_by_length(rng, ROWS, BATCH))
    batches = (batch for batch, _ in zip(ids, range(UPDATES), strict=False))
    start = time.process_time()
    for step in train.train(model, params, batches, optim.adam(rate_of), clip=CLIP, rng=rng):
        params = step.params
    seconds, batch = time.process_time() - start, phrases.batch(TEST)
    rows, targets = written(model, params, batch), wanted(batch)
    sure, possible = phrases.links(TEST)
    weights = model.weights(params, batch)[:, :, :, :-1].mean(axis=2)  # END has no link
    errors = [
        metrics.alignment_error_rate(
            metrics.strongest(weights[:, layer], batch.source_mask, batch.mask[:, 1:]),
            sure,
            possible,
        )
        for layer in range(model.layers)
    ]
    return {
        "seed": seed,
        "test": round(exact(rows, targets), 4),
        "bleu": round(metrics.bleu(rows, targets), 2),
        "alignment_error": [round(error, 4) for error in errors],
        "cpu_seconds": round(seconds, 1),
    }


RECIPE = {
    "task": f"phrases of at most {LONGEST} words; {len(TRAIN)} to train on, {len(TEST)} to test",
    "model": {"D": 48, "H": 192, "heads": 4, "layers": 2, "norms": PRE_NORM.name, "tied": True},
    "optimizer": "Adam, rate up and down in straight lines",
    "rate": RATE,
    "warm_up": WARM_UP,
    "clip_norm": CLIP,
    "updates": UPDATES,
    "batch": BATCH,
    "seeds": SEEDS,
    "dtype": "float32",
    "test": "greedy choice, exact match; alignment errors by layer, of the mean over heads",
}


def main():
    results = {}
    for name, model in VARIANTS.items():
        runs = [trained(model, seed) for seed in SEEDS]
        rng = np.random.default_rng(0)
        size = count(used(model.init(rng, np.float32), model, rng))
        results[name] = {"parameters": size, "runs": runs}
        print(f"{name:20}{size:9}", *(run["test"] for run in runs), runs[0], flush=True)
        record.write("ablations", RECIPE, results)


if __name__ == "__main__":
    main()
