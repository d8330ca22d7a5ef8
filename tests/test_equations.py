"""Formulas and code carry the same tags: book/_ext/tags.py compares them, in the book and here."""

import textwrap
from collections import Counter

import equations
import nbformat
import pytest
from tags import alone, chapter_lines, code_lines, declared_tags, faults, formulas, the_book


def test_the_book():
    modules, chapters = the_book()
    found = faults(modules, chapters)
    assert not found, "\n".join(found)


def test_the_book_has_tags():
    """Neither list is empty by an error of the reader."""
    modules, chapters = the_book()
    assert {"rnn-a", "rnn-h", "carry"} <= set(declared_tags(modules["seqlib/scratch/rnn.py"]))
    lines = Counter((x.tag, x.backward) for x in code_lines(modules["seqlib/scratch/rnn.py"]))
    assert lines["rnn-h", False] == lines["rnn-h", True] == 1
    assert all(formulas(cells) for cells in chapters.values())


# The instrument itself, on a small book

MODULE = '''
"""A layer.

    (twice)   y = 2 x
    (square)  z = y^2

Formulas: chapters/01_one.ipynb.  In prose, (twice) declares nothing.
"""

def forward(x):
    y = 2 * x  # (twice)
    return y * y, y  # (square)

def backward(dz, y):
    dy = 2 * y * dz  # (square), by the product rule
    return 2 * dy  # (twice)
'''
MODEL = '''
class Model:
    """A model.

        (model)   z = twice(x) + 1
    """

    def loss_and_grads(self, x):
        z, cache = layer.forward(x)  # (model)
        dx = layer.backward(1, cache)  # (model)
        return z, dx
'''
TEXT = [
    "A formula without a tag, $$ a = b $$ then\n\n$$ y = 2 x $$ (twice)\n\nand (twice) again.",
    "$$\nz = y^2\n$$ (square)\n\n$$ z = y + 1 $$ (model)\n\n$$ k = 3 $$ (own)",
]
CODE = "k = 3  # (own)\ny = 2  # (twice)\n# (see below) is no tag\ns = '# (nor)'"


def cells(text=TEXT, code=CODE):
    markdown = [nbformat.v4.new_markdown_cell(source) for source in text]
    return [*markdown, nbformat.v4.new_code_cell(code)]


def small_book(module=MODULE, model=MODEL, **chapters):
    chapters = {f"{name.lstrip('_')}.ipynb": part for name, part in chapters.items()}
    return faults({"layer.py": module, "model.py": model}, chapters or {"01_one.ipynb": cells()})


def without(text, part):
    assert part in text
    return text.replace(part, "", 1)


def test_a_book_without_fault():
    assert small_book() == []
    assert formulas(cells()) == ["twice", "square", "model", "own"]
    assert [(place, line.tag) for place, line in chapter_lines(cells())] == [
        (2, "own"),
        (2, "twice"),
    ]


def test_no_chapters_no_formulas():
    assert len(faults({"layer.py": MODULE}, {})) == 2


@pytest.mark.parametrize(
    ("book", "fault"),
    [
        (
            {"_01_one": cells(text=TEXT[1:])},
            "layer.py declares (twice); no chapter has its formula",
        ),
        (
            {"_01_one": cells(text=[*TEXT, TEXT[0]])},
            "(twice) has 2 formulas, in 01_one.ipynb, 01_one.ipynb",
        ),
        (
            {"_01_one": cells(), "_02_two": cells(["$$ k = 4 $$ (own)"], "")},
            "(own) has 2 formulas, in 01_one.ipynb, 02_two.ipynb",
        ),
        (
            {"_01_one": cells([TEXT[1]]), "_02_two": cells(TEXT[:1], "")},
            "layer.py says (twice) is in ['01_one.ipynb']; it is in 02_two.ipynb",
        ),
        (
            {"_01_one": cells(code="k = 4  # (mine)")},
            "01_one.ipynb: its code carries (mine), which is no formula of the chapter",
        ),
        (
            {"_01_one": cells(), "_02_two": cells(["Text."], "k = 3  # (own)")},
            "02_two.ipynb: its code carries (own), which is no formula of the chapter",
        ),
        (
            {"module": without(MODULE, "    (twice)   y = 2 x\n")},
            "layer.py:10 carries (twice); no docstring declares it",
        ),
        (
            {"module": without(MODULE, "y * y, y  # (square)")},
            "layer.py declares (square); no line computes it",
        ),
        (
            {"module": without(MODULE, "2 * dy  # (twice)")},
            "layer.py declares (twice); no line undoes it",
        ),
        (
            {"model": MODEL.replace("cache)  # (model)", "cache)")},
            "model.py declares (model); no line undoes it",
        ),
        (
            {"module": MODULE + "\ndef more(x):\n    x = 1  # (twice)\n    return x  # (twice)\n"},
            "layer.py: a line computes (twice), 3 times; 2 at most",
        ),
    ],
)
def test_a_fault_is_found(book, fault):
    assert fault in small_book(**book)


def test_no_partner_no_line_of_it():
    """A function without a backward pass needs no line that undoes its formula."""
    alone = textwrap.dedent('''
        """(softmax)   p = exp(a) / sum exp(a)"""
        def softmax(a):
            return exp(a) / exp(a).sum()  # (softmax)

        class Mirror:
            def forward(self, a):
                return softmax(a)  # (softmax)
    ''')
    assert faults({"ops.py": alone}, {"01_one.ipynb": cells(["$$ p = 1 $$ (softmax)"], "")}) == []


def test_a_formula_has_two_ends():
    with pytest.raises(AssertionError, match="without its partner"):
        formulas(cells(["$$ y = 2 x (twice)"]))


def warnings_of_the_build(monkeypatch, path, old, new):
    """What stops the build when one line of a module is another."""
    modules, chapters = the_book()
    assert old in modules[path]
    changed = modules | {path: modules[path].replace(old, new, 1)}
    found = []
    monkeypatch.setattr(equations, "the_book", lambda: (changed, chapters))
    monkeypatch.setattr(equations.log, "warning", found.append)
    equations.check(None)
    return found


@pytest.mark.parametrize(
    ("new", "fault"),
    [
        ("c_t += i_times_g  # (lstm-c)", None),
        ("c_t += 1 * i_times_g  # (lstm-c)", "has no test that proves it"),
        ("c_t += i_times_g", "declares (lstm-c); no line computes it"),
    ],
)
def test_the_build_stops_at_a_line_without_tag_or_proof(monkeypatch, new, fault):
    old = "c_t += i_times_g  # (lstm-c)"
    found = warnings_of_the_build(monkeypatch, "seqlib/scratch/lstm.py", old, new)
    assert len(found) == bool(fault) and all(fault in line for line in found), found


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("c_t = f_t,", "c_t = f_t"),
        ("a = b .\n", "a = b"),
        (r"a = b\ :", "a = b"),
        (
            r"\begin{aligned}a &= b, \\ c &= d.\end{aligned}",
            r"\begin{aligned}a &= b, \\ c &= d\end{aligned}",
        ),
        ("f(1, 2)", "f(1, 2)"),
        (r"n!", "n!"),
    ],
)
def test_a_formula_by_itself_has_no_mark_of_its_sentence(written, shown):
    assert alone(written) == shown
