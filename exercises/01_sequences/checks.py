"""What is asked about scores, splits, counts and windows, and how answers are looked at."""

import itertools

import numpy as np
from seqlib.grading import Case, Question, ensure, same

# Bits per character


def scored(rng, lengths):
    """log_p, characters and mask of sentences, and the values of the real words row by row."""
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    log_p = np.where(mask, np.log(rng.uniform(0.01, 0.9, mask.shape)), np.nan)
    characters = np.where(mask, rng.integers(2, 12, mask.shape), 99)
    rows = [
        [(-log_p[b, t] / np.log(2), characters[b, t]) for t in range(n)]
        for b, n in enumerate(lengths)
    ]
    return (log_p, characters, mask), rows


def per_character(lengths):
    def case(answer, rng):
        given, rows = scored(rng, lengths)
        words = list(itertools.chain(*rows))
        bits, letters = (sum(column) for column in zip(*words, strict=True))
        right, of_rows = bits / letters, [sum(b for b, _ in r) / sum(n for _, n in r) for r in rows]
        suspects = {
            "That is in nats; see (bits).": right * np.log(2),
            "That is bits per word: the characters are still to come.": bits / len(words),
            "The mean over words of bits per character lets a short word count as much as a long"
            " one. Sum first, divide once.": np.mean([b / n for b, n in words]),
            "The log of a probability is negative, a cost is not, see (cross-entropy).": -right,
        }
        if len(rows) > 1:
            hint = "The mean over sentences lets a short sentence count as much as a long one."
            suspects[hint] = np.mean(of_rows)
        same("bits per character", answer(*given), right, suspects=suspects)

    return case


# A split in time


def series_of(rng):
    N, m, held = 24, 3, 5
    return np.cumsum(rng.uniform(-1, 3, N)), m, held


def by_loop(series, m, held, scale=None):
    mean, std = scale or (np.mean(series[:-held]), np.std(series[:-held]))
    v = [(value - mean) / std for value in series]
    x, y = [], []
    for t in range(m, len(v)):
        x.append(v[t - m : t])
        y.append(v[t])
    x, y = np.array(x), np.array(y)
    return x[:-held], y[:-held], x[-held:], y[-held:]


def whitened(parts):
    """Windows and targets in a scale of their own: any straight scaling before gives the same."""
    x, y, x_held, y_held = parts
    y = np.concatenate([y, y_held])
    x = np.concatenate([x, x_held])
    return (x - y.mean()) / y.std(), (y - y.mean()) / y.std()


def four(found):
    ensure(isinstance(found, tuple) and len(found) == 4, "what came back are not four arrays")
    return found


def places(answer, rng):
    series, m, held = series_of(rng)
    expected = by_loop(series, m, held)
    found = four(answer(series, m, held))
    if np.shape(found[1]) == np.shape(found[0])[:1]:
        ensure(
            not np.array_equal(np.asarray(found[0])[:, -1], found[1]),
            "each target is the last value of its own window",
            "A window that holds its target: the answer is among the inputs.",
        )
    for name, one, other in zip(("x", "y", "x_held", "y_held"), found, expected, strict=True):
        ensure(
            np.shape(one) == other.shape,
            f"{name}: shape {np.shape(one)}; expected {other.shape}",
            "Every value with m values before it is a target; the last `held` ones are held out.",
        )
    (x, y), right = whitened(found), whitened(expected)
    same("(windows, targets), up to their scale", (x, y), right)


def no_leak(answer, rng):
    series, m, held = series_of(rng)
    other = np.concatenate([series[:-held], rng.uniform(50, 90, held)])
    one, two = four(answer(series, m, held)), four(answer(other, m, held))
    size = len(series) - m - held
    ensure(np.shape(one[1]) == (size,), f"y: shape {np.shape(one[1])}; expected {(size,)}")
    ensure(np.ptp(one[1]) > 0, "y: all training targets are equal")
    same("(x, y) after a change of the held-out values", two[:2], one[:2], tolerance=1e-12)


def scaled(answer, rng):
    series, m, held = series_of(rng)
    training, targets = series[:-held], series[m:-held]
    x, y, _, _ = by_loop(series, m, held)
    _, _, x_own, y_own = by_loop(series, m, held, (series[-held:].mean(), series[-held:].std()))
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
    hint = "The held-out part is scaled as the training part is; its own mean is not known yet."
    suspects[hint] = x, y, x_own, y_own
    found, right = four(answer(series, m, held)), by_loop(series, m, held)
    same("(x, y, x_held, y_held)", found, right, suspects=suspects)


# Continuations


def text_of(rng, last=()):
    """Ids of four symbols, the last of which was followed before, and a V of six."""
    body = rng.choice(4, 40, p=[0.5, 0.25, 0.15, 0.1])
    return np.concatenate([body, [0, 1, 2, 3, 1, 2, 1], last]).astype(int), 6


def smoothed(ids, V, d, q=None, count_last=False, k_of=None):
    """By sets and loops over the text."""
    pairs = list(itertools.pairwise(ids.tolist()))
    kinds = set(pairs)
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
                kept = max(pairs.count((u, w)) - d, 0)
                table[u, w] = (kept + d * (k_of(k) if k_of else k) * q[w]) / c
    return table


