"""redis-py's clients, made so that nothing is sent twice and no chain of waits outlasts its limit.

By default the library sends a command again up to ten times, scripts too, and each of several servers that hang costs
a caller one timeout after the other."""

# redis-py is typed in parts.
# mypy: disable-error-code="no-untyped-call"

import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.connection import (
    Connection,
    ConnectionPool,
    DefaultParser,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from runtime.redis_place import Place
from runtime.settings import settings


def timeout() -> float:
    """Seconds a socket may be silent."""
    return settings().redis_timeout_ms / 1000


def deadline() -> float:
    """Seconds one call may take with all its servers and sendings: 1.1 by default."""
    return timeout() * 1.375


_Client = TypeVar("_Client", bound=redis.Redis)
_ClusterClient = TypeVar("_ClusterClient", bound=RedisCluster)


calls: Counter[str] = (
    Counter()
)  # what this process sent, a pipeline as one: by `requests`, and by `following`
_counting = threading.Lock()


class _Thread(threading.local):
    until: float = math.inf
    follows: bool = False


_mine = _Thread()


def follows() -> None:
    """This thread keeps a copy of what Redis has up to date, for all requests there are."""
    _mine.follows = True


def sent() -> None:
    """Count a call."""
    with _counting:
        calls["following" if _mine.follows else "requests"] += 1


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """All sockets waited for inside, by clients made `timely`, get that long together; an outer limit stays."""
    outer = _mine.until
    _mine.until = min(outer, time.monotonic() + seconds)
    try:
        yield
    finally:
        _mine.until = outer


def left() -> float:
    """Seconds a socket may still be waited for. Raises redis-py's TimeoutError when there are none."""
    seconds = min(timeout(), _mine.until - time.monotonic())
    if seconds <= 0:
        raise RedisTimeoutError("no time left")
    return seconds


def client(at: Place, kind: type[_Client], *, timely: bool, **options: Any) -> _Client:
    """Of a server, or of the primary that the Sentinels of the place know. Asks nobody yet."""
    given = _given(at) | {"db": at.db, "retry": Retry(NoBackoff(), 0)} | options
    if at.kind == "sentinel":
        theirs = {
            name.removeprefix("sentinel_"): at.options.get(name) for name in at.options if "sentinel_" in name
        }
        plain: dict[str, Any] = _QUIET | theirs | at.ssl_options() | {
            name: value for name, value in given.items() if name.startswith("socket_") or name == "retry"
        }  # fmt: skip
        sentinels = Sentinel([])
        sentinels.sentinels = [
            redis.Redis.from_pool(
                ConnectionPool(connection_class=_Tls if at.tls else _Tcp, host=host, port=port, **plain)
            )
            for host, port in at.nodes
        ]
        managed: type[Connection] = SentinelManagedSSLConnection if at.tls else SentinelManagedConnection
        if timely:
            managed = _ManagedTls if at.tls else _Managed
        pool: ConnectionPool = SentinelConnectionPool(
            at.service, sentinels, connection_class=managed, **given
        )
    elif at.path:
        unix = _Unix if timely else UnixDomainSocketConnection
        pool = ConnectionPool(connection_class=unix, path=at.path, **given)
    else:
        [(host, port)] = at.nodes
        tls, tcp = (_Tls, _Tcp) if timely else (SSLConnection, Connection)
        pool = ConnectionPool(connection_class=tls if at.tls else tcp, host=host, port=port, **given)
    return cast(_Client, kind.from_pool(pool))


def cluster(at: Place, kind: type[_ClusterClient], **options: Any) -> _ClusterClient:
    """Asks the nodes for the slots at once. Raises redis-py's RedisClusterException when none answers."""
    [(host, port), *others] = at.nodes
    return kind(
        url=f"redis://[{host}]:{port}" if ":" in host else f"redis://{host}:{port}",
        startup_nodes=[ClusterNode(*other) for other in others],
        connection_class=_Tls if at.tls else _Tcp,
        retry=Retry(NoBackoff(), 0),
        require_full_coverage=False,
        **_given(at),
        **options,
    )


_QUIET: dict[str, Any] = {  # connecting takes one word with the server, not four
    "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    "driver_info": None,
}


def _given(at: Place) -> dict[str, Any]:
    login = {"username": at.username or None, "password": at.password or None}
    return _QUIET | login | at.ssl_options()


class _Parser(DefaultParser):  # type: ignore[misc,valid-type]
    def read_from_socket(self, *args: Any, **kwargs: Any) -> Any:
        if self._sock is not None:
            self._sock.settimeout(left())
        return super().read_from_socket(*args, **kwargs)


class _Timely:
    """For any of redis-py's connections: obeys `within` in connecting and at each read; its calls are counted."""

    socket_connect_timeout: Any

    def __init__(self, **options: Any) -> None:
        super().__init__(parser_class=_Parser, **options)  # type: ignore[call-arg]

    def _connect(self) -> Any:
        self.socket_connect_timeout = left()
        return super()._connect()  # type: ignore[misc]

    def send_packed_command(self, *args: Any, **kwargs: Any) -> None:
        sent()
        super().send_packed_command(*args, **kwargs)  # type: ignore[misc]


class _Tcp(_Timely, Connection): ...


class _Tls(_Timely, SSLConnection): ...


class _Unix(_Timely, UnixDomainSocketConnection): ...


class _Managed(_Timely, SentinelManagedConnection):
    def connect(self) -> None:
        with within(deadline()):
            super().connect()


class _ManagedTls(_Timely, SentinelManagedSSLConnection):
    def connect(self) -> None:
        with within(deadline()):
            super().connect()
