"""Optimisers.  Each gives update(params, grads, memory) -> (params, memory).

The first memory is None.

    (sgd)        w <- w - eta g
    (momentum)   v <- mu v + g,   w <- w - eta v
    (adam)       m <- b1 m + (1 - b1) g,   s <- b2 s + (1 - b2) g^2,
                 w <- w - eta (m / (1 - b1^k)) / (sqrt(s / (1 - b2^k)) + eps)      at update k
    (clip-norm)  g <- g min(1, limit / ||g||)

Sources: Kingma and Ba, Adam, 2015; Pascanu, Mikolov and Bengio, On the difficulty of training
recurrent neural networks, 2013 (clipping by norm).
"""

import numpy as np


def sgd(learning_rate):
    """Plain gradient descent."""
    positive("learning_rate", learning_rate)

    def update(params, grads, memory=None):
        return {k: w - learning_rate * grads[k] for k, w in params.items()}, memory  # (sgd)

    return update


def momentum(learning_rate, mu=0.9):
    """Gradient descent with a running sum of gradients that fades by mu a step."""
    positive("learning_rate", learning_rate)
    fraction("mu", mu)

    def update(params, grads, memory=None):
        v = {k: grads[k] + (mu * memory[k] if memory else 0) for k in params}
        return {k: w - learning_rate * v[k] for k, w in params.items()}, v  # (momentum)

    return update


def adam(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    """Adam: steps of about the learning rate, whatever the scale of a parameter's gradient."""
    positive("learning_rate", learning_rate)
    fraction("b1", b1)
    fraction("b2", b2)

    def update(params, grads, memory=None):
        k, m, s = memory or (0, dict.fromkeys(params, 0.0), dict.fromkeys(params, 0.0))
        k += 1
        m = {name: b1 * m[name] + (1 - b1) * g for name, g in grads.items()}
        s = {name: b2 * s[name] + (1 - b2) * g * g for name, g in grads.items()}
        scale = {name: np.sqrt(s[name] / (1 - b2**k)) + eps for name in grads}
        new = {
            name: w - learning_rate * (m[name] / (1 - b1**k)) / scale[name]
            for name, w in params.items()
        }
        return new, (k, m, s)  # (adam)

    return update


def global_norm(grads):
    """The Euclidean norm of all gradients together."""
    return float(np.sqrt(sum(np.vdot(g, g).real for g in grads.values())))


def clip_by_norm(grads, limit):
    """Scale all gradients together so that their norm is at most `limit`; the direction stays.

    Returns the gradients and their norm before.
    """
    positive("limit", limit)
    norm = global_norm(grads)
    scale = min(1.0, limit / norm) if norm else 1.0
    return {k: g * g.dtype.type(scale) for k, g in grads.items()}, norm  # (clip-norm)


def clip_by_value(grads, limit):
    """Cut every entry to [-limit, limit]; the direction changes."""
    positive("limit", limit)
    return {k: np.clip(g, -limit, limit) for k, g in grads.items()}


def positive(name, value):
    if not value > 0:
        raise ValueError(f"{name} is {value}; expected more than 0")


def fraction(name, value):
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}; expected at least 0 and less than 1")
