"""English phrases, their French translations, and which word stands for which.

"the old man does not see a red bird" - "le vieil homme ne voit pas d'oiseau rouge"

A grammar writes both sides at once.  French agrees in gender and number, elides before vowels, puts
most adjectives behind the noun and pronouns before the verb, and says "not" in two words.  Each
rule knows the links between the words that it writes, so that an alignment can be scored.

Every phrase has one translation, by three conventions: "you" is one friend (tu); I, you, we and
they are masculine; a role such as "student" is masculine, unless after "be" it agrees with
a feminine subject.  The tense is the present, and no preposition contracts with its article.
"""

from collections import Counter

import numpy as np

from seqlib import lexicon, text
from seqlib.phrase_clauses import ADVERBS, CONJUNCTIONS, PREPOSITIONS, clauses
from seqlib.phrase_nouns import NUMBERS, OBJECTS, POSSESSIVES, PRONOUNS
from seqlib.phrase_parts import BEFORE_A_VOWEL, linked, pair
from seqlib.phrase_parts import Pair as Pair
from seqlib.scratch import checks

LONGEST = 12  # words of either side: one phrase in six is longer, and is drawn again


def phrase(rng, longest=LONGEST):
    """A phrase of one or two clauses with its translation: a Pair of at most `longest` words."""
    if longest < 3:
        raise ValueError(f"longest is {longest}; a phrase has at least 3 words in one language")
    while True:
        found = pair(clauses(rng))
        if max(found.sure.shape) <= longest:
            return found


def different(rng, count, longest=LONGEST):
    """A list of `count` Pairs whose English sides all differ, in the order in which they came."""
    found = {}
    while len(found) < count:
        drawn = phrase(rng, longest)
        found.setdefault(drawn.english, drawn)
    return list(found.values())


def corpus(seed=0, train=12_000, test=600, longest=LONGEST):
    """Phrases to train on, and others to test on, as two lists of Pairs.

    All English sides differ, and every word of the test, in both languages, stands in the training
    part too.  "I am a student" is always the first of the test.

    Raises ValueError if the training part is too small to hold all the words of the test.
    """
    checks.sizes(train=train, test=test)
    drawn = different(np.random.default_rng(seed), train + test, longest)
    first = student()
    drawn = [first, *(found for found in drawn if found.english != first.english)][: train + test]
    left = Counter(word for found in drawn for word in words_of(found))
    held, kept = [], []
    for found in drawn:
        words = Counter(words_of(found))
        covered = all(left[word] > count for word, count in words.items())
        if len(held) < test and covered:
            held.append(found)
            left -= words
        else:
            kept.append(found)
    if len(held) < test:
        raise ValueError(f"only {len(held)} phrases have all words among {train}; {test} wanted")
    return kept, held


def student():
    """The phrase of the textbooks: "I am a student"."""
    return pair(
        linked("I", "je") + linked("am", "suis") + linked("a", "un") + linked("student", "étudiant")
    )


def batch(pairs):
    """The Pairs as ids of ENGLISH to read and of FRENCH to write: a text.TranslationBatch."""
    return text.translation_batch(
        [ENGLISH.encode(found.english) for found in pairs],
        [FRENCH.encode(found.french) for found in pairs],
    )


def links(pairs):
    """The sure and the possible links of Pairs, each (B, T, S), False behind the ends of rows."""
    T, S = np.max([found.sure.shape for found in pairs], axis=0)
    sure, possible = np.zeros((2, len(pairs), T, S), bool)
    for b, found in enumerate(pairs):
        t, s = found.sure.shape
        sure[b, :t, :s], possible[b, :t, :s] = found.sure, found.possible
    return sure, possible


def written(words):
    """Words as a sentence: a capital, a full stop, no space behind an apostrophe.

    >>> written(["l'", "homme", "n'", "a", "pas", "d'", "amis"])
    "L'homme n'a pas d'amis."
    """
    line = " ".join(words).replace("' ", "'")
    return f"{line[:1].upper()}{line[1:]}."


def words_of(found):
    """The words of both sides, each with its language: "a" is a word of both."""
    return [("english", word) for word in found.english] + [
        ("french", word) for word in found.french
    ]


def all_words():
    """Every word that the grammar can write: of English, of French."""
    small = (*NUMBERS, *ADVERBS, *PREPOSITIONS, *CONJUNCTIONS)
    english = "a an the some any this these every that who not never do does very she her".split()
    french = "un une des ce cet cette ces chaque qui pas jamais très elle la".split()
    english += [*PRONOUNS[0], *OBJECTS[0], *lexicon.BE[0], *(both[0] for both in POSSESSIVES)]
    french += [*PRONOUNS[1], *OBJECTS[1], *lexicon.BE[1], *BEFORE_A_VOWEL, *lexicon.HAVE.french]
    french += ["notre", "nos", "leur", "leurs", *(f"{initial}es" for initial in "mts")]
    french += BEFORE_A_VOWEL.values()
    english += [entry[0] for entry in small]
    french += [word for entry in small for word in entry[1].split()]
    for noun in lexicon.NOUNS:
        english += noun.english
        french += [word for word in (*noun.french, *noun.feminine) if word]
    for adjective in lexicon.ADJECTIVES:
        english.append(adjective.english)
        french += adjective.french.values()
    for verb in (*lexicon.VERBS, *lexicon.INTRANSITIVE, lexicon.HAVE):
        english += " ".join(verb.english).split()
        french += verb.french
    return english, french


ENGLISH, FRENCH = (text.Vocabulary.of(words, text.SPECIALS) for words in all_words())
