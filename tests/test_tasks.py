"""The tasks: their answers by rules of their own, and their baselines exactly and by sampling.

An independent rule reads the inputs alone, as words or numbers, never what the generator knew.
"""

import datetime
import math
import re
from collections import Counter, defaultdict
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqlib import dates, guessing, reber, sentences, sentiment, tasks, text
from seqlib.scratch import losses

drawn = settings(derandomize=True, deadline=None, database=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)
rows = st.integers(1, 12)  # of a batch


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-12)


def as_expected(values, mean):
    """Whether the mean of a sample is within five standard errors of the one that is claimed."""
    values = np.asarray(values, dtype=float)
    return abs(values.mean() - mean) < 5 * values.std() / np.sqrt(values.size)


# Grammars


def paths(grammar, state, p=1.0, words=""):
    """Every sentence of a finite grammar with its probability, path by path."""
    if state is None:
        yield words, p
        return
    for q, piece, following in grammar.arcs[state]:
        yield from paths(grammar, following, p * q, words + piece)


def test_agreement_grammar_by_enumeration():
    grammar = tasks.agreement_grammar()
    sentences, p = zip(*paths(grammar, grammar.start), strict=True)
    assert grammar.sentences() == pytest.approx(dict(zip(sentences, p, strict=True)), abs=1e-15)
    p = np.array(p)
    assert len(set(sentences)) == len(sentences)  # one path for each string
    assert len(sentences) == 12 * (3 + 3 * 3 + 12 * 2 * 3)  # plain, with an adverb, with a clause
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert grammar.entropy() == pytest.approx(-(p * np.log(p)).sum(), abs=1e-12)
    mean_length = (p * [len(s) for s in sentences]).sum()
    assert grammar.mean_length() == pytest.approx(mean_length, abs=1e-12)
    assert grammar.entropy_rate() == pytest.approx(grammar.entropy() / mean_length)
    examples = "the cat runs.", "the cats never sleep.", "the cat that the dogs see sleeps."
    assert {f"{example}\n" for example in examples} < set(sentences)
    assert all(s.endswith(".\n") and s.count("\n") == 1 for s in sentences)
    for sentence in sentences:  # the last verb agrees with the first noun
        words = sentence.split()
        assert words[-1].removesuffix(".").endswith("s") != words[1].endswith("s")


def test_surprisal():
    """Costs add up to a sentence's; after any beginning, what can follow has probability one."""
    grammar = tasks.agreement_grammar()
    exact = dict(paths(grammar, grammar.start))
    costs = dict(zip(exact, grammar.surprisal(list(exact)), strict=True))
    followers = defaultdict(dict)
    for sentence, nats in costs.items():
        assert nats.shape == (len(sentence),)
        assert nats.sum() == pytest.approx(-np.log(exact[sentence]))
        for t, (character, cost) in enumerate(zip(sentence, nats, strict=True)):
            followers[sentence[:t]].setdefault(character, cost)
            assert followers[sentence[:t]][character] == pytest.approx(cost)
    for choices in followers.values():
        assert sum(np.exp(-cost) for cost in choices.values()) == pytest.approx(1)
    mean = sum(exact[sentence] * nats.sum() for sentence, nats in costs.items())
    assert mean == pytest.approx(grammar.entropy())
    assert followers["the cat"]["s"] == pytest.approx(np.log(2))  # as many plurals as singulars


def loop(again):
    return tasks.Grammar({"s": ((again, "ab", "s"), (1 - again, ".", None))}, "s")


@drawn
@given(st.floats(0.05, 0.9))
def test_a_grammar_with_a_loop(again):
    """A geometric number of rounds: visits, length and entropy in closed form."""
    grammar, rounds = loop(again), again / (1 - again)
    choice = -again * np.log(again) - (1 - again) * np.log(1 - again)
    assert grammar.visits()["s"] == pytest.approx(1 / (1 - again))
    assert grammar.mean_length() == pytest.approx(2 * rounds + 1)
    assert grammar.entropy() == pytest.approx(choice / (1 - again))


