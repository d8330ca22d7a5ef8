"""Two tasks with a long memory, learned in NumPy: how many updates and CPU seconds they take.

python benchmarks/training.py      half a minute; writes benchmarks/training.json

A GRU on the adding problem over 100 steps, and an LSTM on the embedded Reber grammar.  A run ends
when fresh sequences of the check are answered well enough; the score is that of a test drawn anew.
"""

import time
from typing import NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, tasks, train
from seqlib.scratch import gru, losses, lstm, models, ops

SEEDS = (0, 1, 2)
CLIP = 1.0


def adding_error(model, params, batch):
    """The mean squared error of a batch of the adding problem."""
    y = model.answers(params, batch.inputs)
    return losses.squared_error_forward(y, batch.targets)[0]


def legal_share(model, params, batch):
    """The share of strings at no place of which 10 % or more go to symbols that cannot follow."""
    p = ops.softmax(model.logits(params, batch.inputs, None, batch.mask)[0])
    illegal = np.where(batch.legal, 0, p).sum(axis=-1)
    return float(((illegal < ILLEGAL) | ~batch.mask).all(axis=1).mean())


class Plan(NamedTuple):
    model: object
    draw: object  # function (rng, B) -> batch
    score: object  # function (model, params, batch) -> float
    target: float
    above: bool  # whether a score has to be above the target or below
    baseline: float  # the score without memory
    H: int
    batch: int
    rate: float
    updates: int  # at most
    check: int  # updates between two looks
    checking: int  # sequences of the check
    test: int  # sequences of the test

    def reached(self, score):
        return score >= self.target if self.above else score < self.target


ILLEGAL, STEPS, SYMBOLS = 0.1, 100, 7
PLANS = {
    "gru on adding": Plan(
        model=models.SeriesRegressor(2, 64, 1, gru),
        draw=lambda rng, B: tasks.adding(rng, B, STEPS, np.float32),
        score=adding_error,
        target=0.01,
        above=False,
        baseline=tasks.ADDING_BASELINE,
        H=64,
        batch=64,
        rate=5e-3,
        updates=2000,
        check=25,
        checking=500,
        test=2000,
    ),
    "lstm on embedded reber": Plan(
        model=models.LanguageModel(SYMBOLS, SYMBOLS, 32, lstm),
        draw=tasks.reber,
        score=legal_share,
        target=0.99,
        above=True,
        baseline=0.0,  # who has lost the second symbol gives half to the wrong one at the end
        H=32,
        batch=32,
        rate=1e-2,
        updates=2000,
        check=25,
        checking=500,
        test=2000,
    ),
}


def trained(plan, seed):
    """Train until the check is passed, or for plan.updates: a row of the record.

    The seconds are those of training and looking.
    """
    rng = np.random.default_rng(seed)
    check = plan.draw(np.random.default_rng((1, seed)), plan.checking)
    params = plan.model.init(rng, np.float32)
    batches = (plan.draw(rng, plan.batch) for _ in range(plan.updates))
    start, curve = time.process_time(), []
    for step in train.train(plan.model, params, batches, optim.adam(plan.rate), clip=CLIP):
        if step.step % plan.check == 0:
            score = plan.score(plan.model, step.params, check)
            seconds = time.process_time() - start
            curve.append((step.step, round(seconds, 2), round(score, 4)))
            if plan.reached(score):
                break
    test = plan.draw(np.random.default_rng((2, seed)), plan.test)
    score = plan.score(plan.model, step.params, test)
    return {
        "seed": seed,
        "updates": step.step,
        "sequences": step.step * plan.batch,
        "cpu_seconds": round(seconds, 2),
        "test": round(score, 4),
        "reached": bool(plan.reached(score)),
        "curve": curve,
    }


def main():
    results, recipe = {}, {"optimizer": "Adam, constant rate", "clip_norm": CLIP, "seeds": SEEDS}
    print("task                      seed   updates   sequences    CPU s      test   target")
    for name, plan in PLANS.items():
        rows = []
        for seed in SEEDS:
            row = trained(plan, seed)
            rows.append(row)
            missed = "" if row["reached"] else "  MISSED"
            print(
                f"{name:24}{seed:6}{row['updates']:10}{row['sequences']:12}"
                f"{row['cpu_seconds']:9.1f}{row['test']:10.4f}{plan.target:9.2f}{missed}",
                flush=True,
            )
        results[name] = {"target": plan.target, "baseline": plan.baseline, "runs": rows}
        kept = ("H", "batch", "rate", "updates", "check", "checking", "test")
        recipe[name] = {key: getattr(plan, key) for key in kept}
    recipe["adding"] = f"{STEPS} steps; score: mean squared error"
    recipe["reber"] = (
        f"score: share of strings with less than {ILLEGAL} on impossible symbols everywhere"
    )
    recipe["dtype"] = "float32"
    record.write("training", recipe, results)


if __name__ == "__main__":
    main()
