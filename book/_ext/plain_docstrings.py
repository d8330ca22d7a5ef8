"""Show docstrings that are plain text, written for help(), in the API reference.

The first sentence becomes a paragraph, with `code` in backticks set as code. The rest, where
columns and formulas stand in plain characters, becomes one literal block.
"""

import re


def render(lines):
    """Turn the lines of a plain docstring into reStructuredText.

    lines  list of str, already dedented

    Returns a new list of str.
    """
    end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    end = next((i + 1 for i in range(end) if lines[i].rstrip().endswith((".", ":"))), end)
    first, rest = " ".join(line.strip() for line in lines[:end]), lines[end:]
    while rest and not rest[0].strip():
        rest = rest[1:]
    if not any(line.strip() for line in rest):
        return [markup(first), ""]
    block = ["", ".. code-block:: none", "   :class: docstring", ""]
    return [markup(first), *block, *(f"   {line}" for line in rest), ""]


def markup(sentence):
    """Escape what reStructuredText would read as markup; set `code` as code."""
    parts = re.split(r"`+([^`]+)`+", sentence)
    plain = [re.sub(r"([\\*`_|])", r"\\\1", part) for part in parts[::2]]
    return "".join(
        a + (f"``{b}``" if b else "") for a, b in zip(plain, [*parts[1::2], ""], strict=True)
    )


def process(app, what, name, obj, options, lines):
    lines[:] = render(lines)


def name_objects(app, what, name, obj, options, signature, returns):
    """A default that is a module or a function is shown by its name, not by where it lies."""
    if signature:
        signature = re.sub(r"<module '(?:\w+\.)*(\w+)' from '[^']*'>", r"\1", signature)
        signature = re.sub(r"<function (\w+)(?: at 0x\w+)?>", r"\1", signature)
    return signature, returns


def skip(app, what, name, obj, skip, options):
    """Leave out what has only Python's filler for a docstring: NamedTuples and their fields."""
    filler = ("Alias for field number", f"{name}(")
    return True if (obj.__doc__ or "").startswith(filler) else None


def short_signatures(app, config):
    """Shapes stand in the docstrings, the module in the heading above them."""
    config.autodoc_typehints = "none"
    config.autodoc_preserve_defaults = True
    config.add_module_names = False


def setup(app):
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("config-inited", short_signatures)
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-process-signature", name_objects)
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True}
