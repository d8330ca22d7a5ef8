"""Forward and backward pass of attention and of Transformer layers against torch, and their memory.

python benchmarks/attention_speed.py      two minutes; writes benchmarks/attention_speed.json

All in one thread and in turn, so that the ratios hold whatever else the machine does.  They depend
on the kernels of NumPy's BLAS, which the record names.
"""

import tracemalloc

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np
import torch

from seqlib.scratch import attention, decoder_layer, encoder_layer, online_attention

torch.set_num_threads(1)

HEADS, WIDTH = 4, 32
# (B, T): repetitions, largest ratio to torch wanted of attention and of online attention
SHAPES = {
    (32, 64): (40, 1.3, None),
    (8, 256): (20, 1.3, None),
    (1, 1024): (15, 1.3, None),
    (1, 2048): (7, None, 1.4),
    (1, 4096): (5, None, 1.4),
}
MEMORY = 15  # times as much for the products as for online attention, from T = 2048
LAYER = {"B": 32, "T": 64, "D": 128, "H": 512, "heads": 4}
LAYER_TARGET, LAYER_REPETITIONS = 1.6, 20
NOISE = 1.15


def by_products(q, k, v, dy):
    """Attention as it is often written: each array of scores as a whole."""
    scale = q.dtype.type(q.shape[-1] ** -0.5)
    scores = q @ k.swapaxes(-1, -2) * scale
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    y = weights @ v
    dv = weights.swapaxes(-1, -2) @ dy
    dweights = dy @ v.swapaxes(-1, -2)
    mean = (dweights * weights).sum(axis=-1, keepdims=True)
    dscores = weights * (dweights - mean) * scale
    return y, dscores @ k, dscores.swapaxes(-1, -2) @ q, dv


def by_module(module, q, k, v, dy, **choice):
    y, cache = module.forward(q, k, v, **choice)
    return y, *module.backward(dy, cache)


def by_torch(inputs, dy, **choice):
    for a in inputs:
        a.grad = None
    y = torch.nn.functional.scaled_dot_product_attention(*inputs, **choice)
    y.backward(dy)
    return y.detach().numpy(), *(a.grad.numpy() for a in inputs)


def attention_runs(B, T):
    """Functions that compute the same output and gradients, and those under a causal mask."""
    rng = np.random.default_rng(0)
    given = [rng.standard_normal((B, HEADS, T, WIDTH), dtype=np.float32) for _ in range(4)]
    *inputs, dy = (torch.tensor(a) for a in given)
    inputs = [a.requires_grad_() for a in inputs]
    mask = attention.causal_mask(T)
    plain = {
        "torch": lambda: by_torch(inputs, dy),
        "attention": lambda: by_module(attention, *given),
        "online": lambda: by_module(online_attention, *given),
        "by products": lambda: by_products(*given),
    }
    causal = {
        "torch, causal": lambda: by_torch(inputs, dy, is_causal=True),
        "attention, causal": lambda: by_module(attention, *given, mask=mask),
        "online, causal": lambda: by_module(online_attention, *given, causal=True),
    }
    return plain, causal


def largest_difference(runs):
    """Of any output or gradient from that of the first, relative to its largest entry.

    Raises AssertionError above 1e-4: all compute the same.
    """
    first, *others = (run() for run in runs.values())
    errors = [
        np.abs(a - b).max() / np.abs(b).max()
        for other in others
        for a, b in zip(other, first, strict=True)
    ]
    assert max(errors) < 1e-4, errors
    return float(max(errors))


def peak(run):
    """MiB that a function needs at most beyond what was there before."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return round(most / 2**20, 2)


def attention_row(shape):
    repetitions, *targets = SHAPES[shape]
    plain, causal = attention_runs(*shape)
    difference = max(largest_difference(plain), largest_difference(causal))
    seconds = record.interleaved(plain | causal, repetitions)
    ratios = {run: seconds[run] / seconds["torch"] for run in plain}
    ratios |= {run: seconds[run] / seconds["torch, causal"] for run in causal}
    memory = {run: peak(plain[run]) for run in ("attention", "online", "by products")}
    reached = [
        bool(ratios[run] <= target * NOISE)
        for run, target in zip(("attention", "online"), targets, strict=True)
        if target
    ]
    if targets[1]:
        reached.append(memory["attention"] >= MEMORY * memory["online"])
    return {
        **dict(zip("BT", shape, strict=True)),
        "largest_difference": difference,
        "milliseconds": {run: round(1000 * s, 3) for run, s in seconds.items()},
        "ratio_to_torch": {run: round(r, 3) for run, r in ratios.items()},
        "peak_MiB": memory,
        "targets": {"attention": targets[0], "online": targets[1], "memory": MEMORY},
        "reached": all(reached),
    }


def layer_products(D, H, rows):
    """The matrix products of an encoder layer but for those of attention, forward and backward."""
    rng = np.random.default_rng(0)
    shapes = [*[(D, D)] * 4, (H, D), (D, H)]
    weights = [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]
    inputs = [rng.standard_normal((rows, W.shape[1]), dtype=np.float32) for W in weights]
    upstream = [rng.standard_normal((rows, W.shape[0]), dtype=np.float32) for W in weights]

    def run():
        for W, x, dy in zip(weights, inputs, upstream, strict=True):
            x @ W.T, dy @ W, dy.T @ x

    return run


def layer_runs(part, order):
    """A layer of a Transformer and torch's, with the same weights."""
    B, T, D, H, heads = LAYER.values()
    rng, decodes = np.random.default_rng(0), part is decoder_layer
    params = part.init(rng, D, H, dtype=np.float32)
    x, dy, source = (rng.standard_normal((B, T, D), dtype=np.float32) for _ in range(3))
    forward, backward = getattr(part, f"{order}_forward"), getattr(part, f"{order}_backward")
    kind = torch.nn.TransformerDecoderLayer if decodes else torch.nn.TransformerEncoderLayer
    layer = kind(D, heads, H, dropout=0, batch_first=True, norm_first=order == "pre_norm")
    load(layer, params)
    inputs = [torch.tensor(a, requires_grad=True) for a in ((x, source) if decodes else (x,))]
    mask = torch.nn.Transformer.generate_square_subsequent_mask(T)
    choice = {"tgt_mask": mask, "tgt_is_causal": True} if decodes else {}

    def ours():
        y, cache = forward(params, *((x, source) if decodes else (x,)), heads=heads)
        *dinputs, _ = backward(dy, cache)
        return y, *dinputs

    def theirs():
        layer.zero_grad()
        for a in inputs:
            a.grad = None
        y = layer(*inputs, **choice)
        y.backward(torch.from_numpy(dy))
        return y.detach().numpy(), *(a.grad.numpy() for a in inputs)

    return {"torch": theirs, "seqlib": ours}


