"""Forward and backward pass of the RNN against torch.nn.RNN and the usual ways of writing it.

python benchmarks/speed.py      a quarter of a minute; writes benchmarks/speed.json

All in one thread and in turn, so that the ratios hold whatever else the machine does.
"""

import subprocess
import sys

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np
import torch

from seqlib.scratch import rnn

torch.set_num_threads(1)

# (B, T, D, H): the largest ratio to torch.nn.RNN wanted, repetitions
SHAPES = {
    (32, 100, 64, 128): (0.70, 60),
    (64, 50, 128, 256): (0.90, 30),
    (1, 1000, 64, 64): (0.25, 30),
}
NOISE = 1.15


def per_step_numpy(params, x, dh):
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


def seqlib_rnn(params, x, dh, mask=None):
    h, _, cache = rnn.forward(params, x, None, mask)
    dx, _, grads = rnn.backward(dh, None, cache)
    return h, dx, grads


def torch_layer(layer, params):
    """A torch layer with our weights; of its two biases the second is zero."""
    values = (params["W_xh"], params["W_hh"], params["b_h"], 0 * params["b_h"])
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), values, strict=True):
            parameter.copy_(torch.from_numpy(value))
    return layer


def by_autograd(layer, outputs, x, dh):
    """Run a torch layer forward and backward: its outputs, dx and grads."""
    layer.zero_grad()
    x.grad = None
    h = outputs(layer, x)
    h.backward(dh)
    names = ("W_xh", "W_hh", "b_h")
    grads = {name: p.grad.numpy() for name, p in zip(names, layer.parameters(), strict=False)}
    return h.detach().numpy(), x.grad.numpy(), grads


def all_steps(layer, x):
    return layer(x)[0]


def cell_loop(cell, x):
    h_t, h = None, []
    for t in range(x.shape[1]):
        h_t = cell(x[:, t], h_t)
        h.append(h_t)
    return torch.stack(h, dim=1)


def alternatives(B, T, D, H):
    """Five functions of no arguments that compute the same outputs and gradients."""
    rng = np.random.default_rng(0)
    x64, dh64 = rng.standard_normal((B, T, D)), rng.standard_normal((B, T, H))
    params64 = rnn.init(rng, D, H)
    params = {name: value.astype(np.float32) for name, value in params64.items()}
    x, dh = x64.astype(np.float32), dh64.astype(np.float32)
    x_t, dh_t = torch.tensor(x, requires_grad=True), torch.tensor(dh)
    layer = torch_layer(torch.nn.RNN(D, H, batch_first=True), params)
    cell = torch_layer(torch.nn.RNNCell(D, H), params)
    mask = np.ones((B, T), dtype=bool)
    return {
        "torch.nn.RNN": lambda: by_autograd(layer, all_steps, x_t, dh_t),
        "seqlib": lambda: seqlib_rnn(params, x, dh),
        "seqlib, mask all True": lambda: seqlib_rnn(params, x, dh, mask),
        "NumPy by step, float64": lambda: per_step_numpy(params64, x64, dh64),
        "NumPy by step, float32": lambda: per_step_numpy(params, x, dh),
        "torch.nn.RNNCell in a loop": lambda: by_autograd(cell, cell_loop, x_t, dh_t),
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


def main():
    results = {"shapes": []}
    for (B, T, D, H), (target, repetitions) in SHAPES.items():
        runs = alternatives(B, T, D, H)
        difference = largest_difference(runs)
        seconds = record.interleaved(runs, repetitions)
        ratios = {name: s / seconds["torch.nn.RNN"] for name, s in seconds.items()}
        print(f"\nB {B}, T {T}, D {D}, H {H}: equal to {difference:.0e}; target {target}")
        for name, ratio in ratios.items():
            print(f"  {name:28} {1000 * seconds[name]:8.2f} ms {ratio:8.2f}")
        reached = ratios["seqlib"] <= target * NOISE
        print("  target reached" if reached else "  TARGET MISSED")
        results["shapes"].append(
            {
                "B": B, "T": T, "D": D, "H": H,
                "largest_difference": difference,
                "milliseconds": {name: round(1000 * s, 3) for name, s in seconds.items()},
                "ratio_to_torch": {name: round(r, 3) for name, r in ratios.items()},
                "mask_all_true": round(seconds["seqlib, mask all True"] / seconds["seqlib"], 3),
                "target": target,
                "reached": bool(reached),
            }
        )  # fmt: skip
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
        "repetitions": {" ".join(map(str, shape)): n for shape, (_, n) in SHAPES.items()},
        "noise": NOISE,
        "seed": 0,
    }
    record.write("speed", recipe, results, torch=torch.__version__)


if __name__ == "__main__":
    main()
