"""What a decoder is fed in training: the right words, its own, or some of each.

    (scheduled-sampling)   y_{t-1} = argmax p_{t-1}  with probability `own`, else the target t - 1

own = 0 is teacher forcing, own = 1 free running; between them, raised during the training, lies
scheduled sampling.  The choice of a word has no gradient.
Source: Bengio et al., Scheduled sampling for sequence prediction with recurrent neural networks,
2015, there with words drawn from p_{t-1}.  Formula: chapters/07_encoder_decoder.ipynb.
"""

import numpy as np

from seqlib.scratch import checks


def fed(model, params, batch, rng=None):
    """The batch with the inputs that the model is to be fed.

    model  has start(params, source, source_mask) and step
    batch  a text.TranslationBatch
    rng    np.random.Generator; not needed where batch.own is 0

    Returns a batch.  Its inputs are words that the model writes itself where own says so, given all
    words before; with them in place, one pass over all steps at once does what it would have done.
    Raises ValueError if own is not between 0 and 1, or more than 0 without an rng, or if a logit
    that chooses a word is NaN or +inf.
    """
    if not 0 <= batch.own <= 1:
        raise ValueError(f"own is {batch.own}; expected 0 to 1")
    if batch.own == 0:
        return batch
    if rng is None:
        raise ValueError(f"own is {batch.own}; a share above 0 needs an rng, which is None")
    inputs, (B, T) = batch.inputs.copy(), batch.inputs.shape
    state = model.start(params, batch.source, batch.source_mask)
    for t in range(T - 1):
        logits, state = model.step(params, inputs[:, t], state)
        own = (rng.random(B) < batch.own) & batch.mask[:, t + 1]
        checks.logits(f"the logits of step {t}", np.where(own[:, None], logits, 0))
        inputs[:, t + 1] = np.where(
            own, logits.argmax(-1), inputs[:, t + 1]
        )  # (scheduled-sampling)
    return batch._replace(inputs=inputs)