@pytest.mark.parametrize(
    "grammar",
    [tasks.agreement_grammar(), loop(0.6), tasks.reber_grammar(), tasks.reber_grammar(0.8)],
)
def test_entropy_by_sampling(grammar):
    """The mean of -log p over samples is the entropy, within five standard errors."""
    sentences, log_p = grammar.sample(np.random.default_rng(0), 4000)
    nats, lengths = -np.array(log_p), np.array([len(s) for s in sentences])
    for values, expected in [(nats, grammar.entropy()), (lengths, grammar.mean_length())]:
        assert as_expected(values, expected)
    if grammar == tasks.agreement_grammar():
        exact = dict(paths(grammar, grammar.start))
        close(nats, [-np.log(exact[s]) for s in sentences])


# Pronouns


def check_pronouns(batch, least, most):
    for b in range(len(batch.inputs)):
        real = batch.mask[b]
        assert not real[real.sum() :].any()
        ids = [*batch.inputs[b][real], batch.targets[b][real][-1]]
        assert list(batch.targets[b][real]) == ids[1:]  # one word later
        words = tasks.PRONOUN_WORDS.decode(ids)
        name, pronoun = words[0], words[batch.position[b] + 1]
        assert pronoun == ("he" if name in tasks.HE_NAMES else "she")
        assert words.count("he") + words.count("she") == 1
        assert words[batch.position[b]] == "and"
        assert words[-1] == "."
        assert batch.distance[b] == words.index(pronoun) - words.index(name)
        assert least <= (batch.distance[b] - 6) / 4 <= most
        assert (batch.distance[b] - 6) % 4 == 0
        yield name, pronoun


@drawn
@given(seed=seeds, B=st.integers(1, 20), least=st.integers(0, 3), more=st.integers(0, 3))
def test_pronouns(seed, B, least, more):
    phrases = least if more == 0 else (least, least + more)
    batch = tasks.pronouns(np.random.default_rng(seed), B, phrases)
    assert len(list(check_pronouns(batch, least, least + more))) == B


@drawn
@given(seed=seeds, B=st.integers(1, 10), length=st.integers(1, 20))
def test_windows_before_a_pronoun(seed, B, length):
    batch = tasks.pronouns(np.random.default_rng(seed), B, (0, 2))
    inputs, targets, mask = batch.windows(length, before=-1)
    assert inputs.shape == (B, length)
    assert mask is None
    for b, place in enumerate(batch.position):
        assert targets[b] == batch.targets[b, place]
        padded = [-1] * length + list(batch.inputs[b, : place + 1])
        assert list(inputs[b]) == padded[-length:]


def test_pronouns_are_drawn_evenly():
    batch = tasks.pronouns(np.random.default_rng(0), 4000, (0, 3))
    names, kinds = map(Counter, zip(*check_pronouns(batch, 0, 3), strict=True))
    assert set(names) == {*tasks.HE_NAMES, *tasks.SHE_NAMES}
    assert all(abs(n - 250) < 5 * np.sqrt(250 * 15 / 16) for n in names.values())
    assert abs(kinds["he"] - 2000) < 5 * np.sqrt(1000)
    counts = Counter(batch.distance.tolist())
    assert set(counts) == {6, 10, 14, 18}
    assert all(abs(n - 1000) < 5 * np.sqrt(750) for n in counts.values())


def test_nothing_between_name_and_pronoun_tells_them_apart():
    """The words between occur as often after men's names as after women's."""
    batch = tasks.pronouns(np.random.default_rng(1), 4000, 2)
    he = np.isin(batch.inputs[:, 0], tasks.PRONOUN_WORDS.encode(tasks.HE_NAMES))
    for position in range(1, batch.position[0] + 1):
        for word in np.unique(batch.inputs[:, position]):
            here = batch.inputs[:, position] == word
            if not here.all():
                share = he[here].mean() - he[~here].mean()
                assert abs(share) < 5 * 0.5 * np.sqrt(1 / here.sum() + 1 / (~here).sum())


# Numbers


