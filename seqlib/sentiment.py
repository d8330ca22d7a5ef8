"""Sentiment: phrases that praise or blame, with negations that reach to the end of a clause."""

from collections import Counter, defaultdict
from itertools import product
from typing import NamedTuple

import numpy as np

from seqlib import text
from seqlib.scratch import checks

POSITIVE = ("good", "fine", "bright", "clever", "funny", "warm")
NEGATIVE = ("bad", "dull", "weak", "boring", "sad", "cold")
SUBJECTS = ("film", "plot", "acting", "music", "ending", "cast")
DEGREES = ("very", "really", "quite")
SENTIMENT_WORDS = text.Vocabulary.of(
    (*POSITIVE, *NEGATIVE, *SUBJECTS, *DEGREES, "i", "do", "not", "think", "the", "was", ",", "."),
    specials=("<pad>",),
)
SENTIMENT_BASELINE = 1 / 2  # accuracy of a guess, and of a model that does not see the word "not"


class SentimentBatch(NamedTuple):
    """Phrases as ids of SENTIMENT_WORDS and the verdict of each, 1 if it is positive."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B,)
    mask: np.ndarray  # (B, T)


def sentiment(rng, B, clauses=3, negation=0.5):
    """Phrases of clauses that praise or blame; the verdict is that of most clauses.

    "i do not think the film was very good , the plot was not dull , the music was warm ."

    A clause praises or blames by one word, POSITIVE or NEGATIVE; each "not" before that word in the
    same clause turns it round, and reaches no further than the comma.  Beginnings "i do not think"
    and "i think", "was not" and "was", and the word itself are drawn each for itself.  Where all
    are even, a model that does not see "not" is right with probability SENTIMENT_BASELINE, 1/2, and
    one that sees the words without their order reaches `sentiment_baseline`.

    B         phrases
    clauses   odd, so that there is a majority
    negation  probability of each of the two "not" of a clause; where it is small, the word alone
              tells something, and learning has a way to begin

    Returns a SentimentBatch.  Raises ValueError if B is less than 1, `clauses` not odd or
    `negation` not from 0 to 1.

    >>> batch = sentiment(np.random.default_rng(0), B=1, clauses=1)
    >>> " ".join(SENTIMENT_WORDS.decode(batch.inputs[0]))
    'i think the film was not fine .'
    >>> batch.targets
    array([0])
    """
    checks.sizes(B=B, clauses=clauses)
    odd("clauses", clauses)
    if not 0 <= negation <= 1:
        raise ValueError(f"negation is {negation}; a probability is from 0 to 1")
    phrases, targets = [], []
    for _ in range(B):
        phrase, positive = [], 0
        drawn = rng.random((clauses, 3)) < (negation, negation, 0.5)
        for think_not, was_not, praise in drawn.astype(int):
            phrase += ["i", "do", "not", "think"] if think_not else ["i", "think"]
            phrase += ["the", rng.choice(SUBJECTS), "was"] + ["not"] * was_not
            phrase += list(rng.choice(DEGREES, rng.integers(0, 3)))
            phrase += [rng.choice(POSITIVE if praise else NEGATIVE), ","]
            positive += (think_not + was_not + praise) % 2
        phrase[-1] = "."
        phrases.append(SENTIMENT_WORDS.encode(phrase))
        targets.append(int(2 * positive > clauses))
    inputs, mask = text.pad(phrases)
    return SentimentBatch(inputs, np.array(targets), mask)


def verdict(words):
    """The verdict of a phrase, decided word by word: 1 if most of its clauses praise, else 0.

    words  a list as `sentiment` writes it, to the full stop

    Raises ValueError if a clause has not exactly one word that praises or blames.

    >>> verdict("i do not think the film was not good .".split())
    1
    """
    balance, turned, praises = 0, False, []
    for word in words:
        if word == "not":
            turned = not turned
        elif word in POSITIVE or word in NEGATIVE:
            praises.append((word in POSITIVE) != turned)
        elif word in (",", "."):
            if len(praises) != 1:
                raise ValueError(f"a clause has {len(praises)} words that praise or blame, not 1")
            balance += 1 if praises[0] else -1
            turned, praises = False, []
    return int(balance > 0)


def sentiment_baseline(clauses=3):
    """The best accuracy on even `sentiment` for a model that sees the words without their order.

    It knows how many of each word a phrase has, but not which clauses hold them.  Exact: it counts
    the phrases that share a bag of words.

    >>> sentiment_baseline(1), sentiment_baseline(3)
    (1.0, 0.765625)
    """
    odd("clauses", clauses)
    ways = Counter({(0, 0, 0, 0): 1})  # think not, was not, praise, and clauses that are positive
    for _ in range(clauses):
        longer = Counter()
        for (a, b, c, positive), count in ways.items():
            for think, was, praise in product((0, 1), repeat=3):
                turned = (think + was + praise) % 2
                longer[a + think, b + was, c + praise, positive + turned] += count
        ways = longer
    bags = defaultdict(lambda: [0, 0])
    for (*bag, positive), count in ways.items():
        bags[tuple(bag)][2 * positive > clauses] += count
    return sum(max(counts) for counts in bags.values()) / 8**clauses


def odd(name, count):
    if count % 2 != 1:
        raise ValueError(f"{name} is {count}; a majority needs an odd number, at least 1")
