"""What is asked about gradients through loops, and how answers are looked at."""

import numpy as np
from seqlib.grading import Case, Question, Wrong, ensure, same


def sizes(rng, n, smallest=2):
    """Two lists of n sizes, no two of which are alike."""
    one, other = rng.permutation(n), rng.permutation(n) + n
    return [int(size) + smallest for size in one], [int(size) + smallest for size in other]


# Two derivatives

TINY = 1e-309  # near the smallest numbers: what is far below them is lost


def units(rng):
    """Weights, starts and inputs: ordinary ones, one step, far from zero, and near it."""
    for w, T, size in ((0.9, 6, 1), (-1.3, 9, 1), (0.6, 1, 1), (1.4, 4, 5), (1.2, 5, TINY)):
        h_0, *x = rng.uniform(0.3, 1, T + int(rng.integers(2, 4))) * rng.choice([-1, 1])
        signs = rng.choice([-1, 1], len(x))
        yield w * float(rng.uniform(0.9, 1.1)), h_0 * size, np.array(x) * signs * size
    yield 0.7, -0.5, np.array([float(rng.uniform(0.5, 1))])


def derivatives(w, h_0, x):
    """Both, term by term: step i moved alone, and carried to step t by the factors between."""
    before, slopes = [h_0], []
    for x_t in x:
        slopes.append(1 / np.cosh(w * (before[-1] + x_t)) ** 2)
        before.append(np.tanh(w * (before[-1] + x_t)))
    one = np.array(slopes) * (np.array(before[:-1]) + x)
    every = [
        sum(one[i] * np.prod(w * np.array(slopes[i + 1 : t + 1])) for i in range(t + 1))
        for t in range(len(x))
    ]
    return one, np.array(every), np.array(slopes), np.array(before)


def pair(found):
    ensure(isinstance(found, tuple | np.ndarray), "what came back is no pair")
    ensure(np.ndim(found[0]) == 1 and len(found) == 2, "what came back are not two arrays (T,)")
    return found


def compared(what, found, expected, suspects):
    """Relative to the largest where all are near the smallest numbers."""
    ensure(
        np.shape(found) == expected.shape, f"{what}: shape {np.shape(found)}, not {expected.shape}"
    )
    size = np.abs(expected).max()
    if size > 1e-300:
        size = 1.0
    else:
        what = f"{what}, relative to the largest of numbers near 1e-309"
    suspects = {hint: suspect / size for hint, suspect in suspects.items()}
    same(what, np.asarray(found) / size, expected / size, tolerance=1e-12, suspects=suspects)


def immediate(answer, rng):
    for w, h_0, x in units(rng):
        one, every, slopes, before = derivatives(w, h_0, x)
        suspects = {
            "The weight scales h_{t-1} and x_t: both are what it is multiplied by.": (
                slopes * before[:-1]
            ),
        }
        if len(x) > 1:
            hint = "That is the total derivative: in the immediate one h_{t-1} is a fixed number."
            suspects[hint] = every
        compared("immediate", pair(answer(w, h_0, x))[0], one, suspects)


def total(answer, rng):
    for w, h_0, x in units(rng):
        one, every, slopes, before = derivatives(w, h_0, x)
        moved, kept = [one[0]], [one[0]]
        for t in range(1, len(x)):
            moved.append(one[t] + slopes[t] * moved[-1])
            kept.append(one[t] + slopes[t] * w * one[t - 1])
        suspects = {
            "That is the immediate derivative: in the total one h_{t-1} moves too.": one,
            "dh_t / dh_{t-1} is the slope times the weight, see (total-derivative).": (
                np.array(moved)
            ),
            "What is carried on is the total derivative of the step before, (total-derivative).": (
                np.array(kept)
            ),
            "Each term is carried by the factors between, see (total-sum), not only added.": (
                np.cumsum(one)
            ),
            "Where the immediate derivative is wrong, the total one is. (This may follow from"
            " what is said above.)": derivatives(w, h_0, 0 * x)[1],
        }
        compared("total", pair(answer(w, h_0, x))[1], every, suspects)


# Truncation


def network(rng, B, T, H):
    """Recurrent weights, the states of a run, and the immediate gradients at them."""
    W_hh = rng.standard_normal((H, H)) / np.sqrt(H)
    h = [rng.uniform(-0.9, 0.9, (B, H))]
    for a_t in rng.standard_normal((T, B, H)) / 2:
        h.append(np.tanh(a_t + h[-1] @ W_hh.T))
    return W_hh, np.stack(h, axis=1), rng.standard_normal((B, T, H))


def terms(W_hh, h, dh):
    """Of the double sum: entry [t, i] is loss t, felt through step i; by columns, row by row."""
    B, T, H = dh.shape
    found = np.zeros((T + 1, T + 1, H, H))
    for b in range(B):
        for t in range(1, T + 1):
            row = dh[b, t - 1]
            for i in range(t, 0, -1):
                da = row * (1 - h[b, i] ** 2)
                found[t, i] += np.outer(da, h[b, i - 1])
                row = W_hh.T @ da
    return found


