"""What a caller can get wrong, what an import loads, and values counted by hand."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import sacrebleu
from cells import CELLS, GATES, MODULES, flat, nested

import seqlib
import seqlib.scratch
from seqlib import (
    decode,
    exposure,
    gradcheck,
    guessing,
    ibm1,
    metrics,
    ngrams,
    omega,
    optim,
    phrases,
    probe,
    sentences,
    sentiment,
    spectra,
    tasks,
    text,
)
from seqlib.scratch import (
    additive,
    attention,
    decoder_layer,
    dropout,
    embedding,
    encoder_layer,
    feed_forward,
    layernorm,
    linear,
    losses,
    lstm,
    multihead,
    multiplicative,
    online_attention,
    params,
    pooling,
    positional,
    positions,
    rnn,
)
from seqlib.scratch import tied as tied_ends
from seqlib.scratch.bahdanau import Bahdanau
from seqlib.scratch.bidirectional import Bidirectional
from seqlib.scratch.cho import Cho
from seqlib.scratch.decoder_only import TransformerLanguageModel
from seqlib.scratch.encoder_only import TransformerClassifier, TransformerTagger
from seqlib.scratch.luong import Luong
from seqlib.scratch.models import (
    Classifier,
    LanguageModel,
    SeriesRegressor,
    Tagger,
    WindowModel,
)
from seqlib.scratch.scores import DOT
from seqlib.scratch.seq2seq import Sutskever
from seqlib.scratch.skip import SkipRNN
from seqlib.scratch.stack import Stack
from seqlib.scratch.state import map_state, split_state
from seqlib.scratch.transformer import Transformer
from seqlib.text import Batch
from seqlib.train import train

B, T, D, H, V = 2, 3, 11, 13, 17  # sizes that a message cannot hold by accident

# A caller's mistakes

GENERATOR = np.random.default_rng(0)
CELL, LINEAR, TABLE = (
    rnn.init(GENERATOR, D, H),
    linear.init(GENERATOR, D, H),
    embedding.init(GENERATOR, V, D),
)
MODEL, WINDOW = LanguageModel(V, D, H), WindowModel(V, D, H, window=5)
PARAMS, WINDOW_PARAMS = MODEL.init(GENERATOR), WINDOW.init(GENERATOR)
NGRAM = ngrams.fit(np.arange(V), 3, V)
IDS = np.zeros((B, T), dtype=int)
VOCABULARY = text.Vocabulary(("a", "b"))


def zeros(*shape, dtype=np.float64):
    return np.zeros(shape, dtype)


def floats_32(*shape):
    return np.zeros(shape, np.float32)


def with_one(shape, value, dtype=np.float64):
    """Zeros but for one entry."""
    a = np.zeros(shape, dtype)
    a.flat[-1] = value
    return a


def forward_of(name):
    """The forward pass of a module, all but its choices given."""
    params = MODULES[name].init(np.random.default_rng(0), D, H)
    return partial(MODULES[name].forward, params, zeros(B, T, D))


def linear_backward(dy):
    return linear.backward(dy, linear.forward(LINEAR, zeros(B, D))[1])


def embedding_backward(dx):
    return embedding.backward(dx, embedding.forward(TABLE, IDS)[1])


def sample(**choice):
    state, rng = zeros(B, H), np.random.default_rng(0)
    return decode.sample(MODEL, PARAMS, IDS[:, 0], state, rng, max_length=4, **choice)


def beam(width=2, max_length=4, **choice):
    return decode.beam_search(
        MODEL, PARAMS, IDS[:, 0], zeros(B, H), width=width, max_length=max_length, **choice
    )


def language_loss(inputs=IDS, targets=IDS, mask=None, state=None):
    return MODEL.loss_and_grads(PARAMS, Batch(inputs, targets, mask), state)


def window_loss(inputs, targets):
    return WINDOW.loss_and_grads(WINDOW_PARAMS, Batch(inputs, targets))


def train_once(loss, grad=1.0, **options):
    model = SimpleNamespace(loss_and_grads=lambda *_: (loss, {"w": np.array([grad])}, None))
    return list(train(model, {"w": zeros(1)}, [None], optim.sgd(0.1), **options))


BOTH = "float32", "float64"
X, TRUE = zeros(B, T, D), np.ones((B, T), bool)


def wrong_states(name, module, params):
    """Rows for a state with one array of another shape, of another batch, of another dtype."""
    h, state, cache = module.forward(params, X)
    arrays = flat(state)
    for key, a in arrays.items():
        for what, wrong, parts in [
            ("width", zeros(*a.shape[:-1], 7), [(*a.shape[:-1], 7), a.shape]),
            ("batch", zeros(5, *a.shape[1:]), [(5, *a.shape[1:]), a.shape]),
            ("dtype", floats_32(*a.shape), BOTH),
        ]:
            start, parts = nested(arrays | {key: wrong}, state), [*map(str, parts)]
            yield f"{name} {key} {what}", partial(module.forward, params, X, start), parts
            if name in CELLS:
                yield (
                    f"{name} step {key} {what}",
                    partial(module.step, params, X[:, 0], start),
                    parts,
                )
            if what != "dtype":
                yield f"{name} d{key} {what}", partial(module.backward, h, start, cache), parts
    if isinstance(state, tuple):
        for count, start in [(1, state[:1]), (len(state) + 1, (*state, state[0]))]:
            for what, call in [
                ("state", partial(module.forward, params, X, start)),
                ("dstate_T", partial(module.backward, h, start, cache)),
            ]:
                yield f"{name} {what} of {count}", call, [count, len(state)]
        yield f"{name} state, no tuple", partial(module.forward, params, X, h), [len(state)]


def wrong_inputs(name, module):
    """Rows for all that can be wrong with the inputs of a recurrent module."""
    params = module.init(np.random.default_rng(0), D, H)
    h, _, cache = module.forward(params, X)

    def forward(*arguments, **named):
        return partial(module.forward, params, *arguments, **named)

    yield f"{name} init D", partial(module.init, GENERATOR, -4, H), ["D", -4]
    yield f"{name} init H", partial(module.init, GENERATOR, D, 0), ["H", 0]
    yield f"{name} features", forward(zeros(B, T, 7)), [7, 11]
    yield f"{name} axes", forward(zeros(B, D)), [2]
    yield f"{name} empty batch", forward(zeros(0, T, D)), [0, 3]
    yield f"{name} no steps", forward(zeros(B, 0, D)), [2, 0]
    yield f"{name} dtypes", forward(floats_32(B, T, D)), BOTH
    yield f"{name} of integers", forward(zeros(B, T, D, dtype=int)), ["int64"]
    yield f"{name} mask", forward(X, mask=TRUE.T), ["(3, 2)", "(2, 3)"]
    yield f"{name} mask of one row", forward(X, mask=TRUE[0]), ["(3,)", "(2, 3)"]
    yield f"{name} mask dtype", forward(X, mask=np.ones((B, T))), ["float64", "bool"]
    wrong_dh = partial(module.backward, zeros(B, T, 7), None, cache)
    yield f"{name} dh", wrong_dh, ["(2, 3, 7)", str(h.shape)]
    if name in CELLS:
        yield f"{name} step", partial(module.step, params, zeros(B, 7)), ["(2, 7)", 11]
        yield f"{name} step's steps", partial(module.step, params, X), ["(2, 3, 11)", 11]
        yield f"{name} step dtypes", partial(module.step, params, floats_32(B, D)), BOTH
    yield from wrong_states(name, module, params)


STACK, CLASSIFIER = Stack(rnn, 2), Classifier(V, D, H, 3, Bidirectional(rnn))
TAGGER = Tagger(V, D, H, 5)
STACK_PARAMS, CLASSIFIER_PARAMS, TAGGER_PARAMS = (
    STACK.init(GENERATOR, D, H),
    CLASSIFIER.init(GENERATOR),
    TAGGER.init(GENERATOR),
)
HOLES = np.array([[True, True, True], [True, False, True]])


def classify(inputs=IDS, targets=IDS[:, 0], mask=None):
    return CLASSIFIER.loss_and_grads(CLASSIFIER_PARAMS, Batch(inputs, targets, mask))


def regress(inputs=X, targets=X[:, 0, :2], mask=None):
    model = SeriesRegressor(D, H, 2)
    return model.loss_and_grads(model.init(GENERATOR), Batch(inputs, targets, mask))


def tag(inputs=IDS, targets=IDS, mask=None):
    return TAGGER.loss_and_grads(TAGGER_PARAMS, Batch(inputs, targets, mask))


TRANSLATORS = {
    "sutskever": Sutskever(V, 5, D, H),
    "cho": Cho(V, 5, D, H),
    "luong": Luong(V, 5, D, H),
    "bahdanau": Bahdanau(V, 5, D, H),
    "transformer": Transformer(V, 5, 12, H, heads=4, layers=1),
}
WRITER = TransformerLanguageModel(V, 12, H, heads=4, layers=1, positions=positions.learned(5))
TAGGING = TransformerTagger(V, 12, H, heads=4, layers=1, tags=5)
CLASSIFYING = TransformerClassifier(V, 12, H, heads=4, layers=1, classes=5)


def attend_only(model, inputs=IDS, targets=IDS, mask=None, state=None, rng=None, **choices):
    """The loss of a Transformer with other choices than it was made for."""
    params, rows = model.init(np.random.default_rng(0)), Batch(inputs, targets, mask)
    return model._replace(**choices).loss_and_grads(params, rows, state, rng)


def step_on(model, ids, *source):
    params = model.init(np.random.default_rng(0))
    return model.step(params, ids, model.start(params, *source))


ROWS = text.TranslationBatch(IDS, IDS, IDS, TRUE, TRUE)


def translate(name, state=None, **changed):
    model = TRANSLATORS[name]
    return model.loss_and_grads(model.init(GENERATOR), ROWS._replace(**changed), state)


def luong_dot():
    model = Luong(V, 5, D, H, score=DOT)  # keys of 2 H features
    return model.loss_and_grads(model.init(GENERATOR), ROWS)


def begin_to_translate(name, *given):
    return TRANSLATORS[name].start(TRANSLATORS[name].init(GENERATOR), *given)


def wrong_translations(name):
    """Rows for what can be wrong with a translator's batch."""
    for what, parts, changed in [
        ("source", [17, 16], {"source": IDS + 17}),
        ("inputs", [5, 4], {"inputs": IDS + 5}),
        ("targets", [5, 4], {"targets": IDS + 5}),
        ("targets' shape", ["(2, 2)", "(2, 3)"], {"targets": IDS[:, :2]}),
        ("source mask", ["(2, 2)", "(2, 3)"], {"source_mask": TRUE[:, :2]}),
        ("mask", ["(3, 2)", "(2, 3)"], {"mask": TRUE.T}),
        ("own", ["1.5", 0, 1], {"own": 1.5}),
        ("own without rng", ["0.5", "None"], {"own": 0.5}),
        ("state", ["None"], {"state": zeros(B, H)}),
    ]:
        yield f"{name} {what}", partial(translate, name, **changed), parts
    yield f"{name} start", lambda: begin_to_translate(name, IDS[0]), ["(3,)", "(any, any)"]
    yield (
        f"{name} start mask",
        lambda: begin_to_translate(name, IDS, TRUE.T),
        ["(3, 2)", "(2, 3)"],
    )


