"""A whole run: what is recorded, what is graded again, which attempt counts, who sees what."""

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from graders import CHECKS, MARKS, answered, command, notebook, rows, task, write

from seqlib.grading import (
    __main__,
    cluster,
    exercises,
    feedback,
    grade,
    notebooks,
    overview,
    records,
    roster,
    sandbox,
    table,
    wire,
)
from seqlib.grading.values import Odd

ROOT = Path(__file__).resolve().parent.parent
ENDS = "import os\ndef double(x):\n    os._exit(0)"
HALF = "def even(n):\n    return 2 * n if n < 5 else n"
SLOW = """import time
def double(x):
    t = time.process_time()
    while time.process_time() - t < 1.5: pass
    return 2 * x"""


def run(*words):
    return __main__.main(list(map(str, words)))


def told(path):
    """The lines of a table, by student."""
    with open(path, encoding="utf-8", newline="") as file:
        return {line["student"]: line for line in csv.DictReader(file)}


# The wire

VALUES = [
    *(None, True, 3, -2.5, "é", (), (1, (2.0, None)), [1, "a"], {"a": {"b": np.arange(3)}}),
    *(np.zeros((2, 0, 3)), np.float32(2) * np.ones((2, 3), np.float32), np.array([True, False])),
    *(np.array(3.0), 10**30, float("inf"), Odd("returned a set"), np.asfortranarray(np.eye(3))),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_pass(value):
    stream = memoryview(wire.encoded(value))

    def receive(n):
        nonlocal stream
        part, stream = bytes(stream[:n]), stream[n:]
        return part

    found = wire.decoded(receive)
    assert len(stream) == 0 and type(found) is type(value)
    same_trees(found, value)


def same_trees(a, b):
    if isinstance(b, np.ndarray):
        assert a.dtype == b.dtype and np.array_equal(a, b)
    elif isinstance(b, dict):
        assert list(a) == list(b)
        for key in b:
            same_trees(a[key], b[key])
    elif isinstance(b, tuple | list):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same_trees(one, other)
    else:
        assert a == b


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, np.array([object()]), np.zeros(2**22), "x" * 10**6]
)
def test_values_that_do_not(value):
    with pytest.raises(wire.Refused):
        wire.encoded(value)


# A run


def test_a_run(grader, folder, tmp_path, capsys):
    where = write(
        tmp_path / "in",
        anna=answered(),
        berta=answered(double="def double(x):\n    while True: pass"),
        carl=b"",
        dora=answered(even=HALF),
    )
    out = tmp_path / "grades.db"
    files, pages = tmp_path / "grades.csv", tmp_path / "pages"
    more = ["--csv", files, "--feedback", pages, "--jobs", "2"]
    assert run(*command(where, out, folder, *more)) == __main__.NO_NOTEBOOK
    found = rows(out)
    assert [row[:3] for row in found if row[0] == "anna"] == [
        ("anna", q, p) for q, p in MARKS.items()
    ]
    assert [row[2:] for row in found if row[0] == "berta"] == [
        (0, "stopped"),
        (3, "full"),
        (2, "full"),
    ]
    lines = told(files)
    assert list(lines) == ["anna", "berta", "carl", "dora"]
    assert lines["anna"]["points"] == lines["anna"]["most"] == "7"
    assert lines["anna"]["submitted"] == "unknown" and lines["anna"]["t.total"] == "3"
    assert "an empty file" in lines["carl"]["causes"]
    page = (pages / "berta.html").read_text()
    assert "it took longer than 1 s" in page and "<script" not in page

    before = rows(out)
    (where / "carl" / "my.ipynb").unlink()
    (where / "carl").rmdir()
    write(where, emil=answered())
    assert run(*command(where, out, folder)) == 0  # what is missing, and nothing twice
    assert [row for row in rows(out) if row[0] not in ("carl", "emil")] == [
        row for row in before if row[0] != "carl"
    ]
    assert len(counted(out)) == 4 - 1 + 1  # anna's and emil's notebooks are the same


def counted(out):
    try:
        connection = sqlite3.connect(out)
        return connection.execute("SELECT digest, time FROM results ORDER BY id").fetchall()
    except sqlite3.OperationalError:
        return []


