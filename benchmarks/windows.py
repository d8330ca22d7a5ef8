"""Window models of characters, by the length of the window and by how long they are trained.

python benchmarks/windows.py         about five minutes; writes benchmarks/windows.json

A small model trained for a short time and a larger one trained for longer, three seeds each, scored
on the last tenth of the book's text: the part that chapter 1 holds out from its n-grams.
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
from itertools import chain

import numpy as np

from seqlib import corpora, metrics, optim, text
from seqlib.scratch import losses, models
from seqlib.scratch.params import count
from seqlib.train import train

WINDOWS, SEEDS, BATCH, RATE = (1, 2, 3, 4, 6, 8), (0, 1, 2), 128, 0.003
TRAININGS = {  # the rate is halved after so many passes, again and again
    "short": {"D": 16, "H": 96, "passes": 8, "halved_after": 8},
    "long": {"D": 24, "H": 192, "passes": 16, "halved_after": 4},
}


def run(window, seed, train_ids, held_ids, V, D, H, passes, halved_after):
    """Bits per character on the held-out text, and the number of parameters."""
    model, rng = models.WindowModel(V, D=D, H=H, window=window), np.random.default_rng(seed)
    pairs = text.windows(train_ids, window, before=V)
    updates = -(-len(pairs.inputs) // BATCH)  # of one pass
    update = optim.adam(lambda k: RATE * 0.5 ** ((k - 1) // (halved_after * updates)))
    batches = chain.from_iterable(text.minibatches(rng, pairs, BATCH) for _ in range(passes))
    *_, last = train(model, model.init(rng, np.float32), batches, update)
    held = text.windows(held_ids, window, before=V)
    loss, _ = losses.cross_entropy_forward(model.logits(last.params, held.inputs), held.targets)
    return float(metrics.bits(loss)), count(last.params)


def main():
    characters = text.characters(corpora.text("book"))
    vocabulary = text.Vocabulary.of(characters)
    data = *text.split(vocabulary.encode(characters), held_out=0.1), len(vocabulary)
    results = {name: [] for name in TRAININGS}
    for name, training in TRAININGS.items():
        for window in WINDOWS:
            runs = [run(window, seed, *data, **training) for seed in SEEDS]
            bits, (parameters, *_) = zip(*runs, strict=True)
            row = {"window": window, "bits": [round(b, 4) for b in bits], "parameters": parameters}
            results[name].append(row)
            print(name, row, flush=True)
    recipe = {
        "seeds": SEEDS,
        "trainings": TRAININGS,
        "batch": BATCH,
        "optimizer": "adam",
        "rate": RATE,
        "held_out": 0.1,
        "dtype": "float32",
    }
    record.write("windows", recipe, results)


if __name__ == "__main__":
    main()
