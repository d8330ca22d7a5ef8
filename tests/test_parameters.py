"""Parameters that do not fit each other: every layer and model says which, and what it takes."""

from functools import partial

import numpy as np
import pytest
from cells import ATTENTION_ONLY, CELLS, MODELS, MODULES, TRANSLATORS, model_problem, problem
from cells import translator_problem as translator
from layers import LAYERS, layer_problem

from seqlib.scratch import (
    embedding,
    gru,
    gru_reset_before,
    linear,
    lstm,
    lstm1997,
    models,
    multihead,
    positional,
    rnn,
)
from seqlib.scratch.positions import SINUSOIDAL, learned
from seqlib.scratch.skip import SkipRNN
from seqlib.scratch.transformer import Transformer
from seqlib.text import Batch

B, T, D, H = 2, 3, 5, 4


def passes():
    """Each layer and model: its name, its parameters and a function of them alone."""
    for name, module in MODULES.items():
        _, params, x, *_ = problem(module, (B, T, D, H), 0)
        yield name, params, partial(lambda m, x, p: m.forward(p, x), module, x)
        if name in CELLS:
            step = partial(lambda m, x, p: m.step(p, x[:, 0]), module, x)
            yield f"{name}, step", params, step
    for name in LAYERS:
        layer = layer_problem(name, "none", (B, T, T, 4), 0)[1]
        if layer.params:
            inputs = layer.inputs.values()
            run = partial(lambda layer, xs, p: layer.run(p, *xs, **layer.options), layer, inputs)
            yield name, layer.params, run
    ids, x = np.zeros((B, T), int), np.ones((B, T, D))
    rng = np.random.default_rng(0)
    yield "linear", linear.init(rng, D, H), lambda p: linear.forward(p, x)
    yield "embedding", embedding.init(rng, D, H), lambda p: embedding.forward(p, ids)
    table = positional.learned_init(rng, T, D)
    yield "learned positions", table, lambda p: positional.learned_forward(p, x)
    for name in MODELS:
        _, model, params, batch = model_problem(name, (B, T, D, H), 0)
        yield name, params, partial(lambda m, b, p: m.loss_and_grads(p, b), model, batch)
    for name in TRANSLATORS | ATTENTION_ONLY:
        _, model, params, batch = translator(name, (B, 4, T, 2, H), 0)
        yield name, params, partial(lambda m, b, p: m.loss_and_grads(p, b), model, batch)
    rows = Batch(ids, ids)
    for model in (
        models.WindowModel(6, D, H, T),
        models.TransformerLanguageModel(6, 8, H, 2, 2, tied=False),
        models.TransformerTagger(6, 8, H, 2, 1, 4, positions=learned(9)),
        models.TransformerClassifier(6, 8, H, 2, 1, 4),
    ):
        targets = ids if "targets (B, T)" in type(model).loss_and_grads.__doc__ else ids[:, 0]
        batch = rows._replace(targets=targets)
        run = partial(lambda m, b, p: m.loss_and_grads(p, b), model, batch)
        yield type(model).__name__, model.init(rng), run


PASSES = list(passes())
every_pass = pytest.mark.parametrize(
    ("params", "run"), [case[1:] for case in PASSES], ids=[case[0] for case in PASSES]
)


def complaint(run, params):
    with pytest.raises(ValueError) as caught:
        run(params)
    return str(caught.value)


def test_every_recurrent_module_layer_and_model_is_tried():
    names = {name for name, *_ in PASSES}
    assert names >= MODULES.keys() | MODELS.keys() | TRANSLATORS.keys() | ATTENTION_ONLY.keys()
    assert {f"{name}, step" for name in CELLS} < names
    assert len(PASSES) > 50


@every_pass
def test_a_missing_parameter_is_named(params, run):
    run(params)
    for key in params:
        message = complaint(run, {name: a for name, a in params.items() if name != key})
        own = key.rpartition(".")[2]
        assert any(part in message for part in (own, *key.split(".")[:-1])), (key, message)


@every_pass
def test_a_foreign_parameter_is_named(params, run):
    layers = {key.rpartition(".")[0] for key in params}
    for where in sorted(layers | {"", "7"}):
        key = f"{where}.W_foreign".removeprefix(".")
        message = complaint(run, {**params, key: np.ones(3)})
        assert "W_foreign" in message or f'"{where.partition(".")[0]}' in message, (key, message)


@every_pass
def test_a_bias_of_one_number_and_a_matrix_transposed_or_cut_are_named(params, run):
    """Where there is another parameter that says what the size has to be."""
    for key, a in params.items():
        if sum(a.shape == other.shape for other in params.values()) == len(params):
            continue
        name = key.rpartition(".")[2]
        if a.ndim == 1:
            message = complaint(run, {**params, key: a[:1]})
            assert "(1,)" in message and str(a.shape) in message, (key, message)
            assert name in message, (key, message)
            complaint(run, {**params, key: a[None]})
        if a.ndim == 2 and name not in ("W", "P", "W_1"):
            message = complaint(run, {**params, key: a[:-1]})
            assert "has shape" in message or "rows" in message, (key, message)


