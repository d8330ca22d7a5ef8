"""What a reader's own data bring: text of any script, files, rows nested wrongly, numbers that are
not finite or too large.  A value is right, or an error names the place.
"""

import itertools
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from seqlib import (
    decode,
    exposure,
    files,
    guessing,
    ibm1,
    metrics,
    ngrams,
    omega,
    optim,
    probe,
    spectra,
    tasks,
    text,
)
from seqlib.scratch import embedding, feeding, losses, models, ops, rnn, tied
from seqlib.train import train

NAN, INF = np.nan, np.inf
NOT_FINITE = (NAN, INF, -INF)
WOMAN_AT_COMPUTER = "\U0001f469\u200d\U0001f4bb"


class Table:
    """A model whose logits depend on the last symbol alone."""

    def __init__(self, logits):
        self.table = np.asarray(logits)

    def start(self, params, source, source_mask=None):
        return np.zeros((len(source), 1))

    def step(self, params, ids, state):
        return self.table[ids], state

    def logits(self, params, batch):
        return self.table[batch.inputs]


def drawn(logits, draws=50, seed=0, **choice):
    """The symbols that sampling takes in many draws from one row of logits."""
    model, rng = Table([logits] * len(logits)), np.random.default_rng(seed)
    first = np.zeros(draws, int)
    ids = decode.sample(model, None, first, first[:, None], rng, max_length=1, **choice).ids
    return set(ids[:, 0].tolist())


# text


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("\ufeffOne two", ["one", "two"]),
        ("one\ufefftwo", ["one", "two"]),
        ("cafe\u0301 pou\u0308r", ["cafe\u0301", "pou\u0308r"]),
        ("नमस्ते दुनिया।", ["नमस्ते", "दुनिया", "।"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("हिन्\u200dदी", ["हिन्\u200dदी"]),
        ("İzmir", ["i\u0307zmir"]),
        ("the girl’s 2nd cat", ["the", "girl’s", "2nd", "cat"]),
        ("'tis don''t", ["'", "tis", "don", "'", "'", "t"]),
        ("snake_case", ["snake", "_", "case"]),
        ("I \u2764\ufe0f it", ["i", "\u2764\ufe0f", "it"]),
        ("今日は 晴れ", ["今日は", "晴れ"]),
        ("  \u00a0\n", []),
    ],
)
def test_words_of_any_script(given, wanted):
    assert text.words(given) == wanted


def test_characters_are_code_points():
    assert text.characters("e\u0301\ufeff") == ["e", "\u0301", "\ufeff"]
    assert text.characters(WOMAN_AT_COMPUTER) == ["\U0001f469", "\u200d", "\U0001f4bb"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: text.characters(b"abc"),
        lambda: text.characters(["a", "b"]),
        lambda: text.words(b"one two"),
        lambda: text.words(["one", "two"]),
        lambda: text.Vocabulary(b"abc"),
        lambda: text.Vocabulary.of(b"abc"),
        lambda: text.Vocabulary.of("abc", specials=b"<"),
        lambda: text.Vocabulary.of("abc").encode(b"abc"),
        lambda: text.Vocabulary.of("abc").encode(bytearray(b"abc")),
        lambda: metrics.bleu([b"abcd"], [b"abcd"]),
    ],
)
def test_bytes_are_no_text(call):
    with pytest.raises(TypeError, match=r"bytes|bytearray|list"):
        call()


ROW, IDS = [*"abcab"], [0, 1, 2, 0, 1]
LETTERS = text.Vocabulary(("<unk>", "a", "b", "c"))


@pytest.mark.parametrize(
    ("f", "rows"),
    [
        (text.Vocabulary, ["abc"]),
        (text.Vocabulary.of, [ROW]),
        (lambda s: text.Vocabulary.of(ROW, specials=s), [["<pad>", "a"]]),
        (lambda s: LETTERS.encode(s), [ROW]),
        (lambda s: LETTERS.decode(s), [IDS]),
        (lambda s: text.split(s, 0.4), [IDS]),
        (lambda s: text.windows(s, 2), [IDS]),
        (lambda s: list(text.chunks(s, 2, 1)), [IDS]),
        (lambda s: next(text.excerpts(np.random.default_rng(0), s, 2, 1)), [IDS]),
        (lambda *s: text.pad(iter(s)), [IDS, IDS[:2]]),
        (lambda *s: text.translation_batch(iter(s[:2]), iter(s[2:])), [IDS, IDS[:2]] * 2),
        (lambda s: ngrams.fit(s, 2, 3), [IDS]),
        (lambda s: ngrams.cross_entropy(ngrams.fit(IDS, 2, 3), s), [IDS]),
        (lambda *s: ibm1.fit(iter(s[:2]), iter(s[2:]), 3, 3), [IDS, IDS, IDS, IDS]),
        (lambda s: ibm1.align(np.ones((4, 3)), IDS, s), [IDS]),
        (lambda *s: metrics.bleu(iter(s[:1]), iter(s[1:])), [ROW, ROW]),
        (lambda s: metrics.accuracy(s, IDS), [IDS]),
    ],
)
def test_an_iterator_works_like_a_list(f, rows):
    plain = f(*([*row] for row in rows))
    np.testing.assert_equal(f(*(iter(row) for row in rows)), plain)


