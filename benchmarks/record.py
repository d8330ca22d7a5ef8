"""What the benchmarks share: one thread, times of alternatives, and the record a chapter loads."""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import datetime
import json
import platform
import time
from pathlib import Path

import numpy as np
import threadpoolctl

FOLDER = Path(__file__).parent


def interleaved(alternatives, repetitions):
    """The median CPU seconds of each of several functions, called in turns of random order.

    alternatives  dict of name: function without arguments
    repetitions   rounds; two more go before them and are not counted

    Returns a dict of name: seconds.
    """
    seconds = {name: [] for name in alternatives}
    rng = np.random.default_rng(0)
    for _ in range(repetitions + 2):
        for name in rng.permutation(list(alternatives)):
            start = time.process_time()
            alternatives[name]()
            seconds[name].append(time.process_time() - start)
    return {name: float(np.median(times[2:])) for name, times in seconds.items()}


def stored(name):
    """The record benchmarks/NAME.json as it stands."""
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def write(name, recipe, results, *, cpu_seconds=None, added=None, **versions):
    """Write benchmarks/NAME.json: what was run, where, when, and what came out.

    cpu_seconds  of all that the results took; None: of this process and of those it waited for
    added        what this run adds to the stored record, in words, if it takes the rest over from
                 there; when and where the rest was run stays, and this run's own goes to a list
    """
    seconds = sum(os.times()[:4]) if cpu_seconds is None else cpu_seconds
    run = {
        "cpu_seconds": round(seconds, 1),
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "blas": blas_kernels(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, **versions},
    }
    content = {"recipe": recipe, "results": results} | run
    if added:
        old = stored(name)
        more = [*old.get("added", []), {"what": added} | run]
        content |= {key: old[key] for key in run} | {"added": more}
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"\n{run['cpu_seconds']} CPU seconds; written to {path.parent.name}/{path.name}")


def cpu_model():
    """The processor's name, as Linux tells it, else as Python does."""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def blas_kernels():
    """The library that multiplies NumPy's matrices, and the kernels it chose for this CPU.

    A library older than the CPU may not know it, and choose kernels of half its speed.
    """
    blas = [lib for lib in threadpoolctl.threadpool_info() if lib["user_api"] == "blas"]
    return [f"{lib['internal_api']} {lib['version']}, {lib.get('architecture')}" for lib in blas]
