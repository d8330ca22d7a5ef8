"""Rewriting a row of symbols: reversal, where each symbol stands for exactly one; progressions.

Ids 0, 1 and 2 are those of text.SPECIALS, the symbols 3 and up, so that V = K + 3 on either side.
"""

import numpy as np

from seqlib import text
from seqlib.scratch import checks


def reversal(rng, B, most, least=1, K=8):
    """Rows of symbols to write down backwards.

    The symbols are drawn evenly; ids 0, 1 and 2 are those of text.SPECIALS, the symbols 3 and up,
    so that V = K + 3 on either side.

    B     rows
    most  the greatest length; lengths are drawn evenly from least to most
    K     how many symbols there are

    Returns a text.TranslationBatch.
    Raises ValueError unless B and K are at least 1, and 1 <= least <= most.

    >>> import numpy as np
    >>> batch = reversal(np.random.default_rng(0), B=1, most=4, least=4)
    >>> batch.source[0], batch.targets[0]
    (array([9, 8, 7, 5]), array([5, 7, 8, 9, 2]))
    """
    checks.sizes(B=B, K=K)
    if not 1 <= least <= most:
        raise ValueError(f"lengths are {least} to {most}; expected 1 <= least <= most")
    first = len(text.SPECIALS)
    rows = [rng.integers(first, first + K, n) for n in rng.integers(least, most + 1, B)]
    return text.translation_batch(rows, [row[::-1] for row in rows])


def progressions(rng, B, T, K=12):
    """Two symbols to read, the beginning and the step of a progression of T symbols to write.

    The symbols stand for the numbers 0 to K - 1, and it is counted modulo K: after 10 in steps of
    3 comes 1.  From the third on, each symbol follows from the two before it, too.

    B     rows
    T     how long a row is, without END

    Returns a text.TranslationBatch.  Raises ValueError unless B, T and K are at least 1.

    >>> batch = progressions(np.random.default_rng(0), B=1, T=5)
    >>> batch.source[0] - 3, batch.targets[0, :-1] - 3
    (array([10,  7]), array([10,  5,  0,  7,  2]))
    """
    checks.sizes(B=B, T=T, K=K)
    first, (start, step) = len(text.SPECIALS), rng.integers(0, K, (2, B))
    rows = (start[:, None] + step[:, None] * np.arange(T)) % K
    return text.translation_batch(list(np.stack([start, step], axis=1) + first), list(rows + first))
