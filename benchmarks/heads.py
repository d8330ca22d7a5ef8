"""Several heads and one: differences of neighbors, and sentences in which two words decide.

python benchmarks/heads.py      a minute; writes benchmarks/heads.json
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, train
from seqlib.clauses import CLAUSE_WORDS, relative_clauses
from seqlib.scratch import multihead, positional, positions
from seqlib.scratch.attention_only import AttentionOnly

SEEDS = [0, 1, 2]
DIFFERENCE = {"T": 8, "features": 8, "positions": 8, "batch": 64, "rate": 5e-3, "updates": 2000}
CLAUSES = {"D": 32, "batch": 32, "rate": 1e-3, "clip": 1.0, "updates": 1000, "seeds": 5}


def without_head(model, params, layer, head):
    """The parameters with what one head gives set to 0."""
    W_o, K = params[f"{layer}.W_o"].copy(), model.D // model.heads
    W_o[:, head * K : (head + 1) * K] = 0
    return params | {f"{layer}.W_o": W_o}


def rounded(values, digits=3):
    return np.round(np.asarray(values, dtype=float), digits).tolist()


def difference_run(heads, seed):
    """One layer that reads vectors u_t beside their positions and should give u_t - u_{t-1}.

    Returns the mean squared error over that of the answer 0, on fresh rows.
    """
    size, rng = DIFFERENCE, np.random.default_rng(seed)
    B, T, d, P = size["batch"], size["T"], size["features"], size["positions"]
    where = np.broadcast_to(positional.sinusoidal(T, P, np.float32), (B, T, P))
    params, memory = multihead.init(rng, d + P, dtype=np.float32), None
    update = optim.adam(optim.warm_up_then_decay(size["rate"], 100))
    late = []
    for step in range(size["updates"]):
        u = rng.standard_normal((B, T, d)).astype(np.float32)
        x = np.concatenate([u, where], axis=2)
        y, cache = multihead.forward(params, x, x, x, heads=heads)
        error = np.zeros_like(y)
        error[:, 1:, :d] = y[:, 1:, :d] - (u[:, 1:] - u[:, :-1])
        *_, grads = multihead.backward(error / (B * (T - 1) * d), cache)
        params, memory = update(params, grads, memory)
        if step >= size["updates"] - 100:
            late.append((error**2).sum() / (2 * B * (T - 1) * d))
    return round(float(np.mean(late)), 4)


def clauses_run(heads, seed):
    """A language model of relative clauses: what is right, and where its heads look.

    At the comma it has to write was or were, which the noun decides; one step later the adjective,
    which the verb decides.
    """
    size, rng = CLAUSES, np.random.default_rng(seed)
    model = AttentionOnly(len(CLAUSE_WORDS), size["D"], heads, 1, positions.ROTARY)
    batches = (relative_clauses(rng, size["batch"]) for _ in range(size["updates"]))
    start = model.init(rng, np.float32)
    *_, last = train.train(
        model, start, batches, optim.adam(optim.warm_up(size["rate"], 50)), clip=size["clip"]
    )
    test = relative_clauses(np.random.default_rng(99), 400)

    def right(params):
        hits = model.logits(params, test.inputs).argmax(axis=-1) == test.targets
        return rounded(hits[:, [-3, -2]].mean(axis=0))

    weights = model.weights(last.params, test.inputs).mean(axis=0)[0]
    alone = [right(without_head(model, last.params, 0, n)) for n in range(heads)]
    return {
        "heads": heads, "seed": seed, "right": right(last.params), "without": alone,
        "weights": rounded(weights[:, [-3, -2]]),
    }  # fmt: skip


def main():
    results = {
        "difference": [
            {"heads": heads, "seed": seed, "error": difference_run(heads, seed)}
            for heads in (1, 2, 4)
            for seed in SEEDS
        ],
        "clauses": [
            clauses_run(heads, seed) for heads in (1, 2) for seed in range(CLAUSES["seeds"])
        ],
    }
    for rows in results.values():
        print(*rows, sep="\n")
    recipe = {
        "difference": DIFFERENCE | {"error": "over that of the answer 0, last 100 updates"},
        "clauses": CLAUSES
        | {"right": "shares, of was or were, and of the adjective", "positions": "rotary"},
        "seeds_of_differences": SEEDS,
        "optimizer": "Adam, float32",
    }
    record.write("heads", recipe, results)


if __name__ == "__main__":
    main()
