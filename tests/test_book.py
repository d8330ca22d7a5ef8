"""The built pages in a real browser, opened from disk.

Every check is a function that returns a list of faults, empty for a sound page. The last tests
plant one fault of each kind and assert that its check finds it.
"""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from bs4 import BeautifulSoup

from conftest import LOCAL, seen_as
from seqlib import plots, widgets

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
# index.html only leads to the first page.
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path != HTML / "index.html"
)


# The checks


def request_faults(requests):
    """Requests that would leave the machine."""
    return [url for url in requests if not url.startswith(LOCAL)]


def formula_faults(page):
    """Formulas that MathJax did not render, or rendered with an error in red."""
    return page.evaluate("""() => {
        const text = (e) => e.textContent.trim().slice(0, 80);
        const formulas = [...document.querySelectorAll(".math")];
        const broken = [...document.querySelectorAll(
            "mjx-merror, [data-mjx-error], mjx-mtext[style*='red'], mjx-mstyle[style*='red']")];
        return [
            ...formulas.filter((e) => !e.querySelector("mjx-container"))
                .map((e) => "raw: " + text(e)),
            ...formulas.filter((e) => {
                const box = e.querySelector("mjx-container")?.getBoundingClientRect();
                return box && box.width * box.height === 0 && e.checkVisibility();
            }).map((e) => "empty: " + text(e)),
            ...broken.map((e) => "error: " + (e.title || e.outerHTML.slice(0, 80))),
        ];
    }""")


def image_faults(page):
    """Images without a text that says what they show, and images that did not load."""
    return page.evaluate("""() => [...document.images].flatMap((image) => [
        ...((image.getAttribute("alt") || "").trim() ? [] : ["no alt: " + image.src.slice(0, 80)]),
        ...(image.complete && !image.naturalWidth ? ["not loaded: " + image.src.slice(0, 80)] : []),
    ])""")


def overflow_faults(page):
    """Elements that make the page itself scroll sideways."""
    return page.evaluate("""() => {
        const root = document.scrollingElement;
        if (root.scrollWidth <= root.clientWidth) return [];
        const boxed = (e) => e !== document.body &&
            (getComputedStyle(e).overflowX !== "visible" || boxed(e.parentElement));
        return [...document.querySelectorAll("body *")]
            .filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1)
            .filter((e) => !boxed(e.parentElement))
            .slice(0, 5)
            .map((e) => `${e.tagName.toLowerCase()}.${e.className} ends at ` +
                `${Math.round(e.getBoundingClientRect().right)} of ${root.clientWidth} px`);
    }""")


def explorable_faults(page):
    """Explorables whose controls leave the picture as it was, and whose cells tell nothing."""
    faults = []
    for number, pad in enumerate(page.locator(".explorable-cells").all()):
        faults += [f"cells {number}: {fault}" for fault in cell_faults(page, pad)]
    for number, figure in enumerate(page.locator("figure.explorable").all()):
        controls = figure.locator("input[type=range], select").all()
        if not controls:
            faults.append(f"explorable {number} has no control")
        sliders = figure.locator("input[type=range]").count()
        if sliders != figure.get_by_role("button", name="Play").count():
            faults.append(f"explorable {number}: not a button to play for each slider")
        starts = [control.input_value() for control in controls]
        for control in controls:
            control.scroll_into_view_if_needed()
            for move in (by_keyboard, by_mouse):
                same, silent = moved(page, figure, control, move)
                if same:  # at the end of one control another may change nothing
                    for other, start in zip(controls, starts, strict=True):
                        other.evaluate(SET, start)
                    same, _ = moved(page, figure, control, move)
                if same:
                    faults.append(f"explorable {number}: same picture {move.__name__}")
                if silent:
                    faults.append(f"explorable {number}: nothing announced {move.__name__}")
        for button in figure.get_by_role("button").all():
            faults += [
                f"explorable {number}: {fault}" for fault in play_faults(page, figure, button)
            ]
    return faults