def test_the_teacher_says_what_was_set(tmp_path, capsys):
    where = write(tmp_path / "in", a=answered())
    assert run("grade", where, "--out", tmp_path / "g.db") == 2
    assert "say which exercise was set" in capsys.readouterr().err
    path = where / "a" / "my.ipynb"
    assert run("grade", path, "--out", tmp_path / "g.db") == 2
    assert "a folder is asked for" in capsys.readouterr().err
    words = "grade", where, "--out", tmp_path / "g.db", "--exercise"
    assert run(*words, "99_none") == 2 and "no exercise '99_none'" in capsys.readouterr().err
    assert not (tmp_path / "g.db").exists()


def test_one_sentence(folder, grader, tmp_path, capsys):
    """Whatever a teacher gets wrong: one sentence, status 2, and no traceback."""
    where = write(tmp_path / "in", a=answered())
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no database, but a text that is long enough to be looked at")
    old = sqlite3.connect(tmp_path / "old.db")
    old.execute("CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    old.close()
    (tmp_path / "list.csv").write_text("1,2\n3,4\n")
    (tmp_path / "times.csv").write_text("anna,2026-05-04 23:59\n")
    out = tmp_path / "g.db"
    for words, message in (
        (command(where / "a" / "my.ipynb", out, folder), "a folder is asked for"),
        (command(tmp_path / "nowhere", out, folder), "there is no folder"),
        (command(tmp_path / "empty", out, folder), "there is nothing in"),
        (command(where, tmp_path / "no" / "g.db", folder), "cannot be opened as a database"),
        (command(where, tmp_path / "text", folder), "cannot be opened as a database"),
        (command(where, tmp_path / "old.db", folder), "made by another version"),
        (command(where, out, tmp_path / "empty"), "no exercise"),
        (command(where, out, folder, "--late", "10%/day"), "needs --due"),
        (command(where, out, folder, "--due", "2026-05-04"), "has no zone"),
        (command(where, out, folder, "--due", "tomorrow"), "write it as"),
        (
            command(where, out, folder, "--due", "2026-05-04T10:00Z", "--late", "a lot"),
            "as in 10%/day",
        ),
        (command(where, out, folder, "--roster", tmp_path / "list.csv"), "no list of a course"),
        (command(where, out, folder, "--times", tmp_path / "times.csv"), "has no zone"),
        (command(where, out, folder, "--lms", "brightspace"), "give its export as --roster"),
        (["report", tmp_path / "nowhere.db"], "there is no database"),
    ):
        assert run(*words) == 2, message
        shown = capsys.readouterr().err
        assert message in shown and shown.count("\n") == 1, shown


# Secrets


def test_a_seed_is_secret_and_depends_on_the_file(tmp_path):
    seeds = []
    for name in "aab":
        with records.Records(tmp_path / name) as kept:
            seeds.append([kept.seed("one"), kept.seed("two")])
    assert seeds[0] == seeds[1] and len({*seeds[0], *seeds[2]}) == 4


def test_the_same_file_gets_the_same_mark(grader, folder, tmp_path):
    """In one database for ever; with another secret other inputs."""
    lucky = "def double(x):\n    return 2 * x if x[0, 0] > 0 else x"
    made = {f"s{n:02}": answered(f"n = {n}", double=lucky) for n in range(8)}
    where = write(tmp_path / "in", **made)
    out = tmp_path / "g.db"
    with records.Records(out) as kept:  # one with which the inputs have both signs
        kept.connection.execute("INSERT INTO settings VALUES ('secret', '2a')")
    found = []
    for _ in range(2):
        assert run(*command(where, out, folder, "--regrade", "all")) == 0
        found.append([row[2] for row in rows(out) if row[1] == "t.double"])
    assert found[0] == found[1] and set(found[0]) == {0, 2}  # the files differ, so do their inputs
    assert len(counted(out)) == 16


def test_the_secret_leaves_the_database_nowhere(grader, folder, tmp_path, capsys):
    where = write(tmp_path / "in", anna=answered(even=HALF))
    out, files, pages = tmp_path / "g.db", tmp_path / "g.csv", tmp_path / "pages"
    assert run(*command(where, out, folder, "--csv", files, "--feedback", pages)) == 0
    assert run("report", out) == 0
    with records.Records(out) as kept:
        ((secret,),) = kept.rows("SELECT value FROM settings WHERE name = 'secret'")
        seed = kept.seed(counted(out)[0][0])
    shown = capsys.readouterr()
    written = files.read_text() + (pages / "anna.html").read_text() + shown.out + shown.err
    assert len(secret) == 32 and secret not in written and str(seed) not in written


def test_feedback_serves_no_search(grader, folder, tmp_path):
    """What is told of two wrong numbers is the same, however far off they are."""
    found = []
    for n in (1.0, 2.0 + 1e-6):
        rows = grader.grade(task(answered(double=f"def double(x):\n    return {n} * x"), folder))
        found.append(rows[0].cases)
    assert found[0] == found[1] and found[0][0][3] == "y: differs"


# Records


def test_what_changed_is_graded_again(grader, folder, tmp_path):
    """Other limits, other checks: other results.  The old ones stay, the last one counts."""
    where, out = write(tmp_path / "in", anna=answered(double=SLOW)), tmp_path / "g.db"
    words = command(where, out, folder)
    assert run(*words) == 0 and rows(out)[0][2:] == (0, "stopped")
    assert run(*words, "--seconds", "20") == 0 and rows(out)[0][2:] == (2, "full")
    assert len(counted(out)) == 2 and len(rows(out)) == 3
    other = tmp_path / "other" / "01_test"
    shutil.copytree(folder / "01_test", other)
    (other / "checks.py").write_text(CHECKS.replace("Case(2,", "Case(5,"))
    assert (
        run(*command(where, out, other.parent, "--seconds", "20", "--assignment", "01_test")) == 0
    )
    assert [row[2] for row in rows(out)] == [5, 3, 2] and len(counted(out)) == 3


def test_regrade(grader, folder, tmp_path, capsys, monkeypatch):
    where = write(tmp_path / "in", anna=answered("1"), berta=answered("2"))
    out = tmp_path / "g.db"
    words = command(where, out, folder)
    counts = []
    for more in (
        [],
        [],
        ["--regrade", "anna"],
        ["--regrade", "berta/my.ipynb", "--regrade", "anna"],
        ["--regrade", "all"],
        ["--regrade", "changed"],
    ):
        assert run(*words, *more) == 0
        counts.append(len(counted(out)))
    assert counts == [2, 2, 3, 5, 7, 7]
    assert run(*words, "--regrade", "nobody") == 0
    assert "there is no nobody" in capsys.readouterr().err
    monkeypatch.setattr(grade, "versions", lambda: "others")
    assert run(*words, "--regrade", "changed") == 0 and len(counted(out)) == 9
    assert len(rows(out)) == 6


def test_attempts(grader, folder, tmp_path):
    """One person, one row: the best attempt, the first, the last; equal files are graded once."""
    where = tmp_path / "in"
    path = where / "anna"
    write(path, a1=answered(double=""), a2=answered(), a10=answered(even=""))
    write(where, berta=answered())
    out, files = tmp_path / "g.db", tmp_path / "g.csv"
    for attempt, notebook_, points in (
        ("best", "anna/a2/my.ipynb", "7"),
        ("first", "anna/a1/my.ipynb", "5"),
        ("last", "anna/a10/my.ipynb", "5"),
    ):
        assert run(*command(where, out, folder, "--csv", files, "--attempt", attempt)) == 0
        line = told(files)["anna"]
        assert (line["notebook"], line["points"]) == (notebook_, points)
        assert sum(row[2] for row in rows(out) if row[0] == "anna") == int(points)
    assert len(told(files)) == 2 and len(counted(out)) == 3
    (tmp_path / "times.csv").write_text(
        "student,time\nanna/a2/my.ipynb,2026-05-01T10:00Z\n"
        "anna/a1/my.ipynb,2026-05-02T10:00Z\nanna/a10/my.ipynb,2026-05-02T12:00+03:00\n"
    )
    more = ["--csv", files, "--times", tmp_path / "times.csv", "--attempt"]
    for attempt, path in (("first", "anna/a2"), ("last", "anna/a1")):
        assert run(*command(where, out, folder, *more, attempt)) == 0
        assert told(files)["anna"]["notebook"] == f"{path}/my.ipynb"


def test_withdrawn_files_are_marked(grader, folder, tmp_path):
    where = write(tmp_path / "in", zoe=answered(double=""), anna=answered())
    out, files, pages = tmp_path / "g.db", tmp_path / "g.csv", tmp_path / "pages"
    assert run(*command(where, out, folder)) == 0
    (where / "zoe" / "my.ipynb").rename(where / "zoe" / "final.ipynb")
    write(where, zoe=b"{")
    (where / "zoe" / "my.ipynb").unlink()
    (where / "anna").rename(where / "anna_2")
    more = ["--csv", files, "--feedback", pages]
    assert run(*command(where, out, folder, *more)) == 0
    lines = told(files)
    assert lines["zoe"]["notebook"] == "zoe/final.ipynb" and lines["zoe"]["points"] == "5"
    assert "withdrawn" in (pages / "zoe.html").read_text()
    assert "withdrawn" in lines["anna"]["causes"] and lines["anna_2"]["points"] == "7"
    assert {row[0] for row in rows(out)} == {"anna_2", "zoe"}


def test_several_assignments_in_one_database(grader, folder, tmp_path, capsys):
    """Another folder is another assignment; a name keeps folders together."""
    for name in ("w1", "w2"):
        write(tmp_path / name, anna=answered(name, even="" if name == "w2" else HALF))
    out = tmp_path / "g.db"
    for name in ("w1", "w2", "w1"):
        assert run(*command(tmp_path / name, out, folder)) == 0
    for name in ("w1", "w2"):
        assert run(*command(tmp_path / name, out, folder, "--assignment", "mine")) == 0
    connection = sqlite3.connect(out)
    found = connection.execute("SELECT DISTINCT assignment FROM grades").fetchall()
    connection.close()
    assert found == [("01_test",), (f"01_test in {tmp_path / 'w2'}",), ("mine",)]
    assert run("report", out, "--assignment", "mine") == 0
    assert capsys.readouterr().out.startswith("mine: 1 people, 1 with marks")
    assert run("report", out, "--assignment", "none") == 2


def test_one_person_is_one_row_however_it_was_packed(grader, folder, tmp_path):
    where = tmp_path / "in"
    write(
        where,
        **{
            "Anna Muster_7_assignsubmission_file_": answered(),
            "Bert_8_assignsubmission_file_": answered(double=""),
        },
    )
    other = where / "Anna Muster_7_assignsubmission_onlinetext_"
    other.mkdir()
    (other / "onlinetext.html").write_text("<p>see file")
    for n in (1, 2):
        path = where / f"carlcarl_{'LATE_' * (n - 1)}123_4567{n}_my-{n}.ipynb"
        path.write_text(json.dumps(answered(f"{n}")))
    files = tmp_path / "g.csv"
    assert run(*command(where, tmp_path / "g.db", folder, "--csv", files)) == 0
    lines = told(files)
    assert [(name, line["number"]) for name, line in lines.items()] == [
        ("Anna Muster", "7"),
        ("Bert", "8"),
        ("carlcarl", "123"),
    ]


# Late


@pytest.mark.parametrize(
    ("time", "late", "off"),
    [
        ("2026-05-04T12:00+02:00", "10%/day", "0"),  # due to the second
        ("2026-05-04T12:00:01+02:00", "10%/day", "0.70"),  # a day that has begun counts
        ("2026-05-05T10:00Z", "10%/day", "0.70"),
        ("2026-05-05T10:00:01Z", "10%/day", "1.40"),
        ("2026-06-05T10:00Z", "10%/day", "7.00"),  # never below 0
        ("2026-05-04T12:30Z", "2.5%/hour", "0.53"),  # 0.525: halves go up
        ("2026-05-09T12:00Z", "0%/day", "0.00"),
    ],
)
def test_what_is_taken_off(time, late, off):
    rule = table.lateness("2026-05-04T12:00+02:00", late)
    assert rule.off(7, datetime.fromisoformat(time)) == Decimal(off)
    assert rule.off(7, None) == 0  # nobody knows when it came


def test_both_marks_are_kept(grader, folder, tmp_path):
    """With the best attempt after what is taken off."""
    where = write(tmp_path / "in" / "anna", early=answered(even=""), late=answered())
    write(where.parent, berta=answered())
    files, pages = tmp_path / "g.csv", tmp_path / "pages"
    times = tmp_path / "times.csv"
    more = ["--times", times, "--due", "2026-05-04T12:00Z", "--late", "50%/day", "--csv", files]
    times.write_text(
        "anna/late/my.ipynb,2026-05-04T13:00Z\nanna/early/my.ipynb,2026-05-01T13:00Z\n"
    )
    assert run(*command(where.parent, tmp_path / "g.db", folder, *more)) == 0
    line = told(files)["anna"]
    assert line["notebook"] == "anna/early/my.ipynb" and line["counted"] == "5"
    assert told(files)["berta"]["submitted"] == "unknown" and told(files)["berta"]["late"] == "0"
    times.write_text("anna,2026-05-04T13:00+00:00\n")
    more += ["--feedback", pages]
    assert run(*command(where.parent, tmp_path / "g.db", folder, *more)) == 0
    line = told(files)["anna"]
    assert (line["points"], line["late"], line["counted"]) == ("7", "3.50", "3.50")
    assert (
        "3.50 are taken off because it came late: 3.50 count" in (pages / "anna.html").read_text()
    )


# The list of a course and the systems

LIST = "First name,Last name,Email\nAnna,Muster,am@x\nBert,Maier,bert@x\nCarl,Krug,ck@x\n"


def a_class(where):
    return write(
        where, **{"Anna Muster": answered(), "maierbert_12_345_my": answered(double=""), "ck": b""}
    )


def test_who_has_handed_in_nothing(grader, folder, tmp_path, capsys):
    where, files = a_class(tmp_path / "in"), tmp_path / "g.csv"
    write(where, stranger=answered())
    (tmp_path / "list.csv").write_text(LIST + "Dora,Neu,dn@x\n")
    more = ["--csv", files, "--roster", tmp_path / "list.csv"]
    assert run(*command(where, tmp_path / "g.db", folder, *more)) == __main__.NO_NOTEBOOK
    lines = told(files)
    assert lines["Dora Neu"]["causes"] == "nothing: handed in" and len(lines) == 5
    assert "not on the list: stranger" in capsys.readouterr().err
    assert run("report", tmp_path / "g.db", "--roster", tmp_path / "list.csv") == 0
    assert "handed in nothing: Dora Neu" in capsys.readouterr().out


EXPORTS = {
    "moodle": (
        "Identifier,Full name,Email address,Status,Grade,Maximum grade\n"
        "Participant 9,Anna Muster,am@x,,,7\nParticipant 12,Bert Maier,b@x,,,7\n",
        [
            ["Identifier", "Full name", "Email address", "Grade", "Feedback comments"],
            ["Participant 9", "Anna Muster", "am@x", "7", ""],
            ["Participant 12", "Bert Maier", "b@x", "5", "t.double: not written yet"],
        ],
    ),
    "canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section,01_test (77)\n"
        '    Points Possible,,,,,7\n"Muster, Anna",5,s5,am,A,\n"Maier, Bert",12,s6,bm,A,\n',
        [
            ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01_test (77)"],
            ["    Points Possible", "", "", "", "", "7"],
            ["Muster, Anna", "5", "s5", "am", "A", "7"],
            ["Maier, Bert", "12", "s6", "bm", "A", "5"],
        ],
    ),
    "brightspace": (
        "OrgDefinedId,Username,Last Name,First Name\n#55,am,Muster,Anna\n#56,bm,Maier,Bert\n",
        [
            ["OrgDefinedId", "01_test Points Grade", "End-of-Line Indicator"],
            ["#55", "7", "#"],
            ["#56", "5", "#"],
        ],
    ),
}


