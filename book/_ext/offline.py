"""Sphinx extension: pages that work opened from disk, with no network, for every reader."""

import base64
import hashlib
import html
import os
import re
import shutil
import textwrap
from pathlib import Path

from docutils import nodes

ROOT = Path(__file__).resolve().parents[2]
FONTS = ROOT / "node_modules" / "@fontsource-variable" / "source-serif-4" / "files"
FONT_PARTS = [f"source-serif-4-latin-wght-{style}.woff2" for style in ("normal", "italic")]
# What axe-core finds wrong in the HTML of the theme and of docutils (a pattern), and the repair.
SIDEBAR = '<div id="pst-primary-sidebar"'
REPAIRS = {
    SIDEBAR: SIDEBAR + ' role="navigation" aria-label="Book"',
    'role="doc-biblioentry"': 'role="listitem"',
    r'<th class="[^"]*head[^"]*"><p></p></th>': "<td></td>",
    # A page is shown before its scripts are read; inline ones need the options.
    r'<script (?=[^>]*\bsrc=)(?!defer|async|src="[^"]*documentation_options)': "<script defer ",
    # 1.5 MB that put pictures where the style sheet already puts the same signs of a font.
    r'<script [^>]*\bsrc="[^"]*fontawesome\.js[^>]*></script>': "",
}
# The index that only the search page searches.
SEARCH = r'<script [^>]*\bsrc="[^"]*(searchtools|language_data|searchindex)\.js[^>]*></script>\s*'
EMBEDDED = re.compile(r'src="data:image/(?P<kind>png);base64,(?P<data>[\w+/]+=*)"')
# Of what the theme copies beside the pages, what none of them asks for.
UNUSED = ("scripts/fontawesome.js*", "scripts/*.map", "styles/*.map")
INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={page}"></head>
<body><a href="{page}">{title}</a></body></html>
"""


def drop_thebe(app):
    """Take away sphinx-thebe: nothing here uses it, and its script fails on every page."""
    for listeners in app.events.listeners.values():
        listeners[:] = [x for x in listeners if not x.handler.__module__.startswith("sphinx_thebe")]
    app.registry.css_files[:] = [x for x in app.registry.css_files if x[0] != "sphinx-thebe.css"]


def describe(app, pagename, templatename, context, doctree):
    """The first paragraph of a page, for lists of search results."""
    paragraphs = doctree.findall(nodes.paragraph) if doctree else ()
    text = " ".join(next((p.astext() for p in paragraphs), app.config.html_title).split())
    text = html.escape(textwrap.shorten(text, 160, placeholder=" …"))
    tag = f'<meta name="description" content="{text}">'
    context["metatags"] = context.get("metatags", "") + tag


def move_pictures(text, page, folder):
    """Write the pictures in a page's HTML to files beside it, asked for when they come into view.

    The frames of an explorable are most of what a chapter weighs, and most are never looked at.
    """

    def moved(match):
        content = base64.b64decode(match["data"])
        path = folder / f"{hashlib.sha256(content).hexdigest()[:32]}.{match['kind']}"
        path.write_bytes(content)
        address = Path(os.path.relpath(path, page.parent)).as_posix()
        return f'loading="lazy" src="{address}"'

    return EMBEDDED.sub(moved, text)


def finish(app, exception):
    """Copy what npm brought beside the pages, repair them, and let index.html lead to the first."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    if FONTS.is_dir():
        (out / "_static" / "fonts").mkdir(exist_ok=True)
        for name in FONT_PARTS:
            shutil.copy(FONTS / name, out / "_static" / "fonts" / name)
    for name in UNUSED:
        for path in (out / "_static").glob(name):
            path.unlink()
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for fault, repair in REPAIRS.items():
            text = re.sub(fault, repair, text)
        if page.name != "search.html":
            text = re.sub(SEARCH, "", text)
        text = move_pictures(text, page, out / "_images")
        page.write_text(text, encoding="utf-8")
    first = f"{app.config.root_doc}.html"
    (out / "index.html").write_text(INDEX.format(title=app.config.html_title, page=first))


def setup(app):
    app.connect("builder-inited", drop_thebe, priority=100)
    app.connect("html-page-context", describe)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
