"""The kernel's promises: outbox, sealing, ids, times, verbs."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from runtime import clock, outbox
from runtime.crypto import SealError, blind_index, new_key, seal, unseal
from runtime.db import reading, writing
from runtime.facts import NotFound, Unavailable, WrongMove
from runtime.ids import derived_id, new_id
from runtime.redis import Verb
from runtime.settings import SettingsError, read

_calls: list[str] = []


@outbox.handles("test.echo", queue="papers")
def _echo(ref: str) -> None:
    _calls.append(ref)
    if ref == "broken":
        raise RuntimeError("no paper")
    if ref == "later" and len(_calls) == 1:
        raise outbox.NotYet(30)


@pytest.fixture(autouse=True)
def _clean() -> None:
    _calls.clear()


def test_work_is_done_once_after_commit(db: None) -> None:
    with writing() as session:
        outbox.add(session, "test.echo", "a")
    assert outbox.drain("papers") == 1
    assert outbox.drain("papers") == 0
    assert _calls == ["a"]


def test_rolled_back_work_never_runs(db: None) -> None:
    def fail() -> None:
        with writing() as session:
            outbox.add(session, "test.echo", "a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert outbox.drain("papers") == 0


def test_broken_work_is_tried_eight_times_and_then_dead(db: None) -> None:
    with writing() as session:
        outbox.add(session, "test.echo", "broken")
    for hour in range(12):
        clock.shift(timedelta(hours=2 * hour))
        outbox.drain("papers")
    assert len(_calls) == outbox.TRIES
    with reading() as session:
        [row] = outbox.dead(session)
        assert (row.state, row.error) == ("dead", "RuntimeError: no paper")


def test_dead_work_is_revived_by_hand_and_live_work_is_not(db: None) -> None:
    with writing() as session:
        outbox.add(session, "test.echo", "broken")
    with reading() as session:
        row_id = session.scalars(select(outbox.OutboxRow.id)).one()
    with writing() as session, pytest.raises(WrongMove):
        outbox.revive(session, row_id)
    for hour in range(12):
        clock.shift(timedelta(hours=2 * hour))
        outbox.drain("papers")
    with writing() as session:
        outbox.revive(session, row_id)
    assert outbox.due_queues() == ["papers"]
    outbox.drain("papers")
    assert len(_calls) == outbox.TRIES + 1
    with writing() as session, pytest.raises(NotFound):
        outbox.revive(session, "obx_nothing")


def test_not_yet_counts_no_failure(db: None) -> None:
    with writing() as session:
        outbox.add(session, "test.echo", "later")
    outbox.drain("papers")
    assert outbox.due_queues() == []
    clock.shift(timedelta(seconds=31))
    assert outbox.due_queues() == ["papers"]
    outbox.drain("papers")
    with reading() as session:
        assert session.scalars(select(outbox.OutboxRow.tries)).all() == [1]
    assert _calls == ["later", "later"]


def test_work_of_a_killed_worker_comes_back_after_its_lease(db: None) -> None:
    with writing() as session:
        outbox.add(session, "test.echo", "a")
    assert len(outbox._take("papers")) == 1  # and then the worker is gone
    assert outbox.drain("papers") == 0
    clock.shift(outbox.LEASE + timedelta(seconds=1))
    assert outbox.drain("papers") == 1


def test_a_sealed_value_opens_only_in_its_place_and_with_its_key() -> None:
    sealed = seal(b"secret", "people.name.1")
    assert unseal(sealed, "people.name.1") == b"secret"
    with pytest.raises(SealError):
        unseal(sealed, "people.name.2")
    with pytest.raises(SealError):
        unseal(sealed, "people.name.1", new_key())
    with pytest.raises(SealError):
        unseal(sealed[:-1] + bytes([sealed[-1] ^ 1]), "people.name.1")


def test_ids_sort_by_time_and_derived_ids_repeat() -> None:
    first = new_id("ord")
    clock.shift(timedelta(seconds=1))
    second = new_id("ord")
    clock.shift(timedelta())
    assert first < second
    assert len(first) == 30
    assert derived_id("ord", "a", "b") == derived_id("ord", "a", "b") != derived_id("ord", "ab", "")
    assert len(blind_index("x")) == 32


def test_settings_name_the_variable_and_the_fix(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="HAOKA_PORT must be a whole number, not 'eighty'"):
        read({"HAOKA_HOME": str(tmp_path), "HAOKA_PORT": "eighty"})
    with pytest.raises(SettingsError, match="HAOKA_MASTER_KEY must be 32 bytes"):
        read({"HAOKA_HOME": str(tmp_path), "HAOKA_MASTER_KEY": "YWJj"})


def test_keys_are_made_once(tmp_path: Path) -> None:
    first = read({"HAOKA_HOME": str(tmp_path)})
    assert read({"HAOKA_HOME": str(tmp_path)}) == first
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert len(first.master_key) == 32


def test_a_verb_answers_unavailable_when_redis_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runtime import redis
    from runtime.settings import settings

    (tmp_path / "ping.lua").write_text("return redis.call('PING')")
    redis.forget()
    monkeypatch.setenv("HAOKA_REDIS_URL", f"unix://{tmp_path}/nobody.sock")
    settings.cache_clear()
    try:
        with pytest.raises(Unavailable):
            Verb(tmp_path / "ping.lua")([], [])
    finally:
        monkeypatch.undo()
        settings.cache_clear()
        redis.forget()
