"""Laws that hold for every size and seed; Hypothesis draws them."""

from collections import Counter, defaultdict
from itertools import islice, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlib import decode, gradcheck, metrics, ngrams, optim, tasks, text
from seqlib.scratch import embedding, linear, losses, ops, rnn
from seqlib.scratch.models import LanguageModel, WindowModel
from seqlib.train import train

drawn = settings(derandomize=True, deadline=None, database=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)
# Sizes of 1 too: an axis of length 1 is where a copy silently becomes a view.
sizes = st.tuples(*[st.integers(1, 6)] * 4)  # B, T, D, H
activations = st.sampled_from(["tanh", "relu", "sigmoid"])


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


def layer(size, seed):
    """A random RNN layer with its inputs and upstream gradients, and its generator."""
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    params, x, state = rnn.init(rng, D, H), rng.standard_normal((B, T, D)), normal(rng, B, H)
    return rng, params, x, state, normal(rng, B, T, H), normal(rng, B, H)


def normal(rng, *shape):
    return rng.standard_normal(shape)


def ends_with_padding(rng, B, T):
    """Lengths of 1 to T and their mask."""
    lengths = rng.integers(1, T + 1, B)
    return lengths, np.arange(T) < lengths[:, None]


# The recurrent layer


@drawn
@given(size=sizes, seed=seeds, activation=activations, share=st.floats(0, 1), masked=st.booleans())
def test_split_is_whole(size, seed, activation, share, masked):
    B, T, D, H = size
    T += 1
    rng, params, x, state, dh, dh_T = layer((B, T, D, H), seed)
    mask = rng.random((B, T)) < 0.6 if masked else None
    cut = 1 + round(share * (T - 2))
    h, h_T, cache = rnn.forward(params, x, state, mask, activation)
    first, second = (None, None) if mask is None else (mask[:, :cut], mask[:, cut:])
    h_1, h_cut, cache_1 = rnn.forward(params, x[:, :cut], state, first, activation)
    h_2, h_end, cache_2 = rnn.forward(params, x[:, cut:], h_cut, second, activation)
    close(np.concatenate([h_1, h_2], axis=1), h)
    close(h_end, h_T)

    dx, dh_0, grads = rnn.backward(dh, dh_T, cache)
    dx_2, dh_cut, grads_2 = rnn.backward(dh[:, cut:], dh_T, cache_2)
    dx_1, dh_start, grads_1 = rnn.backward(dh[:, :cut], dh_cut, cache_1)
    close(np.concatenate([dx_1, dx_2], axis=1), dx)
    close(dh_start, dh_0)
    all_close({key: grads_1[key] + grads_2[key] for key in grads}, grads)


@drawn
@given(size=sizes, seed=seeds, activation=activations, share=st.floats(0, 1))
def test_causality(size, seed, activation, share):
    """What comes at step t changes no output before t, not in one bit."""
    rng, params, x, state, *_ = layer(size, seed)
    t = round(share * (x.shape[1] - 1))
    changed = x.copy()
    changed[:, t:] += normal(rng, *changed[:, t:].shape) + 1
    h, _, _ = rnn.forward(params, x, state, None, activation)
    other, _, _ = rnn.forward(params, changed, state, None, activation)
    same(other[:, :t], h[:, :t])
    if activation != "relu":  # which may stay at zero
        assert (other[:, t] != h[:, t]).any()


@drawn
@given(size=sizes, seed=seeds)
def test_causality_of_the_language_model(size, seed):
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    model, ids = LanguageModel(5, D, H), rng.integers(0, 5, (B, T))
    params = model.init(rng)
    logits, _ = model.logits(params, ids)
    for t in range(T):
        changed = ids.copy()
        changed[:, t:] = (changed[:, t:] + 1) % 5
        other, _ = model.logits(params, changed)
        same(other[:, :t], logits[:, :t])
        assert (other[:, t] != logits[:, t]).any()


