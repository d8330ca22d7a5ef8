"""What attention's weights tell, and what they do not: maps, ablations, scores, costs.

python benchmarks/attending.py [FOLDER]     a quarter of an hour; writes benchmarks/attending.json

(1) Bahdanau's and Luong's networks, three of each, learn the English-French phrases by the recipe
of translation.py.  On phrases held out: how well the strongest weights agree with the gold links,
also when all links are moved by some places, and which words are off; how often the next word
changes, and how many phrases are still written without a mistake, when the weights are changed;
which source word hurts most when it is hidden; what a linear probe reads from one of the encoder's
outputs; and at which places of longer phrases words and links go wrong.  With a FOLDER the trained
networks are kept there, or taken from there.  (2) The three scores on dates, over a one-way
encoder, three seeds each.  (3) The time of the three scores, forward and backward, against the
number of source positions.
"""

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import decode, metrics, optim, phrases, probe, tasks, text, train
from seqlib.scratch import gru, ops, pooling, scores
from seqlib.scratch.attentive import begin
from seqlib.scratch.bahdanau import Bahdanau
from seqlib.scratch.luong import Luong
from seqlib.scratch.params import sub
from seqlib.scratch.recurrent import carried, width

SEEDS, CLIP, WARM_UP, LONGEST = (0, 1, 2), 1.0, 50, 32
PHRASES = {"D": 64, "H": 96, "batch": 64, "rate": 4e-3, "updates": 3600}
DATES = {"D": 32, "H": 64, "batch": 64, "rate": 5e-3, "updates": 300, "look": 30}
TRAIN, TEST = phrases.corpus()
TRAIN = TRAIN[:-300]  # translation.py looks at the last 300
WORDS = len(phrases.ENGLISH), len(phrases.FRENCH)


def longer(count, longest=18):
    """The phrases of translation.py whose sources are longer than all that were trained on."""
    drawn = phrases.different(np.random.default_rng(1), 10 * count, longest + 4)
    return [p for p in drawn if phrases.LONGEST < len(p.english) <= longest][:count]


LONGER = longer(400)
SHOWN = (
    "I am a student",
    "a quick bee does not look for the cities",
    "the rich boy does not fear your bird",
    "we do not draw a new heavy umbrella",
)
SHIFTS, PROBED = range(-2, 3), {"places": (0, 1, 2), "phrases": 300, "updates": 80}
FREQUENT = 8  # words
LENGTHS, QUERIES, ROWS, WIDTH = (8, 16, 32, 64, 128, 256), 16, 16, 128


def rate_of(plan):
    """A line up to the greatest rate, and a line down to zero at the last update."""
    last = plan["updates"]
    return lambda k: plan["rate"] * min(k / WARM_UP, (last + 1 - k) / (last + 1 - WARM_UP))


def steps(model, plan, batches, rng):
    first = model.init(rng, np.float32)
    limited = (batch for batch, _ in zip(batches, range(plan["updates"]), strict=False))
    return train.train(model, first, limited, optim.adam(rate_of(plan)), clip=CLIP)


def epochs(rng, rows, B):
    while True:
        yield from text.minibatches_by_length(rng, rows, B)


def trained(model, name, seed, folder):
    """The parameters after training, and its CPU seconds."""
    kept = folder and Path(folder, f"{name}{seed}.npz")
    if kept and kept.exists():
        found = dict(np.load(kept))
        return found, float(found.pop("cpu_seconds"))
    rng, start = np.random.default_rng(seed), time.process_time()
    batches = epochs(rng, phrases.batch(TRAIN), PHRASES["batch"])
    *_, last = steps(model, PHRASES, batches, rng)
    seconds = time.process_time() - start
    if kept:
        np.savez(kept, **last.params, cpu_seconds=seconds)
    return last.params, seconds


# What a network does at one step when its weights are others than its own


