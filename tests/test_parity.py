"""NumPy by hand = the PyTorch mirror = torch.nn: forward passes, every gradient, optimizers."""

from functools import partial

import numpy as np
import pytest
import torch
from cells import (
    CELLS,
    MODELS,
    MODULES,
    TRANSLATORS,
    flat,
    mapped,
    model_problem,
    problem,
    translator_problem,
)
from layers import CASES, KINDS, LAYERS, layer_problem
from torch import nn
from transformer_table import MOST, READ, TRANSFORMERS, WRITTEN, logits_of, transformer_problem

from seqlib import optim
from seqlib.pytorch import layer_stack as torch_stack
from seqlib.pytorch import models as torch_models
from seqlib.pytorch import multiplicative as torch_multiplicative
from seqlib.pytorch import positional as torch_positional
from seqlib.pytorch import positions as torch_positions
from seqlib.pytorch import transformer as torch_transformer
from seqlib.pytorch.additive import Additive
from seqlib.pytorch.attention import attention as torch_attention
from seqlib.pytorch.attentive import Bahdanau, Dot, Luong
from seqlib.pytorch.bidirectional import Bidirectional
from seqlib.pytorch.decoder_layer import PostNormDecoderLayer, PreNormDecoderLayer
from seqlib.pytorch.encoder_layer import PostNormEncoderLayer, PreNormEncoderLayer
from seqlib.pytorch.feed_forward import FeedForward
from seqlib.pytorch.gru import GRU
from seqlib.pytorch.gru_reset_before import GRUResetBefore
from seqlib.pytorch.layernorm import LayerNorm
from seqlib.pytorch.lstm import LSTM
from seqlib.pytorch.lstm1997 import LSTM1997
from seqlib.pytorch.multihead import MultiHead
from seqlib.pytorch.pooling import pool
from seqlib.pytorch.rnn import RNN
from seqlib.pytorch.seq2seq import Cho, Sutskever
from seqlib.pytorch.skip import SkipRNN
from seqlib.pytorch.stack import Stack
from seqlib.scratch import (
    additive,
    attention,
    decoder_layer,
    embedding,
    encoder_layer,
    feed_forward,
    gru,
    layer_stack,
    linear,
    losses,
    lstm,
    multihead,
    multiplicative,
    ops,
    positional,
    rnn,
)
from seqlib.scratch.params import sub
from seqlib.scratch.positions import NO_POSITIONS
from seqlib.scratch.transformer import Transformer

B, T, D, H = 3, 5, 4, 6
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}
# The mirror of each module, called with D, H and dtype
MIRRORS = {
    "rnn": RNN,
    "rnn, relu": partial(RNN, activation="relu"),
    "rnn, sigmoid": partial(RNN, activation="sigmoid"),
    "lstm": LSTM,
    "lstm1997": LSTM1997,
    "gru": GRU,
    "gru_reset_before": GRUResetBefore,
    "skip": partial(SkipRNN, reach=2),
    "stack": partial(Stack, cell=GRU, layers=2),
    "stack of lstm": partial(Stack, cell=LSTM, layers=3),
    "bidirectional": partial(Bidirectional, cell=RNN),
    "bidirectional lstm": partial(Bidirectional, cell=LSTM),
    "stack, bidirectional": partial(Stack, cell=partial(Bidirectional, cell=RNN), layers=2),
}
# What torch.nn calls the same, for those that it has
REFERENCES = {
    "rnn": nn.RNN,
    "rnn, relu": partial(nn.RNN, nonlinearity="relu"),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "stack": partial(nn.GRU, num_layers=2),
    "stack of lstm": partial(nn.LSTM, num_layers=3),
    "bidirectional": partial(nn.RNN, bidirectional=True),
    "bidirectional lstm": partial(nn.LSTM, bidirectional=True),
    "stack, bidirectional": partial(nn.RNN, num_layers=2, bidirectional=True),
}
MODEL_MIRRORS = {
    "language model": torch_models.LanguageModel,
    "language model, lstm": partial(torch_models.LanguageModel, cell=LSTM),
    "language model, stack": partial(
        torch_models.LanguageModel, cell=partial(Stack, cell=LSTM, layers=2)
    ),
    "classifier": partial(torch_models.Classifier, classes=3),
    "classifier, lstm": partial(torch_models.Classifier, classes=3, cell=LSTM),
    "classifier, stack": partial(
        torch_models.Classifier, classes=3, cell=partial(Stack, cell=GRU, layers=2)
    ),
    "classifier, bidirectional": partial(
        torch_models.Classifier, classes=3, cell=partial(Bidirectional, cell=LSTM)
    ),
    "tagger": partial(torch_models.Tagger, tags=4),
    "tagger, bidirectional": partial(
        torch_models.Tagger, tags=4, cell=partial(Bidirectional, cell=LSTM)
    ),
    "series classifier": partial(torch_models.Series, answers=3, cell=LSTM),
    "series regressor": partial(torch_models.Series, answers=2),
    "series regressor, bidirectional": partial(
        torch_models.Series, answers=2, cell=partial(Bidirectional, cell=GRU)
    ),
}
LENGTHS = np.array([2, T, 3])
PADDING = np.arange(T) < LENGTHS[:, None]
HOLES = np.random.default_rng(2).random((B, T)) < 0.6
dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def draw(dtype, *shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def leaf(a):
    """A copy of an array as a tensor that collects a gradient."""
    return torch.tensor(a, requires_grad=True)


def assert_same(ours, theirs):
    """Dicts of arrays and of tensors with the same keys, shapes, dtypes and numbers."""
    assert ours.keys() == theirs.keys()
    for name, a in ours.items():
        b = theirs[name].detach().numpy()
        assert (a.shape, a.dtype) == (b.shape, b.dtype), name
        tolerance = TOLERANCE[a.dtype.type]
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=name)


