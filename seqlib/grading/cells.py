"""The code cells in the bytes of a file: `check` and `grade` read the same in the same way."""

import json
import re

LARGEST = 64 * 2**20  # bytes of a notebook, most of them pictures
VALUES = 2**23  # in it: so many fit into memory
CELLS, LENGTH = 10_000, 2**22  # cells, and bytes of all their code in JSON, that are run
DEFINED = re.compile(r"^[ \t]*(?:async )?def (\w+)\(", re.MULTILINE)


class Unreadable(ValueError):
    """A file that holds no notebook."""


def parsed(content):
    """The notebook in the bytes of a file, in any encoding and of any format that has cells.

    Raises Unreadable.
    """
    if content is None or len(content) > LARGEST:
        raise Unreadable(f"a file of more than {LARGEST // 2**20} MB")
    if not content.strip(b"\0 \t\r\n"):
        raise Unreadable("an empty file")
    if content.count(b",") + content.count(b"[") + content.count(b"{") > VALUES:
        raise Unreadable(f"more than {VALUES} values")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    notebook = notebook if isinstance(notebook, dict) else {}
    cells = notebook.get("cells")
    if not isinstance(cells, list) and isinstance(notebook.get("worksheets"), list):  # format 3
        parts = [s.get("cells") for s in notebook["worksheets"] if isinstance(s, dict)]
        cells = [cell for part in parts if isinstance(part, list) for cell in part]
    if not isinstance(cells, list):
        raise Unreadable("JSON, but no notebook: it has no list of cells")
    kept = notebook.get("metadata")
    return notebook | {
        "cells": [cell for cell in cells if isinstance(cell, dict)],
        "metadata": kept if isinstance(kept, dict) else {},
    }


def source(cell):
    """The text of a cell, which a file may hold as lines."""
    text = cell.get("source", cell.get("input", ""))
    if isinstance(text, list):
        text = "".join(part for part in text if isinstance(part, str))
    return text if isinstance(text, str) else ""


def sources(notebook):
    """The texts of the code cells.  Raises Unreadable if they are more than are run."""
    found = [source(cell) for cell in notebook["cells"] if cell.get("cell_type") == "code"]
    size = len(json.dumps(found))
    if len(found) > CELLS or size > LENGTH:
        raise Unreadable(
            f"{len(found)} cells with {size} bytes of code; at most {CELLS} and {LENGTH}"
        )
    return found


def claimed(notebook):
    """The exercise that the metadata name, or None."""
    kept = notebook["metadata"].get("seqlib")
    kept = kept.get("exercise") if isinstance(kept, dict) else None
    return kept if isinstance(kept, str) else None


def defined(texts):
    """The names of the functions that the cells define."""
    return {name for text in texts for name in DEFINED.findall(text)}
