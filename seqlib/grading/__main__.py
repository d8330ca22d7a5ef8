"""Exercises from the command line.

python -m seqlib.grading check my.ipynb      the points of a notebook
python -m seqlib.grading build [NN_topic]    the students' notebooks, from the solutions
python -m seqlib.grading grade SUBMISSIONS/ --out grades.db
"""

import argparse
import sys

from seqlib.grading import exercises, notebooks


def check(options):
    """Print what every question of a notebook earns; status 0 if all points were earned."""
    notebook = notebooks.read(options.notebook)
    reports, failed = notebooks.marks(notebook, options.exercise)
    for report in reports:
        print(report, end="\n\n")
    for sentence in failed:
        print(f"Failed on its way: {sentence}")
    earned = sum(report.points for report in reports)
    most = sum(report.question.points for report in reports)
    print(f"{earned} of {most} points.  Not isolated: the notebook ran with all your rights.")
    return 0 if earned == most else 1


def build(options):
    """Write student.ipynb for the exercises named, or for all."""
    for exercise in options.exercises or exercises.names():
        exercises.questions(exercise)
        print(notebooks.build(exercise))
    return 0


def grade_all(options):
    """Grade every notebook below a folder; status 0 if each has its result."""
    from seqlib.grading import feedback, grade, records, sandbox

    reason = None if options.scheduler else sandbox.missing()
    if reason:
        raise ValueError(reason)

    def tell(done, most):
        if not options.quiet:
            bar = "#" * (40 * done // most)
            print(f"\r[{bar:40}] {done} of {most}", end="", flush=True)

    mapper = None
    if options.scheduler:
        from seqlib.grading import cluster

        files = {"ca": options.tls_ca, "certificate": options.tls_cert, "key": options.tls_key}
        mapper = cluster.mapper(options.scheduler, **files)
    failed = grade.run(
        options.submissions,
        options.out,
        exercise_folder=options.exercises,
        exercise=options.exercise,
        seed=options.seed,
        jobs=options.jobs,
        seconds=options.seconds,
        megabytes=options.megabytes,
        tell=tell,
        mapper=mapper,
    )
    if not options.quiet:
        print()
    for digest, fault in failed.items():
        print(f"not graded: {digest[:12]}: {fault}", file=sys.stderr)
    with records.Records(options.out) as kept:
        asked = grade.exercises_digest(options.exercises or exercises.FOLDER)
        marks = kept.marks(asked)
    if options.csv:
        records.write_csv(marks, options.csv)
    if options.feedback:
        feedback.write(marks, options.feedback)
    return 1 if failed else 0


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="python -m seqlib.grading", description=__doc__.split("\n")[0]
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("check", help=check.__doc__)
    command.add_argument("notebook")
    command.add_argument("--exercise", help="if the notebook does not say: 05_lstm, for example")
    command.set_defaults(run=check)
    command = commands.add_parser("build", help=build.__doc__)
    command.add_argument("exercises", nargs="*", metavar="NN_topic")
    command.set_defaults(run=build)
    command = commands.add_parser("grade", help=grade_all.__doc__)
    command.add_argument("submissions", help="a folder; one student a folder or a file")
    command.add_argument("--out", required=True, metavar="grades.db", help="the database")
    command.add_argument("--exercises", metavar="DIR", help="a private folder of exercises")
    command.add_argument("--exercise", metavar="NN_topic", help="if the notebooks do not say")
    command.add_argument("--csv", metavar="FILE", help="also write a table")
    command.add_argument("--feedback", metavar="DIR", help="also write a page for each student")
    command.add_argument("--seed", type=int, help="repeat a run; else a fresh secret one, kept")
    command.add_argument("--jobs", type=int, default=1, help="processes side by side")
    command.add_argument("--seconds", type=float, default=10.0, help="of CPU for a question")
    command.add_argument("--megabytes", type=int, default=2048, help="of memory for a question")
    command.add_argument("--scheduler", metavar="tcp://…", help="of a Dask cluster that grades")
    for name in ("ca", "cert", "key"):
        command.add_argument(f"--tls-{name}", metavar="FILE", help="for a tls:// scheduler")
    command.add_argument("--quiet", action="store_true", help="no progress bar")
    command.set_defaults(run=grade_all)
    for stream in (sys.stdout, sys.stderr):  # a console may know fewer signs than are printed
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
