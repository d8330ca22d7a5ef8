"""Sentences with a relative clause, in which two words decide about two others.

"the cat , which already ate , was full ."
"""

import numpy as np

from seqlib import text
from seqlib.scratch import checks

NOUNS = {"cat": "cats", "dog": "dogs", "horse": "horses", "child": "children"}
EFFECTS = {"ate": "full", "slept": "rested", "swam": "wet", "ran": "tired"}
CLAUSE_WORDS = text.Vocabulary.of(
    (
        *"the , which already was were .".split(),
        *(*NOUNS, *NOUNS.values(), *EFFECTS, *EFFECTS.values()),
    )
)


def relative_clauses(rng, B):
    """Sentences for a language model: the noun decides was or were, the verb decides the adjective.

    Noun, number and verb are drawn evenly and do not depend on each other.  All sentences have ten
    words, so that the inputs have nine: was or were is the target of the last but two, the
    adjective that of the last but one.

    B  sentences

    Returns a text.Batch of ids of CLAUSE_WORDS.  Raises ValueError if B is less than 1.

    >>> batch = relative_clauses(np.random.default_rng(0), B=1)
    >>> " ".join(CLAUSE_WORDS.decode(batch.inputs[0]))
    'the children , which already swam , were wet'
    """
    checks.sizes(B=B)
    rows = []
    for noun, verb, several in rng.integers(0, (len(NOUNS), len(EFFECTS), 2), (B, 3)):
        who, did = list(NOUNS)[noun], list(EFFECTS)[verb]
        copula, name = ("were", NOUNS[who]) if several else ("was", who)
        words = f"the {name} , which already {did} , {copula} {EFFECTS[did]} ."
        rows.append(CLAUSE_WORDS.encode(words.split()))
    ids = np.array(rows)
    return text.Batch(ids[:, :-1], ids[:, 1:], np.ones((B, ids.shape[1] - 1), bool))
