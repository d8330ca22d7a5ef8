"""Run everything that CI runs: `make test`.

    python tests/run.py              all parts
    python tests/run.py lint unit    those named

Every part runs, whatever happens to the others. The exit status is 0 only if all succeeded.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from browser import ensure_browser, ensure_bubblewrap

ROOT = Path(__file__).resolve().parent.parent
PYTEST = ["-m", "pytest", "-q", "-n", "2"]
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
# Here what a test needs has to be there: see tests/others.py.
STRICT = {"SEQLIB_TESTS_STRICT": "1"}


def python(*arguments):
    """Run this interpreter from the root of the repository; returns whether it succeeded."""
    print("  python " + " ".join(arguments), flush=True)
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | ONE_THREAD | STRICT | {"JUPYTER_PREFER_ENV_PATH": "1"},
        stdin=subprocess.DEVNULL,
    )
    return done.returncode == 0


def lint():
    """Style (ruff) and spelling (codespell)."""
    checks = [("ruff", "check"), ("ruff", "format", "--check"), ("codespell_lib",)]
    return all([python("-m", *check) for check in checks])


def unit():
    """Unit and property tests."""
    ensure_bubblewrap()
    return python(*PYTEST, "tests", "--ignore=tests/test_book.py")


def notebooks():
    """Chapters and solutions of exercises reproduce their stored text."""
    options = ["--nbval-lax", "--nbval-current-env", "--dist", "loadfile"]
    solutions = sorted(
        str(path.relative_to(ROOT)) for path in ROOT.glob("exercises/*/solution.ipynb")
    )
    return python(*PYTEST, *options, "chapters", *solutions)


def book():
    """The book builds without a warning."""
    return python("book/build.py")


def browser():
    """The built pages in a real browser."""
    path = ensure_browser()
    if path is None:
        print("  No Chromium: the pages were not tested.")
        return False
    print(f"  {path}")
    os.environ["CHROMIUM"] = path
    # The chapters, which take longest, stand together: who is done takes some of them over.
    return python(*PYTEST, "--dist", "worksteal", "tests/test_book.py")


PARTS = {part.__name__: part for part in (lint, unit, notebooks, book, browser)}


def main(names):
    unknown = set(names) - set(PARTS)
    if unknown:
        raise SystemExit(f"There is no part {', '.join(unknown)}; there are {', '.join(PARTS)}.")
    lines = []
    for name in names or PARTS:
        print(f"\n== {name}: {PARTS[name].__doc__}", flush=True)
        start = time.perf_counter()
        succeeded = PARTS[name]()
        lines.append((name, succeeded, time.perf_counter() - start))
        print(report(*lines[-1]), flush=True)
    print("\n== Summary")
    for line in lines:
        print(report(*line))
    return 0 if all(succeeded for _, succeeded, _ in lines) else 1


def report(name, succeeded, seconds):
    return f"  {name:10s} {seconds:6.1f} s  {'ok' if succeeded else 'FAILED'}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
