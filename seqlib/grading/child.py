"""What runs inside the sandbox: a process that is ready to fork, and the child that runs an answer.

`main` imports what answers need, once, and then forks a child for each request of the grader.  It
never sees a notebook.  The child gives up every right that it does not need to compute, reads the
notebook's cells from the grader, runs them, and calls one function as often as it is asked to.
"""

import contextlib
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
from math import ceil

from pyseccomp import ALLOW, EQ, ERRNO, MASKED_EQ, Arg, SyscallFilter

from seqlib.grading import notebooks, questions, report, wire

STATUS = struct.Struct("<i")
LONGEST = 400  # characters of a message
CLONE_THREAD = 0x10000
# What NumPy needs to compute and Python to import; nothing that starts, connects or writes.
ALLOWED = (
    "read write readv writev pread64 close fstat stat lstat statx newfstatat lseek access "
    "faccessat faccessat2 readlink readlinkat getdents64 getcwd dup dup2 mmap munmap "
    "mprotect mremap madvise brk rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack "
    "setitimer getitimer nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday "
    "time times getrusage getrandom sysinfo uname futex sched_yield sched_getaffinity "
    "getcpu set_robust_list rseq getpid gettid getppid getuid geteuid getgid getegid poll "
    "ppoll select pselect6 restart_syscall exit exit_group"
).split()


def main(descriptor, with_torch):
    """Fork children for the grader at the other end of a socket until it hangs up."""
    import numpy as np

    import seqlib.gradcheck
    import seqlib.scratch.models  # noqa: F401

    np.linalg.svd(np.eye(3)), np.random.default_rng(0).standard_normal(3)
    if with_torch:
        import torch
        import torch._dynamo

        torch.set_num_threads(1)
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
            control.sendall(STATUS.pack(child))
        else:
            (child,) = STATUS.unpack(command[1:])
            done, status = os.waitpid(child, os.WNOHANG)
            if not done:
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
            control.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))


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

    cells, function, seconds, megabytes = wire.decoded(receive)
    try:
        limit(seconds, megabytes)
        lock()
    except BaseException as error:
        send(("fault", f"{type(error).__name__}: {error}"[:LONGEST]))
        raise
    send(("locked",))  # from here on the code of the notebook may do what it can
    report.IN_CHILD = True
    names, failed = notebooks.namespace(
        {"cells": [{"cell_type": "code", "source": text} for text in cells]}, one_cell(seconds)
    )
    send(("ready", function in names, tuple(text[:LONGEST] for text in failed[:20])))
    answer = questions.asked(names.get(function, notebooks.missing))
    while True:
        arguments = wire.decoded(receive)
        try:
            reply = "value", answer(*arguments)
        except questions.Wrong as wrong:
            reply = "wrong", str(wrong)[:LONGEST], (wrong.hint or "")[:LONGEST]
        try:
            send(reply)
        except wire.Refused as refused:
            send(("wrong", f"returned {refused}"[:LONGEST], ""))


def one_cell(seconds):
    """A limit for each cell: one that loops for ever leaves the others some of the time."""
    timers = (
        (signal.ITIMER_PROF, signal.SIGPROF, seconds / 4),  # of the processor
        (signal.ITIMER_REAL, signal.SIGALRM, seconds),
    )

    @contextlib.contextmanager
    def limited():
        def stop(*_):
            raise TimeoutError("it took too long")

        for timer, name, most in timers:
            signal.signal(name, stop)
            signal.setitimer(timer, most)
        try:
            yield
        finally:
            for timer, _, _ in timers:
                signal.setitimer(timer, 0)

    return limited


def limit(seconds, megabytes):
    """Bounds of what the process may take, and nowhere to print to."""
    nowhere = os.open("/dev/null", os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(seconds), ceil(seconds) + 1))
    for what, most in (
        (resource.RLIMIT_DATA, megabytes * 2**20),
        (resource.RLIMIT_AS, (megabytes + 4096) * 2**20),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (most, most))


def lock():
    """Let the kernel refuse every system call that computing does not need."""
    rules = SyscallFilter(ERRNO(1))
    for name in ALLOWED:
        rules.add_rule(ALLOW, name)
    writes = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC
    rules.add_rule(ALLOW, "open", Arg(1, MASKED_EQ, writes, 0))
    rules.add_rule(ALLOW, "openat", Arg(2, MASKED_EQ, writes, 0))
    for command in (fcntl.F_DUPFD, fcntl.F_GETFD, fcntl.F_SETFD, fcntl.F_GETFL, 1030):
        rules.add_rule(ALLOW, "fcntl", Arg(1, EQ, command))  # not F_SETOWN, which can signal
    rules.add_rule(ALLOW, "prlimit64", Arg(2, EQ, 0))  # to ask
    rules.add_rule(ALLOW, "clone", Arg(0, MASKED_EQ, CLONE_THREAD, CLONE_THREAD))
    rules.add_rule(ERRNO(38), "clone3")  # then the C library takes clone
    rules.load()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] == "torch")
