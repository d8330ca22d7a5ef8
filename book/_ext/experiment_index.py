"""Sphinx extension: tables of the records in benchmarks/ and of what the chapters cost.

    ```{experiment-index}      every record: its question, its command, its cost, where it is shown
    ```
    ```{chapter-costs}         the CPU seconds of each chapter
    ```
    ```{page-costs}            what each page weighs, and how soon it can be read
    ```

Nothing is typed twice. The question and the command are the first lines of the script, the figures
are those of the record, and a record is shown where a page's code loads it or its text names it.
"""

import ast
import json
import re
from pathlib import Path
from typing import NamedTuple

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
CHAPTERS = "chapters/"
LOADED = re.compile(r'\bload\("(\w+)"\)|benchmarks/(\w+)\.json')
SCORES = ("performance", "accessibility", "best-practices", "seo")
NAMED = re.compile(r"^(?:python )?benchmarks/(\w+)\.(?:py|json)$")


class Script(NamedTuple):
    """What the first lines of a script say."""

    name: str
    question: str
    commands: list[str]


class TablePlace(nodes.General, nodes.Element):
    """Where a table will stand, once every chapter has been read."""


class Table(SphinxDirective):
    def run(self):
        return [TablePlace(table=self.name)]


def scripts():
    """The scripts of benchmarks/, by name."""
    found = {}
    for path in sorted(BENCHMARKS.glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        lines = re.findall(r"^\s*(python benchmarks/.*?)(?:\s{2,}.*)?$", text, re.MULTILINE)
        found[path.stem] = Script(path.stem, text.split("\n\n")[0].replace("\n", " "), lines)
    return found


def script_of(record, known):
    """The script that writes a record: the one of its name, or of the longest part before a _.

    Raises ValueError if there is none.
    """
    parts = record.split("_")
    for end in range(len(parts), 0, -1):
        if "_".join(parts[:end]) in known:
            return known["_".join(parts[:end])]
    raise ValueError(f"benchmarks/{record}.json: no script of that name among {sorted(known)}")


def command_of(record, script):
    """The command that writes a record: the one that names its variant, or the first."""
    variant = record.removeprefix(script.name).strip("_")
    fitting = [command for command in script.commands if variant and variant in command]
    return [*fitting, *script.commands, f"python benchmarks/{script.name}.py"][0]


def seeds(record):
    """How many seeds the parts of a record have, in words; a dash if there are none."""
    counts = set(counted(record["recipe"])) or set(counted(record["results"]))
    return " or ".join(map(str, sorted(counts))) or "–"


def counted(part):
    """The numbers of seeds that a part of a record lists, counts, or has rows for."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key.startswith("seeds"):
                yield len(value) if isinstance(value, list) else value
            elif key == "seed":
                yield 1
            else:
                yield from counted(value)
    elif isinstance(part, list):
        own = {row["seed"] for row in part if isinstance(row, dict) and "seed" in row}
        if own:
            yield len(own)
        else:
            for row in part:
                yield from counted(row)


def places(env, here):
    """A dict from record to the sections that show it, in order: (page, anchor, title).

    A text that names a script speaks of the record that has the script's name.
    """
    found = {path.stem: {} for path in BENCHMARKS.glob("*.json")}
    others = sorted(env.found_docs - {here} - set(chapters(env)))
    for docname in chapters(env) + others:
        for node in env.get_doctree(docname).findall(is_code):
            text = node.astext()
            if isinstance(node, nodes.literal):
                records = NAMED.findall(text)
            else:
                records = [one or other for one, other in LOADED.findall(text)]
            for record in found.keys() & set(records):
                section = node
                while not isinstance(section, nodes.section):
                    section = section.parent
                place = docname, section["ids"][0]
                found[record].setdefault(place, (*place, section[0].children))
    return {record: list(sections.values()) for record, sections in found.items()}


def is_code(node):
    return isinstance(node, nodes.literal | nodes.literal_block)


def number(docname):
    """The number of a chapter."""
    return int(docname.removeprefix(CHAPTERS)[:2])


def chapters(env):
    return sorted(name for name in env.found_docs if name.startswith(CHAPTERS))


def record_table(app, here):
    """One row for each record."""
    known, rows, shown = scripts(), [], places(app.env, here)
    for path in sorted(BENCHMARKS.glob("*.json")):
        record, script = json.loads(path.read_text("utf-8")), script_of(path.stem, known)
        words = nodes.paragraph("", script.question)
        command = nodes.paragraph("", "", nodes.literal("", command_of(path.stem, script)))
        links = []
        for docname, anchor, title in shown[path.stem]:
            address = f"{app.builder.get_relative_uri(here, docname)}#{anchor}"
            chapter = f"{number(docname)}: " if docname.startswith(CHAPTERS) else ""
            links.append(nodes.paragraph("", chapter, link(title, address)))
        when = nodes.paragraph("", f"{record['date']}, {record['cpu']}")
        seconds = nodes.paragraph("", f"{record['cpu_seconds']:.0f}")
        who = nodes.paragraph("", seeds(record))
        first = [nodes.target("", "", ids=[f"record-{path.stem}"]), words, command]
        rows.append([first, links or [nodes.paragraph("", "–")], [seconds], [who], [when]])
    heads = ["What it asks, and its command", "Shown in", "CPU s", "Seeds", "When and where"]
    return table(heads, (40, 25, 8, 8, 19), rows)


def cost_table(app, here):
    """One row for each chapter."""
    rows = []
    for docname in chapters(app.env):
        metadata = json.loads((ROOT / f"{docname}.ipynb").read_text("utf-8"))["metadata"]
        seconds = metadata["seqlib"]["cpu_seconds"]
        address = app.builder.get_relative_uri(here, docname)
        title = link(app.env.titles[docname].children, address)
        chapter = nodes.paragraph("", f"{number(docname)} ", title)
        rows.append([[chapter], [nodes.paragraph("", f"{seconds:.0f}")]])
    return table(["Chapter", "CPU s"], (80, 20), rows)


def page_table(app, here):
    """One row for each page that benchmarks/pages.py measured."""
    rows = []
    for row in json.loads((BENCHMARKS / "pages.json").read_text("utf-8"))["results"]["rows"]:
        address = app.builder.get_relative_uri(here, row["page"])
        page = nodes.reference("", row["page"], internal=True, refuri=address)
        scores = "/".join(str(row[name]) for name in SCORES if name in row) or "–"
        words = [f"{row[name]:,}" for name in ("kilobytes", "first_content_ms", "formulas_ms")]
        cells = [[nodes.paragraph("", text)] for text in (*words, scores)]
        rows.append([[nodes.paragraph("", "", page)], *cells])
    heads = ["Page", "kB", "First content, ms", "Formulas, ms", "Lighthouse"]
    return table(heads, (44, 10, 15, 15, 16), rows)


def table(heads, widths, rows):
    """A docutils table from its heads and from rows of cells, each a list of nodes."""
    group = nodes.tgroup("", cols=len(heads))
    group += [nodes.colspec("", colwidth=width) for width in widths]
    head = [nodes.entry("", nodes.paragraph("", words)) for words in heads]
    group += nodes.thead("", nodes.row("", *head))
    body = [nodes.row("", *(nodes.entry("", *cell) for cell in cells)) for cells in rows]
    group += nodes.tbody("", *body)
    return nodes.table("", group, classes=["experiments"])


def link(title, address):
    words = (node.deepcopy() for node in title)
    return nodes.reference("", "", *words, internal=True, refuri=address)


TABLES = {
    "experiment-index": record_table,
    "chapter-costs": cost_table,
    "page-costs": page_table,
}


def fill_in(app, doctree, docname):
    for place in list(doctree.findall(TablePlace)):
        place.replace_self(TABLES[place["table"]](app, docname))


def setup(app):
    for name in TABLES:
        app.add_directive(name, Table)
    app.connect("doctree-resolved", fill_in)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
