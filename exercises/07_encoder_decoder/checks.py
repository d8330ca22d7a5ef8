"""What is asked of slips, agreement, a beam and a mean, and how answers are looked at."""

from itertools import product

import numpy as np
from seqlib.gradcheck import numerical_gradient
from seqlib.grading import Case, Question, ensure, same

# What a slip costs


def listed(e, d, T, k=None):
    """Of each word, the probability to be right: a sum over all patterns of right and wrong."""
    right = np.zeros(T)
    for pattern in product((True, False), repeat=T):
        p, before = 1.0, True
        for t, word in enumerate(pattern, start=1):
            wrong = e if before else d
            p *= (0.0 if word else 1.0) if t == k else (1 - wrong if word else wrong)
            before = word
        right += p * np.array(pattern)
    return right


def drawn_slip(rng, T):
    e, d = rng.uniform(0.05, 0.25), rng.uniform(0.4, 0.9)
    return e, d, T, int(rng.integers(2, T))


def part(found, name):
    ensure(isinstance(found, dict), "what came back is no dict")
    ensure(name in found, f"no key {name!r} in what came back")
    return found[name]


def without_slip(answer, rng):
    e, d, T, k = drawn_slip(rng, 6)
    found, free = answer(e, d, T, k), listed(e, d, T)
    same(
        "free",
        part(found, "free"),
        free,
        suspects={
            "After a wrong word the next may be right again, with 1 - d.": (1 - e)
            ** np.arange(1, T + 1),
            "After a wrong word the next is wrong with d, not with e.": np.full(T, 1 - e),
        },
    )
    same(
        "exact",
        part(found, "exact"),
        (1 - e) ** T,
        suspects={
            "The words are not independent: in a row without a mistake, d never acts, see"
            " (exposure-exact).": float(np.prod(free))
        },
    )


def with_slip(answer, rng):
    e, d, T, k = drawn_slip(rng, 7)
    same(
        "slip",
        part(answer(e, d, T, k), "slip"),
        listed(e, d, T, k),
        suspects={
            "Steps count from 1: the slip is at step k, entry k - 1 of the array.": listed(
                e, d, T, k + 1
            )
        },
    )


def cost(answer, rng):
    """In closed form: what a slip changes shrinks by d - e with each word."""
    e, d, T, k = drawn_slip(rng, 60)
    rate = d - e
    steady = (1 - d) / (1 - rate)
    at_k = steady + (1 - steady) * rate**k
    later = at_k * rate * (1 - rate ** (T - k)) / (1 - rate)
    after = steady * (T - k) - steady * rate * (1 - rate ** (T - k)) / (1 - rate)
    same(
        "cost",
        part(answer(e, d, T, k), "cost"),
        later,
        suspects={
            "The word of step k itself does not count, only those after it.": later + at_k,
            "Some of the words after the slip would have been wrong without it.": T - k - after,
        },
    )


# What the others agree with


def runs(row):
    size = len(row)
    return [tuple(row[i:j]) for i in range(size) for j in range(i + 1, min(i + 4, size) + 1)]


def shared(one, other):
    """The score of two sentences, by striking out run after run."""
    a, b = runs(one), runs(other)
    size, hits = max(len(a), len(b)), 0
    for run in a:
        if run in b:
            b.remove(run)
            hits += 1
    return hits / size if size else 1.0


def judged(answer, candidates, log_p, weights, suspects):
    g = np.array([[shared(a, b) for b in candidates] for a in candidates])
    found = answer(candidates, log_p)
    ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair")
    gains = g @ weights
    same("gains", found[1], gains, suspects={hint: g @ w for hint, w in suspects.items()})
    best = np.asarray(found[0])
    ensure(best.shape == () and best.dtype.kind in "iu", "the index is no integer")
    ensure(0 <= best < len(gains), "the index is none of a candidate")
    ensure(
        gains[best] > gains.max() - 1e-9,
        "another candidate has a greater gain",
        "Not the likeliest one is asked for, (mode-empty), but the one of the greatest gain.",
    )


def distinct(rng, n):
    """Sentences without any word twice, that share some runs."""
    base = rng.permutation(9)
    rows = []
    for _ in range(n):
        row, (i, j) = base.copy(), rng.integers(0, 9, 2)
        row[[i, j]] = row[[j, i]]
        start = int(rng.integers(0, 3))
        rows.append(tuple(int(v) for v in row[start : start + int(rng.integers(5, 7))]))
    return rows