@pytest.mark.parametrize("system", EXPORTS)
def test_what_a_system_imports(grader, folder, tmp_path, system):
    where, files = a_class(tmp_path / "in"), tmp_path / "g.csv"
    export, expected = EXPORTS[system]
    (tmp_path / "list.csv").write_text(export, encoding="utf-8-sig")
    more = ["--csv", files, "--lms", system, "--roster", tmp_path / "list.csv"]
    run(*command(where, tmp_path / "g.db", folder, *more))
    with open(files, encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == expected


def test_without_a_list_the_names_tell(grader, folder, tmp_path):
    where = write(tmp_path / "in", **{"Anna Muster_7_assignsubmission_file_": answered()})
    files = tmp_path / "g.csv"
    for system, line in (
        ("moodle", "Participant 7,Anna Muster,,7,"),
        ("canvas", "Anna Muster,7,,,,7"),
    ):
        assert run(*command(where, tmp_path / "g.db", folder, "--csv", files, "--lms", system)) == 0
        assert line in files.read_text()


def test_the_choices_are_those_of_the_tables():
    parser = __main__.arguments_of()._subparsers._group_actions[0].choices["grade"]
    choices = {action.dest: action.choices for action in parser._actions}
    assert choices["lms"] == tuple(roster.FORMS)
    assert choices["attempt"] == table.ATTEMPTS


def test_the_report_of_a_class(grader, folder, tmp_path, capsys):
    """Marks, the case that was missed most, the known mistakes, and who has none."""
    square = "def double(x):\n    return x * x"
    made = {f"s{n}": answered(f"{n}", double=square) for n in range(3)}
    where = write(tmp_path / "in", right=answered(), none=b"x", **made)
    run(*command(where, tmp_path / "g.db", folder))
    capsys.readouterr()
    assert run("report", tmp_path / "g.db") == 0
    shown = capsys.readouterr().out
    for line in (
        "01_test: 5 people, 4 with marks",
        "no marks: none: none/my.ipynb: not JSON",
        "points of 7: mean 5.5, median 5",
        "t.double: mean 0.5 of 2, 1 of 4 in full",
        "missed by 3: twice",
        "3 x t.double: Do not square.",
    ):
        assert line in shown, shown
    assert overview.text([]) == "0 people, 0 with marks\n"


# What is shown is harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("a;=1", "a;'=1"),
        ("a, =1", "a, '=1"),
        (" @x", " '@x"),
        ("\t=1", " '=1"),
        ("a\n=1", "a =1"),
        ("\uff1d1", "'\uff1d1"),
        ("-5", "'-5"),
        ("anna", "anna"),
        ("a\x1b[31m\0b", "a [31m b"),
        (3, 3),
    ],
)
def test_a_table_holds_no_formula(text, shown):
    assert table.safe(text) == shown


