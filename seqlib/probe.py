"""A linear probe: what can be read from a vector by one affine map.

A probe that answers well shows that something is in the vector, not that the model uses it; compare
it with a probe of an untrained model, and score it on vectors it has not seen.
"""

import numpy as np

from seqlib import optim
from seqlib.scratch import checks, linear, losses, ops


def fit(x, labels, classes, *, updates=300, learning_rate=0.05, decay=1e-3):
    """An affine map from vectors to classes, by logistic regression.

    x              (N, H)  the vectors, float64
    labels         (N,)    integers, 0 to classes - 1
    updates        of Adam on all rows together, from zeros: no randomness
    decay          of the weights: decay ||W||^2 / 2 is added to the mean cross-entropy

    Returns {"W": (classes, H), "b": (classes,)} for `linear.forward`; each feature counts in units
    of its own standard deviation while the probe is fitted.
    Raises ValueError if a shape does not fit, a label is out of range, or x is not finite.
    """
    x = np.asarray(x, np.float64)
    checks.shape("x", x, (None, None))
    checks.sizes(N=len(x), classes=classes, updates=updates)
    checks.finite("x", x)
    mean = x.mean(axis=0)
    scale = ops.norm(x - mean, axis=0) / len(x) ** 0.5
    checks.finite("the standard deviation of x", scale)
    scale = np.where(scale > 0, scale, 1)
    unit = (x - mean) / scale
    params = {"W": np.zeros((classes, x.shape[1])), "b": np.zeros(classes)}
    update, memory = optim.adam(learning_rate), None
    for _ in range(updates):
        logits, read = linear.forward(params, unit)
        _, scored = losses.cross_entropy_forward(logits, labels)
        _, grads = linear.backward(losses.cross_entropy_backward(scored), read)
        grads["W"] += decay * params["W"]
        params, memory = update(params, grads, memory)
    W = params["W"] / scale
    return {"W": W, "b": params["b"] - W @ mean}


def accuracy(params, x, labels):
    """The share of vectors x (N, H) whose label (N,) the probe names.

    Raises ValueError if a shape does not fit, a label is no integer, or a logit is not finite.
    """
    x = np.asarray(x, np.float64)
    checks.shape("x", x, (None, None))
    logits, _ = linear.forward(params, x)
    checks.finite("logits", logits)
    labels = checks.ids("labels", np.asarray(labels) + 0, logits.shape[1])  # booleans are 0 and 1
    checks.shape("labels", labels, (len(x),))
    checks.sizes(N=len(x))
    return float((logits.argmax(axis=-1) == labels).mean())
