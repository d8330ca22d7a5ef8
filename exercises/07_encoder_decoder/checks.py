"""What is asked of slips, agreement, a beam and a mean, and how answers are looked at."""

from itertools import product

import numpy as np
from seqlib.grading import Case, Question, Wrong, ensure, same
from seqlib.grading.cases import same_gradients, unequal

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


def drawn_slips(rng, T):
    """(e, d, T, k): drawn; then the first step and the last, one word, and the ends of [0, 1]."""
    e, d, k = rng.uniform(0.05, 0.25), rng.uniform(0.4, 0.9), int(rng.integers(2, T))
    return (
        *((e, d, T, k), (d, e, T + 1, k), (e, d, T, 1), (e, d, T, T), (d, e, 1, 1)),
        *((0.0, 1.0, T, k), (1.0, 0.0, T, k), (0.0, 0.5, T, 1), (e, e, T, k)),
        *((e, 1.0, T, 1), (d, 0.0, T, T)),
    )


def part(found, name):
    ensure(isinstance(found, dict), "what came back is no dict")
    ensure(name in found, f"no key {name!r} in what came back")
    return found[name]


def without_slip(answer, rng):
    for e, d, T, k in drawn_slips(rng, int(rng.integers(4, 7))):
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
    for e, d, T, k in drawn_slips(rng, int(rng.integers(4, 7))):
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


def costs(answer, rng):
    """In closed form: what a slip changes shrinks by d - e with each word."""
    for e, d, T, k in drawn_slips(rng, int(rng.integers(40, 80))):
        rate, steady = e - d, (1 - d) / (1 - d + e) if e or d < 1 else 1.0
        at_k = steady + (1 - steady) * (-rate) ** k
        powers = np.sum((-rate) ** np.arange(1, T - k + 1))
        later, after = at_k * powers, steady * (T - k) - steady * powers
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
    ensure(best.shape == () and best == np.floor(best), "the index is no integer")
    ensure(0 <= best < len(gains), "the index is none of a candidate")
    ensure(
        gains[int(best)] > gains.max() - 1e-9,
        "another candidate has a greater gain",
        "Not the likeliest one is asked for, (mode-empty), but the one of the greatest gain.",
    )


def distinct(rng, n):
    """Sentences without any word twice, that share some runs."""
    base = 20 + rng.permutation(12)
    rows = []
    while len(rows) < n:
        row, (i, j) = base.copy(), rng.integers(0, 12, 2)
        row[[i, j]] = row[[j, i]]
        start = int(rng.integers(0, 3))
        row = tuple(int(v) for v in row[start : start + int(rng.integers(5, 8))])
        rows += [row] * (row not in rows)
    return rows


def equal_draws(answer, rng):
    for n in (5, int(rng.integers(6, 9)), 1, 2):
        judged(answer, distinct(rng, n), None, np.full(n, 1 / n), {})


EVEN = "Of a beam's list each sentence stands there once: its weight is its probability."


def beam_list(answer, rng):
    """The likeliest is like no other; also where nothing is improbable, and the empty sentence."""
    for far, n, last in ((900.0, 6, (7, 8)), (0.5, 4, ()), (1e5, 7, ()), (3.0, 1, None)):
        rows = distinct(rng, n) + ([] if last is None else [last])
        log_p = rng.uniform(-1.2, -0.5, len(rows))
        log_p[-1] = -0.4
        weights, log_p = np.exp(log_p), log_p - far
        judged(
            answer,
            rows,
            log_p,
            weights / weights.sum(),
            {
                EVEN: np.full(len(rows), 1 / len(rows)),
                "The weights are probabilities, not their logarithms.": log_p / log_p.sum(),
                "The weights have to sum to 1; and exp of a very small logarithm is 0.": np.exp(
                    log_p
                ),
            },
        )
    rows, log_p = [(3, 4), (3, 4, 5), ()], np.log([0.25, 0.35, 0.4])
    judged(answer, rows, log_p - 2000 * rng.random(), np.array([0.25, 0.35, 0.4]), {})


