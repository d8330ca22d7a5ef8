"""What is asked of masks, parts, distances and shared heads, and how answers are looked at."""

import numpy as np
from seqlib.gradcheck import numerical_gradient
from seqlib.grading import Case, Question, ensure, same

# A window, and text that comes in pieces


def allowed(T, S, width, real, first=None, over=0, ahead=False):
    """Pair by pair; first is where the first query stands."""
    first = S - T if first is None else first
    mask = np.zeros((len(real), 1, T, S), bool)
    for b, _, t, s in np.ndindex(mask.shape):
        back = first + t - s
        near = abs(back) < width if ahead else 0 <= back < width + over
        mask[b, 0, t, s] = near and real[b, s]
    return mask


def window(sizes, padded=False):
    """A case that looks at some (T, S, width)."""

    def case(answer, rng):
        for T, S, width in sizes:
            real = np.ones((2, S), bool)
            if padded:
                real[0, : rng.integers(1, S)] = False
                real[1, -rng.integers(1, S) :] = False
            given = T, S, width, real
            right, ahead, first = (
                allowed(*given, **mistake) for mistake in ({}, {"ahead": True}, {"first": 0})
            )
            suspects = {
                "A window looks back: the score (attention-scores) of a later s leaks.": ahead,
                "Count with width 1: it leaves one score, t's own, of (attention-scores).": allowed(
                    *given, over=1
                ),
                "The queries are the last T of the S positions: where does t stand in"
                " (attention-scores)?": first,
                "True means that the score of (attention-scores) counts.": ~right,
                "The mask ignores the padding: (attention-weights) gives it weight.": allowed(
                    T, S, width, np.ones_like(real)
                ),
                "Shut the columns of the padding, not its rows: see (attention-weights).": (
                    right & real[:, None, S - T :, None]
                ),
            }
            found = answer(*given)
            ensure(
                np.shape(found) != (2, T, S),
                "mask: 3 axes; expected 4",
                "With 3 axes the batch would be taken for the heads, (multihead-heads).",
            )
            same(f"mask of T {T}, S {S}, width {width}", found, right, suspects=suspects)

    return case


# What was computed apart


def apart(rng, parts, offset, holes):
    """Scores and values by parts, and what each part gives of them."""
    B, T, K, sizes = 2, 3, 4, [3, 5, 2, 4, 1][:parts]
    base = offset * np.sign(rng.standard_normal((B, T, 1)))
    base[0, 1], base[1, 2] = offset, -offset
    ends = np.cumsum(sizes)
    e = base + 2 * rng.standard_normal((B, T, ends[-1]))
    v = rng.standard_normal((B, ends[-1], K))
    if holes:
        e[0, 1, : ends[0]] = -np.inf
        e[1, 0, ends[0] : ends[1]] = -np.inf
        e[0, 0] = -np.inf
    cuts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    pieces = [attend(e[..., cut], v[:, cut]) for cut in cuts]
    return *(np.stack(column) for column in zip(*pieces, strict=True)), *attend(e, v)


def attend(e, v):
    """Row by row, over the scores that are there."""
    y, L = np.zeros((*e.shape[:2], v.shape[2])), np.full(e.shape[:2], -np.inf)
    for b, t in np.ndindex(L.shape):
        here = np.isfinite(e[b, t])
        if here.any():
            scores = e[b, t, here]
            p = np.exp(scores - scores.max())
            y[b, t] = p @ v[b, here] / p.sum()
            L[b, t] = scores.max() + np.log(p.sum())
    return y, L