def test_an_unknown_token_of_an_iterator_is_named():
    with pytest.raises(ValueError, match="'z' at position 2"):
        text.Vocabulary.of("ab").encode(c for c in "abz")


WORDS = text.Vocabulary(("<unk>", "a", "cat", "i"))
IDS_2D, ZEROS = np.zeros((2, 3), int), np.zeros(2, int)
NGRAM = ngrams.fit(IDS, 2, 3)
UNIFORM = Table(np.zeros((3, 3)))
ROWS = text.translation_batch([[3, 4], [5]], [[3], [4, 5]])


@pytest.mark.parametrize(
    "call",
    [
        lambda: WORDS.encode("a i"),  # a string for a list of words
        lambda: WORDS.encode([["a", "cat"]]),
        lambda: WORDS.encode([1, 2]),  # ids for tokens
        lambda: WORDS.encode(3),
        lambda: WORDS.id(["a"]),
        lambda: WORDS.decode([[1, 2]]),
        lambda: text.Vocabulary([["a"], ["b"]]),
        lambda: text.Vocabulary.of([["a"], ["b"]]),
        lambda: text.Vocabulary.of("ab", specials="<pad>"),
        lambda: text.windows(np.zeros((9, 2)), 3),
        lambda: text.windows("abcdef", 3),
        lambda: text.windows(["a", "b", "c", "d"], 2),
        lambda: list(text.chunks(np.zeros((9, 1), int), 2, 2)),
        lambda: next(text.excerpts(np.random.default_rng(0), np.zeros((9, 1), int), 2, 2)),
        lambda: text.pad([1, 2, 3]),
        lambda: text.pad([[[5]]]),
        lambda: text.pad(["12", "3"]),
        lambda: text.translation_batch([1, 2], [3, 4]),
        lambda: text.translation_batch([[1], [2]], [[[3]], [[4]]]),
        lambda: text.translation_batch(["12"], ["34"]),
        lambda: metrics.bleu("the cat sat down", "the cat sat down"),
        lambda: metrics.bleu(["the cat sat down"], ["the cat sat down"]),
        lambda: metrics.bleu(["a b c d".split()], ["a b c d"]),
        lambda: metrics.bleu(["a b c d".split()], [["a b c d".split(), "a b d c".split()]]),
        lambda: metrics.bleu([[["a", "b"]]], [[["a", "b"]]]),
        lambda: metrics.bleu([1, 2], [1, 2]),
        lambda: metrics.accuracy("abc", "abc"),
        lambda: metrics.accuracy(["a", "b"], ["a", "b"]),
        lambda: metrics.exact_match([1, 2], [1, 2]),
        lambda: metrics.exact_match([[[1]]], [[[1]]]),
        lambda: metrics.alignment_error_rate(*[np.full((2, 2), 0.5)] * 3),
        lambda: metrics.alignment_error_rate(IDS_2D, IDS_2D > 0, IDS_2D > 0),
        lambda: ngrams.fit(IDS_2D, 1, 3),
        lambda: ngrams.fit("abc", 2, 3),
        lambda: ngrams.cross_entropy(NGRAM, IDS_2D),
        lambda: ngrams.probabilities(NGRAM, np.zeros((2, 1), int), ZEROS),
        lambda: ngrams.probabilities(NGRAM, np.zeros((2, 1), int), np.zeros((1, 2), int)),
        lambda: NGRAM.step(None, np.zeros((2, 1), int), np.zeros((2, 1), int)),
        lambda: ibm1.fit([0, 1], [0, 1], 2, 2),
        lambda: ibm1.fit([[[0, 1]]], [[0]], 2, 2),
        lambda: ibm1.fit([[0]], [[[0, 1]]], 2, 2),
        lambda: ibm1.fit("ab", "ab", 2, 2),
        lambda: ibm1.align(np.ones((3, 2)), [[0, 1]], [0]),
        lambda: ibm1.align(np.ones(3), [0, 1], [0]),
        lambda: probe.accuracy({"W": np.ones((2, 3)), "b": ZEROS.astype(float)}, np.ones(3), 0),
        lambda: decode.greedy(UNIFORM, None, 0, ZEROS, max_length=2),
        lambda: decode.greedy(UNIFORM, None, np.zeros((2, 1), int), ZEROS, max_length=2),
        lambda: decode.greedy(UNIFORM, None, [], ZEROS, max_length=2),
        lambda: decode.greedy(UNIFORM, None, ZEROS, ZEROS, max_length=2, end=3),
        lambda: decode.beam_search(UNIFORM, None, 0, ZEROS, width=2, max_length=2),
        lambda: decode.beam_search(UNIFORM, None, ZEROS, ZEROS, width=2, max_length=2, end="."),
        lambda: exposure.mistyped(ROWS, 0.5, [[3], [4]], np.random.default_rng(0)),
        lambda: exposure.slipped(UNIFORM, None, ROWS, 0, [3, 3], np.random.default_rng(0)),
        lambda: list(
            text.minibatches(
                np.random.default_rng(0), text.Batch(IDS_2D, IDS_2D, np.ones((3, 3), bool)), 1
            )
        ),
    ],
)
def test_what_is_nested_wrongly_gives_no_number(call):
    with pytest.raises(ValueError, match=r"expected|\d rows|symbols to draw"):
        call()


