"""Laws that hold for every size and seed; Hypothesis draws them."""

import tracemalloc
from collections import Counter, defaultdict
from functools import partial
from itertools import islice, product

import numpy as np
import pytest
from cells import (
    ATTENTION_ONLY,
    CELLS,
    GATES,
    MODELS,
    MODULES,
    TRANSLATORS,
    flat,
    mapped,
    model_problem,
    problem,
    translator_problem,
    variant,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from layers import KINDS, TRANSFORMER, cases, layer_problem
from transformer_table import ANSWERERS, TRANSFORMERS, WRITERS, logits_of, transformer_problem

from seqlib import (
    decode,
    gradcheck,
    guessing,
    ibm1,
    metrics,
    ngrams,
    optim,
    phrases,
    probe,
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
    feeding,
    gru,
    gru_reset_before,
    layernorm,
    linear,
    losses,
    lstm,
    lstm1997,
    multihead,
    multiplicative,
    online_attention,
    ops,
    positional,
    positions,
    rnn,
)
from seqlib.scratch.models import LanguageModel, WindowModel
from seqlib.scratch.stack import Stack
from seqlib.train import train

drawn = settings(derandomize=True, deadline=None, database=None, max_examples=25)
few = settings(drawn, max_examples=8)
seeds = st.integers(0, 2**32 - 1)
# Sizes of 1 too: an axis of length 1 is where a copy silently becomes a view.
sizes = st.tuples(*[st.integers(1, 6)] * 4)  # B, T, D, H
layer_sizes = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))


def close(a, b):
    """Equal up to the order in which a matrix product adds."""
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def all_close(a, b):
    assert a.keys() == b.keys()
    for key in a:
        close(a[key], b[key])


def same(a, b):
    """Equal to the last bit."""
    a, b = np.asarray(a), np.asarray(b)
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert a.tobytes() == b.tobytes()


def normal(rng, *shape):
    return rng.standard_normal(shape)


def ends_with_padding(rng, B, T):
    """Lengths of 1 to T and their mask."""
    lengths = rng.integers(1, T + 1, B)
    return lengths, np.arange(T) < lengths[:, None]


# Recurrent modules


def run(module, params, x, state, dh, dstate_T, mask=None):
    """All outputs of forward and backward by name, those of the parameters apart."""
    h, state_T, cache = module.forward(params, x, state, mask)
    dx, dstate, grads = module.backward(dh, dstate_T, cache)
    return {"h": h, "dx": dx, **flat(state_T, "end"), **flat(dstate, "dstate")}, grads


def all_same(a, b):
    assert a.keys() == b.keys()
    for key in a:
        same(a[key], b[key])


@pytest.mark.parametrize("name", CELLS)
@drawn
@given(size=sizes, seed=seeds, share=st.floats(0, 1), masked=st.booleans())
def test_split_is_whole(name, size, seed, share, masked):
    (B, T, D, H), cell = size, CELLS[name]
    T += 1
    rng, params, x, state, dh, dstate_T = problem(cell, (B, T, D, H), seed)
    mask = rng.random((B, T)) < 0.6 if masked else None
    cut = 1 + round(share * (T - 2))
    h, state_T, cache = cell.forward(params, x, state, mask)
    first, second = (None, None) if mask is None else (mask[:, :cut], mask[:, cut:])
    h_1, state_cut, cache_1 = cell.forward(params, x[:, :cut], state, first)
    h_2, state_end, cache_2 = cell.forward(params, x[:, cut:], state_cut, second)
    close(np.concatenate([h_1, h_2], axis=1), h)
    all_close(flat(state_end), flat(state_T))

    dx, dstate, grads = cell.backward(dh, dstate_T, cache)
    dx_2, dstate_cut, grads_2 = cell.backward(dh[:, cut:], dstate_T, cache_2)
    dx_1, dstate_start, grads_1 = cell.backward(dh[:, :cut], dstate_cut, cache_1)
    close(np.concatenate([dx_1, dx_2], axis=1), dx)
    all_close(flat(dstate_start), flat(dstate))
    all_close({key: grads_1[key] + grads_2[key] for key in grads}, grads)


@pytest.mark.parametrize("name", CELLS)
@drawn
@given(size=sizes, seed=seeds, share=st.floats(0, 1))
def test_causality(name, size, seed, share):
    """What comes at step t changes no output before t, not in one bit."""
    rng, params, x, state, *_ = problem(CELLS[name], size, seed)
    t = round(share * (x.shape[1] - 1))
    changed = x.copy()
    changed[:, t:] += normal(rng, *changed[:, t:].shape) + 1
    h, _, _ = CELLS[name].forward(params, x, state)
    other, _, _ = CELLS[name].forward(params, changed, state)
    same(other[:, :t], h[:, :t])
    if name != "rnn, relu":  # which may stay at zero
        assert (other[:, t] != h[:, t]).any()


@pytest.mark.parametrize("name", [name for name in MODULES if name not in CELLS])
@drawn
@given(size=sizes, seed=seeds)
def test_both_ways(name, size, seed):
    """Of the first layer read both ways: one half of the features sees the past, one the future."""
    module, (_, T, _, H) = MODULES[name], size
    rng, params, x, state, *_ = problem(module, size, seed)
    t = rng.integers(T)
    changed = x.copy()
    changed[:, t] += 1
    h, _, _ = module.forward(params, x, state)
    other, _, _ = module.forward(params, changed, state)
    if not isinstance(module, Stack):
        same(other[:, :t, :H], h[:, :t, :H])
        same(other[:, t + 1 :, H:], h[:, t + 1 :, H:])
    for half in (slice(H), slice(H, None)):
        assert (other[:, t, half] != h[:, t, half]).any()


@pytest.mark.parametrize("name", [name for name in MODELS if name.startswith("language")])
@drawn
@given(size=sizes, seed=seeds)
def test_causality_of_a_language_model(name, size, seed):
    _, model, params, (ids, _, _) = model_problem(name, size, seed)
    logits, _ = model.logits(params, ids)
    for t in range(ids.shape[1]):
        changed = ids.copy()
        changed[:, t:] = (changed[:, t:] + 1) % 6
        other, _ = model.logits(params, changed)
        same(other[:, :t], logits[:, :t])
        assert (other[:, t] != logits[:, t]).any()


@pytest.mark.parametrize("name", MODULES)
@drawn
@given(size=sizes, seed=seeds, filling=st.sampled_from([0.0, -3.5, 1e300, np.inf, np.nan]))
def test_padding_changes_nothing(name, size, seed, filling):
    """Whatever stands in the padding, no bit of outputs, state or gradients changes."""
    module = MODULES[name]
    rng, params, x, state, dh, dstate_T = problem(module, size, seed)
    _, mask = ends_with_padding(rng, *x.shape[:2])
    dh *= mask[:, :, None]
    found, grads = run(module, params, x, state, dh, dstate_T, mask)
    filled = np.where(mask[:, :, None], x, filling)
    other, other_grads = run(module, params, filled, state, dh, dstate_T, mask)
    all_same(other, found)
    all_same(other_grads, grads)
    assert not found["dx"][~mask].any()


@pytest.mark.parametrize("name", MODULES)
@drawn
@given(size=sizes, seed=seeds)
def test_a_padded_row_is_the_row_alone(name, size, seed):
    module = MODULES[name]
    rng, params, x, state, dh, dstate_T = problem(module, size, seed)
    lengths, mask = ends_with_padding(rng, *x.shape[:2])
    dh *= mask[:, :, None]
    found, grads = run(module, params, x, state, dh, dstate_T, mask)
    total = dict.fromkeys(grads, 0.0)
    for b, n in enumerate(lengths):
        row = slice(b, b + 1)
        start, end = (mapped(lambda a, row=row: a[row], part) for part in (state, dstate_T))
        alone, own = run(module, params, x[row, :n], start, dh[row, :n], end)
        for key, a in alone.items():
            close(found[key][row, :n] if key in ("h", "dx") else found[key][row], a)
        total = {key: total[key] + own[key] for key in total}
    all_close(grads, total)


@pytest.mark.parametrize("name", MODULES)
@drawn
@given(size=sizes, seed=seeds)
def test_a_mask_of_one_value(name, size, seed):
    """All True is no mask; where a row is all False, nothing happens to its state."""
    module = MODULES[name]
    _, params, x, state, dh, dstate_T = problem(module, size, seed)
    mask = np.ones(x.shape[:2], dtype=bool)
    found, grads = run(module, params, x, state, dh, dstate_T)
    other, other_grads = run(module, params, x, state, dh, dstate_T, mask)
    all_same(other, found)
    all_same(other_grads, grads)

    mask[0] = False
    found, grads = run(module, params, x * 0 + np.nan, state, dh, dstate_T, mask & False)
    all_same({key: found[key] for key in flat(state, "end")}, flat(state, "end"))
    assert not found["dx"].any()
    assert not any(gradient.any() for gradient in grads.values())
    found, _ = run(module, params, x, state, 0 * dh, dstate_T, mask)
    for key, a in flat(dstate_T, "dstate").items():
        same(found[key][0], a[0])


@pytest.mark.parametrize("name", MODELS)
@drawn
@given(size=sizes, seed=seeds)
def test_padding_of_a_model(name, size, seed):
    """Inputs and targets behind the end of a row do not matter; a target there may even be no id.

    The loss is the mean over the real places, or over the rows, of the losses of the rows alone.
    """
    rng, model, params, batch = model_problem(name, size, seed)
    lengths, mask = ends_with_padding(rng, *size[:2])
    per_step = MODELS[name][2] == 2
    inputs, targets, _ = batch
    loss, grads, state_T = model.loss_and_grads(params, text.Batch(inputs, targets, mask))
    behind = np.where(mask, targets, -100) if per_step else targets
    real = mask if inputs.ndim == 2 else mask[:, :, None]
    other = text.Batch(np.where(real, inputs, 3), behind, mask)
    other_loss, other_grads, other_state = model.loss_and_grads(params, other)
    assert other_loss == loss
    all_same(flat(other_state), flat(state_T))
    all_close(other_grads, grads)  # the embedding's product adds in another order

    alone, expected = [], dict.fromkeys(grads, 0.0)
    for b, n in enumerate(lengths):
        row = slice(b, b + 1)
        part = text.Batch(inputs[row, :n], targets[row, :n] if per_step else targets[row])
        share = n / mask.sum() if per_step else 1 / len(lengths)
        row_loss, row_grads, row_state = model.loss_and_grads(params, part)
        alone.append(row_loss * share)
        expected = {key: expected[key] + row_grads[key] * share for key in expected}
        all_close(flat(mapped(lambda a, row=row: a[row], state_T)), flat(row_state))
    close(loss, sum(alone))
    all_close(grads, expected)


