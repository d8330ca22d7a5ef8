"""Translators, learned in NumPy: dates, and English phrases into French.

python benchmarks/translation.py      every model, three seeds, two at a time; writes
                                      benchmarks/translation.json and prints its table
python benchmarks/translation.py --missing      only the trials of rates that the record lacks

Every run has a fixed number of updates and a learning rate that rises and then falls to zero.  It
is looked at on rows that are neither trained on nor tested; the test comes once, at the end: the
share of rows that greedy choice writes without a mistake, the same with a beam, BLEU, both by the
length of the source, and how well the strongest attention weights agree with the gold links.
Sources of 13 words and more are longer than any that was trained on.
"""

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import ModuleType
from typing import NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import decode, ibm1, metrics, optim, phrases, tasks, text, train
from seqlib.scratch import lstm, models
from seqlib.scratch.params import count
from seqlib.scratch.stack import Stack

SEEDS = (0, 1, 2)
CLIP = 1.0
BEAM, ALPHA = 4, 1.0
LONGEST = 32  # symbols that a row may have when it is written
WORKERS = 2  # runs side by side, one thread each
# Trials: what a model without attention reaches with its rate and with twice that, on the rows to
# look at.
RATES, TRIED = (8e-3, 1.6e-2), ("phrases, cho",)


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
    target: float | None  # share of rows without a mistake, where one is promised


def draw_dates(rng, B):
    while True:
        yield tasks.dates(rng, B)


TRAIN, TEST = phrases.corpus()
TRAIN, CHECK = TRAIN[:-300], TRAIN[-300:]
ROWS = phrases.batch(TRAIN)


def beyond(count, longest=18):
    """Phrases whose sources are longer than all that were trained on."""
    drawn = phrases.different(np.random.default_rng(1), 10 * count, longest + 4)
    words = [len(found.english) for found in drawn]
    kept = [p for p, n in zip(drawn, words, strict=True) if phrases.LONGEST < n <= longest]
    return kept[:count]


BEYOND = beyond(400)


def draw_phrases(rng, B):
    while True:
        yield from text.minibatches_by_length(rng, ROWS, B)


DATES = len(tasks.DATE_CHARACTERS), len(tasks.ISO_CHARACTERS)
WORDS = len(phrases.ENGLISH), len(phrases.FRENCH)
ON_DATES = Plan(
    model=None,
    draw=draw_dates,
    check=lambda seed: tasks.dates(np.random.default_rng((1, seed)), 300),
    test=lambda seed: tasks.dates(np.random.default_rng((2, seed)), 2000),
    batch=128,
    rate=5e-3,
    warm_up=50,
    updates=200,
    look=40,
    target=0.99,
)
ON_PHRASES = Plan(
    model=None,
    draw=draw_phrases,
    check=lambda seed: phrases.batch(CHECK),
    test=lambda seed: phrases.batch(TEST),
    batch=64,
    rate=4e-3,
    warm_up=50,
    updates=3600,
    look=400,
    target=0.95,
)
DEEP = Stack(lstm, 2)
WITHOUT = ON_PHRASES._replace(rate=8e-3, target=None)
PLANS = {
    "dates, luong": ON_DATES._replace(model=models.Luong(*DATES, 32, 64)),
    "dates, transformer": ON_DATES._replace(
        model=models.Transformer(*DATES, D=64, H=128, heads=4, layers=2),
        **{"batch": 64, "rate": 4e-3, "warm_up": 100, "updates": 850, "look": 170},
    ),
    "phrases, cho": WITHOUT._replace(model=models.Cho(*WORDS, 64, 96)),
    "phrases, sutskever": WITHOUT._replace(model=models.Sutskever(*WORDS, 64, 96, DEEP)),
    "phrases, sutskever reversed": WITHOUT._replace(
        model=models.Sutskever(*WORDS, 64, 96, DEEP, reverse=True)
    ),
    "phrases, bahdanau": ON_PHRASES._replace(model=models.Bahdanau(*WORDS, 64, 96)),
    "phrases, luong": ON_PHRASES._replace(model=models.Luong(*WORDS, 64, 96)),
    "phrases, transformer": ON_PHRASES._replace(
        model=models.Transformer(*WORDS, D=64, H=256, heads=4, layers=2),
        **{"rate": 3e-3, "warm_up": 200, "updates": 2800},
    ),
}
KEPT = ("batch", "rate", "warm_up", "updates", "look")


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
    """Of the strongest weights while the right words are written.

    Of the Transformer a list: for each layer, of the mean over its heads.
    """
    sure, possible = phrases.links(TEST)
    weights = model.weights(params, batch)[..., :-1, :]  # END has no link
    layers = weights[:, None] if weights.ndim == 3 else weights.mean(axis=2)
    errors = []
    for own in layers.swapaxes(0, 1):
        found = metrics.strongest(own, batch.source_mask, batch.mask[:, 1:])
        errors.append(round(metrics.alignment_error_rate(found, sure, possible), 4))
    return errors[0] if weights.ndim == 3 else errors