class Asked(NamedTuple):
    """All steps of a batch of targets, each as it is with the right words before it."""

    h: Any  # (B, S, E)  what is attended to
    weights: Any  # (B, T, S)
    logits: Any  # function of a context (B, T, E): the logits (B, T, V) of each step


def asked(model, params, batch):
    mask = batch.source_mask
    if isinstance(model, Luong):
        h, start, _ = begin(model, params, batch.source, mask, model.D)
        y = params["target.W"][batch.inputs]
        s, _, _ = model.cell.forward(sub(params, "decoder"), y, start, batch.mask)

        def logits(c):
            a = np.concatenate([c, s], axis=2) @ params["hidden.W"].T + params["hidden.b"]
            return np.tanh(a) @ params["readout.W"].T + params["readout.b"]
    else:
        D, decoder = model.D + width(model.encoder, model.H), sub(params, "decoder")
        h, start, _ = begin(model, params, batch.source, mask, D)
        s_0, _, _ = carried(model.cell, decoder, D, start)
        s_y_c = model._forward(params, batch)[0]
        s, y = s_y_c[:, :, : model.H], s_y_c[:, :, model.H : D - h.shape[2] + model.H]
        before = np.concatenate([s_0, s[:, :-1]], axis=1)  # a GRU's output is its state

        def logits(c):
            (B, T, _), y_c = c.shape, np.concatenate([y, c], axis=2)
            s_t, _ = model.cell.step(decoder, y_c.reshape(B * T, -1), before.reshape(B * T, -1))
            s_t = np.concatenate([s_t.reshape(B, T, -1), y_c], axis=2)
            return s_t @ params["readout.W"].T + params["readout.b"]

    return Asked(h, model.weights(params, batch), logits)


def normed(weights):
    return weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-30)


def changes(weights, real, rng):
    """Other weights (B, T, S) by name, for weights (B, T, S) over positions real (B, 1, S)."""
    real = np.broadcast_to(real, weights.shape)
    place = np.arange(weights.shape[2])
    order = np.argsort(-np.where(real, weights, -1), axis=2, kind="stable")
    greatest, second = (place == order[:, :, i : i + 1] for i in (0, 1))
    drawn = np.where(real & ~greatest, rng.random(weights.shape), -1).argmax(axis=2)
    shuffled = np.argsort(np.where(real, rng.random(weights.shape), 2), axis=2)  # real ones first
    back = np.argsort(np.where(real, place, place + 1000), axis=2, kind="stable")
    permuted = np.zeros_like(weights)
    np.put_along_axis(permuted, back, np.take_along_axis(weights, shuffled, axis=2), axis=2)
    return {
        "greatest removed": normed(np.where(greatest, 0, weights)),
        "second removed": normed(np.where(second, 0, weights)),
        "another removed": normed(np.where(place == drawn[..., None], 0, weights)),
        "greatest alone": greatest.astype(weights.dtype),
        "permuted": permuted,
        "all equal": normed(real.astype(weights.dtype)),
        "none": np.zeros_like(weights),
    }


def ablation(model, params, batch, rng):
    """Of each change, the share of words that change, and how far the distributions move.

    Of two of them also which words stay most often: [word, times, of].
    """
    it = asked(model, params, batch)
    real, words = batch.source_mask[:, None], phrases.FRENCH.decode(batch.targets[batch.mask])
    p = ops.softmax(it.logits(it.weights @ it.h))
    again = ops.softmax(model.logits(params, batch))
    assert np.abs(p - again)[batch.mask].max() < 1e-4
    found = {}
    for name, weights in changes(it.weights, real, rng).items():
        q = ops.softmax(it.logits(weights @ it.h))
        stays = (q.argmax(axis=-1) == p.argmax(axis=-1))[batch.mask]
        distance = 0.5 * np.abs(q - p).sum(axis=-1)[batch.mask].mean()  # total variation
        found[name] = {"words": round(1 - float(stays.mean()), 4)}
        found[name]["distance"] = round(float(distance), 4)
        if name in ("greatest removed", "none"):
            kept = Counter(word for word, stay in zip(words, stays, strict=True) if stay)
            found[name]["kept"] = [
                [word, n, words.count(word)] for word, n in kept.most_common(FREQUENT)
            ]
    top = it.weights.max(axis=2)[batch.mask]
    return found, round(float(top.mean()), 4)


