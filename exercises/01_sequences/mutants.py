"""Plausible wrong answers, the points of each, and words of the hint that it must trigger."""

import numpy as np
from seqlib.grading.mutants import Mutant, constant, nan

LN2 = np.log(2)


def bits_of(log_p, mask):
    return -np.where(mask, log_p, 0) / LN2


def mean_of_sentences(log_p, characters, mask):
    letters = np.where(mask, characters, 0).sum(axis=1)
    return np.mean(bits_of(log_p, mask).sum(axis=1) / letters)


def mean_of_words(log_p, characters, mask):
    return np.mean(-log_p[mask] / LN2 / characters[mask])


def with_padding(log_p, characters, mask):
    return -log_p.sum() / LN2 / characters.sum()


def characters_of_padding(log_p, characters, mask):
    return bits_of(log_p, mask).sum() / characters.sum()


def multiplied(log_p, characters, mask):
    return -(log_p * mask).sum() / LN2 / (characters * mask).sum()


def split(series, m, held, scale="training", order="time", shift=1, own=False, std=np.std):
    part = {"training": series[:-held], "all": series, "targets": series[m:-held]}[scale]
    v = (series - part.mean()) / std(part)
    x = np.lib.stride_tricks.sliding_window_view(v[: len(v) - shift], m)
    y = v[m - 1 + shift :]
    if order == "random":
        places = np.random.default_rng(0).permutation(len(y))
        x, y = x[places], y[places]
    if own:
        last = series[-held:]
        v = (series - last.mean()) / std(last)
        x_held = np.lib.stride_tricks.sliding_window_view(v[:-1], m)[-held:]
        return x[:-held], y[:-held], x_held, v[-held:]
    return x[:-held], y[:-held], x[-held:], y[-held:]


def windows_within_the_parts(series, m, held):
    v = (series - series[:-held].mean()) / series[:-held].std()
    parts = [
        (np.lib.stride_tricks.sliding_window_view(part[:-1], m), part[m:])
        for part in (v[:-held], v[-held:])
    ]
    return *parts[0], *parts[1]


def unscaled(series, m, held):
    x, y = np.lib.stride_tricks.sliding_window_view(series[:-1], m), series[m:]
    return x[:-held], y[:-held], x[-held:], y[-held:]


def one_less(part):
    return np.std(part, ddof=1)


def smoothing(ids, V, d, q="before", rest="q", c_of="pairs", k_of="kinds", floor=True):
    counts = np.zeros((V, V))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    seen = counts > 0
    q = {
        "before": seen.sum(axis=0) / seen.sum(),
        "after": seen.sum(axis=1) / seen.sum(),
        "share": np.bincount(ids, minlength=V) / len(ids),
    }[q]
    c = counts.sum(axis=1, keepdims=True)
    if c_of == "symbols":
        c = np.bincount(ids, minlength=V)[:, None].astype(float)
    k = seen.sum(axis=1, keepdims=True) if k_of == "kinds" else 1
    kept = np.maximum(counts - d, 0) if floor else counts - d
    p = (kept + d * k * q) / np.maximum(c, 1)
    return np.where(c > 0, p, {"q": q, "zeros": 0, "evenly": 1 / V}[rest])


def divided_by_zero(ids, V, d):
    p = smoothing(ids, V, d)
    empty = ~np.isin(np.arange(V), ids[:-1])
    p[empty] = np.nan
    return p


def floor(strings, p, m, place=False, padded=True, unit=LN2, mean=True, joint=False):
    pair, window, T = {}, {}, strings.shape[1]
    for string, weight in zip(strings.tolist(), p, strict=True):
        row = [-1] * m + string
        for t in range(0 if padded else m, T):
            u = (t if place else 0, *row[t : t + m])
            window[u] = window.get(u, 0) + weight
            pair[u, string[t]] = pair.get((u, string[t]), 0) + weight
    if joint:
        whole = sum(pair.values())
        return -sum(c / whole * np.log2(c / whole) for c in pair.values())
    cost = -sum(c * np.log(c / window[u]) for (u, _), c in pair.items()) / unit
    return cost / (T if mean else 1)


