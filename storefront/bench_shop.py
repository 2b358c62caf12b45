"""The bench's own shop: Redis, web, clock and what it is compared with, each on its core, in a folder that goes."""

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from runtime import db, outbox, redis, redis_server, supervisor
from runtime.settings import give, settings
from storefront import bench_proc, migrating, processes

Say = Callable[[str], None]
_SERVER = (
    "--loop",
    "uvloop",
    "--http",
    "httptools",
    "--ws",
    "none",
    "--no-access-log",
    "--log-level",
    "warning",
)


class BenchError(Exception):
    """The bench cannot run or its result is worth nothing; the message says why."""


@dataclass(frozen=True)
class Cores:
    """Which cores serve and which load; one and the same on a machine with a single core."""

    serve: str
    load: str


@dataclass(frozen=True)
class BenchShop:
    """A running shop of the bench's own; ports of its web processes, and of the bare servers beside them."""

    ports: tuple[int, ...]
    bare: tuple[int, ...]
    cores: Cores
    running: supervisor.Supervisor

    def check(self) -> None:
        """Raises BenchError when a process has ended: what is measured then is not the shop."""
        for child in self.running.children:
            if child.running is None or child.running.poll() is not None:
                raise BenchError(f"{child.name} ended: {child.log.read_text()[-2000:]}")

    def last_words(self) -> str:
        """The ends of the web processes' logs, for who must find out why."""
        logs = [
            child.log.read_text()[-1500:] for child in self.running.children if child.name.startswith("web")
        ]
        return "\n".join(log for log in logs if log)

    def cpu(self, kind: str) -> float:
        """CPU seconds that the processes of a kind (web, bare, clock, redis) have used."""
        mine = [one.running for one in self.running.children if one.name.startswith(kind)]
        return bench_proc.cpu_seconds(one.pid for one in mine if one)

    def resident(self, kind: str) -> int:
        """Bytes of memory that the processes of a kind have."""
        mine = [one.running for one in self.running.children if one.name.startswith(kind)]
        return bench_proc.resident_bytes(one.pid for one in mine if one)

    def redis_calls(self, port: int) -> int:
        """How often a web process has called the stock's Redis to answer a request, as its metrics tell."""
        what = 'haoka_redis_calls_total{what="requests"} '
        [line] = [line for line in _fetched(port, "/metrics")[1].splitlines() if line.startswith(what)]
        return int(float(line.removeprefix(what)))

    @property
    def home(self) -> Path:
        return settings().home

    def until_shown(self, drop_id: str, ports: Sequence[int] = (), seconds: float = 300) -> None:
        """Wait until every web process, or what listens at the ports, shows the drop; raises BenchError."""
        until = time.monotonic() + seconds
        for port in ports or self.ports:
            while not _shows(port, drop_id):
                if time.monotonic() > until:
                    raise BenchError(f"the shelf of port {port} does not show {drop_id} in {seconds:.0f} s")
                self.check()
                time.sleep(0.2)

    def start_workers(self) -> None:
        """One of each queue, on all cores and as far back as `haoka run` puts it."""
        for queue in outbox.QUEUES:
            nice = processes.NICE.get(queue, 0)
            self.running.add(f"worker-{queue}", supervisor.program("worker", queue), nice=nice)


