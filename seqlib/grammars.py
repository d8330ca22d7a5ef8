"""Grammars: automata that write sentences, and the exact entropy of what they write."""

from typing import NamedTuple

import numpy as np


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
