"""Sphinx extension: what must not be torn apart at the end of a line.

A formula and the comma after it, a shape such as (B, T, D), "Fig. 7" and "n-gram" stay on one line.
They get the class `kept`, and so does code that is short enough for the narrowest page.
"""

import re

from docutils import nodes

# In characters; a phone shows some 38 of them.
SHORT = 24
BEFORE = re.compile(r"[(“‘]+$")
AFTER = re.compile(r"[^\w\s(“‘]+(?=\s|$)|[),.;:!?’”]+")
WORDS = re.compile(
    r"\((?:\d*[A-Z]\w*(?:, ?|(?=\)))|\d+(?:, ?|(?=\))))+\)"  # a shape
    r"|\b(?:(?i:chapter|exercise|section|question)|Fig\.|Table|Eq\.)\s\d[\d.]*\b"
    r"|\d+(?:\.\d+)?\s%|\b\w-gram\w*"
)
LEFT = (nodes.title, nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw)


def kept(*children):
    return nodes.inline("", "", *children, classes=["kept"])


def is_left(node):
    """Whether a text is not one of sentences."""
    while node is not None and not isinstance(node, LEFT):
        node = node.parent
    return node is not None


def keep_formulas(doctree):
    """Tie to each formula in a line the marks that stand next to it."""
    for formula in list(doctree.findall(nodes.math)):
        parent, i = formula.parent, formula.parent.index(formula)
        pieces = [formula]
        for place, pattern in ((i + 1, AFTER), (i - 1, BEFORE)):
            text = parent[place] if 0 <= place < len(parent) else None
            found = isinstance(text, nodes.Text) and (
                pattern.search(text) if pattern is BEFORE else pattern.match(text)
            )
            if found:
                marks = nodes.Text(found.group())
                pieces = [*pieces, marks] if place > i else [marks, *pieces]
                parent[place] = nodes.Text(text[: found.start()] + text[found.end() :])
        if len(pieces) > 1:
            parent[parent.index(formula)] = kept(*(p.deepcopy() for p in pieces))


def keep_words(doctree):
    for text in list(doctree.findall(nodes.Text)):
        pieces, end = [], 0
        for match in WORDS.finditer(text):
            pieces += [nodes.Text(text[end : match.start()]), kept(nodes.Text(match.group()))]
            end = match.end()
        if pieces and not is_left(text):
            text.parent.replace(text, [*pieces, nodes.Text(text[end:])])


def keep_code(doctree):
    for code in doctree.findall(nodes.literal):
        if len(code.astext()) <= SHORT:
            code["classes"].append("kept")


def process(app, doctree, docname):
    if app.builder.format == "html":
        keep_formulas(doctree)
        keep_words(doctree)
        keep_code(doctree)


def setup(app):
    app.connect("doctree-resolved", process, priority=900)  # after links and terms
    return {"parallel_read_safe": True, "parallel_write_safe": True}
