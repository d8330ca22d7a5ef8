"""What is asked of entropies, links, windows and coverage, and how answers are looked at."""

from functools import lru_cache

import numpy as np
from seqlib.grading import Case, Question, Wrong, ensure, same
from seqlib.grading.cases import same_gradients, unequal


def pair(found):
    ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair")
    return found


def normalized(e, allowed):
    """The weights, their logarithms, and where there is any; also of complex scores."""
    some = allowed.any(axis=-1, keepdims=True)
    top = np.where(allowed, np.real(e), -np.inf).max(axis=-1, keepdims=True)
    scores = np.where(allowed, e - np.where(some, top, 0), 0)
    powers = np.exp(scores) * allowed
    total = np.where(some, powers.sum(axis=-1, keepdims=True), 1)
    return powers / total, (scores - np.log(total)) * allowed


def linear(name, gradient):
    """The loss that has this gradient."""
    return lambda at: np.sum(at[name] * gradient)


# Entropy

WIDE = 1, 2, 60_000  # B, T, S


def spread(e, allowed):
    alpha, log_alpha = normalized(e, allowed)
    return -np.sum(alpha * log_alpha, axis=-1)


def holes(rng, *shape):
    """Any places: also one alone, all but one, and both ends."""
    allowed = rng.random(shape) < 0.5
    S, rows = shape[-1], allowed.reshape(-1, shape[-1])
    rows[np.arange(len(rows)), rng.integers(S, size=len(rows))] = True
    if S > 2:
        rows[0], rows[-1, 1:-1], rows[-1, [0, -1]] = np.arange(S) == S - 1, False, True
        rows[len(rows) // 2] = np.arange(S) != S // 2
    return allowed


def entropies(answer, rng):
    for B, T, S in (*unequal(rng, 3), (1, 1, 1), (2, 1, 3)):
        e, deta = 2 * rng.standard_normal((B, T, S)), rng.standard_normal((B, T))
        e[-1, -1] = rng.standard_normal()  # one score for all
        everything = np.ones(e.shape, bool)
        expected = spread(e, everything)
        same(
            "entropies",
            pair(answer(e, everything, deta))[0],
            expected,
            suspects={
                "The logarithm is the natural one.": expected / np.log(2),
                "An entropy is never negative: mind the sign.": -expected,
                "It is a sum over positions, each with its weight already; no mean.": expected / S,
            },
        )


ZERO = "A weight of 0 has a logarithm that is none: 0 ln 0 is 0."


def compared_back(answer, rng, e, allowed, entropies_too=False, hint=None):
    """hint: for a gradient that is wrong in no known way."""
    deta = rng.standard_normal(e.shape[:2])
    eta, found = pair(answer(e, allowed, deta))
    if entropies_too:
        same("entropies", eta, spread(e, allowed))
    alpha, log_alpha = normalized(e, allowed)
    ensure(np.all(np.isfinite(found)), "gradient: there are numbers that are not finite", ZERO)
    weights = np.where(allowed, -log_alpha - 1, 0) * deta[..., None]
    try:
        same_gradients(
            {"e": found},
            lambda at: np.sum(spread(at["e"], allowed) * deta),
            {"e": e},
            rng,
            suspects={
                "That is the gradient of the weights; the scores are behind (softmax-jacobian).": (
                    linear("e", weights)
                ),
                "The Jacobian has a second part, the product of the weights: (softmax-jacobian).": (
                    linear("e", alpha * weights)
                ),
            },
        )
    except Wrong as wrong:
        wrong.hint = wrong.hint or hint
        raise


def back(answer, rng):
    for shape in (*unequal(rng, 3), (1, 1, 1), (2, 1, 4), WIDE):
        compared_back(answer, rng, 1.5 * rng.standard_normal(shape), holes(rng, *shape))


ORDINARY = "The gradient is wrong for ordinary scores, too: see the case before this one."


def extremes(answer, rng):
    """Scores near 1000 and far apart, weights that are 0 as a float, queries without a position."""
    e = rng.standard_normal((2, 3, 4))
    compared_back(answer, rng, e, holes(rng, *e.shape), hint=ORDINARY)
    for (B, T, S), middle in zip(unequal(rng, 3, least=3), (1000, -1e5), strict=True):
        e, allowed = middle + rng.standard_normal((B, T, S)), holes(rng, B, T, S)
        e[0, 1], allowed[0, 1] = [-1000, *middle + rng.standard_normal(S - 1)], True
        e[1, 0], allowed[1, 0] = 800.0 * rng.permutation(S), True
        allowed[1, 2] = False
        e[0, 2, 0], allowed[0, 2] = abs(middle) + 5000, np.arange(S) > 0  # not looked at
        compared_back(answer, rng, e, allowed, entropies_too=True)
    e = 300 * rng.standard_normal((2, 2, 3))
    compared_back(answer, rng, e, np.zeros(e.shape, bool), entropies_too=True)


# Links


def grow(one, other, rounds=None, both=False, diagonal=True, once=True, free=True, wrap=False):
    """Links as sets of pairs.  Returns them as an array, and the number of rounds.

    The options are known mistakes.
    """
    size = one.shape
    first, second = ({(int(t), int(s)) for t, s in np.argwhere(a)} for a in (one, other))
    A, n = first & second, 0

    def touches(link, A):
        near = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if diagonal or 0 in (i, j)]
        at = [(link[0] + i, link[1] + j) for i, j in near]
        if wrap:
            at = [(t % size[0], s % size[1]) for t, s in at]
        return any(place in A for place in at)

    def has_free(link, A):
        empty = [all(other[k] != link[k] for other in A) for k in (0, 1)]
        return (all if both else any)(empty) or not free

    while rounds is None or n < rounds:
        new, base = set(), A if once else set(A)
        for link in sorted((first | second) - A):
            if touches(link, base) and has_free(link, base):
                new.add(link)
                if not once:
                    base.add(link)
        if not new:
            break
        A, n = A | new, n + 1
    found = np.zeros(size, bool)
    for link in A:
        found[link] = True
    return found, n


