"""A primary, its replica and the Sentinels that watch them, as small as a failover needs."""

import contextlib
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from runtime import redis_server
from tests.redis_cluster import ask, until
from tests.shop import free_port

SERVICE = "stock"


@dataclass
class Pair:
    """`url` is for HAOKA_REDIS_URL; `servers` by port, the first one begins as the primary."""

    url: str
    sentinels: list[int]
    servers: dict[int, "subprocess.Popen[bytes]"]

    @property
    def primary(self) -> int:
        """The primary's port, as the Sentinels know it now."""
        return int(ask(self.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])


@contextmanager
def sentinel_pair(folder: Path, *, sentinels: int = 3) -> Iterator[Pair]:
    """Ready when every Sentinel knows the replica and the other Sentinels."""
    with ExitStack() as stack:
        primary, replica = free_port(), free_port()
        servers = {
            primary: redis_server.start(folder / "a", port=primary),
            replica: redis_server.start(
                folder / "b", "--replicaof", f"127.0.0.1 {primary}", "--repl-diskless-sync-delay", "0", port=replica
            ),
        }  # fmt: skip
        watching = [_sentinel(folder / f"sentinel{n}", primary, sentinels // 2 + 1) for n in range(sentinels)]
        for process in [*servers.values(), *(process for _, process in watching)]:
            stack.callback(process.wait, 10)
            stack.callback(process.kill)
        ports = [port for port, _ in watching]
        until(lambda: ask(replica, "INFO", "replication")["master_link_status"] == "up")
        until(lambda: all(_knows(port, sentinels - 1) for port in ports))
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        yield Pair(f"redis+sentinel://{hosts}/{SERVICE}", ports, servers)


def _sentinel(folder: Path, primary: int, quorum: int) -> "tuple[int, subprocess.Popen[bytes]]":
    folder.mkdir(parents=True)
    port = free_port()
    settings = folder / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
        f"sentinel monitor {SERVICE} 127.0.0.1 {primary} {quorum}\n"
        f"sentinel down-after-milliseconds {SERVICE} 1000\n"
        f"sentinel failover-timeout {SERVICE} 5000\n"
    )
    with open(folder / "log", "wb") as out:
        process = subprocess.Popen(
            [redis_server.binary(), str(settings), "--sentinel"], stdout=out, stderr=out
        )
    return port, process


def _knows(port: int, others: int) -> bool:
    with contextlib.closing(Redis(port=port, decode_responses=True)) as client:
        asked: Any = client
        known = asked.sentinel_master(SERVICE)
        return (known["num-slaves"], known["num-other-sentinels"]) == (1, others)
