"""What a tanh RNN cannot remember, by distance: he or she, decided by a name some words ago.

python benchmarks/memory.py      about twelve minutes; writes benchmarks/memory.json

The same language model is trained on sentences of one length, and on sentences of all lengths up
to it, at two learning rates; beside it models that see a window.  Each is tested at the greatest
distance of its training.
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, tasks, text, train
from seqlib.scratch import models

# phrases of four words; the pronoun stands 6 + 4 phrases after the name
ONE_LENGTH, ALL_LENGTHS = (0, 1, 2, 4, 8), (0, 2, 4, 8, 16)
LONGER = (0, 1, 2, 4, 8, 16, 32, 64)  # for the test of models trained up to LONGER_FROM phrases
LONGER_FROM = 4
SEEDS = (0, 1, 2)
D, H, B = 16, 64, 32
RATES = (3e-3, 1e-2)
UPDATES, CHECK = 6000, 100
CLIP = 1.0
SOLVED = 0.99
WINDOWS, WINDOW_PHRASES, WINDOW_RATE, WINDOW_UPDATES = (4, 8, 16), (0, 1, 2, 3), 1e-2, 1000
TRAINING, CHECKING, TEST = 4000, 500, 2000  # sentences
V = len(tasks.PRONOUN_WORDS)
HE, SHE = tasks.PRONOUN_WORDS.encode(["he", "she"])


def sentences(part, seed, count, phrases):
    """Sentences of one part (0 training, 1 checks, 2 test); each part draws its own."""
    return tasks.pronouns(np.random.default_rng((part, seed)), count, phrases)


def windows(batch, length):
    """The words before every target of a batch, (B, T, length); V stands before the beginning."""
    before = np.full((len(batch.inputs), length - 1), V)
    words = np.concatenate([before, batch.inputs], axis=1)
    return np.lib.stride_tricks.sliding_window_view(words, length, axis=1)


def batches(rng, model, data):
    """Shuffled batches of B sentences, epoch after epoch, in the form that the model takes."""
    while True:
        for batch in text.minibatches(rng, text.Batch(data.inputs, data.targets, data.mask), B):
            if isinstance(model, models.WindowModel):
                seen = windows(batch, model.window)
                batch = text.Batch(seen[batch.mask], batch.targets[batch.mask])
            yield batch


def accuracy(model, params, data):
    """The share of sentences in which the right one of he and she is the likelier."""
    rows = np.arange(len(data.inputs))
    if isinstance(model, models.WindowModel):
        logits = model.logits(params, windows(data, model.window)[rows, data.position])
    else:
        logits = model.logits(params, data.inputs, None, data.mask)[0][rows, data.position]
    choice = np.where(logits[:, HE] > logits[:, SHE], HE, SHE)
    return float((choice == data.targets[rows, data.position]).mean())


def trained(model, seed, rate, least, most, updates=UPDATES):
    """Train on sentences of least to most phrases until solved, or for so many updates.

    Solved: at a check every CHECK updates, SOLVED of fresh sentences of `most` phrases are right.
    Returns the parameters and what a record says of the run.
    """
    rng = np.random.default_rng(seed)
    data = sentences(0, seed, TRAINING, (least, most))
    check = sentences(1, seed, CHECKING, most)
    update = optim.adam(rate)
    params = model.init(rng, np.float32)
    for step in train.train(model, params, batches(rng, model, data), update, clip=CLIP):
        if step.step % CHECK == 0:
            solved = accuracy(model, step.params, check) >= SOLVED
            if solved or step.step == updates:
                break
    right = accuracy(model, step.params, sentences(2, seed, TEST, most))
    row = {"distance": 6 + 4 * most, "rate": rate, "seed": seed, "accuracy": right}
    return step.params, {**row, "updates": step.step, "solved": bool(solved)}


def show(title, rows):
    """Print median accuracy, seeds solved and updates to the solution by distance and rate."""
    print(f"\n{title}\ndistance   rate   accuracy: median   least   solved    updates to it")
    for distance, rate in sorted({(row["distance"], row["rate"]) for row in rows}):
        here = [row for row in rows if (row["distance"], row["rate"]) == (distance, rate)]
        right = [row["accuracy"] for row in here]
        updates = sorted(row["updates"] for row in here if row["solved"])
        print(
            f"{distance:8} {rate:6} {np.median(right):18.3f} {min(right):7.3f} "
            f"{len(updates):5} of {len(here)}    {', '.join(map(str, updates))}",
            flush=True,
        )


def main():
    rnn = models.LanguageModel(V, D, H)
    results = {"chance": 0.5, "rnn": {}, "window": {}}
    runs = [(rate, seed) for rate in RATES for seed in SEEDS]

    rows = [trained(rnn, seed, rate, n, n)[1] for n in ONE_LENGTH for rate, seed in runs]
    show("RNN trained on one length", rows)
    results["rnn"]["one_length"] = rows

    rows, longer = [], []
    for phrases in ALL_LENGTHS:
        for rate, seed in runs:
            params, row = trained(rnn, seed, rate, 0, phrases)
            rows.append(row)
            if phrases == LONGER_FROM and row["solved"]:
                for n in LONGER:
                    right = accuracy(rnn, params, sentences(2, seed, CHECKING, n))
                    test = {"distance": 6 + 4 * n, "rate": rate, "seed": seed}
                    longer.append({**test, "accuracy": right})
    show("RNN trained on all lengths up to it", rows)
    results["rnn"]["all_lengths"] = rows

    results["longer"] = {"trained_up_to": 6 + 4 * LONGER_FROM, "rows": longer}
    print(f"\nRNNs trained on distances 6 to {6 + 4 * LONGER_FROM}, tested at other distances")
    for n in LONGER:
        right = [row["accuracy"] for row in longer if row["distance"] == 6 + 4 * n]
        print(f"{6 + 4 * n:8}   " + "  ".join(f"{share:.3f}" for share in right))

    for window in WINDOWS:
        model = models.WindowModel(V, D, H, window)
        rows = [
            trained(model, seed, WINDOW_RATE, phrases, phrases, WINDOW_UPDATES)[1]
            for phrases in WINDOW_PHRASES
            for seed in SEEDS
        ]
        show(f"Window of {window} words, trained on one length", rows)
        results["window"][str(window)] = rows

    recipe = {
        "task": "tasks.pronouns, all words are targets; accuracy on he or she in fresh sentences",
        "model": {"D": D, "H": H, "activation": "tanh", "dtype": "float32"},
        "optimizer": {"name": "adam", "rnn": RATES, "window": WINDOW_RATE, "clip_norm": CLIP},
        "batch": B,
        "updates": {"rnn": UPDATES, "window": WINDOW_UPDATES},
        "stop": f"once solved, at a check every {CHECK} updates",
        "solved": f"{SOLVED} right of {CHECKING} fresh sentences at the greatest trained distance",
        "sentences": {"training": TRAINING, "test": TEST},
        "seeds": SEEDS,
    }
    record.write("memory", recipe, results)


if __name__ == "__main__":
    main()
