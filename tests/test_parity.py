"""NumPy by hand = the PyTorch mirror = torch.nn: forward passes, every gradient, optimizers."""

import numpy as np
import pytest
import torch
from torch import nn

from seqlib import optim
from seqlib.pytorch.rnn import RNN
from seqlib.scratch import embedding, linear, losses, ops, rnn

B, T, D, H = 3, 5, 4, 6
TOLERANCE = {np.float64: 1e-10, np.float32: 1e-4}
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


def problem(dtype):
    """Parameters, inputs, initial state and upstream gradients, none of them zero."""
    params = rnn.init(np.random.default_rng(7), D, H, dtype)
    return params, *draw(dtype, (B, T, D), (B, H), (B, T, H), (B, H))


def by_hand(params, x, state, dh, dh_T, mask=None, activation="tanh"):
    """Everything that the layer in NumPy computes, by name."""
    h, h_T, cache = rnn.forward(params, x, state, mask, activation)
    dx, dh_0, grads = rnn.backward(dh, dh_T, cache)
    return {"h": h, "h_T": h_T, "dx": dx, "dh_0": dh_0, **grads}


def by_mirror(params, x, state, dh, dh_T, mask=None, activation="tanh"):
    D, H = params["W_xh"].shape[1], len(params["W_hh"])
    model = RNN(D, H, activation, torch.from_numpy(x).dtype)
    model.load_state_dict({key: torch.from_numpy(value) for key, value in params.items()})
    x, state = leaf(x), leaf(state)
    h, h_T = model(x, state, None if mask is None else torch.from_numpy(mask))
    torch.autograd.backward([h, h_T], [torch.from_numpy(dh), torch.from_numpy(dh_T)])
    grads = {key: value.grad for key, value in model.named_parameters()}
    return {"h": h, "h_T": h_T, "dx": x.grad, "dh_0": state.grad, **grads}


def torch_rnn(params, activation):
    """torch.nn.RNN with our weights as they are; its second bias is zero."""
    H, D = params["W_xh"].shape
    dtype = torch.from_numpy(params["W_xh"]).dtype
    model = nn.RNN(D, H, nonlinearity=activation, batch_first=True, dtype=dtype)
    names = {"weight_ih_l0": "W_xh", "weight_hh_l0": "W_hh", "bias_ih_l0": "b_h"}
    weights = {theirs: torch.from_numpy(params[ours]) for theirs, ours in names.items()}
    model.load_state_dict({**weights, "bias_hh_l0": torch.zeros(H, dtype=dtype)})
    return model, names


def by_torch(params, x, state, dh, dh_T, lengths=None, activation="tanh"):
    model, names = torch_rnn(params, activation)
    x, state = leaf(x), leaf(state)
    if lengths is None:
        h, h_T = model(x, state[None])
    else:
        packed = nn.utils.rnn.pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        h, h_T = model(packed, state[None])
        h, _ = nn.utils.rnn.pad_packed_sequence(h, batch_first=True, total_length=x.shape[1])
    h_T = h_T[0]
    torch.autograd.backward([h, h_T], [torch.from_numpy(dh), torch.from_numpy(dh_T)])
    grads = {ours: getattr(model, theirs).grad for theirs, ours in names.items()}
    return {"h": h, "h_T": h_T, "dx": x.grad, "dh_0": state.grad, **grads}


@dtypes
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_rnn_is_torch(activation, dtype):
    arguments = problem(dtype)
    ours = by_hand(*arguments, activation=activation)
    assert_same(ours, by_torch(*arguments, activation=activation))


@dtypes
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_rnn_is_its_mirror(activation, masked, dtype):
    arguments = problem(dtype)
    mask = np.random.default_rng(2).random((B, T)) < 0.6 if masked else None
    assert mask is None or 0 < mask.sum() < mask.size
    ours = by_hand(*arguments, mask, activation)
    assert_same(ours, by_mirror(*arguments, mask, activation))


@dtypes
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_mask_is_a_packed_sequence(activation, dtype):
    """torch leaves zeros in the outputs behind a row's end where ours carry the state."""
    params, x, state, dh, dh_T = problem(dtype)
    lengths = np.array([2, T, 3])
    mask = np.arange(T) < lengths[:, None]
    dh *= mask[:, :, None]
    ours = by_hand(params, x, state, dh, dh_T, mask, activation)
    behind = ours["h"][~mask]
    np.testing.assert_array_equal(behind, np.repeat(ours["h_T"], T - lengths, axis=0))
    ours["h"] = ours["h"] * mask[:, :, None]
    assert_same(ours, by_torch(params, x, state, dh, dh_T, lengths, activation))


def test_no_state_is_a_state_of_zeros():
    params, x, *_ = problem(np.float64)
    h, h_T, _ = rnn.forward(params, x)
    theirs, last = torch_rnn(params, "tanh")[0](torch.from_numpy(x))
    assert_same({"h": h, "h_T": h_T}, {"h": theirs, "h_T": last[0]})
    mirror = RNN(D, H)
    mirror.load_state_dict({key: torch.from_numpy(value) for key, value in params.items()})
    theirs, last = mirror(torch.from_numpy(x))
    assert_same({"h": h, "h_T": h_T}, {"h": theirs, "h_T": last})


def test_the_mirror_has_the_same_keys_and_shapes_and_range():
    ours = rnn.init(np.random.default_rng(0), 40, 50)
    theirs = RNN(40, 50).state_dict()
    reference = nn.RNN(40, 50).state_dict()["weight_ih_l0"]
    assert ours.keys() == theirs.keys()
    for key, value in ours.items():
        assert value.shape == tuple(theirs[key].shape)
        assert value.dtype == theirs[key].numpy().dtype == np.float64
    for weights in (ours["W_xh"], theirs["W_xh"].numpy(), reference.numpy()):
        assert 0.95 < np.abs(weights).max() * np.sqrt(50) <= 1 + 1e-6


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
