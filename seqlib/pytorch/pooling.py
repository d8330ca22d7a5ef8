"""Attention pooling in PyTorch: scores become weights, and the values are averaged under them.

    (attention-weights)   alpha_ts = exp(e_ts) / sum_s' exp(e_ts'), over the allowed s'
    (attention-output)    y_t = sum_s alpha_ts v_s

The mirror of `seqlib.scratch.pooling`.  Formulas: chapters/08_attention.ipynb.
"""

import torch


def pool(scores, v, mask=None):
    """scores (..., T, S), v (..., S, Kv), mask boolean, broadcasts to the scores, or None.

    Returns y (..., T, Kv).
    """
    if mask is not None:  # a row of -inf alone would be NaN: the least finite number, then zeros
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = scores.softmax(dim=-1)  # (attention-weights)
    if mask is not None:
        weights = weights.masked_fill(~mask, 0)
    return weights @ v  # (attention-output)
