"""Training: one generator that yields a record per step.  It prints nothing and plots nothing."""

import math
from typing import Any, NamedTuple

from seqlib import optim


class Record(NamedTuple):
    step: int  # from 1
    loss: float  # of this batch, before the update
    gradient_norm: float  # before clipping
    params: dict  # after the update
    state: Any  # after the batch's last step


def train(model, params, batches, update, *, clip=None, carry_state=False, rng=None):
    """Train a model on batches, one update per batch.

    model        has loss_and_grads(params, batch, state, rng)
    params       the parameters to start from; not changed
    batches      an iterable; the training ends with it
    update       from `optim`
    clip         largest norm of the gradient; None leaves it as it is
    carry_state  start each batch from the state where the last one ended, unless it is marked as
                 the first: `text.chunks` marks where a text begins, batches without a mark go on
    rng          for models with randomness of their own

    Yields a Record per step.  Raises ValueError if the loss or the gradient is not finite.
    """
    memory = state = None
    for step, batch in enumerate(batches, 1):
        start = state if carry_state and not getattr(batch, "first", False) else None
        loss, grads, state = model.loss_and_grads(params, batch, start, rng)
        norm = optim.global_norm(grads)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise ValueError(f"at step {step} the loss is {loss} and the gradient's norm {norm}")
        if clip is not None:
            grads, _ = optim.clip_by_norm(grads, clip)
        params, memory = update(params, grads, memory)
        yield Record(step, loss, norm, params, state)
