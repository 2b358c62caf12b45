"""Drops: their moves, their stock in SQL and Redis, crashes in the middle, settling."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import func, select

from inventory import audit, drops, holds, journal, loading, numbers, stock, units, verbs
from inventory.facts import DropClosed, Lapsed, Stale
from inventory.models import HandsetUnit, Number
from inventory.stock import LiveOrder
from runtime import clock, outbox
from runtime.db import reading, writing
from runtime.facts import Invalid, NotFound, WrongMove
from tests.inventory.small_drop import OPS, Make, add_numbers, held, ordinary, reload

VERBS = {
    "scheduled": drops.schedule,
    "warming": drops.warm,
    "paused": drops.pause,
    "open": drops.resume,
    "closed": drops.close,
    "settled": drops.settle,
}


def states(drop_id: str) -> dict[str, int]:
    with reading() as session:
        query = select(Number.state, func.count()).where(Number.drop_id == drop_id).group_by(Number.state)
        return dict(session.execute(query).all())


def move(verb: Any, drop_id: str = "d1") -> None:
    with writing() as session:
        verb(session, drop_id, **OPS)


def test_every_move_not_in_moves_is_refused(make: Make) -> None:
    """Resuming is for paused drops only; warming again is how a crash is healed."""
    make("d1", 3)
    own = {("open", "warming"), ("open", "sold_out")}
    for state in drops.MOVES:
        for to, verb in VERBS.items():
            with writing() as session:
                drops.find(session, "d1").state = state
            if (to in drops.MOVES[state] and (to, state) not in own) or to == state == "warming":
                continue
            with pytest.raises(WrongMove):
                move(verb)
            assert reload("d1").state == state


def test_the_whole_way_with_actor_and_reason(make: Make) -> None:
    make("d1", 3)
    for verb in (drops.pause, drops.resume, drops.close, drops.settle):
        move(verb)
    with reading() as session:
        told = [
            (a.action, a.actor, a.before.get("state"), a.after.get("state"))
            for a in drops.actions(session, "d1")
        ]
    assert told == [
        ("create", "zhao", None, None),
        ("schedule", "zhao", "draft", "scheduled"),
        ("warm", "zhao", "scheduled", "warming"),
        ("pause", "zhao", "warming", "paused"),
        ("resume", "zhao", "paused", "open"),
        ("close", "zhao", "open", "closed"),
        ("settle", "zhao", "closed", "settled"),
    ]


def test_create_names_every_wrong_field(db: None) -> None:
    at = clock.now()
    with writing() as session, pytest.raises(Invalid) as fact:
        drops.create(
            session, id="d 1", name=" ", pool="", cities=["Atlantis"], opens_at=at, closes_at=at,
            limit_account=0, limit_person=0, hold_seconds=0, pay_seconds=0, quota=0, skus={"a": 0}, grades=[7],
            actor="zhao",
        )  # fmt: skip
    assert set(fact.value.errors) == {
        *("id", "name", "pool", "cities", "closes_at", "limit_account", "limit_person"),
        *("hold_seconds", "pay_seconds", "quota", "skus", "grades"),
    }
    with reading() as session, pytest.raises(NotFound):
        drops.find(session, "d 1")


def test_warm_takes_ordinary_numbers_of_pool_and_cities_up_to_the_quota(db: None, redis: Redis) -> None:
    beijing, chengdu = ordinary("110", 6), ordinary("810", 4)
    add_numbers(beijing + ordinary("110", 2, grade=6), "110")
    add_numbers(chengdu, "810")
    add_numbers(ordinary("310", 3), "310")
    add_numbers(ordinary("540", 3), "540", pool="autumn")
    with writing() as session:
        drops.create(
            session, id="d1", name="d1", pool="spring", cities=["北京", "Chengdu", "540"], quota=8,
            opens_at=clock.now(), actor="zhao",
        )  # fmt: skip
        drops.schedule(session, "d1", **OPS)
        drops.warm(session, "d1", **OPS)
    assert redis.smembers(verbs.key("d1", "free")) == set(sorted(beijing + chengdu)[:8])
    assert states("d1") == {"in_drop": 8}


def test_warm_without_the_stock_is_refused_whole(make: Make) -> None:
    with pytest.raises(Invalid) as fact:
        make("d0", 0)
    assert list(fact.value.errors) == ["pool"]
    add_numbers(ordinary("310", 3), "310")
    with writing() as session:
        units.add_handsets(session, "ip4", units.made_up_imeis("ip4", 1))
        drops.create(
            session, id="d1", name="d1", pool="spring", cities=["310"], skus={"ip4": 2}, opens_at=clock.now(),
            actor="zhao",
        )  # fmt: skip
        drops.schedule(session, "d1", **OPS)
    with pytest.raises(Invalid) as fact:
        move(drops.warm)
    assert fact.value.errors == {"skus": "ip4: 1 handsets in stock, the drop wants 2. Add units first."}
    assert (states("d1"), reload("d1").state) == ({}, "scheduled")


@pytest.mark.parametrize("dies_after", [1, 2, 3])
def test_a_load_that_dies_midway_goes_on(
    make: Make, monkeypatch: pytest.MonkeyPatch, redis: Redis, dies_after: int
) -> None:
    monkeypatch.setattr(loading, "CHUNK", 4)
    passed = 0

    def die(name: str) -> None:
        nonlocal passed
        passed += name == "drop.chunk_loaded"
        if passed == dies_after:
            raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(loading, "point", die)
        with pytest.raises(KeyboardInterrupt):
            make("d1", 10)
    with pytest.raises((Stale, DropClosed)):
        held("d1", "li")
    drops.tick()
    assert drops.tally("d1").free == 10
    assert held("d1", "li").state == "held"
    move(drops.warm)  # and again, over a live hold: nothing is loaded twice
    drops.tick()
    assert (drops.tally("d1").loaded, drops.tally("d1").held) == (10, 1)
    assert audit.journal_audit("d1", {}).differences == []


def test_a_process_that_dies_before_publishing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(name: str) -> None:
        if name == "drop.epoch_written":
            raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(stock, "point", die)
        with pytest.raises(KeyboardInterrupt):
            make("d1", 3)
    drops.tick()
    assert held("d1", "li").state == "held"


def test_an_old_picture_cannot_undo_a_pause(make: Make) -> None:
    make("d1", 3)
    before = reload("d1")
    move(drops.pause)
    assert stock.rule(before) == ["old"]
    with pytest.raises(holds.DropPaused):
        held("d1", "li")


def test_redis_hears_of_a_pause_it_missed(make: Make) -> None:
    make("d1", 3)
    with writing() as session:
        found = drops.find(session, "d1")
        found.state, found.version = "paused", found.version + 1
    drops.tick()
    with pytest.raises(holds.DropPaused):
        held("d1", "li")


def test_the_clock_opens_sells_out_heals_and_closes(make: Make, redis: Redis) -> None:
    make("d1", 1, opens_at=clock.now() + timedelta(minutes=5), closes_at=clock.now() + timedelta(hours=1))
    drops.tick()
    assert drops.face(reload("d1")) == reload("d1").state == "warming"
    clock.shift(timedelta(minutes=6))
    assert drops.face(reload("d1")) == "open"
    drops.tick()
    assert reload("d1").state == "open"
    redis.hset(verbs.key("d1", "rules"), "opens_at", 0)
    li = held("d1", "li")
    drops.tick()
    assert reload("d1").state == "sold_out"
    holds.release(li.id, "li")
    drops.tick()
    assert reload("d1").state == "open"
    clock.shift(timedelta(hours=2))
    assert drops.face(reload("d1")) == "closed"
    drops.tick()
    assert reload("d1").state == "closed"
    with pytest.raises(DropClosed):
        held("d1", "wang")


def test_open_now(make: Make) -> None:
    make("d1", 2, opens_at=clock.now() + timedelta(hours=1))
    move(drops.open_now)
    assert held("d1", "li").state == "held"


def test_settle_waits_for_holds_and_unpaid_orders(make: Make) -> None:
    make("d1", 3)
    li = held("d1", "li")
    move(drops.close)
    with pytest.raises(WrongMove) as fact:
        move(drops.settle)
    assert fact.value.details == {"held": 1, "ordered": 0}
    holds.claim(li.id, account="li", order_id="o1")
    with pytest.raises(WrongMove) as fact:
        move(drops.settle)
    assert fact.value.details == {"held": 0, "ordered": 1}
    holds.settle("d1", "o1", li.number)
    move(drops.settle)
    assert reload("d1").state == "settled"


def test_settle_gives_back_what_is_unsold_and_clears_redis(make: Make, redis: Redis) -> None:
    stocked = make("d1", 6, limit_account=9, skus={"ip4": 3})
    for i, fate in enumerate(("paid", "paid later returned", "cooling")):
        held_ = held("d1", "li", stocked[i], sku="ip4" if i == 0 else "")
        holds.claim(held_.id, account="li", order_id=f"o{i}")
        holds.settle("d1", f"o{i}", stocked[i])
        if fate == "cooling":
            holds.give_back("d1", f"o{i}", stocked[i], to="cooling")
    entries = [entry for page in journal.pages("d1") for entry in page]
    move(drops.close)
    move(drops.settle)
    assert states("d1") == {"sold": 2, "cooling": 1}
    with reading() as session:
        assert session.scalar(select(func.count()).where(HandsetUnit.drop_id == "d1")) == 1
    holds.give_back("d1", "o1", stocked[1])  # while Redis still has the keys
    assert states("d1") == {"sold": 1, "cooling": 1}
    outbox.drain_all()
    assert redis.keys("{d1}:*") == []
    archived = [entry for page in journal.archived("d1") for entry in page]
    assert [(str(i), e) for i, e in archived[: len(entries)]] == entries
    assert [e["state"] for _, e in archived[len(entries) :]] == ["closed", "settled"]
    orders = {"o0": (stocked[0], "paid"), "o1": (stocked[1], "paid"), "o2": (stocked[2], "returned")}
    assert audit.journal_audit("d1", orders).differences == []

    holds.settle("d1", "o0", stocked[0])  # a webhook that comes twice
    with pytest.raises(Lapsed):
        holds.settle("d1", "o9", stocked[5])
    holds.give_back("d1", "o0", stocked[0])
    assert states("d1") == {"cooling": 1}
    with pytest.raises(DropClosed):
        held("d1", "wang")
    with writing() as session:
        assert numbers.thaw(session, timedelta(days=30)) == 0
        clock.shift(timedelta(days=31))
        assert numbers.thaw(session, timedelta(days=30)) == 1
    assert states("d1") == {}


def test_a_rebuilt_drop_keeps_its_orders_and_frees_its_holds(make: Make, redis: Redis) -> None:
    stocked = make("d1", 6, skus={"ip4": 3})
    held("d1", "li", stocked[0])
    for who, number in (("wang", stocked[1]), ("zhang", stocked[2])):
        holds.claim(
            held("d1", who, number, sku="ip4").id, account=who, order_id=f"o-{who}", person=f"p-{who}"
        )
    holds.settle("d1", "o-zhang", stocked[2])
    orders = [
        LiveOrder("o-wang", stocked[1], "wang", "ordered", "p-wang", "card", "ip4"),
        LiveOrder("o-zhang", stocked[2], "zhang", "paid", "p-zhang", "card", "ip4"),
    ]
    with pytest.raises(WrongMove):
        stock.fence("d1")  # never over a live drop
    with pytest.raises(WrongMove):
        stock.rebuild("d1", orders)
    redis.flushall()
    drops.tick()
    with pytest.raises(Stale):
        held("d1", "chen")
    assert stock.is_lost("d1")
    stock.fence("d1")
    stock.fence("d1")  # begun again after a crash
    assert stock.rebuild("d1", orders) == []
    tally = drops.tally("d1")
    assert (tally.free, tally.held, tally.ordered, tally.paid) == (4, 0, 1, 1)
    assert (tally.skus["ip4"].free, tally.skus["ip4"].ordered, tally.skus["ip4"].paid) == (1, 1, 1)
    with pytest.raises(holds.LimitReached):
        held("d1", "new account", person="p-wang")
    assert held("d1", "chen", stocked[0]).state == "held"
    holds.settle("d1", "o-wang", stocked[1])
    told = {"o-wang": (stocked[1], "paid"), "o-zhang": (stocked[2], "paid")}
    assert audit.journal_audit("d1", told).differences == []


def test_two_people_press_at_once(make: Make) -> None:
    make("d1", 3)

    def press() -> str:
        try:
            move(drops.close)
        except WrongMove:
            return "wrong"
        return "closed"

    async def both() -> tuple[str, str]:
        return await asyncio.gather(asyncio.to_thread(press), asyncio.to_thread(press))

    assert sorted(asyncio.run(both())) == ["closed", "wrong"]


def test_listing_has_the_next_drop_first_and_what_is_over_last(make: Make) -> None:
    for i, drop_id in enumerate(("late", "soon", "over")):
        make(drop_id, 1, city=("110", "310", "510")[i], opens_at=clock.now() + timedelta(hours=3 - i))
    move(drops.close, "over")
    with reading() as session:
        assert [drop.id for drop in drops.listing(session)] == ["soon", "late", "over"]
