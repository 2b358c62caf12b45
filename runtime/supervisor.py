"""The supervisor: starts a shop's processes, keeps them running, and stops them all together."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

_GRACE = 12.0  # seconds between SIGTERM and SIGKILL
_CALM = 10.0  # a process that ran this long is started again at once


class AlreadyRunningError(Exception):
    """Another shop runs on the same data folder."""


@dataclass
class Child:
    """One process: its command, its log file, and when it may be started again after it ended. `nice` (0-19) is how
    far it stands back when cores are short."""

    name: str
    command: list[str]
    log: Path
    nice: int = 0
    running: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    not_before: float = 0.0


@dataclass
class Supervisor:
    """Processes that live and die together. `say` gets a line for each event a person wants to know."""

    logs: Path
    say: Callable[[str], None]
    children: list[Child] = field(default_factory=list)
    stopping: bool = False

    def add(self, name: str, command: list[str], *, nice: int = 0) -> Child:
        """Start a process now and keep it running from here on."""
        self.logs.mkdir(parents=True, exist_ok=True)
        child = Child(name, command, self.logs / f"{name}.log", nice)
        self.children.append(child)
        _start(child)
        return child

    def watch(self, *, until: Callable[[], bool] = lambda: False) -> None:
        """Start again what ends, until SIGTERM or SIGINT arrives or `until` says so."""
        while not self.stopping and not until():
            for child in self.children:
                self._revive(child)
            time.sleep(0.1)

    def stop_on_signals(self) -> None:
        def stop(_signal: int, _frame: object) -> None:
            self.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)

    def stop(self) -> None:
        """End all, the last started first; what the rest stands on (Redis was first) ends last."""
        for child in reversed(self.children[1:]):
            _signal(child, signal.SIGTERM)
        _wait(self.children[1:])
        for child in self.children[:1]:
            _signal(child, signal.SIGTERM)
        _wait(self.children[:1])

    def _revive(self, child: Child) -> None:
        code = child.running.poll() if child.running else None
        if child.running and code is not None:
            child.running = None
            ran = time.monotonic() - child.started
            child.deaths = 0 if ran > _CALM else child.deaths + 1
            pause = min(0.2 * 2**child.deaths, 10) if child.deaths else 0.0
            child.not_before = time.monotonic() + pause
            self.say(f"{child.name} ended with {code}, starting it again (log: {child.log})")
        if child.running is None and time.monotonic() >= child.not_before and not self.stopping:
            _start(child)


def lock(folder: Path) -> IO[str]:
    """Hold the data folder for this process; raises AlreadyRunningError when another shop does."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = open(folder / "run.lock", "a+")  # noqa: SIM115 - held until the process ends
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise AlreadyRunningError(
            f"a shop runs on {folder} already; stop it, or set HAOKA_HOME to another folder"
        ) from None
    return handle


def program(*args: str) -> list[str]:
    """The command line of this project's own program."""
    return [sys.executable, "-m", "storefront", *args]


def _start(child: Child) -> None:
    with open(child.log, "ab") as out:
        child.running = subprocess.Popen(
            child.command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ.copy(),
            preexec_fn=partial(_on_start, child.nice),
        )  # fmt: skip
    child.started = time.monotonic()


def _on_start(nice: int) -> None:
    os.nice(nice)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the supervisor, which then ends us in order
    die_with_parent()


def die_with_parent() -> None:
    """Linux: when who started this process is killed it gets SIGKILL too, so that none is left behind."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def prefer_throughput() -> None:
    """Linux: a thread of this process, or of one it starts, that wakes up waits until the core is free. A server
    whose threads hand each request to each other then does many at a time, in place of two switches for each."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _signal(child: Child, which: signal.Signals) -> None:
    if child.running and child.running.poll() is None:
        child.running.send_signal(which)


def _wait(children: list[Child]) -> None:
    until = time.monotonic() + _GRACE
    for child in children:
        if child.running is None:
            continue
        try:
            child.running.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.running.kill()
            child.running.wait()
