"""The queue: places, the draw, letting people in, against real Redis."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import update

from inventory import draw, drops, holds, queue_follow, queue_rules, queueing, verbs
from inventory.facts import DropClosed, NotAdmitted, NotOpen, QueueFull, SoldOut
from inventory.models import Drop, DropQueue
from runtime import clock
from runtime.db import reading, writing
from runtime.facts import Invalid, NotFound, WrongMove
from runtime.redis import asking
from tests.inventory.queue_desk import SOON, admit, called_earlier, gate, join, open_now, where
from tests.inventory.queue_desk import queue as queue
from tests.inventory.small_drop import OPS, Make, hold, in_own_loop


def test_before_the_opening_everybody_waits_for_the_draw(queue: Any) -> None:
    queue("d1", 10, opens_in=SOON)
    assert where("d1", "li").state == "none"
    join("d1", "li", "wang")
    assert [where("d1", who).state for who in ("li", "wang", "zhao")] == ["early", "early", "none"]
    assert where("d1", "li").queued == 2
    assert queue_follow.admit("d1") == ["not_open"]
    assert type(gate("d1", "li")) is NotOpen


def test_the_draw_orders_the_early_and_those_who_come_later_stand_behind_them(queue: Any) -> None:
    queue("d1", 100, opens_in=SOON, rate=1, cap=1)
    early = [f"early{n}" for n in range(50)]
    join("d1", *early)
    open_now("d1")
    assert admit("d1")[0] == "let"
    join("d1", "late1")
    join("d1", "late2")
    queue_follow.refresh()
    with reading() as session:
        seed = queue_rules.seed(session.get_one(DropQueue, "d1"))
    order = draw.make("d1", seed, [queueing.ticket("d1", one) for one in early]).order
    assert [where("d1", one).place for one in early] == [
        order.index(queueing.ticket("d1", one)) + 1 for one in early
    ]
    assert [where("d1", one).place for one in ("late1", "late2")] == [51, 52]


def test_joining_again_from_wherever_gives_the_same_place(queue: Any) -> None:
    queue("d1", 100, rate=1, cap=1)
    admit("d1")
    first = [join("d1", who)[0] for who in ("li", "wang", "zhao")]
    assert join("d1", "zhao", "li", "wang", "li") == [first[2], first[0], first[1], first[0]]
    queue_follow.refresh()
    assert [where("d1", who).place for who in ("li", "wang", "zhao")] == [1, 2, 3]


def test_a_thousand_joins_of_one_account_at_once_are_one_place(queue: Any, redis: Redis) -> None:
    queue("d1", 10, opens_in=SOON)
    assert len(set(join("d1", *["li"] * 1_000))) == 1
    assert redis.hlen(verbs.key("d1", "tickets")) == 1


def test_who_is_called_comes_in_and_who_is_not_does_not(queue: Any) -> None:
    queue("d1", 100, opens_in=SOON, rate=3, cap=3)
    everybody = [f"a{n}" for n in range(10)]
    join("d1", *everybody)
    open_now("d1")
    assert admit("d1") == ["let", 3, "3"]
    standing = {who: where("d1", who) for who in everybody}
    called = [who for who, place in standing.items() if place.state == "called"]
    assert sorted(standing[who].place for who in called) == [1, 2, 3]
    assert [gate("d1", who) for who in called] == [None] * 3
    assert {where("d1", who).state for who in called} == {"inside"}
    others = [gate("d1", who) for who in everybody if who not in called]
    assert [(type(one), one.details) for one in others] == [(NotAdmitted, {"state": "waiting"})] * 7


def test_the_room_inside_is_kept_and_freed_by_buying(queue: Any) -> None:
    numbers = queue("d1", 100, opens_in=SOON, rate=1_000, cap=4)
    everybody = [f"a{n}" for n in range(20)]
    join("d1", *everybody)
    open_now("d1")
    admit("d1")
    inside = [who for who in everybody if where("d1", who).state == "called"]
    assert len(inside) == 4
    for who in inside:
        assert gate("d1", who) is None
    assert admit("d1") == ["let", 0, "4"]

    async def buys(who: str, number: str) -> None:
        await hold("d1", who, number)
        queueing.bought("d1", who)
        await asyncio.gather(*queueing._telling)

    for who, number in zip(inside[:3], numbers, strict=False):
        in_own_loop(buys(who, number))
    assert admit("d1")[:2] == ["let", 3]
    assert where("d1", inside[0]).state == "inside", "a buyer's stay goes on"


def test_who_does_not_come_in_time_may_queue_again_at_the_end(queue: Any) -> None:
    queue("d1", 100, opens_in=SOON, rate=1, cap=1, come_seconds=10)
    join("d1", "li")
    open_now("d1")
    admit("d1")
    assert where("d1", "li").state == "called"
    view = queue_follow.views["d1"]
    join("d1", "wang")
    called_earlier("d1", seconds=11)
    queue_follow.forget()
    assert where("d1", "li").state == "missed"
    assert gate("d1", "li").details == {"state": "missed"}
    assert view.places[queueing.ticket("d1", "li")] == 1
    join("d1", "li")
    queue_follow.refresh()
    assert where("d1", "li").place == 3


def test_nobody_is_let_in_to_an_empty_shelf_and_lapsed_holds_wait_for_the_announced_time(queue: Any) -> None:
    numbers = queue("d1", 2, opens_in=SOON, hold_seconds=60)
    everybody = [f"a{n}" for n in range(30)]
    join("d1", *everybody)
    open_now("d1")
    admit("d1")
    inside = [who for who in everybody if where("d1", who).state == "called"]
    assert 2 <= len(inside) < 10, "not many more than there are numbers"
    for who in inside:
        gate("d1", who)
    held = [in_own_loop(hold("d1", who, number)) for who, number in zip(inside, numbers, strict=False)]
    told = admit("d1")
    assert told[0] == "gone"
    standing = where("d1", next(who for who in everybody if who not in inside))
    assert standing.state == "gone"
    assert standing.second_at is not None
    assert timedelta(seconds=50) < standing.second_at - clock.now() < timedelta(seconds=61)
    holds.release(held[0].id, inside[0])
    assert admit("d1")[0] == "gone", "what came back waits"
    assert isinstance(gate("d1", inside[-1]), SoldOut), "not for who is still inside and refreshes"
    with asking() as client:
        client.hset(verbs.key("d1", "line"), "second_at", str(clock.now_ms() - 1))
    assert admit("d1")[0] == "let"


def test_whose_hold_lapsed_or_was_let_go_does_not_hold_again_before_those_who_wait(queue: Any) -> None:
    numbers = queue("d1", 1, opens_in=SOON)
    join("d1", "li", "wang", "zhao")
    open_now("d1")
    admit("d1")
    li = next(who for who in ("li", "wang", "zhao") if where("d1", who).place == 1)
    assert gate("d1", li) is None

    async def buys() -> holds.Hold:
        held = await hold("d1", li, numbers[0])
        queueing.bought("d1", li)
        await asyncio.gather(*queueing._telling)
        return held

    held = in_own_loop(buys())
    assert admit("d1")[0] == "gone"
    assert gate("d1", li) is None, "asks for the hold they have"
    holds.release(held.id, li)
    assert admit("d1")[0] == "gone"
    assert isinstance(gate("d1", li), SoldOut)
    with asking() as client:
        client.hset(verbs.key("d1", "line"), "second_at", str(clock.now_ms() - 1))
    admit("d1")
    stays_over = queue_follow.views["d1"].entered[queueing.ticket("d1", li)]
    queue_follow.views["d1"].entered[queueing.ticket("d1", li)] = (stays_over[0], clock.now_ms() - 1)
    assert gate("d1", li).details == {"state": "over"}


def test_the_end_is_the_end(queue: Any) -> None:
    queue("d1", 2, rate=1, cap=1)
    admit("d1")
    join("d1", "li", "wang", "zhao")
    with writing() as session:
        drops.close(session, "d1", **OPS)
    queue_follow.refresh()
    assert where("d1", "zhao").state == "ended"
    assert where("d1", "nobody").state == "ended"
    with pytest.raises(DropClosed):
        join("d1", "sun")


def test_a_draft_has_no_queue_for_shoppers_yet(queue: Any) -> None:
    queue("d1", 1, opens_in=SOON)
    with writing() as session:
        session.execute(update(Drop).values(state="draft"))
    queue_follow.refresh()
    with pytest.raises(NotFound):
        join("d1", "li")


def test_so_many_from_one_address_or_device_and_no_more(queue: Any) -> None:
    queue("d1", 10, opens_in=SOON, limit_network=3, limit_device=2)
    for n in range(2):
        join("d1", f"a{n}", network="n1", device="v1")
    with pytest.raises(QueueFull, match="this browser") as full:
        join("d1", "a2", network="n1", device="v1")
    assert full.value.details == {"whose": "device"}
    join("d1", "a2", network="n1", device="v2")
    with pytest.raises(QueueFull) as full:
        join("d1", "a3", network="n1", device="v2")
    assert full.value.details == {"whose": "network"}
    join("d1", "a0", network="n1", device="v1")  # whoever has a place keeps it


def test_ops_change_the_queue_live_and_it_is_written_down(queue: Any) -> None:
    queue("d1", 10)
    admit("d1")
    assert gate("d1", "li").details == {"state": "none"}
    with writing() as session:
        queue_rules.change(session, "d1", **OPS, mode="off")
    queue_follow.refresh()
    assert gate("d1", "li") is None
    with reading() as session:
        done = [
            (one.action, one.before, one.after)
            for one in drops.actions(session, "d1")
            if one.action == "queue"
        ]
    assert done[-1] == ("queue", {"mode": "always"}, {"mode": "off"})


@pytest.mark.parametrize(
    "wrong",
    [{"mode": "on"}, {"rate": 0}, {"cap": 0}, {"stay_seconds": 5}, {"come_seconds": 1}, {"limit_device": -1}],
)
def test_rules_that_cannot_be_are_refused_by_name(queue: Any, wrong: dict[str, Any]) -> None:
    queue("d1", 1)
    with pytest.raises(Invalid) as refused, writing() as session:
        queue_rules.change(session, "d1", **OPS, **wrong)
    assert list(refused.value.errors) == list(wrong)


def test_a_drop_that_is_over_or_has_no_queue(make: Make) -> None:
    queue_follow.forget()
    make("d1", 1)
    with pytest.raises(NotFound):
        join("d1", "li")
    assert gate("d1", "li") is None
    with writing() as session:
        drops.close(session, "d1", **OPS)
    with pytest.raises(WrongMove), writing() as session:
        queue_rules.change(session, "d1", **OPS)