def by_hand(module, params, x, state, dh, dstate_T, mask=None):
    """Everything that a module in NumPy computes, by name."""
    h, state_T, cache = module.forward(params, x, state, mask)
    dx, dstate, grads = module.backward(dh, dstate_T, cache)
    return {"h": h, **flat(state_T, "end"), "dx": dx, **flat(dstate, "dstate"), **grads}


def by_mirror(mirror, params, x, state, dh, dstate_T, mask=None):
    """The same by the mirror, which takes the parameters by their names."""
    mirror.load_state_dict({key: torch.from_numpy(value) for key, value in params.items()})
    x, state = leaf(x), mapped(leaf, state)
    h, state_T = mirror(x, state, None if mask is None else torch.from_numpy(mask))
    ends, upstream = flat(state_T, "end"), [dh, *flat(dstate_T).values()]
    torch.autograd.backward([h, *ends.values()], [torch.from_numpy(a) for a in upstream])
    dstate = {key: a.grad for key, a in flat(state, "dstate").items()}
    grads = {key: value.grad for key, value in mirror.named_parameters()}
    return {"h": h, **ends, "dx": x.grad, **dstate, **grads}


# Ours and torch's name of a parameter, without layer and direction.  torch has two biases always;
# which of them is the one bias of ours does not matter.
NAMES = {
    "W_x": "weight_ih", "W_xh": "weight_ih", "W_h": "weight_hh", "W_hh": "weight_hh",
    "b": "bias_ih", "b_x": "bias_ih", "b_h": "bias_hh",
}  # fmt: skip


def torch_name(key):
    """torch's name of our "1.W_x" (weight_ih_l1) or "backward.W_x" (weight_ih_l0_reverse)."""
    *where, name = key.split(".")
    layer = next((part for part in where if part.isdigit()), "0")
    return f"{NAMES[name]}_l{layer}{'_reverse' if 'backward' in where else ''}"


def torch_layer(make, params, dtype):
    """A layer of torch.nn with our weights as they are; a bias that ours has not is zero."""
    model = make(D, H, batch_first=True, dtype=torch.from_numpy(np.zeros(0, dtype)).dtype)
    weights = {torch_name(key): torch.from_numpy(value) for key, value in params.items()}
    zeros = {key: torch.zeros_like(a) for key, a in model.state_dict().items() if "bias" in key}
    model.load_state_dict({**zeros, **weights})
    return model


def by_torch(make, params, x, state, dh, dstate_T, lengths=None):
    """The same by torch.nn; the arrays of its state are stacked, (layers or directions, B, H)."""
    model, x, start = torch_layer(make, params, x.dtype), leaf(x), mapped(leaf, state)
    parts = list(flat(start).values())
    stacked = torch.stack(parts)
    if isinstance(model, nn.LSTM):
        stacked = torch.stack(parts[::2]), torch.stack(parts[1::2])
    if lengths is None:
        h, last = model(x, stacked)
    else:
        packed = nn.utils.rnn.pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        h, last = model(packed, stacked)
        h, _ = nn.utils.rnn.pad_packed_sequence(h, batch_first=True, total_length=x.shape[1])
    if isinstance(model, nn.LSTM):
        last = [a for pair in zip(*last, strict=True) for a in pair]
    ends = dict(zip(flat(dstate_T, "end"), last, strict=True))
    upstream = [dh, *flat(dstate_T).values()]
    torch.autograd.backward([h, *ends.values()], [torch.from_numpy(a) for a in upstream])
    grads = {key: getattr(model, torch_name(key)).grad for key in params}
    dstate = {key: a.grad for key, a in flat(start, "dstate").items()}
    return {"h": h, **ends, "dx": x.grad, **dstate, **grads}


def arguments(name, dtype, seed=7):
    """Parameters, inputs, initial state and upstream gradients of a module, none of them zero."""
    drawn = problem(MODULES[name], (B, T, D, H), seed)[1:]

    def cast(value):
        if isinstance(value, dict):
            return {key: cast(part) for key, part in value.items()}
        return mapped(lambda a: a.astype(dtype), value)

    return [cast(value) for value in drawn]


@dtypes
@pytest.mark.parametrize("name", REFERENCES)
def test_a_module_is_torch(name, dtype):
    """With torch's weights without transposition: forward, final state and every gradient."""
    given = arguments(name, dtype)
    assert_same(by_hand(MODULES[name], *given), by_torch(REFERENCES[name], *given))


@dtypes
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", MIRRORS)
def test_a_module_is_its_mirror(name, masked, dtype):
    given = arguments(name, dtype)
    mask = (HOLES if name in CELLS else PADDING) if masked else None
    mirror = MIRRORS[name](D, H, dtype=torch.from_numpy(given[1]).dtype)
    assert_same(by_hand(MODULES[name], *given, mask), by_mirror(mirror, *given, mask))


