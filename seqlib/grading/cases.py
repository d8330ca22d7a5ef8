"""What many cases need: unequal sizes, and a look at gradients of any size.

A gradient is right if its product with a random direction is the derivative of the loss along that
direction; a wrong one differs there with probability 1.  The derivative comes from a step in the
imaginary direction, so it has no rounding error, and costs one loss, however many entries there
are.
"""

import numpy as np

from seqlib.grading import Wrong, ensure, same

STEP = 1e-30


def unequal(rng, number, least=2):
    """Two lists of sizes: no size twice in a list, and each place has another size in the second.

    number  of sizes in a list, 2 or more
    least   of all sizes
    """
    sizes = [int(n) for n in least + rng.permutation(number + 1)[:number]]
    return sizes, sizes[1:] + sizes[:1]


def same_gradients(found, loss, at, rng, *, where=None, suspects=None):
    """Passes if the gradients of a loss are right.

    found     of the answer: a dict with an array for each name of at
    loss      function of a dict like at, which may hold complex numbers; returns a number
    at        dict of arrays: where the gradients are taken
    rng       draws the directions, after the answer has been given
    where     dict of name: slice, if only a part of an array is looked at
    suspects  dict of hint: the loss whose gradients an answer with a known mistake gives

    Raises Wrong.
    """
    ensure(isinstance(found, dict), "what came back is no dict")
    directions, products = {}, {}
    for name, a in at.items():
        ensure(name in found, f"no key {name!r} in what came back")
        value = np.asarray(found[name])
        ensure(value.dtype.kind in "biuf", f"gradient of {name}: no array of numbers")
        ensure(
            value.shape == a.shape,
            f"gradient of {name}: shape {value.shape}; expected {a.shape}",
        )
        direction, part = np.zeros(a.shape), (where or {}).get(name, ...)
        direction[part] = rng.standard_normal(a.shape)[part]
        direction /= np.linalg.norm(direction)
        size = max(1.0, abs(float(product(value, direction))))  # so that no name hides another
        directions[name] = direction / (size if np.isfinite(size) else 1.0)
        products[name] = product(value, directions[name])

    def slopes(loss):
        return {name: along(loss, at, {name: d}) for name, d in directions.items()}

    total = sum(products.values())
    try:  # all at once; if that is wrong, name by name
        same("gradients along a random direction", total, along(loss, at, directions))
    except Wrong:
        same(
            "gradient along a random direction",
            products,
            slopes(loss),
            suspects={hint: slopes(other) for hint, other in (suspects or {}).items()},
        )


def along(loss, at, directions):
    """The derivative of a loss if each named array moves in its direction."""
    moved = {name: at[name] + 1j * STEP * d for name, d in directions.items()}
    return float(np.imag(loss({**at, **moved})) / STEP)


def product(value, direction):
    """The sum of value * direction; of float32 if value is."""
    single = value.dtype.kind == "f" and value.dtype.itemsize < 8
    return np.sum(value * direction).astype(value.dtype if single else float)