def test_each_student_has_a_page_of_her_own(tmp_path):
    cases = json.dumps([[0, 2, "<b>", "", "", False]])
    mark = {"question": "<b>", "points": 0, "most": 2, "cause": "<b>", "path": "p", "cases": cases}
    names = ["a b", "a_b", "../a", "é/x", "<script>", "x" * 300, "名" * 200, ".", "a\nb", "=1"]
    zero = Decimal(0)
    lines = [
        table.Line(
            *(name, name, "", "p", "", None, ({**mark, "notes": '["<b>\\u001b"]'},), 0, zero, zero),
            (("<b>\x1b", "<b>"),),
        )
        for name in names
    ]
    feedback.write(lines, tmp_path / "pages")
    pages = list((tmp_path / "pages").iterdir())
    assert len(pages) == len(names) and all(page.suffix == ".html" for page in pages)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not any(sign in text for sign in ("<b>", "<script>", "\x1b"))
        assert "<td>failed</td><td>0/2</td>" in text and "passed" not in text


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_help_on_any_console(encoding):
    env = os.environ | {"PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0"}
    call = [sys.executable, "-m", "seqlib.grading", "grade", "--help"]
    done = subprocess.run(call, env=env, capture_output=True)
    assert done.returncode == 0 and b"no progress bar" in done.stdout


