"""Sphinx extension: pages that work opened from disk, with no network, for every reader."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MATHJAX = ROOT / "node_modules" / "mathjax" / "es5"
# What a page needs of MathJax's 24 MB.
MATHJAX_PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")
FONTS = ROOT / "node_modules" / "@fontsource-variable" / "source-serif-4" / "files"
FONT_PARTS = [f"source-serif-4-latin-wght-{style}.woff2" for style in ("normal", "italic")]
# What axe-core finds wrong in the HTML of the theme and of docutils (a pattern), and the repair.
SIDEBAR = '<div id="pst-primary-sidebar"'
REPAIRS = {
    SIDEBAR: SIDEBAR + ' role="navigation" aria-label="Book"',
    'role="doc-biblioentry"': 'role="listitem"',
    r'<th class="[^"]*head[^"]*"><p></p></th>': "<td></td>",
}
INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={page}"></head>
<body><a href="{page}">{title}</a></body></html>
"""


def use_local_mathjax(app):
    """Point the pages at the copy beside them, if npm has brought one."""
    if MATHJAX.is_dir():
        app.config.mathjax_path = "mathjax/tex-chtml.js"


def drop_thebe(app):
    """Take away sphinx-thebe: nothing here uses it, and its script fails on every page."""
    for listeners in app.events.listeners.values():
        listeners[:] = [x for x in listeners if not x.handler.__module__.startswith("sphinx_thebe")]
    app.registry.css_files[:] = [x for x in app.registry.css_files if x[0] != "sphinx-thebe.css"]


def copy(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy(source, target)


def finish(app, exception):
    """Copy what npm brought beside the pages, repair them, and let index.html lead to the first."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    if MATHJAX.is_dir():
        for name in MATHJAX_PARTS:
            copy(MATHJAX / name, out / "_static" / "mathjax" / name)
    if FONTS.is_dir():
        for name in FONT_PARTS:
            copy(FONTS / name, out / "_static" / "fonts" / name)
    for page in out.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for fault, repair in REPAIRS.items():
            text = re.sub(fault, repair, text)
        page.write_text(text, encoding="utf-8")
    first = f"{app.config.root_doc}.html"
    (out / "index.html").write_text(INDEX.format(title=app.config.html_title, page=first))


def setup(app):
    app.connect("builder-inited", use_local_mathjax)
    app.connect("builder-inited", drop_thebe, priority=100)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
