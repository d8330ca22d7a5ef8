"""The structure of every chapter: one function for each rule, from a notebook to its faults."""

import ast
import copy
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
MOST_CELLS, MOST_LINES = 90, 15
CPU_BUDGET = 30  # seconds; a machine may be three times as slow as the one it was set on
CLAIM = "nbval-check-output"
NOT_STORED = ("image/", "text/html", "application/javascript", "application/vnd.")
GLUED = "application/papermill.record/"
QUIZ, LEAST_WHY = "Three questions", 40  # characters of an explanation
ANSWER = re.compile(
    r'^<details class="quiz"><summary>([^\n]+)</summary>\n\n'
    r"\*\*(Right|Not so)\.\*\* (.+?)\n\n</details>$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"\[([^\[\]]+)\]\(([^)]+)\)")
NETWORK = {"urllib", "requests", "httpx", "socket", "http", "ftplib", "pooch", "wget"}


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    """All text of a notebook, without the code blocks in it."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.sub(r"^(`{3,}).*?^\1`*[ ]*$", "", text, flags=re.MULTILINE | re.DOTALL)


def first_line(cell):
    return repr(cell.source.strip().split("\n")[0][:60])


def is_claim(cell):
    return CLAIM in cell.metadata.get("tags", [])


def texts(cell):
    """The stored plain texts of what a cell shows, without what it prints."""
    return [output.data.get("text/plain", "") for output in cell.outputs if "data" in output]


def three_items(text, title):
    """Whether a list of three items follows a line that holds the title."""
    after = re.split(rf"^[#* ]*{title}\b.*$", text, maxsplit=1, flags=re.MULTILINE)
    if len(after) == 1:
        return False
    listed = re.split(r"^#", after[1], maxsplit=1, flags=re.MULTILINE)[0]
    listed = re.split(r"\n\n(?![-*\d\s])", listed.strip("\n"), maxsplit=1)[0]
    return len(re.findall(r"^(?:[-*]|\d\.) ", listed, re.MULTILINE)) == 3


# The rules


def frame(notebook):
    """A title, what the reader will be able to do, what was seen, the sources: in this order."""
    text, faults = prose(notebook), []
    if not notebook.cells or not notebook.cells[0].source.startswith("# "):
        faults.append("the first cell does not begin with a title")
    if len(re.findall(r"^# ", text, re.MULTILINE)) != 1:
        faults.append("there is not exactly one title")
    for title in ("You will be able to", "You saw"):
        if not three_items(text, title):
            faults.append(f"no list of three items stands under {title!r}")
    parts = [re.search(rf"^[#* ]*{t}\b", text, re.M) for t in ("You saw", "Sources")]
    if not all(parts) or parts[0].start() > parts[1].start():
        faults.append("'You saw' and then 'Sources' do not stand at the end")
    elif not re.search(r"\{cite(:\w+)?\}`", text[parts[1].start() :]):
        faults.append("the sources cite nothing")
    return faults


def one_import_cell(notebook):
    """All imports stand in the first code cell."""
    importing = [
        i
        for i, cell in enumerate(code_cells(notebook))
        if any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree(cell))
    ]
    return [] if importing == [0] else [f"code cells {importing} import; it should be [0]"]


def sizes(notebook):
    """Few cells, short ones, and a sentence between any two of code."""
    faults, cells = [], notebook.cells
    if len(cells) > MOST_CELLS:
        faults.append(f"{len(cells)} cells; at most {MOST_CELLS}")
    for cell in code_cells(notebook):
        lines = sum(bool(line.strip()) for line in cell.source.split("\n"))
        if not 0 < lines <= MOST_LINES:
            faults.append(f"{first_line(cell)}: {lines} lines; 1 to {MOST_LINES}")
    for before, cell in pairwise(cells):
        if before.cell_type == cell.cell_type == "code":
            faults.append(f"{first_line(cell)}: no text before this code cell")
    return faults


def executed_in_order(notebook):
    """Run top to bottom in a fresh kernel, without an error or a warning."""
    faults, counts = [], [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        faults.append(f"execution counts are {counts}")
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if output.get("execution_count", cell.execution_count) != cell.execution_count:
                faults.append(f"{first_line(cell)}: its output is of another run")
            if output.output_type == "error" or output.get("name") == "stderr":
                faults.append(f"{first_line(cell)}: stored {output.output_type} of a failure")
    return faults


def tree(cell):
    """The nodes of a cell's code; none if it is no Python, which `plain_code` reports."""
    try:
        return list(ast.walk(ast.parse(cell.source)))
    except SyntaxError:
        return []