@drawn
@given(seed=seeds, B=rows, T=st.integers(2, 9))
def test_adding(seed, B, T):
    inputs, targets, mask = tasks.adding(np.random.default_rng(seed), B, T)
    assert inputs.shape == (B, T, 2)
    assert targets.shape == (B, 1)
    assert mask.shape == (B, T) and mask.all()
    for row, target in zip(inputs.tolist(), targets[:, 0].tolist(), strict=True):
        marked = [t for t, (_, mark) in enumerate(row) if mark == 1]
        assert len(marked) == 2 and marked[0] < T // 2 <= marked[1]
        assert all(mark in (0, 1) and 0 <= number < 1 for number, mark in row)
        assert target == row[marked[0]][0] + row[marked[1]][0]


def test_adding_baseline():
    """Exactly the variance of u + v, by the moments of u; and by sampling."""
    first, second = Fraction(1, 2), Fraction(1, 3)  # E u and E u^2 for u uniform in [0, 1)
    assert tasks.ADDING_BASELINE == float(2 * (second - first**2))
    targets = tasks.adding(np.random.default_rng(0), 40_000, 6).targets[:, 0]
    assert as_expected(targets, 1)  # the answer without memory
    assert as_expected((targets - 1) ** 2, tasks.ADDING_BASELINE)
    assert not as_expected((targets - 1) ** 2, 0.1767)  # a figure that is often quoted


def test_adding_marks_every_place():
    marks = tasks.adding(np.random.default_rng(0), 5000, 7).inputs[:, :, 1]
    for t in range(7):
        assert as_expected(marks[:, t], 1 / 3 if t < 3 else 1 / 4)


@drawn
@given(seed=seeds, B=rows, delay=st.integers(1, 9), noise=st.sampled_from([0.0, 0.5]))
def test_latch(seed, B, delay, noise):
    inputs, targets, mask = tasks.latch(np.random.default_rng(seed), B, delay, noise)
    assert inputs.shape == (B, delay + 1, 1)
    assert mask.shape == (B, delay + 1) and mask.all()
    assert [int(row[0, 0] > 0) for row in inputs] == targets.tolist()
    assert (abs(inputs[:, 0]) == 1).all()
    assert (inputs[:, 1:] != 0).all() == (noise > 0)


def test_latch_is_even_and_its_noise_says_nothing():
    inputs, targets, _ = tasks.latch(np.random.default_rng(0), 20_000, 3, noise=0.5)
    assert as_expected(targets, tasks.LATCH_BASELINE)
    for t in (1, 2, 3):
        assert as_expected(inputs[:, t], 0)
        assert as_expected(inputs[:, t] ** 2, 0.25)
        assert as_expected(inputs[:, t, 0] * (2 * targets - 1), 0)


# Symbols


@drawn
@given(seed=seeds, B=rows, symbols=st.integers(1, 5), delay=st.integers(1, 6), K=st.integers(1, 9))
def test_copy(seed, B, symbols, delay, K):
    inputs, targets, mask, answers = tasks.copy_memory(
        np.random.default_rng(seed), B, symbols, delay, K
    )
    assert mask.all()
    for i, row in enumerate(inputs.tolist()):
        shown = row[:symbols]
        assert max(shown) < K
        assert row[symbols:] == [K] * (delay - 1) + [K + 1] + [K] * symbols
        assert targets[i].tolist() == [K] * (symbols + delay) + shown
        assert answers[i].tolist() == [False] * (symbols + delay) + [True] * symbols


@drawn
@given(symbols=st.integers(1, 4), delay=st.integers(1, 6), K=st.integers(1, 4))
def test_copy_entropy(symbols, delay, K):
    """What the best guess without memory costs on all sequences of symbols, one by one."""
    costs = []
    for shown in product(range(K), repeat=symbols):
        targets = [K] * (symbols + delay) + list(shown)
        logits = np.full((len(targets), K + 2), -np.inf)
        logits[: symbols + delay, K] = 0  # blanks are certain
        logits[symbols + delay :, :K] = 0  # symbols are even
        costs.append(losses.cross_entropy_forward(logits, np.array(targets))[0])
    assert tasks.copy_entropy(symbols, delay, K) == pytest.approx(np.mean(costs), rel=1e-12)


