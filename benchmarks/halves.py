"""Half of a Transformer: a masked model and a language model choose between two words.

python benchmarks/halves.py      four minutes; writes benchmarks/halves.json

Both are trained on the English side of the phrases.  The language model predicts each word from
those on its left; for the masked model each word is hidden with some probability, and it gives all
words.  Then each chooses, on phrases held out, between he and they, which the verb on the right
decides, and between is and are, which the subject on the left decides.
"""

import time

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import optim, phrases, text, train
from seqlib.scratch.decoder_only import TransformerLanguageModel
from seqlib.scratch.encoder_only import TransformerTagger

SEEDS, BUDGETS = (0, 1, 2, 3, 4), (300, 1200)
SIZE = {"D": 32, "H": 128, "heads": 4, "layers": 2}
BATCH, RATE, WARM_UP, HIDDEN = 64, 5e-3, 40, 0.3
CHOICES = (("he", "they"), ("is", "are"))
LONGEST = 6  # words of a phrase
TRAIN, TEST = phrases.corpus(train=6000, test=300, longest=LONGEST)
V = len(phrases.ENGLISH)
MODELS = {
    "left": TransformerLanguageModel(V, *SIZE.values()),
    "masked": TransformerTagger(V, *SIZE.values(), tags=V),
}


def rows_of(pairs):
    """Ids, mask, and the ids as the language model reads them, one place later."""
    ids, mask = text.pad([phrases.ENGLISH.encode(pair.english) for pair in pairs])
    return ids, mask, np.insert(ids[:, :-1], 0, text.START, axis=1)


def trained(kind, updates, seed):
    """The parameters after the training."""
    ids, mask, before = rows_of(TRAIN)
    rng, batches = np.random.default_rng(seed), []
    for i in rng.integers(len(ids), size=(updates, BATCH)):
        hidden = np.where(rng.random(ids[i].shape) < HIDDEN, text.START, ids[i])
        fed = {"masked": hidden, "left": before[i]}[kind]
        batches.append(text.Batch(fed, ids[i], mask[i]))
    down = updates + 1 - WARM_UP
    update = optim.adam(lambda k: RATE * min(k / WARM_UP, (updates + 1 - k) / down))
    model = MODELS[kind]
    *_, last = train.train(model, model.init(rng, np.float32), batches, update)
    return last.params


def right(kind, params, words):
    """The share of right choices between two words, each time one of them occurs."""
    ids, mask, before = rows_of(TEST)
    pair = phrases.ENGLISH.encode(words)
    rows, places = np.nonzero(np.isin(ids, pair))
    truth, here, hidden = ids[rows, places], (np.arange(len(rows)), places), ids[rows]
    hidden[here] = text.START
    fed = {"masked": hidden, "left": before[rows]}[kind]
    scores = MODELS[kind].logits(params, fed, mask[rows])[here][:, pair]
    return round(float(np.mean(pair[scores.argmax(axis=1)] == truth)), 4)


def commonest(words):
    """The share of the commoner word of two, and how often one of them occurs."""
    ids, _, _ = rows_of(TEST)
    counts = [int((ids == word).sum()) for word in phrases.ENGLISH.encode(words)]
    return {"share": round(max(counts) / sum(counts), 4), "times": sum(counts)}


def main():
    results = {"commonest": {words[0]: commonest(words) for words in CHOICES}, "runs": []}
    for kind in MODELS:
        for updates in BUDGETS:
            for seed in SEEDS:
                start = time.process_time()
                params = trained(kind, updates, seed)
                row = {"model": kind, "updates": updates, "seed": seed}
                row["cpu_seconds"] = round(time.process_time() - start, 1)
                row |= {words[0]: right(kind, params, words) for words in CHOICES}
                results["runs"].append(row)
                print(*row.values(), flush=True)
    recipe = {
        "task": f"English phrases of at most {LONGEST} words, {len(TRAIN)} to train on, "
        f"{len(TEST)} to test",
        "model": SIZE,
        "optimizer": "Adam, rate up and down in straight lines",
        "rate": RATE,
        "warm_up": WARM_UP,
        "updates": BUDGETS,
        "batch": BATCH,
        "hidden": HIDDEN,
        "seeds": SEEDS,
        "dtype": "float32",
        "he, is": "share of right choices between he and they, is and are",
    }
    record.write("halves", recipe, results)


if __name__ == "__main__":
    main()
