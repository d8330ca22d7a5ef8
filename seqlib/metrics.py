"""How good a model is, as one number.

    (perplexity)   PP = exp(L)          L the cross-entropy in nats per symbol
    (bits)         bits = L / ln 2
    (bleu)         BLEU = 100 min(1, exp(1 - r / c)) (p_1 p_2 p_3 p_4)^(1/4)
    (aer)          AER = 1 - (|A and S| + |A and P|) / (|A| + |S|)

c words in all translations, r in all references, p_n the share of runs of n words that stand in the
reference too, each counted no more often than there; A links found, S sure links, P possible ones.
Sources: Papineni et al., BLEU, 2002; Och and Ney, A systematic comparison of various statistical
alignment models, 2003.
Formulas: chapters/01_sequences.ipynb, 07_encoder_decoder.ipynb and 08_attention.ipynb.
"""

import math
from collections import Counter

import numpy as np

from seqlib.scratch import checks


def perplexity(nats):
    """The number of equally likely symbols as hard to predict as a mean cross-entropy of nats.

    Raises ValueError for NaN.
    """
    no_nan("nats", nats)
    return np.exp(nats)  # (perplexity)


def bits(nats):
    """A cross-entropy in bits; per character if nats is per character.  ValueError for NaN."""
    no_nan("nats", nats)
    return nats / np.log(2)  # (bits)


def accuracy(predictions, targets, mask=None):
    """The share of real places where prediction and target agree.

    predictions, targets  (...)  integers or booleans
    mask                  (...)  boolean; None counts every place

    Returns a float.  Raises ValueError if shapes or dtypes do not fit or no place is real.
    """
    hits, mask = compared(predictions, targets, mask)
    return float(hits[mask].mean())


def exact_match(predictions, targets, mask=None):
    """The share of rows in which every real place agrees.

    predictions, targets  (B, T)  integers or booleans
    mask                  (B, T)  boolean; None counts every place

    Returns a float.  Raises ValueError if shapes or dtypes do not fit, or a row has no real place:
    nothing in it can agree.
    """
    hits, mask = compared(predictions, targets, mask)
    checks.shape("targets", mask, (None, None))
    checks.real_rows(mask)
    return float((hits | ~mask).all(axis=-1).mean())


def bleu(translations, references):
    """BLEU of a whole corpus with one reference for each translation, 0 to 100.

    translations, references  lists of as many sequences of words or ids

    A translation of fewer than four words has no run of four.  It counts with the shorter runs that
    it has, and with its length; where no translation has four words, BLEU is 0, even if all are
    right.
    Where no run of n words matches, the count 0 is replaced by 1/2, for the next such n by 1/4 and
    so on: as in sacrebleu, so that one empty count does not make all 0.  Numbers are sacrebleu's
    for text that is split into words already.

    Returns a float.  Raises ValueError if there are none, or of one more than of the other, or if
    one is not a sequence of words: a string, or several references.
    Source: Post, A call for clarity in reporting BLEU scores, 2018.
    """
    translations = sentences("translation", translations)
    references = sentences("reference", references)
    if len(translations) != len(references) or not translations:
        raise ValueError(
            f"{len(translations)} translations, {len(references)} references; expected as many, 1"
            " at least"
        )
    matches, totals = np.zeros(4), np.zeros(4)
    for words, reference in zip(translations, references, strict=True):
        for n in range(4):
            found, wanted = runs(words, n + 1), runs(reference, n + 1)
            matches[n] += (found & wanted).total()
            totals[n] += found.total()
    c, r = (sum(map(len, rows)) for rows in (translations, references))
    if not matches.any() or not totals.all():
        return 0.0
    halvings = np.cumsum(matches == 0)
    p = np.where(matches == 0, 0.5**halvings, matches) / totals
    return 100 * math.exp(min(0, 1 - r / c) + float(np.log(p).mean()))  # (bleu)


def sentences(name, rows):
    """The rows as lists of words or ids; a ValueError that names one that is none."""
    if isinstance(rows, str | bytes):
        raise ValueError(f"the {name}s are {rows[:20]!r}; expected a list of lists of words")
    return [
        checks.tokens(f"{name} {i} (one for each translation)", row)
        for i, row in enumerate(checks.listed(rows))
    ]


def runs(words, n):
    """How often each run of n words occurs."""
    words = tuple(words)
    return Counter(words[i : i + n] for i in range(len(words) - n + 1))


def alignment_error_rate(found, sure, possible):
    """How far the links found are from gold ones, 0 (none wrong, none missing) to 1.

    found     (..., T, S)  boolean
    sure      (..., T, S)  boolean: links that have to be found
    possible  (..., T, S)  boolean: links that may be found, the sure ones among them

    Returns a float.  Raises ValueError if shapes differ, a sure link is not possible, or there is
    neither a link found nor a sure one.
    """
    found, sure, possible = (np.asarray(a) for a in (found, sure, possible))
    for name, a in (("found", found), ("sure", sure), ("possible", possible)):
        checks.shape(name, a, found.shape)
        if a.dtype != np.bool_:
            raise ValueError(f"{name} is {a.dtype}; expected bool, True where there is a link")
    if (sure & ~possible).any():
        raise ValueError(f"{(sure & ~possible).sum()} of {sure.sum()} sure links are not possible")
    size = int(found.sum() + sure.sum())
    if size == 0:
        raise ValueError(
            f"0 links found, 0 sure ones among {found.size} places; expected 1 or more"
        )
    return 1 - int((found & sure).sum() + (found & possible).sum()) / size  # (aer)


def strongest(weights, source_mask=None, mask=None):
    """Links from attention weights: each target's greatest one, of equals the first, as booleans.

    weights      (B, T, S)  finite where they are real
    source_mask  (B, S)  boolean; None: all real
    mask         (B, T)  boolean; where False, a target has no link; None: all real

    Returns (B, T, S).  Raises ValueError if a shape does not fit or a real weight is not finite.
    """
    weights = np.asarray(weights)
    checks.shape("weights", weights, (None, None, None))
    B, T, S = weights.shape
    real = np.ones(weights.shape, bool)
    if source_mask is not None:
        real &= checks.boolean_mask(source_mask, (B, S))[:, None]
    if mask is not None:
        real &= checks.boolean_mask(mask, (B, T))[..., None]
    checks.finite("weights", np.where(real, weights, 0))
    weights = np.where(real, weights, -np.inf)
    return (np.arange(S) == weights.argmax(axis=-1)[..., None]) & real


def compared(predictions, targets, mask):
    predictions, targets = (np.asarray(checks.listed(a)) for a in (predictions, targets))
    for name, a in (("predictions", predictions), ("targets", targets)):
        if a.dtype.kind not in "iub":
            raise ValueError(f"{name} holds {a.dtype}; expected integers or booleans")
    checks.shape("predictions", predictions, targets.shape)
    mask = (
        np.ones(targets.shape, bool) if mask is None else checks.boolean_mask(mask, targets.shape)
    )
    if not mask.any():
        raise ValueError(f"none of the {mask.size} places is real; a share needs at least 1")
    return predictions == targets, mask


def no_nan(name, a):
    if np.isnan(a).any():
        raise ValueError(f"{name} is nan at {np.isnan(a).sum()} of {np.size(a)} places")
