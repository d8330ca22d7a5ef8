"""Functions of one array that the layers share.

    (sigmoid)      sigmoid(a) = 1 / (1 + exp(-a)) = (1 + tanh(a / 2)) / 2
    (softmax)      softmax(a)_k = exp(a_k) / sum_j exp(a_j)

Formulas: chapters/01_sequences.ipynb and 02_rnn.ipynb.
"""

import numpy as np


def sigmoid(a):
    """1 / (1 + exp(-a)), element by element; by tanh, so that no exponential overflows."""
    return 0.5 * (1 + np.tanh(0.5 * a))  # (sigmoid)


def norm(a, axis=None):
    """The Euclidean norm along an axis, or of all entries.

    Entries are divided by a power of 2 near the largest first: no square overflows or vanishes.
    """
    _, exponent = np.frexp(np.abs(a).max(axis=axis, keepdims=True, initial=0))
    squares = np.ldexp(a, -exponent) ** 2
    return np.ldexp(np.sqrt(squares.sum(axis=axis)), exponent.squeeze(axis))


def log_softmax(a, axis=-1):
    """The logarithm of (softmax); the maximum is subtracted first, so that exp stays finite."""
    shifted = a - a.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


def softmax(a, axis=-1):
    """Positive numbers that sum to one along `axis`."""
    powers = np.exp(a - a.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)  # (softmax)
