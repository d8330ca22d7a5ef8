"""What the GRU's gates are for: gates held, a latch from four update biases, and Reber strings.

python benchmarks/gru.py             ten minutes; writes benchmarks/gru.json
python benchmarks/gru.py --missing   only the models that the record does not have yet

Three experiments, each over several seeds and two learning rates.  (1) The adding problem over 50
steps and embedded Reber strings, by GRUs with gates held at a number, one of them with a reset gate
that starts nearly open.  (2) The latch task with a delay of 100 steps, from four biases of the
update gate.  (3) Reber strings, of the usual length and of twice that, by RNN, LSTM and both GRUs.
"""

import sys
from typing import Any, NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, tasks, train
from seqlib.scratch import gru, gru_reset_before, losses, lstm, models, ops, rnn

SEEDS, RATES = (0, 1, 2), (3e-3, 1e-2)
B, CLIP, EVERY = 32, 1.0, 25
CHECKING, TEST = 500, 1000  # sequences
CELLS = {"RNN": rnn, "LSTM": lstm, "GRU": gru, "GRU, reset before": gru_reset_before}
ADDING = {"length": 50, "H": 32, "updates": 1500, "solved": 0.01}
LATCH = {"biases": (0.0, 1.0, 3.0, 5.0), "delay": 100, "noise": 0.2, "H": 32, "updates": 1000}
REBER = {"D": 7, "H": 32, "updates": 1500, "again": (0.5, 0.9), "illegal": 0.1, "solved": 0.99}


class Variant(NamedTuple):
    """The GRU with gates held at a number, or with a number added to the bias of a gate."""

    hold: Any = None
    update_bias: float = 0.0
    reset_bias: float = 0.0

    def init(self, rng, D, H, dtype=np.float64):
        params = gru.init(rng, D, H, dtype)
        params["b_x"][:H] += self.reset_bias
        params["b_x"][H : 2 * H] += self.update_bias
        return params

    def forward(self, params, x, state=None, mask=None):
        return gru.forward(params, x, state, mask, self.hold)

    def backward(self, dh, dstate_T, cache):
        return gru.backward(dh, dstate_T, cache)


HELD = {
    "full": Variant({}),
    "r = 1": Variant({"r": 1.0}),
    "r = 0": Variant({"r": 0.0}),
    "z = 0": Variant({"z": 0.0}),
    "z = 0, r bias + 3": Variant({"z": 0.0}, reset_bias=3.0),
    "z = 0.9": Variant({"z": 0.9}),
    "r = 1, z = 0": Variant({"r": 1.0, "z": 0.0}),
}


class Task(NamedTuple):
    draw: Any  # function (rng, B) -> batch
    score: Any  # function (model, params, batch) -> float
    solved: Any  # function (score) -> bool
    updates: int  # at most


def adding_error(model, params, batch):
    """The mean squared error of the sums."""
    return losses.squared_error_forward(model.answers(params, batch.inputs), batch.targets)[0]


def bits_right(model, params, batch):
    """The share of latched bits that are right."""
    return (model.logits(params, batch.inputs).argmax(axis=1) == batch.targets).mean()


def legal_share(model, params, batch):
    """The share of strings at no place of which 10 % or more go to symbols that cannot follow."""
    p = ops.softmax(model.logits(params, batch.inputs, None, batch.mask)[0])
    illegal = np.where(batch.legal, 0, p).sum(axis=-1)
    return ((illegal < REBER["illegal"]) | ~batch.mask).all(axis=1).mean()


TASKS = {
    "adding": Task(
        lambda rng, count: tasks.adding(rng, count, ADDING["length"], np.float32),
        adding_error,
        lambda error: error < ADDING["solved"],
        ADDING["updates"],
    ),
    "latch": Task(
        lambda rng, count: tasks.latch(rng, count, LATCH["delay"], LATCH["noise"], np.float32),
        bits_right,
        lambda share: share >= 0.99,
        LATCH["updates"],
    ),
} | {
    f"reber {again}": Task(
        lambda rng, count, again=again: tasks.reber(rng, count, again),
        legal_share,
        lambda share: share >= REBER["solved"],
        REBER["updates"],
    )
    for again in REBER["again"]
}