@pytest.mark.parametrize(
    ("theirs", "ours", "parts"),
    [
        (lstm, gru, ["gru", "b_x", "an LSTM's", "4 H rows"]),
        (gru, lstm, ["lstm", "b_x", "a GRU's", "3 H rows"]),
        (gru_reset_before, lstm, ["W_x", "(12, 5)", "(16, 5)", "a GRU's", "1997", "3 H rows"]),
        (lstm1997, lstm, ["W_x", "(12, 5)", "(16, 5)", "1997", "3 H rows"]),
        (lstm, lstm1997, ["W_x", "(16, 5)", "(12, 5)", "an LSTM's", "4 H rows"]),
        (lstm, gru_reset_before, ["W_x", "(16, 5)", "(12, 5)", "an LSTM's", "4 H rows"]),
        (gru, gru_reset_before, ["b_h", "a GRU's", "3 H rows"]),
        (gru_reset_before, gru, ["b_x", "a GRU's with the reset before"]),
        (rnn, lstm, ["W_xh", "an Elman RNN's"]),
        (rnn, SkipRNN(2), ["W_sh"]),
        (SkipRNN(2), rnn, ["W_sh"]),
        (lstm, rnn, ["W_xh", "an LSTM's", "4 H rows"]),
    ],
)
def test_another_cells_weights_are_recognized(theirs, ours, parts):
    params = theirs.init(np.random.default_rng(0), D, H)
    for run in (
        lambda p: ours.forward(p, np.ones((B, T, D))),
        lambda p: ours.step(p, np.ones((B, D))),
    ):
        message = complaint(run, params)
        assert all(part in message for part in parts), message


def test_gates_of_another_number_under_the_same_names():
    fours = {"W_x": (4 * H, D), "W_h": (4 * H, H), "b_x": (4 * H,), "b_h": (4 * H,)}
    params = {key: np.zeros(shape) for key, shape in fours.items()}
    message = complaint(lambda p: gru.forward(p, np.ones((B, T, D))), params)
    parts = ["W_x", "(16, 5)", "(12, 5)", "an LSTM's", "4 H rows"]
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"weight_ih_l0": np.ones((4, 5))}, ["torch", "seqlib.weights.from_torch"]),
        ({"kernel": np.ones((5, 4))}, ["Keras", "seqlib.weights.from_keras"]),
        ({"W": np.ones((1, 4, 5)), "R": np.ones((1, 4, 4))}, ["ONNX", "seqlib.weights.from_onnx"]),
        ({"cell.W_xh": np.ones((4, 5))}, ["dot", "params.sub"]),
        ({"W_xh": [[1.0]], "W_hh": [[1.0]], "b_h": [1.0]}, ["W_xh", "list", "arrays"]),
        (None, ["NoneType", "dict"]),
    ],
)
def test_names_of_another_program_and_what_is_no_array(params, parts):
    message = complaint(lambda p: rnn.forward(p, np.ones((B, T, 5))), params)
    assert all(part in message for part in parts), message


def test_heads_that_share_keys_are_no_mystery():
    params = multihead.init(np.random.default_rng(0), 8)
    for name in "kv":
        params |= {f"W_{name}": params[f"W_{name}"][:4], f"b_{name}": params[f"b_{name}"][:4]}
    x = np.ones((B, T, 8))
    message = complaint(lambda p: multihead.forward(p, x, x, x, heads=2), params)
    assert all(part in message for part in ("W_k", "(4, 8)", "(8, 8)", "repeat the rows")), message


def test_what_a_model_would_not_read_is_foreign():
    """More layers than there are; positions that are not learned; a table beside a tied one."""
    deep, flat = Transformer(7, 6, 8, H, 2, 3), Transformer(7, 6, 8, H, 2, 2)
    own = flat.init(np.random.default_rng(0))
    batch = translator("transformer", (B, 4, T, 2, H), 0)[3]
    for params, name in (
        (deep.init(np.random.default_rng(0)), "2"),
        (flat._replace(positions=learned(20)).init(np.random.default_rng(0)), "positions"),
        ({**own, "readout.W": own["target.W"]}, "readout.W"),
    ):
        message = complaint(lambda p: flat.loss_and_grads(p, batch), params)
        assert name in message, message
    assert flat.positions is SINUSOIDAL


def test_floats_of_another_byte_order_say_how_to_turn_them():
    params, x = rnn.init(np.random.default_rng(0), D, H), np.ones((B, T, D))
    for given, at in (
        (params, x.astype(">f8")),
        ({k: a.astype(">f8") for k, a in params.items()}, x),
    ):
        message = complaint(lambda p, at=at: rnn.forward(p, at), given)
        assert ">f8" in message and 'astype("float64")' in message
