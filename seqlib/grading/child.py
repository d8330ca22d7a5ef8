"""What runs inside the sandbox: a process that is ready to fork, and the child that runs an answer.

`main` imports what answers need, once, and then forks a child for each request of the grader.  It
never sees a notebook.  The child gives up every right that it does not need to compute, reads the
notebook's cells from the grader, runs them, and calls one function as often as it is asked to.
"""

import contextlib
import gc
import json
import os
import shutil
import signal
import socket
import struct
import sys
import time

from seqlib.grading import kernel, lock, questions, report, values, wire
from seqlib.grading.clock import Clock, budget

STATUS = struct.Struct("<i?")  # of a child; whether the scratch folder is beyond cleaning
SCRATCH = "/scratch"
ENTRIES = 1000  # in it, that are worth cleaning


def main(descriptor, flavor):
    """Fork children for the grader at the other end of a socket until it hangs up."""
    code = prepare(flavor)
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
                run(given[0], code)
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
    """Import what answers of a flavor use, so that no child has to; returns the compiled lock."""
    import IPython.core.inputtransformer2  # noqa: F401
    import numpy as np

    import seqlib.scratch.models  # noqa: F401

    code = lock.compiled()
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
    return code


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


def run(descriptor, code):
    """The child: it never returns."""
    try:
        serve(descriptor, code)
    except BaseException:
        os._exit(1)
    os._exit(0)


def serve(descriptor, code):
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
        lock.lock(code)
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
        start = time.process_time()
        try:
            with clock.limited(left):
                reply = "value", answer(*arguments)
        except (questions.Wrong, TimeoutError) as wrong:
            reply = "wrong", values.clean(wrong), values.clean(getattr(wrong, "hint", "") or "")
        left -= time.process_time() - start
        if clock.late:
            reply = ("late",)
        try:
            send(reply)
        except wire.Refused as refused:
            send(("wrong", values.clean(f"returned {refused}"), ""))


def missing(*arguments):
    raise NotImplementedError


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
