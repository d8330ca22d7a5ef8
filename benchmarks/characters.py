"""Character language models: the RNN against smoothed n-grams, on the text of a corpus.

python benchmarks/characters.py                              this book's text, seven minutes
python benchmarks/characters.py --corpus tiny_shakespeare    five minutes

Writes benchmarks/characters_CORPUS.json.  A short text is cut to several amounts and learned by
RNNs of several sizes; a long one is learned whole by one RNN.  With --file PATH any text is taken.
"""

import argparse
import time
from pathlib import Path
from typing import NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import corpora, decode, metrics, ngrams, optim, text, train
from seqlib.scratch import losses, models
from seqlib.scratch.params import count


class Plan(NamedTuple):
    amounts: tuple  # characters of training text; None takes all
    hidden: tuple
    D: int
    rates: tuple
    updates: int  # at most
    check: int  # updates between two looks at the validation text
    patience: int  # looks without a better result that end the training


SHORT = Plan((2500, 5000, 10000, 20000, 40000, None), (32, 64, 128), 16, (3e-3, 1e-2), 6000, 50, 8)
LONG = Plan((None,), (272,), 64, (1.5e-3, 3e-3), 4000, 200, 20)
LONG_TEXT = 500_000  # characters
SEEDS = (0, 1, 2)
ORDERS = range(1, 8)
B, T, CLIP = 32, 64, 1.0
VALIDATION = 20_000  # characters at most, so that a look stays cheap
TEMPERATURES = (0.5, 0.8, 1.0, 1.3)
SAMPLE = 200  # characters


class Data(NamedTuple):
    vocabulary: text.Vocabulary
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def prepared(content):
    """The last tenth of a text is the test, the tenth before it the validation part."""
    vocabulary = text.Vocabulary.of(text.characters(content))
    ids = vocabulary.encode(text.characters(content))
    rest, test = text.split(ids, 1 / 10)
    training, validation = text.split(rest, 1 / 9)
    return Data(vocabulary, training, validation[:VALIDATION], test)


def bits(model, params, ids):
    """Bits per character over all of ids, read in one go; the first one costs log2 V."""
    logits, _ = model.logits(params, ids[None, :-1])
    nats, _ = losses.cross_entropy_forward(logits, ids[None, 1:])
    return float(metrics.bits((nats * (len(ids) - 1) + np.log(model.V)) / len(ids)))


def trained(model, data, training, plan, rate, seed):
    """Train with early stopping on the validation part.

    Returns the best parameters, and what a record says of the run without the test.
    """
    rng = np.random.default_rng(seed)
    params = model.init(rng, np.float32)
    batches = text.excerpts(rng, training, B, T)
    start, curve, best, best_look = time.process_time(), [], params, 0
    for step in train.train(model, params, batches, optim.adam(rate), clip=CLIP):
        if step.step % plan.check:
            continue
        now = bits(model, step.params, data.validation)
        curve.append((step.step, round(time.process_time() - start, 2), round(now, 4)))
        if now <= min(look[2] for look in curve) + 5e-5:  # the curve is rounded
            best, best_look = step.params, len(curve) - 1
        if step.step >= plan.updates or len(curve) - 1 - best_look >= plan.patience:
            break
    updates, _, validation = curve[best_look]
    return best, {
        "rate": rate,
        "seed": seed,
        "updates": updates,
        "cpu_seconds": curve[-1][1],
        "validation_bits": validation,
        "curve": curve,
    }


def rnn_runs(model, data, training, plan):
    """One RNN over all seeds, at the rate that is best on the validation part for the first seed.

    Returns the runs as (params, row), and the validation bits of each rate.
    """
    tried = [trained(model, data, training, plan, rate, SEEDS[0]) for rate in plan.rates]
    first = min(tried, key=lambda run: run[1]["validation_bits"])
    rate = first[1]["rate"]
    runs = [first] + [trained(model, data, training, plan, rate, seed) for seed in SEEDS[1:]]
    for params, row in runs:
        row["test_bits"] = round(bits(model, params, data.test), 4)
    return runs, {str(row["rate"]): row["validation_bits"] for _, row in tried}


