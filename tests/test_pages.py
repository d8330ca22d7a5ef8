"""The pages beside the chapters: their examples run, and the reference lists every module."""

import ast
import doctest
import json
import re
import subprocess
from functools import cache
from pathlib import Path

import chapter_map
import kept_together
import nbformat
import plain_docstrings
import pytest
import take_along
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import directives
from docutils.parsers.rst.directives import misc

from seqlib.scratch import attention_only, rnn

ROOT = Path(__file__).resolve().parent.parent

ADDRESS = "https://github.com/someone/sequence-models"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
BLOCK = re.compile(r"^```python\n(>>> .*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [
    page for page in sorted((ROOT / "book").glob("*.md")) if BLOCK.search(page.read_text("utf-8"))
]


def test_the_notation_page_has_an_example():
    assert ROOT / "book" / "notation.md" in PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_the_page_says(page):
    source = "\n".join(BLOCK.findall(page.read_text("utf-8")))
    example = doctest.DocTestParser().get_doctest(source, {}, page.name, str(page), 0)
    report = []
    failed, tried = doctest.DocTestRunner().run(example, out=report.append)
    assert tried > 0 and failed == 0, "".join(report)


def test_the_reference_lists_every_module_once():
    listed = re.findall(r"automodule:: (\S+)", (ROOT / "book" / "api.md").read_text("utf-8"))
    files = [path.relative_to(ROOT) for path in (ROOT / "seqlib").rglob("*.py")]
    modules = [".".join(path.with_suffix("").parts) for path in files if path.name != "__init__.py"]
    internal = {"seqlib.optional", "seqlib.scratch.checks"} | {
        f"seqlib.grading.{name}" for name in ("__main__", "child", "wire")
    }
    assert sorted(listed) == sorted(set(modules) - internal)


def test_the_contents_are_in_order():
    """All chapters, then all exercises, by their numbers."""
    listed = re.findall(r"file: (\S+)", (ROOT / "_toc.yml").read_text("utf-8"))
    for part, pattern in (("chapters", "*.ipynb"), ("exercises", "*/solution.ipynb")):
        files = sorted((ROOT / part).glob(pattern))
        there = [str(path.relative_to(ROOT).with_suffix("")) for path in files]
        assert [name for name in listed if name.startswith(f"{part}/")] == there
    places = [listed.index("book/exercises"), listed.index("chapters/10_transformer")]
    assert places == sorted(places, reverse=True)


