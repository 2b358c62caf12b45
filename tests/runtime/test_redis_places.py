"""Where a Redis is, by its URL, and the breaker before it."""

import threading
import time
from pathlib import Path

import pytest

from runtime.breaker import FAILURES, SILENCE, Breaker, Refused
from runtime.redis_place import Place, place
from runtime.settings import SettingsError, need_queue, read

THREE = (("a", 7001), ("b", 7002), ("::1", 6379))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://a", Place("server", (("a", 6379),))),
        ("rediss://u:p%40ss@a:7001/3", Place("server", THREE[:1], "", "", 3, "u", "p@ss", True)),
        ("unix:///x%20y/redis.sock?db=2", Place("server", (), "/x y/redis.sock", "", 2)),
        ("redis+cluster://a:7001,b:7002,[::1]", Place("cluster", THREE)),
        ("redis+cluster://:p@a:7001", Place("cluster", THREE[:1], password="p")),
        ("redis+sentinel://a:7001,b:7002/stock", Place("sentinel", THREE[:2], service="stock")),
        ("rediss+sentinel://a/stock/4", Place("sentinel", (("a", 26379),), "", "stock", 4, tls=True)),
        (
            "redis+sentinel://a/stock?sentinel_password=x",
            Place("sentinel", (("a", 26379),), service="stock", options={"sentinel_password": "x"}),
        ),
    ],
)
def test_the_url_says_where_it_is(url: str, expected: Place) -> None:
    assert place(url) == expected


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://a", "must be redis://HOST:PORT"),
        ("redis://", "must be redis://HOST:PORT"),
        ("redis://a,b", "must be redis://HOST:PORT"),
        ("redis://a:99999", "must be redis://HOST:PORT"),
        ("redis://a/x", "must be redis://HOST:PORT"),
        ("unix://", "names no socket"),
        ("redis+cluster://a/1", "names a database, of which a cluster has only one"),
        ("redis+sentinel://a", "must end in the service's name"),
        ("redis://a?retry=9", "has the unknown option retry"),
    ],
)
def test_a_url_that_cannot_be_is_refused_with_the_setting_and_the_fix(
    tmp_path: Path, url: str, sentence: str
) -> None:
    for name in ("HAOKA_REDIS_URL", "HAOKA_QUEUE_REDIS_URL"):
        with pytest.raises(SettingsError, match=f"^{name} {sentence}"):
            read({"HAOKA_HOME": str(tmp_path), name: url})


def test_job_queues_cannot_lie_on_a_cluster(tmp_path: Path) -> None:
    home = {"HAOKA_HOME": str(tmp_path)}
    on_cluster = home | {"HAOKA_REDIS_URL": "redis+cluster://a"}
    assert read(home).queue_redis_url == read(home).redis_url
    sentinels = read(home | {"HAOKA_REDIS_URL": "redis+sentinel://a/stock"})
    assert sentinels.queue_redis_url == sentinels.redis_url
    assert read(on_cluster).queue_redis_url == read(home).redis_url
    with pytest.raises(SettingsError, match=r"^HAOKA_QUEUE_REDIS_URL is a cluster"):
        read(home | {"HAOKA_QUEUE_REDIS_URL": "redis+cluster://a"})
    with pytest.raises(
        SettingsError, match=r"^HAOKA_QUEUE_REDIS_URL must be set: HAOKA_REDIS_URL is a cluster"
    ):
        need_queue(read(on_cluster))
    need_queue(read(on_cluster | {"HAOKA_QUEUE_REDIS_URL": "redis://b"}))
    need_queue(read(home))


class Server:
    """Asked by the healer: ill until it is well."""

    def __init__(self) -> None:
        self.well = threading.Event()
        self.asked = 0

    def ask(self) -> None:
        self.asked += 1
        if not self.well.is_set():
            raise ConnectionError


def test_a_breaker_opens_at_the_fifth_failure_in_a_row_and_closes_when_the_server_is_well() -> None:
    server = Server()
    breaker = Breaker("test", server.ask)
    for _ in range(FAILURES - 1):
        breaker.failed(time.monotonic())
    breaker.passed()
    for _ in range(FAILURES - 1):
        breaker.failed(time.monotonic())
    breaker.check()
    breaker.failed(time.monotonic())
    with pytest.raises(Refused):
        breaker.check()
    while server.asked < 2:
        time.sleep(0.01)
    assert breaker.is_open
    before = time.monotonic()
    server.well.set()
    while breaker.is_open:
        time.sleep(0.01)
    breaker.check()
    for _ in range(FAILURES):  # calls that began before it was well end late
        breaker.failed(before)
    breaker.check()
    breaker.end()


def test_two_silences_open_it() -> None:
    server = Server()
    breaker = Breaker("test", server.ask)
    breaker.failed(time.monotonic(), weight=SILENCE)
    breaker.check()
    breaker.failed(time.monotonic(), weight=SILENCE)
    with pytest.raises(Refused):
        breaker.check()
    breaker.end()
