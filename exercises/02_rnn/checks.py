"""What is asked about networks that feed back, and how answers are looked at."""

import numpy as np
from seqlib.grading import Case, Question, ensure, same

# Jordan's network


def sizes(rng, n, smallest=2):
    """Two lists of n sizes, no two of which are alike."""
    one, other = rng.permutation(n), rng.permutation(n) + n
    return [int(size) + smallest for size in one], [int(size) + smallest for size in other]


def with_holes(rng, B, T, pause=False):
    """A mask with a row that has a hole, one that begins with padding, and an empty one.

    B and T are 4 or more.  There is a full row, or a pause: a step at which no row is real.
    """
    mask = rng.random((B, T)) < 0.7
    mask[0], mask[1, :3], mask[2, :3], mask[3] = (
        True,
        (True, False, True),
        (False, True, True),
        False,
    )
    mask[:, 1] &= not pause
    return mask[rng.permutation(B)]


def jordan_network(rng, mask, D, H, V, padding=np.nan):
    """Parameters, inputs, a start, and a mask; the first row that is real has large inputs."""
    B, T = mask.shape
    shapes = {"W_xh": (H, D), "W_yh": (H, V), "b_h": (H,), "W_hy": (V, H), "b_y": (V,)}
    params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    x = rng.standard_normal((B, T, D))
    if B > 1:
        x[mask.any(axis=1).argmax(), :, 0] = rng.uniform(50, 100, T)
    x[~mask] = padding
    return params, x, 3 * rng.standard_normal((B, V)), mask


def heard(params, x, y_0, mask, start=True, bias=True, padding="carried"):
    """One row and one step at a time, by columns."""
    y = np.zeros((*mask.shape, len(params["b_y"])))
    for b in range(len(mask)):
        state = y_0[b] if start else 0 * y_0[b]
        for t in range(mask.shape[1]):
            if mask[b, t]:
                fed = state if bias or t == 0 else state - params["b_y"]
                h = np.tanh(params["W_xh"] @ x[b, t] + params["W_yh"] @ fed + params["b_h"])
                state = params["W_hy"] @ h + params["b_y"]
            y[b, t] = state if mask[b, t] or padding == "carried" else 0
    return y


def jordan(answer, given):
    params, x, y_0, mask = given
    suspects = {"The first step starts from y_0, which is not zero.": heard(*given, start=False)}
    if mask.shape[1] > 1:
        hint = "What is fed back is the whole output, its bias b_y included, see (readout)."
        suspects[hint] = heard(*given, bias=False)
    if not mask.all():
        first = np.arange(mask.shape[1]) < mask.sum(axis=1)[:, None]
        suspects |= {
            "In the padding the state is carried on, see (carry), not set to zero.": heard(
                *given, padding="zero"
            ),
            "The real steps need not come first in a row: the mask says which they are, not only"
            " how many.": heard(params, x, y_0, first),
        }
    same("y", answer(*given), heard(*given), suspects=suspects)


def one_step(answer, rng):
    for B, D, H, V in (*sizes(rng, 4), (1, 1, 1, 1)):
        jordan(answer, jordan_network(rng, np.ones((B, 1), bool), D, H, V))


def several_steps(answer, rng):
    for B, T, D, H, V in (*sizes(rng, 5), (1, 3, 2, 1, 4)):
        jordan(answer, jordan_network(rng, np.ones((B, T), bool), D, H, V))


def padded(answer, rng):
    (B, T, *others), (more, longer, *rest) = sizes(rng, 5, 4)
    jordan(answer, jordan_network(rng, with_holes(rng, B, T), *others, 7.0))
    jordan(answer, jordan_network(rng, with_holes(rng, more, longer, True), *rest, np.nan))


# A temperature


