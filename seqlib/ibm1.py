"""IBM Model 1: which word stands for which, from pairs of sentences alone.

    (ibm1-posterior)   p(a_t = s) = p(f_t | e_s) / sum_s' p(f_t | e_s')
    (ibm1-table)       p(f | e) = expected links of f with e / expected links of e

The order of words does not count: each target word f_t is linked with one source word e_s, or with
none, which is a word of its own, e_0.  The two formulas in turn are the EM algorithm: no round lets
the likelihood fall.
Source: Brown et al., The mathematics of statistical machine translation, 1993.
Formulas: chapters/08_attention.ipynb.  T target words, S source words, ids of both.
"""

import numpy as np

from seqlib.scratch import checks


def fit(sources, targets, V_source, V_target, rounds=10):
    """The table of p(f | e) by expectation maximization.

    sources   lists of ids, 0 to V_source - 1
    targets   as many lists of ids, 0 to V_target - 1
    rounds    of EM, from even probabilities on

    Returns (V_source + 1, V_target); the last row is that of the empty word.
    Raises ValueError if an id is out of range, a list is empty or no list of ids, or there are not
    as many of both.
    """
    sources, targets = checks.listed(sources), checks.listed(targets)
    checks.sizes(rounds=rounds, pairs=len(sources))
    if len(sources) != len(targets):
        raise ValueError(f"{len(sources)} sources, {len(targets)} targets")
    e, f, group = [], [], []  # every link that is possible; those of one target word are a group
    words = 0
    for source, target in zip(sources, targets, strict=True):
        source, target = with_empty(source, V_source), one_row("target", target, V_target)
        checks.sizes(T=len(target))
        S, T = len(source), len(target)
        e.append(np.tile(source, T))
        f.append(np.repeat(target, S))
        group.append(np.repeat(np.arange(words, words + T), S))
        words += T
    e, f, group = map(np.concatenate, (e, f, group))
    table = np.full((V_source + 1, V_target), 1 / V_target)
    for _ in range(rounds):
        p = table[e, f]
        p /= np.bincount(group, p)[group]  # (ibm1-posterior)
        links = np.bincount(e * V_target + f, p, table.size).reshape(table.shape)
        table = links / np.maximum(links.sum(axis=1, keepdims=True), 1e-300)  # (ibm1-table)
    return table


def align(table, source, target):
    """The likeliest link of each target word, none if that is the empty word.

    table   from `fit`
    source  (S,)  ids
    target  (T,)  ids

    Returns (T, S), boolean.  Raises ValueError if an id is out of range, a list is empty or no list
    of ids, or the table is not finite.
    """
    table = np.asarray(table)
    checks.shape("table", table, (None, None))
    source = with_empty(source, len(table) - 1)
    target = one_row("target", target, table.shape[1])
    checks.sizes(T=len(target))
    checks.finite("table", table[source][:, target])
    best = table[source][:, target].argmax(axis=0)
    return best[:, None] == np.arange(len(source) - 1)


def with_empty(source, V_source):
    """The ids of a source sentence, and behind them the empty word's."""
    source = one_row("source", source, V_source)
    checks.sizes(S=len(source))
    return np.append(source, V_source)


def one_row(name, ids, V):
    """The ids of one sentence, (N,)."""
    ids = checks.ids(name, ids, V)
    checks.shape(name, ids, (None,))
    return ids