def draws_with_repeats(answer, rng):
    """Of one word to ten; and words whose digits, written side by side, are the same."""
    kinds = [tuple(int(v) for v in rng.integers(3, 5, size)) for size in (2, 3, 6, 10)]
    some = [kinds[k] for k in (0, 2, 3, 2, 1)] + [(), (), kinds[3]]
    word = int(rng.integers(5, 9))
    alike = [(word, 11 * word), (11 * word, word), (111 * word,), (word,) * 3, (word,)]
    for rows in (some, alike, [()], [(), (word,)], [(word,) * 10, (word,) * 4, (word,) * 10]):
        judged(answer, rows, None, np.full(len(rows), 1 / len(rows)), {})


# A beam


def table(rng, V, N):
    a = 1.2 * rng.standard_normal((N, V + 1, V))
    return a - np.log(np.exp(a).sum(axis=2, keepdims=True))


def beam(log_p, width, bonus, leave=False, own=True, grows=False, copies=False):
    """Rows and their log-probabilities; the options are mistakes.

    leave   ended rows leave the beam
    own     not: the bonus is counted for the step
    grows   rows go on behind END
    copies  it begins with `width` equal rows
    """
    kept, done = [((), 0.0)] * (width if copies else 1), []
    for n, step in enumerate(log_p, start=1):
        grown = []
        for row, p in kept:
            if row and row[-1] == 0 and not grows:
                grown.append((row, p))
            else:
                last = row[-1] if row else -1
                grown += [((*row, v), p + step[last, v]) for v in range(len(step) - 1)]

        def score(pair, n=n):
            return pair[1] + bonus * (len(pair[0]) if own else n)

        kept = sorted(grown, key=score, reverse=True)[:width]
        if leave:
            done += [pair for pair in kept if pair[0][-1] == 0]
            kept = [pair for pair in kept if pair[0][-1] != 0]
    both = sorted(done + kept, key=lambda pair: -(pair[1] + bonus * len(pair[0]) * own))[:width]
    return tuple(row for row, _ in both), np.array([p for _, p in both])


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


MISTAKES = {
    "grows": (
        True,
        "After END nothing is said: such a row goes on as it is, for nothing; see (beam-score).",
    ),
    "copies": (
        True,
        "Equal rows grow into equal rows: at the first step there is only one beginning.",
    ),
    "own": (False, "Each row is paid for its own words: |y| in (beam-score)."),
}
LEAVES = "A row that has ended keeps its place among the `width`, and may lose it."
LEFT = ("", " One more of the three mistakes is left.", " Two more of the three are left.")
BLIND = " Of the three mistakes some do not show here: look at the other cases, too."


def repairs(names):
    """For each choice of mistakes: the hint for the first, with how many others are left."""
    for chosen in product((True, False), repeat=len(names)):
        made = [name for name, here in zip(names, chosen, strict=True) if here]
        if made:
            more = LEFT[len(made) - 1] if len(names) == 3 else LEFT[len(made) - 1] + BLIND
            yield MISTAKES[made[0]][1] + more, {name: MISTAKES[name][0] for name in made}


def looked_at(answer, given, names):
    """All searches at once, so that mistakes are named only if they explain all answers.

    given  list of (table, width, bonus)
    names  of the mistakes that would show
    """
    what, found = "(rows, log-probabilities)", tuple(searched(answer, one) for one in given)
    expected = tuple(beam(*one) for one in given)
    try:
        same(what, found, expected)
    except Wrong:  # only now, because the mistakes take their time
        mistakes = [*repairs(names), (LEAVES, {"leave": True})]
        suspects = {hint: tuple(beam(*one, **how) for one in given) for hint, how in mistakes}
        same(what, found, expected, suspects=suspects)


def searched(answer, given):
    found = answer(*given)
    ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair")
    rows, totals = found
    ensure(isinstance(rows, tuple), "the rows are no list")
    return tuple(tuple(np.asarray(row).tolist()) for row in rows), totals


def telling(rng, V, N, width, bonus, names):
    """A table for which each mistake alone, and ended rows that leave, give another result."""
    while True:
        given = table(rng, V, N), width, bonus
        right = beam(*given)[0]
        wrong = [beam(*given, **{name: MISTAKES[name][0]})[0] for name in names]
        if width > 1:
            wrong.append(beam(*given, leave=True)[0])
        if all(one != right for one in wrong) and len(right) == width:
            return given


