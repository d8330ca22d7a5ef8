"""The Transformers as a table, so that a law is written once and holds for each of them.

`transformer_problem(name, size, seed)` draws a model's parameters, none of them 0, and a batch.
"""

from functools import partial

import numpy as np
import pytest

from seqlib.scratch import feed_forward, positions
from seqlib.scratch.decoder_only import TransformerLanguageModel
from seqlib.scratch.encoder_only import TransformerClassifier, TransformerTagger
from seqlib.scratch.layer_stack import POST_NORM, PRE_NORM
from seqlib.scratch.transformer import Transformer
from seqlib.text import Batch, TranslationBatch

READ, WRITTEN, ANSWERS, HEADS, MOST = 7, 6, 3, 2, 9
NORMS = {"pre-norm": PRE_NORM, "post-norm": POST_NORM}
POSITIONS = {
    "none": positions.NO_POSITIONS,
    "sinusoidal": positions.SINUSOIDAL,
    "learned": positions.learned(MOST),
    "rotary": positions.ROTARY,
    "alibi": positions.ALIBI,
}


def made(kind, first, last, norms="pre-norm", where="sinusoidal", **choices):
    """A function (D, H, layers) that makes a model; first and last stand around these sizes."""

    def make(D, H, layers):
        return kind(
            *first,
            *(D, H, HEADS, layers),
            *last,
            norms=NORMS[norms],
            positions=POSITIONS[where],
            **choices,
        )

    return make


translator = partial(made, Transformer, (READ, WRITTEN), ())
writer = partial(made, TransformerLanguageModel, (READ,), ())
TRANSLATORS = {
    f"translator, {norms}, {where}": translator(norms, where)
    for norms in NORMS
    for where in POSITIONS
} | {"translator, not tied": translator(tied=False, smoothing=0.3)}
WRITERS = {
    "writer": writer(),
    "writer, post-norm, learned": writer("post-norm", "learned", tied=False),
    "writer, rotary": writer(where="rotary", smoothing=0.2),
}
ANSWERERS = {
    "tagger": made(TransformerTagger, (READ,), (ANSWERS,)),
    "tagger, post-norm, alibi": made(
        TransformerTagger, (READ,), (ANSWERS,), "post-norm", "alibi", smoothing=0.1
    ),
    "classifier": made(TransformerClassifier, (READ,), (ANSWERS,), smoothing=0.1),
    "classifier, learned": made(TransformerClassifier, (READ,), (ANSWERS,), where="learned"),
}
DROPPING = "translator, post-norm, learned", "writer", "classifier"
TRANSFORMERS = {**TRANSLATORS, **WRITERS, **ANSWERERS}


def transformer_problem(name, size, seed, padded=True, layers=2, **choices):
    """A model, its parameters and a batch, and the generator that drew them.

    size    B, T, S and half: D is 4 half, at most 8; S steps to read, T to write
    padded  whether rows end before the batch does
    """
    (B, T, S, half), rng = size, np.random.default_rng(seed)
    model = TRANSFORMERS[name](4 * min(half, 2), half + 3, layers)._replace(**choices)
    params = {
        key: 0.5 * rng.standard_normal(a.shape) + key.endswith("gain")
        for key, a in model.init(rng).items()
    }
    source_mask, mask = (
        np.arange(n) < rng.integers(1 if padded else n, n + 1, (B, 1)) for n in (S, T)
    )
    source, inputs = rng.integers(0, READ, (B, S)), rng.integers(0, WRITTEN, (B, T))
    if name in TRANSLATORS:
        targets = rng.integers(0, WRITTEN, (B, T))
        return rng, model, params, TranslationBatch(source, inputs, targets, source_mask, mask)
    answers = READ if name in WRITERS else ANSWERS
    places = (B,) if name.startswith("classifier") else (B, T)
    return rng, model, params, Batch(inputs, rng.integers(0, answers, places), mask)


def logits_of(model, params, batch):
    """The logits of all targets of a batch."""
    if isinstance(batch, TranslationBatch):
        return model.logits(params, batch)
    return model.logits(params, batch.inputs, batch.mask)


def nearest_kink(call):
    """How near the input of any relu comes to 0 during a call."""
    forward, found = feed_forward.forward, []

    def watched(params, x):
        found.append(np.abs(x @ params["W_1"].T + params["b_1"]).min())
        return forward(params, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed_forward, "forward", watched)
        call()
    return min(found)
