"""What can be wrong with a page: functions that return a list of faults, empty for a sound page.

tests/test_book.py asks them of every page, and plants a fault of each kind that must be found.
"""

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag

import glossary_links
from bs4 import BeautifulSoup, NavigableString

from conftest import LOCAL, UNREACHED


def request_faults(requests):
    """Requests that would leave the machine."""
    return [url for url in requests if not url.startswith(LOCAL)]


def formula_faults(page):
    """Formulas that were not typeset, or with an error in red."""
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


def wide_formula_faults(page):
    """Formulas that are wider than the column, so that a reader has to scroll."""
    return page.evaluate("""() => [...document.querySelectorAll("div.math mjx-container")]
        .filter((e) => e.scrollWidth > e.clientWidth + 1)
        .map((e) => `${e.closest(".math").id || e.textContent.slice(0, 60)}: ` +
            `${e.scrollWidth} of ${e.clientWidth} px`)""")


def print_faults(page):
    """What paper would cut: wider than the column, scrolled, or folded."""
    return page.evaluate("""() => {
        const column = document.querySelector("article, main");
        const edge = column.getBoundingClientRect().right + 1;
        const name = (e) => `${e.localName}.${e.className}: ${e.textContent.slice(0, 40)}`;
        const inner = "mjx-math, mjx-assistive-mml, svg, .visually-hidden";
        const seen = [...column.querySelectorAll("*")]
            .filter((e) => e.checkVisibility() && !e.closest(inner));
        const clipped = (e) => getComputedStyle(e).overflowX !== "visible" && e.clientWidth > 1 &&
            e.scrollWidth > e.clientWidth + 1;
        return [
            ...seen.filter((e) => e.getBoundingClientRect().right > edge)
                .map((e) => `ends outside: ${name(e)}`),
            ...seen.filter(clipped).map((e) => `scrolls: ${name(e)}`),
            ...[...column.querySelectorAll("details")].filter((e) => e.checkVisibility())
                .filter((e) => !e.lastElementChild.checkVisibility({contentVisibilityAuto: true}))
                .map((e) => `folded: ${name(e)}`),
        ].slice(0, 10);
    }""")


def focus_faults(page):
    """What a keyboard reaches without a mark that shows where it is."""
    page.keyboard.press("Tab")  # from now on the browser knows that a keyboard leads
    return page.evaluate("""() => {
        const look = (e) => {
            const s = getComputedStyle(e);
            const outline = s.outlineStyle === "none" ? "" : s.outlineWidth + s.outlineColor;
            return [outline, s.boxShadow].join("|");
        };
        const reached = [...document.querySelectorAll(
            "a[href], button, input, select, textarea, summary, [tabindex]")]
            .filter((e) => e.tabIndex >= 0 && !e.disabled && e.checkVisibility(
                {visibilityProperty: true}));
        return reached.filter((e) => {
            e.focus();
            if (document.activeElement !== e) return false;
            const focused = look(e);
            e.blur();
            return focused === look(e);
        }).map((e) => `no mark: ${e.outerHTML.slice(0, 90)}`).slice(0, 10);
    }""")


def reach_faults(page):
    """Boxes that scroll sideways, and that the keyboard cannot reach."""
    return [f"no keyboard reaches: {text}" for text in page.evaluate(UNREACHED)]


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


NOT_PROSE = (
    "h1, h2, h3, h4, h5, h6, code, pre, figcaption, caption, thead, summary, "
    ".math, .cell, .admonition-title, .rubric"
)


def glossary_names(page):
    """A dict from each name in the built glossary to the anchor of its entry."""
    soup, names, anchor = BeautifulSoup(page, "html.parser"), {}, None
    for tag in soup.select("dl.glossary > dt, dl.glossary > dd"):
        anchor = None if tag.name == "dd" else anchor or tag["id"]
        if tag.name == "dt":
            names[tag.find(string=True).strip()] = anchor
    return names


def glossary_faults(page, names, elsewhere=()):
    """Terms whose first use in a chapter is no link to their entry, and all other such links.

    names      dict from name to anchor
    elsewhere  names of the terms whose words mean something else in this chapter
    """
    article = BeautifulSoup(page, "html.parser").find("article")
    faults, seen = [], {names[name] for name in elsewhere}
    hidden = {id(tag) for tag in article.select(NOT_PROSE)}
    ordered = sorted(names, key=len, reverse=True)
    terms = glossary_links.pattern(ordered)
    for string in article.find_all(string=True):
        link = string.find_parent("a")
        target = None
        if link and "glossary-term" in link.get("class", ()):
            target = link["href"].partition("#")[2]
        out = type(string) is not NavigableString or any(id(x) in hidden for x in string.parents)
        if out or (link and not target):
            faults += [f"not in prose: {string}"] if target else []
            continue
        used = [names[ordered[match.lastindex - 1]] for match in terms.finditer(string)]
        if target and (used != [target] or target in seen):
            faults.append(f"a link too many: {string}")
        if not target:
            faults += [f"no link to #{anchor}" for anchor in sorted({*used} - seen)]
        seen.update(used)
    return faults
