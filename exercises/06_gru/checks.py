"""What is asked of GRUs from elsewhere and of one gate, and how answers are looked at."""

import numpy as np
from seqlib.grading import Case, Question, ensure, same
from seqlib.grading.cases import same_gradients, unequal
from seqlib.scratch import gru


def sigmoid(a):
    """Also of large and of complex numbers."""
    return 0.5 * (1 + np.tanh(0.5 * a))


# Weights from elsewhere


def their_states(kernel, recurrent, bias, x, h):
    """As the sender computes them: u is how much is new; unit j has columns 3 j to 3 j + 2."""
    states = []
    for t in range(x.shape[1]):
        from_x, from_h = x[:, t] @ kernel + bias[0], h @ recurrent + bias[1]
        u = sigmoid(from_x[:, 0::3] + from_h[:, 0::3])
        r = sigmoid(from_x[:, 1::3] + from_h[:, 1::3])
        n = np.tanh(from_x[:, 2::3] + r * from_h[:, 2::3])
        h = h + u * (n - h)
        states.append(h)
    return np.stack(states, axis=1)


def columns(part, k, by_unit=True):
    """The columns of gate k of u, r, n."""
    H = part.shape[-1] // 3
    return part[..., k::3] if by_unit else part[..., k * H : (k + 1) * H]


def blocks(
    kernel, recurrent, bias, order=(1, 0, 2), signed=None, turn=True, by_unit=True, apart=True
):
    """The dict, with a known mistake."""
    parts = {"W_x": kernel, "W_h": recurrent, "b_x": bias[0], "b_h": bias[1]}
    made = {}
    for name, part in parts.items():
        found = [columns(part, k, by_unit) for k in order]
        if signed is None or name in signed:
            found[order.index(0)] = -found[order.index(0)]
        turned = turn or name != "W_h"
        made[name] = np.concatenate([block.T if turned else block for block in found])
    if not apart:
        made |= {"b_x": made["b_x"] + made["b_h"], "b_h": 0 * made["b_h"]}
    return made


def ours(params, x, h):
    """The states, from an answer's dict."""
    D, H = x.shape[2], h.shape[1]
    ensure(isinstance(params, dict), "what came back is no dict")
    shapes = {"W_x": (3 * H, D), "W_h": (3 * H, H), "b_x": (3 * H,), "b_h": (3 * H,)}
    for name, shape in shapes.items():
        ensure(name in params, f"no key {name!r} in what came back")
        found = np.shape(params[name])
        turned = "Here weights are (in, out), there (out, in): transpose each." if found else None
        ensure(found == shape, f"{name} has shape {found}; expected {shape}", turned)
    return gru.forward({name: np.asarray(params[name], float) for name in shapes}, x, h)[0]


MISTAKES = {
    "The new update gate is 1 - u: see (gru-swap).": {"signed": ()},
    "The sign in (gru-swap) is that of all that enters the gate, also of the biases.": {
        "signed": ("W_x", "W_h")
    },
    "The sign in (gru-swap) is that of all that enters the gate, also from the state.": {
        "signed": ("W_x", "b_x", "b_h")
    },
    "The gates come as u, r, n and go as r, z, n.": {"order": (0, 1, 2)},
    "The columns lie unit by unit, not gate by gate.": {"by_unit": False},
    "Each square block of the state's side has to be transposed, too.": {"turn": False},
    "Each side keeps its own bias: r stands before that of the state, (gru-n).": {"apart": False},
}


def elsewhere(answer, rng, D, H, steps, scale=1.0):
    """Compares the states; scale: of the weights, which may shut every gate."""
    kernel, bias = scale * rng.standard_normal((D, 3 * H)), rng.standard_normal((2, 3 * H))
    recurrent = scale * rng.standard_normal((H, 3 * H)) * (steps > 1)
    x, h = rng.standard_normal((3, steps, D)), rng.uniform(-1, 1, (3, H))
    given = kernel, recurrent, bias
    same(
        "states",
        ours(answer(*given), x, h),
        their_states(*given, x, h),
        suspects={hint: ours(blocks(*given, **how), x, h) for hint, how in MISTAKES.items()},
    )


def input_side(answer, rng):
    for D, H in unequal(rng, 2):
        elsewhere(answer, rng, D, H, 1)
    elsewhere(answer, rng, 1, 1, 1)


def both_sides(answer, rng):
    for D, H in unequal(rng, 2):
        elsewhere(answer, rng, D, H, 5)
    elsewhere(answer, rng, 4, 4, 3, scale=30.0)
    elsewhere(answer, rng, 2, 1, 4)


