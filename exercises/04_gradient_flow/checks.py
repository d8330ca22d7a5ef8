"""What is asked of long products, limits and latches, and how answers are looked at."""

import numpy as np
from seqlib.grading import Case, Question, Wrong, ensure, same


def sizes(rng, n, smallest=2):
    """Two lists of n sizes, no two of which are alike."""
    one, other = rng.permutation(n), rng.permutation(n) + n
    return [int(size) + smallest for size in one], [int(size) + smallest for size in other]


# A state that leaks


def leaky_network(rng, T, D, H):
    params = {
        "W_xh": rng.standard_normal((H, D)),
        "W_hh": rng.standard_normal((H, H)),
        "b_h": rng.standard_normal(H),
    }
    return params, rng.standard_normal((T, D)), rng.standard_normal(H)


def at_rest(rng, T, D, n):
    """States that stay zero, and weights as large and as small as numbers can be.

    What is moved by any step, from 1e-5 to 1e-200, becomes too large or too small here.
    Returns the network, and the sizes of the entries of the Jacobian.
    """
    blocks, W = rng.uniform(0.5, 2, (2, n, n)), np.zeros((2 * n, 2 * n))
    W[:n, n:], W[n:, :n] = 1e300 * blocks[0], 1e-300 * blocks[1]
    params = {"W_xh": rng.standard_normal((2 * n, D)), "W_hh": W, "b_h": np.zeros(2 * n)}
    scale = np.ones((2 * n, 2 * n))
    if T % 2:
        scale[:n, n:], scale[n:, :n] = 1e300, 1e-300
    return (params, np.zeros((T, D)), np.zeros(2 * n)), scale


def jacobian(params, x, h, leak, how="right"):
    """Column by column: how a change of one entry of the first state goes through the steps.

    how  right, or a known mistake: "late" slopes, factors "backwards"
    """
    steps = []
    for x_t in x:
        n = np.tanh(params["W_xh"] @ x_t + params["W_hh"] @ h + params["b_h"])
        h = (1 - leak) * h + leak * n
        steps.append(1 - (h if how == "late" else n) ** 2)
    columns = []
    for v in np.eye(len(h)):
        for slope in steps[::-1] if how == "backwards" else steps:
            v = (1 - leak) * v + leak * slope * (params["W_hh"] @ v)
        columns.append(v)
    return np.array(columns).T


def leaky(one_step):
    def case(answer, rng):
        leaks = (*rng.uniform((0.1, 0.6), (0.5, 0.9)), 1.0, 0.0)
        lengths = sizes(rng, 3)
        for (T, D, H), leak in zip((*lengths, (3, 1, 2), (2, 2, 3)), leaks, strict=True):
            given = *leaky_network(rng, 1 if one_step else T, D, H), float(leak)
            expected = jacobian(*given)
            suspects = {
                "The slope of tanh is 1 - n_t^2: with a leak, n_t and h_t are two things.": (
                    jacobian(*given, "late")
                ),
                "Row j belongs to h_T, column k to h_0, see (jacobian): this is the transpose.": (
                    expected.T
                ),
            }
            if not one_step:
                hint = "J_1 acts first, so it stands on the right, see (jacobian-product)."
                suspects[hint] = jacobian(*given, "backwards")
            what = f"dh_T / dh_0 for T = {len(given[1])}, H = {H}"
            same(what, answer(*given), expected, suspects=suspects)
        for T in (1,) if one_step else (2, 7):
            given, scale = at_rest(rng, T, 2, int(rng.integers(2, 4)))
            found = answer(*given, 1.0)
            ensure(np.shape(found) == scale.shape, f"shape {np.shape(found)}; not {scale.shape}")
            what = f"dh_T / dh_0 for T = {T}, weights from 1e-300 to 1e300, relative to these"
            same(what, np.asarray(found) / scale, jacobian(*given, 1.0) / scale)

    return case


# A limit that follows the norms

