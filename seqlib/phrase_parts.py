"""What the phrase grammar's rules hand to each other: words of both sides, and their links."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqlib import lexicon

BEFORE_A_VOWEL = {
    **{word: f"{word[:-1]}'" for word in ("le", "la", "je", "ne", "me", "te", "de", "que")},
    **{"ce": "cet", "ma": "mon", "ta": "ton", "sa": "son"},
}
THIRD, PLURAL = 2, 4  # persons as places in I, you, he, we, they


class Pair(NamedTuple):
    """A phrase in both languages; links are (T, S), T French words by S English ones."""

    english: tuple[str, ...]
    french: tuple[str, ...]
    sure: np.ndarray  # True where a French word stands for an English one
    possible: np.ndarray  # True there and where it may be said to


@dataclass(eq=False)
class Word:
    """A word; a French one knows the English ones that it stands for."""

    text: str
    sure: tuple = ()
    possible: tuple = ()


class Part(NamedTuple):
    """Some words of both sides; those of a subject also tell how its verb has to agree."""

    english: list
    french: list
    person: int = THIRD
    gender: str = "m"
    kind: str = "p"  # initial of a kind of noun; pronouns are persons

    def __add__(self, other):
        return self._replace(
            english=self.english + other.english, french=self.french + other.french
        )


def linked(english, french):
    """One English word and the French words that stand for it."""
    word = Word(english)
    return Part([word], [Word(text, (word,)) for text in french.split()])


def pair(part):
    """The words and links of a part that is complete, elided where a vowel follows."""
    place = {word: s for s, word in enumerate(part.english)}
    sure = np.zeros((len(part.french), len(part.english)), bool)
    possible = sure.copy()
    for t, word in enumerate(part.french):
        sure[t, [place[other] for other in word.sure]] = True
        possible[t, [place[other] for other in (*word.sure, *word.possible)]] = True
    french = [word.text for word in part.french]
    for t, following in enumerate(french[1:]):
        if lexicon.starts_with_vowel(following):
            french[t] = BEFORE_A_VOWEL.get(french[t], french[t])
    return Pair(tuple(word.text for word in part.english), tuple(french), sure, possible)


def pick(rng, choices):
    return choices[rng.integers(len(choices))]


def chance(rng, p):
    return rng.random() < p
