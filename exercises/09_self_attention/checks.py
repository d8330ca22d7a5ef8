"""What is asked of masks, parts, distances and shared heads, and how answers are looked at."""

import numpy as np
from seqlib.grading import Case, Question, ensure, same
from seqlib.grading.cases import same_gradients, unequal

# A window, and text that comes in pieces


def allowed(T, S, width, real, first=None, over=0, ahead=False):
    """first is where the first query stands."""
    first = S - T if first is None else first
    back = first + np.arange(T)[:, None] - np.arange(S)
    near = (np.abs(back) < width) if ahead else (back >= 0) & (back < width + over)
    return near & real[:, None, None, :]


def seen(answer, T, S, width, real):
    given = T, S, width, real
    right, ahead, first = (allowed(*given, **how) for how in ({}, {"ahead": True}, {"first": 0}))
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
        np.shape(found) != (len(real), T, S),
        "mask: 3 axes; expected 4",
        "With 3 axes the batch would be taken for the heads, (multihead-heads).",
    )
    same(f"mask of T {T}, S {S}, width {width}", found, right, suspects=suspects)


def window(sizes, padded=False):
    """A case that looks at some (T, S, width), and at drawn ones; all new if S is T in the first.

    With padding: before, between and behind; one row without any, one of nothing else.
    """

    def case(answer, rng):
        n, least = int(rng.integers(5, 9)), sizes[0][0] == sizes[0][1]
        drawn = (n if least else n - 2, n, int(rng.integers(2, n)))
        for number, (T, S, width) in enumerate((*sizes, drawn)):
            real = np.ones((2 + number % 2, S), bool)
            if padded:
                real = np.ones((4, S), bool)
                real[0, : rng.integers(2, S)] = False
                real[1, -rng.integers(1, S) :] = False
                real[3, rng.integers(1, S - 1)] = False
                real = np.concatenate([real, np.zeros((number % 2, S), bool)])
            seen(answer, T, S, width, real)

    return case


# What was computed apart


def apart(rng, B, T, K, sizes, offset, holes):
    """Scores and values by parts, and what each part gives of them."""
    base = offset * np.sign(rng.standard_normal((B, T, 1)))
    base[0, 0], base[-1, -1] = offset, -offset
    ends = np.cumsum(sizes)
    e = base + 2 * rng.standard_normal((B, T, ends[-1]))
    v = rng.standard_normal((B, ends[-1], K))
    if holes:
        e[0, 0, : ends[0]] = -np.inf
        e[-1, 0, ends[0] : ends[1]] = -np.inf
        e[-1, 1, ends[-2] :] = -np.inf
        e[0, 1] = -np.inf
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


def merged(draws):
    """draws: function of rng, gives arguments of `apart`."""

    def case(answer, rng):
        for drawn in draws(rng):
            compared_parts(answer, *apart(rng, *drawn))

    return case


def small(rng):
    """Two parts; then one, and three; each query and example by itself."""
    for (B, T, K), sizes in zip(unequal(rng, 3), ([3, 5], [4, 2]), strict=True):
        yield B, T, K, sizes, 0, False
    yield 2, 3, 4, [5], 0, False
    yield 1, 1, 1, [1, 4, 2], 0, False


def large(rng):
    """Five parts and more, and thousands of either sign."""
    for (B, T, K), sizes in zip(unequal(rng, 3), ([3, 5, 2, 4, 1], [2, 3, 1]), strict=True):
        yield B, T, K, sizes, 2000, True
    yield 1, 3, 2, [2, 2, 2, 2, 1, 1, 1], 9000, False
    yield 3, 2, 1, [2, 3], 0, True
    yield 2, 2, 3, [4], -5000, False