def links(found=TRUE, sure=TRUE, possible=TRUE):
    return metrics.alignment_error_rate(found, sure, possible)


def omega_of(dh, dh_T):
    return omega.forward(dh, dh_T, rnn.forward(CELL, X)[2])


def guess(inputs=None, targets=IDS[:, 0], **choice):
    inputs = zeros(B, T, 1) if inputs is None else inputs
    return guessing.guess(GENERATOR, Batch(inputs, targets), limit=choice.pop("limit", 5), **choice)


def updated(rate):
    return optim.sgd(lambda k: rate)({"w": zeros(1)}, {"w": zeros(1)})


LAYERS = [
    ("dropout rate", lambda: dropout.forward(zeros(B, D), 1.0, GENERATOR), ["1.0", 0, 1]),
    ("dropout rate below 0", lambda: dropout.forward(zeros(B, D), -0.1), ["-0.1", 0]),
    ("dropout of integers", lambda: dropout.forward(IDS, 0.5, GENERATOR), ["int64"]),
    (
        "dropout dy",
        lambda: dropout.backward(zeros(B, 7), dropout.forward(zeros(B, D), 0.5, GENERATOR)[1]),
        ["(2, 7)", "(2, 11)"],
    ),
    ("stack of none", lambda: Stack(rnn, 0).init(GENERATOR, D, H), ["layers", 0]),
    ("stack's params", lambda: Stack(rnn, 3).forward(STACK_PARAMS, X), ['without "2"']),
    ("stack's rate", lambda: Stack(rnn, 2, 1.5).forward(STACK_PARAMS, X, rng=GENERATOR), [1.5]),
    ("skip reach", lambda: SkipRNN(0).init(GENERATOR, D, H), ["reach", 0]),
    (
        "step both ways",
        lambda: Stack(Bidirectional(rnn), 2).step(STACK_PARAMS, X[:, 0]),
        ["Bidirectional", 1],
    ),
    (
        "both ways twice",
        lambda: Bidirectional(Bidirectional(rnn)).init(GENERATOR, D, H),
        [26, 13],
    ),
    (
        "bidirectional mask",
        lambda: Bidirectional(rnn).forward(
            Bidirectional(rnn).init(GENERATOR, D, H), X, None, HOLES
        ),
        ["row 1", "step 1", "step 2"],
    ),
    ("states differ", lambda: map_state(np.add, (X, X), (X,)), [2, 1]),
    ("states differ by one", lambda: map_state(np.add, (X, None), (X, X)), ["None", "(2, 3, 11)"]),
    ("state of arrays", lambda: split_state("it", X, 4), ["it", "(2, 3, 11)", 4]),
    ("classifier ids", lambda: classify(inputs=IDS + 17), [17, 16]),
    ("classifier targets", lambda: classify(targets=IDS[:, 0] + 3), [3, 2]),
    ("classifier targets' shape", lambda: classify(targets=IDS), ["(2, 3)", "(2)"]),
    ("classifier mask", lambda: classify(mask=TRUE.T), ["(3, 2)", "(2, 3)"]),
    ("regressor inputs", lambda: regress(inputs=zeros(B, T, 7)), [7, 11]),
    ("regressor targets' shape", lambda: regress(targets=zeros(B)), ["(2,)", "(2, 2)"]),
    ("regressor mask", lambda: regress(mask=TRUE.T), ["(3, 2)", "(2, 3)"]),
    ("classifier no steps", lambda: classify(inputs=IDS[:, :0]), [2, 0]),
    ("tagger ids", lambda: tag(inputs=IDS - 1), [-1, 16]),
    ("tagger targets", lambda: tag(targets=IDS + 5), [5, 4]),
    ("tagger targets' shape", lambda: tag(targets=IDS[:, 0]), ["(2,)", "(2, 3)"]),
    ("tagger empty batch", lambda: tag(IDS[:0], IDS[:0]), [0, 3]),
]
INSTRUMENTS = [
    ("jacobian x_t", lambda: spectra.jacobian(rnn, CELL, X), ["(2, 3, 11)", "(any, any)"]),
    ("jacobian features", lambda: spectra.jacobian(rnn, CELL, zeros(B, 7)), [7, 11]),
    ("jacobian state", lambda: spectra.jacobian(rnn, CELL, X[:, 0], zeros(5, H)), [5, 13, 2]),
    ("jacobian dtypes", lambda: spectra.jacobian(rnn, CELL, floats_32(B, D)), BOTH),
    ("jacobians x", lambda: spectra.jacobians(rnn, CELL, X), ["(2, 3, 11)", "(any, any)"]),
    ("jacobians no steps", lambda: spectra.jacobians(rnn, CELL, zeros(0, D)), ["T", 0]),
    ("jacobians state", lambda: spectra.jacobians(rnn, CELL, X[0], zeros(5, H)), [5, 13, 1]),
    ("products", lambda: spectra.products(zeros(5, 7)), ["(5, 7)", "(N, S, S)"]),
    ("products of none", lambda: spectra.products(zeros(0, 7, 7)), ["(0, 7, 7)", 1]),
    ("products of NaN", lambda: spectra.products(with_one((5, 7, 7), np.nan)), [1, 245]),
    ("singular values", lambda: spectra.singular_values(zeros(5, 7, 6)), ["(5, 7, 6)"]),
    ("spectral radius", lambda: spectra.spectral_radius(zeros(7, 7)), ["(7, 7)"]),
    ("lyapunov", lambda: spectra.lyapunov(zeros(5, 7, 6)), ["(5, 7, 6)"]),
    ("lyapunov of inf", lambda: spectra.lyapunov(with_one((5, 7, 7), np.inf)), [1, 245]),
    ("lyapunov every", lambda: spectra.lyapunov(zeros(5, 7, 7), 0), ["every", 0, 1]),
    (
        "state gradients",
        lambda: spectra.state_gradients(rnn, CELL, X[0], None),
        ["(3, 11)", "(B, T, D)"],
    ),
    (
        "state gradients no steps",
        lambda: spectra.gradient_norms(rnn, CELL, X[:, :0], None),
        ["(2, 0, 11)", 1],
    ),
    (
        "state gradients upstream",
        lambda: spectra.state_gradients(rnn, CELL, X, zeros(B, 7)),
        ["(2, 7)", "(2, 13)"],
    ),
    ("half life", lambda: spectra.half_life([0.5, 1.25]), ["0.5", 1.25, 0, 1]),
    ("omega dh", lambda: omega_of(zeros(B, T, 7), None), ["(2, 3, 7)", "(2, 3, 13)"]),
    ("omega dh_T", lambda: omega_of(None, zeros(B, 7)), ["(2, 7)", "(2, 13)"]),
    ("warm up", lambda: optim.warm_up(0.0, 5), ["0.0"]),
    ("warm up steps", lambda: optim.warm_up(0.1, 0), ["steps", 0, 1]),
    ("warm up then decay", lambda: optim.warm_up_then_decay(-1.0, 5), [-1.0]),
    ("warm up then decay steps", lambda: optim.warm_up_then_decay(0.1, 0), ["steps", 0, 1]),
    ("schedule below 0", lambda: updated(-0.5), ["update 1", "-0.5", 0]),
    ("schedule of NaN", lambda: updated(np.nan), ["update 1", "nan"]),
    ("schedule without bound", lambda: updated(np.inf), ["update 1", "inf"]),
    ("guess H", lambda: guess(H=0), ["H", 0]),
    ("guess limit", lambda: guess(limit=0), ["limit", 0]),
    ("guess bound", lambda: guess(bound=0.0), ["0.0", 0.99]),
    ("guess enough", lambda: guess(enough=1.5), [10.0, 1.5]),
    ("guess inputs", lambda: guess(zeros(B, T)), ["(2, 3)"]),
    ("guess ids", lambda: guess(IDS), ["int64"]),
    ("guess classes", lambda: guess(targets=IDS[:, 0] + 2), [2, 1]),
    ("guess targets", lambda: guess(targets=IDS), ["(2, 3)", "(2)"]),
    ("adding B", lambda: tasks.adding(GENERATOR, 0, 9), ["B", 0]),
    ("adding T", lambda: tasks.adding(GENERATOR, 5, 1), [1, 2]),
    ("latch B", lambda: tasks.latch(GENERATOR, 0, 9), ["B", 0]),
    ("latch delay", lambda: tasks.latch(GENERATOR, 5, 0), ["delay", 0]),
    ("latch noise", lambda: tasks.latch(GENERATOR, 5, 9, -0.5), ["-0.5", 0]),
    ("copy B", lambda: tasks.copy_memory(GENERATOR, 0, 2, 3), ["B", 0]),
    ("copy symbols", lambda: tasks.copy_memory(GENERATOR, 5, 0, 3), ["symbols", 0]),
    ("copy delay", lambda: tasks.copy_memory(GENERATOR, 5, 2, 0), ["delay", 0]),
    ("copy K", lambda: tasks.copy_memory(GENERATOR, 5, 2, 3, K=0), ["K", 0]),
    ("copy entropy", lambda: tasks.copy_entropy(2, 3, K=0), ["K", 0]),
    ("anbn B", lambda: tasks.anbn(GENERATOR, 0, 5), ["B", 0]),
    ("anbn n", lambda: tasks.anbn(GENERATOR, 5, 3, least=4), [4, 3]),
    ("anbn of none", lambda: tasks.anbn_entropy(3, least=0), [0, 3]),
    ("reber B", lambda: tasks.reber(GENERATOR, 0), ["B", 0]),
    ("reber again", lambda: tasks.reber(GENERATOR, 5, again=1.0), ["1.0", 0, 1]),
    ("reber stream B", lambda: tasks.reber_stream(GENERATOR, 0, 5), ["B", 0]),
    ("reber stream T", lambda: tasks.reber_stream(GENERATOR, 5, 0), ["T", 0]),
    ("reber grammar", lambda: tasks.reber_grammar(0.0), ["0.0", 0, 1]),
    ("sentiment B", lambda: tasks.sentiment(GENERATOR, 0), ["B", 0]),
    ("sentiment clauses", lambda: tasks.sentiment(GENERATOR, 5, 4), ["clauses", 4]),
    ("sentiment no clauses", lambda: tasks.sentiment(GENERATOR, 5, 0), ["clauses", 0]),
    ("sentiment negation", lambda: tasks.sentiment(GENERATOR, 5, negation=1.5), ["1.5", 0, 1]),
    ("sentiment baseline", lambda: sentiment.sentiment_baseline(2), ["clauses", 2]),
    ("verdict", lambda: sentiment.verdict("it was very .".split()), [0, 1]),
    ("verdict of two", lambda: sentiment.verdict("good bad .".split()), [2, 1]),
    ("tagging B", lambda: tasks.tagging(GENERATOR, 0), ["B", 0]),
    ("tagging sentences", lambda: tasks.tagging(GENERATOR, 5, 0), ["sentences", 0]),
    ("tagging games", lambda: tasks.tagging(GENERATOR, 5, most=0), ["most", 0]),
    ("dates B", lambda: tasks.dates(GENERATOR, 0), ["B", 0]),
    ("reversal K", lambda: tasks.reversal(GENERATOR, 5, 3, K=0), ["K", 0]),
    ("reversal lengths", lambda: tasks.reversal(GENERATOR, 5, 3, least=4), [4, 3]),
    ("induction B", lambda: tasks.induction(GENERATOR, 0, 9), ["B", 0]),
    ("induction T", lambda: tasks.induction(GENERATOR, 5, 24), [8, 24, 32]),
    ("induction V", lambda: tasks.induction(GENERATOR, 5, 40, V=23), [8, 24, 23]),
    ("recall B", lambda: tasks.associative_recall(GENERATOR, 0, 3), ["B", 0]),
    ("recall pairs", lambda: tasks.associative_recall(GENERATOR, 5, 9, keys=7), [9, 7, 16]),
    ("phrase", lambda: phrases.phrase(GENERATOR, 2), [2, 3]),
    ("phrases' split", lambda: phrases.corpus(0, 5, 20), [5, 20]),
    ("phrases of none", lambda: phrases.corpus(0, 5, 0), ["test", 0]),
    ("tagging baseline", lambda: sentences.tagging_baseline(0), ["most", 0]),
]
Q, K, VALUES = zeros(B, T, D), zeros(B, 5, D), zeros(B, 5, H)  # 3 queries, 5 positions
K_7, F32 = zeros(B, 5, 7), (floats_32(B, T, D), floats_32(B, 5, 7), floats_32(B, 5, H))
GENERAL = multiplicative.general_init(GENERATOR, D, 7)
ADDITIVE = additive.init(GENERATOR, D, 7, 4)
NORM, NETWORK = layernorm.init(GENERATOR, D), feed_forward.init(GENERATOR, D, H)
MULTIHEAD, Q_12, K_12 = multihead.init(GENERATOR, 12), zeros(B, T, 12), zeros(B, 5, 12)


