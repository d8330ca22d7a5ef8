"""Grade on a Dask cluster: the tasks go to its workers, the database stays here.

A worker needs Linux with bubblewrap and `seqlib[grading,cluster]`.  It is sent the checks with each
task, so it needs no files of ours.  A scheduler runs what it is sent: on a network, only with TLS.
"""

import tempfile
from functools import cache
from pathlib import Path

from seqlib import optional
from seqlib.grading import grade

WAITING = 64  # tasks sent and not yet answered


def mapper(address, *, ca=None, certificate=None, key=None):
    """A `mapper` for `grade.run` that hands the tasks to the scheduler at an address.

    address           "tcp://host:8786", or "tls://host:8786"
    ca, certificate, key  files for TLS, as dask's Security takes them
    """
    with optional.imports():
        from distributed import Client, as_completed
        from distributed.security import Security

    security = None
    if ca:
        security = Security(
            tls_ca_file=ca, tls_client_cert=certificate, tls_client_key=key, require_encryption=True
        )

    def mapped(tasks):
        with Client(address, security=security, timeout="30s") as client:
            tasks = iter(tasks)
            done = as_completed(with_results=True, raise_errors=True)
            waiting = 0
            while True:
                while waiting < WAITING and (task := next(tasks, None)) is not None:
                    checks = contents(task.folder)
                    done.add(
                        client.submit(graded, task, checks, key=f"grade-{task.digest}", pure=True)
                    )
                    waiting += 1
                if not waiting:
                    return
                _, result = next(done)
                waiting -= 1
                yield result

    return mapped


@cache
def contents(folder):
    """The checks of all exercises: pairs of a name and the text of its file."""
    found = sorted(Path(folder).glob("*/checks.py"))
    return tuple((path.parent.name, path.read_text(encoding="utf-8")) for path in found)


def graded(task, checks):
    """`grade.graded` on a worker."""
    return grade.graded(task._replace(folder=unpacked(checks)))


@cache
def unpacked(checks):
    """A folder of this worker with the checks, for as long as it runs."""
    folder = Path(tempfile.mkdtemp(prefix="checks-"))
    for name, text in checks:
        (folder / name).mkdir()
        (folder / name / "checks.py").write_text(text, encoding="utf-8")
    return str(folder)
