"""What is asked about scores, splits, counts and windows, and how answers are looked at."""

import collections
import itertools

import numpy as np
from seqlib.grading import Case, Question, ensure, same

# Bits per character


def scored(rng, mask, padding, characters=12):
    """log_p and characters of sentences, with something where no word is."""
    log_p = np.log(rng.uniform(0.01, 0.9, mask.shape))
    log_p.flat[rng.integers(mask.size)] = -rng.uniform(200, 700)  # a word that nobody expected
    letters = rng.integers(2, characters, mask.shape)
    letters.flat[0] = characters
    if padding == "NaN":
        letters = letters.astype(float)
        log_p[~mask] = letters[~mask] = np.nan
    else:
        log_p[~mask], letters[~mask] = rng.uniform(3, 9, np.sum(~mask)), 99
    return log_p, letters, mask


def with_holes(rng, B, T):
    """A mask with a full row, one with a hole, one that begins with padding; the others drawn."""
    mask = rng.random((B, T)) < 0.6
    mask[:3] = True
    mask[1, rng.integers(1, T - 1)] = mask[2, 0] = False
    return mask[rng.permutation(B)]


def compared(answer, given):
    log_p, letters, mask = given
    rows = [
        [(-log_p[b, t] / np.log(2), letters[b, t]) for t in np.flatnonzero(mask[b])]
        for b in range(len(mask))
    ]
    words, rows = list(itertools.chain(*rows)), [row for row in rows if row]
    bits, characters = (sum(column) for column in zip(*words, strict=True))
    right = bits / characters
    first = np.arange(mask.shape[1]) < mask.sum(axis=1)[:, None]
    suspects = {
        "That is in nats; see (bits).": right * np.log(2),
        "That is bits per word: the characters are still to come.": bits / len(words),
        "The mean over words of bits per character lets a short word count as much as a long"
        " one. Sum first, divide once.": np.mean([b / n for b, n in words]),
        "The log of a probability is negative, a cost is not, see (cross-entropy).": -right,
        "The real words need not come first in a row: the mask says which they are, not only how"
        " many.": -log_p[first].sum() / np.log(2) / letters[first].sum(),
    }
    if len(rows) > 1:
        hint = "The mean over sentences lets a short sentence count as much as a long one."
        suspects[hint] = np.mean([sum(b for b, _ in r) / sum(n for _, n in r) for r in rows])
    same("bits per character", answer(*given), right, suspects=suspects)


def one_sentence(answer, rng):
    for T in (int(rng.integers(8, 15)), int(rng.integers(2, 6))):
        compared(answer, scored(rng, np.ones((1, T), bool), "none"))
    compared(answer, scored(rng, np.ones((1, int(rng.integers(3, 6))), bool), "none", 400))
    compared(answer, scored(rng, np.ones((1, 1), bool), "none"))


def padded(answer, rng):
    B, T = rng.permutation(np.arange(4, 8))[:2]
    compared(answer, scored(rng, np.arange(T) < rng.permutation(T)[:3, None] + 1, "numbers"))
    compared(answer, scored(rng, with_holes(rng, B, T), "numbers"))
    compared(answer, scored(rng, with_holes(rng, B + 4, T + 4), "NaN"))


# A split in time


def series_of(rng):
    """Series with lengths of windows and held-out parts, either longer than the other; 1 each."""
    few, more = np.sort(rng.permutation(np.arange(2, 9))[:2]).tolist()
    for m, held in ((few, more), (more, few), (1, more), (more, 1), (1, 1)):
        N = m + held + int(rng.integers(4, 20))
        yield np.cumsum(rng.uniform(-1, 3, N)) + rng.uniform(-50, 50), m, held


def by_loop(series, m, held, scale=None):
    mean, std = scale or (np.mean(series[:-held]), np.std(series[:-held]))
    v = [(value - mean) / std for value in series]
    x, y = [], []
    for t in range(m, len(v)):
        x.append(v[t - m : t])
        y.append(v[t])
    x, y = np.array(x), np.array(y)
    return x[:-held], y[:-held], x[-held:], y[-held:]


def whitened(x, y):
    """Windows and targets in a scale of their own: any straight scaling before gives the same."""
    return (x - y.mean()) / y.std(), (y - y.mean()) / y.std()


def four(found):
    ensure(isinstance(found, tuple) and len(found) == 4, "what came back are not four arrays")
    return tuple(np.asarray(part) for part in found)  # lists of numbers are as good


