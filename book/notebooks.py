"""Execute chapters and solutions, and store them with their text outputs and CPU seconds.

    python book/notebooks.py                           all of them
    python book/notebooks.py chapters/02_rnn.ipynb     one of them

Pictures, widgets and HTML are not stored: `make book` makes them again.
"""

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

try:
    import resource
except ImportError:  # Windows
    resource = None

ROOT = Path(__file__).resolve().parent.parent
FRAMES = ROOT / "_build" / "frames"  # of explorables: encoded once, see seqlib.widgets
WORKERS = 2
CELL_TIMEOUT = 600
# One thread for each kernel: chapters run side by side, and CPU seconds mean the same everywhere.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
ONE_THREAD = dict.fromkeys(THREADS, "1")
DROPPED = ("image/", "text/html", "text/latex", "application/javascript", "application/vnd.")
GLUED = "application/papermill.record/"


class Run(NamedTuple):
    path: Path
    notebook: nbformat.NotebookNode
    seconds: float
    cpu_seconds: float
    error: str | None


def notebooks():
    """Paths of all chapters, in order, and of all solutions of exercises."""
    solutions = (ROOT / "exercises").glob("*/solution.ipynb")
    return sorted((ROOT / "chapters").glob("*.ipynb")) + sorted(solutions)


def run(path):
    """Execute one notebook top to bottom in a fresh kernel, in its own folder.

    path  the notebook; the file itself is left alone

    Returns a Run; its error is the traceback if a cell failed, otherwise None. CPU seconds are
    those of the kernel, so `run` belongs in a process of its own. Windows has no such count: wall
    seconds.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_TIMEOUT,
        record_timing=False,
        store_widget_state=False,  # a page has no use for it, and would carry it
        coalesce_streams=True,  # one stream, or a page may break a line where it was flushed
        extra_arguments=["--log-level=40"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    start, error = time.perf_counter(), None
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as problem:
        error = str(problem)
    seconds = time.perf_counter() - start
    cpu_seconds = seconds
    if resource is not None:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_seconds = usage.ru_utime + usage.ru_stime
    return Run(path, notebook, seconds, cpu_seconds, error)


def run_all(paths):
    """Execute notebooks side by side; prints a line for each as it ends, and yields its Run."""
    os.environ.update(ONE_THREAD, JUPYTER_PREFER_ENV_PATH="1", SEQLIB_FRAMES=str(FRAMES))
    pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"), max_tasks_per_child=1)
    with pool:
        for future in as_completed([pool.submit(run, path) for path in paths]):
            done = future.result()
            print(
                f"  {done.path.relative_to(ROOT)}: {done.cpu_seconds:.1f} s CPU, "
                f"{done.seconds:.1f} s" + (", FAILED" if done.error else ""),
                flush=True,
            )
            if done.error:
                print(done.error, flush=True)
            yield done


def is_text(mime):
    """Whether an output of this type is stored."""
    return not mime.removeprefix(GLUED).startswith(DROPPED)


def strip(notebook, cpu_seconds):
    """The notebook as it is stored: text outputs only, and no trace of the machine it ran on."""
    for cell in notebook.cells:
        for key in ("execution", "collapsed", "scrolled"):
            cell.metadata.pop(key, None)
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if "data" in output:
                output.data = {k: v for k, v in output.data.items() if is_text(k)}
                output.metadata = {k: v for k, v in output.metadata.items() if is_text(k)}
        cell.outputs = [output for output in cell.outputs if output.get("data", True)]
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "seqlib": notebook.metadata.get("seqlib", {}) | {"cpu_seconds": round(cpu_seconds, 1)},
    }
    return nbformat.from_dict(notebook)


def main(names):
    paths = [Path(name).resolve() for name in names] or notebooks()
    failed = False
    for done in run_all(paths):
        if done.error:
            failed = True
        else:
            nbformat.write(strip(done.notebook, done.cpu_seconds), done.path)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
