"""Headings that an extension makes, unseen by Sphinx, and the contents beside a page for them."""

from pathlib import Path

from docutils import nodes
from sphinx import addnodes


def chapter_heading(env, docname):
    """The words above what a list has of a chapter."""
    return f"Chapter {int(Path(docname).name[:2])}: {env.titles[docname].astext()}"


def set_contents(env, docname, headings):
    """Let the contents beside a page list its headings; to call when all pages have been read.

    headings  pairs (anchor, words)
    """
    items = nodes.bullet_list()
    for anchor, words in headings:
        link = nodes.reference("", words, internal=True, refuri=docname, anchorname=f"#{anchor}")
        items += nodes.list_item("", addnodes.compact_paragraph("", "", link))
    page = env.tocs[docname][0]  # the item of the page itself: its title, then what is in it
    page[1:] = [items]