def shaped(found, expected):
    if np.ndim(found[0]) == 2 and np.shape(found[1]) == np.shape(found[0])[:1]:
        ensure(
            not np.array_equal(found[0][:, -1], found[1]),
            "each target is the last value of its own window",
            "A window that holds its target: the answer is among the inputs.",
        )
    for name, one, other in zip(("x", "y", "x_held", "y_held"), found, expected, strict=False):
        ensure(
            np.shape(one) == other.shape,
            f"{name}: shape {np.shape(one)}; expected {other.shape}",
            "Every value with m values before it is a target; the last `held` ones are held out.",
        )


def places(answer, rng):
    for series, m, held in series_of(rng):
        expected, found = by_loop(series, m, held), four(answer(series, m, held))
        shaped(found, expected)
        one, other = (
            whitened(np.concatenate(parts[::2]), np.concatenate(parts[1::2]))
            for parts in (found, expected)
        )
        same("(windows, targets), up to their scale", one, other)


def no_leak(answer, rng):
    for series, m, held in series_of(rng):
        other = np.concatenate([series[:-held], rng.uniform(50, 90, held)])
        expected, found = by_loop(series, m, held)[:2], four(answer(series, m, held))[:2]
        shaped(found, expected)
        two = four(answer(other, m, held))[:2]
        same("(x, y) after a change of the held-out values", two, found, tolerance=1e-12)
        same("(x, y), up to their scale", whitened(*found), whitened(*expected))


def scaled(answer, rng):
    for series, m, held in series_of(rng):
        training, targets = series[:-held], series[m:-held]
        x, y, _, _ = by_loop(series, m, held)
        suspects = {
            "Mean and standard deviation know the held-out values: take the training part's.": (
                series.mean(),
                series.std(),
            ),
            "The training part begins with the first value, not with the first target.": (
                targets.mean(),
                targets.std(),
            ),
            "`np.std` divides by the number of values, not by one less.": (
                training.mean(),
                training.std(ddof=1),
            ),
        }
        suspects = {hint: by_loop(series, m, held, scale) for hint, scale in suspects.items()}
        if held > 1:
            own = by_loop(series, m, held, (series[-held:].mean(), series[-held:].std()))
            hint = "The held-out part is scaled as the training part is; its own mean is not known."
            suspects[hint] = x, y, *own[2:]
        found, right = four(answer(series, m, held)), by_loop(series, m, held)
        same("(x, y, x_held, y_held)", found, right, suspects=suspects)


# Continuations


def text_of(rng, last=False):
    """A text and its V: not all of the V symbols occur in it, be they first, last or between.

    last  whether it ends with a symbol that occurs nowhere else, so that nothing ever followed it
    """
    S = int(rng.integers(3, 6))
    V = S + int(rng.integers(3, 6))
    ids = rng.permutation(np.arange(1, V - 1))[: S + 1]
    body = rng.choice(S, int(rng.integers(30, 60)), p=rng.dirichlet(np.full(S, 2.0)))
    tail = [*range(S), 1, 2, 1]  # each of the S is followed by another one, the last one too
    text = np.concatenate([[0, 0], body, tail, [S] * last]).astype(int)
    return ids[text], V


def texts(rng, *lasts):
    """A text of this kind for each of `lasts`; a pair occurs hundreds of times in the second."""
    for number, last in enumerate(lasts):
        ids, V = text_of(rng, last)
        V += (V + number) % 2  # no two after each other alike
        yield np.concatenate([np.repeat(ids[:1], 300 * (number == 1)), ids]), V


def smoothed(ids, V, d, q=None, count_last=False, k_of=None):
    """By sets and loops over the text."""
    pairs = list(itertools.pairwise(ids.tolist()))
    counts, kinds = collections.Counter(pairs), set(pairs)
    if q is None:
        q = [sum(w == symbol for _, w in kinds) / len(kinds) for symbol in range(V)]
    table = np.zeros((V, V))
    for u in range(V):
        c = sum(first == u for first, _ in pairs)
        k = len({w for first, w in kinds if first == u})
        if count_last:
            c = int(np.sum(ids == u))
        for w in range(V):
            if c == 0:
                table[u, w] = q[w]
            else:
                kept = max(counts[u, w] - d, 0)
                table[u, w] = (kept + d * (k_of(k) if k_of else k) * q[w]) / c
    return table


def rows_of(found, ids, V, followed=True):
    """The rows of a table of the symbols that something followed, or of the others."""
    table = np.asarray(found)
    ensure(table.shape == (V, V), f"shape {table.shape}; expected {(V, V)}")
    return table[np.isin(np.arange(V), ids[:-1]) == followed]


