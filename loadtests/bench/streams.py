"""Open event streams: how soon a push reaches all of them, and what becomes of them when the server is told to stop.

python streams.py URL [--streams 1000] [--pushes 5]

Opens so many GET URL/events, waits for the first event on each, then asks POST URL/push and takes the time until
every stream has the event. Prints a line of JSON, leaves the streams open until the server closes them, and prints
another: how many seconds after the first line the first and the last was closed, and how many in the middle of an
event."""

import argparse
import asyncio
import json
import resource
import time
from typing import cast
from urllib.parse import urlsplit

import uvloop


class Stream(asyncio.Protocol):
    """One open stream; counts the events that came whole."""

    def __init__(self, host: str, path: str, arrived: "asyncio.Queue[float]", closed: list[float]) -> None:
        self.host, self.path, self.arrived, self.closed = host, path, arrived, closed
        self.rest, self.events = b"", 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        head = f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nAccept: text/event-stream\r\n\r\n"
        cast(asyncio.Transport, transport).write(head.encode())

    def data_received(self, data: bytes) -> None:
        whole, _, self.rest = (self.rest + data).rpartition(b"\n\n")
        for _ in range(whole.count(b"data:")):
            self.events += 1
            self.arrived.put_nowait(time.perf_counter())

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.append(time.perf_counter())


async def push(host: str, port: int) -> float:
    """Ask the server to tell all streams; gives when it was asked."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = time.perf_counter()
    writer.write(
        f"POST /push HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )
    await reader.read()
    writer.close()
    return asked


async def watch(host: str, port: int, streams: int, pushes: int) -> None:
    loop, arrived, closed = asyncio.get_running_loop(), asyncio.Queue[float](), list[float]()
    opened = []
    for _ in range(streams):
        _, one = await loop.create_connection(
            lambda: Stream(host, "/events", arrived, closed), "127.0.0.1", port
        )
        opened.append(one)
    for _ in range(streams):
        await asyncio.wait_for(arrived.get(), 30)
    took = []
    for _ in range(pushes):
        asked = await push(host, port)
        took.append(max([await asyncio.wait_for(arrived.get(), 30) for _ in range(streams)]) - asked)
    print(json.dumps({"streams": streams, "push_all_ms": sorted(one * 1000 for one in took)}), flush=True)
    began = time.perf_counter()
    while len(closed) < streams:
        await asyncio.sleep(0.02)
    torn = sum(1 for one in opened if one.rest.strip(b"0\r\n"))
    last = {"first_closed": min(closed) - began, "last_closed": max(closed) - began, "torn": torn}
    print(json.dumps(last), flush=True)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("url")
    given.add_argument("--streams", type=int, default=1000)
    given.add_argument("--pushes", type=int, default=5)
    asked = given.parse_args()
    url = urlsplit(asked.url)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    uvloop.run(watch(url.netloc, url.port or 80, asked.streams, asked.pushes))


if __name__ == "__main__":
    main()