def test_a_string_is_a_row_of_characters():
    assert text.Vocabulary.of("ab", ("<pad>", "<unk>")).encode("abz").tolist() == [2, 3, 1]
    assert text.Vocabulary("ab").symbols == ("a", "b")
    np.testing.assert_array_equal(WORDS.encode(np.array(["i", "dog"])), [3, 0])


@pytest.mark.parametrize("before", [-0.5, NAN, INF, 300, "a"][:4])
def test_what_stands_before_a_window_fits(before):
    with pytest.raises(ValueError, match=f"before is {before}"):
        text.windows(np.array([1, 2, 3], np.uint8), 2, before=before)


def test_windows_of_numbers_take_a_number_before():
    assert text.windows(np.array([1.0, 2, 3]), 2, before=-0.5).inputs[0].tolist() == [-0.5, -0.5]
    assert text.windows([1, 2, 3], 2, before=-1.0).inputs[0].tolist() == [-1, -1]


def test_padding_is_an_id():
    with pytest.raises(ValueError, match=r"value is 0\.5"):
        text.pad([[1], [2, 3]], value=0.5)


# files


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("Čapek\nwrote\n".encode(), None),
        ("Čapek\r\nwrote\r\n".encode("utf-8-sig"), None),
        ("Čapek\rwrote\r".encode("utf-16"), None),
        (b"\xfe\xff" + "Čapek\nwrote\n".encode("utf-16-be"), None),
        (b"\xfe\xff" + "Čapek\nwrote\n".encode("utf-16-be"), "utf-16-be"),
        ("Čapek\r\nwrote\r\n".encode("cp1250"), "cp1250"),
        ("Čapek\nwrote\n".encode("utf-8-sig"), "utf-8"),
        ("Čapek\nwrote\n".encode("utf-32"), "utf-32"),
    ],
)
def test_read_text(tmp_path, content, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    assert files.read_text(path, encoding) == "Čapek\nwrote\n"


@pytest.mark.parametrize(
    ("content", "encoding", "place"),
    [
        ("ol\xe9\n".encode("latin-1"), None, "byte 2 is 0xe9"),
        ("cafe\n".encode("utf-16-le"), None, "byte 1"),  # no mark
        ("cafe\n".encode("utf-32"), None, "utf-32 at byte 0"),
        ("cafe".encode("utf-16")[:-1], None, "byte 8"),
        ("ol\xe9".encode(), "ascii", "byte 2"),
        (b"cafe", "no-such", "no-such"),
        (b"cafe", "rot13", "rot13"),
    ],
)
def test_what_is_no_text_of_its_encoding_is_named(tmp_path, content, encoding, place):
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=place) as caught:
        files.read_text(path, encoding)
    assert "mine.txt" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "column", "choice"),
    [
        ("month,sold\n1949-01,112\n1949-02,-1.5e1\n", "sold", {}),
        ("\ufeffmonth,sold\r\n1,112\r\n2,-15\r\n\r\n", "sold", {}),
        ('"a, b","sold"\n"two\nlines","112"\n"x ""y""","-15."\n', "sold", {}),
        ("month; sold\n1;112,0\n2; -15,0 \n", "sold", {"separator": ";", "decimal": ","}),
        ('m,sold\n1,"112,0"\n2,"-15"\n', "sold", {"decimal": ","}),
        ("1\t112\n2\t-15\n", 1, {"separator": "\t"}),
        ("+112\n-15", 0, {}),
    ],
)
def test_read_column(tmp_path, content, column, choice):
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8", newline="")
    found = files.read_column(path, column, **choice)
    assert found.dtype == np.float64
    assert found.tolist() == [112, -15]


