"""The adding problem: how many updates RNN, LSTM and GRU need, by length and learning rate.

python benchmarks/adding.py             about ten minutes; writes benchmarks/adding.json
python benchmarks/adding.py --missing   only the models that the record does not have yet

Of T random numbers two are marked, and their sum is asked for after the last.  A model that answers
1 whatever it reads has a mean squared error of 1/6.  A run ends when fresh sequences are answered
with an error below 0.01.  At the greatest length, LSTM and GRU are also started with the gate that
keeps nearly open, by a forget bias of 3 and by 3 more on the update bias.
"""

import sys
import time

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, tasks, train
from seqlib.scratch import gru, losses, lstm, models, rnn
from seqlib.scratch.params import count

# The cell, and what is added to the bias of its gate that keeps: the LSTM's forget gate, which
# starts with 1, or the GRU's update gate.  Both have the second H rows of their bias.  Where
# something is added, the greatest length alone is run.
CELLS = {
    "RNN": (rnn, 0.0),
    "LSTM": (lstm, 0.0),
    "GRU": (gru, 0.0),
    "LSTM, forget bias 3": (lstm, 2.0),
    "GRU, update bias + 3": (gru, 3.0),
}
LENGTHS = (10, 25, 50, 100)
RATES = (1e-3, 3e-3, 1e-2)
SEEDS = (0, 1, 2)
H, B = 32, 32
UPDATES, CHECK = 2000, 25
CLIP = 1.0
SOLVED = 0.01
CHECKING, TEST = 500, 2000  # sequences


def drawn(part, seed, count, length):
    """Sequences of one part (0 checks, 1 test); each part draws its own."""
    return tasks.adding(np.random.default_rng((part, seed)), count, length, np.float32)


def error(model, params, batch):
    """The mean squared error of a batch."""
    return losses.squared_error_forward(model.answers(params, batch.inputs), batch.targets)[0]


def trained(name, length, rate, seed):
    """Train until solved, or for UPDATES: a row of the record."""
    rng = np.random.default_rng(seed)
    cell, more = CELLS[name]
    model = models.SeriesRegressor(2, H, 1, cell)
    params = model.init(rng, np.float32)
    if more:
        params["cell.b" if cell is lstm else "cell.b_x"][H : 2 * H] += more
    check = drawn(0, seed, CHECKING, length)
    batches = (tasks.adding(rng, B, length, np.float32) for _ in range(UPDATES))
    start, curve = time.process_time(), []
    for step in train.train(model, params, batches, optim.adam(rate), clip=CLIP):
        if step.step % CHECK == 0:
            curve.append(round(error(model, step.params, check), 4))
            if curve[-1] < SOLVED:
                break
    return {
        "model": name,
        "length": length,
        "rate": rate,
        "seed": seed,
        "updates": step.step,
        "solved": curve[-1] < SOLVED,
        "error": round(error(model, step.params, drawn(1, seed, TEST, length)), 4),
        "cpu_seconds": round(time.process_time() - start, 2),
        "curve": curve,  # the error of the check, every CHECK updates
    }


def main(missing):
    old = record.stored("adding")["results"]["runs"] if missing else []
    rows, new = [], [name for name in CELLS if name not in {row["model"] for row in old}]
    print("model                length    rate   error: median   greatest   solved   updates")
    for length in LENGTHS:
        for name in (n for n, (_, more) in CELLS.items() if not more or length == LENGTHS[-1]):
            for rate in RATES:
                key = (name, length, rate)
                here = [row for row in old if (row["model"], row["length"], row["rate"]) == key]
                here = here or [trained(*key, seed) for seed in SEEDS]
                rows += here
                errors = [row["error"] for row in here]
                updates = ", ".join(str(row["updates"]) for row in here)
                print(
                    f"{name:20}{length:7}{rate:8}{np.median(errors):15.4f}{max(errors):11.4f}"
                    f"{sum(row['solved'] for row in here):6} of {len(here)}   {updates}",
                    flush=True,
                )
    recipe = {
        "task": "tasks.adding; the error is the mean squared error of the sum",
        "model": {"H": H, "forget_bias": 1.0, "dtype": "float32"},
        "more_bias": {name: more for name, (_, more) in CELLS.items() if more},
        "parameters": {
            name: count(models.SeriesRegressor(2, H, 1, cell).init(np.random.default_rng(0)))
            for name, (cell, _) in CELLS.items()
        },
        "optimizer": {"name": "adam", "rates": RATES, "clip_norm": CLIP},
        "batch": B,
        "updates": UPDATES,
        "check": CHECK,
        "stop": f"once the error of {CHECKING} fresh sequences is below {SOLVED}",
        "test": TEST,
        "lengths": LENGTHS,
        "seeds": SEEDS,
    }
    results = {"baseline": tasks.ADDING_BASELINE, "solved": SOLVED, "runs": rows}
    added = f"the rows of {'; '.join(new)}" if missing else None
    record.write("adding", recipe, results, added=added)


if __name__ == "__main__":
    main(missing="--missing" in sys.argv[1:])
