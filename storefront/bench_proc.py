"""Processes as the system sees them: what they used, who their children are, ending one at once. Linux's /proc."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time these and their children have used; 0 where there is no /proc."""
    used = 0
    for pid in family(pids):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            used += int(fields[11]) + int(fields[12])  # user and system, in ticks
    return used / os.sysconf("SC_CLK_TCK")


def resident_bytes(pids: Iterable[int]) -> int:
    """Memory of these and their children; pages they share are counted for each."""
    found = 0
    for pid in family(pids):
        with contextlib.suppress(OSError):
            found += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return found


def family(pids: Iterable[int]) -> list[int]:
    """These and their children, and theirs."""
    found = []
    for pid in pids:
        found.append(pid)
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            found += family(map(int, children))
    return found


def alive(pid: int) -> bool:
    """Does it run? One that ended and was not asked for its code yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    """SIGKILL; one that is gone already is no trouble."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
