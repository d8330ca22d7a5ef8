"""Tasks with exact answers, drawn from a random generator, and one measured series."""

from typing import NamedTuple

import numpy as np

from seqlib import text

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


class Grammar(NamedTuple):
    """A finite automaton that writes sentences; an arc is (probability, text, next state).

    The last next state is None.  A text must belong to one path alone: then the entropy of a
    sentence is that of its choices.
    """

    arcs: dict[str, tuple[tuple[float, str, str | None], ...]]
    start: str

    def visits(self):
        """How often a sentence passes through each state, in the mean: a dict.

        (grammar-visits)   n_s = [s is the start] + sum_r n_r p(r -> s)
        """
        states = list(self.arcs)
        flow = np.zeros((len(states), len(states)))
        for r, state in enumerate(states):
            total = sum(p for p, _, _ in self.arcs[state])
            if abs(total - 1) > 1e-9:
                raise ValueError(f"the arcs of {state!r} have probability {total}; expected 1")
            for p, _, following in self.arcs[state]:
                if following is not None:
                    if following not in self.arcs:
                        raise ValueError(f"an arc leads from {state!r} to {following!r}, no state")
                    flow[r, states.index(following)] += p
        start = np.array([float(state == self.start) for state in states])
        n = np.linalg.solve(np.eye(len(states)) - flow.T, start)  # (grammar-visits)
        return dict(zip(states, n, strict=True))

    def mean_length(self):
        """The mean number of characters of a sentence."""
        return sum(
            n * sum(p * len(words) for p, words, _ in self.arcs[s])
            for s, n in self.visits().items()
        )

    def entropy(self):
        """The entropy of a sentence, in nats.

        (grammar-entropy)   H = sum_s n_s sum_arcs -p ln p
        """
        choice = {s: sum(-p * np.log(p) for p, _, _ in arcs) for s, arcs in self.arcs.items()}
        return sum(n * choice[s] for s, n in self.visits().items())  # (grammar-entropy)

    def entropy_rate(self):
        """Nats per character of a long text: no model can have a lower mean cross-entropy on it."""
        return self.entropy() / self.mean_length()

    def sentences(self):
        """Every sentence and its probability, as a dict; a ValueError if they have no end."""
        found, open_paths = {}, [(self.start, "", 1.0, 0)]
        while open_paths:
            state, words, p, depth = open_paths.pop()
            if depth > len(self.arcs):
                raise ValueError(f"a path of {depth} arcs among {len(self.arcs)} states goes round")
            if state is None:
                found[words] = found.get(words, 0.0) + p
            else:
                open_paths += [
                    (following, words + piece, p * q, depth + 1)
                    for q, piece, following in self.arcs[state]
                ]
        return found

    def surprisal(self, sentences):
        """What each character of each sentence costs at best: -ln p of it given those before.

        Returns a list of arrays (T,), in nats.
        Raises ValueError if the grammar does not write a sentence, or has no end of sentences.
        """
        every = self.sentences()
        beginnings = {}
        for sentence, p in every.items():
            for n in range(len(sentence) + 1):
                beginnings[sentence[:n]] = beginnings.get(sentence[:n], 0.0) + p
        costs = []
        for sentence in sentences:
            if sentence not in every:
                raise ValueError(f"{sentence!r} is not among the {len(every)} sentences")
            log_p = np.log([beginnings[sentence[:n]] for n in range(len(sentence) + 1)])
            costs.append(log_p[:-1] - log_p[1:])
        return costs

    def sample(self, rng, count):
        """A list of sentences, and a list of their exact log-probabilities in nats."""
        sentences, log_p = [], []
        for _ in range(count):
            state, words, total = self.start, [], 0.0
            while state is not None:
                arcs = self.arcs[state]
                p, piece, following = arcs[rng.choice(len(arcs), p=[arc[0] for arc in arcs])]
                words.append(piece)
                total += np.log(p)
                state = following
            sentences.append("".join(words))
            log_p.append(total)
        return sentences, log_p


def agreement_grammar():
    """Short English sentences whose last verb agrees with their first noun.

    "the cat runs." - "the cats never sleep." - "the cat that the dogs see sleeps."

    Between noun and verb stands nothing, an adverb, or a clause with a noun and a verb of its own.
    Returns a Grammar over characters; each sentence ends with a full stop and a line break.
    """
    nouns = ("cat", "dog", "girl", "bird", "king", "cow")
    adverbs = ("often", "never", "always")
    verbs = {"s": ("runs", "sleeps", "sings"), "p": ("run", "sleep", "sing")}
    inner_verbs = {"s": ("sees", "hears"), "p": ("see", "hear")}
    ending = {"s": "", "p": "s"}  # of a noun, in the singular and the plural
    arcs = {"start": ((1.0, "the ", "noun"),)}
    arcs["noun"] = tuple((1 / 12, noun + ending[n], f"after {n}") for n in "sp" for noun in nouns)
    for n in "sp":
        last = tuple((1 / 3, f" {verb}.\n", None) for verb in verbs[n])
        arcs[f"verb {n}"] = last
        arcs[f"after {n}"] = (
            *((0.3 * p, verb, None) for p, verb, _ in last),
            *((0.4 / 3, f" {adverb}", f"verb {n}") for adverb in adverbs),
            (0.3, " that the ", f"inner noun {n}"),
        )
        arcs[f"inner noun {n}"] = tuple(
            (1 / 12, noun + ending[m], f"inner verb {n} {m}") for m in "sp" for noun in nouns
        )
        for m in "sp":
            arcs[f"inner verb {n} {m}"] = tuple(
                (1 / 2, f" {verb}", f"verb {n}") for verb in inner_verbs[m]
            )
    return Grammar(arcs, "start")


def air_passengers():
    """International airline passengers per month, 1949 to 1960, in thousands.

    Returns (144,) float64.  Source: Box and Jenkins, Time series analysis: forecasting and control,
    series G.
    """
    return np.array(AIR_PASSENGERS, dtype=np.float64)


# fmt: off
AIR_PASSENGERS = (
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118,
    115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114, 140,
    145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166,
    171, 180, 193, 181, 183, 218, 230, 242, 209, 191, 172, 194,
    196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201,
    204, 188, 235, 227, 234, 264, 302, 293, 259, 229, 203, 229,
    242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278,
    284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306,
    315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336,
    340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337,
    360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405,
    417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432,
)
# fmt: on