def test_the_speed_of_grading_is_the_recorded_one():
    record = json.loads((ROOT / "benchmarks" / "grading.json").read_text("utf-8"))["results"]
    page = (ROOT / "book" / "teaching.md").read_text("utf-8")
    table = page.split("| graded by |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    found = {name: (float(seconds), float(rate)) for name, seconds, rate in rows}
    assert found == {
        name: (ran["seconds"], ran["submissions_per_second"]) for name, ran in record.items()
    }


# The reference of the library


def rendered(docstring):
    """A docstring as the page has it, a docutils document."""
    directives.register_directive("rst-class", misc.Class)
    source = "\n".join(plain_docstrings.render(docstring.splitlines()))
    settings = {"halt_level": 2, "report_level": 2, "smart_quotes": True}
    return publish_doctree(source, settings_overrides=settings)


def all_docstrings():
    for path in sorted((ROOT / "seqlib").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield ast.get_docstring(node) or ""


def test_the_reference_has_every_word_of_a_docstring():
    for docstring in all_docstrings():
        shown = rendered(docstring).astext().replace("’", "'")
        assert shown.replace("`", "").split() == docstring.replace("`", "").split()


@pytest.mark.parametrize(
    ("docstring", "kinds"),
    [
        ("A sentence over\ntwo lines, 1. of `it`.", ["paragraph"]),
        ("Short.\n\nReturns y (B, T).\nRaises *args_ if not.", ["paragraph"] * 3),
        (f"A.\n\n{'long ' * 17}line.\nGoes on.", ["paragraph"] * 2),
        ("A.\n\nx     (B, T)\nq, k  (B, T)  two\n      lines", ["paragraph", "definition_list"]),
        ("A.\n\nx  rows\nThen prose.", ["paragraph", "definition_list", "paragraph"]),
        (
            "A, in two.  Sentences.\n\n    (a-b)   h_t = x\n            + y",
            ["paragraph", "literal_block"],
        ),
        ("A.\n\n(sum)   n = sum_r n_r", ["paragraph", "literal_block"]),
        (">>> f(1)\narray([1,\n       2])\n\nx  y", ["literal_block", "definition_list"]),
    ],
)
def test_a_docstring_is_read_by_its_form(docstring, kinds):
    found = rendered(docstring)
    assert [block.tagname for block in found] == kinds
    assert all(block["classes"][-1:] == ["docstring"] for block in found)


def test_rows_of_a_docstring_have_names_shapes_and_meanings():
    found = rendered(
        "q, k  (B, T), (B, S)  both `a`, layers' and u'\n      on_going\nm     (T, S) or \"x\""
    )
    names, meanings = (
        [item.astext() for item in found.findall(kind)] for kind in (nodes.term, nodes.definition)
    )
    assert names == ["q, k", "m"]
    assert meanings == ["(B, T), (B, S)\u2003both a, layers’ and u' on_going", '(T, S) or "x"']
    code = [item.astext() for item in found.findall(nodes.literal)]
    assert code == ["q, k", "(B, T), (B, S)", "a", "m"]


def test_formulas_of_a_docstring_are_unchanged():
    formulas = "(a)   x_t = *y* `z`\n      + |w|\n\n(b)   1"
    found = rendered(f"Two.\n\n{formulas}\n")
    assert "\n\n".join(block.astext() for block in found.findall(nodes.literal_block)) == formulas


def test_a_default_is_shown_as_it_is_written():
    written = plain_docstrings.fields_as_written
    model = attention_only.AttentionOnly
    assert (
        "positions=SINUSOIDAL, causal=True)"
        in written(None, "class", "", model, None, "(...)", None)[0]
    )
    assert written(None, "function", "", rnn.forward, None, "(x)", None) == ("(x)", None)


# The map on the first page


def references(path):
    """The numbers of the chapters that a chapter's text names, or whose formulas it uses."""
    text = prose(path)
    homes = {
        tag: int(path.name[:2])
        for path in CHAPTERS
        for tag in re.findall(r"\$\$\s*\(([\w-]+)\)", prose(path))
    }
    used = re.findall(r"\{eq\}`([\w-]+)`|#equation-([\w-]+)", text)
    named = re.findall(r"[Cc]hapter (\d+)|\b(\d\d)_\w+", text)
    numbers = [homes[one or other] for one, other in used if (one or other) in homes]
    return set(numbers + [int(one or other) for one, other in named])


@cache
def prose(path):
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_the_map_shows_all_chapters():
    assert [name for name, *_ in chapter_map.BOXES] == [path.stem for path in CHAPTERS]


@pytest.mark.parametrize(("needed", "by"), [*chapter_map.NEEDS, *chapter_map.BORROWS])
def test_an_arrow_stands_for_references(needed, by):
    assert needed < by
    assert needed in references(CHAPTERS[by - 1])


# To take along


def a_notebook():
    cell = nbformat.v4.new_code_cell("1 + 1", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"})]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# One"), cell])


@pytest.mark.parametrize("url", ["", ADDRESS])
def test_a_notebook_for_download_has_no_outputs(url):
    notebook = take_along.portable(a_notebook(), url)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    assert [cell.source for cell in notebook.cells[-2:]] == ["# One", "1 + 1"]


def test_a_notebook_for_download_installs_the_library_from_an_address():
    assert len(take_along.portable(a_notebook()).cells) == 2
    first, *others = take_along.portable(a_notebook(), ADDRESS, "stable").cells
    assert len(others) == 2
    assert first.source == f'%pip install --quiet "seqlib[notebooks] @ git+{ADDRESS}@stable"'


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_for_download_fetches_the_records_that_it_reads(path, tmp_path):
    """Its lines are followed in an empty folder, with a repository of one record as the address."""
    reads = "../benchmarks" in path.read_text("utf-8")
    address = tmp_path / "repository"
    _, second, *_ = take_along.portable(nbformat.read(path, as_version=4), str(address)).cells
    assert ("git clone" in second.source) == reads
    if not reads:
        return
    for name in ("benchmarks/a.json", "chapters/b.ipynb"):
        (address / name).parent.mkdir(parents=True)
        (address / name).write_text("{}")
    git = ["git", "-C", address, "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for step in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "One"]):
        subprocess.run(git + step, check=True)
    shell = second.source.replace("!", "").replace("%", "") + "\ncat ../benchmarks/a.json"
    done = subprocess.run(["bash", "-ec", shell], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "{}", done.stderr


def test_launch_buttons_need_an_address():
    assert take_along.launch_buttons("", "https://hub.example.org") == {}
    buttons = take_along.launch_buttons(ADDRESS, "https://hub.example.org")
    assert {"binderhub_url", "colab_url", "jupyterhub_url"} < set(buttons)
    assert "jupyterhub_url" not in take_along.launch_buttons(ADDRESS)
    assert "colab_url" not in take_along.launch_buttons("https://gitlab.com/someone/book")


# What stays on one line


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("A batch (B, T, D) of rows (2H, 3) is kept, (not this).", ["(B, T, D)", "(2H, 3)"]),
        ("(H,) is a shape, (here, there) and f(x, y) are none.", ["(H,)"]),
        (
            "In chapter 9, Fig. 7.5 has 12.5 % and\nn-grams.",
            ["chapter 9", "Fig. 7.5", "12.5 %", "n-grams"],
        ),
    ],
)
def test_words_that_belong_together_stay_on_one_line(text, kept):
    doctree = publish_doctree(text)
    kept_together.keep_words(doctree)
    found = [node.astext() for node in doctree.findall(nodes.inline)]
    assert found == kept
    assert doctree.astext() == text


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ("so (", "), and", "(x),"),
        ("so ", ". Then", "x."),
        ("so ", "-th step", "x"),
        ("so ", " (see below)", "x"),
        ("", "", "x"),
    ],
)
def test_a_formula_and_the_mark_after_it_stay_on_one_line(before, after, kept):
    paragraph = nodes.paragraph("", "", *map(nodes.Text, (before, "", after)))
    paragraph[1] = nodes.math("", "x")
    kept_together.keep_formulas(paragraph)
    assert paragraph.astext() == f"{before}x{after}"
    found = [node.astext() for node in paragraph.findall(nodes.inline)]
    assert found == ([kept] if kept != "x" else [])