def test_every_module_and_every_model_has_a_mirror():
    assert MIRRORS.keys() == MODULES.keys()
    assert MODEL_MIRRORS.keys() == MODELS.keys()
    assert 0 < HOLES.sum() < HOLES.size


@dtypes
@pytest.mark.parametrize("name", REFERENCES)
def test_mask_is_a_packed_sequence(name, dtype):
    """torch leaves zeros in the outputs behind a row's end where ours carry the state."""
    params, x, state, dh, dstate_T = arguments(name, dtype)
    dh *= PADDING[:, :, None]
    ours = by_hand(MODULES[name], params, x, state, dh, dstate_T, PADDING)
    ours["h"] = ours["h"] * PADDING[:, :, None]
    assert_same(ours, by_torch(REFERENCES[name], params, x, state, dh, dstate_T, LENGTHS))


@pytest.mark.parametrize("name", REFERENCES)
def test_no_state_is_a_state_of_zeros(name):
    params, x, *_ = arguments(name, np.float64)
    h, _, _ = MODULES[name].forward(params, x)
    theirs, _ = torch_layer(REFERENCES[name], params, x.dtype)(torch.from_numpy(x))
    mirror = MIRRORS[name](D, H)
    mirror.load_state_dict({key: torch.from_numpy(value) for key, value in params.items()})
    for outputs in (theirs, mirror(torch.from_numpy(x))[0]):
        assert_same({"h": h}, {"h": outputs})


@dtypes
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_its_mirror(name, masked, dtype):
    """The loss, its gradients and the state, from a state that is not zero."""
    mask = PADDING if masked else None
    _, model, params, batch = model_problem(name, (B, T, D, H), 3, mask)
    params = {key: value.astype(dtype) for key, value in params.items()}
    symbols = {"V": model.V} if hasattr(model, "V") else {}
    if not symbols:
        batch = batch._replace(inputs=batch.inputs.astype(dtype))
    state = mapped(lambda a: 0.5 * a + 0.1, model.loss_and_grads(params, batch)[2])
    loss, grads, state_T = model.loss_and_grads(params, batch, state)

    weights = {key: torch.from_numpy(value) for key, value in params.items()}
    mirror = MODEL_MIRRORS[name](**symbols, D=D, H=H, dtype=weights["readout.b"].dtype)
    mirror.load_state_dict(weights)
    real = None if mask is None else torch.from_numpy(mask)
    inputs, targets = torch.from_numpy(batch.inputs), torch.from_numpy(batch.targets)
    answers, end = mirror(inputs, mapped(torch.from_numpy, state), real)
    if MODELS[name][1] is None:
        expected = nn.functional.mse_loss(answers, targets.to(answers.dtype))
    else:
        expected = torch_models.cross_entropy(answers, targets, real if targets.ndim == 2 else None)
    expected.backward()
    theirs = {key: value.grad for key, value in mirror.named_parameters()}
    assert_same(
        {"loss": np.array(loss, dtype), **grads, **flat(state_T)},
        {"loss": expected, **theirs, **flat(end)},
    )


BOTH_WAYS = {kind: partial(Bidirectional, cell=kind) for kind in (RNN, GRU, LSTM)}
TRANSLATOR_MIRRORS = {
    "sutskever": Sutskever,
    "sutskever, reversed": partial(
        Sutskever, cell=partial(Stack, cell=GRU, layers=2), reverse=True
    ),
    "cho": partial(Cho, cell=GRU),
    "cho, lstm": partial(Cho, cell=LSTM, encoder=BOTH_WAYS[RNN]),
    "luong": partial(Luong, cell=GRU, encoder=BOTH_WAYS[GRU]),
    "luong, dot": partial(Luong, cell=partial(Stack, cell=LSTM, layers=2), encoder=GRU, score=Dot),
    "luong, additive": partial(
        Luong,
        cell=LSTM,
        encoder=BOTH_WAYS[LSTM],
        score=lambda D_q, D_k, dtype: Additive(D_q, D_k, D_q, dtype),
    ),
    "bahdanau": partial(Bahdanau, cell=GRU, encoder=BOTH_WAYS[GRU]),
    "bahdanau, stack": partial(Bahdanau, cell=partial(Stack, cell=LSTM, layers=2), encoder=LSTM),
}


@dtypes
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", TRANSLATORS)
def test_a_translator_is_its_mirror(name, padded, dtype):
    _, model, params, batch = translator_problem(name, (3, 4, 5, 2, 3), 3, padded)
    params = {key: value.astype(dtype) for key, value in params.items()}
    loss, grads, state_T = model.loss_and_grads(params, batch)

    weights = {key: torch.from_numpy(value) for key, value in params.items()}
    mirror = TRANSLATOR_MIRRORS[name](7, 6, 2, 3, dtype=weights["readout.b"].dtype)
    mirror.load_state_dict(weights)
    source, inputs, targets, source_mask, mask = map(torch.from_numpy, batch[:5])
    masks = (source_mask, mask) if padded else ()
    logits, end = mirror(source, inputs, *masks)
    expected = torch_models.cross_entropy(logits, targets, mask)
    expected.backward()
    theirs = {key: value.grad for key, value in mirror.named_parameters()}
    assert_same(
        {"loss": np.array(loss, dtype), **grads, **flat(state_T)},
        {"loss": expected, **theirs, **flat(end)},
    )