@pytest.mark.parametrize("filling", [0.0, -3.5, 1e300, np.inf, np.nan])
@drawn
@given(size=sizes, seed=seeds, activation=activations)
def test_padding_changes_nothing(filling, size, seed, activation):
    """Whatever stands in the padding, no bit of a real output, of h_T or of a gradient changes."""
    rng, params, x, state, dh, dh_T = layer(size, seed)
    _, mask = ends_with_padding(rng, *x.shape[:2])
    dh *= mask[:, :, None]
    h, h_T, cache = rnn.forward(params, x, state, mask, activation)
    dx, dh_0, grads = rnn.backward(dh, dh_T, cache)
    filled = np.where(mask[:, :, None], x, filling)
    other, other_T, cache = rnn.forward(params, filled, state, mask, activation)
    other_dx, other_dh_0, other_grads = rnn.backward(dh, dh_T, cache)
    same(other, h)
    same(other_T, h_T)
    same(other_dx, dx)
    same(other_dh_0, dh_0)
    for key in grads:
        same(other_grads[key], grads[key])
    assert not dx[~mask].any()


@drawn
@given(size=sizes, seed=seeds, activation=activations)
def test_a_padded_row_is_the_row_alone(size, seed, activation):
    rng, params, x, state, dh, dh_T = layer(size, seed)
    lengths, mask = ends_with_padding(rng, *x.shape[:2])
    dh *= mask[:, :, None]
    h, h_T, cache = rnn.forward(params, x, state, mask, activation)
    dx, dh_0, grads = rnn.backward(dh, dh_T, cache)
    total = dict.fromkeys(grads, 0.0)
    for b, n in enumerate(lengths):
        row = slice(b, b + 1)
        alone, end, cache = rnn.forward(params, x[row, :n], state[row], None, activation)
        close(h[row, :n], alone)
        close(h_T[row], end)
        alone_dx, alone_dh_0, alone_grads = rnn.backward(dh[row, :n], dh_T[row], cache)
        close(dx[row, :n], alone_dx)
        close(dh_0[row], alone_dh_0)
        total = {key: total[key] + alone_grads[key] for key in total}
    all_close(grads, total)


@drawn
@given(size=sizes, seed=seeds)
def test_padding_of_a_language_model(size, seed):
    """Ids and targets behind the end of a row do not matter; a target there may even be no id."""
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    model = LanguageModel(5, D, H)
    params, (lengths, mask) = model.init(rng), ends_with_padding(rng, B, T)
    inputs, targets = rng.integers(0, 5, (B, T)), rng.integers(0, 5, (B, T))
    loss, grads, state_T = model.loss_and_grads(params, text.Batch(inputs, targets, mask))
    other = text.Batch(np.where(mask, inputs, 3), np.where(mask, targets, -100), mask)
    other_loss, other_grads, other_state = model.loss_and_grads(params, other)
    assert other_loss == loss
    same(other_state, state_T)
    for key in grads:
        close(other_grads[key], grads[key])  # the embedding's product adds in another order

    alone, expected = [], dict.fromkeys(grads, 0.0)
    for b, n in enumerate(lengths):
        row = text.Batch(inputs[b : b + 1, :n], targets[b : b + 1, :n])
        row_loss, row_grads, row_state = model.loss_and_grads(params, row)
        alone.append(row_loss * n / mask.sum())
        expected = {key: expected[key] + row_grads[key] * n / mask.sum() for key in expected}
        close(state_T[b], row_state[0])
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
    ]:
        loss, cache = forward(a, targets, mask)
        other_loss, other_cache = forward(filled, targets, mask)
        assert other_loss == loss
        same(backward(other_cache), backward(cache))
        assert not backward(cache)[~mask].any()
        assert loss == pytest.approx(forward(a[mask], targets[mask])[0])


@drawn
@given(size=sizes, seed=seeds, activation=activations)
def test_step_is_forward_of_one_step(size, seed, activation):
    _, params, x, state, *_ = layer(size, seed)
    h, h_T, _ = rnn.forward(params, x, state, None, activation)
    for t in range(x.shape[1]):
        h_t, state = rnn.step(params, x[:, t], state, activation)
        close(h_t, h[:, t])
        close(state, h_t)
    close(state, h_T)


@drawn
@given(size=sizes, seed=seeds, activation=activations)
def test_what_a_layer_returns_is_the_callers(size, seed, activation):
    """Writing into h or h_T leaves the cache alone, and so the gradients."""
    _, params, x, state, dh, dh_T = layer(size, seed)
    h, h_T, cache = rnn.forward(params, x, state, None, activation)
    dx, dh_0, grads = rnn.backward(dh, dh_T, cache)
    h[:], h_T[:] = 99, 99
    other_dx, other_dh_0, other_grads = rnn.backward(dh, dh_T, cache)
    same(other_dx, dx)
    same(other_dh_0, dh_0)
    for key in grads:
        same(other_grads[key], grads[key])


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


