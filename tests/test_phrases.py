"""English and French phrases: their French by hand and by rules of its own, their links, the split.

The rules read the words alone: what the grammar knew while it wrote them is not looked at.
"""

import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from seqlib import ibm1, lexicon, metrics, phrases, text

# Read by hand, word for word
BY_HAND = {
    "I am a student": "Je suis un étudiant.",
    "his small friend does not hide an umbrella": "Son petit ami ne cache pas de parapluie.",
    "a useful bird never watches you": "Un oiseau utile ne te regarde jamais.",
    "you are an honest friend": "Tu es un ami honnête.",
    "we do not find a bee": "Nous ne trouvons pas d'abeille.",
    "we do not help any foxes": "Nous n'aidons pas de renards.",
    "I never wait for any blue cows": "Je n'attends jamais de vaches bleues.",
    "a singer never writes any long stories": "Un chanteur n'écrit jamais de longues histoires.",
    "some old women are nurses": "De vieilles femmes sont des infirmières.",
    "some dangerous boys listen to an honest cousin": (
        "Des garçons dangereux écoutent un cousin honnête."
    ),
    "some big hats that they wash are empty": "De grands chapeaux qu'ils lavent sont vides.",
    "the beautiful red bear is dangerous": "Le bel ours rouge est dangereux.",
    "this new hospital is never very expensive": "Ce nouvel hôpital n'est jamais très cher.",
    "a young queen swims with the old owl": "Une jeune reine nage avec le vieux hibou.",
    "this uncle dances": "Cet oncle danse.",
    "this hero who is not a lawyer runs": "Ce héros qui n'est pas un avocat court.",
    "you swim behind this hotel": "Tu nages derrière cet hôtel.",
    "my story is not very useful": "Mon histoire n'est pas très utile.",
    "my lazy bee that finds you loves her": "Mon abeille paresseuse qui te trouve l'aime.",
    "the queen and the girl invite the girl": "La reine et la fille invitent la fille.",
    "the bad student that they forget follows him": "Le mauvais étudiant qu'ils oublient le suit.",
    "his neighbour looks for me": "Son voisin me cherche.",
    "you are strange and he listens to us": "Tu es étrange et il nous écoute.",
    "she is a lazy neighbour": "Elle est une voisine paresseuse.",
    "we are friends": "Nous sommes des amis.",
    "she never has a new chair": "Elle n'a jamais de nouvelle chaise.",
    "this honest cousin often has the beautiful dog": "Ce cousin honnête a souvent le beau chien.",
    "three cows arrive when a clock is dangerous": (
        "Trois vaches arrivent quand une horloge est dangereuse."
    ),
    "I see them because I am not strange": "Je les vois parce que je ne suis pas étrange.",
}


@pytest.fixture(scope="module")
def corpus():
    return phrases.corpus()


@pytest.fixture(scope="module")
def drawn():
    return phrases.different(np.random.default_rng(1), 10_000)


def test_french_by_hand(corpus):
    found = {
        " ".join(pair.english): phrases.written(pair.french) for part in corpus for pair in part
    }
    assert {english: found.get(english) for english in BY_HAND} == BY_HAND


def test_there_are_enough_words():
    verbs = (*lexicon.VERBS, *lexicon.INTRANSITIVE)
    assert len(lexicon.NOUNS) >= 60 and len(lexicon.ADJECTIVES) >= 25 and len(verbs) >= 25
    assert lexicon.BE[1] == ("suis", "es", "est", "sommes", "sont")
    assert lexicon.HAVE.french == ("ai", "as", "a", "avons", "ont")
    for entries in (lexicon.NOUNS, lexicon.ADJECTIVES, verbs):
        assert len({entry.english for entry in entries}) == len(entries)
    assert {kind for noun in lexicon.NOUNS for kind in [noun.kind]} == set(lexicon.INITIALS)


def test_no_english_phrase_has_two_translations(corpus):
    rng, translation = np.random.default_rng(2), defaultdict(set)
    for _ in range(10_000):
        pair = phrases.phrase(rng)
        translation[pair.english].add(pair.french)
    for pair in (*corpus[0], *corpus[1]):
        translation[pair.english].add(pair.french)
    assert len(translation) > 15_000
    assert all(len(different) == 1 for different in translation.values())


