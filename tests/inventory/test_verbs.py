"""What each verb answers: replays, limits, states of the drop, handsets, the epoch."""

import asyncio
from datetime import timedelta

import pytest
from redis import Redis

from inventory import drops, holds, verbs
from inventory.facts import (
    DropClosed,
    DropPaused,
    Lapsed,
    LimitReached,
    NotOpen,
    Ordered,
    SoldOut,
    Stale,
    Taken,
)
from inventory.holds import Claimed
from runtime import clock
from runtime.db import writing
from runtime.facts import NotFound
from tests.inventory.small_drop import OPS, Make, assert_conserved, held, hold, lapse, reload


def places(drop: str) -> tuple[int, ...]:
    assert_conserved(drop)
    t = drops.tally(drop)
    return t.free, t.held, t.ordered, t.paid, t.withdrawn


def test_the_way_of_a_number_from_free_to_paid(make: Make) -> None:
    numbers = make("d1", 3)
    li = held("d1", "li", numbers[1])
    assert (li.number, li.offer, li.sku, li.state, li.account) == (numbers[1], "card", "", "held", "li")
    assert abs((li.expires_at - clock.now()).total_seconds() - 900) < 2
    assert holds.find(li.id) == holds.current("d1", "li") == li
    assert holds.drop_of(li.id) == "d1"
    assert holds.claim(li.id, account="li", order_id="o1") == Claimed(
        numbers[1], "card", "", str(reload("d1").epoch)
    )
    assert holds.find(li.id).state == "ordered"
    assert holds.find(li.id).order == "o1"
    assert holds.current("d1", "li") is None
    assert places("d1") == (2, 0, 1, 0, 0)
    holds.settle("d1", "o1", numbers[1])
    assert places("d1") == (2, 0, 0, 1, 0)


def test_a_lost_reply_asked_for_again_takes_nothing_more(make: Make) -> None:
    numbers = make("d1", 3, limit_account=3)
    li = held("d1", "li", numbers[0], key="k")
    assert held("d1", "li", numbers[0], key="k") == li
    for _ in range(2):
        assert holds.claim(li.id, account="li", order_id="o1").number == numbers[0]
    assert held("d1", "li", numbers[0], key="k").state == "ordered"  # the token keeps its answer for ever
    for _ in range(2):
        holds.settle("d1", "o1", numbers[0])
    assert holds.claim(li.id, account="li", order_id="o1").number == numbers[0]
    assert places("d1") == (2, 0, 0, 1, 0)
    for _ in range(2):
        holds.give_back("d1", "o1", numbers[0], to="cooling")
    holds.give_back("d1", "o1", numbers[0], to="free")
    assert places("d1") == (2, 0, 0, 0, 1)
    with pytest.raises(Lapsed):
        holds.settle("d1", "o1", numbers[0])
    with pytest.raises(Lapsed):
        holds.claim(li.id, account="li", order_id="o1")


def test_a_hold_over_keeps_its_token(make: Make) -> None:
    numbers = make("d1", 2)
    li = held("d1", "li", numbers[0], key="k")
    holds.release(li.id, "li")
    assert held("d1", "li", numbers[1], key="k").state == "released"
    assert held("d1", "li", numbers[1], key="k2").number == numbers[1]
    assert places("d1") == (1, 1, 0, 0, 0)


def test_the_same_shopper_finds_the_same_hold(make: Make) -> None:
    numbers = make("d1", 3, limit_account=3)
    assert held("d1", "li", numbers[0]) == held("d1", "li", numbers[1])
    assert places("d1") == (2, 1, 0, 0, 0)


def test_another_accounts_token_is_nothing_to_a_stranger(make: Make) -> None:
    numbers = make("d1", 2)
    li = held("d1", "li", numbers[0])
    with pytest.raises(NotFound):
        held("d1", "wang", numbers[1], token=li.id)
    with pytest.raises(Lapsed):
        holds.claim(li.id, account="wang", order_id="o1")
    holds.release(li.id, "wang")
    assert holds.find(li.id).state == "held"


def test_release_twice_frees_once(make: Make) -> None:
    numbers = make("d1", 2)
    li = held("d1", "li", numbers[0])
    holds.release(li.id, "li")
    wang = held("d1", "wang", numbers[0])
    holds.release(li.id, "li")
    assert holds.find(wang.id).state == "held"
    assert places("d1") == (1, 1, 0, 0, 0)
    holds.claim(wang.id, account="wang", order_id="o1")
    with pytest.raises(Ordered) as fact:
        holds.release(wang.id, "wang")
    assert fact.value.details == {"order_id": "o1"}


