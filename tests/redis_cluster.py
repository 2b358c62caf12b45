"""`python -m tests.redis_cluster COMMAND...`: runs a command with a three-node Redis Cluster of its own.

The command finds it as HAOKA_REDIS_URL, and tests as HAOKA_TEST_REDIS_URL. With HAOKA_TEST_REDIS=cluster each test
process and each shop of the tests starts one for itself instead."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from runtime import redis_server

SLOTS = 16384


@contextmanager
def cluster(folder: Path, *, nodes: int = 3) -> Iterator[str]:
    """A cluster of primaries, as durable as the shop's own server; gives its URL."""
    with ExitStack() as stack:
        ports = [stack.enter_context(node(folder / f"node{n}"))[0] for n in range(nodes)]
        join(ports)
        yield url_of(ports)


@contextmanager
def node(folder: Path, *options: str) -> "Iterator[tuple[int, subprocess.Popen[bytes]]]":
    """A server that is in no cluster yet, and its port."""
    from tests.shop import free_port

    port = free_port()
    bus = ("--cluster-enabled", "yes", "--cluster-port", str(free_port()))
    server = redis_server.start(folder, *bus, "--cluster-node-timeout", "2000", *options, port=port)
    try:
        yield port, server
    finally:
        server.send_signal(signal.SIGCONT)  # a test may have stopped it
        server.kill()
        server.wait(10)


def url_of(ports: Sequence[int]) -> str:
    return "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)


def ask(port: int, *command: str | int) -> Any:
    with closing(Redis(port=port, decode_responses=True)) as client:
        asked: Any = client
        return asked.execute_command(*command)


def join(ports: Sequence[int]) -> None:
    """Deal the slots out evenly and wait until every node knows of all and the cluster serves."""
    for n, port in enumerate(ports):
        first, last = SLOTS * n // len(ports), SLOTS * (n + 1) // len(ports) - 1
        ask(port, "CLUSTER", "ADDSLOTSRANGE", first, last)
        ask(port, "CLUSTER", "SET-CONFIG-EPOCH", n + 1)
    for port in ports[1:]:
        meet(port, ports[0])
    until(lambda: all(_serves(port, len(ports)) for port in ports))


def meet(port: int, other: int) -> None:
    ask(port, "CLUSTER", "MEET", "127.0.0.1", other, ask(other, "CONFIG GET", "cluster-port")["cluster-port"])


def until(what: Callable[[], bool], seconds: float = 30) -> None:
    """Servers that are finding each other; what they refuse to answer meanwhile is a no."""
    end = time.monotonic() + seconds
    while True:
        with suppress(RedisError):
            if what():
                return
        assert time.monotonic() < end, "the servers do not find each other"
        time.sleep(0.05)


def _serves(port: int, nodes: int) -> bool:
    told = ask(port, "CLUSTER INFO")
    return (told["cluster_state"], told["cluster_known_nodes"], told["cluster_size"]) == (
        "ok",
        str(nodes),
        str(nodes),
    )


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="haoka-cluster-") as folder, cluster(Path(folder)) as url:
        given = {"HAOKA_REDIS_URL": url, "HAOKA_TEST_REDIS_URL": url}
        return subprocess.run(sys.argv[1:], env=os.environ | given, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