def many(q=Q_12, k=K_12, v=K_12, mask=None, bias=None, heads=4, angles=None):
    return multihead.forward(MULTIHEAD, q, k, v, mask, bias, heads=heads, angles=angles)


def general(q=Q, k=K_7, v=VALUES):
    return multiplicative.general_forward(GENERAL, q, k, v)


def add(q=Q, k=K_7, v=VALUES, mask=None):
    return additive.forward(ADDITIVE, q, k, v, mask)


def online(q=Q, k=K, v=VALUES, mask=None, bias=None, **choice):
    return online_attention.forward(q, k, v, mask, bias, **choice)


def rotate(x):
    return positional.rotary_forward(x, positional.rotary_angles(5, 6))


def learned(x):
    return positional.learned_forward(positional.learned_init(GENERATOR, 5, D), x)


def transformer_mistakes():
    """Rows for what can be wrong with the arguments of a layer of a Transformer."""
    real = np.ones((B, 7), bool)
    for name, layer in [("encoder", encoder_layer), ("decoder", decoder_layer)]:
        weights = layer.init(np.random.default_rng(0), 12, H)
        source = () if name == "encoder" else (K_12,)
        yield f"{name} init", partial(layer.init, GENERATOR, 12, 0), [0, 1]
        for order in ("post_norm", "pre_norm"):
            forward = partial(getattr(layer, f"{order}_forward"), weights)
            yield f"{name} {order} heads", partial(forward, Q_12, *source, heads=5), [5, 12]
            wrong = partial(forward, zeros(B, T, 7), *source, heads=4)
            yield f"{name} {order} features", wrong, [7, 12]
            wrong = partial(forward, floats_32(B, T, 12), *source, heads=4)
            yield f"{name} {order} dtypes", wrong, BOTH
            wrong = partial(forward, Q_12, *source, attention.padding_mask(real), heads=4)
            yield f"{name} {order} mask", wrong, ["(2, 1, 1, 7)", "(2, 4, 3, 3)"]
            wrong = partial(forward, Q_12, *source, heads=4, rate=1.5, rng=GENERATOR)
            yield f"{name} {order} rate", wrong, [1.5, 1]
            if source:
                wrong = partial(forward, Q_12, zeros(B, 5, 7), heads=4)
                yield f"{name} {order} source", wrong, [7, 12]
                wrong = partial(forward, Q_12, zeros(7, 5, 12), heads=4)
                yield f"{name} {order} source batch", wrong, [7, 2]
                wrong = attention.padding_mask(real)
                wrong = partial(forward, Q_12, K_12, source_mask=wrong, heads=4)
                yield f"{name} {order} source mask", wrong, ["(2, 1, 1, 7)", "(2, 4, 3, 5)"]
            _, cache = forward(Q_12, *source, heads=4)
            wrong = partial(getattr(layer, f"{order}_backward"), zeros(B, T, 7), cache)
            yield f"{name} {order} dy", wrong, ["(2, 3, 7)", "(2, 3, 12)"]


def smoothed(eps, targets=IDS):
    return losses.smoothed_cross_entropy_forward(zeros(B, T, V), targets, eps=eps)


