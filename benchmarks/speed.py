"""Forward and backward pass of RNN, LSTM and GRU against torch.nn and the usual ways to write them.

python benchmarks/speed.py      a minute; writes benchmarks/speed.json

All in one thread and in turn, so that the ratios hold whatever else the machine does.  They depend
on the kernels of NumPy's BLAS, which the record names: where OpenBLAS does not know a new CPU with
AVX-512 and falls back to "Haswell", OPENBLAS_CORETYPE=SkylakeX makes it use them.
"""

import subprocess
import sys
from typing import NamedTuple

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np
import torch

from seqlib.scratch import gru, lstm, rnn

torch.set_num_threads(1)

# (B, T, D, H): repetitions
SHAPES = {(32, 100, 64, 128): 40, (64, 50, 128, 256): 20, (1, 1000, 64, 64): 20}
NOISE = 1.15


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn_by_step(params, x, dh):
    """An RNN as it is often written: all products at every step, lists, gradients summed."""
    W_xh, W_hh, b_h = params["W_xh"], params["W_hh"], params["b_h"]
    B, T, _ = x.shape
    h = [np.zeros((B, len(W_hh)), x.dtype)]
    for t in range(T):
        h.append(np.tanh(x[:, t] @ W_xh.T + h[t] @ W_hh.T + b_h))
    dx = np.zeros_like(x)
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    dh_next = np.zeros_like(h[0])
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - h[t + 1] ** 2)
        grads["W_xh"] += da.T @ x[:, t]
        grads["W_hh"] += da.T @ h[t]
        grads["b_h"] += da.sum(axis=0)
        dx[:, t] = da @ W_xh
        dh_next = da @ W_hh
    return np.stack(h[1:], axis=1), dx, grads


def lstm_by_step(params, x, dh):
    """An LSTM written in the same way."""
    W_x, W_h, b = params["W_x"], params["W_h"], params["b"]
    (B, T, _), H = x.shape, W_h.shape[1]
    h, c, gates = [np.zeros((B, H), x.dtype)], [np.zeros((B, H), x.dtype)], []
    for t in range(T):
        a = x[:, t] @ W_x.T + h[t] @ W_h.T + b
        i, f, g, o = np.split(a, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c.append(f * c[t] + i * g)
        h.append(o * np.tanh(c[t + 1]))
        gates.append((i, f, g, o))
    dx = np.zeros_like(x)
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    dh_next, dc_next = np.zeros_like(h[0]), np.zeros_like(c[0])
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = gates[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dh_t * o * (1 - tanh_c**2) + dc_next
        da = np.concatenate(
            [
                dc * g * i * (1 - i),
                dc * c[t] * f * (1 - f),
                dc * i * (1 - g**2),
                dh_t * tanh_c * o * (1 - o),
            ],
            axis=1,
        )
        grads["W_x"] += da.T @ x[:, t]
        grads["W_h"] += da.T @ h[t]
        grads["b"] += da.sum(axis=0)
        dx[:, t] = da @ W_x
        dh_next, dc_next = da @ W_h, dc * f
    return np.stack(h[1:], axis=1), dx, grads


def gru_by_step(params, x, dh):
    """A GRU written in the same way."""
    W_x, W_h, b_x, b_h = params["W_x"], params["W_h"], params["b_x"], params["b_h"]
    (B, T, _), H = x.shape, W_h.shape[1]
    h, gates = [np.zeros((B, H), x.dtype)], []
    for t in range(T):
        from_x = np.split(x[:, t] @ W_x.T + b_x, 3, axis=1)
        from_h = np.split(h[t] @ W_h.T + b_h, 3, axis=1)
        r, z = sigmoid(from_x[0] + from_h[0]), sigmoid(from_x[1] + from_h[1])
        n = np.tanh(from_x[2] + r * from_h[2])
        h.append((1 - z) * n + z * h[t])
        gates.append((r, z, n, from_h[2]))
    dx = np.zeros_like(x)
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    dh_next = np.zeros_like(h[0])
    for t in reversed(range(T)):
        r, z, n, inner = gates[t]
        dh_t = dh[:, t] + dh_next
        dn = dh_t * (1 - z) * (1 - n**2)
        dr, dz = dn * inner * r * (1 - r), dh_t * (h[t] - n) * z * (1 - z)
        da_x = np.concatenate([dr, dz, dn], axis=1)
        da_h = np.concatenate([dr, dz, dn * r], axis=1)
        grads["W_x"] += da_x.T @ x[:, t]
        grads["W_h"] += da_h.T @ h[t]
        grads["b_x"] += da_x.sum(axis=0)
        grads["b_h"] += da_h.sum(axis=0)
        dx[:, t] = da_x @ W_x
        dh_next = da_h @ W_h + dh_t * z
    return np.stack(h[1:], axis=1), dx, grads


class Contest(NamedTuple):
    ours: object
    by_step: object
    layer: type
    cell: type
    targets: tuple  # the largest ratio to torch.nn wanted at each of SHAPES


CONTESTS = {
    "rnn": Contest(rnn, rnn_by_step, torch.nn.RNN, torch.nn.RNNCell, (0.70, 0.90, 0.25)),
    "lstm": Contest(lstm, lstm_by_step, torch.nn.LSTM, torch.nn.LSTMCell, (1.50, 1.15, 3.00)),
    "gru": Contest(gru, gru_by_step, torch.nn.GRU, torch.nn.GRUCell, (1.00, 1.00, 1.00)),
}


def seqlib_layer(module, params, x, dh, mask=None):
    h, _, cache = module.forward(params, x, None, mask)
    dx, _, grads = module.backward(dh, None, cache)
    return h, dx, grads


def torch_layer(layer, params):
    """A torch layer with our weights in our order; a bias that ours has not is zero."""
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), params.values(), strict=False):
            parameter.copy_(torch.from_numpy(value))
        for parameter in list(layer.parameters())[len(params) :]:
            parameter.zero_()
    return layer