@drawn
@given(size=sizes, seed=seeds, activation=activations)
def test_layers_change_no_input(size, seed, activation):
    (B, T, D, H), rng = size, np.random.default_rng(seed)
    params, x, state, dh, dh_T = frozen(layer(size, seed)[1:])
    mask = frozen(ends_with_padding(rng, B, T)[1])
    for m in (None, mask):
        h, _, cache = rnn.forward(params, x, state, m, activation)
        assert rnn.backward(dh, dh_T, frozen(cache))[0].shape == x.shape
    rnn.step(params, x[:, 0], state, activation)

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

    model = LanguageModel(5, 3, 4)
    params = model.init(rng)
    whole, state_T = model.logits(params, ids)
    state = model.start(params, ids[:, :T])
    for t in range(T, T + 3):
        logits, state = model.step(params, ids[:, t], state)
        close(logits, whole[:, t])
    close(state, state_T)

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


# Tasks


def paths(grammar, state, p=1.0, words=""):
    """Every sentence of a finite grammar with its probability, path by path."""
    if state is None:
        yield words, p
        return
    for q, piece, following in grammar.arcs[state]:
        yield from paths(grammar, following, p * q, words + piece)


def test_agreement_grammar_by_enumeration():
    grammar = tasks.agreement_grammar()
    sentences, p = zip(*paths(grammar, grammar.start), strict=True)
    assert grammar.sentences() == pytest.approx(dict(zip(sentences, p, strict=True)), abs=1e-15)
    p = np.array(p)
    assert len(set(sentences)) == len(sentences)  # one path for each string
    assert len(sentences) == 12 * (3 + 3 * 3 + 12 * 2 * 3)  # plain, with an adverb, with a clause
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert grammar.entropy() == pytest.approx(-(p * np.log(p)).sum(), abs=1e-12)
    mean_length = (p * [len(s) for s in sentences]).sum()
    assert grammar.mean_length() == pytest.approx(mean_length, abs=1e-12)
    assert grammar.entropy_rate() == pytest.approx(grammar.entropy() / mean_length)
    examples = "the cat runs.", "the cats never sleep.", "the cat that the dogs see sleeps."
    assert {f"{example}\n" for example in examples} < set(sentences)
    assert all(s.endswith(".\n") and s.count("\n") == 1 for s in sentences)
    for sentence in sentences:  # the last verb agrees with the first noun
        words = sentence.split()
        assert words[-1].removesuffix(".").endswith("s") != words[1].endswith("s")


def test_surprisal():
    """Costs add up to a sentence's; after any beginning, what can follow has probability one."""
    grammar = tasks.agreement_grammar()
    exact = dict(paths(grammar, grammar.start))
    costs = dict(zip(exact, grammar.surprisal(list(exact)), strict=True))
    followers = defaultdict(dict)
    for sentence, nats in costs.items():
        assert nats.shape == (len(sentence),)
        assert nats.sum() == pytest.approx(-np.log(exact[sentence]))
        for t, (character, cost) in enumerate(zip(sentence, nats, strict=True)):
            followers[sentence[:t]].setdefault(character, cost)
            assert followers[sentence[:t]][character] == pytest.approx(cost)
    for choices in followers.values():
        assert sum(np.exp(-cost) for cost in choices.values()) == pytest.approx(1)
    mean = sum(exact[sentence] * nats.sum() for sentence, nats in costs.items())
    assert mean == pytest.approx(grammar.entropy())
    assert followers["the cat"]["s"] == pytest.approx(np.log(2))  # as many plurals as singulars


def loop(again):
    return tasks.Grammar({"s": ((again, "ab", "s"), (1 - again, ".", None))}, "s")


@drawn
@given(st.floats(0.05, 0.9))
def test_a_grammar_with_a_loop(again):
    """A geometric number of rounds: visits, length and entropy in closed form."""
    grammar, rounds = loop(again), again / (1 - again)
    choice = -again * np.log(again) - (1 - again) * np.log(1 - again)
    assert grammar.visits()["s"] == pytest.approx(1 / (1 - again))
    assert grammar.mean_length() == pytest.approx(2 * rounds + 1)
    assert grammar.entropy() == pytest.approx(choice / (1 - again))