def test_copied_symbols_are_drawn_evenly():
    inputs = tasks.copy_memory(np.random.default_rng(0), 4000, 3, 5, K=4).inputs
    for t, k in product(range(3), range(4)):
        assert as_expected(inputs[:, t] == k, 1 / 4)
    assert as_expected(inputs[:, 0] == inputs[:, 1], 1 / 4)


@drawn
@given(seed=seeds, B=rows, least=st.integers(1, 4), more=st.integers(0, 5))
def test_anbn(seed, B, least, more):
    batch = tasks.anbn(np.random.default_rng(seed), B, least + more, least)
    for row in range(B):
        real = batch.mask[row]
        assert not real[real.sum() :].any()
        read, written = (
            "".join(tasks.ANBN_SYMBOLS.decode(ids[row][real]))
            for ids in (batch.inputs, batch.targets)
        )
        n = batch.n[row]
        assert least <= n <= least + more
        assert read + written[-1] == "$" + "a" * n + "b" * n + "$"
        assert read[1:] == written[:-1]
        assert batch.determined[row][real].tolist() == [
            "b" in read[: t + 1] for t in range(len(read))
        ]
        assert not batch.determined[row][~real].any()


@pytest.mark.parametrize(("most", "least"), [(1, 1), (3, 1), (7, 4)])
def test_anbn_entropy(most, least):
    """The least cost of every string, symbol by symbol, from what its beginning leaves open."""
    strings = ["a" * n + "b" * n + "$" for n in range(least, most + 1)]
    nats = 0.0
    for string in strings:
        for t, symbol in enumerate(string):
            alike = [other for other in strings if other[:t] == string[:t]]
            nats -= np.log(sum(other[t] == symbol for other in alike) / len(alike))
    assert tasks.anbn_entropy(most, least) == pytest.approx(nats / sum(map(len, strings)))
    n = tasks.anbn(np.random.default_rng(0), 3000, most, least).n
    assert all(
        as_expected(n == k, 1 / len(strings)) or len(strings) == 1 for k in range(least, most + 1)
    )


# Reber

# Reber's diagram as a regular expression: S and T may be repeated, X leads back, E ends
LOWER = "(?:T*VPX)*T*V(?:V|PS)"
INNER = f"B(?:TS*X(?:S|X{LOWER})|P{LOWER})E"
EMBEDDED = re.compile(f"B([TP]){INNER}\\1E")
# And as arrows, for what may follow
ARROWS = {
    1: {"T": 2, "P": 3},
    2: {"S": 2, "X": 4},
    3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6},
    6: {"E": 7},
}


def may_follow(string):
    """The symbols that can follow a beginning of an embedded string; all of it is read again."""
    if len(string) < 3:
        return ["B", "TP", "B"][len(string)]
    place = 1
    for t, symbol in enumerate(string[3:]):
        if place == 7:
            return "E" if t == len(string) - 4 else "B"  # of the next string
        place = ARROWS[place][symbol]
    return string[1] if place == 7 else "".join(ARROWS[place])


def test_may_follow():
    for string, following in [
        ("", "B"), ("B", "TP"), ("BP", "B"), ("BPB", "TP"), ("BPBT", "SX"), ("BPBTX", "XS"),
        ("BPBTXX", "TV"), ("BPBTXXV", "PV"), ("BPBTXS", "E"), ("BPBTXSE", "P"), ("BPBTXSEP", "E"),
    ]:  # fmt: skip
        assert set(may_follow(string)) == set(following), string
    assert EMBEDDED.fullmatch("BPBTXSEPE") and EMBEDDED.fullmatch("BTBPTVPXVVETE")
    for wrong in ("BPBTXSETE", "BPBTXSEP", "BPBSXSEPE", "BPBTSEPE", "BPBPVPXEPE"):
        assert not EMBEDDED.fullmatch(wrong)