def test_signs_of_passing_differ_on_any_console():
    path = ROOT / "exercises" / "05_lstm" / "student.ipynb"
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    call = [sys.executable, "-m", "seqlib.grading", "check", str(path)]
    done = subprocess.run(call, env=env, capture_output=True)
    assert done.returncode == 1 and b"  - 0/1  " in done.stdout


# Runs that are killed, or share a database


def test_a_cluster_that_loses_a_worker(grader, folder, tmp_path):
    """Every one graded, recorded once, with the grades of one process."""
    from distributed import LocalCluster

    made = {f"s{i:02d}": answered(f"{i}", double=ENDS if i % 4 == 0 else "") for i in range(24)}
    where = write(tmp_path / "in", **made)
    for name in ("one.db", "two.db"):
        with records.Records(tmp_path / name) as kept:
            kept.connection.execute("INSERT INTO settings VALUES ('secret', '2a')")
    assert run(*command(where, tmp_path / "one.db", folder)) == 0
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as there:
        victim = next(iter(there.workers.values())).pid

        def tell(done, most):
            if done == 5:
                os.kill(victim, signal.SIGKILL)

        mapper = cluster.mapper(there.scheduler_address)
        choice = {"exercise_folder": folder, "seconds": 1.0, "mapper": mapper, "tell": tell}
        assert grade.run(where, tmp_path / "two.db", **choice).failed == {}
    assert rows(tmp_path / "one.db") == rows(tmp_path / "two.db")
    assert len(counted(tmp_path / "two.db")) == 24


