"""The built pages in a real browser, opened from disk.

The checks are in faults.py. The last tests plant one fault of each kind and assert that its check
finds it.
"""

import json
import os
import re
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urldefrag

import first_paint
import glossary_links
import pdf
import pypdf
import pytest
import typeset
from bs4 import BeautifulSoup
from faults import (
    explorable_faults,
    focus_faults,
    formula_faults,
    glossary_faults,
    glossary_names,
    image_faults,
    link_faults,
    overflow_faults,
    parsed,
    print_faults,
    reach_faults,
    request_faults,
    wide_formula_faults,
)
from pages import BUDGET, over, weight
from sphinx.errors import ExtensionError
from tags import code_lines, formulas, the_book

from conftest import seen_as
from seqlib import plots, widgets

ROOT = Path(__file__).resolve().parent.parent

HTML = ROOT / "_build" / "html"
# index.html only leads to the first page.
PAGES = sorted(
    path.relative_to(HTML).as_posix()
    for path in HTML.rglob("*.html")
    if "_static" not in path.parts and path != HTML / "index.html"
)

# Between the margins of the print style, in CSS pixels.
PAPERS = {"A4": 673, "Letter": 695}


# The pages


@pytest.fixture(params=PAGES or ["(none)"])
def path(request):
    assert PAGES, "no pages in _build/html: run `make book`"
    return HTML / request.param


# Most of a chapter's elements are inside formulas, where all has the color of the text and no role,
# or are words of code, of which those of a kind have one color; in the reference most are parts of
# signatures.  A few of them are enough for axe.
THIN_OUT = """() => {
    document.querySelectorAll("mjx-math").forEach((e) => e.replaceChildren());
    document.querySelectorAll("mjx-assistive-mml").forEach((e) => e.replaceChildren(e.textContent));
    const seen = {};
    for (const word of document.querySelectorAll(".highlight pre span")) {
        seen[word.className] = (seen[word.className] ?? 0) + 1;
        if (seen[word.className] > 9) word.replaceWith(...word.childNodes);
    }
    const signatures = [...document.querySelectorAll("dt.sig")].slice(99);
    signatures.forEach((e) => e.replaceChildren(e.textContent));
}"""
# Widths do not change the colors, nor colors the rest.
AXE = {
    "wide": {},
    "narrow": {"without": ["color-contrast"]},
    "dark": {"only": ["color-contrast"]},
    "narrow dark": {"only": ["color-contrast"]},
}


# The pages of sources are one like the other, and `test_links` looks into all of them.
EXAMPLES = ("source/seqlib/scratch/lstm.html", "source/tests/test_gradients.html")
LOOKED_AT = [page for page in PAGES if not page.startswith("source/") or page in EXAMPLES]


def test_the_examples_are_there():
    assert set(EXAMPLES) < set(PAGES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_lines_of_a_source_stand_one_below_the_other(name, open_page):
    with open_page(HTML / name) as (page, _, _):
        tops = page.evaluate("""() => [...document.querySelectorAll(".source [id^=line-]")]
            .map((line) => line.getBoundingClientRect().top)""")
    assert len(tops) > 100
    assert all(one + 5 < other for one, other in pairwise(tops))


@pytest.mark.parametrize("path", [HTML / page for page in LOOKED_AT], ids=LOOKED_AT)
def test_page(path, open_page, axe):
    """Loaded once, and looked at in all ways: a chapter takes seconds to load and to check."""
    with open_page(path, "wide") as (page, requests, errors):
        faults = {"wide": [*formula_faults(page), *image_faults(page), *overflow_faults(page)]}
        faults["wide"] += [*wide_formula_faults(page), *focus_faults(page)]
        faults["moved"] = explorable_faults(page)
        for paper, width in PAPERS.items():
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(media="print")
            faults[paper] = print_faults(page)
        page.emulate_media(media="screen")
        seen_as(page, "narrow")
        faults["narrow"] = [*formula_faults(page), *overflow_faults(page), *focus_faults(page)]
        faults["narrow"] += reach_faults(page)
        if "chapters" in path.parts or path.stem in ("equations", "api"):  # others: whole
            page.evaluate(THIN_OUT)
        for view, choice in AXE.items():
            seen_as(page, view)
            faults[f"axe, {view}"] = axe(page, **choice)
        faults["loading"] = [*request_faults(requests), *errors]
    assert not {view: found for view, found in faults.items() if found}


def test_links(path):
    faults = link_faults(path)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("path", sorted(HTML.glob("chapters/*.html")), ids=lambda path: path.stem)
def test_the_first_use_of_a_term_leads_to_the_glossary(path):
    names = glossary_names((HTML / "book" / "glossary.html").read_bytes())
    elsewhere = glossary_links.ELSEWHERE.get(path.stem, ())
    faults = glossary_faults(path.read_bytes(), names, elsewhere)
    assert not faults, "\n".join(faults)


def addresses_on(page):
    """What the links in the text of a page lead to, relative to the built book."""
    article = BeautifulSoup((HTML / page).read_bytes(), "html.parser").find("article")
    links = [urldefrag(tag["href"]) for tag in article.select("a.reference.internal")]
    here = (HTML / page).parent
    return {(os.path.relpath(here / name, HTML), unquote(anchor)) for name, anchor in links if name}


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("chapters/")])
def test_every_figure_is_listed(page):
    article = BeautifulSoup((HTML / page).read_bytes(), "html.parser").find("article")
    figures = article.select("figure")
    anchors = {next(tag["id"] for tag in [f, *f.parents] if tag.get("id")) for f in figures}
    assert len(anchors) == len(figures) > 5, "two figures with one anchor"
    assert {(page, anchor) for anchor in anchors} <= addresses_on("book/figures.html")