@drawn
@given(seed=seeds, B=rows, again=st.sampled_from([0.1, 0.5, 0.9]))
def test_reber(seed, B, again):
    batch = tasks.reber(np.random.default_rng(seed), B, again)
    for row in range(B):
        real = batch.mask[row]
        assert not real[real.sum() :].any()
        read = reber.SYMBOLS.decode(batch.inputs[row][real])
        string = "".join([*read, *reber.SYMBOLS.decode(batch.targets[row][real][-1:])])
        assert EMBEDDED.fullmatch(string)
        assert reber.SYMBOLS.decode(batch.targets[row][real]) == list(string[1:])
        for t, legal in enumerate(batch.legal[row][real]):
            found = reber.SYMBOLS.decode(np.flatnonzero(legal))
            assert set(found) == set(may_follow(string[: t + 1]))
        assert not batch.legal[row][~real].any()
        assert np.flatnonzero(batch.outer[row]).tolist() == [len(string) - 3]


@drawn
@given(seed=seeds, B=rows, T=st.integers(1, 60))
def test_reber_stream(seed, B, T):
    """Strings, one after the other, the last one cut; what may follow starts anew after each E."""
    batch = tasks.reber_stream(np.random.default_rng(seed), B, T)
    assert batch.inputs.shape == batch.mask.shape == (B, T) and batch.mask.all()
    for row in range(B):
        stream = "".join(reber.SYMBOLS.decode([*batch.inputs[row], batch.targets[row, -1]]))
        assert "".join(reber.SYMBOLS.decode(batch.targets[row])) == stream[1:]
        string, outer = stream[0], []
        for t in range(T):
            following = "B" if EMBEDDED.fullmatch(string) else may_follow(string)
            legal = reber.SYMBOLS.decode(np.flatnonzero(batch.legal[row, t]))
            assert set(legal) == set(following)
            assert stream[t + 1] in following
            string = "B" if EMBEDDED.fullmatch(string) else string + stream[t + 1]
            outer.append(EMBEDDED.fullmatch(string + "E") is not None)
        assert batch.outer[row].tolist() == outer
        assert string.startswith("B")


@pytest.mark.parametrize("again", [0.5, 0.9])
def test_reber_is_drawn_as_the_grammar_says(again):
    batch = tasks.reber(np.random.default_rng(0), 4000, again)
    grammar = tasks.reber_grammar(again)
    lengths = batch.mask.sum(axis=1) + 1
    assert as_expected(lengths, grammar.mean_length())
    last = batch.targets[batch.outer]
    assert as_expected(last == reber.SYMBOLS.id("T"), reber.BASELINE)
    assert (last == batch.inputs[:, 1]).all()
    strings = [
        "".join(reber.SYMBOLS.decode([*ids[real], reber.SYMBOLS.id("E")]))
        for ids, real in zip(batch.inputs, batch.mask, strict=True)
    ]
    loops = [len(match) - 1 for s in strings for match in re.findall("^B[TP]BT(S*X)", s)]
    assert as_expected(loops, again / (1 - again))  # a geometric number of rounds
    assert as_expected([s[3] == "T" for s in strings], 1 / 2)


# Phrases with negation


def clauses_of(words):
    """(praises, negations) of each clause: a clause ends with a comma or the full stop."""
    for clause in " ".join(words).replace(".", ",").split(",")[:-1]:
        judged = [
            word for word in clause.split() if word in sentiment.POSITIVE + sentiment.NEGATIVE
        ]
        assert len(judged) == 1 and clause.split()[-1] == judged[0]
        yield judged[0] in sentiment.POSITIVE, clause.split().count("not")


@drawn
@given(seed=seeds, B=rows, clauses=st.sampled_from([1, 3, 5]))
def test_sentiment(seed, B, clauses):
    batch = tasks.sentiment(np.random.default_rng(seed), B, clauses)
    for ids, target, real in zip(*batch, strict=True):
        assert not real[real.sum() :].any()
        words = sentiment.SENTIMENT_WORDS.decode(ids[real])
        assert words[-1] == "." and words.count(",") == clauses - 1
        signs = [(1 if praises else -1) * (-1) ** n for praises, n in clauses_of(words)]
        assert len(signs) == clauses
        assert target == (sum(signs) > 0) == sentiment.verdict(words)