def spawned(words):
    call = [sys.executable, "-m", "seqlib.grading", *words]
    return subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def descendants(parent):
    """The processes below one, by the kernel's own list."""
    found, left = set(), [parent]
    while left:
        one = left.pop()
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            children = [int(word) for word in path.read_text().split()]
            found.update(children)
            left += children
    return found


def test_a_killed_run_leaves_no_process_and_goes_on(grader, folder, tmp_path):
    """Killed after some results: the next run grades the rest, and what was there stays."""
    where = write(tmp_path / "in", **{f"s{i:02d}": answered(f"n = {i}") for i in range(16)})
    out = tmp_path / "grades.db"
    words = command(where, out, folder, "--jobs", "2")
    process = spawned(words)
    while process.poll() is None:
        if len(counted(out)) >= 2:
            below = descendants(process.pid)
            process.kill()
            break
    process.wait()
    process.stderr.close()
    before = counted(out)
    assert 2 <= len(before) < 16 and len(below) >= 4
    for _ in range(100):
        if not any(Path(f"/proc/{one}").exists() for one in below):
            break
        time.sleep(0.1)
    assert not [one for one in below if Path(f"/proc/{one}").exists()]
    assert run(*command(where, out, folder)) == 0
    after = counted(out)
    assert len(after) == 16 and after[: len(before)] == before
    assert len(rows(out)) == 16 * 3


