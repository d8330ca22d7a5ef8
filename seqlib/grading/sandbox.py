"""The sandbox from outside: how it is built, and a child in it as the grader sees it.

Bubblewrap gives a read-only file system with the interpreter, its packages and the C library,
without network, environment, and any other process; `child` adds a filter of system calls.  What
comes out of a child is bytes, read by `wire` within limits.
"""

import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from seqlib.grading import wire
from seqlib.grading.questions import Wrong

HERE = Path(__file__).resolve().parent.parent  # the package seqlib
SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/lib32",
    "/bin",
    "/sbin",
    "/etc/ld.so.cache",
    "/etc/alternatives",
)
STATUS = struct.Struct("<i")  # as in child
PATIENCE = 4  # a busy machine is no fault of an answer
START = 120  # seconds until it must be ready, with torch
INSTALL = (
    "Grades need Linux with bubblewrap and pyseccomp: apt install bubblewrap, pip install"
    " 'seqlib[grading]'."
)


class Fault(RuntimeError):
    """The sandbox itself failed: nothing is known about the answer."""


class Stopped(Wrong):
    """A child that is no more: it ended, was ended, or sent what is no reply."""


def missing():
    """One sentence that says what to install, or None."""
    if not sys.platform.startswith("linux") or shutil.which("bwrap") is None:
        return INSTALL
    try:
        import pyseccomp  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        return INSTALL
    tried = subprocess.run(
        [*walls(), "--", sys.executable, "-c", ""], capture_output=True, text=True
    )
    if tried.returncode:
        return f"{INSTALL}  Bubblewrap is there and fails: {tried.stderr.strip()[:200]}"
    return None


