"""Scaled dot-product attention in PyTorch.

    (attention-scores)    e_ts = q_t . k_s / sqrt(K) + bias_ts

The mirror of `seqlib.scratch.attention`; the rest of it is in `seqlib.pytorch.pooling`.
Formula: chapters/09_self_attention.ipynb.
"""

from seqlib.pytorch.pooling import pool


def attention(q, k, v, mask=None, bias=None):
    """q (..., T, K), k (..., S, K), v (..., S, Kv); mask and bias broadcast to (..., T, S).

    The mask is boolean, True where attending is allowed.  Returns y (..., T, Kv).
    """
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5  # (attention-scores)
    if bias is not None:
        scores = scores + bias  # (attention-scores)
    return pool(scores, v, mask)