def by_length(rows, targets, batch):
    """[words of the source, rows, exact, BLEU] for each length of a source."""
    lengths, found = batch.source_mask.sum(axis=1), []
    for words in np.unique(lengths):
        own = np.flatnonzero(lengths == words)
        some = [rows[i] for i in own], [targets[i] for i in own]
        scores = round(exact(*some), 4), round(metrics.bleu(*some), 2)
        found.append([int(words), len(own), *scores])
    return found


def trained(plan, seed):
    """The parameters after the training, its CPU seconds, and a curve of what looks showed."""
    rng, check, model = np.random.default_rng(seed), plan.check(seed), plan.model
    params = model.init(rng, np.float32)
    batches = (b for b, _ in zip(plan.draw(rng, plan.batch), range(plan.updates), strict=False))
    start, curve, losses = time.process_time(), [], []
    update = optim.adam(rate_of(plan))
    for step in train.train(model, params, batches, update, clip=CLIP, rng=rng):
        losses.append(step.loss)
        if step.step % plan.look == 0:
            score = exact(written(model, step.params, check), wanted(check))
            seconds = time.process_time() - start
            loss = float(np.mean(losses[-plan.look :]))
            curve.append((step.step, round(seconds, 2), round(loss, 4), round(score, 4)))
    return step.params, seconds, curve


def trial(name, rate, seed):
    """How a model ends with another rate: its loss, and its share right of the rows to look at."""
    _, _, curve = trained(PLANS[name]._replace(rate=rate), seed)
    return trial_row(name, rate, seed, curve)


def trial_row(name, rate, seed, curve):
    _, _, loss, checked = curve[-1]
    return {"model": name, "rate": rate, "seed": seed, "loss": loss, "checked": checked}


def trials(results, kept):
    """Rows of all rates: from the runs themselves, from `kept`, and new ones."""
    rows = []
    for name in TRIED:
        for rate in RATES:
            runs = results[name]["runs"] if rate == PLANS[name].rate else []
            here = [trial_row(name, rate, run["seed"], run["curve"]) for run in runs]
            here = here or [row for row in kept if (row["model"], row["rate"]) == (name, rate)]
            rows += here or [trial(name, rate, seed) for seed in SEEDS]
            print(name, rate, [(row["loss"], row["checked"]) for row in rows[-3:]], flush=True)
    return rows


def run(name, seed):
    """A row of the record; the seconds are those of the training and of looking."""
    plan = PLANS[name]
    model, (params, seconds, curve) = plan.model, trained(plan, seed)
    batch = plan.test(seed)
    rows, targets = written(model, params, batch), wanted(batch)
    beam = written(model, params, batch, BEAM)
    found = {
        "seed": seed,
        "updates": plan.updates,
        "cpu_seconds": round(seconds, 2),
        "test": round(exact(rows, targets), 4),
        "test_beam": round(exact(beam, targets), 4),
    }
    if plan.target:
        found["reached"] = exact(rows, targets) >= plan.target
    if name.startswith("phrases"):
        found["bleu"] = round(metrics.bleu(rows, targets), 2)
        found["bleu_beam"] = round(metrics.bleu(beam, targets), 2)
        if hasattr(model, "weights"):
            found["alignment_error"] = alignment_error(model, params, batch)
        longer = phrases.batch(BEYOND)
        found["by_length"] = by_length(rows, targets, batch) + by_length(
            written(model, params, longer), wanted(longer), longer
        )
    return found | {"curve": curve}


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


