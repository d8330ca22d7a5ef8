"""The two short trainings of chapter 8, with four seeds: maps of dates, and rows written backward.

python benchmarks/attention_seeds.py      one to two minutes; writes benchmarks/attention_seeds.json

The recipes are those of the chapter, which trains the first seed live.  Of the dates: how many of
300 new ones are right, how much of the weight lies on the four digits of the year while these are
written, and how far off the very digit the greatest weight is.  Of the rows: the share of right
symbols by the number of symbols, with the right ones before each.
"""

import time

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import metrics, optim, rewriting, tasks, train
from seqlib.scratch.models import Luong

SEEDS = (0, 1, 2, 3)
PEAK, UP, CLIP = 8e-3, 30, 1.0
DATES = {"D": 32, "H": 64, "updates": 200, "batch": 64, "test": 300}
ROWS = {"D": 24, "H": 48, "updates": 400, "batch": 64, "least": 2, "most": 8, "test": 200}
LENGTHS = (4, 8, 10, 12, 16, 24)


def learned(model, rng, draw, updates):
    """The parameters after a training whose rate rises in a line and falls in one to zero."""
    params = model.init(rng, np.float32)
    update = optim.adam(lambda k: PEAK * min(k / UP, (updates + 1 - k) / (updates + 1 - UP)))
    batches = (draw(rng) for _ in range(updates))
    *_, last = train.train(model, params, batches, update, clip=CLIP)
    return last.params


def date_map(seed):
    """Where the weights lie while the year is written: a row of the record."""
    start, test = time.process_time(), tasks.dates(np.random.default_rng(99), DATES["test"])
    symbols = len(tasks.DATE_CHARACTERS), len(tasks.ISO_CHARACTERS)
    model = Luong(*symbols, D=DATES["D"], H=DATES["H"])
    params = learned(
        model,
        np.random.default_rng(seed),
        lambda rng: tasks.dates(rng, DATES["batch"]),
        DATES["updates"],
    )
    ids, weights = model.logits(params, test).argmax(-1), model.weights(params, test)
    mass, off = [], []
    for row, alpha, target in zip(test.source, weights, test.targets, strict=True):
        line = "".join(tasks.DATE_CHARACTERS.decode(row))
        year = line.index("".join(tasks.ISO_CHARACTERS.decode(target[:4])))
        mass.append(alpha[:4, year : year + 4].sum(axis=1))
        off.extend(alpha[:4].argmax(axis=1) - (year + np.arange(4)))
    places, counts = np.unique(off, return_counts=True)
    return {
        "seed": seed,
        "right": round(metrics.exact_match(ids, test.targets, test.mask), 4),
        "on_year": round(float(np.mean(mass)), 4),
        "off": {int(k): round(int(n) / len(off), 4) for k, n in zip(places, counts, strict=True)},
        "cpu_seconds": round(time.process_time() - start, 1),
    }


def reversal(seed):
    """The share of right symbols by the number of symbols of a row: a row of the record."""
    start, model = time.process_time(), Luong(11, 11, D=ROWS["D"], H=ROWS["H"])
    limits = {"most": ROWS["most"], "least": ROWS["least"]}
    params = learned(
        model,
        np.random.default_rng(seed),
        lambda rng: rewriting.reversal(rng, ROWS["batch"], **limits),
        ROWS["updates"],
    )
    right = {}
    for n in LENGTHS:
        test = rewriting.reversal(np.random.default_rng(n), ROWS["test"], most=n, least=n)
        ids = model.logits(params, test).argmax(axis=-1)
        right[n] = round(float(metrics.accuracy(ids, test.targets, test.mask)), 4)
    return {"seed": seed, "right": right, "cpu_seconds": round(time.process_time() - start, 1)}


def main():
    results = {"dates": [], "reversal": []}
    for seed in SEEDS:
        for name, row in (("dates", date_map(seed)), ("reversal", reversal(seed))):
            results[name].append(row)
            print(name, row, flush=True)
    recipe = {"dates": DATES, "reversal": ROWS, "seeds": SEEDS, "dtype": "float32"}
    recipe |= {"rate": f"up to {PEAK} in {UP} updates, then down to zero", "clip_norm": CLIP}
    record.write("attention_seeds", recipe, results)


if __name__ == "__main__":
    main()
