"""From text to arrays of ids and back: vocabulary, windows, chunks, padding, split."""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks


class Batch(NamedTuple):
    """What a model is trained on: after inputs[b, 0] to inputs[b, t] comes targets[b, t]."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    mask: np.ndarray | None = None  # (B, T), False where a row has ended; None: all real


SPECIALS = ("<pad>", "<start>", "<end>")  # ids of a vocabulary that a model writes with
PAD, START, END = range(3)


class TranslationBatch(NamedTuple):
    """Rows to read, and rows to write: inputs[b, t] and all before it come before targets[b, t].

    Rows of targets end with END; inputs are the same one step later, from START on.
    """

    source: np.ndarray  # (B, S)
    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    source_mask: np.ndarray  # (B, S), False behind the end of a row
    mask: np.ndarray  # (B, T)
    own: float = 0.0  # the share of inputs that a model's own predictions shall replace

    def rows(self, chosen):
        """The batch of some rows, without the columns in which they have nothing."""
        S, T = (mask[chosen].any(axis=0).sum() for mask in (self.source_mask, self.mask))
        lengths = S, T, T, S, T
        arrays = (a[chosen, :n] for a, n in zip(self[:5], lengths, strict=True))
        return TranslationBatch(*arrays, self.own)


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of a text, in a fixed order; a symbol's id is its place.

    symbols  strings, all different; if "<unk>" is among them, it stands for every unknown one
    """

    symbols: tuple[str, ...]

    def __post_init__(self):
        object.__setattr__(self, "symbols", tuple(self.symbols))
        if len(set(self.symbols)) != len(self.symbols):
            raise ValueError(
                f"{len(self.symbols)} symbols, of which {len(set(self.symbols))} differ"
            )

    @classmethod
    def of(cls, tokens, specials=()):
        """The vocabulary of all different tokens, sorted, after the special symbols."""
        return cls((*specials, *sorted(set(tokens) - set(specials))))

    def __len__(self):
        return len(self.symbols)

    def id(self, token):
        """The id of one token; a ValueError if it is unknown and there is no "<unk>"."""
        return int(self.encode([token])[0])

    def encode(self, tokens):
        """The ids of tokens, (T,); a ValueError if one is unknown and there is no "<unk>"."""
        place = {symbol: i for i, symbol in enumerate(self.symbols)}
        unknown = place.get("<unk>")
        ids = [place.get(token, unknown) for token in tokens]
        if None in ids:
            position = ids.index(None)
            token = list(tokens)[position]
            raise ValueError(
                f"token {token!r} at position {position} is not among the {len(self)} symbols"
            )
        return np.array(ids, dtype=np.int64)

    def decode(self, ids):
        """The tokens of ids (T,), as a list; a ValueError if one is out of range."""
        return [self.symbols[i] for i in checks.ids("ids", ids, len(self))] if len(ids) else []


def characters(text):
    """The text's characters, as a list."""
    return list(text)


def words(text):
    """The text's words in lower case and its punctuation marks, as a list; white space is dropped.

    >>> words("Hasan plays, and he wins.")
    ['hasan', 'plays', ',', 'and', 'he', 'wins', '.']
    """
    return re.findall(r"\w+(?:['’]\w+)*|[^\w\s]", text.lower())


def split(sequence, held_out=0.1):
    """The beginning and the end of one sequence: training and held-out part, in the order of time.

    held_out  share of the sequence that is held out

    Raises ValueError if either part would be empty.
    """
    cut = len(sequence) - round(held_out * len(sequence))
    if not 0 < cut < len(sequence):
        raise ValueError(f"{held_out} of {len(sequence)} leaves {cut} and {len(sequence) - cut}")
    return sequence[:cut], sequence[cut:]


def windows(sequence, length, before=None):
    """Every window of `length` values with the value that follows it.

    sequence  (T,)  ids or numbers
    before    a value that stands before the beginning, so that the first values are targets too;
              None starts later

    Returns Batch(inputs (N, length), targets (N,)); N is T with `before`, T - length without.
    Raises ValueError if the sequence is too short to hold one window and its target.
    """
    sequence = np.asarray(sequence)
    if before is not None:
        sequence = np.concatenate([np.full(length, before, dtype=sequence.dtype), sequence])
    if length < 1 or len(sequence) <= length:
        raise ValueError(f"{len(sequence)} values hold no window of {length} and its target")
    inputs = np.lib.stride_tricks.sliding_window_view(sequence[:-1], length)
    return Batch(inputs, sequence[length:])