def test_every_translator_has_a_mirror():
    assert TRANSLATOR_MIRRORS.keys() == TRANSLATORS.keys()


@pytest.mark.parametrize("name", MIRRORS)
def test_a_mirror_has_the_same_keys_and_shapes_and_range(name):
    ours = MODULES[name].init(np.random.default_rng(0), 40, 50)
    theirs = MIRRORS[name](40, 50).state_dict()
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert value.shape == tuple(theirs[key].shape)
        assert value.dtype == theirs[key].numpy().dtype == np.float64
        if "W" in key:
            for weights in (value, theirs[key].numpy()):
                assert 0.95 < np.abs(weights).max() * np.sqrt(50) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("module", "reference"), [(rnn, nn.RNN), (lstm, nn.LSTM), (gru, nn.GRU), (linear, nn.Linear)]
)
def test_weights_are_drawn_as_torch_draws_them(module, reference):
    ours = module.init(np.random.default_rng(0), 60, 50)
    theirs = reference(60, 50).state_dict()
    first = next(iter(theirs))
    most = np.abs(next(iter(ours.values()))).max()
    assert most == pytest.approx(np.abs(theirs[first].numpy()).max(), rel=0.02)


@dtypes
def test_linear(dtype):
    params = linear.init(np.random.default_rng(1), D, H, dtype)
    x, dy = draw(dtype, (B, T, D), (B, T, H))
    y, cache = linear.forward(params, x)
    dx, grads = linear.backward(dy, cache)
    inputs, W, b = leaf(x), leaf(params["W"]), leaf(params["b"])
    outputs = nn.functional.linear(inputs, W, b)
    outputs.backward(torch.from_numpy(dy))
    assert_same(
        {"y": y, "dx": dx, **grads}, {"y": outputs, "dx": inputs.grad, "W": W.grad, "b": b.grad}
    )


@dtypes
def test_embedding(dtype):
    V = 4  # fewer than places: ids repeat
    params = embedding.init(np.random.default_rng(1), V, D, dtype)
    ids = np.random.default_rng(2).integers(0, V, (B, T))
    (dx,) = draw(dtype, (B, T, D))
    x, cache = embedding.forward(params, ids)
    W = leaf(params["W"])
    outputs = nn.functional.embedding(torch.from_numpy(ids), W)
    outputs.backward(torch.from_numpy(dx))
    assert_same({"x": x, **embedding.backward(dx, cache)}, {"x": outputs, "W": W.grad})


@dtypes
@pytest.mark.parametrize("masked", [False, True])
def test_cross_entropy(masked, dtype):
    V, rng = 7, np.random.default_rng(4)
    (logits,) = draw(dtype, (B, T, V))
    logits *= 5
    targets = rng.integers(0, V, (B, T))
    mask = rng.random((B, T)) < 0.6 if masked else None
    loss, cache = losses.cross_entropy_forward(logits, targets, mask)
    theirs, labels = leaf(logits), torch.tensor(targets)
    if masked:
        labels[torch.from_numpy(~mask)] = -100  # torch's sign for "does not count"
    expected = nn.functional.cross_entropy(theirs.reshape(-1, V), labels.reshape(-1))
    expected.backward()
    ours = {"loss": np.array(loss, dtype), "dlogits": losses.cross_entropy_backward(cache)}
    assert_same(ours, {"loss": expected, "dlogits": theirs.grad})


@dtypes
def test_squared_error(dtype):
    y, targets = draw(dtype, (B, T, D), (B, T, D))
    loss, cache = losses.squared_error_forward(y, targets)
    theirs = leaf(y)
    expected = nn.functional.mse_loss(theirs, torch.from_numpy(targets))
    expected.backward()
    ours = {"loss": np.array(loss, dtype), "dy": losses.squared_error_backward(cache)}
    assert_same(ours, {"loss": expected, "dy": theirs.grad})


@dtypes
def test_ops(dtype):
    a = 30 * draw(dtype, (B, T, H))[0]
    b = torch.from_numpy(a)
    ours = {
        "sigmoid": ops.sigmoid(a),
        "softmax": ops.softmax(a, axis=1),
        "log": ops.log_softmax(a),
    }
    theirs = {"sigmoid": b.sigmoid(), "softmax": b.softmax(1), "log": b.log_softmax(-1)}
    assert_same(ours, theirs)


# Attention and the other layers without a recurrence
def of_layer(make, params):
    """A Transformer layer of the sizes of its parameters, with two heads."""
    H, D = params["feed_forward.W_1"].shape
    cross = params.get("cross_attention.W_k")
    return make(D, H, 2, **({} if cross is None else {"source": cross.shape[1]}))