@pytest.mark.parametrize(
    ("content", "column", "choice", "said"),
    [
        ("m,sold\n1,112\n2,\n3,NA\n4,7\n", "sold", {}, "no value in lines 3, 4, of 4"),
        ("m,sold\n1,nan\n", "sold", {}, "line 2"),
        ('m,sold\n"a\nb",112\n2,\n', "sold", {}, "no value in line 4"),
        ("sold\n112\n\n7\n", "sold", {}, "line 3"),
        ("m,sold\n1,112\n2,1,5\n", "sold", {}, "2 of line 1 in line 3"),
        ("m;sold\n1;112\n", "sold", {}, r"0 columns 'sold' of \['m;sold'\]"),
        ("m,sold,sold\n1,2,3\n", "sold", {}, "2 columns 'sold'"),
        ('m,sold\n1,"1,5"\n', "sold", {}, "line 2: '1,5' is no finite number"),
        ("m;sold\n1;1.234\n", "sold", {"separator": ";", "decimal": ","}, "line 2: '1.234'"),
        ("sold\n1_000\n", "sold", {}, "line 2: '1_000'"),
        ("sold\ninf\n", "sold", {}, "line 2: 'inf'"),
        ("sold\n1e999\n", "sold", {}, "line 2: '1e999'"),
        ("sold\n١٢\n", "sold", {}, "line 2"),
        ("m,sold\n1,112\n", 1, {}, "line 1: 'sold'"),
        ("1,112\n2,7\n", "112x", {}, "0 columns"),
        ("1,112\n2,7\n", 2, {}, "no column 2; its 2 are 0 to 1"),
        ("1,112\n2,7\n", -1, {}, "no column -1"),
        ("sold\n", "sold", {}, "0 lines"),
        ("\n\n", "sold", {}, "0 lines"),
        ('sold\n"112\n', "sold", {}, "line 2"),
        ("sold\n112\n", "sold", {"decimal": "·"}, "decimal is '·'"),
        ("sold\n112\n", "sold", {"separator": ", "}, "separator is ', '"),
        ("sold\n112\n", "sold", {"separator": '"'}, "separator"),
    ],
)
def test_what_is_no_column_of_numbers_is_named(tmp_path, content, column, choice, said):
    path = tmp_path / "mine.csv"
    path.write_text(content, encoding="utf-8", newline="")
    with pytest.raises(ValueError, match=said) as caught:
        files.read_column(path, column, **choice)
    assert "mine.csv" in str(caught.value)


# numbers that are not finite


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_forbidden_symbol_costs_nothing(dtype):
    rng, targets = np.random.default_rng(0), np.array([[0, 3], [1, 3]])
    logits = rng.normal(size=(2, 2, 4)).astype(dtype)
    fewer = losses.cross_entropy_forward(logits[..., [0, 1, 3]], np.array([[0, 2], [1, 2]]))[0]
    logits[..., 2] = -INF
    plain, cache = losses.cross_entropy_forward(logits, targets)
    smoothed, smoothed_cache = losses.smoothed_cross_entropy_forward(logits, targets, eps=0.0)
    assert plain == pytest.approx(fewer, rel=1e-6)
    assert smoothed == plain
    for dlogits in (
        losses.cross_entropy_backward(cache),
        losses.smoothed_cross_entropy_backward(smoothed_cache),
    ):
        assert np.isfinite(dlogits).all()
        assert (dlogits[..., 2] == 0).all()


def test_a_forbidden_target_costs_infinitely_much():
    logits, targets = np.array([[0.0, -INF, 1.0]]), np.array([1])
    assert losses.cross_entropy_forward(logits, targets)[0] == INF
    assert losses.smoothed_cross_entropy_forward(logits, targets, eps=0.0)[0] == INF
    assert losses.smoothed_cross_entropy_forward(logits, np.array([0]), eps=0.1)[0] == INF


def test_a_transformer_may_forbid_a_symbol():
    model = models.TransformerLanguageModel(7, 8, 16, 2, 1)
    params = model.init(np.random.default_rng(0))
    params["readout.b"] = np.array([-INF] + [0.0] * 6)
    loss, grads, _ = model.loss_and_grads(
        params, text.Batch(np.array([[1, 2, 3]]), np.array([[2, 3, 4]]))
    )
    assert np.isfinite(loss)
    assert all(np.isfinite(g).all() for g in grads.values())


def smoothed(logits, targets, mask=None):
    return losses.smoothed_cross_entropy_forward(logits, targets, mask, eps=0.1)


@pytest.mark.parametrize("loss", [losses.cross_entropy_forward, smoothed])
@pytest.mark.parametrize("row", [[NAN, 0, 0], [0, INF, 0], [INF, INF, -INF], [-INF] * 3])
def test_logits_without_a_softmax_are_named(loss, row):
    logits = np.zeros((2, 2, 3))
    logits[1, 0] = row
    with pytest.raises(ValueError, match=r"logits at \(1, 0\)"):
        loss(logits, np.zeros((2, 2), int))
    padded = np.array([[True, True], [False, True]])
    assert loss(logits, np.zeros((2, 2), int), padded)[0] == pytest.approx(np.log(3))


@pytest.mark.parametrize("bad", NOT_FINITE)
@pytest.mark.parametrize("which", [0, 1])
def test_errors_that_are_not_finite_are_named(bad, which):
    given = [np.zeros((2, 3)), np.zeros((2, 3))]
    given[which][1, 2] = bad
    with pytest.raises(ValueError, match=r"y - targets .* at \(1, 2\)"):
        losses.squared_error_forward(*given)
    mask = np.array([True, False])
    assert losses.squared_error_forward(*given, mask)[0] == 0


def test_squared_errors_that_float32_cannot_hold():
    y = np.full((2, 2), 1e20, np.float32)
    loss, cache = losses.squared_error_forward(y, np.zeros((2, 2)))
    assert loss == pytest.approx(1e40, rel=1e-6)
    np.testing.assert_allclose(losses.squared_error_backward(cache), 2e20 / 4, rtol=1e-6)
    with pytest.raises(ValueError, match=r"\(y - targets\)\^2 holds inf at \(0, 0\)"):
        losses.squared_error_forward(np.full((2, 2), 1e200), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="y - targets holds"):
        losses.squared_error_forward(np.full((1, 1), 3e38, np.float32), np.full((1, 1), -3e38))