def compared_parts(answer, y, L, whole, total):
    found = answer(y, L)
    ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair (y, L)")
    weights = L[..., None] / L.sum(axis=0)[..., None]
    suspects = {
        "The parts do not weigh the same: each has its sum, (online-sum).": y.mean(axis=0),
        "L is the logarithm of a sum, see (online-weights): undo it.": (weights * y).sum(0),
        "Each y was divided by its own sum, (online-weights): divide by that of all.": (
            np.exp(L)[..., None] * y
        ).sum(axis=0),
    }
    finite = {hint: a for hint, a in suspects.items() if np.isfinite(a).all()}
    same("y", found[0], whole, suspects=finite)
    here = np.isfinite(total)
    logs = np.asarray(found[1])
    ensure(logs.shape == total.shape, f"L: shape {logs.shape}; expected {total.shape}")
    ensure(bool((logs[~here] == -np.inf).all()), "L: not -inf where nothing is allowed")
    same(
        "L",
        logs[here],
        total[here],
        suspects={
            "Logarithms do not add where sums do: see (online-weights).": L.sum(axis=0)[here],
            "L is not the largest of them: the sums add up, see (online-sum).": L.max(axis=0)[here],
        },
    )


# A vector for each distance

PEAKED = 3, 5, 4, 2, 3  # B, T, K, Kv, c
MANY = 1, 150, 120, 1100, 20


def weighted(e, v, mask=True):
    """The output of scores e; also of complex ones."""
    some = np.any(np.broadcast_to(mask, e.shape), axis=-1, keepdims=True)
    top = np.where(mask, np.real(e), -np.inf).max(axis=-1, keepdims=True)
    p = np.exp(np.where(mask, e - np.where(some, top, 0), 0)) * mask
    return p @ v / np.where(some, p.sum(axis=-1, keepdims=True), 1)


def relative_loss(at, dy, q_table=None):
    """The sum of y * dy; at: q, k, v and a.  q_table: the queries that meet the table."""
    (T, K), c = at["q"].shape[1:], len(at["a"]) // 2
    rows = c + np.clip(np.arange(T) - np.arange(T)[:, None], -c, c)
    table = (at["q"] if q_table is None else q_table) @ at["a"].T
    e = at["q"] @ at["k"].swapaxes(1, 2) + table[:, np.arange(T)[:, None], rows]
    return np.sum(weighted(e / np.sqrt(K), at["v"]) * dy)


def distances(names):
    """Also a table that is longer than the text, one vector for all, and large scores."""

    def case(answer, rng):
        (B, T, K, Kv), other = unequal(rng, 4)
        sizes = (B, T + 3, K, Kv, 2), (*other, 1), (2, 3, 2, 1, 4), (2, 4, 3, 2, 0)
        for B, T, K, Kv, c in (*sizes, (1, 1, 1, 1, 1), PEAKED, MANY):
            given = {
                "q": rng.standard_normal((B, T, K)) * (1e5 if (B, T, K, Kv, c) == PEAKED else 1),
                "k": rng.standard_normal((B, T, K)),
                "v": rng.standard_normal((B, T, Kv)),
                "a": rng.standard_normal((2 * c + 1, K)),
            }
            dy = rng.standard_normal((B, T, Kv))
            found = answer(*given.values(), dy)

            def loss(at, given=given, dy=dy, **how):
                return relative_loss({**given, **at}, dy, **how)

            def turned(at, given=given, loss=loss):
                return loss({**at, "a": {**given, **at}["a"][::-1]})

            suspects = {"The distance is s - t, key less query: see (attention-scores).": turned}
            if names != ["k", "v"]:
                suspects["One root of K is missing on the way back: see (attention-dq)."] = (
                    lambda at, loss=loss, root=K**0.5: root * loss(at)
                )
            if names == ["q"]:
                suspects["A query meets k_s and a_r: its gradient (attention-dq) has both."] = (
                    lambda at, loss=loss, q=given["q"]: loss(at, q_table=q)
                )
            at = {name: given[name] for name in names}
            same_gradients(found, loss, at, rng, suspects=suspects)

    return case


# Shared keys and values


def grouped_loss(at, mask, dy, beside=True):
    """The sum of y * dy; at: q, k and v.  beside: neighbors share."""
    (N, _, K), G = at["q"].shape[1:], at["k"].shape[1]
    own = np.arange(N) * G // N if beside else np.arange(N) % G
    e = at["q"] @ at["k"][:, own].swapaxes(2, 3) / np.sqrt(K)
    return np.sum(weighted(e, at["v"][:, own], mask) * dy)


