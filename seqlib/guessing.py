"""Learning by guessing: draw all weights at random until the network solves the task.

Some tasks that gradient descent cannot solve have so many solutions that this finds one soon; they
say little about a learning algorithm.
Source: Hochreiter and Schmidhuber, Bridging long time lags by weight guessing and "long short term
memory", 1996.
"""

import math
from typing import NamedTuple

from seqlib.scratch import checks, rnn


class Found(NamedTuple):
    params: dict  # of the last guess
    guesses: int
    accuracy: float  # of the last guess
    solved: bool


def guess(rng, batch, H=1, bound=10.0, enough=0.99, limit=10_000):
    """Guess the weights of a tanh RNN until the sign of its last state tells the class of each row.

    All weights and biases are uniform in [-bound, bound].  The answer is 1 where the first unit is
    positive after the last step, else 0.

    batch   inputs (B, T, D), targets (B,) of 0 and 1 and mask (B, T), such as `tasks.latch` draws
    H       hidden units
    enough  accuracy at which the search ends
    limit   most guesses

    Returns Found(params, guesses, accuracy, solved).
    Raises ValueError if H, bound or limit is not positive, enough is not above 0 and at most 1, or
    the batch does not fit.

    >>> import numpy as np
    >>> from seqlib import tasks
    >>> rng = np.random.default_rng(0)
    >>> found = guess(rng, tasks.latch(rng, B=100, delay=500))
    >>> found.guesses, found.accuracy
    (3, 1.0)
    """
    checks.sizes(H=H, limit=limit)
    if not 0 < bound < math.inf or not 0 < enough <= 1:
        raise ValueError(
            f"bound is {bound}, enough is {enough}; expected bound > 0, 0 < enough <= 1"
        )
    x = checks.floats("inputs", batch.inputs)
    checks.shape("inputs", x, (None, None, None))
    real = ... if batch.mask is None else checks.boolean_mask(batch.mask, x.shape[:2])
    checks.finite("inputs", x[real])
    targets = checks.ids("targets", batch.targets, 2)
    checks.shape("targets", targets, x.shape[:1])
    shapes = {"W_xh": (H, x.shape[2]), "W_hh": (H, H), "b_h": (H,)}
    guesses, accuracy = 0, 0.0
    while accuracy < enough and guesses < limit:
        params = {k: rng.uniform(-bound, bound, s).astype(x.dtype) for k, s in shapes.items()}
        _, h_T, _ = rnn.forward(params, x, None, batch.mask)
        accuracy = float(((h_T[:, 0] > 0) == targets).mean())
        guesses += 1
    return Found(params, guesses, accuracy, accuracy >= enough)
