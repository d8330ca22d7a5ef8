"""The whole book as one PDF: `make pdf`.

    python book/pdf.py             A4
    python book/pdf.py Letter

The articles of all built pages, one after the other, make one document, and Chromium prints it.
Links lead from page to page, headings become bookmarks, and alt texts and MathML go along, since
the PDF is tagged.
"""

import html
import posixpath
import sys
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

import lxml.html
import yaml
from playwright.sync_api import sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.generic import BooleanObject, NameObject

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))
from browser import ensure_browser  # noqa: E402

HTML = ROOT / "_build" / "html"
PDF = ROOT / "_build" / "sequence-models.pdf"
PAPERS = ("A4", "Letter")
# Of no use on paper: links to headings, scripts, and what only a screen shows.
DROPPED = (
    ".//script | .//noscript | .//a[contains(@class, 'headerlink')]"
    " | .//*[contains(@class, 'd-print-none')]"
)
DOCUMENT = """<!doctype html>
<html lang="{language}" data-theme="light" data-mode="light"><head><meta charset="utf-8">
<title>{title}</title>
{styles}
<link rel="stylesheet" href="{pdf_style}">
</head><body><main class="bd-main book">
<header class="title-page"><p class="title">{title}</p><p class="author">{author}</p>
<p class="license">{license}</p></header>
<nav class="book-contents bd-article" aria-label="Contents"><p class="heading">Contents</p>
{contents}</nav>
{parts}
</main></body></html>
"""
FOOTER = (
    '<div style="width: 100%; text-align: center; font: 8pt sans-serif; color: #555">'
    '<span class="pageNumber"></span></div>'
)


class Part(NamedTuple):
    """A part of the book: its title, and its pages as paths without their suffix."""

    title: str
    pages: list[str]


def parts(config, toc):
    """The parts of the book in order; what stands before the first caption has the book's title."""
    found = [Part(config["title"], [toc["root"]])]
    for part in toc["parts"]:
        if part.get("caption"):
            found.append(Part(part["caption"], []))
        found[-1].pages.extend(entry["file"] for entry in part["chapters"])
    return found


def anchor(page, name=""):
    """The id, in the one document, of a page or of what has this id in it."""
    return page.replace("/", "-") + (f".{name}" if name else "")


def lead(address, page, pages):
    """Where a link of a page leads in the document; None if that is no page of the book."""
    if urlsplit(address).scheme:
        return address
    path, name = urldefrag(address)
    if path:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(path)))
        page = path.removesuffix(".html")
    return f"#{anchor(page, unquote(name))}" if page in pages else None


def parse(page):
    """The elements of a built page."""
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True)
    return lxml.html.parse(str(HTML / f"{page}.html"), parser).getroot()


def article(page, pages):
    """The article of a page as one of the document's: HTML, and its title.

    Every id gets the page's name before it, headings go down by one, details are open, and
    pictures are named by their full address.
    """
    [body] = parse(page).xpath("//article[contains(@class, 'bd-article')]")
    for element in body.xpath(DROPPED):
        element.drop_tree()
    for element in body.iter(lxml.html.etree.Element):
        for key in ("id", "for", "aria-labelledby", "aria-describedby"):
            if element.get(key):
                element.set(key, " ".join(anchor(page, name) for name in element.get(key).split()))
        if element.get("src") and not urlsplit(element.get("src")).scheme:
            element.set("src", ((HTML / page).parent / unquote(element.get("src"))).as_uri())
        if element.tag == "a" and element.get("href") is not None:
            target = lead(element.get("href"), page, pages)
            element.attrib.pop("href") if target is None else element.set("href", target)
        if element.tag == "details":
            element.set("open", "")
        if element.tag in ("h1", "h2", "h3", "h4", "h5"):
            element.tag = f"h{int(element.tag[1]) + 1}"
    body.set("id", anchor(page))
    title = " ".join(body.xpath("string(.//h2)").split())
    return lxml.html.tostring(body, encoding="unicode"), title


