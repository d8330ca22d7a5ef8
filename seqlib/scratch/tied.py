"""The two ends of a model: ids to vectors, and vectors to logits; tied, with one table for both.

    (scaled-embedding)   x_t = sqrt(D) W^T u_t       u_t one-hot: the row of W that the id names
    (tied-readout)       logits_t = W y_t + b        not tied, with another table in place of W

The entries of W are drawn with variance 1 / D: the features of x_t then have variance 1, about as
large as those of positions and of norms, and a logit has it where the features of y_t do.
Sources: Press and Wolf, Using the output embedding to improve language models, 2017; Vaswani et
al., Attention is all you need, 2017, section 3.4, where one table serves both languages too.
Formulas: chapters/10_transformer.ipynb.
B batch, T steps, V symbols, D features.
"""

import numpy as np

from seqlib.scratch import checks, embedding, linear
from seqlib.scratch.params import prefixed


def table(rng, V, D, dtype=np.float64):
    """Normal entries of standard deviation 1 / sqrt(D).  Returns {"W": (V, D)}."""
    return {"W": embedding.init(rng, V, D, dtype)["W"] * np.dtype(dtype).type(D**-0.5)}


def init(rng, name, V, D, tied, dtype=np.float64):
    """Parameters: NAME.W (V, D) and "readout.b" (V,); if not tied, "readout.W" (V, D) too."""
    readout = linear.init(rng, D, V, dtype)
    return {
        **prefixed(name, table(rng, V, D, dtype)),
        **({} if tied else {"readout.W": readout["W"]}),
        "readout.b": np.zeros(V, dtype),
    }


def names(name, tied):
    """The keys of `init`."""
    return f"{name}.W", "readout.b", *([] if tied else ["readout.W"])


def embed_forward(params, name, ids):
    """The vectors (B, T, D) of ids (B, T), from the table NAME.W, and a cache."""
    ids, W = np.asarray(ids), params[f"{name}.W"]
    checks.shape("ids", ids, (None, None))
    x, cache = embedding.forward({"W": W}, ids)
    return x * W.dtype.type(W.shape[1] ** 0.5), cache  # (scaled-embedding)


def embed_backward(dx, cache):
    """The gradient of the table, {"W": (V, D)}."""
    scale = dx.dtype.type(dx.shape[-1] ** 0.5)
    return embedding.backward(dx * scale, cache)  # (scaled-embedding)


def readout_forward(params, name, y):
    """The logits (..., V) of y (..., D), from the table NAME.W unless there is one of its own."""
    W = params.get("readout.W", params[f"{name}.W"])
    return linear.forward({"W": W, "b": params["readout.b"]}, y)  # (tied-readout)


def readout_backward(dlogits, cache):
    """Returns dy (..., D) and grads of the table that was read out with and of its bias."""
    return linear.backward(dlogits, cache)  # (tied-readout)


def together(name, tied, seen, read):
    """The gradients of both ends under the names of `init`.

    seen, read  what `embed_backward` gave, and `readout_backward`
    """
    if tied:  # one table, stored once and used twice: the gradients of its two uses add
        return {f"{name}.W": seen["W"] + read["W"], "readout.b": read["b"]}
    return {f"{name}.W": seen["W"], **prefixed("readout", read)}
