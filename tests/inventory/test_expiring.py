"""Expiry has one owner, and a jump of the clock frees nothing."""

import json
from datetime import timedelta

import pytest
from redis import Redis

from inventory import drops, expire, holds, verbs
from runtime.db import writing
from tests.inventory.small_drop import OPS, Make, assert_conserved, held, lapse


@pytest.fixture(autouse=True)
def _fresh() -> None:
    expire._last.clear()


def backdate(redis: Redis, drop: str, ms: int) -> None:
    """As if Redis's clock had jumped ahead by that much since everything so far: all it noted is that older."""
    for hold_id, record in redis.hscan_iter(verbs.key(drop, "holds")):
        hold = json.loads(record)
        hold["made"], hold["due"] = str(int(hold["made"]) - ms), str(int(hold["due"]) - ms)
        redis.hset(verbs.key(drop, "holds"), hold_id, json.dumps(hold))
        redis.zadd(verbs.key(drop, "due"), {hold_id: int(hold["due"])})
    steady, now, seq, jumps = expire._last[drop, 0]
    expire._last[drop, 0] = (steady, str(int(now) - ms), seq, jumps)


def test_only_due_holds_end(make: Make, redis: Redis) -> None:
    numbers = make("d1", 5)
    li, wang = held("d1", "li", numbers[0]), held("d1", "wang", numbers[1])
    redis.zadd(verbs.key("d1", "due"), {li.id: 1})
    expire.tick()
    assert (holds.find(li.id).state, holds.find(wang.id).state) == ("expired", "held")
    assert drops.tally("d1").held == 1
    assert holds.current("d1", "li") is None
    assert_conserved("d1")


def test_a_hold_that_stands_is_claimed_however_late(make: Make, redis: Redis) -> None:
    make("d1", 2)
    li = held("d1", "li")
    lapse(redis, "d1")
    assert holds.claim(li.id, account="li", order_id="o1").number == li.number
    assert holds.expire("d1") == 0


def test_many_holds_end_in_batches(make: Make, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expire, "BATCH", 7)
    make("d1", 30)
    for i in range(30):
        held("d1", f"s{i}")
    lapse(redis, "d1")
    assert expire.run("d1") == 30
    assert drops.tally("d1").free == 30


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(days=1), timedelta(minutes=-10)])
def test_a_jump_of_the_clock_frees_nothing_and_moves_the_holds_along(
    make: Make, redis: Redis, jump: timedelta
) -> None:
    make("d1", 3)
    old = held("d1", "li")
    expire.tick()
    between = held("d1", "wang")
    backdate(redis, "d1", int(jump.total_seconds() * 1000))
    new = held("d1", "zhang")
    expire.tick()
    for hold in (old, between, new):
        now = holds.find(hold.id)
        assert now.state == "held"
        assert abs((now.expires_at - hold.expires_at).total_seconds()) < 2
        assert redis.zscore(verbs.key("d1", "due"), hold.id) == round(now.expires_at.timestamp() * 1000)
    expire.tick()
    assert drops.tally("d1").held == 3


def test_two_clocks_move_the_holds_once(make: Make, redis: Redis) -> None:
    make("d1", 3)
    li = held("d1", "li")
    expire.tick()
    backdate(redis, "d1", 3_600_000)
    other = dict(expire._last)
    expire.tick()
    expire._last.update(other)  # a second clock process that knows only the time before the jump
    expire.tick()
    assert abs((holds.find(li.id).expires_at - li.expires_at).total_seconds()) < 2


def test_a_clock_that_slept_does_not_see_a_jump(make: Make, redis: Redis) -> None:
    make("d1", 3)
    li = held("d1", "li")
    expire.tick()
    steady, now, seq, jumps = expire._last["d1", 0]
    expire._last["d1", 0] = (steady - 3_600, str(int(now) - 3_600_000), seq, jumps)
    lapse(redis, "d1")
    expire.tick()
    assert holds.find(li.id).state == "expired"


def test_holds_of_a_closed_drop_end_too(make: Make, redis: Redis) -> None:
    make("d1", 3)
    held("d1", "li")
    with writing() as session:
        drops.close(session, "d1", **OPS)
    lapse(redis, "d1")
    expire.tick()
    assert drops.tally("d1").free == 3