# A function, or a module's maker, called with the layer's parameters
LAYER_MIRRORS = {
    "pooling": pool,
    "attention": torch_attention,
    "online_attention": torch_attention,
    "dot": torch_multiplicative.dot,
    "general": lambda params: torch_multiplicative.General(*params["W"].shape),
    "additive": lambda params: Additive(
        params["W_q"].shape[1], params["W_k"].shape[1], len(params["w"])
    ),
    "multihead": lambda params: MultiHead(len(params["W_q"]), 2, params["W_k"].shape[1]),
    "multihead, rotary": lambda params: MultiHead(len(params["W_q"]), 2),
    "encoder, post-norm": partial(of_layer, PostNormEncoderLayer),
    "encoder, pre-norm": partial(of_layer, PreNormEncoderLayer),
    "decoder, post-norm": partial(of_layer, PostNormDecoderLayer),
    "decoder, pre-norm": partial(of_layer, PreNormDecoderLayer),
    "layernorm": lambda params: LayerNorm(len(params["gain"])),
    "feed_forward": lambda params: FeedForward(*params["W_1"].shape[::-1]),
    "learned positions": lambda params: torch_positional.Learned(*params["P"].shape),
    "rotary": torch_positional.rotary,
}
MADE = {"heads", "block"}  # choices of a layer that are made when its mirror is


def layer_by_torch(function, layer, dy, options):
    """All that `Problem.both` gives, by a function or a module of PyTorch."""
    options = {
        key: torch.from_numpy(a) if isinstance(a, np.ndarray) else a
        for key, a in options.items()
        if key not in MADE
    }
    inputs = {key: leaf(a) for key, a in layer.inputs.items()}
    y = function(*inputs.values(), **options)
    y.backward(torch.from_numpy(dy))
    grads = {key: function.get_parameter(key).grad for key in layer.params}
    return {"y": y, **{f"d{key}": a.grad for key, a in inputs.items()}, **grads}


@dtypes
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_layer_is_its_mirror(name, kind, dtype):
    """With masks that let a query attend to nothing, too."""
    _, layer, dy = layer_problem(name, kind, (3, 4, 5, 6), 1)
    layer, dy = layer.astype(dtype), dy.astype(dtype)
    mirror = LAYER_MIRRORS[name]
    if layer.params:
        mirror = mirror(layer.params).to(torch.from_numpy(dy).dtype)
        mirror.load_state_dict({key: torch.from_numpy(a) for key, a in layer.params.items()})
    assert_same(layer.both(dy), layer_by_torch(mirror, layer, dy, layer.options))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda rng: multihead.init(rng, 60, 40), lambda: MultiHead(60, 4, 40)),
        (lambda rng: feed_forward.init(rng, 40, 60), lambda: FeedForward(40, 60)),
        (lambda rng: additive.init(rng, 40, 60, 50), lambda: Additive(40, 60, 50)),
        (
            lambda rng: multiplicative.general_init(rng, 40, 60),
            lambda: torch_multiplicative.General(40, 60),
        ),
    ],
)
def test_a_layer_and_its_mirror_draw_from_the_same_range(ours, theirs):
    ours, theirs = ours(np.random.default_rng(0)), theirs().state_dict()
    assert ours.keys() == theirs.keys()
    for key, a in ours.items():
        b = theirs[key].numpy()
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.02 if a.ndim > 1 else 0.2)


def test_every_layer_has_a_mirror():
    assert LAYER_MIRRORS.keys() == LAYERS.keys()


@dtypes
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["attention", "online_attention"])
def test_attention_is_torchs(name, kind, dtype):
    """Its mask is ours when it is boolean; a bias is a mask of floats, -inf where not allowed."""
    _, layer, dy = layer_problem(name, kind, (3, 4, 5, 6), 1)
    layer, dy = layer.astype(dtype), dy.astype(dtype)
    mask, bias = layer.options.get("mask"), layer.options.get("bias")
    if mask is not None:
        mask = mask | ~mask.any(axis=-1, keepdims=True)  # torch's has NaN for rows of nothing
        layer.options["mask"] = mask
    if bias is not None:
        mask = np.where(mask, bias, np.array(-np.inf, dtype))
    theirs = nn.functional.scaled_dot_product_attention
    theirs = layer_by_torch(theirs, layer, dy, {"attn_mask": mask})
    assert_same(layer.both(dy), theirs)


@dtypes
@pytest.mark.parametrize("kind", KINDS)
def test_multihead_is_torchs(kind, dtype):
    """torch's boolean mask is True where attending is not allowed, and has one axis for B N."""
    _, layer, dy = layer_problem("multihead", kind, (3, 4, 5, 6), 1)
    layer, dy = layer.astype(dtype), dy.astype(dtype)
    q, k, _ = layer.inputs.values()
    options, (B, T, D), (_, S, source) = layer.options, q.shape, k.shape
    whole = B, 2, T, S
    if "mask" in options:
        options["mask"] = options["mask"] | ~options["mask"].any(axis=-1, keepdims=True)
    forbidden = ~np.broadcast_to(options.get("mask", True), whole).reshape(2 * B, T, S)
    if "bias" in options:
        bias = np.broadcast_to(options["bias"], whole).reshape(forbidden.shape)
        forbidden = np.where(forbidden, np.array(-np.inf, dtype), bias)
    theirs = nn.MultiheadAttention(
        D, 2, batch_first=True, kdim=source, vdim=source, dtype=torch.from_numpy(dy).dtype
    )
    params = layer.params
    theirs.load_state_dict(
        {
            **{f"{x}_proj_weight": torch.from_numpy(params[f"W_{x}"]) for x in "qkv"},
            "in_proj_bias": torch.from_numpy(np.concatenate([params[f"b_{x}"] for x in "qkv"])),
            "out_proj.weight": torch.from_numpy(params["W_o"]),
            "out_proj.bias": torch.from_numpy(params["b_o"]),
        }
    )
    inputs = {key: leaf(a) for key, a in layer.inputs.items()}
    y, weights = theirs(
        *inputs.values(), attn_mask=torch.from_numpy(forbidden), average_attn_weights=False
    )
    y.backward(torch.from_numpy(dy))
    grads = {"W_o": theirs.out_proj.weight.grad, "b_o": theirs.out_proj.bias.grad}
    grads |= {f"W_{x}": getattr(theirs, f"{x}_proj_weight").grad for x in "qkv"}
    grads |= dict(zip(["b_q", "b_k", "b_v"], theirs.in_proj_bias.grad.chunk(3), strict=True))
    ours = {"weights": layer.forward()[1].heads.weights, **layer.both(dy)}
    found = {"y": y, **{f"d{key}": a.grad for key, a in inputs.items()}, **grads}
    assert_same(ours, {"weights": weights, **found})