def plain_code(notebook):
    """No magics, no installation, no network, no warning filters: Python that runs anywhere."""
    faults = []
    for cell in code_cells(notebook):
        wrong = set()
        if not tree(cell):
            wrong.add("no Python")
        for node in tree(cell):
            names = [alias.name for alias in getattr(node, "names", []) if hasattr(alias, "name")]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            packages = {name.split(".")[0] for name in names}
            wrong |= packages & (NETWORK | {"warnings", "subprocess"})
            if isinstance(node, ast.Name) and node.id == "get_ipython":
                wrong.add("get_ipython")
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                wrong |= set(re.findall(r"https?://\S+|pip3? install", node.value))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "corpora.text":
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                wrong |= {ast.unparse(a) for a in given if ast.unparse(a) != "'book'"}
        faults += [f"{first_line(cell)}: {item}" for item in sorted(wrong)]
    return faults


def text_outputs_only(notebook):
    """No pictures, widgets or HTML are stored."""
    return [
        f"{first_line(cell)}: stored {mime}"
        for cell in code_cells(notebook)
        for output in cell.outputs
        for mime in output.get("data", {})
        if mime.removeprefix(GLUED).startswith(NOT_STORED)
    ]


def claims_hold(notebook):
    """A cell with a claim prints what nbval compares, asserts it, and shows no times."""
    claims, faults = [cell for cell in code_cells(notebook) if is_claim(cell)], []
    if not claims:
        faults.append(f"no cell is tagged {CLAIM}")
    for cell in claims:
        shown = "".join(output.get("text", "") for output in cell.outputs) + "".join(texts(cell))
        if not shown.strip():
            faults.append(f"{first_line(cell)}: a claim without a stored output")
        if not any(isinstance(node, ast.Assert) for node in tree(cell)):
            faults.append(f"{first_line(cell)}: a claim without an assert")
        if re.search(r"\b(perf_counter|process_time|time\.time|timeit)\b", cell.source):
            faults.append(f"{first_line(cell)}: a claim about a time")
    return faults


def figures_have_words(notebook):
    """Each figure has an alt text, which says what it shows and not that it is a figure."""
    faults = []
    for cell in code_cells(notebook):
        if not any(text.startswith("<Figure ") for text in texts(cell)):
            continue
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if len(alt.split()) < 5:
            faults.append(f"{first_line(cell)}: the alt text is {alt!r}")
        if re.match(r"(an? |the )?(figure|image|picture|plot|graph|chart)\b", alt, re.IGNORECASE):
            faults.append(f"{first_line(cell)}: the alt text says what kind of thing it is")
    return faults


def within_budget(notebook):
    """The CPU seconds are recorded, and are at most three times the budget."""
    seconds = notebook.metadata.get("seqlib", {}).get("cpu_seconds")
    if not isinstance(seconds, int | float):
        return [f"the CPU seconds are {seconds!r}"]
    within = 0 < seconds <= 3 * CPU_BUDGET
    return [] if within else [f"{seconds} s of CPU; at most 3 times {CPU_BUDGET}"]


def quiz(notebook):
    """After 'You saw': three questions of three or four answers, one of them right."""
    parts = re.split(r"^## (.*)$", prose(notebook), flags=re.MULTILINE)
    titles, sections = parts[1::2], parts[2::2]
    if ("You saw", QUIZ) not in pairwise(titles):
        return [f"{QUIZ!r} does not follow 'You saw'"]
    _, *pieces = re.split(r"^\*\*(\d+)\.\*\* ", sections[titles.index(QUIZ)], flags=re.MULTILINE)
    faults, places, numbers = [], set(), pieces[::2]
    if numbers != ["1", "2", "3"]:
        faults.append(f"the questions are {numbers}")
    for number, question in zip(numbers, pieces[1::2], strict=True):
        answers = ANSWER.findall(question)
        if not 3 <= len(answers) <= 4 or len(answers) != question.count("<details"):
            faults.append(f"question {number}: {len(answers)} answers in the right form; 3 or 4")
        for summary, _, why in answers:
            if re.search(r"[$`*]", summary):
                faults.append(f"question {number}: no Markdown is set in the answer {summary!r}")
            if len(why) < LEAST_WHY:
                faults.append(f"question {number}: {summary!r} is explained by {why!r}")
        right = [place for place, answer in enumerate(answers) if answer[1] == "Right"]
        if len(right) != 1:
            faults.append(f"question {number}: {len(right)} right answers")
        places |= set(right)
    if len(places) == 1:
        faults.append("the right answers stand at the same place in all questions")
    return faults


