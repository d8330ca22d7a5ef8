"""Translators with attention, learned in NumPy: dates, and English phrases into French.

python benchmarks/translation.py      about five minutes; writes benchmarks/translation.json

Every run has a fixed number of updates and a learning rate that falls to zero.  It is looked at on
rows that are neither trained on nor tested; the test comes once, at the end: the share of rows that
greedy choice writes without a mistake, the same with a beam, BLEU, and how well the strongest
attention weights agree with the gold links.
"""

import time
from typing import NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import decode, ibm1, metrics, optim, phrases, tasks, text, train
from seqlib.scratch import models

SEEDS = (0, 1, 2)
CLIP = 1.0
BEAM, ALPHA = 4, 1.0
LONGEST = 20  # symbols that a row may have when it is written


class Plan(NamedTuple):
    model: object
    draw: object  # function (rng, B) -> batches without end
    check: object  # function (seed) -> TranslationBatch
    test: object  # the same
    batch: int
    rate: float  # the greatest
    warm_up: int  # updates until it is reached
    updates: int
    look: int  # updates between two looks
    target: float  # share of rows without a mistake


def draw_dates(rng, B):
    while True:
        yield tasks.dates(rng, B)


TRAIN, TEST = phrases.corpus()
TRAIN, CHECK = TRAIN[:-300], TRAIN[-300:]
ROWS = phrases.batch(TRAIN)


def draw_phrases(rng, B):
    while True:
        yield from text.minibatches_by_length(rng, ROWS, B)


DATES = len(tasks.DATE_CHARACTERS), len(tasks.ISO_CHARACTERS)
WORDS = len(phrases.ENGLISH), len(phrases.FRENCH)
PLANS = {
    "dates, luong": Plan(
        model=models.Luong(*DATES, 32, 64),
        draw=draw_dates,
        check=lambda seed: tasks.dates(np.random.default_rng((1, seed)), 300),
        test=lambda seed: tasks.dates(np.random.default_rng((2, seed)), 1000),
        batch=128,
        rate=5e-3,
        warm_up=50,
        updates=200,
        look=40,
        target=0.99,
    ),
    "phrases, luong": Plan(
        model=models.Luong(*WORDS, 64, 96),
        draw=draw_phrases,
        check=lambda seed: phrases.batch(CHECK),
        test=lambda seed: phrases.batch(TEST),
        batch=64,
        rate=4e-3,
        warm_up=50,
        updates=3600,
        look=400,
        target=0.95,
    ),
}


def rate_of(plan):
    """A line up to the greatest rate, and a line down to zero at the last update."""
    up, last = plan.warm_up, plan.updates
    return lambda k: plan.rate * min(k / up, (last + 1 - k) / (last + 1 - up))


def written(model, params, batch, width=None):
    """The rows that the model writes, as lists without END; by greedy choice, or with a beam."""
    first = np.full(len(batch.source), text.START)
    state = model.start(params, batch.source, batch.source_mask)
    limits = {"max_length": LONGEST, "end": text.END}
    found = (
        decode.greedy(model, params, first, state, **limits)
        if width is None
        else decode.beam_search(model, params, first, state, width=width, alpha=ALPHA, **limits)
    )
    return [row[row != text.END].tolist() for row in found.ids]


def wanted(batch):
    return [row[mask][:-1].tolist() for row, mask in zip(batch.targets, batch.mask, strict=True)]


def exact(rows, targets):
    return float(np.mean([row == target for row, target in zip(rows, targets, strict=True)]))


def alignment_error(model, params, batch):
    """Of the strongest weights while the right words are written."""
    sure, possible = phrases.links(TEST)
    weights = model.weights(params, batch)[:, :-1]  # END has no link
    found = metrics.strongest(weights, batch.source_mask, batch.mask[:, 1:])
    return metrics.alignment_error_rate(found, sure, possible)


