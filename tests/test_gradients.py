"""Every gradient written by hand against central differences, in float64.

The sizes are drawn all different; masks, states and upstream gradients are random and not zero.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqlib import gradcheck
from seqlib.scratch import embedding, linear, losses, rnn
from seqlib.scratch.models import LanguageModel, WindowModel
from seqlib.text import Batch

BOUND = 1e-6  # relative error
drawn = settings(derandomize=True, deadline=None, database=None, max_examples=15)
seeds = st.integers(0, 2**32 - 1)
sizes = st.permutations([2, 3, 4, 5]).filter(lambda s: s[1] > 2)  # B, T >= 3 and two more


def normal(rng, *shape):
    return rng.standard_normal(shape)


def random_mask(rng, *shape):
    """Holes anywhere, with at least one real place."""
    mask = rng.random(shape) < 0.7
    mask.flat[rng.integers(mask.size)] = True
    return mask


def assert_gradients(loss, arguments, gradients):
    errors = gradcheck.check(loss, arguments, gradients)
    names = {
        f"{name}.{key}" if isinstance(value, dict) else name
        for name, value in arguments.items()
        for key in (value if isinstance(value, dict) else [None])
    }
    assert set(errors) == names  # no argument was left out
    assert max(errors.values()) <= BOUND, errors


@drawn
@given(sizes, seeds)
def test_linear(size, seed):
    (B, T, D, K), rng = size, np.random.default_rng(seed)
    params, x, dy = linear.init(rng, D, K), normal(rng, B, T, D), normal(rng, B, T, K)
    _, cache = linear.forward(params, x)
    dx, grads = linear.backward(dy, cache)

    def loss(params, x):
        return np.vdot(linear.forward(params, x)[0], dy)

    assert_gradients(loss, {"params": params, "x": x}, {"params": grads, "x": dx})


@drawn
@given(sizes, seeds)
def test_embedding(size, seed):
    (B, T, D, V), rng = size, np.random.default_rng(seed)
    params, ids, dx = embedding.init(rng, V, D), rng.integers(0, V, (B, T)), normal(rng, B, T, D)
    _, cache = embedding.forward(params, ids)
    grads = embedding.backward(dx, cache)

    def loss(params):
        return np.vdot(embedding.forward(params, ids)[0], dx)

    assert_gradients(loss, {"params": params}, {"params": grads})


@pytest.mark.parametrize("masked", [False, True])
@drawn
@given(size=sizes, seed=seeds)
def test_cross_entropy(masked, size, seed):
    (B, T, V, _), rng = size, np.random.default_rng(seed)
    logits, targets = 2 * normal(rng, B, T, V), rng.integers(0, V, (B, T))
    mask = random_mask(rng, B, T) if masked else None
    _, cache = losses.cross_entropy_forward(logits, targets, mask)

    def loss(logits):
        return losses.cross_entropy_forward(logits, targets, mask)[0]

    assert_gradients(loss, {"logits": logits}, {"logits": losses.cross_entropy_backward(cache)})


@pytest.mark.parametrize("masked", [False, True])
@drawn
@given(size=sizes, seed=seeds)
def test_squared_error(masked, size, seed):
    (B, T, D, _), rng = size, np.random.default_rng(seed)
    y, targets = normal(rng, B, T, D), normal(rng, B, T, D)
    mask = random_mask(rng, B, T) if masked else None
    _, cache = losses.squared_error_forward(y, targets, mask)

    def loss(y):
        return losses.squared_error_forward(y, targets, mask)[0]

    assert_gradients(loss, {"y": y}, {"y": losses.squared_error_backward(cache)})


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
@drawn
@given(size=sizes, seed=seeds)
def test_rnn(activation, masked, size, seed):
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    params, x, state = rnn.init(rng, D, H), normal(rng, B, T, D), normal(rng, B, H)
    mask = random_mask(rng, B, T) if masked else None
    dh, dh_T = normal(rng, B, T, H), normal(rng, B, H)
    h, _, cache = rnn.forward(params, x, state, mask, activation)
    if activation == "relu":  # no difference may step over the kink at zero
        before = np.concatenate([state[:, None], h[:, :-1]], axis=1)
        a = x @ params["W_xh"].T + before @ params["W_hh"].T + params["b_h"]
        assume(np.abs(a).min() > 1e-3)
    dx, dstate, grads = rnn.backward(dh, dh_T, cache)

    def loss(params, x, state):
        h, h_T, _ = rnn.forward(params, x, state, mask, activation)
        return np.vdot(h, dh) + np.vdot(h_T, dh_T)

    assert_gradients(
        loss,
        {"params": params, "x": x, "state": state},
        {"params": grads, "x": dx, "state": dstate},
    )


@pytest.mark.parametrize("used", ["outputs", "final state"])
def test_rnn_with_one_upstream_gradient(used):
    """None stands for a gradient that is zero."""
    rng = np.random.default_rng(3)
    params, x, state = rnn.init(rng, 5, 3), normal(rng, 2, 4, 5), normal(rng, 2, 3)
    _, _, cache = rnn.forward(params, x, state)
    dh, dh_T = normal(rng, 2, 4, 3), normal(rng, 2, 3)
    if used == "outputs":
        short, full = (dh, None), (dh, np.zeros_like(dh_T))
    else:
        short, full = (None, dh_T), (np.zeros_like(dh), dh_T)
    (dx, dstate, grads), expected = rnn.backward(*short, cache), rnn.backward(*full, cache)
    np.testing.assert_array_equal(dx, expected[0])
    np.testing.assert_array_equal(dstate, expected[1])
    for key in params:
        np.testing.assert_array_equal(grads[key], expected[2][key])
    assert all(np.abs(a).max() > 0.01 for a in (dx, dstate, *grads.values()))


@pytest.mark.parametrize("masked", [False, True])
@drawn
@given(size=sizes, seed=seeds)
def test_language_model(masked, size, seed):
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    model = LanguageModel(V=6, D=D, H=H)
    params, state = model.init(rng), normal(rng, B, H)
    mask = random_mask(rng, B, T) if masked else None
    batch = Batch(rng.integers(0, 6, (B, T)), rng.integers(0, 6, (B, T)), mask)
    _, grads, _ = model.loss_and_grads(params, batch, state)

    def loss(params):
        return model.loss_and_grads(params, batch, state)[0]

    assert_gradients(loss, {"params": params}, {"params": grads})


@drawn
@given(size=sizes, seed=seeds)
def test_window_model(size, seed):
    (B, window, D, H), rng = size, np.random.default_rng(seed)
    model = WindowModel(V=6, D=D, H=H, window=window)
    params = model.init(rng)
    inputs = rng.integers(0, 7, (B, window))  # 6 stands before the beginning
    batch = Batch(inputs, rng.integers(0, 6, B))
    _, grads, _ = model.loss_and_grads(params, batch)

    def loss(params):
        return model.loss_and_grads(params, batch)[0]

    assert_gradients(loss, {"params": params}, {"params": grads})


# The instrument itself


def test_numerical_gradient_of_known_functions():
    a = np.random.default_rng(0).standard_normal((2, 3))
    before = a.copy()
    found = gradcheck.numerical_gradient(lambda a: np.sin(a).sum() + a[0, 1] * a[1, 2], a)
    expected = np.cos(a)
    expected[0, 1] += a[1, 2]
    expected[1, 2] += a[0, 1]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    np.testing.assert_array_equal(a, before)


def truncates(dh, dh_T, cache):
    """Lets the loss of a step reach the weights through that step alone."""
    T = len(cache.x)
    grads = [
        rnn.backward(
            dh[:, t : t + 1],
            dh_T if t == T - 1 else None,
            cache._replace(x=cache.x[t : t + 1], h=cache.h[t : t + 2]),
        )[2]
        for t in range(T)
    ]
    return None, None, {key: sum(step[key] for step in grads) for key in grads[0]}


def forgets_the_slope(dh, dh_T, cache):
    return rnn.backward(dh, dh_T, cache._replace(h=0 * cache.h))


def is_off_by_a_thousandth(dh, dh_T, cache):
    dx, dh_0, grads = rnn.backward(dh, dh_T, cache)
    return dx, dh_0, {**grads, "b_h": grads["b_h"] * 1.001}


def transposes(dh, dh_T, cache):
    dx, dh_0, grads = rnn.backward(dh, dh_T, cache)
    return dx, dh_0, {**grads, "W_hh": grads["W_hh"].T}


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        (truncates, "params.W_xh"),
        (forgets_the_slope, "params.W_xh"),
        (is_off_by_a_thousandth, "params.b_h"),
        (transposes, "params.W_hh"),
    ],
)
def test_a_wrong_gradient_is_found(wrong, key):
    rng = np.random.default_rng(1)
    params, x, state = rnn.init(rng, 5, 3), normal(rng, 2, 4, 5), normal(rng, 2, 3)
    dh, dh_T = normal(rng, 2, 4, 3), normal(rng, 2, 3)
    _, _, cache = rnn.forward(params, x, state)

    def loss(params):
        h, h_T, _ = rnn.forward(params, x, state)
        return np.vdot(h, dh) + np.vdot(h_T, dh_T)

    right = gradcheck.check(loss, {"params": params}, {"params": rnn.backward(dh, dh_T, cache)[2]})
    errors = gradcheck.check(loss, {"params": params}, {"params": wrong(dh, dh_T, cache)[2]})
    assert right[key] <= BOUND
    assert errors[key] > 100 * BOUND


def test_relative_error():
    assert gradcheck.relative_error([1.0, 2.0], [1.0, 2.5]) == 0.2
    assert gradcheck.relative_error([-4.0, 1.0], [-3.0, 1.0]) == 0.25
    assert gradcheck.relative_error(np.zeros(3), np.zeros(3)) == 0
    assert gradcheck.relative_error(np.zeros(2), np.array([0, 1e-9])) == 1
