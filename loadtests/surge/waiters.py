"""People who wait: each joins the queue and keeps its event stream open; how soon a change of state reaches all of
them.

python waiters.py FILE DROP --port PORT [--first 0 --count N] [--pace 1500] [--in-hand 50]

FILE holds a shopper a line: token, tab, anything. Connections come from 127.0.0.2 to 127.0.0.9 by turns, so that
ports do not run out. Prints lines of JSON: {"open": N, "seconds": S} when every stream has told its place, then for
every state that all have been told {"state": "paused", "streams": N, "first": T, "last": T} (seconds of the machine's
steady clock), and {"lost": N} when streams were closed. Ends when its standard input does."""

import argparse
import asyncio
import json
import resource
import sys
import time
from functools import partial
from itertools import islice
from pathlib import Path
from typing import cast

import uvloop

_SOURCES = [f"127.0.0.{n}" for n in range(2, 10)]
_STATE = b'event: news\ndata: {"state":"'
_LONG = len(_STATE)
_STATES = {b"befo": "before", b"open": "open", b"paus": "paused", b"over": "over"}


class Crowd:
    """What all of them share."""

    def __init__(self, drop: str, port: int, count: int, in_hand: int) -> None:
        self.drop, self.port, self.count = drop, port, count
        self.room = asyncio.Semaphore(in_hand)  # who is on the way in at once
        self.standing, self.lost = 0, 0
        self.all_in = asyncio.get_running_loop().create_future()
        self.state, self.left, self.first = b"", 0, 0.0  # what is being told, and to how many still

    def stands(self) -> None:
        self.standing += 1
        self.room.release()
        if self.standing == self.count and not self.all_in.done():
            self.all_in.set_result(None)

    def hears(self, state: bytes) -> None:
        """One more has been told of that state."""
        if not self.all_in.done():
            return
        if state != self.state:
            self.state, self.left, self.first = state, self.count, time.monotonic()
        self.left -= 1
        if not self.left:
            told = {"streams": self.count, "first": self.first, "last": time.monotonic()}
            say({"state": _STATES[state], **told})


class Waiter(asyncio.Protocol):
    """One person: joins, then listens."""

    __slots__ = ("buffer", "crowd", "joined", "state", "token", "transport")

    def __init__(self, crowd: Crowd, token: str) -> None:
        self.crowd, self.token, self.joined, self.buffer, self.state = crowd, token, False, b"", b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._ask("POST", "", b"Content-Length: 0\r\n")

    def data_received(self, data: bytes) -> None:
        if self.state:
            at = data.find(_STATE)
            state = data[at + _LONG : at + _LONG + 4]
            if at >= 0 and state != self.state:
                self.state = state
                self.crowd.hears(state)
            return
        self.buffer += data
        if not self.joined:
            self._join()
        elif b"event: place" in self.buffer and b"\n\n" in self.buffer.partition(_STATE)[2]:
            self.state, self.buffer = _state(self.buffer), b""
            self.crowd.stands()

    def connection_lost(self, error: Exception | None) -> None:
        self.crowd.lost += 1
        say({"lost": self.crowd.lost, "why": str(error)})

    def _join(self) -> None:
        head, gap, rest = self.buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not gap or len(rest) < length:
            return
        if head[9:12] == b"503":  # so many at once: it asks again
            self.buffer = b""
            asyncio.get_running_loop().call_later(0.5, self._ask, "POST", "", b"Content-Length: 0\r\n")
            return
        if head[9:12] != b"200":
            raise RuntimeError(f"joining was answered {head[9:12]!r} {rest[:300]!r}")
        self.joined, self.buffer = True, b""
        self._ask("GET", "/stream", b"Accept: text/event-stream\r\n")

    def _ask(self, method: str, path: str, more: bytes) -> None:
        head = f"{method} /api/v1/drops/{self.crowd.drop}/queue{path} HTTP/1.1\r\n"
        host = f"Host: 127.0.0.1:{self.crowd.port}\r\nAuthorization: Bearer {self.token}\r\n"
        self.transport.write((head + host).encode() + more + b"\r\n")


def _state(data: bytes) -> bytes:
    """The first letters of the drop's state, as the last news in it tells."""
    at = data.rfind(_STATE)
    return data[at + _LONG : at + _LONG + 4]


def say(told: dict[str, object]) -> None:
    print(json.dumps(told), flush=True)


async def wait(tokens: list[str], drop: str, port: int, pace: float, in_hand: int) -> None:
    loop, began = asyncio.get_running_loop(), time.monotonic()
    crowd = Crowd(drop, port, len(tokens), in_hand)
    for nth, token in enumerate(tokens):
        await crowd.room.acquire()
        late = began + nth / pace - time.monotonic()
        if late > 0:
            await asyncio.sleep(late)
        source = (_SOURCES[nth % len(_SOURCES)], 0)
        await loop.create_connection(partial(Waiter, crowd, token), "127.0.0.1", port, local_addr=source)
    await crowd.all_in
    say({"open": crowd.standing, "seconds": time.monotonic() - began})
    await loop.run_in_executor(None, sys.stdin.read)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("file")
    given.add_argument("drop")
    given.add_argument("--port", type=int, required=True)
    given.add_argument("--first", type=int, default=0)
    given.add_argument("--count", type=int, required=True)
    given.add_argument("--pace", type=float, default=1_500, help="connections a second, at most")
    given.add_argument("--in-hand", type=int, default=50, help="people on the way in at once")
    asked = given.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Path(asked.file).open() as lines:
        rows = islice(lines, asked.first, asked.first + asked.count)
        tokens = [line.partition("\t")[0].strip() for line in rows]
    uvloop.run(wait(tokens, asked.drop, asked.port, asked.pace, asked.in_hand))


if __name__ == "__main__":
    main()