def holes(rng, T, S, empty):
    """Rows with holes; one without, if there are several; the last all False if `empty`."""
    mask = rng.random((T, S)) < 0.5
    mask[np.arange(T), rng.integers(S, size=T)] = True
    if S > 2:
        mask[0] = np.arange(S) != rng.integers(1, S - 1)
    if T > 2:
        mask[1] = True
    if empty:
        mask[-1] = False
    return mask


SHARP = 3, 4, 5, 2, 9  # B, T, S, K, Kv: with large scores


def shared(groups, empty=False):
    """groups: list of (N, G), the last for many entries."""

    def case(answer, rng):
        sizes = *unequal(rng, 5), (2, 1, 1, 1, 2), SHARP, (1, 80, 120, 100, 250)
        heads = *groups[:2], groups[0], groups[1], groups[-1]
        for (B, T, S, K, Kv), (N, G) in zip(sizes, heads, strict=True):
            given = {
                "q": rng.standard_normal((B, N, T, K)) * (1e5 if (B, T, S, K, Kv) == SHARP else 1),
                "k": rng.standard_normal((B, G, S, K)),
                "v": rng.standard_normal((B, G, S, Kv)),
            }
            mask, dy = holes(rng, T, S, empty), rng.standard_normal((B, N, T, Kv))
            found, share = answer(*given.values(), mask, dy), N // G

            def loss(at, mask=mask, dy=dy, **how):
                return grouped_loss(at, mask, dy, **how)

            def unmasked(at, loss=loss, mask=mask):
                return loss(at, mask=np.ones_like(mask))

            def mean(at, loss=loss, given=given, share=share):
                """Whose gradients in k and v are divided by the number of heads."""
                moved = {c: given[c] + (at[c] - given[c]) / share for c in "kv"}
                return loss({**at, **moved})

            suspects = {"The mask is not used: see (attention-weights).": unmasked}
            if share > 1:
                suspects[
                    "A shared key has several heads, and gets their sum: see (attention-dv)."
                ] = mean
            if 1 < G < N:
                suspects[
                    "Heads that stand next to each other share: 1, 1, 2, 2 in the order of"
                    " (multihead-heads)."
                ] = lambda at, loss=loss: loss(at, beside=False)
            same_gradients(found, loss, given, rng, suspects=suspects)

    return case


QUESTIONS = (
    Question(
        "self_attention.window",
        "window_mask",
        (
            Case(
                1,
                "all positions are new, nothing is padding",
                window([(6, 6, 3), (4, 4, 1), (3, 3, 9), (1, 1, 1), (5, 5, 5)]),
                "True where a score counts in (attention-weights): the distance back is at least"
                " 0 and less than the width.",
            ),
            Case(
                1,
                "the last of many positions are new",
                window([(3, 7, 4), (1, 5, 2), (2, 6, 9), (4, 5, 1), (2, 8, 8)]),
                "Query t of (attention-scores) stands behind all positions that are not new.",
            ),
            Case(
                1,
                "with padding, before, between and behind",
                window([(3, 7, 4), (2, 5, 3), (1, 6, 1), (5, 5, 6)], padded=True),
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
                "one part to three, small scores",
                merged(small),
                "Write the sums of (online-sum) and (online-output) over all parts.",
            ),
            Case(
                2,
                "more parts, large scores, and parts that allow nothing",
                merged(large),
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
        derivation=True,
    ),
    Question(
        "self_attention.grouped",
        "grouped_backward",
        (
            Case(
                1,
                "a group for each head",
                shared([(3, 3), (2, 2), (4, 4)]),
                "This is the way back of one head, (attention-dv), (attention-de), (attention-dq),"
                " for each.",
            ),
            Case(
                1,
                "one group for all heads",
                shared([(3, 1), (2, 1), (4, 1)]),
                "A shared key has several heads, and gets their sum: see (attention-dv).",
            ),
            Case(
                2,
                "two heads to a group or three, and a query that may look at nothing",
                shared([(4, 2), (9, 3), (4, 2)], empty=True),
                "Which head reads which group, in the order of (multihead-heads)? And a row that"
                " allows nothing has weights of 0.",
            ),
        ),
        derivation=True,
    ),
)
