"""Exercises from the command line.

python -m seqlib.grading check my.ipynb      the points of a notebook
python -m seqlib.grading build [NN_topic]    the students' notebooks, from the solutions
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
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
