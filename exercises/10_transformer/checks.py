"""What is asked of packed rows, norms, factors and a layer, and how answers are looked at."""

import numpy as np
from seqlib.grading import Case, Question, ensure, same
from seqlib.grading.cases import same_gradients, unequal

# Several sentences in one row


def row(rng, numbers, gaps):
    """The numbers of a row's words, with padding before, between and behind the sentences."""
    found = []
    for number, gap in zip(numbers, gaps, strict=False):
        found += [0] * gap + [int(number)] * int(rng.integers(1, 4))
    return found + [0] * gaps[-1]


def rows(rng, *gaps):
    """For each list of gaps a row of sentences, one less than there are gaps."""
    made = [
        row(rng, rng.permutation(len(g) - 1) + 1 if g[0] else range(1, len(g)), g) for g in gaps
    ]
    width = max(map(len, made))
    return np.array([one + [0] * (width - len(one)) for one in made])


def seen(asks, answers, causal=False, own=True, padding=False):
    """Pair by pair."""
    (B, T), S = asks.shape, answers.shape[1]
    mask = np.zeros((B, 1, T, S), bool)
    for b, _, t, s in np.ndindex(mask.shape):
        i, j = asks[b, t], answers[b, s]
        there = padding or (i > 0 and j > 0)
        mask[b, 0, t, s] = there and (i == j or not own) and (s <= t or not causal)
    return mask


def places(target):
    """Word by word."""
    found = np.zeros(target.shape, int)
    for b, t in np.ndindex(target.shape):
        if t and target[b, t] and target[b, t] == target[b, t - 1]:
            found[b, t] = found[b, t - 1] + 1
    return found


