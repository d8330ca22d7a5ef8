"""What is asked of packed rows, norms, factors and a layer, and how answers are looked at."""

import numpy as np
from seqlib.gradcheck import numerical_gradient
from seqlib.grading import Case, Question, ensure, same


def gradients(forward, given, dy, names):
    """Central differences of sum(forward * dy) in some of the arguments."""

    def loss(name, value):
        return float(np.sum(forward({**given, name: value}) * dy))

    return {n: numerical_gradient(lambda value, n=n: loss(n, value), given[n]) for n in names}


# Several sentences in one row


def row(rng, sentences, gaps):
    """Numbers of sentences, with padding before, between and behind."""
    numbers = []
    for i in range(1, sentences + 1):
        numbers += [0] * gaps[i - 1] + [i] * int(rng.integers(2, 4))
    return numbers + [0] * gaps[-1]


def rows(rng):
    made = [row(rng, 3, [0, 0, 0, 2]), row(rng, 2, [0, 1, 1]), row(rng, 2, [1, 0, 3])]
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


def parts_of(names):
    def case(answer, rng):
        source, target = rows(rng), rows(rng)
        target = np.pad(target, ((0, 0), (0, 2 * (source.shape == target.shape))))
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

    return case


# A norm that looks at some features


def rms(given, n, eps):
    """Position by position."""
    y = np.empty_like(given["x"])
    for b, t in np.ndindex(y.shape[:2]):
        x = given["x"][b, t]
        y[b, t] = given["gain"] * x / np.sqrt(sum(x[i] ** 2 for i in range(n)) / n + eps)
    return y


def norm(n, D=5):
    def case(answer, rng):
        given = {"x": rng.standard_normal((2, 3, D)), "gain": rng.standard_normal(D)}
        given["x"] += 0.5
        dy, eps = rng.standard_normal((2, 3, D)), 0.1

        def tried(eps):
            d = gradients(lambda at: rms(at, n, eps), given, dy, ["x", "gain"])
            return d["x"], d["gain"]

        dx, dgain = tried(eps)
        s = np.sqrt((given["x"][..., :n] ** 2).sum(axis=-1, keepdims=True) / n + eps)
        x_hat, g = given["x"] / s, dy * given["gain"]
        along = (g * x_hat).sum(axis=-1, keepdims=True)
        looked = np.arange(D) < n
        suspects = {
            "Epsilon belongs under the root, see (layernorm-hat).": tried(0.0),
            "x acts through the size as well, as it does in (layernorm-jacobian).": (g / s, dgain),
            "The gain comes before the sum over features: see (layernorm-back).": (
                given["gain"] * (dy - x_hat * looked * (dy * x_hat).sum(-1, keepdims=True) / n) / s,
                dgain,
            ),
            "Nothing is centered here: the mean in (layernorm-back) has no counterpart.": (
                (g - g.mean(axis=-1, keepdims=True) - x_hat * looked * along / n) / s,
                dgain,
            ),
        }
        if n < D:
            heard = (g * x_hat * looked).sum(axis=-1, keepdims=True)
            suspects |= {
                "Only the features that are looked at act through the size: differentiate it as"
                " for (layernorm-jacobian).": ((g - x_hat * along / n) / s, dgain),
                "The size acts on all outputs: the sum in (layernorm-back) is over all D.": (
                    (g - x_hat * looked * heard / n) / s,
                    dgain,
                ),
                "The size is a mean of n numbers: where does the D of (layernorm-back) come"
                " from?": ((g - x_hat * looked * along / D) / s, dgain),
            }
        same(
            "(dx, dgain)",
            answer(given["x"], given["gain"], n, eps, dy),
            (dx, dgain),
            tolerance=1e-7,
            suspects=suspects,
        )

    return case


# A tied table in two factors


