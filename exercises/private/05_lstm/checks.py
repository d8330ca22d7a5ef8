"""A published question with other parameters: peepholes that look two steps back, one of g too."""

import numpy as np
from seqlib.grading import Case, Question, same
from seqlib.scratch import lstm, ops

PEEPHOLES = "p_i", "p_f", "p_g"


def drawn(rng, B=None, scale=1.0):
    """Parameters, an input, and h_{t-1}, c_{t-1}, c_{t-2}; no two sizes are equal."""
    size, D, H = (int(n) for n in rng.permutation([2, 3, 4, 5])[:3])
    B = B or size
    params = lstm.init(rng, D, H)
    params["b"] = rng.standard_normal(4 * H)
    params |= {name: rng.standard_normal(H) for name in PEEPHOLES}
    return params, rng.standard_normal((B, D)), *(scale * rng.standard_normal((3, B, H)))


def step(params, x, h, c, c_before, *, seen="before", of_g=True):
    """The step, gate by gate; the choices are known mistakes."""
    H = h.shape[1]
    a = x @ params["W_x"].T + h @ params["W_h"].T + params["b"]
    a_i, a_f, a_g, a_o = (a[:, k * H : (k + 1) * H] for k in range(4))
    look = c_before if seen == "before" else c
    i, f = ops.sigmoid(a_i + params["p_i"] * look), ops.sigmoid(a_f + params["p_f"] * look)
    new = f * c + i * np.tanh(a_g + params["p_g"] * look * of_g)
    return ops.sigmoid(a_o) * np.tanh(new), new


def no_peepholes(answer, rng):
    params, x, h, c, c_before = drawn(rng)
    params |= {name: np.zeros_like(params[name]) for name in PEEPHOLES}
    plain = {name: params[name] for name in ("W_x", "W_h", "b")}
    _, expected = lstm.step(plain, x, (h, c))
    same("(h, c)", answer(params, x, h, c, c_before), expected)


def with_peepholes(B=None, scale=1.0):
    def case(answer, rng):
        given = drawn(rng, B, scale)
        suspects = {
            "The peepholes look at c_{t-2}, not at c_{t-1}.": step(*given, seen="last"),
            "The candidate has a peephole too.": step(*given, of_g=False),
            "The pair is (h, c), in this order.": step(*given)[::-1],
        }
        same("(h, c)", answer(*given), step(*given), suspects=suspects)

    return case


QUESTIONS = (
    Question(
        "lstm.late_peephole",
        "late_peephole_step",
        (
            Case(1, "with peepholes of 0 it is the LSTM's step", no_peepholes, "See (lstm-c)."),
            Case(2, "with peepholes, on a batch of rows", with_peepholes(), "Which cell is seen?"),
            Case(1, "one row, large cells", with_peepholes(1, 9.0), "One row is a batch too."),
        ),
    ),
)
