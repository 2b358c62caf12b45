"""Failures that other shops had, as far as the stock alone decides them; each named as it was told."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from itertools import permutations, product

import pytest
from redis import Redis

from inventory import archive, audit, drops, expire, holds, jobs, journal, loading, stock, verbs
from inventory.facts import Lapsed, Ordered, SoldOut, Taken
from runtime import clock
from runtime.db import writing
from runtime.facts import WrongMove
from tests.inventory.small_drop import OPS, Make, assert_conserved, held, hold, in_own_loop, lapse, reload

ENDS = ("release", "expire", "claim", "give_back")


def everything(redis: Redis) -> dict[str, object]:
    """Every key of the drop but its journal, with what it holds."""
    read: dict[str, Callable[[str], object]] = {
        "string": redis.get, "hash": redis.hgetall, "set": redis.smembers,
        "zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
    }  # fmt: skip
    keys = sorted(str(key) for key in redis.scan_iter("*d1:*"))
    return {key: read[str(redis.type(key))](key) for key in keys if not key.endswith(":journal")}


@pytest.mark.parametrize("lots", [1, 3])
def test_stock_is_loaded_again_at_a_restart_in_mid_sale(make: Make, redis: Redis, lots: int) -> None:
    """Everything restarts in mid-drop: nothing is loaded over live holds."""
    numbers = make("d1", 30, lots=lots, limit_account=9)
    drops.tick()
    for i in range(4):
        held("d1", f"s{i}", numbers[i])
    holds.claim(held("d1", "li", numbers[4]).id, account="li", order_id="o1")
    orders = {"o1": (numbers[4], "ordered")}
    before = everything(redis)
    verbs.forget()  # what a new process knows: nothing
    for _ in range(2):
        drops.tick()
        stock.sync("d1")
        with pytest.raises(WrongMove):
            loading.begin("d1")
        with writing() as session, pytest.raises(WrongMove):
            drops.warm(session, "d1", **OPS)
        with pytest.raises(WrongMove):
            stock.fence("d1")
        jobs.clear("d1")
    assert everything(redis) == before
    for lot in range(lots):
        assert [entry["verb"] for page in journal.pages("d1", lot=lot) for _, entry in page].count(
            "load"
        ) == 1
    with pytest.raises(Taken):
        held("d1", "chen", numbers[0])
    assert audit.journal_audit("d1", orders).differences == []


@pytest.mark.parametrize("lots", [1, 3])
def test_a_resync_job_overwrites_holds_in_flight(make: Make, lots: int) -> None:
    """Reconciling under load: not one acknowledged hold is lost, and the audit is clean all the while."""
    numbers = make("d1", 240, lots=lots)
    over = threading.Event()
    reports: list[list[str]] = []

    def reconcile() -> None:
        while not over.is_set():
            drops.tick()
            stock.sync("d1")
            archive.tick()
            expire.tick()
            reports.append(audit.journal_audit("d1", {}).differences)

    async def shoppers() -> list[holds.Hold]:
        got = []
        for start in range(0, 240, 24):
            batch = (hold("d1", f"s{i}", numbers[i]) for i in range(start, start + 24))
            got += await asyncio.gather(*batch)
            await asyncio.sleep(0.02)
        return got

    with ThreadPoolExecutor(1) as pool:
        reconciling = pool.submit(reconcile)
        acknowledged = in_own_loop(shoppers())
        over.set()
        reconciling.result()
    assert len({one.number for one in acknowledged}) == 240
    assert [one.id for one in acknowledged if holds.find(one.id).state != "held"] == []
    assert (len(reports) >= 1, [report for report in reports if report]) == (True, [])
    assert audit.journal_audit("d1", {}).differences == []
    assert_conserved("d1")


@pytest.mark.parametrize("ways", list(permutations(ENDS)), ids=" ".join)
def test_a_release_runs_twice_and_makes_phantom_stock(
    make: Make, redis: Redis, ways: tuple[str, ...]
) -> None:
    """Any multiset of release, expire and giving back, each twice: free never exceeds what was issued."""
    numbers = make("d1", 2)
    mine = held("d1", "li", numbers[0], person="p1")

    def end(way: str) -> None:
        with suppress(Ordered, Lapsed):
            if way == "release":
                holds.release(mine.id, "li")
            elif way == "expire":
                lapse(redis, "d1")
                holds.expire("d1")
            elif way == "claim":
                holds.claim(mine.id, account="li", order_id="o1")
            else:
                holds.give_back("d1", "o1", numbers[0])

    for way in ways:
        end(way)
        end(way)
        tally = drops.tally("d1")
        assert (tally.loaded, tally.free + tally.held + tally.ordered) == (2, 2)
        assert redis.scard(verbs.key("d1", "free")) == tally.free <= 2
    used = redis.hgetall(verbs.key("d1", "used"))
    assert {who: int(count) for who, count in used.items() if int(count) < 0} == {}
    stands = drops.tally("d1").ordered
    state = {"o1": (numbers[0], "ordered" if stands else "returned")}
    assert audit.journal_audit("d1", state).differences == []


def test_a_sold_out_flag_sticks_after_stock_came_back(make: Make, redis: Redis) -> None:
    """Sell out, let one hold lapse: the next shopper gets it, whatever the state on the page was."""
    numbers = make("d1", 3)
    for i, number in enumerate(numbers):
        held("d1", f"s{i}", number)
    drops.tick()
    assert reload("d1").state == "sold_out"
    with pytest.raises(SoldOut):
        held("d1", "chen")
    redis.zadd(verbs.key("d1", "due"), {holds.current("d1", "s1").id: 1})  # type: ignore[union-attr]
    expire.run("d1")
    assert held("d1", "chen").number == numbers[1]
    holds.release(holds.current("d1", "chen").id, "chen")  # type: ignore[union-attr]
    drops.tick()
    assert reload("d1").state == "open"
    drops.tick()
    assert held("d1", "wang").number == numbers[1]


@pytest.mark.parametrize("order", list(permutations(("expire", "claim", "settle", "release"))), ids=" ".join)
def test_the_expiry_sweep_and_the_confirmation_cross(
    make: Make, redis: Redis, order: tuple[str, ...]
) -> None:
    """Interleaved at every step in both orders: one terminal state, told alike to everybody."""
    numbers = make("d1", 2)
    mine = held("d1", "li", numbers[0])
    lapse(redis, "d1")
    told: dict[str, str] = {}

    def confirm(step: str) -> None:
        try:
            if step == "claim":
                holds.claim(mine.id, account="li", order_id="o1")
            elif step == "settle":
                holds.settle("d1", "o1", numbers[0])
            elif step == "release":
                holds.release(mine.id, "li")
            else:
                assert expire.run("d1") in (0, 1)
            told[step] = "done"
        except (Lapsed, Ordered) as refused:
            told[step] = refused.code

    for step in order:
        confirm(step)
        confirm(step)  # a retry is answered as the first was
    tally = drops.tally("d1")
    bought = told["claim"] == "done"
    assert (tally.free, tally.held) == ((1, 0) if bought else (2, 0))
    assert tally.ordered + tally.paid == bought
    assert bought or told["settle"] == "lapsed"
    assert holds.find(mine.id).state in (("ordered",) if bought else ("expired", "released"))
    word = "paid" if tally.paid else "ordered"
    assert audit.journal_audit("d1", {"o1": (numbers[0], word)} if bought else {}).differences == []


def test_the_expiry_sweep_and_the_confirmation_cross_in_many_threads(make: Make, redis: Redis) -> None:
    numbers = make("d1", 40)
    mine = [held("d1", f"s{i}", number) for i, number in enumerate(numbers)]
    lapse(redis, "d1")

    def claim(i: int) -> bool:
        try:
            holds.claim(mine[i].id, account=f"s{i}", order_id=f"o{i}")
        except Lapsed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        sweeps = [pool.submit(verbs.call, "expire", "d1", 3, "", "", "", "") for _ in range(20)]
        claimed = list(pool.map(claim, range(40)))
        freed = sum(int(sweep.result()[1]) for sweep in sweeps)
    freed += holds.expire("d1")
    assert freed + sum(claimed) == 40
    tally = drops.tally("d1")
    assert (tally.free, tally.ordered, tally.held) == (freed, sum(claimed), 0)
    orders = {f"o{i}": (numbers[i], "ordered") for i, won in enumerate(claimed) if won}
    assert audit.journal_audit("d1", orders).differences == []


def test_failed_holds_never_give_stock_back(make: Make, redis: Redis) -> None:
    """However a hold or an order without money ends, its number is free exactly once, and can be held again."""
    numbers = make("d1", 6)
    ends: list[Callable[[holds.Hold], object]] = [
        lambda one: holds.release(one.id, one.account),
        lambda one: (redis.zadd(verbs.key("d1", "due"), {one.id: 1}), expire.run("d1")),
        lambda one: (
            holds.claim(one.id, account=one.account, order_id=f"o{one.id}"),
            verbs.call("give_back", "d1", f"o{one.id}", one.number, "free"),
        ),
    ]
    for turn, end in product(range(2), ends):
        one = held("d1", f"s{turn}{ends.index(end)}", numbers[0])
        assert one.state == "held"
        end(one)
        end_again(one)
        assert drops.tally("d1").free == 6
    clock.shift(timedelta(hours=1))
    expire.tick()
    assert drops.tally("d1").free == 6


def end_again(one: holds.Hold) -> None:
    with suppress(Ordered, Lapsed):
        holds.release(one.id, one.account)
    holds.give_back("d1", f"o{one.id}", one.number)