def of_sources(ids, V):
    """Other q: how often w occurs, and how many stand after it."""
    pairs = set(itertools.pairwise(ids.tolist()))
    return {
        "q asks how many different symbols stand before w, not how often w occurs.": [
            float(np.mean(ids == w)) for w in range(V)
        ],
        "q counts the symbols before w; these are the ones after it.": [
            sum(u == w for u, _ in pairs) / len(pairs) for w in range(V)
        ],
    }


def no_discount(answer, rng):
    for ids, V in texts(rng, False, False):
        right = smoothed(ids, V, 0.0)
        same(
            "rows of symbols that were followed by others",
            rows_of(answer(ids, V, 0.0), ids, V),
            rows_of(right, ids, V),
            suspects={
                "Rows and columns: the row is u, the symbol before.": rows_of(right.T, ids, V),
                "c(u) counts the pairs that begin with u, (ngram): the last symbol begins none.": (
                    rows_of(smoothed(ids, V, 0.0, count_last=True), ids, V)
                ),
            },
        )


def discounted(answer, rng):
    discounts = (*rng.uniform(0.2, 0.9, 2), 1.0)
    for (ids, V), d in zip(texts(rng, True, False, True), discounts, strict=True):
        suspects = {hint: {"q": q} for hint, q in of_sources(ids, V).items()}
        suspects |= {
            "c(u) counts the pairs that begin with u, (ngram): the last symbol begins none.": {
                "count_last": True
            },
            "Each of the k(u) pairs gives away d: k(u) times d is handed out, see (novelty).": {
                "k_of": lambda k: 1
            },
        }
        same(
            f"rows of symbols that were followed by others, {'d = 1' if d == 1 else 'd < 1'}",
            rows_of(answer(ids, V, float(d)), ids, V),
            rows_of(smoothed(ids, V, d), ids, V),
            suspects={
                hint: rows_of(smoothed(ids, V, d, **how), ids, V) for hint, how in suspects.items()
            },
        )


def never_followed(answer, rng):
    two = rng.permutation(4)[:2]  # a text of one pair
    for ids, V in (*texts(rng, True, True), (two, 4)):
        d = float(rng.uniform(0.3, 0.9))
        found, right = rows_of(answer(ids, V, d), ids, V, False), smoothed(ids, V, d)
        right = rows_of(right, ids, V, False)
        ensure(np.isfinite(found).all(), "rows without a pair: 0 divided by 0")
        same(
            "rows of the last symbol and of those that never occur",
            found,
            right,
            suspects={
                "Rows of zeros are no distributions: where nothing is known, q is the answer.": 0
                * right,
                "Not evenly: q still knows which symbols follow many others.": 0 * right + 1 / V,
                **{
                    f"{hint} (This may follow from what is said above.)": 0 * right + q
                    for hint, q in of_sources(ids, V).items()
                },
            },
        )


# The floor of a window


def floor(strings, p, m, place=False, padded=True):
    """A mean over steps of conditional entropies, window by window, in bits."""
    T, cost, whole = strings.shape[1], 0.0, 0.0
    rows = [[-1] * m + list(s) for s in strings.tolist()]
    after = {}
    for n, row in enumerate(rows):
        for t in range(0 if padded else m, T):
            window = (t if place else 0, *row[t : t + m])
            after.setdefault(window, {}).setdefault(row[t + m], []).append(p[n])
    for found in after.values():
        mass = np.array([sum(weights) for weights in found.values()])
        q = mass[mass > 0] / mass.sum()
        cost += mass.sum() * -(q * np.log2(q)).sum() if mass.sum() > 0 else 0
        whole += mass.sum()
    return cost / whole


def sources(rng):
    """Strings with unequal probabilities, one of them 0; other ids and lengths.

    The last symbol depends on the first one or on the second, and two ids are near in every base.
    """
    for T in (int(rng.integers(4, 6)), int(rng.integers(7, 9))):
        a = int(rng.integers(1, 100))
        ids, drawn = np.array([0, a, a + 6400]), rng.integers(0, 3, (10 + T, T))
        for row, (place, symbol) in enumerate([(0, 1), (0, 2), (1, 1), (1, 2)]):
            drawn[row] = drawn[place]
            drawn[row, [place, -1]] = symbol
        drawn[4] = 0  # the first of the strings in order
        strings = np.unique(drawn, axis=0)
        p = rng.dirichlet(np.full(len(strings), 3.0))
        p[0] = 0
        yield ids[strings], p / p.sum()