def factors(names, read=True, write=True):
    def case(answer, rng):
        V, r, D, B, T = 6, 2, 3, 2, 5
        given = {
            "U": rng.standard_normal((V, r)),
            "P": rng.standard_normal((r, D)),
            "b": rng.standard_normal(V),
            "y": rng.standard_normal((B, T, D)),
        }
        ids = rng.integers(V - 1, size=(B, T))
        dx, dlogits = rng.standard_normal((B, T, D)) * read, rng.standard_normal((B, T, V)) * write

        def loss(name, value, root=D**0.5):
            """Word by word; the last word of the vocabulary is never read."""
            at = {**given, name: value}
            W, total = at["U"] @ at["P"], 0.0
            for b, t in np.ndindex(B, T):
                total += root * (W[ids[b, t]] @ dx[b, t])
                total += (W @ at["y"][b, t] + at["b"]) @ dlogits[b, t]
            return float(total)

        def tried(**how):
            return {
                n: numerical_gradient(lambda v, n=n: loss(n, v, **how), given[n]) for n in names
            }

        found = answer(given["U"], given["P"], ids, given["y"], dx, dlogits)
        ensure(isinstance(found, dict), "what came back is no dict")
        suspects = {}
        if read and "U" in names:
            suspects["What was read had the root of D in front: see (scaled-embedding)."] = tried(
                root=1.0
            )
        if read and write:
            suspects["The table was read, too: (tied-back) has two parts."] = tried(root=0.0)
        same(
            "gradient", {n: found.get(n) for n in names}, tried(), tolerance=1e-7, suspects=suspects
        )

    return case


# A layer whose parts stand side by side


def layer(given, mask, heads):
    """The whole layer, head by head."""
    x, D = given["x"], given["x"].shape[-1]
    spread = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    n = given["norm.gain"] * (x - x.mean(axis=-1, keepdims=True)) / spread + given["norm.bias"]
    W, b = ({c: given[f"attention.{a}_{c}"] for c in "qkvo"} for a in "Wb")
    q, k, v = (n @ W[c].T + b[c] for c in "qkv")
    z, K = x + b["o"], D // heads
    for i in range(heads):
        own = slice(i * K, (i + 1) * K)
        e = np.exp(q[..., own] @ k[..., own].swapaxes(1, 2) / np.sqrt(K)) * mask
        z = z + (e / e.sum(axis=-1, keepdims=True)) @ v[..., own] @ W["o"][:, own].T
    feed = {c: given[f"feed_forward.{c}"] for c in ("W_1", "b_1", "W_2", "b_2")}
    h = np.maximum(n @ feed["W_1"].T + feed["b_1"], 0)
    return z + h @ feed["W_2"].T + feed["b_2"]


def side_by_side(names, silent=False):
    def case(answer, rng):
        B, T, D, H, heads = 2, 3, 4, 6, 2
        shapes = {f"attention.W_{c}": (D, D) for c in "qkvo"}
        shapes |= {f"attention.b_{c}": (D,) for c in "qkvo"}
        shapes |= {"feed_forward.W_1": (H, D), "feed_forward.b_1": (H,)}
        shapes |= {"feed_forward.W_2": (D, H), "feed_forward.b_2": (D,)}
        shapes |= {"norm.gain": (D,), "norm.bias": (D,)}
        params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
        if silent:
            params["attention.W_o"] *= 0
        x, dz = rng.standard_normal((2, B, T, D))
        mask = np.tri(T, dtype=bool)
        wanted = [n for n in ["x", *params] if any(n.startswith(part) for part in names)]
        expected = gradients(lambda at: layer(at, mask, heads), {**params, "x": x}, dz, wanted)
        found = answer(params, x, mask, heads, dz)
        ensure(isinstance(found, dict), "what came back is no dict")
        suspects = {}
        if "x" in wanted:
            suspects["x has a straight way to z, too: see (residual-back)."] = {
                **expected,
                "x": expected["x"] - dz,
            }
        same(
            "gradient",
            {n: found.get(n) for n in wanted},
            expected,
            tolerance=1e-7,
            suspects=suspects,
        )

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
                norm(5),
                "It is (layernorm-back) without what came through the mean; the gain's gradient is"
                " a sum over all positions.",
            ),
            Case(
                2,
                "the first features are looked at",
                norm(2),
                "Derive it again, as (layernorm-jacobian): which x_j act on s, and on which"
                " outputs does s act?",
            ),
        ),
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
    ),
)
