"""Read forward or backward; and what of each symbol a linear map finds in the encoder's last state.

python benchmarks/source_order.py      about two minutes; writes benchmarks/source_order.json

An LSTM reads a row of symbols and an LSTM writes it backwards.  Read as it stands, the row ends
with the symbol that is written first; read from its end, it begins with it.  (To write the row in
the order in which it stands is the same task with the readings exchanged.)  A linear probe for each
place of the row is fitted on the encoder's last state, h and c side by side, of the trained model
and of the model before its training.
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, probe, tasks, text, train
from seqlib.scratch import lstm
from seqlib.scratch.seq2seq import Sutskever
from seqlib.scratch.state import as_rows

SEEDS, K, B, UPDATES, EVERY = (0, 1, 2, 3, 4), 8, 64, 1500, 250
LEAST, MOST, LENGTHS = 4, 10, (2, 4, 6, 8, 10, 12, 14)
WARM_UP, RATE, CLIP = 50, 5e-3, 1.0
TEST, FIT = 500, 1500  # rows of each length to test, and to fit a probe or to score it
FIRST = len(text.SPECIALS)


def rate(k):
    """A line up, and a line down to zero after the last update."""
    return RATE * min(k / WARM_UP, (UPDATES + 1 - k) / (UPDATES + 1 - WARM_UP))


def hits(model, params, batch):
    """Where the likeliest symbol is right, after the right symbols."""
    return model.logits(params, batch).argmax(axis=-1) == batch.targets


def exact(model, params, batch):
    """The share of rows written without a mistake, which teacher forcing does not change."""
    return round(float((hits(model, params, batch) | ~batch.mask).all(axis=1).mean()), 4)


def probed(model, params, seed):
    """For each place of rows of MOST symbols, the share that a linear probe names right."""
    fit, test = (
        tasks.reversal(np.random.default_rng((part, seed)), FIT, MOST, MOST, K).source
        for part in (2, 3)
    )
    x, x_test = (as_rows(model.start(params, source)) for source in (fit, test))
    found = []
    for place in range(MOST):
        weights = probe.fit(x, fit[:, place] - FIRST, K)
        found.append(round(probe.accuracy(weights, x_test, test[:, place] - FIRST), 4))
    return found


def trained(backward, seed):
    """A row of the record."""
    model, rng = (
        Sutskever(K + FIRST, K + FIRST, 16, 64, lstm, backward),
        np.random.default_rng(seed),
    )
    start = params = model.init(rng, np.float32)
    tests = {n: tasks.reversal(np.random.default_rng((1, n)), TEST, n, n, K) for n in LENGTHS}
    batches = (tasks.reversal(rng, B, MOST, LEAST, K) for _ in range(UPDATES))
    curve = []
    for step in train.train(model, params, batches, optim.adam(rate), clip=CLIP):
        if step.step % EVERY == 0:
            curve.append((step.step, exact(model, step.params, tests[MOST])))
    long = tests[MOST]
    by_place = hits(model, step.params, long)[:, :MOST].mean(axis=0)
    return {
        "backward": backward,
        "seed": seed,
        "curve": curve,
        "by_length": [(n, exact(model, step.params, test)) for n, test in tests.items()],
        # of the symbol at each place of the source; it is written at MOST - 1 - place
        "written": [round(float(share), 4) for share in by_place[::-1]],
        "probe": probed(model, step.params, seed),
        "probe_untrained": probed(model, start, seed),
    }


def main():
    rows = []
    print("read      seed   exact by length", *LENGTHS)
    for backward in (False, True):
        for seed in SEEDS:
            rows.append(trained(backward, seed))
            scores = "".join(f"{score:7.3f}" for _, score in rows[-1]["by_length"])
            print(f"{'backward' if backward else 'forward':8}{seed:6}{scores}", flush=True)
            print("    probe    ", *rows[-1]["probe"])
            print("    untrained", *rows[-1]["probe_untrained"], flush=True)
    recipe = {
        "task": "write a row backwards",
        "model": {"name": "Sutskever", "cell": "lstm", "D": 16, "H": 64, "K": K},
        "optimizer": "Adam, rate up and down in straight lines",
        "rate": RATE,
        "warm_up": WARM_UP,
        "clip_norm": CLIP,
        "batch": B,
        "updates": UPDATES,
        "trained": (LEAST, MOST),
        "test": TEST,
        "probe": f"logistic regression on {FIT} states, scored on {FIT} others",
        "dtype": "float32",
    }
    record.write("source_order", recipe, {"runs": rows})


if __name__ == "__main__":
    main()