def sees_all(answer, rng):
    letters = np.array([[4], [7], [2]]), rng.dirichlet(np.ones(3))
    for strings, p in (*sources(rng), letters):
        T, some = strings.shape[1], p[p > 0]
        entropy = -(some * np.log2(some)).sum()
        for m in (T, T + int(rng.integers(1, 4))):
            suspects = {
                "That is in nats; see (bits).": entropy * np.log(2) / T,
                "Each string counts with its own probability.": np.log2(len(p)) / T,
            }
            if T > 1:
                hint = "That is for a whole string; asked for is the mean over its steps."
                suspects[hint] = entropy
            what = "m = T" if m == T else "m > T"
            same(f"the floor for {what}", answer(strings, p, m), entropy / T, suspects=suspects)


def twins(answer, rng):
    """Names, words that depend on nothing, and a symbol that the name alone decides."""
    for between, words in ((4, 2), (int(rng.integers(2, 4)), 3)):
        names, rows = 2 * int(rng.integers(1, 4)), []
        for name, *others in itertools.product(range(names), *[range(words)] * between):
            fillers = [10 * (i + 1) + word for i, word in enumerate(others)]
            rows.append([name, *fillers, 100 + name % 2])
        rows = np.array(rows)
        p = np.full(len(rows), 1 / len(rows))
        free = np.log2(names) + between * np.log2(words)
        for m in (between, between + 1):
            lost = 1.0 if m == between else 0.0
            what = "misses the name" if lost else "just reaches the name"
            found = answer(rows, p, int(m))
            same(f"the floor of a window that {what}", found, (free + lost) / rows.shape[1])


def short_windows(answer, rng):
    for strings, p in sources(rng):
        even, T = np.full(len(p), 1 / len(p)), strings.shape[1]
        for m in (0, 1, 2, T - 2):
            suspects = {
                "That model knows the step. Windows that look the same get one distribution,"
                " wherever they stand.": floor(strings, p, m, place=True),
                "Each string counts with its own probability.": floor(strings, even, m),
            }
            if m:
                hint = "The first m steps count too; before them stands a symbol of its own."
                suspects[hint] = rest = floor(strings, p, m, padded=False)
                suspects["The first m steps are missing in the sum, see (cross-entropy)."] = (
                    rest * (T - m) / T
                )
            found, right = answer(strings, p, m), floor(strings, p, m)
            same(f"the floor for m = {m}", found, right, suspects=suspects)


QUESTIONS = (
    Question(
        "sequences.characters",
        "bits_per_character",
        (
            Case(
                1,
                "one sentence, without padding",
                one_sentence,
                "The bits of all words together, (bits), over the characters of all of them.",
            ),
            Case(
                1,
                "several sentences, with anything in the padding, NaN too",
                padded,
                "Only real places count, and 0 times NaN is NaN: choose them by the mask first.",
            ),
        ),
    ),
    Question(
        "sequences.split",
        "split_in_time",
        (
            Case(
                1,
                "each target with the values before it, the last ones held out",
                places,
                "In the order of time: the value after a window is its target, see (chain-rule).",
            ),
            Case(
                1,
                "other held-out values change nothing in the training set",
                no_leak,
                "What of the held-out values can be seen in x and y, be it through a mean?",
            ),
            Case(
                2,
                "all four arrays, scaled",
                scaled,
                "One mean and one standard deviation, of the training part, for all four arrays.",
            ),
        ),
    ),
    Question(
        "sequences.continuation",
        "continuation_smoothing",
        (
            Case(
                1,
                "without a discount: shares of the counts",
                no_discount,
                "With d = 0 the formula is (ngram).",
            ),
            Case(
                2,
                "with a discount",
                discounted,
                "Do the rows sum to one? Each different pair gives away d, see (novelty).",
            ),
            Case(
                1,
                "symbols that nothing followed",
                never_followed,
                "Where c(u) is 0 the formula divides by 0; the answer is q then.",
            ),
        ),
    ),
    Question(
        "sequences.floor",
        "window_floor",
        (
            Case(
                1,
                "a window as long as the strings: their entropy",
                sees_all,
                "No two strings share a window here; what is left is the entropy, see (gibbs).",
            ),
            Case(
                1,
                "a window that misses the name, and one that reaches it",
                twins,
                "For each window, the entropy of what follows it, (gibbs); the mean of these.",
            ),
            Case(
                2,
                "short windows, strings of unequal probability, one of them 0",
                short_windows,
                "Add up probabilities over strings and steps as (ngram) adds up counts.",
            ),
        ),
    ),
)