def test_every_record_is_listed_and_leads_to_where_it_is_shown():
    soup = BeautifulSoup((HTML / "book" / "experiments.html").read_bytes(), "html.parser")
    for path in sorted((ROOT / "benchmarks").glob("*.json")):
        row = soup.find(id=f"record-{path.stem}").find_parent("tr")
        assert str(round(json.loads(path.read_text("utf-8"))["cpu_seconds"])) in row.text
        named = rf"load\(\\\"{path.stem}\\\"\)|benchmarks/{path.stem}\.json"
        chapters = {
            f"chapters/{chapter.stem}.html"
            for chapter in (ROOT / "chapters").glob("*.ipynb")
            if re.search(named, chapter.read_text("utf-8"))
        }
        linked = {os.path.relpath(f"book/{a['href'].split('#')[0]}") for a in row.find_all("a")}
        assert chapters <= linked, path.stem
    assert {(page, "") for page in PAGES if page.startswith("chapters/")} <= addresses_on(
        "book/experiments.html"
    )


@pytest.mark.parametrize("name", [page for page in PAGES if not page.startswith("source/")])
def test_a_page_loads_the_script_of_explorables_once_and_only_if_it_has_one(name):
    text = (HTML / name).read_text("utf-8")
    expected = int('class="explorable"' in text)
    found = {
        file: len(re.findall(rf"<(?:script|link)[^>]+{re.escape(file)}", text))
        for file in ("explore.js", "explore.css")
    }
    assert found == {"explore.js": expected, "explore.css": expected}
    copies = [part for part in ("explorable-control {", "dataset.explore") if part in text]
    assert not copies, "a copy in the page"


def test_every_chapter_has_explorables():
    found = {
        page.name[:2]: page.read_text("utf-8").count('<figure class="explorable"')
        for page in (HTML / "chapters").glob("*.html")
    }
    least = {f"{n:02}": 1 for n in range(1, 11)} | dict.fromkeys(("04", "05", "08", "09"), 2)
    assert found.keys() >= least.keys()
    assert [n for n, count in found.items() if count < least.get(n, 1)] == []


def test_weight(path):
    assert weight(path) <= 1000 * BUDGET["kilobytes"]


def test_the_recorded_pages_keep_the_budgets_that_the_book_names():
    rows = json.loads((ROOT / "benchmarks" / "pages.json").read_text("utf-8"))["results"]["rows"]
    assert {row["page"]: over(row) for row in rows if over(row)} == {}
    pages = {name.removesuffix(".html") for name in PAGES if not name.startswith("source/")}
    assert pages <= {row["page"] for row in rows}
    text = (ROOT / "book" / "experiments.md").read_text("utf-8")
    assert all(f"{BUDGET[key]:,}" in text for key in BUDGET if key != "layout_shift")


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_paint_of_a_page_is_its_last(scheme, chromium):
    """Before the scripts are read, its letters are there, and it is light or dark as it will be."""
    context = chromium.new_context(color_scheme=scheme)
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.route("**/*.js*", lambda route: route.abort())
    page.goto((HTML / "chapters" / "03_bptt.html").as_uri())
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    names = [name for fonts in first_paint.LETTERS.values() for name in fonts]
    assert not [url for url in asked if url.endswith(tuple(names))]
    for font in (font for fonts in first_paint.LETTERS.values() for font in fonts.values()):
        assert page.evaluate("font => document.fonts.check(font)", font), font
    context.close()


def test_index_leads_to_the_first_page(open_page):
    with open_page(HTML / "index.html") as (page, _, errors):
        page.wait_for_url("**/book/index.html")
        assert page.title()
        assert not errors


# Equations


def marks():
    """The marks of all formulas, by tag: the page, the element, and the number that it shows."""
    for name in PAGES:
        if name.startswith("chapters/"):
            soup = BeautifulSoup((HTML / name).read_bytes(), "html.parser")
            for formula in soup.select("div.math[id^=equation-]"):
                mark = formula.find_next_sibling(class_="equation-mark")
                yield formula["id"].removeprefix("equation-"), HTML / name, formula, mark


@cache
def lines_of(path):
    """The lines of a source's page by their anchors."""
    soup = BeautifulSoup(path.read_bytes(), "html.parser")
    return {line["id"]: line.get_text() for line in soup.select("[id^=line-]")}


def line_behind(page, address):
    """The text of the line of a source that a link names."""
    name, anchor = urldefrag(address)
    return lines_of((page.parent / unquote(name)).resolve())[anchor]