def test_two_runs_at_once(grader, folder, tmp_path):
    where = write(tmp_path / "in", **{f"s{i}": answered(f"n = {i}") for i in range(6)})
    out = tmp_path / "grades.db"
    both = [spawned(command(where, out, folder)) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0], [p.stderr.read() for p in both]
    for process in both:
        process.stderr.close()
    assert len(rows(out)) == 18 and {row[3] for row in rows(out)} == {"full"}
    assert len(counted(out)) == 6


def test_a_file_that_changes_during_the_run(grader, folder, tmp_path):
    """Digest and marks are of the same bytes; a file that vanishes is one line."""
    same = answered("# the same")
    where = write(tmp_path / "in", a=answered(), amallory=same, berta=same, carl=answered("# c"))
    out = tmp_path / "g.db"

    def tell(done, most):
        if done == 1:
            write(where, amallory=answered("# other", double="", total="", even=""))
            (where / "carl" / "my.ipynb").unlink()

    ran = grade.run(where, out, exercise_folder=folder, tell=tell)
    points = {line.student: line.points for line in ran.lines}
    assert points == {"a": 7, "amallory": 0, "berta": 7, "carl": 0}
    assert "cannot be read" in ran.lines[3].causes[0] and ran.failed == {}


def test_submissions_are_read_one_after_the_other(folder, tmp_path):
    """So that memory does not grow with their number."""
    where = write(tmp_path / "in", **{f"s{i}": answered(f"n = {i}") for i in range(20)})
    given = []

    def mapper(tasks):
        for one in tasks:
            with sqlite3.connect(tmp_path / "g.db") as connection:
                seen = connection.execute("SELECT COUNT(*) FROM submissions").fetchone()[0]
            assert seen == len(given) + 1
            given.append(one.digest)
            yield one.digest, [], None

    grade.run(where, tmp_path / "g.db", exercise_folder=folder, mapper=mapper)
    assert len(given) == 20


