"""Noun phrases of the phrase grammar: agreement, articles, the place of adjectives."""

from seqlib import lexicon
from seqlib.phrase_parts import PLURAL, THIRD, Part, chance, linked, pick

PRONOUNS = (("I", "you", "he", "we", "they"), ("je", "tu", "il", "nous", "ils"))
OBJECTS = (("me", "you", "him", "us", "them"), ("me", "te", "le", "nous", "les"))
POSSESSIVES = (
    *(("my", "m"), ("your", "t"), ("his", "s"), ("her", "s")),
    *(("our", "notre nos"), ("their", "leur leurs")),
)
NUMBERS = (("two", "deux"), ("three", "trois"))


def pronoun(rng):
    person = int(rng.integers(5))
    she = person == THIRD and chance(rng, 0.5)
    english, french = ("she", "elle") if she else (words[person] for words in PRONOUNS)
    return linked(english, french)._replace(person=person, gender="f" if she else "m")


def coordinated(rng):
    """Two nouns as one subject: plural, and feminine only if both are."""
    kinds = "pr" if chance(rng, 0.5) else "a"
    one, other = (noun_phrase(rng, kinds) for _ in range(2))
    gender = "f" if (one.gender, other.gender) == ("f", "f") else "m"
    both = one + linked("and", "et") + other
    return both._replace(person=PLURAL, gender=gender, kind="p" if kinds == "pr" else "a")


def noun_phrase(rng, kinds, *, no=False, every=False):
    """A noun with its determiner and up to two adjectives.

    kinds  initials of the kinds of noun to choose from
    no     whether it is the object of a negated verb: an indefinite article is "de" there
    every  whether "every" may stand before it
    """
    noun = pick(rng, [n for n in lexicon.NOUNS if kind_of(n) in kinds])
    several = chance(rng, 0.35)
    described = describe(rng, noun, noun.gender, several, 0.3, 0.45)
    articled = determine(rng, described, several, no, every)
    return articled._replace(
        person=PLURAL if several else THIRD, gender=noun.gender, kind=kind_of(noun)
    )


def describe(rng, noun, gender, several, before_it, behind_it):
    """A noun and up to two adjectives, one of which precedes it in French."""
    feminine = bool(noun.feminine[0]) and gender == "f"
    bare = linked(noun.english[several], (noun.feminine if feminine else noun.french)[several])
    fit = [a for a in lexicon.ADJECTIVES if kind_of(noun) in a.kinds]
    before, behind = ([a for a in fit if a.before is place] for place in (True, False))
    english, french, form = list(bare.english), list(bare.french), gender + "sp"[several]
    if behind and chance(rng, behind_it):
        adjective = pick(rng, behind)
        added = linked(adjective.english, adjective.french[form])
        english, french = added.english + english, french + added.french
    if before and chance(rng, before_it):
        adjective = pick(rng, before)
        vowel = form == "ms" and lexicon.starts_with_vowel(french[0].text)
        added = linked(adjective.english, adjective.french["mv" if vowel else form])
        english, french = added.english + english, added.french + french
    return Part(english, french, gender=gender)


def determine(rng, described, several, no, every):
    """The same with an article, a possessive, "this", a number or "every" before it."""
    gender, draw = described.gender, rng.random()
    if draw < 0.4:
        start = linked("the", "les" if several else "la" if gender == "f" else "le")
    elif draw < 0.65:
        return indefinite(described, several, no)
    elif draw < 0.8:
        english, forms = pick(rng, POSSESSIVES)
        singular, plural = (
            forms.split() if " " in forms else (gender_of(forms, gender), f"{forms}es")
        )
        start = linked(english, plural if several else singular)
    elif draw < 0.9:
        english, french = ("these", "ces") if several else ("this", gender_of("c", gender))
        start = linked(english, french)
    elif several:
        start = linked(*pick(rng, NUMBERS))
    elif every:
        start = linked("every", "chaque")
    else:
        start = linked("the", "la" if gender == "f" else "le")
    return start._replace(gender=gender) + described


def gender_of(initial, gender):
    """mon or ma, ton or ta, son or sa, ce or cette."""
    if initial == "c":
        return "cette" if gender == "f" else "ce"
    return initial + ("a" if gender == "f" else "on")


def indefinite(described, several, no):
    """A noun with "a" or "some"; "de" for all of them behind a negated verb, and for "des" before
    an adjective.
    """
    english = "any" if several and no else "some" if several else None
    return (
        linked(
            english or lexicon.article(described.english[0].text),
            "de" if no else several_article(described) if several else one_article(described),
        )._replace(gender=described.gender)
        + described
    )


def one_article(described):
    return "une" if described.gender == "f" else "un"


def several_article(described):
    """des, or de before an adjective: the noun is the word that stands last in English."""
    noun = described.english[-1]
    return "des" if described.french[0].sure == (noun,) else "de"


def kind_of(noun):
    return lexicon.INITIALS[noun.kind]