# The notation page


ACCENTED = r"\\(?:hat|tilde|bar|overline|widehat|mathcal|mathbb|mathbf)\s*\{?\s*(\\mathcal )?\w"
WORDS = r"\\(?:text|operatorname|mathrm)\{[^{}]*\}|\\(?:begin|end)\{\w+\}|\\tfrac\d\d|\\\\\[\w+\]"
INDEX = r"[_^](?:\{(?:[^{}]|\{[^{}]*\})*\}|\\\w+|.)"
GREEK = set(
    "alpha beta gamma delta epsilon varepsilon eta theta lambda mu xi rho sigma tau varphi".split()
) | {"Lambda", "Omega"}


def formulas(text, inline=True):
    """The formulas of a text; the displayed ones alone if not `inline`."""
    found = re.findall(r"\$\$(.*?)\$\$" + r"|(?<![\\$])\$([^$\n]+?)\$" * inline, text, re.DOTALL)
    return ["".join(formula) for formula in found]


def symbols(formula):
    """The letters of a formula with their accents, without indices, operators and the d of dx."""
    rest = re.sub(r"(?<![A-Za-z\\])d(?=[A-Za-z\\])", " ", formula)
    rest = re.sub(INDEX, " ", re.sub(WORDS, " ", rest))
    accented = {re.sub(r"[\s{}]", "", m.group()) for m in re.finditer(ACCENTED, rest)}
    rest = re.sub(ACCENTED, " ", rest)
    commands = set(re.findall(r"\\(\w+)", rest)) & GREEK
    letters = re.findall(r"[A-Za-z]", re.sub(r"\\\w+", " ", rest))
    return accented | commands | set(letters)


@cache
def symbols_of(path):
    return {symbol for formula in formulas(prose(path)) for symbol in symbols(formula)}


def notation():
    """The symbols that the page explains: of the whole book, and of each chapter alone."""
    page = (ROOT / "book" / "notation.md").read_text("utf-8").partition("## The symbols")[2]
    general, own = set(), {}
    place = general
    for line in page.splitlines():
        if found := re.match(r"\*\*\[Chapter (\d+)\]", line):
            place = own.setdefault(int(found[1]), set())
        elif line.startswith("###"):
            place = general
        elif line.startswith("|"):
            for formula in formulas(line):
                place |= symbols(formula)
    return general, own


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_notation_page_has_the_symbols_of_a_chapter(path):
    general, own = notation()
    explained = general | own[int(path.name[:2])]
    missing = {s: f for f in formulas(prose(path), inline=False) for s in symbols(f) - explained}
    assert not missing


def test_a_symbol_stands_in_the_chapter_that_is_said_to_have_it_first():
    page = (ROOT / "book" / "notation.md").read_text("utf-8").partition("## The symbols")[2]
    rows = re.findall(r"^\| (\$.*?\$) \|.*\| (\[\d+\](?:, \[\d+\])*) \|$", page, re.MULTILINE)
    assert len(rows) > 60
    for cell, places in rows:
        for number in map(int, re.findall(r"\d+", places)):
            there = symbols_of(CHAPTERS[number - 1])
            assert symbols(formulas(cell)[0]) <= there, f"{cell} is not in chapter {number}"
