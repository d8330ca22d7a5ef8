"""What is asked of LSTM variants, and how answers are looked at."""

import numpy as np
from seqlib.gradcheck import numerical_gradient
from seqlib.grading import Case, Question, ensure, same
from seqlib.scratch import lstm, ops

B, D, H, T = 3, 2, 4, 5
PEEPHOLES = ("p_i", "p_f", "p_o")


def drawn(rng):
    """Parameters, an input and a state, none of them small."""
    params = lstm.init(rng, D, H)
    params["b"] = rng.standard_normal(4 * H)
    params |= {name: rng.standard_normal(H) for name in PEEPHOLES}
    return params, rng.standard_normal((B, D)), *rng.standard_normal((2, B, H))


def step(params, x, h, c, late=True, g_too=False):
    """The step, gate by gate; late: the output gate sees the new cell."""
    rows = dict(zip("ifgo", np.split(params["W_x"] @ x.T + params["W_h"] @ h.T, 4), strict=True))
    a = {gate: rows[gate].T + params["b"][k * H : (k + 1) * H] for k, gate in enumerate("ifgo")}
    i, f = (ops.sigmoid(a[gate] + params[f"p_{gate}"] * c) for gate in "if")
    new = f * c + i * np.tanh(a["g"] + (params["p_i"] * c if g_too else 0))
    o = ops.sigmoid(a["o"] + params["p_o"] * (new if late else c))
    return o * np.tanh(new), new


def no_peepholes(answer, rng):
    params, x, h, c = drawn(rng)
    params |= {name: np.zeros(H) for name in PEEPHOLES}
    plain = {name: params[name] for name in ("W_x", "W_h", "b")}
    _, expected = lstm.step(plain, x, (h, c))
    same("(h, c)", answer(params, x, h, c), expected)


def with_peepholes(answer, rng):
    given = drawn(rng)
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


def backward(names):
    """A case that compares some of the gradients with central differences of the step."""

    def case(answer, rng):
        params, x, h, c = drawn(rng)
        dh, dc = rng.standard_normal((2, B, H))

        def loss(name, value):
            new_h, new_c = step(
                {**params, name: value},
                x,
                value if name == "h" else h,
                value if name == "c" else c,
            )
            return float(np.sum(new_h * dh) + np.sum(new_c * dc))

        at = {**params, "h": h, "c": c}
        expected = {n: numerical_gradient(lambda v, n=n: loss(n, v), at[n]) for n in names}
        found = answer(params, x, h, c, dh, dc)
        ensure(isinstance(found, dict), "what came back is no dict")
        same("gradient", {n: found.get(n) for n in names}, expected, tolerance=1e-7)

    return case


def forward_all(rng, length):
    """Recurrent weights, the steps of a sequence, gradients of its outputs, and the inputs."""
    params = lstm.init(rng, D, H)
    params["W_h"] = rng.standard_normal((4 * H, H))
    a_x = rng.standard_normal((B, length, 4 * H))
    return params["W_h"], a_x, rng.standard_normal((B, length, H))


def run(W_h, a_x):
    h = c = np.zeros((B, H))
    steps, outputs = [], []
    for t in range(a_x.shape[1]):
        i, f, g, o = np.split(a_x[:, t] + h @ W_h.T, 4, axis=1)
        i, f, o, g, before = ops.sigmoid(i), ops.sigmoid(f), ops.sigmoid(o), np.tanh(g), c
        c = f * c + i * g
        h = o * np.tanh(c)
        steps.append((i, f, g, o, before, c))
        outputs.append(h)
    return steps, np.stack(outputs, axis=1)


def sequence(length):
    def case(answer, rng):
        W_h, a_x, dh = forward_all(rng, length)
        steps, _ = run(W_h, a_x)
        expected = numerical_gradient(lambda a: float(np.sum(run(W_h, a)[1] * dh)), a_x)
        same("da", answer(W_h, steps, dh), expected, tolerance=1e-7)

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
                backward(["h", "c"]),
                "c_{t-1} has three children: c_t by (lstm-c), and i and f by their peepholes.",
            ),
        ),
    ),
    Question(
        "lstm.repair",
        "repaired_backward",
        (
            Case(
                1,
                "one step alone",
                sequence(1),
                "Nothing is lost in time yet: look at the four slopes, (lstm-i) to (lstm-o).",
            ),
            Case(
                2,
                "five steps",
                sequence(T),
                "c_t has two children, h_t and c_{t+1}: both gradients reach it, see (lstm-dc).",
            ),
        ),
    ),
)
