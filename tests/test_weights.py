"""Weights of other programs: each converter against the program, with random weights and states.

Constant weights, as in the LSTM cases of ONNX, do not see the order of the gates.
"""

import numpy as np
import pytest
import torch
from cells import flat, problem
from onnx_nodes import run_recurrent
from torch import nn

from seqlib import weights
from seqlib.scratch import gru, gru_reset_before, lstm, lstm1997, rnn
from seqlib.scratch.bidirectional import Bidirectional
from seqlib.scratch.ops import sigmoid
from seqlib.scratch.stack import Stack

B, T, D, H = 3, 5, 2, 4
CELLS = {"rnn": rnn, "lstm": lstm, "gru": gru, "gru_reset_before": gru_reset_before}
every_cell = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)


def same(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def assert_equal(params, expected):
    assert params.keys() == expected.keys()
    for key, a in expected.items():
        np.testing.assert_array_equal(params[key], a, err_msg=key, strict=True)


# torch

TORCH = {"rnn": (rnn, nn.RNN), "lstm": (lstm, nn.LSTM), "gru": (gru, nn.GRU)}
KINDS = {"one": (1, False), "three layers": (3, False), "both ways": (1, True), "all": (2, True)}


def built(cell, layers, two):
    one = Bidirectional(cell) if two else cell
    return Stack(one, layers) if layers > 1 else one


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("layers", "two"), KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("name", TORCH)
def test_weights_of_torch(name, layers, two, bias):
    cell, make = TORCH[name]
    options = {"num_layers": layers, "bidirectional": two, "bias": bias, "dtype": torch.float64}
    model = make(D, H, batch_first=True, **options)
    for a in model.parameters():
        nn.init.normal_(a, std=0.7)
    ours = built(cell, layers, two)
    params = weights.from_torch(cell, model.state_dict())
    _, _, x, state, *_ = problem(ours, (B, T, D, H), 1)
    parts = [torch.from_numpy(a) for a in flat(state).values()]
    start = torch.stack(parts)
    if name == "lstm":
        start = torch.stack(parts[::2]), torch.stack(parts[1::2])
    with torch.no_grad():
        h, _ = model(torch.from_numpy(x), start)
    same(ours.forward(params, x, state)[0], h.numpy())

    back = {key: torch.from_numpy(a) for key, a in weights.to_torch(cell, params).items()}
    again = make(D, H, batch_first=True, **options | {"bias": True})
    again.load_state_dict(back)
    with torch.no_grad():
        same(again(torch.from_numpy(x), start)[0].numpy(), h.numpy())
    assert_equal(weights.from_torch(cell, back), params)


def test_weights_of_a_cell_of_torch():
    model = nn.LSTMCell(D, H, dtype=torch.float64)
    rng = np.random.default_rng(0)
    x, h, c = (rng.standard_normal((B, size)) for size in (D, H, H))
    params = weights.from_torch(lstm, model.state_dict())
    with torch.no_grad():
        theirs = model(torch.from_numpy(x), (torch.from_numpy(h), torch.from_numpy(c)))
    same(lstm.step(params, x, (h, c))[1][1], theirs[1].numpy())


# ONNX


@pytest.mark.parametrize("two", [False, True])
@every_cell
def test_weights_of_onnx(cell, two):
    """onnxruntime, in single precision."""
    rng = np.random.default_rng(3)
    gates, directions = len(weights.ONNX[cell]), 1 + two
    W, R, biases = (
        0.7 * rng.standard_normal((directions, *shape)).astype(np.float32)
        for shape in ((gates * H, D), (gates * H, H), (2 * gates * H,))
    )
    ours = built(cell, 1, two)
    _, _, x, state, *_ = problem(ours, (B, T, D, H), 2)
    x = x.astype(np.float32)
    starts = [np.stack([*flat(part).values()]) for part in (state if two else (state,))]
    starts = np.stack(starts, axis=1).astype(np.float32)  # (h and c, directions, B, H)
    wanted = run_recurrent(cell, x, W, R, biases, *starts)
    params = weights.from_onnx(cell, W, R, biases)
    found, _, _ = ours.forward(params, x, as_state(cell, starts, two))
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)

    again = weights.to_onnx(cell, params)
    np.testing.assert_allclose(
        run_recurrent(cell, x, *again, *starts), wanted, rtol=2e-5, atol=2e-6
    )
    assert_equal(weights.from_onnx(cell, *again), params)