def play_faults(page, figure, button):
    """A button, pressed by keyboard, that does not play one step after another, or not pause."""
    box = button.bounding_box()
    if min(box["width"], box["height"]) < 24:
        return ["the button to play is too small"]
    slider = button.locator("xpath=..").locator("input")
    slider.evaluate(SET, "0")
    most = int(slider.get_attribute("max"))
    name = button.get_attribute("aria-label")
    button.press("Enter")
    faults = []
    if slider.input_value() != "1":
        faults.append("playing does not begin")
    if most > 1:
        if (
            button.get_attribute("aria-label") == name
            or figure.locator("[aria-live=polite]").count()
        ):
            faults.append("playing is not told, or told at every step")
        if not wait_until(page, lambda: slider.input_value() == "2"):
            faults.append("playing does not go on")
    slider.evaluate(SET, "0")  # as a hand would
    if button.get_attribute("aria-label") != name or figure.locator("[aria-live=off]").count():
        faults.append("moving the slider does not pause")
    slider.evaluate(SET, str(most - 1))
    button.press("Enter")
    if slider.input_value() != str(most) or button.get_attribute("aria-label") != name:
        faults.append("playing does not stop at the end")
    button.press("Enter")
    if slider.input_value() != "0":
        faults.append("playing does not begin again after the end")
    slider.evaluate(SET, "0")
    return faults


def cell_faults(page, pad):
    """A picture whose cells do not tell their values to the mouse, a finger or the keyboard."""
    said = pad.locator("xpath=../..").locator(".explorable-said")
    words = said.inner_text
    grids = pad.evaluate("""(pad) =>
        JSON.parse(pad.parentElement.querySelector("[data-shown]").dataset.cells)""")
    x, y = ([grids[-1][axis][i] / 1e4 for i in (-2, -1)] for axis in "xy")
    faults, last = [], len(grids[-1]["values"]) - 1
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    image = pad.locator("xpath=..").locator("[data-shown] img").bounding_box()
    if any(abs(box[side] - image[side]) > 1 for side in box):
        faults.append("they do not lie on the picture")
    at = box["width"] * sum(x) / 2, box["height"] * sum(y) / 2
    page.mouse.move(box["x"] + at[0], box["y"] + at[1])
    if sentence(grids[-1], last) != words():
        faults.append(f"the mouse hears {words()!r}")
    page.mouse.move(0, 0)
    if words():
        faults.append("the mouse is gone, and the sentence is not")
    pad.dispatch_event("pointerdown", {
        "pointerType": "touch", "bubbles": True, "clientX": box["x"] + at[0],
        "clientY": box["y"] + at[1],
    })  # fmt: skip
    if sentence(grids[-1], last) != words():
        faults.append(f"a finger hears {words()!r}")
    pad.evaluate("(pad) => document.activeElement.blur() || pad.focus()")
    outline = pad.locator("span")
    heard, places = [words()], [outline.bounding_box()]  # two cells may say the same
    for key in ("ArrowLeft", "ArrowUp"):  # from where the finger was
        page.keyboard.press(key)
        heard.append(words())
        places.append(outline.bounding_box())
    wanted = 1 + (len(grids[-1]["columns"]) > 1) + (len(grids[-1]["rows"]) > 1)
    if not all(places):
        faults.append("no outline")
    elif len({(box["x"], box["y"]) for box in places}) < wanted or not all(heard):
        faults.append(f"the keyboard hears {heard}")
    pad.evaluate("(pad) => pad.blur()")
    return faults


def sentence(grid, i):
    """What cell number i should tell."""
    row, column = divmod(i, len(grid["columns"]))
    value, digits = grid["values"][i], grid["digits"]
    shown = "" if value is None else f"{value / 10**digits:.{digits}f}"
    text = grid["unless" if value is None else "say"]
    for name, word in ("row", grid["rows"][row]), ("column", grid["columns"][column]):
        text = text.replace(f"{{{name}}}", word)
    return " ".join(text.replace("{value}", shown).split())


SET = """(control, value) => {
    control.value = value;
    control.dispatchEvent(new Event("input", { bubbles: true }));
}"""


def moved(page, figure, control, move):
    """Whether a move leaves the picture the same, and whether nothing is announced."""
    before, words = picture(figure), spoken(figure)
    move(page, control)
    changed = wait_until(page, lambda: picture(figure) != before)
    return not changed, spoken(figure) == words


def picture(figure):
    """The pixels of the frame that is shown."""
    return figure.locator("img").filter(visible=True).first.screenshot()


def spoken(figure):
    """What a screen reader is told: the value of each slider, the choice of each select box."""
    return figure.evaluate("""(figure) => [
        ...[...figure.querySelectorAll("output[aria-live]")].map((e) => e.textContent),
        ...[...figure.querySelectorAll("select")].map((e) => e.selectedOptions[0].textContent),
    ].join("|")""")


def by_keyboard(page, control):
    """One step with an arrow key, backwards at the end."""
    at_end = control.evaluate("""(e) => e.tagName === "SELECT"
        ? e.selectedIndex === e.options.length - 1 : Number(e.value) >= Number(e.max)""")
    vertical = control.evaluate("(e) => e.tagName === 'SELECT'")
    forward, back = ("ArrowDown", "ArrowUp") if vertical else ("ArrowRight", "ArrowLeft")
    control.focus()
    page.keyboard.press(back if at_end else forward)


