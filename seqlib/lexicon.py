"""The words of the phrase grammar: English beside French, with every form that the rules need.

An English word has one translation.  French agrees in gender and number, so an adjective has up to
five forms, and a verb one for each person: the rules of `seqlib.phrases` choose among them.
"""

from typing import NamedTuple

CONSONANT_H = {"hibou", "hiboux", "héros", "homard", "homards"}  # nothing is elided before these
VOWELS = "aeiouyhàâäéèêëîïôöûüœæ"
AN, A = ("honest",), ("useful",)  # by sound, not by letter


class Noun(NamedTuple):
    english: tuple[str, str]  # singular, plural
    french: tuple[str, str]
    gender: str  # "m" or "f"; that of a role which nobody's gender decides
    kind: str  # person, role, animal, thing, food, paper or place
    feminine: tuple[str, str] = ("", "")  # of a role


class Adjective(NamedTuple):
    english: str
    french: dict  # by gender and number: "ms", "mp", "fs", "fp"; "mv" before a vowel
    before: bool  # whether it stands before its noun in French
    kinds: str  # initials of the kinds of noun that it may describe


class Verb(NamedTuple):
    english: tuple[str, str]  # "see", "sees"; a particle follows after a space
    french: tuple[str, ...]  # I, you, he, we, they
    subjects: str  # initials of the kinds of noun
    objects: str  # the same; empty if the verb takes none


def starts_with_vowel(word):
    """Whether a French word takes the elided forms before it: l', cet, bel, mon for ma."""
    return word[0] in VOWELS and word not in CONSONANT_H


def article(word):
    """The English "a" or "an", by how the next word sounds."""
    vowel = (word[0] in "aeiou" or word in AN) and word not in A
    return "an" if vowel else "a"


def plural(french):
    """The regular plural: -s; none after s, x or z; -x after -eau; -aux for -al."""
    if french[-1] in "sxz":
        return french
    if french.endswith("al"):
        return french[:-1] + "ux"
    return french + ("x" if french.endswith(("eau", "ou")) else "s")


