"""What is asked of GRUs from elsewhere and of one gate, and how answers are looked at."""

import numpy as np
from seqlib.gradcheck import numerical_gradient
from seqlib.grading import Case, Question, ensure, same
from seqlib.scratch import gru

B, T, D, H = 3, 5, 2, 4


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


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
    return part[..., k::3] if by_unit else part[..., k * H : (k + 1) * H]


def blocks(kernel, recurrent, bias, order=(1, 0, 2), sign=-1, turn=True, by_unit=True):
    """The dict, with a known mistake."""
    signs = np.repeat([sign if k == 0 else 1 for k in order], H)
    parts = {"W_x": kernel, "W_h": recurrent, "b_x": bias[0], "b_h": bias[1]}
    made = {}
    for name, part in parts.items():
        found = [columns(part, k, by_unit) for k in order]
        turned = turn or name != "W_h"
        rows = np.concatenate([block.T if turned else block for block in found])
        made[name] = (signs * rows.T).T
    return made


def ours(params, x, h):
    """The states, from an answer's dict."""
    ensure(isinstance(params, dict), "what came back is no dict")
    shapes = {"W_x": (3 * H, D), "W_h": (3 * H, H), "b_x": (3 * H,), "b_h": (3 * H,)}
    for name, shape in shapes.items():
        ensure(name in params, f"no key {name!r} in what came back")
        found = np.shape(params[name])
        ensure(found == shape, f"{name} has shape {found}; expected {shape}")
    return gru.forward({name: np.asarray(params[name], float) for name in shapes}, x, h)[0]


def elsewhere(steps):
    def case(answer, rng):
        kernel, bias = rng.standard_normal((D, 3 * H)), rng.standard_normal((2, 3 * H))
        recurrent = rng.standard_normal((H, 3 * H)) * (steps > 1)
        x, h = rng.standard_normal((B, steps, D)), rng.uniform(-1, 1, (B, H))
        given = kernel, recurrent, bias
        suspects = {
            "The new update gate is 1 - u: see (gru-swap).": ours(blocks(*given, sign=1), x, h),
            "The gates come as u, r, n and go as r, z, n.": ours(
                blocks(*given, order=(0, 1, 2)), x, h
            ),
            "The columns lie unit by unit, not gate by gate.": ours(
                blocks(*given, by_unit=False), x, h
            ),
        }
        if steps > 1:
            suspects["Each square block of the state's side has to be transposed, too."] = ours(
                blocks(*given, turn=False), x, h
            )
        same(
            "states",
            ours(answer(*given), x, h),
            their_states(*given, x, h),
            suspects=suspects,
        )

    return case


# The minimal gated unit


def unit(rng):
    return {
        "W_x": rng.standard_normal((2 * H, D)),
        "W_h": rng.standard_normal((2 * H, H)),
        "b": rng.standard_normal(2 * H),
    }


def mgu_step(params, x, h, opposite=False, after=False):
    """One row, one step."""
    a_x = params["W_x"] @ x + params["b"]
    f = sigmoid(a_x[:H] + params["W_h"][:H] @ h)
    W_hn = params["W_h"][H:]
    n = np.tanh(a_x[H:] + (f * (W_hn @ h) if after else W_hn @ (f * h)))
    return n + f * (h - n) if opposite else h + f * (n - h)


def mgu_states(params, x, h_0, mask, **mistake):
    """Row by row: only the steps that are there."""
    states = np.empty((*x.shape[:2], H))
    for row in range(len(x)):
        h = h_0[row]
        for t in range(x.shape[1]):
            if mask[row, t]:
                h = mgu_step(params, x[row, t], h, **mistake)
            states[row, t] = h
    return states


def one_step(answer, rng):
    given = unit(rng), rng.standard_normal((B, 1, D)), rng.uniform(-1, 1, (B, H))
    mask = np.ones((B, 1), bool)
    same(
        "states",
        answer(*given, mask),
        mgu_states(*given, mask),
        suspects={
            "Here f = 1 writes; in (gru-h) z = 1 keeps.": mgu_states(*given, mask, opposite=True),
            "The gate stands before the product, as in (grub-n).": mgu_states(
                *given, mask, after=True
            ),
        },
    )


