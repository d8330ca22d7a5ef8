"""What is asked of long products, limits and latches, and how answers are looked at."""

import numpy as np
from seqlib.grading import Case, Question, ensure, same

H, D, T = 4, 3, 5
EPS = 1e-5


# A state that leaks


def leaky_network(rng, steps):
    params = {
        "W_xh": rng.standard_normal((H, D)),
        "W_hh": rng.standard_normal((H, H)),
        "b_h": rng.standard_normal(H),
    }
    return params, rng.standard_normal((steps, D)), rng.standard_normal(H), rng.uniform(0.3, 0.7)


def leaky_end(params, x, h, leak):
    """The last state, unit by unit."""
    for x_t in x:
        h = [
            h[j] + leak * (np.tanh(np.dot(params["W_xh"][j], x_t) + row @ h + b) - h[j])
            for j, (row, b) in enumerate(zip(params["W_hh"], params["b_h"], strict=True))
        ]
    return np.array(h)


def measured(params, x, h_0, leak):
    """How it moves with each entry of the first one."""
    nudges = EPS * np.eye(H)
    moved = [
        leaky_end(params, x, h_0 + e, leak) - leaky_end(params, x, h_0 - e, leak) for e in nudges
    ]
    return np.array(moved).T / (2 * EPS)


def leaky_wrong(params, x, h, leak, backwards=False, old_slope=False):
    """The product with a known mistake."""
    P = np.eye(H)
    for x_t in x:
        n = np.tanh(params["W_xh"] @ x_t + params["W_hh"] @ h + params["b_h"])
        h = (1 - leak) * h + leak * n
        slope = 1 - (h if old_slope else n) ** 2
        J = (1 - leak) * np.eye(H) + leak * slope[:, None] * params["W_hh"]
        P = P @ J if backwards else J @ P
    return P


def leaky(steps):
    def case(answer, rng):
        given = leaky_network(rng, steps)
        expected = measured(*given)
        suspects = {
            "The slope of tanh is 1 - n_t^2: with a leak, n_t and h_t are two things.": leaky_wrong(
                *given, old_slope=True
            ),
            "Row j belongs to h_T, column k to h_0, see (jacobian): this is the transpose.": (
                expected.T
            ),
        }
        if steps > 1:
            suspects["J_1 acts first, so it stands on the right, see (jacobian-product)."] = (
                leaky_wrong(*given, backwards=True)
            )
        same("dh_T / dh_0", answer(*given), expected, tolerance=1e-7, suspects=suspects)

    return case


# A limit that follows the norms

SHAPES = {"W": (3, 2), "b": (3,), "V": (2, 4)}


def gradients(rng, sizes, names):
    """One dict for each size, which is that of all its arrays together."""
    drawn = []
    for size in sizes:
        g = {name: rng.standard_normal(SHAPES[name]) for name in names}
        norm = length(g)
        drawn.append({name: array * size / norm for name, array in g.items()})
    return drawn


def length(g):
    return np.linalg.norm(np.concatenate([array.ravel() for array in g.values()]))


def by_rank(numbers, share):
    """The quantile: straight between the two neighbors in order."""
    ordered = np.sort(numbers)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def clipped(given, share, shortened=False):
    """What is asked for, from lengths and directions."""
    norms, answers = [], []
    for g in given:
        norm = length(g)
        limit = by_rank([*norms, norm], share)
        kept = min(norm, limit)
        norms.append(kept if shortened else norm)
        answers.append({k: a * (kept / norm if norm else 1) for k, a in g.items()})
    return answers


def each_alone(given, share):
    """Every array clipped by its own norms."""
    alone = {k: clipped([{k: g[k]} for g in given], share) for k in given[0]}
    return [{k: alone[k][i][k] for k in g} for i, g in enumerate(given)]


def clip_two(answer, rng):
    for sizes in ((1, 3), (3, 1)):
        given, share = gradients(rng, sizes, ["W"]), rng.uniform(0.3, 0.7)
        same("clipped", answer(given, share), clipped(given, share))


def clip_joint(answer, rng):
    share, names = rng.uniform(0.3, 0.7), list(SHAPES)
    given = gradients(rng, (2, 1, 5), names)
    same(
        "clipped",
        answer(given, share),
        clipped(given, share),
        suspects={
            "One norm for all arrays of an update together, see (clip-norm).": each_alone(
                given, share
            )
        },
    )
    given[0] = {name: 0 * array for name, array in given[0].items()}
    same("beginning with zeros, clipped", answer(given, share), clipped(given, share))


def clip_long(answer, rng):
    sizes, share = 3 * rng.permutation(np.arange(1, 13)) * 1.2 ** np.arange(12), 0.8
    given = gradients(rng, sizes, list(SHAPES))
    same(
        "clipped",
        answer(given, share),
        clipped(given, share),
        suspects={
            "The quantile is taken of norms before clipping, not after.": clipped(
                given, share, shortened=True
            )
        },
    )


# Logarithms of norms


def jacobians(rng, steps, growth):
    """Jacobians of which no two commute, their product near 1, times a growth."""
    turns = np.linalg.qr(rng.standard_normal((steps, H, H)))[0]
    stretched = turns * np.exp(rng.uniform(-0.3, 0.3, (steps, H, 1)))
    return growth * stretched


def plain_logs(J):
    """The logarithms from the products as they are."""
    P, logs = np.eye(H), [0.0]
    for k in range(len(J)):
        P = P @ J[len(J) - 1 - k]
        logs.append(np.log(np.sqrt(np.linalg.eigvalsh(P.T @ P)[-1])))
    return np.array(logs)