def chosen(of, keep):
    T = len(of) - 1
    pairs = [(t, i) for t in range(1, T + 1) for i in range(1, t + 1)]
    return sum(keep(t, i) * of[t, i] for t, i in pairs)


def walk_of(t, every, T):
    """The step at which the walk starts that takes loss t along."""
    return min(T, -(-t // every) * every)


def mistakes(of, every, back):
    """What known ones give, by the terms that they keep, or count more than once."""
    T = len(of) - 1

    def walks_with(t, i):
        starts = {walk_of(s, every, T) for s in range(1, T + 1)}
        return sum(t <= s and i > s - back for s in starts)

    def kept(t, i):
        return i > walk_of(t, every, T) - back

    rules = {
        "A loss that two walks take along is counted twice: each walk takes the new ones only.": (
            walks_with
        ),
        "The last losses need a walk of their own when T is no multiple of every.": (
            lambda t, i: kept(t, i) and t <= T // every * every
        ),
        "One step too far: a walk has `back` steps, the one where it starts is the first.": (
            lambda t, i: i >= walk_of(t, every, T) - back
        ),
        "One step short: a walk has `back` steps, the one where it starts is the first.": (
            lambda t, i: i > walk_of(t, every, T) - back + 1
        ),
        "That is a window of its own for each loss; a walk serves several, see (truncated).": (
            lambda t, i: t - i < back
        ),
        "A walk goes on behind its last loss, and carries what it has, (backward-recursion).": (
            lambda t, i: (t - 1) // every == (i - 1) // every
        ),
    }
    return {hint: chosen(of, rule) for hint, rule in rules.items()}


def walked(answer, given, every, back):
    of, (B, T, _) = terms(*given), given[2].shape
    right = chosen(of, lambda t, i: i > walk_of(t, every, T) - back)
    found, what = answer(*given, every, back), f"dW_hh for T = {T}, every = {every}, back = {back}"
    try:
        same(what, found, right)
    except Wrong:
        suspects = mistakes(of, every, back)
        suspects["The transpose: W_hh is (out, in), so da_t comes first, (bptt-dw)."] = right.T
        if B > 1:
            suspects["The mean over the rows: a shared weight gets the sum."] = right / B
        same(what, found, right, suspects=suspects)


def many(answer, rng, every, back):
    """A large network: each loss walks back alone, and its steps are added up before the weights'.

    Entry by entry of W_hh, more than 100,000 of them, nobody comes to an end.
    """
    T, H = 40, 321 + int(rng.integers(10))
    W_hh, h, dh = given = network(rng, 4, T, H)
    da = np.zeros((T + 1, 4, H))
    for t in range(1, T + 1):
        row = dh[:, t - 1]
        for i in range(t, max(walk_of(t, every, T) - back, 0), -1):
            da[i] += row * (1 - h[:, i] ** 2)
            row = (row * (1 - h[:, i] ** 2)) @ W_hh
    right = np.einsum("tbi,btj->ij", da[1:], h[:, :-1], optimize=True)
    same(f"dW_hh, ({H}, {H})", answer(*given, every, back), right)


def whole(answer, rng):
    for (B, T, H), more in zip(sizes(rng, 3, 3), (0, 3), strict=True):
        walked(answer, network(rng, B, T + T % 2, H), T + T % 2 - 1, T + T % 2 + more)
    walked(answer, network(rng, 1, 1, 2), 1, 1)
    walked(answer, network(rng, 1, 7, 2), 3, 7)
    many(answer, rng, 9, 40)


def window(answer, rng):
    for (B, T, H), back in zip(sizes(rng, 3, 4), (2, 3), strict=True):
        walked(answer, network(rng, B, T, H), 1, back)
    walked(answer, network(rng, 1, 5, 3), 1, 1)
    many(answer, rng, 1, 5)


def two_lengths(answer, rng):
    for (every, back, T), B, H in (
        ((3, 4, 7), *sizes(rng, 2)[0]),
        ((4, 6, 10 + int(rng.integers(2))), *sizes(rng, 2)[1]),
        ((2, 3, 8), 1, 3),
        ((2, 2, 5), 2, 4),
    ):
        walked(answer, network(rng, B, T, H), every, back)
    many(answer, rng, int(rng.integers(5, 8)), int(rng.integers(9, 12)))


# A network that hears itself


def jordan_network(rng, B, T, D, H, V):
    shapes = {"W_xh": (H, D), "W_yh": (H, V), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    params = {n: rng.standard_normal(s) / np.sqrt(s[-1]) for n, s in shapes.items()}
    x, dy = rng.standard_normal((B, T, D)), rng.standard_normal((B, T, V))
    return params, x, rng.standard_normal((B, V)), dy


def gradients(params, x, y_0, dy, immediate_readout=False, late=False, first_state=True):
    """The backward pass by columns, or with a known mistake: all steps are kept, then added up."""
    T = x.shape[1]
    x, dy, y, h = x.transpose(1, 2, 0), dy.transpose(1, 2, 0), [y_0.T], []  # steps of columns
    b_h, b_y = params["b_h"][:, None], params["b_y"][:, None]
    for x_t in x:
        h.append(np.tanh(params["W_xh"] @ x_t + params["W_yh"] @ y[-1] + b_h))
        y.append(params["W_hy"] @ h[-1] + b_y)
    dh, dys, back = [None] * T, [None] * T, 0 * y_0.T
    for t in reversed(range(T)):
        dys[t] = dy[t] + back
        dh[t] = (1 - h[t] ** 2) * (params["W_hy"].T @ dys[t])
        back = params["W_yh"].T @ dh[t]
    at_readout = dy if immediate_readout else np.array(dys)
    before = np.array(y[1:] if late else [y[0] * first_state, *y[1:-1]])
    dh, h = np.array(dh), np.array(h)

    def added(d, a):
        """Outer products, summed over steps and rows."""
        return np.tensordot(d, a, axes=((0, 2), (0, 2)))

    return {
        "W_hy": added(at_readout, h),
        "b_y": at_readout.sum(axis=(0, 2)),
        "W_xh": added(dh, x),
        "W_yh": added(dh, before),
        "b_h": dh.sum(axis=(0, 2)),
        "x": np.einsum("thb,hd->btd", dh, params["W_xh"], optimize=True),
        "y_0": back.T,
    }


WEIGHTS = "W_xh", "W_yh", "b_h", "W_hy", "b_y"


def jordan(one_step, names, hints=()):
    """A case that looks at some of the gradients: of two networks, and of a large one.

    The large one has more than 100,000 entries: entry by entry nobody comes to an end.
    """

    def case(answer, rng):
        large = (40, 1, 200, 190, 180) if one_step else (10, 170, 60, 90, 70)
        ends = ((1, 1, 1, 1, 1),) if one_step else ((1, 2, 3, 1, 2),)
        for given in (*sizes(rng, 5), *ends, np.array(large) + rng.integers(3, size=5)):
            B, T, D, H, V = (int(size) for size in given)
            T = 1 if one_step else T
            network = jordan_network(rng, B, T, D, H, V)
            found, expected = answer(*network), gradients(*network)
            ensure(isinstance(found, dict), "what came back is no dict")
            found, expected = ({n: grads.get(n) for n in names} for grads in (found, expected))
            what = f"gradient for B, T, D, H, V = {B}, {T}, {D}, {H}, {V}"
            try:
                same(what, found, expected)
            except Wrong:
                suspects = {hint: gradients(*network, **how) for hint, how in hints}
                suspects = {hint: {n: g[n] for n in names} for hint, g in suspects.items()}
                same(what, found, expected, suspects=suspects)

    return case


QUESTIONS = (
    Question(
        "bptt.two_derivatives",
        "two_derivatives",
        (
            Case(
                1,
                "the immediate derivatives",
                immediate,
                "Hold h_{t-1} fixed, and derive tanh(w (h_{t-1} + x_t)), see (total-derivative).",
            ),
            Case(
                2,
                "the total derivatives",
                total,
                "The immediate one, and what comes by way of h_{t-1}, see (total-derivative).",
            ),
        ),
        derivation=True,
    ),
    Question(
        "bptt.truncated",
        "truncated_gradient",
        (
            Case(
                1,
                "walks back to the beginning: the whole gradient",
                whole,
                "Every term of (double-sum) once, whatever the stops.",
            ),
            Case(
                1,
                "a stop at every step",
                window,
                "With a stop at every step it is the sliding window, see (truncated).",
            ),
            Case(
                2,
                "a stop every few steps, some more steps back",
                two_lengths,
                "Where do the walks start, what does each take along, how far? See (double-sum).",
            ),
        ),
        derivation=True,
    ),
    Question(
        "bptt.jordan",
        "jordan_backward",
        (
            Case(
                1,
                "one step, all weights",
                jordan(True, WEIGHTS),
                "From y_1 to h_1 by (bptt-readout), through tanh by (bptt-da), to the weights.",
            ),
            Case(
                2,
                "several steps, the weights of the hidden units",
                jordan(
                    False,
                    ["W_xh", "W_yh", "b_h"],
                    (
                        (
                            "W_yh was multiplied by the output of the step before, see (bptt-dw).",
                            {"late": True},
                        ),
                        (
                            "At the first step W_yh was multiplied by y_0, see (bptt-dw).",
                            {"first_state": False},
                        ),
                    ),
                ),
                "At y_t arrive the gradient of its step and that of step t + 1, see (bptt-dh).",
            ),
            Case(
                1,
                "several steps, the read-out",
                jordan(
                    False,
                    ["W_hy", "b_y"],
                    (
                        (
                            "The read-out acts on later steps too: it gets the total gradient at"
                            " y_t, not the immediate one alone.",
                            {"immediate_readout": True},
                        ),
                    ),
                ),
                "The gradient at y_t times h_t, summed over steps and rows, see (bptt-readout).",
            ),
            Case(
                1,
                "several steps, the inputs and the start",
                jordan(False, ["x", "y_0"]),
                "What is left leaves the layer through W_xh and W_yh, see (bptt-dx).",
            ),
        ),
        derivation=True,
    ),
)
