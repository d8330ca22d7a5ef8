"""Plausible wrong answers, the points of each, and words of the hint that it must trigger."""

import itertools

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
    k = {"kinds": seen, "above d": counts > d, "one": np.eye(V)}[k_of].sum(axis=1, keepdims=True)
    kept = np.maximum(counts - d, 0) if floor else counts - d
    p = (kept + d * k * q) / np.maximum(c, 1)
    return np.where(c > 0, p, {"q": q, "zeros": 0, "evenly": 1 / V}[rest])


def divided_by_zero(ids, V, d):
    p = smoothing(ids, V, d)
    empty = ~np.isin(np.arange(V), ids[:-1])
    p[empty] = np.nan
    return p


def floor(strings, p, m, place=False, padded=True, unit=LN2, mean=True, joint=False, none=True):
    pair, window, T = {}, {}, strings.shape[1]
    for string, weight in zip(strings.tolist(), p, strict=True):
        row = [-1] * m + string
        for t in range(0 if padded else m, T):
            u = (t if place else 0, *row[t : t + m])
            window[u] = window.get(u, 0) + weight
            pair[u, string[t]] = pair.get((u, string[t]), 0) + weight
    if joint:
        whole = sum(pair.values())
        return -sum(c / whole * np.log2(c / whole) for c in pair.values() if c > 0)
    seen = [(c, window[u]) for (u, _), c in pair.items() if c > 0 or not none]
    cost = -sum(c * np.log(c / of_window) for c, of_window in seen) / unit
    return cost / (T if mean else 1)


def only_whole_windows(strings, p, m):
    T = strings.shape[1]
    return floor(strings, p, m, padded=False) * T / max(T - m, 1)


def even(strings, p, m):
    return floor(strings, np.full(len(p), 1 / len(p)), m)


def off_by_one(strings, p, m):
    return floor(strings, p, max(m - 1, 0))


def first_places(log_p, characters, mask):
    """As if the real words of a row always came first."""
    first = np.arange(mask.shape[1]) < mask.sum(axis=1)[:, None]
    return -log_p[first].sum() / LN2 / characters[first].sum()


def by_nan(log_p, characters, mask):
    real = ~np.isnan(log_p)
    return -log_p[real].sum() / LN2 / characters[real].sum()


def nan_sum(log_p, characters, mask):
    return -np.nansum(log_p) / LN2 / characters[mask].sum()


def no_rare_words(log_p, characters, mask):
    return -np.log(np.exp(log_p[mask]) + 1e-9).sum() / LN2 / characters[mask].sum()


def small_integers(log_p, characters, mask):
    return -log_p[mask].sum() / LN2 / characters[mask].astype(np.uint8).sum()


def seven_steps(log_p, characters, mask):
    return -log_p[:3, :7][mask[:3, :7]].sum() / LN2 / characters[:3, :7][mask[:3, :7]].sum()


def places_alone(series, m, held):
    """Targets that say where they stand, whatever the series is."""
    return 0, np.arange(len(series) - m - held), 0, 0


def long_held(series, m, held):
    if held <= m:
        raise ValueError("x_held would reach back")
    return split(series, m, held)


def of_one_size(series, m, held):
    return split(series[:24], 3, 5)


def one_number(series, m, held):
    """An axis of length 1 is dropped."""
    return tuple(np.squeeze(part) for part in split(series, m, held))


def all_but(series, m, held):
    """The last held-out value has nothing after it, and is left out."""
    x, y, x_held, y_held = split(series, m, held)
    return x, y, x_held[: max(held - 1, 1)], y_held[: max(held - 1, 1)]


def mean_of_windows(series, m, held):
    x, y, x_held, y_held = split(series, m, held)
    return tuple((part - x.mean()) / x.std() for part in (x, y, x_held, y_held))


def of_six(ids, V, d):
    return smoothing(ids, 6, d)


def renumbered(ids, V, d):
    """As if the symbols of the text were 0, 1, 2, ..."""
    return smoothing(np.unique(ids, return_inverse=True)[1], V, d)