def numbers(found):
    """A list of numbers will do for an array."""
    return np.array(found) if isinstance(found, tuple) else found


def of_few(answer, rng):
    J = jacobians(rng, 6, 1.3)
    bound = np.append(0, np.cumsum(np.log(np.linalg.norm(J[::-1], 2, axis=(1, 2)))))
    same(
        "logarithms",
        numbers(answer(J)),
        plain_logs(J),
        suspects={
            "That is the bound of (norm-bound): multiply first, then take the norm.": bound,
            "P_k ends with step T and grows toward the past, see (jacobian-product).": plain_logs(
                J[::-1]
            ),
        },
    )


def of_many(growth):
    def case(answer, rng):
        J = jacobians(rng, 200, 1.0)
        expected = plain_logs(J) + np.arange(201) * np.log(growth)
        same("logarithms", numbers(answer(growth * J)), expected)

    return case


# A latch in noise


def drawn_latch(rng):
    """A self-connection and a noise that is safe."""
    w = rng.uniform(1.3, 4)
    return w, rng.uniform(0.4, 0.8) * best(lambda a: w * np.tanh(a) - a, 0, w)


def best(f, low, high):
    """The largest value of a function with one hill, by thirds."""
    for _ in range(200):
        one, two = low + (high - low) / 3, high - (high - low) / 3
        low, high = (one, high) if f(one) < f(two) else (low, two)
    return f(low)


def root(f, low, high):
    """Where f changes its sign, by halves."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if f(low) * f(middle) > 0 else (low, middle)
    return low


def crossings(w, noise):
    """Lower and upper fixed point of the map with the noise held at a number."""
    top = np.arccosh(np.sqrt(w))  # slope 1
    return tuple(
        root(lambda a: w * np.tanh(a) + noise - a, *ends)
        for ends in ((min(noise, 0), top), (top, w + 5))
    )


def number(found, key):
    ensure(isinstance(found, dict), "what came back is no dict")
    ensure(key in found, f"no key {key!r} in what came back")
    return found[key]


def latch_most(answer, rng):
    for _ in range(3):
        w, noise = drawn_latch(rng)
        expected = best(lambda a, w=w: w * np.tanh(a) - a, 0, w)
        same("most", number(answer(w, noise), "most"), expected, tolerance=1e-6)


def latch_range(answer, rng):
    for _ in range(3):
        w, noise = drawn_latch(rng)
        found, high = answer(w, noise), crossings(w, noise)[1]
        lower, low = crossings(w, -noise)
        ends = {key: number(found, key) for key in ("low", "high")}
        same(
            "range",
            ends,
            {"low": low, "high": high},
            tolerance=1e-6,
            suspects={
                "The unit starts above both crossings of (robust): which does it meet first?": {
                    "low": lower,
                    "high": high,
                },
                "The noise acts at every step, not once.": {
                    "low": crossings(w, 0)[1] - noise,
                    "high": crossings(w, 0)[1] + noise,
                },
            },
        )


def latch_factor(answer, rng):
    for _ in range(3):
        w, noise = drawn_latch(rng)
        low, high = crossings(w, -noise)[1], crossings(w, noise)[1]
        slopes = [w / np.cosh(a) ** 2 for a in (low, high, crossings(w, 0)[1])]
        same(
            "factor",
            number(answer(w, noise), "factor"),
            slopes[0],
            tolerance=1e-6,
            suspects={
                "The largest is asked for: where is the curve steepest, see (robust)?": slopes[1],
                "Noise moves the unit away from its fixed point, to steeper places.": slopes[2],
            },
        )


QUESTIONS = (
    Question(
        "flow.leaky",
        "leaky_product",
        (
            Case(
                1,
                "one step",
                leaky(1),
                "Differentiate both parts of h_t, as (jacobian) was derived.",
            ),
            Case(
                2,
                "five steps",
                leaky(T),
                "One step first; then multiply as (jacobian-product) says.",
            ),
        ),
    ),
    Question(
        "flow.clip",
        "clip_by_history",
        (
            Case(
                1,
                "one array, two updates",
                clip_two,
                "The norm of this update is among those of the quantile; (clip-norm) never"
                " lengthens.",
            ),
            Case(
                1,
                "several arrays, and a first gradient of zeros",
                clip_joint,
                "One norm and one scale for each update, see (clip-norm); zeros stay zeros.",
            ),
            Case(
                1,
                "many updates",
                clip_long,
                "The limit of (clip-norm) changes: it looks at every update up to this one.",
            ),
        ),
    ),
    Question(
        "flow.log_norms",
        "log_norms",
        (
            Case(
                1,
                "six steps",
                of_few,
                "The largest singular value of the product in (jacobian-product), and 0 for k = 0.",
            ),
            Case(
                1,
                "two hundred steps that explode",
                of_many(1e4),
                "The product of (jacobian-product) becomes infinite: take its size out on the way.",
            ),
            Case(
                1,
                "two hundred steps that vanish",
                of_many(1e-4),
                "The product of (jacobian-product) becomes zero: take its size out on the way.",
            ),
        ),
    ),
    Question(
        "flow.latch",
        "latch_in_noise",
        (
            Case(
                1,
                "the largest noise",
                latch_most,
                "Where the slope is 1 the shifted curve touches the diagonal: see (robust).",
            ),
            Case(
                2,
                "the range in which the bit stays",
                latch_range,
                "Fixed points of the map with the noise held at either end: see (robust).",
            ),
            Case(
                1,
                "the steepest slope in it",
                latch_factor,
                "The slope of the map of (robust), at the end of the range where it is largest.",
            ),
        ),
    ),
)
