"""Sphinx extension: a formula or an explorable of a chapter, shown on another page too.

    ```{excerpt} chapters/05_lstm#equation-lstm-c
    ```

It is the chapter's own, so that there is no second copy to keep.
"""

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from tags import alone


class Place(nodes.General, nodes.Element):
    """Where the excerpt will stand, once the chapter has been read."""


class Excerpt(SphinxDirective):
    required_arguments = 1

    def run(self):
        docname, _, anchor = self.arguments[0].partition("#")
        return [Place(docname=docname, anchor=anchor)]


def is_shown(node):
    """Whether a node is of a kind that can be shown elsewhere."""
    return isinstance(node, nodes.math_block) or (
        isinstance(node, nodes.raw) and "<figure" in node.astext()
    )


def excerpt(doctree, anchor):
    """A copy of the formula or of the explorable with, or inside of, an anchor.

    Raises ExtensionError if there is none.
    """
    for node in doctree.findall(is_shown):
        around = node
        while around is not None and anchor not in around.get("ids", ()):
            around = around.parent if not isinstance(around.parent, nodes.section) else None
        if around is not None:
            return on_its_own(node.deepcopy())
    raise ExtensionError(f"There is no formula and no explorable at #{anchor}")


def on_its_own(node):
    """A formula without the comma of the sentence that it stood in."""
    if isinstance(node, nodes.math_block):
        node[:] = [nodes.Text(alone(node.astext()))]
    return node


class PutExcerpts(SphinxPostTransform):
    """Copy it before anything is added to formulas."""

    default_priority = 4

    def run(self, **options):
        for place in list(self.document.findall(Place)):
            doctree = self.env.get_doctree(place["docname"])
            place.replace_self(excerpt(doctree, place["anchor"]))


def note_formulas(app, doctree, docname):
    """Formulas that come from another page, in an excerpt or a caption, need their script too."""
    if any(isinstance(node, nodes.math | nodes.math_block) for node in doctree.findall()):
        app.env.get_domain("math").data["has_equations"][docname] = True


def setup(app):
    app.connect("doctree-resolved", note_formulas, priority=900)  # when all have come
    app.add_directive("excerpt", Excerpt)
    app.add_post_transform(PutExcerpts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