ATTENTION = [
    ("attention width", lambda: attention.forward(Q, zeros(B, 5, 7), VALUES), [7, 11]),
    ("attention values", lambda: attention.forward(Q, K, zeros(B, 7, H)), [7, 5]),
    ("attention batch", lambda: attention.forward(Q, zeros(7, 5, D), VALUES), [7, 2]),
    ("attention axes", lambda: attention.forward(zeros(D), K, VALUES), [1, 2]),
    ("attention to nothing", lambda: attention.forward(Q, K[:, :0], VALUES[:, :0]), [0, 1]),
    ("attention dtypes", lambda: attention.forward(Q, floats_32(B, 5, D), VALUES), BOTH),
    ("attention of integers", lambda: attention.forward(Q.astype(int), K, VALUES), ["int64"]),
    ("attention bias dtype", lambda: attention.forward(Q, K, VALUES, None, floats_32(T, 5)), BOTH),
    (
        "attention bias",
        lambda: attention.forward(Q, K, VALUES, None, zeros(5, T)),
        ["(5, 3)", "(2, 3, 5)"],
    ),
    (
        "attention mask",
        lambda: attention.forward(Q, K, VALUES, np.ones((5, T), bool)),
        ["(5, 3)", "(2, 3, 5)"],
    ),
    (
        "attention mask's axes",
        lambda: attention.forward(Q, K, VALUES, np.ones((1, B, T, 5), bool)),
        ["(1, 2, 3, 5)", "(2, 3, 5)"],
    ),
    (
        "attention mask dtype",
        lambda: attention.forward(Q, K, VALUES, np.ones((T, 5))),
        ["float64", "bool"],
    ),
    (
        "attention dy",
        lambda: attention.backward(zeros(B, T, 7), attention.forward(Q, K, VALUES)[1]),
        ["(2, 3, 7)", "(2, 3, 13)"],
    ),
    ("online width", lambda: online(k=zeros(B, 5, 7)), [7, 11]),
    ("online values", lambda: online(v=zeros(B, 7, H)), [7, 5]),
    ("online mask", lambda: online(mask=TRUE), ["(2, 3)", "(2, 3, 5)"]),
    ("online bias", lambda: online(bias=zeros(5, T)), ["(5, 3)", "(2, 3, 5)"]),
    ("online block", lambda: online(block=0), ["block", 0]),
    (
        "online dy",
        lambda: online_attention.backward(zeros(B, T, 7), online()[1]),
        ["(2, 3, 7)", "(2, 3, 13)"],
    ),
    ("causal mask", lambda: attention.causal_mask(0), ["T", 0]),
    ("padding mask", lambda: attention.padding_mask(TRUE[0]), ["(3,)", "(any, any)"]),
    ("padding mask dtype", lambda: attention.padding_mask(IDS), ["int64", "bool"]),
    ("multihead features", lambda: many(q=zeros(B, T, 7)), ["q", 7, 12]),
    ("multihead source", lambda: many(k=zeros(B, 5, 7)), ["k", 7, 12]),
    ("multihead positions", lambda: many(v=zeros(B, 7, 12)), [7, 5]),
    ("multihead batch", lambda: many(k=zeros(7, 5, 12)), [7, 2]),
    ("multihead no steps", lambda: many(q=zeros(B, 0, 12)), [2, 0]),
    ("multihead dtypes", lambda: many(v=floats_32(B, 5, 12)), BOTH),
    ("multihead heads", lambda: many(heads=5), [5, 12]),
    ("multihead no heads", lambda: many(heads=0), ["heads", 0]),
    ("multihead mask", lambda: many(mask=np.ones((7, 5), bool)), ["(7, 5)", "(2, 4, 3, 5)"]),
    ("multihead mask's axes", lambda: many(mask=np.ones((B, T, 5), bool)), [3, 2, 4]),
    ("multihead mask dtype", lambda: many(mask=np.ones((T, 5))), ["float64", "bool"]),
    ("multihead bias", lambda: many(bias=zeros(B, T, 5)), ["(2, 3, 5)", "(2, 4, 3, 5)"]),
    ("multihead angles", lambda: many(angles=zeros(7, 1)), ["(2, 4, 3, 3)", "(7, 1)"]),
    ("multihead dy", lambda: multihead.backward(zeros(B, T, 7), many()[1]), ["(2, 3, 7)", 12]),
    ("multihead init", lambda: multihead.init(GENERATOR, 0), ["D", 0]),
    ("multihead init source", lambda: multihead.init(GENERATOR, 5, 0), ["source", 0]),
    ("sinusoidal", lambda: positional.sinusoidal(5, 7), [7, 2]),
    ("angles", lambda: positional.rotary_angles(0, 6), ["T", 0]),
    ("rotary", lambda: rotate(zeros(B, 7, 6)), ["(2, 7, 6)", "(5, 3)"]),
    ("rotary pairs", lambda: rotate(zeros(B, 5, 7)), ["(2, 5, 7)", "(5, 3)"]),
    (
        "rotary dy",
        lambda: positional.rotary_backward(zeros(B, 7, 6), rotate(zeros(B, 5, 6))[1]),
        ["(2, 7, 6)", "(2, 5, 6)"],
    ),
    ("learned positions", lambda: learned(zeros(B, 7, D)), [7, 5]),
    ("learned positions' features", lambda: learned(zeros(B, 5, 7)), ["(2, 5, 7)", 11]),
    ("learned positions' dtypes", lambda: learned(floats_32(B, 5, D)), BOTH),
    (
        "learned positions' dy",
        lambda: positional.learned_backward(zeros(B, 7, D), learned(zeros(B, 5, D))[1]),
        ["(2, 7, 11)", "(2, 5, 11)"],
    ),
    ("learned positions of none", lambda: positional.learned_init(GENERATOR, 0, 5), ["most", 0]),
    ("alibi", lambda: positional.alibi_bias(0, 5), ["heads", 0]),
    ("dot width", lambda: multiplicative.dot_forward(Q, zeros(B, 5, 7), VALUES), [7, 11]),
    ("dot values", lambda: multiplicative.dot_forward(Q, K, zeros(B, 7, H)), [7, 5]),
    ("dot mask", lambda: multiplicative.dot_forward(Q, K, VALUES, TRUE), ["(2, 3)", "(2, 3, 5)"]),
    ("general query", lambda: general(q=zeros(B, T, 7)), ["q", 7, 11]),
    ("general key", lambda: general(k=zeros(B, 5, 9)), ["k", 9, 7]),
    ("general dtypes", lambda: general(floats_32(B, T, D), *F32[1:]), BOTH),
    ("general init", lambda: multiplicative.general_init(GENERATOR, 5, 0), ["D_k", 0]),
    ("additive query", lambda: add(q=zeros(B, T, 7)), ["q", 7, 11]),
    ("additive key", lambda: add(k=zeros(B, 5, 9)), ["k", 9, 7]),
    ("additive values", lambda: add(v=zeros(B, 7, H)), [7, 5]),
    ("additive mask", lambda: add(mask=TRUE), ["(2, 3)", "(2, 3, 5)"]),
    ("additive dtypes", lambda: add(floats_32(B, T, D), *F32[1:]), BOTH),
    ("additive init", lambda: additive.init(GENERATOR, 5, 6, 0), ["H", 0]),
    (
        "additive keys",
        lambda: additive.query_forward(ADDITIVE, Q, zeros(B, 5, 9), VALUES),
        ["(2, 5, 9)", "(any, any, 4)"],
    ),
    ("additive dy", lambda: additive.backward(zeros(B, 7, H), add()[1]), ["(2, 7, 13)", "(2, 3"]),
    ("layernorm features", lambda: layernorm.forward(NORM, zeros(B, 7)), [7, 11]),
    ("layernorm dtypes", lambda: layernorm.forward(NORM, floats_32(B, D)), BOTH),
    ("layernorm of a number", lambda: layernorm.forward(NORM, np.float64(1)), ["()", 11]),
    ("layernorm init", lambda: layernorm.init(GENERATOR, 0), ["D", 0]),
    (
        "layernorm dy",
        lambda: layernorm.backward(zeros(B, 7), layernorm.forward(NORM, zeros(B, D))[1]),
        ["(2, 7)", "(2, 11)"],
    ),
    ("feed-forward features", lambda: feed_forward.forward(NETWORK, zeros(B, 7)), [7, 11]),
    ("feed-forward dtypes", lambda: feed_forward.forward(NETWORK, floats_32(B, D)), BOTH),
    ("feed-forward init", lambda: feed_forward.init(GENERATOR, D, 0), [0, 1]),
    (
        "feed-forward dy",
        lambda: feed_forward.backward(zeros(B, 7), feed_forward.forward(NETWORK, zeros(B, D))[1]),
        ["(2, 7)", "(2, 11)"],
    ),
    *transformer_mistakes(),
    ("smoothing", lambda: smoothed(1.0), ["eps", "1.0", 0, 1]),
    ("smoothing below 0", lambda: smoothed(-0.5), ["eps", "-0.5", 0]),
    ("smoothing of NaN", lambda: smoothed(np.nan), ["eps", "nan"]),
    ("smoothing target", lambda: smoothed(0.1, IDS + 17), [17, 16]),
    ("smoothing target's shape", lambda: smoothed(0.1, IDS[0]), ["(3,)", "(2, 3)"]),
    ("pooling values", lambda: pooling.forward(K, VALUES), ["(2, 5, 13)", "(2, 11, any)"]),
    ("pooling dtypes", lambda: pooling.forward(zeros(B, T, 5), floats_32(B, 5, D)), BOTH),
    (
        "pooling mask",
        lambda: pooling.forward(zeros(B, T, 5), VALUES, TRUE),
        ["(2, 3)", "(2, 3, 5)"],
    ),
    (
        "pooling dy",
        lambda: pooling.backward(zeros(B, 7, H), pooling.forward(zeros(B, T, 5), VALUES)[1]),
        ["(2, 7, 13)", "(2, 3, 13)"],
    ),
]
RECURRENT = [row for name, module in MODULES.items() for row in wrong_inputs(name, module)]
GATED = [
    (f"{name} hold", partial(forward_of(name), hold={"y": 1.0}), ["'y'", ", ".join(GATES[name])])
    for name in GATES
]
# What was called, with what, and the words and numbers that the message has to hold.
MISTAKES = [
    ("linear.init", lambda: linear.init(GENERATOR, 0, 13), ["D", 0]),
    ("linear features", lambda: linear.forward(LINEAR, zeros(B, 7)), [7, 11]),
    ("linear dtypes", lambda: linear.forward(LINEAR, floats_32(B, D)), BOTH),
    ("linear of integers", lambda: linear.forward(LINEAR, IDS), ["int64", "float32"]),
    ("linear of a number", lambda: linear.forward(LINEAR, np.float64(1)), ["()", 11]),
    ("linear dy", lambda: linear_backward(zeros(B, 7)), ["(2, 7)", "(2, 13)"]),
    ("embedding.init", lambda: embedding.init(GENERATOR, 17, 0), ["D", 0]),
    ("embedding id", lambda: embedding.forward(TABLE, [[17]]), [17, 16]),
    ("embedding negative", lambda: embedding.forward(TABLE, [[-1]]), [-1, 16]),
    ("embedding of floats", lambda: embedding.forward(TABLE, zeros(B, T)), ["float64", "integers"]),
    ("embedding of booleans", lambda: embedding.forward(TABLE, IDS == 0), ["bool", "integers"]),
    ("embedding dx", lambda: embedding_backward(zeros(B, T, 7)), ["(2, 3, 7)", "(2, 3, 11)"]),
    (
        "rnn activation",
        lambda: rnn.forward(CELL, zeros(B, T, D), activation="gelu"),
        ["gelu", "tanh", "relu", "sigmoid"],
    ),
    ("rnn step activation", lambda: rnn.step(CELL, zeros(B, D), activation=""), ["tanh"]),
    (
        "loss targets",
        lambda: losses.cross_entropy_forward(zeros(B, T, V), IDS[:1]),
        ["(1, 3)", "(2, 3)"],
    ),
    ("loss target", lambda: losses.cross_entropy_forward(zeros(B, T, V), IDS + 17), [17, 16]),
    (
        "loss target of floats",
        lambda: losses.cross_entropy_forward(zeros(B, T, V), zeros(B, T)),
        ["float64", "integers"],
    ),
    ("loss of integers", lambda: losses.cross_entropy_forward(IDS, IDS[:, 0]), ["int64"]),
    (
        "loss mask",
        lambda: losses.cross_entropy_forward(zeros(B, T, V), IDS, np.ones(B, bool)),
        ["(2,)", "(2, 3)"],
    ),
    (
        "loss mask dtype",
        lambda: losses.cross_entropy_forward(zeros(B, T, V), IDS, IDS),
        ["int64", "bool"],
    ),
    (
        "loss of nothing",
        lambda: losses.cross_entropy_forward(zeros(B, T, V), IDS, IDS > 0),
        [6, 1],
    ),
    (
        "loss of NaN",
        lambda: losses.cross_entropy_forward(with_one((B, T, V), np.nan), IDS),
        ["logits", "nan", 1],
    ),
    (
        "squared error",
        lambda: losses.squared_error_forward(zeros(B, 5), zeros(B, 7)),
        ["(2, 7)", "(2, 5)"],
    ),
    (
        "squared error of NaN",
        lambda: losses.squared_error_forward(with_one((B, D), np.nan), zeros(B, D)),
        ["y - targets", "nan", 1, 22],
    ),
    (
        "squared error of nothing",
        lambda: losses.squared_error_forward(zeros(B, D), zeros(B, D), np.zeros(B, bool)),
        [2, 1],
    ),
    ("params", lambda: params.sub(PARAMS, "lstm"), ["lstm", "cell.W_xh"]),
    ("model ids", lambda: language_loss(inputs=IDS + 17), [17, 16]),
    ("model targets", lambda: language_loss(targets=IDS - 1), [-1, 16]),
    ("model no steps", lambda: language_loss(IDS[:, :0], IDS[:, :0]), [2, 0]),
    ("model empty batch", lambda: language_loss(IDS[:0], IDS[:0]), [0, 3]),
    ("model mask", lambda: language_loss(mask=np.ones((B, 7), bool)), ["(2, 7)", "(2, 3)"]),
    ("model state", lambda: language_loss(state=zeros(B, 7)), ["(2, 7)", "(2, 13)"]),
    ("model source", lambda: MODEL.start(PARAMS, IDS[0]), ["(3,)", "(any, any)"]),
    ("model source id", lambda: MODEL.start(PARAMS, IDS + 17), [17, 16]),
    ("model step", lambda: MODEL.step(PARAMS, IDS[:, 0], zeros(5, H)), ["(5, 13)", "(2, 13)"]),
    ("model step id", lambda: MODEL.step(PARAMS, np.array([17]), zeros(1, H)), [17, 16]),
    ("window model", lambda: window_loss(IDS, IDS[:, 0]), ["(2, 3)", 5]),
    (
        "window model id",
        lambda: window_loss(with_one((B, 5), 18, int), IDS[:, 0]),
        [18, 17],
    ),
    ("window model target", lambda: window_loss(np.zeros((B, 5), int), IDS[:, 0] + 17), [17, 16]),
    ("window model of none", lambda: WindowModel(V, D, H, 0).init(GENERATOR), [0]),
    ("window model source", lambda: WINDOW.start(WINDOW_PARAMS, IDS[0]), ["(3,)", "(any, any)"]),
    (
        "window model step",
        lambda: WINDOW.step(WINDOW_PARAMS, [17, 0], np.zeros((B, 5), int)),
        [17, 16],
    ),
    (
        "decode length",
        lambda: decode.greedy(MODEL, PARAMS, IDS[:, 0], zeros(B, H), max_length=0),
        [0, 1],
    ),
    ("beam width", lambda: beam(width=0), ["width", 0]),
    ("beam length", lambda: beam(max_length=0), ["max_length", 0]),
    ("beam alpha", lambda: beam(alpha=-0.5), ["-0.5", 0]),
    ("decode temperature", lambda: sample(temperature=0.0), ["0.0", "more than 0"]),
    ("decode top_k", lambda: sample(top_k=0), [0, 1, 17]),
    ("decode top_k of V", lambda: sample(top_k=18), [18, 1, 17]),
    ("decode top_p", lambda: sample(top_p=0.0), ["0.0", 1]),
    ("decode top_p above 1", lambda: sample(top_p=1.5), [1.5, 1]),
    ("decode first", lambda: sample() and MODEL.step(PARAMS, [17, 0], zeros(B, H)), [17, 16]),
    ("vocabulary twice", lambda: text.Vocabulary(("a", "b", "a")), [3, 2]),
    ("vocabulary unknown", lambda: VOCABULARY.encode(["a", "a", "c"]), ["'c'", "position 2", 2]),
    ("vocabulary id", lambda: VOCABULARY.decode([0, 2]), [2, "0 to 1"]),
    ("vocabulary negative", lambda: VOCABULARY.decode([-1]), [-1, "0 to 1"]),
    ("vocabulary of floats", lambda: VOCABULARY.decode([0.5]), ["float64", "integers"]),
    ("split", lambda: text.split("abc", 0.1), ["0.1", 3, 0]),
    ("windows", lambda: text.windows([1, 2, 3], 3), ["3 values", "window of 3"]),
    ("windows of none", lambda: text.windows([1, 2, 3], 0), [0]),
    (
        "minibatches",
        lambda: list(text.minibatches(GENERATOR, Batch(IDS, IDS), 0)),
        ["B is 0", 1],
    ),
    (
        "minibatches rows",
        lambda: list(text.minibatches(GENERATOR, Batch(np.zeros((5, 2)), np.zeros((7, 2))), 3)),
        [5, 7],
    ),
    ("chunks", lambda: list(text.chunks(np.arange(6), 2, 3)), [6, 2, 3]),
    ("chunks of none", lambda: list(text.chunks(np.arange(6), 0, 3)), ["B is 0", 1]),
    ("excerpts", lambda: next(text.excerpts(GENERATOR, np.arange(5), 2, 5)), ["5 symbols", 5]),
    ("excerpts of none", lambda: next(text.excerpts(GENERATOR, np.arange(5), 2, 0)), ["T is 0", 1]),
    ("pad nothing", lambda: text.pad([]), [0]),
    ("pad an empty one", lambda: text.pad([[1], [], [2]]), ["3 sequences", "1 of them"]),
    ("pad floats", lambda: text.pad([[0.5], [1.0]]), ["float", "ids"]),
    ("ngrams nothing", lambda: ngrams.fit(np.zeros(0, int), 2, V), [2, 0]),
    ("ngrams order", lambda: ngrams.fit(np.arange(V), 0, V), [0, 17]),
    ("ngrams id", lambda: ngrams.fit([0, 17], 2, V), [17, 16]),
    ("ngrams bits", lambda: ngrams.fit(np.arange(V), 20, V), [20, 17, 63]),
    (
        "ngrams contexts",
        lambda: ngrams.probabilities(NGRAM, np.zeros((1, 5), int), [[0]]),
        ["(1, 5)", 2],
    ),
    (
        "ngrams word",
        lambda: ngrams.probabilities(NGRAM, np.zeros((1, 2), int), [[17]]),
        [17, 16],
    ),
    (
        "ngrams context id",
        lambda: ngrams.probabilities(NGRAM, np.full((1, 2), 18), [[0]]),
        [18, 17],
    ),
    ("ngrams text", lambda: ngrams.cross_entropy(NGRAM, [17]), [17, 16]),
    ("ngrams empty text", lambda: ngrams.cross_entropy(NGRAM, np.zeros(0, int)), [0, 1]),
    ("ngrams source", lambda: NGRAM.start(None, IDS[0]), ["(3,)", "(any, any)"]),
    ("ngrams step", lambda: NGRAM.step(None, [17], np.zeros((1, 2), int)), [17, 16]),
    ("pronouns none", lambda: tasks.pronouns(GENERATOR, 0, 1), ["0 sentences", 1]),
    ("pronouns phrases", lambda: tasks.pronouns(GENERATOR, 5, (3, 2)), [5, 3, 2]),
    ("pronouns fewer than none", lambda: tasks.pronouns(GENERATOR, 5, -1), [5, -1]),
    (
        "grammar probabilities",
        lambda: tasks.Grammar({"s": ((0.5, "a", None), (0.25, "b", None))}, "s").entropy(),
        ["'s'", 0.75],
    ),
    (
        "grammar states",
        lambda: tasks.Grammar({"s": ((1.0, "a", "t"),)}, "s").visits(),
        ["'s'", "'t'"],
    ),
    (
        "grammar without end",
        lambda: tasks.Grammar({"s": ((0.5, "a", "s"), (0.5, "b", None))}, "s").sentences(),
        [2, 1],
    ),
    (
        "grammar's sentence",
        lambda: tasks.agreement_grammar().surprisal(["the cat sleep.\n"]),
        ["'the cat sleep.\\n'", 1008],
    ),
    ("accuracy", lambda: metrics.accuracy(IDS, IDS[:1]), ["(2, 3)", "(1, 3)"]),
    ("accuracy mask", lambda: metrics.accuracy(IDS, IDS, IDS[0] == 0), ["(3,)", "(2, 3)"]),
    ("accuracy mask dtype", lambda: metrics.accuracy(IDS, IDS, IDS), ["int64", "bool"]),
    ("accuracy of nothing", lambda: metrics.accuracy(IDS, IDS, IDS > 0), [6, 1]),
    ("exact match", lambda: metrics.exact_match(IDS[:, :2], IDS), ["(2, 2)", "(2, 3)"]),
    ("bleu", lambda: metrics.bleu([["a"]], [["a"], ["b"]]), [1, 2]),
    ("bleu of none", lambda: metrics.bleu([], []), [0, 1]),
    ("aer shapes", lambda: links(sure=TRUE[:1]), ["sure", "(1, 3)", "(2, 3)"]),
    ("aer sure", lambda: links(possible=~TRUE), [6]),
    ("aer of nothing", lambda: links(~TRUE, ~TRUE), [0, 6]),
    ("strongest", lambda: metrics.strongest(zeros(B, T)), ["(2, 3)", "(any, any, any)"]),
    ("strongest mask", lambda: metrics.strongest(X, TRUE), ["(2, 3)", "(2, 11)"]),
    ("ibm1 rows", lambda: ibm1.fit(IDS, IDS[:1], V, V), [2, 1]),
    ("ibm1 rounds", lambda: ibm1.fit(IDS, IDS, V, V, rounds=0), ["rounds", 0]),
    ("ibm1 no rows", lambda: ibm1.fit([], [], V, V), [0]),
    ("ibm1 empty", lambda: ibm1.fit(IDS[:, :0], IDS, V, V), ["S", 0]),
    ("ibm1 id", lambda: ibm1.fit(IDS + 17, IDS, V, V), [17, 16]),
    ("ibm1 target", lambda: ibm1.align(zeros(V + 1, 5), IDS[0], IDS[0] + 5), [5, 4]),
    ("probe x", lambda: probe.fit(X, IDS, 3), ["(2, 3, 11)"]),
    ("probe label", lambda: probe.fit(X[0], IDS[0] + 3, 3), [3, 2]),
    ("probe labels", lambda: probe.fit(X[0], IDS[:, 0], 3), ["(2,)", "(3)"]),
    (
        "minibatches by length",
        lambda: next(text.minibatches_by_length(GENERATOR, ROWS, 0)),
        ["B is 0", 1],
    ),
    ("translation batch", lambda: text.translation_batch(IDS, IDS[:1]), [2, 1]),
    ("translation of nothing", lambda: text.translation_batch(IDS[:, :0], IDS), [2]),
    ("sgd", lambda: optim.sgd(0.0), ["learning_rate is 0.0"]),
    ("sgd of NaN", lambda: optim.sgd(np.nan), ["learning_rate is nan"]),
    ("momentum", lambda: optim.momentum(0.1, 1.0), ["mu is 1.0", 0, 1]),
    ("adam b1", lambda: optim.adam(0.1, b1=-0.5), ["b1 is -0.5", 0, 1]),
    ("adam b2", lambda: optim.adam(0.1, b2=1.0), ["b2 is 1.0", 0, 1]),
    ("clip norm", lambda: optim.clip_by_norm({"w": zeros(1)}, 0), ["limit is 0"]),
    ("clip value", lambda: optim.clip_by_value({"w": zeros(1)}, -1), ["limit is -1", 0]),
    ("train loss", lambda: train_once(np.nan), ["step 1", "nan", "1.0"]),
    ("train gradient", lambda: train_once(2.5, np.inf), ["step 1", 2.5, "inf"]),
    ("train clipped gradient", lambda: train_once(2.5, np.nan, clip=1.0), [2.5, "nan"]),
    ("differences", lambda: gradcheck.numerical_gradient(np.sum, floats_32(2)), BOTH),
    ("errors' shapes", lambda: gradcheck.relative_error(zeros(3), zeros(2)), ["(3,)", "(2,)"]),
    ("errors of NaN", lambda: gradcheck.relative_error(with_one(3, np.nan), zeros(3)), [1, 0]),
]


