"""What the gated cells share: one tanh for all gates, gates that are held, states of two parts.

A gate is scale * tanh(scale * a) + shift.  With 1/2 and 1/2 this is the sigmoid, with 1 and 0 the
tanh itself, with 0 and a number a gate that is held at this number.  So one tanh computes all gates
of a step, and the loop over the steps asks for no choice.  B batch, T steps, H hidden.
"""

import numpy as np

from seqlib.scratch import checks
from seqlib.scratch.rnn import initial_state, upstream
from seqlib.scratch.state import split_state

SIGMOID, TANH = (0.5, 0.5), (1.0, 0.0)  # scale, shift


def held(gates, hold):
    """The scale and the shift of every gate, by name.

    gates  dict from a gate's name to SIGMOID or TANH
    hold   dict from a gate's name to the number at which it is held; None holds none

    Raises ValueError if hold names a gate that is not in gates.
    """
    hold = hold or {}
    for name in hold:
        if name not in gates:
            raise ValueError(f"hold names {name!r}; the gates are {', '.join(gates)}")
    return {name: (0.0, float(hold[name])) if name in hold else gates[name] for name in gates}


def gate(pair, a):
    """A gate's value, given its scale and shift."""
    scale, shift = pair
    return scale * np.tanh(scale * a) + shift


def scale_and_shift(gates, B, H, dtype):
    """The scales and the shifts of all gates, for each unit and each row: twice (B, gates * H)."""
    scale, shift = np.repeat(np.array(list(gates.values()), dtype).T, H, axis=1)
    return np.tile(scale, (B, 1)), np.tile(shift, (B, 1))


def zero_held(da, gates, hold):
    """Set to 0, in place, the gradient of a held gate; da is (T, B, number of gates, H)."""
    for name in hold:
        da[:, :, list(gates).index(name)] = 0


def initial_pair(state, B, H, dtype):
    """The pair (h_0, c_0) to start from, each (B, H); zeros for None."""
    h_0, c_0 = split_state("state", state, 2)
    return initial_state(h_0, B, H, dtype), initial_state(c_0, B, H, dtype)


def upstream_pair(dh, dstate_T, T, B, H, dtype):
    """dh time-major, (T, B, H), and copies of dh_T and dc_T, (B, H), to add to; zeros for None."""
    dh_T, dc_T = split_state("dstate_T", dstate_T, 2)
    dh, dh_T = upstream(dh, dh_T, T, B, H, dtype)
    dc_T = np.zeros((B, H), dtype) if dc_T is None else np.array(dc_T, dtype)
    checks.shape("dc_T", dc_T, (B, H))
    return dh, dh_T, dc_T
