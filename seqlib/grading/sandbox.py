"""The sandbox from outside: how it is started, and a child in it as the grader sees it.

`walls` gives a read-only file system without network, environment, and any other process; `lock`
adds a filter of system calls.  What comes out of a child is bytes, read by `wire` within limits.
"""

import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from functools import cache

import numpy as np

from seqlib.grading import wire
from seqlib.grading.clock import STUCK
from seqlib.grading.values import Failed, clean
from seqlib.grading.walls import walls

STATUS = struct.Struct("<i?")  # as in child
PATIENCE = 4  # a busy machine is no fault of an answer
START = 120  # seconds until it must be ready, with torch
RESTARTS = 10  # of a notebook whose cells end the process
THREADS = 64  # of a child
GLANCE = 0.1  # seconds between two looks at them
CREDENTIALS = struct.Struct("iII")  # of a process: its number, its user, its group
INSTALL = (
    "Grades need Linux with bubblewrap and pyseccomp: apt install bubblewrap, pip install"
    " 'seqlib[grading]'."
)


class Fault(RuntimeError):
    """The sandbox itself failed: nothing is known about the answer."""


class Stopped(Failed):
    """A child that is no more: it ended, was ended, or sent what is no reply."""


def missing():
    """One sentence that says what to install, or None."""
    if not sys.platform.startswith("linux") or shutil.which("bwrap") is None:
        return INSTALL
    try:
        import IPython  # noqa: F401
        import pyseccomp  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        return INSTALL
    return tried()


@cache
def tried():
    """What bubblewrap says if it cannot build the walls here, or None."""
    done = subprocess.run([*walls(()), "-c", ""], capture_output=True, text=True)
    if done.returncode:
        return f"{INSTALL}  Bubblewrap is there and fails: {clean(done.stderr.strip())}"
    return None