# Links


def links_of(weights, batch):
    return metrics.strongest(weights[:, :-1], batch.source_mask, batch.mask[:, 1:])


def moved(found, by, axis):
    """Links moved by some places; what leaves the sentence is gone."""
    out, n = np.zeros_like(found), found.shape[axis]
    keep, put = (slice(max(0, -by), n - max(0, by)), slice(max(0, by), n - max(0, -by)))
    if axis == 1:
        out[:, put] = found[:, keep]
    else:
        out[:, :, put] = found[:, :, keep]
    return out


def errors(weights, batch, sure, possible):
    """The alignment error rate as it is, and with links moved over the source or the target."""
    found = links_of(weights, batch)
    return {
        side: [
            round(metrics.alignment_error_rate(moved(found, by, axis), sure, possible), 4)
            for by in SHIFTS
        ]
        for side, axis in (("source", 2), ("target", 1))
    }


def misplaced(weights, batch, sure):
    """Of the words that have exactly one sure link, the share whose greatest weight lies k off.

    Also how many are off, of how many, and which words most often: [word, times, of].
    """
    found = links_of(weights, batch)
    one = (sure.sum(axis=2) == 1) & (found.sum(axis=2) == 1)
    off = (found.argmax(axis=2) - sure.argmax(axis=2))[one]
    words = np.array(phrases.FRENCH.decode(batch.targets[:, :-1][one]))
    wrong, all_words = Counter(words[off != 0].tolist()), Counter(words.tolist())
    return {
        "places": {str(k): round(float((off == k).mean()), 4) for k in SHIFTS},
        "count": [int((off != 0).sum()), len(off)],
        "words": [[word, n, all_words[word]] for word, n in wrong.most_common(FREQUENT)],
    }


def right_off_gold(model, params, batch, weights, possible):
    """Of the words whose greatest weight lies on no possible link: their share, and how many of
    them are right all the same.
    """
    found, words = links_of(weights, batch), batch.mask[:, 1:]
    off = words & ~(found & possible).any(axis=2) & possible.any(axis=2)
    right = (model.logits(params, batch).argmax(axis=-1) == batch.targets)[:, :-1]
    return {
        "words": round(float(off.sum() / words.sum()), 4),
        "right": round(float(right[off].mean()), 4),
        "right_elsewhere": round(float(right[words & ~off].mean()), 4),
    }


def falls(model, params, batch):
    """By how much the log-probability of each right word falls when a source word is hidden.

    Hidden is a word whose embedding is the mean of all.  Returns (B, T, S), -inf behind the ends.
    """
    W = params["source.W"].copy()
    W[text.PAD] = W[len(text.SPECIALS) :].mean(axis=0)
    blind = params | {"source.W": W}

    def right(source):
        log_p = ops.log_softmax(model.logits(blind, batch._replace(source=source)))
        return np.take_along_axis(log_p, batch.targets[..., None], axis=2)[..., 0]

    before, found = right(batch.source), []
    for s in range(batch.source.shape[1]):
        source = batch.source.copy()
        source[:, s] = text.PAD
        found.append(before - right(source))
    return np.where(batch.source_mask[:, None], np.stack(found, axis=2), -np.inf)


def hiding(model, params, batch, weights, sure, possible):
    """How well the word whose hiding hurts most agrees with the gold links.

    As an alignment error rate, and as a share of those words whose greatest weight does not.
    """
    by_hiding, by_weight = links_of(falls(model, params, batch), batch), links_of(weights, batch)
    off = by_weight.any(axis=2) & ~(by_weight & possible).any(axis=2) & possible.any(axis=2)
    return {
        "alignment_error": round(metrics.alignment_error_rate(by_hiding, sure, possible), 4),
        "linked_off_gold": round(float((by_hiding & possible).any(axis=2)[off].mean()), 4),
    }


