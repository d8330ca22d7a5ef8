"""What every recurrent module has in common, whether a Python module or a NamedTuple of choices.

    init(rng, D, H, dtype)                  -> params
    forward(params, x, state=None, mask=None) -> h, state_T, cache
    backward(dh, dstate_T, cache)           -> dx, dstate_0, grads
    step(params, x_t, state=None)           -> h_t, state          not if it reads backward

x is (B, T, D) and h (B, T, H), unless the module has width(H): then h has so many features.
Where the mask is False, state and output are carried through unchanged.  None stands for a state of
zeros, and in backward for a gradient that is zero, also inside a tuple.
B batch, T steps, D inputs, H hidden.
"""

import numpy as np

from seqlib.scratch.state import as_rows


def width(cell, H):
    """The features of a cell's output at each step: H, but for a cell that says otherwise."""
    return cell.width(H) if hasattr(cell, "width") else H


def carried(cell, params, D, state):
    """A step that is masked: the state as it is, and the output that a step gives that ends in it.

    D      features of a step
    state  a state with its arrays, (B, ...)

    Returns the output (B, 1, H), the state and a cache for `backward`.
    """
    first = as_rows(state)
    nothing, unread = np.zeros((len(first), 1, D), first.dtype), np.zeros((len(first), 1), bool)
    return cell.forward(params, nothing, state, unread)


def zero_state(cell, params, B, D, dtype):
    """The state that None means: zeros, built as the cell builds its states."""
    nothing, unread = np.zeros((B, 1, D), dtype), np.zeros((B, 1), bool)
    return cell.forward(params, nothing, None, unread)[1]


def drops(cell):
    """Whether a cell drops activations, itself or one inside it, and so takes an rng."""
    return bool(getattr(cell, "dropout", 0)) or (hasattr(cell, "cell") and drops(cell.cell))


def run(cell, params, x, state=None, mask=None, rng=None):
    """cell.forward, with the rng for those cells that take one."""
    if drops(cell):
        return cell.forward(params, x, state, mask, rng=rng)
    return cell.forward(params, x, state, mask)
