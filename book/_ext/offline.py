"""Sphinx extension: pages that work opened from disk, with no network, for every reader."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MATHJAX = ROOT / "node_modules" / "mathjax" / "es5"
# What a page needs of MathJax's 24 MB.
MATHJAX_PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")


def set_buttons(app, config):
    """Launch, edit and issue buttons, as soon as _config.yml knows the repository's address."""
    options = config.html_theme_options
    if not options.get("repository_url"):
        return
    options.update(
        use_repository_button=True,
        use_edit_page_button=True,
        use_issues_button=True,
        launch_buttons={
            "notebook_interface": "jupyterlab",
            "binderhub_url": "https://mybinder.org",
            "colab_url": "https://colab.research.google.com",
        },
    )


def use_local_mathjax(app):
    """Point the pages at the copy beside them, if npm has brought one."""
    if MATHJAX.is_dir():
        app.config.mathjax_path = "mathjax/tex-chtml.js"


def drop_thebe(app):
    """Take away sphinx-thebe: nothing here uses it, and its script fails on every page."""
    for listeners in app.events.listeners.values():
        listeners[:] = [x for x in listeners if not x.handler.__module__.startswith("sphinx_thebe")]


def copy_mathjax(app, exception):
    """Copy MathJax beside the pages."""
    if exception or not MATHJAX.is_dir():
        return
    for name in MATHJAX_PARTS:
        source, target = MATHJAX / name, Path(app.outdir) / "_static" / "mathjax" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy(source, target)


def setup(app):
    app.connect("config-inited", set_buttons, priority=100)
    app.connect("builder-inited", use_local_mathjax)
    app.connect("builder-inited", drop_thebe, priority=100)
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
