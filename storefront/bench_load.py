"""Starting the load clients of loadtests/bench, on the cores that load, and reading what they counted."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storefront.bench_shop import BenchError, Cores, pinned

CLIENTS = Path(__file__).parent.parent / "loadtests" / "bench"
_LONGEST = 3600  # seconds a client may run
_SPARE = 30  # seconds wrk waits at most for the last answers; it ends as soon as it has them


@dataclass(frozen=True)
class Told:
    """What a load client counted: requests sent, answers by status (a refusal's with its code), and how long it all
    took. `cpu_us`: what the serving processes used a request, microseconds."""

    sent: int
    answers: dict[str, int]
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_us: float = 0.0

    def rate(self, what: str) -> float:
        """Answers of that kind a second."""
        return self.answers.get(what, 0) / self.seconds if self.seconds else 0.0

    def only(self, *expected: str) -> "Told":
        """Raises BenchError when there was any other answer, or an error of the connection."""
        if self.errors or self.answers.keys() - set(expected):
            raise BenchError(f"answers {self.answers}, {self.errors} connection errors, not only {expected}")
        return self


def lines(path: Path, rows: Iterable[tuple[str, str]]) -> Path:
    """A file of prepared requests: token and the rest, a line each, all as long, with spaces at their end."""
    asked = [f"{token}\t{rest}".encode() for token, rest in rows]
    width = max(map(len, asked), default=0)
    path.write_bytes(b"".join(line.ljust(width) + b"\n" for line in asked))
    return path


def ask(
    cores: Cores, ports: Sequence[int], connections: int, seconds: float, method: str, path: str,
    prepared: tuple[Path, int, int] | None = None, *, rate: float = 0,
) -> Told:  # fmt: skip
    """The same request again and again, or the lines of a file from one on, so many, each once. `rate`: so many a
    second at most."""
    file = [str(part) for part in prepared] if prepared else []
    asked = (str(seconds), str(len(ports)), method, path, *file)
    told = wrk(cores, ports, len(ports), connections, "line.lua", seconds, *asked, rate=rate)
    if told["sent"] != sum(told["answers"].values()):
        raise BenchError(f"{told['sent']} requests sent, answers {told['answers']}")
    return Told(
        told["sent"],
        told["answers"],
        told["seconds"],
        told["p50_us"] / 1000,
        told["p99_us"] / 1000,
        told["errors"],
    )


def buy(
    cores: Cores,
    ports: Sequence[int],
    connections: int,
    seconds: float,
    drop: str,
    people: tuple[Path, int, int],
) -> tuple[Told, dict[str, Any]]:
    """Shoppers of the file, from one on, so many, search, hold and order one after the other on each connection.

    Told counts orders (`sent` and the answers "order"); beside it the answers and times of each request."""
    file = [str(part) for part in people]
    asked = (str(seconds), str(connections), drop, f"{drop}-card", *file)
    told = wrk(cores, ports, connections, connections, "orders.lua", seconds, *asked)
    placed, times = told["orders"], {what: [us / 1000 for us in row] for what, row in told["us"].items()}
    p50, p99, _ = times.get("all", [0.0, 0.0, 0.0])
    return Told(placed, {"order": placed}, told["seconds"], p50, p99, told["errors"]), {
        "answers": told["answers"], "ms": times,
    }  # fmt: skip


def wrk(
    cores: Cores,
    ports: Sequence[int],
    threads: int,
    connections: int,
    script: str,
    seconds: float,
    *args: str,
    rate: float = 0,
) -> dict[str, Any]:
    """Run wrk with a script of ours; gives the JSON it printed last. Raises BenchError."""
    if not shutil.which("wrk"):
        raise BenchError("wrk is missing: apt-get install wrk (bin/bench does it as root)")
    command = [
        "wrk", "-t", str(threads), "-c", str(connections), "-d", str(int(seconds + 0.999) + _SPARE),
        "--timeout", "10", "-s", str(CLIENTS / script), f"http://127.0.0.1:{ports[0]}", "--", *args,
    ]  # fmt: skip
    paced = {"RATE": f"{rate:.3f}"} if rate else {}
    return _json(command, cores, {"PORTS": ",".join(map(str, ports))} | paced)


def server(script: str, port: int) -> list[str]:
    """The command line of a server to ask instead of the shop."""
    return [sys.executable, str(CLIENTS / script), str(port)]


def python(cores: Cores, script: str, *args: str) -> dict[str, Any]:
    """Run a Python client of ours; gives the JSON it printed last. Raises BenchError."""
    return _json([sys.executable, str(CLIENTS / script), *args], cores, {})


@contextmanager
def started(cores: Cores, script: str, *args: str) -> Iterator[Iterator[dict[str, Any]]]:
    """A Python client of ours that goes on meanwhile; gives the lines of JSON it prints. Killed at the end."""
    command = pinned(cores.load, [sys.executable, str(CLIENTS / script), *args])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        try:
            yield _printed(client)
        finally:
            client.kill()


@contextmanager
def started_module(cores: Cores, module: str, *args: str, log: Path) -> Iterator[Iterator[dict[str, Any]]]:
    """A module of the load clients that goes on meanwhile; gives the lines of JSON it prints, and at last how it
    ended as {"ended": code}. What it complains of goes to the log. Killed at the end."""
    command = pinned(cores.load, [sys.executable, "-m", module, *args])
    root = CLIENTS.parent.parent
    with (
        log.open("wb") as complaints,
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=complaints, text=True) as client,
    ):
        try:
            yield _until_ended(client)
        finally:
            client.kill()


def _until_ended(client: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    assert client.stdout
    for line in client.stdout:
        yield json.loads(line)
    yield {"ended": client.wait()}


def _printed(client: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    assert client.stdout
    for line in client.stdout:
        yield json.loads(line)
    raise BenchError(f"a load client ended with {client.wait()}")


def _json(command: list[str], cores: Cores, more: dict[str, str]) -> dict[str, Any]:
    names = [f"{name}={value}" for name, value in more.items()]
    done = subprocess.run(
        pinned(cores.load, ["env", *names, *command]),
        capture_output=True,
        text=True,
        check=False,
        timeout=_LONGEST,
    )
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode or not last.startswith("{"):
        raise BenchError(
            f"{command[0]} ended with {done.returncode}: {done.stdout[-500:]} {done.stderr[-1500:]}"
        )
    told: dict[str, Any] = json.loads(last)
    return told


@contextmanager
def conversing(module: str, *args: str) -> Iterator[tuple[Iterator[dict[str, Any]], Callable[[], None]]]:
    """A module of the load clients that waits to be told to go on: the lines of JSON it prints, and what tells it.
    Killed at the end."""
    command = [sys.executable, "-m", module, *args]
    root = CLIENTS.parent.parent
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:

        def go_on() -> None:
            assert client.stdin
            client.stdin.write("\n")
            client.stdin.flush()

        try:
            yield _printed(client), go_on
        finally:
            client.kill()