def merged(parts, offset, holes):
    def case(answer, rng):
        y, L, whole, total = apart(rng, parts, offset, holes)
        found = answer(y, L)
        ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair (y, L)")
        weights = L[..., None] / L.sum(axis=0)[..., None]
        same(
            "y",
            found[0],
            whole,
            suspects={
                "The parts do not weigh the same: each has its sum, (online-sum).": y.mean(axis=0),
                "L is the logarithm of a sum, see (online-weights): undo it.": (weights * y).sum(0),
                "Each y was divided by its own sum, (online-weights): divide by that of all.": (
                    np.exp(L)[..., None] * y
                ).sum(axis=0),
            },
        )
        seen = np.isfinite(total)
        logs = np.asarray(found[1])
        ensure(logs.shape == total.shape, f"L: shape {logs.shape}; expected {total.shape}")
        ensure(bool((logs[~seen] == -np.inf).all()), "L: not -inf where nothing is allowed")
        same(
            "L",
            logs[seen],
            total[seen],
            suspects={
                "Logarithms do not add where sums do: see (online-weights).": L.sum(axis=0)[seen],
                "L is not the largest of them: the sums add up, see (online-sum).": L.max(axis=0)[
                    seen
                ],
            },
        )

    return case


# A vector for each distance


def relative(q, k, v, a):
    """The output, pair by pair."""
    B, T, K = q.shape
    c, y = (len(a) - 1) // 2, np.zeros((B, T, v.shape[2]))
    for b, t in np.ndindex(B, T):
        rows = [c + max(-c, min(c, s - t)) for s in range(T)]
        e = np.array([q[b, t] @ (k[b, s] + a[row]) for s, row in enumerate(rows)]) / np.sqrt(K)
        p = np.exp(e - e.max())
        y[b, t] = p @ v[b] / p.sum()
    return y


def gradients(forward, given, dy, names):
    """Central differences of sum(forward * dy) in some of the arguments."""

    def loss(name, value):
        return float(np.sum(forward(**{**given, name: value}) * dy))

    return {n: numerical_gradient(lambda value, n=n: loss(n, value), given[n]) for n in names}


def distances(names):
    def case(answer, rng):
        B, T, K, Kv, c = 2, 6, 3, 2, 2
        given = {
            "q": rng.standard_normal((B, T, K)),
            "k": rng.standard_normal((B, T, K)),
            "v": rng.standard_normal((B, T, Kv)),
            "a": rng.standard_normal((2 * c + 1, K)),
        }
        dy = rng.standard_normal((B, T, Kv))
        expected = gradients(relative, given, dy, names)
        found = answer(*given.values(), dy)
        ensure(isinstance(found, dict), "what came back is no dict")
        suspects = {}
        turned = {**given, "a": given["a"][::-1]}
        mirrored = gradients(relative, turned, dy, names)
        if "a" in names:
            mirrored["a"] = mirrored["a"][::-1]
        suspects["The distance is s - t, key less query: see (attention-scores)."] = mirrored
        root = {name: d * K**0.5 for name, d in expected.items()}
        if names != ["k", "v"]:
            suspects["One root of K is missing on the way back: see (attention-dq)."] = root
        if names == ["q"]:
            plain = without_table(given, dy)
            suspects["A query meets k_s and a_r: its gradient (attention-dq) has both."] = {
                "q": plain
            }
        same(
            "gradient",
            {name: found.get(name) for name in names},
            expected,
            tolerance=1e-7,
            suspects=suspects,
        )

    return case


def without_table(given, dy):
    """The gradient of the queries without the part that the table brings."""
    q, k, v, a = given.values()

    def frozen(q_new):
        # a_r meets the old query: only the keys' part moves
        B, T, K = q.shape
        c, y = (len(a) - 1) // 2, np.zeros((B, T, v.shape[2]))
        for b, t in np.ndindex(B, T):
            rows = [c + max(-c, min(c, s - t)) for s in range(T)]
            e = np.array([q_new[b, t] @ k[b, s] + q[b, t] @ a[r] for s, r in enumerate(rows)])
            p = np.exp(e / np.sqrt(K))
            y[b, t] = p @ v[b] / p.sum()
        return float(np.sum(y * dy))

    return numerical_gradient(frozen, q)


# Shared keys and values


def grouped(q, k, v, mask, beside=True):
    """Head by head; beside: neighbors share."""
    B, N, T, K = q.shape
    G, y = k.shape[1], np.zeros((B, N, T, v.shape[3]))
    for b, n in np.ndindex(B, N):
        g = n * G // N if beside else n % G
        p = np.exp(q[b, n] @ k[b, g].T / np.sqrt(K)) * mask
        y[b, n] = p @ v[b, g] / np.maximum(p.sum(axis=1, keepdims=True), 1e-300)
    return y