@pytest.mark.parametrize("order", ["oifg", "ifog", "gofi"])
def test_another_order_of_the_gates_would_be_seen(monkeypatch, order):
    """The cases of ONNX itself let all these pass."""
    monkeypatch.setitem(weights.ONNX, lstm, order)
    with pytest.raises(AssertionError, match="Not equal"):
        test_weights_of_onnx(lstm, False)


def as_state(cell, starts, two):
    states = [tuple(part) if cell is lstm else part[0] for part in starts.swapaxes(0, 1)]
    return tuple(states) if two else states[0]


# Keras


def keras_step(cell, x, kernel, recurrent, bias, h, c=None):
    """One step by the formulas that Keras publishes (keras/src/layers/rnn/), in its own order."""
    if cell is rnn:
        return np.tanh(x @ kernel + bias + h @ recurrent), None
    if cell is lstm:
        i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    if cell is gru:
        x_z, x_r, x_h = np.split(x @ kernel + bias[0], 3, axis=1)
        h_z, h_r, h_h = np.split(h @ recurrent + bias[1], 3, axis=1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        candidate = np.tanh(x_h + r * h_h)
    else:
        x_z, x_r, x_h = np.split(x @ kernel + bias, 3, axis=1)
        r_z, r_r, r_h = np.split(recurrent, 3, axis=1)
        z, r = sigmoid(x_z + h @ r_z), sigmoid(x_r + h @ r_r)
        candidate = np.tanh(x_h + (r * h) @ r_h)
    return z * h + (1 - z) * candidate, None


@every_cell
def test_weights_of_keras(cell):
    rng, gates = np.random.default_rng(5), len(weights.KERAS[cell])
    kernel, recurrent = rng.standard_normal((D, gates * H)), rng.standard_normal((H, gates * H))
    bias = rng.standard_normal((2, gates * H) if cell is gru else gates * H)
    x, h, c = (rng.standard_normal((B, size)) for size in (D, H, H))
    params = weights.from_keras(cell, kernel, recurrent, bias)
    state = (h, c) if cell is lstm else h
    same(cell.step(params, x, state)[0], keras_step(cell, x, kernel, recurrent, bias, h, c)[0])

    back = weights.to_keras(cell, params)
    for a, b in zip(back, (kernel, recurrent, bias), strict=True):
        np.testing.assert_array_equal(a, b, strict=True)
    without = weights.from_keras(cell, kernel, recurrent)
    zeros = weights.from_keras(cell, kernel, recurrent, np.zeros_like(bias))
    assert_equal(without, zeros)


# Mistakes

STATE = {"weight_ih_l0": np.ones((12, D)), "weight_hh_l0": np.ones((12, H))}
MISTAKES = {
    "a GRU's weights for an LSTM, torch": (lambda: weights.from_torch(lstm, STATE), ["W_x", "3 H"]),
    "a name": (lambda: weights.from_torch(gru, STATE | {"weight_hr_l0": 0}), ["weight_hr_l0"]),
    "no weight_hh": (lambda: weights.from_torch(gru, {"weight_ih_l0": 0}), ["weight_hh"]),
    "one way": (
        lambda: weights.from_torch(gru, {f"{key}_reverse": a for key, a in STATE.items()}),
        ["layer 0", "way back"],
    ),
    "torch has no such cell": (
        lambda: weights.from_torch(gru_reset_before, STATE),
        ["gru_reset_before", "rnn, lstm, gru"],
    ),
    "no such cell": (lambda: weights.to_keras(lstm1997, {}), ["lstm1997", "gru_reset_before"]),
    "rows": (lambda: weights.from_keras(gru, np.ones((D, 8)), np.ones((H, 8))), ["8 rows", "zrn"]),
    "a bias of the other GRU": (
        lambda: weights.from_keras(gru, np.ones((D, 12)), np.ones((H, 12)), np.ones(12)),
        ["(12,)", "(2, 12)"],
    ),
    "directions": (
        lambda: weights.from_onnx(rnn, np.ones((3, H, D)), np.ones((3, H, H))),
        ["(3, 4, 2)", "1 or 2"],
    ),
    "biases": (
        lambda: weights.from_onnx(rnn, np.ones((1, H, D)), np.ones((1, H, H)), np.ones((1, H))),
        ["(1, 4)", "(1, 8)"],
    ),
}


@pytest.mark.parametrize(("call", "parts"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(call, parts):
    with pytest.raises(ValueError) as caught:
        call()
    assert all(part in str(caught.value) for part in parts), str(caught.value)
