"""Sphinx extension: a chapter to take along, as a notebook or to where it can run.

_config.yml knows the repository's address, or an empty one. With an address every chapter gets
launch buttons, and the notebook that the page offers for download fetches what it needs. Without
one there are no such buttons, and the notebook has no such cell.
"""

from pathlib import Path

import nbformat

GITHUB = "https://github.com/"
RECORDS = "../benchmarks"  # which no package carries


def launch_buttons(url, hub=""):
    """The theme's launch buttons for a repository; none if its address is empty.

    url  address of the repository
    hub  address of a JupyterHub, or empty

    Colab opens notebooks from GitHub alone.
    """
    if not url:
        return {}
    places = {
        "binderhub_url": "https://mybinder.org",
        "colab_url": "https://colab.research.google.com" if url.startswith(GITHUB) else "",
        "jupyterhub_url": hub,
    }
    return {"notebook_interface": "jupyterlab"} | {k: v for k, v in places.items() if v}


def installation(url, branch="main"):
    """The line of a notebook that installs the library from its repository."""
    return f'%pip install --quiet "seqlib[notebooks] @ git+{url}@{branch}"'


def fetched_records(url, branch="main"):
    """The lines of a notebook that fetch the book's records, and go to where it looks for them."""
    return f"!git clone --quiet --depth 1 --branch {branch} {url} the-book\n%cd the-book/chapters"


def portable(notebook, url="", branch="main"):
    """A notebook without outputs; with an address, its first cells fetch what it needs."""
    notebook = nbformat.from_dict(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    if url:
        # An id that is the same in every build; the cells of a chapter have eight characters.
        first = [nbformat.v4.new_code_cell(installation(url, branch), id="install")]
        if any(RECORDS in cell.source for cell in notebook.cells if cell.cell_type == "code"):
            first.append(nbformat.v4.new_code_cell(fetched_records(url, branch), id="records"))
        notebook.cells[:0] = first
    return notebook


def set_buttons(app, config):
    """Launch, edit and issue buttons, as soon as _config.yml knows the repository's address."""
    options = config.html_theme_options
    url = options.get("repository_url", "")
    hub = options.get("launch_buttons", {}).get("jupyterhub_url", "")
    options["launch_buttons"] = launch_buttons(url, hub)
    for button in ("use_repository_button", "use_edit_page_button", "use_issues_button"):
        options[button] = bool(url)


def strip_sources(app, exception):
    """Make the notebooks that the pages offer for download portable."""
    if exception or app.builder.format != "html":
        return
    options = app.config.html_theme_options
    address = options.get("repository_url", ""), options.get("repository_branch", "main")
    for path in (Path(app.outdir) / "_sources").rglob("*.ipynb"):
        nbformat.write(portable(nbformat.read(path, as_version=4), *address), path)


def setup(app):
    app.connect("config-inited", set_buttons, priority=100)
    app.connect("build-finished", strip_sources)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
