"""Sentences in which a word decides about words far from it: pronouns, and tags for every word."""

from typing import NamedTuple

import numpy as np

from seqlib import text
from seqlib.scratch import checks

HE_NAMES = ("Hasan", "Omar", "Paul", "Kenji", "Diego", "Ivan", "Kofi", "Liam")
SHE_NAMES = ("Aisha", "Maria", "Anna", "Yuki", "Lucia", "Olga", "Ama", "Nora")
GAMES = ("football", "chess", "tennis", "cards")
PLACES = ("park", "garden", "street", "square", "yard", "field", "club", "school")
ADJECTIVES = ("old", "small", "quiet", "green", "big", "sunny", "new", "dusty")
PREPOSITIONS = ("in", "near", "behind", "by")
FIXED = (
    "used",
    "to",
    "play",
    "the",
    "and",
    "he",
    "she",
    "was",
    "pretty",
    "good",
    "at",
    "it",
    ".",
)
PRONOUN_WORDS = text.Vocabulary.of(
    (*HE_NAMES, *SHE_NAMES, *GAMES, *PLACES, *ADJECTIVES, *PREPOSITIONS, *FIXED),
    specials=("<pad>",),
)


class PronounBatch(NamedTuple):
    """Sentences as ids of PRONOUN_WORDS; targets are the inputs one word later."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    mask: np.ndarray  # (B, T)
    position: np.ndarray  # (B,) where the target is the pronoun
    distance: np.ndarray  # (B,) words from the name to the pronoun

    def windows(self, length, before):
        """The pronouns as targets (B,) and the `length` words before each as inputs: a text.Batch.

        before  the id that stands before the beginning of a sentence
        """
        padded = np.pad(self.inputs, ((0, 0), (length, 0)), constant_values=before)
        places = self.position[:, None] + 1 + np.arange(length)
        words = np.take_along_axis(padded, places, axis=1)
        return text.Batch(words, self.targets[np.arange(len(words)), self.position])


def pronouns(rng, B, phrases):
    """Sentences in which a name decides a pronoun that stands far behind it.

    "Hasan used to play football [in the old park] ... and he was pretty good at it ."

    The name is drawn evenly from eight of men and eight of women; nothing between name and pronoun
    depends on it.  A model that sees fewer than `distance` words before the pronoun is right half
    of the time at best, and the pronoun costs it 1 bit.

    B        sentences
    phrases  number of phrases such as "in the old park", four words each; or (least, most), drawn
             evenly for each sentence

    Returns a PronounBatch; distance = 6 + 4 phrases.
    """
    least, most = (phrases, phrases) if np.ndim(phrases) == 0 else phrases
    if not 0 <= least <= most or B < 1:
        raise ValueError(
            f"{B} sentences with {least} to {most} phrases; expected B >= 1, 0 <= least <= most"
        )
    sentences, positions = [], []
    for count in rng.integers(least, most + 1, B):
        he = rng.random() < 0.5
        sentence = [
            rng.choice(HE_NAMES if he else SHE_NAMES),
            "used",
            "to",
            "play",
            rng.choice(GAMES),
        ]
        for _ in range(count):
            sentence += [
                rng.choice(PREPOSITIONS),
                "the",
                rng.choice(ADJECTIVES),
                rng.choice(PLACES),
            ]
        positions.append(len(sentence))  # the word "and": its target is the pronoun
        sentence += [
            "and",
            "he" if he else "she",
            "was",
            "pretty",
            "good",
            "at",
            "it",
            ".",
        ]
        sentences.append(PRONOUN_WORDS.encode(sentence))
    ids, mask = text.pad(sentences)
    positions = np.array(positions)
    return PronounBatch(ids[:, :-1], ids[:, 1:], mask[:, 1:], positions, positions + 1)


TAGS = ("he says", "he asks", "she says", "she asks")
TAGGING_WORDS = text.Vocabulary.of(
    (*HE_NAMES, *SHE_NAMES, *GAMES, "you", "like", "and", ":", ".", "?"), specials=("<pad>",)
)


class TagBatch(NamedTuple):
    """Sentences as ids of TAGGING_WORDS; the target of each word is an index of TAGS."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    mask: np.ndarray  # (B, T)


def tagging(rng, B, sentences=2, most=3):
    """Short talks in which the tag of each word is who speaks and whether it is a question.

    "Hasan : you like chess ? Nora : you like tennis and cards ."

    The name on the left says who speaks, the mark on the right whether it is a question, and both
    hold for all words of a sentence and no further.  Both are drawn evenly, and the words between
    depend on neither.  `tagging_baseline` is what a model reaches that reads in one direction.

    B          talks
    sentences  of each talk
    most       games of a sentence, 1 to `most`, drawn evenly

    Returns a TagBatch.  Raises ValueError if a size is less than 1.

    >>> batch = tagging(np.random.default_rng(0), B=1, sentences=2, most=1)
    >>> " ".join(TAGGING_WORDS.decode(batch.inputs[0]))
    'Aisha : you like chess ? Aisha : you like football .'
    >>> batch.targets[0]
    array([3, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2])
    """
    checks.sizes(B=B, sentences=sentences, most=most)
    talks, tags = [], []
    for _ in range(B):
        talk, tag = [], []
        for she, asks in rng.integers(0, 2, (sentences, 2)):
            games = list(rng.choice(GAMES, rng.integers(1, most + 1)))
            listed = " and ".join(games).split()
            sentence = [rng.choice(SHE_NAMES if she else HE_NAMES), ":", "you", "like", *listed]
            sentence.append("?" if asks else ".")
            talk += sentence
            tag += [2 * she + asks] * len(sentence)
        talks.append(TAGGING_WORDS.encode(talk))
        tags.append(tag)
    inputs, mask = text.pad(talks)
    return TagBatch(inputs, text.pad(tags)[0], mask)


def tagging_baseline(most=3):
    """The best mean accuracy per word on `tagging` when reading in one direction, exactly.

    To the right it knows the speaker from the name on, and the mark only at the mark: it is right
    at the mark, and half of the time before it.  To the left the name and the mark change places.
    A sentence of n games has 2 n + 4 words, the mean over n is most + 5.

    >>> tagging_baseline(most=3)
    0.5625
    """
    checks.sizes(most=most)
    return 1 / 2 + 1 / 2 / (most + 5)
