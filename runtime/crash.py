"""Named crash points around every effect on the outside: nothing in production, a kill -9 in a test."""

import os
import signal

from runtime.settings import settings


def point(name: str) -> None:
    """Kill this process here if HAOKA_CRASH_POINT names this point."""
    if settings().crash_point == name:
        os.kill(os.getpid(), signal.SIGKILL)