def chapters_are_linked(notebook):
    """Whoever names a chapter links to it, in Markdown, which JupyterLab follows as well."""
    text = re.sub(r"^#.*$", "", prose(notebook), flags=re.MULTILINE)
    plain = LINK.sub("", text)
    faults = [f"{found} is no link" for found in re.findall(r"\b[Cc]hapters?\s+\d+", plain)]
    for words, target in LINK.findall(text):
        number = re.search(r"\b[Cc]hapters?\s+(\d+)", words)
        if number and not target.startswith(f"{int(number[1]):02d}_"):
            faults.append(f"{words} leads to {target}")
    return faults


def glued_before_use(notebook):
    """A number in the text was stored by some cell of the chapter."""
    stored = {
        output.get("metadata", {}).get("scrapbook", {}).get("name")
        for cell in code_cells(notebook)
        for output in cell.outputs
        if any(mime.startswith(GLUED) for mime in output.get("data", {}))
    }
    used = re.findall(r"\{glue(?::\w+)?\}`([^`:]+)", prose(notebook))
    return [f"{name} is used and not glued" for name in sorted(set(used) - stored)]


RULES = [
    frame,
    one_import_cell,
    sizes,
    executed_in_order,
    plain_code,
    text_outputs_only,
    claims_hold,
    figures_have_words,
    within_budget,
    quiz,
    chapters_are_linked,
    glued_before_use,
]


def test_there_are_chapters():
    numbers = [int(path.name[:2]) for path in CHAPTERS]
    assert len(numbers) >= 2
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter(path, rule):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    faults = rule(notebook)
    assert not faults, "\n".join(faults)


# The rules themselves, on a small chapter and on what can go wrong with it

BEGIN = "# A title\n\n**You will be able to**\n\n- one\n- two,\n  in two lines\n- three\n\nThen."
IMPORTS = "import matplotlib.pyplot as plt\nfrom myst_nb import glue"
WHY = "because it is explained in a sentence that is long enough."
YES, NO = (
    f'<details class="quiz"><summary>An answer</summary>\n\n**{verdict}.** {WHY}\n\n</details>'
    for verdict in ("Right", "Not so")
)
QUESTIONS = (  # the second right answer is at another place
    f"**1.** What?\n\n{YES}\n{NO}\n{NO}\n\n**2.** What?\n\n{NO}\n{NO}\n{NO}\n{YES}\n\n"
    f"**3.** What?\n\n{YES}\n{NO}\n{NO}"
)
END = (
    "## You saw\n\n- one\n- two\n- three\n\n"
    f"## Three questions\n\nChoose.\n\n{QUESTIONS}\n\n"
    "## Sources\n\nIt is from {cite:t}`elman1990`."
)
ALT = "A line that rises from 0 to 4 in equal steps."
FIGURE = {"text/plain": "<Figure size 640x480 with 1 Axes>"}
RECORD = {f"{GLUED}text/plain": "5"}


def text_cell(source):
    return nbformat.v4.new_markdown_cell(source)


def code_cell(source, *outputs, **metadata):
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


def shown(data, **metadata):
    return nbformat.v4.new_output("display_data", data=data, metadata=metadata)