def no_discount(answer, rng):
    ids, V = text_of(rng)
    table = np.asarray(answer(ids, V, 0.0))
    ensure(table.shape == (V, V), f"shape {table.shape}; expected {(V, V)}")
    right = smoothed(ids, V, 0.0)
    same(
        "rows of symbols that were followed by others",
        table[:4],
        right[:4],
        suspects={
            "Rows and columns: the row is u, the symbol before.": right.T[:4],
            "c(u) counts the pairs that begin with u, (ngram): the last symbol begins none.": (
                smoothed(ids, V, 0.0, count_last=True)[:4]
            ),
        },
    )


def discounted(answer, rng):
    ids, V = text_of(rng)
    d = rng.uniform(0.3, 0.9)
    pairs = set(itertools.pairwise(ids.tolist()))
    share = [float(np.mean(ids == w)) for w in range(V)]
    after = [sum(u == w for u, _ in pairs) / len(pairs) for w in range(V)]
    table = np.asarray(answer(ids, V, d))
    ensure(table.shape == (V, V), f"shape {table.shape}; expected {(V, V)}")
    suspects = {
        "q asks how many different symbols stand before w, not how often w occurs.": {"q": share},
        "q counts the symbols before w; these are the ones after it.": {"q": after},
        "c(u) counts the pairs that begin with u, (ngram): the last symbol begins none.": {
            "count_last": True
        },
        "Each of the k(u) pairs gives away d: k(u) times d is handed out, see (novelty).": {
            "k_of": lambda k: 1
        },
    }
    same(
        "rows of symbols that were followed by others",
        table[:4],
        smoothed(ids, V, d)[:4],
        suspects={hint: smoothed(ids, V, d, **how)[:4] for hint, how in suspects.items()},
    )


def never_followed(answer, rng):
    ids, V = text_of(rng, [4])
    d = rng.uniform(0.3, 0.9)
    table, right = np.asarray(answer(ids, V, d)), smoothed(ids, V, d)
    ensure(table.shape == (V, V), f"shape {table.shape}; expected {(V, V)}")
    ensure(np.isfinite(table[4:]).all(), "rows without a pair: 0 divided by 0")
    same(
        "rows of the last symbol and of one that never occurs",
        table[4:],
        right[4:],
        suspects={
            "Rows of zeros are no distributions: where nothing is known of u, q is the answer.": 0
            * right[4:],
            "Not evenly: q still knows which symbols follow many others.": 0 * right[4:] + 1 / V,
        },
    )


# The floor of a window


def floor(strings, p, m, place=False, padded=True):
    """A mean over steps of conditional entropies, window by window, in bits."""
    T, cost, whole = strings.shape[1], 0.0, 0.0
    rows = [[-1] * m + list(s) for s in strings.tolist()]
    steps = [
        (p[n], (t if place else 0, *rows[n][t : t + m]), strings[n, t])
        for n in range(len(p))
        for t in range(0 if padded else m, T)
    ]
    for u in {window for _, window, _ in steps}:
        inside = [(weight, w) for weight, window, w in steps if window == u]
        mass = sum(weight for weight, _ in inside)
        q = np.array([sum(v for v, w in inside if w == s) for s in {w for _, w in inside}]) / mass
        cost += mass * -(q * np.log2(q)).sum()
        whole += mass
    return cost / whole


def source(rng):
    strings = np.unique(rng.integers(0, 3, (14, 5)), axis=0)
    return strings, rng.dirichlet(np.ones(len(strings)))


def sees_all(answer, rng):
    strings, p = source(rng)
    entropy = -(p * np.log2(p)).sum()
    same(
        "the floor for m = T",
        answer(strings, p, strings.shape[1]),
        entropy / strings.shape[1],
        suspects={
            "That is in nats; see (bits).": entropy * np.log(2) / strings.shape[1],
            "That is for a whole string; asked for is the mean over its steps.": entropy,
            "Each string counts with its own probability.": np.log2(len(p)) / strings.shape[1],
        },
    )


def twins(answer, rng):
    """Names, words that depend on nothing, and a symbol that the name alone decides."""
    names, words, between = 4, int(rng.integers(2, 4)), 3
    rows = []
    for name, *others in itertools.product(range(names), *[range(words)] * between):
        fillers = [10 * (i + 1) + word for i, word in enumerate(others)]
        rows.append([name, *fillers, 50 + name % 2])
    rows = np.array(rows)
    p = np.full(len(rows), 1 / len(rows))
    free = np.log2(names) + between * np.log2(words)
    for m in (between, between + 1):
        lost = 1.0 if m == between else 0.0
        what = "misses the name" if lost else "just reaches the name"
        found = answer(rows, p, m)
        same(f"the floor of a window that {what}", found, (free + lost) / rows.shape[1])


def short_windows(answer, rng):
    strings, p = source(rng)
    even = np.full(len(p), 1 / len(p))
    for m in (0, 1, 2):
        suspects = {
            "That model knows the step. Windows that look the same get one distribution,"
            " wherever they stand.": floor(strings, p, m, place=True),
            "Each string counts with its own probability.": floor(strings, even, m),
        }
        if m:
            hint = "The first m steps count too; before them stands a symbol of its own."
            suspects[hint] = rest = floor(strings, p, m, padded=False)
            T = strings.shape[1]
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
                per_character((7,)),
                "The bits of all words together, (bits), over the characters of all of them.",
            ),
            Case(
                1,
                "three sentences, with NaN in the padding",
                per_character((6, 2, 4)),
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
                "windows of 0 to 2 symbols, strings of unequal probability",
                short_windows,
                "Add up probabilities over strings and steps as (ngram) adds up counts.",
            ),
        ),
    ),
)
