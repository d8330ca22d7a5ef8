"""Two-layer Transformers, learned in NumPy: dates, and English phrases into French.

python benchmarks/transformer.py      about seven minutes; writes benchmarks/transformer.json

The tasks, the tests and the form of the runs are those of translation.py, so that the two records
can be compared: a fixed number of updates, a learning rate that rises and then falls to zero, looks
at rows that are neither trained on nor tested, and one test at the end.
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import time

import numpy as np
import translation
from translation import ALPHA, BEAM, CLIP, DATES, SEEDS, TEST, WORDS, Plan, exact, wanted, written

from seqlib import metrics, optim, phrases, tasks, train
from seqlib.scratch.models import Transformer
from seqlib.scratch.params import count

PLANS = {
    "dates": Plan(
        model=Transformer(*DATES, D=64, H=128, heads=4, layers=2),
        draw=translation.draw_dates,
        check=lambda seed: tasks.dates(np.random.default_rng((1, seed)), 300),
        test=lambda seed: tasks.dates(np.random.default_rng((2, seed)), 2000),
        batch=64,
        rate=4e-3,
        warm_up=100,
        updates=850,
        look=170,
        target=0.99,
    ),
    "phrases": Plan(
        model=Transformer(*WORDS, D=64, H=256, heads=4, layers=2),
        draw=translation.draw_phrases,
        check=lambda seed: phrases.batch(translation.CHECK),
        test=lambda seed: phrases.batch(TEST),
        batch=64,
        rate=3e-3,
        warm_up=200,
        updates=2800,
        look=400,
        target=0.95,
    ),
}


def alignment_errors(model, params, batch):
    """Of the strongest weights of each layer, their mean over heads; the right words written."""
    sure, possible = phrases.links(TEST)
    errors = []
    for layer in range(model.layers):
        weights = model.weights(params, batch)[:, layer, :, :-1].mean(axis=1)  # END has no link
        found = metrics.strongest(weights, batch.source_mask, batch.mask[:, 1:])
        errors.append(round(metrics.alignment_error_rate(found, sure, possible), 4))
    return errors


def trained(plan, name, seed):
    """A row of the record; the seconds are those of the training and of looking."""
    rng, check, model = np.random.default_rng(seed), plan.check(seed), plan.model
    params = model.init(rng, np.float32)
    batches = (b for b, _ in zip(plan.draw(rng, plan.batch), range(plan.updates), strict=False))
    start, curve, losses = time.process_time(), [], []
    update = optim.adam(translation.rate_of(plan))
    for step in train.train(model, params, batches, update, clip=CLIP, rng=rng):
        losses.append(step.loss)
        if step.step % plan.look == 0:
            score = exact(written(model, step.params, check), wanted(check))
            seconds = time.process_time() - start
            loss = float(np.mean(losses[-plan.look :]))
            curve.append((step.step, round(seconds, 2), round(loss, 4), round(score, 4)))
            print(name, seed, *curve[-1], flush=True)
    params, batch = step.params, plan.test(seed)
    rows, targets = written(model, params, batch), wanted(batch)
    beam = written(model, params, batch, BEAM)
    found = {
        "seed": seed,
        "updates": step.step,
        "cpu_seconds": round(seconds, 2),
        "test": round(exact(rows, targets), 4),
        "test_beam": round(exact(beam, targets), 4),
        "reached": exact(rows, targets) >= plan.target,
        "curve": curve,
    }
    if name == "phrases":
        found["bleu"] = round(metrics.bleu(rows, targets), 2)
        found["alignment_error_by_layer"] = alignment_errors(model, params, batch)
    return found


def main():
    recipe = {"optimizer": "Adam, rate up and down in straight lines", "clip_norm": CLIP}
    recipe |= {"seeds": SEEDS, "beam": BEAM, "alpha": ALPHA, "dtype": "float32"}
    recipe["data"] = {
        "dates": "drawn anew for every update; 300 to look at, 2000 of the test",
        "phrases": f"{len(translation.TRAIN)} to train on, {len(translation.CHECK)} to look at,"
        f" {len(TEST)} of the test",
    }
    results = {}
    for name, plan in PLANS.items():
        rows = []
        for seed in SEEDS:
            row = trained(plan, name, seed)
            rows.append(row)
            print(name, {key: value for key, value in row.items() if key != "curve"}, flush=True)
        model = plan.model
        size = count(model.init(np.random.default_rng(0)))
        results[name] = {"target": plan.target, "parameters": size, "runs": rows}
        kept = ("batch", "rate", "warm_up", "updates", "look")
        sizes = {key: getattr(model, key) for key in ("D", "H", "heads", "layers")}
        sizes |= {"norms": model.norms.name, "positions": model.positions.name}
        sizes |= {"tied": model.tied, "dropout": model.rate, "smoothing": model.smoothing}
        recipe[name] = sizes | {key: getattr(plan, key) for key in kept}
        record.write("transformer", recipe, results)


if __name__ == "__main__":
    main()