def load(layer, params):
    """Our weights into torch's layer, whose parts have other names and stand in the same order."""
    names = {"self_attention": "self_attn", "cross_attention": "multihead_attn"}
    state, norms = {}, [key.partition(".")[0] for key in params if key.endswith("gain")]
    for ours, theirs in names.items():
        if f"{ours}.W_q" in params:
            for a, b in (("W", "weight"), ("b", "bias")):
                stacked = np.concatenate([params[f"{ours}.{a}_{x}"] for x in "qkv"])
                state[f"{theirs}.in_proj_{b}"] = stacked
                state[f"{theirs}.out_proj.{b}"] = params[f"{ours}.{a}_o"]
    for i, norm in enumerate(norms, start=1):
        state |= {
            f"norm{i}.weight": params[f"{norm}.gain"],
            f"norm{i}.bias": params[f"{norm}.bias"],
        }
    for i in (1, 2):
        state[f"linear{i}.weight"] = params[f"feed_forward.W_{i}"]
        state[f"linear{i}.bias"] = params[f"feed_forward.b_{i}"]
    layer.load_state_dict({key: torch.from_numpy(a) for key, a in state.items()})


def layer_row(name, part, order):
    runs = layer_runs(part, order)
    difference = largest_difference(runs)
    if part is encoder_layer:
        rows = LAYER["B"] * LAYER["T"]
        runs["matrix products alone"] = layer_products(LAYER["D"], LAYER["H"], rows)
        runs["attention alone"] = attention_runs(LAYER["B"], LAYER["T"])[0]["attention"]
    seconds = record.interleaved(runs, LAYER_REPETITIONS)
    ratios = {run: s / seconds["torch"] for run, s in seconds.items()}
    return {
        "layer": name,
        **LAYER,
        "largest_difference": difference,
        "milliseconds": {run: round(1000 * s, 3) for run, s in seconds.items()},
        "ratio_to_torch": {run: round(r, 3) for run, r in ratios.items()},
        "target": LAYER_TARGET,
        "reached": bool(ratios["seqlib"] <= LAYER_TARGET * NOISE),
    }


def main():
    results = {"attention": [], "layers": []}
    runs = ["attention", "online", "by products", "attention, causal", "online, causal"]
    print("times torch (1 = as fast; below 1 = faster), forward and backward pass; peak MiB")
    print(f"   B     T  torch ms{''.join(f'{run:>19}' for run in runs)}   peak MiB, first three")
    for shape in SHAPES:
        row = attention_row(shape)
        results["attention"].append(row)
        ratios = "".join(f"{row['ratio_to_torch'][run]:19.2f}" for run in runs)
        memory = "".join(f"{mebibytes:10.2f}" for mebibytes in row["peak_MiB"].values())
        missed = "" if row["reached"] else "  MISSED"
        print(
            f"{row['B']:4}{row['T']:6}{row['milliseconds']['torch']:10.2f}{ratios}{memory}{missed}",
            flush=True,
        )
    print(f"\nlayers of a Transformer, {LAYER}")
    for name, part in (("encoder", encoder_layer), ("decoder", decoder_layer)):
        for order in ("post_norm", "pre_norm"):
            row = layer_row(f"{name}, {order}", part, order)
            results["layers"].append(row)
            ratios = ", ".join(f"{run} {ratio:.2f}" for run, ratio in row["ratio_to_torch"].items())
            print(f"{row['layer']:20} {ratios}{'' if row['reached'] else '  MISSED'}", flush=True)
    recipe = {
        "what": "forward and backward pass, gradients of inputs and of parameters, one thread",
        "dtype": "float32",
        "seconds": "median CPU time of alternatives called in turn",
        "heads": HEADS,
        "features_per_head": WIDTH,
        "repetitions": {f"{B} {T}": row[0] for (B, T), row in SHAPES.items()},
        "repetitions_of_a_layer": LAYER_REPETITIONS,
        "memory": "peak by tracemalloc during one forward and backward pass, beyond the inputs",
        "noise": NOISE,
        "seed": 0,
    }
    record.write("attention_speed", recipe, results, torch=torch.__version__)


if __name__ == "__main__":
    main()