SHAPES = ((), (1,), (3,), (2,), (4, 1), (2, 3, 2), (3, 1, 4))
MATRICES = ((3, 2), (2, 4))


def gradients(rng, sizes, count):
    """One dict for each size, which is that of all its arrays together; some arrays and names."""
    names = [f"{letter}_{rng.integers(100)}" for letter in rng.permutation(list("WbVUgc"))[:count]]
    shapes = [MATRICES[rng.integers(2)], *(SHAPES[k] for k in rng.permutation(len(SHAPES)))]
    drawn = []
    for size in sizes:
        g = {n: rng.standard_normal(shape) for n, shape in zip(names, shapes, strict=False)}
        norm = length(g)
        drawn.append({name: np.asarray(array * size / norm) for name, array in g.items()})
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


def compared(answer, given, share, what, suspects=()):
    same(what, answer(given, share), clipped(given, share), suspects=dict(suspects))


def clip_two(answer, rng):
    for sizes, share in (((1, 3), rng.uniform(0.3, 0.7)), ((3, 1), rng.uniform(0.3, 0.7))):
        compared(answer, gradients(rng, sizes, 1), float(share), "clipped")
    for sizes, share in (((4, 1), 0.0), ((1, 4), 1.0), ((2,), 0.5)):
        what = f"clipped, for {len(sizes)} updates and q = {share:g}"
        compared(answer, gradients(rng, sizes, 1), share, what)


def clip_joint(answer, rng):
    share = float(rng.uniform(0.3, 0.7))
    for count, sizes in ((3, (2, 1, 5)), (5, (4, 9, 4))):
        given = gradients(rng, sizes, count)
        hint = "One norm for all arrays of an update together, see (clip-norm)."
        compared(answer, given, share, "clipped", {hint: each_alone(given, share)})
    for zeros in ((0,), (2,), (0, 1)):
        given = gradients(rng, (2, 1, 5), 2)
        for update in zeros:
            given[update] = {name: np.zeros_like(array) for name, array in given[update].items()}
        compared(answer, given, share, "with zeros, clipped")
        compared(answer, given, 0.0, "with zeros and q = 0, clipped")


def clip_long(answer, rng):
    for count, low, high in ((3, 0.75, 0.9), (4, 0.1, 0.25)):
        N = 12 + 5 * count + int(rng.integers(1, 5))
        sizes, share = 3 * rng.permutation(np.arange(1, N)), float(rng.uniform(low, high))
        given = gradients(rng, sizes * 1.2 ** np.arange(N - 1), count)
        hint = "The quantile is taken of norms before clipping, not after."
        compared(answer, given, share, "clipped", {hint: clipped(given, share, shortened=True)})


# Logarithms of norms


def jacobians(rng, T, S):
    """Jacobians of which no two commute, their product near 1."""
    turns = np.linalg.qr(rng.standard_normal((T, S, S)))[0]
    stretched = turns * np.exp(rng.uniform(-0.3, 0.3, (T, S, 1)))
    stretched[0, :, 0] *= 3  # what is done at either end differs from what is done at the other
    return stretched


def plain_logs(J, grow=lambda P, J, k: P @ J[len(J) - 1 - k]):
    """The logarithms from the products as they are."""
    P, logs = np.eye(J.shape[1]), [0.0]
    for k in range(len(J)):
        P = grow(P, J, k)
        logs.append(np.log(np.sqrt(np.linalg.eigvalsh(P.T @ P)[-1])))
    return np.array(logs)


def numbers(found):
    """A list of numbers will do for an array."""
    return np.array(found) if isinstance(found, tuple) else found


