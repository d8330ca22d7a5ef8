"""What varies among the arguments that the cases of a question hand to an answer: a table.

python tests/varied.py                      all questions, over 20 seeds
python tests/varied.py 05_lstm rnn.delay    some

An argument that is always the same may as well be written into the answer, and so may its size.
`fixed` names what does not vary within the cases of a seed; tests/test_exercises.py asks for it.
"""

import inspect
import sys

import numpy as np

from seqlib.grading import exercises, mutants
from seqlib.grading.questions import asked, judged

SEEDS = range(20)
ROWS = "full", "empty", "prefix", "holes"  # what the True ones are of a row of a mask


def calls(question, solution, seed):
    """The arguments of each call that the cases of a seed make to the solution, in order."""
    seen, answer = [], asked(solution)

    def recorded(*arguments):
        seen.append(arguments)
        return answer(*arguments)

    judged(question, recorded, seed)
    return seen


def facts(question, solution, seed):
    """What the arguments are: a dict from (argument, property) to the list of what it was.

    An argument within another one has a path for its name: params['W_xh'], gradients[][.].  Of an
    array these are the properties: dtype, each of its sizes, and a digest of its entries; of
    booleans, which of ROWS occur; of other numbers, the words of `words`.
    """
    found = {}
    names = list(inspect.signature(solution).parameters)
    for arguments in calls(question, solution, seed):
        for name, value in zip(names, arguments, strict=True):
            for key, fact in _facts(name, value):
                found.setdefault(key, []).append(fact)
    return found


def _facts(path, value):
    if isinstance(value, dict):
        free = path.endswith("[]")  # one of a list of dicts, whose keys may be any
        if free:
            yield (path, "keys"), tuple(value)
        for key, item in value.items():
            yield from _facts(f"{path}[.]" if free else f"{path}[{key!r}]", item)
    elif isinstance(value, list):
        yield (path, "length"), len(value)
        for item in value:
            yield from _facts(f"{path}[]", item)
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _facts(f"{path}[{number}]", item)
    elif isinstance(value, np.ndarray):
        yield (path, "dtype"), value.dtype.name
        for axis, size in enumerate(value.shape):
            yield (path, f"size {axis}"), size
        yield (path, "entries"), hash(value.tobytes())
        if value.dtype == bool and value.ndim:
            rows = value.reshape(-1, value.shape[-1])
            yield (path, "rows"), frozenset(map(kind_of_row, rows))
        else:
            yield (path, "words"), words(value)
    else:
        yield (path, "value"), value.item() if isinstance(value, np.generic) else value


def kind_of_row(row):
    """One of ROWS."""
    if row.all() or not row.any():
        return "full" if row.all() else "empty"
    return "prefix" if not np.any(row[1:] & ~row[:-1]) else "holes"


def words(a):
    """What may be hard about numbers: not finite, large, negative, zero, ties."""
    finite = a[np.isfinite(a)]
    told = {
        "NaN": np.isnan(a).any(),
        "infinite": np.isinf(a).any(),
        "negative": (finite < 0).any(),
        "zeros": (finite == 0).any(),
        "above 50": (np.abs(finite) > 50).any(),
        "ties": finite.size > len(np.unique(finite)),
        "one row": a.ndim > 1 and len(a) == 1,
    }
    return frozenset(word for word, holds in told.items() if holds)


def fixed(found):
    """What never varies among the facts of a seed: a list of (argument, property)."""
    never = []
    for (path, what), values in found.items():
        if what == "rows":
            kinds = frozenset().union(*values)
            if not {"full", "holes"} <= kinds:
                never.append((path, "no holes" if "full" in kinds else "never full"))
        elif what == "value" and (path, "dtype") in found:
            continue  # None in some calls, an array in others
        elif what not in ("dtype", "words") and len(set(values)) < 2:
            never.append((path, what))
    return never


def table(question, solution, seeds=SEEDS):
    """Lines that tell, for each argument, what varies over seeds, and what does not within one."""
    found, never = {}, set()
    for seed in seeds:
        one = facts(question, solution, seed)
        never |= set(fixed(one))
        for key, values in one.items():
            found.setdefault(key, []).extend(values)
    told = {}
    for (path, what), values in found.items():
        told.setdefault(path, []).append(f"{what} {summary(what, values)}")
    lines = [f"{path:24} {'; '.join(parts)}" for path, parts in told.items()]
    return lines + [f"NEVER VARIES: {path}, {what}" for path, what in sorted(never)]


def summary(what, values):
    if what == "entries":
        return f"of {len(set(values))} kinds in {len(values)}"
    if what in ("rows", "words"):
        return ", ".join(sorted(frozenset().union(*values))) or "–"
    different = sorted(set(values), key=lambda value: (str(type(value)), value))
    if len(different) <= 8:
        return " ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in different)
    low, high = different[0], different[-1]
    ends = f"{low:.3g} to {high:.3g}" if isinstance(low, float) else f"{low} to {high}"
    return f"{ends}, {len(different)} of them"


def main(chosen):
    for exercise in exercises.names():
        answers = mutants.solutions(exercise)
        for name, question in exercises.questions(exercise).items():
            if not chosen or {exercise, name} & set(chosen):
                print(f"\n{name}")
                for line in table(question, answers[question.function]):
                    print(f"  {line}")


if __name__ == "__main__":
    main(sys.argv[1:])