def by_mouse(page, control):
    """A click on a slider's far end, or a choice in a select box, whose list the system draws."""
    if control.evaluate("(e) => e.tagName === 'SELECT'"):
        count = control.locator("option").count()
        chosen = control.evaluate("(e) => e.selectedIndex")
        control.select_option(index=(chosen + 1) % count)
        return
    box = control.bounding_box()
    past_middle = control.evaluate("(e) => 2 * e.value > Number(e.max) + Number(e.min)")
    x = box["x"] + (4 if past_middle else box["width"] - 4)
    page.mouse.click(x, box["y"] + box["height"] / 2)


def wait_until(page, condition, seconds=2):
    """Whether a condition becomes true within some seconds."""
    for _ in range(int(seconds * 10)):
        if condition():
            return True
        page.wait_for_timeout(100)
    return False


@cache
def parsed(path):
    """A page's addresses (of links, images, scripts and styles) and the ids in it."""
    soup = BeautifulSoup(Path(path).read_bytes(), "html.parser")
    tags = soup.find_all(["a", "link", "img", "script", "source", "iframe"])
    addresses = [tag.get("href") or tag.get("src") or "" for tag in tags]
    return addresses, {tag["id"] for tag in soup.find_all(id=True)}


def link_faults(path):
    """Links to files or anchors that do not exist, relative to the page."""
    faults = []
    for address in parsed(path)[0]:
        if ":" in address.split("/")[0] or address.startswith("//") or not address:
            continue  # another scheme: https:, mailto:, data:
        name, anchor = urldefrag(address)
        target = (path.parent / unquote(name.split("?")[0])).resolve() if name else path
        if not target.is_file():
            faults.append(f"no file: {address}")
        elif anchor and target.suffix == ".html" and unquote(anchor) not in parsed(target)[1]:
            faults.append(f"no anchor: {address}")
    return faults


# The pages


@pytest.fixture(params=PAGES or ["(none)"])
def path(request):
    assert PAGES, "no pages in _build/html: run `make book`"
    return HTML / request.param


def test_page(path, open_page, axe):
    """Loaded once, and looked at in three ways: a chapter takes seconds to set its formulas."""
    with open_page(path, "wide") as (page, requests, errors):
        faults = {"wide": [*formula_faults(page), *image_faults(page), *overflow_faults(page)]}
        faults["wide"] += axe(page)
        seen_as(page, "narrow")
        faults["narrow"] = [*formula_faults(page), *overflow_faults(page)]
        faults["narrow"] += axe(page, without=["color-contrast"])  # its colors are those of wide
        seen_as(page, "dark")
        faults["dark"] = axe(page, only=["color-contrast"])
        seen_as(page, "wide")
        faults["moved"] = explorable_faults(page)
        faults["loading"] = [*request_faults(requests), *errors]
    assert not any(faults.values()), faults


def test_links(path):
    faults = link_faults(path)
    assert not faults, "\n".join(faults)


def test_a_page_loads_the_script_of_explorables_once_and_only_if_it_has_one(path):
    text = path.read_text("utf-8")
    expected = int('class="explorable"' in text)
    for file in ("explore.js", "explore.css"):
        assert len(re.findall(rf"<(?:script|link)[^>]+{re.escape(file)}", text)) == expected
    assert "explorable-control {" not in text and "dataset.explore" not in text  # no copy inside
    assert "widget-state" not in text


def test_every_chapter_has_explorables():
    found = {
        page.name[:2]: page.read_text("utf-8").count('<figure class="explorable"')
        for page in (HTML / "chapters").glob("*.html")
    }
    least = {f"{n:02}": 1 for n in range(1, 11)} | dict.fromkeys(("04", "05", "08", "09"), 2)
    assert found.keys() >= least.keys()
    assert [n for n, count in found.items() if count < least.get(n, 1)] == []


def test_index_leads_to_the_first_page(open_page):
    with open_page(HTML / "index.html") as (page, _, errors):
        page.wait_for_url("**/book/index.html")
        assert page.title()
        assert not errors


# Each check finds what it is for


EXPLORABLE = widgets.explore(
    lambda ax, k: plots.heatmap([[k, 1], [0, 3]], ax, rows=["a", "b"], limits=(0, 3)),
    k=[0, 1, 2, 3], alt="Four cells, one of them {k}", size=(2, 1),
).html()  # fmt: skip
SOUND = f"""<!doctype html><html lang="en"><head><title>A page</title></head><body><main>
<h1>A page</h1><p>A formula <span class="math"><mjx-container>x</mjx-container></span></p>
<p><a href="#here">here</a></p><p id="here">Text</p>
<img alt="a dot" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">
{EXPLORABLE}</main></body></html>"""


