"""Sphinx extension: every tagged formula has a number, a name, and a way to its code and its test.

`$$ ... $$ (rnn-h)` shows its tag where other books show a number; the mark below it has the number,
by chapter, and opens: the line of seqlib that computes the formula, the line that undoes it, and a
test that turns red when such a line is wrong (tests/proofs.py finds out which).
The directive `equations` lists them all. The build stops at whatever tags.faults finds.
"""

import json
from collections import defaultdict
from functools import cache
from html import escape
from pathlib import Path
from typing import NamedTuple

import sources
from docutils import nodes
from docutils.parsers.rst import Directive
from page_contents import chapter_heading, set_contents
from sphinx.domains.math import MathDomain
from sphinx.util import logging
from tags import ROOT, alone, chapter_lines, code_lines, faults, formulas, the_book

PAGE = "book/equations"
PROOFS = ROOT / "tests" / "proofs.json"
log = logging.getLogger(__name__)


class Formula(NamedTuple):
    """A tagged formula and all that carries its tag."""

    tag: str
    chapter: str  # its document
    number: str  # 5.7 is the seventh of chapter 5
    lines: tuple  # (path, line of seqlib), scratch first
    own: tuple  # (document, place of the cell, line of a chapter's own code)
    tests: tuple  # ids of tests that are red when a line is wrong


def read_proofs():
    """The test that proves a line, by its path and text."""
    return json.loads(PROOFS.read_text(encoding="utf-8")) if PROOFS.exists() else {}


@cache
def the_formulas():
    """All tagged formulas, by tag, in the order of the book."""
    modules, chapters = the_book()
    proofs = read_proofs()
    lines, own = defaultdict(list), defaultdict(list)
    for path in sorted(modules, key=lambda path: ("pytorch/" in path, path)):
        for line in code_lines(modules[path]):
            lines[line.tag].append((path, line))
    for name, cells in chapters.items():
        for place, line in chapter_lines(cells):
            own[line.tag].append((f"chapters/{Path(name).stem}", place, line))
    found = {}
    for name, cells in chapters.items():
        document = f"chapters/{Path(name).stem}"
        for count, tag in enumerate(formulas(cells), 1):
            keys = [f"{path}: {line.text}" for path, line in lines[tag]]
            tests = tuple(dict.fromkeys(proofs[key] for key in keys if key in proofs))
            number = f"{int(name[:2])}.{count}"
            found[tag] = Formula(tag, document, number, tuple(lines[tag]), tuple(own[tag]), tests)
    return found


def check(app):
    """Stop the build where text and code disagree, or where nothing proves a line."""
    modules, chapters = the_book()
    for fault in faults(modules, chapters):
        log.warning(fault)
    proofs = read_proofs()
    for path, source in modules.items():
        for line in code_lines(source):
            if "/pytorch/" not in path and f"{path}: {line.text}" not in proofs:
                log.warning(f"{path}:{line.number} has no test that proves it: tests/proofs.py")


class TaggedMathDomain(MathDomain):
    """Equations whose number is their label, and which the search finds by it."""

    def note_equation(self, docname, labelid, location=None):
        super().note_equation(docname, labelid, location)
        self.equations[labelid] = (docname, labelid)

    def get_objects(self):
        for tag, (docname, _) in self.equations.items():
            yield tag, tag, "equation", docname, f"equation-{tag}", 0


# The mark


def row(term, entries):
    """One kind of link in the panel of a formula: what it is, then its entries as HTML."""
    return f"<dt>{term}</dt>" + "".join(f"<dd>{entry}</dd>" for entry in entries)


def code(line):
    """The statement that the line is part of."""
    return f"<code>{escape(line.statement)}</code>"


def line_entry(app, here, path, line):
    functions = [scope.name for scope in line.scopes[1:]]
    where = f"{path}, line {line.number}" + (f", {'.'.join(functions)}" if functions else "")
    link = escape(sources.address(app, here, path, line.number))
    return f'<a href="{link}">{escape(where)}</a>{code(line)}'


def cell_entry(app, here, document, place, line):
    link = app.builder.get_relative_uri(here, document) if document != here else ""
    text = f"a cell of chapter {int(Path(document).name[:2])}"
    return f'<a href="{link}#cell-{place}">{text}</a>{code(line)}'