def test_no_word_is_without_a_link(drawn):
    for pair in drawn:
        assert pair.sure.shape == pair.possible.shape == (len(pair.french), len(pair.english))
        assert not (pair.sure & ~pair.possible).any()
        assert pair.possible.any(axis=0).all() and pair.possible.any(axis=1).all()


def dictionary():
    """The French forms of each English word, from the lexicon and a list of the small words."""
    forms = defaultdict(set)
    for noun in lexicon.NOUNS:
        for n in (0, 1):
            forms[noun.english[n]] |= {noun.french[n], noun.feminine[n]} - {""}
    for adjective in lexicon.ADJECTIVES:
        forms[adjective.english] |= set(adjective.french.values())
    for verb in (*lexicon.VERBS, *lexicon.INTRANSITIVE, lexicon.HAVE):
        for english in verb.english:
            forms[english.split()[0]] |= set(verb.french)
    small = """
        I je j'; you tu te t'; he il; she elle; we nous; they ils; me me m'; him le l'; her la
        l' son sa ses; us nous; them les; the le la les l'; a un une de d'; an un une de d';
        some des de; any de d'; my mon ma mes; your ton ta tes; his son sa ses; our notre nos;
        their leur leurs; this ce cet cette; these ces; every chaque; two deux; three trois; not
        ne n' pas; never ne n' jamais; that qui que qu'; who qui; and et; but mais; because
        parce que qu'; when quand; in dans; behind derrière; with avec; often souvent; always
        toujours; very très; am suis; are es sommes sont; is est; do; does; for; to"""
    for entry in small.split(";"):
        english, *french = entry.split()
        forms[english] |= set(french)
    return forms


def test_links_are_translations(drawn):
    """A sure link joins a word and one of its translations; what else is possible is little."""
    forms, others = dictionary(), set()
    for pair in drawn:
        for t, s in np.argwhere(pair.sure):
            assert pair.french[t] in forms[pair.english[s]]
        for t, s in np.argwhere(pair.possible & ~pair.sure):
            if pair.english[s] in ("do", "does", "for", "to"):
                assert pair.sure[t].any()  # with a verb, or its negation
            else:
                others.add(pair.french[t])
        for s, word in enumerate(pair.english):
            assert pair.sure[:, s].any() == (word not in ("do", "does", "for", "to"))
    assert others == {"des", "de"}  # "they are students": English has no word for it


# Rules of French

H_ASPIRE = ("hibou", "hiboux", "héros", "homard", "homards")
VOWEL = re.compile("[aeiouyhâàéèêîïôûœ]")
CLIPPED = ("le", "la", "je", "ne", "me", "te", "de", "que", "ce", "ma", "ta", "sa")
NOUN_FORMS = {
    form: (gender, n)
    for noun in lexicon.NOUNS
    for forms, gender in [(noun.french, noun.gender), (noun.feminine, "f")]
    for n, form in enumerate(forms)
    if form
}
BEFORE, BEHIND = (
    {form for a in lexicon.ADJECTIVES if a.before is place for form in a.french.values()}
    for place in (True, False)
)
DETERMINERS = {
    **{word: ("m", 0) for word in ("un", "le", "ce", "cet")},
    **{word: ("f", 0) for word in ("une", "la", "cette", "ma", "ta", "sa")},
    **{word: (None, 0) for word in ("mon", "ton", "son", "notre", "leur", "chaque", "l'")},
    **{word: (None, 1) for word in "les des ces mes tes ses nos leurs deux trois".split()},
}


def vowel(word):
    return bool(VOWEL.match(word)) and word not in H_ASPIRE


def form_of(adjective, gender, n):
    return adjective.french[gender + "sp"[n]]


def same_number(form, n):
    """Some nouns are alike in singular and plural: ours, héros, souris."""
    return NOUN_FORMS[form][1] == n or form in ("ours", "héros", "souris")


def test_elision(drawn):
    """An elided word stands before a vowel, and before a vowel no other does."""
    seen = set()
    for pair in drawn:
        for word, following in zip(pair.french, (*pair.french[1:], "."), strict=True):
            if word.endswith("'") or word == "cet":
                assert vowel(following), pair.french
                seen.add(word)
            elif word in CLIPPED:
                assert not vowel(following), pair.french
    assert seen == {"l'", "j'", "n'", "m'", "t'", "d'", "qu'", "cet"}


