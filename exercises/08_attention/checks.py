"""What is asked of entropies, links, windows and coverage, and how answers are looked at."""

import numpy as np
from seqlib.gradcheck import numerical_gradient
from seqlib.grading import Case, Question, Wrong, ensure, same

B, T, S, K = 2, 4, 5, 3


def pair(found):
    ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair")
    return found


def normalized(e, allowed):
    """Weights, query by query, over what is allowed."""
    alpha = np.zeros(e.shape)
    for at in np.ndindex(e.shape[:-1]):
        places = np.flatnonzero(allowed[at])
        if len(places):
            powers = np.exp(e[at][places] - e[at][places].max())
            alpha[at][places] = powers / powers.sum()
    return alpha


# Entropy


def spread(e, allowed):
    """As the logarithm of the sum, minus the mean score: no logarithm of a weight."""
    alpha, found = normalized(e, allowed), np.zeros(e.shape[:-1])
    for at in np.ndindex(found.shape):
        if allowed[at].any():
            scores = e[at][allowed[at]]
            found[at] = np.logaddexp.reduce(scores) - alpha[at][allowed[at]] @ scores
    return found


def entropies(answer, rng):
    e, deta = 2 * rng.standard_normal((B, T, S)), rng.standard_normal((B, T))
    expected = spread(e, np.ones(e.shape, bool))
    same(
        "entropies",
        pair(answer(e, np.ones(e.shape, bool), deta))[0],
        expected,
        tolerance=1e-7,
        suspects={
            "The logarithm is the natural one.": expected / np.log(2),
            "An entropy is never negative: mind the sign.": -expected,
            "It is a sum over positions, each with its weight already; no mean.": expected / S,
        },
    )


def back(answer, rng):
    e, deta = 1.5 * rng.standard_normal((B, T, S)), rng.standard_normal((B, T))
    allowed = rng.random(e.shape) < 0.6
    allowed[..., :2] = True
    allowed[1, 2, 3:] = False
    expected = numerical_gradient(lambda a: float(np.sum(spread(a, allowed) * deta)), e)
    _, found = pair(answer(e, allowed, deta))
    alpha = normalized(e, allowed)
    log_alpha = np.log(np.where(alpha > 0, alpha, 1))
    same(
        "gradient of the scores",
        found,
        expected,
        tolerance=1e-7,
        suspects={
            "That is the gradient of the weights; the scores are behind (softmax-jacobian).": (
                np.where(allowed, -log_alpha - 1, 0) * deta[..., None]
            ),
            "The Jacobian has a second part, the product of the weights: (softmax-jacobian).": (
                -alpha * (log_alpha + 1) * deta[..., None]
            ),
        },
    )


def extremes(answer, rng):
    """Scores near 1000, a weight that is 0 as a float, and a query without any position."""
    e = 1000 + rng.standard_normal((B, T, S))
    e[0, 1, 2] = e[1, 0, 4] = -1000
    allowed, deta = np.ones(e.shape, bool), rng.standard_normal((B, T))
    allowed[1, 3], allowed[0, 0, 1] = False, False
    eta, de = pair(answer(e, allowed, deta))
    same("entropies", eta, spread(e, allowed), tolerance=1e-7)
    alpha, expected = normalized(e, allowed), np.zeros(e.shape)
    for at in zip(*np.nonzero(alpha), strict=True):
        query = at[:-1]
        logs = np.log(alpha[query], where=alpha[query] > 0, out=np.zeros(S))
        own = np.eye(S)[at[-1]] - alpha[query]  # a row of (softmax-jacobian), over alpha
        expected[at] = -alpha[at] * (own @ logs) * deta[query]
    same("gradient of the scores", de, expected, tolerance=1e-7)


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
    "A link that was added is one that others may touch: go on.": {"rounds": 1},
    "The first row and the last do not touch, nor do the columns.": {"wrap": True},
}


