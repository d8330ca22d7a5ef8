"""Symbols that repeat, read by attention alone: one layer or two, near and far, five positions.

python benchmarks/induction.py      seven minutes; writes benchmarks/induction.json

All models are layers of attention and nothing else (`seqlib.scratch.attention_only`).
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, tasks, train
from seqlib.scratch import losses, positions
from seqlib.scratch.attention_only import AttentionOnly

SEEDS = [0, 1, 2]
REPEATS = {
    "V": 32, "D": 64, "heads": 4, "T": 48, "batch": 32, "rate": 0.01, "warm_up": 50, "clip": 1.0,
    "updates": 600, "look": 20, "random": [8, 24], "fixed": [16, 16], "far": 192, "rows": 200,
}  # fmt: skip
SCHEMES = {
    "none": positions.NO_POSITIONS,
    "sinusoidal": positions.SINUSOIDAL,
    "learned": positions.learned(REPEATS["far"]),
    "rotary": positions.ROTARY,
    "alibi": positions.ALIBI,
}
RUNS = [  # positions, layers, period
    *((scheme, 2, "random") for scheme in SCHEMES),
    ("sinusoidal", 1, "random"),
    ("sinusoidal", 1, "fixed"),
    ("sinusoidal", 2, "fixed"),
]


def repeats(rng, B, T, period):
    return tasks.induction(rng, B, T, REPEATS["V"], *REPEATS[period])


def loss_on_repeats(model, params, batch, where=slice(None)):
    """Nats per repeated symbol, of some of the steps."""
    logits = model.logits(params, batch.inputs)[:, where]
    counted = batch.repeated[:, where]
    return losses.cross_entropy_forward(logits, batch.targets[:, where], counted)[0]


def without_head(model, params, layer, head):
    """The parameters with what one head gives set to 0."""
    W_o, K = params[f"{layer}.W_o"].copy(), model.D // model.heads
    W_o[:, head * K : (head + 1) * K] = 0
    return params | {f"{layer}.W_o": W_o}


def of_heads(model, params, batch):
    """What each head looks at and is needed for, (L, N) each.

    before   its mean weight on the step before
    after    where a repeat is due, its weight on all places behind the present symbol
    without  the loss when what the head gives is 0
    """
    weights = model.weights(params, batch.inputs)
    before = np.diagonal(weights, -1, axis1=-2, axis2=-1).mean(axis=(0, -1))
    behind = batch.inputs[:, :, None] == np.roll(batch.inputs, 1, axis=1)[:, None]
    behind[:, :, 0] = False  # nothing stands before the first
    due = behind & batch.repeated[:, :, None]
    after = (weights * due[:, None, None]).sum(axis=(0, -1, -2)) / batch.repeated.sum()
    pruned = [
        [
            loss_on_repeats(model, without_head(model, params, i, n), batch)
            for n in range(model.heads)
        ]
        for i in range(model.layers)
    ]
    return {"before": rounded(before), "after": rounded(after), "without": rounded(pruned)}


def rounded(values, digits=3):
    return np.round(np.asarray(values, dtype=float), digits).tolist()


def repeats_run(scheme, layers, period, seed):
    rng, size = np.random.default_rng(seed), REPEATS
    model = AttentionOnly(size["V"], size["D"], size["heads"], layers, SCHEMES[scheme])
    check = repeats(np.random.default_rng((1, seed)), size["rows"], size["T"], period)
    batches = (repeats(rng, size["batch"], size["T"], period) for _ in range(size["updates"]))
    update = optim.adam(optim.warm_up(size["rate"], size["warm_up"]))
    curve = []
    start = model.init(rng, np.float32)
    for done in train.train(model, start, batches, update, clip=size["clip"]):
        if done.step % size["look"] == 0:
            curve.append(loss_on_repeats(model, done.params, check))
    run = {"positions": scheme, "layers": layers, "period": period, "seed": seed}
    run |= {"curve": rounded(curve)}
    random = repeats(np.random.default_rng((2, seed)), size["rows"], size["T"], "random")
    run["random_period"] = round(loss_on_repeats(model, done.params, random), 3)
    if period == "random" and layers == 2:
        far = repeats(np.random.default_rng((3, seed)), size["rows"], size["far"], "random")
        run["by_position"] = rounded(
            [
                loss_on_repeats(model, done.params, far, slice(t, t + 8))
                for t in range(16, size["far"], 8)
            ]
        )
        if scheme == "sinusoidal":
            run["heads"] = of_heads(model, done.params, check)
    print(run["positions"], layers, period, seed, *run["curve"][4::5], run["random_period"],
          *run.get("by_position", [])[3::3], flush=True)  # fmt: skip
    return run


def main():
    results = [repeats_run(*run, seed) for run in RUNS for seed in SEEDS]
    recipe = REPEATS | {
        "loss": "nats per symbol that stood there a period before",
        "by_position": "of steps 16 to 23, 24 to 31 and so on, of rows four times as long",
        "heads": "mean weights: before, on the step before; after, on what followed the symbol",
        "without": "the loss when one head gives 0",
        "seeds": SEEDS,
        "optimizer": "Adam after a warm-up, float32",
    }
    record.write("induction", recipe, results)


if __name__ == "__main__":
    main()
