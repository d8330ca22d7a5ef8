"""The pages beside the chapters: their examples run, and the reference lists every module."""

import doctest
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```python\n(>>> .*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [
    page for page in sorted((ROOT / "book").glob("*.md")) if BLOCK.search(page.read_text("utf-8"))
]


def test_the_notation_page_has_an_example():
    assert ROOT / "book" / "notation.md" in PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_print_what_the_page_says(page):
    source = "\n".join(BLOCK.findall(page.read_text("utf-8")))
    example = doctest.DocTestParser().get_doctest(source, {}, page.name, str(page), 0)
    report = []
    failed, tried = doctest.DocTestRunner().run(example, out=report.append)
    assert tried > 0 and failed == 0, "".join(report)


def test_the_reference_lists_every_module_once():
    listed = re.findall(r"automodule:: (\S+)", (ROOT / "book" / "api.md").read_text("utf-8"))
    files = [path.relative_to(ROOT) for path in (ROOT / "seqlib").rglob("*.py")]
    modules = [".".join(path.with_suffix("").parts) for path in files if path.name != "__init__.py"]
    internal = {"seqlib.scratch.checks"} | {
        f"seqlib.grading.{name}" for name in ("__main__", "child", "wire")
    }
    assert sorted(listed) == sorted(set(modules) - internal)


def test_the_contents_are_in_order():
    """All chapters, then all exercises, by their numbers."""
    listed = re.findall(r"file: (\S+)", (ROOT / "_toc.yml").read_text("utf-8"))
    for part, pattern in (("chapters", "*.ipynb"), ("exercises", "*/solution.ipynb")):
        files = sorted((ROOT / part).glob(pattern))
        there = [str(path.relative_to(ROOT).with_suffix("")) for path in files]
        assert [name for name in listed if name.startswith(f"{part}/")] == there
    places = [listed.index("book/exercises"), listed.index("chapters/10_transformer")]
    assert places == sorted(places, reverse=True)


def test_the_speed_of_grading_is_the_recorded_one():
    record = json.loads((ROOT / "benchmarks" / "grading.json").read_text("utf-8"))["results"]
    page = (ROOT / "book" / "teaching.md").read_text("utf-8")
    table = page.split("| graded by |")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    found = {name: (float(seconds), float(rate)) for name, seconds, rate in rows}
    assert found == {
        name: (ran["seconds"], ran["submissions_per_second"]) for name, ran in record.items()
    }
