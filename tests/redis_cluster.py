"""`python -m tests.redis_cluster COMMAND...`: runs a command with a three-node Redis Cluster of its own.

The command finds it as HAOKA_REDIS_URL, and tests as HAOKA_TEST_REDIS_URL. With HAOKA_TEST_REDIS=cluster each test
process and each shop of the tests starts one for itself instead."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis

from runtime import redis_server

SLOTS = 16384


@contextmanager
def cluster(folder: Path, *, nodes: int = 3) -> Iterator[str]:
    """A cluster of primaries, as durable as the shop's own server; gives its URL."""
    with ExitStack() as stack:
        ports = [stack.enter_context(node(folder / f"node{n}")) for n in range(nodes)]
        join(ports)
        yield "redis+cluster://" + ",".join(f"127.0.0.1:{port}" for port in ports)


@contextmanager
def node(folder: Path) -> Iterator[int]:
    """A server that is in no cluster yet; gives its port."""
    from tests.shop import free_port

    port = free_port()
    server = redis_server.start(
        folder, "--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--cluster-node-timeout", "2000",
        port=port,
    )  # fmt: skip
    try:
        yield port
    finally:
        server.terminate()
        server.wait(10)


def join(ports: Sequence[int]) -> None:
    """Deal the slots out evenly and wait until every node knows of all and the cluster serves."""
    clients = [Redis(port=port, decode_responses=True) for port in ports]
    try:
        for n, client in enumerate(clients):
            first, last = SLOTS * n // len(ports), SLOTS * (n + 1) // len(ports) - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
        bus = int(clients[0].config_get("cluster-port")["cluster-port"])
        for client in clients[1:]:
            client.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0], bus)
        end = time.monotonic() + 30
        while not all(_serves(client, len(ports)) for client in clients):
            assert time.monotonic() < end, "the cluster does not come up"
            time.sleep(0.05)
    finally:
        for client in clients:
            client.close()


def _serves(client: Redis, nodes: int) -> bool:
    told = client.execute_command("CLUSTER", "INFO")
    lines = (
        told.splitlines() if isinstance(told, str) else [f"{name}:{value}" for name, value in told.items()]
    )
    return {"cluster_state:ok", f"cluster_known_nodes:{nodes}", f"cluster_size:{nodes}"} <= set(lines)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="haoka-cluster-") as folder, cluster(Path(folder)) as url:
        given = {"HAOKA_REDIS_URL": url, "HAOKA_TEST_REDIS_URL": url}
        return subprocess.run(sys.argv[1:], env=os.environ | given, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