@pytest.mark.parametrize("filling", [7.0, -np.inf, np.inf, np.nan])
def test_losses_ignore_masked_places(filling):
    rng = np.random.default_rng(0)
    a, ids, numbers = normal(rng, 3, 4, 5), rng.integers(0, 5, (3, 4)), normal(rng, 3, 4, 5)
    mask = rng.random((3, 4)) < 0.6
    filled = np.where(mask[..., None], a, filling)
    for forward, backward, targets in [
        (losses.cross_entropy_forward, losses.cross_entropy_backward, ids),
        (losses.squared_error_forward, losses.squared_error_backward, numbers),
        (
            partial(losses.smoothed_cross_entropy_forward, eps=0.2),
            losses.smoothed_cross_entropy_backward,
            ids,
        ),
    ]:
        loss, cache = forward(a, targets, mask)
        other_loss, other_cache = forward(filled, targets, mask)
        assert other_loss == loss
        same(backward(other_cache), backward(cache))
        assert not backward(cache)[~mask].any()
        assert loss == pytest.approx(forward(a[mask], targets[mask])[0])


@pytest.mark.parametrize("name", CELLS)
@drawn
@given(size=sizes, seed=seeds, start=st.booleans())
def test_step_is_forward_of_one_step(name, size, seed, start):
    cell = CELLS[name]
    _, params, x, state, *_ = problem(cell, size, seed)
    state = state if start else None
    h, state_T, _ = cell.forward(params, x, state)
    for t in range(x.shape[1]):
        h_t, state = cell.step(params, x[:, t], state)
        close(h_t, h[:, t])
    all_close(flat(state), flat(state_T))


