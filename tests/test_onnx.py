"""The cases with which ONNX tests its operators, tried on the layers of seqlib.

They come with the package `onnx`.  Those of the LSTM do not see the order of the gates, as all
their weights are one number; `test_weights.py` has random ones, with onnxruntime as the judge.
Left out is what the layers of seqlib do not have: peepholes, soft caps of the scores, half floats.
"""

import numpy as np
import pytest
from onnx_nodes import cases

from seqlib import weights
from seqlib.scratch import (
    attention,
    gru,
    gru_reset_before,
    layernorm,
    lstm,
    multihead,
    positional,
    rnn,
)
from seqlib.scratch.bidirectional import Bidirectional, reversed_steps, take

CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def has_peepholes(case):
    return len(case.inputs) > 7


def beyond(case):
    """Soft caps and half floats."""
    return "softcap" in case.attributes or case.inputs[0].dtype != np.float32


RECURRENT = [
    (case, cell)
    for module, operator, cell in (("rnn", "RNN", rnn), ("lstm", "LSTM", lstm), ("gru", "GRU", gru))
    for case in cases(module, operator)
    if not has_peepholes(case)
]
NORMS = cases("layernormalization", "LayerNormalization")
ROTARY = cases("rotaryembedding", "RotaryEmbedding")
ATTENTION = [case for case in cases("attention", "Attention") if not beyond(case)]


def each(found):
    return pytest.mark.parametrize("case", found, ids=[case.name for case in found])


def test_the_cases_are_as_many_as_the_package_had_when_they_were_read():
    """An empty list would pass; a new version of the package brings others, to be looked at."""
    assert [len(cases(name, name.upper())) for name in ("rnn", "lstm", "gru")] == [6, 6, 6]
    assert len(RECURRENT) == 17
    assert [case.name for case in cases("lstm", "LSTM") if has_peepholes(case)] == [
        "test_lstm_with_peepholes"
    ]
    assert (len(NORMS), len(ROTARY)) == (19, 8)
    assert (len(cases("attention", "Attention")), len(ATTENTION)) == (93, 71)


@pytest.mark.parametrize(("case", "cell"), RECURRENT, ids=[case.name for case, _ in RECURRENT])
def test_recurrent(case, cell):
    x, W, R, biases, lengths, h_0, c_0 = (*case.inputs, *[None] * 7)[:7]
    assert (lengths, h_0, c_0) == (None, None, None)  # no case has them
    options, batch_first = case.attributes, case.attributes.get("layout", 0)
    if cell is gru and not options.get("linear_before_reset"):
        cell = gru_reset_before
    params = weights.from_onnx(cell, W, R, biases)
    x = x if batch_first else x.swapaxes(0, 1)
    direction, module = options.get("direction", "forward"), cell
    if direction == "bidirectional":
        module = Bidirectional(cell)
    order = reversed_steps(None, *x.shape[:2])
    if direction == "reverse":
        x = take(x, order)
    h, ends, _ = module.forward(params, x)
    if direction == "reverse":
        h = take(h, order)
    B, T = h.shape[:2]
    y = h.reshape(B, T, len(W), -1)  # (B, T, directions, H)
    ends = np.array(ends if direction == "bidirectional" else [ends])  # LSTM: directions, h and c
    h_T, c_T = (ends[:, 0], ends[:, 1]) if cell is lstm else (ends, None)
    found = [y if batch_first else y.transpose(1, 2, 0, 3), h_T, c_T]
    found[1:] = [a.swapaxes(0, 1) if batch_first and a is not None else a for a in found[1:]]
    assert any(wanted is not None for wanted in case.outputs)
    for ours, wanted in zip(found, case.outputs, strict=False):
        if wanted is not None:
            np.testing.assert_allclose(ours, wanted, **CLOSE)


@each(NORMS)
def test_layer_normalization(case):
    """ONNX normalizes all axes from `axis` on; seqlib's features are one axis."""
    x, gain, bias = case.inputs
    axis = case.attributes.get("axis", -1) % x.ndim
    params = {"gain": gain.ravel(), "bias": bias.ravel()}
    rows = x.reshape(*x.shape[:axis], -1)
    y, cache = layernorm.forward(params, rows, eps=case.attributes.get("epsilon", 1e-5))
    mean = rows.mean(axis=-1)
    for ours, wanted in zip((y, mean, cache.scale), case.outputs, strict=True):
        np.testing.assert_allclose(ours.reshape(wanted.shape), wanted, **CLOSE)


