"""Learning to latch: one bit at the first step, read after a delay, and what helps to learn it.

python benchmarks/latching.py      about ten minutes; writes benchmarks/latching.json

A tanh RNN of the default start learns the task at several delays, with four recipes.  Where it
fails, the remedies of chapter 4 are tried on the same task with the same recipes; and once more
with noise as large as the bit.
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from seqlib import guessing, omega, optim, spectra, tasks, train
from seqlib.scratch import linear, losses, lstm, rnn, series, skip
from seqlib.scratch.models import SeriesClassifier

DELAYS = (5, 10, 15, 20, 30, 50, 100, 200)
REMEDY_DELAYS = (30, 100)
HARD_DELAY, HARD_NOISE = 100, 1.0
RECIPES = {"SGD 0.1": (optim.sgd, 0.1), "SGD 1": (optim.sgd, 1.0),
           "Adam 0.001": (optim.adam, 1e-3), "Adam 0.01": (optim.adam, 1e-2)}  # fmt: skip
SEEDS = (0, 1, 2, 3, 4)
H, B, NOISE = 32, 32, 0.1
UPDATES, CHECK, TEST = 1000, 50, 500
SOLVED = 0.95
CLIP, CLIP_VALUE, OMEGA_WEIGHT, REACH, FORGET_BIAS = 1.0, 0.1, 1.0, 10, 5.0
GUESS_DELAYS, GUESS_RUNS = (10, 100, 500), 20
CONTROL_DELAY, CONTROL_UPDATES = 100, 300

RELU = SimpleNamespace(
    init=rnn.init, forward=partial(rnn.forward, activation="relu"), backward=rnn.backward
)
GATED = SimpleNamespace(
    init=partial(lstm.init, forget_bias=FORGET_BIAS), forward=lstm.forward, backward=lstm.backward
)


class Regularized(NamedTuple):
    """A classifier over an RNN, to whose loss Omega is added."""

    model: SeriesClassifier
    weight: float

    def loss_and_grads(self, params, batch, state=None, rng=None):
        logits, state_T, cache = series.forward(self.model, params, batch.inputs, state, batch.mask)
        loss, compared = losses.cross_entropy_forward(logits, batch.targets)
        dlogits = losses.cross_entropy_backward(compared)
        grads = series.backward(self.model, dlogits, cache)
        _, ran, read = cache
        value, kept = omega.forward(None, linear.backward(dlogits, read)[0], ran)
        weight = grads["cell.W_hh"].dtype.type(self.weight)
        more = weight * omega.backward(kept)["W_hh"]
        total = {**grads, "cell.W_hh": grads["cell.W_hh"] + more}
        return loss + self.weight * value, total, state_T


class Remedy(NamedTuple):
    """What is changed against the plain network."""

    cell: Any = rnn
    W_hh: str | None = None  # "orthogonal" or "identity" instead of the default; then b_h is 0
    clip: float | None = None
    clip_value: float | None = None
    omega: float | None = None


REMEDIES = {
    "none": Remedy(),
    "clipping by norm": Remedy(clip=CLIP),
    "clipping by value": Remedy(clip_value=CLIP_VALUE),
    "orthogonal start": Remedy(W_hh="orthogonal", clip=CLIP),
    "identity start": Remedy(W_hh="identity", clip=CLIP),
    "identity start, relu": Remedy(cell=RELU, W_hh="identity", clip=CLIP),
    "Omega": Remedy(omega=OMEGA_WEIGHT, clip=CLIP),
    "skip connections": Remedy(cell=skip.SkipRNN(REACH), clip=CLIP),
    "gates": Remedy(cell=GATED, clip=CLIP),
}


def start(remedy, model, rng):
    params = model.init(rng, np.float32)
    if remedy.W_hh is None:
        return params
    W_hh = np.eye(H) if remedy.W_hh == "identity" else orthogonal(rng)
    zeros = np.zeros(H, np.float32)
    return {**params, "cell.W_hh": W_hh.astype(np.float32), "cell.b_h": zeros}


def orthogonal(rng):
    """An orthogonal matrix (H, H), all of them equally likely."""
    Q, R = np.linalg.qr(rng.standard_normal((H, H)))
    return Q * np.sign(np.diagonal(R))


def update_of(remedy, recipe):
    """The recipe's update, after the gradient's entries have been cut, if the remedy does that."""
    optimizer, rate = RECIPES[recipe]
    update = optimizer(rate)
    if remedy.clip_value is None:
        return update
    cut = partial(optim.clip_by_value, limit=remedy.clip_value)
    return lambda params, grads, memory: update(params, cut(grads), memory)


def batches(rng, delay, noise, updates, shuffled):
    for _ in range(updates):
        batch = tasks.latch(rng, B, delay, noise, np.float32)
        yield batch._replace(targets=rng.integers(0, 2, B)) if shuffled else batch


def trained(name, recipe, delay, seed, noise=NOISE, updates=UPDATES, shuffled=False):
    """Train until solved, or for so many updates; a row of the record.

    Solved: at a check every CHECK updates, SOLVED of TEST fresh sequences are right.
    shuffled  give each sequence a random target, which has nothing to do with its bit
    """
    remedy, rng = REMEDIES[name], np.random.default_rng(seed)
    model = SeriesClassifier(1, H, 2, remedy.cell)
    params = start(remedy, model, rng)
    test = tasks.latch(np.random.default_rng((1, seed)), TEST, delay, noise, np.float32)
    taught = Regularized(model, remedy.omega) if remedy.omega else model
    steps = train.train(taught, params, batches(rng, delay, noise, updates, shuffled),
                        update_of(remedy, recipe), clip=remedy.clip)  # fmt: skip
    right, finite = 0.5, True
    try:
        for step in steps:
            params = step.params
            if step.step % CHECK == 0:
                answers = model.logits(params, test.inputs).argmax(axis=1)
                right = float((answers == test.targets).mean())
                if right >= SOLVED and not shuffled:
                    break
    except ValueError:  # train's: the loss or the gradient is not finite
        finite = False
    row = {"recipe": recipe, "delay": delay, "seed": seed, "updates": step.step}
    row |= {"accuracy": right, "solved": finite and right >= SOLVED, "finite": finite}
    if "cell.W_hh" in params and finite:
        row["radius"] = float(spectra.spectral_radius(params["cell.W_hh"][None])[0])
    return row


def show(title, rows):
    """Print the seeds solved by delay and recipe."""
    delays = sorted({row["delay"] for row in rows})
    print(f"\n{title}\n{'':12}" + "".join(f"{delay:>7}" for delay in delays))
    for recipe in RECIPES:
        here = [[r["solved"] for r in rows if (r["recipe"], r["delay"]) == (recipe, delay)]
                for delay in delays]  # fmt: skip
        if here[0]:
            print(f"{recipe:12}" + "".join(f"{sum(s):>4}/{len(s)}" for s in here), flush=True)


def main():
    runs = [(recipe, seed) for recipe in RECIPES for seed in SEEDS]
    results = {"chance": tasks.LATCH_BASELINE, "remedies": {}, "hard": {}}

    rows = [trained("none", recipe, delay, seed) for delay in DELAYS for recipe, seed in runs]
    show("plain", rows)
    results["plain"] = rows

    results["remedies"]["none"] = [row for row in rows if row["delay"] in REMEDY_DELAYS]
    for name in list(REMEDIES)[1:]:
        rows = [
            trained(name, recipe, delay, seed) for delay in REMEDY_DELAYS for recipe, seed in runs
        ]
        show(name, rows)
        results["remedies"][name] = rows
    for name in REMEDIES:
        rows = [trained(name, recipe, HARD_DELAY, seed, HARD_NOISE) for recipe, seed in runs]
        show(f"{name}, noise {HARD_NOISE}", rows)
        results["hard"][name] = rows

    results["random_targets"] = [
        trained("none", recipe, CONTROL_DELAY, seed, NOISE, CONTROL_UPDATES, shuffled=True)
        for recipe, seed in runs
    ]
    results["guessing"] = {}
    for delay in GUESS_DELAYS:
        found = []
        for seed in range(GUESS_RUNS):
            rng = np.random.default_rng(seed)
            found.append(guessing.guess(rng, tasks.latch(rng, 100, delay)).guesses)
        results["guessing"][str(delay)] = found
        print(f"guesses at delay {delay}: median {np.median(found)}, most {max(found)}")

    recipe = {
        "task": f"tasks.latch with noise of standard deviation {NOISE} after the bit",
        "model": {"H": H, "dtype": "float32"},
        "recipes": list(RECIPES),
        "batch": B,
        "updates": UPDATES,
        "stop": f"once solved, at a check every {CHECK} updates",
        "solved": f"{SOLVED} right of {TEST} fresh sequences",
        "remedies": {
            "clip": CLIP,
            "clip_value": CLIP_VALUE,
            "omega_weight": OMEGA_WEIGHT,
            "reach": REACH,
            "gates": f"LSTM, forget bias {FORGET_BIAS}",
            "clipped by norm": [name for name, remedy in REMEDIES.items() if remedy.clip],
        },
        "hard": {"delay": HARD_DELAY, "noise": HARD_NOISE},
        "random_targets": {"delay": CONTROL_DELAY, "updates": CONTROL_UPDATES},
        "guessing": "one tanh unit, weights and bias uniform in [-10, 10], no noise, 99 % of 100",
        "seeds": SEEDS,
    }
    record.write("latching", recipe, results)


if __name__ == "__main__":
    main()