def drawn_rows(rng):
    """(source, target): one is longer, then the other; one word; rows of nothing but padding."""
    some, many = ([0, 0, 0, 2], [0, 1, 1], [1, 0, 3]), [0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    source, target = rows(rng, *some), rows(rng, *some)
    target[0, 1] = target[0, 0]  # a sentence of two words at least
    yield source, np.pad(target, ((0, 0), (0, max(0, source.shape[1] - target.shape[1] + 1))))
    source, target = rows(rng, many, [1, 2, 0]), rows(rng, [1, *many[1:]], [2, 1, 1])
    yield np.pad(source, ((0, 0), (0, max(0, target.shape[1] - source.shape[1] + 2)))), target
    yield np.array([[1]]), np.array([[1, 1, 1]])
    yield np.array([[2, 2, 0, 1, 0]] * 4), np.array([[1, 2], [0, 0], [2, 2], [0, 1]])


def parts_of(names):
    def case(answer, rng):
        for source, target in drawn_rows(rng):
            compared_parts(answer, source, target, names)

    return case


def compared_parts(answer, source, target, names):
    made = {
        "encoder": lambda **how: seen(source, source, **how),
        "decoder": lambda **how: seen(target, target, causal=True, **how),
        "cross": lambda **how: seen(target, source, **how),
        "positions": lambda **how: places(target),
    }
    found = answer(source, target)
    ensure(isinstance(found, dict), "what came back is no dict")
    count = np.broadcast_to(np.arange(target.shape[1]), target.shape)
    for name in names:
        padding, neighbors = made[name](padding=True), made[name](own=False)
        suspects = {
            "Padding has the number 0 on both sides and is no sentence: (transformer-encoder)"
            " and (transformer-decoder) leave it out.": padding,
            "A sentence sees its neighbor in the row: (transformer-encoder) and"
            " (transformer-decoder) know one sentence only.": neighbors,
        }
        if name == "decoder":
            suspects["The decoder's first attention is causal, (transformer-decoder)."] = seen(
                target, target
            )
        if name == "positions":
            suspects = {
                "Positions count from 0 in every sentence, those of (sinusoidal).": count,
                "Positions count from 0 in every sentence, not in every row: they go into"
                " (sinusoidal).": count * (target > 0),
                "The first word of a sentence has position 0, as in (sinusoidal).": (
                    (places(target) + 1) * (target > 0)
                ),
            }
        same(name, found.get(name), made[name](), suspects=suspects)


# A norm that looks at some features

BROAD = 1, 3, 100_000  # B, T, D


def rms_loss(at, n, eps, dy):
    """The sum of y * dy; at: x and gain."""
    size = np.sqrt(np.sum(at["x"][..., :n] ** 2, axis=-1, keepdims=True) / n + eps)
    return np.sum(at["gain"] * at["x"] / size * dy)


def norms(sizes):
    """A case; sizes: function of rng, gives (B, T, D, n, eps, scale of x)."""

    def case(answer, rng):
        for B, T, D, n, eps, scale in sizes(rng):
            x, gain = scale * (rng.standard_normal((B, T, D)) + 0.5), rng.standard_normal(D)
            x[-1, -1] *= eps < 3  # else an input of zeros, which epsilon allows
            compared_norm(answer, rng, {"x": x, "gain": gain}, n, eps)

    return case


def drawn_eps(rng):
    """One that matters little, and one that matters much."""
    return rng.uniform((0.05, 3.0), (0.2, 9.0)).tolist()


def all_features(rng):
    for (B, T, D), eps in zip(unequal(rng, 3), drawn_eps(rng), strict=True):
        yield B, T, D, D, eps, 1.0
    yield 2, 3, 4, 4, 0.0, 1.0
    yield 1, 1, 1, 1, 1.0, 1.0
    yield 3, 2, 6, 6, 1e-5, 1000.0
    yield *BROAD, BROAD[-1], 0.3, 1.0


def some_features(rng):
    for (B, T, D), eps in zip(unequal(rng, 3, least=3), drawn_eps(rng), strict=True):
        yield B, T, D, D - 1, eps, 1.0
        yield B, T, D, 1, eps, 1.0
    yield 2, 3, 5, 2, 0.0, 1.0
    yield 3, 2, 7, 4, 1e-5, 1000.0
    yield *BROAD, 60_000, 0.3, 1.0


def compared_norm(answer, rng, given, n, eps):
    x, gain, D = given["x"], given["gain"], given["x"].shape[-1]
    dy = rng.standard_normal(x.shape)
    found = answer(x, gain, n, eps, dy)
    ensure(isinstance(found, tuple) and len(found) == 2, "what came back is no pair")
    s = np.sqrt((x[..., :n] ** 2).sum(axis=-1, keepdims=True) / n + eps)
    x_hat, g, looked = x / s, dy * gain, np.arange(D) < n
    along = (g * x_hat).sum(axis=-1, keepdims=True)

    def instead(dx):
        """The loss that has this gradient in x, and the right one in the gain."""
        return lambda at: np.sum(at["x"] * dx) + rms_loss({**at, "x": x}, n, eps, dy)

    suspects = {
        "Epsilon belongs under the root, see (layernorm-hat).": lambda at: rms_loss(at, n, 0, dy),
        "x acts through the size as well, as it does in (layernorm-jacobian).": instead(g / s),
        "The gain comes before the sum over features: see (layernorm-back).": instead(
            gain * (dy - x_hat * looked * (dy * x_hat).sum(-1, keepdims=True) / n) / s
        ),
        "Nothing is centered here: the mean in (layernorm-back) has no counterpart.": instead(
            (g - g.mean(axis=-1, keepdims=True) - x_hat * looked * along / n) / s
        ),
    }
    if n < D:
        heard = (g * x_hat * looked).sum(axis=-1, keepdims=True)
        suspects |= {
            "Only the features that are looked at act through the size: differentiate it as"
            " for (layernorm-jacobian).": instead((g - x_hat * along / n) / s),
            "The size acts on all outputs: the sum in (layernorm-back) is over all D.": instead(
                (g - x_hat * looked * heard / n) / s
            ),
            "The size is a mean of n numbers: where does the D of (layernorm-back) come"
            " from?": instead((g - x_hat * looked * along / D) / s),
        }
    same_gradients(
        dict(zip(("x", "gain"), found, strict=True)),
        lambda at: rms_loss(at, n, eps, dy),
        given,
        rng,
        suspects=suspects,
    )


# A tied table in two factors

VOCABULARY = 8000, 20, 80, 2, 12  # V, r, D, B, T


def factors_loss(at, ids, dx, dlogits, root=None):
    """The sums of x * dx and logits * dlogits; at: U, P, b and y."""
    W = at["U"] @ at["P"]
    root = np.sqrt(W.shape[1]) if root is None else root
    return root * np.sum(W[ids] * dx) + np.sum((at["y"] @ W.T + at["b"]) * dlogits)


def factors(names, read=True, write=True):
    """Also one word, a word that is read at every step, and words that are never read."""

    def case(answer, rng):
        sizes = unequal(rng, 5, least=3)
        for V, r, D, B, T in (
            *sizes,
            (1, 1, 1, 1, 1),
            (7, 2, 5, 3, 4),
            (4, 3, 2, 1, 6),
            VOCABULARY,
        ):
            given = {
                "U": rng.standard_normal((V, r)),
                "P": rng.standard_normal((r, D)),
                "b": rng.standard_normal(V),
                "y": rng.standard_normal((B, T, D)),
            }
            ids = rng.integers(V, size=(B, T))
            ids[0, 1:3] = ids[0, 0]  # again, in a row and in another one
            ids[-1, 0] = ids[0, 0]
            dx = rng.standard_normal((B, T, D)) * read
            dlogits = rng.standard_normal((B, T, V)) * write
            found = answer(given["U"], given["P"], ids, given["y"], dx, dlogits)

            def loss(at, given=given, ids=ids, dx=dx, dlogits=dlogits, **how):
                return factors_loss({**given, **at}, ids, dx, dlogits, **how)

            suspects = {}
            if read and "U" in names:
                suspects["What was read had the root of D in front: see (scaled-embedding)."] = (
                    lambda at, loss=loss: loss(at, root=1.0)
                )
            if read and write:
                suspects["The table was read, too: (tied-back) has two parts."] = (
                    lambda at, loss=loss: loss(at, root=0.0)
                )
            at = {name: given[name] for name in names}
            same_gradients(found, loss, at, rng, suspects=suspects)

    return case


# A layer whose parts stand side by side

PEAKED = 3, 4, 6  # B, T, D: with scores in the thousands
DEEP = 2, 32, 128, 768, 4  # B, T, D, H, heads


def layer_loss(at, mask, heads, dz):
    """The sum of z * dz, head by head; at: all parameters and x.

    Which hidden units are 0 does not change with a step.
    """
    x, D = at["x"], at["x"].shape[-1]
    centered = x - x.mean(axis=-1, keepdims=True)
    size = np.sqrt(np.mean(centered**2, axis=-1, keepdims=True) + 1e-5)
    n = at["norm.gain"] * centered / size + at["norm.bias"]
    W, b = ({c: at[f"attention.{a}_{c}"] for c in "qkvo"} for a in "Wb")
    q, k, v = (n @ W[c].T + b[c] for c in "qkv")
    z, K = x + b["o"], D // heads
    for i in range(heads):
        own = slice(i * K, (i + 1) * K)
        e = q[..., own] @ k[..., own].swapaxes(1, 2) / np.sqrt(K)
        top = np.where(mask, np.real(e), -np.inf).max(axis=-1, keepdims=True)
        e = np.exp(np.where(mask, e - top, 0)) * mask
        z = z + (e / e.sum(axis=-1, keepdims=True)) @ v[..., own] @ W["o"][:, own].T
    h = n @ at["feed_forward.W_1"].T + at["feed_forward.b_1"]
    h = h * (np.real(h) > 0)
    return np.sum((z + h @ at["feed_forward.W_2"].T + at["feed_forward.b_2"]) * dz)


def masks(rng, T, how):
    """A drawn mask with holes, the causal one, or all; every row allows something."""
    if how != "drawn":
        return np.tri(T, dtype=bool) if how == "causal" else np.ones((T, T), bool)
    mask = (rng.random((T, T)) < 0.5) | np.eye(T, dtype=bool)
    mask[0, -1], mask[0, 1:-1], mask[-1] = True, False, True
    return mask


def side_by_side(names, silent=False):
    def case(answer, rng):
        (B, T, H), other = unequal(rng, 3, least=3)
        sizes = (B, T, 4, H, 2, "drawn"), (*other[:2], 6, other[2], 3, "drawn")
        sizes += (1, 1, 2, 1, 1, "all"), (2, 3, 6, 6, 1, "causal"), (*PEAKED, 2, 2, "drawn")
        for B, T, D, H, heads, how in (*sizes, (*DEEP, "drawn")):
            shapes = {f"attention.W_{c}": (D, D) for c in "qkvo"}
            shapes |= {f"attention.b_{c}": (D,) for c in "qkvo"}
            shapes |= {"feed_forward.W_1": (H, D), "feed_forward.b_1": (H,)}
            shapes |= {"feed_forward.W_2": (D, H), "feed_forward.b_2": (D,)}
            shapes |= {"norm.gain": (D,), "norm.bias": (D,)}
            scale = 1.0 if D < 100 else 0.1
            params = {name: scale * rng.standard_normal(shape) for name, shape in shapes.items()}
            if silent:
                params["attention.W_o"] *= 0
            if (B, T, D) == PEAKED:
                params["attention.W_q"] *= 1000
            x, dz = rng.standard_normal((2, B, T, D))
            mask = masks(rng, T, how)
            everything, found = {**params, "x": x}, answer(params, x, mask, heads, dz)

            def loss(at, everything=everything, mask=mask, heads=heads, dz=dz):
                return layer_loss({**everything, **at}, mask, heads, dz)

            wanted = [n for n in ["x", *params] if any(n.startswith(part) for part in names)]
            suspects = {}
            if "x" in wanted:
                suspects["x has a straight way to z, too: see (residual-back)."] = (
                    lambda at, loss=loss, dz=dz: loss(at) - np.sum(at["x"] * dz)
                )
            at = {name: everything[name] for name in wanted}
            same_gradients(found, loss, at, rng, suspects=suspects)

    return case


QUESTIONS = (
    Question(
        "transformer.packed",
        "packed",
        (
            Case(
                1,
                "the masks of the encoder and of cross-attention",
                parts_of(["encoder", "cross"]),
                "True where both words have one number, and it is not 0; in (pre-norm-cross) the"
                " target asks, and is the rows.",
            ),
            Case(
                1,
                "the mask of the decoder",
                parts_of(["decoder"]),
                "The same sentence, no padding, and nothing later: see (transformer-decoder).",
            ),
            Case(
                1,
                "the positions of the target",
                parts_of(["positions"]),
                "Each sentence begins again at the position 0 of (sinusoidal); padding has 0.",
            ),
        ),
    ),
    Question(
        "transformer.rms",
        "rms_backward",
        (
            Case(
                1,
                "all features are looked at",
                norms(all_features),
                "It is (layernorm-back) without what came through the mean; the gain's gradient is"
                " a sum over all positions.",
            ),
            Case(
                2,
                "the first features are looked at",
                norms(some_features),
                "Derive it again, as (layernorm-jacobian): which x_j act on s, and on which"
                " outputs does s act?",
            ),
        ),
        derivation=True,
    ),
    Question(
        "transformer.factors",
        "factors_backward",
        (
            Case(
                1,
                "what the read-out sends back, and its bias",
                factors(["y", "b"]),
                "A linear layer with the weight U P: see (tied-readout).",
            ),
            Case(
                1,
                "the factors, if they only write",
                factors(["U", "P"], read=False),
                "With dW as in (tied-back), each factor gets dW and the other one, transposed.",
            ),
            Case(
                2,
                "the factors, if they read and write",
                factors(["U", "P"]),
                "Every time that a word is read counts, also the second: (tied-back) is a sum.",
            ),
        ),
        derivation=True,
    ),
    Question(
        "transformer.repair",
        "repaired_layer",
        (
            Case(
                1,
                "the input and the norm, while attention is silent",
                side_by_side(["x", "norm"], silent=True),
                "What comes straight, (residual-back), passes no norm: compare (norms-back).",
            ),
            Case(
                1,
                "the weights of the two parts",
                side_by_side(["attention", "feed_forward"]),
                "Both parts are added to the same sum, so both get dz alone: in (pre-norm-feed) it"
                " was otherwise.",
            ),
            Case(
                2,
                "the input and the norm",
                side_by_side(["x", "norm"]),
                "n has several readers, and attention reads it in three roles: see"
                " (self-attention-dx).",
            ),
        ),
        derivation=True,
    ),
)
