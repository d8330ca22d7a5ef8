"""The built pages in a real browser, opened from disk.

Every check is a function that returns a list of faults, empty for a sound page. The last tests
plant one fault of each kind and assert that its check finds it.
"""

import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pypdf
import pytest
from bs4 import BeautifulSoup
from sphinx.errors import ExtensionError

from conftest import LOCAL, seen_as

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "book"), str(ROOT / "book" / "_ext")]
import pdf  # noqa: E402
import typeset  # noqa: E402
from pages import BUDGET, weight  # noqa: E402

HTML = ROOT / "_build" / "html"
# index.html only leads to the first page.
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path != HTML / "index.html"
)

# Between the margins of the print style, in CSS pixels.
PAPERS = {"A4": 673, "Letter": 695}


# The checks


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


def explorable_faults(page):
    """Explorables whose controls, by keyboard or by mouse, leave the picture as it was."""
    faults = []
    for number, figure in enumerate(page.locator(".explorable").all()):
        controls = figure.locator("input[type=range], select").all()
        if not controls:
            faults.append(f"explorable {number} has no control")
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
    return faults


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
    return figure.locator("img, svg").filter(visible=True).first.screenshot()


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
    """Loaded once, and looked at in all ways: a chapter takes seconds to load and to check."""
    with open_page(path, "wide") as (page, requests, errors):
        faults = {"wide": [*formula_faults(page), *image_faults(page), *overflow_faults(page)]}
        faults["wide"] += [*wide_formula_faults(page), *focus_faults(page), *axe(page)]
        seen_as(page, "narrow")
        faults["narrow"] = [*formula_faults(page), *overflow_faults(page), *focus_faults(page)]
        faults["narrow"] += axe(page, without=["color-contrast"])  # its colors are those of wide
        seen_as(page, "dark")
        faults["dark"] = axe(page, only=["color-contrast"])
        seen_as(page, "narrow dark")
        faults["narrow dark"] = axe(page, only=["color-contrast"])
        seen_as(page, "wide")
        faults["moved"] = explorable_faults(page)
        for paper, width in PAPERS.items():
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(media="print")
            faults[paper] = print_faults(page)
        faults["loading"] = [*request_faults(requests), *errors]
    assert not any(faults.values()), faults


def test_links(path):
    faults = link_faults(path)
    assert not faults, "\n".join(faults)


def test_weight(path):
    assert weight(path) <= 1000 * BUDGET["kilobytes"]


def test_a_page_weighs_its_pictures_too(tmp_path):
    """Each once; not what all pages share, nor what stands in the page itself."""
    for name, size in ("_static/all.js", 7000), ("own.js", 10), ("_images/a.png", 500):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(size))
    page = tmp_path / "book" / "page.html"
    page.parent.mkdir()
    page.write_text(
        '<script defer src="../_static/all.js?v=1"></script> <script src="../own.js"></script>'
        '<img alt="" src="../_images/a.png"><img src="../_images/a.png"><img src="data:;base64,AA">'
    )
    assert weight(page) == page.stat().st_size + 510


def test_index_leads_to_the_first_page(open_page):
    with open_page(HTML / "index.html") as (page, _, errors):
        page.wait_for_url("**/book/index.html")
        assert page.title()
        assert not errors


# What the pages are made with


def test_formulas_are_typeset_whatever_stands_in_them():
    page = (
        r'<span class="math notranslate nohighlight">\(a &lt; b\)</span> <span class="math '
        r'notranslate nohighlight">\(f(x)\)</span><div class="math notranslate nohighlight" id="e">'
        '\n<span class="eqno">(rnn-h)<a href="#e">#</a></span>'
        r"\[\begin{split}a\\[2pt] b\end{split}\]</div>"
    )
    found = [typeset.formula(match) for match in typeset.FORMULA.finditer(page)]
    assert found[:2] == [("a < b", False), ("f(x)", False)]
    assert found[2] == (r"\begin{split}a\\[2pt] b\end{split}", True)
    html, css = typeset.typeset(found)
    assert "<mo>&lt;</mo>" in html[found[0]] and "mjx-c" in css
    assert 'display="true"' in html[found[2]] and "<mtr>" in html[found[2]]


@pytest.mark.parametrize("wrong", [r"\frac{a}", r"\unknown"])
def test_a_formula_that_cannot_be_typeset_stops_the_build(wrong):
    with pytest.raises(ExtensionError, match="cannot read 1 formula"):
        typeset.typeset([("x", False), (wrong, True)])


