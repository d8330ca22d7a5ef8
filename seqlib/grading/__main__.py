"""Exercises from the command line.

python -m seqlib.grading check my.ipynb      the points of a notebook
python -m seqlib.grading build [NN_topic]    the students' notebooks, from the solutions
python -m seqlib.grading grade SUBMISSIONS/ --exercise NN_topic --out grades.db
python -m seqlib.grading report grades.db    what the class found hard
"""

import argparse
import codecs
import sqlite3
import sys

from seqlib.grading import exercises, notebooks
from seqlib.grading.values import clean

FAULT, NO_START, NO_NOTEBOOK = 1, 2, 3  # exit status


def check(options):
    """Print what every question of a notebook earns; status 0 if all points were earned."""
    notebook = notebooks.read(options.notebook)
    reports, failed = notebooks.marks(notebook, options.exercise, seconds=options.seconds)
    for report in reports:
        print(report, end="\n\n")
    for sentence in failed:
        print(f"On the way: {sentence}")
    earned = sum(report.points for report in reports)
    most = sum(report.question.points for report in reports)
    print(f"{earned} of {most} points.  Not isolated: the notebook ran with all your rights.")
    return 0 if earned == most else 1


def build(options):
    """Write student.ipynb for the exercises named, or for all."""
    folder = options.folder or exercises.FOLDER
    for exercise in options.exercises or exercises.names(folder):
        exercises.questions(exercise, folder)
        if options.nbgrader:
            print(notebooks.for_nbgrader(exercise, options.nbgrader, folder))
        else:
            print(notebooks.build(exercise, folder))
    return 0


