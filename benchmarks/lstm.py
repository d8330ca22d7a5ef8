"""What the LSTM's gates are for: a latch, a stream without end, gates held open, and "not".

python benchmarks/lstm.py      about ten minutes; writes benchmarks/lstm.json

Four experiments, each over several seeds and two learning rates.  (1) The latch task with a delay
of 100 steps, from four biases of the forget gate.  (2) A stream of Reber strings read without a
reset, by the cell of 1997, by today's, and by today's with a gate held open.  (3) The adding
problem with the same gates held open.  (4) The sentiment of phrases with negations, RNN and LSTM.
"""

from typing import Any, NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, sentiment, tasks, train
from seqlib.scratch import losses, lstm, lstm1997, models, ops, rnn

SEEDS, FEWER_SEEDS = (0, 1, 2, 3, 4), (0, 1, 2)
RATES = (3e-3, 1e-2)
B, CLIP = 32, 1.0
CHECKING, TEST = 500, 1000  # sequences
LATCH = {"biases": (0.0, 1.0, 3.0, 5.0), "delay": 100, "noise": 0.2, "H": 32, "updates": 600}
STREAM = {"H": 16, "streams": 16, "chunk": 50, "updates": 1500, "string_updates": 1000}
READ = {"streams": 20, "steps": 5000, "block": 500, "look": 250}  # the test of the streams
ADDING = {"length": 50, "H": 32, "updates": 1500, "solved": 0.01}
SENTIMENT = {"D": 16, "H": 32, "clauses": 3, "updates": 1500, "negation": (0.2, 0.5)}
SYMBOLS, WORDS = 7, len(sentiment.SENTIMENT_WORDS)


class Variant(NamedTuple):
    """The LSTM with gates held at a number, or from another bias of the forget gate."""

    hold: Any = None
    forget_bias: float = 1.0

    def init(self, rng, D, H, dtype=np.float64):
        return lstm.init(rng, D, H, dtype, self.forget_bias)

    def forward(self, params, x, state=None, mask=None):
        return lstm.forward(params, x, state, mask, self.hold)

    def backward(self, dh, dstate_T, cache):
        return lstm.backward(dh, dstate_T, cache)


HELD = {"none": Variant(), **{gate: Variant({gate: 1.0}) for gate in "ifo"}}


def drawn(seed, part):
    """A generator for one part of a run: 0 training, 1 checks, 2 test."""
    return np.random.default_rng((part, seed))


def trained(model, batches, rate, seed, score=None, solved=None, every=25, carry_state=False):
    """Train until a check is passed or the batches end: the last record and the checks' scores."""
    params, curve = model.init(drawn(seed, 0), np.float32), []
    update = optim.adam(rate)
    for step in train.train(model, params, batches, update, clip=CLIP, carry_state=carry_state):
        if score and step.step % every == 0:
            curve.append(round(float(score(step.params)), 4))
            if solved(curve[-1]):
                break
    return step, curve


def latch_row(bias, rate, seed):
    def draw(rng, count):
        return tasks.latch(rng, count, LATCH["delay"], LATCH["noise"], np.float32)

    def right(params, data):
        return (model.logits(params, data.inputs).argmax(axis=1) == data.targets).mean()

    model = models.SeriesClassifier(1, LATCH["H"], 2, Variant(None, bias))
    rng, check = drawn(seed, 0), draw(drawn(seed, 1), CHECKING)
    batches = (draw(rng, B) for _ in range(LATCH["updates"]))
    step, curve = trained(
        model, batches, rate, seed, lambda p: right(p, check), lambda share: share >= 0.99
    )
    return {
        "bias": bias,
        "rate": rate,
        "seed": seed,
        "updates": step.step,
        "solved": curve[-1] >= 0.99,
        "accuracy": round(float(right(step.params, draw(drawn(seed, 2), TEST))), 4),
    }


def stream_row(name, cell, rate, seed, resets=False):
    """Train on chunks of streams, the state carried on; with resets, on single strings."""
    model, rng = models.LanguageModel(SYMBOLS, SYMBOLS, STREAM["H"], cell), drawn(seed, 0)
    if resets:
        batches = (tasks.reber(rng, B) for _ in range(STREAM["string_updates"]))
    else:
        chunk = STREAM["chunk"]
        whole = tasks.reber_stream(rng, STREAM["streams"], chunk * STREAM["updates"])
        cuts = range(0, whole.inputs.shape[1], chunk)
        batches = (type(whole)(*(part[:, k : k + chunk] for part in whole)) for k in cuts)
    step, _ = trained(model, batches, rate, seed, carry_state=not resets)
    row = {"cell": name, "rate": rate, "seed": seed}
    if resets:
        strings = tasks.reber(drawn(seed, 2), TEST)
        logits, _ = model.logits(step.params, strings.inputs, None, strings.mask)
        right = (logits.argmax(axis=2) == strings.targets)[strings.outer]
        row["strings"] = round(float(right.mean()), 4)
    return row | read_stream(model, step.params, seed)


def read_stream(model, params, seed):
    """A fresh stream read from zeros without a reset: what is right, and how large the cell is."""
    data = tasks.reber_stream(drawn(seed, 2), READ["streams"], READ["steps"])
    state, right, nats, size = None, [], [], []
    for k in range(0, READ["steps"], READ["look"]):
        part = [array[:, k : k + READ["look"]] for array in data]
        logits, state = model.logits(params, part[0], state)
        log_p = np.take_along_axis(ops.log_softmax(logits), part[1][..., None], axis=2)
        nats.append(float(-log_p.mean()))
        right.append((logits.argmax(axis=2) == part[1])[part[4]])
        size.append(round(float(np.abs(state[1]).mean()), 2))
    blocks = READ["block"] // READ["look"]
    together = range(0, len(right), blocks)
    return {
        "right": [round(float(np.concatenate(right[k : k + blocks]).mean()), 4) for k in together],
        "nats": [round(float(np.mean(nats[k : k + blocks])), 4) for k in together],
        "cell_size": size,
    }