def test_without_a_sandbox_it_refuses(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    where = write(tmp_path / "in", a=answered())
    assert run(*command(where, tmp_path / "grades.db", folder)) == 2
    assert capsys.readouterr().err.strip() == sandbox.INSTALL.replace("  ", " ")
    assert not (tmp_path / "grades.db").exists()


def test_a_fault_leaves_a_submission_ungraded(folder, tmp_path, monkeypatch, capsys):
    reason = "the sandbox does not fork"
    monkeypatch.setattr(grade, "graded", lambda task: (task.digest, [], reason))
    monkeypatch.setattr(sandbox, "missing", lambda: None)
    where, files = write(tmp_path / "in", a=answered()), tmp_path / "g.csv"
    out = tmp_path / "grades.db"
    assert run(*command(where, out, folder, "--csv", files)) == __main__.FAULT
    assert reason in capsys.readouterr().err and rows(out) == []
    line = told(files)["a"]
    assert "not graded yet" in line["causes"] and line["points"] == line["counted"] == ""
    assert run(*command(where, out, folder, "--csv", files, "--lms", "moodle")) == __main__.FAULT
    assert ',a,,,"a/my.ipynb: not graded yet' in files.read_text()  # no mark, and no 0


def test_an_error_of_ours_leaves_one_submission_ungraded(monkeypatch):
    class Broken:
        def grade(self, task):
            raise OSError("disk")

    monkeypatch.setattr(grade, "_grader", Broken())
    assert grade.graded(task(b"{}", "x")) == ("d", [], "OSError: disk")


# nbgrader, and the private example


def test_what_nbgrader_gives_to_students(tmp_path):
    """The name of a student's copy, no raw roles, and the markers that nbgrader looks for."""
    assert run("build", "05_lstm", "--nbgrader", tmp_path) == 0
    path = tmp_path / "source" / "05_lstm" / "student.ipynb"
    text = path.read_text(encoding="utf-8")
    assert not any(f"{{{role}}}`" in text for role in ("doc", "eq", "ref", "numref"))
    assert text.count("### BEGIN SOLUTION") == text.count("### END SOLUTION") >= 3
    assert '"nbgrader"' in text and list(tmp_path.rglob("*.ipynb")) == [path]


PRIVATE = ROOT / "exercises" / "private"


def test_the_private_example(grader):
    """Its solution earns all points, its student's copy none, its mutants what they should."""
    (exercise,) = exercises.names(PRIVATE)
    (question,) = exercises.questions(exercise, PRIVATE).values()
    home = PRIVATE / exercise
    solution = notebooks.read(home / "solution.ipynb")
    content = (home / "solution.ipynb").read_bytes()
    for seed in range(3):
        one = grade.Task("d", content, seed, str(PRIVATE), exercise, 10.0, 1024)
        (row,) = grader.grade(one)
        assert row.outcome == "full", row
    wrong = exercises.runpy.run_path(str(home / "mutants.py"))["MUTANTS"]
    assert list(wrong) == [question.name] and len(wrong[question.name]) >= 5
    names, failed = notebooks.namespace(solution)
    assert not failed
    from seqlib.grading import mutants, questions

    for seed in range(3):
        for mutant in wrong[question.name]:
            made = mutant.answer in (mutants.constant, mutants.nan)
            answer = mutant.answer(names[question.function]) if made else mutant.answer
            found = questions.marked(question, answer, seed)
            assert sum(one.points for one in found) == mutant.points, (mutant, found)
            assert any(mutant.hint in one.hint for one in found), (mutant, found)
    stub = notebooks.student(solution)
    bare = notebook(*(notebooks.source(c) for c in stub["cells"] if c["cell_type"] == "code"))
    one = grade.Task("d", json.dumps(bare).encode(), 0, str(PRIVATE), exercise, 10.0, 1024)
    assert [row.outcome for row in grader.grade(one)] == ["missing"]