TRANSLATIONS = [row for name in TRANSLATORS for row in wrong_translations(name)] + [
    ("luong dot", lambda: luong_dot(), [26, 13]),
]
WHOLE = TRANSLATORS["transformer"]
TRANSFORMERS = [
    ("transformer heads", lambda: WHOLE._replace(heads=5).init(GENERATOR), [12, 5]),
    ("transformer no heads", lambda: WHOLE._replace(heads=0).init(GENERATOR), ["heads", 0]),
    ("transformer layers", lambda: WHOLE._replace(layers=0).init(GENERATOR), ["layers", 0]),
    ("transformer sources", lambda: WHOLE._replace(V_source=0).init(GENERATOR), ["V is 0"]),
    ("transformer step id", lambda: step_on(WHOLE, IDS[:, 0] + 5, IDS), [5, 4]),
    ("transformer step rows", lambda: step_on(WHOLE, np.zeros(7, int), IDS), ["(7,)", "(2)"]),
    ("writer state", lambda: attend_only(WRITER, state=IDS), ["None"]),
    ("writer id", lambda: attend_only(WRITER, IDS + 17), [17, 16]),
    ("writer target", lambda: attend_only(WRITER, targets=IDS + 17), [17, 16]),
    ("writer mask", lambda: attend_only(WRITER, mask=TRUE.T), ["(3, 2)", "(2, 3)"]),
    ("writer mask dtype", lambda: attend_only(WRITER, mask=IDS), ["int64", "bool"]),
    ("writer axes", lambda: attend_only(WRITER, IDS[0], IDS[0]), ["(3,)", "(any, any)"]),
    ("writer no steps", lambda: attend_only(WRITER, IDS[:, :0], IDS[:, :0]), ["T is 0", 1]),
    (
        "writer places",
        lambda: attend_only(WRITER, np.zeros((B, 6), int), np.zeros((B, 6), int)),
        [6, 5],
    ),
    ("writer smoothing", lambda: attend_only(WRITER, smoothing=1.5), [1.5, 1]),
    ("writer rate", lambda: attend_only(WRITER, rate=1.5, rng=GENERATOR), [1.5, 1]),
    ("writer source", lambda: WRITER.start({}, IDS[0]), ["(3,)", "(any, any)"]),
    ("writer source id", lambda: WRITER.start({}, IDS + 17), [17, 16]),
    ("writer step", lambda: step_on(WRITER, np.zeros(7, int), IDS), ["(7,)", "(2)"]),
    (
        "writer rotary",
        lambda: attend_only(WRITER._replace(positions=positions.ROTARY, heads=12)),
        ["1 features", "pairs"],
    ),
    (
        "writer sinusoidal",
        lambda: attend_only(
            WRITER._replace(D=7, heads=1, positions=positions.SINUSOIDAL),
        ),
        ["7 features", "pairs"],
    ),
    ("tagger state", lambda: attend_only(TAGGING, state=IDS), ["None"]),
    ("tagger target", lambda: attend_only(TAGGING, targets=IDS + 5), [5, 4]),
    ("tagger mask", lambda: attend_only(TAGGING, mask=TRUE.T), ["(3, 2)", "(2, 3)"]),
    (
        "tagger mask of logits",
        lambda: TAGGING.logits(TAGGING.init(GENERATOR), IDS, TRUE.T),
        ["(3, 2)", "(2, 3)"],
    ),
    ("classifier state", lambda: attend_only(CLASSIFYING, state=IDS), ["None"]),
    ("classifier targets", lambda: attend_only(CLASSIFYING), ["(2, 3)", "(2)"]),
    (
        "classifier empty row",
        lambda: attend_only(CLASSIFYING, targets=IDS[:, 0], mask=TRUE & [[True], [False]]),
        ["row 1", 0, 1],
    ),
]
EVERY_MISTAKE = [
    *TRANSFORMERS,
    *TRANSLATIONS,
    *MISTAKES,
    *LAYERS,
    *ATTENTION,
    *INSTRUMENTS,
    *RECURRENT,
    *GATED,
]


