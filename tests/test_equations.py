"""Formulas and code carry the same tags.

A tag such as (rnn-h) stands after its formula in one chapter, `$$ ... $$ (rnn-h)`; in a docstring
of the module that implements it, before the formula in plain characters; and in a comment at the
end of the line that computes it, `# (rnn-h)`, and of the line of the backward pass that undoes it.
`faults` compares these lists; it takes texts, so that it can be tested itself.
"""

import ast
import io
import re
import textwrap
import tokenize
from collections import Counter, defaultdict
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
TAG = r"\(([a-z][a-z0-9]*(?:-[a-z0-9]+)*)\)"
DECLARED = re.compile(rf"^\s*{TAG} {{2,}}\S", re.MULTILINE)
AT_END = re.compile(rf"#\s*((?:{TAG}[,\s]*)+)")
CHAPTER = re.compile(r"\d\d_\w+\.ipynb")
SCOPES = ast.FunctionDef, ast.ClassDef, ast.Module
MOST = 2  # lines that carry a tag, each way


class Line(NamedTuple):
    """A line of code that carries a tag."""

    tag: str
    number: int
    scopes: tuple  # the syntax trees around it, from the module to the innermost function
    backward: bool

    def wants_backward(self):
        """Whether the function around a line of a forward pass has a partner that goes backward."""
        outer, inner = self.scopes[-2:] if len(self.scopes) > 1 else (self.scopes[0], None)
        if not isinstance(inner, ast.FunctionDef):
            return False
        siblings = {node.name for node in outer.body if isinstance(node, ast.FunctionDef)}
        return inner.name.replace("forward", "backward") in siblings - {inner.name} or (
            "loss_and_grads" in siblings  # a model goes forward and backward in this one method
        )


def code_lines(source):
    """The lines of a Python source that carry tags in a comment at their end."""
    scopes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, SCOPES)]
    rows = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        found = AT_END.match(token.string) if token.type == tokenize.COMMENT else None
        if not found:
            continue
        row = token.start[0]
        around = [s for s in scopes if not hasattr(s, "lineno") or s.lineno <= row <= s.end_lineno]
        around.sort(key=lambda scope: getattr(scope, "lineno", 0))
        functions = [s.name for s in around if isinstance(s, ast.FunctionDef)]
        inside = bool(functions) and functions[-1].endswith("backward")
        backward = inside or "backward(" in rows[row - 1]
        for tag in re.findall(TAG, found.group(1)):
            yield Line(tag, row, tuple(around), backward)


def declared_tags(source):
    """The tags that docstrings declare, each with the chapters said to hold its formula."""
    tree = ast.parse(source)
    general = ast.get_docstring(tree) or ""
    declared = {}
    for node in ast.walk(tree):
        text = (isinstance(node, SCOPES) and ast.get_docstring(node)) or ""
        for tag in DECLARED.findall(text):
            declared[tag] = CHAPTER.findall(text) or CHAPTER.findall(general)
    return declared


def formulas(cells):
    """The tags of the formulas in a chapter's text, in order."""
    tags = []
    for cell in cells:
        if cell.cell_type == "markdown":
            pieces = cell.source.split("$$")
            assert len(pieces) % 2, f"a $$ without its partner: {cell.source[:60]!r}"
            after = [re.match(rf"[ \t]*{TAG}", piece) for piece in pieces[2::2]]
            tags += [match.group(1) for match in after if match]
    return tags


def chapter_tags(cells):
    """The tags that a chapter's own code carries."""
    return {
        line.tag for cell in cells if cell.cell_type == "code" for line in code_lines(cell.source)
    }


def faults(modules, chapters):
    """All that is wrong between the code and the text, one sentence each.

    modules   dict from path to Python source
    chapters  dict from file name to cells
    """
    found = []
    homes = defaultdict(list)
    for name, cells in chapters.items():
        for tag in formulas(cells):
            homes[tag].append(name)
    for tag, names in homes.items():
        if len(names) > 1:
            found.append(f"({tag}) has {len(names)} formulas, in {', '.join(names)}")

    implemented = set()
    for path, source in modules.items():
        declared, lines = declared_tags(source), list(code_lines(source))
        implemented |= set(declared)
        for line in lines:
            if line.tag not in declared:
                found.append(f"{path}:{line.number} carries ({line.tag}); no docstring declares it")
        for tag, named in declared.items():
            if not homes[tag]:
                found.append(f"{path} declares ({tag}); no chapter has its formula")
            if homes[tag] and named and homes[tag][0] not in named:
                found.append(f"{path} says ({tag}) is in {named}; it is in {homes[tag][0]}")
            ways = Counter(line.backward for line in lines if line.tag == tag)
            wanted = any(line.wants_backward() for line in lines if line.tag == tag)
            for backward, does in [(False, "computes"), (True, "undoes")]:
                count = ways[backward]
                if count > MOST:
                    found.append(f"{path}: a line {does} ({tag}), {count} times; {MOST} at most")
                if not count and (wanted or not backward):
                    found.append(f"{path} declares ({tag}); no line {does} it")

    for name, cells in chapters.items():
        for tag in sorted(chapter_tags(cells) - set(formulas(cells)) - implemented):
            found.append(f"{name}: its code carries ({tag}), which is no formula of the chapter")
    return found


def the_book():
    modules = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "seqlib").rglob("*.py"))
    }
    chapters = {
        path.name: nbformat.read(path, as_version=4).cells
        for path in sorted((ROOT / "chapters").glob("*.ipynb"))
    }
    return modules, chapters


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
    assert chapter_tags(cells()) == {"own", "twice"}


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