def faults_of(html, folder, open_page, axe, only=None):
    """The faults of a page given as text, by the name of the check; of all checks, or of one."""
    path = folder / "page.html"
    path.write_text(html)
    parsed.cache_clear()
    with open_page(path, "narrow") as (page, requests, errors):
        checks = {
            "formula": lambda: formula_faults(page),
            "image": lambda: image_faults(page),
            "overflow": lambda: overflow_faults(page),
            "axe": lambda: axe(page),
            "explorable": lambda: explorable_faults(page),
            "link": lambda: link_faults(path),
            "request": lambda: request_faults(requests),
            "error": lambda: errors,
        }
        return {name: check() for name, check in checks.items() if only in (None, name)}


def test_a_sound_page_has_no_faults(tmp_path, open_page, axe):
    assert not any((faults := faults_of(SOUND, tmp_path, open_page, axe)).values()), faults


@pytest.mark.parametrize(
    ("check", "old", "new", "message"),
    [
        ("request", "</main>", '<script src="https://example.org/a.js"></script></main>', "https:"),
        ("request", "</main>", '<script>fetch("http://example.org/")</script></main>', "http:"),
        ("request", "</main>", '<script>new WebSocket("ws://example.org")</script></main>', "ws:"),
        ("error", "</main>", "<script>undefined.x</script></main>", "undefined"),
        ("error", "</main>", '<script>console.error("no")</script></main>', "no"),
        ("error", "</main>", '<script src="missing.js"></script></main>', "missing.js"),
        ("formula", "<mjx-container>x</mjx-container>", r"\(x\)", "raw"),
        ("formula", ">x</mjx", "></mjx", "empty"),
        ("formula", ">x</mjx", "><mjx-merror>x</mjx-merror></mjx", "error"),
        ("image", 'alt="a dot"', "", "no alt"),
        ("image", 'alt="a dot"', 'alt=" "', "no alt"),
        ("image", "data:image/gif;base64,R0", "data:image/gif;base64,", "not loaded"),
        ("overflow", "<p id=", '<p style="width: 900px" id=', "ends at"),
        ("axe", "<title>A page</title>", "", "document-title"),
        ("axe", "<p id=", '<p style="color: #ddd" id=', "color-contrast"),
        ("axe", "<p id=", '<p style="color: #fff" id=', "color-contrast"),
        ("axe", "<label>k", "<label>", "label"),
        ("explorable", "i === chosen", "i === 1", "picture"),
        ("explorable", "output.value = word", "output.title = word", "announced"),
        ("explorable", '<input type="range"', '<input type="range" disabled', "picture"),
        ("explorable", "<input ", '<input onkeydown="event.preventDefault()" ', "by_keyboard"),
        ("explorable", "<input ", '<input onmousedown="event.preventDefault()" ', "by_mouse"),
        ("explorable", "setInterval(step", "setInterval(show", "go on"),
        ("explorable", "=== input.max || !", "=== '9' || !", "stop at the end"),
        ("explorable", "fromTheStart ? input.min", "false ? 0", "begin again"),
        ("explorable", "    pauseAll(figure);\n", "", "does not pause"),
        ("explorable", 'isPlaying ? "off"', 'isPlaying ? "polite"', "at every step"),
        ("explorable", "height: 2rem;\n  justify", "height: 1rem;\n  justify", "too small"),
        ("explorable", 'aria-label="Play', 'aria-label="Go', "for each slider"),
        ("explorable", '("pointermove"', '("gone"', "mouse hears"),
        ("explorable", '("pointerout"', '("gone"', "the sentence is not"),
        ("explorable", '("pointerdown"', '("gone"', "finger hears"),
        ("explorable", '("keydown"', '("gone"', "keyboard hears"),
        ("explorable", "outline.hidden = !cell", "outline.hidden = true", "no outline"),
        ("explorable", "inset: 0;", "inset: 5px;", "lie on the picture"),
        ("link", "#here", "#there", "no anchor"),
        ("link", "#here", "missing.html", "no file"),
    ],
)
def test_a_planted_fault_is_found(check, old, new, message, tmp_path, open_page, axe):
    assert old in SOUND
    faults = faults_of(SOUND.replace(old, new), tmp_path, open_page, axe, only=check)
    assert any(message in fault for fault in faults[check]), faults