def arrays_in(value):
    """All arrays of a nested value."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return []
    return [a for part in value for a in arrays_in(part)]


@pytest.mark.parametrize("name", MODULES)
@drawn
@given(size=sizes, seed=seeds)
def test_what_a_module_returns_is_the_callers(name, size, seed):
    """Outputs and states are arrays of their own: who writes into them changes no gradient."""
    module = MODULES[name]
    _, params, x, state, dh, dstate_T = problem(module, size, seed)
    h, state_T, cache = module.forward(params, x, state)
    for a in (h, *flat(state_T).values()):
        assert not any(np.may_share_memory(a, kept) for kept in arrays_in((x, state, cache)))
    dx, dstate, grads = module.backward(dh, dstate_T, cache)
    found = {"dx": dx, **flat(dstate), **grads}
    kept = {key: a.copy() for key, a in found.items()}
    for a in (h, *flat(state_T).values(), *found.values()):
        a[:] = 99
    dx, dstate, grads = module.backward(dh, dstate_T, cache)
    all_same({"dx": dx, **flat(dstate), **grads}, kept)


# Attention and the other layers without a recurrence


@cases
@few
@given(size=layer_sizes, seed=seeds)
def test_what_a_layer_returns_is_the_callers(name, kind, size, seed):
    """Outputs are arrays of their own: who writes into them changes no gradient."""
    _, layer, dy = layer_problem(name, kind, size, seed)
    y, cache = layer.forward()
    assert not any(np.may_share_memory(y, kept) for kept in arrays_in((layer.inputs, cache)))
    found = layer.gradients(dy, cache)
    kept = {key: a.copy() for key, a in found.items()}
    for a in (y, *found.values()):
        a[:] = 99
    all_same(layer.gradients(dy, cache), kept)


@cases
@few
@given(size=layer_sizes, seed=seeds)
def test_layers_change_no_input_at_all(name, kind, size, seed):
    """Nor does a pass leave anything behind that changes the next one."""
    _, layer, dy = layer_problem(name, kind, size, seed)
    once = layer.both(dy)
    layer = layer._replace(
        params=frozen(layer.params), inputs=frozen(layer.inputs), options=frozen(layer.options)
    )
    _, cache = layer.forward()
    layer.backward(frozen(dy), frozen(cache))
    all_same(layer.both(dy), once)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@cases
def test_one_dtype_in_a_layer(name, kind, dtype):
    layer = layer_problem(name, kind, (2, 3, 4, 6), 0)[1].astype(dtype)
    y, _ = layer.forward()
    assert {a.dtype for a in layer.both(y).values()} == {np.dtype(dtype)}


def open_mask(layer):
    """The mask of a layer as a whole, (..., T, S), all True if it has none."""
    q, k = layer.inputs["q"], layer.inputs["k"]
    return np.broadcast_to(layer.options.get("mask", True), (*q.shape[:-1], k.shape[-2]))


NAMES = ["attention", "online_attention", "dot", "general", "additive"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["causal", "padding", "holes", "bias"])
@few
@given(size=layer_sizes, seed=seeds, fill=st.sampled_from([0.0, -3.5, 1e300, np.inf, np.nan]))
def test_what_nobody_may_see_changes_nothing(name, kind, fill, size, seed):
    """Keys and values that no query may attend to, queries that may attend to nothing: any bits.

    Those queries give zeros, and all of these get gradients of zero.
    """
    _, layer, dy = layer_problem(name, kind, size, seed)
    mask = open_mask(layer)
    blind, unseen = ~mask.any(axis=-1), ~mask.any(axis=-2)
    found = layer.both(dy)
    assert not found["y"][blind].any() and not found["dq"][blind].any()
    assert not found["dk"][unseen].any() and not found["dv"][unseen].any()
    filled = {
        key: np.where((blind if key == "q" else unseen)[..., None], fill, a)
        for key, a in layer.inputs.items()
    }
    all_same(layer._replace(inputs=filled).both(dy), found)
    if kind == "holes":
        assert blind.any()


@pytest.mark.parametrize("name", ["attention", "online_attention", "multihead, rotary"])
@few
@given(size=layer_sizes, seed=seeds)
def test_causality_of_attention(name, size, seed):
    """What comes later changes no bit of an output, and gets no gradient from it."""
    B, T, _, K = size
    rng, layer, dy = layer_problem(name, "causal", (B, T, T, K), seed)  # as many keys as queries
    y, cache = layer.forward()
    t = rng.integers(T)
    changed = {key: a.copy() for key, a in layer.inputs.items()}
    for a in changed.values():
        a[..., t + 1 :, :] = normal(rng, *a[..., t + 1 :, :].shape)
    same(layer.forward(**changed)[0][..., : t + 1, :], y[..., : t + 1, :])
    dy[..., t + 1 :, :] = 0
    gradients = layer.backward(dy, cache)
    for key in layer.inputs:
        assert not gradients[key][..., t + 1 :, :].any()


@few
@given(size=layer_sizes, seed=seeds, kind=st.sampled_from(KINDS))
def test_weights_of_attention(size, seed, kind):
    """Where attending is allowed they are positive and sum to one, elsewhere they are zero."""
    _, layer, _ = layer_problem("attention", kind, size, seed)
    weights = layer.forward()[1].weights
    mask = open_mask(layer)
    assert ((weights > 0) == mask).all()
    close(weights.sum(axis=-1), mask.any(axis=-1).astype(float))


@few
@given(size=layer_sizes, seed=seeds)
def test_a_mask_of_attention_broadcasts(size, seed):
    """All True is no mask, and a mask for all heads is that mask for each."""
    for kind in ("none", "causal", "padding", "bias"):
        _, layer, dy = layer_problem("attention", kind, size, seed)
        mask = open_mask(layer)
        whole = layer._replace(options={**layer.options, "mask": mask})
        all_same(whole.both(dy), layer.both(dy))


@few
@given(size=layer_sizes, seed=seeds, kind=st.sampled_from(KINDS))
def test_attention_has_no_order(size, seed, kind):
    """Positions may come in any order, with their masks: the output is the same."""
    rng, layer, dy = layer_problem("attention", kind, size, seed)
    S = layer.inputs["k"].shape[-2]
    order = rng.permutation(S)
    q, k, v = layer.inputs.values()
    options = {
        key: np.broadcast_to(a, (*q.shape[:-1], S))[..., order] for key, a in layer.options.items()
    }
    mixed = layer._replace(
        inputs={"q": q, "k": k[..., order, :], "v": v[..., order, :]}, options=options
    )
    found, expected = mixed.both(dy), layer.both(dy)
    for key in ("y", "dq"):
        close(found[key], expected[key])
    for key in ("dk", "dv"):
        close(found[key], expected[key][..., order, :])


@few
@given(size=layer_sizes, seed=seeds, kind=st.sampled_from(KINDS))
def test_additive_attention_one_query_at_a_time(size, seed, kind):
    """With keys projected once, as a decoder does it: the same as all queries together."""
    _, layer, dy = layer_problem("additive", kind, size, seed)
    params, (q, k, v) = layer.params, layer.inputs.values()
    mask = open_mask(layer)
    keys, projected = additive.keys_forward(params, k)
    found, dkeys, total = {"y": [], "dq": []}, 0, {"dv": 0, "W_q": 0, "w": 0}
    for t in range(q.shape[1]):
        row = slice(t, t + 1)
        y, cache = additive.query_forward(params, q[:, row], keys, v, mask[:, row])
        dq, dkey, dv, grads = additive.query_backward(dy[:, row], cache)
        found["y"].append(y)
        found["dq"].append(dq)
        dkeys = dkeys + dkey
        total = {key: total[key] + {"dv": dv, **grads}[key] for key in total}
    dk, grads = additive.keys_backward(dkeys, projected)
    found = {key: np.concatenate(a, axis=1) for key, a in found.items()}
    all_close({**found, **total, **grads, "dk": dk}, layer.both(dy))


@few
@given(size=layer_sizes, seed=seeds, kind=st.sampled_from(KINDS), most=st.integers(1, 200))
def test_the_parts_of_attention_make_it_whole(size, seed, kind, most):
    """However few scores are in work at a time."""
    _, layer, dy = layer_problem("attention", kind, size, seed)
    whole = layer.both(dy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "MOST", most)
        all_close(layer.both(dy), whole)


@pytest.mark.parametrize("name", TRANSFORMER)
@few
@given(size=layer_sizes, seed=seeds)
def test_causality_of_a_transformer_layer(name, size, seed):
    """A decoder layer is causal without being told, an encoder layer under a causal mask."""
    rng, layer, dy = layer_problem(name, "causal", size, seed)
    y, cache = layer.forward()
    t = rng.integers(y.shape[1])
    x = layer.inputs["x"].copy()
    x[:, t + 1 :] = normal(rng, *x[:, t + 1 :].shape)
    same(layer.forward(x=x)[0][:, : t + 1], y[:, : t + 1])
    dy[:, t + 1 :] = 0
    assert not layer.gradients(dy, cache)["dx"][:, t + 1 :].any()


@pytest.mark.parametrize("name", TRANSFORMER)
@few
@given(size=layer_sizes, seed=seeds, fill=st.sampled_from([0.0, -3.5, 1e6]))
def test_padding_of_a_transformer_layer(name, size, seed, fill):
    """What stands in the padding, of the source or of the sequence itself, changes no bit.

    The rows alone, without their padding, give the same.
    """
    _, layer, dy = layer_problem(name, "padding", size, seed)
    key, option = ("source", "source_mask") if "decoder" in name else ("x", "mask")
    real = layer.options[option][:, 0, 0]
    if key == "x":
        dy *= real[:, :, None]  # what comes out of padding is not used
    found = layer.both(dy)
    filled = layer._replace(
        inputs={**layer.inputs, key: np.where(real[:, :, None], layer.inputs[key], fill)}
    )
    other = filled.both(dy)
    kept = real if key == "x" else np.ones(dy.shape[:2], bool)
    same(other["y"][kept], found["y"][kept])
    assert not other[f"d{key}"][~real].any()
    for each in (found, other):
        y = each.pop("y")
        each["dx"] = each["dx"] if key == "source" else each["dx"][real]
    all_close(other, found)
    for b, n in enumerate(real.sum(axis=1)):
        row = {k: a[b : b + 1, : n if k == key else None] for k, a in layer.inputs.items()}
        alone = layer._replace(inputs=row, options={"heads": 2})
        own, _ = alone.forward()
        close(y[b, : own.shape[1]], own[0])


@drawn
@given(
    size=layer_sizes, seed=seeds, kind=st.sampled_from(KINDS), block=st.integers(1, 7),
    causal=st.booleans(),
)  # fmt: skip
def test_online_attention_is_attention(size, seed, kind, block, causal):
    """Whatever the block, with the causal mask as an array or as a word."""
    _, layer, dy = layer_problem("attention", kind, size, seed)
    q, k, v = layer.inputs.values()
    T, S = q.shape[-2], k.shape[-2]
    options = dict(layer.options)
    y, cache = online_attention.forward(q, k, v, **options, causal=causal, block=block)
    found = dict(zip(["dq", "dk", "dv"], online_attention.backward(dy, cache), strict=True))
    if causal:
        layer.options["mask"] = layer.options.get("mask", True) & np.tri(T, S, dtype=bool)
    all_close({"y": y, **found}, layer.both(dy))


def test_online_attention_takes_large_scores():
    """The maximum comes late or early, and is far beyond what exp can take."""
    rng = np.random.default_rng(0)
    q, k, v = 300 * normal(rng, 5, 8), 300 * normal(rng, 9, 8), normal(rng, 9, 3)
    for order in (np.arange(9), np.arange(9)[::-1], rng.permutation(9)):
        y, cache = online_attention.forward(q, k[order], v[order], block=2)
        close(y, attention.forward(q, k, v)[0])
        assert all(np.isfinite(a).all() for a in online_attention.backward(y, cache))


def test_online_attention_needs_memory_for_T_alone():
    """Four times the steps: attention needs 16 times the memory, online attention about 4 times."""

    def peak(module, T):
        rng = np.random.default_rng(0)
        q, k, v, dy = (rng.standard_normal((2, T, 8), dtype=np.float32) for _ in range(4))
        tracemalloc.start()
        module.backward(dy, module.forward(q, k, v, **options[module])[1])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    options = {attention: {}, online_attention: {"block": 64}}
    growth = {module: peak(module, 1024) / peak(module, 256) for module in options}
    assert growth[attention] > 10
    assert growth[online_attention] < 5


# Positions


@drawn
@given(size=layer_sizes, seed=seeds, offset=st.integers(0, 1000))
def test_rotary_scores_depend_on_the_distance(size, seed, offset):
    """Query and key moved by the same offset: the same product, to 1e-12 of their lengths."""
    (B, T, S, half), rng = size, np.random.default_rng(seed)
    angles = positional.rotary_angles(T + S + offset, 2 * half)
    q, k = normal(rng, B, T, 2 * half), normal(rng, B, S, 2 * half)

    def scores(start):
        turned_q, _ = positional.rotary_forward(q, angles[start : start + T])
        turned_k, _ = positional.rotary_forward(k, angles[start : start + S])
        close(np.linalg.norm(turned_q, axis=-1), np.linalg.norm(q, axis=-1))
        return turned_q @ turned_k.swapaxes(1, 2)

    np.testing.assert_allclose(scores(offset), scores(0), atol=1e-12 * 2 * half * 10)


@drawn
@given(size=layer_sizes, seed=seeds)
def test_the_pairings_of_rotary_are_a_reordering_apart(size, seed):
    """Pairs (i, i + K/2), as many programs have them, by the formula written out for one pair."""
    (B, T, _, half), rng = size, np.random.default_rng(seed)
    K = 2 * half
    x, angles, order = (
        normal(rng, B, T, K),
        positional.rotary_angles(T, K),
        positional.half_split_order(K),
    )
    mixed, apart = x[..., order], np.empty_like(x)
    for t in range(T):
        for i in range(half):
            a, b, angle = mixed[:, t, i], mixed[:, t, i + half], t * 10000 ** (-2 * i / K)
            apart[:, t, i] = np.cos(angle) * a - np.sin(angle) * b
            apart[:, t, i + half] = np.sin(angle) * a + np.cos(angle) * b
    y, _ = positional.rotary_forward(x, angles)
    close(y[..., order], apart)


@drawn
@given(T=st.integers(1, 40), half=st.integers(1, 8), heads=st.integers(1, 9))
def test_constant_positions(T, half, heads):
    table = positional.sinusoidal(T, 2 * half)
    t, i = T - 1, half - 1
    angle = t / 10000 ** (2 * i / (2 * half))
    close(table[t, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)])
    close((table**2).sum(axis=1), np.full(T, half))
    bias = positional.alibi_bias(heads, T)
    close(bias[-1], -(2.0**-8) * np.abs(np.arange(T)[:, None] - np.arange(T)))
    close(bias[:, 0, -1], [-(2 ** (-8 * n / heads)) * (T - 1) for n in range(1, heads + 1)])


# What the gates are


def gated(name, size, seed, **hold):
    """Everything of a module, held or not, and the arguments that it was given."""
    rng, *given = problem(MODULES[name], size, seed)
    return rng, given, MODULES[name].forward(*given[:3], hold=hold)


@pytest.mark.parametrize(("name", "gate"), [(name, gate) for name in GATES for gate in GATES[name]])
@drawn
@given(size=sizes, seed=seeds, value=st.floats(-1, 1))
def test_a_held_gate_is_held(name, gate, size, seed, value):
    module = MODULES[name]
    rng, (params, x, state, *_), (h, _, cache) = gated(name, size, seed, **{gate: value})
    assert (getattr(cache, gate) == value).all()
    H, place = size[3], GATES[name].index(gate)
    other = {key: a.copy() for key, a in params.items()}
    for a in other.values():
        rows = a[place * H : (place + 1) * H]
        rows += normal(rng, *rows.shape)
    same(module.forward(other, x, state, hold={gate: value})[0], h)
    assert (module.forward(other, x, state)[0] != module.forward(params, x, state)[0]).any()
    close(module.step(params, x[:, 0], state, hold={gate: value})[0], h[:, 0])


def rows_of(params, name, gates):
    """The rows of some gates, in that order, of all parameters of a module."""
    return {
        key: np.concatenate([np.split(a, len(GATES[name]))[GATES[name].index(g)] for g in gates])
        for key, a in params.items()
    }


@drawn
@given(size=sizes, seed=seeds)
def test_without_forgetting_the_lstm_is_that_of_1997(size, seed):
    _, given, _ = gated("lstm", size, seed)
    params, *rest = given
    found, grads = run(variant(lstm, hold={"f": 1.0}), params, *rest)
    other, other_grads = run(lstm1997, rows_of(params, "lstm", "igo"), *rest)
    all_close(other, found)
    all_close(other_grads, rows_of(grads, "lstm", "igo"))


@drawn
@given(size=sizes, seed=seeds)
def test_a_closed_cell_keeps_its_content(size, seed):
    """Input gate shut, forget gate open: c and its gradient pass all steps without a change."""
    held = variant(lstm, hold={"i": 0.0, "f": 1.0})
    _, params, x, (h_0, c_0), dh, (_, dc_T) = problem(lstm, size, seed)
    _, (_, c_T), cache = held.forward(params, x, (h_0, c_0))
    same(c_T, c_0)
    same(held.backward(0 * dh, (None, dc_T), cache)[1][1], dc_T)


@drawn
@given(size=sizes, seed=seeds)
def test_a_gru_that_only_keeps(size, seed):
    for name in ("gru", "gru_reset_before"):
        _, (_, x, state, *_), (h, state_T, _) = gated(name, size, seed, z=1.0)
        close(state_T, state)
        close(h, np.repeat(state[:, None], x.shape[1], axis=1))


@drawn
@given(size=sizes, seed=seeds)
def test_a_gru_without_gates_is_an_rnn(size, seed):
    _, params, *rest = problem(gru, size, seed)
    found, _ = run(variant(gru, hold={"r": 1.0, "z": 0.0}), params, *rest)
    n = rows_of(params, "gru", "n")
    elman = {"W_xh": n["W_x"], "W_hh": n["W_h"], "b_h": n["b_x"] + n["b_h"]}
    all_close(found, run(rnn, elman, *rest)[0])


def gru_of_the_paper(params, x, state, reset_before):
    """The GRU with z as the share of the new, h = (1 - z) h + z n, step by step, row by row."""
    (W_r, W_z, W_n), (U_r, U_z, U_n) = np.split(params["W_x"], 3), np.split(params["W_h"], 3)
    (b_r, b_z, b_n), (d_r, d_z, d_n) = np.split(params["b_x"], 3), np.split(params["b_h"], 3)
    h = np.empty((*x.shape[:2], len(W_r)))
    for b, h_t in enumerate(state):
        for t, x_t in enumerate(x[b]):
            r = ops.sigmoid(W_r @ x_t + b_r + U_r @ h_t + d_r)
            z = ops.sigmoid(W_z @ x_t + b_z + U_z @ h_t + d_z)
            inner = U_n @ (r * h_t) + d_n if reset_before else r * (U_n @ h_t + d_n)
            h_t = (1 - z) * h_t + z * np.tanh(W_n @ x_t + b_n + inner)
            h[b, t] = h_t
    return h


@drawn
@given(size=sizes, seed=seeds)
def test_to_swap_z_is_to_rename_it(size, seed):
    """1 - sigmoid(a) = sigmoid(-a): with z's weights negated, both forms are one function."""
    _, (params, x, state, *_), (h, _, _) = gated("gru", size, seed)
    H, renamed = size[3], {key: a.copy() for key, a in params.items()}
    for a in renamed.values():
        a[H : 2 * H] *= -1
    close(gru_of_the_paper(renamed, x, state, reset_before=False), h)
    assert np.abs(gru_of_the_paper(params, x, state, reset_before=False) - h).max() > 1e-6

    b = params["b_x"] + params["b_h"]
    before, _, _ = gru_reset_before.forward(
        {"W_x": params["W_x"], "W_h": params["W_h"], "b": b}, x, state
    )
    renamed |= {"b_x": renamed["b_x"] + renamed["b_h"], "b_h": 0 * renamed["b_h"]}
    close(gru_of_the_paper(renamed, x, state, reset_before=True), before)