def printed(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def chapter():
    """A small chapter without fault."""
    cells = [
        text_cell(BEGIN),
        code_cell(IMPORTS),
        text_cell("```python\n# no title\n```\nThe sum is {glue:text}`total:.1f`, {glue}`total`."),
        code_cell("glue('total', 5, display=False)", shown(RECORD, scrapbook={"name": "total"})),
        text_cell("A claim, of [chapter 2](02_rnn.ipynb#learning)."),
        code_cell("print(2 + 3)\nassert 2 + 3 == 5", printed("5\n"), tags=[CLAIM]),
        text_cell("A figure."),
        code_cell("plt.plot(range(5));", shown(FIGURE), mystnb={"image": {"alt": ALT}}),
        text_cell("An explorable needs no alt text in the metadata."),
        code_cell("explore(draw)", shown({"text/plain": "<Explorable k: 1 … 5, 5 frames>"})),
        text_cell(END),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"seqlib": {"cpu_seconds": 12.5}})
    return renumbered(notebook)


def renumbered(notebook):
    for count, cell in enumerate(code_cells(notebook), 1):
        cell.execution_count = count
    return notebook


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_chapter_without_fault(rule):
    assert rule(chapter()) == []


def replaced(index, old, new):
    def spoil(notebook):
        assert old in notebook.cells[index].source
        notebook.cells[index].source = notebook.cells[index].source.replace(old, new, 1)

    return spoil


def added(cell, index=-1):
    """A cell more, with a text before it."""

    def spoil(notebook):
        notebook.cells[index:index] = [text_cell("Then:"), copy.deepcopy(cell)]
        renumbered(notebook)

    return spoil


def removed(index):
    def spoil(notebook):
        del notebook.cells[index]

    return spoil


def changed(action):
    """What an action on the notebook and its cells spoils."""

    def spoil(notebook):
        action(notebook, notebook.cells)

    return spoil


def of_run(count):
    return nbformat.v4.new_output("execute_result", {"text/plain": "5"}, execution_count=count)


def alt(text):
    def spoil(notebook):
        notebook.cells[7].metadata["mystnb"] = {"image": {"alt": text}}

    return spoil


