"""What a caller can get wrong, what an import loads, and values counted by hand."""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import seqlib
import seqlib.scratch
from seqlib import decode, gradcheck, metrics, ngrams, optim, tasks, text
from seqlib.scratch import embedding, linear, losses, params, rnn
from seqlib.scratch.models import LanguageModel, WindowModel
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


def rnn_backward(dh, dh_T):
    return rnn.backward(dh, dh_T, rnn.forward(CELL, zeros(B, T, D))[2])


def linear_backward(dy):
    return linear.backward(dy, linear.forward(LINEAR, zeros(B, D))[1])


def embedding_backward(dx):
    return embedding.backward(dx, embedding.forward(TABLE, IDS)[1])


def sample(**choice):
    state, rng = zeros(B, H), np.random.default_rng(0)
    return decode.sample(MODEL, PARAMS, IDS[:, 0], state, rng, max_length=4, **choice)


def language_loss(inputs=IDS, targets=IDS, mask=None, state=None):
    return MODEL.loss_and_grads(PARAMS, Batch(inputs, targets, mask), state)


def window_loss(inputs, targets):
    return WINDOW.loss_and_grads(WINDOW_PARAMS, Batch(inputs, targets))


def train_once(loss, grad=1.0, **options):
    model = SimpleNamespace(loss_and_grads=lambda *_: (loss, {"w": np.array([grad])}, None))
    return list(train(model, {"w": zeros(1)}, [None], optim.sgd(0.1), **options))


BOTH = "float32", "float64"
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
    ("rnn.init H", lambda: rnn.init(GENERATOR, D, 0), ["H", 0]),
    ("rnn.init D", lambda: rnn.init(GENERATOR, -4, H), ["D", -4]),
    ("rnn features", lambda: rnn.forward(CELL, zeros(B, T, 7)), [7, "W_xh", 11]),
    ("rnn axes", lambda: rnn.forward(CELL, zeros(B, D)), [2, 3]),
    ("rnn empty batch", lambda: rnn.forward(CELL, zeros(0, T, D)), [0, 3]),
    ("rnn no steps", lambda: rnn.forward(CELL, zeros(B, 0, D)), [2, 0]),
    ("rnn dtypes", lambda: rnn.forward(CELL, floats_32(B, T, D)), BOTH),
    ("rnn of integers", lambda: rnn.forward(CELL, zeros(B, T, D, dtype=int)), ["int64"]),
    ("rnn state", lambda: rnn.forward(CELL, zeros(B, T, D), zeros(B, 7)), ["(2, 7)", "(2, 13)"]),
    ("rnn state's batch", lambda: rnn.forward(CELL, zeros(B, T, D), zeros(1, H)), [1, 13, 2]),
    ("rnn state dtype", lambda: rnn.forward(CELL, zeros(B, T, D), floats_32(B, H)), BOTH),
    (
        "rnn mask",
        lambda: rnn.forward(CELL, zeros(B, T, D), mask=np.ones((T, B), bool)),
        ["(3, 2)", "(2, 3)"],
    ),
    (
        "rnn mask dtype",
        lambda: rnn.forward(CELL, zeros(B, T, D), mask=np.ones((B, T))),
        ["float64", "bool"],
    ),
    (
        "rnn activation",
        lambda: rnn.forward(CELL, zeros(B, T, D), activation="gelu"),
        ["gelu", "tanh", "relu", "sigmoid"],
    ),
    ("rnn dh", lambda: rnn_backward(zeros(B, T, 7), None), ["(2, 3, 7)", "(2, 3, 13)"]),
    ("rnn dh_T", lambda: rnn_backward(None, zeros(B, 7)), ["(2, 7)", "(2, 13)"]),
    ("rnn step", lambda: rnn.step(CELL, zeros(B, 7)), ["(2, 7)", 11]),
    ("rnn step's steps", lambda: rnn.step(CELL, zeros(B, T, D)), ["(2, 3, 11)", 11]),
    ("rnn step state", lambda: rnn.step(CELL, zeros(B, D), zeros(5, H)), ["(5, 13)", "(2, 13)"]),
    ("rnn step dtypes", lambda: rnn.step(CELL, floats_32(B, D)), BOTH),
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
        [1, 102, "NaN"],
    ),
    (
        "squared error",
        lambda: losses.squared_error_forward(zeros(B, 5), zeros(B, 7)),
        ["(2, 7)", "(2, 5)"],
    ),
    (
        "squared error of NaN",
        lambda: losses.squared_error_forward(with_one((B, D), np.nan), zeros(B, D)),
        [1, 22, "NaN"],
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
    ("pad floats", lambda: text.pad([[0.5], [1.0]]), ["float64", "integers"]),
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


def holds(message, part):
    """Whether a message holds a phrase, or a number that stands alone."""
    if isinstance(part, str):
        return part in message
    return re.search(rf"(?<![\w.-]){re.escape(str(part))}(?!\w|\.\d)", message) is not None


@pytest.mark.parametrize(
    ("call", "parts"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
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
    mirror = pytest.importorskip("seqlib.pytorch.rnn")
    with pytest.raises(ValueError, match=r"'gelu'.*tanh, relu, sigmoid"):
        getattr(mirror, name)(3, 4, activation="gelu")


# What an import loads

SCRATCH = [module.name for module in pkgutil.iter_modules(seqlib.scratch.__path__)]
LIGHT = ["gradcheck", "optim", "train", "decode", "text", "ngrams", "tasks", "metrics"]


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
    assert {"rnn", "linear", "models"} < set(SCRATCH)


# Values by hand


def test_accuracy():
    predictions, targets = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[1, 2, 0], [4, 0, 0]])
    mask = np.array([[True, True, False], [True, True, True]])
    assert metrics.accuracy(predictions, targets) == 3 / 6
    assert metrics.accuracy(predictions, targets, mask) == 3 / 5
    assert metrics.exact_match(predictions, targets) == 0
    assert metrics.exact_match(predictions, targets, mask) == 1 / 2


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


DOCUMENTED = ["seqlib.text"]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_in_docstrings(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