def model_for(task, cell):
    if task == "adding":
        return models.SeriesRegressor(2, ADDING["H"], 1, cell)
    if task == "latch":
        return models.SeriesClassifier(1, LATCH["H"], 2, cell)
    return models.LanguageModel(7, REBER["D"], REBER["H"], cell)


def trained(name, cell, rate, seed):
    """Train until a check is passed, or for the task's updates; the score is of a fresh test."""
    task, model = TASKS[name], model_for(name, cell)
    rng, check, test = (np.random.default_rng((part, seed)) for part in range(3))
    params, check = model.init(rng, np.float32), task.draw(check, CHECKING)
    batches, solved = (task.draw(rng, B) for _ in range(task.updates)), False
    for step in train.train(model, params, batches, optim.adam(rate), clip=CLIP):
        if step.step % EVERY == 0:
            solved = bool(task.solved(task.score(model, step.params, check)))
            if solved:
                break
    score = float(task.score(model, step.params, task.draw(test, TEST)))
    return {
        "task": name,
        "rate": rate,
        "seed": seed,
        "updates": step.step,
        "solved": solved,
        "score": round(score, 4),
    }


def rows_of(title, name, cell, kept):
    """One line of the record for each rate and seed, and a printed summary.

    kept  rows of an earlier run; those of this model and task are taken over
    """
    rows = [row for row in kept if (row["model"], row["task"]) == (title, name)]
    rows = rows or [
        {"model": title, **trained(name, cell, rate, seed)} for rate in RATES for seed in SEEDS
    ]
    for rate in RATES:
        here = [row for row in rows if row["rate"] == rate]
        updates = ", ".join(str(row["updates"]) for row in here)
        print(
            f"{name:12}{title:20}{rate:7}{np.median([row['score'] for row in here]):10.4f}"
            f"{sum(row['solved'] for row in here):4} of {len(here)}   {updates}",
            flush=True,
        )
    return rows


def main(missing):
    old = record.stored("gru")["results"] if missing else {"held": [], "latch": [], "reber": []}
    held, latch, reber = [], [], []
    print("task        model                  rate     score   solved   updates")
    for task in ("adding", f"reber {REBER['again'][0]}"):
        for title, cell in HELD.items():
            held += rows_of(title, task, cell, old["held"])
    for bias in LATCH["biases"]:
        rows = rows_of(f"bias {bias:g}", "latch", Variant(None, bias), old["latch"])
        latch += [{**row, "bias": bias} for row in rows]
    for again in REBER["again"]:
        for title, cell in CELLS.items():
            rows = rows_of(title, f"reber {again}", cell, old["reber"])
            reber += [{**row, "again": again} for row in rows]
    recipe = {
        "optimizer": {"name": "adam", "rates": RATES, "clip_norm": CLIP},
        "batch": B,
        "adding": {**ADDING, "score": "mean squared error"},
        "latch": {**LATCH, "score": "share of bits that are right"},
        "reber": {
            **REBER,
            "score": f"share of strings with less than {REBER['illegal']} on impossible symbols",
        },
        "stop": f"once {CHECKING} fresh sequences are solved, at a check every {EVERY} updates",
        "test": TEST,
        "seeds": SEEDS,
        "dtype": "float32",
    }
    results = {"held": held, "latch": latch, "reber": reber}
    had = {row["model"] for rows in old.values() for row in rows}
    new = dict.fromkeys(row["model"] for rows in results.values() for row in rows)
    added = "the rows of " + "; ".join(name for name in new if name not in had)
    record.write("gru", recipe, results, added=added if missing else None)


if __name__ == "__main__":
    main(missing="--missing" in sys.argv[1:])
