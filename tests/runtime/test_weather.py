"""What the kernel stands on is slow, full or away: work waits for it, and nobody waits for it for ever."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import text

from runtime import clock, jobs, outbox, ticker
from runtime.breaker import Breaker
from runtime.db import reading, writing
from runtime.facts import Unavailable
from runtime.redis import Verb
from runtime.settings import settings

_told: list[str] = []


def _on_death(ref: str) -> None:
    _told.append(ref)
    if ref == "killed":
        raise KeyboardInterrupt  # the process ends here


@outbox.handles("test.weather", queue="papers", on_death=_on_death)
def _weather(ref: str) -> None:
    if ref == "fatal":
        raise KeyboardInterrupt  # the process ends here
    if ref in ("a", "b"):
        _told.append(ref)
    if ref == "away":
        raise Unavailable
    if ref in ("broken", "killed"):
        raise RuntimeError("no paper")


@pytest.fixture(autouse=True)
def _clean() -> None:
    _told.clear()


@pytest.fixture
def woken() -> Iterator[list[str]]:
    heard: list[str] = []
    outbox.wake_with(heard.append)
    yield heard
    outbox._wake.clear()


def test_work_outlives_any_outage_of_what_it_stands_on(db: None) -> None:
    with writing() as session:
        outbox.add(session, "test.weather", "away")
    for hour in range(2 * outbox.TRIES):
        clock.shift(timedelta(hours=hour))
        assert outbox.drain("papers") == 1
    with reading() as session:
        assert outbox.dead(session) == []


def test_a_death_is_told_even_when_the_process_ends_while_it_tells(db: None) -> None:
    with writing() as session:
        outbox.add(session, "test.weather", "killed")
    for hour in range(outbox.TRIES - 1):
        clock.shift(timedelta(hours=2 * hour))
        outbox.drain("papers")
    for hour in (20, 21):
        clock.shift(timedelta(hours=hour))
        with pytest.raises(KeyboardInterrupt):
            outbox.drain("papers")
    assert _told == ["killed", "killed"]


def test_work_that_kills_its_worker_dies_alone_and_holds_nothing_up(db: None) -> None:
    with writing() as session:
        for ref in ("fatal", "a", "b"):
            outbox.add(session, "test.weather", ref)
    for hour in range(outbox.TRIES):
        clock.shift(timedelta(hours=hour))
        with pytest.raises(KeyboardInterrupt):
            outbox.drain("papers")
    clock.shift(timedelta(hours=outbox.TRIES))
    outbox.drain("papers")
    with reading() as session:
        assert [row.ref for row in outbox.dead(session)] == ["fatal"]
    assert sorted(_told) == ["a", "b", "fatal"]


def test_workers_are_woken_by_the_commit_and_not_by_a_savepoint(db: None, woken: list[str]) -> None:
    with writing() as session:
        with session.begin_nested():
            outbox.add(session, "test.weather", "a")
        assert woken == []
    assert woken == ["papers"]


def test_one_savepoint_rolled_back_forgets_no_other_work(db: None, woken: list[str]) -> None:
    with writing() as session:
        outbox.add(session, "test.weather", "a")
        with pytest.raises(ZeroDivisionError), session.begin_nested():
            raise ZeroDivisionError
    assert woken == ["papers"]


def test_a_queue_that_hangs_holds_up_a_commit_for_about_a_second(
    tmp_path: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "mute.sock"))
        mute.listen()
        monkeypatch.setenv("HAOKA_QUEUE_REDIS_URL", f"unix://{tmp_path}/mute.sock")
        monkeypatch.setattr(jobs, "_connection", [])
        monkeypatch.setattr(jobs, "_breaker", Breaker("the queues", jobs._ask))
        settings.cache_clear()
        try:
            start = time.monotonic()
            jobs.wake("papers")
            assert time.monotonic() - start < 4
            jobs.wake("papers")
            assert jobs._breaker.is_open  # from now on nobody waits
            start = time.monotonic()
            for _ in range(100):
                jobs.wake("papers")
            assert time.monotonic() - start < 1
        finally:
            jobs._breaker.end()
            monkeypatch.undo()
            settings.cache_clear()


def test_a_full_redis_is_weather_too(one_server: Redis, tmp_path: Path) -> None:
    (tmp_path / "set.lua").write_text("return redis.call('SET', KEYS[1], ARGV[1])")
    verb = Verb(tmp_path / "set.lua")
    one_server.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable):
            verb(["a"], ["1"])
    finally:
        one_server.config_set("maxmemory", 0)


def test_a_replica_is_weather_too(tmp_path: Path, one_server: Redis) -> None:
    (tmp_path / "set.lua").write_text("return redis.call('SET', KEYS[1], ARGV[1])")
    one_server.replicaof("127.0.0.1", 1)
    try:
        with pytest.raises(Unavailable):
            Verb(tmp_path / "set.lua")(["a"], ["1"])
    finally:
        one_server.replicaof("NO", "ONE")


def test_the_lease_of_a_holder_whose_clock_was_ahead_can_be_taken(db: None) -> None:
    clock.shift(timedelta(hours=1))
    assert ticker.take_lease("clock", "gone")
    clock.shift(timedelta(0))
    assert ticker.take_lease("clock", "heir")
    assert not ticker.take_lease("clock", "late")


def test_what_is_due_is_found_by_the_index_among_all_that_was_done(db: None) -> None:
    query = outbox._due(clock.now()).with_only_columns(outbox.OutboxRow.queue).distinct()
    with reading() as session:
        if session.get_bind().dialect.name != "sqlite":
            pytest.skip("asks SQLite for its plan")
        told = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        plan = str(session.execute(text(f"EXPLAIN QUERY PLAN {told}")).all())
    assert "SEARCH outbox USING" in plan