def test_the_book_on_paper(chromium, tmp_path):
    """Two pages as one PDF: bookmarks, tags, alt texts, links, page numbers in the contents."""
    parts = [pdf.Part("A part", ["book/glossary"]), pdf.Part("Another", ["book/references"])]
    config = {"title": "The title", "author": "Its author", "html": {"extra_footer": "License"}}
    document = pdf.Document(config, parts)
    path = tmp_path / "two.pdf"
    count = pdf.write(document, chromium, path)
    reader = pypdf.PdfReader(path)
    assert count == len(reader.pages) > 3
    assert reader.metadata.title == "The title"
    assert reader.root_object["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in reader.root_object
    assert [x.title for x in reader.outline if not isinstance(x, list)] == ["A part", "Another"]
    begins = pdf.numbers_of(reader, parts)
    assert set(begins) == {"book/glossary", "book/references"}
    for page, number in begins.items():
        assert document.titles[page] in reader.pages[number - 1].extract_text()
    contents = reader.pages[1].extract_text()
    assert all(str(number) in contents for number in begins.values())
    links = [
        note.get_object()
        for page in reader.pages
        for note in page.get("/Annots", [])
        if note.get_object()["/Subtype"] == "/Link"
    ]
    inner = [link for link in links if "/Dest" in link]
    assert len(inner) > 2
    assert {link["/Dest"] for link in inner} <= set(reader.named_destinations)


# Each check finds what it is for


SOUND = """<!doctype html><html lang="en"><head><title>A page</title></head><body><main>
<h1>A page</h1><p>A formula <span class="math"><mjx-container>x</mjx-container></span></p>
<div class="math" style="width: 99px"><mjx-container style="display: block; overflow: auto">
<b style="display: block; width: 9px">y</b></mjx-container></div>
<details><summary>Answer</summary><p>Because</p></details>
<style>@media print { details::details-content { content-visibility: visible } }</style>
<p><a href="#here">here</a></p><p id="here">Text</p>
<img alt="a dot" src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">
<figure class="explorable"><label>k <input type="range" min="0" max="2" value="1"></label>
<output aria-live="polite">1</output>
<svg role="img" aria-label="a bar" width="99" height="9"><rect width="33" height="9"/></svg>
<script>
const [input, output, bar] = ["input", "output", "rect"].map((e) => document.querySelector(e));
input.addEventListener("input", () => {
    output.textContent = input.value;
    bar.setAttribute("width", 33 * input.value);
});
</script></figure></main></body></html>"""


def faults_of(html, folder, open_page, axe):
    """All faults of a page given as text, by the name of the check."""
    path = folder / "page.html"
    path.write_text(html)
    parsed.cache_clear()
    with open_page(path, "narrow") as (page, requests, errors):
        return {
            "formula": formula_faults(page),
            "image": image_faults(page),
            "overflow": overflow_faults(page),
            "wide": wide_formula_faults(page),
            "focus": focus_faults(page),
            "axe": axe(page),
            "explorable": explorable_faults(page),
            "print": (page.emulate_media(media="print"), print_faults(page))[1],
            "link": link_faults(path),
            "request": request_faults(requests),
            "error": errors,
        }


def test_a_sound_page_has_no_faults(tmp_path, open_page, axe):
    assert not any(faults_of(SOUND, tmp_path, open_page, axe).values())


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
        ("wide", "width: 9px", "width: 200px", "of 99 px"),
        ("focus", "<a ", '<a style="outline: none" ', "no mark"),
        ("focus", "<summary", '<summary style="outline: none"', "no mark"),
        ("print", "<p id=", '<p style="width: 900px" id=', "ends outside"),
        ("print", "width: 9px", "width: 200px", "scrolls"),
        ("print", "content-visibility: visible", "", "folded"),
        ("axe", "<title>A page</title>", "", "document-title"),
        ("axe", "<p id=", '<p style="color: #ddd" id=', "color-contrast"),
        ("axe", "<p id=", '<p style="color: #fff" id=', "color-contrast"),
        ("axe", "<label>k", "<label>", "label"),
        ("explorable", "33 * input.value", "33", "picture"),
        ("explorable", "output.textContent", "output.title", "announced"),
        ("explorable", '<input type="range"', '<input type="range" disabled', "picture"),
        ("explorable", "<input ", '<input onkeydown="event.preventDefault()" ', "by_keyboard"),
        ("explorable", "<input ", '<input onmousedown="event.preventDefault()" ', "by_mouse"),
        ("link", "#here", "#there", "no anchor"),
        ("link", "#here", "missing.html", "no file"),
    ],
)
def test_a_planted_fault_is_found(check, old, new, message, tmp_path, open_page, axe):
    assert old in SOUND
    faults = faults_of(SOUND.replace(old, new), tmp_path, open_page, axe)
    assert any(message in fault for fault in faults[check]), faults