def cost(logits, targets, tau, weights):
    z = logits / tau
    z = z - z.max(axis=-1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    picked = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return -float((picked * weights).sum() / weights.sum())


def coldest(f, low=0.02, high=50.0):
    """Where a function of the temperature is least, by golden sections of its logarithm."""
    ratio = (np.sqrt(5) - 1) / 2
    ends = [np.log(low), np.log(high)]
    inner = [ends[1] - ratio * (ends[1] - ends[0]), ends[0] + ratio * (ends[1] - ends[0])]
    values = [f(np.exp(place)) for place in inner]
    for _ in range(45):
        worse = int(values[0] < values[1])  # the side that is cut off
        ends[worse], inner[worse], values[worse] = inner[worse], inner[1 - worse], values[1 - worse]
        inner[1 - worse] = ends[worse] + ratio * (ends[1 - worse] - ends[worse])
        values[1 - worse] = f(np.exp(inner[1 - worse]))
    return float(np.exp(np.mean(ends)))


def held_out(rng, size, mask, V, padding):
    """Targets drawn from softmax(g), and a model that says `size` times g."""
    g = 1.5 * rng.standard_normal((*mask.shape, V))
    targets = (g + rng.gumbel(size=g.shape)).argmax(axis=-1)
    logits = size * g
    logits[~mask] = 3 * rng.standard_normal((np.sum(~mask), V)) if padding == "numbers" else np.nan
    targets[~mask] = 0 if padding == "numbers" else -(10**6)
    return logits, targets, mask


def in_shares(rng, tau, B=1, V=4):
    """Logits s log q at every place, and targets in just these shares: the best is s."""
    counts = rng.permutation([1, 2, 4, 6, 11, 15, 20, 8][:V])
    counts[counts.argmax()] += -counts.sum() % B
    targets = rng.permutation(np.repeat(np.arange(V), counts)).reshape(B, -1)
    logits = np.broadcast_to(tau * np.log(counts / counts.sum()), (*targets.shape, V)).copy()
    logits += 1000 * rng.standard_normal((*targets.shape, 1))  # for all symbols: changes nothing
    return logits, targets, np.ones(targets.shape, bool)


INVERSE = "The logits are divided by the temperature, see (temperature): this is 1 / τ."
NEAR = "Nearly: only digits are missing. A grid does not find them, an interval cut in halves does."


def best(answer, given, tau, others=dict, near=0.0):
    """Compares what came back with the best temperature; `others` makes suspects if it is wrong.

    near  what differs by less lacks digits only
    """
    found = np.asarray(answer(*given))
    ensure(found.size == 1, f"expected a number, not an array of shape {found.shape}")
    found = found.reshape(())
    away = abs(found / tau - 1)
    suspects = {} if away < 1e-5 else {INVERSE: 1 / tau, **others()}
    if away < near:
        suspects[NEAR] = found
    suspects = {hint: suspect / tau for hint, suspect in suspects.items()}
    same("τ / best τ", found / tau, 1.0, tolerance=1e-5, suspects=suspects)


def shares(answer, rng):
    for tau, B, few in zip(rng.uniform(1.5, 4, 2), (1, 3), (4, 7), strict=True):
        best(answer, in_shares(rng, tau, B, few + int(rng.integers(2))), tau, near=0.005)


def fitted(answer, given):
    logits, targets, mask = given
    kept, (rows, _) = (logits[mask], targets[mask]), np.nonzero(mask)

    def others():
        found = {"A temperature below 1 is allowed: a model may be too unsure.": 1.0}
        if np.isfinite(logits).all():
            first = np.arange(mask.shape[1]) < mask.sum(axis=1)[:, None]
            found |= {
                "Only real places count, see (cross-entropy): use the mask.": coldest(
                    lambda tau: cost(logits, targets, tau, np.ones(mask.shape))
                ),
                "The real places need not come first in a row: the mask says which they are, not"
                " only how many.": coldest(lambda tau: cost(logits, targets, tau, first * 1.0)),
            }
        if len(mask) > 1:
            hint = "Every real place counts the same: no mean over rows of their means."
            shares = 1 / mask.sum(axis=1)[rows]
            found[hint] = coldest(lambda tau: cost(*kept, tau, shares))
        return found

    tau = coldest(lambda tau: cost(*kept, tau, np.ones(len(kept[1]))))
    best(answer, given, tau, others)


def too_sure(answer, rng):
    size, V = rng.uniform(2, 4), int(rng.integers(4, 9))
    fitted(answer, held_out(rng, size, with_holes(rng, 5, 14), V, "numbers"))
    fitted(answer, held_out(rng, size, with_holes(rng, 7, 11), V + 2, "anything"))
    for tau in (rng.uniform(6, 9), rng.uniform(17, 19.5)):
        best(answer, in_shares(rng, tau), tau)


def too_unsure(answer, rng):
    for B, T, V in ((1, int(rng.integers(30, 40)), 5), (int(rng.integers(5, 8)), 12, 7)):
        real, size = np.ones((B, T), bool), rng.uniform(0.2, 0.4)
        fitted(answer, held_out(rng, size, real, V + int(rng.integers(2)), ""))
    for tau in (rng.uniform(0.1, 0.15), rng.uniform(0.052, 0.06)):
        best(answer, in_shares(rng, tau), tau)


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


def checked(answer, k, D):
    """The answer's network, if it is one for inputs of D numbers."""
    found = answer(k, D)
    ensure(
        isinstance(found, dict) and set(KEYS) <= set(found),
        f"expected a dict with the keys {', '.join(KEYS)}",
    )
    found = {name: np.asarray(found[name], float) for name in KEYS}
    H = len(np.atleast_1d(found["b_h"]))
    shapes = {"W_xh": (H, D), "W_hh": (H, H), "b_h": (H,), "W_hy": (D, H), "b_y": (D,)}
    for name, shape in shapes.items():
        is_ = np.shape(found[name])
        ensure(is_ == shape, f"{name}: shape {is_}; expected {shape} with H = {H}")
    return found


def compared(found, x, k, what):
    size = np.abs(x).max()
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
    suspects = {hint: suspect / size for hint, suspect in suspects.items()}
    same(f"y / size of x for {what}", run(found, x) / size, late(x, k) / size, suspects=suspects)


def none_negative(answer, k, D, rng):
    found = checked(answer, k, D)
    for T in (3 * k + 5, 1, k + 1):
        x = np.abs(rng.standard_normal((int(rng.integers(1, 4)), T, D)))
        compared(found, x, k, f"k = {k}, D = {D}")


def one_number(answer, rng):
    for k in (0, 1):
        none_negative(answer, k, 1, rng)


def several_numbers(answer, rng):
    none_negative(answer, *map(int, rng.integers((2, 2), (5, 4))), rng)
    none_negative(answer, *map(int, rng.integers((6, 4), (9, 7))), rng)


def either_sign(answer, rng):
    first = (int(rng.integers(1, 4)), 1), (0, int(rng.integers(2, 4)))
    for k, D in (*first, map(int, rng.integers((6, 4), (9, 7)))):
        found = checked(answer, k, D)
        for size in (1.0, 1e-6, 1e9):
            x = size * rng.standard_normal((2, 3 * k + 5, D))
            x[0, :2] = -np.abs(x[0, :2])
            compared(found, x, k, f"k = {k}, D = {D}")


QUESTIONS = (
    Question(
        "rnn.jordan",
        "jordan_forward",
        (
            Case(
                1,
                "one step",
                one_step,
                "Two lines: the hidden units from x_1 and y_0, then the output, see (readout).",
            ),
            Case(
                2,
                "several steps",
                several_steps,
                "The output of a step, as it was returned, is what the next step hears.",
            ),
            Case(
                1,
                "padded rows, with anything in the padding, NaN too",
                padded,
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
                too_sure,
                "Where is the derivative of the loss by 1/τ zero? See (cross-entropy).",
            ),
            Case(
                1,
                "a model that is too unsure",
                too_unsure,
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
                one_number,
                "Run your network by hand on 5, 0, 7 with (rnn-a), relu and (readout).",
            ),
            Case(
                1,
                "several numbers, none negative, longer delays",
                several_numbers,
                "A box holds all D numbers; each hands them on in their places, see (rnn-a).",
            ),
            Case(
                2,
                "numbers of either sign, of any size",
                either_sign,
                "What does a unit hold after a negative input, and what arrives? See (readout).",
            ),
        ),
    ),
)
