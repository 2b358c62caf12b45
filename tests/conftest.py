"""What tests stand on: a real Redis, a real database, the offline twins over real HTTP."""

import asyncio
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.patience import PATIENT
from tests.plugin import pytest_addoption, pytest_terminal_summary  # noqa: F401
from tests.postgres import create_database
from tests.redis_cluster import cluster

KEPT = {
    "HAOKA_ALL_HISTORIES",
    "HAOKA_CROWD_ORDERS",
    "HAOKA_MODEL_STEPS",
}  # how much is tested, for longer proof

# A PostgreSQL server may be given; nothing else of a shop's settings may reach the tests: they empty what they find.
_SERVER = os.environ.get("HAOKA_TEST_DATABASE_URL") or os.environ.get("HAOKA_DATABASE_URL", "")
_SERVER = _SERVER if _SERVER.startswith("postgresql") else ""
# So may a Redis: the tests flush it, so it is named on purpose; or "cluster", then each process starts a cluster.
_REDIS_URL, _REDIS = os.environ.get("HAOKA_TEST_REDIS_URL", ""), os.environ.get("HAOKA_TEST_REDIS", "")
for _name in [name for name in os.environ if name.startswith("HAOKA_") and name not in KEPT]:
    del os.environ[_name]
_HOME = Path(tempfile.mkdtemp(prefix="haoka-test-"))
os.environ.update(
    {"HAOKA_HOME": str(_HOME), "HAOKA_PUBLIC_URL": "http://testserver", "HAOKA_LOG_LEVEL": "WARNING"}
)
os.environ.update(PATIENT)
if _SERVER:  # every test process has a database of its own
    os.environ["HAOKA_TEST_DATABASE_URL"] = _SERVER
    os.environ["HAOKA_DATABASE_URL"] = create_database(_SERVER, f"suite_{os.getpid()}")
if _REDIS_URL and "PYTEST_XDIST_WORKER" in os.environ:
    raise RuntimeError(
        "several test processes cannot share HAOKA_TEST_REDIS_URL; HAOKA_TEST_REDIS=cluster can"
    )
if _REDIS_URL:
    os.environ["HAOKA_TEST_REDIS_URL"] = os.environ["HAOKA_REDIS_URL"] = _REDIS_URL
if _REDIS:  # for test processes and for shops
    os.environ["HAOKA_TEST_REDIS"] = _REDIS

from checkout import offers  # noqa: E402
from inventory import queue_follow, shelf, verbs  # noqa: E402
from runtime import clock, log, redis_server  # noqa: E402
from runtime import db as database  # noqa: E402
from runtime import redis as redis_clients  # noqa: E402
from runtime.settings import embedded_redis, settings  # noqa: E402

log.configure("WARNING")


@pytest.fixture(scope="session", autouse=True)
def _home() -> Iterator[None]:
    yield
    database.dispose()
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_process() -> Iterator[None]:
    """The server of this data folder; in a run for a cluster that holds the stock, the server the queues."""
    with ExitStack() as stack:
        server = redis_server.start(_HOME / "redis")
        stack.callback(server.wait, 10)
        stack.callback(server.terminate)
        if _REDIS == "cluster":
            os.environ["HAOKA_REDIS_URL"] = stack.enter_context(cluster(_HOME / "cluster"))
            settings.cache_clear()
        stack.callback(redis_clients.forget)
        yield


@pytest.fixture
def redis(redis_process: None) -> Redis:
    """A clean, real Redis."""
    redis_clients.hot().flushall()
    return redis_clients.hot()


@pytest.fixture
def one_server(redis: Redis) -> Redis:
    """The same where it is the one embedded server; other runs skip the test."""
    if settings().redis_url != embedded_redis(_HOME):
        pytest.skip("is about the embedded server")
    return redis


@pytest.fixture(scope="session")
def schema() -> None:
    """All tables, made by the migrations, on whichever database the run is for."""
    from storefront.migrating import upgrade

    upgrade()


@pytest.fixture
def db(schema: None) -> Iterator[None]:
    """A clean database, all tables empty."""
    with database.writing() as session:
        for table in reversed(database.Base.metadata.sorted_tables):
            session.execute(table.delete())
    # Another test may have had a drop of the same id, elsewhere and with other numbers.
    verbs.forget()
    shelf.forget()
    queue_follow.forget()
    offers.forget()
    yield
    clock.shift(timedelta())


class _Twins:
    """The twins of the test that runs, behind one server for all tests."""

    def __init__(self) -> None:
        self.of_this_test: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            assert self.of_this_test, "the test that asked for twins is over"
            await self.of_this_test(scope, receive, send)


@pytest.fixture(scope="session")
def twins_server() -> Iterator[tuple[_Twins, str]]:
    """A real HTTP server for twins, and its address."""
    import uvicorn

    standing = _Twins()
    server = uvicorn.Server(
        uvicorn.Config(standing, host="127.0.0.1", port=0, log_level="error", ws="none", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield standing, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(15)


async def _end(made: Starlette) -> None:
    """End what it runs beside answering: who delivers webhooks."""
    async with made.router.lifespan_context(made):
        pass


@pytest.fixture
def twins(twins_server: tuple[_Twins, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """All offline twins, new ones, over real HTTP; the settings point at them. Gives the base address."""
    from storefront.twins import app

    standing, address = twins_server
    standing.of_this_test = made = app(tmp_path / "twins")
    base = f"{address}/sandbox"
    monkeypatch.setenv("HAOKA_SANDBOX_URL", base)
    settings.cache_clear()
    yield base
    standing.of_this_test = None
    asyncio.run(_end(made))
    monkeypatch.delenv("HAOKA_SANDBOX_URL")
    settings.cache_clear()
