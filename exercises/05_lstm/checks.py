"""What is asked of LSTM variants, and how answers are looked at."""

import numpy as np
from seqlib.grading import Case, Question, Wrong, ensure, same
from seqlib.scratch import lstm, ops

PEEPHOLES = ("p_i", "p_f", "p_o")


def sizes(rng, n, smallest=2):
    """Two lists of n sizes, no two of which are alike."""
    one, other = rng.permutation(n), rng.permutation(n) + n
    return [int(size) + smallest for size in one], [int(size) + smallest for size in other]


def drawn(rng, B, D, H, large=1.0):
    """Parameters, an input and a state, none of them small."""
    params = {
        "W_x": rng.standard_normal((4 * H, D)) / np.sqrt(D),
        "W_h": rng.uniform(-2, 2, (4 * H, H)) / np.sqrt(H),
        "b": large * rng.standard_normal(4 * H),
    }
    params |= {name: rng.standard_normal(H) for name in PEEPHOLES}
    return params, rng.standard_normal((B, D)), *rng.standard_normal((2, B, H))


def step(params, x, h, c, late=True, g_too=False):
    """The step, gate by gate; late: the output gate sees the new cell."""
    H = h.shape[1]
    rows = dict(zip("ifgo", np.split(params["W_x"] @ x.T + params["W_h"] @ h.T, 4), strict=True))
    a = {gate: rows[gate].T + params["b"][k * H : (k + 1) * H] for k, gate in enumerate("ifgo")}
    i, f = (ops.sigmoid(a[gate] + params[f"p_{gate}"] * c) for gate in "if")
    new = f * c + i * np.tanh(a["g"] + (params["p_i"] * c if g_too else 0))
    o = ops.sigmoid(a["o"] + params["p_o"] * (new if late else c))
    return o * np.tanh(new), new


def networks(rng):
    """Two sizes, one row of one unit, and numbers so large that the gates are shut or open."""
    for B, D, H in (*sizes(rng, 3), (1, 1, 1)):
        yield drawn(rng, B, D, H)
    yield drawn(rng, 5, 2, 6, large=1000.0)


def no_peepholes(answer, rng):
    for params, x, h, c in networks(rng):
        plain = {name: params[name] for name in ("W_x", "W_h", "b")}
        params |= {name: 0 * params[name] for name in PEEPHOLES}
        _, expected = lstm.step(plain, x, (h, c))
        same("(h, c)", answer(params, x, h, c), expected)


def with_peepholes(answer, rng):
    for given in networks(rng):
        same(
            "(h, c)",
            answer(*given),
            step(*given),
            suspects={
                "The output gate comes last: the cell that it sees is c_t, the new one.": step(
                    *given, late=False
                ),
                "The candidate g is no gate: it has no peephole.": step(*given, g_too=True),
            },
        )


def gradients(params, x, h, c, dh, dc, parts=3, children=3):
    """The way back by columns; or with fewer parts of dc_t, or fewer children of c_{t-1}."""
    rows = np.split(params["W_x"] @ x.T + params["W_h"] @ h.T + params["b"][:, None], 4)
    i, f = (ops.sigmoid(rows[k] + params[f"p_{'if'[k]}"][:, None] * c.T) for k in (0, 1))
    g = np.tanh(rows[2])
    new = f * c.T + i * g
    o, up = ops.sigmoid(rows[3] + params["p_o"][:, None] * new), np.tanh(new)
    d_o = dh.T * up * o * (1 - o)
    d_new = dh.T * o * (1 - up**2)
    d_new = d_new + dc.T * (parts > 1) + d_o * params["p_o"][:, None] * (parts > 2)
    d_i, d_f, d_g = d_new * g * i * (1 - i), d_new * c.T * f * (1 - f), d_new * i * (1 - g**2)
    by_gates = d_i * params["p_i"][:, None] + d_f * params["p_f"][:, None]
    return {
        "h": (params["W_h"].T @ np.concatenate([d_i, d_f, d_g, d_o])).T,
        "c": (d_new * f + by_gates * (children > 1)).T,
        "p_i": np.einsum("hb,bh->h", d_i, c),
        "p_f": np.einsum("hb,bh->h", d_f, c),
        "p_o": np.einsum("hb,hb->h", d_o, new),
    }


FOLLOWS = " (This may follow from what is said above.)"
MISTAKES = {
    "The gradient at c_t has three parts: what came from the next step, what comes through tanh,"
    " and what comes through the peephole of the output gate, see (lstm-dc).": {"parts": 2},
    "The gradient at c_t has three parts, see (lstm-dc): only what comes through tanh is there.": {
        "parts": 1
    },
    "c_{t-1} has three children: c_t by (lstm-c), and i and f by their peepholes.": {"children": 1},
}


def backward(names, follows=""):
    """A case that looks at some of the gradients.

    The last network has more than 100,000 entries: entry by entry nobody comes to an end.
    """

    def case(answer, rng):
        large = drawn(rng, 96 + int(rng.integers(4)), 10, 521 + int(rng.integers(4)))
        for given in (*networks(rng), large):
            given = *given, *rng.standard_normal((2, *given[2].shape))
            found, expected = answer(*given), gradients(*given)
            ensure(isinstance(found, dict), "what came back is no dict")
            found, expected = ({n: g.get(n) for n in names} for g in (found, expected))
            what = f"gradient for B = {len(given[1])}, H = {given[2].shape[1]}"
            try:
                same(what, found, expected)
            except Wrong:
                suspects = {
                    hint + follows * ("children" not in how): gradients(*given, **how)
                    for hint, how in MISTAKES.items()
                }
                suspects = {hint: {n: g[n] for n in names} for hint, g in suspects.items()}
                same(what, found, expected, suspects=suspects)

    return case