def greedy(answer, rng):
    """Also one word, one step, and a row that goes to its end without END."""
    sizes = *unequal(rng, 2, least=4), (4, 5)
    given = [telling(rng, V, N, 1, 0.0, ["grows"]) for V, N in sizes]
    endless = table(rng, 3, 4) - 50.0 * (np.arange(3) == 0)
    given += [(log_p, 1, 0.0) for log_p in (table(rng, 2, 1), table(rng, 1, 3), endless)]
    looked_at(answer, given, ["grows"])


def wide(answer, rng):
    names, given = ["grows", "copies"], []
    sizes = *unequal(rng, 2, least=4), *rng.integers(4, 7, (3, 2)).tolist()
    for width, (V, N) in zip((2, 3, 4, 2, 5), sizes, strict=True):
        given.append(telling(rng, V, N, width, 0.0, names))
    looked_at(answer, given, names)


def with_bonus(answer, rng):
    """At last so wide that nothing is lost."""
    names, given = ["grows", "copies", "own"], []
    for width, (V, N) in zip((2, 3, 4, 2), ((4, 5), (5, 4), (4, 4), (5, 5)), strict=True):
        given.append(telling(rng, V, N, width, float(rng.uniform(0.5, 1.5)), names))
    looked_at(answer, given, names)
    for V, N, bonus in ((3, 4, 2.0), (2, 3, 0.0), (2, 1, 5.0)):
        log_p = table(rng, V, N)
        found = searched(answer, (log_p, 1000, bonus))
        same("(rows, log-probabilities), nothing lost", found, every(log_p, bonus))


# A mean for a summary

LARGE = 8, 6, 10, 3, 300  # B, S, T, D, H


def mean_loss(at, real, y, ds):
    """The sum of s_t * ds_t; at: the parameters and h."""
    n = real.sum(axis=1)
    c = s = (at["h"] * real[..., None]).sum(axis=1) / n[:, None]
    total, from_c = 0.0, c @ at["W_c"].T + at["b"]
    for t in range(y.shape[1]):
        s = np.tanh(y[:, t] @ at["W_y"].T + s @ at["W_s"].T + from_c)
        total += np.sum(s * ds[:, t])
    return total


def holes(rng, B, S):
    """Where a word is real: at both ends only, in the middle only, one alone, and anywhere."""
    real = rng.random((B, S)) < 0.5
    real[np.arange(B), rng.integers(S, size=B)] = True
    real[0, 1:-1], real[0, [0, -1]] = False, True
    if B > 2:
        real[1, [0, -1]], real[1, 1:-1] = False, True
        real[2] = np.arange(S) == rng.integers(S)
    return real


def mean(names, padded=False):
    """A case that compares the gradients of these names."""

    def case(answer, rng):
        for B, S, T, D, H in (*unequal(rng, 5, least=3), (1, 1, 1, 1, 1), (2, 4, 1, 3, 2), LARGE):
            shapes = {"W_y": (H, D), "W_s": (H, H), "W_c": (H, H), "b": (H,)}
            scale = 1.0 if H > 1 else 0.3
            params = {n: scale * rng.standard_normal(a) / a[-1] ** 0.5 for n, a in shapes.items()}
            h, y = rng.standard_normal((B, S, H)), rng.standard_normal((B, T, D))
            ds, real = rng.standard_normal((B, T, H)), np.ones((B, S), bool)
            if padded:
                real = holes(rng, B, S) if S > 1 else real
            rest, found = {**params, "h": h}, answer(params, h, real, y, ds)

            def loss(at, rest=rest, real=real, y=y, ds=ds):
                return mean_loss({**rest, **at}, real, y, ds)

            weights = {name: rest[name] for name in names if name != "h"}
            if weights:
                same_gradients(found, loss, weights, rng)
            if "h" in names:
                value = np.asarray(part(found, "h"))
                ensure(
                    value.shape != h.shape or not np.any(value[~real]),
                    "padding has a gradient",
                    "What is not in the mean has no part in it: its gradient is 0.",
                )
                same_gradients(found, loss, {"h": h}, rng)

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
                "the cost in a long row",
                costs,
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
                "draws, no word twice in a sentence",
                equal_draws,
                "All four lengths of runs are counted together, and divided once, by the greater"
                " number; compare the shares of (bleu).",
            ),
            Case(
                1,
                "a beam's list, also of improbable sentences",
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
                greedy,
                "Take the likeliest word, again and again, until it is END.",
            ),
            Case(
                1,
                "widths 2 to 5, no bonus",
                wide,
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
        derivation=True,
    ),
)
