"""What a layer costs as the sequence grows: recurrence, attention, and attention block by block.

python benchmarks/length_cost.py      three minutes; writes benchmarks/length_cost.json

Each layer maps D features to D features and has its own projections.  All run in one thread and in
turn, forward and backward pass together; `attention_speed.py` compares attention with torch's.
"""

import tracemalloc

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np
import torch

from seqlib.scratch import gru, linear, lstm, multihead, online_attention
from seqlib.scratch.params import count

torch.set_num_threads(1)

D, HEADS = 64, 4
# (B, T): repetitions
SHAPES = {
    **{(1, T): n for T, n in [(32, 40), (64, 40), (128, 30), (256, 20), (512, 15), (1024, 9)]},
    **{(1, T): n for T, n in [(2048, 5), (4096, 3)]},
    **{(16, T): n for T, n in [(32, 20), (64, 15), (128, 10), (256, 7), (512, 3)]},
}


def recurrent(cell, x, dy):
    params = cell.init(np.random.default_rng(0), D, D, np.float32)

    def run():
        _, _, cache = cell.forward(params, x)
        cell.backward(dy, None, cache)

    return run, count(params)


def by_matrices(x, dy):
    params = multihead.init(np.random.default_rng(0), D, dtype=np.float32)

    def run():
        _, cache = multihead.forward(params, x, x, x, heads=HEADS)
        multihead.backward(dy, cache)

    return run, count(params)


def by_blocks(x, dy):
    """Multi-head attention again, its scores never as a whole."""
    params = multihead.init(np.random.default_rng(0), D, dtype=np.float32)
    own = {name: multihead.named(params, name) for name in "qkvo"}

    def run():
        projected = {name: linear.forward(own[name], x) for name in "qkv"}
        heads = (multihead.split(y, HEADS) for y, _ in projected.values())
        y, attended = online_attention.forward(*heads)
        _, joined = linear.forward(own["o"], multihead.join(y))
        dheads, _ = linear.backward(dy, joined)
        back = online_attention.backward(multihead.split(dheads, HEADS), attended)
        for (_, cache), dhead in zip(projected.values(), back, strict=True):
            linear.backward(multihead.join(dhead), cache)

    return run, count(params)


def by_torch(layer, x, dy, attends):
    x, dy = torch.tensor(x, requires_grad=True), torch.tensor(dy)

    def run():
        layer.zero_grad()
        x.grad = None
        y, *_ = layer(x, x, x, need_weights=False) if attends else layer(x)
        y.backward(dy)

    return run, sum(p.numel() for p in layer.parameters())


def alternatives(B, T):
    """Functions without arguments, and how many weights each layer has."""
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((B, T, D), dtype=np.float32) for _ in range(2))
    attention = torch.nn.MultiheadAttention(D, HEADS, batch_first=True)
    return {
        "GRU": recurrent(gru, x, dy),
        "LSTM": recurrent(lstm, x, dy),
        "attention": by_matrices(x, dy),
        "online attention": by_blocks(x, dy),
        "torch GRU": by_torch(torch.nn.GRU(D, D, batch_first=True), x, dy, attends=False),
        "torch attention": by_torch(attention, x, dy, attends=True),
    }


def peak(run):
    """MiB that a function needs at most beyond what was there before."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return round(most / 2**20, 3)


def main():
    rows = []
    for (B, T), repetitions in SHAPES.items():
        layers = alternatives(B, T)
        runs = {name: run for name, (run, _) in layers.items()}
        seconds = record.interleaved(runs, repetitions)
        row = {"B": B, "T": T, "milliseconds": {k: round(1000 * s, 3) for k, s in seconds.items()}}
        row["peak_MiB"] = {k: peak(run) for k, run in runs.items() if not k.startswith("torch")}
        rows.append(row)
        print(B, T, row["milliseconds"], row["peak_MiB"], flush=True)
    recipe = {
        "what": "forward and backward pass of one layer, gradients of x and of all weights",
        "D": D,
        "heads": HEADS,
        "dtype": "float32",
        "milliseconds": "median CPU time of alternatives called in turn, one thread",
        "memory": "peak by tracemalloc, beyond the inputs; of NumPy's arrays alone",
        "repetitions": {f"{B} {T}": n for (B, T), n in SHAPES.items()},
    }
    results = {"rows": rows, "parameters": {name: n for name, (_, n) in layers.items()}}
    record.write("length_cost", recipe, results, torch=torch.__version__)


if __name__ == "__main__":
    main()