def grade_all(options):
    """Grade everything in a folder.

    Status 0: everybody has marks; 1: the sandbox failed on some, run again; 2: nothing was
    started; 3: everybody has a line, but not everybody handed in a notebook.
    """
    from seqlib.grading import feedback, grade, roster, sandbox, table, walls

    reason = None if options.scheduler else sandbox.missing()
    if reason:
        raise ValueError(reason)
    walls.refuse(
        {
            "the folder of submissions": options.submissions,
            "the database": options.out,
            "the folder of exercises": options.exercises,
            "the table": options.csv,
            "the folder of pages": options.feedback,
            "the list of the course": options.roster,
            "the file of times": options.times,
        }
    )
    late = table.lateness(options.due, options.late)
    given = table.times(options.times) if options.times else None
    listed = roster.read(options.roster) if options.roster else None
    if options.lms == "brightspace" and listed is None:
        raise ValueError(roster.NEEDED)

    def tell(done, most):
        if not options.quiet:
            bar = "#" * (40 * done // most)
            print(f"\r[{bar:40}] {done} of {most}", end="", flush=True)

    mapper = None
    if options.scheduler:
        from seqlib.grading import cluster

        files = {"ca": options.tls_ca, "certificate": options.tls_cert, "key": options.tls_key}
        mapper = cluster.mapper(options.scheduler, **files)
    ran = grade.run(
        options.submissions,
        options.out,
        exercise_folder=options.exercises,
        exercise=options.exercise,
        assignment=options.assignment,
        regrade=options.regrade,
        jobs=options.jobs,
        seconds=options.seconds,
        megabytes=options.megabytes,
        choice={"attempt": options.attempt, "given": given, "lateness": late},
        tell=tell,
        mapper=mapper,
    )
    if not options.quiet:
        print()
    lines = ran.lines
    for row in ran.seen:
        if row["digest"] in ran.failed and row["here"]:
            say(f"not graded: {row['path']}: {ran.failed[row['digest']]}")
        elif row["fault"] and row["here"]:
            say(f"no notebook: {row['path']}: {row['fault']}")
    for name in ran.unknown:
        say(f"nothing to grade again: there is no {name}")
    if listed:
        for line in roster.joined(listed, lines)[1]:
            say(f"not on the list: {line.name}")
    if options.csv and options.lms:
        roster.write(options.lms, options.csv, lines, ran.assignment, listed)
    elif options.csv:
        table.write_csv(roster.with_absent(listed, lines) if listed else lines, options.csv)
    if options.feedback:
        feedback.write(lines, options.feedback)
    if not options.quiet:
        marked = sum(line.graded for line in lines)
        print(f"{ran.assignment}: {len(lines)} people, {marked} with marks")
    if ran.failed:
        return FAULT
    return 0 if all(line.graded or line.withdrawn for line in lines) else NO_NOTEBOOK


def say(text):
    print(clean(text, 500), file=sys.stderr)


def report(options):
    """Print a report of each assignment in a database, or of one."""
    from pathlib import Path

    from seqlib.grading import overview, records, roster, table

    if not Path(options.database).is_file():
        raise ValueError(f"there is no database {options.database}")
    listed = roster.read(options.roster) if options.roster else None
    with records.Records(options.database) as kept:
        names = [row["name"] for row in kept.rows("SELECT name FROM assignments ORDER BY name")]
        if options.assignment and options.assignment not in names:
            raise ValueError(
                f"there is no assignment {options.assignment!r}; there are {', '.join(names)}"
            )
        for name in [options.assignment] if options.assignment else names:
            lines = table.lines(kept.submissions(name), kept.marks(name), counted=True)
            absent = ()
            if listed:
                absent = [s.name for s in roster.joined(listed, lines)[0] if s.line is None]
            print(f"{clean(name)}: {overview.text(lines, absent)}")
    return 0


def arguments_of():
    parser = argparse.ArgumentParser(
        prog="python -m seqlib.grading", description=__doc__.split("\n")[0]
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, function):
        added = commands.add_parser(
            name, help=function.__doc__.split("\n")[0], description=function.__doc__
        )
        added.set_defaults(run=function)
        return added

    added = command("check", check)
    added.add_argument("notebook")
    added.add_argument("--exercise", help="if the notebook does not say: 05_lstm, for example")
    added.add_argument("--seconds", type=float, default=10.0, help="of CPU for a question")
    added = command("build", build)
    added.add_argument("exercises", nargs="*", metavar="NN_topic")
    added.add_argument("--exercises", dest="folder", metavar="DIR", help="a private folder of them")
    added.add_argument("--nbgrader", metavar="DIR", help="write into source/ of that course")
    added = command("grade", grade_all)
    added.add_argument(
        "submissions", help="a folder, one student a folder or a file; or a zip archive of it"
    )
    added.add_argument("--out", required=True, metavar="grades.db", help="the database")
    added.add_argument("--exercise", metavar="NN_topic", help="that was set")
    added.add_argument("--exercises", metavar="DIR", help="a private folder of exercises")
    added.add_argument("--assignment", metavar="NAME", help="in the database; else the exercise's")
    added.add_argument("--csv", metavar="FILE", help="also write a table")
    added.add_argument("--feedback", metavar="DIR", help="also write a page for each student")
    added.add_argument("--roster", metavar="FILE", help="a CSV list of the course")
    systems = "moodle", "canvas", "brightspace"
    added.add_argument("--lms", choices=systems, help="write --csv as this system imports it")
    added.add_argument("--times", metavar="FILE", help="CSV: student, time of submission")
    added.add_argument("--due", metavar="TIME", help="2026-05-04T23:59+02:00, for example")
    added.add_argument("--late", metavar="10%%/day", help="taken off for each day (hour) begun")
    added.add_argument(
        "--attempt", choices=("best", "first", "last"), default="best", help="which one counts"
    )
    added.add_argument(
        "--regrade",
        action="append",
        default=[],
        metavar="WHO",
        help="a student or a file; all; changed: if other versions gave the marks",
    )
    added.add_argument("--jobs", type=int, default=1, help="processes side by side")
    added.add_argument("--seconds", type=float, default=10.0, help="of CPU for a question")
    added.add_argument("--megabytes", type=int, default=2048, help="of memory for a question")
    added.add_argument("--scheduler", metavar="tcp://...", help="of a Dask cluster that grades")
    for name in ("ca", "cert", "key"):
        added.add_argument(f"--tls-{name}", metavar="FILE", help="for a tls:// scheduler")
    added.add_argument("--quiet", action="store_true", help="no progress bar")
    added = command("report", report)
    added.add_argument("database")
    added.add_argument("--assignment", metavar="NAME", help="only this one")
    added.add_argument("--roster", metavar="FILE", help="a CSV list of the course")
    return parser


def in_few_signs(error):
    """What a console shows that does not know a sign."""
    signs = {"✓": "+", "✗": "-"}
    return "".join(
        signs.get(sign, "?") for sign in error.object[error.start : error.end]
    ), error.end


def main(arguments=None):
    codecs.register_error("few signs", in_few_signs)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="few signs")
    options = arguments_of().parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, ValueError, sqlite3.Error) as error:
        print(clean(error, 1000), file=sys.stderr)
        return NO_START


if __name__ == "__main__":
    sys.exit(main())
