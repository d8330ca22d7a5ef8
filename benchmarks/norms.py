"""Norms after the sums and norms before them: gradients at the start, and training at three depths.

python benchmarks/norms.py      ten minutes; writes benchmarks/norms.json

Two experiments after Xiong et al., On layer normalization in the Transformer architecture, 2020, on
short English-French phrases.  (1) New Transformers of 2 to 16 layers: the norm of the gradient of
W_2 in the feed-forward network of every layer, with the weights drawn as in seqlib and as in the
paper (normal, variance 2 / (in + out), all biases 0).  (2) Transformers of 2, 4 and 8 layers, with
and without a warm-up of the learning rate, at two rates, without clipping: the loss at the end.
Beside it, what the same words cost who only counts them.
"""

import time
from collections import Counter

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, phrases, text, train
from seqlib.scratch.layer_stack import POST_NORM, PRE_NORM
from seqlib.scratch.models import Transformer

NORMS = (POST_NORM, PRE_NORM)
D, H, HEADS = 32, 128, 4
GRADIENTS = {"layers": (2, 4, 8, 16), "seeds": (0, 1, 2, 3, 4), "rows": 64}
TRAINING = {"layers": (2, 4, 8), "rates": (1e-3, 3e-3), "warm_up": (0, 100), "seeds": (0, 1, 2)}
UPDATES, LAST, BATCH = 400, 50, 32
LONGEST = 5  # words of a phrase
TRAIN, _ = phrases.corpus(train=3000, test=50, longest=LONGEST)
ROWS = phrases.batch(TRAIN)


def model_of(norms, layers):
    words = len(phrases.ENGLISH), len(phrases.FRENCH)
    return Transformer(*words, D=D, H=H, heads=HEADS, layers=layers, norms=norms)


def as_in_the_paper(rng, params):
    """Matrices of the layers drawn anew, after Glorot and Bengio (2010); biases 0."""
    new = dict(params)
    for name, value in params.items():
        if name.rpartition(".")[2] in ("b_1", "b_2"):
            new[name] = np.zeros_like(value)
        elif ".W_" in name:
            new[name] = rng.standard_normal(value.shape) * (2 / sum(value.shape)) ** 0.5
    return new


def gradient_norms(norms, layers, seed, redraw):
    """Of dW_2 in every layer of the encoder, and of the decoder."""
    rng, model = np.random.default_rng(seed), model_of(norms, layers)
    params = redraw(rng, model.init(rng))
    batch = phrases.batch(phrases.different(rng, GRADIENTS["rows"], LONGEST))
    _, grads, _ = model.loss_and_grads(params, batch)
    return [
        [float(np.linalg.norm(grads[f"{half}.{i}.feed_forward.W_2"])) for i in range(layers)]
        for half in ("encoder", "decoder")
    ]


def gradients():
    rows = []
    for start, redraw in {"seqlib": lambda rng, p: p, "paper": as_in_the_paper}.items():
        for layers in GRADIENTS["layers"]:
            for norms in NORMS:
                runs = [gradient_norms(norms, layers, s, redraw) for s in GRADIENTS["seeds"]]
                middle = np.median(runs, axis=0).round(5).tolist()
                row = {"weights": start, "layers": layers, "norms": norms.name}
                row |= dict(zip(("encoder", "decoder"), middle, strict=True))
                rows.append(row | {"last": [round(run[1][-1], 5) for run in runs]})
                print(start, layers, norms.name, [middle[1][0], middle[1][-1]], flush=True)
    return rows


def entropy(ids):
    """Of the frequencies of ids, in nats."""
    p = np.array(list(Counter(ids.tolist()).values())) / len(ids)
    return float(-(p * np.log(p)).sum())


def yardsticks():
    """Nats for each French word, END included, without a look at anything but its place."""
    ids, places = ROWS.targets[ROWS.mask], np.nonzero(ROWS.mask)[1]
    by_place = [(places == t).mean() * entropy(ids[places == t]) for t in np.unique(places)]
    return {
        "uniform": round(float(np.log(len(phrases.FRENCH))), 4),
        "words": round(entropy(ids), 4),
        "words by place": round(float(sum(by_place)), 4),
    }


def drawn(rng):
    while True:
        yield from text.minibatches_by_length(rng, ROWS, BATCH)


def loss_at_the_end(norms, layers, rate, warm_up, seed):
    """The mean over the last updates, and the CPU seconds of all."""
    rng, model = np.random.default_rng(seed), model_of(norms, layers)
    params = model.init(rng, np.float32)
    batches = (batch for batch, _ in zip(drawn(rng), range(UPDATES), strict=False))
    update = optim.adam(optim.warm_up(rate, warm_up) if warm_up else rate)
    start = time.process_time()
    losses = [step.loss for step in train.train(model, params, batches, update)]
    return float(np.mean(losses[-LAST:])), time.process_time() - start


def training():
    rows = []
    for layers in TRAINING["layers"]:
        for rate in TRAINING["rates"]:
            for norms in NORMS:
                for warm_up in TRAINING["warm_up"]:
                    args = norms, layers, rate, warm_up
                    runs = [loss_at_the_end(*args, seed) for seed in TRAINING["seeds"]]
                    row = {"layers": layers, "rate": rate, "norms": norms.name, "warm_up": warm_up}
                    row["loss"] = [round(loss, 4) for loss, _ in runs]
                    row["cpu_seconds"] = round(sum(seconds for _, seconds in runs), 1)
                    rows.append(row)
                    print(*row.values(), flush=True)
    return rows


def main():
    results = {"yardsticks": yardsticks(), "gradients": gradients(), "training": training()}
    recipe = {
        "task": f"phrases of at most {LONGEST} words, {len(TRAIN)} to train on",
        "model": {"D": D, "H": H, "heads": HEADS, "positions": "sinusoidal", "tied": True},
        "yardsticks": "entropy of the French words that are trained on, in nats",
        "gradients": {**GRADIENTS, "loss": "of a new model on one batch", "dtype": "float64"},
        "training": {
            **TRAINING,
            "optimizer": "Adam, rate up in a straight line over the warm-up, then level; no clip",
            "updates": UPDATES,
            "batch": BATCH,
            "loss": f"mean of the last {LAST} updates",
            "dtype": "float32",
        },
    }
    record.write("norms", recipe, results)


if __name__ == "__main__":
    main()
