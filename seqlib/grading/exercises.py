"""Where the exercises are, and the questions that they ask."""

import runpy
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
# Installed, the checks lie within the package; in the repository, beside it.
FOLDER = next(
    (path for path in (PACKAGE / "exercises", PACKAGE.parent / "exercises") if path.is_dir()), None
)


def names(folder=FOLDER):
    """The exercises, by the names of their folders: "05_lstm" and so on, in order."""
    return sorted(path.parent.name for path in Path(folder).glob("*/checks.py"))


@cache
def questions(exercise, folder=FOLDER):
    """The questions of one exercise: a dict of name: Question, in order.

    Raises ValueError if there is no such exercise.
    """
    path = Path(folder) / exercise / "checks.py"
    if not path.is_file():
        known = ", ".join(names(folder))
        raise ValueError(f"there is no exercise {exercise!r}; there are {known}")
    return {question.name: question for question in runpy.run_path(str(path))["QUESTIONS"]}


def functions(exercise, folder=FOLDER):
    """The names of the functions that an exercise asks for."""
    return {question.function for question in questions(exercise, folder).values()}


def exercise_of(name, folder=FOLDER):
    """The exercise that asks a question: "05_lstm" for "lstm.peephole".

    Raises ValueError if none does.
    """
    known = []
    for exercise in names(folder):
        known += questions(exercise, folder)
        if name in questions(exercise, folder):
            return exercise
    raise ValueError(f"there is no question {name!r}; there are {', '.join(known)}")


def question(name, folder=FOLDER):
    """The Question of this name; ValueError if there is none."""
    return questions(exercise_of(name, folder), folder)[name]
