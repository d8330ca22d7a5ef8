"""The tags that formulas and code share.

A tag such as (rnn-h) stands after its formula in one chapter, `$$ ... $$ (rnn-h)`; in a docstring
of the module that implements it, before the formula in plain characters; and in a comment at the
end of the line that computes it, `# (rnn-h)`, and of the line of the backward pass that undoes it.
All functions take texts, and `faults` compares what they find: the build stops where it finds any.
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

ROOT = Path(__file__).resolve().parents[2]
TAG = r"\(([a-z][a-z0-9]*(?:-[a-z0-9]+)*)\)"
DECLARED = re.compile(rf"^\s*{TAG} {{2,}}\S", re.MULTILINE)
AT_END = re.compile(rf"#\s*((?:{TAG}[,\s]*)+)")
CHAPTER = re.compile(r"\d\d_\w+\.ipynb")
SCOPES = ast.FunctionDef, ast.ClassDef, ast.Module
MOST = 2  # lines that carry a tag, each way
LONG = 6  # lines; of a longer statement only the line with the tag is shown


class Line(NamedTuple):
    """A line of code that carries a tag."""

    tag: str
    number: int
    text: str
    statement: str  # the statement that the line is part of, without tags
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
    tree = ast.parse(source)
    scopes = [node for node in ast.walk(tree) if isinstance(node, SCOPES)]
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
            text = rows[row - 1].strip()
            yield Line(tag, row, text, statement(tree, rows, row), tuple(around), backward)


def statement(tree, rows, row):
    """The smallest statement with a row, if it is not too long; else that row. Without tags."""
    around = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    around = [node for node in around if node.lineno <= row <= node.end_lineno]
    smallest = min(around, key=lambda node: node.end_lineno - node.lineno)
    first, last = smallest.lineno, smallest.end_lineno
    lines = rows[first - 1 : last] if last - first < LONG else [rows[row - 1]]
    return textwrap.dedent("\n".join(AT_END.split(line)[0].rstrip() for line in lines))


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


def chapter_lines(cells):
    """The lines of a chapter's own code that carry tags, each with the place of its cell."""
    for place, cell in enumerate(cells):
        if cell.cell_type == "code":
            yield from ((place, line) for line in code_lines(cell.source))


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
        own = {line.tag for _, line in chapter_lines(cells)}
        for tag in sorted(own - set(formulas(cells)) - implemented):
            found.append(f"{name}: its code carries ({tag}), which is no formula of the chapter")
    return found


def the_book():
    """The modules, by path, and the chapters' cells, by file name: what `faults` takes."""
    modules = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "seqlib").rglob("*.py"))
    }
    chapters = {
        path.name: nbformat.read(path, as_version=4).cells
        for path in sorted((ROOT / "chapters").glob("*.ipynb"))
    }
    return modules, chapters


def alone(formula):
    """A formula, as TeX, without the mark that ends or continues the sentence it stood in."""
    return re.sub(r"\s*(?:\\[ ,;!])*[.,;:]\s*((?:\\end\{\w+\*?\}\s*)*)$", r"\1", formula)