def english_plural(noun):
    """The regular plural: -s; -es after a hiss; -ies for a consonant and -y."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


IRREGULAR = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "hero": "heroes",
    "mouse": "mice",
    "goose": "geese",
    "wolf": "wolves",
    "knife": "knives",
}


def nouns(kind, listed):
    """Nouns of one kind from lines "english french gender"; a role has its feminine instead."""
    for line in listed.strip().splitlines():
        english, french, mark = line.split()
        role = kind == "role"
        feminine = (mark, plural(mark)) if role else ("", "")
        both = (english, IRREGULAR.get(english) or english_plural(english))
        yield Noun(both, (french, plural(french)), "m" if role else mark, kind, feminine)


def adjectives(before, listed):
    """Adjectives from lines "english kinds masculine [feminine [before a vowel]]"."""
    for line in listed.strip().splitlines():
        english, kinds, ms, *rest = line.split()
        fs = rest[0] if rest else ms if ms[-1] == "e" else f"{ms}e"
        forms = {"ms": ms, "mp": plural(ms), "fs": fs, "fp": plural(fs)}
        forms["mv"] = rest[1] if len(rest) > 1 else ms
        yield Adjective(english, forms, before, kinds)


def verbs(listed):
    """Verbs from lines "english subjects objects french ..."; one French form is a stem in -er.

    "_" joins a verb and its particle, and stands for no objects.
    """
    for line in listed.strip().splitlines():
        english, subjects, objects, *french = line.split()
        if len(french) == 1:
            stem = french[0]
            ending = "eons" if stem[-1] == "g" else "ons"
            french = [stem + end for end in ("e", "es", "e", ending, "ent")]
        verb, *particle = english.split("_")
        third = "has" if verb == "have" else english_plural(verb)
        both = tuple(" ".join([form, *particle]) for form in (verb, third))
        yield Verb(both, tuple(french), subjects, objects.strip("_"))


NOUNS = (
    *nouns(
        "person",
        """
        man homme m
        woman femme f
        boy garçon m
        girl fille f
        child enfant m
        king roi m
        queen reine f
        brother frère m
        sister sœur f
        uncle oncle m
        aunt tante f
        hero héros m
        """,
    ),
    *nouns(
        "role",
        """
        student étudiant étudiante
        friend ami amie
        neighbour voisin voisine
        singer chanteur chanteuse
        baker boulanger boulangère
        nurse infirmier infirmière
        lawyer avocat avocate
        cousin cousin cousine
        """,
    ),
    *nouns(
        "animal",
        """
        cat chat m
        dog chien m
        bird oiseau m
        horse cheval m
        cow vache f
        rabbit lapin m
        bear ours m
        owl hibou m
        bee abeille f
        spider araignée f
        fox renard m
        wolf loup m
        mouse souris f
        goose oie f
        """,
    ),
    *nouns(
        "thing",
        """
        key clé f
        table table f
        chair chaise f
        lamp lampe f
        coat manteau m
        hat chapeau m
        umbrella parapluie m
        flower fleur f
        boat bateau m
        knife couteau m
        shoe chaussure f
        clock horloge f
        car voiture f
        sword épée f
        """,
    ),
    *nouns(
        "food",
        """
        apple pomme f
        egg œuf m
        cake gâteau m
        carrot carotte f
        onion oignon m
        lobster homard m
        """,
    ),
    *nouns(
        "paper",
        """
        book livre m
        letter lettre f
        newspaper journal m
        story histoire f
        """,
    ),
    *nouns(
        "place",
        """
        house maison f
        garden jardin m
        school école f
        church église f
        island île f
        hotel hôtel m
        castle château m
        village village m
        forest forêt f
        city ville f
        hospital hôpital m
        park parc m
        """,
    ),
)
# The kinds of noun by their initials; w is for what is written
INITIALS = {
    **{"person": "p", "role": "r", "animal": "a", "thing": "t"},
    **{"food": "f", "paper": "w", "place": "l"},
}
ADJECTIVES = (
    *adjectives(
        True,
        """
        big pratfl grand
        small pratfl petit
        good prfw bon bonne
        bad rfw mauvais
        new rtwl nouveau nouvelle nouvel
        old pratwl vieux vieille vieil
        beautiful pratwl beau belle bel
        young pra jeune
        fat pra gros grosse
        long tw long longue
        """,
    ),
    *adjectives(
        False,
        """
        red atf rouge
        blue at bleu
        green tf vert
        white atf blanc blanche
        black atf noir
        happy pra heureux heureuse
        sad praw triste
        tired pra fatigué
        strong pra fort
        rich prl riche
        honest pr honnête
        intelligent pra intelligent
        heavy tw lourd
        empty tl vide
        strange pratfwl étrange
        quick pra rapide
        dangerous pratl dangereux dangereuse
        expensive tfwl cher chère
        famous prwl célèbre
        useful atw utile
        modern twl moderne
        round tf rond
        lazy pra paresseux paresseuse
        fierce a féroce
        """,
    ),
)
VERBS = tuple(
    verbs(
        """
        see pra pratfwl vois vois voit voyons voient
        love pra pratfwl aim
        look_for pra pratfwl cherch
        wait_for pra pra attends attends attend attendons attendent
        listen_to pra pra écout
        watch pra pral regard
        find pra pratfwl trouv
        know pr prl connais connais connaît connaissons connaissent
        help pra pra aid
        greet pr pr salu
        follow pra pra suis suis suit suivons suivent
        wash pr prat lav
        draw pr pratfwl dessin
        buy pr tfwl achète achètes achète achetons achètent
        sell pr tfwl vends vends vend vendons vendent
        eat pra f mang
        carry pr atfw port
        forget pr prtw oubli
        invite pr pr invit
        hide pr tfw cach
        admire pr pratwl admir
        read pr w lis lis lit lisons lisent
        write pr w écris écris écrit écrivons écrivent
        hear pra pra entends entends entend entendons entendent
        fear pra pra crains crains craint craignons craignent
        """
    )
)
INTRANSITIVE = tuple(
    verbs(
        """
        sleep pra _ dors dors dort dormons dorment
        run pra _ cours cours court courons courent
        work pr _ travaill
        sing pra _ chant
        dance pr _ dans
        swim pra _ nag
        cry pr _ pleur
        smile pr _ souris souris sourit sourions sourient
        arrive pra _ arriv
        """
    )
)
(HAVE,) = verbs("have pr tfwa ai as a avons ont")
BE = (("am", "are", "is", "are", "are"), ("suis", "es", "est", "sommes", "sont"))