def chosen(decoder, logits, **choice):
    model, first = Table(logits), np.array([0, 1])
    return decoder(model, None, first, np.zeros((2, 1)), max_length=2, **choice)


def sampled(*given, **choice):
    return decode.sample(*given, np.random.default_rng(0), **choice)


def beam(*given, **choice):
    return decode.beam_search(*given, width=2, **choice)


@pytest.mark.parametrize("decoder", [decode.greedy, sampled, beam])
@pytest.mark.parametrize("row", [[NAN, 0, 0], [0, INF, 0], [-INF] * 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decoders_name_a_step_without_a_softmax(decoder, row, dtype):
    with pytest.raises(ValueError, match="logits of step 1"):
        chosen(decoder, np.array([[0, 1, 0], row, [0, 1, 0]], dtype))
    after = np.array([[0, 0, 9], [0, 0, 9], row], dtype)  # 2 is the end, then nothing counts
    found = chosen(decoder, after, end=2)
    assert np.isfinite(found.log_probability).all()
    with pytest.raises(ValueError, match="logits of step 2"):
        chosen(decoder, after)


@pytest.mark.parametrize("decoder", [decode.greedy, sampled, beam])
def test_decoders_never_write_a_forbidden_symbol(decoder):
    found = chosen(decoder, np.tile([-INF, -1.0, 0.0], (3, 1)))
    assert (found.ids > 0).all()
    assert np.isfinite(found.log_probability).all()
    whole = chosen(decoder, [[-9, -1, 0]] * 3)  # integers are logits too
    assert np.isfinite(whole.log_probability).all()


def test_a_beam_does_not_read_a_beginning_that_cannot_be():
    """Symbol 1 is all that may follow 0; beginnings with others are dead, whatever comes then."""
    table = np.array([[-INF, 0.0, -INF], [0.0, -INF, -INF], [NAN, NAN, NAN]])
    found = decode.beam_search(Table(table), None, [0], np.zeros((1, 1)), width=3, max_length=4)
    assert found.ids.tolist() == [[1, 0, 1, 0]]
    assert found.log_probability == 0


@pytest.mark.parametrize("keep", [decode.keep_top_k, decode.keep_top_p, decode.with_temperature])
@pytest.mark.parametrize("bad", [NAN, INF])
def test_cuts_name_a_row_without_a_softmax(keep, bad):
    with pytest.raises(ValueError, match=r"logits at \(1,\)"):
        keep(np.array([[0.0, 1.0], [0.0, bad]]), 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda bad: drawn([0.0, 1.0], temperature=bad),
        lambda bad: drawn([0.0, 1.0], top_p=bad),
        lambda bad: chosen(beam, np.zeros((3, 3)), alpha=bad),
        lambda bad: optim.sgd(bad),
        lambda bad: optim.sgd(lambda k: bad)({"w": np.ones(1)}, {"w": np.ones(1)}),
        lambda bad: optim.momentum(0.1, mu=bad),
        lambda bad: optim.adam(0.1, b1=bad),
        lambda bad: optim.adam(0.1, b2=bad),
        lambda bad: optim.adam(0.1, eps=bad),
        lambda bad: optim.warm_up(bad, 3),
        lambda bad: optim.warm_up(0.1, bad),
        lambda bad: optim.warm_up_then_decay(bad, 3),
        lambda bad: text.split(IDS, bad),
        lambda bad: tasks.latch(np.random.default_rng(0), 2, 3, noise=bad),
        lambda bad: exposure.mistyped(ROWS, bad, [3, 4], np.random.default_rng(0)),
        lambda bad: guessing.guess(
            np.random.default_rng(0), tasks.latch(np.random.default_rng(0), 2, 3), bound=bad
        ),
    ],
)
@pytest.mark.parametrize("bad", NOT_FINITE)
def test_a_choice_that_is_not_finite_is_named(call, bad):
    with pytest.raises(ValueError, match=str(bad)):
        call(bad)


LINEAR = {"W": np.ones((2, 2)), "b": np.zeros(2)}
LATCH = tasks.latch(np.random.default_rng(0), 4, 3)
RNN = rnn.init(np.random.default_rng(0), 2, 3)


def with_bad(shape, bad, dtype=np.float64):
    a = np.ones(shape, dtype)
    a.flat[-1] = bad
    return a


@pytest.mark.parametrize(
    "call",
    [
        lambda bad: metrics.perplexity(bad if np.isnan(bad) else NAN),
        lambda bad: metrics.bits(np.array([1.0, bad if np.isnan(bad) else NAN])),
        lambda bad: metrics.accuracy(with_bad((2, 2), bad), IDS_2D[:, :2]),
        lambda bad: metrics.exact_match(with_bad((2, 2), bad), IDS_2D[:, :2]),
        lambda bad: metrics.alignment_error_rate(*[with_bad((2, 2), bad)] * 3),
        lambda bad: metrics.strongest(with_bad((1, 2, 2), bad)),
        lambda bad: ibm1.align(with_bad((3, 2), bad), [0, 1], [0, 1]),
        lambda bad: probe.fit(with_bad((4, 2), bad), [0, 1, 0, 1], 2),
        lambda bad: probe.accuracy(LINEAR, with_bad((4, 2), bad), IDS[:4]),
        lambda bad: probe.accuracy(LINEAR | {"b": with_bad(2, bad)}, np.ones((2, 2)), [0, 1]),
        lambda bad: spectra.jacobian(rnn, RNN, with_bad((2, 2), bad)),
        lambda bad: spectra.jacobian(rnn, RNN | {"W_hh": with_bad((3, 3), bad)}, np.ones((2, 2))),
        lambda bad: spectra.jacobians(rnn, RNN, with_bad((2, 2), bad)),
        lambda bad: spectra.products(with_bad((2, 2, 2), bad)),
        lambda bad: spectra.lyapunov(with_bad((2, 2, 2), bad)),
        lambda bad: spectra.singular_values(with_bad((2, 2, 2), bad)),
        lambda bad: spectra.spectral_radius(with_bad((2, 2, 2), bad)),
        lambda bad: spectra.half_life(bad),
        lambda bad: spectra.gradient_norms(rnn, RNN, with_bad((1, 4, 2), bad), np.ones((1, 3))),
        lambda bad: spectra.gradient_norms(rnn, RNN, np.ones((1, 4, 2)), with_bad((1, 3), bad)),
        lambda bad: spectra.reach(
            rnn, RNN, RNN, with_bad((1, 4, 2), bad), np.ones((1, 4, 2)), np.random.default_rng(0)
        ),
        lambda bad: omega.forward(
            with_bad((2, 4, 3), bad), None, rnn.forward(RNN, np.ones((2, 4, 2)))[2]
        ),
        lambda bad: guessing.guess(
            np.random.default_rng(0), LATCH._replace(inputs=with_bad((4, 4, 1), bad))
        ),
        lambda bad: text.windows([1, 2, 3], 2, before=bad),
    ],
)
@pytest.mark.parametrize("bad", NOT_FINITE)
def test_data_that_are_not_finite_are_named(call, bad):
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match=r"finite|nan|inf|float64|bool|integers"),
    ):
        call(bad)