# The minimal gated unit


def unit(rng, D, H, scale=1.0):
    return {
        "W_x": scale * rng.standard_normal((2 * H, D)),
        "W_h": scale * rng.standard_normal((2 * H, H)),
        "b": scale * rng.standard_normal(2 * H),
    }


def mgu_step(at, opposite=False, after=False):
    """One step for all rows; at: the parameters, x (B, D) and h (B, H)."""
    H = at["h"].shape[1]
    a_x, W_h = at["x"] @ at["W_x"].T + at["b"], at["W_h"]
    f = sigmoid(a_x[:, :H] + at["h"] @ W_h[:H].T)
    seen = f * (at["h"] @ W_h[H:].T) if after else (f * at["h"]) @ W_h[H:].T
    n = np.tanh(a_x[:, H:] + seen)
    return n + f * (at["h"] - n) if opposite else at["h"] + f * (n - at["h"])


def mgu_states(params, x, h_0, mask, **mistake):
    """Row by row: only the steps that are there."""
    states = np.empty((*x.shape[:2], h_0.shape[1]))
    for row in range(len(x)):
        h = h_0[row : row + 1]
        for t in range(x.shape[1]):
            if mask[row, t]:
                h = mgu_step({**params, "x": x[row : row + 1, t], "h": h}, **mistake)
            states[row, t] = h[0]
    return states


BEYOND = 4, 3, 6


def one_step(answer, rng):
    for B, D, H in (*unequal(rng, 3), (1, 1, 1), BEYOND):
        scale = 40 if (B, D, H) == BEYOND else 1  # gates and candidate at their ends
        given = unit(rng, D, H, scale), rng.standard_normal((B, 1, D)), rng.standard_normal((B, H))
        mask = np.ones((B, 1), bool)
        wrong = {
            "Here f = 1 writes; in (gru-h) z = 1 keeps.": {"opposite": True},
            "The gate stands before the product, as in (grub-n).": {"after": True},
        }
        same(
            "states",
            answer(*given, mask),
            mgu_states(*given, mask),
            suspects={hint: mgu_states(*given, mask, **how) for hint, how in wrong.items()},
        )