def adding_row(name, cell, rate, seed):
    def error(params, data):
        return losses.squared_error_forward(model.answers(params, data.inputs), data.targets)[0]

    model, rng = models.SeriesRegressor(2, ADDING["H"], 1, cell), drawn(seed, 0)
    check = tasks.adding(drawn(seed, 1), CHECKING, ADDING["length"], np.float32)
    test = tasks.adding(drawn(seed, 2), TEST, ADDING["length"], np.float32)
    batches = (tasks.adding(rng, B, ADDING["length"], np.float32) for _ in range(ADDING["updates"]))
    solved = ADDING["solved"]
    step, curve = trained(
        model, batches, rate, seed, lambda p: error(p, check), lambda e: e < solved
    )
    return {
        "held": name,
        "rate": rate,
        "seed": seed,
        "updates": step.step,
        "solved": curve[-1] < solved,
        "error": round(float(error(step.params, test)), 4),
    }


def sentiment_row(name, cell, negation, rate, seed):
    def right(params, data):
        logits = model.logits(params, data.inputs, data.mask)
        return float((logits.argmax(axis=1) == data.targets).mean())

    model = models.Classifier(WORDS, SENTIMENT["D"], SENTIMENT["H"], 2, cell)
    rng, clauses = drawn(seed, 0), SENTIMENT["clauses"]
    check = tasks.sentiment(drawn(seed, 1), CHECKING, clauses)
    batches = (tasks.sentiment(rng, B, clauses, negation) for _ in range(SENTIMENT["updates"]))
    step, curve = trained(
        model, batches, rate, seed, lambda p: right(p, check), lambda s: s >= 0.99, every=50
    )
    tests = {n: tasks.sentiment(drawn(seed, 2), TEST, n) for n in (1, 3, 5, 7)}
    return {
        "model": name,
        "negation": negation,
        "rate": rate,
        "seed": seed,
        "updates": step.step,
        "solved": curve[-1] >= 0.99,
        "accuracy": {n: round(right(step.params, data), 4) for n, data in tests.items()},
        "curve": curve,  # the accuracy of the check, every 50 updates
    }


def main():
    results = {}
    runs = [(rate, seed) for rate in RATES for seed in SEEDS]
    fewer = [(rate, seed) for rate in RATES for seed in FEWER_SEEDS]

    results["latch"] = rows = []
    for bias in LATCH["biases"]:
        rows += [latch_row(bias, *run) for run in runs]
        here = rows[-len(runs) :]
        print(
            f"latch, bias {bias}:", [(row["updates"], row["accuracy"]) for row in here], flush=True
        )

    results["stream"], results["strings"] = [], []
    for name, cell in {"1997": lstm1997, **HELD}.items():
        if name == "f":  # held at 1, the forget gate is not there: that is the cell of 1997
            continue
        rows = [stream_row(name, cell, *run) for run in runs]
        results["stream"] += rows
        for row in rows:
            print("stream", name, row["right"][::3], row["nats"][-1], row["cell_size"][::6])
    for name, cell in {"1997": lstm1997, "none": Variant()}.items():
        rows = [stream_row(name, cell, *run, resets=True) for run in fewer]
        results["strings"] += rows
        for row in rows:
            print("strings", name, row["strings"], row["right"][::3], row["cell_size"][::6])

    results["adding"] = rows = []
    for name, cell in HELD.items():
        rows += [adding_row(name, cell, *run) for run in fewer]
        here = rows[-len(fewer) :]
        print(f"adding, {name}:", [(row["updates"], row["error"]) for row in here], flush=True)

    results["sentiment"] = rows = []
    for negation in SENTIMENT["negation"]:
        for name, cell in {"RNN": rnn, "LSTM": lstm}.items():
            rows += [sentiment_row(name, cell, negation, *run) for run in fewer]
            for row in rows[-len(fewer) :]:
                print("sentiment", negation, name, row["rate"], row["updates"], row["accuracy"])

    grammar = tasks.reber_grammar()
    results["stream_best"] = {
        "nats": grammar.entropy() / grammar.mean_length(),
        "nats_without_memory": (grammar.entropy() + np.log(2)) / grammar.mean_length(),
        "right_without_memory": 0.5,
    }
    results["sentiment_best_bag"] = sentiment.sentiment_baseline(SENTIMENT["clauses"])
    recipe = {
        "optimizer": {"name": "adam", "rates": RATES, "clip_norm": CLIP},
        "batch": B,
        "dtype": "float32",
        "seeds": SEEDS,
        "seeds_of_strings_adding_sentiment": FEWER_SEEDS,
        "latch": LATCH | {"solved": "99 % right of 500 fresh sequences, every 25 updates"},
        "stream": STREAM | {"task": "tasks.reber_stream; the state is carried from chunk to chunk"},
        "read": READ | {"task": "a fresh stream, from zeros, without a reset"},
        "adding": ADDING,
        "sentiment": SENTIMENT | {"test": "negation 0.5; 1, 3, 5 and 7 clauses"},
        "sequences": {"check": CHECKING, "test": TEST},
    }
    record.write("lstm", recipe, results)


if __name__ == "__main__":
    main()
