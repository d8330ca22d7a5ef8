"""What the chapters assert of random numbers was tried with other ones, and the text says so."""

import copy
import re
from pathlib import Path

import nbformat
import pytest
import seeds

CHAPTERS = sorted((Path(__file__).resolve().parent.parent / "chapters").glob("*.ipynb"))
# Chapters whose changed assertions have not yet been tried again: python benchmarks/seeds.py
WAITING = {f"{n:02}" for n in range(2, 11)}
TRIED = [path for path in CHAPTERS if path.stem[:2] not in WAITING]
WEAK = "one-run"  # tag of a cell with an assertion that other seeds have not kept
SAID = re.compile(r"\bin this run\b|\bseeds?\b|\bby luck\b", re.IGNORECASE)


def not_said(notebook, rows):
    """The cells of which some seed broke an assertion, and that do not say so, by first line.

    A cell that did not hold has the tag, and the text before or after it speaks of this run or of
    seeds; the others do not have the tag.
    """
    faults = []
    for i, cell in enumerate(notebook.cells):
        row = rows.get(seeds.digest(cell.source)) if cell.cell_type == "code" else None
        tagged = WEAK in cell.metadata.get("tags", [])
        if row is None or all(row["held"]):
            if tagged:
                faults.append(f"{cell.source[:60]!r} holds for all seeds, and is tagged {WEAK}")
            continue
        near = [c.source for c in notebook.cells[max(i - 1, 0) : i + 2] if c is not cell]
        if not tagged or not SAID.search("\n".join(near)):
            faults.append(f"{cell.source[:60]!r} held for {sum(row['held'])} of {len(row['held'])}")
    return faults


@pytest.mark.parametrize("path", TRIED, ids=lambda path: path.stem)
def test_every_assertion_was_tried_with_other_seeds(path):
    claims = seeds.claims(nbformat.read(path, as_version=4))
    rows = seeds.results()[path.stem]["cells"]
    new = [source.split("\n")[0] for name, source in claims.items() if name not in rows]
    assert not new, f"no record: python benchmarks/seeds.py {path.stem}"
    assert set(rows) == set(claims), "the record has rows of cells that are no more"
    assert all(len(row["held"]) == len(seeds.SEEDS) == 8 for row in rows.values())


@pytest.mark.parametrize("path", TRIED, ids=lambda path: path.stem)
def test_what_held_for_one_seed_alone_is_said(path):
    rows = seeds.results()[path.stem]["cells"]
    assert not_said(nbformat.read(path, as_version=4), rows) == []


def test_only_the_chapters_named_wait():
    untried = {path.stem[:2] for path in CHAPTERS if seeds.without_record(path, seeds.results())}
    assert untried == WAITING


SMALL = (
    "import numpy as np\nx = np.random.default_rng(0).integers(10**9)",
    "assert x == 850624225, 'only in this run'\nassert x >= 0",
    "assert np.random.default_rng(np.random.default_rng(0)).integers(10**9) != 850624225",
    "y = [][0]\nassert 1 < 2",
    "for z in range(3):\n    assert z < 2",
    "assert x > 0",
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A notebook of a few cells, and what a run with another seed made of them."""
    cells = [nbformat.v4.new_code_cell(source) for source in SMALL]
    notebook = nbformat.v4.new_notebook(cells=cells)
    path = tmp_path_factory.mktemp("small") / "small.ipynb"
    nbformat.write(notebook, path)
    failed, seconds = seeds.run(path, 3)
    assert seconds > 0
    return notebook, failed


def test_a_run_with_other_seeds_goes_on_after_failures(small):
    notebook, failed = small
    assert list(failed) == list(seeds.claims(notebook))
    assert list(failed.values()) == [
        ["x == 850624225"],
        [],
        ["IndexError: list index out of range"],
        ["z < 2"],
        [],
    ]


def test_the_small_notebook_holds_as_it_is():
    names = {}
    exec("\n".join(SMALL[:2]), names)
    assert names["x"] == 850624225


def test_a_failure_that_is_not_said_is_found(small):
    notebook, failed = small
    rows = seeds.rows(notebook, [failed] * 8)
    said = copy.deepcopy(notebook)
    for cell in said.cells:
        if not all(rows.get(seeds.digest(cell.source), {"held": [True]})["held"]):
            cell.metadata["tags"] = [WEAK]
    words = nbformat.v4.new_markdown_cell("It holds in this run.")
    said.cells[1:1] = [words]
    said.cells[4:4] = [words]
    said.cells[6:6] = [words]
    assert not_said(said, rows) == []
    assert len(not_said(notebook, rows)) == 3
    said.cells[-1].metadata["tags"] = [WEAK]
    assert len(not_said(said, rows)) == 1


def test_a_changed_cell_has_no_record(small, tmp_path):
    notebook, failed = small
    known = {"small": {"cells": seeds.rows(notebook, [failed] * 8)}}
    changed = copy.deepcopy(notebook)
    changed.cells[-1].source += "  # changed"
    nbformat.write(changed, tmp_path / "small.ipynb")
    new = seeds.without_record(tmp_path / "small.ipynb", known)
    assert new == [seeds.digest("assert x > 0  # changed")]