def noun_phrases_of(french):
    """(determiner, words before the noun, noun, adjectives behind it), from left to right."""
    for t, word in enumerate(french):
        verb = t and french[t - 1] in ("je", "tu", "ne", "nous", "me", "te", "les")
        if word not in NOUN_FORMS or verb:
            continue
        start = t
        while french[start - 1] in BEFORE and start > 1:
            start -= 1
        end = t + 1
        while end < len(french) and french[end] in BEHIND:
            end += 1
        yield french[start - 1], french[start:t], word, french[t + 1 : end]


def test_nouns_articles_and_adjectives_agree(drawn):
    """And an adjective stands where it belongs; "bel" and "mon" before a vowel alone."""
    seen = Counter()
    adjectives = {form: a for a in lexicon.ADJECTIVES for form in a.french.values()}
    for pair in drawn:
        for determiner, before, noun, behind in noun_phrases_of(pair.french):
            if determiner not in DETERMINERS:
                assert determiner in ("de", "d'"), pair.french
                seen["de"] += 1
                continue
            wanted, n = DETERMINERS[determiner]
            gender = NOUN_FORMS[noun][0]
            first = (*before, noun)[0]
            if determiner in ("mon", "ton", "son") and not vowel(first):
                wanted = "m"
            assert wanted in (None, gender), pair.french
            assert same_number(noun, n), pair.french
            for place, words in (("before", before), ("behind", behind)):
                for word in words:
                    adjective = adjectives[word]
                    assert adjective.before is (place == "before")
                    short = place == "before" and gender == "m" and not n and vowel(noun)
                    form = adjective.french["mv"] if short else form_of(adjective, gender, n)
                    assert word == form, pair.french
            if determiner == "des":
                assert not before, pair.french  # "de" before an adjective
            seen[place] += 1
            seen[gender, n] += 1
    assert all(seen[key] > 500 for key in ("de", ("m", 0), ("m", 1), ("f", 0), ("f", 1)))


def test_negation_is_in_two_words(drawn):
    """Between ne and pas or jamais: pronouns and one verb; one pair for each English negation."""
    verbs = {form for verb in (*lexicon.VERBS, *lexicon.INTRANSITIVE) for form in verb.french}
    verbs |= {*lexicon.BE[1], *lexicon.HAVE.french}
    for pair in drawn:
        french = " ".join(pair.french)
        between = re.findall(
            r"\b(?:ne|n') (?:(?:me|te|le|la|les|nous|[mtl]') )?(\S+) (pas|jamais)\b", french
        )
        assert all(verb in verbs for verb, _ in between)
        counts = Counter(word for _, word in between)
        assert counts["pas"] == pair.english.count("not") == pair.french.count("pas")
        assert counts["jamais"] == pair.english.count("never") == pair.french.count("jamais")
        assert len(between) == pair.french.count("ne") + pair.french.count("n'")


def test_a_pronoun_and_its_verb_agree(drawn):
    people = {"je": 0, "j'": 0, "tu": 1, "il": 2, "elle": 2, "ils": 4}
    forms = defaultdict(set)
    for french in [
        *(verb.french for verb in (*lexicon.VERBS, *lexicon.INTRANSITIVE)),
        lexicon.BE[1],
        lexicon.HAVE.french,
    ]:
        for person, form in enumerate(french):
            forms[form].add(person)
    seen = Counter()
    between = ("ne", "n'", "me", "te", "le", "la", "les", "nous", "m'", "t'", "l'")
    for pair in drawn:
        for t, word in enumerate(pair.french):
            if word in people:
                verb = next(w for w in pair.french[t + 1 :] if w not in between)
                assert people[word] in forms[verb], pair.french
                seen[word] += 1
    assert set(seen) == set(people) and min(seen.values()) > 50


def test_no_article_is_left_behind_a_negated_verb(drawn):
    """ "does not see a cat" has "de"; behind "be" the article stays."""
    for pair in drawn:
        french = " ".join(pair.french)
        found = re.findall(r"\b(?:ne|n') (\S+) (?:pas|jamais) (?:un|une|des)\b", french)
        assert set(found) <= set(lexicon.BE[1]), french


def test_english_articles(drawn):
    for pair in drawn:
        for word, following in zip(pair.english, pair.english[1:], strict=False):
            if word in ("a", "an"):
                silent = (
                    following[0] in "aeiou" and following != "useful"
                ) or following == "honest"
                assert (word == "an") == silent, pair.english


# The split, batches, spelling