@pytest.mark.parametrize("grammar", [tasks.agreement_grammar(), loop(0.6)])
def test_entropy_by_sampling(grammar):
    """The mean of -log p over samples is the entropy, within five standard errors."""
    sentences, log_p = grammar.sample(np.random.default_rng(0), 4000)
    nats, lengths = -np.array(log_p), np.array([len(s) for s in sentences])
    for values, expected in [(nats, grammar.entropy()), (lengths, grammar.mean_length())]:
        assert abs(values.mean() - expected) < 5 * values.std() / np.sqrt(len(values))
    if len(grammar.arcs) > 1:
        exact = dict(paths(grammar, grammar.start))
        close(nats, [-np.log(exact[s]) for s in sentences])


def check_pronouns(batch, least, most):
    for b in range(len(batch.inputs)):
        real = batch.mask[b]
        assert not real[real.sum() :].any()
        ids = [*batch.inputs[b][real], batch.targets[b][real][-1]]
        assert list(batch.targets[b][real]) == ids[1:]  # one word later
        words = tasks.PRONOUN_WORDS.decode(ids)
        name, pronoun = words[0], words[batch.position[b] + 1]
        assert pronoun == ("he" if name in tasks.HE_NAMES else "she")
        assert words.count("he") + words.count("she") == 1
        assert words[batch.position[b]] == "and"
        assert words[-1] == "."
        assert batch.distance[b] == words.index(pronoun) - words.index(name)
        assert least <= (batch.distance[b] - 6) / 4 <= most
        assert (batch.distance[b] - 6) % 4 == 0
        yield name, pronoun


@drawn
@given(seed=seeds, B=st.integers(1, 20), least=st.integers(0, 3), more=st.integers(0, 3))
def test_pronouns(seed, B, least, more):
    phrases = least if more == 0 else (least, least + more)
    batch = tasks.pronouns(np.random.default_rng(seed), B, phrases)
    assert len(list(check_pronouns(batch, least, least + more))) == B


@drawn
@given(seed=seeds, B=st.integers(1, 10), length=st.integers(1, 20))
def test_windows_before_a_pronoun(seed, B, length):
    batch = tasks.pronouns(np.random.default_rng(seed), B, (0, 2))
    inputs, targets, mask = batch.windows(length, before=-1)
    assert inputs.shape == (B, length)
    assert mask is None
    for b, place in enumerate(batch.position):
        assert targets[b] == batch.targets[b, place]
        padded = [-1] * length + list(batch.inputs[b, : place + 1])
        assert list(inputs[b]) == padded[-length:]


def test_pronouns_are_drawn_evenly():
    batch = tasks.pronouns(np.random.default_rng(0), 4000, (0, 3))
    names, kinds = map(Counter, zip(*check_pronouns(batch, 0, 3), strict=True))
    assert set(names) == {*tasks.HE_NAMES, *tasks.SHE_NAMES}
    assert all(abs(n - 250) < 5 * np.sqrt(250 * 15 / 16) for n in names.values())
    assert abs(kinds["he"] - 2000) < 5 * np.sqrt(1000)
    counts = Counter(batch.distance.tolist())
    assert set(counts) == {6, 10, 14, 18}
    assert all(abs(n - 1000) < 5 * np.sqrt(750) for n in counts.values())


def test_nothing_between_name_and_pronoun_tells_them_apart():
    """The words between occur as often after men's names as after women's."""
    batch = tasks.pronouns(np.random.default_rng(1), 4000, 2)
    he = np.isin(batch.inputs[:, 0], tasks.PRONOUN_WORDS.encode(tasks.HE_NAMES))
    for position in range(1, batch.position[0] + 1):
        for word in np.unique(batch.inputs[:, position]):
            here = batch.inputs[:, position] == word
            if not here.all():
                share = he[here].mean() - he[~here].mean()
                assert abs(share) < 5 * 0.5 * np.sqrt(1 / here.sum() + 1 / (~here).sum())


# Seeds

GENERATORS = {
    "rnn": lambda rng: rnn.init(rng, 3, 4),
    "linear": lambda rng: linear.init(rng, 3, 4),
    "embedding": lambda rng: embedding.init(rng, 3, 4),
    "language model": LanguageModel(5, 3, 4).init,
    "window model": WindowModel(5, 3, 4, 2).init,
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_dtype_all_the_way(dtype):
    """Parameters of one dtype give outputs, states and gradients of it: nothing is promoted."""
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
