"""Sphinx extension: the sources of seqlib and of its tests as pages, each line with an anchor.

Links lead there from the library's reference, behind each signature, and from the equations, to the
line. A tag in a comment leads back to its formula.
"""

import ast
import html
import re

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from tags import ROOT, TAG

FOLDER = "source"
COMMENT = re.compile(r'<span class="c1">.*?</span>')


def paths():
    """The files that get a page, relative to the root of the repository."""
    tests = (ROOT / "tests").glob("test_*.py")
    files = [*(ROOT / "seqlib").rglob("*.py"), *tests]
    return sorted(path.relative_to(ROOT).as_posix() for path in files if path.stat().st_size)


def page_of(path):
    """The name of a file's page."""
    return f"{FOLDER}/{path.removesuffix('.py')}"


def address(app, here, path, line=None):
    """Link from the page `here` to a file, or to a line of it."""
    return app.builder.get_relative_uri(here, page_of(path)) + (f"#line-{line}" if line else "")


def listing(source, link):
    """A source as HTML with numbered lines; `link` gives the address of a tag, or None."""
    marked = HtmlFormatter(linenos="inline", linespans="line", wrapcode=True)

    def linked(match):
        target = link(match.group(1))
        return f'<a href="{html.escape(target)}">{match.group(0)}</a>' if target else match.group(0)

    text = highlight(source, PythonLexer(), marked)
    return COMMENT.sub(lambda comment: re.sub(TAG, linked, comment.group(0)), text)


def pages(app):
    """The pages, for Sphinx's event html-collect-pages."""
    equations = app.env.get_domain("math").equations
    for path in paths():
        name = page_of(path)

        def link(tag, name=name):
            if tag not in equations:
                return None
            return f"{app.builder.get_relative_uri(name, equations[tag][0])}#equation-{tag}"

        body = listing((ROOT / path).read_text(encoding="utf-8"), link)
        title = f"<h1><code>{path}</code></h1>"
        context = {"title": path, "body": f'<div class="source">{title}{body}</div>', "toc": ""}
        yield name, context, "page.html"


def place(module, name):
    """The file of a module and the line where a function, a class or a method of it begins."""
    path = f"{module.replace('.', '/')}.py"
    if not (ROOT / path).exists():
        path = f"{module.replace('.', '/')}/__init__.py"
    node = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    for part in name.split("."):
        inside = [x for x in getattr(node, "body", []) if getattr(x, "name", None) == part]
        if not inside:
            return path, getattr(node, "lineno", 1)
        node = inside[0]
    return path, node.lineno


def link_signatures(app, config):
    """Give sphinx.ext.linkcode, which puts [source] behind a signature, the address of the line."""

    def resolve(domain, info):
        if domain != "py" or not info["module"].startswith("seqlib"):
            return None
        path, line = place(info["module"], info["fullname"])
        return f"../{page_of(path)}.html#line-{line}"  # the only page with signatures is book/api

    config.linkcode_resolve = resolve


def setup(app):
    app.connect("config-inited", link_signatures)
    app.setup_extension("sphinx.ext.linkcode")
    app.connect("html-collect-pages", pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