@pytest.mark.parametrize("clauses", [1, 3, 5])
def test_sentiment_baseline(clauses):
    """By counting every phrase: the best answer to each bag of words; and without "not" a coin."""
    bags, unnegated = defaultdict(Counter), defaultdict(Counter)
    for choices in product(product((0, 1), repeat=3), repeat=clauses):
        words = []
        for doubts, denies, praises in choices:
            words += ["i", *["do", "not"] * doubts, "think", "it", "was", *["not"] * denies]
            words += ["good" if praises else "bad", ","]
        answer = sentiment.verdict([*words[:-1], "."])
        bags[frozenset(Counter(words).items())][answer] += 1
        unnegated[" ".join(word for word in words if word != "not")][answer] += 1
    for found, claimed in [
        (bags, sentiment.sentiment_baseline(clauses)),
        (unnegated, sentiment.SENTIMENT_BASELINE),
    ]:
        assert sum(max(counts.values()) for counts in found.values()) / 8**clauses == claimed


def test_sentiment_is_drawn_evenly():
    batch = tasks.sentiment(np.random.default_rng(0), 3000, 1)
    assert as_expected(batch.targets, 1 / 2)
    choices = Counter()
    for ids, _, real in zip(*batch, strict=True):
        words = sentiment.SENTIMENT_WORDS.decode(ids[real])
        choices[
            words[1] == "do", "was not" in " ".join(words), words[-2] in sentiment.POSITIVE
        ] += 1
    assert len(choices) == 8
    assert all(abs(n - 375) < 5 * np.sqrt(375 * 7 / 8) for n in choices.values())


def test_sentiment_with_fewer_negations():
    batch = tasks.sentiment(np.random.default_rng(0), 1000, 3, negation=0.2)
    clauses = [
        clause
        for ids, real in zip(batch.inputs, batch.mask, strict=True)
        for clause in clauses_of(sentiment.SENTIMENT_WORDS.decode(ids[real]))
    ]
    counts = Counter(negations for _, negations in clauses)
    shares = {0: 0.8**2, 1: 2 * 0.8 * 0.2, 2: 0.2**2}
    assert all(as_expected([n == k for _, n in clauses], shares[k]) for k in counts)
    assert as_expected([praises for praises, _ in clauses], 1 / 2)


# Tags


def tags_by_reading(words):
    """Who speaks and whether it is a question, sentence by sentence, from name and mark."""
    tags = []
    for name, rest, mark in re.findall(r"(\w+) :([^.?]*) ([.?])", " ".join(words)):
        tag = ("he " if name in sentences.HE_NAMES else "she ") + (
            "asks" if mark == "?" else "says"
        )
        tags += [tag] * (len(rest.split()) + 3)
    return tags


@drawn
@given(seed=seeds, B=rows, count=st.integers(1, 3), most=st.integers(1, 4))
def test_tagging(seed, B, count, most):
    batch = tasks.tagging(np.random.default_rng(seed), B, count, most)
    for ids, targets, real in zip(*batch, strict=True):
        assert not real[real.sum() :].any()
        words = sentences.TAGGING_WORDS.decode(ids[real])
        assert [sentences.TAGS[tag] for tag in targets[real]] == tags_by_reading(words)
        assert words.count(":") == count
        assert all(1 <= len(s.split("and")) <= most for s in re.split("[.?]", " ".join(words))[:-1])


@pytest.mark.parametrize("most", [1, 3])
def test_tagging_baseline(most):
    """The share of right answers of the two readers, over one talk of every kind."""
    batch = tasks.tagging(np.random.default_rng(0), 500, 1, most)
    kinds = {}  # the length of a talk and its tag, all equally likely
    for ids, targets, real in zip(*batch, strict=True):
        words = sentences.TAGGING_WORDS.decode(ids[real])
        kinds[len(words), sentences.TAGS[targets[0]]] = words
    assert len(kinds) == 4 * most
    words = sum(length for length, _ in kinds)
    for guess in ("says", "he"):  # a mark, or a name, that is known at the last word alone
        right = sum(length if guess in tag.split() else 1 for length, tag in kinds)
        assert sentences.tagging_baseline(most) == pytest.approx(right / words, rel=1e-12)


