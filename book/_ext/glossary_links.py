"""Sphinx extension: the first use of each term in a chapter leads to its entry in the glossary.

Only prose is searched: no heading, code, formula, caption, table head, citation or other link.
The longest term wins, so that "causal mask" is not taken for a mask.
"""

import re
from typing import NamedTuple

from docutils import nodes
from page_contents import set_contents

GLOSSARY = "book/glossary"
CHAPTERS = "chapters/"
# Where a word of the glossary means something else.
ELSEWHERE = {
    "01_sequences": {"State"},  # of a grammar
    "02_rnn": {"Feed-forward layer"},  # any network without a loop
    "06_gru": {"Mask"},  # what dropout draws
    "07_encoder_decoder": {"Vocabulary"},  # the choice of words
    "08_attention": {"Sampling"},  # of a position
    "10_transformer": {"Smoothing"},  # of labels
}
NOT_PROSE = (
    nodes.title,
    nodes.rubric,
    nodes.caption,
    nodes.legend,
    nodes.thead,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.raw,
    nodes.comment,
    nodes.reference,
    nodes.citation,
    nodes.footnote,
)


class Entry(NamedTuple):
    """One definition, under all its names."""

    names: list[str]
    anchor: str
    meaning: str  # its first sentence


def entries(doctree):
    """The entries of the glossary."""
    for item in doctree.findall(nodes.definition_list_item):
        terms = list(item.findall(nodes.term))
        body = item.next_node(nodes.definition)
        words = (t.astext() for t in body.findall(nodes.Text) if is_prose(t, body))
        meaning = re.split(r"(?<=\w\.)\s", " ".join("".join(words).split()))[0]
        yield Entry([term.astext() for term in terms], terms[0]["ids"][0], meaning)


def pattern(names):
    """A regular expression with one group for each name; nouns may stand in the plural.

    A name in capitals is an abbreviation, which small letters do not spell.
    """
    groups = []
    for name in names:
        words = r"\s+".join(map(plural, name.split()))
        groups.append(f"({words})" if name.isupper() else f"((?i:{words}))")
    return re.compile(rf"(?<![\w-])(?:{'|'.join(groups)})(?![\w-])")


def plural(word):
    """A regular expression for a word and its plural."""
    word, comma = word.rstrip(","), "," * word.endswith(",")
    for one, many in (("y", "ies"), ("ix", "ices")):
        if word.endswith(one):
            return f"{re.escape(word.removesuffix(one))}(?:{one}|{many}){comma}"
    return f"{re.escape(word)}s?{comma}"


def is_prose(node, top=None):
    """Whether a text stands in a sentence of the author's, below the node `top`."""
    while node.parent is not None and node is not top:
        node = node.parent
        if isinstance(node, NOT_PROSE) or "cell" in node.get("classes", ()):
            return False
    return True


def link_terms(doctree, glossary, address, elsewhere=()):
    """Turn the first use of each term of a chapter into a link; the words stay as they are.

    glossary   list of Entry
    address    the address of the glossary's page
    elsewhere  first names of the entries that are left out
    """
    join_lines(doctree)
    by_name = {name: entry for entry in glossary for name in entry.names}
    names = sorted(by_name, key=len, reverse=True)
    terms, used = pattern(names), set(elsewhere)
    for text in list(doctree.findall(nodes.Text)):
        if not is_prose(text):
            continue
        words, pieces, end = text.astext(), [], 0
        for match in terms.finditer(words):
            entry = by_name[names[match.lastindex - 1]]
            if entry.names[0] in used:
                continue
            used.add(entry.names[0])
            pieces += [nodes.Text(words[end : match.start()]), link(match.group(), entry, address)]
            end = match.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(words[end:])])


def join_lines(doctree):
    """Make one text of those that follow each other: a term may be broken at the end of a line."""
    for element in list(doctree.findall(nodes.TextElement)):
        for i in range(len(element) - 1, 0, -1):
            one, other = element[i - 1], element[i]
            if isinstance(one, nodes.Text) and isinstance(other, nodes.Text):
                element[i - 1] = nodes.Text(one + other)
                del element[i]


def link(words, entry, address):
    """A link whose tooltip is the first sentence of the entry."""
    uri = f"{address}#{entry.anchor}"
    classes = ["glossary-term"]
    return nodes.reference(
        "", words, internal=True, refuri=uri, reftitle=entry.meaning, classes=classes
    )


def list_letters(app, env):
    """The contents beside the glossary: its letters, each with the first entry that begins so."""
    first = {}
    for entry in entries(env.get_doctree(GLOSSARY)):
        first.setdefault(entry.names[0][0].upper(), entry.anchor)
    set_contents(env, GLOSSARY, [(anchor, letter) for letter, anchor in sorted(first.items())])


def process(app, doctree, docname):
    if docname.startswith(CHAPTERS) and app.builder.format == "html":
        glossary = list(entries(app.env.get_doctree(GLOSSARY)))
        address = app.builder.get_relative_uri(docname, GLOSSARY)
        elsewhere = ELSEWHERE.get(docname.removeprefix(CHAPTERS), ())
        link_terms(doctree, glossary, address, elsewhere)


def setup(app):
    app.connect("env-updated", list_letters)
    app.connect("doctree-resolved", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
