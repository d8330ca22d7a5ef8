"""From text to arrays of ids and back: vocabulary, windows, chunks, padding, split."""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral
from typing import NamedTuple

import numpy as np

from seqlib.scratch import checks


class Batch(NamedTuple):
    """What a model is trained on: after inputs[b, 0] to inputs[b, t] comes targets[b, t]."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    mask: np.ndarray | None = None  # (B, T), False where a row has ended; None: all real


class Chunk(NamedTuple):
    """A Batch that goes on where the one before it ended, unless it is the first."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T)
    mask: np.ndarray | None = None
    first: bool = False  # True where the text begins: no state is carried into it


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
    places   the id of each symbol

    A string counts as a row of characters, and only a vocabulary of characters takes one: its
    symbols have one code point each, names in angle brackets aside.
    """

    symbols: tuple[str, ...]
    places: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        symbols = tuple(strings("symbols", self.symbols))
        places = {symbol: i for i, symbol in enumerate(symbols)}
        if len(places) != len(symbols):
            raise ValueError(f"{len(symbols)} symbols, of which {len(places)} differ")
        object.__setattr__(self, "symbols", symbols)  # the class is frozen
        object.__setattr__(self, "places", places)

    @classmethod
    def of(cls, tokens, specials=()):
        """The vocabulary of all different tokens, sorted, after the special symbols.

        tokens  strings; of a text that is one string, the characters
        """
        specials = checks.tokens("specials", specials, (str,))
        return cls((*specials, *sorted(set(strings("tokens", tokens)) - set(specials))))

    def __len__(self):
        return len(self.symbols)

    def id(self, token):
        """The id of one token; a ValueError if it is unknown and there is no "<unk>"."""
        return int(self.encode([token])[0])

    def encode(self, tokens):
        """The ids of one row of tokens, (T,).

        Raises ValueError if one is unknown and there is no "<unk>", if there are rows in the row,
        or if it is a string and the symbols are words; TypeError for bytes.
        """
        if isinstance(tokens, str) and (word := self.a_word) is not None:
            raise ValueError(
                f"{tokens[:20]!r} is a string, and {word!r} among the {len(self)} symbols is a"
                " word; expected a list of words"
            )
        row = strings("tokens", tokens)
        unknown = self.places.get("<unk>")
        ids = [self.places.get(token, unknown) for token in row]
        if None in ids:
            position = ids.index(None)
            raise ValueError(
                f"token {row[position]!r} at position {position} is not among the {len(self)}"
                " symbols"
            )
        return np.array(ids, dtype=np.int64)

    @cached_property
    def a_word(self):
        """A symbol of more than one code point, names in angle brackets aside; None without one."""
        words = (s for s in self.symbols if len(s) > 1 and not (s[0] == "<" and s[-1] == ">"))
        return next(words, None)

    def decode(self, ids):
        """The tokens of ids (T,), as a list; a ValueError if one is out of range."""
        ids = checks.listed(ids)
        if len(ids) == 0:
            return []
        ids = checks.ids("ids", ids, len(self))
        checks.shape("ids", ids, (None,))
        return [self.symbols[i] for i in ids]


def strings(name, given):
    """A row of strings as a list; that of a string are its characters.

    Raises ValueError or TypeError as `checks.tokens`.
    """
    return list(given) if isinstance(given, str) else checks.tokens(name, given, (str,))


def characters(text):
    """The text's code points, unchanged, as a list.

    What a reader sees as one character may be several of them: a letter and its accent, or the
    parts of an emoji, here a woman, a joiner and a computer.

    Raises TypeError if the text is not a str.

    >>> [f"{ord(c):X}" for c in characters("👩‍💻")]
    ['1F469', '200D', '1F4BB']
    """
    checks.string("text", text)
    return list(text)


def words(text):
    """The text's words in lower case and its other signs, as a list; white space is dropped.

    A word is a run of letters, combining marks and digits of any script, also with apostrophes or
    joiners (U+200C, U+200D) inside.  Any other sign is a token of its own, with the marks behind
    it.  A byte order mark is dropped.  Where a script puts no space between words, a whole run is
    one.  A letter and its accent are not put together: unicodedata.normalize("NFC", text) does so.

    Raises TypeError if the text is not a str.

    >>> words("Hasan plays, and he wins.")
    ['hasan', 'plays', ',', 'and', 'he', 'wins', '.']
    """
    checks.string("text", text)
    text = text.lower()
    marks = "".join(c for c in set(text) if unicodedata.category(c).startswith("M"))
    letter = rf"(?:[^\W_]|[{marks}])" if marks else r"[^\W_]"
    mark = rf"[{marks}]*" if marks else ""
    word = rf"{letter}(?:['’\u200c\u200d]?{letter})*"
    return re.findall(rf"{word}|[^\s\ufeff]{mark}", text)


def split(sequence, held_out=0.1):
    """The beginning and the end of one sequence: training and held-out part, in the order of time.

    held_out  share of the sequence that is held out

    Raises ValueError if either part would be empty.
    """
    sequence = checks.listed(sequence)
    if not 0 <= held_out <= 1:
        raise ValueError(f"held_out is {held_out}; expected a share, 0 to 1")
    cut = len(sequence) - round(held_out * len(sequence))
    if not 0 < cut < len(sequence):
        raise ValueError(f"{held_out} of {len(sequence)} leaves {cut} and {len(sequence) - cut}")
    return sequence[:cut], sequence[cut:]


def windows(sequence, length, before=None):
    """Every window of `length` values with the value that follows it.

    sequence  (T,)  ids or numbers
    before    a value that stands before the beginning, so that the first values are targets too,
              an integer if they are; None starts later

    Returns Batch(inputs (N, length), targets (N,)); N is T with `before`, T - length without.
    Raises ValueError if the sequence is too short to hold one window and its target, is no row of
    numbers, or cannot hold `before`.
    """
    sequence = np.asarray(checks.listed(sequence))
    checks.shape("sequence", sequence, (None,))
    if not np.issubdtype(sequence.dtype, np.number):
        raise ValueError(f"the sequence holds {sequence.dtype}; expected ids or numbers")
    if before is not None:
        fits("before", before, sequence.dtype)
        sequence = np.concatenate([np.full(length, before, dtype=sequence.dtype), sequence])
    if length < 1 or len(sequence) <= length:
        raise ValueError(f"{len(sequence)} values hold no window of {length} and its target")
    inputs = np.lib.stride_tricks.sliding_window_view(sequence[:-1], length)
    return Batch(inputs, sequence[length:])


def translation_batch(sources, targets):
    """Rows of ids to read and to write as one TranslationBatch.

    sources  B lists or arrays of ids, each of at least 1
    targets  B of the same, without START and END; a row may be empty

    Raises ValueError if there is another number of sources than of targets, or a row is not one.
    """
    sources, targets = checks.listed(sources), checks.listed(targets)
    if len(sources) != len(targets):
        raise ValueError(f"{len(sources)} rows to read, {len(targets)} to write")
    source, source_mask = pad(sources, PAD)
    written, mask = pad(
        [[START, *checks.tokens("a row of targets", row, (Integral,)), END] for row in targets], PAD
    )
    inputs = np.where(mask[:, 1:], written[:, :-1], PAD)
    return TranslationBatch(source, inputs, written[:, 1:], source_mask, mask[:, 1:])


def minibatches(rng, batch, B):
    """The rows of a Batch, shuffled, B at a time: one epoch.  The last one holds the rest.

    A TranslationBatch gives TranslationBatches.
    """
    checks.sizes(B=B)
    if len(batch.inputs) != len(batch.targets):
        raise ValueError(f"{len(batch.inputs)} rows of inputs, {len(batch.targets)} of targets")
    if batch.mask is not None and len(batch.mask) != len(batch.targets):
        raise ValueError(f"{len(batch.mask)} rows of the mask, {len(batch.targets)} of targets")
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

    Yields Chunks of inputs and targets (B, T); targets are the inputs one step later.  The first
    one is marked, so that `train` begins it without a state.  The last N - 1 modulo B T symbols do
    not fill a chunk and are left out.  Raises ValueError if N is too small for one chunk, or ids
    are not one row.
    """
    checks.sizes(B=B, T=T)
    ids = np.asarray(checks.listed(ids))
    checks.shape("ids", ids, (None,))
    n = (len(ids) - 1) // (B * T)
    if n < 1:
        raise ValueError(
            f"{len(ids)} symbols are too few for {B} streams of {T} steps and a last target"
        )
    inputs = ids[: B * n * T].reshape(B, n * T)
    targets = ids[1 : B * n * T + 1].reshape(B, n * T)
    for start in range(0, n * T, T):
        steps = slice(start, start + T)
        yield Chunk(inputs[:, steps], targets[:, steps], first=start == 0)


def excerpts(rng, ids, B, T):
    """Without end, Batches of B excerpts of T steps from random places of one text.

    ids  (N,)

    Raises ValueError if N is too small for one excerpt and its last target, or ids are not one row.
    """
    checks.sizes(B=B, T=T)
    ids = np.asarray(checks.listed(ids))
    checks.shape("ids", ids, (None,))
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
    value      what fills the rest, an integer

    Returns ids (B, T) with T the greatest length, and mask (B, T), True where an id is real.
    Raises ValueError if there is none, one is empty, or one is not a row of integers.
    """
    fits("value", value, np.dtype(np.int64))
    sequences = [
        s if getattr(s, "ndim", None) == 1 else checks.tokens("a sequence", s, (Integral,))
        for s in checks.listed(sequences)
    ]
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


def fits(name, value, dtype):
    """Raises ValueError unless an array of this dtype can hold the value; integers none between."""
    if np.issubdtype(dtype, np.integer):
        least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
        if not (least <= value <= most and value == int(value)):
            raise ValueError(f"{name} is {value}; expected an integer, {least} to {most}")