def test_what_padding_holds_does_not_matter():
    batch = LATCH._replace(mask=np.arange(4) < np.array([[4], [4], [4], [2]]))
    wild = batch.inputs.copy()
    wild[3, 2:] = NAN
    found = [
        guessing.guess(np.random.default_rng(0), batch._replace(inputs=x), limit=3)
        for x in (batch.inputs, wild)
    ]
    assert found[0].accuracy == found[1].accuracy
    weights = with_bad((1, 2, 2), NAN)
    mask = np.array([[True, False]])
    assert metrics.strongest(weights, mask=mask).tolist() == [[[True, False], [False, False]]]
    nothing = metrics.strongest(np.ones((1, 2, 2)), source_mask=np.zeros((1, 2), bool))
    assert not nothing.any()


@pytest.mark.parametrize(
    "call",
    [
        lambda model: exposure.hits(model, None, ROWS),
        lambda model: exposure.scores(model, None, ROWS),
        lambda model: exposure.slipped(model, None, ROWS, 1, [3, 4], np.random.default_rng(0)),
        lambda model: feeding.fed(model, None, ROWS._replace(own=1.0), np.random.default_rng(0)),
    ],
)
@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_decoder_that_is_scored_has_a_softmax(call, bad):
    with pytest.raises(ValueError, match="logits"):
        call(Table(np.full((6, 6), bad)))


def test_perplexity_of_what_cannot_be():
    assert metrics.perplexity(INF) == INF
    assert metrics.bits(INF) == INF


def test_a_row_of_padding_is_no_match():
    mask = np.array([[True, True], [False, False]])
    with pytest.raises(ValueError, match="row 1 has 0 real places"):
        metrics.exact_match([[1, 2], [0, 0]], [[9, 9], [5, 5]], mask)
    with pytest.raises(ValueError, match="row 1 has 0 real places"):
        exposure.scores(UNIFORM, None, ROWS._replace(mask=mask))


def test_bleu_of_short_sentences():
    short, long = "a b c".split(), "d e f g".split()
    assert metrics.bleu([short, short], [short, short]) == 0
    assert metrics.bleu([short, long], [short, long]) == pytest.approx(100)
    assert metrics.bleu([[], long], [[], long]) == pytest.approx(100)


# numbers that are too large


def test_the_norm_of_what_has_no_squares():
    for dtype, size in ((np.float32, 1e20), (np.float32, 1e-30), (np.float64, 1e200)):
        a = np.array([[3, 4], [0, 0]], dtype) * dtype(size)
        assert ops.norm(a) == pytest.approx(5 * size, rel=1e-6)
        np.testing.assert_allclose(ops.norm(a, axis=1), [5 * size, 0], rtol=1e-6)
        assert optim.global_norm({"a": a[:1], "b": a[1:]}) == pytest.approx(5 * size, rel=1e-6)
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        a = rng.normal(size=(3, 4, 5)).astype(dtype)
        np.testing.assert_array_equal(ops.norm(a, axis=-1), np.linalg.norm(a, axis=-1))
    assert optim.global_norm({}) == 0
    assert optim.global_norm({"w": np.zeros(3, np.float32)}) == 0


