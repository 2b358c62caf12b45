"""An event stream heard in gevent's loop itself: what a person needs not act on never wakes them, and what
they act on later wakes them then. Tens of thousands of pages hear each piece of news, and a switch to each of
them would take longer than the shop takes to tell all."""

import os
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import Any

from gevent import get_hub
from gevent.event import Event

Hears = Callable[[str, bytes, float], float | None]


class Stream:
    """The events of an open connection from its head on. `begun` is what came along with the head. `hears` is
    told in the loop of each event: its kind, its JSON, and when (seconds since 1970); it must not wait. It
    says in how many seconds the person acts on it, None for never."""

    __slots__ = (
        "_broken",
        "_buffer",
        "_chunked",
        "_fd",
        "_heard",
        "_hears",
        "_over",
        "_rest",
        "_said_at",
        "_timer",
        "_watcher",
        "_woken",
    )

    def __init__(self, fd: int, begun: bytes, *, chunked: bool, hears: Hears) -> None:
        self._fd, self._chunked, self._hears = fd, chunked, hears
        self._rest, self._buffer, self._over = b"", b"", False
        self._broken: OSError | None = None
        self._heard: deque[tuple[str, bytes]] = deque()
        self._timer: Any = None
        self._woken = Event()
        self._said_at = time.monotonic()
        self._watcher = get_hub().loop.io(fd, 1)
        self._take(begun)

    def events(self, silence: float) -> Generator[tuple[str, bytes]]:
        """Kind and JSON of what is acted on, until the stream ends. Raises OSError when it broke, or said nothing for
        `silence` seconds."""
        try:
            while True:
                while self._heard:
                    yield self._heard.popleft()
                if self._broken:
                    raise self._broken
                if self._over:
                    return
                self._woken.clear()
                # Not while the person acts: they may close the connection, and its number is another's then.
                self._watcher.start(self._ready)
                self._woken.wait(silence)
                self._watcher.stop()
                if not self._heard and not self._over and time.monotonic() - self._said_at > silence:
                    raise TimeoutError("the stream said nothing")
        finally:
            self._watcher.stop()
            self._watcher.close()
            if self._timer is not None:
                self._timer.close()

    def _ready(self) -> None:
        """In the loop: it must not wait."""
        try:
            more = os.read(self._fd, 65536)
        except BlockingIOError:
            return
        except OSError as trouble:
            more, self._broken = b"", trouble
        self._said_at = time.monotonic()
        if more:
            self._take(more)
        else:
            self._over = True
        if self._over:
            self._watcher.stop()
        if self._over or (self._heard and self._timer is None):
            self._woken.set()

    def _take(self, more: bytes) -> None:
        if self._chunked:
            more, self._rest, self._over = chunks(self._rest + more)
        self._buffer += more
        while (at := self._buffer.find(b"\n\n")) >= 0:
            event, self._buffer = self._buffer[:at], self._buffer[at + 2 :]
            kind, gap, data = event.partition(b"\ndata: ")
            if gap:
                self._hear(kind.rpartition(b"event: ")[2].decode(), data)

    def _hear(self, kind: str, data: bytes) -> None:
        seconds = self._hears(kind, data, time.time())
        if seconds is None:
            return
        self._heard.append((kind, data))
        if seconds and self._timer is None:
            self._timer = get_hub().loop.timer(seconds)
            self._timer.start(self._woken.set)


def chunks(data: bytes) -> tuple[bytes, bytes, bool]:
    """What whole chunks of a chunked body hold, what is left, and whether it was the last."""
    found: list[bytes] = []
    while True:
        size, gap, rest = data.partition(b"\r\n")
        if not gap:
            return b"".join(found), data, False
        length = int(size, 16)
        if length == 0:
            return b"".join(found), b"", True
        if len(rest) < length + 2:
            return b"".join(found), data, False
        found.append(rest[:length])
        data = rest[length + 2 :]
