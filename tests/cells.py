"""The recurrent modules as a table, so that a law is written once and holds for every one of them.

A state is an array or a nested tuple of arrays: `flat` gives its arrays by name, `nested` puts them
back.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np

from seqlib.scratch import gru, gru_reset_before, lstm, lstm1997, rnn
from seqlib.scratch.bahdanau import Bahdanau
from seqlib.scratch.bidirectional import Bidirectional
from seqlib.scratch.cho import Cho
from seqlib.scratch.layer_stack import POST_NORM
from seqlib.scratch.luong import Luong
from seqlib.scratch.models import (
    Classifier,
    LanguageModel,
    SeriesClassifier,
    SeriesRegressor,
    Tagger,
)
from seqlib.scratch.positions import ALIBI, ROTARY, learned
from seqlib.scratch.scores import ADDITIVE, DOT
from seqlib.scratch.seq2seq import Sutskever
from seqlib.scratch.skip import SkipRNN
from seqlib.scratch.stack import Stack
from seqlib.scratch.transformer import Transformer
from seqlib.text import Batch, translation_batch


def variant(module, **choice):
    """A module whose forward and step make a choice by default."""
    return SimpleNamespace(
        init=module.init,
        forward=partial(module.forward, **choice),
        backward=module.backward,
        step=partial(module.step, **choice),
    )


# Those that go from left to right, one step at a time
CELLS = {
    "rnn": rnn,
    "rnn, relu": variant(rnn, activation="relu"),
    "rnn, sigmoid": variant(rnn, activation="sigmoid"),
    "lstm": lstm,
    "lstm1997": lstm1997,
    "gru": gru,
    "gru_reset_before": gru_reset_before,
    "skip": SkipRNN(reach=2),
    "stack": Stack(gru, layers=2),
    "stack of lstm": Stack(lstm, layers=3),
}
# Those too that read both ways; of their masks no row is True behind a False
MODULES = {
    **CELLS,
    "bidirectional": Bidirectional(rnn),
    "bidirectional lstm": Bidirectional(lstm),
    "stack, bidirectional": Stack(Bidirectional(rnn), layers=2),
}
# The gates of those that have some, in the order in which their weights are stacked
GATES = {"lstm": "ifgo", "lstm1997": "igo", "gru": "rzn", "gru_reset_before": "rzn"}
# Models over 6 symbols or D numbers, given D and H; the classes of a target, None for 2 numbers;
# the axes of the targets
MODELS = {
    "language model": (lambda D, H: LanguageModel(6, D, H), 6, 2),
    "language model, lstm": (lambda D, H: LanguageModel(6, D, H, lstm), 6, 2),
    "language model, stack": (lambda D, H: LanguageModel(6, D, H, Stack(lstm, 2)), 6, 2),
    "classifier": (lambda D, H: Classifier(6, D, H, 3), 3, 1),
    "classifier, lstm": (lambda D, H: Classifier(6, D, H, 3, lstm), 3, 1),
    "classifier, stack": (lambda D, H: Classifier(6, D, H, 3, Stack(gru, 2)), 3, 1),
    "classifier, bidirectional": (
        lambda D, H: Classifier(6, D, H, 3, Bidirectional(lstm)),
        3,
        1,
    ),
    "tagger": (lambda D, H: Tagger(6, D, H, 4), 4, 2),
    "tagger, bidirectional": (lambda D, H: Tagger(6, D, H, 4, Bidirectional(lstm)), 4, 2),
    "series classifier": (lambda D, H: SeriesClassifier(D, H, 3, lstm), 3, 1),
    "series regressor": (lambda D, H: SeriesRegressor(D, H, 2), None, 1),
    "series regressor, bidirectional": (
        lambda D, H: SeriesRegressor(D, H, 2, Bidirectional(gru)),
        None,
        1,
    ),
}
# Models that read a row of 7 symbols and write one of 6, given D and H
TRANSLATORS = {
    "sutskever": lambda D, H: Sutskever(7, 6, D, H),
    "sutskever, reversed": lambda D, H: Sutskever(7, 6, D, H, Stack(gru, 2), reverse=True),
    "cho": lambda D, H: Cho(7, 6, D, H),
    "cho, lstm": lambda D, H: Cho(7, 6, D, H, lstm, Bidirectional(rnn)),
    "luong": lambda D, H: Luong(7, 6, D, H),
    "luong, dot": lambda D, H: Luong(7, 6, D, H, Stack(lstm, 2), gru, DOT),
    "luong, additive": lambda D, H: Luong(7, 6, D, H, lstm, Bidirectional(lstm), ADDITIVE),
    "bahdanau": lambda D, H: Bahdanau(7, 6, D, H),
    "bahdanau, stack": lambda D, H: Bahdanau(7, 6, D, H, Stack(lstm, 2), lstm),
}
# The same by attention alone
ATTENTION_ONLY = {
    "transformer": lambda D, H: Transformer(7, 6, 4 * D, H, 2, 2),
    "transformer, post-norm": lambda D, H: Transformer(
        7, 6, 4 * D, H, 2, 2, POST_NORM, learned(20), tied=False
    ),
    "transformer, rotary": lambda D, H: Transformer(7, 6, 4 * D, H, 2, 2, positions=ROTARY),
    "transformer, alibi": lambda D, H: Transformer(
        7, 6, 4 * D, H, 2, 2, POST_NORM, ALIBI, smoothing=0.1
    ),
}


def flat(state, name="state"):
    """The arrays of a state by name, "state.0.1"; None has none."""
    if state is None:
        return {}
    if not isinstance(state, tuple):
        return {name: state}
    parts = [flat(part, f"{name}.{i}") for i, part in enumerate(state)]
    return {key: a for part in parts for key, a in part.items()}


def nested(arrays, like):
    """The inverse of `flat`: a state of the form of another one."""
    values = iter(arrays.values())

    def built(part):
        return tuple(map(built, part)) if isinstance(part, tuple) else next(values)

    return built(like)


def mapped(f, *states):
    """A state whose arrays are f of the arrays of the given ones."""
    names = flat(states[0])
    return nested({key: f(*(flat(state)[key] for state in states)) for key in names}, states[0])


def model_problem(name, size, seed, mask=None):
    """A model, its parameters and a batch (B, T), and the generator that drew them."""
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    make, classes, axes = MODELS[name]
    model = make(D, H)
    symbols = hasattr(model, "V")
    inputs = rng.integers(0, 6, (B, T)) if symbols else rng.standard_normal((B, T, D))
    places = (B, T)[:axes]
    targets = rng.integers(0, classes, places) if classes else rng.standard_normal((*places, 2))
    return rng, model, model.init(rng), Batch(inputs, targets, mask)


def translator_problem(name, size, seed, padded=True):
    """A translator, its parameters and a batch of B rows of up to S and T symbols, and the rng."""
    (B, S, T, D, H), rng = size, np.random.default_rng(seed)
    model = (TRANSLATORS | ATTENTION_ONLY)[name](D, H)
    params = {key: 0.7 * rng.standard_normal(value.shape) for key, value in model.init(rng).items()}
    lengths = [
        np.append(rng.integers(1, n + 1, B - 1), n) if padded else [n] * B for n in (S, T - 1)
    ]
    rows = [
        [rng.integers(3, V, n) for n in several] for V, several in zip((7, 6), lengths, strict=True)
    ]
    return rng, model, params, translation_batch(*rows)


def problem(module, size, seed, scale=0.6):
    """What a module needs, drawn from a normal distribution, and the generator that drew it.

    Returns rng, params, x (B, T, D), state, dh and dstate_T.
    """
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    params = {
        key: scale * rng.standard_normal(value.shape)
        for key, value in module.init(rng, D, H).items()
    }
    x = rng.standard_normal((B, T, D))
    h, state_T, _ = module.forward(params, x)

    def drawn(a):
        return rng.standard_normal(a.shape)

    return rng, params, x, mapped(drawn, state_T), drawn(h), mapped(drawn, state_T)
