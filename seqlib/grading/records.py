"""Where grades are kept: one SQLite file, written by one process or by several.

A notebook is known by the SHA-256 of its bytes, a result by that, by what was asked and by the
limits: the same notebook under two names is graded once, and under other checks or limits again.
Nothing is removed: a later result counts in place of an earlier one, a file that is no longer there
is marked, and the view `grades` shows what counts.
"""

import contextlib
import hmac
import json
import secrets
import sqlite3

from seqlib.grading.values import clean

FORM = "2"  # of the tables
SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS assignments (
    name TEXT PRIMARY KEY,
    exercise TEXT NOT NULL,
    folder TEXT NOT NULL,
    asked TEXT NOT NULL        -- SHA-256 of the checks in the last run
);
CREATE TABLE IF NOT EXISTS submissions (
    assignment TEXT NOT NULL, path TEXT NOT NULL,
    digest TEXT NOT NULL,      -- of the notebook, empty if there is none
    student TEXT NOT NULL,     -- one for each person; empty for nobody's
    name TEXT NOT NULL, number TEXT NOT NULL,
    fault TEXT NOT NULL,       -- why it is no notebook
    time TEXT NOT NULL,        -- when it was handed in, as far as the archive tells
    here INTEGER NOT NULL,     -- 0: withdrawn, or another file has taken its place
    counts INTEGER NOT NULL DEFAULT 0,  -- 1: the attempt that counts
    PRIMARY KEY (assignment, path, digest)
);
CREATE TABLE IF NOT EXISTS results (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL, asked TEXT NOT NULL, exercise TEXT NOT NULL,
    limits TEXT NOT NULL, versions TEXT NOT NULL,
    time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX IF NOT EXISTS results_of ON results (digest, asked);
CREATE TABLE IF NOT EXISTS marks (
    result INTEGER NOT NULL, place INTEGER NOT NULL, question TEXT NOT NULL,
    points INTEGER NOT NULL, most INTEGER NOT NULL,
    outcome TEXT NOT NULL,     -- full, partial, wrong, missing, stopped, unreadable
    cause TEXT NOT NULL, seconds REAL NOT NULL, cases TEXT NOT NULL, notes TEXT NOT NULL,
    PRIMARY KEY (result, question)
);
CREATE VIEW IF NOT EXISTS attempts AS
SELECT s.assignment, s.student, s.path, s.digest, s.counts, r.id AS result, r.exercise, r.limits,
    r.versions, r.time, m.place, m.question, m.points, m.most, m.outcome, m.cause, m.seconds,
    m.cases, m.notes
FROM submissions s JOIN assignments a ON a.name = s.assignment
JOIN results r ON r.id =
    (SELECT MAX(id) FROM results WHERE digest = s.digest AND asked = a.asked)
JOIN marks m ON m.result = r.id WHERE s.here AND s.digest != '';
CREATE VIEW IF NOT EXISTS grades AS
SELECT assignment, student, question, points, most, outcome, cause FROM attempts WHERE counts
ORDER BY assignment, student, place;
"""


class Records:
    """The database of a run.  Use it in a `with`."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        try:
            self.connection = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self.connection.row_factory = sqlite3.Row
            self.connection.execute("PRAGMA journal_mode = WAL")
            tables = {row[0] for row in self.rows("SELECT name FROM sqlite_master")}
            if "settings" not in tables:
                self.connection.executescript(SCHEMA)
                self.connection.execute("INSERT OR IGNORE INTO settings VALUES ('form', ?)", [FORM])
            form = self.rows("SELECT value FROM settings WHERE name = 'form'")
        except sqlite3.Error as error:
            raise ValueError(f"{self.path} cannot be opened as a database: {error}") from error
        if not form or form[0][0] != FORM:
            self.connection.close()
            raise ValueError(f"{self.path} was made by another version; take a new database")
        return self

    def __exit__(self, *_):
        self.connection.close()

    def rows(self, query, values=()):
        return self.connection.execute(query, values).fetchall()

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

    def seed(self, digest):
        """The seed of a notebook's inputs: from the secret of this database and from its bytes.

        The secret is drawn once and leaves the database nowhere: the same file gets the same marks
        for ever, and what is learned from one attempt serves no other.
        """
        self.connection.execute(
            "INSERT OR IGNORE INTO settings VALUES ('secret', ?)", [secrets.token_hex(16)]
        )
        ((secret,),) = self.rows("SELECT value FROM settings WHERE name = 'secret'")
        found = hmac.digest(bytes.fromhex(secret), digest.encode(), "sha256")
        return int.from_bytes(found[:16])

    def assignment(self, name, exercise, folder, asked):
        """The name of an assignment: the one given, or the exercise's.

        Another folder for the same exercise is another assignment, unless a name is given.
        """
        with self.transaction() as connection:
            if not name:
                name = exercise
                taken = self.rows("SELECT folder FROM assignments WHERE name = ?", [name])
                if taken and taken[0][0] != folder:
                    name = f"{exercise} in {folder}"
            connection.execute(
                "INSERT OR REPLACE INTO assignments VALUES (?, ?, ?, ?)",
                (name, exercise, folder, asked),
            )
        return name

    def only(self, assignment, seen):
        """Mark what is not among those seen: it has been withdrawn, or changed.

        seen  pairs of a path and a digest
        """
        with self.transaction() as connection:
            rows = self.rows(
                "SELECT path, digest FROM submissions WHERE assignment = ? AND here", [assignment]
            )
            connection.executemany(
                "UPDATE submissions SET here = 0, counts = 0"
                " WHERE assignment = ? AND path = ? AND digest = ?",
                [(assignment, *row) for row in rows if tuple(row) not in seen],
            )

    def submission(self, assignment, entry, digest):
        """Remember an Entry, and whose it is."""
        whose = entry.person
        told = (whose.key, whose.name, whose.number) if whose else ("", "", "")
        time = entry.time.isoformat() if entry.time else ""
        self.connection.execute(
            "INSERT OR REPLACE INTO submissions VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, 0)",
            (assignment, entry.path, digest, *told, entry.fault, time),
        )

    def last(self, digest, asked):
        """The last result of a notebook: its id, limits and versions; or None."""
        found = self.rows(
            "SELECT id, limits, versions FROM results WHERE digest = ? AND asked = ?"
            " ORDER BY id DESC LIMIT 1",
            (digest, asked),
        )
        return tuple(found[0]) if found else None

    def result(self, digest, asked, exercise, rows, limits, versions, after):
        """Keep the marks of a notebook, unless another run has brought them meanwhile.

        after  id of the result that these are to replace, or None
        """
        with self.transaction() as connection:
            last = self.last(digest, asked)
            if (last and last[0]) != after:
                return
            number = connection.execute(
                "INSERT INTO results (digest, asked, exercise, limits, versions)"
                " VALUES (?, ?, ?, ?, ?)",
                (digest, asked, exercise, limits, versions),
            ).lastrowid
            connection.executemany(
                "INSERT INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(number, place, row.question, row.points, row.most, row.outcome),
                        *(clean(row.cause), row.seconds),
                        *(json.dumps(row.cases), json.dumps(row.notes)),
                    )
                    for place, row in enumerate(rows)
                ],
            )

    def marks(self, assignment):
        """Every mark of every attempt that is there, as dicts, in order."""
        query = "SELECT * FROM attempts WHERE assignment = ? ORDER BY path, result, place"
        found = self.rows(query, [assignment])
        return [dict(row) for row in found]

    def submissions(self, assignment):
        """Everything that was seen for an assignment, as dicts, in order."""
        query = "SELECT * FROM submissions WHERE assignment = ? ORDER BY path"
        return [dict(row) for row in self.rows(query, [assignment])]

    def count(self, assignment, chosen):
        """Mark the attempts that count.

        chosen  pairs of a path and a digest
        """
        with self.transaction() as connection:
            connection.execute(
                "UPDATE submissions SET counts = 0 WHERE assignment = ?", [assignment]
            )
            connection.executemany(
                "UPDATE submissions SET counts = 1"
                " WHERE assignment = ? AND path = ? AND digest = ?",
                [(assignment, *pair) for pair in chosen],
            )