def padded(answer, rng):
    params, x, h_0 = unit(rng), rng.standard_normal((B, T, D)), rng.uniform(-1, 1, (B, H))
    mask = np.ones((B, T), bool)
    mask[1, 3:], mask[2, :2] = False, False
    all_there = mgu_states(params, x, h_0, np.ones((B, T), bool))
    found = answer(params, x, h_0, mask)
    same(
        "states",
        found,
        mgu_states(params, x, h_0, mask),
        suspects={"The mask is not used: see (carry).": all_there},
    )
    x[~mask] = np.nan
    same(
        "states, with NaN in the padding",
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
    """Between what n and n + 1 steps can bear, where rounding does not decide."""
    n = int(rng.integers(6, 50))
    most = [((m - 1) / m) ** (m - 1) / m for m in (n, n + 1)]
    return float(np.sqrt(most[0] * most[1]))


GRID = np.linspace(0, 1, 8001)[1:-1]


def counted(answer, rng):
    """What came back, its z counted again, and the most that a grid finds."""
    eps = drawn_eps(rng)
    found = answer(eps)
    ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair")
    z, n = (np.asarray(value) for value in found)
    ensure(z.shape == n.shape == (), "z and n have to be numbers")
    ensure(0 < z < 1, "z does not lie between 0 and 1, see (gru-z)")
    return int(counts_to(z, eps)[0]), n, int(counts_to(GRID, eps).max()), eps


def consistent(answer, rng):
    for _ in range(3):
        own, n, _, eps = counted(answer, rng)
        ensure(
            n == own,
            "the z that came back counts to another number than n",
            "Equal steps no held gate makes: see (gru-h)." if n == int(1 / eps) else None,
        )
        ensure(own >= counts_to(0.5, eps)[0], "a gate of one half counts farther")


def farthest(answer, rng):
    for _ in range(3):
        own, n, most, _ = counted(answer, rng)
        ensure(own >= most, "another z counts farther than this one")
        ensure(n == most, "n is not the largest number that any held gate counts to")


# Back through it


def backward(*wanted):
    """A case that compares some gradients with central differences; `f` and `n` name blocks."""
    rows = {"f": slice(0, H), "n": slice(H, 2 * H)}

    def case(answer, rng):
        params, x, h = unit(rng), rng.standard_normal((B, D)), rng.uniform(-1, 1, (B, H))
        dh = rng.standard_normal((B, H))

        def loss(name, value):
            at = {**params, "x": x, "h": h, name: value}
            steps = [mgu_step(at, at["x"][row], at["h"][row]) for row in range(B)]
            return float(np.sum(np.array(steps) * dh))

        at = {**params, "x": x, "h": h}
        found = answer(params, x, h, dh)
        ensure(isinstance(found, dict), "what came back is no dict")
        for name, block in wanted:
            expected = numerical_gradient(lambda v, name=name: loss(name, v), at[name])
            value = np.asarray(found[name])
            ensure(
                value.shape == expected.shape,
                f"gradient of {name}: shape {value.shape}; expected {expected.shape}",
            )
            part = rows.get(block, slice(None))
            words = f"gradient of {name}" + (f", block {block}" if block else "")
            same(words, value[part], expected[part], tolerance=1e-7)

    return case


QUESTIONS = (
    Question(
        "gru.elsewhere",
        "from_elsewhere",
        (
            Case(
                1,
                "one step, nothing from the state but its bias",
                elsewhere(1),
                "Order, transpose and sign of the input's side, (gru-swap); each side keeps its"
                " own bias, (gru-n).",
            ),
            Case(
                2,
                "five steps from a state",
                elsewhere(T),
                "The sign in (gru-swap) is that of all that enters the gate, also from the state.",
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
                "five steps, padded at either end",
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
                backward(("W_x", "n"), ("W_h", "n"), ("b", "n")),
                "da_n as in (gru-dn), with f for 1 - z; dW_hn as in (grub-back), summed over rows.",
            ),
            Case(
                1,
                "weights and bias of the gate",
                backward(("W_x", "f"), ("W_h", "f"), ("b", "f")),
                "f acts through the mean, as z in (gru-dz), and through s, as r in (grub-back).",
            ),
            Case(
                2,
                "the old state and the input",
                backward(("h", None), ("x", None)),
                "Three ways lead to h_{t-1}, and both blocks to x_t: see (grub-back), (gru-dx).",
            ),
        ),
    ),
)
