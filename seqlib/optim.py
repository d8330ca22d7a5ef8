"""Optimisers.  Each gives update(params, grads, memory) -> (params, memory).

The first memory is None.  A learning rate is a number, or a schedule: a function of k, the number
of the update, from 1 on.

    (sgd)        w <- w - eta g
    (momentum)   v <- mu v + g,   w <- w - eta v
    (adam)       m <- b1 m + (1 - b1) g,   s <- b2 s + (1 - b2) g^2,
                 w <- w - eta (m / (1 - b1^k)) / (sqrt(s / (1 - b2^k)) + eps)      at update k
    (clip-norm)  g <- g min(1, limit / ||g||)

Sources: Kingma and Ba, Adam, 2015; Pascanu, Mikolov and Bengio, On the difficulty of training
recurrent neural networks, 2013 (clipping by norm).
eta is the learning rate of update k.
An update raises ValueError if a parameter, or what is remembered of its gradient, is not finite.
"""

import math

import numpy as np

from seqlib.scratch import checks, ops


def sgd(learning_rate):
    """Plain gradient descent."""
    eta = schedule(learning_rate)

    def update(params, grads, memory=None):
        k = (memory or 0) + 1
        rate = eta(k)
        new = {name: w - rate * grads[name] for name, w in params.items()}  # (sgd)
        return finite("a new", new), k

    return update


def momentum(learning_rate, mu=0.9):
    """Gradient descent with a running sum of gradients that fades by mu a step."""
    eta = schedule(learning_rate)
    fraction("mu", mu)

    def update(params, grads, memory=None):
        k, v = memory or (0, None)
        k += 1
        rate = eta(k)
        v = {name: grads[name] + (mu * v[name] if v else 0) for name in params}
        new = {name: w - rate * v[name] for name, w in params.items()}  # (momentum)
        return finite("a new", new), (k, v)

    return update


def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    """Adam: steps of about the learning rate, whatever the scale of a parameter's gradient."""
    eta = schedule(learning_rate)
    positive("eps", eps)
    fraction("b1", b1)
    fraction("b2", b2)

    def update(params, grads, memory=None):
        k, m, s = memory or (0, dict.fromkeys(params, 0.0), dict.fromkeys(params, 0.0))
        k += 1
        rate = eta(k)
        m = {name: b1 * m[name] + (1 - b1) * g for name, g in grads.items()}
        s = {name: b2 * s[name] + (1 - b2) * g * g for name, g in grads.items()}
        finite("the mean square of the gradient of", s)
        scale = {name: np.sqrt(s[name] / (1 - b2**k)) + eps for name in grads}
        new = {name: w - rate * (m[name] / (1 - b1**k)) / scale[name] for name, w in params.items()}
        return finite("a new", new), (k, m, s)  # (adam)

    return update


def warm_up(learning_rate, steps):
    """A schedule that rises in a straight line and then stays: learning_rate min(k / steps, 1)."""
    positive("learning_rate", learning_rate)
    checks.sizes(steps=steps)
    return lambda k: learning_rate * min(k / steps, 1)


def warm_up_then_decay(learning_rate, steps):
    """A schedule that rises in a straight line and then falls as one over the root of k.

    learning_rate min(k / steps, sqrt(steps / k)): learning_rate is the greatest, at k = steps.
    Source: Vaswani et al., Attention is all you need, 2017, equation 3, where the greatest is
    1 / sqrt(width steps).
    """
    positive("learning_rate", learning_rate)
    checks.sizes(steps=steps)
    return lambda k: learning_rate * min(k / steps, math.sqrt(steps / k))


def schedule(learning_rate):
    """A learning rate as a function of k; a ValueError if it is not positive."""
    if not callable(learning_rate):
        positive("learning_rate", learning_rate)
        return lambda k: float(learning_rate)

    def checked(k):
        rate = float(learning_rate(k))  # a NumPy scalar would turn float32 into float64
        if not 0 <= rate < math.inf:
            raise ValueError(f"the learning rate at update {k} is {rate}; expected at least 0")
        return rate

    return checked


def global_norm(grads):
    """The Euclidean norm of all gradients together; not finite if one of them is not."""
    with np.errstate(over="ignore", under="ignore"):
        squares = np.array([np.vdot(g, g) for g in grads.values()])
    least = np.finfo(squares.dtype).tiny / np.finfo(squares.dtype).eps
    if least < squares.sum() < math.inf:
        return float(np.sqrt(sum(squares)))
    # a square overflowed or vanished
    return float(ops.norm(np.array([ops.norm(g) for g in grads.values()], np.float64)))


def clip_by_norm(grads, limit):
    """Scale all gradients together so that their norm is at most `limit`; the direction stays.

    Returns the gradients and their norm before.  Raises ValueError if a gradient is not finite, or
    the norm is too large for a float.
    """
    checked_limit(limit)
    norm = global_norm(grads)
    if not math.isfinite(norm):
        finite("the gradient of", grads)
        raise ValueError(f"the norm of the gradients is {norm}; expected a number that is finite")
    scale = min(1.0, limit / norm) if norm else 1.0
    return {name: times(g, scale) for name, g in grads.items()}, norm  # (clip-norm)


def times(g, scale):
    """A gradient times a number that may be too small for its dtype."""
    if scale < np.finfo(g.dtype).tiny:
        return (g.astype(np.float64) * scale).astype(g.dtype)
    return g * g.dtype.type(scale)


def clip_by_value(grads, limit):
    """Cut every entry to [-limit, limit]; the direction changes.

    Raises ValueError if a gradient is not finite.
    """
    checked_limit(limit)
    finite("the gradient of", grads)
    return {k: np.clip(g, -limit, limit) for k, g in grads.items()}


def finite(what, arrays):
    """The arrays, by name; a ValueError that says what and names one that is not finite."""
    for name, a in arrays.items():
        checks.finite(f"{what} {name}", a)
    return arrays


def checked_limit(limit):
    if not limit > 0:
        raise ValueError(f"limit is {limit}; expected more than 0 (inf does not clip)")


def positive(name, value):
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is {value}; expected more than 0, and finite")


def fraction(name, value):
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}; expected at least 0 and less than 1")