def on_longer(model, params):
    """On phrases longer than all of the training: shares at each place, after the right words.

    Of words that are right; of words whose greatest weight lies on a possible link.  Also the
    alignment error rate, and the share of phrases that end too early when the model writes freely.
    """
    batch, (sure, possible) = phrases.batch(LONGER), phrases.links(LONGER)
    right = model.logits(params, batch).argmax(axis=-1) == batch.targets
    found = links_of(model.weights(params, batch), batch)
    linked, words = (found & possible).any(axis=2), batch.mask[:, 1:]
    places = [t for t in range(words.shape[1]) if words[:, t].sum() >= 30]
    lengths = (rewritten(model, params, batch, None) != text.END).sum(axis=1)
    return {
        "right": [round(float(right[:, t][words[:, t]].mean()), 3) for t in places],
        "linked": [round(float(linked[:, t][words[:, t]].mean()), 3) for t in places],
        "alignment_error": round(metrics.alignment_error_rate(found, sure, possible), 4),
        "too_short": round(float((lengths < words.sum(axis=1)).mean()), 4),
    }


def probed(model, params, sides):
    """The share of source words, k places further on, that one output h_s tells."""
    D = model.D if isinstance(model, Luong) else model.D + width(model.encoder, model.H)
    rows = []
    for batch in sides:
        h, _, _ = begin(model, params, batch.source, batch.source_mask, D)
        rows.append((h.astype(np.float64), batch.source, batch.source_mask))
    found = {}
    for k in PROBED["places"]:
        (x, labels), held = (
            (h[:, : h.shape[1] - k][mask[:, k:]], ids[:, k:][mask[:, k:]]) for h, ids, mask in rows
        )
        fitted = probe.fit(x, labels, WORDS[0], updates=PROBED["updates"])
        found[str(k)] = round(probe.accuracy(fitted, *held), 4)
    return found


def phrase_networks(folder):
    batch, (sure, possible) = phrases.batch(TEST), phrases.links(TEST)
    both = [phrases.batch(part[: PROBED["phrases"]]) for part in (TRAIN, TEST)]
    models = {"Bahdanau": Bahdanau, "Luong": Luong}
    results, maps = {}, {}
    for name, kind in models.items():
        results[name] = []
        for seed in SEEDS:
            model = kind(*WORDS, PHRASES["D"], PHRASES["H"])
            params, seconds = trained(model, name.lower(), seed, folder)
            weights = model.weights(params, batch)
            changed, top = ablation(model, params, batch, np.random.default_rng(seed))
            row = {"seed": seed, "cpu_seconds": round(seconds, 1), "greatest_weight": top}
            row |= {"alignment_error": errors(weights, batch, sure, possible)}
            row |= {"off_gold": right_off_gold(model, params, batch, weights, possible)}
            row |= {"hiding": hiding(model, params, batch, weights, sure, possible)}
            row |= {"misplaced": misplaced(weights, batch, sure), "changes": changed}
            row |= {"longer": on_longer(model, params)}
            row |= {"exact": exact(model, params, batch), "probe": probed(model, params, both)}
            results[name].append(row)
            print(name, row, flush=True)
            maps.setdefault(name, []).append(shown_maps(model, params))
    return results, maps


def exact(model, params, batch):
    """The share of phrases written without a mistake, by greedy choice, with changed weights."""
    found = {}
    for change in (None, "greatest removed", "permuted", "all equal", "greatest alone"):
        ids = rewritten(model, params, batch, change)
        n = min(ids.shape[1], batch.targets.shape[1])
        padded = np.full(batch.targets.shape, text.END)
        padded[:, :n] = ids[:, :n]
        same = metrics.exact_match(padded, batch.targets, batch.mask)
        found[change or "as it is"] = round(same, 4)
    return found