def equal_draws(answer, rng):
    rows = distinct(rng, 5)
    judged(answer, rows, None, np.full(5, 1 / 5), {})


def beam_list(answer, rng):
    rows = list(dict.fromkeys([*distinct(rng, 6), (7, 3)]))
    log_p = rng.uniform(-901.2, -900.5, len(rows))
    log_p[-1] = -900.4  # the likeliest, and like no other
    weights = np.exp(log_p + 900)
    n = len(rows)
    judged(
        answer,
        rows,
        log_p,
        weights / weights.sum(),
        {
            "Of a beam's list each sentence stands there once: its weight is its probability.": (
                np.full(n, 1 / n)
            ),
            "The weights are probabilities, not their logarithms.": log_p / log_p.sum(),
            "The weights have to sum to 1; and exp of a very small logarithm is 0.": np.exp(log_p),
        },
    )


def draws_with_repeats(answer, rng):
    kinds = [tuple(int(v) for v in rng.integers(3, 5, size)) for size in (2, 3, 6, 8)]
    rows = [kinds[k] for k in (0, 2, 3, 2, 1)] + [(), (), kinds[3]]
    judged(answer, rows, None, np.full(len(rows), 1 / len(rows)), {})


# A beam


def table(rng, V, N):
    a = 1.2 * rng.standard_normal((N, V + 1, V))
    return a - np.log(np.exp(a).sum(axis=2, keepdims=True))


def beam(log_p, width, bonus, leave=False, own=True):
    """Rows as keys of a dict, so that none is there twice.

    leave: ended rows leave the beam; not own: the bonus is counted for the step
    """
    kept, done = {(): 0.0}, {}
    for n, step in enumerate(log_p, start=1):
        grown = {row: p for row, p in kept.items() if row and row[-1] == 0}
        for row in kept.keys() - grown.keys():
            last = row[-1] if row else -1
            grown |= {(*row, v): kept[row] + p for v, p in enumerate(step[last])}

        def score(row, grown=grown, n=n):
            return grown[row] + bonus * (len(row) if own else n)

        kept = {row: grown[row] for row in sorted(grown, key=score, reverse=True)[:width]}
        if leave:
            done |= {row: p for row, p in kept.items() if row[-1] == 0}
            kept = {row: p for row, p in kept.items() if row[-1] != 0}
    both = done | kept
    order = sorted(both, key=lambda row: -(both[row] + bonus * len(row) * own))
    return tuple(order[:width]), np.array([both[row] for row in order[:width]])


def every(log_p, bonus):
    """All rows, by their score."""
    (N, _, V), found = log_p.shape, {}
    for n in range(1, N + 1):
        for row in product(range(V), repeat=n):
            if 0 not in row[:-1] and (row[-1] == 0 or n == N):
                before = (-1, *row[:-1])
                found[row] = sum(log_p[t, before[t], v] for t, v in enumerate(row))
    rows = sorted(found, key=lambda row: -(found[row] + bonus * len(row)))
    return tuple(rows), np.array([found[row] for row in rows])


COPIES = "Equal rows grow into equal rows: at the first step there is only one beginning."
GROWS = "After END nothing is said: such a row goes on as it is, for nothing; see (beam-score)."


def looked_at(answer, given, expected, suspects):
    found = answer(*given)
    ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair")
    rows, totals = found
    ensure(isinstance(rows, tuple), "the rows are no list")
    rows = tuple(tuple(np.asarray(row).tolist()) for row in rows)
    ensure(not any(0 in row[:-1] for row in rows), "a row goes on behind END", GROWS)
    ensure(len(set(rows)) == len(rows), "a row stands there twice", COPIES)
    same("(rows, log-probabilities)", (rows, totals), expected, suspects=suspects)


def searched(widths, bonuses):
    def case(answer, rng):
        for width in widths * 4:
            bonus = float(rng.uniform(*bonuses))
            given = table(rng, 4, 5), width, bonus
            suspects = {
                "A row that has ended keeps its place among the `width`, and may lose it.": beam(
                    *given, leave=True
                )
            }
            if bonus:
                suspects["Each row is paid for its own words: |y| in (beam-score)."] = beam(
                    *given, own=False
                )
            looked_at(answer, given, beam(*given), suspects)

    return case


def with_bonus(answer, rng):
    searched((2, 3, 4), (0.3, 1.5))(answer, rng)
    given = table(rng, 3, 4), 1000, 0.7
    looked_at(answer, given, every(given[0], 0.7), {})


# A mean for a summary