def test_where_the_reset_gate_stands_matters():
    """Before the product or after it: two functions, unless every r is one."""
    _, params, x, state, *_ = problem(gru, (20, 10, 5, 16), 0)
    joint = {
        "W_x": params["W_x"],
        "W_h": params["W_h"],
        "b": params["b_x"],
    }
    after = params | {"b_h": 0 * params["b_h"]}
    difference = gru.forward(after, x, state)[0] - gru_reset_before.forward(joint, x, state)[0]
    assert np.abs(difference).max() > 0.1
    held = {"hold": {"r": 1.0}}
    close(
        gru.forward(after, x, state, **held)[0],
        gru_reset_before.forward(joint, x, state, **held)[0],
    )


# Inputs are never changed


def frozen(value):
    """The same value; its arrays refuse to be written to."""
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
        return value
    if isinstance(value, dict):
        return {key: frozen(part) for key, part in value.items()}
    if isinstance(value, tuple):
        parts = [frozen(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


def test_frozen_arrays_refuse():
    batch = frozen(text.Batch(np.zeros(2), {"W": np.zeros(2)}))
    for array in (batch.inputs, batch.targets["W"]):
        with pytest.raises(ValueError, match="read-only"):
            array += 1


@pytest.mark.parametrize("name", MODULES)
@drawn
@given(size=sizes, seed=seeds)
def test_recurrent_modules_change_no_input(name, size, seed):
    module, rng = MODULES[name], np.random.default_rng(seed)
    params, x, state, dh, dstate_T = frozen(problem(module, size, seed)[1:])
    for mask in (None, frozen(ends_with_padding(rng, *x.shape[:2])[1])):
        _, _, cache = module.forward(params, x, state, mask)
        assert module.backward(dh, dstate_T, frozen(cache))[0].shape == x.shape
    if name in CELLS:
        module.step(params, x[:, 0], state)


@drawn
@given(size=sizes, seed=seeds)
def test_layers_change_no_input(size, seed):
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    x, h = frozen(normal(rng, B, T, D)), normal(rng, B, T, H)
    mask = frozen(ends_with_padding(rng, B, T)[1])
    y, cache = dropout.forward(x, 0.5, rng)
    dropout.backward(frozen(y), frozen(cache))
    readout = frozen(linear.init(rng, H, 5))
    logits, cache = linear.forward(readout, frozen(h))
    linear.backward(frozen(logits), frozen(cache))
    table, ids = frozen(embedding.init(rng, 5, D)), frozen(rng.integers(0, 5, (B, T)))
    _, cache = embedding.forward(table, ids)
    embedding.backward(x, frozen(cache))
    for loss_mask in (None, mask):
        _, cache = losses.cross_entropy_forward(frozen(logits), ids, loss_mask)
        losses.cross_entropy_backward(frozen(cache))
        _, cache = losses.squared_error_forward(x, frozen(normal(rng, *x.shape)), loss_mask)
        losses.squared_error_backward(frozen(cache))
    for f in (ops.sigmoid, ops.softmax, ops.log_softmax):
        f(x)
    gradcheck.check(lambda x: float((x**2).sum()), {"x": x}, {"x": frozen(2 * x)})


@drawn
@given(size=sizes, seed=seeds)
def test_training_and_decoding_change_no_input(size, seed):
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    model = LanguageModel(5, D, H)
    params, state = frozen(model.init(rng)), frozen(normal(rng, B, H))
    for name in MODELS:
        _, other, weights, batch = model_problem(name, size, seed, ends_with_padding(rng, B, T)[1])
        other.loss_and_grads(frozen(weights), frozen(batch))
    for name in ("sutskever, reversed", "cho, lstm", "luong", "bahdanau, stack"):
        _, other, weights, rows = translator_problem(name, (B, T, 3, D, H), seed)
        weights, rows = frozen(weights), frozen(rows._replace(own=0.5))
        other.loss_and_grads(weights, rows, rng=rng)
        start = frozen(other.start(weights, rows.source, rows.source_mask))
        other.step(weights, rows.inputs[:, 0], start)
    ids = frozen(rng.integers(0, 5, (B, T + 1)))
    batch = frozen(text.Batch(ids[:, :-1], ids[:, 1:], ends_with_padding(rng, B, T)[1]))
    _, grads, _ = model.loss_and_grads(params, batch, state)
    grads = frozen(grads)
    for update in (optim.sgd(0.1), optim.momentum(0.1), optim.adam(0.1)):
        new, memory = update(params, grads, None)
        update(frozen(new), grads, frozen(memory))
    optim.clip_by_norm(grads, 0.1)
    optim.clip_by_value(grads, 0.1)
    for record in train(model, params, [batch, batch], optim.adam(0.1), clip=1.0):
        assert record.params is not params

    model.step(params, ids[:, 0], state)
    decode.greedy(model, params, ids[:, 0], state, max_length=3, end=1)
    decode.sample(model, params, ids[:, 0], state, rng, max_length=3, top_k=2, top_p=0.9)
    decode.beam_search(model, params, ids[:, 0], state, width=2, max_length=3, end=1, alpha=1.0)
    decode.keep_top_k(state, 1)
    decode.keep_top_p(state, 0.5)
    text.pad([ids[0], ids[0, :1]])
    text.windows(ids[0], 1, before=5)
    list(text.minibatches(rng, batch, 2))
    list(text.chunks(ids.ravel(), 1, 1))
    next(text.excerpts(rng, ids.ravel(), 2, 1))
    ngrams.cross_entropy(ngrams.fit(ids.ravel(), 3, 5), ids.ravel())
    metrics.accuracy(ids, ids)
    metrics.exact_match(ids, ids)
    rows = frozen(text.translation_batch(ids, ids))
    list(text.minibatches(rng, rows, 2))
    links = frozen(rng.random((B, T, D)) < 0.5)
    metrics.alignment_error_rate(links | True, links, links | True)
    metrics.strongest(frozen(normal(rng, B, T, D)), links[:, 0], links[:, :, 0])
    ibm1.align(frozen(ibm1.fit(ids, ids, 5, 5, rounds=2)), ids[0], ids[-1])
    probe.fit(state, frozen(rng.integers(0, 3, B)), 3, updates=2)


# Functions of one array


@drawn
@given(size=sizes, seed=seeds, scale=st.sampled_from([1e-3, 1.0, 1e3, 1e300]))
def test_softmax(size, seed, scale):
    a = scale * normal(np.random.default_rng(seed), *size)
    for axis in range(4):
        p = ops.softmax(a, axis)
        assert (p >= 0).all() and np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(axis=axis), 1, rtol=1e-14)
        np.testing.assert_allclose(np.exp(ops.log_softmax(a, axis)), p, rtol=1e-12, atol=1e-300)
        same(p.argmax(axis), a.argmax(axis))
    small = a / scale
    close(ops.softmax(small + 100), ops.softmax(small))


@drawn
@given(size=layer_sizes, seed=seeds, scale=st.sampled_from([1e-2, 1.0, 1e3]))
def test_layernorm(size, seed, scale):
    """Mean 0, variance 1 but for eps; blind to a shift of all features and to their scale."""
    (B, T, _, D), rng = size, np.random.default_rng(seed)
    D += 1
    params, x = layernorm.init(rng, D), scale * normal(rng, B, T, D)
    y, cache = layernorm.forward(params, x)
    close(y.mean(axis=-1), np.zeros((B, T)))
    variance = x.var(axis=-1)
    close(y.var(axis=-1), variance / (variance + 1e-5))
    np.testing.assert_allclose(layernorm.forward(params, x + 2.5)[0], y, atol=1e-7)
    free, _ = layernorm.forward(params, x, eps=0.0)
    np.testing.assert_allclose(layernorm.forward(params, 7 * x, eps=0.0)[0], free, atol=1e-9)
    dx, _ = layernorm.backward(normal(rng, B, T, D), cache)
    np.testing.assert_allclose(dx.sum(axis=-1), 0, atol=1e-9 / scale)
    assert not layernorm.forward(params, np.full((2, D), 3.0))[0].any()  # equal features


@drawn
@given(size=sizes, seed=seeds, scale=st.sampled_from([1.0, 1e3, 1e300]))
def test_sigmoid(size, seed, scale):
    a = scale * normal(np.random.default_rng(seed), *size)
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-a))
    with np.errstate(all="raise", under="ignore"):
        close(ops.sigmoid(a), expected)
    close(ops.sigmoid(a) + ops.sigmoid(-a), np.ones_like(a))


# Decoding


@drawn
@given(seed=seeds, tau=st.floats(0.05, 20))
def test_temperature(seed, tau):
    logits = 3 * normal(np.random.default_rng(seed), 4, 7)
    p = ops.softmax(logits) ** (1 / tau)
    close(ops.softmax(decode.with_temperature(logits, tau)), p / p.sum(-1, keepdims=True))


@drawn
@given(seed=seeds, k=st.integers(1, 7), ties=st.booleans())
def test_top_k(seed, k, ties):
    logits = 3 * normal(np.random.default_rng(seed), 4, 7)
    logits = logits.round() if ties else logits
    kept = decode.keep_top_k(logits, k)
    for row, before in zip(kept, logits, strict=True):
        stays = np.isfinite(row)
        assert stays.sum() == k
        same(row[stays], before[stays])
        assert (row[~stays] == -np.inf).all()
        if k < 7:
            least, most = before[stays].min(), before[~stays].max()
            assert least >= most
            if least == most:  # of equals, the first stay
                level = before == least
                assert np.flatnonzero(level & stays).max() < np.flatnonzero(level & ~stays).min()


@drawn
@given(seed=seeds, p=st.floats(0.01, 1), spread=st.sampled_from([0.0, 1.0, 10.0]))
def test_top_p(seed, p, spread):
    """The smallest set of the likeliest that reaches p: without its last member it does not."""
    logits = spread * normal(np.random.default_rng(seed), 4, 7)
    kept = decode.keep_top_p(logits, p)
    for row, before, q in zip(kept, logits, ops.softmax(logits), strict=True):
        stays = np.isfinite(row)
        same(row[stays], before[stays])
        assert stays.any()
        assert q[stays].sum() >= p - 1e-12
        assert q[stays].sum() - q[stays].min() < p + 1e-12
        if not stays.all():
            assert (row[~stays] == -np.inf).all()
            assert q[stays].min() >= q[~stays].max()