def only_whole_windows(strings, p, m):
    T = strings.shape[1]
    return floor(strings, p, m, padded=False) * T / max(T - m, 1)


def even(strings, p, m):
    return floor(strings, np.full(len(p), 1 / len(p)), m)


def off_by_one(strings, p, m):
    return floor(strings, p, max(m - 1, 0))


MUTANTS = {
    "sequences.characters": (
        Mutant(mean_of_sentences, 1, "mean over sentences"),
        Mutant(mean_of_words, 0, "mean over words"),
        Mutant(lambda *a: characters_of_padding(*a), 1, "choose them by the mask"),
        Mutant(with_padding, 1, "0 times NaN"),
        Mutant(multiplied, 1, "0 times NaN"),
        Mutant(lambda lp, n, mask: -lp[mask].sum() / n[mask].sum(), 0, "in nats"),
        Mutant(lambda lp, n, mask: -lp[mask].mean() / LN2, 0, "bits per word"),
        Mutant(lambda lp, n, mask: lp[mask].sum() / LN2 / n[mask].sum(), 0, "a cost is not"),
        Mutant(constant, 0, "bits of all words together"),
        Mutant(nan, 0, "bits of all words together"),
    ),
    "sequences.split": (
        Mutant(lambda *a: split(*a, "all", "random", 0), 0, "the answer is among the inputs"),
        Mutant(lambda *a: split(*a, "all"), 1, "know the held-out values"),
        Mutant(lambda *a: split(*a, order="random"), 0, "In the order of time"),
        Mutant(lambda *a: split(*a, shift=0), 0, "the answer is among the inputs"),
        Mutant(lambda *a: split(*a, scale="targets"), 2, "not with the first target"),
        Mutant(lambda *a: split(*a, std=one_less), 2, "not by one less"),
        Mutant(lambda *a: split(*a, own=True), 1, "its own mean is not known"),
        Mutant(windows_within_the_parts, 1, "Every value with m values"),
        Mutant(unscaled, 2, "for all four arrays"),
        Mutant(constant, 0, "can be seen in x and y"),
        Mutant(nan, 0, "can be seen in x and y"),
    ),
    "sequences.continuation": (
        Mutant(lambda *a: smoothing(*a, q="share"), 1, "not how often w occurs"),
        Mutant(lambda *a: smoothing(*a, q="after"), 1, "these are the ones after it"),
        Mutant(lambda *a: smoothing(*a, c_of="symbols"), 0, "the last symbol begins none"),
        Mutant(lambda *a: smoothing(*a, k_of="one"), 2, "k(u) times d"),
        Mutant(lambda *a: smoothing(*a, floor=False), 2, "Do the rows sum to one"),
        Mutant(lambda *a: smoothing(*a, rest="zeros"), 3, "Rows of zeros"),
        Mutant(lambda *a: smoothing(*a, rest="evenly"), 3, "Not evenly"),
        Mutant(divided_by_zero, 3, "divides by 0"),
        Mutant(lambda *a: smoothing(*a).T, 0, "the row is u"),
        Mutant(lambda ids, V, d: smoothing(ids, V, 0.0), 2, "Do the rows sum to one"),
        Mutant(constant, 0, "(ngram)"),
        Mutant(nan, 0, "divides by 0"),
    ),
    "sequences.floor": (
        Mutant(lambda *a: floor(*a, place=True), 2, "knows the step"),
        Mutant(lambda *a: floor(*a, padded=False), 0, "first m steps are missing"),
        Mutant(only_whole_windows, 0, "The first m steps count too"),
        Mutant(lambda *a: floor(*a, unit=1), 0, "in nats"),
        Mutant(lambda *a: floor(*a, mean=False), 0, "for a whole string"),
        Mutant(lambda *a: floor(*a, joint=True), 0, "Add up probabilities"),
        Mutant(even, 1, "its own probability"),
        Mutant(off_by_one, 1, "the entropy of what follows"),
        Mutant(constant, 0, "(gibbs)"),
        Mutant(nan, 0, "(gibbs)"),
    ),
}