def trained(plan, name, seed):
    """A row of the record; the seconds are those of the training and of looking."""
    rng, check = np.random.default_rng(seed), plan.check(seed)
    params = plan.model.init(rng, np.float32)
    batches = (b for b, _ in zip(plan.draw(rng, plan.batch), range(plan.updates), strict=False))
    start, curve, losses = time.process_time(), [], []
    update = optim.adam(rate_of(plan))
    for step in train.train(plan.model, params, batches, update, clip=CLIP):
        losses.append(step.loss)
        if step.step % plan.look == 0:
            score = exact(written(plan.model, step.params, check), wanted(check))
            seconds = time.process_time() - start
            loss = float(np.mean(losses[-plan.look :]))
            curve.append((step.step, round(seconds, 2), round(loss, 4), round(score, 4)))
    params, batch = step.params, plan.test(seed)
    rows, targets = written(plan.model, params, batch), wanted(batch)
    beam = written(plan.model, params, batch, BEAM)
    found = {
        "seed": seed,
        "updates": step.step,
        "cpu_seconds": round(seconds, 2),
        "test": round(exact(rows, targets), 4),
        "test_beam": round(exact(beam, targets), 4),
        "reached": exact(rows, targets) >= plan.target,
        "curve": curve,
    }
    if name.startswith("phrases"):
        found["bleu"] = round(metrics.bleu(rows, targets), 2)
        found["bleu_beam"] = round(metrics.bleu(beam, targets), 2)
        found["alignment_error"] = round(alignment_error(plan.model, params, batch), 4)
    return found


def baselines():
    """Alignment error rates that need no translator: Model 1, the diagonal, links at random."""
    sides = [
        [vocabulary.encode(getattr(pair, side)) for pair in part]
        for part in (TRAIN, TEST)
        for vocabulary, side in ((phrases.ENGLISH, "english"), (phrases.FRENCH, "french"))
    ]
    table, rng = ibm1.fit(*sides[:2], *WORDS), np.random.default_rng(0)
    sure, possible = phrases.links(TEST)
    found = {name: np.zeros_like(sure) for name in ("model 1", "diagonal", "random")}
    for b, (source, target) in enumerate(zip(*sides[2:], strict=True)):
        S, T = len(source), len(target)
        found["model 1"][b, :T, :S] = ibm1.align(table, source, target)
        places = ((np.arange(T) + 0.5) * S / T).astype(int), rng.integers(S, size=T)
        for name, s in zip(("diagonal", "random"), places, strict=True):
            found[name][b, np.arange(T), s] = True
    return {
        name: round(metrics.alignment_error_rate(a, sure, possible), 4) for name, a in found.items()
    }


def main():
    results = {}
    recipe = {"optimizer": "Adam, rate up and down in straight lines", "clip_norm": CLIP}
    recipe |= {"seeds": SEEDS, "beam": BEAM, "alpha": ALPHA, "dtype": "float32"}
    print("task                seed   updates    CPU s    exact    beam     BLEU      AER   target")
    for name, plan in PLANS.items():
        rows = []
        for seed in SEEDS:
            row = trained(plan, name, seed)
            rows.append(row)
            missed = "" if row["reached"] else "  MISSED"
            bleu, error = (row.get(key, np.nan) for key in ("bleu", "alignment_error"))
            print(
                f"{name:18}{seed:6}{row['updates']:10}{row['cpu_seconds']:9.1f}{row['test']:9.4f}"
                f"{row['test_beam']:8.4f}{bleu:9.2f}{error:9.4f}{plan.target:9.2f}{missed}",
                flush=True,
            )
        results[name] = {"target": plan.target, "runs": rows}
        kept = ("batch", "rate", "warm_up", "updates", "look")
        sizes = {"D": plan.model.D, "H": plan.model.H, "cell": "gru, encoder both ways"}
        recipe[name] = sizes | {key: getattr(plan, key) for key in kept}
    results["alignment baselines"] = baselines()
    recipe["phrases"] = (
        f"{len(TRAIN)} to train on, {len(CHECK)} to look at, {len(TEST)} of the test"
    )
    recipe["dates"] = "drawn anew for every update; 300 to look at, 1000 of the test"
    record.write("translation", recipe, results)


if __name__ == "__main__":
    main()