def by_autograd(layer, names, outputs, x, dh):
    """Run a torch layer forward and backward: its outputs, dx and grads."""
    layer.zero_grad()
    x.grad = None
    h = outputs(layer, x)
    h.backward(dh)
    grads = {name: p.grad.numpy() for name, p in zip(names, layer.parameters(), strict=False)}
    return h.detach().numpy(), x.grad.numpy(), grads


def all_steps(layer, x):
    return layer(x)[0]


def cell_loop(cell, x):
    state, h = None, []
    for t in range(x.shape[1]):
        state = cell(x[:, t], state)
        h.append(state[0] if isinstance(state, tuple) else state)  # an LSTM's is (h, c)
    return torch.stack(h, dim=1)


def alternatives(contest, B, T, D, H):
    """Functions of no arguments that compute the same outputs and gradients."""
    rng, module = np.random.default_rng(0), contest.ours
    x64, dh64 = rng.standard_normal((B, T, D)), rng.standard_normal((B, T, H))
    params64 = module.init(rng, D, H)
    params = {name: value.astype(np.float32) for name, value in params64.items()}
    x, dh = x64.astype(np.float32), dh64.astype(np.float32)
    x_t, dh_t = torch.tensor(x, requires_grad=True), torch.tensor(dh)
    layer = torch_layer(contest.layer(D, H, batch_first=True), params)
    cell = torch_layer(contest.cell(D, H), params)
    mask, names = np.ones((B, T), dtype=bool), list(params)
    return {
        "torch.nn": lambda: by_autograd(layer, names, all_steps, x_t, dh_t),
        "seqlib": lambda: seqlib_layer(module, params, x, dh),
        "seqlib, mask all True": lambda: seqlib_layer(module, params, x, dh, mask),
        "NumPy by step, float64": lambda: contest.by_step(params64, x64, dh64),
        "NumPy by step, float32": lambda: contest.by_step(params, x, dh),
        "torch cells in a loop": lambda: by_autograd(cell, names, cell_loop, x_t, dh_t),
    }


