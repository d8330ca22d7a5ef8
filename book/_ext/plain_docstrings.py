"""Show docstrings that are plain text, written for help(), in the API reference.

What a line is, its form says: prose becomes paragraphs, rows of arguments a list of definitions;
formulas and examples stay as they are, line for line.
"""

import ast
import inspect
import re
import textwrap
from itertools import pairwise

ROW = re.compile(r"(\w+(?:, \w+)*)\s{2,}(.*)")
SHAPE = re.compile(r"(\([^()]*\)(?:, \([^()]*\))*)(?:\s{2,}|$)(.*)")
TAGGED = re.compile(r"\([\w-]+\)\s{2,}")
SECTION = re.compile(r"Returns|Raises|Yields|Sources?:|Formulas?:")
WIDTH = 92  # of the lines of a method's docstring; all others are longer


def render(lines):
    """Turn the lines of a plain docstring into reStructuredText.

    lines  list of str, already dedented

    Returns a new list of str.
    """
    forms = {"prose": paragraphs, "rows": definitions, "formulas": literal, "example": example}
    if not any(lines):
        return []
    text = "\n".join(form for kind, block in blocks(lines) for form in forms[kind](block))
    return [".. rst-class:: docstring", "", *textwrap.indent(text, "   ").splitlines(), ""]


def blocks(lines):
    """Lines of one kind that stand together: a list of pairs of the kind and the lines."""
    found, kind = [], None
    for line in lines:
        before, kind = kind, kind_of(line, kind)
        if kind and kind != before:
            found.append((kind, []))
        if kind:
            found[-1][1].append(line)
    return found


def kind_of(line, before):
    """Rows go on in indented lines, and an example to the next empty line."""
    if not line.strip():
        return None
    if before == "example" or line.startswith(">>>"):
        return "example"
    if before == "rows" and line.startswith(" "):
        return "rows"
    if line.startswith(" ") or TAGGED.match(line):
        return "formulas"
    return "rows" if ROW.match(line) else "prose"


def paragraphs(block):
    """Prose without its line breaks, but for those behind a sentence that were not needed."""
    found = block[:1]
    for before, line in pairwise(block):
        fits = len(before) + 1 + len(line.split()[0]) <= WIDTH
        ends = before.endswith(".") and (fits or SECTION.match(line))
        if ends:
            found.append(line)
        else:
            found[-1] += f" {line}"
    return [f"{markup(text)}\n" for text in found]


def definitions(block):
    """Rows "name  description" or "name, name  (shape)  description"."""
    for row in re.split(r"\n(?! )", "\n".join(block)):
        names, said = ROW.match(re.sub(r"\n +", " ", row)).groups()
        shape, rest = found.groups() if (found := SHAPE.match(said)) else ("", said)
        parts = shape and f"``{shape}``", rest and markup(rest)
        yield f"``{names}``\n   " + "\\ \u2003".join(filter(None, parts)) + "\n"


def literal(block, language="text"):
    text = textwrap.indent(textwrap.dedent("\n".join(block)), "   ")
    return [f".. code-block:: {language}\n\n{text}\n"]


def example(block):
    return literal(block, "pycon")


def markup(text):
    """Escape what would be read as markup or made typographic; set `code` as code.

    Quotes are code, as in {"W": (..., D)}, but for apostrophes.  The escaped space at the
    beginning, which is not shown, lets no line begin a list.
    """
    parts = re.split(r"`+([^`]+)`+", text)
    for i, part in enumerate(parts):
        apostrophes = re.sub(r"(?<=[a-z])'(?=[a-z])|(?<=[a-z]s)'(?=\s)", "’", part)
        parts[i] = f"``{part}``" if i % 2 else re.sub(r"([\\*`_|\"'.-])", r"\\\1", apostrophes)
    return "\\ " + "".join(parts)


def process(app, what, name, obj, options, lines):
    lines[:] = render(lines)


def fields_as_written(app, what, name, obj, options, signature, returns):
    """A NamedTuple's defaults as its source writes them, which autodoc does for functions alone."""
    if what == "class" and issubclass(obj, tuple):
        body = ast.parse(inspect.getsource(obj)).body[0].body
        fields = [node for node in body if isinstance(node, ast.AnnAssign)]
        written = [
            ast.unparse(field.target) + (f"={ast.unparse(field.value)}" if field.value else "")
            for field in fields
        ]
        signature = f"({', '.join(written)})"
    return signature, returns


def skip(app, what, name, obj, skip, options):
    """Leave out what has only Python's filler for a docstring: NamedTuples and their fields."""
    filler = ("Alias for field number", f"{name}(")
    return True if (obj.__doc__ or "").startswith(filler) else None


def short_signatures(app, config):
    """Shapes stand in the docstrings, the module in the heading above them; no text is torch's."""
    config.autodoc_typehints = "none"
    config.autodoc_preserve_defaults = True
    config.autodoc_inherit_docstrings = False
    config.add_module_names = False
    config.toc_object_entries_show_parents = "hide"


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("config-inited", short_signatures)
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-process-signature", fields_as_written)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True}