def walls():
    """The call of bubblewrap: a read-only world without network, environment and neighbors."""
    seen = {
        Path(p)
        for p in (sys.prefix, sys.base_prefix, *map(sysconfig.get_path, ("purelib", "platlib")))
    }
    binds = [path for path in SYSTEM if os.path.exists(path)] + sorted(map(str, seen))
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--cap-drop", "ALL", "--uid", "65534", "--gid", "65534"]
    # For imports; no child opens to write.  First: an interpreter may lie in it.
    command += ["--size", str(2**24), "--tmpfs", "/tmp"]
    for path in binds:
        if os.path.islink(path) and path in SYSTEM:
            command += ["--symlink", os.readlink(path), path]
        else:
            command += ["--ro-bind", path, path]
    for package in (HERE, *(path / "seqlib" for path in seen)):
        if (package / "exercises").is_dir():
            command += ["--tmpfs", str(package / "exercises")]  # its checks are not for answers
    command += ["--ro-bind", str(HERE), "/answer/seqlib"]
    if (HERE / "exercises").is_dir():
        command += ["--tmpfs", "/answer/seqlib/exercises"]
    for device in ("null", "zero", "urandom"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    command += ["--remount-ro", "/", "--chdir", "/"]
    for name, value in {
        "HOME": "/tmp",
        "USER": "nobody",
        "PYTHONPATH": "/answer",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }.items():
        command += ["--setenv", name, value]
    return command


class Sandbox:
    """A process behind the walls that forks a child for each question.  Use it in a `with`."""

    def __init__(self, with_torch=False):
        self.with_torch = with_torch

    def __enter__(self):
        self.control, theirs = socket.socketpair()
        kind = "torch" if self.with_torch else "numpy"
        command = [*walls(), "--", sys.executable, "-P", "-m", "seqlib.grading.child"]
        self.process = subprocess.Popen(
            [*command, str(theirs.fileno()), kind],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self.control.settimeout(START)
        try:
            if self.control.recv(5) != b"ready":
                raise Fault(
                    f"the sandbox did not start: {self.process.stderr.read()[-400:].decode()}"
                )
        except OSError as error:
            self.__exit__()
            raise Fault(f"the sandbox did not start: {error}") from error
        self.control.settimeout(30)
        return self

    def __exit__(self, *_):
        self.control.close()
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def fork(self):
        """A socket to a new child, and its number."""
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self.control, [b"f" + bytes(STATUS.size)], [theirs.fileno()])
            return ours, self._reply()
        except OSError as error:
            ours.close()
            raise Fault(f"the sandbox does not fork: {error}") from error
        finally:
            theirs.close()

    def end(self, child):
        """The exit code of a child; it is killed if it still runs.  Negative: the signal."""
        try:
            self.control.sendall(b"e" + STATUS.pack(child))
            return self._reply()
        except OSError as error:
            raise Fault(f"the sandbox does not answer: {error}") from error

    def _reply(self):
        reply = b""
        while len(reply) < STATUS.size:
            part = self.control.recv(STATUS.size - len(reply))
            if not part:
                raise Fault("the sandbox has ended")
            reply += part
        return STATUS.unpack(reply)[0]


class Answer:
    """A function of a notebook in a child of a sandbox; called as if it were here.

    cells     sources of the notebook's code cells
    function  its name
    seconds   of the processor for a child; on the clock it may be PATIENCE times as many
    A child that is no more is replaced as long as there is time.  Use it in a `with`.
    """

    def __init__(self, sandbox, cells, function, seconds, megabytes):
        self.sandbox, self.seconds, self.left = sandbox, seconds, PATIENCE * seconds
        self.setup = (list(cells), function, float(seconds), megabytes)
        self.socket, self.causes, self.failed = None, [], ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def __call__(self, *arguments):
        if self.socket is None:
            self.begin()
        kind, *content = self.exchange(arguments)
        if kind == "value" and len(content) == 1:
            return content[0]
        if kind == "wrong" and len(content) == 2 and all(isinstance(c, str) for c in content):
            raise Wrong(content[0], content[1] or None)
        raise self.stop("it sent what is no reply")

    def begin(self):
        self.socket, self.child = self.sandbox.fork()
        try:
            kind, *content = self.exchange(self.setup)
        except Stopped as stopped:  # no code of the notebook has run yet
            raise Fault(f"the sandbox does not close: {stopped}") from stopped
        if kind != "locked":
            raise Fault(f"the sandbox does not close: {' '.join(map(str, content))}")
        kind, *content = self.exchange()
        if kind != "ready" or len(content) != 2 or not isinstance(content[1], tuple):
            raise self.stop("it sent what is no reply")
        self.failed = tuple(str(text) for text in content[1])

    def exchange(self, value=None):
        """Send a value, if there is one, and read one; the time is taken from what is left."""
        start = time.monotonic()
        deadline = start + self.left
        try:
            if value is not None:
                self._send(wire.encoded(value), deadline)
            reply = wire.decoded(lambda n: self._receive(n, deadline))
            if not isinstance(reply, tuple) or not reply:
                raise wire.Refused("a reply of another form")
            return reply
        except TimeoutError:
            self.left = 0
            raise self.stop(f"it took longer than {self.seconds:g} s") from None
        except wire.Refused as refused:
            raise self.stop(f"it sent {refused}") from refused
        except (EOFError, OSError) as error:
            raise self.stop() from error
        finally:
            self.left -= time.monotonic() - start

    def _send(self, message, deadline):
        message = memoryview(message)
        while message:
            self._wait(select.POLLOUT, deadline)
            message = message[
                self.socket.send(message[: 2**16], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :
            ]

    def _receive(self, n, deadline):
        parts = bytearray()
        while len(parts) < n:
            self._wait(select.POLLIN, deadline)
            part = self.socket.recv(min(n - len(parts), 2**20), socket.MSG_DONTWAIT)
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _wait(self, event, deadline):
        poll = select.poll()
        poll.register(self.socket, event)
        if deadline <= time.monotonic() or not poll.poll(1000 * (deadline - time.monotonic())):
            raise TimeoutError

    def stop(self, why=None):
        """End the child; returns what to raise."""
        code = self.end()
        if why is None:
            why = f"signal {-code}" if code < 0 else f"exit code {code}"
            why = f"the process ended ({why})"
            if code == -signal.SIGXCPU:
                self.left, why = 0, f"it took longer than {self.seconds:g} s"
        self.causes.append(why)
        return Stopped(why, "Your function ended the process that runs it, or took too much.")

    def end(self):
        if self.socket is None:
            return 0
        self.socket.close()
        self.socket = None
        return self.sandbox.end(self.child)
