"""What is asked about networks that feed back, and how answers are looked at."""

import numpy as np
from seqlib.grading import Case, Question, ensure, same

# Jordan's network

D, H, V = 3, 5, 4


def jordan_network(rng, T, lengths=None):
    shapes = {"W_xh": (H, D), "W_yh": (H, V), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    lengths = np.array(lengths or (T, T))
    mask = np.arange(T) < lengths[:, None]
    x = rng.standard_normal((len(lengths), T, D))
    x[~mask] = np.nan
    return params, x, rng.standard_normal((len(lengths), V)), mask


def heard(params, x, y_0, mask, start=True, bias=True, padding="carried"):
    """One row and one step at a time, by columns."""
    y = np.zeros((*mask.shape, V))
    for b in range(len(mask)):
        state = y_0[b] if start else np.zeros(V)
        for t in range(mask.shape[1]):
            if mask[b, t]:
                fed = state if bias or t == 0 else state - params["b_y"]
                h = np.tanh(params["W_xh"] @ x[b, t] + params["W_yh"] @ fed + params["b_h"])
                state = params["W_hy"] @ h + params["b_y"]
            y[b, t] = state if mask[b, t] or padding == "carried" else 0
    return y


def jordan(T, lengths=None):
    def case(answer, rng):
        given = jordan_network(rng, T, lengths)
        suspects = {
            "The first step starts from y_0, which is not zero.": heard(*given, start=False)
        }
        if T > 1:
            hint = "What is fed back is the whole output, its bias b_y included, see (readout)."
            suspects[hint] = heard(*given, bias=False)
        if lengths:
            hint = "In the padding the state is carried on, see (carry), not set to zero."
            suspects[hint] = heard(*given, padding="zero")
        same("y", answer(*given), heard(*given), suspects=suspects)

    return case


# A temperature


def cost(logits, targets, tau, weights):
    z = logits / tau
    z = z - z.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    picked = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return -float((picked * weights).sum() / weights.sum())


def coldest(f, low=0.02, high=50.0):
    """Where a function of the temperature is least, by golden sections of its logarithm."""
    a, b, ratio = np.log(low), np.log(high), (np.sqrt(5) - 1) / 2
    for _ in range(60):
        left, right = b - ratio * (b - a), a + ratio * (b - a)
        a, b = (a, right) if f(np.exp(left)) < f(np.exp(right)) else (left, b)
    return float(np.exp((a + b) / 2))


def held_out(rng, size, lengths):
    """Targets drawn from softmax(g), and a model that says `size` times g."""
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    g = 1.5 * rng.standard_normal((*mask.shape, 6))
    targets = (g + rng.gumbel(size=g.shape)).argmax(axis=-1)
    g[~mask] = 3 * rng.standard_normal((np.sum(~mask), 6))
    targets[~mask] = 0
    return size * g, targets, mask


INVERSE = "The logits are divided by the temperature, see (temperature): this is 1 / τ."


def shares(answer, rng):
    """Logits s log q at every place, and targets in just these shares: the best is s."""
    counts = rng.permutation([1, 2, 4, 6, 11])
    tau = float(rng.uniform(1.5, 4))
    targets = rng.permutation(np.repeat(np.arange(5), counts)).reshape(3, 8)
    logits = np.broadcast_to(tau * np.log(counts / counts.sum()), (3, 8, 5)).copy()
    logits += rng.standard_normal((3, 8, 1))  # the same for all symbols: changes nothing
    found = answer(logits, targets, np.ones((3, 8), bool))
    same("τ", found, tau, tolerance=1e-5, suspects={INVERSE: 1 / tau})


def fitted(size, lengths):
    def case(answer, rng):
        logits, targets, mask = held_out(rng, size, lengths)
        tau = coldest(lambda tau: cost(logits, targets, tau, mask * 1.0))
        rows = mask / mask.sum(axis=1, keepdims=True)
        every = np.ones(mask.shape)
        same(
            "τ",
            answer(logits, targets, mask),
            tau,
            tolerance=1e-5,
            suspects={
                INVERSE: 1 / tau,
                "Only real places count, see (cross-entropy): use the mask.": coldest(
                    lambda tau: cost(logits, targets, tau, every)
                ),
                "Every real place counts the same: no mean over rows of their means.": coldest(
                    lambda tau: cost(logits, targets, tau, rows)
                ),
                "A temperature below 1 is allowed: a model may be too unsure.": 1.0,
            },
        )

    return case


# A delay

KEYS = ("W_hh", "W_hy", "W_xh", "b_h", "b_y")


def run(params, x):
    h, y = np.zeros((len(x), len(params["b_h"]))), []
    for t in range(x.shape[1]):
        a = x[:, t] @ params["W_xh"].T + h @ params["W_hh"].T + params["b_h"]
        h = np.where(a > 0, a, 0 * a)  # relu; NaN stays NaN
        y.append(h @ params["W_hy"].T + params["b_y"])
    return np.stack(y, axis=1)


def late(x, k):
    return np.concatenate([np.zeros_like(x[:, :k]), x[:, : x.shape[1] - k]], axis=1)


def delayed(cases, signed):
    def case(answer, rng):
        for k, D in cases:
            x = rng.standard_normal((2, 3 * k + 5, D))
            x = 10 * x if signed else np.abs(x)
            found = answer(k, D)
            keys = sorted(found) if isinstance(found, dict) else found
            ensure(keys == sorted(KEYS), f"expected a dict with the keys {', '.join(KEYS)}")
            H = len(np.atleast_1d(found["b_h"]))
            shapes = {"W_xh": (H, D), "W_hh": (H, H), "b_h": (H,), "W_hy": (D, H), "b_y": (D,)}
            for name, shape in shapes.items():
                is_ = np.shape(found[name])
                ensure(is_ == shape, f"{name}: shape {is_}; expected {shape} with H = {H}")
            suspects = {
                "One step too late: the first units receive x_t at step t itself.": late(x, k + 1),
                "Only what is not negative came through: relu cuts off the rest.": late(
                    np.maximum(x, 0), k
                ),
                "No output at all. Does every unit receive from the one before it? The row of W_hh"
                " is the unit that receives, see (rnn-a).": 0 * x,
            }
            if k:
                suspects["One step too early: count the boxes."] = late(x, k - 1)
                suspects["No delay: it is W_hh that hands on, see (rnn-a)."] = x
            same(f"y for k = {k}, D = {D}", run(found, x), late(x, k), suspects=suspects)

    return case


QUESTIONS = (
    Question(
        "rnn.jordan",
        "jordan_forward",
        (
            Case(
                1,
                "one step",
                jordan(1),
                "Two lines: the hidden units from x_1 and y_0, then the output, see (readout).",
            ),
            Case(
                2,
                "five steps",
                jordan(5),
                "The output of a step, as it was returned, is what the next step hears.",
            ),
            Case(
                1,
                "rows of 5, 2 and 4 steps, with NaN in the padding",
                jordan(5, (5, 2, 4)),
                "Where the mask is False choose the old state, see (carry); 0 times NaN is NaN.",
            ),
        ),
    ),
    Question(
        "rnn.temperature",
        "best_temperature",
        (
            Case(
                1,
                "one distribution at every place, and targets in known shares",
                shares,
                "At the best τ the model says the shares of what came, see (temperature).",
            ),
            Case(
                2,
                "a model that is too sure, on padded rows",
                fitted(2.5, (9, 3, 14, 6)),
                "Where is the derivative of the loss by 1/τ zero? See (cross-entropy).",
            ),
            Case(
                1,
                "a model that is too unsure",
                fitted(0.3, (12, 12, 12)),
                "The search has to reach below 1 too, and get five digits right.",
            ),
        ),
    ),
    Question(
        "rnn.delay",
        "delay_weights",
        (
            Case(
                1,
                "one number at a time, none negative, k = 0 and k = 1",
                delayed([(0, 1), (1, 1)], signed=False),
                "Run your network by hand on 5, 0, 7 with (rnn-a), relu and (readout).",
            ),
            Case(
                1,
                "three numbers, none negative, k = 4",
                delayed([(4, 3)], signed=False),
                "A box holds all D numbers; each hands them on in their places, see (rnn-a).",
            ),
            Case(
                2,
                "numbers of either sign, of any size",
                delayed([(0, 2), (2, 3)], signed=True),
                "What does a unit hold after a negative input, and what arrives? See (readout).",
            ),
        ),
    ),
)
