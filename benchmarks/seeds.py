"""Do the chapters' assertions hold for other random numbers than those that they were written with?

python benchmarks/seeds.py                    the chapters with an assertion that has no record yet
python benchmarks/seeds.py 04_gradient_flow   this one again

Each chapter is run eight times more, all of it.  In run k its kernel draws from default_rng([s, k])
wherever the chapter, or the library for it, asks for default_rng(s).  An assertion that fails is
noted, and the chapter goes on.  The record has a row for each cell with an assertion, known by the
digest of its source, and says for each k whether all of the cell's assertions held.
"""

import ast
import hashlib
import json
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import record  # first: it sets one thread before NumPy is imported

# isort: split
import nbformat
from nbclient import NotebookClient

CHAPTERS = record.FOLDER.parent / "chapters"
RECORD = record.FOLDER / "seeds.json"
SEEDS = range(1, 9)
WORKERS = 2
MARK = "claims of this cell: "

# The first cell of each run.  An assertion becomes a call that notes what failed; nothing is drawn.
BEGIN = """
import ast as _ast
import numpy as _np

def _other(make, k):
    def default_rng(seed=None):
        if seed is None or isinstance(seed, _np.random.Generator | _np.random.BitGenerator):
            return make(seed)
        return make([*_np.ravel(seed).tolist(), k])
    return default_rng

_np.random.default_rng = _other(_np.random.default_rng, K)
_failed = []

def _claim(holds, source):
    if not holds:
        _failed.append(source)

class _Noted(_ast.NodeTransformer):
    def visit_Assert(self, node):
        call = _ast.parse("_claim(0, 0)").body[0]
        call.value.args = [node.test, _ast.Constant(_ast.unparse(node.test))]
        return _ast.fix_missing_locations(_ast.copy_location(call, node))

get_ipython().ast_transformers.append(_Noted())
get_ipython().display_formatter.active_types = ["text/plain"]
get_ipython().display_formatter.mimebundle_formatter.enabled = False
"""
# Behind the last line of a cell with an assertion.  Without this line the cell has stopped.
END = f"\nprint('\\n{MARK}' + __import__('json').dumps(_failed)); _failed.clear()"


def asserts(source):
    """Whether a code cell asserts something."""
    return any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(source)))


def digest(source):
    """What a cell is known by in the record."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def claims(notebook):
    """The cells with assertions, in order: a dict of digest: source."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return {digest(source): source for source in sources if asserts(source)}


def run(path, k):
    """What failed in run k of a chapter, in the order of `claims`.

    Returns a dict of digest: list of assertions, or of the error that stopped the cell; and the
    CPU seconds of the kernel.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    sources = [cell.source for cell in cells]
    for cell, source in zip(cells, sources, strict=True):
        cell.source = source + END * asserts(source)
    cells.insert(0, nbformat.v4.new_code_cell(BEGIN.replace("default_rng, K", f"default_rng, {k}")))
    notebook.cells = cells
    where = {"metadata": {"path": str(path.parent)}}
    options = {"kernel_name": "python3", "timeout": 900, "allow_errors": True, "resources": where}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    NotebookClient(notebook, coalesce_streams=True, store_widget_state=False, **options).execute()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    failed = {
        digest(source): failures(cell.outputs)
        for source, cell in zip(sources, cells[1:], strict=True)
        if asserts(source)
    }
    return failed, seconds


def failures(outputs):
    """What a cell told of its assertions; one that did not come to its end tells its error."""
    errors = [o for o in outputs if o.output_type == "error"]
    if errors:
        return [f"{errors[0].ename}: {errors[0].evalue}"[:200]]
    printed = "".join(o.text for o in outputs if o.output_type == "stream" and o.name == "stdout")
    return json.loads(printed.rsplit(MARK, 1)[1])


def rows(notebook, failed):
    """The record of a chapter: a row for each cell with assertions.

    failed  a list of what `run` returned for each seed
    """
    return {
        name: {
            "cell": source.strip().split("\n")[0],
            "held": [not one[name] for one in failed],
            "failed": sorted({text for one in failed for text in one[name]}),
        }
        for name, source in claims(notebook).items()
    }


def results():
    """The results of the record, empty if there is none: a dict of chapter: rows and seconds."""
    return json.loads(RECORD.read_text("utf-8"))["results"] if RECORD.exists() else {}


def without_record(path, known):
    """The cells with assertions that have no row, by their digests."""
    rows = known.get(path.stem, {"cells": {}})["cells"]
    return sorted(claims(nbformat.read(path, as_version=4)).keys() - rows.keys())


def main(names):
    known = results()
    paths = [CHAPTERS / f"{Path(name).stem}.ipynb" for name in names] or [
        path for path in sorted(CHAPTERS.glob("*.ipynb")) if without_record(path, known)
    ]
    pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))
    with pool:
        running = {path: [pool.submit(run, path, k) for k in SEEDS] for path in paths}
        for path, futures in running.items():
            failed, seconds = zip(*(future.result() for future in futures), strict=True)
            cells = rows(nbformat.read(path, as_version=4), failed)
            known[path.stem] = {"cpu_seconds": round(sum(seconds), 1), "cells": cells}
            weak = [row for row in cells.values() if not all(row["held"])]
            print(f"{path.stem}: {len(cells)} cells with assertions, {len(weak)} failed once")
            for row in weak:
                print(f"  {sum(row['held'])} of {len(SEEDS)} hold: {row['cell']}: {row['failed']}")
            recipe = {"seeds": list(SEEDS), "drawn": "default_rng([s, k]) for default_rng(s)"}
            total = sum(chapter["cpu_seconds"] for chapter in known.values())
            record.write("seeds", recipe, dict(sorted(known.items())), cpu_seconds=total)


if __name__ == "__main__":
    main(sys.argv[1:])