MISTAKES = {
    "Links that only touch by a corner are neighbors, too.": {"diagonal": False},
    "One free word is enough, of the target or of the source.": {"both": True},
    "One free word is needed, of the target or of the source.": {"free": False},
    "All links of a round are judged by the links before it.": {"once": False},
    "The first row and the last do not touch, nor do the columns.": {"wrap": True},
    "A link that was added is one that others may touch: go on.": {"rounds": 1},
    "Two rounds may not be enough: go on until nothing is new.": {"rounds": 2},
}


def outcomes(tables, hints):
    """What is right for each table; and what each mistake makes of all of them."""
    wrong = {h: tuple(grow(*one, **MISTAKES[h])[0] for one in tables) for h in hints}
    return tables, tuple(grow(*one)[0] for one in tables), wrong


def compared_links(answer, tables, right, wrong):
    """All tables at once, so that a mistake is named only if it explains all answers."""
    same("links", tuple(answer(*one) for one in tables), right, suspects=wrong)


@lru_cache(maxsize=8)
def scattered(seed):
    """Every second row and column: nothing touches, so nothing grows.  Also few words, and none."""
    rng, tables = np.random.default_rng(seed), []
    for size in ((5, 7), (7, 5), (3, 9), (7, 9), (1, 1), (5, 1), (1, 3)):
        every = -(-size[0] // 2), -(-size[1] // 2)
        kinds = rng.integers(0, 4, every)
        kinds[rng.integers(every[0]), rng.integers(every[1])] = 3
        one, other = np.zeros((2, *size), bool)
        one[::2, ::2], other[::2, ::2] = kinds % 2 == 1, kinds >= 2
        tables.append((one, other))
    one, other = np.zeros((2, *rng.integers(4, 7, 2)), bool)
    one[0, 0] = other[0, 0] = one[-1, -1] = True
    tables += [(one, other), (other, one)]
    nothing, everything = np.zeros((3, 4), bool), np.ones((3, 4), bool)
    tables += [(nothing, everything), (everything, nothing), (everything, everything)]
    return outcomes(tables, [hint for hint, how in MISTAKES.items() if "wrap" in how])


def apart(answer, rng):
    compared_links(answer, *scattered(int(rng.integers(2**62))))


def links(rng):
    """Two noisy maps, one link for each target word, and one for each source word."""
    size = int(rng.integers(5, 8)), int(rng.integers(5, 8))
    maps = []
    for n, m in (size, size[::-1]):
        a = np.zeros((n, m), bool)
        places = np.arange(n) * m // n + rng.integers(-2, 3, n)
        a[np.arange(n), np.clip(places, 0, m - 1)] = True
        maps.append(a)
    return maps[0], maps[1].T


@lru_cache(maxsize=8)
def telling(seed, rounds):
    """Tables among which every mistake shows.

    rounds  that each table takes: 1, or 2 for that many and more

    Some are wide, some high, some square.
    """
    rng, tables, told = np.random.default_rng(seed), [], set()
    needed = {hint for hint, how in MISTAKES.items() if rounds > 1 or "rounds" not in how}
    while len(tables) < 10 or told != needed | {-1, 0, 1}:
        one, other = links(rng)
        right, n = grow(one, other)
        if min(n, 2) != rounds:
            continue
        shows = {h for h in needed if np.any(grow(one, other, **MISTAKES[h])[0] != right)}
        shows.add(int(np.sign(one.shape[0] - one.shape[1])))
        if len(tables) < 10 or shows - told:
            tables.append((one, other))
            told |= shows
    return outcomes(tables, sorted(needed))


def growth(rounds):
    """A case with tables that take one round, or two and more."""

    def case(answer, rng):
        compared_links(answer, *telling(int(rng.integers(2**62)), rounds))

    return case


# A window


def windowed(at, n, D, first=1):
    """The averages; at: e, v and z.  first: the number of the first position.

    The window is that of the real places: it does not move with a small step.
    """
    n, s = n[:, None], np.arange(at["e"].shape[2]) + first
    p = n * 0.5 * (1 + np.tanh(at["z"] / 2))
    off = s - p[..., None]
    seen = (np.abs(np.real(off)) <= D) & (s < n[..., None] + first)
    bell = np.exp(-(off**2) / (2 * (D / 2) ** 2))
    return (normalized(at["e"], seen)[0] * bell) @ at["v"]


FAR = 1, 2, 50_000, 2  # B, T, S, K


def drawn_windows(rng):
    """(at, n, D): drawn; then one position, a window that ends at a position, and large scores.

    At the end one with many positions.
    """
    for (B, T, S, K), D in zip(
        unequal(rng, 4, least=3), rng.uniform((1.2, 2.2), (1.8, 2.9)), strict=True
    ):
        yield drawn_window(rng, B, T, S, K), np.array([S, *rng.integers(1, S, B - 1)]), float(D)
    yield drawn_window(rng, 1, 1, 1, 1), np.array([1]), 1.0
    at, D = drawn_window(rng, 2, 3, 7, 2), float(rng.integers(1, 3))
    at["z"][:, 0], at["z"][0, 1:] = 0.0, (40.0, -40.0)  # places that are whole numbers
    yield at, np.array([6, 4]), D
    at = drawn_window(rng, 3, 2, 5, 3)
    at["e"] = 500 * at["e"] + 2000 * np.array([1, -1, 1])[:, None, None]
    yield at, np.array([5, 3, 1]), float(rng.uniform(8, 20))
    yield drawn_window(rng, *FAR), np.array([FAR[2] - 2000]), 20_000.0


def drawn_window(rng, B, T, S, K):
    at = {"e": rng.standard_normal((B, T, S)), "v": rng.standard_normal((B, S, K))}
    z = rng.uniform(-2, 2, (B, T))
    z[:, 0] = rng.uniform(2.5, 3, B)  # near the row's end: the window reaches beyond it
    return {**at, "z": z}


def averages(answer, rng):
    for at, n, D in drawn_windows(rng):
        dy = rng.standard_normal((*at["z"].shape, at["v"].shape[2]))
        found = answer(at["e"], at["v"], at["z"], n, D, dy)
        ensure(isinstance(found, dict) and "y" in found, "no key 'y' in what came back")
        longest = np.full(len(n), at["e"].shape[2])
        same(
            "y",
            found["y"],
            windowed(at, n, D),
            suspects={
                "Positions count from 1: entry 0 of an array is s = 1.": windowed(
                    at, n, D, first=0
                ),
                "The place lies between 0 and the length of its own row.": windowed(at, longest, D),
            },
        )


def window_loss(at, n, D, dy):
    return np.sum(windowed(at, n, D) * dy)


def local(names):
    """A case that looks at some of the gradients."""

    def case(answer, rng):
        for given, n, D in drawn_windows(rng):
            dy = rng.standard_normal((*given["z"].shape, given["v"].shape[2]))
            found = answer(given["e"], given["v"], given["z"], n, D, dy)

            def loss(at, given=given, n=n, D=D, dy=dy):
                return window_loss({**given, **at}, n, D, dy)

            def slower(by, loss=loss, z=given["z"]):
                """The loss whose gradient in z is divided by this."""
                return lambda moved: loss({"z": z + (moved["z"] - z) / by})

            p = n[:, None] / (1 + np.exp(-given["z"]))
            wrong = {
                "That is the gradient of the place; z is behind a sigmoid and the length.": slower(
                    p * (1 - p / n[:, None]) + 1e-300
                ),
                "From the place to z: the slope of the sigmoid, times the length.": slower(
                    n[:, None]
                ),
                "A position to the right gains when the place moves right.": slower(-1),
            }
            at = {name: given[name] for name in names}
            same_gradients(found, loss, at, rng, suspects=wrong if names == ["z"] else None)

    return case


# Coverage


def cover_prices(e, real):
    """Of each row; also of complex scores.  Which side is smaller does not change with a step."""
    alpha = normalized(e, np.broadcast_to(real[:, None], e.shape))[0]
    before = np.cumsum(alpha, axis=1) - alpha
    return np.where(np.real(alpha) < np.real(before), alpha, before).sum(axis=(1, 2))


def drawn_scores(rng, sizes):
    """(e, real), with holes; no two sides of a min are equal."""
    for B, T, S in sizes:
        real = rng.random((B, S)) < 0.6
        real[:, rng.choice(S, min(S, 2), replace=False)] = True  # one alone makes equal sides
        if 2 < S < 100:
            real[0] = np.isin(np.arange(S), (0, S - 1))
        real[-1] |= B > 1
        around = 1000 * np.arange(-1, B - 1)[:, None, None]  # large, and small
        yield 1.5 * rng.standard_normal((B, T, S)) + around, real


def prices(answer, rng):
    for e, real in drawn_scores(rng, (*unequal(rng, 3, least=3), (1, 1, 1), (1, 2, 4))):
        everything = np.ones_like(real)
        same(
            "prices",
            pair(answer(e, real))[0],
            cover_prices(e, real),
            suspects={
                "Padding must have no weight, see (attention-weights).": cover_prices(
                    e, everything
                ),
                "The coverage of a step sums the weights before it, without its own.": np.full(
                    len(e), float(e.shape[1])
                ),
            },
        )


def price_back(sizes):
    """sizes: function of rng, of B, T and S."""

    def case(answer, rng):
        for e, real in drawn_scores(rng, sizes(rng)):
            alpha = normalized(e, np.broadcast_to(real[:, None], e.shape))[0]
            covered = np.cumsum(alpha, axis=1) - alpha
            smaller = (covered < alpha).astype(float)
            later = smaller[:, ::-1].cumsum(axis=1)[:, ::-1] - smaller
            following = np.concatenate([smaller[:, 1:], 0 * smaller[:, :1]], axis=1)

            def scores(dalpha, alpha=alpha):
                d = alpha * (dalpha - (alpha * dalpha).sum(axis=-1, keepdims=True))
                return linear("e", d)

            suspects = {
                "A weight is also a part of the coverage of every later step.": scores(
                    alpha < covered
                ),
                "From the weights to the scores there is a softmax: (softmax-jacobian).": linear(
                    "e", ((alpha < covered) + later) * real[:, None]
                ),
                "In its own step a weight acts where it is the smaller side, and only there.": (
                    scores(later)
                ),
            }
            if e.shape[1] > 2:
                suspects["Not only the next step has this weight in its coverage: all have."] = (
                    scores((alpha < covered) + following)
                )
            same_gradients(
                {"e": pair(answer(e, real))[1]},
                lambda at, real=real: np.sum(cover_prices(at["e"], real)),
                {"e": e},
                rng,
                suspects=suspects,
            )

    return case


def two_steps(rng):
    return *((B, 2, S) for B, S in unequal(rng, 2)), (1, 2, 3), (1, 2, 60_000)


def more_steps(rng):
    sizes = unequal(rng, 3, least=3)
    return *((B, T, S) for B, T, S in sizes), (1, 1, 1), (2, 6, 2), (1, 3, 40_000)


QUESTIONS = (
    Question(
        "attend.entropy",
        "entropy",
        (
            Case(
                1,
                "entropies, everything allowed",
                entropies,
                "The weights come first, by (attention-weights); then the sum over positions.",
            ),
            Case(
                1,
                "gradients of the scores under a mask",
                back,
                "Through (softmax-jacobian), for each query by itself, and times deta; where the"
                " mask is False there is nothing.",
            ),
            Case(
                1,
                "large scores, weights of 0, and nothing to attend to",
                extremes,
                "As in (attention-weights) a constant may be taken from all scores; 0 ln 0 is 0.",
            ),
        ),
        derivation=True,
    ),
    Question(
        "attend.grow",
        "grown",
        (
            Case(
                1,
                "links that do not touch",
                apart,
                "Where nothing touches, only the links that both have are left; see (aer) for what"
                " each kind of mistake costs.",
            ),
            Case(
                1,
                "one round of growth",
                growth(1),
                "Three conditions at once: in either direction, near a link, a free word. The links"
                " are the A of (aer).",
            ),
            Case(
                1,
                "two rounds and more",
                growth(2),
                "The next round has more links to touch, and fewer free words; until the A of (aer)"
                " stays as it is.",
            ),
        ),
    ),
    Question(
        "attend.local",
        "local_attention",
        (
            Case(
                1,
                "the averages",
                averages,
                "The softmax goes over the window alone, (attention-weights); the bell is not"
                " normalized, and half of D is its width.",
            ),
            Case(
                1,
                "gradients of scores and values",
                local(["e", "v"]),
                "(attention-de) holds for a softmax alone: here each weight is multiplied by the"
                " bell on its way to the sum of (attention-dv).",
            ),
            Case(
                2,
                "gradients of the predictions",
                local(["z"]),
                "The exponent of the bell by p, times what (attention-dv) gives each weight; then"
                " the sigmoid.",
            ),
        ),
        derivation=True,
    ),
    Question(
        "attend.coverage",
        "coverage",
        (
            Case(
                1,
                "the price",
                prices,
                "Weights by (attention-weights), their sum over the steps before, the smaller of"
                " the two, everything summed.",
            ),
            Case(
                1,
                "gradients in two steps",
                price_back(two_steps),
                "In the first step the coverage is 0. In the second the weights of the first are"
                " the coverage: which side is smaller? Then (softmax-jacobian).",
            ),
            Case(
                2,
                "gradients in more steps, and in one",
                price_back(more_steps),
                "A weight is in the coverage of all later steps: compare the sum over steps in"
                " (bahdanau-dh).",
            ),
        ),
        derivation=True,
    ),
)