@contextmanager
def open_shop(database: str, web: int, say: Say, *, shared: bool = False) -> Iterator[BenchShop]:
    """A shop in a new folder under the temporary one, on free ports and a database of its own, the web processes on
    the first cores and the load on the last, or `shared` all on all; nothing of the caller's settings reaches it but
    the PostgreSQL server in HAOKA_TEST_DATABASE_URL. Raises BenchError."""
    server = os.environ.get("HAOKA_TEST_DATABASE_URL", "")
    if database == "postgres" and not server.startswith("postgresql"):
        raise BenchError(
            "--database postgres wants HAOKA_TEST_DATABASE_URL=postgresql://... of a server it may make a database "
            "on; bin/bench starts one"
        )
    given = {name: value for name, value in os.environ.items() if name.startswith("HAOKA_")}
    cores = _all_cores() if shared else _cores(web)
    with tempfile.TemporaryDirectory(prefix="haoka-bench-") as folder:
        try:
            _set({"HAOKA_HOME": f"{folder}/home", "HAOKA_LOG_LEVEL": "WARNING"})
            with _database(server if database == "postgres" else "") as url:
                if url:
                    give("database_url", url)
                running = supervisor.Supervisor(settings().home / "logs", say)
                try:
                    yield _started(running, web, cores, say)
                finally:
                    running.stop()
                    redis.forget()
                    db.dispose()
        finally:
            _set(given)


def _set(given: dict[str, str]) -> None:
    """These settings in the environment and no others."""
    for name in [name for name in os.environ if name.startswith("HAOKA_")]:
        del os.environ[name]
    os.environ.update(given)
    settings.cache_clear()


def pinned(cores: str, command: list[str]) -> list[str]:
    """The command, kept on those cores where the system can do that."""
    return ["taskset", "--cpu-list", cores, *command] if shutil.which("taskset") else command


def python(module: str, *args: str) -> list[str]:
    """The command line of a module of this Python."""
    return [sys.executable, "-m", module, *args]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _shows(port: int, drop_id: str) -> bool:
    """Does that web process show a number of the drop?"""
    status, body = _fetched(port, f"/api/v1/drops/{drop_id}/numbers?limit=1")
    return status == 200 and '"number"' in body


def _fetched(port: int, path: str) -> tuple[int, str]:
    link = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        link.request("GET", path)
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    finally:
        link.close()


def wait_for(port: int, seconds: float = 60) -> None:
    """Until something listens there; raises BenchError."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise BenchError(f"nothing answers on port {port}")


def _cores(web: int) -> Cores:
    """The first cores serve, one a web process, the rest load; at least one each."""
    all_of = _mine()
    serve = all_of[: max(1, min(web, len(all_of) - 1))]
    return Cores(",".join(map(str, serve)), ",".join(map(str, all_of[len(serve) :] or all_of)))


def _all_cores() -> Cores:
    everywhere = ",".join(map(str, _mine()))
    return Cores(everywhere, everywhere)


def _mine() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def _started(running: supervisor.Supervisor, web: int, cores: Cores, say: Say) -> BenchShop:
    ports, bare = tuple(free_port() for _ in range(web)), tuple(free_port() for _ in range(web))
    give("port", str(ports[0]))
    say(f"folder {settings().home}; cores {cores.serve} serve, {cores.load} load")
    running.add("redis", pinned(cores.load, redis_server.command(settings().home / "redis")))
    redis_server.wait(settings().redis_url)
    migrating.upgrade()
    processes.prepare()
    twins = free_port()
    give("sandbox_url", f"http://127.0.0.1:{twins}/sandbox")
    running.add("twins", pinned(cores.load, supervisor.program("twins", "--port", str(twins))))
    for nth, port in enumerate(bare):
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "storefront.bench_bare:app",
            "--port",
            str(port),
            *_SERVER,
        ]
        running.add(f"bare{nth}", pinned(cores.serve, command))
    for nth, port in enumerate(ports):
        give("port", str(port))
        running.add(f"web{nth}", pinned(cores.serve, supervisor.program("web")))
    give("port", str(ports[0]))
    running.add("clock", pinned(cores.load, supervisor.program("clock")))
    for port in (*ports, *bare):
        wait_for(port)
    return BenchShop(ports, bare, cores, running)


@contextmanager
def _database(server: str) -> Iterator[str]:
    """A new database on that server, dropped afterwards; gives its URL, or nothing for SQLite in the folder."""
    if not server:
        yield ""
        return
    url, name = make_url(server).set(drivername="postgresql+psycopg"), f"haoka_bench_{os.getpid()}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    try:
        yield url.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        engine.dispose()