def largest_difference(runs):
    """The largest difference of any output or gradient from the float64 result.

    Relative to that array's largest entry.  Raises AssertionError above 1e-4: all compute the same.
    """
    h, dx, grads = runs["NumPy by step, float64"]()
    wanted = {"h": h, "dx": dx, **grads}
    worst = 0.0
    for name, run in runs.items():
        h, dx, grads = run()
        for key, value in {"h": h, "dx": dx, **grads}.items():
            error = np.abs(value - wanted[key]).max() / np.abs(wanted[key]).max()
            assert error < 1e-4, f"{name}: {key} differs by {error:.1e}"
            worst = max(worst, error)
    return float(worst)


def import_cost(modules):
    """CPU seconds and MiB that importing modules costs a fresh interpreter; what else it loads."""
    code = f"""
import psutil, sys, time
memory, start = psutil.Process().memory_info, time.process_time()
before = memory().rss
import {modules}
print(time.process_time() - start, (memory().rss - before) / 2**20)
print(*(int(name in sys.modules) for name in ("torch", "matplotlib")))
"""
    runs = [
        [float(number) for number in subprocess.check_output([sys.executable, "-c", code]).split()]
        for _ in range(3)
    ]
    seconds, mebibytes, has_torch, has_matplotlib = np.median(runs, axis=0)
    return {
        "cpu_seconds": round(float(seconds), 3),
        "MiB": round(float(mebibytes), 1),
        "loads_torch": bool(has_torch),
        "loads_matplotlib": bool(has_matplotlib),
    }


COLUMNS = {
    "seqlib": "seqlib",
    "seqlib, mask all True": "with mask",
    "NumPy by step, float64": "by step, 64",
    "NumPy by step, float32": "by step, 32",
    "torch cells in a loop": "torch cells",
}


def row_of(name, shape, target, repetitions):
    """One layer at one shape: times of all alternatives, and their ratios to torch.nn."""
    runs = alternatives(CONTESTS[name], *shape)
    difference = largest_difference(runs)
    seconds = record.interleaved(runs, repetitions)
    ratios = {run: s / seconds["torch.nn"] for run, s in seconds.items()}
    return {
        "layer": name,
        **dict(zip("BTDH", shape, strict=True)),
        "largest_difference": difference,
        "milliseconds": {run: round(1000 * s, 3) for run, s in seconds.items()},
        "ratio_to_torch": {run: round(r, 3) for run, r in ratios.items()},
        "mask_all_true": round(seconds["seqlib, mask all True"] / seconds["seqlib"], 3),
        "target": target,
        "reached": bool(ratios["seqlib"] <= target * NOISE),
    }


def main():
    results = {"layers": []}
    print("times torch.nn (1 = as fast; below 1 = faster), forward and backward pass")
    heads = "".join(f"{head:>13}" for head in COLUMNS.values())
    print(f"layer     B     T    D    H   torch.nn ms{heads}   target")
    for name, contest in CONTESTS.items():
        for (shape, repetitions), target in zip(SHAPES.items(), contest.targets, strict=True):
            row = row_of(name, shape, target, repetitions)
            results["layers"].append(row)
            ratios = "".join(f"{row['ratio_to_torch'][run]:13.2f}" for run in COLUMNS)
            sizes = "{:6}{:6}{:5}{:5}".format(*shape)
            missed = "" if row["reached"] else "  MISSED"
            print(
                f"{name:5}{sizes}{row['milliseconds']['torch.nn']:14.2f}{ratios}"
                f"{target:9.2f}{missed}",
                flush=True,
            )
    results["imports"] = {
        name: import_cost(name)
        for name in ("numpy", "seqlib", "seqlib.scratch.models, seqlib.train", "torch")
    }
    print("\nimport                               CPU s      MiB   torch   matplotlib")
    for name, cost in results["imports"].items():
        loaded = f"{cost['loads_torch']!s:7} {cost['loads_matplotlib']}"
        print(f"{name:35} {cost['cpu_seconds']:6.2f} {cost['MiB']:8.1f}   {loaded}")
    recipe = {
        "what": "forward and backward pass, gradients of x and of all parameters, one thread",
        "dtype": "float32, except where a name says float64",
        "seconds": "median CPU time of alternatives called in turn",
        "repetitions": {" ".join(map(str, shape)): n for shape, n in SHAPES.items()},
        "noise": NOISE,
        "seed": 0,
    }
    record.write("speed", recipe, results, torch=torch.__version__)


if __name__ == "__main__":
    main()
