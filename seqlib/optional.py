"""Packages that only parts of the library need: what to install where one is missing."""

from contextlib import contextmanager

EXTRAS = {  # what a package is called where it is installed, and the extra of seqlib that brings it
    "matplotlib": ("matplotlib", "plots"),
    "torch": ("torch", "torch"),
    "pooch": ("pooch", "data"),
    "PIL": ("pillow", "notebooks"),
    "ipywidgets": ("ipywidgets", "notebooks"),
    "distributed": ("distributed", "cluster"),
}


@contextmanager
def imports():
    """Imports inside say what to install.

    Raises ModuleNotFoundError, as import does, with the command.
    """
    try:
        yield
    except ModuleNotFoundError as problem:
        package = (problem.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        name, extra = EXTRAS[package]
        raise ModuleNotFoundError(
            f"this part of seqlib needs {name}, which is not installed: pip install {name}, or"
            f' pip install "seqlib[{extra}]"',
            name=problem.name,
        ) from problem
