"""Reber's grammar and the embedded one: strings, what may follow at each place, and a stream.

A Reber string follows the arrows from 0, drawing evenly where two leave:

    0 -B-> 1      1 -T-> 2 -S-> 2      2 -X-> 4 -X-> 3      4 -S-> 6
                  1 -P-> 3 -T-> 3      3 -V-> 5 -P-> 4      5 -V-> 6      6 -E-> end

An embedded one is B, T or P, a Reber string, again that T or P, and E: its last symbol but one was
decided before the whole string between.

Sources: Reber, Implicit learning of artificial grammars, 1967; Cleeremans, Servan-Schreiber and
McClelland, Finite state automata and simple recurrent networks, 1989; the stream: Gers,
Schmidhuber and Cummins, Learning to forget, 2000.
"""

from typing import NamedTuple

import numpy as np

from seqlib import text
from seqlib.grammars import Grammar
from seqlib.scratch import checks

SYMBOLS = text.Vocabulary(("B", "T", "P", "S", "X", "V", "E"))
BASELINE = 1 / 2  # accuracy on the last symbol but one of a model that has lost the second


class ReberBatch(NamedTuple):
    """Strings as ids of SYMBOLS; targets are the inputs one symbol later."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    mask: np.ndarray  # (B, T)
    legal: np.ndarray  # (B, T, 7) which symbols the grammar lets follow; none where masked
    outer: np.ndarray  # (B, T) True where the target is the last symbol but one of a string


def reber_grammar(again=0.5):
    """The embedded Reber grammar, a Grammar whose entropy is the least cross-entropy of a string.

    A model that has lost the second symbol pays ln 2 more for a string, and is right about the last
    symbol but one with probability BASELINE.

    again  probability of a loop, S at 2 and T at 3: 0.5 in the sources; more makes the lag longer

    Raises ValueError unless 0 < again < 1.

    >>> [round(float(reber_grammar(again).mean_length()), 6) for again in (0.5, 0.9)]
    [12.0, 24.0]
    """
    if not 0 < again < 1:
        raise ValueError(f"again is {again}; expected more than 0 and less than 1")
    arcs = {"start": ((1.0, "B", "second"),), "last": ((1.0, "E", None),)}
    arcs["second"] = tuple((0.5, outer, f"{outer} 0") for outer in "TP")
    for outer in "TP":
        inner = {
            "0": ((1.0, "B", "1"),),
            "1": ((0.5, "T", "2"), (0.5, "P", "3")),
            "2": ((again, "S", "2"), (1 - again, "X", "4")),
            "3": ((again, "T", "3"), (1 - again, "V", "5")),
            "4": ((0.5, "X", "3"), (0.5, "S", "6")),
            "5": ((0.5, "P", "4"), (0.5, "V", "6")),
            "6": ((1.0, "E", "outer"),),
        }
        for state, choices in inner.items():
            arcs[f"{outer} {state}"] = tuple((p, s, f"{outer} {to}") for p, s, to in choices)
        arcs[f"{outer} outer"] = ((1.0, outer, "last"),)
    return Grammar(arcs, "start")


def reber(rng, B, again=0.5):
    """Strings of the embedded Reber grammar.

    B      strings
    again  as in `reber_grammar`

    Returns a ReberBatch, padded with the id of B.
    Raises ValueError if B is less than 1 or `again` not between 0 and 1.

    >>> batch = reber(np.random.default_rng(0), B=1)
    >>> ["".join(SYMBOLS.decode(ids[0])) for ids in (batch.inputs, batch.targets)]
    ['BTBTXSET', 'TBTXSETE']
    >>> ["".join(SYMBOLS.decode(np.flatnonzero(row))) for row in batch.legal[0]]
    ['TP', 'B', 'TP', 'SX', 'SX', 'E', 'T', 'E']
    >>> batch.outer[0].nonzero()[0]
    array([6])
    """
    checks.sizes(B=B)
    automaton = Automaton.of(reber_grammar(again))
    states = [np.full(B, automaton.start)]
    symbols = []
    while (states[-1] != automaton.end).any():
        symbol, state = automaton.move(rng, states[-1])
        symbols.append(symbol)
        states.append(state)
    return automaton.batch(np.stack(symbols, axis=1), np.stack(states, axis=1))


def reber_stream(rng, B, T, again=0.5):
    """Streams of embedded Reber strings, one after the other without a sign between them.

    After E always comes B.  For the next chunk of the same streams draw one long batch and cut it.

    B      streams, each beginning with a string
    T      steps
    again  as in `reber_grammar`

    Returns a ReberBatch whose mask is all True.
    Raises ValueError if B or T is less than 1 or `again` not between 0 and 1.

    >>> batch = reber_stream(np.random.default_rng(0), B=1, T=22)
    >>> "".join(SYMBOLS.decode(batch.inputs[0]))
    'BTBTXSETEBPBPTVPSEPEBT'
    """
    checks.sizes(B=B, T=T)
    automaton = Automaton.of(reber_grammar(again))
    states, symbols = [np.full(B, automaton.start)], []
    for _ in range(T + 1):
        symbol, state = automaton.move(rng, states[-1])
        symbols.append(symbol)
        states.append(np.where(state == automaton.end, automaton.start, state))
    return automaton.batch(np.stack(symbols, axis=1), np.stack(states, axis=1))


class Automaton(NamedTuple):
    """The arcs of a Grammar as arrays, so that many strings are drawn at once.

    N states, the last of them the end, which leads to itself.  At most two arcs leave a state.
    """

    start: int
    end: int
    first: np.ndarray  # (N,) probability of the first arc
    symbol: np.ndarray  # (N, 2)
    following: np.ndarray  # (N, 2)
    outer: np.ndarray  # (N,) True where the symbol of long before is due

    @classmethod
    def of(cls, grammar):
        names = [*grammar.arcs, None]
        first = np.ones(len(names))
        symbol, following = np.zeros((2, len(names), 2), dtype=int)
        following[-1] = len(names) - 1
        for i, arcs in enumerate(grammar.arcs.values()):
            first[i] = arcs[0][0]
            symbol[i] = SYMBOLS.encode([arcs[0][1], arcs[-1][1]])
            following[i] = names.index(arcs[0][2]), names.index(arcs[-1][2])
        outer = np.array([name is not None and name.endswith("outer") for name in names])
        return cls(names.index(grammar.start), len(names) - 1, first, symbol, following, outer)

    def move(self, rng, state):
        """One symbol (B,) for each state (B,), and the states after it."""
        arc = (rng.random(len(state)) >= self.first[state]).astype(int)
        return self.symbol[state, arc], self.following[state, arc]

    def batch(self, symbols, states):
        """The ReberBatch of symbols (B, T + 1) and the states around them, (B, T + 2)."""
        states = states[:, 1:-1]  # after each input, before its target
        mask = states != self.end
        legal = np.zeros((self.end + 1, len(SYMBOLS)), dtype=bool)
        np.put_along_axis(legal[: self.end], self.symbol[: self.end], True, axis=1)
        outer = self.outer[states]
        return ReberBatch(symbols[:, :-1], symbols[:, 1:], mask, legal[states], outer)