class Sandbox:
    """A process behind the walls that forks a child for each question.  Use it in a `with`.

    flavor  words for what it has imported or must not have: "plots", "torch", "derivation"
    """

    def __init__(self, flavor=()):
        self.flavor = tuple(flavor)

    def __enter__(self):
        self.control, theirs = socket.socketpair()
        command = [*walls(self.flavor), "-m", "seqlib.grading.child", str(theirs.fileno())]
        self.process = subprocess.Popen(
            [*command, *self.flavor],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        theirs.close()
        self.control.settimeout(START)
        try:
            if self.control.recv(5) != b"ready":
                told = self.process.stderr.read()[-400:].decode(errors="replace")
                self.__exit__()
                raise Fault(f"the sandbox did not start: {clean(told)}")
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
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            socket.send_fds(self.control, [b"f" + bytes(STATUS.size)], [theirs.fileno()])
            return ours, self._reply()[0]
        except OSError as error:
            ours.close()
            raise Fault(f"the sandbox does not fork: {error}") from error
        finally:
            theirs.close()

    def end(self, child):
        """The exit code of a child; it is killed if it still runs.  Negative: the signal."""
        try:
            self.control.sendall(b"e" + STATUS.pack(child, False))
            code, worn = self._reply()
        except OSError as error:
            raise Fault(f"the sandbox does not answer: {error}") from error
        if worn:  # its scratch folder is full: a new sandbox has a new one
            self.__exit__()
            self.__enter__()
        return code

    def _reply(self):
        reply = b""
        while len(reply) < STATUS.size:
            part = self.control.recv(STATUS.size - len(reply))
            if not part:
                raise Fault("the sandbox has ended")
            reply += part
        return STATUS.unpack(reply)


class Cells:
    """The code cells of a notebook.

    left_out  dict of number: why, of those that ended the process or did not stop
    """

    def __init__(self, sources):
        self.sources, self.left_out = list(sources), {}


class Answer:
    """A function of a notebook in a child of a sandbox; called as if it were here.

    cells     Cells of the notebook
    function  its name
    seconds   of the processor for all calls, and as many for the cells; on the clock it may be
              PATIENCE times as many
    A child that is no more is replaced as long as there is time.  Use it in a `with`.
    """

    def __init__(self, sandbox, cells, function, seconds, megabytes):
        self.sandbox, self.cells, self.seconds = sandbox, cells, seconds
        self.function, self.megabytes, self.left = function, megabytes, PATIENCE * seconds
        self.socket, self.at, self.causes, self.failed, self.notes = None, 0, [], (), ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def __call__(self, *arguments):
        if self.left <= 0:
            raise Stopped(self.causes[-1] if self.causes else self.late())
        if self.socket is None:
            self.begin()
        start = time.monotonic()
        try:
            kind, *content = self.exchange(arguments, start + self.left)
        finally:
            self.left -= time.monotonic() - start
        if kind == "value" and len(content) == 1:
            return content[0]
        if kind == "wrong" and len(content) == 2 and all(isinstance(c, str) for c in content):
            raise Failed(clean(content[0]), clean(content[1]) or None)
        if kind == "late":
            raise self.stop(self.late())
        raise self.stop("it sent what is no reply")

    def begin(self):
        """A child that has run the cells, but for those that end it."""
        while len(self.cells.left_out) <= RESTARTS:
            try:
                return self.run_cells()
            except Stopped as stopped:
                if not self.at:
                    raise
                why = f"code cell {self.at}: {stopped}; it is left out"
                self.cells.left_out[self.at] = why
        self.causes.append("its cells end the process again and again")
        self.left, self.at = 0, 0
        raise Stopped(self.causes[-1])

    def run_cells(self):
        self.socket, self.child = self.sandbox.fork()
        self.process, self.at = None, 0
        deadline = time.monotonic() + 1.5 * PATIENCE * self.seconds
        text = np.frombuffer(json.dumps(self.cells.sources).encode(), np.uint8)
        sent = text, self.function, float(self.seconds), float(PATIENCE)
        try:
            left_out = tuple(self.cells.left_out)
            kind, *content = self.exchange((*sent, self.megabytes, left_out), deadline)
        except Stopped as stopped:  # no code of the notebook has run yet
            raise Fault(f"the sandbox does not close: {stopped}") from stopped
        if kind != "locked":
            raise Fault(f"the sandbox does not close: {' '.join(map(str, content))}")
        for _ in range(len(self.cells.sources) + 1):
            kind, *content = self.exchange(None, deadline)
            if kind != "cell" or len(content) != 1 or type(content[0]) is not int:
                break
            self.at = content[0]
        if kind != "ready" or len(content) != 2 or not all(isinstance(c, tuple) for c in content):
            raise self.stop("it sent what is no reply")
        failed, self.notes = (tuple(clean(text) for text in texts[:20]) for texts in content)
        self.failed, self.at = (*self.cells.left_out.values(), *failed), 0

    def late(self):
        return f"it took longer than {self.seconds:g} s"

    def exchange(self, value, deadline):
        """Send a value, if there is one, and read one."""
        try:
            if value is not None:
                self._send(wire.encoded(value), deadline)
            reply = wire.decoded(lambda n: self._receive(n, deadline))
            if not isinstance(reply, tuple) or not reply:
                raise wire.Refused("a reply of another form")
            if threads(self.process) > THREADS:
                raise self.stop(f"it runs more than {THREADS} threads")
            return reply
        except TimeoutError:
            raise self.stop(self.late()) from None
        except wire.Refused as refused:
            raise self.stop(f"it sent {refused}") from refused
        except (EOFError, OSError) as error:
            raise self.stop() from error

    def _send(self, message, deadline):
        message = memoryview(message)
        while message:
            self._wait(select.POLLOUT, deadline)
            how = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
            message = message[self.socket.send(message[: 2**20], how) :]

    def _receive(self, n, deadline):
        parts = bytearray()
        while len(parts) < n:
            self._wait(select.POLLIN, deadline)
            most = min(n - len(parts), 2**20)
            if self.process is None:  # the kernel tells who has sent
                space = socket.CMSG_SPACE(CREDENTIALS.size)
                part, told, _, _ = self.socket.recvmsg(most, space, socket.MSG_DONTWAIT)
                for _, kind, data in told:
                    if kind == socket.SCM_CREDENTIALS:
                        self.process = CREDENTIALS.unpack(data)[0]
            else:
                part = self.socket.recv(most, socket.MSG_DONTWAIT)
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _wait(self, event, deadline):
        poll = select.poll()
        poll.register(self.socket, event)
        while (left := deadline - time.monotonic()) > 0:
            if poll.poll(1000 * min(left, GLANCE)):
                return
            if threads(self.process) > THREADS:
                raise self.stop(f"it runs more than {THREADS} threads")
        raise TimeoutError

    def stop(self, why=None):
        """End the child; returns what to raise."""
        code = self.end()
        if why is None:
            why = f"signal {-code}" if code < 0 else f"exit code {code}"
            why = f"the process ended ({why})"
            if code in (-signal.SIGXCPU, STUCK):
                why = self.late()
        if not self.at:  # it was the function, not a cell
            self.causes.append(why)
            if why == self.late():
                self.left = 0
        return Stopped(why, "Your function ended the process that runs it, or took too much.")

    def end(self):
        if self.socket is None:
            return 0
        self.socket.close()
        self.socket = None
        return self.sandbox.end(self.child)


def threads(process):
    """How many threads a process has, as far as it can be told."""
    if process is None:
        return 0
    try:
        return len(os.listdir(f"/proc/{process}/task"))
    except OSError:
        return 0