def test_the_split(corpus):
    train, test = corpus
    assert (len(train), len(test)) == (12_000, 600)
    english = [pair.english for pair in (*train, *test)]
    assert len(set(english)) == len(english)
    assert " ".join(test[0].english) == "I am a student"
    for side in ("english", "french"):
        known = {word for pair in train for word in getattr(pair, side)}
        assert {word for pair in test for word in getattr(pair, side)} <= known
        vocabulary = getattr(phrases, side.upper())
        assert known == set(vocabulary.symbols) - set(text.SPECIALS)  # not one too many


@pytest.mark.parametrize("seed", [1, 2])
def test_other_splits(seed):
    train, test = phrases.corpus(seed, train=2000, test=100, longest=9)
    assert (len(train), len(test)) == (2000, 100)
    assert not {pair.english for pair in train} & {pair.english for pair in test}
    assert {w for pair in test for w in pair.french} <= {w for pair in train for w in pair.french}
    assert max(len(side) for pair in train for side in pair[:2]) == 9
    again = phrases.corpus(seed, train=2000, test=100, longest=9)
    assert [pair[:2] for pair in again[1]] == [pair[:2] for pair in test]


def test_the_order_differs(corpus):
    """In four of five phrases two links cross."""
    crossing = []
    for pair in corpus[0]:
        t, s = np.nonzero(pair.sure)
        crossing.append(((t[:, None] < t) & (s[:, None] > s)).any())
    assert 0.78 < np.mean(crossing) < 0.82


def test_batch_and_links(corpus):
    pairs = corpus[1][:5]
    batch, (sure, possible) = phrases.batch(pairs), phrases.links(pairs)
    for b, pair in enumerate(pairs):
        source = batch.source[b][batch.source_mask[b]]
        targets = batch.targets[b][batch.mask[b]]
        assert tuple(phrases.ENGLISH.decode(source)) == pair.english
        assert tuple(phrases.FRENCH.decode(targets)) == (*pair.french, "<end>")
        T, S = pair.sure.shape
        np.testing.assert_array_equal(sure[b, :T, :S], pair.sure)
        np.testing.assert_array_equal(possible[b, :T, :S], pair.possible)
        assert sure[b].sum() == pair.sure.sum() and possible[b].sum() == pair.possible.sum()
    assert sure.shape == (5, batch.targets.shape[1] - 1, batch.source.shape[1])


# Alignment error rates


def padded(found, like):
    a = np.zeros(like.shape, bool)
    for b, one in enumerate(found):
        a[b, : one.shape[0], : one.shape[1]] = one
    return a


def diagonal(pair):
    T, S = pair.sure.shape
    return np.arange(S) == ((np.arange(T) + 0.5) * S / T).astype(int)[:, None]


def at_random(pair, rng):
    T, S = pair.sure.shape
    return np.arange(S) == rng.integers(S, size=T)[:, None]


def test_alignment_error_rates(corpus):
    """Of gold, of baselines, and of two errors of indexing, which are worse than chance."""
    train, test = corpus
    sure, possible = phrases.links(test)
    english, french = (
        [[vocabulary.encode(getattr(pair, side)) for pair in part] for part in (train, test)]
        for vocabulary, side in ((phrases.ENGLISH, "english"), (phrases.FRENCH, "french"))
    )
    table = ibm1.fit(english[0], french[0], len(phrases.ENGLISH), len(phrases.FRENCH))
    rng = np.random.default_rng(0)
    aligned = [ibm1.align(table, e, f) for e, f in zip(english[1], french[1], strict=True)]
    found = {
        "gold": sure,
        "all possible": possible,
        "model 1": padded(aligned, sure),
        "diagonal": padded([diagonal(pair) for pair in test], sure),
        "random": padded([at_random(pair, rng) for pair in test], sure),
        "shifted": padded([np.roll(pair.sure, 1, axis=0) for pair in test], sure),
        "reversed": padded([pair.sure[:, ::-1] for pair in test], sure),
    }
    rate = {key: metrics.alignment_error_rate(a, sure, possible) for key, a in found.items()}
    assert rate["gold"] == rate["all possible"] == 0
    assert rate["model 1"] == pytest.approx(0.079, abs=0.01)
    assert rate["diagonal"] == pytest.approx(0.349, abs=0.01)
    assert rate["random"] == pytest.approx(0.84, abs=0.02)
    assert rate["shifted"] > 0.99 and rate["reversed"] > 0.9
