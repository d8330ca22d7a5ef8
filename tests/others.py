"""Other people's programs that judge ours, and that only tests need."""

import importlib
import os

import pytest


def needed(name):
    """A package that a whole test file needs.

    Where it is missing the file is skipped, and says so; under `make test` it fails.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        if os.environ.get("SEQLIB_TESTS_STRICT"):
            raise
        pytest.skip(f"{name} is not installed: pip install {name}", allow_module_level=True)
