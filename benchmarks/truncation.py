"""What truncated backpropagation through time can learn, by the length of its chunks.

python benchmarks/truncation.py      about four minutes; writes benchmarks/truncation.json

A stream is read in chunks; the gradient stops at the beginning of a chunk.  The state is carried
over from the chunk before, or starts from zeros in every chunk.  Two tasks on one form of stream:
say the sign of the last mark ("hold"), or the bit of DELAY steps ago ("echo").  All networks are
tested on streams read in one go; in "hold", where the mark is at least LAG steps back.  Beside them
stand networks of which the read-out alone is trained: no gradient at all reaches the state.
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, text, train
from seqlib.scratch.models import LanguageModel

CHUNKS = (1, 2, 4, 8, 16, 32)
SEEDS = (0, 1, 2, 3, 4)
RATES = (2e-3, 1e-2)
READOUT_CHUNK = 4  # for the read-out alone, whose gradient is the same for all
UPDATES, SYMBOLS = (
    1000,
    1024,
)  # symbols per update, so chunks of T steps come B = SYMBOLS / T at once
V, D, H, CLIP = 3, 4, 32, 1.0
MARKS = 0.05  # share of the steps with a mark; after a mark the next is 20 steps off on average
LAG, DELAY = 32, 4
TEST = 16, 1500  # streams and steps


def hold(rng, B, N):
    """Ids (B, N), 0 blank, 1 and 2 marks; the last mark as 0 or 1; which steps are tested."""
    marked = rng.random((B, N)) < MARKS
    marked[:, 0] = True
    sign = rng.integers(0, 2, (B, N))
    steps = np.arange(N)
    last = np.maximum.accumulate(np.where(marked, steps, 0), axis=1)
    targets = np.take_along_axis(sign, last, axis=1)
    return np.where(marked, 1 + sign, 0), targets, steps - last >= LAG


def echo(rng, B, N):
    """Random bits (B, N), the bits DELAY steps before as targets, and which steps are tested."""
    bits = rng.integers(0, 2, (B, N + DELAY))
    return bits[:, DELAY:], bits[:, :N], np.ones((B, N), dtype=bool)


def of_readout(update):
    """The same update, of the read-out alone."""

    def apply(params, grads, memory):
        grads = {k: g if k.startswith("readout") else np.zeros_like(g) for k, g in grads.items()}
        return update(params, grads, memory)

    return apply


def run(task, steps, carry, seed, rate, trained="all"):
    """The share of right answers after training on chunks of so many steps."""
    rng = np.random.default_rng((seed, steps, carry))
    model = LanguageModel(V, D, H)
    params = model.init(np.random.default_rng(seed), np.float32)
    inputs, targets, _ = task(rng, SYMBOLS // steps, UPDATES * steps)
    chunks = (
        text.Batch(inputs[:, start : start + steps], targets[:, start : start + steps])
        for start in range(0, UPDATES * steps, steps)
    )
    update = optim.adam(rate) if trained == "all" else of_readout(optim.adam(rate))
    *_, last = train.train(model, params, chunks, update, clip=CLIP, carry_state=carry)
    inputs, targets, tested = task(np.random.default_rng((seed, 99)), *TEST)
    logits, _ = model.logits(last.params, inputs)
    return float(np.mean((logits[..., :2].argmax(axis=-1) == targets)[tested]))


def main():
    ways = [(steps, carry, "all") for steps in CHUNKS for carry in (True, False)]
    rows = []
    for task in (hold, echo):
        for steps, carry, trained in [*ways, (READOUT_CHUNK, True, "read-out")]:
            for rate in RATES:
                shares = [run(task, steps, carry, seed, rate, trained) for seed in SEEDS]
                row = {"task": task.__name__, "trained": trained, "steps": steps}
                row |= {"carried": carry, "rate": rate, "right": [round(s, 4) for s in shares]}
                rows.append(row)
                print(row, flush=True)
    recipe = {
        "seeds": SEEDS,
        "rates": RATES,
        "updates": UPDATES,
        "symbols_per_update": SYMBOLS,
        "clip": CLIP,
        "model": {"V": V, "D": D, "H": H, "dtype": "float32"},
        "marks": MARKS,
        "tested_at_lag": LAG,
        "delay": DELAY,
        "test": TEST,
        "optimizer": "adam",
    }
    record.write("truncation", recipe, {"rows": rows})


if __name__ == "__main__":
    main()