# torch's names of our parameters in a Transformer layer; its norms are numbered in the order of use
PARTS = {
    "self_attention": "self_attn",
    "cross_attention": "multihead_attn",
    "feed_forward.W_1": "linear1.weight",
    "feed_forward.b_1": "linear1.bias",
    "feed_forward.W_2": "linear2.weight",
    "feed_forward.b_2": "linear2.bias",
}


def torch_names(params):
    """For each of torch's parameters, ours: one name, or three whose arrays are stacked."""
    norms = [key.partition(".")[0] for key in params if key.endswith("gain")]
    names = {PARTS[key]: [key] for key in params if key in PARTS}
    for i, norm in enumerate(norms, start=1):
        names |= {f"norm{i}.weight": [f"{norm}.gain"], f"norm{i}.bias": [f"{norm}.bias"]}
    for ours in ("self_attention", "cross_attention"):
        if f"{ours}.W_q" in params:
            names |= {
                f"{PARTS[ours]}.in_proj_weight": [f"{ours}.W_{x}" for x in "qkv"],
                f"{PARTS[ours]}.in_proj_bias": [f"{ours}.b_{x}" for x in "qkv"],
                f"{PARTS[ours]}.out_proj.weight": [f"{ours}.W_o"],
                f"{PARTS[ours]}.out_proj.bias": [f"{ours}.b_o"],
            }
    return names


@dtypes
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("part", [encoder_layer, decoder_layer])
def test_transformer_layers_are_torchs(part, norm_first, padded, dtype):
    """Its padding masks are True where there is padding, its causal mask where s > t."""
    (B, T, S, D, H), rng = (3, 4, 5, 6, 7), np.random.default_rng(3)
    params = {key: rng.standard_normal(a.shape) for key, a in part.init(rng, D, H).items()}
    params = {key: 0.5 * a.astype(dtype) for key, a in params.items()}
    x, source, dy = draw(dtype, (B, T, D), (B, S, D), (B, T, D))
    real, causal = np.arange(T) < np.array([[2], [T], [3]]), attention.causal_mask(T)
    seen = np.arange(S) < np.array([[S], [2], [1]])
    forward = part.pre_norm_forward if norm_first else part.post_norm_forward
    backward = part.pre_norm_backward if norm_first else part.post_norm_backward
    kind = nn.TransformerEncoderLayer if part is encoder_layer else nn.TransformerDecoderLayer
    theirs = kind(
        *(D, 2, H), dropout=0, batch_first=True, norm_first=norm_first, dtype=torch.tensor(x).dtype
    )
    names = torch_names(params)
    theirs.load_state_dict(
        {key: torch.from_numpy(np.concatenate([params[k] for k in parts], axis=0))
         for key, parts in names.items()}
    )  # fmt: skip
    forbidden, inputs = torch.from_numpy(~causal), {"dx": leaf(x)}
    if part is encoder_layer:
        mask = attention.padding_mask(real) & causal if padded else None
        y, cache = forward(params, x, mask, heads=2)
        dx, grads = backward(dy, cache)
        hidden = torch.from_numpy(~real) if padded else None
        expected = theirs(
            *inputs.values(), src_mask=forbidden if padded else None, src_key_padding_mask=hidden
        )
        found = {"y": y, "dx": dx}
    else:
        masks = (
            (attention.padding_mask(real) & causal, attention.padding_mask(seen))
            if padded
            else (None, None)
        )
        y, cache = forward(params, x, source, *masks, heads=2)
        dx, dsource, grads = backward(dy, cache)
        inputs["dsource"] = leaf(source)
        expected = theirs(
            *inputs.values(),
            tgt_mask=forbidden,
            tgt_key_padding_mask=torch.from_numpy(~real) if padded else None,
            memory_key_padding_mask=torch.from_numpy(~seen) if padded else None,
        )
        found = {"y": y, "dx": dx, "dsource": dsource}
    expected.backward(torch.from_numpy(dy))
    gradients = dict(theirs.named_parameters())
    assert names.keys() == gradients.keys()
    found |= {key: np.concatenate([grads[k] for k in parts]) for key, parts in names.items()}
    inputs = {key: a.grad for key, a in inputs.items()}
    assert_same(found, {"y": expected, **inputs, **{k: a.grad for k, a in gradients.items()}})


# Whole Transformers

POSITION_MIRRORS = {
    "none": torch_positions.NoPositions,
    "sinusoidal": torch_positions.Sinusoidal,
    "learned": partial(torch_positions.Learned, most=MOST),
    "rotary": torch_positions.Rotary,
    "alibi": torch_positions.Alibi,
}


