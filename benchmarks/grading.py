"""How fast submissions are graded, here and on a cluster that loses a worker.

python benchmarks/grading.py      minutes; writes benchmarks/grading.json

A thousand generated submissions of four questions, one in ten of which loops, ends its process or
is no notebook.  They are graded by processes of this machine, and by a Dask cluster on it of one
and of two workers; of two, one is killed on the way.  Every run must give the same grades.
"""

import record  # first: it sets one thread before NumPy is imported

# isort: split
import json
import os
import signal
import sqlite3
import tempfile
import time
from pathlib import Path

from distributed import LocalCluster

from seqlib.grading import cluster, exercises, grade, notebooks, records

COUNT = 1000
EXERCISE = "01_sequences"
FAULTS = ("import os\nos._exit(3)", "while True: pass", None)
SECONDS = 1.0


def generated(folder, count):
    """Submissions that differ; every tenth with a fault in its first cell, or no notebook."""
    solution = notebooks.read(exercises.FOLDER / EXERCISE / "solution.ipynb")
    for n in range(count):
        content = json.loads(json.dumps(solution))
        first = FAULTS[n // 10 % len(FAULTS)] if n % 10 == 0 else ""
        source = f"number = {n}\n{first}"  # equal contents would be graded once
        cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": []}
        content["cells"].insert(0, cell)
        text = json.dumps(content) if first is not None else f"no notebook, number {n}"
        path = folder / f"student{n:04d}.ipynb"
        path.write_text(text, encoding="utf-8")


def grades(out):
    connection = sqlite3.connect(out)
    found = connection.execute(
        "SELECT student, question, points, outcome FROM grades ORDER BY student, question"
    ).fetchall()
    results = connection.execute("SELECT COUNT(*) FROM results").fetchone()[0]
    connection.close()
    return found, results


def run(folder, out, **choice):
    """Seconds on the clock, and of the processor, of this process and of those it waited for."""
    start, before = time.perf_counter(), sum(os.times()[:4])
    with records.Records(out) as kept:  # one secret: all ways get the same inputs
        kept.connection.execute("INSERT INTO settings VALUES ('secret', '2a')")
    ran = grade.run(folder, out, exercise=EXERCISE, seconds=SECONDS, **choice)
    assert not ran.failed, ran.failed
    return time.perf_counter() - start, sum(os.times()[:4]) - before


def on_cluster(folder, out, workers, kill=False):
    with LocalCluster(workers, threads_per_worker=1, dashboard_address=None) as there:
        pids = [worker.pid for worker in there.workers.values()]

        def tell(done, most):
            if kill and done == most // 4:
                os.kill(pids[0], signal.SIGKILL)

        return run(folder, out, mapper=cluster.mapper(there.scheduler_address), tell=tell)


def main():
    with tempfile.TemporaryDirectory() as home:
        home = Path(home)
        (home / "in").mkdir()
        generated(home / "in", COUNT)
        ways = {
            "1 process": lambda out: run(home / "in", out, jobs=1),
            "2 processes": lambda out: run(home / "in", out, jobs=2),
            "cluster, 1 worker": lambda out: on_cluster(home / "in", out, 1),
            "cluster, 2 workers": lambda out: on_cluster(home / "in", out, 2),
            "cluster, one of 2 killed": lambda out: on_cluster(home / "in", out, 2, kill=True),
        }
        results, first = {}, None
        for name, way in ways.items():
            out = home / f"{name}.db"
            seconds, cpu = way(out)
            found, count = grades(out)
            first = first or found
            assert found == first and count == COUNT, name
            results[name] = {
                "seconds": round(seconds, 1),
                "submissions_per_second": round(COUNT / seconds, 1),
                "cpu_seconds_of_waited_processes": round(cpu, 1),
                "graded": count,
                "same_grades_as_one_process": found == first,
            }
            print(name, results[name], flush=True)
    recipe = {"submissions": COUNT, "exercise": EXERCISE, "seconds": SECONDS, "one in ten": FAULTS}
    record.write("grading", recipe, results)


if __name__ == "__main__":
    main()
