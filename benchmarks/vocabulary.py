"""What a vocabulary costs as it grows: the gradient of its table, and the ids of its words.

python benchmarks/vocabulary.py      a minute; writes benchmarks/vocabulary.json

The batch stays the same while the number of symbols V grows.  The gradient of the table has as many
entries as the table, whose copy is timed beside it; a product with one-hot rows, the formula word
by word, costs ids times V.  All run in one thread and in turn.
"""

import tracemalloc

import record  # first: it sets one thread before NumPy is imported

# isort: split
import numpy as np

from seqlib import text
from seqlib.scratch import embedding

B, T, D = 32, 35, 64
SIZES = {1_000: 30, 3_000: 30, 10_000: 20, 30_000: 10, 100_000: 10}  # V: repetitions
LARGEST_PRODUCT = 10_000  # above that, the one-hot rows alone take hundreds of MB


def by_one_hot(dx, ids, V):
    one_hot = np.zeros((ids.size, V), dx.dtype)
    one_hot[np.arange(ids.size), ids.ravel()] = 1
    return one_hot.T @ dx.reshape(ids.size, -1)


def peak(f):
    """The most memory that a function takes, in MB."""
    tracemalloc.start()
    f()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return round(most / 1e6, 2)


def row_of(V, repetitions):
    rng = np.random.default_rng(0)
    words = text.Vocabulary(tuple(map(str, range(V))))
    ids = rng.integers(0, V, (B, T))
    tokens = words.decode(ids.ravel())
    params = embedding.init(rng, V, D, np.float32)
    x, cache = embedding.forward(params, ids)
    dx = rng.standard_normal(x.shape).astype(np.float32)
    runs = {
        "backward": lambda: embedding.backward(dx, cache),
        "copy": lambda: params["W"].copy(),
        "encode": lambda: words.encode(tokens),
    }
    if V <= LARGEST_PRODUCT:
        runs["one-hot product"] = lambda: by_one_hot(dx, ids, V)
        error = np.abs(embedding.backward(dx, cache)["W"] - by_one_hot(dx, ids, V)).max()
        assert error < 1e-5, f"the two gradients differ by {error:.1e}"
    assert np.array_equal(words.encode(tokens), ids.ravel())
    seconds = record.interleaved(runs, repetitions)
    return {
        "V": V,
        "milliseconds": {name: round(1000 * s, 3) for name, s in seconds.items()},
        "MB": {name: peak(run) for name, run in runs.items()},
        "table_MB": round(4 * V * D / 1e6, 2),
    }


def main():
    rows = []
    print("      V   table MB   backward ms    MB    copy ms   one-hot ms    MB   encode ms    MB")
    for V, repetitions in SIZES.items():
        row = row_of(V, repetitions)
        rows.append(row)
        ms, mb = row["milliseconds"], row["MB"]
        product = "{:>13}{:>6}".format(*(at.get("one-hot product", "–") for at in (ms, mb)))
        print(
            f"{V:7}{row['table_MB']:11}{ms['backward']:14}{mb['backward']:6}{ms['copy']:11}"
            f"{product}{ms['encode']:12}{mb['encode']:6}",
            flush=True,
        )
    first, last = rows[0]["milliseconds"], rows[-1]["milliseconds"]
    ratios = {name: round(last[name] / first[name], 2) for name in ("backward", "copy", "encode")}
    print(f"\nV times {rows[-1]['V'] // rows[0]['V']}: milliseconds times", ratios)
    recipe = {
        "what": "gradient of an embedding, and ids of as many words",
        "ids": B * T,
        "D": D,
        "dtype": "float32",
        "milliseconds": "median CPU time of alternatives called in turn",
        "MB": "most memory allocated during one call",
        "repetitions": {str(V): n for V, n in SIZES.items()},
        "seed": 0,
    }
    record.write("vocabulary", recipe, {"rows": rows, "last_to_first": ratios})


if __name__ == "__main__":
    main()