def run(rng, B, T, H, large=1.0):
    """Recurrent weights, the steps of a sequence, and gradients of its outputs."""
    W_h = rng.standard_normal((4 * H, H)) / np.sqrt(H)
    h, c = rng.uniform(-0.9, 0.9, (B, H)), rng.standard_normal((B, H))
    steps = []
    for a_x in large * rng.standard_normal((T, B, 4 * H)):
        i, f, g, o = np.split(a_x + h @ W_h.T, 4, axis=1)
        i, f, o, g, before = ops.sigmoid(i), ops.sigmoid(f), ops.sigmoid(o), np.tanh(g), c
        c = f * c + i * g
        h = o * np.tanh(c)
        steps.append((i, f, g, o, before, c))
    return W_h, steps, rng.standard_normal((B, T, H))


def repaired(W_h, steps, dh, two_children=True, square=True):
    """The way back by columns; or with one of the two mistakes, or both."""
    from_next, carried, da = 0 * dh[:, 0].T, 0 * dh[:, 0].T, []
    for t in reversed(range(len(steps))):
        i, f, g, o, before, c = (part.T for part in steps[t])
        at_h = dh[:, t].T + from_next
        at_c = at_h * o / np.cosh(c) ** 2 + carried * two_children
        carried = at_c * f
        d_i, d_f, d_o = at_c * g * i * (1 - i), at_c * before * f * (1 - f), at_h * np.tanh(c)
        d_g = at_c * i * (1 - (g**2 if square else g))
        da.append(np.concatenate([d_i, d_f, d_g, d_o * o * (1 - o)]).T)
        from_next = W_h.T @ da[-1].T
    return np.stack(da[::-1], axis=1)


BUGS = {
    "Nothing is lost in time any more; but one of the four slopes is still wrong, (lstm-i) to"
    " (lstm-o).": {"square": False},
    "The four slopes are right; but c_t has two children, h_t and c_{t+1}, and both gradients reach"
    " it, see (lstm-dc).": {"two_children": False},
    "Both mistakes are still there: one of the four slopes, see (lstm-i) to (lstm-o), and one of"
    " the two children of c_t, see (lstm-dc).": {"square": False, "two_children": False},
}


def sequence(one_step):
    """A case; its last network has more than 100,000 entries, if it has several steps."""

    def case(answer, rng):
        large = (200, 1, 130) if one_step else (2, 120, 110)
        ends = ((1, 2, 1),) if one_step else ((1, 2, 1), (1, 9, 2))
        for given in (*sizes(rng, 3), *ends, np.array(large) + rng.integers(3, size=3)):
            B, T, H = (int(size) for size in given)
            T = 1 if one_step else T
            network = run(rng, B, T, H, large=3.0 if H == 1 else 1.0)
            found, expected = answer(*network), repaired(*network)
            what = f"da for B = {B}, T = {T}, H = {H}"
            try:
                same(what, found, expected)
            except Wrong:
                if one_step:
                    hint = "One of the four slopes is wrong, (lstm-i) to (lstm-o)."
                    suspects = {hint: repaired(*network, square=False)}
                else:
                    suspects = {hint: repaired(*network, **how) for hint, how in BUGS.items()}
                same(what, found, expected, suspects=suspects)

    return case


QUESTIONS = (
    Question(
        "lstm.peephole",
        "peephole_step",
        (
            Case(
                1,
                "with peepholes of 0 it is the LSTM's step",
                no_peepholes,
                "Begin with the step without peepholes, (lstm-a) to (lstm-h).",
            ),
            Case(
                2,
                "with peepholes, on a batch of rows",
                with_peepholes,
                "Which cell does each gate see? Look at the indices of the three formulas.",
            ),
        ),
    ),
    Question(
        "lstm.peephole_backward",
        "peephole_backward",
        (
            Case(
                1,
                "gradient of the output gate's peephole",
                backward(["p_o"]),
                "p_o acts through o_t alone, see (lstm-h); all rows of a batch share it.",
            ),
            Case(
                1,
                "gradients of the peepholes that see the old cell",
                backward(["p_i", "p_f"]),
                "They act through c_t. Its gradient has three parts: see (lstm-dc), and p_o.",
            ),
            Case(
                2,
                "gradients of the old state",
                backward(["h", "c"], FOLLOWS),
                "h_{t-1} goes through W_h, c_{t-1} to three children. (If p_i or p_f is wrong, this"
                " may follow from it.)",
            ),
        ),
        derivation=True,
    ),
    Question(
        "lstm.repair",
        "repaired_backward",
        (
            Case(
                1,
                "one step alone",
                sequence(True),
                "Nothing is lost in time yet: look at the four slopes, (lstm-i) to (lstm-o).",
            ),
            Case(
                2,
                "several steps",
                sequence(False),
                "c_t has two children, h_t and c_{t+1}: both gradients reach it, see (lstm-dc).",
            ),
        ),
        derivation=True,
    ),
)