def rewritten(model, params, batch, change):
    """What the model writes when its weights are changed at every step."""
    rng, softmax = np.random.default_rng(0), pooling.softmax

    def other(values, mask=None):
        weights = softmax(values, mask)
        if change is None:
            return weights
        real = np.broadcast_to(mask, weights.shape)
        return changes(weights, real, rng)[change].astype(weights.dtype)

    first = np.full(len(batch.source), text.START)
    state = model.start(params, batch.source, batch.source_mask)
    pooling.softmax = other
    try:
        found = decode.greedy(model, params, first, state, max_length=LONGEST, end=text.END)
    finally:
        pooling.softmax = softmax
    return found.ids


def shown_maps(model, params):
    """The weights while the model writes some phrases."""
    pairs = {" ".join(pair.english): pair for pair in TEST}
    found = []
    for english in SHOWN:
        batch = phrases.batch([pairs[english]])
        ids = rewritten(model, params, batch, None)[0]
        maps = {"weights": model.weights(params, batch)[0], "falls": falls(model, params, batch)[0]}
        found.append(
            {
                "english": english,
                "french": " ".join(pairs[english].french),
                "written": " ".join(phrases.FRENCH.decode(ids[ids != text.END])),
                "sure": np.argwhere(pairs[english].sure).tolist(),
                **{
                    name: [[round(float(x), 2) for x in row] for row in rows]
                    for name, rows in maps.items()
                },
            }
        )
    return found


# The three scores


def score_runs():
    sizes = len(tasks.DATE_CHARACTERS), len(tasks.ISO_CHARACTERS), DATES["D"], DATES["H"]
    test, results = tasks.dates(np.random.default_rng(99), 500), []
    for score in (scores.DOT, scores.GENERAL, scores.ADDITIVE):
        model = Luong(*sizes, gru, gru, score)
        for seed in SEEDS:
            rng, start, curve = np.random.default_rng(seed), time.process_time(), []
            batches = iter(lambda rng=rng: tasks.dates(rng, DATES["batch"]), None)
            for step in steps(model, DATES, batches, rng):
                if step.step % DATES["look"] == 0:
                    ids = model.logits(step.params, test).argmax(axis=-1)
                    right = metrics.exact_match(ids, test.targets, test.mask)
                    curve.append((step.step, round(right, 4)))
            seconds = round(time.process_time() - start, 1)
            results.append(
                {"score": score.name, "seed": seed, "cpu_seconds": seconds, "curve": curve}
            )
            print(results[-1], flush=True)
    return results


def score_times():
    """Milliseconds of a forward and backward pass against S, for T queries of B rows."""
    rng, found = np.random.default_rng(0), []
    for S in LENGTHS:
        q, k = (rng.standard_normal((ROWS, n, WIDTH)).astype(np.float32) for n in (QUERIES, S))
        alternatives = {}
        for score in (scores.DOT, scores.GENERAL, scores.ADDITIVE):
            params = score.init(rng, WIDTH, WIDTH, np.float32)

            def both(score=score, params=params, q=q, k=k):
                y, cache = score.forward(params, q, k, k)
                score.backward(y, cache)

            alternatives[score.name] = both
        seconds = record.interleaved(alternatives, 15)
        found.append({"S": S, **{name: round(1e3 * s, 3) for name, s in seconds.items()}})
        print(found[-1], flush=True)
    return found


def main(folder=None):
    times = score_times()
    networks, maps = phrase_networks(folder)
    recipe = {"phrases": PHRASES, "dates": DATES, "seeds": SEEDS, "clip_norm": CLIP}
    recipe |= {"warm_up": WARM_UP, "dtype": "float32", "shifts": list(SHIFTS)}
    recipe |= {"times": {"B": ROWS, "T": QUERIES, "K": WIDTH}, "test": len(TEST)}
    results = {"networks": networks, "maps": maps, "scores": score_runs(), "times": times}
    record.write("attending", recipe, results)


if __name__ == "__main__":
    main(*sys.argv[1:])