def holds(message, part):
    """Whether a message holds a phrase, or a number that stands alone."""
    if isinstance(part, str):
        return part in message
    return re.search(rf"(?<![\w.-]){re.escape(str(part))}(?!\w|\.\d)", message) is not None


@pytest.mark.parametrize(
    ("call", "parts"),
    [case[1:] for case in EVERY_MISTAKE],
    ids=[case[0] for case in EVERY_MISTAKE],
)
def test_a_mistake_is_named(call, parts):
    with pytest.raises(ValueError) as caught:
        call()
    message = str(caught.value)
    missing = [part for part in parts if not holds(message, part)]
    assert not missing, f"{message!r} does not hold {missing}"


def test_holds():
    assert holds("x has 5 features; W takes 4.", 5) and holds("x has 5 features; W takes 4.", 4)
    assert not holds("x has 15 features", 5) and not holds("x is -5", 5) and not holds("0.5", 5)
    assert holds("x is -5", -5) and holds("of (2, 5)", 5) and not holds("5.5", 5)


@pytest.mark.parametrize("name", ["RNN"])
def test_a_mistake_with_the_mirror_is_named(name):
    mirror = importlib.import_module("seqlib.pytorch.rnn")
    with pytest.raises(ValueError, match=r"'gelu'.*tanh, relu, sigmoid"):
        getattr(mirror, name)(3, 4, activation="gelu")


# What an import loads

SCRATCH = [module.name for module in pkgutil.iter_modules(seqlib.scratch.__path__)]
PICTURES = ("diagrams", "drawing", "plots", "widgets")  # these need matplotlib or a notebook
LIGHT = [
    module.name
    for module in pkgutil.iter_modules(seqlib.__path__)
    if not module.ispkg and not module.name.endswith(PICTURES)
]


def loaded_by(statement):
    """The top-level packages in a fresh process after a statement."""
    code = f"{statement}\nimport sys\nprint(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import seqlib",
        "import seqlib.scratch",
        "import " + ", ".join(f"seqlib.scratch.{name}" for name in SCRATCH),
        "import " + ", ".join(f"seqlib.{name}" for name in LIGHT),
    ],
)
def test_numpy_is_enough(statement):
    packages = loaded_by(statement)
    assert "seqlib" in packages
    assert not packages & {"torch", "matplotlib", "scipy", "IPython", "ipywidgets", "PIL"}


def test_loaded_by_sees_what_is_loaded():
    assert {"seqlib", "torch"} <= loaded_by("import seqlib.pytorch.rnn")
    assert {"matplotlib"} <= loaded_by("import seqlib.plots")
    assert {"rnn", "lstm", "gru", "linear", "models"} < set(SCRATCH)
    assert {"spectra", "optim", "tasks", "omega"} < set(LIGHT)


# Values by hand


def test_accuracy():
    predictions, targets = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 2, 0], [4, 0, 0]])
    mask = np.array([[True, True, False], [True, True, True]])
    assert metrics.accuracy(predictions, targets) == 3 / 6
    assert metrics.accuracy(predictions, targets, mask) == 3 / 5
    assert metrics.exact_match(predictions, targets) == 0
    assert metrics.exact_match(predictions, targets, mask) == 1 / 2


def test_bleu_by_hand():
    """Of 6 words 5 match, of 5 pairs 3, of 4 threes 1, of 3 fours 0, which count as 1/2."""
    found = "the cat sat on a mat".split(), "the cat lay on a mat".split()
    p = 5 / 6 * 3 / 5 * 1 / 4 * 0.5 / 3
    assert metrics.bleu(found[:1], found[1:]) == pytest.approx(100 * p**0.25, rel=1e-14)
    shorter = "on a mat now".split(), "he is on a mat now".split()
    assert metrics.bleu(shorter[:1], shorter[1:]) == pytest.approx(100 * np.exp(1 - 6 / 4))
    assert metrics.bleu(found, found) == pytest.approx(100, rel=1e-14)
    repeated = ["the"] * 7, "the cat is on the mat now".split()  # 2 of 7, and none of 6, 5, 4
    p = 2 / 7 * (1 / 2) / 6 * (1 / 4) / 5 * (1 / 8) / 4
    assert metrics.bleu(repeated[:1], repeated[1:]) == pytest.approx(100 * p**0.25, rel=1e-14)
    assert metrics.bleu([["no"] * 5], [["yes"] * 5]) == metrics.bleu([["a"]], [["a"]]) == 0