def test_talks_are_drawn_evenly():
    batch = tasks.tagging(np.random.default_rng(0), 4000, 1, 3)
    for tag in range(4):
        assert as_expected(batch.targets[:, 0] == tag, 1 / 4)
    for games in (1, 2, 3):
        assert as_expected(batch.mask.sum(axis=1) == 2 * games + 4, 1 / 3)


# Rows to rewrite


def read_and_written(batch, source_words, target_words):
    """The rows of a translation batch as strings; what holds for each of them is checked."""
    for b in range(len(batch.source)):
        lengths = []
        for mask in (batch.source_mask[b], batch.mask[b]):
            assert not mask[mask.sum() :].any()
            lengths.append(mask.sum())
        S, T = lengths
        assert batch.inputs[b, 0] == text.START
        assert batch.targets[b, T - 1] == text.END
        assert list(batch.inputs[b, 1:T]) == list(batch.targets[b, : T - 1])
        for a, n in ((batch.source, S), (batch.inputs, T), (batch.targets, T)):
            assert (a[b, n:] == text.PAD).all()
        yield source_words(batch.source[b, :S]), target_words(batch.targets[b, : T - 1])


def read_date(written):
    """The date, from its parts alone: the year has four digits, a month's name three letters."""
    parts = re.findall(r"[A-Za-z]+|\d+", written)
    months = {name[:3]: m for m, name in enumerate(dates.MONTHS, 1)}
    weekdays = [name[:3] for name in dates.DAYS]
    numbers = [int(part) for part in parts if part.isdigit()]
    named = [months[part[:3]] for part in parts if part[:3] in months]
    (year,) = [n for n in numbers if n > 31]
    if named:
        (month,) = named
        (day,) = [n for n in numbers if n <= 31]
    else:
        day, month = (n for n in (numbers if numbers[-1] == year else numbers[::-1]) if n != year)
    date = datetime.date(year, month, day)
    said = [part[:3] for part in parts if part[:3] in weekdays]
    assert said in ([], [weekdays[date.weekday()]])
    return date


def test_dates():
    batch = tasks.dates(np.random.default_rng(0), 5000)
    seen = set()
    for written, rewritten in read_and_written(
        batch,
        lambda ids: "".join(tasks.DATE_CHARACTERS.decode(ids)),
        lambda ids: "".join(tasks.ISO_CHARACTERS.decode(ids)),
    ):
        assert read_date(written).isoformat() == rewritten
        seen.add(re.sub("[A-Za-z]{2,}", "a", re.sub(r"\d+", "1", written)))
        assert re.search(r"\d(st|nd|rd|th)", written) or not re.search(r"\d[a-z]", written)
    assert len(seen) > 10  # ways to write a date, but for the words of a name
    assert len(dates.STYLES) == len(set(dates.STYLES)) == 16