def mirror_of(model, dtype=torch.float64):
    """A Transformer's mirror, its parameters drawn by itself."""
    choices = {
        "norms": torch_stack.PRE_NORM if model.norms.last else torch_stack.POST_NORM,
        "positions": POSITION_MIRRORS[model.positions.name],
    }
    names = {"tags": "answers", "classes": "answers"}  # all others go by the same name
    same = ("V", "V_source", "V_target", "D", "H", "heads", "layers", "tied", *names)
    sizes = {names.get(key, key): getattr(model, key) for key in same if key in model._fields}
    return getattr(torch_transformer, type(model).__name__)(**sizes, **choices, dtype=dtype)


@dtypes
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_transformer_is_its_mirror(name, padded, dtype):
    """The logits of the real places, the loss and its gradients."""
    _, model, params, batch = transformer_problem(name, (3, 4, 5, 2), 3, padded)
    params = {key: a.astype(dtype) for key, a in params.items()}
    loss, grads, _ = model.loss_and_grads(params, batch)
    logits = logits_of(model, params, batch)

    weights = {key: torch.from_numpy(a) for key, a in params.items()}
    mirror = mirror_of(model, weights["readout.b"].dtype)
    mirror.load_state_dict(weights)
    given = [batch.inputs, batch.mask]
    if hasattr(batch, "source"):
        given = [batch.source, batch.inputs, batch.source_mask, batch.mask]
    expected = mirror(*map(torch.from_numpy, given))
    real = batch.mask if batch.targets.ndim == 2 else np.ones(len(logits), bool)
    theirs = nn.functional.cross_entropy(
        expected[torch.from_numpy(real)],
        torch.from_numpy(batch.targets[real]),
        label_smoothing=model.smoothing,
    )
    theirs.backward()
    gradients = {key: a.grad for key, a in mirror.named_parameters()}
    assert_same({"loss": np.array(loss, dtype), **grads}, {"loss": theirs, **gradients})
    assert_same({"logits": logits[real]}, {"logits": expected[torch.from_numpy(real)]})


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_the_mirror_of_a_transformer_is_drawn_alike(name):
    """The same keys and shapes; the entries of each array are as large."""
    model = TRANSFORMERS[name](16, 24, 2)
    torch.manual_seed(0)
    ours, theirs = model.init(np.random.default_rng(0)), mirror_of(model).state_dict()
    assert ours.keys() == theirs.keys()
    for key, a in ours.items():
        b = theirs[key].numpy()
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        if a.size > 50 or not a.any():
            np.testing.assert_allclose(np.sqrt((a**2).mean()), np.sqrt((b**2).mean()), rtol=0.25)


@dtypes
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("norms", [layer_stack.PRE_NORM, layer_stack.POST_NORM])
@pytest.mark.parametrize("part", [encoder_layer, decoder_layer])
def test_the_stacks_of_a_transformer_are_torchs(part, norms, padded, dtype):
    """nn.TransformerEncoder and nn.TransformerDecoder; behind pre-norm layers they take a norm."""
    (B, T, S, D, H, L), rng = (3, 4, 5, 6, 7, 3), np.random.default_rng(4)
    model = Transformer(READ, WRITTEN, D, H, 2, L, norms, NO_POSITIONS)
    params = {
        key: (0.5 * rng.standard_normal(a.shape)).astype(dtype)
        for key, a in layer_stack.init(model, part, rng).items()
    }
    x, source, dy = draw(dtype, (B, T, D), (B, S, D), (B, T, D))
    real, seen = (np.arange(n) < np.array([[2], [n], [3]]) for n in (T, S))
    torch_dtype = torch.tensor(x).dtype
    encodes = part is encoder_layer
    one = nn.TransformerEncoderLayer if encodes else nn.TransformerDecoderLayer
    many = nn.TransformerEncoder if encodes else nn.TransformerDecoder
    layer = one(D, 2, H, 0, batch_first=True, norm_first=norms.last, dtype=torch_dtype)
    last = nn.LayerNorm(D, dtype=torch_dtype) if norms.last else None
    theirs = many(layer, L, last, **({"enable_nested_tensor": False} if encodes else {}))
    names = {
        f"layers.{i}.{key}": [f"{i}.{k}" for k in parts]
        for i in range(L)
        for key, parts in torch_names(sub(params, str(i))).items()
    }
    if norms.last:
        names |= {"norm.weight": ["norm.gain"], "norm.bias": ["norm.bias"]}
    theirs.load_state_dict(
        {
            key: torch.from_numpy(np.concatenate([params[k] for k in parts], axis=0))
            for key, parts in names.items()
        }
    )
    inputs = {"dx": leaf(x)}
    hidden = torch.from_numpy(~real) if padded else None
    if encodes:
        mask = attention.padding_mask(real) if padded else None
        y, cache = layer_stack.encoder_forward(model, params, x, mask)
        dx, grads = layer_stack.encoder_backward(model, dy, cache)
        expected = theirs(inputs["dx"], src_key_padding_mask=hidden)
        found = {"y": y, "dx": dx}
    else:
        causal = attention.causal_mask(T)
        masks = (
            (attention.padding_mask(real) & causal, attention.padding_mask(seen))
            if padded
            else (None, None)
        )
        y, cache = layer_stack.decoder_forward(model, params, x, source, *masks)
        dx, dsource, grads = layer_stack.decoder_backward(model, dy, cache)
        inputs["dsource"] = leaf(source)
        expected = theirs(
            *inputs.values(),
            tgt_mask=torch.from_numpy(~causal),
            tgt_key_padding_mask=hidden,
            memory_key_padding_mask=torch.from_numpy(~seen) if padded else None,
        )
        found = {"y": y, "dx": dx, "dsource": dsource}
    expected.backward(torch.from_numpy(dy))
    gradients = dict(theirs.named_parameters())
    assert names.keys() == gradients.keys()
    found |= {key: np.concatenate([grads[k] for k in parts]) for key, parts in names.items()}
    inputs = {key: a.grad for key, a in inputs.items()}
    assert_same(found, {"y": expected, **inputs, **{k: a.grad for k, a in gradients.items()}})