def last_rows(ids, V, d):
    """As if the symbols that occur nowhere were the last ones."""
    p = smoothing(ids, V, d, rest="zeros")
    q = smoothing(ids, V, d)[~np.isin(np.arange(V), ids[:-1])][0]
    p[ids.max() :] = q
    return np.where(np.isin(np.arange(V), ids[:-1])[:, None], smoothing(ids, V, d), p)


def bytes_of_counts(ids, V, d):
    counts = np.zeros((V, V), np.uint8)
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    pairs = np.repeat(np.argwhere(counts), counts[counts > 0], axis=0)
    c, k = counts.sum(axis=1, keepdims=True), (counts > 0).sum(axis=1, keepdims=True)
    q = (counts > 0).sum(axis=0) / (counts > 0).sum()
    p = (np.maximum(counts - d, 0) + d * k * q) / np.maximum(c, 1)
    return np.where(c > 0, p, q)


def doubles_once(ids, V, d):
    """A symbol after itself is left out."""
    pairs = [(u, w) for u, w in itertools.pairwise(ids) if u != w]
    counts = np.zeros((V, V))
    np.add.at(counts, tuple(np.array(pairs).T), 1)
    c, k = counts.sum(axis=1, keepdims=True), (counts > 0).sum(axis=1, keepdims=True)
    q = (counts > 0).sum(axis=0) / (counts > 0).sum()
    p = (np.maximum(counts - d, 0) + d * k * q) / np.maximum(c, 1)
    return np.where(c > 0, p, q)


def in_one_number(strings, p, m):
    """A window as one number of two digits a symbol: right for ids below 100."""
    keys = strings % 100
    return floor(keys, p, m)


def start_is_zero(strings, p, m):
    return floor(np.hstack([np.zeros((len(strings), m), int), strings]), p, m, padded=False)


MUTANTS = {
    "sequences.characters": (
        Mutant(first_places, 1, "need not come first"),
        Mutant(by_nan, 1, "choose them by the mask"),
        Mutant(nan_sum, 1, "choose them by the mask"),
        Mutant(no_rare_words, 0, "bits of all words together"),
        Mutant(small_integers, 1, "bits of all words together"),
        Mutant(seven_steps, 0, "bits of all words together"),
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
        Mutant(windows_within_the_parts, 0, "Every value with m values"),
        Mutant(places_alone, 0, "Every value with m values"),
        Mutant(long_held, 0, "In the order of time"),
        Mutant(of_one_size, 0, "Every value with m values"),
        Mutant(one_number, 0, "Every value with m values"),
        Mutant(all_but, 1, "Every value with m values"),
        Mutant(mean_of_windows, 2, "for all four arrays"),
        Mutant(unscaled, 2, "for all four arrays"),
        Mutant(constant, 0, "the answer is among the inputs"),
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
        Mutant(of_six, 0, "(ngram)"),
        Mutant(renumbered, 0, "(ngram)"),
        Mutant(last_rows, 3, "divides by 0"),
        Mutant(lambda *a: smoothing(*a, k_of="above d"), 2, "Do the rows sum to one"),
        Mutant(bytes_of_counts, 1, "(ngram)"),
        Mutant(doubles_once, 0, "(ngram)"),
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
        Mutant(lambda *a: floor(*a, none=False), 1, "entropy, see (gibbs)"),
        Mutant(lambda s, p, m: floor(s, p, m) * s.shape[1] / 5, 0, "see (gibbs)"),
        Mutant(lambda s, p, m: floor(s, p, min(m, 4)), 0, "see (gibbs)"),
        Mutant(lambda s, p, m: floor(s, p, min(m, s.shape[1] - 1) or 1), 2, "as (ngram) adds up"),
        Mutant(in_one_number, 1, "as (ngram) adds up"),
        Mutant(start_is_zero, 0, "see (gibbs)"),
        Mutant(constant, 0, "(gibbs)"),
        Mutant(nan, 0, "(gibbs)"),
    ),
}