def styles(page):
    """The style sheets of a built page, by their full addresses."""
    folder = (HTML / page).parent
    names = parse(page).xpath("//head/link[@rel='stylesheet']/@href")
    return "\n".join(
        f'<link rel="stylesheet" href="{(folder / name.split("?")[0]).resolve().as_uri()}">'
        for name in names
    )


class Document:
    """The document that is printed: all parts of the book, or some."""

    def __init__(self, config, found):
        self.config, self.found = config, found
        self.pages = [page for part in found for page in part.pages]
        done = {page: article(page, self.pages) for page in self.pages}
        self.titles = {page: title for page, (_, title) in done.items()}
        self.body = "\n".join(
            f'<section class="part"><h1>{html.escape(part.title)}</h1>'
            + "\n".join(done[page][0] for page in part.pages)
            + "</section>"
            for part in found
        )

    def html(self, numbers):
        """The whole document; `numbers` gives the page on which each article begins."""
        contents = ""
        for part in self.found:
            rows = "".join(
                f'<li><a href="#{anchor(page)}">{html.escape(self.titles[page])}</a>'
                f"<span>{numbers.get(page, 0)}</span></li>"
                for page in part.pages
            )
            contents += f"<p>{html.escape(part.title)}</p><ul>{rows}</ul>"
        return DOCUMENT.format(
            language="en",
            title=html.escape(self.config["title"]),
            author=html.escape(self.config["author"]),
            license=html.escape(self.config["html"]["extra_footer"].strip()),
            styles=styles(self.pages[0]),
            pdf_style=(ROOT / "book" / "pdf.css").as_uri(),
            contents=contents,
            parts=self.body,
        )


def numbers_of(reader, found):
    """The page on which each article begins, from the bookmarks: parts, and in them articles."""
    begins, part = {}, -1
    outline = reader.outline
    for item, inside in zip(outline, [*outline[1:], None], strict=True):
        if isinstance(item, list) or not isinstance(inside, list):
            continue
        part += 1
        articles = [x for x in inside if not isinstance(x, list)]
        for page, bookmark in zip(found[part].pages, articles, strict=True):
            begins[page] = reader.get_destination_page_number(bookmark) + 1
    return begins


def write(document, browser, path, paper="A4"):
    """Print a Document to a file, twice: only then are the numbers of its contents known."""
    source = path.with_suffix(".html")
    numbers = {}
    for _ in range(2):
        source.write_text(document.html(numbers), encoding="utf-8")
        page = browser.new_page()
        page.set_default_timeout(600_000)
        page.goto(source.as_uri(), timeout=600_000)
        page.evaluate("document.fonts.ready.then(() => true)")
        page.pdf(
            path=path,
            format=paper,
            tagged=True,
            outline=True,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
        )
        page.close()
        numbers = numbers_of(PdfReader(path), document.found)
    source.unlink()
    writer = PdfWriter(clone_from=path)
    writer.add_metadata({"/Title": document.config["title"], "/Author": document.config["author"]})
    writer.page_mode = "/UseOutlines"
    writer.create_viewer_preferences()[NameObject("/DisplayDocTitle")] = BooleanObject(True)
    writer.write(path)
    return len(writer.pages)


def main(paper="A4"):
    if paper not in PAPERS:
        raise SystemExit(f"There is no paper {paper}; there are {', '.join(PAPERS)}.")
    if not HTML.is_dir():
        raise SystemExit("There are no pages in _build/html: run `make book`.")
    chromium = ensure_browser()
    if chromium is None:
        return 1
    start = time.perf_counter()
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    document = Document(config, parts(config, toc))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        count = write(document, browser, PDF, paper)
        browser.close()
    print(f"{count} pages, {PDF.stat().st_size / 1e6:.1f} MB, {time.perf_counter() - start:.0f} s:")
    print(PDF.as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
