"""The model of attention alone, and the sentences with a relative clause that it is shown."""

import numpy as np
import pytest
import torch
from transformer_table import POSITIONS

from seqlib import gradcheck
from seqlib.clauses import CLAUSE_WORDS, EFFECTS, NOUNS, relative_clauses
from seqlib.scratch.attention_only import AttentionOnly
from seqlib.text import Batch

B, T, V = 3, 5, 7


def problem(where="sinusoidal", causal=True, seed=0):
    """A model of two layers, its parameters, none of them 0, and a batch whose rows end early."""
    rng = np.random.default_rng(seed)
    model = AttentionOnly(V, D=8, heads=2, layers=2, positions=POSITIONS[where], causal=causal)
    params = {k: 0.6 * rng.standard_normal(a.shape) for k, a in model.init(rng).items()}
    inputs, targets = rng.integers(0, V, (2, B, T))
    mask = np.arange(T) < np.array([[T], [3], [4]])
    return rng, model, params, Batch(inputs, targets, mask)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("where", POSITIONS)
def test_gradients(where, causal):
    _, model, params, batch = problem(where, causal)
    _, grads, _ = model.loss_and_grads(params, batch)
    assert grads.keys() == params.keys()
    useless = {key for key in params if key.endswith("b_k") and where != "rotary"}
    kept = {key: gradient for key, gradient in grads.items() if key not in useless}
    errors = gradcheck.check(
        lambda params: model.loss_and_grads(params, batch)[0], {"params": params}, {"params": kept}
    )
    assert max(errors.values()) < 1e-6, errors
    assert all(np.abs(grads[key]).max() < 1e-12 for key in useless)


def test_it_is_torchs_attention_added_twice():
    _, model, params, batch = problem()
    weights = {key: torch.from_numpy(a) for key, a in params.items()}
    x = weights["embedding.W"][torch.from_numpy(batch.inputs)] * 8**0.5
    x = x + torch.from_numpy(model.positions.forward(params, np.zeros((B, T, 8)))[0])
    allowed = np.tri(T, dtype=bool) & batch.mask[:, None, :]
    for layer in "01":
        own = torch.nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
        own.load_state_dict(
            {
                "in_proj_weight": torch.cat([weights[f"{layer}.W_{c}"] for c in "qkv"]),
                "in_proj_bias": torch.cat([weights[f"{layer}.b_{c}"] for c in "qkv"]),
                "out_proj.weight": weights[f"{layer}.W_o"],
                "out_proj.bias": weights[f"{layer}.b_o"],
            }
        )
        forbidden = torch.from_numpy(np.repeat(~allowed, 2, axis=0))
        x = x + own(x, x, x, attn_mask=forbidden)[0]
    logits = x @ weights["readout.W"].T + weights["readout.b"]
    ours = model.logits(params, batch.inputs, batch.mask)
    assert np.allclose(ours, logits.detach().numpy(), atol=1e-12)


def test_nothing_is_seen_that_must_not_be():
    rng, model, params, batch = problem()
    changed = batch.inputs.copy()
    changed[:, 3:] = (changed[:, 3:] + rng.integers(1, V, (B, 2))) % V
    one, other = (model.logits(params, ids) for ids in (batch.inputs, changed))
    assert np.array_equal(one[:, :3], other[:, :3])
    assert np.abs(one[:, 3:] - other[:, 3:]).max() > 0.01
    seeing = model._replace(causal=False)
    one, other = (seeing.logits(params, ids) for ids in (batch.inputs, changed))
    assert np.abs(one[:, :3] - other[:, :3]).max() > 0.01


def test_weights_are_of_every_layer_and_head():
    _, model, params, batch = problem()
    weights = model.weights(params, batch.inputs, batch.mask)
    assert weights.shape == (B, 2, 2, T, T)
    assert np.allclose(weights.sum(axis=-1), 1) and not np.triu(weights, k=1).any()


def test_what_it_refuses():
    rng, model, params, batch = problem()
    with pytest.raises(ValueError, match="D is 8; 3 heads do not divide it"):
        model._replace(heads=3).init(rng)
    with pytest.raises(ValueError, match="layers"):
        model._replace(layers=0).init(rng)
    with pytest.raises(ValueError, match="state is given"):
        model.loss_and_grads(params, batch, np.zeros(B))


def test_relative_clauses():
    """Noun and verb decide, all combinations occur, and the targets are the inputs one later."""
    batch = relative_clauses(np.random.default_rng(0), 500)
    assert batch.inputs.shape == batch.targets.shape == batch.mask.shape == (500, 9)
    assert np.array_equal(batch.inputs[:, 1:], batch.targets[:, :-1]) and batch.mask.all()
    rows = [CLAUSE_WORDS.decode(ids) for ids in batch.inputs]
    for words, target in zip(rows, batch.targets, strict=True):
        assert words[7] == ("were" if words[1] in NOUNS.values() else "was")
        assert words[8] == EFFECTS[words[5]] and CLAUSE_WORDS.decode(target)[-1] == "."
    assert len({(words[1], words[5]) for words in rows}) == 2 * len(NOUNS) * len(EFFECTS)
    with pytest.raises(ValueError, match="B"):
        relative_clauses(np.random.default_rng(0), 0)