@dtypes
def test_layernorm_is_torchs(dtype):
    _, layer, dy = layer_problem("layernorm", "none", (3, 4, 5, 6), 1)
    layer, dy = layer.astype(dtype), dy.astype(dtype)
    theirs = nn.LayerNorm(len(layer.params["gain"]), dtype=torch.from_numpy(dy).dtype)
    names = {"gain": "weight", "bias": "bias"}
    theirs.load_state_dict({names[k]: torch.from_numpy(a) for k, a in layer.params.items()})
    x = leaf(layer.inputs["x"])
    y = theirs(x)
    y.backward(torch.from_numpy(dy))
    grads = {key: theirs.get_parameter(name).grad for key, name in names.items()}
    assert_same(layer.both(dy), {"y": y, "dx": x.grad, **grads})


@dtypes
@pytest.mark.parametrize("masked", [False, True])
def test_smoothed_cross_entropy(masked, dtype):
    """torch's label smoothing shares eps among all classes, as ours."""
    V, rng = 7, np.random.default_rng(4)
    (logits,) = draw(dtype, (B, T, V))
    targets, mask = rng.integers(0, V, (B, T)), rng.random((B, T)) < 0.6 if masked else None
    loss, cache = losses.smoothed_cross_entropy_forward(logits, targets, mask, eps=0.1)
    theirs, labels = leaf(logits), torch.tensor(targets)
    if masked:
        labels[torch.from_numpy(~mask)] = -100
    expected = nn.functional.cross_entropy(
        theirs.reshape(-1, V), labels.reshape(-1), label_smoothing=0.1
    )
    expected.backward()
    ours = {"loss": np.array(loss, dtype)}
    ours["dlogits"] = losses.smoothed_cross_entropy_backward(cache)
    assert_same(ours, {"loss": expected, "dlogits": theirs.grad})


def test_constant_positions_have_mirrors():
    for T, D in [(5, 6), (1, 2), (300, 64)]:
        ours = {"table": positional.sinusoidal(T, D), "angles": positional.rotary_angles(T, D)}
        theirs = {
            "table": torch_positional.sinusoidal(T, D),
            "angles": torch_positional.angles(T, D),
        }
        assert_same(ours, theirs)
    for heads in (1, 3, 8):
        bias = positional.alibi_bias(heads, 7)
        assert_same({"bias": bias}, {"bias": torch_positional.alibi_bias(heads, 7)})


OPTIMIZERS = {
    "sgd": (optim.sgd(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "momentum": (optim.momentum(0.1, 0.8), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8)),
    "adam": (
        optim.adam(0.01, b1=0.8, b2=0.99, eps=1e-6),
        lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6),
    ),
    "adam as published": (optim.adam(0.001), lambda p: torch.optim.Adam(p)),
}


@dtypes
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, dtype):
    update, make = OPTIMIZERS[name]
    params = dict(zip(["W", "b"], draw(dtype, (4, 3), (4,)), strict=True))
    theirs = {key: leaf(value) for key, value in params.items()}
    optimizer, memory = make(list(theirs.values())), None
    for step in range(5):
        grads = dict(zip(["W", "b"], draw(dtype, (4, 3), (4,), seed=step + 10), strict=True))
        for key, value in theirs.items():
            value.grad = torch.from_numpy(grads[key])
        optimizer.step()
        params, memory = update(params, grads, memory)
        assert_same(params, theirs)


@dtypes
@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping(limit, dtype):
    grads = dict(zip(["W", "b"], draw(dtype, (4, 3), (4,)), strict=True))
    theirs = {key: leaf(value) for key, value in grads.items()}
    for key, value in theirs.items():
        value.grad = torch.tensor(grads[key])
    expected = nn.utils.clip_grad_norm_(theirs.values(), limit)
    clipped, norm = optim.clip_by_norm(grads, limit)
    assert norm == pytest.approx(float(expected), rel=1e-6)
    assert (norm > limit) == (limit < 1)
    np.testing.assert_allclose(optim.global_norm(clipped), min(norm, limit), rtol=1e-6)
    for key, value in theirs.items():
        assert clipped[key].dtype == dtype
        np.testing.assert_allclose(clipped[key], value.grad, rtol=1e-5)  # torch adds 1e-6
        value.grad = torch.tensor(grads[key])
    nn.utils.clip_grad_value_(theirs.values(), limit)
    assert_same(
        optim.clip_by_value(grads, limit), {key: value.grad for key, value in theirs.items()}
    )