B, S, T, D, H = 3, 4, 5, 2, 3


def states(at, real):
    """The decoder's states, row by row, from the real outputs alone."""
    found = np.zeros((B, at["y"].shape[1], H))
    for row in range(B):
        c = s = np.mean([at["h"][row, i] for i in np.flatnonzero(real[row])], axis=0)
        for t, y in enumerate(at["y"][row]):
            s = np.tanh(at["W_y"] @ y + at["W_s"] @ s + at["W_c"] @ c + at["b"])
            found[row, t] = s
    return found


def mean(names, padded=False, zeros=False):
    """A case that compares the gradients of this name with differences."""

    def case(answer, rng):
        shapes = {"W_y": (H, D), "W_s": (H, H), "W_c": (H, H), "b": (H,)}
        params = {name: 0.7 * rng.standard_normal(shape) for name, shape in shapes.items()}
        h, y = rng.standard_normal((B, S, H)), rng.standard_normal((B, T, D))
        ds, real = rng.standard_normal((B, T, H)), np.ones((B, S), bool)
        if padded:
            real &= np.arange(S) < np.array([2, S, 3])[:, None]
        at = {**params, "h": h, "y": y}
        found = answer(params, h, real, y, ds)
        for name in names:
            expected = numerical_gradient(
                lambda a, name=name: float(np.sum(states({**at, name: a}, real) * ds)), at[name]
            )
            value = part(found, name)
            if padded and name == "h" and np.shape(value) == h.shape:
                ensure(
                    not np.any(np.asarray(value)[~real]),
                    "padding has a gradient",
                    "What is not in the mean has no part in it: its gradient is 0.",
                )
            same(f"gradient of {name}", value, expected, tolerance=1e-7)

    return case


QUESTIONS = (
    Question(
        "s2s.slip",
        "slip_cost",
        (
            Case(
                1,
                "without a slip: each word, and all of them",
                without_slip,
                "Two ways lead to a right word; to a right row only one, see (exposure-exact).",
            ),
            Case(
                1,
                "each word with a slip",
                with_slip,
                "At step k the word is wrong for certain; the loop goes on from there, as it does"
                " without a slip.",
            ),
            Case(
                1,
                "the cost in a row of 60 words",
                cost,
                "Add up, over the words after step k, by how much they are less often right.",
            ),
        ),
    ),
    Question(
        "s2s.agreement",
        "agreement",
        (
            Case(
                1,
                "five draws, no word twice in a sentence",
                equal_draws,
                "All four lengths of runs are counted together, and divided once, by the greater"
                " number; compare the shares of (bleu).",
            ),
            Case(
                1,
                "a beam's list of improbable sentences",
                beam_list,
                "The weights are the probabilities, scaled to the sum 1.",
            ),
            Case(
                1,
                "draws that repeat words and sentences, and say nothing",
                draws_with_repeats,
                "A run is shared no more often than it occurs in either, see (bleu); each draw"
                " counts.",
            ),
        ),
    ),
    Question(
        "s2s.beam",
        "repaired_beam",
        (
            Case(
                1,
                "width 1, no bonus",
                searched((1,), (0, 0)),
                "Take the likeliest word, again and again, until it is END.",
            ),
            Case(
                1,
                "widths 2 to 4, no bonus",
                searched((2, 3, 4), (0, 0)),
                "All continuations of all rows are compared, as in (beam-score) with alpha 0.",
            ),
            Case(
                2,
                "with a bonus; and so wide that nothing is lost",
                with_bonus,
                "The order is that of the scores: compare (beam-score), which divides by |y| where"
                " a bonus is added.",
            ),
        ),
    ),
    Question(
        "s2s.mean_context",
        "mean_context_backward",
        (
            Case(
                1,
                "W_s, no padding",
                mean(["W_s"]),
                "Each step adds da_t times the state *before* it, and before the first is c:"
                " (s2s-start).",
            ),
            Case(
                1,
                "W_c, no padding",
                mean(["W_c"]),
                "W_c stands in every step: its gradient is a sum over them, as (cho-dc) is.",
            ),
            Case(
                1,
                "the encoder's outputs, no padding",
                mean(["h"]),
                "c has T + 1 places, the start among them, see (cho-dc); a word has 1/n of it.",
            ),
            Case(
                1,
                "everything, rows of different lengths",
                mean(["W_s", "W_c", "h"], padded=True),
                "n counts the real words of a row, forward and backward; compare the padding"
                " under (s2s-cross).",
            ),
        ),
    ),
)
