"""Losses: one number for a batch, the mean over its unmasked places, and its gradient.

    (cross-entropy)     L = -mean log p_t[y_t],   p_t = softmax(logits_t)          in nats
    (squared-error)     L = mean ||y_t - target_t||^2 / D
    (label-smoothing)   L = -mean sum_k q_k log p_t[k],   q = (1 - eps) one_hot(y_t) + eps / V

The eps of label smoothing is shared by all V classes, the target too, as in the paper and in torch;
others share it among the V - 1 wrong ones.  Source: Szegedy et al., Rethinking the Inception
architecture, 2016.
Formulas: chapters/01_sequences.ipynb and 10_transformer.ipynb.  V classes, D outputs per place.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks, ops


class CrossEntropyCache(NamedTuple):
    p: np.ndarray  # the probabilities
    targets: np.ndarray
    weights: np.ndarray  # 1 / number of real places, 0 at the others


class SmoothedCache(NamedTuple):
    p: np.ndarray
    q: np.ndarray  # the smoothed targets, (..., V)
    weights: np.ndarray


class SquaredErrorCache(NamedTuple):
    error: np.ndarray
    weights: np.ndarray


def cross_entropy_forward(logits, targets, mask=None):
    """Mean cross-entropy of the targets, in nats per real place.

    logits   (..., V)  unnormalized log-probabilities
    targets  (...)     integers, 0 to V - 1
    mask     (...)     boolean, False where a place does not count (its target is ignored); None
             counts all

    Returns the loss, a float, and a cache.
    -inf forbids a symbol; the loss is inf where that is the target.
    Raises ValueError on shapes that do not fit, a target out of range, no real place, or a real one
    whose logits hold NaN or +inf, or nothing but -inf.
    """
    logits = checks.floats("logits", logits)
    targets = np.asarray(targets)
    checks.shape("targets", targets, logits.shape[:-1])
    weights = place_weights(mask, targets.shape, logits.dtype)
    targets = checks.ids("targets", np.where(weights > 0, targets, 0), logits.shape[-1])
    if mask is not None:
        logits = np.where(weights[..., None] > 0, logits, 0)  # padding may hold anything
    checks.logits("logits", logits)
    log_p = ops.log_softmax(logits)
    picked = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    loss = -float((picked * weights).sum())  # (cross-entropy)
    return loss, CrossEntropyCache(np.exp(log_p), targets, weights)


def cross_entropy_backward(cache):
    """The gradient with respect to the logits, (..., V): probabilities less the one-hot target."""
    dlogits = cache.p.copy()
    picked = np.take_along_axis(dlogits, cache.targets[..., None], axis=-1)
    np.put_along_axis(dlogits, cache.targets[..., None], picked - 1, axis=-1)
    return dlogits * cache.weights[..., None]  # (cross-entropy)


def smoothed_cross_entropy_forward(logits, targets, mask=None, *, eps):
    """Mean cross-entropy of smoothed targets, in nats per real place.

    logits, targets, mask  those of `cross_entropy_forward`
    eps                    share of a target that all V classes divide, at least 0 and less than 1

    With eps above 0 every symbol is a target in part: one that -inf forbids makes the loss inf.

    Returns the loss, a float, and a cache.  Raises ValueError as `cross_entropy_forward` does, and
    if eps is out of range.
    """
    if not 0 <= eps < 1:
        raise ValueError(f"eps is {eps}; expected at least 0 and less than 1")
    _, (p, targets, weights) = cross_entropy_forward(logits, targets, mask)
    logits = np.asarray(logits)
    V = logits.shape[-1]
    q = np.full(p.shape, eps / V, p.dtype)
    np.put_along_axis(q, targets[..., None], 1 - eps + eps / V, axis=-1)
    if mask is not None:
        logits = np.where(weights[..., None] > 0, logits, 0)
    log_p = np.where(q > 0, ops.log_softmax(logits), 0)  # 0 log 0 is 0
    loss = -float(((q * log_p).sum(axis=-1) * weights).sum())  # (label-smoothing)
    return loss, SmoothedCache(p, q, weights)


def smoothed_cross_entropy_backward(cache):
    """The gradient with respect to the logits, (..., V): probabilities less smoothed targets."""
    return (cache.p - cache.q) * cache.weights[..., None]  # (label-smoothing)


def squared_error_forward(y, targets, mask=None):
    """Mean squared error over the outputs of the real places.

    y        (..., D)
    targets  (..., D)
    mask     (...)     boolean, False where a place does not count; None counts all

    Returns the loss, a float, and a cache.
    Raises ValueError on shapes that do not fit, no real place, or a real one whose error is not
    finite or so large that its square is not.
    """
    y = checks.floats("y", y)
    targets = np.asarray(targets, dtype=y.dtype)
    checks.shape("targets", targets, y.shape)
    weights = place_weights(mask, y.shape[:-1], y.dtype) / y.shape[-1]
    if mask is not None:
        real = weights[..., None] > 0
        y, targets = np.where(real, y, 0), np.where(real, targets, 0)  # padding may hold anything
    with np.errstate(over="ignore", invalid="ignore"):
        error = y - targets
        wide = error.astype(np.float64)  # float32 may not hold the squares
        loss = float((wide**2 * weights[..., None]).sum())  # (squared-error)
        checks.finite("y - targets", error)
        checks.finite("(y - targets)^2", wide**2)
    return loss, SquaredErrorCache(error, weights)


def squared_error_backward(cache):
    """The gradient of the loss with respect to y, (..., D)."""
    return 2 * cache.error * cache.weights[..., None]  # (squared-error)


def place_weights(mask, shape, dtype):
    """What each place counts for in a mean: 1 / number of real places, 0 where masked."""
    mask = np.ones(shape, dtype=bool) if mask is None else checks.boolean_mask(mask, shape)
    if not mask.any():
        raise ValueError(f"none of the {mask.size} places is real; a mean needs at least 1")
    return mask.astype(dtype) / dtype.type(mask.sum())