def compared_links(answer, tables):
    """All tables at once, so that a mistake is named only if it explains all answers."""

    def right(**how):
        return tuple(grow(*pair_of, **how)[0] for pair_of in tables)

    found, expected = tuple(answer(*pair_of) for pair_of in tables), right()
    try:
        same("links", found, expected)
    except Wrong:  # only now, because the mistakes take their time
        mistakes = {hint: right(**how) for hint, how in MISTAKES.items()}
        same("links", found, expected, suspects=mistakes)


def apart(answer, rng):
    """Every second row and column: nothing touches, so nothing grows."""
    tables = []
    for _ in range(6):
        kinds = rng.integers(0, 4, (4, 5))
        kinds[rng.integers(4), rng.integers(5)] = 3
        one, other = np.zeros((2, 7, 9), bool)
        one[::2, ::2], other[::2, ::2] = kinds % 2 == 1, kinds >= 2
        tables.append((one, other))
    compared_links(answer, tables)


def links(rng):
    """Two noisy maps, one link for each target word, and one for each source word."""
    size = int(rng.integers(5, 8)), int(rng.integers(6, 9))
    maps = []
    for n, m in (size, size[::-1]):
        a = np.zeros((n, m), bool)
        places = np.arange(n) * m // n + rng.integers(-2, 3, n)
        a[np.arange(n), np.clip(places, 0, m - 1)] = True
        maps.append(a)
    return maps[0], maps[1].T


def growth(wanted):
    """A case with tables that take as many rounds as wanted(n) says."""

    def case(answer, rng):
        tables = []
        while len(tables) < 25:
            drawn = links(rng)
            if wanted(grow(*drawn)[1]):
                tables.append(drawn)
        compared_links(answer, tables)

    return case


# A window


def windowed(e, v, z, n, D, first=1):
    """The averages, query by query; first: the number of the first position."""
    y = np.zeros((*z.shape, v.shape[2]))
    for b, t in np.ndindex(z.shape):
        p = n[b] / (1 + np.exp(-z[b, t]))
        places = [s for s in range(first, n[b] + first) if abs(s - p) <= D]
        at = np.array(places, int) - first
        if len(at):
            alpha = np.exp(e[b, t, at]) / np.exp(e[b, t, at]).sum()
            bell = np.array([np.exp(-((s - p) ** 2) / (2 * (D / 2) ** 2)) for s in places])
            y[b, t] = (alpha * bell) @ v[b, at]
    return y


LONG, HALF = 9, 2.6


def predictions(rng, n):
    """Places no window of which has a position on its edge: differences must not move it.

    The first of each row is near the row's end, so that the window reaches beyond it.
    """
    while True:
        z = rng.uniform(-2, 2, (B, T))
        z[:, 0] = rng.uniform(2.5, 3, B)
        places = (n[:, None] / (1 + np.exp(-z)))[..., None]
        if np.abs(np.abs(np.arange(LONG + 2) - places) - HALF).min() > 1e-3:
            return z


def local(names):
    """A case that looks at the averages, or at some of the gradients."""

    def case(answer, rng):
        n = np.array([LONG, 6])
        e, v = rng.standard_normal((B, T, LONG)), rng.standard_normal((B, LONG, K))
        z, dy = predictions(rng, n), rng.standard_normal((B, T, K))
        at = {"e": e, "v": v, "z": z}
        found = answer(e, v, z, n, HALF, dy)
        ensure(isinstance(found, dict), "what came back is no dict")
        for name in names:
            ensure(name in found, f"no key {name!r} in what came back")
            if name == "y":
                same(
                    "y",
                    found["y"],
                    windowed(**at, n=n, D=HALF),
                    suspects={
                        "Positions count from 1: entry 0 of an array is s = 1.": windowed(
                            **at, n=n, D=HALF, first=0
                        ),
                        "The place lies between 0 and the length of its own row.": windowed(
                            **at, n=np.full(B, LONG), D=HALF
                        ),
                    },
                )
                continue
            expected = numerical_gradient(
                lambda a, name=name: float(np.sum(windowed(**{**at, name: a}, n=n, D=HALF) * dy)),
                at[name],
            )
            suspects = {}
            if name == "z":
                p = n[:, None] / (1 + np.exp(-z))
                slope = p * (1 - p / n[:, None])
                suspects = {
                    "That is the gradient of the place; z is behind a sigmoid and the length.": (
                        expected / slope
                    ),
                    "From the place to z: the slope of the sigmoid, times the length.": (
                        expected / n[:, None]
                    ),
                    "A position to the right gains when the place moves right.": -expected,
                }
            same(f"gradient of {name}", found[name], expected, tolerance=1e-7, suspects=suspects)

    return case


