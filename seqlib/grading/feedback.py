"""A page for each student: what every case found, readable without a network."""

import html
import json
from pathlib import Path
from urllib.parse import quote

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .3rem .6rem; }}
tr {{ border-top: 1px solid #bbb; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #eee; background: #1a1a1a; }} }}
</style></head><body><main><h1>{title}</h1>{body}</main></body></html>
"""


def write(marks, folder):
    """One page for each student below a folder, named after the student.

    marks  as `Records.marks` gives them
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    students = {}
    for mark in marks:
        students.setdefault(mark["student"], []).append(mark)
    for student, own in students.items():
        name = quote(student, safe=" ")  # another name for each, and none that leads elsewhere
        page = PAGE.format(title=html.escape(student), body="".join(map(section, own)))
        (folder / f"{name}.html").write_text(page, encoding="utf-8")


def section(mark):
    """A heading with the points of a question, and a row for each case."""
    title = f"{mark['question'] or mark['path']}: {mark['points']} of {mark['most']} points"
    text = f"<h2>{html.escape(title)}</h2>"
    if mark["cause"]:
        text += f"<p>{html.escape(mark['cause'])}</p>"
    rows = [
        f"<tr><td>{'passed' if not message else 'failed'}</td><td>{points}/{most}</td>"
        f"<td>{html.escape(case)}</td><td>{html.escape(message)}"
        f"{'<br>Hint: ' + html.escape(hint) if message else ''}</td></tr>"
        for points, most, case, message, hint in json.loads(mark["cases"])
    ]
    head = "<tr><th>Case</th><th>Points</th><th>Looks at</th><th>Found</th></tr>"
    return text + (
        f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>" if rows else ""
    )