def test_entry(app, here, name):
    path, test = name.split("::")
    source = (ROOT / path).read_text(encoding="utf-8").splitlines()
    function = test.split("[")[0]
    number = next(i for i, text in enumerate(source, 1) if text.startswith(f"def {function}("))
    link = escape(sources.address(app, here, path, number))
    return (
        f'<a href="{link}">{escape(path)}, {escape(test)}</a><code>pytest "{escape(name)}"</code>'
    )


def panel(app, here, formula):
    """All that leads on from a formula, as a definition list; empty if no code carries its tag."""
    scratch = [pair for pair in formula.lines if "/pytorch/" not in pair[0]]
    mirror = [pair for pair in formula.lines if "/pytorch/" in pair[0]]
    kinds = {
        "computes it": [pair for pair in scratch if not pair[1].backward],
        "undoes it": [pair for pair in scratch if pair[1].backward],
        "computes it in PyTorch": mirror,
    }
    rows = [
        row(term, [line_entry(app, here, *pair) for pair in pairs])
        for term, pairs in kinds.items()
        if pairs
    ]
    if formula.own:
        rows.append(row("runs here", [cell_entry(app, here, *cell) for cell in formula.own]))
    if formula.tests:
        rows.append(row("checks it", [test_entry(app, here, name) for name in formula.tests]))
    return f"<dl>{''.join(rows)}</dl>" if rows else ""


def mark(app, here, formula):
    """The number below a formula, and behind it, folded, its panel."""
    inside = panel(app, here, formula)
    name = f"Equation {formula.number}"
    if not inside:
        return f'<p class="equation-mark">{name}</p>'
    words = "code and test" if formula.tests else "code"
    return (
        f'<details class="equation-mark"><summary>{name}: {words}'
        f'<span class="visually-hidden"> of ({formula.tag})</span></summary>{inside}</details>'
    )


def add_marks(app, doctree, here):
    """Put the mark below each tagged formula, an anchor before each cell, and fill in the lists."""
    if app.builder.format != "html":
        return
    for block in list(doctree.findall(nodes.math_block)):
        formula = the_formulas().get(block.get("label"))
        if formula:
            block.parent.insert(
                block.parent.index(block) + 1,
                nodes.raw("", mark(app, here, formula), format="html"),
            )
    if here.startswith("chapters/"):
        places = {place for f in the_formulas().values() for at, place, _ in f.own if at == here}
        for cell in doctree.findall(nodes.container):
            place = cell.get("cell_index")
            if cell.get("nb_element") == "cell_code" and place in places:
                cell["ids"].append(f"cell-{place}")
    for listed in list(doctree.findall(EquationList)):
        listed.replace_self(list_of_equations(app, here))


# The page that lists them


class EquationList(nodes.General, nodes.Element):
    """Stands for the list until all chapters are read."""


class Equations(Directive):
    def run(self):
        return [EquationList()]


def list_headings(app, env):
    chapters = dict.fromkeys(formula.chapter for formula in the_formulas().values())
    set_contents(env, PAGE, [(Path(name).name, chapter_heading(env, name)) for name in chapters])


def list_of_equations(app, here):
    """Sections by chapter; in each the formulas, with number, link and mark."""
    written = {}
    chapters = dict.fromkeys(formula.chapter for formula in the_formulas().values())
    for document in chapters:
        for block in app.env.get_doctree(document).findall(nodes.math_block):
            if block.get("label"):
                written[block["label"]] = block.astext()
    sections = []
    for document in chapters:
        heading = nodes.title("", chapter_heading(app.env, document))
        section = nodes.section("", heading, ids=[Path(document).name])
        for formula in (f for f in the_formulas().values() if f.chapter == document):
            link = app.builder.get_relative_uri(here, document) + f"#equation-{formula.tag}"
            entry = nodes.container(classes=["equation-entry"], ids=[formula.tag])
            head = nodes.paragraph("", f"{formula.number} ")
            head += nodes.reference("", f"({formula.tag})", refuri=link, internal=True)
            text = alone(written[formula.tag])
            entry += [head, nodes.math_block("", text, nowrap=False, number=None, docname=here)]
            entry += nodes.raw("", panel(app, here, formula), format="html")
            section += entry
        sections.append(section)
    return sections


def setup(app):
    app.setup_extension("sources")
    app.add_domain(TaggedMathDomain, override=True)
    app.add_node(EquationList)
    app.add_directive("equations", Equations)
    app.connect("builder-inited", check)
    app.connect("env-updated", list_headings)
    app.connect("doctree-resolved", add_marks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
