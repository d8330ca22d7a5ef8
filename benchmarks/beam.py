"""Wider and wider beams: what is found, and how good it is.

python benchmarks/beam.py      about five minutes; writes benchmarks/beam.json

Cho's model learns English phrases of at most 12 words, for a short time, so that it is often
unsure.  Then it translates phrases of lengths that it has learned and longer ones, by beams of
several widths that compare log-probabilities (alpha 0) or their means per word (alpha 1).
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import decode, metrics, optim, phrases, text, train
from seqlib.scratch import ops
from seqlib.scratch.cho import Cho

SEEDS, WIDTHS, ALPHAS = (0, 1, 2), (1, 2, 4, 8, 16, 64), (0.0, 1.0)
B, UPDATES, WARM_UP, RATE, CLIP = 64, 800, 50, 5e-3, 1.0
TEST, LONG = 200, (14, 24)  # phrases of each test; English words of the longer ones
LONGEST = 40  # words that a translation may have
MODEL = Cho(len(phrases.ENGLISH), len(phrases.FRENCH), 48, 96)


def rate(k):
    """A line up, and a line down to zero after the last update."""
    return RATE * min(k / WARM_UP, (UPDATES + 1 - k) / (UPDATES + 1 - WARM_UP))


def trained(rows, seed):
    rng = np.random.default_rng(seed)

    def batches():
        while True:
            yield from text.minibatches_by_length(rng, rows, B)

    params = MODEL.init(rng, np.float32)
    steps = train.train(MODEL, params, batches(), optim.adam(rate), clip=CLIP)
    return next(step.params for step in steps if step.step == UPDATES)


def reference(params, batch):
    """The log-probability of each right translation."""
    log_p = ops.log_softmax(MODEL.logits(params, batch).astype(np.float64))
    picked = np.take_along_axis(log_p, batch.targets[..., None], axis=-1)[..., 0]
    return (picked * batch.mask).sum(axis=1)


def searched(params, batch, width, alpha, gold):
    """What a beam of one width finds, as numbers."""
    first = np.full(len(batch.source), text.START)
    state = MODEL.start(params, batch.source, batch.source_mask)
    limits = {"max_length": LONGEST, "end": text.END}
    found = decode.beam_search(MODEL, params, first, state, width=width, alpha=alpha, **limits)
    rows = [row[row != text.END].tolist() for row in found.ids]
    wanted = [row[mask][:-1].tolist() for row, mask in zip(batch.targets, batch.mask, strict=True)]
    right = [row == target for row, target in zip(rows, wanted, strict=True)]
    return {
        "log_probability": round(float(found.log_probability.mean()), 3),
        "bleu": round(metrics.bleu(rows, wanted), 2),
        "exact": round(float(np.mean(right)), 4),
        "length": round(sum(map(len, rows)) / sum(map(len, wanted)), 4),
        "missed": round(float(np.mean(gold > found.log_probability + 1e-4)), 4),
    }


def main():
    train_pairs, test_pairs = phrases.corpus()
    least, most = LONG
    longer = phrases.different(np.random.default_rng(7), 3000, most)
    longer = [found for found in longer if len(found.english) >= least][:TEST]
    tests = {
        "trained lengths": phrases.batch(test_pairs[:TEST]),
        "longer": phrases.batch(longer),
    }
    rows, pairs = [], phrases.batch(train_pairs)
    print("test             seed alpha width   log p   BLEU  exact  length  missed")
    for seed in SEEDS:
        params = trained(pairs, seed)
        for name, batch in tests.items():
            gold = reference(params, batch)
            for alpha in ALPHAS:
                for width in WIDTHS:
                    found = searched(params, batch, width, alpha, gold)
                    row = {"test": name, "seed": seed, "alpha": alpha, "width": width} | found
                    rows.append(row)
                    print(
                        "{test:16}{seed:5}{alpha:6}{width:6}{log_probability:8.2f}{bleu:7.2f}"
                        "{exact:7.3f}{length:8.3f}{missed:8.3f}".format(**row),
                        flush=True,
                    )
    recipe = {
        "model": {"name": "Cho", "cell": "gru", "D": MODEL.D, "H": MODEL.H},
        "optimizer": "Adam, rate up and down in straight lines",
        "rate": RATE,
        "warm_up": WARM_UP,
        "clip_norm": CLIP,
        "batch": B,
        "updates": UPDATES,
        "test": TEST,
        "widths": WIDTHS,
        "alphas": ALPHAS,
        "words of the longer phrases": LONG,
        "missed": "share of phrases whose right translation the model holds likelier",
        "dtype": "float32",
    }
    record.write("beam", recipe, {"runs": rows})


if __name__ == "__main__":
    main()
