"""A queue through dead processes and a lost Redis, and what is published of its draw."""

from typing import Any

import pytest
from redis import Redis

from inventory import draw, queue_archive, queue_follow, queue_rules, queueing, verbs
from inventory.facts import Stale
from runtime.db import reading
from tests.inventory.queue_desk import SOON, admit, gate, join, open_now, where
from tests.inventory.queue_desk import queue as queue
from tests.shop import until


def test_places_outlive_every_process_and_a_lost_redis(queue: Any, redis: Redis) -> None:
    queue("d1", 100, opens_in=SOON, rate=2, cap=2)
    everybody = [f"a{n}" for n in range(300)]
    signed = dict(zip(everybody, join("d1", *everybody), strict=True))
    open_now("d1")
    admit("d1")
    inside = next(who for who in everybody if where("d1", who).state == "called")
    assert gate("d1", inside) is None
    signed["late"] = join("d1", "late")[0]
    everybody.append("late")
    queue_follow.refresh()
    before = {who: (where("d1", who).state, where("d1", who).place) for who in everybody}
    queue_follow.forget()  # another process
    verbs.forget()
    assert {who: (where("d1", who).state, where("d1", who).place) for who in everybody} == before
    queue_archive.archive("d1", rest=True)
    signed["lost"] = join("d1", "lost")[0]  # Redis loses this one before SQL had it
    redis.unlink(*(verbs.key("d1", name) for name in verbs.QUEUE_KEYS))
    with pytest.raises(Stale):
        join("d1", "nobody")
    queue_rules.tick()
    queue_follow.refresh()
    assert {who: (where("d1", who).state, where("d1", who).place) for who in everybody} == before
    join("d1", "lost", signed=signed["lost"])
    queue_follow.refresh()
    assert where("d1", "lost").place == 302
    assert admit("d1")[0] == "let"


def test_an_early_place_that_was_lost_before_the_draw_is_one_at_the_end_after_it(
    queue: Any, redis: Redis
) -> None:
    queue("d1", 10, opens_in=SOON)
    signed = join("d1", "li")[0]
    redis.unlink(*(verbs.key("d1", name) for name in verbs.QUEUE_KEYS))  # before SQL had it
    queue_rules.tick()
    join("d1", "wang")
    open_now("d1")
    admit("d1")
    join("d1", "li", signed=signed)
    queue_follow.refresh()
    assert [where("d1", who).place for who in ("wang", "li")] == [1, 2]


def test_a_signed_place_is_good_for_its_account_and_drop_alone(queue: Any) -> None:
    queue("d1", 100, rate=1, cap=1)
    admit("d1")
    [mine] = join("d1", "li")
    assert where("d1", "li", mine).place == 1
    queue_follow.forget()
    place, _, mac = mine.partition("-")
    for who, forged in (
        ("wang", mine),
        ("li", f"0-{mac}"),
        ("li", "1-"),
        ("li", f"{place}-{'0' * 32}"),
        ("li", "x"),
    ):
        told = queueing._signed_place("d1", queueing.ticket("d1", who), forged)
        assert told == "", (who, forged)


def test_the_draw_is_published_after_the_opening_and_only_the_commitment_before(queue: Any) -> None:
    queue("d1", 10, opens_in=SOON)
    join("d1", *(f"a{n}" for n in range(40)))
    queue_rules.tick()
    with reading() as session:
        before = queue_rules.published(session, "d1")
    assert (before.seed, before.order) == ("", ())
    assert len(before.commitment) == 64
    open_now("d1")
    admit("d1")
    queue_rules.tick()
    with reading() as session:
        after = queue_rules.published(session, "d1")
    assert (after.commitment, after.tickets, len(after.order)) == (before.commitment, 40, 40)
    assert draw.faults(after, before.commitment) == []


def test_a_follower_lets_people_in_by_itself(queue: Any) -> None:
    queue("d1", 10, opens_in=SOON)
    join("d1", "li")
    queue_follow.start()
    try:
        until(lambda: queue_follow.views.get("d1") is not None and queue_follow.views["d1"].last == 1)
        open_now("d1")
        until(lambda: where("d1", "li").state == "called")
    finally:
        queue_follow.stop()
