"""The table of a class: one row for each person, with the attempt that counts."""

import csv
import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from seqlib.grading.people import squeezed
from seqlib.grading.submissions import natural
from seqlib.grading.values import clean

FORMULA = re.compile(r"(^|[;,\t|])(\s*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")
LATE = re.compile(r"(\d+(?:\.\d+)?)%/(day|hour)")
SECONDS = {"day": 86400, "hour": 3600}
ATTEMPTS = "best", "first", "last"
NOT_YET = "not graded yet: the sandbox failed, see the messages of the run"
WITHDRAWN = "withdrawn: it is no longer there"


class Line(NamedTuple):
    """One person, and what came of her."""

    student: str
    name: str
    number: str
    path: str  # of the notebook that counts, or of what was handed in instead
    digest: str
    time: datetime | None
    marks: tuple  # dicts, in the order of the questions
    points: int
    late: Decimal  # points that are taken off
    counted: Decimal
    files: tuple  # pairs of a path and what came of it, of all that she handed in

    @property
    def graded(self):
        return any(mark["question"] for mark in self.marks)

    @property
    def withdrawn(self):
        return all(text == WITHDRAWN for _, text in self.files)

    @property
    def mark(self):
        """The points that count, or an empty text where there is no mark, not even 0."""
        waits = any(text == NOT_YET for _, text in self.files)
        return "" if not self.graded and (waits or self.withdrawn) else self.counted

    @property
    def causes(self):
        told = [f"{mark['question'] or self.path}: {mark['cause']}" for mark in self.marks]
        told = [text for text, mark in zip(told, self.marks, strict=True) if mark["cause"]]
        return told or [f"{path}: {text}" for path, text in self.files if not self.graded]


class Lateness(NamedTuple):
    """What is taken off for a time after the one that was due."""

    due: datetime
    percent: Decimal = Decimal(0)  # of the points, for each day or hour that has begun
    unit: str = "day"

    def off(self, points, time):
        """The points taken off, rounded to hundredths, halves up."""
        if time is None or time <= self.due:
            return Decimal(0)
        begun = -(-(time - self.due).total_seconds() // SECONDS[self.unit])
        share = min(Decimal(1), self.percent * int(begun) / 100)
        return (points * share).quantize(Decimal("0.01"), ROUND_HALF_UP)


def lateness(due, late):
    """The Lateness of two options, or None.  Raises ValueError."""
    if late and not due:
        raise ValueError("--late needs --due, the time from which it counts")
    if not due:
        return None
    found = LATE.fullmatch(late or "0%/day")
    if not found:
        raise ValueError(f"--late {late}: write a part for each day or hour begun, as in 10%/day")
    return Lateness(zoned(due, "--due"), Decimal(found[1]), found[2])


def zoned(text, what):
    """An ISO time with its zone.  Raises ValueError."""
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ValueError(f"{what} {text}: write it as 2026-05-04T23:59+02:00") from error
    if time.tzinfo is None:
        raise ValueError(f"{what} {text} has no zone: write it as 2026-05-04T23:59+02:00")
    return time


def times(path):
    """Times of submission: a dict of name, number or path: datetime, from lines "student,time".

    Raises ValueError.
    """
    found = {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file)):
            if len(row) < 2 or (not number and not row[1][:4].isdecimal()):
                continue  # empty, or a heading
            found[squeezed(row[0])] = zoned(row[1], f"the time of {row[0]}")
    return found


def lines(submissions, marks, *, attempt="best", given=None, lateness=None, counted=False):
    """A Line for each person, by name.

    submissions  as `Records.submissions` gives them
    marks        as `Records.marks` gives them
    attempt      which one counts: the best, the first or the last
    given        times as `times` reads them; where there is one it goes before the archive's
    lateness     a Lateness or None
    counted      whether only the attempts are looked at that a run has chosen
    """
    of_file, people = {}, {}
    for mark in marks:
        of_file.setdefault((mark["path"], mark["digest"]), []).append(mark)
    for row in submissions:
        if row["student"]:
            people.setdefault(row["student"], []).append(row)
    found = []
    for student, unsorted in people.items():
        rows = sorted(unsorted, key=lambda row: natural(row["path"]))
        files = tuple((row["path"], told(row, of_file)) for row in rows)
        here = [row for row in rows if row["here"]]
        here = [row for row in here if row["counts"]] or here if counted else here
        attempts = [
            attempted(row, of_file.get((row["path"], row["digest"]), []), given, lateness, files)
            for row in here or rows
        ]
        graded = [line for line in attempts if line.graded]
        found.append((student, chosen(graded or attempts, attempt)))
    return [line for _, line in sorted(found, key=lambda pair: pair[0])]


def told(row, of_file):
    """What came of a file, in words."""
    if not row["here"]:
        return WITHDRAWN
    marks = of_file.get((row["path"], row["digest"]), [])
    if marks:
        points, most = (sum(mark[key] for mark in marks) for key in ("points", "most"))
        return f"{points} of {most} points" if most else marks[0]["cause"]
    return row["fault"] or NOT_YET


def attempted(row, marks, given, lateness, files):
    """One attempt as a Line."""
    points = sum(mark["points"] for mark in marks)
    time = datetime.fromisoformat(row["time"]) if row["time"] else None
    if time and time.tzinfo is None:  # an archive's clock: that of the teacher who sets the date
        time = time.replace(tzinfo=lateness.due.tzinfo if lateness else UTC)
    for key in (row["path"], row["student"], row["number"], row["name"]):
        time = (given or {}).get(squeezed(key), time) if key else time
    off = lateness.off(points, time) if lateness else Decimal(0)
    whose = row["student"], row["name"], row["number"], row["path"], row["digest"]
    return Line(*whose, time, tuple(marks), points, off, points - off, files)


def chosen(attempts, which):
    """The attempt that counts, of several in order."""
    if which == "best":
        return max(attempts, key=lambda line: line.counted)  # the first of equal ones
    if all(line.time for line in attempts):
        attempts = sorted(attempts, key=lambda line: line.time)
    return attempts[0 if which == "first" else -1]


def questions(found):
    """The names of the questions of Lines, in order."""
    return list(dict.fromkeys(m["question"] for line in found for m in line.marks if m["question"]))


def write_csv(found, path, lateness=None):
    """One line for each person, with the points of every question."""
    asked = questions(found)
    names = ["student", "number", "notebook", "submitted", "points", "late", "counted", "most"]
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([*names, *asked, "causes"])
        for line in found:
            points = {mark["question"]: mark["points"] for mark in line.marks}
            most = sum(mark["most"] for mark in line.marks)
            time = line.time.isoformat() if line.time else "unknown" if line.path else ""
            kept = (line.points, line.late) if line.mark != "" else ("", "")
            row = [line.name, line.number, line.path, time, *kept, line.mark]
            row += [most, *(points.get(name, "") for name in asked), "; ".join(line.causes)]
            table.writerow([safe(value) for value in row])


def safe(value):
    """A text that no spreadsheet takes for a formula, however it splits the line."""
    if not isinstance(value, str):
        return value
    return FORMULA.sub(r"\1\2'", clean(value, 2000))
