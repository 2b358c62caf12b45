"""Holds at a given rate: each line of FILE is one person with one wish, sent when its moment comes.

python holders.py FILE DROP --ports P,P [--first 0 --count N] --rate R [--connections 64]

Lines as loadtests/bench has them: token, tab, body. Prints one line of JSON: answers by status and code, seconds,
holds accepted a second, p50 and p99 in milliseconds from the moment a hold was due, so that waiting for a free
connection counts too."""

import argparse
import asyncio
import json
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import uvloop


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes]:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    return int(head[9:12]), await reader.readexactly(length)


async def hold(lines: list[str], drop: str, ports: list[int], rate: float, connections: int) -> None:
    answers, took = Counter[str](), list[float]()
    began = time.monotonic()
    asked = enumerate(lines)

    async def one(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for nth, line in asked:
            due = began + nth / rate
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            token, _, body = line.strip().partition("\t")
            head = f"POST /api/v1/drops/{drop}/holds HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            head += f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            head += f"Content-Length: {len(body)}\r\n\r\n{body}"
            status, told = await ask(reader, writer, head.encode())
            took.append(time.monotonic() - due)
            answers[str(status) if status == 201 else f"{status} {json.loads(told).get('code', '')}"] += 1
        writer.close()

    await asyncio.gather(*(one(ports[nth % len(ports)]) for nth in range(connections)))
    seconds = time.monotonic() - began
    took.sort()
    told = {
        "answers": answers, "seconds": seconds, "held_per_second": answers["201"] / seconds,
        "p50_ms": took[len(took) // 2] * 1000, "p99_ms": took[len(took) * 99 // 100] * 1000,
    }  # fmt: skip
    print(json.dumps(told), flush=True)


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("file")
    given.add_argument("drop")
    given.add_argument("--ports", required=True)
    given.add_argument("--first", type=int, default=0)
    given.add_argument("--count", type=int, required=True)
    given.add_argument("--rate", type=float, required=True, help="holds a second")
    given.add_argument("--connections", type=int, default=64)
    asked = given.parse_args()
    with Path(asked.file).open() as file:
        lines = list(islice(file, asked.first, asked.first + asked.count))
    uvloop.run(
        hold(lines, asked.drop, [int(port) for port in asked.ports.split(",")], asked.rate, asked.connections)
    )


if __name__ == "__main__":
    main()