def shared(G, holes):
    def case(answer, rng):
        B, N, T, S, K, Kv = 2, 4, 3, 5, 2, 3
        given = {
            "q": rng.standard_normal((B, N, T, K)),
            "k": rng.standard_normal((B, G, S, K)),
            "v": rng.standard_normal((B, G, S, Kv)),
        }
        mask = rng.random((T, S)) < 0.6
        mask[:, 0], mask[0, 4] = True, False
        if holes:
            mask[1] = False
        dy, names = rng.standard_normal((B, N, T, Kv)), list("qkv")

        def tried(here, beside=True):
            return gradients(lambda **a: grouped(**a, mask=here, beside=beside), given, dy, names)

        expected, share = tried(mask), N // G
        suspects = {"The mask is not used: see (attention-weights).": tried(np.ones_like(mask))}
        if share > 1:
            means = {c: d if c == "q" else d / share for c, d in expected.items()}
            suspects["A shared key has several heads, and gets their sum: see (attention-dv)."] = (
                means
            )
        if 1 < G < N:
            suspects[
                "Heads that stand next to each other share: 1, 1, 2, 2 in the order of"
                " (multihead-heads)."
            ] = tried(mask, beside=False)
        same(
            "gradient",
            answer(*given.values(), mask, dy),
            expected,
            tolerance=1e-7,
            suspects=suspects,
        )

    return case


QUESTIONS = (
    Question(
        "self_attention.window",
        "window_mask",
        (
            Case(
                1,
                "all positions are new, nothing is padding",
                window([(6, 6, 3), (4, 4, 1), (3, 3, 9)]),
                "True where a score counts in (attention-weights): the distance back is at least"
                " 0 and less than the width.",
            ),
            Case(
                1,
                "the last of many positions are new",
                window([(3, 7, 4), (1, 5, 2), (2, 6, 9)]),
                "Query t of (attention-scores) stands behind all positions that are not new.",
            ),
            Case(
                1,
                "with padding, before and behind",
                window([(3, 7, 4), (2, 5, 3)], padded=True),
                "Padding gets no weight in (attention-weights), in each example its own.",
            ),
        ),
    ),
    Question(
        "self_attention.merge",
        "merge",
        (
            Case(
                1,
                "two parts, small scores",
                merged(2, 0, holes=False),
                "Write the sums of (online-sum) and (online-output) over all parts.",
            ),
            Case(
                2,
                "five parts, large scores, and parts that allow nothing",
                merged(5, 2000, holes=True),
                "No exponent may be above 0, see (online-max), each query has a largest one of its"
                " own, and -inf less -inf is no number.",
            ),
        ),
    ),
    Question(
        "self_attention.relative",
        "relative_backward",
        (
            Case(
                1,
                "gradients of keys and values",
                distances(["k", "v"]),
                "With the weights right, these are (attention-dv) and (attention-dq) unchanged.",
            ),
            Case(
                1,
                "gradient of the queries",
                distances(["q"]),
                "A query meets k_s and a_r: its gradient (attention-dq) has both.",
            ),
            Case(
                2,
                "gradient of the vectors",
                distances(["a"]),
                "A vector collects de times q, (attention-de), of all pairs at its distance, in"
                " all examples.",
            ),
        ),
    ),
    Question(
        "self_attention.grouped",
        "grouped_backward",
        (
            Case(
                1,
                "a group for each head",
                shared(4, holes=False),
                "This is the way back of one head, (attention-dv), (attention-de), (attention-dq),"
                " for each.",
            ),
            Case(
                1,
                "one group for all heads",
                shared(1, holes=False),
                "A shared key has several heads, and gets their sum: see (attention-dv).",
            ),
            Case(
                2,
                "two heads to a group, and a query that may look at nothing",
                shared(2, holes=True),
                "Which head reads which group, in the order of (multihead-heads)? And a row that"
                " allows nothing has weights of 0.",
            ),
        ),
    ),
)
