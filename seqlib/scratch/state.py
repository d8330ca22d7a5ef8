"""The state of a recurrent module: an array whose first axis is the batch, or a tuple of states.

The RNN and the GRU have h (B, H), the LSTM the pair (h, c), a stack a tuple of its layers' states.
None stands for zeros.
"""

import numpy as np


def map_state(f, *states):
    """A function applied to every array of a state.

    f       function of as many arrays as there are states
    states  states of one structure

    Returns a state of that structure.  None stays None.
    Raises ValueError if the structures differ.
    """
    kinds = [len(s) if isinstance(s, tuple) else s is None for s in states]
    if len({(type(kind), kind) for kind in kinds}) > 1:
        raise ValueError(f"the states differ: {' and '.join(map(describe, states))}")
    if isinstance(states[0], tuple):
        return tuple(map_state(f, *parts) for parts in zip(*states, strict=True))
    return None if states[0] is None else f(*states)


def split_state(name, state, count):
    """The parts of a state that is a tuple of `count` states; so many times None for None.

    Raises ValueError if the state is no tuple or has another length.
    """
    if state is None:
        return (None,) * count
    if not isinstance(state, tuple) or len(state) != count:
        raise ValueError(f"{name} is {describe(state)}; expected a tuple of {count} states")
    return state


def as_rows(state):
    """A state as one array (B, S), its parts side by side."""
    parts = []
    map_state(lambda a: parts.append(a.reshape(len(a), -1)), state)
    return np.concatenate(parts, axis=1)


def like(state, rows):
    """The inverse of `as_rows`: rows (B, S) as a state that is built as `state`, of any batch."""
    start = 0

    def part(a):
        nonlocal start
        stop = start + a[0].size
        taken = rows[:, start:stop].reshape(len(rows), *a.shape[1:])
        start = stop
        return taken

    return map_state(part, state)


def describe(state):
    if state is None:
        return "None"
    if isinstance(state, tuple):
        return f"a tuple of {len(state)} states"
    return f"an array of shape {tuple(state.shape)}" if hasattr(state, "shape") else repr(state)