def language_model(seed, B=4):
    """A model with opinions, so that its choices are not a matter of rounding, and a start."""
    rng, model = np.random.default_rng(seed), LanguageModel(V=6, D=3, H=5)
    params = {key: 2 * value for key, value in model.init(rng).items()}
    source = rng.integers(0, 6, (B, 3))
    return rng, model, params, source


def check_decoded(found, model, params, source, max_length, end):
    """Lengths and log-probabilities, counted again from the model's logits over whole rows."""
    B, N = found.ids.shape
    assert N <= max_length
    assert N == found.lengths.max()
    for b in range(B):
        n = found.lengths[b]
        written, rest = found.ids[b, :n], found.ids[b, n:]
        if end is None:
            assert n == max_length
        else:
            assert (rest == end).all()
            assert end not in written[:-1]
            assert written[-1] == end or n == max_length
        row = np.concatenate([source[b], written])
        logits, _ = model.logits(params, row[None, :-1])
        log_p = ops.log_softmax(logits[0, len(source[b]) - 1 :])
        assert found.log_probability[b] == pytest.approx(log_p[np.arange(n), written].sum())
        yield logits[0, len(source[b]) - 1 :], written


@drawn
@given(seed=seeds, max_length=st.integers(1, 9), end=st.sampled_from([None, 0, 3]))
def test_greedy(seed, max_length, end):
    _, model, params, source = language_model(seed)
    state = model.start(params, source[:, :-1])
    found = decode.greedy(model, params, source[:, -1], state, max_length=max_length, end=end)
    rows = list(check_decoded(found, model, params, source, max_length, end))
    assert len(rows) == len(source)
    for logits, written in rows:
        same(logits.argmax(-1), written)


def every_row(V, max_length, end):
    """All that can be written: up to the end symbol, or to the greatest length."""
    for n in range(1, max_length + 1):
        for row in product(range(V), repeat=n):
            if end not in row[:-1] and (row[-1] == end or n == max_length):
                yield row


@drawn
@given(
    seed=seeds,
    max_length=st.integers(1, 3),
    end=st.sampled_from([None, 0, 3]),
    alpha=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
)
def test_a_wide_beam_finds_the_best_row(seed, max_length, end, alpha):
    """Wide enough to drop nothing, it is the best of all rows; their scores one by one."""
    _, model, params, source = language_model(seed, B=2)
    state = model.start(params, source[:, :-1])
    first = source[:, -1]
    found = decode.beam_search(
        model,
        params,
        first,
        state,
        width=6**max_length,
        max_length=max_length,
        end=end,
        alpha=alpha,
    )
    list(check_decoded(found, model, params, source, max_length, end))
    for b in range(2):
        scores = {}
        for row in every_row(6, max_length, end):
            logits, _ = model.logits(params, np.append(source[b], row)[None, :-1])
            log_p = ops.log_softmax(logits[0, len(source[b]) - 1 :])
            scores[row] = log_p[np.arange(len(row)), row].sum() / len(row) ** alpha
        best = max(scores, key=scores.get)
        assert found.ids[b, : found.lengths[b]].tolist() == list(best)


@drawn
@given(
    seed=seeds,
    max_length=st.integers(1, 9),
    end=st.sampled_from([None, 0, 3]),
    width=st.integers(1, 9),
    alpha=st.sampled_from([0.0, 1.0]),
    layers=st.sampled_from([1, 2]),
)
def test_beam_search(seed, max_length, end, width, alpha, layers):
    """Its rows are counted right, a state of any form is moved with them; a beam of 1 is greedy."""
    rng = np.random.default_rng(seed)
    model = LanguageModel(6, 3, 5, lstm if layers == 1 else Stack(lstm, layers))
    params = {key: 2 * value for key, value in model.init(rng).items()}
    source = rng.integers(0, 6, (4, 3))
    state = model.start(params, source[:, :-1])
    limits = {"max_length": max_length, "end": end}
    found = decode.beam_search(
        model, params, source[:, -1], state, width=width, alpha=alpha, **limits
    )
    assert len(list(check_decoded(found, model, params, source, max_length, end))) == 4
    narrow = decode.beam_search(model, params, source[:, -1], state, width=1, alpha=alpha, **limits)
    greedy = decode.greedy(model, params, source[:, -1], state, **limits)
    same(narrow.ids, greedy.ids)
    same(narrow.lengths, greedy.lengths)


@drawn
@given(
    seed=seeds,
    max_length=st.integers(1, 9),
    end=st.sampled_from([None, 0, 3]),
    temperature=st.floats(0.2, 5),
    top_k=st.sampled_from([None, 1, 2, 6]),
    top_p=st.sampled_from([None, 0.3, 0.9, 1.0]),
)
def test_sample(seed, max_length, end, temperature, top_k, top_p):
    """What is drawn was allowed; its log-probability is under the model as it is."""
    rng, model, params, source = language_model(seed)
    state = model.start(params, source[:, :-1])
    choice = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    found = decode.sample(
        model, params, source[:, -1], state, rng, max_length=max_length, end=end, **choice
    )
    rows = list(check_decoded(found, model, params, source, max_length, end))
    assert len(rows) == len(source)
    for logits, written in rows:
        for row, symbol in zip(logits, written, strict=True):
            rank = (row > row[symbol]).sum()
            assert rank < (top_k or 6)
            if top_p is not None and top_k is None:
                q = ops.softmax(row / temperature)
                assert q[row > row[symbol]].sum() < top_p + 1e-12


def test_sampling_frequencies():
    """20000 draws against the probabilities, within five standard errors."""
    B = 20_000
    _, model, params, source = language_model(5)
    source = np.repeat(source[:1], B, axis=0)
    state = model.start(params, source[:, :-1])
    logits = model.step(params, source[:, -1], state)[0][0]
    for choice, expected in [
        ({}, ops.softmax(logits)),
        ({"temperature": 0.5}, ops.softmax(2 * logits)),
        ({"top_k": 3}, ops.softmax(decode.keep_top_k(logits, 3))),
        ({"top_p": 0.5}, ops.softmax(decode.keep_top_p(logits, 0.5))),
    ]:
        rng = np.random.default_rng(1)
        found = decode.sample(model, params, source[:, -1], state, rng, max_length=1, **choice)
        counts = np.bincount(found.ids[:, 0], minlength=6)
        assert (counts[expected == 0] == 0).all()
        error = np.sqrt(expected * (1 - expected) / B)
        assert (np.abs(counts / B - expected) <= 5 * error + 1e-12).all()


