"""The list of a course, and the tables that learning management systems import.

A list is any CSV file with a heading: the system's own export, or a column of names.
"""

import csv
import re
from decimal import Decimal
from typing import NamedTuple

from seqlib.grading.people import squeezed
from seqlib.grading.table import Line, safe

NEEDED = "Brightspace knows people by its own list: give its export as --roster"
CANVAS = "Student", "ID", "SIS User ID", "SIS Login ID", "Section"
END = "End-of-Line Indicator"


class Student(NamedTuple):
    """A row of the list, and what she has handed in."""

    row: dict
    name: str
    line: Line | None


def read(path):
    """The rows of a list, as dicts.  Raises ValueError if it has no heading with names."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        text = file.read()
    first = text.split("\n", 1)[0]
    mark = max(",;\t", key=first.count)
    rows = [row for row in csv.DictReader(text.splitlines(), delimiter=mark) if any(row.values())]
    rows = [{key: value or "" for key, value in row.items() if key} for row in rows]
    rows = [row for row in rows if "points possible" not in next(iter(row.values())).lower()]
    if not rows or not any(names(row) for row in rows):
        raise ValueError(
            f"{path} is no list of a course: its first line must name the columns, as in"
            " student,email"
        )
    return rows


def column(row, *words):
    """The value in the first column whose heading is one of some words."""
    for word in words:
        for key, value in row.items():
            if squeezed(key) == word:
                return value.strip()
    return ""


def names(row):
    """How a person of the list may be called in what is handed in; the first is for the table."""
    whole = column(row, "fullname", "student", "name", "studentname", "displayname")
    first, last = column(row, "firstname", "givenname"), column(row, "lastname", "surname")
    found = [whole, f"{first} {last}".strip(), f"{last}{first}"]
    if "," in whole:
        last, first = whole.split(",", 1)
        found += [f"{first.strip()} {last}", f"{last}{first}"]
    elif " " in whole:
        first, last = whole.rsplit(" ", 1)
        found.append(f"{last}{first}")
    for word in ("email", "emailaddress"):
        found.append(column(row, word).split("@")[0])
    found += [column(row, w) for w in ("username", "sisloginid", "login", "sisuserid")]
    return [name for name in found if name]


def numbers(row):
    """The numbers by which a system knows a person."""
    found = column(row, "identifier"), column(row, "id"), column(row, "orgdefinedid")
    return {re.sub(r"\D", "", text) for text in found} - {""}


def joined(rows, lines):
    """A Student for each row of a list, and the Lines of those who are not on it."""
    by_number = {line.number: line for line in lines if line.number}
    by_name = {}
    for line in lines:
        by_name.setdefault(squeezed(line.name), []).append(line)
    found, taken = [], set()
    for row in rows:
        called = names(row)
        line = next((by_number[n] for n in numbers(row) if n in by_number), None)
        for name in called if line is None else ():
            fitting = [one for one in by_name.get(squeezed(name), []) if one.student not in taken]
            if len(fitting) == 1:
                line = fitting[0]
                break
        taken.add(line.student if line else None)
        found.append(Student(row, (called or ["?"])[0], line))
    return found, [line for line in lines if line.student not in taken]


def with_absent(rows, lines):
    """The Lines, and one for each person of a list who has handed in nothing."""
    students, _ = joined(rows, lines)
    zero = Decimal(0)
    return [*lines] + [
        Line("", s.name, "", "", "", None, (), 0, zero, zero, (("nothing", "handed in"),))
        for s in students
        if s.line is None
    ]


def write(system, path, lines, assignment, rows=None):
    """Write the table that a system imports.

    system  "moodle", "canvas" or "brightspace"
    rows    of its own export, as `read` gives them; None: what is known from the names

    Raises ValueError if the system needs them.
    """
    if rows is None and system == "brightspace":
        raise ValueError(NEEDED)
    students = joined(rows, lines)[0] if rows else [Student({}, one.name, one) for one in lines]
    heading, table = FORMS[system](students, assignment)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        for row in table:
            writer.writerow([safe(value) for value in row])


def grade(student):
    return student.line.mark if student.line else ""


def moodle(students, assignment):
    """Columns of the grading worksheet."""
    heading = ["Identifier", "Full name", "Email address", "Grade", "Feedback comments"]
    table = []
    for student in students:
        number = student.line.number if student.line else ""
        own = column(student.row, "identifier") or (f"Participant {number}" if number else "")
        told = "; ".join(student.line.causes) if student.line else ""
        table.append([own, student.name, column(student.row, "emailaddress"), grade(student), told])
    return heading, table


def canvas(students, assignment):
    """Columns of the gradebook; the assignment keeps the number that its export has."""
    there = [key for s in students[:1] for key in s.row if re.match(re.escape(assignment), key)]
    most = max((sum(m["most"] for m in s.line.marks) for s in students if s.line), default=0)
    table = [["    Points Possible", "", "", "", "", most]]
    for student in students:
        own = [student.row.get(name, "") for name in CANVAS]
        if not student.row:
            own[:2] = student.name, student.line.number
        table.append([*own, grade(student)])
    return [*CANVAS, there[0] if there else assignment], table


def brightspace(students, assignment):
    """The column of one grade item, between who it is and the sign that ends a line."""
    key = "OrgDefinedId" if any(column(s.row, "orgdefinedid") for s in students) else "Username"
    table = [
        [f"#{column(s.row, key.lower()).lstrip('#')}", grade(s), "#"] for s in students if s.line
    ]
    return [key, f"{assignment} Points Grade", END], table


FORMS = {"moodle": moodle, "canvas": canvas, "brightspace": brightspace}
