"""What a page of the built book weighs, how soon it can be read, and what Lighthouse says.

python benchmarks/pages.py         all pages; writes benchmarks/pages.json
python benchmarks/pages.py NAME    pages whose path holds NAME; writes nothing

Needs `make book` before.  The pages are served from this machine with compression, to a Chromium
that has an empty cache each time.  Lighthouse's scores of some pages (its setting for a desktop)
are measured where the program `lighthouse` is installed (npm install -g lighthouse), else left out.
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import gzip
import http.server
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from urllib.parse import unquote

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
sys.path.append(str(ROOT / "tests"))
from browser import find_browser  # noqa: E402

LOADS = 5  # of each page; the median counts
BUDGET = {"kilobytes": 2500, "first_content_ms": 1000, "formulas_ms": 3000, "layout_shift": 0.1}
# What Lighthouse, which takes a minute for a page, is asked of.
JUDGED = (
    "book/index",
    "chapters/03_bptt",
    "book/glossary",
    "book/api",
    "exercises/05_lstm/solution",
)
SCORES = {"accessibility": 100, "best-practices": 100, "seo": 100, "performance": 90}
COMPRESSED = {".html", ".css", ".js", ".json", ".svg"}
# In the page, before its own scripts: how far its parts move after they were painted (Chromium's
# layout shift, in windows), and the moment at which all formulas can be seen.
WATCH = """window.shift = 0;
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    requestAnimationFrame(() => requestAnimationFrame(() => {
        const missing = [...document.querySelectorAll(".math")]
            .filter((e) => !e.querySelector("mjx-container"));
        window.formulas = missing.length ? Infinity : performance.now();
    }));
});"""


@cache
def compressed(path):
    return gzip.compress(Path(path).read_bytes(), 6)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, compressed as a web server would send them."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        small = path.suffix in COMPRESSED
        content = compressed(path) if small else path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(content)))
        if small:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def served(folder):
    """Serve a folder on this machine; yields the address."""
    handler = partial(Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def pages():
    """The pages of the book, as paths below _build/html; of those of sources the heaviest."""
    found = (path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html"))
    names = sorted(name for name in found if not name.startswith("_") and name != "index.html")
    sources = [name for name in names if name.startswith("source/")]
    heaviest = max(sources, key=lambda name: (HTML / name).stat().st_size)
    return [name for name in names if name not in sources or name == heaviest]


def weight(path):
    """Bytes of a page and of the files that it alone needs: its pictures, not the shared scripts.

    path  of the page, below a folder whose _static holds what all pages share
    """
    sources = re.findall(r'\s(?:src|poster)="([^"#?]+)', path.read_text(encoding="utf-8"))
    files = {(path.parent / unquote(s)).resolve() for s in sources if ":" not in s.split("/")[0]}
    own = [f for f in files if "_static" not in f.parts and f.name != "searchindex.js"]
    return path.stat().st_size + sum(f.stat().st_size for f in own if f.is_file())


def times(browser, address):
    """Milliseconds to first content and to all formulas, layout shift, milliseconds of CPU."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    page.goto(address)
    page.wait_for_function("window.formulas !== undefined")
    first, formulas, shift = page.evaluate("""[
        performance.getEntriesByName('first-contentful-paint')[0].startTime, formulas, shift
    ]""")
    metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
    context.close()
    return first, formulas, shift, 1000 * metrics["TaskDuration"]


def lighthouse(program, chromium, address):
    """Lighthouse's scores of a page, of 100."""
    command = [program, address, "--output=json", "--quiet"]
    command += [
        "--preset=desktop",
        "--only-categories=" + ",".join(SCORES),
        "--chrome-flags=--headless --no-sandbox",
    ]
    environment = os.environ | {"CHROME_PATH": chromium}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    categories = json.loads(done.stdout)["categories"]
    return {name: round(100 * categories[name]["score"]) for name in SCORES}


def over(row):
    """What a row has over its budget."""
    faults = [name for name, most in BUDGET.items() if row[name] > most]
    return faults + [name for name, least in SCORES.items() if row.get(name, least) < least]


def main(part=""):
    program, chromium = shutil.which("lighthouse"), find_browser()
    if program is None:
        print("No program `lighthouse` is installed: its scores are left out.")
    rows = []
    with served(HTML) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in (name for name in pages() if part in name):
            loads = [times(browser, f"{address}/{name}") for _ in range(LOADS)]
            first, formulas, shift, cpu = (statistics.median(t) for t in zip(*loads, strict=True))
            row = {
                "page": name.removesuffix(".html"),
                "kilobytes": round(weight(HTML / name) / 1e3),
            }
            row |= {"first_content_ms": round(first), "formulas_ms": round(formulas)}
            row |= {"layout_shift": round(shift, 3), "cpu_ms": round(cpu)}
            if program and row["page"] in JUDGED:
                row |= lighthouse(program, chromium, f"{address}/{name}")
            rows.append(row)
            cells = "  ".join(f"{key} {value}" for key, value in row.items() if key != "page")
            print(f"{row['page']:34} {cells}  {' '.join(over(row)) or 'ok'}", flush=True)
        version = browser.version
        browser.close()
    shared = sum(f.stat().st_size for f in (HTML / "_static").rglob("*") if f.is_file())
    recipe = {"loads": LOADS, "budget": BUDGET | SCORES, "lighthouse": "desktop"}
    if not part:
        results = {"rows": rows, "shared_kilobytes": round(shared / 1e3)}
        record.write("pages", recipe, results, chromium=version)


if __name__ == "__main__":
    main(*sys.argv[1:])
