"""Buyers of a sell-out: each searches, wishes a number it was shown, and tries on until it holds one or all are gone.

python buyers.py URL DROP OFFER FILE RECORDS [--connections 200] [--first 0 --count N]

FILE holds a buyer a line: token, tab, anything. Whatever a buyer was promised is written to RECORDS as it comes, a
line each: number, hold, which buyer. A connection serves one buyer after the other, one request at a time. Prints a
line of JSON. Raw sockets, since a library's client would take the core it shares with Redis."""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO, cast
from urllib.parse import urlsplit

import uvloop

_PAUSE = 0.05  # seconds before somebody asks again who was told to come back
_TRIES = 50  # requests for one number; then the buyer is counted as failed


@dataclass
class Sale:
    """What all connections share."""

    host: str
    drop: str
    offer: str
    buyers: Iterator[tuple[int, str]]
    records: TextIO
    answers: Counter[str] = field(default_factory=Counter)  # of each request
    outcomes: Counter[str] = field(default_factory=Counter)  # of each buyer
    took: list[float] = field(default_factory=list)  # seconds of each request to hold
    sold_out_at: float = 0.0  # the first buyer who was told so


class Buyers(asyncio.Protocol):
    """One connection; `done` is set when no buyer is left for it."""

    def __init__(self, sale: Sale) -> None:
        self.sale, self.done = sale, asyncio.get_running_loop().create_future()
        self.chance, self.buffer, self.seen = random.Random(), b"", ["0"]
        self.step, self.tries, self.asked = "", 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, gap, rest = self.buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(rest) >= length:
            self.buffer = rest[length:]
            self._answered(int(head[9:12]), rest[:length])

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.sale.answers["connection lost"] += 1
            self.sale.outcomes["connection lost"] += 1
            self.done.set_result(None)

    def _next(self) -> None:
        """The next buyer's first look at the shelf."""
        buyer = next(self.sale.buyers, None)
        if buyer is None:
            self.done.set_result(None)
            self.transport.close()
            return
        self.buyer, self.token = buyer
        self.tries = 0
        self._look()

    def _look(self) -> None:
        self.step = "search"
        self._send("GET", f"/api/v1/drops/{self.sale.drop}/numbers?limit=20&batch={self.tries}", b"")

    def _wish(self, numbers: list[str]) -> None:
        """Wish one of the numbers; with none shown one that was: whether all are gone is the hold's to say."""
        self.seen = numbers or self.seen
        number = self.chance.choice(self.seen)
        body = json.dumps({"number": number, "like": number, "offer": self.sale.offer}).encode()
        self.step, self.asked = "hold", time.perf_counter()
        self._send("POST", f"/api/v1/drops/{self.sale.drop}/holds", body)

    def _send(self, method: str, path: str, body: bytes) -> None:
        self.tries += 1
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.sale.host}\r\nAuthorization: Bearer {self.token}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"\r\n" + body)

    def _answered(self, status: int, body: bytes) -> None:
        told = json.loads(body) if body.startswith(b"{") else {}
        code = told.get("code", "")
        self.sale.answers[f"{self.step} {status} {code}".strip()] += 1
        if self.step == "hold":
            self.sale.took.append(time.perf_counter() - self.asked)
        if self.step == "search" and status == 200:
            self._wish([one["number"] for one in told["numbers"]])
        elif status == 201:
            self.sale.records.write(f"{told['number']}\t{told['hold']}\t{self.buyer}\n")
            self._over("held")
        elif code == "sold_out":
            self.sale.sold_out_at = self.sale.sold_out_at or time.perf_counter()
            self._over("sold_out")
        elif self.tries >= _TRIES:
            self._over(f"failed: {status} {code}")
        elif code == "taken" and (others := [one["number"] for one in told.get("alternatives", [])]):
            self._wish(others)
        elif code in {"taken", "unavailable"}:
            asyncio.get_running_loop().call_later(_PAUSE, self._look)
        else:
            self._over(f"failed: {status} {code}")

    def _over(self, outcome: str) -> None:
        self.sale.outcomes[outcome] += 1
        self._next()


async def sell(sale: Sale, ports: list[int], connections: int) -> None:
    """Let all buyers buy, over so many connections, shared among the ports."""
    loop = asyncio.get_running_loop()
    failed: asyncio.Future[Any] = loop.create_future()

    def on_trouble(_loop: object, told: dict[str, Any]) -> None:
        if not failed.done():
            failed.set_exception(told.get("exception") or RuntimeError(told["message"]))

    loop.set_exception_handler(on_trouble)
    opened = [
        loop.create_connection(lambda: Buyers(sale), "127.0.0.1", ports[nth % len(ports)])
        for nth in range(connections)
    ]
    sold: asyncio.Future[Any] = asyncio.gather(*[one.done for _, one in await asyncio.gather(*opened)])
    await asyncio.wait([sold, failed], return_when=asyncio.FIRST_COMPLETED)
    await (failed if failed.done() else sold)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    for name in ("url", "drop", "offer", "file", "records"):
        given.add_argument(name)
    given.add_argument("--ports", default="", help="several, by comma, instead of the URL's")
    given.add_argument("--connections", type=int, default=200)
    given.add_argument("--first", type=int, default=0)
    given.add_argument("--count", type=int)
    asked = given.parse_args()
    url = urlsplit(asked.url)
    ports = [int(port) for port in asked.ports.split(",") if port] or [url.port or 80]
    with Path(asked.file).open() as lines, Path(asked.records).open("w") as records:
        last = None if asked.count is None else asked.first + asked.count
        buyers = ((nth, line.partition("\t")[0]) for nth, line in islice(enumerate(lines), asked.first, last))
        sale = Sale(url.netloc, asked.drop, asked.offer, buyers, records)
        began = time.perf_counter()
        uvloop.run(sell(sale, ports, asked.connections))
        seconds = time.perf_counter() - began
    took = sorted(sale.took) or [0.0]
    told = {
        "outcomes": sale.outcomes, "answers": sale.answers, "seconds": seconds,
        "sold_out_after": sale.sold_out_at - began if sale.sold_out_at else None,
        "p50_ms": took[len(took) // 2] * 1000, "p99_ms": took[len(took) * 99 // 100] * 1000,
        "most_ms": took[-1] * 1000, "cpu_seconds": time.process_time(),
    }  # fmt: skip
    print(json.dumps(told))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