def ngram_rows(data, training):
    """n-grams of all orders: size, validation and test bits."""
    rows = []
    for order in ORDERS:
        model = ngrams.fit(training, order, len(data.vocabulary))
        scores = {
            f"{part}_bits": round(float(metrics.bits(ngrams.cross_entropy(model, ids))), 4)
            for part, ids in (("validation", data.validation), ("test", data.test))
        }
        rows.append({"order": order, "size": model.size, **scores})
    return rows


def samples(model, params, vocabulary):
    """Text that the model writes after a line break, by temperature."""
    first = vocabulary.encode(["\n"])
    state = model.start(params, first[None, :0])
    written = {"greedy": decode.greedy(model, params, first, state, max_length=SAMPLE)}
    for temperature in TEMPERATURES:
        rng = np.random.default_rng(0)
        written[str(temperature)] = decode.sample(
            model, params, first, state, rng, max_length=SAMPLE, temperature=temperature
        )
    return {name: "".join(vocabulary.decode(done.ids[0])) for name, done in written.items()}


def compare(data, plan):
    """Every amount of text, n-grams and RNNs; prints a table and returns the results."""
    rows, best = [], None
    print(
        "training text   model            numbers   validation    test bits/char    updates, CPU s"
    )
    for amount in plan.amounts:
        if amount is not None and amount > len(data.train):
            continue
        training = data.train if amount is None else data.train[-amount:]  # next to the validation
        counted = ngram_rows(data, training)
        chosen = min(counted, key=lambda row: row["validation_bits"])
        print(
            f"{len(training):13}   {chosen['order']}-gram        {chosen['size']:10}"
            f"{chosen['validation_bits']:13.3f}{chosen['test_bits']:12.3f}",
            flush=True,
        )
        networks = []
        for H in plan.hidden:
            model = models.LanguageModel(len(data.vocabulary), plan.D, H)
            runs, tried = rnn_runs(model, data, training, plan)
            best = min(runs, key=lambda run: run[1]["validation_bits"])
            if amount is not None:  # curves are kept for the whole text alone
                for _, row in runs:
                    del row["curve"]
            network = {"H": H, "parameters": count(best[0]), "rates_tried": tried}
            networks.append({**network, "runs": [row for _, row in runs]})
            middle = {
                key: np.median([row[key] for _, row in runs])
                for key in ("validation_bits", "test_bits", "updates", "cpu_seconds")
            }
            spread = "–".join(f"{f(row['test_bits'] for _, row in runs):.3f}" for f in (min, max))
            print(
                f"{'':16}RNN H {H:<8}{network['parameters']:12}{middle['validation_bits']:13.3f}"
                f"{middle['test_bits']:12.3f} ({spread})"
                f"{middle['updates']:8.0f}{middle['cpu_seconds']:8.1f}",
                flush=True,
            )
        rows.append({"characters": len(training), "ngram": counted, "rnn": networks})
    written = samples(model, best[0], data.vocabulary)  # the largest RNN, on the most text
    for name, sample in written.items():
        print(f"\n--- RNN, H {model.H}, {name}\n{sample}")
    return {"amounts": rows, "samples": written}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", default="book", help="a name that seqlib.corpora.text knows")
    parser.add_argument("--file", type=Path, help="a text file instead; its name is the corpus's")
    arguments = parser.parse_args()
    if arguments.file:
        name, content = arguments.file.stem, arguments.file.read_text(encoding="utf-8")
    else:
        name, content = arguments.corpus, corpora.text(arguments.corpus)

    data = prepared(content)
    plan = LONG if len(content) > LONG_TEXT else SHORT
    parts = {part: len(getattr(data, part)) for part in ("train", "validation", "test")}
    print(f"{name}: {len(content)} characters, {len(data.vocabulary)} different; {parts}\n")
    results = {"V": len(data.vocabulary), **parts, **compare(data, plan)}
    recipe = {
        "corpus": name,
        "parts": "last tenth test, the tenth before it validation, training text before that",
        "validation": f"at most its first {VALIDATION} characters: rate, order, early stopping",
        "bits": "read in one go from an empty start, the first character included",
        "rnn": "tanh, float32, Adam, clipping by norm, random excerpts, constant rate",
        "batch": B,
        "steps": T,
        "clip_norm": CLIP,
        "seeds": SEEDS,
        "rate": "best on validation for the first seed",
        "ngram": f"Witten-Bell, order 1 to {ORDERS[-1]}, best on validation",
        **plan._asdict(),
    }
    record.write(f"characters_{name}", recipe, results)


if __name__ == "__main__":
    main()
