"""Sphinx extension: a page with explorables loads their style and script once, as shared files.

In a notebook every explorable carries both, so that each is complete. On a page they are taken out.
"""

from pathlib import Path

SEQLIB = Path(__file__).resolve().parents[2] / "seqlib"
CARRIED = {"explore.css": "<style>{}</style>", "explore.js": "<script>{}</script>"}


def add_files(app, config):
    config.html_static_path += [str(SEQLIB / name) for name in CARRIED]


def share(app, page, template, context, doctree):
    for name, tag in CARRIED.items():
        copy = tag.format((SEQLIB / name).read_text(encoding="utf-8"))
        if copy not in context.get("body", ""):
            continue
        context["body"] = context["body"].replace(copy, "")
        if name.endswith(".js"):  # both add to this page only
            app.add_js_file(name, loading_method="defer")
        else:
            app.add_css_file(name)


def setup(app):
    app.connect("config-inited", add_files)
    app.connect("html-page-context", share)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
