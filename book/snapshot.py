"""The book's prose as plain text, for the character models of its own chapters.

    python book/snapshot.py > seqlib/data/book.txt

Taken once, on 2026-11-20, from the pages named here.  It is not taken again when they change: a
new text would change every number that was measured on the old one.
"""

import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "book/index.md",
    "book/notation.md",
    "book/glossary.md",
    "chapters/01_sequences.ipynb",
    "chapters/02_rnn.ipynb",
)
REMOVED = (
    r"(?m)^```\{glossary\}\n|^:\w.*$",  # the glossary itself is prose
    r"(?s)```\w.*?```|```\{.*?```",  # code, directives
    r"(?s)\$\$.*?\$\$( \([\w-]+\))?",  # displayed formulas
    r"(?m)^(:::|\||\(|#|:class:|---).*$",  # fences, tables, targets, headings
    r"\s*\{cite:\w\}`[^`]*`|\{(glue|eq|ref|numref|doc)[:\w]*\}`[^`]*`",
)
REPLACED = (
    (r"\{\w+\}`([^`<]*?)(\s*<[^>]*>)?`", r"\1"),  # other roles: their text
    (r"!?\[([^\]]*)\]\([^)]*\)", r"\1"),  # links
    (r"\$([^$]*)\$", r"\1"),  # symbols in the line
    (r"\\[a-zA-Z]+ ?|[\\{}*`_^]", ""),
    (r"(?m)^\s*(?:[-:]|\d+\.)\s+", ""),  # list marks
    (r"[ \t]+", " "),
    (r"(?<=\S)\n(?=\S)|\n(?= \S)", " "),  # one paragraph, one line
    (r"\n\s*\n+", "\n"),
)


def markdown(path):
    """The Markdown of a page, or of a notebook's text cells."""
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def prose(source):
    """Markdown without code, formulas, tables, headings and marks."""
    for pattern in REMOVED:
        source = re.sub(pattern, "", source)
    for pattern, replacement in REPLACED:
        source = re.sub(pattern, replacement, source)
    return source.strip() + "\n"


if __name__ == "__main__":
    sys.stdout.write("".join(prose(markdown(ROOT / page)) for page in PAGES))