TIGHT = YES.replace("</summary>\n\n", "</summary>\n")
LONG = "\n\n".join(f"x = {i}" for i in range(16))
SPOILS = [
    (frame, "begin with a title", replaced(0, "# A title", "## A section")),
    (frame, "exactly one title", replaced(2, "The sum", "# Another\n\nThe sum")),
    (frame, "'You will be able to'", replaced(0, "You will be able to", "Aims")),
    (frame, "'You will be able to'", replaced(0, "- three", "- three\n- four")),
    (frame, "'You saw'", replaced(-1, "- three", "")),
    (frame, "at the end", replaced(-1, "## Sources", "## Thanks")),
    (frame, "cite nothing", replaced(-1, "{cite:t}`elman1990`", "Elman")),
    (one_import_cell, "[0, 1]", replaced(3, "glue(", "import os\nglue(")),
    (
        one_import_cell,
        "[]",
        replaced(1, IMPORTS, "plt"),
    ),
    (sizes, "91 cells", changed(lambda notebook, cells: cells.extend([text_cell("More.")] * 80))),
    (sizes, "16 lines", added(code_cell(LONG))),
    (sizes, "0 lines", added(code_cell(""))),
    (sizes, "no text before", removed(4)),
    (executed_in_order, "[1, 2, 3, 5]", removed(7)),
    (executed_in_order, "[2, 2,", changed(lambda _, cells: cells[1].update(execution_count=2))),
    (executed_in_order, "None", changed(lambda _, cells: cells[1].update(execution_count=None))),
    (executed_in_order, "of another run", added(code_cell("5", of_run(9)))),
    (
        executed_in_order,
        "error",
        added(code_cell("5", nbformat.v4.new_output("error", ename="E", evalue="", traceback=[]))),
    ),
    (executed_in_order, "stream", added(code_cell("5", printed("a warning", "stderr")))),
    (plain_code, "no Python", added(code_cell("%matplotlib inline"))),
    (plain_code, "no Python", added(code_cell("!pip install seqlib"))),
    (plain_code, "get_ipython", added(code_cell("get_ipython().system('ls')"))),
    (plain_code, "warnings", replaced(1, "import", "import warnings\nimport")),
    (plain_code, "urllib", replaced(1, "import", "from urllib.request import urlopen\nimport")),
    (plain_code, "requests", replaced(1, "import", "import requests as r\nimport")),
    (plain_code, "https://a.b/c", added(code_cell("fetch('https://a.b/c')"))),
    (plain_code, "'tiny'", added(code_cell("corpora.text('tiny')"))),
    (plain_code, "'tiny'", added(code_cell("corpora.text(name='tiny')"))),
    (text_outputs_only, "image/png", added(code_cell("5", shown({"image/png": "aGk="})))),
    (text_outputs_only, "text/html", added(code_cell("5", shown({"text/html": "<b>"})))),
    (text_outputs_only, "svg", added(code_cell("5", shown({f"{GLUED}image/svg+xml": "<svg/>"})))),
    (
        text_outputs_only,
        "widget",
        added(code_cell("5", shown({"application/vnd.jupyter.widget-view+json": {}}))),
    ),
    (claims_hold, "no cell is tagged", changed(lambda _, cells: cells[5].metadata.pop("tags"))),
    (claims_hold, "without a stored", changed(lambda _, cells: cells[5].outputs.clear())),
    (
        claims_hold,
        "without a stored",
        changed(lambda _, c: c[5].outputs[0].update(text=" ")),
    ),
    (claims_hold, "without an assert", replaced(5, "assert 2 + 3 == 5", "'assert'")),
    (claims_hold, "a time", replaced(5, "2 + 3)", "time.perf_counter())")),
    (figures_have_words, "''", changed(lambda _, cells: cells[7].metadata.clear())),
    (figures_have_words, "'A line.'", alt("A line.")),
    (figures_have_words, "kind of thing", alt(f"Plot of {ALT}")),
    (within_budget, "None", changed(lambda notebook, _: notebook.metadata.clear())),
    (
        within_budget,
        "91",
        changed(lambda n, _: n.metadata.seqlib.update(cpu_seconds=91)),
    ),
    (quiz, "does not follow", replaced(-1, "## Three questions", "## Questions")),
    (
        quiz,
        "does not follow",
        replaced(-1, "## Three questions", "## Exercise\n\n## Three questions"),
    ),
    (quiz, "['1', '2', '4']", replaced(-1, "**3.**", "**4.**")),
    (quiz, "['1', '2']", replaced(-1, "**3.** What?", "What?")),
    (quiz, "question 1: 2 answers", replaced(-1, f"{YES}\n{NO}\n", f"{YES}\n")),
    (quiz, "question 1: 5 answers", replaced(-1, YES, f"{YES}\n{NO}\n{NO}")),
    (quiz, "question 2: 3 answers", replaced(-1, f"\n{YES}\n\n**3", f"\n{TIGHT}\n\n**3")),
    (quiz, "question 1: 0 right", replaced(-1, "**Right.**", "**Not so.**")),
    (quiz, "question 1: 2 right", replaced(-1, "**Not so.**", "**Right.**")),
    (quiz, "question 1: no Markdown", replaced(-1, "An answer<", "$h$<")),
    (quiz, "question 1: no Markdown", replaced(-1, "An answer<", "`h`<")),
    (quiz, "is explained by 'So.'", replaced(-1, WHY, "So.")),
    (quiz, "at the same place", replaced(-1, f"{NO}\n{NO}\n{NO}\n{YES}", f"{YES}\n{NO}\n{NO}")),
    (chapters_are_linked, "chapter 2 is no", replaced(4, "(02_rnn.ipynb#learning)", "")),
    (
        chapters_are_linked,
        "Chapters\n10 is no",
        replaced(4, "A claim", "[0, Chapters\n10 and [it](x)"),
    ),
    (chapters_are_linked, "chapter 3 leads to 02_rnn", replaced(4, "chapter 2", "chapter 3")),
    (glued_before_use, "sum is used", replaced(2, "`total:.1f`", "`sum:.1f`")),
    (glued_before_use, "total is used", changed(lambda _, cells: cells[3].outputs.clear())),
]


@pytest.mark.parametrize(("rule", "words", "spoil"), SPOILS)
def test_a_fault_is_found(rule, words, spoil):
    notebook = chapter()
    spoil(notebook)
    faults = rule(notebook)
    assert any(words in fault for fault in faults), faults
    others = [other.__name__ for other in RULES if other is not rule and other(notebook)]
    assert not others  # the fault is not found because everything is


def test_every_rule_is_tried():
    assert {rule for rule, _, _ in SPOILS} == set(RULES)