def translation_batch(sources, targets):
    """Rows of ids to read and to write as one TranslationBatch.

    sources  B lists or arrays of ids, each of at least 1
    targets  B of the same, without START and END; a row may be empty

    Raises ValueError if there is another number of sources than of targets.
    """
    if len(sources) != len(targets):
        raise ValueError(f"{len(sources)} rows to read, {len(targets)} to write")
    source, source_mask = pad(sources, PAD)
    written, mask = pad([[START, *row, END] for row in targets], PAD)
    inputs = np.where(mask[:, 1:], written[:, :-1], PAD)
    return TranslationBatch(source, inputs, written[:, 1:], source_mask, mask[:, 1:])


def minibatches(rng, batch, B):
    """The rows of a Batch, shuffled, B at a time: one epoch.  The last one holds the rest.

    A TranslationBatch gives TranslationBatches.
    """
    checks.sizes(B=B)
    if len(batch.inputs) != len(batch.targets):
        raise ValueError(f"{len(batch.inputs)} rows of inputs, {len(batch.targets)} of targets")
    order = rng.permutation(len(batch.inputs))
    for start in range(0, len(order), B):
        rows = order[start : start + B]
        yield (
            batch.rows(rows)
            if isinstance(batch, TranslationBatch)
            else Batch(
                batch.inputs[rows],
                batch.targets[rows],
                None if batch.mask is None else batch.mask[rows],
            )
        )


def minibatches_by_length(rng, batch, B, pool=20):
    """The rows of a TranslationBatch, shuffled, B of like length at a time: one epoch.

    Of `pool` times B shuffled rows each, sorted by the length of their targets, come `pool`
    batches, in random order: little of them is padding.
    """
    checks.sizes(B=B, pool=pool)
    order, lengths = rng.permutation(len(batch.mask)), batch.mask.sum(axis=1)
    for start in range(0, len(order), B * pool):
        rows = order[start : start + B * pool]
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        for k in rng.permutation(range(0, len(rows), B)):
            yield batch.rows(rows[k : k + B])


def chunks(ids, B, T):
    """One long text as B parallel streams, T steps at a time, so that states can be carried on.

    ids  (N,)

    Yields Batches of inputs and targets (B, T); targets are the inputs one step later.  The last N
    - 1 modulo B T
    symbols do not fill a chunk and are left out.  Raises ValueError if N is too small for one
    chunk.
    """
    checks.sizes(B=B, T=T)
    n = (len(ids) - 1) // (B * T)
    if n < 1:
        raise ValueError(
            f"{len(ids)} symbols are too few for {B} streams of {T} steps and a last target"
        )
    inputs = np.asarray(ids[: B * n * T]).reshape(B, n * T)
    targets = np.asarray(ids[1 : B * n * T + 1]).reshape(B, n * T)
    for start in range(0, n * T, T):
        yield Batch(inputs[:, start : start + T], targets[:, start : start + T])


def excerpts(rng, ids, B, T):
    """Without end, Batches of B excerpts of T steps from random places of one text.

    ids  (N,)

    Raises ValueError if N is too small for one excerpt and its last target.
    """
    checks.sizes(B=B, T=T)
    ids = np.asarray(ids)
    if len(ids) <= T:
        raise ValueError(
            f"{len(ids)} symbols are too few for an excerpt of {T} steps and a last target"
        )
    while True:
        places = rng.integers(0, len(ids) - T, B)[:, None] + np.arange(T)
        yield Batch(ids[places], ids[places + 1])


def pad(sequences, value=0):
    """Sequences of different lengths as one array and its mask.

    sequences  B lists or arrays, each of at least 1 id
    value      what fills the rest

    Returns ids (B, T) with T the greatest length, and mask (B, T), True where an id is real.
    """
    lengths = np.array([len(s) for s in sequences])
    if len(lengths) == 0 or lengths.min() == 0:
        raise ValueError(
            f"{len(lengths)} sequences, {np.sum(lengths == 0)} of them empty; pad needs ids in each"
        )
    values = np.concatenate([np.asarray(s) for s in sequences])
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"the {len(values)} ids are {values.dtype}; expected integers")
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, value, dtype=np.int64)
    ids[mask] = values
    return ids, mask