@pytest.mark.parametrize(
    ("day", "written"),
    [
        *[(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th")],
        *[(21, "21st"), (22, "22nd"), (23, "23rd"), (30, "30th"), (31, "31st")],
    ],
)
def test_days_with_an_ending(day, written):
    assert dates.nth(day) == written


def test_dates_are_drawn_evenly():
    batch = tasks.dates(np.random.default_rng(1), 4000)
    found = ["".join(tasks.ISO_CHARACTERS.decode(row[:-1])) for row in batch.targets]
    days = np.array([datetime.date.fromisoformat(date).toordinal() for date in found])
    first, last = datetime.date(1900, 1, 1).toordinal(), datetime.date(2099, 12, 31).toordinal()
    assert first <= days.min() and days.max() <= last
    assert as_expected(days, (first + last) / 2)


@drawn
@given(seed=seeds, B=rows, least=st.integers(1, 5), more=st.integers(0, 6), K=st.integers(1, 9))
def test_reversal(seed, B, least, more, K):
    batch = tasks.reversal(np.random.default_rng(seed), B, least + more, least, K)
    for read, written in read_and_written(batch, list, list):
        assert read == written[::-1]
        assert least <= len(read) <= least + more
        assert all(3 <= symbol < K + 3 for symbol in read)


@drawn
@given(seed=seeds, B=rows, T=st.integers(1, 12), K=st.integers(1, 12))
def test_progressions(seed, B, T, K):
    batch = tasks.progressions(np.random.default_rng(seed), B, T, K)
    for (start, step), written in read_and_written(batch, list, list):
        assert [number - 3 for number in written] == [
            (start - 3 + k * (step - 3)) % K for k in range(T)
        ]


# Looking up


@drawn
@given(seed=seeds, B=rows, least=st.integers(1, 6), more=st.integers(0, 6))
def test_induction(seed, B, least, more):
    """Where a target is a repeat, it came after the last place where its input stood before."""
    batch = tasks.induction(np.random.default_rng(seed), B, 20, 13, least, least + more)
    np.testing.assert_array_equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    assert batch.mask.all() and batch.mask.shape == (B, 20)
    for inputs, targets, repeated, period in zip(
        batch.inputs.tolist(), batch.targets.tolist(), batch.repeated, batch.period, strict=True
    ):
        assert least <= period <= least + more
        assert len(set(inputs[:period])) == period
        for t, symbol in enumerate(inputs):
            before = [s for s in range(t) if inputs[s] == symbol]
            assert bool(before) == repeated[t] == (t >= period)
            if before:
                assert targets[t] == targets[before[-1]] == inputs[before[-1] + 1]


def test_induction_is_drawn_evenly():
    batch = tasks.induction(np.random.default_rng(0), 4000, 12, 10, 2, 5)
    assert all(as_expected(batch.period == period, 1 / 4) for period in (2, 3, 4, 5))
    assert all(as_expected(batch.inputs[:, 0] == symbol, 1 / 10) for symbol in range(10))


@drawn
@given(
    seed=seeds, B=rows, pairs=st.integers(1, 5), keys=st.integers(5, 8), values=st.integers(5, 8)
)
def test_associative_recall(seed, B, pairs, keys, values):
    batch = tasks.associative_recall(np.random.default_rng(seed), B, pairs, keys, values)
    assert batch.inputs.shape == batch.mask.shape == (B, 2 * pairs + 1) and batch.mask.all()
    for row, target in zip(batch.inputs.tolist(), batch.targets, strict=True):
        table = dict(zip(row[:-1:2], row[1::2], strict=True))
        assert len(table) == len(set(table.values())) == pairs
        assert all(0 <= key < keys <= value < keys + values for key, value in table.items())
        assert table[row[-1]] == keys + target


def test_associative_recall_without_the_keys():
    """Any fixed place answers one time in `pairs`; and nothing else tells a value."""
    batch = tasks.associative_recall(np.random.default_rng(0), 6000, 4, 6, 6)
    for place in range(4):
        assert as_expected(batch.inputs[:, 2 * place + 1] - 6 == batch.targets, 1 / 4)
    assert all(as_expected(batch.targets == value, 1 / 6) for value in range(6))


# Weights found by guessing


@pytest.mark.parametrize("delay", [10, 300])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_guessed_weights_latch(seed, delay):
    """One unit with three random numbers holds a bit; checked by a loop of its own."""
    rng = np.random.default_rng(seed)
    batch = tasks.latch(rng, 100, delay)
    found = guessing.guess(rng, batch, limit=500)
    w_x, w_h, b = (found.params[key].item() for key in ("W_xh", "W_hh", "b_h"))
    assert max(abs(w_x), abs(w_h), abs(b)) <= 10
    right = []
    for row, target in zip(batch.inputs[:, :, 0].tolist(), batch.targets, strict=True):
        h = 0.0
        for x_t in row:
            h = math.tanh(w_x * x_t + w_h * h + b)
        right.append((h > 0) == target)
    assert found.accuracy == np.mean(right) >= 0.99
    assert found.solved


def test_guessing_ends_without_a_solution():
    """Two rows that are alike cannot have two answers."""
    batch = tasks.LatchBatch(np.zeros((2, 3, 1)), np.array([0, 1]), np.ones((2, 3), bool))
    found = guessing.guess(np.random.default_rng(0), batch, H=2, bound=0.5, limit=7)
    assert (found.guesses, found.accuracy, found.solved) == (7, 0.5, False)
    assert max(np.abs(a).max() for a in found.params.values()) <= 0.5
