"""Clauses of the phrase grammar: what is said about whom, negated or not."""

from seqlib import lexicon
from seqlib.phrase_nouns import (
    OBJECTS,
    coordinated,
    describe,
    indefinite,
    noun_phrase,
    pronoun,
    several_article,
)
from seqlib.phrase_parts import THIRD, Part, Word, chance, linked, pick

ADVERBS = (("often", "souvent"), ("always", "toujours"))
PREPOSITIONS = (("in", "dans", "l"), ("behind", "derrière", "l"), ("with", "avec", "pra"))
CONJUNCTIONS = (("and", "et"), ("but", "mais"), ("because", "parce que"), ("when", "quand"))


def clauses(rng):
    """One clause, or two with a conjunction between them."""
    first = clause(rng)
    return first + linked(*pick(rng, CONJUNCTIONS)) + clause(rng) if chance(rng, 0.15) else first


def clause(rng):
    """A subject and what is said about it."""
    if chance(rng, 0.4):
        subject = pronoun(rng)
    elif chance(rng, 0.12):
        subject = coordinated(rng)
    else:
        subject = noun_phrase(rng, "pra" if chance(rng, 0.8) else "tfwl")
        if chance(rng, 0.2):
            subject = subject + relative_clause(rng, subject)
    if chance(rng, 0.35) and subject.kind in "pra":
        return subject + with_noun(rng, subject)
    return subject + predicate(rng, subject)


def with_noun(rng, subject):
    """What a subject does to somebody or something, which may have a clause of its own."""
    said, things = does(rng, subject)
    return said + relative_clause(rng, things) if chance(rng, 0.15) else said


def relative_clause(rng, head):
    """ "who sleeps", "that the man sees": the head is the subject or the object of its verb."""
    if head.kind in "pra" and chance(rng, 0.6):
        who = linked("who" if head.kind in "pr" else "that", "qui")
        said = does(rng, head)[0] if chance(rng, 0.35) else predicate(rng, head)
        return who + said
    verb = pick(rng, [verb for verb in lexicon.VERBS if head.kind in verb.objects])
    kinds = pick(rng, [kinds for kinds in ("pr", "a") if kinds[0] in verb.subjects])
    subject = pronoun(rng) if chance(rng, 0.5) else noun_phrase(rng, kinds)
    return linked("that", "que") + subject + verb_group(rng, subject, verb)[0]


def predicate(rng, subject):
    """What a subject is, what it does, whom it sees."""
    draw = rng.random()
    if subject.kind not in "pra" or draw < 0.25:
        return be(rng, subject)
    if subject.kind in "pr" and draw < 0.5:
        return be_someone(rng, subject)
    return intransitive(rng, subject) if draw < 0.75 else with_pronoun(rng, subject)


def negation(rng):
    """ "not", "never" or None."""
    draw = rng.random()
    return "not" if draw < 0.3 else "never" if draw < 0.4 else None


def verb_group(rng, subject, verb, before=None):
    """A verb, perhaps negated or with an adverb: a Part, and "not", "never" or None.

    before  the object pronoun that French puts before the verb
    """
    no = negation(rng)
    english, *particle = verb.english[subject.person == THIRD and no != "not"].split()
    word, rest = Word(english), [Word(text) for text in particle]
    found = Word(verb.french[subject.person], (word,), tuple(rest))
    pronouns = before.french if before else []
    if no is None:
        adverb = linked(*pick(rng, ADVERBS)) if chance(rng, 0.2) else Part([], [])
        part = Part([*adverb.english, word], [*pronouns, found, *adverb.french])
    elif no == "never":
        never = Word("never")
        french = [Word("ne", (never,)), *pronouns, found, Word("jamais", (never,))]
        part = Part([never, word], french)
    else:
        do, negator = Word("does" if subject.person == THIRD else "do"), Word("not")
        found.possible = (*found.possible, do)
        french = [Word("ne", (negator,), (do,)), *pronouns, found, Word("pas", (negator,))]
        part = Part([do, negator, word], french)
    return part._replace(english=part.english + rest), no


def be_group(rng, subject):
    """A form of "be", perhaps negated or with an adverb."""
    no = negation(rng)
    word = Word(lexicon.BE[0][subject.person])
    found = Word(lexicon.BE[1][subject.person], (word,))
    if no is None:
        adverb = linked(*pick(rng, ADVERBS)) if chance(rng, 0.1) else Part([], [])
        return Part([word, *adverb.english], [found, *adverb.french])
    negator = Word(no)
    second = Word({"not": "pas", "never": "jamais"}[no], (negator,))
    return Part([word, negator], [Word("ne", (negator,)), found, second])


def be(rng, subject):
    """ "is very old and sad"."""
    fit = [a for a in lexicon.ADJECTIVES if subject.kind in a.kinds]
    form = subject.gender + "sp"[subject.person >= 3]
    first = pick(rng, fit)
    said = linked(first.english, first.french[form])
    if chance(rng, 0.2):
        said = linked("very", "très") + said
    elif chance(rng, 0.15):
        second = pick(rng, [a for a in fit if a is not first])
        said = said + linked("and", "et") + linked(second.english, second.french[form])
    return be_group(rng, subject) + said


def be_someone(rng, subject):
    """ "is a good student": the role takes the gender of its subject."""
    role = pick(rng, [noun for noun in lexicon.NOUNS if noun.kind == "role"])
    several = subject.person >= 3
    described = describe(rng, role, subject.gender, several, 0.2, 0.3)
    if not several:
        return be_group(rng, subject) + indefinite(described, several, None)
    noun = described.english[-1]
    article = Word(several_article(described), (), (noun,))  # English has no word for it
    return be_group(rng, subject) + Part([], [article]) + described


def intransitive(rng, subject):
    """ "sleeps in the garden"."""
    verb = pick(rng, [verb for verb in lexicon.INTRANSITIVE if subject.kind in verb.subjects])
    said, no = verb_group(rng, subject, verb)
    if chance(rng, 0.5):
        english, french, kinds = pick(rng, PREPOSITIONS)
        said = said + linked(english, french) + noun_phrase(rng, kinds, every=not no)
    return said


def does(rng, subject):
    """ "sees the red bird", "has a cat": all of it, and the object."""
    fit = [verb for verb in lexicon.VERBS if subject.kind in verb.subjects]
    have = subject.kind in lexicon.HAVE.subjects and chance(rng, 0.15)
    verb = lexicon.HAVE if have else pick(rng, fit)
    said, no = verb_group(rng, subject, verb)
    things = noun_phrase(rng, verb.objects, no=bool(no), every=not no)
    return said + things, things


def with_pronoun(rng, subject):
    """ "sees me": French puts the pronoun before the verb."""
    fit = [v for v in lexicon.VERBS if subject.kind in v.subjects and "p" in v.objects]
    verb = pick(rng, fit)
    first_person = subject.person in (0, 3)
    others = [
        k for k in range(5) if not (first_person and k in (0, 3)) and (subject.person, k) != (1, 1)
    ]
    person = pick(rng, others)
    english, french = (words[person] for words in OBJECTS)
    if person == THIRD and chance(rng, 0.5):
        english, french = "her", "la"
    whom = linked(english, french)
    said, _ = verb_group(rng, subject, verb, whom)
    return said._replace(english=said.english + whom.english)