def test_a_hold_becomes_one_order_only(make: Make) -> None:
    make("d1", 2)
    li = held("d1", "li")
    holds.claim(li.id, account="li", order_id="o1")
    with pytest.raises(Ordered):
        holds.claim(li.id, account="li", order_id="o2")


def test_taken_and_sold_out_and_healing(make: Make, redis: Redis) -> None:
    numbers = make("d1", 2)
    held("d1", "li", numbers[0])
    with pytest.raises(Taken) as taken:
        held("d1", "wang", numbers[0])
    assert taken.value.details == {"number": numbers[0]}
    with pytest.raises(Taken):
        held("d1", "wang", "18600000000")  # none of this drop
    assert held("d1", "wang").number == numbers[1]
    with pytest.raises(SoldOut) as sold_out:
        held("d1", "zhang")
    assert sold_out.value.details == {"what": "number"}
    lapse(redis, "d1")
    assert holds.expire("d1") == 2
    assert held("d1", "zhang", numbers[0]).number == numbers[0]


def test_limit_of_an_account_counts_holds_and_orders(make: Make) -> None:
    make("d1", 5, limit_account=2)
    for order in ("o1", "o2"):
        holds.claim(held("d1", "li").id, account="li", order_id=order)
    with pytest.raises(LimitReached) as fact:
        held("d1", "li")
    assert fact.value.details == {"whose": "account"}
    holds.give_back("d1", "o1", holds.find(_hold_of("d1", "o1")).number)
    assert held("d1", "li").state == "held"


def _hold_of(drop: str, order: str) -> str:
    import json

    from runtime.redis import hot

    return str(json.loads(str(hot().hget(verbs.key(drop, "orders"), order)))["hold"])


def test_limit_of_a_person_over_accounts_at_the_hold_and_at_the_claim(make: Make) -> None:
    make("d1", 5)
    held("d1", "li", person="p1")
    with pytest.raises(LimitReached) as fact:
        held("d1", "li-2", person="p1")
    assert fact.value.details == {"whose": "person"}
    other = held("d1", "li-3")
    with pytest.raises(LimitReached):
        holds.claim(other.id, account="li-3", order_id="o3", person="p1")
    assert holds.find(other.id).state == "held"
    holds.claim(other.id, account="li-3", order_id="o3", person="p2")
    with pytest.raises(LimitReached):
        held("d1", "wang", person="p2")
    holds.give_back("d1", "o3", other.number)
    assert held("d1", "wang", person="p2").state == "held"


def test_a_person_named_anew_at_the_claim_frees_the_first(make: Make) -> None:
    make("d1", 5)
    li = held("d1", "li", person="p1")
    holds.claim(li.id, account="li", order_id="o1", person="p2")
    assert held("d1", "wang", person="p1").state == "held"
    with pytest.raises(LimitReached):
        held("d1", "zhang", person="p2")


def test_a_bundle_is_held_whole_or_not_at_all(make: Make) -> None:
    numbers = make("d1", 4, skus={"ip4": 1})
    li = held("d1", "li", numbers[0], sku="ip4")
    with pytest.raises(SoldOut) as fact:
        held("d1", "wang", numbers[1], sku="ip4")
    assert fact.value.details == {"what": "ip4"}
    assert places("d1") == (3, 1, 0, 0, 0)
    assert drops.tally("d1").skus["ip4"].held == 1
    with pytest.raises(SoldOut):
        held("d1", "wang", numbers[1], sku="none such")
    holds.claim(li.id, account="li", order_id="o1")
    holds.settle("d1", "o1", numbers[0])
    assert drops.tally("d1").skus["ip4"].paid == 1
    holds.give_back("d1", "o1", numbers[0], to="cooling")
    assert (places("d1"), drops.tally("d1").skus["ip4"].withdrawn) == ((3, 0, 0, 0, 1), 1)


