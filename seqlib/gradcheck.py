"""Central differences against any backward pass.

    (central-difference)   df/da ~ (f(a + e) - f(a - e)) / (2 e)

Its error is of order e^2 from the formula and of order 1e-16 / e from rounding: in float64 a step
near 1e-5 balances both.
"""

import numpy as np


def numerical_gradient(f, a, step=1e-5):
    """The gradient of a scalar function of one array, by central differences.

    f     function of an array shaped like a; returns a float
    a     any shape, float64; not changed
    step  e

    Returns an array shaped like a.  Raises ValueError if a is not float64: rounding would hide the
    gradient.
    """
    a = np.asarray(a)
    if a.dtype != np.float64:
        raise ValueError(f"a is {a.dtype}; differences of {step:g} need float64")
    gradient = np.empty(a.shape)
    for index in np.ndindex(a.shape):
        up, down = a.copy(), a.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (f(up) - f(down)) / (2 * step)  # (central-difference)
    return gradient


def relative_error(a, b):
    """The largest difference between two arrays, relative to their largest entry; 0 if both are 0.

    Raises ValueError if their shapes differ or an entry is not finite.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ValueError(f"shapes {a.shape} and {b.shape} differ")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError(
            f"{np.sum(~np.isfinite(a))} and {np.sum(~np.isfinite(b))} entries are not finite"
        )
    scale = max(np.abs(a).max(initial=0), np.abs(b).max(initial=0))
    return float(np.abs(a - b).max(initial=0) / scale) if scale else 0.0


def check(loss, arguments, gradients, step=1e-5):
    """Compare hand-written gradients with central differences, argument by argument.

    loss       function of the arguments by name; returns a float
    arguments  dict of arrays, float64; a dict of parameters may stand among them
    gradients  dict shaped like arguments (or part of it), as `backward` returned it

    Returns a dict from names ("x", "params.W_xh") to relative errors.
    """
    errors = {}
    for name, gradient in gradients.items():
        if isinstance(gradient, dict):
            inner = check(
                lambda name=name, **changed: loss(
                    **{**arguments, name: {**arguments[name], **changed}}
                ),
                arguments[name],
                gradient,
                step,
            )
            errors |= {f"{name}.{key}": error for key, error in inner.items()}
        else:
            numeric = numerical_gradient(
                lambda a, name=name: loss(**{**arguments, name: a}),
                arguments[name],
                step,
            )
            errors[name] = relative_error(gradient, numeric)
    return errors
