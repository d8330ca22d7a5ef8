"""What a step costs: RNN, GRU and LSTM side by side, in PyTorch's kernels and in this library.

python benchmarks/cost.py      a minute; writes benchmarks/cost.json

`speed.py` compares each layer with its own torch.nn twin; this compares the layers with each other.
All run in one thread and in turn.  PyTorch's LSTM is timed twice, with and without oneDNN: where it
may, PyTorch hands an LSTM as a whole to that library, and a GRU it computes by itself.
"""

import contextlib

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np
import torch

from seqlib.scratch import gru, lstm, rnn
from seqlib.scratch.params import count

torch.set_num_threads(1)

# (B, T, D, H): repetitions
SHAPES = {(32, 100, 64, 128): 30, (64, 50, 128, 256): 15, (1, 200, 64, 64): 30}
CELLS = {"RNN": rnn, "GRU": gru, "LSTM": lstm}
LAYERS = {"RNN": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}


def seqlib_run(module, D, H, x, dh):
    """Forward, and forward with backward, as functions of no arguments."""
    params = module.init(np.random.default_rng(0), D, H, np.float32)

    def both():
        _, _, cache = module.forward(params, x)
        module.backward(dh, None, cache)

    return lambda: module.forward(params, x), both


def torch_run(layer, D, H, x, dh, onednn=True):
    """The same by PyTorch; forward alone without a graph."""
    layer = layer(D, H, batch_first=True)
    x, dh = torch.tensor(x, requires_grad=True), torch.tensor(dh)

    def allowed():
        if onednn:
            return contextlib.nullcontext()
        return torch.backends.mkldnn.flags(enabled=False)

    def forward():
        with torch.no_grad(), allowed():
            layer(x)

    def both():
        layer.zero_grad()
        x.grad = None
        with allowed():
            layer(x)[0].backward(dh)

    return forward, both


def alternatives(B, T, D, H):
    """Functions of no arguments by name and pass."""
    rng, runs = np.random.default_rng(0), {}
    x, dh = (rng.standard_normal((B, T, size)).astype(np.float32) for size in (D, H))
    pairs = {f"seqlib {name}": seqlib_run(cell, D, H, x, dh) for name, cell in CELLS.items()}
    pairs |= {f"torch {name}": torch_run(layer, D, H, x, dh) for name, layer in LAYERS.items()}
    pairs["torch LSTM, no oneDNN"] = torch_run(torch.nn.LSTM, D, H, x, dh, onednn=False)
    for name, (forward, both) in pairs.items():
        runs[name, "forward"], runs[name, "both"] = forward, both
    return runs


def main():
    rows = []
    print("   B    T    D    H   milliseconds, forward and backward pass")
    for shape, repetitions in SHAPES.items():
        timed = alternatives(*shape)
        keys = {" / ".join(key): key for key in timed}
        seconds = record.interleaved({k: timed[key] for k, key in keys.items()}, repetitions)
        ms = {"forward": {}, "both": {}}
        for k, (name, which) in keys.items():
            ms[which][name] = round(1000 * seconds[k], 3)
        rows.append({**dict(zip("BTDH", shape, strict=True)), "milliseconds": ms})
        sizes = "{:4}{:5}{:5}{:5}".format(*shape)
        print(sizes, *(f"  {name} {t:.2f}" for name, t in ms["both"].items()), flush=True)
    _, _, D, H = next(iter(SHAPES))
    parameters = {
        name: {"seqlib": count(cell.init(np.random.default_rng(0), D, H))}
        | {"torch": sum(p.numel() for p in LAYERS[name](D, H).parameters())}
        for name, cell in CELLS.items()
    }
    recipe = {
        "what": "gradients of x and of all parameters, one thread, float32",
        "milliseconds": "median CPU time of alternatives called in turn",
        "repetitions": {" ".join(map(str, shape)): n for shape, n in SHAPES.items()},
        "onednn": bool(torch.backends.mkldnn.is_available()),
    }
    results = {"rows": rows, "parameters": {"D": D, "H": H, **parameters}}
    record.write("cost", recipe, results, torch=torch.__version__)


if __name__ == "__main__":
    main()
