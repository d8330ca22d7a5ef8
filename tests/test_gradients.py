"""Every gradient written by hand against central differences, in float64.

The sizes are drawn all different; masks, states and upstream gradients are random and not zero.
"""

from typing import NamedTuple

import numpy as np
import pytest
from cells import (
    CELLS,
    GATES,
    MODELS,
    MODULES,
    TRANSLATORS,
    flat,
    mapped,
    model_problem,
    nested,
    problem,
    translator_problem,
    variant,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from layers import TRANSFORMER, cases, kinks, layer_problem
from transformer_table import DROPPING, TRANSFORMERS, nearest_kink, transformer_problem

from seqlib import gradcheck, omega, spectra
from seqlib.scratch import dropout, embedding, feeding, linear, losses, rnn
from seqlib.scratch.models import WindowModel
from seqlib.scratch.stack import Stack
from seqlib.text import Batch

BOUND = 1e-6  # relative error
drawn = settings(derandomize=True, deadline=None, database=None, max_examples=15)
few = settings(drawn, max_examples=6)
seeds = st.integers(0, 2**32 - 1)
sizes = st.permutations([2, 3, 4, 5]).filter(lambda s: s[1] > 2)  # B, T >= 3 and two more
masks = st.sampled_from(["none", "padding", "holes"])


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
@given(size=sizes, seed=seeds, eps=st.floats(0, 0.9))
def test_smoothed_cross_entropy(masked, size, seed, eps):
    (B, T, V, _), rng = size, np.random.default_rng(seed)
    logits, targets = 2 * normal(rng, B, T, V), rng.integers(0, V, (B, T))
    mask = random_mask(rng, B, T) if masked else None
    _, cache = losses.smoothed_cross_entropy_forward(logits, targets, mask, eps=eps)

    def loss(logits):
        return losses.smoothed_cross_entropy_forward(logits, targets, mask, eps=eps)[0]

    gradient = losses.smoothed_cross_entropy_backward(cache)
    assert_gradients(loss, {"logits": logits}, {"logits": gradient})


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


def drawn_mask(rng, kind, B, T):
    """A mask of some kind: none at all, padding at the ends of rows, or holes anywhere."""
    if kind == "none":
        return None
    return (
        np.arange(T) < rng.integers(1, T + 1, (B, 1))
        if kind == "padding"
        else random_mask(rng, B, T)
    )


def allowed(name, kind):
    """A module that reads both ways takes no holes."""
    return "padding" if "bidirectional" in name and kind == "holes" else kind


def assert_module(module, size, seed, kind):
    """Every gradient of a recurrent module: parameters, inputs, each array of the state."""
    rng, params, x, state, dh, dstate_T = problem(module, size, seed)
    mask = drawn_mask(rng, kind, *x.shape[:2])
    h, _, cache = module.forward(params, x, state, mask)
    if module is MODULES["rnn, relu"]:  # no difference may step over the kink at zero
        before = np.concatenate([state[:, None], h[:, :-1]], axis=1)
        a = x @ params["W_xh"].T + before @ params["W_hh"].T + params["b_h"]
        assume(np.abs(a).min() > 1e-3)
    dx, dstate, grads = module.backward(dh, dstate_T, cache)

    def loss(params, x, **start):
        h, state_T, _ = module.forward(params, x, nested(start, state), mask)
        ends = zip(flat(state_T).values(), flat(dstate_T).values(), strict=True)
        return np.vdot(h, dh) + sum(np.vdot(a, da) for a, da in ends)

    arguments = {"params": params, "x": x, **flat(state)}
    assert_gradients(loss, arguments, {"params": grads, "x": dx, **flat(dstate)})
    return grads


@pytest.mark.parametrize("name", MODULES)
@drawn
@given(size=sizes, seed=seeds, mask=masks)
def test_recurrent(name, size, seed, mask):
    assert_module(MODULES[name], size, seed, allowed(name, mask))


@pytest.mark.parametrize(("name", "gate"), [(name, gate) for name in GATES for gate in GATES[name]])
@few
@given(size=sizes, seed=seeds, mask=masks, value=st.sampled_from([0.0, 0.3, 1.0]))
def test_a_held_gate(name, gate, size, seed, mask, value):
    """Its weights get no gradient, not even a rounding error; all others get the right one."""
    assume(gate != "z" or value < 1)  # a GRU that only keeps: what a difference shows is rounding
    grads = assert_module(variant(MODULES[name], hold={gate: value}), size, seed, mask)
    H, place = size[3], GATES[name].index(gate)
    for gradient in grads.values():
        assert not gradient[place * H : (place + 1) * H].any()


@pytest.mark.parametrize("used", ["outputs", "final state", "outputs and a part of the state"])
@pytest.mark.parametrize("name", MODULES)
def test_an_upstream_gradient_that_is_not_used(name, used):
    """None stands for a gradient that is zero, inside a state too."""
    module = MODULES[name]
    _, params, x, state, dh, dstate_T = problem(module, (2, 4, 5, 3), 3)
    parts = flat(dstate_T)
    first = next(iter(parts))
    if used == "outputs":
        short, full = (dh, None), (dh, mapped(np.zeros_like, dstate_T))
    elif used == "final state":
        short, full = (None, dstate_T), (np.zeros_like(dh), dstate_T)
    else:
        short = dh, nested({**parts, first: None}, dstate_T)
        full = dh, nested({**parts, first: np.zeros_like(parts[first])}, dstate_T)
    _, _, cache = module.forward(params, x, state)
    dx, dstate, grads = module.backward(*short, cache)
    found = {"x": dx, **flat(dstate), **grads}
    dx, dstate, grads = module.backward(*full, cache)
    expected = {"x": dx, **flat(dstate), **grads}
    assert found.keys() == expected.keys()
    for key, a in found.items():
        np.testing.assert_array_equal(a, expected[key], err_msg=key)
        assert np.abs(a).max() > 1e-3


@drawn
@given(size=sizes, seed=seeds, rate=st.sampled_from([0.0, 0.3, 0.8]))
def test_dropout(size, seed, rate):
    (B, T, D, _), rng = size, np.random.default_rng(seed)
    x, dy = normal(rng, B, T, D), normal(rng, B, T, D)
    _, cache = dropout.forward(x, rate, np.random.default_rng(seed))

    def loss(x):
        return np.vdot(dropout.forward(x, rate, np.random.default_rng(seed))[0], dy)

    assert_gradients(loss, {"x": x}, {"x": dropout.backward(dy, cache)})


class Dropping(NamedTuple):
    """A stack with dropout that drops the same activations at each call."""

    stack: Stack
    seed: int

    def forward(self, params, x, state=None, mask=None):
        return self.stack.forward(params, x, state, mask, np.random.default_rng(self.seed))

    def init(self, rng, D, H):
        return self.stack.init(rng, D, H)

    def backward(self, dh, dstate_T, cache):
        return self.stack.backward(dh, dstate_T, cache)


@few
@given(size=sizes, seed=seeds, mask=masks)
def test_dropout_between_layers(size, seed, mask):
    assert_module(Dropping(Stack(rnn, layers=3, dropout=0.4), seed), size, seed, mask)


@cases
@settings(drawn, max_examples=3)
@given(size=sizes, seed=seeds)
def test_layer(name, kind, size, seed):
    _, layer, dy = layer_problem(name, kind, size, seed)
    assert_layer(layer, dy)


@pytest.mark.parametrize("name", TRANSFORMER)
@settings(drawn, max_examples=2)
@given(size=sizes, seed=seeds)
def test_dropout_in_a_layer(name, size, seed):
    _, layer, dy = layer_problem(name, "padding", size, seed)

    def run(*arguments, **options):
        return layer.run(*arguments, **options, rate=0.3, rng=np.random.default_rng(seed))

    assert_layer(layer._replace(run=run), dy)
    assert not np.array_equal(layer.forward()[0], layer._replace(run=run).forward()[0])


def assert_layer(layer, dy):
    """Every gradient of a layer: parameters and inputs."""
    _, cache = layer.forward()
    assume(kinks(cache) > 1e-3)
    gradients = layer.backward(dy, cache)

    def loss(**arguments):
        arguments["params"] = {**layer.params, **arguments.pop("params", {})}
        return np.vdot(layer.forward(**arguments)[0], dy)

    arguments = {**layer.inputs, **({"params": layer.params} if layer.params else {})}
    for key in without_effect(layer):  # its gradient is 0 but for rounding, also by differences
        changed = {**layer.params, key: normal(np.random.default_rng(0), *layer.params[key].shape)}
        assert abs(loss(params=changed) - loss()) < 1e-12 * max(1, np.abs(dy).sum())
        assert np.abs(gradients["params"].pop(key)).max() < 1e-13 * max(1, np.abs(dy).sum())
        arguments["params"] = {k: a for k, a in arguments["params"].items() if k != key}
    assert_gradients(loss, arguments, gradients)


def without_effect(layer):
    """The bias of the keys adds the same to all scores of a row, unless the keys are turned."""
    keys = [key for key in layer.params if key.endswith("b_k")]
    return [key for key in keys if "angles" not in layer.options or "cross" in key]


@pytest.mark.parametrize("name", MODELS)
@few
@given(size=sizes, seed=seeds, mask=masks)
def test_model(name, size, seed, mask):
    rng = np.random.default_rng(seed)
    mask = drawn_mask(rng, allowed(name, mask), *size[:2])
    _, model, params, batch = model_problem(name, size, seed, mask)
    state_T = model.loss_and_grads(params, batch)[2]
    state = mapped(lambda a: normal(rng, *a.shape), state_T)
    _, grads, _ = model.loss_and_grads(params, batch, state)

    def loss(params):
        return model.loss_and_grads(params, batch, state)[0]

    assert_gradients(loss, {"params": params}, {"params": grads})


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", TRANSLATORS)
def test_translator(name, padded):
    """Also what crosses from decoder to encoder, by the state, the summary or the attention."""
    _, model, params, batch = translator_problem(name, (3, 4, 5, 2, 3), 0, padded)
    _, grads, _ = model.loss_and_grads(params, batch)

    def loss(params):
        return model.loss_and_grads(params, batch)[0]

    assert_gradients(loss, {"params": params}, {"params": grads})
    assert all(np.abs(grads[key]).max() > 1e-6 for key in params), name


@pytest.mark.parametrize("name", ["sutskever", "bahdanau"])
def test_translator_that_is_fed_its_own_words(name):
    """The gradient is that of the words that it wrote, held as they are."""
    _, model, params, batch = translator_problem(name, (3, 4, 5, 2, 3), 1)
    batch = batch._replace(own=0.6)
    inputs = feeding.fed(model, params, batch, np.random.default_rng(0)).inputs
    assert (inputs != batch.inputs).any()
    _, grads, _ = model.loss_and_grads(params, batch, rng=np.random.default_rng(0))

    def loss(params):
        return model.loss_and_grads(params, batch._replace(own=0, inputs=inputs))[0]

    assert_gradients(loss, {"params": params}, {"params": grads})


@pytest.mark.parametrize(
    ("name", "rate"),
    [*((name, 0.0) for name in TRANSFORMERS), *((name, 0.3) for name in DROPPING)],
)
@settings(drawn, max_examples=2)
@given(size=sizes, seed=seeds)
def test_transformer(name, rate, size, seed):
    """Each array of parameters along two random directions: its entries are many.

    A relu's bend is further than a step; where a gradient is nearly 0, as that of the keys' bias
    is, what a difference shows is its rounding.
    """
    rng, model, params, batch = transformer_problem(name, size, seed, rate=rate)

    def run(key=None, change=0.0):
        changed = {**params, **({key: params[key] + change} if key else {})}
        return model.loss_and_grads(changed, batch, rng=np.random.default_rng(seed))[:2]

    assume(nearest_kink(run) > 2e-4)
    _, grads = run()
    assert grads.keys() == params.keys()
    for key, gradient in grads.items():
        assert gradient.shape == params[key].shape
        for _ in range(2):
            direction = normal(rng, *gradient.shape)
            direction *= 1e-5 / np.linalg.norm(direction)
            numeric = run(key, direction)[0] - run(key, -direction)[0]
            assert abs(numeric - 2 * np.vdot(gradient, direction)) <= 1e-11 * (
                1e-3 + np.linalg.norm(gradient)
            ), key


def test_reach():
    """Two steps of one linear unit: the gradient is multiplied by w at every step between."""
    w = {"W_xh": np.array([[3.0]]), "W_hh": np.array([[0.5]]), "b_h": np.zeros(1)}
    v = {"W_xh": np.zeros((1, 1)), "W_hh": np.array([[0.25]]), "b_h": np.zeros(1)}
    tiny = np.full((1, 2, 1), 1e-9)  # where tanh is a line
    found = spectra.reach(rnn, w, v, tiny, tiny, np.random.default_rng(0))
    first, second = np.abs(np.random.default_rng(0).standard_normal(2))
    expected = [[first * 0.25 * 0.5 * 3, first * 0.25 * 3]]
    expected += [[second * 0.25**2 * 0.5 * 3, second * 0.25**2 * 3]]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", CELLS)
@few
@given(size=sizes, seed=seeds)
def test_jacobian(name, size, seed):
    """Of one step, row by row of a batch: each column against a difference."""
    (B, _, D, H), cell = size, CELLS[name]
    _, params, x, state, *_ = problem(cell, (B, 1, D, H), seed)
    J = spectra.jacobian(cell, params, x[:, 0], state)
    start = spectra.as_rows(state)
    if name == "rnn, relu":
        a = x[:, 0] @ params["W_xh"].T + start @ params["W_hh"].T + params["b_h"]
        assume(np.abs(a).min() > 1e-3)

    def after(j, step):
        moved = start.copy()
        moved[:, j] += step
        return spectra.as_rows(cell.forward(params, x, spectra.like(state, moved))[1])

    numeric = np.stack([(after(j, 1e-5) - after(j, -1e-5)) / 2e-5 for j in range(start.shape[1])])
    assert J.shape == (B, start.shape[1], start.shape[1])
    assert gradcheck.relative_error(J, numeric.transpose(1, 2, 0)) <= BOUND


def omega_parts(params, x, state, dh, dh_T):
    """d_t = dL/da_t and the slope of tanh at a_t, each (T, H), of one row; step by step."""
    h = [state]
    for x_t in x:
        h.append(np.tanh(params["W_xh"] @ x_t + params["W_hh"] @ h[-1] + params["b_h"]))
    d, reaching = [], dh_T
    for t in reversed(range(len(x))):
        d.insert(0, (reaching + dh[t]) * (1 - h[t + 1] ** 2))
        reaching = params["W_hh"].T @ d[0]
    return np.array(d), 1 - np.array(h[1:]) ** 2


@pytest.mark.parametrize("padded", [False, True])
@drawn
@given(size=sizes, seed=seeds)
def test_omega(padded, size, seed):
    """Its value by a loop over rows and steps; its gradient with all but the W_hh shown held."""
    rng, params, x, state, dh, dh_T = problem(rnn, size, seed)
    mask = drawn_mask(rng, "padding" if padded else "none", *x.shape[:2])
    lengths = mask.sum(axis=1) if padded else [x.shape[1]] * len(x)
    if padded:
        dh *= mask[:, :, None]
    value, cache = omega.forward(dh, dh_T, rnn.forward(params, x, state, mask)[2])
    parts = [
        omega_parts(params, x[b, :n], state[b], dh[b, :n], dh_T[b]) for b, n in enumerate(lengths)
    ]

    def expected(W_hh):
        terms = [
            (np.linalg.norm(d[t + 1] @ W_hh @ np.diag(slope[t])) / np.linalg.norm(d[t + 1]) - 1)
            ** 2
            for d, slope in parts
            for t in range(len(d) - 1)
        ]
        return sum(terms) / len(x)

    assert value == pytest.approx(expected(params["W_hh"]), rel=1e-10, abs=1e-14)
    assert_gradients(expected, {"W_hh": params["W_hh"]}, omega.backward(cache))


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
