"""A page for each student: what every case found, readable without a network."""

import hashlib
import html
import json
import re
from pathlib import Path

from seqlib.grading.values import clean

LONGEST = 150  # bytes of a file's name
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; overflow-wrap: anywhere; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .6rem; }}
tr {{ border-top: 1px solid #bbb; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #1a1a1a; }} }}
</style></head><body><main><h1>{title}</h1>{body}</main></body></html>
"""


def write(lines, folder):
    """One page for each person below a folder, named after the person.

    lines  as `table.lines` gives them
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for line in lines:
        page = PAGE.format(title=shown(line.name), body="".join(body(line)))
        (folder / f"{file_name(line.student)}.html").write_text(page, encoding="utf-8")


def shown(text):
    return html.escape(clean(text, 2000))


def file_name(student):
    """A name that any file system takes: another one for each student."""
    name = re.sub(r"[^\w .-]", "_", student).strip(" .")
    name = name.encode()[:LONGEST].decode(errors="ignore")
    if name != student:
        name += f"-{hashlib.sha256(student.encode(errors='replace')).hexdigest()[:12]}"
    return name


def body(line):
    """What counts, question by question, and what came of each file."""
    if line.late:
        yield (
            f"<p>{line.points} points; {line.late} are taken off because it came late:"
            f" {line.counted} count.</p>"
        )
    for mark in line.marks:
        yield section(mark)
    notes = dict.fromkeys(note for mark in line.marks for note in json.loads(mark["notes"]))
    if notes:
        rows = "".join(f"<li>{shown(note)}</li>" for note in notes)
        yield f"<h2>On the way</h2><ul>{rows}</ul>"
    rows = "".join(f"<li>{shown(path)}: {shown(told)}</li>" for path, told in line.files)
    yield f"<h2>Files</h2><ul>{rows}</ul>"


def section(mark):
    """A heading with the points of a question, and a row for each case."""
    title = f"{mark['question'] or mark['path']}: {mark['points']} of {mark['most']} points"
    text = f"<h2>{shown(title)}</h2>"
    if mark["cause"]:
        text += f"<p>{shown(mark['cause'])}</p>"
    rows = []
    for points, most, case, message, hint, _ in json.loads(mark["cases"]):
        passed = points == most
        found = "" if passed else f"{shown(message)}<br>Hint: {shown(hint)}"
        rows.append(
            f"<tr><td>{'passed' if passed else 'failed'}</td><td>{points}/{most}</td>"
            f"<td>{shown(case)}</td><td>{found}</td></tr>"
        )
    head = "<tr><th>Case</th><th>Points</th><th>Looks at</th><th>Found</th></tr>"
    return text + (
        f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    )
