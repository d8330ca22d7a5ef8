"""Counting: which n of a^n b^n an RNN, a GRU and an LSTM get right after training on small n.

python benchmarks/counting.py      ten minutes; writes benchmarks/counting.json

Every update sees all strings of n up to TRAINED, once each, so that seeds differ in their first
weights alone.  A string is right if at every b the likeliest next symbol is the one that follows.
Of each cell one run's weights are kept, so that a chapter can look inside.
"""

import itertools
import time

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, tasks, text, train
from seqlib.scratch import gru, lstm, models, rnn

CELLS = {"rnn": rnn, "gru": gru, "lstm": lstm}
SEEDS = (0, 1, 2, 3, 4)
RATES = (1e-2, 2e-2)
TRAINED, TESTED = 40, 1000
H, UPDATES, CLIP = 10, 4000, 1.0
V = len(tasks.ANBN_SYMBOLS)


def strings(ns):
    """The strings a^n b^n of the given n, as `tasks.anbn` writes them."""
    ids = [tasks.ANBN_SYMBOLS.encode("$" + "a" * n + "b" * n + "$") for n in ns]
    ids, mask = text.pad(ids)
    inputs, mask = ids[:, :-1], mask[:, 1:]
    b = (inputs == tasks.ANBN_SYMBOLS.id("b")) & mask
    return tasks.AnbnBatch(inputs, ids[:, 1:], mask, b, np.array(ns))


def schedule(rate):
    """From `rate` down to a hundredth of it, along a cosine."""
    return lambda k: rate * max(0.01, 0.5 * (1 + np.cos(np.pi * k / UPDATES)))


def right(model, params, most=TESTED, together=50):
    """Whether each n from 1 to `most` is right, (most,)."""
    answers = []
    for first in range(1, most + 1, together):
        batch = strings(range(first, min(first + together, most + 1)))
        logits, _ = model.logits(params, batch.inputs, None, batch.mask)
        hits = (logits.argmax(axis=-1) == batch.targets) | ~batch.determined
        answers.append(hits.all(axis=1))
    return np.concatenate(answers)


def spans(answers):
    """The n that are right as [first, last], [first, last], ..."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], answers, [False]]).astype(int)))
    return [[int(a) + 1, int(b)] for a, b in edges.reshape(-1, 2)]


def trained(cell, rate, seed):
    """One run: a row of the record, and the parameters rounded to 6 digits."""
    model = models.LanguageModel(V, V, H, CELLS[cell])
    params = model.init(np.random.default_rng(seed), np.float32)
    batches = itertools.repeat(strings(range(1, TRAINED + 1)), UPDATES)
    start = time.process_time()
    *_, step = train.train(model, params, batches, optim.adam(schedule(rate)), clip=CLIP)
    params = {
        name: np.array([float(f"{w:.6g}") for w in value.ravel()]).reshape(value.shape)
        for name, value in step.params.items()
    }
    answers = right(model, params)
    row = {
        "cell": cell,
        "rate": rate,
        "seed": seed,
        "loss": round(float(step.loss), 5),
        "right": spans(answers),
        "right_trained": int(answers[:TRAINED].sum()),
        "right_beyond": int(answers[TRAINED:].sum()),
        "cpu_seconds": round(time.process_time() - start, 1),
    }
    return row, params


def main():
    rows, kept = [], {}
    print(
        f"cell    rate  seed     loss   right of 1 to {TRAINED}   of the rest to {TESTED}   CPU s"
    )
    for cell in CELLS:
        runs = []
        for rate in RATES:
            for seed in SEEDS:
                row, params = trained(cell, rate, seed)
                runs.append((row, params))
                print(
                    f"{cell:5}{rate:7}{seed:6}{row['loss']:9.4f}{row['right_trained']:18}"
                    f"{row['right_beyond']:25}{row['cpu_seconds']:8.1f}",
                    flush=True,
                )
        rows += [row for row, _ in runs]
        fitted = [run for run in runs if run[0]["right_trained"] == TRAINED] or runs
        fitted.sort(key=lambda run: run[0]["right_beyond"])
        row, params = fitted[len(fitted) // 2]  # the middle one of those that fit
        shown = {name: value.tolist() for name, value in params.items()}
        kept[cell] = {"rate": row["rate"], "seed": row["seed"], "params": shown}
    recipe = {
        "task": f"tasks.anbn as a language model; every update sees n = 1 to {TRAINED}, once each",
        "model": {"D": V, "H": H, "dtype": "float32", "forget_bias": 1.0},
        "optimizer": {
            "name": "adam",
            "rates": RATES,
            "schedule": "cosine, down to a hundredth",
            "clip_norm": CLIP,
        },
        "updates": UPDATES,
        "trained": TRAINED,
        "tested": TESTED,
        "right": "at every b the likeliest next symbol is the one that follows",
        "least_loss": round(tasks.anbn_entropy(TRAINED), 5),
        "seeds": SEEDS,
    }
    record.write("counting", recipe, {"runs": rows, "kept": kept})


if __name__ == "__main__":
    main()