def compared_logs(answer, J, growth):
    """The Jacobians times exp(growth), a number for each."""
    found = numbers(answer(np.exp(growth)[:, None, None] * J))
    steps = np.append(0, np.cumsum(growth[::-1]))
    expected = plain_logs(J) + steps
    try:
        same("logarithms", found, expected)
    except Wrong:
        if len(J) == 1:
            raise
        first = np.append(0, np.cumsum(growth))
        end = "P_k ends with step T and grows toward the past, see (jacobian-product): "
        suspects = {
            "That is the bound of (norm-bound): multiply first, then take the norm.": steps
            + np.append(0, np.cumsum(np.log(np.linalg.norm(J[::-1], 2, axis=(1, 2))))),
            f"{end}this one begins with step 1.": first + plain_logs(J, lambda P, J, k: J[k] @ P),
            f"{end}this one begins with step 1, and multiplies on the wrong side.": first
            + plain_logs(J, lambda P, J, k: P @ J[k]),
            f"{end}the factor of an earlier step stands on the right.": steps
            + plain_logs(J, lambda P, J, k: J[len(J) - 1 - k] @ P),
        }
        same("logarithms", found, expected, suspects=suspects)


def of_few(answer, rng):
    for T, S in (*sizes(rng, 2, 3), (1, 2), (4, 1)):
        compared_logs(answer, jacobians(rng, T, S), rng.uniform(-0.3, 0.3, T))


def of_many(least, most):
    """Every step multiplies the size by a number with so many zeros; the first one with fewest."""

    def case(answer, rng):
        for T, S in ((int(rng.integers(110, 130)), 3), (int(rng.integers(150, 180)), 5)):
            zeros = np.array([least, *rng.uniform(*sorted((least, most)), T - 1)])
            compared_logs(answer, jacobians(rng, T, S), zeros * np.log(10))

    return case


# A latch in noise


def latches(rng):
    """Self-connections little above 1, and large ones, with noise little above 0 and near most."""
    for w, share in (((1.3, 4), (0.4, 0.8)), ((1.05, 1.1), (0.85, 0.95)), ((9, 15), (0.9, 0.95))):
        w = float(rng.uniform(*w))
        yield w, float(rng.uniform(*share)) * best(lambda a, w=w: w * np.tanh(a) - a, 0, w)
    yield float(rng.uniform(1.5, 2.5)), float(rng.uniform(0.001, 0.01))


def best(f, low, high):
    """The largest value of a function with one hill, by thirds."""
    for _ in range(120):
        one, two = low + (high - low) / 3, high - (high - low) / 3
        low, high = (one, high) if f(one) < f(two) else (low, two)
    return f(low)


def root(f, low, high):
    """Where f changes its sign, by halves."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if f(low) * f(middle) > 0 else (low, middle)
    return low


def crossings(w, noise):
    """Lower and upper fixed point of the map with the noise held at a number."""
    top = np.arccosh(np.sqrt(w))  # slope 1
    return tuple(
        root(lambda a: w * np.tanh(a) + noise - a, *ends)
        for ends in ((min(noise, 0), top), (top, w + abs(noise) + 1))
    )


def number(found, key):
    ensure(isinstance(found, dict), "what came back is no dict")
    ensure(key in found, f"no key {key!r} in what came back")
    return found[key]


def latch_most(answer, rng):
    for w, noise in latches(rng):
        expected = best(lambda a, w=w: w * np.tanh(a) - a, 0, w)
        same("most", number(answer(w, noise), "most"), expected, tolerance=1e-6)


def latch_range(answer, rng):
    for w, noise in latches(rng):
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
    for w, noise in latches(rng):
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
                leaky(True),
                "Differentiate both parts of h_t, as (jacobian) was derived.",
            ),
            Case(
                2,
                "several steps",
                leaky(False),
                "One step first; then multiply as (jacobian-product) says.",
            ),
        ),
        derivation=True,
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
                "few steps",
                of_few,
                "The largest singular value of the product in (jacobian-product), and 0 for k = 0.",
            ),
            Case(
                1,
                "hundreds of steps that explode",
                of_many(3, 40),
                "The product of (jacobian-product) becomes infinite: take its size out on the way.",
            ),
            Case(
                1,
                "hundreds of steps that vanish",
                of_many(-3, -40),
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
