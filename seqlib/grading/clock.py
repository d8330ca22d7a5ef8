"""Limits of time for code that may never end, where the system has timers."""

import contextlib
import os
import signal
import threading
import time

AGAIN = 0.1  # seconds until code that goes on is stopped again
STUCK = 75  # exit code of a process whose code does not stop


class Clock:
    """Raises TimeoutError in code that takes too long, and again if it is not let through.

    late  how often it has done so since the last limit was set
    """

    def __init__(self):
        self.late = 0

    def stop(self, *_):
        self.late += 1
        if self.late > 20:
            os.write(2, b"The code does not stop.\n")
            os._exit(STUCK)
        raise TimeoutError("it took too long")

    @contextlib.contextmanager
    def limited(self, processor, patience=0):
        """Within it, seconds of the processor and on the clock are limited; 0: not at all."""
        self.late = 0
        if not hasattr(signal, "setitimer") or (
            threading.current_thread() is not threading.main_thread()
        ):
            yield
            return
        timers = (
            (signal.ITIMER_PROF, signal.SIGPROF, processor),
            (signal.ITIMER_REAL, signal.SIGALRM, patience),
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

    def within(self, seconds, function):
        """A function that may take so many seconds of the processor for a call."""

        def timed(*arguments):
            with self.limited(seconds):
                return function(*arguments)

        return timed


def budget(clock, seconds, patience):
    """Limits for one cell after the other: one that loops for ever leaves the rest some time.

    clock     a Clock
    seconds   of the processor for all of them; on the clock `patience` times as many
    """
    left = [seconds, patience * seconds]

    @contextlib.contextmanager
    def limited():
        start, begun = time.process_time(), time.monotonic()
        processor = min(seconds / 4, max(left[0], seconds / 50))
        waiting = max(left[1] / 2, patience * seconds / 50)
        try:
            with clock.limited(processor, waiting):
                yield
        finally:
            left[0] -= time.process_time() - start
            left[1] -= time.monotonic() - begun

    return limited