@each(ROTARY)
def test_rotary(case):
    """Their cosines and sines are random numbers, of no angle: it is `turned` that is tried."""
    x, cos, sin, *places = case.inputs
    shape, options = x.shape, case.attributes
    if x.ndim == 3:
        x = multihead.split(x, options["num_heads"])
    if places:
        cos, sin = cos[places[0]], sin[places[0]]
    cos, sin = cos[:, None], sin[:, None]  # for all heads
    turned = options.get("rotary_embedding_dim") or x.shape[-1]
    part, order = x[..., :turned], np.arange(turned)
    if not options.get("interleaved"):  # theirs lie half the features apart: neighbors, for us
        order = np.argsort(positional.half_split_order(turned))
    back = np.argsort(order)
    y = np.concatenate(
        [positional.turned(part[..., order], cos, sin)[..., back], x[..., turned:]], axis=-1
    )
    y = multihead.join(y) if len(shape) == 3 else y
    np.testing.assert_allclose(y, case.outputs[0], **CLOSE)


@each(ATTENTION)
def test_attention(case):
    q, k, v, given, past_k, past_v, real = (*case.inputs, *[None] * 7)[:7]
    options, rows = case.attributes, q.ndim == 3
    if rows:
        q = multihead.split(q, options["q_num_heads"])
        k, v = (multihead.split(a, options["kv_num_heads"]) for a in (k, v))
    before = 0
    if past_k is not None:
        k, v = np.concatenate([past_k, k], axis=2), np.concatenate([past_v, v], axis=2)
        before = past_k.shape[2]
    presents = k, v
    k, v = (np.repeat(a, q.shape[1] // a.shape[1], axis=1) for a in (k, v))  # heads that share keys
    T, S = q.shape[2], k.shape[2]
    bias, mask = scores_of(given, S, q.dtype)
    t, s = np.arange(T)[:, None] + before, np.arange(S)
    if real is not None:
        mask = mask & (s < real[:, None, None, None])
        t = t + (real - T)[:, None, None, None]
    left, right = (options.get(f"{side}_window_size", -1) for side in ("left", "right"))
    if options.get("is_causal"):
        mask = mask & (s <= t)
    if left >= 0:
        mask = mask & (s >= t - left)
    if right >= 0:
        mask = mask & (s <= t + right)
    if "scale" in options:  # seqlib's is 1 / sqrt(K)
        q = q * q.dtype.type(options["scale"] * q.shape[-1] ** 0.5)
    y, cache = attention.forward(q, k, v, mask, bias)
    wanted = dict(zip(("y", "k", "v", "scores"), case.outputs, strict=False))
    np.testing.assert_allclose(multihead.join(y) if rows else y, wanted["y"], **CLOSE)
    for name, present in zip("kv", presents, strict=True):
        if wanted.get(name) is not None:
            np.testing.assert_array_equal(present, wanted[name])
    if wanted.get("scores") is not None and options.get("qk_matmul_output_mode") == 3:
        np.testing.assert_allclose(cache.weights, wanted["scores"], **CLOSE)


def scores_of(given, S, dtype):
    """The bias and the mask in an `attn_mask`; what it leaves out at the end is forbidden."""
    if given is None:
        return None, np.ones((1, S), bool)
    missing = [(0, 0)] * (given.ndim - 1) + [(0, S - given.shape[-1])]
    if given.dtype == np.bool_:
        return None, np.pad(given, missing)
    given = np.pad(given, missing, constant_values=-np.inf)
    allowed = given > -np.inf
    return np.where(allowed, given, 0).astype(dtype), allowed


@pytest.mark.parametrize("order", ["oifg", "ifog", "gofi"])
def test_the_cases_of_the_lstm_do_not_see_the_order_of_the_gates(monkeypatch, order):
    """Why `test_weights.py` draws weights: here any order passes."""
    monkeypatch.setitem(weights.ONNX, lstm, order)
    for case, cell in RECURRENT:
        if cell is lstm:
            test_recurrent(case, cell)
