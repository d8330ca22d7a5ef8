"""How the Transformers read rows of ids: which positions may attend to which, and one id more.

B rows, T steps.
"""

import numpy as np

from seqlib.scratch import attention, checks


def real_steps(ids, mask):
    """The mask (B, T) of ids (B, T); all True for None."""
    shape = np.shape(ids)
    return np.ones(shape, bool) if mask is None else checks.boolean_mask(mask, shape)


def reading_mask(ids, mask):
    """(B, 1, 1, T), True where s is real: for an encoder, and for those who attend to it."""
    return attention.padding_mask(real_steps(ids, mask))


def writing_mask(ids, mask):
    """(B, 1, T, T), True where s is real and not behind t: for a decoder."""
    return reading_mask(ids, mask) & attention.causal_mask(np.shape(ids)[1])


def appended(written, ids):
    """Ids written so far (B, T), with one more (B,) to each row: (B, T + 1)."""
    ids = np.asarray(ids)
    checks.shape("ids", ids, (len(written),))
    return np.concatenate([written, ids[:, None]], axis=1)


def no_start(state):
    """Raises ValueError if a state is given: a Transformer reads a row from its beginning."""
    if state is not None:
        raise ValueError("state is given; a Transformer reads rows from their beginning: None")
