"""What runs inside the sandbox: a process that is ready to fork, and the child that runs an answer.

`main` imports what answers need, once, and then forks a child for each request of the grader.  It
never sees a notebook.  The child gives up every right that it does not need to compute, reads the
notebook's cells from the grader, runs them, and calls one function as often as it is asked to.
"""

import contextlib
import gc
import json
import os
import resource
import shutil
import signal
import socket
import struct
import sys
import time

from seqlib.grading import kernel, lock, questions, report, values, wire

STATUS = struct.Struct("<i?")  # of a child; whether the scratch folder is beyond cleaning
SCRATCH = "/scratch"
ENTRIES = 1000  # in it, that are worth cleaning
STUCK = 75  # exit code of a child whose cell does not stop
AGAIN = 0.1  # seconds until a cell that goes on is stopped again


def main(descriptor, flavor):
    """Fork children for the grader at the other end of a socket until it hangs up."""
    prepare(flavor)
    control = socket.socket(fileno=descriptor)
    control.sendall(b"ready")
    while True:
        command, given, _, _ = socket.recv_fds(control, STATUS.size + 1, 1)
        if not command:
            return
        if command[:1] == b"f":
            child = os.fork()
            if child == 0:
                control.close()
                run(given[0])
            os.close(given[0])
            control.sendall(STATUS.pack(child, False))
        else:
            child, _ = STATUS.unpack(command[1:])
            done, status = os.waitpid(child, os.WNOHANG)
            if not done:
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
            control.sendall(STATUS.pack(os.waitstatus_to_exitcode(status), not emptied()))


def prepare(flavor):
    """Import what answers of a flavor use, so that no child has to."""
    import IPython.core.inputtransformer2  # noqa: F401
    import numpy as np

    import seqlib.scratch.models  # noqa: F401

    lock.library()
    np.linalg.svd(np.eye(3)), np.random.default_rng(0).standard_normal(3)
    if "plots" in flavor:
        with contextlib.suppress(ImportError):
            import matplotlib.pyplot as plt

            plt.show = lambda *choice, **more: None
    if "torch" in flavor:
        import torch
        import torch._dynamo

        torch.set_num_threads(1)
    gc.collect()
    gc.freeze()


def emptied():
    """Remove what a child left in the scratch folder; False if that is not worth it."""
    count = 0
    try:
        for _, folders, files in os.walk(SCRATCH, onerror=lambda error: None):
            count += len(folders) + len(files)
            if count > ENTRIES:
                return False
        for entry in os.scandir(SCRATCH):
            shutil.rmtree(entry) if entry.is_dir(follow_symlinks=False) else os.unlink(entry)
    except (OSError, RecursionError):
        return False
    return True


def run(descriptor):
    """The child: it never returns."""
    try:
        serve(descriptor)
    except BaseException:
        os._exit(1)
    os._exit(0)


def serve(descriptor):
    """Lock the door, run the notebook, answer calls."""

    def send(value):
        message = memoryview(wire.encoded(value))
        while message:
            message = message[os.write(descriptor, message) :]

    def receive(n):
        parts = bytearray()
        while len(parts) < n:
            part = os.read(descriptor, n - len(parts))
            if not part:
                os._exit(0)
            parts += part
        return bytes(parts)

    text, function, seconds, patience, megabytes, left_out = wire.decoded(receive)
    try:
        # The cells and the calls have their seconds each; the rest is for those that will not stop.
        lock.limit(2.5 * seconds + 1, megabytes)
        lock.lock()
    except BaseException as error:
        send(("fault", values.clean(f"{type(error).__name__}: {error}")))
        raise
    send(("locked",))  # from here on the code of the notebook may do what it can
    report.IN_CHILD = True
    sys.path.insert(0, SCRATCH)
    clock = Clock()
    limited = budget(clock, seconds, patience)
    ran = kernel.run(
        json.loads(text.tobytes()), limited, left_out, lambda number: send(("cell", number))
    )
    told = [tuple(map(values.clean, texts[:20])) for texts in (ran.failed, ran.notes)]
    send(("ready", *told))
    answer = questions.asked(ran.names.get(function, missing))
    left = seconds
    while True:
        arguments = wire.decoded(receive)
        start = used()
        try:
            with clock.limited(left, 0):
                reply = "value", answer(*arguments)
        except (questions.Wrong, TimeoutError) as wrong:
            reply = "wrong", values.clean(wrong), values.clean(getattr(wrong, "hint", "") or "")
        left -= used() - start
        if clock.late:
            reply = ("late",)
        try:
            send(reply)
        except wire.Refused as refused:
            send(("wrong", values.clean(f"returned {refused}"), ""))


def missing(*arguments):
    raise NotImplementedError


def used():
    """Seconds of the processor until now."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


class Clock:
    """Raises TimeoutError in code that takes too long, and again if it is not let through."""

    def __init__(self):
        self.late = 0

    def stop(self, *_):
        self.late += 1
        if self.late > 20:
            os._exit(STUCK)
        raise TimeoutError("it took too long")

    @contextlib.contextmanager
    def limited(self, processor, clock):
        """Within it, the time of the processor and on the clock is limited; 0: not at all."""
        self.late = 0
        timers = (
            (signal.ITIMER_PROF, signal.SIGPROF, processor),
            (signal.ITIMER_REAL, signal.SIGALRM, clock),
        )
        for timer, name, most in timers:
            signal.signal(name, self.stop)
            if most:
                signal.setitimer(timer, max(most, 1e-3), AGAIN)
        try:
            yield
        finally:
            for timer, _, _ in timers:
                signal.setitimer(timer, 0)


def budget(clock, seconds, patience):
    """A limit for each cell: one that loops for ever leaves the others some of the time."""
    left = [seconds, patience * seconds]

    @contextlib.contextmanager
    def limited():
        start, begun = used(), time.monotonic()
        shares = (min(seconds / 4, max(left[0], seconds / 50)),)
        shares += (max(left[1] / 2, patience * seconds / 50),)
        try:
            with clock.limited(*shares):
                yield
        finally:
            left[0] -= used() - start
            left[1] -= time.monotonic() - begun

    return limited


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