@pytest.mark.parametrize("change", ["few words differ", "many", "short", "long", "few rows"])
@pytest.mark.parametrize("seed", range(4))
def test_bleu_is_sacrebleus(seed, change):
    rng = np.random.default_rng(seed)
    rows = 2 if change == "few rows" else 20
    references = [rng.choice(list("abcdefg"), rng.integers(1, 12)).tolist() for _ in range(rows)]
    found = []
    for words in references:
        share = 0.7 if change == "many" else 0.2
        words = [rng.choice(list("abcdefg")) if rng.random() < share else word for word in words]
        words = words[: len(words) // 2] if change == "short" else words
        found.append(words + ["a", "b"] * (change == "long"))
    lines = [[" ".join(words) for words in part] for part in (found, references)]
    expected = sacrebleu.corpus_bleu(lines[0], [lines[1]], tokenize="none").score
    assert metrics.bleu(found, references) == pytest.approx(expected, abs=1e-6)


def test_alignment_error_rate():
    """Of 3 links 1 is sure and 1 more possible; of 2 sure ones 1 is found."""
    sure = np.array([[True, False, False], [False, True, False], [False, False, False]])
    possible = sure | [[False, False, False], [True, False, False], [False, False, True]]
    found = np.array([[True, False, False], [False, False, True], [False, False, True]])
    assert metrics.alignment_error_rate(found, sure, possible) == 1 - (1 + 2) / (3 + 2)
    assert metrics.alignment_error_rate(sure, sure, possible) == 0
    assert metrics.alignment_error_rate(possible, sure, possible) == 0
    assert metrics.alignment_error_rate(~possible, sure, possible) == 1


def test_strongest_links():
    weights = np.array([[[0.2, 0.5, 0.3], [0.1, 0.2, 0.7], [0.6, 0.3, 0.1]]])
    found = metrics.strongest(weights)
    assert found[0].argmax(axis=-1).tolist() == [1, 2, 0] and found.sum() == 3
    source, mask = np.array([[True, True, False]]), np.array([[True, True, False]])
    found = metrics.strongest(weights, source, mask)
    assert np.argwhere(found[0]).tolist() == [[0, 1], [1, 1]]


def test_ibm_model_1_by_hand():
    """Two rounds over "the house - la maison" and "the - la", as fractions; words: the, house."""
    sources, targets = [[0, 1], [0]], [[0, 1], [0]]
    table = np.full((3, 2), 1 / 2)
    for _ in range(2):
        counts = np.zeros((3, 2))
        for source, target in zip(sources, targets, strict=True):
            for f in target:
                total = sum(table[e, f] for e in (*source, 2))
                for e in (*source, 2):
                    counts[e, f] += table[e, f] / total
        table = counts / counts.sum(axis=1, keepdims=True)
    found = ibm1.fit(sources, targets, 2, 2, rounds=2)
    np.testing.assert_allclose(found, table, rtol=1e-14)
    many = ibm1.fit(sources, targets, 2, 2, rounds=50)
    assert many[1, 1] > 0.99
    assert ibm1.align(many, [0, 1], [0, 1])[1].tolist() == [False, True]
    np.testing.assert_allclose(many.sum(axis=1), 1, rtol=1e-12)


def test_ibm_model_1_never_gets_less_likely():
    rng = np.random.default_rng(0)
    sources = [rng.integers(0, 6, rng.integers(1, 6)) for _ in range(30)]
    targets = [rng.integers(0, 5, rng.integers(1, 6)) for _ in range(30)]
    likelihood = []
    for rounds in range(1, 8):
        table = ibm1.fit(sources, targets, 6, 5, rounds)
        rows = zip(sources, targets, strict=True)
        likelihood.append(
            sum(np.log(table[np.append(e, 6)][:, f].mean(axis=0)).sum() for e, f in rows)
        )
    assert (np.diff(likelihood) > 0).all()


def test_probe():
    """It reads what is linear in x whatever the units are, and not what is not."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 4)) * [1, 100, 0.01, 0] + [0, 500, 0, 3]
    labels = (x[:, 1] > 500).astype(int) + (100 * x[:, 2] > 1)
    params = probe.fit(x[:400], labels[:400], 3)
    assert probe.accuracy(params, x[400:], labels[400:]) > 0.85
    both = (x[:, 0] > 0) ^ (x[:, 1] > 500)  # exclusive or: no affine map tells
    params = probe.fit(x[:400], both[:400].astype(int), 2)
    assert probe.accuracy(params, x[400:], both[400:]) < 0.6
    assert (params["W"].shape, params["b"].shape) == ((2, 4), (2,))


class Echo:
    """Writes what it has just read, plus 1, whatever the source: 4 after 3; END after 6."""

    def start(self, params, source, source_mask=None):
        return np.zeros((len(source), 1))

    def step(self, params, ids, state):
        return np.eye(8)[np.where(ids == 1, 3, np.where(ids == 6, 2, ids + 1))], state

    def logits(self, params, batch):
        return self.step(params, batch.inputs, None)[0]


def test_exposure():
    """Rows of 3 4 5 6; a wrong start is never mended, but right words mend it at once."""
    batch = text.translation_batch([[3], [3]], [[3, 4, 5, 6], [4, 5, 6]])
    forced, free = (exposure.hits(Echo(), {}, batch, own) for own in (0, 1))
    assert forced.astype(int).tolist() == [[1, 1, 1, 1, 1], [0, 1, 1, 1, 0]]
    assert free.astype(int).tolist() == [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0]]
    assert exposure.scores(Echo(), {}, batch) == (8 / 9, 5 / 9, 1 / 2, 1.0, 0.0)
    right = text.translation_batch([[3]], [[3, 4, 5, 6]])
    assert np.isnan(exposure.scores(Echo(), {}, right)[3:]).all()
    rng = np.random.default_rng(0)
    slipped = exposure.slipped(Echo(), {}, batch.rows([0]), 1, [4, 6], rng)
    assert slipped.astype(int).tolist() == [[1, 1, 0, 0, 0]]  # 3 6, then END
    with pytest.raises(ValueError, match="place is 5 of 5 steps"):
        exposure.slipped(Echo(), {}, batch, 5, [4, 6], rng)


def test_mistyped():
    rng = np.random.default_rng(0)
    clean = tasks.progressions(rng, 500, 20)
    batch = exposure.mistyped(clean, 0.3, np.arange(3, 15), rng)
    np.testing.assert_array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    np.testing.assert_array_equal(batch.targets[:, -1], clean.targets[:, -1])
    assert abs((batch.targets != clean.targets)[:, :-1].mean() - 0.3 * 11 / 12) < 0.02
    assert exposure.mistyped(clean, 0.0, [3, 4], rng).targets.tolist() == clean.targets.tolist()


def test_translation_batch():
    batch = text.translation_batch([[5, 6], [7]], [[3], [4, 5, 6]])
    assert batch.source.tolist() == [[5, 6], [7, 0]]
    assert batch.inputs.tolist() == [[1, 3, 0, 0], [1, 4, 5, 6]]
    assert batch.targets.tolist() == [[3, 2, 0, 0], [4, 5, 6, 2]]
    assert batch.mask.sum(axis=1).tolist() == [2, 4] and batch.source_mask.sum() == 3
    first = batch._replace(own=0.5).rows(np.array([0]))
    assert first.source.tolist() == [[5, 6]] and first.targets.tolist() == [[3, 2]]
    assert first.mask.all() and first.own == 0.5
    parts = list(text.minibatches(np.random.default_rng(0), batch, 1))
    assert sorted(part.targets.tolist() for part in parts) == [[[3, 2]], [[4, 5, 6, 2]]]


def test_minibatches_by_length():
    """Every row once, and of less padding than rows as they come."""
    rng = np.random.default_rng(0)
    rows = [[3 + k // 9, 3 + k % 9] + [3] * rng.integers(0, 9) for k in range(60)]
    batch = text.translation_batch(rows, rows)
    parts = list(text.minibatches_by_length(rng, batch, 7, pool=4))
    assert sum(len(part.source) for part in parts) == 60
    found = [row[mask].tolist() for p in parts for row, mask in zip(*p[::3], strict=True)]
    assert sorted(found) == sorted(rows) and found != rows
    padding = sum((~part.mask).sum() for part in parts)
    assert padding < 0.5 * sum((~part.mask).sum() for part in text.minibatches(rng, batch, 7))


def test_perplexity_and_bits():
    """A fair die of eight sides: perplexity 8, 3 bits."""
    assert metrics.perplexity(np.log(8)) == pytest.approx(8, rel=1e-15)
    assert metrics.bits(np.log(8)) == pytest.approx(3, rel=1e-15)
    assert metrics.perplexity(0.0) == 1
    np.testing.assert_allclose(metrics.bits(np.log([1, 2, 4])), [0, 1, 2], atol=1e-15)


def test_losses():
    """Logits 0, ln 2, ln 5 are probabilities 1/8, 2/8, 5/8."""
    logits = np.log([[1.0, 2.0, 5.0], [5.0, 2.0, 1.0]])
    loss, _ = losses.cross_entropy_forward(logits, [1, 2])
    assert loss == pytest.approx((np.log(4) + np.log(8)) / 2, rel=1e-15)
    loss, _ = losses.cross_entropy_forward(logits, [1, 2], np.array([False, True]))
    assert loss == pytest.approx(np.log(8), rel=1e-15)
    loss, _ = losses.squared_error_forward(np.array([[1.0, 2.0], [3.0, 5.0]]), np.zeros((2, 2)))
    assert loss == (1 + 4 + 9 + 25) / 4


def test_witten_bell():
    """In 0 1 0 1 0, three of five are 0, of two kinds; 0 is followed by 1 alone, twice."""
    model = ngrams.fit([0, 1, 0, 1, 0], 2, V=3)
    unigram = np.array([3, 2, 0]) + 2 / 3  # c(w) + 2 kinds x 1/3
    unigram /= 5 + 2
    found = ngrams.probabilities(model, np.array([[0]]), [[0, 1, 2]])
    np.testing.assert_allclose(found[0], (np.array([0, 2, 0]) + 1 * unigram) / (2 + 1), rtol=1e-15)
    never = ngrams.probabilities(model, np.array([[2]]), [[0, 1, 2]])
    np.testing.assert_allclose(never[0], unigram, rtol=1e-15)


def test_words():
    assert text.words("The girl’s cat -- isn't it?") == [
        *("the", "girl’s", "cat", "-", "-", "isn't", "it", "?")
    ]


def test_air_passengers():
    values = tasks.air_passengers()
    assert values.shape == (144,)
    assert values.dtype == np.float64
    assert (values[0], values[-1], values.sum()) == (112, 432, 40363)
    assert (values.argmin(), values.argmax(), values.max()) == (10, 138, 622)  # 104 in Nov. 1949
    assert values.min() == 104
    values[0] = 0
    assert tasks.air_passengers()[0] == 112  # each call gives an array of its own


def test_warm_up():
    """Learning rates of the first updates, and far behind them."""
    rise = optim.warm_up(0.2, 4)
    assert [rise(k) for k in (1, 2, 4, 5, 100)] == pytest.approx([0.05, 0.1, 0.2, 0.2, 0.2])
    peak = optim.warm_up_then_decay(0.2, 4)
    assert [peak(k) for k in (1, 2, 4, 16, 400)] == pytest.approx([0.05, 0.1, 0.2, 0.1, 0.02])


@pytest.mark.parametrize("make", [optim.sgd, optim.momentum, optim.adam])
def test_a_schedule_is_the_learning_rate_of_each_update(make):
    """An optimizer whose rate is constant for one update, then another: the same path."""
    grads, rates = {"w": np.array([2.0, -1.0])}, [0.1, 0.4, 0.2]
    w, memory = {"w": np.array([1.0, 1.0])}, None
    wanted, wanted_memory = w, None
    for rate in rates:
        w, memory = make(lambda k: rates[k - 1])(w, grads, memory)
        wanted, wanted_memory = make(rate)(wanted, grads, wanted_memory)
        np.testing.assert_array_equal(w["w"], wanted["w"])
    constant, _ = make(0.1)({"w": np.array([1.0, 1.0])}, grads)
    assert (constant["w"] != w["w"]).all()


def test_forget_bias():
    b = lstm.init(np.random.default_rng(0), D, H, forget_bias=3.0)["b"].reshape(4, H)
    assert (b[1] == 3).all() and not b[[0, 2, 3]].any()
    default = lstm.init(np.random.default_rng(0), D, H)["b"].reshape(4, H)
    assert (default[1] == 1).all()


def test_attention():
    """Scores ln 1, ln 3 are weights 1/4, 3/4; where the second is hidden, 1 and 0."""
    q, k = np.array([[2.0, 0, 0, 0]] * 3), np.zeros((2, 4))
    k[1, 0] = np.log(3)  # q . k / sqrt(4)
    v = np.array([[4.0, 0.0], [0.0, 8.0]])
    mask = np.array([[True, True], [True, False], [False, False]])
    y, cache = attention.forward(q, k, v, mask)
    np.testing.assert_allclose(cache.weights, [[1 / 4, 3 / 4], [1, 0], [0, 0]], rtol=1e-15)
    np.testing.assert_allclose(y, [[1, 6], [4, 0], [0, 0]], rtol=1e-15)
    y, _ = attention.forward(q[:1], k, v, bias=np.array([[np.log(2), 0]]))
    np.testing.assert_allclose(y, [[8 / 5, 24 / 5]], rtol=1e-15)
    assert attention.causal_mask(3).sum(axis=1).tolist() == [1, 2, 3]
    assert attention.padding_mask(np.array([[True, False]])).shape == (1, 1, 1, 2)


def test_label_smoothing():
    """Of ten classes with eps = 0.1: the least loss is 0.500, where the logits differ by 4.51.

    With eps shared by the nine wrong classes it would be 0.545 at 4.39.
    """
    gap = np.log(0.91 / 0.01)
    logits = np.zeros((1, 10))
    logits[0, 3] = gap
    loss, cache = losses.smoothed_cross_entropy_forward(logits, [3], eps=0.1)
    np.testing.assert_allclose(losses.smoothed_cross_entropy_backward(cache), 0, atol=1e-15)
    assert loss == pytest.approx(-0.91 * np.log(0.91) - 0.09 * np.log(0.01), rel=1e-14)
    assert (round(loss, 3), round(gap, 2)) == (0.5, 4.51)
    plain, _ = losses.cross_entropy_forward(logits, [3])
    assert losses.smoothed_cross_entropy_forward(logits, [3], eps=0.0)[0] == plain


def test_layers_of_a_transformer_start_as_they_should():
    """Norms of gain 1 and bias 0; with sublayers of zeros a pre-norm layer changes nothing."""
    for layer, source in [(encoder_layer, ()), (decoder_layer, (K_12,))]:
        weights = layer.init(np.random.default_rng(0), 12, H)
        for key, a in weights.items():
            if "norm" in key:
                assert (a == key.endswith("gain")).all()
        nothing = {key: 0 * a for key, a in weights.items() if "norm" not in key}
        x = np.random.default_rng(0).standard_normal((B, T, 12))
        y, _ = layer.pre_norm_forward(weights | nothing, x, *source, heads=4)
        np.testing.assert_array_equal(y, x)
        y, _ = layer.post_norm_forward(weights | nothing, x, *source, heads=4)
        np.testing.assert_allclose(y.var(axis=-1), 1, rtol=1e-3)
    bound = np.abs(multihead.init(np.random.default_rng(0), 50, 40)["W_k"]).max()
    assert 0.98 < bound / np.sqrt(6 / 90) <= 1


def test_a_transformer_starts_with_features_of_variance_1():
    """What the embedding gives, and the logits of a tied read-out of features like these."""
    for tied in (True, False):
        model = TransformerLanguageModel(500, 64, 64, 4, 1, tied=tied)
        weights = model.init(np.random.default_rng(0))
        x, _ = tied_ends.embed_forward(weights, "embedding", np.arange(500)[None])
        assert 0.95 < x.var() < 1.05
        y = np.random.default_rng(1).standard_normal((50, 64))
        logits, _ = tied_ends.readout_forward(weights, "embedding", y)
        assert (0.9 if tied else 0.25) < logits.var() < (1.1 if tied else 0.4)
        assert ("readout.W" in weights) != tied


def test_tied_tables_add_their_gradients():
    """One table used twice: its gradient is the sum of those of two tables that are equal."""
    one = Transformer(V, 5, 12, H, 4, 1)
    two, weights = one._replace(tied=False), one.init(np.random.default_rng(0))
    twice = {**weights, "readout.W": weights["target.W"]}
    rows = text.TranslationBatch(IDS, IDS + 1, IDS + 2, TRUE, TRUE)
    loss, grads, _ = one.loss_and_grads(weights, rows)
    other, apart, _ = two.loss_and_grads(twice, rows)
    assert loss == other
    assert np.abs(apart["target.W"]).max() > 1e-3 < np.abs(apart["readout.W"]).max()
    apart["target.W"] = apart["target.W"] + apart.pop("readout.W")
    assert apart.keys() == grads.keys()
    for key, gradient in grads.items():
        np.testing.assert_allclose(gradient, apart[key], rtol=1e-12, atol=1e-15)


def test_a_transformer_learns_to_turn_rows_around():
    """Three symbols backwards, in 150 updates: what its positions and its attention are for."""
    rng = np.random.default_rng(0)
    model = Transformer(8, 8, 32, 64, 4, 1, smoothing=0.1)
    batches = [tasks.reversal(rng, 32, 3, K=5) for _ in range(150)]
    *_, last = train(model, model.init(rng), batches, optim.adam(5e-3), clip=1.0)
    rows = tasks.reversal(rng, 100, 3, K=5)
    state = model.start(last.params, rows.source, rows.source_mask)
    first = rows.inputs[:, 0]
    found = decode.greedy(model, last.params, first, state, max_length=rows.mask.shape[1], end=2)
    assert metrics.exact_match(found.ids, rows.targets, rows.mask) > 0.95


def test_dropout_by_count():
    """Of a hundred thousand, the share that is dropped; the others keep the mean."""
    x = np.full(100_000, 3.0)
    y, _ = dropout.forward(x, 0.2, np.random.default_rng(0))
    assert set(y) == {0.0, 3 / 0.8}
    assert abs((y == 0).mean() - 0.2) < 5 * np.sqrt(0.16 / 100_000)
    assert (dropout.forward(x, 0.2)[0] == x).all()
    assert (dropout.forward(x, 0.0, np.random.default_rng(0))[0] == x).all()


def test_dropout_of_a_stack():
    """Between the layers alone: neither what it reads nor what it writes is dropped."""
    rng, x = np.random.default_rng(0), np.ones((B, T, D))
    layers = Stack(rnn, 2, dropout=0.5).init(rng, D, H)
    h, _, _ = Stack(rnn, 2, dropout=0.5).forward(layers, x)
    same, _, _ = Stack(rnn, 2).forward(layers, x)
    np.testing.assert_array_equal(h, same)
    dropped, _, cache = Stack(rnn, 2, dropout=0.5).forward(layers, x, rng=rng)
    assert (dropped != h).all()
    first, second = cache.layers
    lower, _, _ = rnn.forward(params.sub(layers, "0"), x)
    np.testing.assert_array_equal(first.x.swapaxes(0, 1), x)
    seen = second.x.swapaxes(0, 1)
    np.testing.assert_array_equal(seen[seen != 0], (2 * lower)[seen != 0])
    assert 0 < (seen == 0).sum() < seen.size
    one, _, _ = Stack(rnn, 1, dropout=0.5).forward(params.prefixed("0", CELL), x, rng=rng)
    np.testing.assert_array_equal(one, rnn.forward(CELL, x)[0])


class Parabola:
    """Loss w^2 / 2 + batch w; its state counts the batches that it was carried through."""

    def loss_and_grads(self, params, batch, state=None, rng=None):
        w = params["w"]
        return float(w @ w / 2 + batch * w.sum()), {"w": w + batch}, (state or 0) + 1


def test_train():
    """w = 8, then 8 - 8/2 = 4, then 4 - (4 + 2)/2 = 1."""
    start = {"w": np.array([8.0])}
    first, second = train(Parabola(), start, [0, 2], optim.sgd(0.5))
    assert (first.step, first.loss, first.gradient_norm) == (1, 32, 8)
    assert (second.step, second.loss, second.gradient_norm) == (2, 16, 6)
    assert (first.params["w"][0], second.params["w"][0], start["w"][0]) == (4, 1, 8)
    assert (first.state, second.state) == (1, 1)


def test_train_clips_and_carries():
    clipped = list(train(Parabola(), {"w": np.array([8.0])}, [0, 0], optim.sgd(0.5), clip=2.0))
    assert [r.gradient_norm for r in clipped] == [8, 7]  # before clipping
    assert [r.params["w"][0] for r in clipped] == [7, 6]
    carried = train(Parabola(), {"w": np.array([8.0])}, [0, 0, 0], optim.sgd(0.5), carry_state=True)
    assert [r.state for r in carried] == [1, 2, 3]


def test_train_is_lazy_and_ends_with_the_batches():
    def batches():
        yield 0
        raise AssertionError("a batch was taken that nobody asked for")

    run = train(Parabola(), {"w": np.array([8.0])}, batches(), optim.sgd(0.5))
    assert next(run).step == 1
    assert list(train(Parabola(), {"w": np.array([8.0])}, [], optim.sgd(0.5))) == []


def test_training_learns():
    """The successor of an id is the id plus one: after 150 updates nearly no error is left."""
    rng, model = np.random.default_rng(0), LanguageModel(V=5, D=4, H=8)
    ids = (np.arange(7) + rng.integers(0, 5, (20, 1))) % 5
    batch = Batch(ids[:, :-1], ids[:, 1:])
    run = list(train(model, model.init(rng), [batch] * 150, optim.adam(0.05), clip=1.0))
    assert run[0].loss > 1.2
    assert run[-1].loss < 0.05
    state = model.start(run[-1].params, np.array([[0]]))
    written = decode.greedy(model, run[-1].params, np.array([1]), state, max_length=6)
    assert written.ids.tolist() == [[2, 3, 4, 0, 1, 2]]


def test_params():
    a = {"inner.W": np.zeros((2, 3)), "inner.b": np.zeros(2), "innermost.W": np.zeros(4)}
    assert list(params.sub(a, "inner")) == ["W", "b"]
    assert list(params.prefixed("inner", params.sub(a, "inner"))) == ["inner.W", "inner.b"]
    assert params.count(a) == 6 + 2 + 4
    deeper = params.prefixed("outer", a)
    assert params.sub(params.sub(deeper, "outer"), "innermost")["W"] is a["innermost.W"]


DOCUMENTED = [
    *("text", "tasks", "reber", "sentiment", "sentences", "guessing"),
    *("dates", "rewriting", "recall", "phrases"),
]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_in_docstrings(name):
    found = doctest.testmod(importlib.import_module(f"seqlib.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
