"""Whether a mark depends on the secret: solutions, and wrong answers, with fifty of them.

python benchmarks/marks.py [NN_topic]    half an hour; writes benchmarks/marks.json

The inputs of every case are drawn from a secret.  With each of fifty, the solution must earn all
points, each wrong answer of the exercise's mutants.py exactly its own, with its hint, and answers
that are constant none.  A table that names an exercise is replaced alone.
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import hashlib
import json
import sys
import time

import numpy as np

from seqlib.grading import exercises, mutants, notebooks

SECRETS = [int(n) for n in np.random.default_rng(15).integers(2**63 - 1, size=50)]


def digest(exercise):
    """SHA-256 of what decides: the checks, the mutants, and the code of the solution."""
    home = exercises.FOLDER / exercise
    cells = notebooks.read(home / "solution.ipynb")["cells"]
    code = [notebooks.source(cell) for cell in cells if cell["cell_type"] == "code"]
    texts = [(home / name).read_text("utf-8") for name in ("checks.py", "mutants.py")]
    return hashlib.sha256(json.dumps(texts + code).encode()).hexdigest()


def measured(exercise):
    """What came of an exercise: for each question its mutants, and the faults with any secret."""
    of, answers = digest(exercise), mutants.solutions(exercise)
    wrong, found = mutants.written(exercise)["MUTANTS"], {}
    for name, question in exercises.questions(exercise).items():
        start, faults = time.process_time(), []
        for secret in SECRETS:
            told = mutants.faults(question, answers[question.function], wrong[name], secret)
            faults += [f"{secret}: {fault}" for fault in told]
        seconds = round(time.process_time() - start, 1)
        found[name] = {"mutants": len(wrong[name]), "faults": faults, "cpu_seconds": seconds}
        print(name, found[name], flush=True)
    return {"digest": of, "questions": found}


def main(chosen):
    path = record.FOLDER / "marks.json"
    results = json.loads(path.read_text("utf-8"))["results"] if path.exists() else {}
    results |= {exercise: measured(exercise) for exercise in chosen or exercises.names()}
    results = {name: results[name] for name in exercises.names() if name in results}
    asked = [one for result in results.values() for one in result["questions"].values()]
    seconds = sum(one["cpu_seconds"] for one in asked)
    record.write("marks", {"seeds": len(SECRETS)}, results, cpu_seconds=seconds)


if __name__ == "__main__":
    main(sys.argv[1:])