def milliseconds():
    """CPU time of one update's forward and backward pass on 64 phrases, models in turns."""
    batch = next(text.minibatches_by_length(np.random.default_rng(0), ROWS, 64))
    passes = {}
    for name, plan in PLANS.items():
        if name.startswith("phrases"):
            params = plan.model.init(np.random.default_rng(0), np.float32)
            passes[name] = lambda m=plan.model, p=params: m.loss_and_grads(p, batch)
    seconds = record.interleaved(passes, repetitions=20)
    return {name: round(1000 * value, 2) for name, value in seconds.items()}


def described(plan):
    """Sizes and choices of a model, and of its training."""
    return {"model": plain(plan.model), "training": {key: getattr(plan, key) for key in KEPT}}


def plain(value):
    """A choice of a model as JSON can hold it."""
    if isinstance(value, ModuleType):
        return value.__name__.rsplit(".", 1)[-1]
    if hasattr(value, "name"):
        return value.name
    if hasattr(value, "_asdict"):
        choices = {key: plain(choice) for key, choice in value._asdict().items()}
        return {"kind": type(value).__name__} | choices
    return value


def table(results):
    """What chapter 10 compares, a line for each run."""
    print("task and model                seed  CPU s    exact     beam    BLEU   AER")
    for name, entry in results.items():
        for row in entry["runs"]:
            missed = "" if row.get("reached", True) else "  MISSED"
            bleu, error = row.get("bleu", ""), row.get("alignment_error", "")
            print(
                f"{name:30}{row['seed']:4}{row['cpu_seconds']:7.1f}{row['test']:9.4f}"
                f"{row['test_beam']:9.4f}{bleu:8}   {error}{missed}"
            )


def missing():
    """Add the trials that the record lacks."""
    old = record.stored("translation")
    results = old["results"]
    results["rates"] = trials(results, results.get("rates", []))
    record.write("translation", old["recipe"], results, added="trials of a rate twice as large")


def main():
    times = milliseconds()
    results = {name: {"target": plan.target} for name, plan in PLANS.items()}
    for name, plan in PLANS.items():
        results[name]["parameters"] = count(plan.model.init(np.random.default_rng(0)))
        if name in times:
            results[name]["ms_per_update"] = times[name]
    jobs = [(name, seed) for name in PLANS for seed in SEEDS]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        rows = pool.map(run, *zip(*jobs, strict=True))
        for (name, _), row in zip(jobs, rows, strict=True):
            results[name].setdefault("runs", []).append(row)
            print(name, {key: row[key] for key in row if key not in ("curve", "by_length")})
    table(results)
    results["alignment baselines"] = baselines()
    results["rates"] = trials(results, [])
    recipe = {"optimizer": "Adam, rate up and down in straight lines", "clip_norm": CLIP}
    recipe |= {"seeds": SEEDS, "beam": BEAM, "alpha": ALPHA, "dtype": "float32"}
    recipe |= {name: described(plan) for name, plan in PLANS.items()}
    recipe["phrases"] = (
        f"{len(TRAIN)} to train on, {len(CHECK)} to look at, {len(TEST)} of the test; of sources"
        f" longer than {phrases.LONGEST} words {len(BEYOND)} more"
    )
    recipe["dates"] = "drawn anew for every update; 300 to look at, 2000 of the test"
    record.write("translation", recipe, results)


if __name__ == "__main__":
    missing() if "--missing" in sys.argv[1:] else main()