@pytest.mark.parametrize("limit", [1.0, 1e-12])
@pytest.mark.parametrize(
    ("dtype", "size"), [(np.float32, 1e20), (np.float32, 1e37), (np.float64, 1e200)]
)
def test_clipping_keeps_the_direction(dtype, size, limit):
    grads = {"w": np.array([3, -4], dtype) * dtype(size), "b": np.zeros(2, dtype)}
    clipped, norm = optim.clip_by_norm(grads, limit)
    assert norm == pytest.approx(5 * size, rel=1e-6)
    np.testing.assert_allclose(clipped["w"], np.array([0.6, -0.8]) * limit, rtol=1e-6)
    assert clipped["w"].dtype == dtype


@pytest.mark.parametrize("clip", [lambda *a: optim.clip_by_norm(*a)[0], optim.clip_by_value])
def test_a_limit_without_end_does_not_clip(clip):
    for dtype in (np.float32, np.float64):
        grads = {"w": np.array([3e20, 0, -4e20], dtype)}
        np.testing.assert_array_equal(clip(grads, INF)["w"], grads["w"])
    for bad in (NAN, -INF, 0.0, -1.0):
        with pytest.raises(ValueError, match=f"limit is {bad}"):
            clip(grads, bad)


UPDATES = [optim.sgd(0.1), optim.momentum(0.1), optim.adam(0.1)]
CLIPS = [lambda _, g: optim.clip_by_norm(g, 1.0), lambda _, g: optim.clip_by_value(g, 1.0)]


@pytest.mark.parametrize("update", [*UPDATES, *CLIPS])
@pytest.mark.parametrize("bad", NOT_FINITE)
def test_a_gradient_that_is_not_finite_is_named(update, bad):
    params, grads = {"v": np.ones(2), "w": np.ones(2)}, {"v": np.ones(2), "w": np.array([0, bad])}
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=r"w holds .* at \(1,\)"):
        update(params, grads)


def test_steps_of_gradients_whose_squares_float32_cannot_hold():
    params, grads = {"w": np.ones(2, np.float32)}, {"w": np.full(2, 1e22, np.float32)}
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=r"mean square .* w holds inf"):
        optim.adam(0.1)(params, grads)
    for update in UPDATES[:2]:
        assert update(params, grads)[0]["w"] == pytest.approx(-1e21, rel=1e-6)
    clipped, _ = optim.clip_by_norm(grads, 1.0)
    assert optim.adam(0.1)(params, clipped)[0]["w"] == pytest.approx(0.9, rel=1e-6)
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="a new w holds -inf"):
        optim.sgd(1e30)(params, grads)


def test_growth_that_no_product_can_hold():
    J = np.tile(np.diag([1e200, 1e100]), (6, 1, 1))
    np.testing.assert_allclose(spectra.lyapunov(J), np.log([1e200, 1e100]), rtol=1e-12)
    with pytest.raises(ValueError, match="P holds"):
        spectra.products(J)
    lost = spectra.lyapunov(np.tile(np.diag([1.0, 0.0]), (6, 1, 1)))
    assert lost.tolist() == [0, -INF]


def test_gradients_whose_squares_vanish_have_a_norm():
    params = {"W_xh": np.zeros((2, 1)), "W_hh": 1e-3 * np.eye(2), "b_h": np.zeros(2)}
    x, end = np.zeros((1, 70, 1)), np.array([[3.0, 4.0]])
    found = spectra.gradient_norms(rnn, params, x, end)[:, 0]
    np.testing.assert_allclose(np.log10(found), np.log10(5) - 3 * np.arange(71), rtol=1e-12)


@pytest.mark.parametrize("size", [1e-200, 1e100, 1e200])
def test_a_probe_of_very_small_or_large_features(size):
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(40, 2)), np.arange(40) % 2
    x[:, 0] += 4 * labels
    plain, scaled = probe.fit(x, labels, 2), probe.fit(x * size, labels, 2)
    assert probe.accuracy(scaled, x * size, labels) == probe.accuracy(plain, x, labels) > 0.9
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(ValueError, match="standard"):
        probe.fit(np.array([[1e308], [-1e308]] * 2), [0, 1, 0, 1], 2)


# sampling


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("p", "wanted"), [(0.5, 1), (0.501, 2), (0.8, 2), (0.9, 3), (0.901, 4), (1e-9, 1), (1.0, 4)]
)
def test_the_borders_of_top_p(dtype, p, wanted):
    logits = np.log(np.array([[0.1, 0.5, 0.1, 0.3]])).astype(dtype) + dtype(3)
    kept = np.isfinite(decode.keep_top_p(logits, p))
    assert kept.tolist() == [[wanted >= 3, True, wanted >= 4, wanted >= 2]]