def holes(B, T):
    """A mask (B, T) with holes: also a row of them, a step at which all rest, and both ends."""
    mask = np.ones((B, T), bool)
    mask[:, T // 2] = False
    mask[1, 0], mask[2, -1], mask[3] = False, False, False
    mask[4, 1:-1] = False
    return mask


def padded(answer, rng):
    for B, T, D, H in (*unequal(rng, 4, least=5), (2, 4, 1, 1), (1, 1, 3, 2)):
        params, h_0 = unit(rng, D, H), rng.standard_normal((B, H))
        x = rng.standard_normal((B, T, D))
        mask = holes(B, T) if B > 4 else np.arange(T) % 3 == np.arange(B)[:, None] % 2
        some = np.arange(T) < mask.sum(axis=1, keepdims=True)
        same(
            "states",
            answer(params, x, h_0, mask),
            mgu_states(params, x, h_0, mask),
            suspects={
                "The mask is not used: see (carry).": mgu_states(params, x, h_0, mask | True),
                "The mask may have holes: where it is True, not how often, decides.": mgu_states(
                    params, x, h_0, some
                ),
            },
        )
        for nothing in (np.nan, np.inf):
            x[~mask] = nothing
            same(
                f"states, with {nothing} in the padding",
                answer(params, x, h_0, mask),
                mgu_states(params, x, h_0, mask),
            )


# How far a held gate counts


def counts_to(z, eps):
    """The steps that move by at least eps, for every z; from 0 toward 1."""
    z = np.atleast_1d(np.asarray(z, float))
    h, count, going = np.zeros(z.shape), np.zeros(z.shape, int), np.ones(z.shape, bool)
    while going.any():
        new = z * h + (1 - z)
        going &= new - h >= eps
        count, h = count + going, new
    return count


def drawn_eps(rng):
    """Some from everywhere in the range, where rounding does not decide; then its ends."""
    drawn = rng.uniform((8, 0.1), (40, 0.9), (4, 2))
    for n, place in (*drawn, (2, 0.5), (3, 0.1), (3, 0.9), (4, 0.5), (70, 0.5)):
        most = [((m - 1) / m) ** (m - 1) / m for m in (int(n), int(n) + 1)]  # of n, n + 1 steps
        yield float(most[0] ** (1 - place) * most[1] ** place)
    yield from (0.2, 0.005)


GRID = np.linspace(0, 1, 8001)[1:-1]


def counted(answer, rng):
    """For each eps: the count of the z that came back, n, the most that a grid finds, and eps."""
    for eps in drawn_eps(rng):
        found = answer(eps)
        ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair")
        z, n = (np.asarray(value) for value in found)
        ensure(z.shape == n.shape == (), "z and n have to be numbers")
        ensure(0 < z < 1, "z does not lie between 0 and 1, see (gru-z)")
        yield int(counts_to(z, eps)[0]), n, int(counts_to(GRID, eps).max()), eps


def consistent(answer, rng):
    for own, n, _, eps in counted(answer, rng):
        ensure(
            n == own,
            "the z that came back counts to another number than n",
            "Equal steps no held gate makes: see (gru-h)." if n == int(1 / eps) else None,
        )
        ensure(own >= counts_to(0.5, eps)[0], "a gate of one half counts farther")


def farthest(answer, rng):
    for own, n, most, eps in counted(answer, rng):
        hint = None if 0.008 < eps < 0.05 else "eps may be as large as 0.2, and as small as 0.005."
        ensure(own >= most, "another z counts farther than this one", hint)
        ensure(n == most, "n is not the largest number that any held gate counts to", hint)


# Back through it

SMALL, LARGE = (4, 3, 2), (64, 350, 220)  # B, D, H
BLOCKS = {"f": lambda H: slice(0, H), "n": lambda H: slice(H, 2 * H)}


def mgu_loss(at, dh):
    """The sum of h_t * dh; at: the parameters, x and h."""
    return np.sum(mgu_step(at) * dh)


def backward(names, block=None):
    """A case that looks at some gradients, at one block of them."""

    def case(answer, rng):
        for B, D, H in (*unequal(rng, 3), (1, 1, 1), SMALL, LARGE):
            scale = {SMALL: 4.0, LARGE: 0.05}.get((B, D, H), 1.0)
            params, x, h = (
                unit(rng, D, H, scale),
                rng.standard_normal((B, D)),
                rng.standard_normal((B, H)),
            )
            dh = rng.standard_normal((B, H))
            rest = {**params, "x": x, "h": h}
            same_gradients(
                answer(params, x, h, dh),
                lambda at, rest=rest, dh=dh: mgu_loss({**rest, **at}, dh),
                {name: rest[name] for name in names},
                rng,
                where={name: BLOCKS[block](H) for name in names} if block else None,
            )

    return case


QUESTIONS = (
    Question(
        "gru.elsewhere",
        "from_elsewhere",
        (
            Case(
                1,
                "one step, nothing from the state but its bias",
                input_side,
                "Take one gate after the other: where does it go, which way round, with which sign?"
                " See (gru-swap).",
            ),
            Case(
                2,
                "several steps from a state",
                both_sides,
                "What (gru-swap) does to a gate, it does to all that enters it, at every step.",
            ),
        ),
    ),
    Question(
        "gru.mgu",
        "mgu_forward",
        (
            Case(
                1,
                "one step, no padding",
                one_step,
                "Gate, candidate, mean, in this order: compare (grub-n) and (grub-h).",
            ),
            Case(
                2,
                "several steps, padded anywhere",
                padded,
                "Where the mask is False the old state goes on, whatever x holds: see (carry).",
            ),
        ),
    ),
    Question(
        "gru.count",
        "best_counter",
        (
            Case(
                1,
                "n is what its z counts to",
                consistent,
                "Run (gru-h) with your z, and count the steps that move by eps or more.",
            ),
            Case(
                2,
                "no held gate counts farther",
                farthest,
                "For every n another z is best; by (gru-bound) they share a range of 1.",
            ),
        ),
    ),
    Question(
        "gru.mgu_backward",
        "mgu_backward",
        (
            Case(
                1,
                "weights and bias of the candidate",
                backward(["W_x", "W_h", "b"], "n"),
                "da_n as in (gru-dn), with f for 1 - z; dW_hn as in (grub-back), summed over rows.",
            ),
            Case(
                1,
                "weights and bias of the gate",
                backward(["W_x", "W_h", "b"], "f"),
                "f acts through the mean, as z in (gru-dz), and through s, as r in (grub-back).",
            ),
            Case(
                2,
                "the old state and the input",
                backward(["h", "x"]),
                "Three ways lead to h_{t-1}, and both blocks to x_t: see (grub-back), (gru-dx).",
            ),
        ),
        derivation=True,
    ),
)