@drawn
@given(seed=seeds, window=st.integers(1, 4), T=st.integers(0, 6))
def test_models_step_as_they_score(seed, window, T):
    """start and step give the logits that each model gives to the whole sequence at once."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 5, (2, T + 3))

    for cell in CELLS.values():
        model = LanguageModel(5, 3, 4, cell)
        params = model.init(rng)
        whole, state_T = model.logits(params, ids)
        state = model.start(params, ids[:, :T])
        for t in range(T, T + 3):
            logits, state = model.step(params, ids[:, t], state)
            close(logits, whole[:, t])
        all_close(flat(state), flat(state_T))

    model = WindowModel(5, 3, 4, window)
    params = model.init(rng)
    state = model.start(params, ids[:, :T])
    rows = [text.windows(np.append(row, 0), window, before=5).inputs for row in ids]
    for t in range(T, T + 3):
        logits, state = model.step(params, ids[:, t], state)
        close(logits, model.logits(params, np.stack([row[t + 1] for row in rows])))
        same(state, np.stack([row[t + 1] for row in rows]))

    model = ngrams.fit(rng.integers(0, 5, 60), window, 5)
    padded = np.concatenate([np.full((2, window), 5), ids], axis=1)
    state = model.start(None, ids[:, :T])
    for t in range(T, T + 3):
        logits, state = model.step(None, ids[:, t], state)
        contexts = padded[:, t + 2 : t + window + 1]
        close(np.exp(logits), ngrams.probabilities(model, contexts, np.tile(np.arange(5), (2, 1))))
        same(state, contexts)


# Text


tokens = st.lists(st.text("abcé .\n", min_size=1, max_size=3), min_size=1, max_size=20)


@drawn
@given(tokens)
def test_vocabulary_round_trip(tokens):
    vocabulary = text.Vocabulary.of([*tokens, "<pad>"], specials=("<pad>", "<unk>"))
    assert len(vocabulary) == len(set(tokens)) + 2
    assert list(vocabulary.symbols) == ["<pad>", "<unk>", *sorted(set(tokens))]
    ids = vocabulary.encode(tokens)
    assert ids.dtype == np.int64
    assert vocabulary.decode(ids) == tokens
    assert vocabulary.id(tokens[0]) == ids[0]
    same(vocabulary.encode(["not there", tokens[0]]), np.array([1, ids[0]]))


@drawn
@given(st.text(max_size=50))
def test_characters_lose_nothing(string):
    assert "".join(text.characters(string)) == string


@drawn
@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=7), min_size=1, max_size=6))
def test_pad(sequences):
    ids, mask = text.pad(sequences, value=-1)
    assert ids.shape == mask.shape == (len(sequences), max(map(len, sequences)))
    assert mask.dtype == np.bool_
    assert [list(row[real]) for row, real in zip(ids, mask, strict=True)] == sequences
    assert (ids[~mask] == -1).all()
    assert (np.diff(mask.astype(int), axis=1) <= 0).all()  # real places first


@drawn
@given(N=st.integers(2, 60), B=st.integers(1, 4), T=st.integers(1, 5))
def test_chunks(N, B, T):
    """Row b of all chunks in a row is one stretch of the text, and the stretches meet."""
    ids = np.arange(N)
    if (N - 1) // (B * T) == 0:
        with pytest.raises(ValueError, match=rf"{N} symbols"):
            list(text.chunks(ids, B, T))
        return
    found = list(text.chunks(ids, B, T))
    assert all(batch.inputs.shape == batch.targets.shape == (B, T) for batch in found)
    inputs = np.concatenate([batch.inputs for batch in found], axis=1)
    targets = np.concatenate([batch.targets for batch in found], axis=1)
    same(inputs.ravel(), ids[: inputs.size])
    same(targets.ravel(), ids[1 : inputs.size + 1])
    assert N - 1 - inputs.size < B * T  # no more was left out than does not fill a chunk


@drawn
@given(N=st.integers(1, 30), length=st.integers(1, 6), padded=st.booleans())
def test_windows(N, length, padded):
    ids = np.arange(N)
    if not padded and N <= length:
        with pytest.raises(ValueError, match=rf"{N} values hold no window of {length}"):
            text.windows(ids, length)
        return
    inputs, targets, _ = text.windows(ids, length, before=-1 if padded else None)
    first = 0 if padded else length
    same(targets, ids[first:])
    for target, row in zip(targets, inputs, strict=True):
        assert list(row) == [i if i >= 0 else -1 for i in range(target - length, target)]


@drawn
@given(N=st.integers(1, 20), B=st.integers(1, 6), seed=seeds, masked=st.booleans())
def test_minibatches(N, B, seed, masked):
    rows = np.arange(N)
    whole = text.Batch(rows[:, None], -rows, rows % 2 == 0 if masked else None)
    found = list(text.minibatches(np.random.default_rng(seed), whole, B))
    assert [len(batch.inputs) for batch in found[:-1]] == [B] * (len(found) - 1)
    seen = np.concatenate([batch.inputs[:, 0] for batch in found])
    assert sorted(seen) == list(rows)
    for batch in found:
        same(batch.targets, -batch.inputs[:, 0])
        assert masked or batch.mask is None
        if masked:
            same(batch.mask, batch.inputs[:, 0] % 2 == 0)


@drawn
@given(N=st.integers(2, 30), B=st.integers(1, 4), T=st.integers(1, 6), seed=seeds)
def test_excerpts(N, B, T, seed):
    rng = np.random.default_rng(seed)
    if N <= T:
        with pytest.raises(ValueError, match=rf"{N} symbols .* {T} steps"):
            next(text.excerpts(rng, np.arange(N), B, T))
        return
    starts = set()
    for batch in islice(text.excerpts(rng, np.arange(N), B, T), 200):
        assert batch.inputs.shape == (B, T)
        same(batch.inputs, batch.inputs[:, :1] + np.arange(T))
        same(batch.targets, batch.inputs + 1)
        starts |= set(batch.inputs[:, 0])
    assert min(starts) == 0
    assert max(starts) == N - T - 1  # every place is drawn, the last one too


@drawn
@given(N=st.integers(1, 50), share=st.floats(0, 1))
def test_split(N, share):
    sequence, held = list(range(N)), round(share * N)
    if held in (0, N):
        with pytest.raises(ValueError, match=str(N)):
            text.split(sequence, share)
        return
    train_part, test_part = text.split(sequence, share)
    assert train_part + test_part == sequence
    assert len(test_part) == held


# n-grams


def slow_witten_bell(ids, order, V):
    """p(word, context) from counts in dictionaries, by the recursion as it is written."""
    followers = defaultdict(Counter)
    padded = [V] * (order - 1) + list(ids)
    for i in range(order - 1, len(padded)):
        for length in range(order):
            followers[tuple(padded[i - length : i])][padded[i]] += 1

    def p(word, context):
        lower = p(word, context[1:]) if context else 1 / V
        seen = followers.get(context)
        if seen is None:
            return lower
        return (seen[word] + len(seen) * lower) / (sum(seen.values()) + len(seen))

    return p


@drawn
@given(V=st.integers(1, 4), order=st.integers(1, 4), seed=seeds, N=st.integers(1, 40))
def test_ngrams(V, order, seed, N):
    ids = np.random.default_rng(seed).integers(0, V, N)
    model, slow = ngrams.fit(ids, order, V), slow_witten_bell(ids, order, V)
    contexts = np.array(list(product(range(V + 1), repeat=order - 1)), dtype=int)
    contexts = contexts.reshape((V + 1) ** (order - 1), order - 1)
    found = ngrams.probabilities(model, contexts, np.tile(np.arange(V), (len(contexts), 1)))
    assert (found > 0).all()
    close(found.sum(axis=1), np.ones(len(contexts)))
    expected = [[slow(w, tuple(u.tolist())) for w in range(V)] for u in contexts]
    close(found, expected)

    test = np.random.default_rng(seed + 1).integers(0, V, 15).tolist()
    padded = [V] * (order - 1) + test
    nats = [
        -np.log(slow(w, tuple(padded[i : i + order - 1]))) for i, w in enumerate(test)
    ]  # the context of test[i] begins at padded[i]
    close(ngrams.cross_entropy(model, np.array(test)), np.mean(nats))
    padded = [V] * (order - 1) + ids.tolist()
    places = range(order - 1, len(padded))
    assert model.size == len({tuple(padded[i - n : i + 1]) for n in range(order) for i in places})


# Gradient flow


def sequence(name, T, D, H, seed):
    """A cell with one row: its parameters, x (T, D) and a state."""
    _, params, x, state, _, dstate_T = problem(CELLS[name], (1, T, D, H), seed)
    return params, x[0], state, dstate_T


@pytest.mark.parametrize("name", CELLS)
@drawn
@given(size=sizes, seed=seeds)
def test_products_are_backpropagation(name, size, seed):
    """dstate_T times the product of k Jacobians is what reaches the state k steps before."""
    _, T, D, H = size
    params, x, state, dstate_T = sequence(name, T, D, H, seed)
    J = spectra.jacobians(CELLS[name], params, x, state)
    P = spectra.products(J)
    end = spectra.as_rows(dstate_T)
    reached = spectra.state_gradients(CELLS[name], params, x[None], dstate_T, state)
    assert reached.shape == (T + 1, 1, J.shape[1])
    close(np.stack([end @ p for p in P]), reached)
    norms = spectra.gradient_norms(CELLS[name], params, x[None], dstate_T, state)
    close(norms, np.sqrt((reached**2).sum(axis=-1)))

    cache = CELLS[name].forward(params, x[None], state)[2]
    _, dstate, _ = CELLS[name].backward(None, dstate_T, cache)
    close(reached[-1], spectra.as_rows(dstate))
    for t in range(T):  # each Jacobian is that of its own step
        close(J[t], spectra.jacobian(CELLS[name], params, x[t : t + 1], state)[0])
        state = CELLS[name].forward(params, x[None, t : t + 1], state)[1]
    zeros = mapped(np.zeros_like, state)
    same(
        spectra.jacobians(CELLS[name], params, x),
        spectra.jacobians(CELLS[name], params, x, zeros),
    )


def matrices(seed, N, S):
    return normal(np.random.default_rng(seed), N, S, S)


def with_eigenvalues(rng, eigenvalues):
    """A matrix that is far from normal, with the given eigenvalues, real ones or a complex pair."""
    V = normal(rng, len(eigenvalues), len(eigenvalues)) + 2 * np.eye(len(eigenvalues))
    return V @ np.diag(eigenvalues) @ np.linalg.inv(V)


@drawn
@given(seed=seeds, S=st.integers(1, 5), N=st.integers(1, 4))
def test_singular_values(seed, S, N):
    """Those that a matrix was built from, and its norm."""
    rng = np.random.default_rng(seed)
    wanted = np.sort(np.exp(2 * normal(rng, N, S)))[:, ::-1]
    U, V = (np.linalg.qr(normal(rng, N, S, S))[0] for _ in range(2))
    found = spectra.singular_values(U @ (wanted[:, :, None] * V))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-12 * wanted.max())
    A = matrices(seed, N, S)
    close((spectra.singular_values(A) ** 2).sum(axis=1), (A**2).sum(axis=(1, 2)))


@drawn
@given(seed=seeds, r=st.floats(0.1, 3), angle=st.floats(0, 6))
def test_spectral_radius(seed, r, angle):
    rng = np.random.default_rng(seed)
    rotation = r * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    triangle = np.triu(normal(rng, 2, 2))
    expected = [r, np.abs(np.diag(triangle)).max()]
    close(spectra.spectral_radius(np.stack([rotation, triangle])), expected)


@drawn
@given(seed=seeds, S=st.integers(1, 6), T=st.integers(1, 30), every=st.integers(1, 12))
def test_lyapunov_exponents_of_any_matrices(seed, S, T, every):
    """Together they are the mean growth of a volume; how often QR is taken does not matter."""
    J = matrices(seed, T, S)
    found = spectra.lyapunov(J, every)
    assert (np.diff(found) <= 0).all()
    np.testing.assert_allclose(found.sum(), np.linalg.slogdet(J)[1].mean(), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(found, spectra.lyapunov(J, 1), rtol=1e-7, atol=1e-7)


@drawn
@given(seed=seeds, every=st.integers(1, 40))
def test_lyapunov_exponents_of_a_known_system(seed, every):
    """h_t = A h_{t-1}: the logarithms of the eigenvalues' sizes, up to a constant over T."""
    rng, T = np.random.default_rng(seed), 4000
    eigenvalues = np.array([1.25, -0.8, 0.5, 1e-3])
    A = with_eigenvalues(rng, rng.permutation(eigenvalues))
    found = spectra.lyapunov(np.repeat(A[None], T, axis=0), every)
    np.testing.assert_allclose(found, np.log(np.abs(eigenvalues)), atol=20 / T)

    scales = np.exp(normal(rng, 50, 4))  # diagonal ones, of another size at each step: exactly
    found = spectra.lyapunov(scales[:, :, None] * np.eye(4), every)
    close(found, np.sort(np.log(scales).mean(axis=0))[::-1])
    turns = np.linalg.qr(normal(rng, 50, 4, 4))[0]
    np.testing.assert_allclose(spectra.lyapunov(turns, every), 0, atol=1e-12)


def test_lyapunov_exponents_of_a_linear_rnn():
    """A relu network above its kink is linear: what its weights were built from comes out."""
    rng, eigenvalues = np.random.default_rng(0), np.array([0.95, 0.7, 0.4])
    W_hh = with_eigenvalues(rng, eigenvalues)
    params = {"W_xh": np.zeros((3, 2)), "W_hh": W_hh, "b_h": (np.eye(3) - W_hh) @ np.full(3, 5.0)}
    state = np.full((1, 3), 5.0)  # a fixed point
    J = spectra.jacobians(CELLS["rnn, relu"], params, normal(rng, 500, 2), state)
    close(J[-1], W_hh)
    np.testing.assert_allclose(spectra.lyapunov(J), np.log(eigenvalues), atol=20 / 500)


def test_exponents_where_a_product_underflows():
    """After 500 steps the product is 0 in float64; its exponents are not lost."""
    J = np.repeat(np.diag([0.1, 0.01])[None], 500, axis=0)
    assert not spectra.products(J)[-1].any()
    close(spectra.lyapunov(J), np.log([0.1, 0.01]))
    lost = spectra.lyapunov(np.repeat(np.diag([2.0, 0.0])[None], 20, axis=0))
    assert lost[0] == pytest.approx(np.log(2)) and lost[1] == -np.inf


