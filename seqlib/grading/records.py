"""Where grades are kept: one SQLite file, written by one process or by several.

A submission is known by the SHA-256 of its bytes, a result by that and by what was asked: the same
notebook under two names is graded once, and under other checks again.
"""

import contextlib
import csv
import json
import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS submissions (
    path TEXT PRIMARY KEY, student TEXT NOT NULL, digest TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS results (
    digest TEXT NOT NULL,      -- of the notebook
    asked TEXT NOT NULL,       -- of the checks
    exercise TEXT,
    seed TEXT NOT NULL,
    versions TEXT NOT NULL,
    time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (digest, asked)
);
CREATE TABLE IF NOT EXISTS marks (
    digest TEXT NOT NULL, asked TEXT NOT NULL, question TEXT NOT NULL,
    points INTEGER NOT NULL, most INTEGER NOT NULL,
    outcome TEXT NOT NULL,     -- full, partial, wrong, missing, stopped, unreadable
    cause TEXT NOT NULL, seconds REAL NOT NULL, cases TEXT NOT NULL,
    PRIMARY KEY (digest, asked, question)
);
"""


class Records:
    """The database of a run.  Use it in a `with`."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.executescript(SCHEMA)
        return self

    def __exit__(self, *_):
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self):
        """All of it or nothing, also if the process is killed within."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def seed(self, wanted, fresh):
        """The seed of this database: the one wanted, or kept, or a fresh one.

        Raises ValueError if another one is wanted than the grades in it were made with.
        """
        with self.transaction() as connection:
            kept = connection.execute("SELECT value FROM settings WHERE name = 'seed'").fetchone()
            if kept is None:
                seed = fresh if wanted is None else wanted
                connection.execute("INSERT INTO settings VALUES ('seed', ?)", (str(seed),))
                return seed
        if wanted is not None and str(wanted) != kept[0]:
            raise ValueError(
                f"the seed is {wanted}; the grades in {self.path} were made with another"
            )
        return int(kept[0])

    def submission(self, path, student, digest):
        """Remember whose notebook lies where."""
        path, student = (
            name.encode("utf-8", "backslashreplace").decode() for name in (path, student)
        )
        self.connection.execute(
            "INSERT OR REPLACE INTO submissions VALUES (?, ?, ?)", (path, student, digest)
        )

    def done(self, digest, asked):
        """Whether a notebook has its result."""
        found = self.connection.execute(
            "SELECT 1 FROM results WHERE digest = ? AND asked = ?", (digest, asked)
        )
        return found.fetchone() is not None

    def result(self, digest, asked, exercise, rows, seed, versions):
        """Keep the marks of a notebook; the first result stays, whoever else comes with one."""
        with self.transaction() as connection:
            written = connection.execute(
                "INSERT OR IGNORE INTO results (digest, asked, exercise, seed, versions)"
                " VALUES (?, ?, ?, ?, ?)",
                (digest, asked, exercise, str(seed), versions),
            )
            if written.rowcount:
                connection.executemany(
                    "INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    [(digest, asked, *row[:-1], json.dumps(row.cases)) for row in rows],
                )

    def marks(self, asked):
        """Every mark as a dict: student, path, exercise, question, points and so on, in order."""
        self.connection.row_factory = sqlite3.Row
        found = self.connection.execute(
            "SELECT student, path, exercise, question, points, most, outcome, cause, cases,"
            " seconds, seed, versions, time FROM submissions JOIN results USING (digest)"
            " JOIN marks USING (digest, asked) WHERE asked = ? ORDER BY path, marks.rowid",
            (asked,),
        )
        return [dict(row) for row in found]


def write_csv(marks, path):
    """One line for each submission, for a learning management system: points by question."""
    questions = list(dict.fromkeys(mark["question"] for mark in marks if mark["question"]))
    lines = {}
    for mark in marks:
        line = lines.setdefault(
            mark["path"],
            {
                "student": mark["student"],
                "notebook": mark["path"],
                "points": 0,
                "most": 0,
                "causes": [],
            },
        )
        line[mark["question"]] = mark["points"]
        line["points"] += mark["points"]
        line["most"] += mark["most"]
        if mark["cause"]:
            line["causes"].append(f"{mark['question'] or 'file'}: {mark['cause']}")
    with open(path, "w", encoding="utf-8", newline="") as file:
        names = ["student", "notebook", "points", "most", *questions, "causes"]
        table = csv.DictWriter(file, names, restval="", extrasaction="ignore")
        table.writeheader()
        for line in lines.values():
            table.writerow(
                {
                    key: safe(value)
                    for key, value in (line | {"causes": "; ".join(line["causes"])}).items()
                }
            )


def safe(value):
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value
