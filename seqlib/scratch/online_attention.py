"""Scaled dot-product attention whose memory grows with T, not with T^2.

    (attention-scores)   e_ts = q_t . k_s / sqrt(K) + bias_ts

are computed block by block.  A row's maximum m_t, its sum Z_t and its output y_t, which begin at
-inf, 0 and 0, go from block to block, s over the allowed positions of the block:

    (online-max)      m_t' = max(m_t, max_s e_ts)
    (online-sum)      Z_t' = exp(m_t - m_t') Z_t + sum_s exp(e_ts - m_t')
    (online-output)   y_t' = exp(m_t - m_t') y_t + sum_s exp(e_ts - m_t') v_s

After the last block y_t / Z_t is the output of `attention`, but for rounding.  The backward pass
computes the scores again and has the weights at once, since it knows L_t:

    (online-weights)   alpha_ts = exp(e_ts - L_t),   L_t = m_t + log Z_t

Sources: Milakov and Gimelshein, Online normalizer calculation for softmax, 2018; Dao et al.,
FlashAttention, 2022.  Formulas: chapters/09_self_attention.ipynb.
T queries, S positions to attend to, K features of a query and of a key, Kv of a value.
"""

from typing import NamedTuple

import numpy as np

from seqlib.scratch import attention, checks


class Allowed(NamedTuple):
    """What counts among the scores, and what is added to them."""

    mask: np.ndarray | None  # views (..., T, S)
    bias: np.ndarray | None
    causal: bool


class Cache(NamedTuple):
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    y: np.ndarray
    L: np.ndarray  # (..., T, 1)
    allowed: Allowed
    block: int


def forward(q, k, v, mask=None, bias=None, *, causal=False, block=256):
    """The same as `attention.forward`, without keeping the weights.

    q, k, v, mask, bias  those of `attention.forward`
    causal               allows s <= t alone, without an array (T, S)
    block                rows and columns of a block

    Returns y (..., T, Kv) and a cache.
    Raises ValueError as `attention.forward` does, and if block is less than 1.
    """
    checks.sizes(block=block)
    q, k, v, mask, bias = attention.checked(q, k, v, mask, bias)
    *axes, T, _ = q.shape
    y, L = np.empty((*axes, T, v.shape[-1]), q.dtype), np.empty((*axes, T, 1), q.dtype)
    cache = Cache(q, k, v, y, L, Allowed(mask, bias, causal), block)
    for part, rows, of_block in row_blocks(cache):
        q_rows, y_rows = scaled(cut(q, part, rows)), cut(y, part, rows)
        y_rows[...] = 0
        m, Z = np.full_like(y_rows[..., :1], -np.inf), np.zeros_like(y_rows[..., :1])
        for columns in of_block:
            e = scores(q_rows, k, cache.allowed, part, rows, columns)
            if e is not None:
                m, Z = absorb(e, cut(v, part, columns), m, Z, y_rows)
        np.maximum(Z, 1, out=Z)  # 0 where nothing is allowed, 1 or more in any other row
        y_rows /= Z
        cut(L, part, rows)[...] = np.where(m == -np.inf, 0, m) + np.log(Z)
    return y.copy(), cache


def backward(dy, cache):
    """Gradients of the three inputs, block by block.

    dy  (..., T, Kv)

    Returns dq (..., T, K), dk (..., S, K) and dv (..., S, Kv).
    """
    q, k, v, y, L, allowed, _ = cache
    dy = np.asarray(dy)
    checks.shape("dy", dy, y.shape)
    dq, dk, dv = (np.zeros(a.shape, q.dtype) for a in (q, k, v))
    for part, rows, of_block in row_blocks(cache):
        q_rows, dy_rows = scaled(cut(q, part, rows)), cut(dy, part, rows)
        L_rows, dq_rows = cut(L, part, rows), cut(dq, part, rows)
        mean = np.vecdot(dy_rows, cut(y, part, rows))[..., None]  # of dweights under the weights
        for columns in of_block:
            e = scores(q_rows, k, allowed, part, rows, columns)
            if e is None:
                continue
            alpha = weights(e, L_rows)
            cut(dv, part, columns)[...] += alpha.swapaxes(-1, -2) @ dy_rows  # (online-output)
            dscores = dy_rows @ cut(v, part, columns).swapaxes(-1, -2)
            dscores -= mean
            dscores *= alpha
            dq_rows += dscores @ cut(k, part, columns)  # (attention-scores)
            cut(dk, part, columns)[...] += dscores.swapaxes(-1, -2) @ q_rows  # (attention-scores)
        dq_rows *= q.dtype.type(q.shape[-1] ** -0.5)
    return dq, dk, dv


def row_blocks(cache):
    """For each block of rows: its part of the leading axes, the rows, and its blocks of columns."""
    *axes, T, _ = cache.q.shape
    S, block = cache.k.shape[-2], cache.block
    columns = [slice(j, min(j + block, S)) for j in range(0, S, block)]
    for part in attention.parts(axes, min(block, T) * min(block, S)):
        for i in range(0, T, block):
            yield part, slice(i, min(i + block, T)), columns


def cut(a, part, positions):
    """A view of some positions of (..., T, K), in a part of the leading axes."""
    return a[part][..., positions, :]


def scaled(q):
    return q * q.dtype.type(q.shape[-1] ** -0.5)


def scores(q_rows, k, allowed, part, rows, columns):
    """The scores of one block, -inf where they do not count; None where none of them does."""
    mask = None if allowed.mask is None else cut(allowed.mask, part, rows)[..., columns]
    if allowed.causal and columns.stop - 1 > rows.start:
        s, t = np.ogrid[columns], np.ogrid[rows]
        mask = s <= t[:, None] if mask is None else mask & (s <= t[:, None])
    if mask is not None and not mask.any():
        return None
    e = q_rows @ cut(k, part, columns).swapaxes(-1, -2)
    if allowed.bias is not None:
        e += cut(allowed.bias, part, rows)[..., columns]  # (attention-scores)
    if mask is not None:
        np.copyto(e, -np.inf, where=~mask)
    return e


def absorb(e, v, m, Z, y):
    """Takes a block of scores into account: y in place, and e too; returns the new m and Z."""
    new = np.maximum(m, e.max(axis=-1, keepdims=True))  # (online-max)
    finite = np.where(new == -np.inf, 0, new)  # a row of which nothing has counted yet
    old = np.exp(m - finite)
    e -= finite
    np.exp(e, out=e)
    y *= old
    y += e @ v  # (online-output)
    return new, old * Z + e.sum(axis=-1, keepdims=True)  # (online-sum)


def weights(e, L):
    """Overwrites the scores of a block with their weights, and returns them."""
    e -= L
    return np.exp(e, out=e)  # (online-weights)