@drawn
@given(f=st.floats(1e-6, 1 - 1e-9))
def test_half_life(f):
    assert f ** spectra.half_life(f) == pytest.approx(1 / 2)
    same(spectra.half_life(np.array([0.0, 0.5, 1.0])), np.array([0, 1, np.inf]))


# Transformers

transformers = pytest.mark.parametrize("name", TRANSFORMERS)
LARGE = 3, 4, 5, 2  # B, T, S and a quarter of D


@pytest.mark.parametrize("name", WRITERS)
@few
@given(size=layer_sizes, seed=seeds)
def test_a_writer_sees_nothing_of_what_follows(name, size, seed):
    """To the last bit; and start and step give the logits of all steps at once."""
    rng, model, params, batch = transformer_problem(name, size, seed, padded=False)
    ids, t = batch.inputs, rng.integers(batch.inputs.shape[1])
    logits = model.logits(params, ids)
    changed = ids.copy()
    changed[:, t:] = (changed[:, t:] + 1) % 6
    other = model.logits(params, changed)
    same(other[:, :t], logits[:, :t])
    assert (other[:, t] != logits[:, t]).any()
    state = model.start(params, ids[:, :t])
    for s in range(t, ids.shape[1]):
        found, state = model.step(params, ids[:, s], state)
        close(found, logits[:, s])
    same(state, ids)
    weights = model.weights(params, ids)
    assert not weights[..., ~attention.causal_mask(ids.shape[1])].any()


@pytest.mark.parametrize("name", [name for name in TRANSFORMERS if "translator" in name])
@settings(drawn, max_examples=4)
@given(size=layer_sizes, seed=seeds)
def test_no_bit_of_a_translation_depends_on_what_must_not_be_seen(name, size, seed):
    """Words to be written later; ids behind the ends of the rows, on either side."""
    rng, model, params, batch = transformer_problem(name, size, seed)
    loss, grads, _ = model.loss_and_grads(params, batch)
    behind = batch._replace(
        source=np.where(batch.source_mask, batch.source, (batch.source + 1) % 7),
        inputs=np.where(batch.mask, batch.inputs, (batch.inputs + 1) % 6),
        targets=np.where(batch.mask, batch.targets, (batch.targets + 1) % 6),
    )
    other, more, _ = model.loss_and_grads(params, behind)
    assert other == loss
    all_close(more, grads)  # the embedding's product adds in another order
    t = rng.integers(batch.inputs.shape[1])
    later = batch.inputs.copy()
    later[:, t + 1 :] = (later[:, t + 1 :] + 1) % 6
    found = model.logits(params, batch._replace(inputs=later))
    same(found[:, : t + 1], model.logits(params, batch)[:, : t + 1])


@pytest.mark.parametrize("name", [*WRITERS, *ANSWERERS])
@few
@given(size=layer_sizes, seed=seeds)
def test_padding_of_a_transformer(name, size, seed):
    """Ids behind the end of a row change no bit of the loss; the rows alone add up to it."""
    _, model, params, batch = transformer_problem(name, size, seed)
    loss, grads, _ = model.loss_and_grads(params, batch)
    behind = np.where(batch.mask, batch.inputs, (batch.inputs + 1) % 6)
    other, more, _ = model.loss_and_grads(params, batch._replace(inputs=behind))
    assert other == loss
    all_close(more, grads)  # the embedding's product adds in another order
    logits, lengths = logits_of(model, params, batch), batch.mask.sum(axis=1)
    shares = np.full(len(logits), 1 / len(logits)) if logits.ndim == 2 else lengths / lengths.sum()
    total = 0
    for b, (n, share) in enumerate(zip(lengths, shares, strict=True)):
        targets = batch.targets[b : b + 1] if logits.ndim == 2 else batch.targets[b : b + 1, :n]
        row = text.Batch(batch.inputs[b : b + 1, :n], targets)
        total += share * model.loss_and_grads(params, row)[0]
        alone = logits_of(model, params, row)[0]
        close(alone, logits[b] if logits.ndim == 2 else logits[b, :n])
    close(total, loss)


@pytest.mark.parametrize("name", [name for name in TRANSFORMERS if "classifier" not in name])
@few
@given(size=layer_sizes, seed=seeds)
def test_what_is_masked_is_seen_by_nobody(name, size, seed):
    """Anywhere in a row, and though causality would allow it: no bit of the loss depends on it."""
    rng, model, params, batch = transformer_problem(name, size, seed)
    mask = rng.random(batch.inputs.shape) < 0.6
    mask[:, -1] = True
    batch = batch._replace(mask=mask)
    other = batch._replace(inputs=np.where(mask, batch.inputs, (batch.inputs + 1) % 6))
    assert model.loss_and_grads(params, other)[0] == model.loss_and_grads(params, batch)[0]


@transformers
def test_transformers_change_no_input(name):
    _, model, params, batch = frozen(transformer_problem(name, LARGE, 0, rate=0.2))
    for rng in (None, np.random.default_rng(0)):
        model.loss_and_grads(params, batch, rng=rng)
    if hasattr(model, "start"):
        given = (batch.source, batch.source_mask) if hasattr(batch, "source") else (batch.inputs,)
        state = frozen(model.start(params, *given))
        _, state = model.step(params, batch.inputs[:, 0], state)
        decode.beam_search(model, params, batch.inputs[:, 0], frozen(state), width=2, max_length=2)


@transformers
def test_what_a_transformer_returns_is_the_callers(name):
    """Writing to gradients and logits changes neither the parameters nor what comes next."""
    _, model, params, batch = transformer_problem(name, LARGE, 1)
    before = {key: a.copy() for key, a in params.items()}
    loss, grads, _ = model.loss_and_grads(params, batch)
    logits = logits_of(model, params, batch)
    for a in (*grads.values(), logits):
        a += 1
    all_same(before, params)
    assert model.loss_and_grads(params, batch)[0] == loss


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@transformers
def test_one_dtype_in_a_transformer(name, dtype):
    _, model, _, batch = transformer_problem(name, LARGE, 2, rate=0.2)
    params = model.init(np.random.default_rng(0), dtype)
    for rng in (None, np.random.default_rng(0)):
        _, grads, _ = model.loss_and_grads(params, batch, rng=rng)
        assert {a.dtype for a in (*params.values(), *grads.values())} == {np.dtype(dtype)}
    assert logits_of(model, params, batch).dtype == dtype


@few
@given(size=layer_sizes, seed=seeds)
def test_without_positions_a_transformer_sees_no_order(size, seed):
    """Of what it reads: a row in another order is translated to the same; with positions, not."""
    rng, model, params, batch = transformer_problem(
        "translator, pre-norm, none", size, seed, padded=False
    )
    order = rng.permutation(batch.source.shape[1])
    other = batch._replace(source=batch.source[:, order])
    close(model.logits(params, other), model.logits(params, batch))
    if (other.source != batch.source).any():
        with_sines = model._replace(positions=positions.SINUSOIDAL)
        found = [with_sines.logits(params, rows) for rows in (other, batch)]
        assert np.abs(found[0] - found[1]).max() > 1e-6


def test_weights_of_cross_attention():
    _, model, params, batch = transformer_problem("translator, pre-norm, alibi", LARGE, 3)
    weights = model.weights(params, batch)
    assert weights.shape == (3, 2, 2, 4, 5)  # B, L, N, T, S
    close(weights.sum(axis=-1), np.ones(weights.shape[:-1]))
    padding = np.broadcast_to(~batch.source_mask[:, None, None, None], weights.shape)
    assert padding.any() and not weights[padding].any()


def test_weights_of_every_attention():
    _, model, params, batch = transformer_problem("translator, post-norm, alibi", LARGE, 3)
    reading, writing, across = model.all_weights(params, batch)
    assert reading.shape == (3, 2, 2, 5, 5) and writing.shape == (3, 2, 2, 4, 4)
    close(across, model.weights(params, batch))
    for weights in (reading, writing):
        close(weights.sum(axis=-1), np.ones(weights.shape[:-1]))
    padding = np.broadcast_to(~batch.source_mask[:, None, None, None], reading.shape)
    assert padding.any() and not reading[padding].any()
    assert not np.triu(writing, 1).any()


# Translators

translators = pytest.mark.parametrize("name", [*TRANSLATORS, *ATTENTION_ONLY])
TRANSLATED = 4, 5, 6, 3, 4  # B, S, T, D, H


@translators
def test_a_translator_steps_as_it_scores(name):
    """start and step give the logits of all steps at once; padding of the source counts nothing."""
    _, model, params, batch = translator_problem(name, TRANSLATED, 0)
    logits = model.logits(params, batch)
    state = model.start(params, batch.source, batch.source_mask)
    for t in range(batch.inputs.shape[1]):
        found, state = model.step(params, batch.inputs[:, t], state)
        real = batch.mask[:, t]
        close(found[real], logits[:, t][real])
    for b, n in enumerate(batch.source_mask.sum(axis=1)):
        alone = model.start(params, batch.source[b : b + 1, :n])
        close(model.step(params, batch.inputs[b : b + 1, 0], alone)[0][0], logits[b, 0])


@translators
def test_padding_of_a_translation_changes_nothing(name):
    """More of it, with any ids in it: the same loss, gradients and final state."""
    _, model, params, batch = translator_problem(name, TRANSLATED, 1)
    loss, grads, state = model.loss_and_grads(params, batch)
    longer = batch._replace(
        source=np.where(batch.source_mask, batch.source, 6),
        inputs=np.where(batch.mask, batch.inputs, 5),
        targets=np.where(batch.mask, batch.targets, 4),
    )
    longer = longer._replace(
        **{
            key: np.pad(getattr(longer, key), ((0, 0), (0, 3)))
            for key in ("source", "inputs", "targets", "source_mask", "mask")
        }
    )
    wider, more, end = model.loss_and_grads(params, longer)
    assert wider == pytest.approx(loss, rel=1e-12)
    for key, value in grads.items():
        close(more[key], value)
    for key, value in flat(state).items():
        close(flat(end)[key], value)


@translators
def test_a_translator_does_not_see_what_it_has_yet_to_write(name):
    _, model, params, batch = translator_problem(name, TRANSLATED, 2, padded=False)
    logits = model.logits(params, batch)
    for t in range(1, batch.inputs.shape[1]):
        other = batch.inputs.copy()
        other[:, t:] = 3 + (other[:, t:] - 2) % 3
        assert (other[:, t:] != batch.inputs[:, t:]).all()
        found = model.logits(params, batch._replace(inputs=other))
        close(found[:, :t], logits[:, :t])
        assert np.abs(found[:, t] - logits[:, t]).max() > 1e-6