def test_before_opening_paused_closed(make: Make) -> None:
    opens_at = clock.now() + timedelta(minutes=5)
    make("d1", 3, opens_at=opens_at)
    with pytest.raises(NotOpen) as fact:
        held("d1", "li")
    assert fact.value.details == {"opens_at": opens_at.isoformat()}
    make("d2", 3, city="540")
    li = held("d2", "li")
    with writing() as session:
        drops.pause(session, "d2", **OPS)
    with pytest.raises(DropPaused):
        held("d2", "wang")
    assert held("d2", "li") == li
    with writing() as session:
        drops.close(session, "d2", **OPS)
    with pytest.raises(DropClosed):
        held("d2", "wang")
    assert holds.claim(li.id, account="li", order_id="o1").number == li.number
    make(
        "d3",
        3,
        city="310",
        opens_at=clock.now() - timedelta(hours=1),
        closes_at=clock.now() - timedelta(minutes=1),
    )
    with pytest.raises(DropClosed):
        held("d3", "li")


def test_drops_that_are_not_there_or_not_loaded(make: Make) -> None:
    with pytest.raises(NotFound):
        held("none", "li")
    with writing() as session:
        drops.create(
            session, id="d1", name="d1", pool="p", cities=["110"], actor="zhao",
            opens_at=clock.now() + timedelta(hours=1),
        )  # fmt: skip
    with pytest.raises(NotOpen):
        held("d1", "li")
    with pytest.raises(NotFound):
        holds.find("hld_d1_" + "0" * 26)
    with pytest.raises(NotFound):
        holds.find("nonsense")


def test_number_and_token_must_match(make: Make) -> None:
    numbers = make("d1", 3)
    li = held("d1", "li", numbers[0])
    holds.claim(li.id, account="li", order_id="o1")
    with pytest.raises(Lapsed):
        holds.settle("d1", "o1", numbers[1])
    with pytest.raises(Lapsed):
        holds.settle("d1", "o2", numbers[0])
    holds.give_back("d1", "o1", numbers[1])
    holds.give_back("d1", "o2", numbers[0])
    assert places("d1") == (2, 0, 1, 0, 0)


def test_redis_that_lost_its_data_sells_nothing(make: Make, redis: Redis) -> None:
    numbers = make("d1", 3)
    li = held("d1", "li", numbers[0])
    redis.flushall()
    with pytest.raises(Stale):
        held("d1", "wang", numbers[0])
    for lost in (
        lambda: holds.claim(li.id, account="li", order_id="o1"),
        lambda: holds.settle("d1", "o1", numbers[0]),
        lambda: holds.give_back("d1", "o1", numbers[0]),
        lambda: holds.release(li.id, "li"),
        lambda: holds.expire("d1"),
    ):
        with pytest.raises(Stale):
            lost()
    assert redis.keys() == []


def test_another_epoch_is_stale(make: Make, redis: Redis) -> None:
    make("d1", 3)
    redis.set(verbs.key("d1", "epoch"), "epo_of_another_life")
    with pytest.raises(Stale):
        held("d1", "li")


def test_similar_number_when_the_wanted_one_is_gone(make: Make) -> None:
    numbers = make("d1", 20)
    held("d1", "li", numbers[0])
    got = held("d1", "wang", numbers[0], like=True)
    assert got.number in numbers[1:]
    with pytest.raises(Taken):
        held("d1", "zhang", numbers[0])


def test_orphans_are_unpaid_orders_by_age(make: Make) -> None:
    numbers = make("d1", 3)
    for who, number in zip(("li", "wang"), numbers, strict=False):
        holds.claim(held("d1", who, number).id, account=who, order_id=f"o-{who}")
    holds.settle("d1", "o-wang", numbers[1])
    assert holds.orphans("d1", 60) == []
    assert holds.orphans("d1", -1) == [("o-li", numbers[0])]


@pytest.mark.anyio
async def test_holds_of_one_turn_are_decided_in_order(make: Make) -> None:
    numbers = await asyncio.to_thread(make, "d1", 10)
    wishes = [hold("d1", f"s{i}", numbers[i % 3]) for i in range(9)]
    answers = await asyncio.gather(*wishes, return_exceptions=True)
    assert [type(answer).__name__ for answer in answers] == ["Hold"] * 3 + ["Taken"] * 6
    assert [answer.number for answer in answers[:3] if isinstance(answer, holds.Hold)] == numbers[:3]


@pytest.mark.anyio
async def test_each_waiter_gets_its_own_refusal(make: Make, redis: Redis) -> None:
    await asyncio.to_thread(make, "d1", 3)
    redis.flushall()
    answers = await asyncio.gather(*(hold("d1", f"s{i}") for i in range(5)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Stale] * 5
    assert len({id(answer) for answer in answers}) == 5