def test_every_formula_has_its_number_and_leads_to_its_lines():
    modules, chapters = the_book()
    lines = Counter(line.tag for source in modules.values() for line in code_lines(source))
    seen = [(tag, page, mark) for tag, page, _, mark in marks()]
    assert [tag for tag, _, _ in seen] == [
        tag for name in chapters for tag in formulas(chapters[name])
    ]
    count = Counter()
    for tag, page, mark in seen:
        chapter = int(page.name[:2])
        count[chapter] += 1
        assert f"Equation {chapter}.{count[chapter]}" in mark.get_text(), tag
        links = [link["href"] for link in mark.find_all("a") if "source/seqlib" in link["href"]]
        assert len(links) == lines[tag], tag
        for link in links:
            assert f"({tag})" in line_behind(page, link), (tag, link)
        tests = [link["href"] for link in mark.find_all("a") if "source/tests" in link["href"]]
        assert bool(tests) == bool(lines[tag]), tag
        assert all("def test_" in line_behind(page, link) for link in tests), tag


def test_the_list_of_equations_is_complete():
    soup = BeautifulSoup((HTML / "book" / "equations.html").read_bytes(), "html.parser")
    assert [entry["id"] for entry in soup.select(".equation-entry")] == [tag for tag, *_ in marks()]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("lstm-c", "chapters/05_lstm.html#equation-lstm-c"),
        ("teacher forcing", "book/glossary.html#term-Teacher-forcing"),
    ],
)
def test_the_search_finds(words, found, open_page):
    with open_page(HTML / "search.html", query=f"?q={words}") as (page, _, errors):
        page.wait_for_selector("#search-results li a")
        first = page.locator("#search-results li a").first.get_attribute("href")
        assert first == found
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


EXPLORABLE = widgets.explore(
    lambda ax, k: plots.heatmap([[k, 1], [0, 3]], ax, rows=["a", "b"], limits=(0, 3)),
    k=[0, 1, 2, 3], alt="Four cells, one of them {k}", size=(2, 1),
).html()  # fmt: skip
SOUND = f"""<!doctype html><html lang="en"><head><title>A page</title></head><body><main>
<h1>A page</h1><p>A formula <span class="math"><mjx-container>x</mjx-container></span></p>
<div class="math" style="width: 99px"><mjx-container style="display: block; overflow: auto">
<b style="display: block; width: 9px">y</b></mjx-container></div>
<details><summary>Answer</summary><p>Because</p></details>
<style>@media print {{ details::details-content {{ content-visibility: visible }} }}</style>
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
            "wide": lambda: wide_formula_faults(page),
            "focus": lambda: focus_faults(page),
            "reach": lambda: reach_faults(page),
            "axe": lambda: axe(page),
            "explorable": lambda: explorable_faults(page),
            "print": lambda: (page.emulate_media(media="print"), print_faults(page))[1],
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
        ("wide", "width: 9px", "width: 200px", "of 99 px"),
        ("focus", "<a ", '<a style="outline: none" ', "no mark"),
        ("focus", "<summary", '<summary style="outline: none"', "no mark"),
        ("reach", "width: 9px", "width: 200px", "no keyboard reaches: y"),
        ("print", "<p id=", '<p style="width: 900px" id=', "ends outside"),
        ("print", "width: 9px", "width: 200px", "scrolls"),
        ("print", "content-visibility: visible", "", "folded"),
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


GLOSSARY = """<dl class="glossary"><dt id="term-Mask">Mask</dt><dd>It says what counts.</dd>
<dt id="term-LSTM">LSTM</dt><dt id="term-Long">Long short-term memory</dt><dd>A cell.</dd>
<dt id="term-Causal">Causal mask</dt><dd>A mask.</dd></dl>"""
LINKED = """<article><h2>The mask of an LSTM</h2>
<p>A <a class="glossary-term" href="glossary.html#term-Causal">causal
mask</a>, the <code>mask</code>, <a href="#x">masks</a>, self-mask; then
<em><a class="glossary-term" href="glossary.html#term-Mask">Masks</a></em>, causal masks, a mask.
<a class="glossary-term" href="glossary.html#term-LSTM">LSTMs</a>, a long short-term memory,
the state of an lstm.</p></article>"""


def test_a_page_with_its_terms_linked_has_no_faults():
    assert not glossary_faults(LINKED, glossary_names(GLOSSARY))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<h2>", "<p>A mask</p><h2>", "no link to #term-Mask"),
        ("</em>", '</em> <a class="glossary-term" href="#term-Mask">mask</a>', "a link too many"),
        ("#term-Causal", "#term-Mask", "a link too many"),
        (">Masks</a>", ">State</a>", "a link too many"),
        ("<em>", "<em><code>", "not in prose"),
    ],
)
def test_a_term_without_its_link_is_found(old, new, message):
    assert old in LINKED
    faults = glossary_faults(LINKED.replace(old, new), glossary_names(GLOSSARY))
    assert any(message in fault for fault in faults), faults