@pytest.mark.parametrize("one", [1, 1.0, np.float32(1)])
def test_p_of_one_keeps_all(one):
    z = np.random.default_rng(0).normal(0, 2, (2, 50_000)).astype(np.float32)
    z[0, 7] = -INF
    kept = decode.keep_top_p(z, one)
    np.testing.assert_array_equal(kept, z)
    assert kept is not z
    np.testing.assert_array_equal(decode.keep_top_k(z, z.shape[1]), z)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_are_cut_by_order(dtype):
    logits = np.zeros((1, 4), dtype)
    for kept in (decode.keep_top_k(logits, 2), decode.keep_top_p(logits, 0.5)):
        assert kept.tolist() == [[0, 0, -INF, -INF]]
    assert drawn(np.zeros(4, dtype), top_k=1) == drawn(np.zeros(4, dtype), top_p=0.25) == {0}
    assert drawn(np.zeros(4, dtype), top_k=2) == {0, 1}
    assert chosen(decode.greedy, np.zeros((3, 3), dtype)).ids.tolist() == [[0, 0], [0, 0]]
    assert chosen(beam, np.zeros((3, 3), dtype)).ids.tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("temperature", [1e-3, 1e-30, 1e-310, 5e-324])
def test_the_limit_of_small_temperatures_is_greedy(dtype, temperature):
    assert drawn(np.array([1, 2, 3], dtype), temperature=temperature) == {2}
    assert drawn(np.array([-1e30, -2e30, -3e30], dtype), temperature=temperature) == {0}
    assert drawn(np.array([-INF, -5, -9], dtype), temperature=temperature) == {1}
    shares = ops.softmax(decode.with_temperature(np.array([[2, 1, 2]], dtype), temperature))
    assert shares.tolist() == [[0.5, 0, 0.5]]  # equals stay equal


# states and epochs


class Counter:
    """Its state counts the batches that it was carried through."""

    def loss_and_grads(self, params, batch, state=None, rng=None):
        return 0.0, {"w": np.zeros(1)}, (state or 0) + 1


def states(batches, **choice):
    run = train(Counter(), {"w": np.zeros(1)}, batches, optim.sgd(1.0), **choice)
    return [record.state for record in run]


def epochs(n, *given):
    return itertools.chain.from_iterable(text.chunks(*given) for _ in range(n))


def test_an_epoch_begins_without_a_state():
    ids = np.arange(25)
    marks = [chunk.first for chunk in epochs(2, ids, 2, 4)]
    assert marks == [True, False, False] * 2
    assert states(epochs(2, ids, 2, 4), carry_state=True) == [1, 2, 3, 1, 2, 3]
    assert states(epochs(2, ids, 2, 4)) == [1] * 6
    assert states(epochs(2, ids, 2, 12), carry_state=True) == [1, 1]


def test_batches_without_a_mark_carry_on():
    unmarked = (text.Batch(*chunk[:2]) for chunk in epochs(2, np.arange(25), 2, 4))
    assert states(unmarked, carry_state=True) == [1, 2, 3, 4, 5, 6]
    assert states(iter([SimpleNamespace()] * 3), carry_state=True) == [1, 2, 3]


def test_an_epoch_costs_what_it_cost_before():
    rng = np.random.default_rng(0)
    ids, model = rng.integers(0, 5, 200), models.LanguageModel(5, 4, 6)
    run = train(model, model.init(rng), epochs(2, ids, 4, 10), optim.sgd(1e-12), carry_state=True)
    costs = [record.loss for record in run]
    np.testing.assert_allclose(costs[:4], costs[4:], rtol=1e-9)


# growth with the vocabulary


def most_memory(f):
    tracemalloc.start()
    f()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


@pytest.mark.parametrize("V", [1_000, 30_000])
def test_the_gradient_of_a_table_takes_the_memory_of_a_table(V):
    ids, W = np.random.default_rng(0).integers(0, V, (32, 35)), np.zeros((V, 8))
    places = 32 * 35 * (8 + 4) * 8  # the rows of dx in order, and their ids
    for forward, backward in (
        (lambda: embedding.forward({"W": W}, ids), embedding.backward),
        (lambda: tied.embed_forward({"e.W": W}, "e", ids), tied.embed_backward),
    ):
        x, cache = forward()
        assert most_memory(lambda x=x, c=cache, b=backward: b(x, c)) < 1.2 * W.nbytes + 3 * places


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("V", [1, 3, 500])
def test_the_gradient_of_a_table_is_a_sum_over_places(V, dtype):
    rng = np.random.default_rng(0)
    for shape in ((), (7,), (4, 6), (0, 3)):
        ids = rng.integers(0, V, shape)
        dx = rng.normal(size=(*shape, 5)).astype(dtype)
        _, cache = embedding.forward({"W": np.zeros((V, 5), dtype)}, ids)
        found = embedding.backward(dx, cache)["W"]
        wanted = np.eye(V)[ids.ravel()].T @ dx.reshape(-1, 5)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=40 * np.finfo(dtype).eps)
        assert found.dtype == dtype


def test_a_vocabulary_is_looked_up_in_one_dictionary():
    words = text.Vocabulary(tuple(map(str, range(100_000))))
    before = words.places
    encode = lambda: words.encode(["5", "99999"])  # noqa: E731
    encode()
    assert most_memory(encode) < 10_000
    assert words.places is before
    assert words == text.Vocabulary(tuple(map(str, range(100_000))))
    assert "places" not in repr(text.Vocabulary("ab"))
