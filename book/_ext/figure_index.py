"""Sphinx extension: a list of all figures of the chapters, made from the chapters themselves.

    ```{figure-index}
    ```

A figure of a code cell has a name already. A figure that comes as HTML, an explorable, has none;
its cell gets one here, from the label of its knob: explorable-temperature.
"""

import html
import re
from typing import NamedTuple

from docutils import nodes
from page_contents import chapter_heading, set_contents
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

CHAPTERS = "chapters/"
PAGE = "book/figures"
LABEL = re.compile(r'<figure\b[^>]*\baria-label="(?:Explore: )?([^"]*)"')
CAPTION = re.compile(r"<figcaption>(.*?)</figcaption>", re.DOTALL)


class Figure(NamedTuple):
    """A figure of a chapter."""

    anchor: str
    label: str | None  # of what the reader moves, in an explorable
    caption: list  # nodes


class FigureList(nodes.General, nodes.Element):
    """Where the list will stand, once every chapter has been read."""


class FigureIndex(SphinxDirective):
    def run(self):
        return [FigureList()]


def is_figure(node):
    """Whether a node is a picture with a caption, drawn by a cell."""
    as_html = isinstance(node, nodes.raw) and "<figure" in node.astext()
    return as_html or (isinstance(node, nodes.figure) and bool(node["ids"]))


def name_explorables(app, doctree):
    """Give each cell with a figure in HTML an anchor."""
    if not app.env.docname.startswith(CHAPTERS):
        return
    names = {}
    for node in doctree.findall(is_figure):
        if isinstance(node, nodes.raw):
            name = nodes.make_id(f"explorable {LABEL.search(node.astext())[1]}")
            names[name] = names.get(name, 0) + 1
            cell = node
            while "cell" not in cell.get("classes", ()):
                cell = cell.parent
            cell["ids"].append(f"{name}-{names[name]}" if names[name] > 1 else name)


def figures(doctree):
    """The figures of a chapter, in order."""
    for node in doctree.findall(is_figure):
        if isinstance(node, nodes.figure):
            caption = node.next_node(nodes.caption)
            yield Figure(node["ids"][0], None, [child.deepcopy() for child in caption.children])
            continue
        label, caption = (found.search(node.astext()) for found in (LABEL, CAPTION))
        while not any(name.startswith("explorable-") for name in node.get("ids", ())):
            node = node.parent
        words = [nodes.Text(html.unescape(caption[1]))] if caption else []
        yield Figure(node["ids"][-1], html.unescape(label[1]), words)


class PutLists(SphinxPostTransform):
    """Put the list where the directive stands, before references in captions are resolved."""

    default_priority = 5

    def run(self, **options):
        for place in list(self.document.findall(FigureList)):
            names = sorted(name for name in self.env.found_docs if name.startswith(CHAPTERS))
            place.replace_self([self.chapter(name) for name in names])

    def chapter(self, docname):
        """A heading that leads to a chapter, and the list of its figures."""
        here = self.env.docname
        page = self.app.builder.get_relative_uri(here, docname)
        numbers = self.env.toc_fignumbers.get(docname, {}).get("figure", {})
        rows = nodes.bullet_list(classes=["figure-index"])
        for figure in figures(self.env.get_doctree(docname)):
            number = ".".join(map(str, numbers.get(figure.anchor, ())))
            words = f"Explore: {figure.label}" if figure.label else f"Fig. {number}".strip()
            address = f"{page}#{figure.anchor}"
            text = nodes.paragraph("", "", link(words, address))
            text += [nodes.Text(": "), *figure.caption] if figure.caption else []
            for reference in text.findall(lambda node: "refdoc" in getattr(node, "attributes", ())):
                reference["refdoc"] = here
            rows += nodes.list_item("", text)
        anchor, title = heading_of(self.env, docname)
        return nodes.section("", nodes.title("", "", link(title, page)), rows, ids=[anchor])


def heading_of(env, docname):
    """The anchor and the words of the heading above a chapter's figures."""
    return f"figures-{docname.removeprefix(CHAPTERS)}", chapter_heading(env, docname)


def list_headings(app, env):
    names = sorted(name for name in env.found_docs if name.startswith(CHAPTERS))
    set_contents(env, PAGE, [heading_of(env, name) for name in names])


def link(words, address):
    return nodes.reference("", words, internal=True, refuri=address)


def setup(app):
    app.add_directive("figure-index", FigureIndex)
    app.connect("doctree-read", name_explorables)
    app.connect("env-updated", list_headings)
    app.add_post_transform(PutLists)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