@pytest.mark.parametrize("name", [name for name in TRANSLATORS if name[:3] in ("luo", "bah")])
def test_attention_weights_of_a_translator(name):
    _, model, params, batch = translator_problem(name, TRANSLATED, 3)
    weights = model.weights(params, batch)
    assert weights.shape == (4, 6, 5) and (weights >= 0).all()
    close(weights.sum(axis=2), np.ones((4, 6)))
    assert not weights[np.broadcast_to(~batch.source_mask[:, None], weights.shape)].any()


def test_a_reversed_source_is_read_from_its_end():
    _, model, params, batch = translator_problem("sutskever, reversed", TRANSLATED, 4)
    rows = [row[mask][::-1] for row, mask in zip(batch.source, batch.source_mask, strict=True)]
    source, _ = text.pad(rows)
    plain = model._replace(reverse=False)
    close(model.logits(params, batch), plain.logits(params, batch._replace(source=source)))
    assert np.abs(model.logits(params, batch) - plain.logits(params, batch)).max() > 1e-3


@translators
def test_fed_its_own_words_alone_a_translator_writes_as_in_greedy_choice(name):
    """Up to the first word that is the last of its row in the batch."""
    rng, model, params, batch = translator_problem(name, TRANSLATED, 5, padded=False)
    found = feeding.fed(model, params, batch._replace(own=1.0), rng)
    state = model.start(params, batch.source, batch.source_mask)
    written = decode.greedy(model, params, batch.inputs[:, 0], state, max_length=6)
    same(found.inputs[:, 1:], written.ids[:, :-1])
    same(found.inputs[:, 0], batch.inputs[:, 0])
    same(found.targets, batch.targets)
    assert feeding.fed(model, params, batch, rng) is batch


def own_words(rng):
    _, model, params, batch = translator_problem("luong", (8, 5, 9, 3, 4), 6, padded=False)
    return feeding.fed(model, params, batch._replace(own=0.5), rng)


def test_the_share_of_own_words():
    """Padding keeps its id; of the others, the share asked for is the model's own."""
    rng, model, params, batch = translator_problem("cho", (200, 3, 21, 3, 4), 7)
    params["readout.b"][text.START] += 50  # it writes START, which no target is
    found = feeding.fed(model, params, batch._replace(own=0.3), rng)
    own = found.inputs[:, 1:][batch.mask[:, 1:]] == text.START
    n = own.size
    assert abs(own.sum() - 0.3 * n) < 5 * np.sqrt(n * 0.3 * 0.7)
    same(found.inputs[~batch.mask], batch.inputs[~batch.mask])


@translators
@pytest.mark.parametrize("end", [None, 2])
def test_beam_search_of_a_translator(name, end):
    """Its states are tuples, with a mask among their arrays: they move with the beginnings."""
    _, model, params, batch = translator_problem(name, (3, 4, 3, 3, 4), 8)
    state = model.start(params, batch.source, batch.source_mask)
    first = batch.inputs[:, 0]
    found = decode.beam_search(model, params, first, state, width=36, max_length=3, end=end)
    for b in range(3):
        best, row = -np.inf, None
        for candidate in every_row(6, 3, end):
            n = len(candidate)
            real = batch.source_mask[b : b + 1]
            ids = np.array(candidate)[None]
            inputs = np.concatenate([first[b : b + 1, None], ids[:, :-1]], axis=1)
            rows = text.TranslationBatch(
                batch.source[b : b + 1], inputs, ids, real, np.ones((1, n), bool)
            )
            log_p = ops.log_softmax(model.logits(params, rows)[0])[np.arange(n), ids[0]].sum()
            if log_p > best:
                best, row = log_p, candidate
        assert found.ids[b, : found.lengths[b]].tolist() == list(row)
        assert found.log_probability[b] == pytest.approx(best)


@translators
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_dtype_in_a_translator(name, dtype):
    _, model, _, batch = translator_problem(name, TRANSLATED, 9)
    params = model.init(np.random.default_rng(0), dtype)
    _, grads, state = model.loss_and_grads(params, batch)
    arrays = {**params, **{f"d{key}": a for key, a in grads.items()}, **flat(state)}
    assert {a.dtype for a in arrays.values()} == {np.dtype(dtype)}
    state = model.start(params, batch.source, batch.source_mask)
    logits, state = model.step(params, batch.inputs[:, 0], state)
    kinds = {a.dtype for a in (logits, *flat(state).values())}
    assert kinds <= {np.dtype(dtype), np.dtype(bool), np.dtype(np.int64)}  # ids in a prefix


# Seeds

GENERATORS = {
    **{
        f"module: {name}": lambda rng, m=module: m.init(rng, 3, 4)
        for name, module in MODULES.items()
    },
    **{f"model: {name}": make(3, 4).init for name, (make, _, _) in MODELS.items()},
    **{f"translator: {name}": make(3, 4).init for name, make in TRANSLATORS.items()},
    **{f"transformer: {name}": make(8, 5, 2).init for name, make in TRANSFORMERS.items()},
    "own words": lambda rng: own_words(rng),
    "dropout": lambda rng: dropout.forward(np.ones(50), 0.5, rng),
    "multihead": lambda rng: multihead.init(rng, 4),
    "feed_forward": lambda rng: feed_forward.init(rng, 3, 4),
    "additive": lambda rng: additive.init(rng, 3, 4, 5),
    "general": lambda rng: multiplicative.general_init(rng, 3, 4),
    "learned positions": lambda rng: positional.learned_init(rng, 3, 4),
    "encoder layer": lambda rng: encoder_layer.init(rng, 4, 5),
    "decoder layer": lambda rng: decoder_layer.init(rng, 4, 5),
    "dropout in a layer": lambda rng: encoder_layer.post_norm_forward(
        encoder_layer.init(np.random.default_rng(0), 4, 5),
        np.ones((2, 3, 4)),
        heads=2,
        rate=0.5,
        rng=rng,
    ),
    "linear": lambda rng: linear.init(rng, 3, 4),
    "embedding": lambda rng: embedding.init(rng, 3, 4),
    "window model": WindowModel(5, 3, 4, 2).init,
    "adding": lambda rng: tasks.adding(rng, 5, 6),
    "latch": lambda rng: tasks.latch(rng, 20, 6, 0.1),
    "copy": lambda rng: tasks.copy_memory(rng, 5, 3, 4),
    "anbn": lambda rng: tasks.anbn(rng, 20, 9),
    "reber": lambda rng: tasks.reber(rng, 5),
    "reber stream": lambda rng: tasks.reber_stream(rng, 5, 20),
    "sentiment": lambda rng: tasks.sentiment(rng, 5),
    "tagging": lambda rng: tasks.tagging(rng, 5),
    "dates": lambda rng: tasks.dates(rng, 5),
    "reversal": lambda rng: tasks.reversal(rng, 5, 6),
    "induction": lambda rng: tasks.induction(rng, 5, 30),
    "recall": lambda rng: tasks.associative_recall(rng, 5, 4),
    "phrases": lambda rng: phrases.different(rng, 5),
    "guesses": lambda rng: guessing.guess(rng, tasks.latch(rng, 20, 9)),
    "pronouns": lambda rng: tasks.pronouns(rng, 5, (0, 3)),
    "grammar": lambda rng: tasks.agreement_grammar().sample(rng, 5),
    "minibatches": lambda rng: list(
        text.minibatches(rng, text.Batch(np.arange(40), np.arange(40)), 3)
    ),
    "excerpts": lambda rng: next(text.excerpts(rng, np.arange(1000), 4, 3)),
    "samples": lambda rng: decode.sample(
        LanguageModel(5, 3, 4),
        LanguageModel(5, 3, 4).init(np.random.default_rng(0)),
        np.zeros(3, dtype=int),
        np.zeros((3, 4)),
        rng,
        max_length=20,
    ),
}


def content(value):
    """All that a nested value holds, as bytes and strings."""
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, dict):
        return [(key, content(part)) for key, part in value.items()]
    if isinstance(value, list | tuple):
        return [content(part) for part in value]
    return repr(value)


@pytest.mark.parametrize("name", GENERATORS)
def test_same_seed_same_bytes(name):
    make = GENERATORS[name]
    once, again = content(make(np.random.default_rng(3))), content(make(np.random.default_rng(3)))
    assert once == again
    assert content(make(np.random.default_rng(4))) != once


@pytest.mark.parametrize("name", MODULES)
def test_same_arguments_same_bytes(name):
    """Nothing that a forward or backward pass leaves behind changes the next one."""
    module = MODULES[name]
    rng, *given = problem(module, (3, 5, 4, 6), 1)
    mask = ends_with_padding(rng, 3, 5)[1]
    once = content(run(module, *given, mask))
    run(module, *problem(module, (2, 4, 4, 6), 2)[1:])
    assert content(run(module, *given, mask)) == once


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_dtype_all_the_way(dtype):
    """Parameters of one dtype give outputs, states and gradients of it: nothing is promoted."""

    def cast(value):
        if isinstance(value, dict):
            return {key: cast(part) for key, part in value.items()}
        return mapped(lambda a: a.astype(dtype), value)

    for name, module in MODULES.items():
        rng, *given = problem(module, (2, 4, 3, 5), 0)
        assert all(a.dtype == dtype for a in module.init(rng, 3, 5, dtype).values())
        params, x, state, dh, dstate_T = map(cast, given)
        for mask in (None, ends_with_padding(rng, 2, 4)[1]):
            for start, end in ((state, dstate_T), (None, None)):
                found, grads = run(module, params, x, start, dh, end, mask)
                assert {a.dtype for a in (found | grads).values()} == {np.dtype(dtype)}, name
        if name in CELLS:
            h_t, state = module.step(params, x[:, 0])
            assert {a.dtype for a in (h_t, *flat(state).values())} == {np.dtype(dtype)}, name

    rng, model = np.random.default_rng(0), LanguageModel(5, 3, 4)
    params, ids = model.init(rng, dtype), rng.integers(0, 5, (2, 4))
    _, mask = ends_with_padding(rng, 2, 4)
    for m in (None, mask):
        _, grads, state = model.loss_and_grads(params, text.Batch(ids, ids, m))
        assert {a.dtype for a in (state, *grads.values(), *params.values())} == {np.dtype(dtype)}
    for update in (optim.sgd(0.1), optim.momentum(0.1), optim.adam(0.1)):
        new, memory = params, None
        for _ in range(2):
            new, memory = update(new, optim.clip_by_norm(grads, 1.0)[0], memory)
        assert {a.dtype for a in new.values()} == {np.dtype(dtype)}
    logits, state = model.step(params, ids[:, 0], model.start(params, ids[:, :0]))
    assert logits.dtype == state.dtype == dtype
