"""Sphinx extension: nothing moves or changes its color after the first paint of a page.

Letters that come late move the text that is being read, and the theme asks only at the end, in its
own script, whether a reader prefers dark pages. So the style sheets carry the letters of text and
of formulas, and a script in the head reads them and makes the choice.
"""

import base64
import json
from pathlib import Path

# Of each style sheet in _static the fonts that nearly every page needs, as files and as CSS.
LETTERS = {
    "custom.css": {
        "source-serif-4-latin-wght-normal.woff2": "1em 'Source Serif 4'",
        "source-serif-4-latin-wght-italic.woff2": "italic 1em 'Source Serif 4'",
    },
    "mathjax/mathjax.css": {
        "MathJax_Zero.woff": "1em MJXZERO",
        "MathJax_Main-Regular.woff": "1em MJXTEX",
        "MathJax_Math-Italic.woff": "1em MJXTEX-I",
    },
}
HEAD = """
  for (const font of %s) document.fonts.load(font);
  if (document.documentElement.dataset.theme === "auto") {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "dark" : "light";
  }
"""


def add_script(app):
    fonts = [font for fonts in LETTERS.values() for font in fonts.values()]
    app.add_js_file(None, body=HEAD % json.dumps(fonts))


def embed(style_sheet, names):
    """Put fonts that a style sheet names into it."""
    text = style_sheet.read_text(encoding="utf-8")
    for name in names:
        font = style_sheet.parent / "fonts" / name
        data = base64.b64encode(font.read_bytes()).decode()
        text = text.replace(f"fonts/{name}", f"data:font/{font.suffix[1:]};base64,{data}")
    style_sheet.write_text(text, encoding="utf-8")


def finish(app, exception):
    """After npm's files were copied beside the pages; without npm the fonts stay what they are."""
    if exception or app.builder.format != "html":
        return
    for name, fonts in LETTERS.items():
        style_sheet = Path(app.outdir) / "_static" / name
        if (style_sheet.parent / "fonts").is_dir():
            embed(style_sheet, fonts)


def setup(app):
    app.connect("builder-inited", add_script)
    app.connect("build-finished", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