# Coverage


def price(e, real, row):
    """Of one row of the batch, position by position."""
    alpha = normalized(e, np.broadcast_to(real[:, None], e.shape))[row]
    total = 0.0
    for s in np.flatnonzero(real[row]):
        before = 0.0
        for weight in alpha[:, s]:
            total += min(weight, before)
            before += weight
    return total


def drawn_scores(rng, steps):
    """Scores far from places where both sides of a min are equal."""
    real = np.arange(S) < np.array([[S], [3]])
    while True:
        e = 1.5 * rng.standard_normal((B, steps, S))
        alpha = normalized(e, np.broadcast_to(real[:, None], e.shape))
        gaps = np.abs(np.cumsum(alpha, axis=1) - 2 * alpha)[:, 1:]
        if gaps[np.broadcast_to(real[:, None], gaps.shape)].min() > 1e-3:
            return e, real


def prices(answer, rng):
    e, real = drawn_scores(rng, T)
    everything = np.ones_like(real)
    same(
        "prices",
        pair(answer(e, real))[0],
        np.array([price(e, real, row) for row in range(B)]),
        suspects={
            "Padding must have no weight, see (attention-weights).": np.array(
                [price(e, everything, row) for row in range(B)]
            ),
            "The coverage of a step sums the weights before it, without its own.": np.full(
                B, float(T)
            ),
        },
    )


def price_back(steps):
    def case(answer, rng):
        e, real = drawn_scores(rng, steps)
        expected = numerical_gradient(lambda a: sum(price(a, real, row) for row in range(B)), e)
        alpha = normalized(e, np.broadcast_to(real[:, None], e.shape))
        covered = np.cumsum(alpha, axis=1) - alpha
        smaller = (covered < alpha).astype(float)
        later = smaller[:, ::-1].cumsum(axis=1)[:, ::-1] - smaller
        following = np.concatenate([smaller[:, 1:], 0 * smaller[:, :1]], axis=1)

        def scores(dalpha):
            return alpha * (dalpha - (alpha * dalpha).sum(axis=-1, keepdims=True))

        suspects = {
            "A weight is also a part of the coverage of every later step.": scores(alpha < covered),
            "From the weights to the scores there is a softmax: (softmax-jacobian).": (
                ((alpha < covered) + later) * real[:, None]
            ),
            "In its own step a weight acts where it is the smaller side, and only there.": scores(
                later
            ),
        }
        if steps > 2:
            suspects["Not only the next step has this weight in its coverage: all have."] = scores(
                (alpha < covered) + following
            )
        same(
            "gradient of the scores",
            pair(answer(e, real))[1],
            expected,
            tolerance=1e-7,
            suspects=suspects,
        )

    return case


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
                growth(lambda n: n == 1),
                "Three conditions at once: in either direction, near a link, a free word. The links"
                " are the A of (aer).",
            ),
            Case(
                1,
                "two rounds and more",
                growth(lambda n: n >= 2),
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
                local(["y"]),
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
                price_back(2),
                "In the first step the coverage is 0. In the second the weights of the first are"
                " the coverage: which side is smaller? Then (softmax-jacobian).",
            ),
            Case(
                2,
                "gradients in five steps",
                price_back(5),
                "A weight is in the coverage of all later steps: compare the sum over steps in"
                " (bahdanau-dh).",
            ),
        ),
    ),
)
