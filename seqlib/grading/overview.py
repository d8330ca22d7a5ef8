"""The class at a glance: marks, the cases that were missed most, the known mistakes."""

import json
from collections import Counter

from seqlib.grading import table
from seqlib.grading.values import clean

WIDTH = 40  # of the longest bar
SHOWN = 10  # known mistakes


def text(lines, absent=()):
    """The report of an assignment in plain text.

    lines   as `table.lines` gives them
    absent  names of those who have handed in nothing
    """
    graded = [line for line in lines if line.graded]
    told = [f"{len(lines)} people, {len(graded)} with marks"]
    for line in lines:
        if not line.graded:
            told.append(f"  no marks: {line.name}: {'; '.join(line.causes)}")
    told += [f"  handed in nothing: {name}" for name in absent]
    if graded:
        told += ["", *marks(graded), "", *by_question(graded), "", *mistakes(graded)]
    return "\n".join(map(clean, told)) + "\n"


def marks(lines):
    """How often each number of points was earned."""
    most = max(sum(mark["most"] for mark in line.marks) for line in lines)
    points = sorted(line.points for line in lines)
    middle = points[len(points) // 2] if len(points) % 2 else sum(
        points[len(points) // 2 - 1 :][:2]
    ) / 2  # fmt: skip
    yield f"points of {most}: mean {sum(points) / len(points):.1f}, median {middle:g}"
    counts = Counter(points)
    for value in range(most + 1):
        if counts[value]:
            bar = "#" * max(1, WIDTH * counts[value] // max(counts.values()))
            yield f"  {value:3}  {counts[value]:4}  {bar}"


def by_question(lines):
    """For each question the mean and its cases, the one missed most first."""
    for name in table.questions(lines):
        found = [mark for line in lines for mark in line.marks if mark["question"] == name]
        mean, most = sum(mark["points"] for mark in found) / len(found), found[0]["most"]
        full = sum(mark["outcome"] == "full" for mark in found)
        yield f"{name}: mean {mean:.1f} of {most}, {full} of {len(found)} in full"
        missed = Counter()
        for mark in found:
            for points, worth, title, *_ in json.loads(mark["cases"]):
                missed[title] += points < worth
        for title, count in missed.most_common():
            if count:
                yield f"  missed by {count}: {title}"


def mistakes(lines):
    """The known mistakes that were recognized, by how many people made them."""
    made = Counter()
    for line in lines:
        own = {
            (mark["question"], hint)
            for mark in line.marks
            for *_, hint, known in json.loads(mark["cases"])
            if known
        }
        made.update(own)
    yield "known mistakes" if made else "no known mistake was recognized"
    for (question, hint), count in made.most_common(SHOWN):
        yield f"  {count} x {question}: {hint}"
