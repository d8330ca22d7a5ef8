"""Sphinx extension: an equation shows its tag, the one in the code, instead of a number."""

from sphinx.domains.math import MathDomain


class TaggedMathDomain(MathDomain):
    """Equations whose number is their label: `$$ ... $$ (rnn-h)` is shown as (rnn-h)."""

    def note_equation(self, docname, labelid, location=None):
        super().note_equation(docname, labelid, location)
        self.equations[labelid] = (docname, labelid)


def setup(app):
    app.add_domain(TaggedMathDomain, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
