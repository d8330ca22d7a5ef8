"""Fixtures of the browser tests: one Chromium for each worker, and pages opened in it from disk.

Those of the grader's tests stand in graders.py.
"""

import json
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from graders import folder as folder
from graders import grader as grader
from playwright.sync_api import TimeoutError

ROOT = Path(__file__).resolve().parent.parent
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
LOCAL = ("file:", "data:", "blob:")
VIEWS = {  # width in CSS pixels, color scheme
    "wide": (1280, "light"),
    "narrow": (400, "light"),
    "dark": (1280, "dark"),
    "narrow dark": (400, "dark"),
}

# The boxes that scroll sideways, and that the keyboard cannot reach.
UNREACHED = """() => [...document.querySelectorAll("body *:not(:is(mjx-container, pre, svg) *)")]
    .filter((e) => e.scrollWidth > e.clientWidth && e.checkVisibility()
        && ["auto", "scroll"].includes(getComputedStyle(e).overflowX)
        && e.tabIndex < 0 && !e.querySelector("a[href], button, input, select, summary"))
    .map((e) => e.textContent.trim().slice(0, 80))"""


def seen_as(page, view):
    """Show a page in one of the VIEWS."""
    width, scheme = VIEWS[view]
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    # A long page may hear of it seconds later.
    page.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=scheme)
    # pages.js makes what scrolls now reachable when nothing else is to be done.
    with suppress(TimeoutError):
        page.wait_for_function(f"() => !({UNREACHED})().length", timeout=9000, polling=300)
    page.wait_for_timeout(300)  # for what moves to its place


class Opened(NamedTuple):
    """A page in the browser, with what happened while it loaded."""

    page: object
    requests: list[str]
    errors: list[str]


@pytest.fixture(scope="session")
def chromium():
    from browser import find_browser
    from playwright.sync_api import sync_playwright

    path = find_browser()
    assert path, "no Chromium: `make test` installs one, or says how"
    flags = ["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Function (path, view) -> context manager of an Opened, loaded with all that it asks for."""

    @contextmanager
    def opened(path, view="wide", query=""):
        width, scheme = VIEWS[view]
        size = {"width": width, "height": 900}
        context = chromium.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        page = context.new_page()
        requests, errors = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("websocket", lambda socket: requests.append(socket.url))
        page.on("requestfailed", lambda request: errors.append(f"not loaded: {request.url}"))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: line.type == "error" and errors.append(line.text))
        # Nothing is let out; the attempt is in `requests` all the same.
        context.route(lambda url: not url.startswith(LOCAL), lambda route: route.abort())
        page.goto(Path(path).as_uri() + query)  # until it has loaded, with its images and scripts
        page.wait_for_timeout(300)  # for what its scripts ask for then
        # Waiting outlives the step from index.html to the first page.
        page.wait_for_function("async () => (await document.fonts.ready, true)")
        try:
            yield Opened(page, requests, errors)
        finally:
            context.close()

    return opened


@pytest.fixture(scope="session")
def axe():
    """Function (page) -> faults, one line for each element that axe-core objects to.

    It takes the names of rules: to look at `only` those, or `without` them.
    """
    assert AXE.exists(), "axe-core is missing: `make book` fetches it from package-lock.json"
    source = AXE.read_text(encoding="utf-8")

    def run(page, only=None, without=()):
        choice = {"preload": False, "rules": {rule: {"enabled": False} for rule in without}}
        if only:
            choice["runOnly"] = {"type": "rule", "values": only}
        if not page.evaluate("() => Boolean(window.axe)"):
            page.evaluate(source)
        found = page.evaluate("(choice) => axe.run(choice)", choice)
        # Text in the color of its ground is "incomplete" for axe, and invisible for a reader.
        invisible = [
            rule | {"nodes": [node for node in rule["nodes"] if "equalRatio" in json.dumps(node)]}
            for rule in found["incomplete"]
        ]
        return [
            f"{rule['id']}: {' '.join(map(str, node['target']))}: {json.dumps(node['html'][:120])}"
            for rule in found["violations"] + invisible
            for node in rule["nodes"]
        ]

    return run
