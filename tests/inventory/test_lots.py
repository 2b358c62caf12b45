"""A drop over several lots: numbers are decided in their lot, limits hold over all of them, a crash costs nothing."""

import asyncio
from collections import Counter
from typing import cast

import pytest
from redis import Redis

from inventory import audit, claims, drops, expire, holds, lots, numbers, stock, verbs
from inventory.claims import Claimed, Wish
from inventory.facts import Lapsed, LimitReached, SoldOut, Stale, Taken
from inventory.holds import Hold
from inventory.stock import LiveOrder
from runtime.db import writing
from runtime.facts import Fact, Invalid, Unavailable
from tests.inventory.small_drop import Make, assert_conserved, held, hold, in_own_loop, lapse, ordinary

D = "d1"


def spread(stocked: list[str]) -> dict[int, list[str]]:
    """The numbers by lot."""
    found: dict[int, list[str]] = {}
    for number in stocked:
        found.setdefault(verbs.lot_of(D, number), []).append(number)
    return found


def clean(orders: dict[str, tuple[str, str]] | None = None) -> None:
    assert_conserved(D)
    assert audit.journal_audit(D, orders or {}).differences == []


def counts(redis: Redis) -> Counter[str]:
    """What counts against the limits, all home lots together."""
    total: Counter[str] = Counter()
    for lot in range(verbs.lots(D)):
        used = cast(dict[str, str], redis.hgetall(verbs.key(D, "used", lot)))
        total.update({who: int(n) for who, n in used.items()})
    return +total


def test_four_lots_sell_out_exactly_with_limits_kept(make: Make) -> None:
    stocked = make(D, 200, lots=4)
    assert len(spread(stocked)) == 4

    async def shopper(i: int) -> list[Hold]:
        """Wants one number after the other, as long as there are any, and under two accounts of one ID."""
        got: list[Hold] = []
        for turn, number in enumerate(stocked[i % 200 :] + stocked[: i % 200]):
            try:
                got.append(await hold(D, f"s{i}-{turn % 2}", number, person=f"p{i}"))
            except Taken:
                continue
            except (SoldOut, LimitReached):
                break
            if turn > 2:
                break
        return got

    async def all_of_them() -> list[list[Hold]]:
        return await asyncio.gather(*(shopper(i) for i in range(300)))

    told = in_own_loop(all_of_them())
    sold = {one.number: one.id for got in told for one in got}
    assert len(sold) == 200
    assert all(len({one.id for one in got}) <= 1 for got in told)
    assert drops.tally(D).held == 200
    with pytest.raises(SoldOut):
        held(D, "late", stocked[0])
    clean()


def test_one_account_at_all_lots_at_once_gets_one_hold(make: Make) -> None:
    stocked = make(D, 40, lots=4)

    async def everywhere() -> list[Hold]:
        return await asyncio.gather(*(hold(D, "li", number) for number in stocked))

    assert len({one.id for one in in_own_loop(everywhere())}) == 1
    assert drops.tally(D).held == 1
    clean()


def test_one_person_with_many_accounts_gets_one_hold(make: Make) -> None:
    stocked = make(D, 40, lots=4)

    async def everywhere() -> list[object]:
        return await asyncio.gather(
            *(hold(D, f"li{i}", number, person="p1") for i, number in enumerate(stocked)),
            return_exceptions=True,
        )

    told = Counter(type(one) for one in in_own_loop(everywhere()))
    assert told == {Hold: 1, LimitReached: 39}
    clean()


def test_one_token_many_times_at_once_is_one_hold(make: Make) -> None:
    stocked = make(D, 40, lots=4)
    token = holds.new_token(D, "li", "k")

    async def press(number: str) -> Hold:
        return await hold(D, "li", number, token=token)

    async def presses() -> list[Hold]:
        return await asyncio.gather(*(press(number) for number in stocked))

    assert {(one.id, one.number) for one in in_own_loop(presses())} == {(token, stocked[0])}
    clean()


def test_what_ends_frees_number_and_place(make: Make, redis: Redis) -> None:
    stocked = make(D, 12, lots=3)
    li = held(D, "li", stocked[0], person="p1")
    holds.release(li.id, "li")
    assert counts(redis) == {}
    held(D, "li", stocked[1], person="p1")
    for lot in range(3):
        for hold_id, _ in redis.zscan_iter(verbs.key(D, "due", lot)):
            redis.zadd(verbs.key(D, "due", lot), {hold_id: 1})
    expire._last.clear()
    assert expire.run(D) == 1
    assert counts(redis) == {}
    li = held(D, "li", stocked[2], person="p1")
    holds.claim(li.id, account="li", order_id="o1")
    assert holds.current(D, "li") is None
    with pytest.raises(LimitReached):
        held(D, "li", stocked[3])
    assert counts(redis) == {"a:li": 1, "p:p1": 1}
    holds.settle(D, "o1", stocked[2])
    holds.give_back(D, "o1", stocked[2])
    assert counts(redis) == {}
    clean({"o1": (stocked[2], "returned")})


def test_an_account_may_hold_the_next_number_when_the_limit_is_two(make: Make) -> None:
    stocked = make(D, 12, lots=3, limit_account=2)
    first = held(D, "li", stocked[0])
    assert held(D, "li", stocked[1]) == first
    holds.claim(first.id, account="li", order_id="o1")
    second = held(D, "li", stocked[1])
    assert (second.number, second.state) == (stocked[1], "held")
    holds.claim(second.id, account="li", order_id="o2")
    with pytest.raises(LimitReached):
        held(D, "li", stocked[2])
    clean({"o1": (stocked[0], "ordered"), "o2": (stocked[1], "ordered")})


def test_claims_of_many_lots_each_by_themselves(make: Make, redis: Redis) -> None:
    stocked = make(D, 12, lots=3)
    mine = [held(D, f"s{i}", stocked[i]) for i in range(4)]
    wishes = [
        Wish(mine[0].id, "s0", "o0", "p0"),
        Wish(mine[1].id, "s1", "o1", "p0"),  # the same buyer again
        Wish(mine[2].id, "s9", "o2", "p2"),  # somebody else's hold
        Wish(mine[3].id, "s3", "o3", "p3"),
        Wish(holds.new_token(D, "s4"), "s4", "o4", "p4"),  # never held
    ]
    told = claims.claim_many(D, wishes)
    assert [one.number if isinstance(one, Claimed) else type(one) for one in told] == [
        stocked[0], LimitReached, Lapsed, stocked[3], Lapsed,
    ]  # fmt: skip
    assert [str(one) for one in claims.claim_many(D, wishes)] == [str(one) for one in told]
    lots.tick(D, older_than_s=0)
    assert counts(redis) == {f"a:s{i}": 1 for i in range(4)} | {"p:p0": 1, "p:p3": 1}
    clean({"o0": (stocked[0], "ordered"), "o3": (stocked[3], "ordered")})


def test_a_place_whose_hold_never_came_is_given_up_and_the_hold_can_not_come_late(
    make: Make, redis: Redis
) -> None:
    stocked = make(D, 12, lots=3)
    token, lot = holds.new_token(D, "li"), verbs.lot_of(D, stocked[0])
    for who in ("a:li", "p:p1"):
        verbs.call("place", D, token, who, "hold", lot, lot=verbs.lot_of(D, who[2:]))
    lots.tick(D)
    assert counts(redis) == {"a:li": 1, "p:p1": 1}  # its process may still be at it
    lots.tick(D, older_than_s=0)
    assert counts(redis) == {}
    [late] = verbs.call("hold", D, token, "li", "p1", stocked[0], "card", "", lot=lot)
    assert late[-1] == "released"
    assert drops.tally(D).held == 0
    assert held(D, "li", stocked[0], person="p1").state == "held"
    clean()


def test_a_place_whose_hold_stands_stays(make: Make, redis: Redis) -> None:
    stocked = make(D, 12, lots=3)
    held(D, "li", stocked[0], person="p1")
    lots.tick(D, older_than_s=0)
    assert counts(redis) == {"a:li": 1, "p:p1": 1}
    assert [redis.zcard(verbs.key(D, "unsure", lot)) for lot in range(3)] == [0, 0, 0]
    clean()


def test_a_process_that_died_between_release_and_its_places(make: Make, redis: Redis) -> None:
    stocked = make(D, 12, lots=3)
    li = held(D, "li", stocked[0], person="p1")
    lot = verbs.lot_of(D, stocked[0])
    assert verbs.call("release", D, li.id, "li", lot=lot) == ["released"]
    assert counts(redis) == {"a:li": 1, "p:p1": 1}
    wang = held(D, "wang", stocked[0])
    assert wang.number == stocked[0]
    assert held(D, "li", stocked[1]).number == stocked[1]  # the shopper does not wait for the clock
    lots.tick(D, older_than_s=0)
    assert counts(redis) == {"a:li": 1, "a:wang": 1}
    clean()


def test_a_lost_drop_is_rebuilt_with_the_limits_of_its_orders(make: Make, redis: Redis) -> None:
    stocked = make(D, 12, lots=3)
    mine = held(D, "li", stocked[0], person="p1")
    holds.claim(mine.id, account="li", order_id="o1")
    redis.flushall()
    with pytest.raises(Stale):
        held(D, "wang", stocked[1])
    stock.fence(D)
    order = LiveOrder("o1", stocked[0], "li", "ordered", "p1", "card", "", mine.id)
    assert stock.rebuild(D, [order]) == []
    for who, person in (("li", ""), ("new", "p1")):
        with pytest.raises(LimitReached):
            held(D, who, stocked[1], person=person)
    assert held(D, "wang", stocked[1]).state == "held"
    holds.give_back(D, "o1", stocked[0])
    assert counts(redis) == {"a:wang": 1}
    clean({"o1": (stocked[0], "returned")})


def test_one_lost_lot_makes_the_drop_lost(make: Make, redis: Redis) -> None:
    stocked = make(D, 12, lots=3)
    by_lot = spread(stocked)
    redis.delete(*(verbs.key(D, name, 1) for name in verbs.ALL_KEYS))
    li = held(D, "li", by_lot[0][0]) if verbs.lot_of(D, "li") != 1 else None
    with pytest.raises((Stale, Unavailable)):
        held(D, "wang", by_lot[1][0])
    assert stock.is_lost(D)
    drops.tick()
    stock.fence(D)
    assert stock.rebuild(D, []) == []
    assert drops.tally(D).free == drops.tally(D).loaded == 12
    assert li is None or holds.current(D, "li") is None
    clean()


def test_stock_goes_back_from_every_lot(make: Make) -> None:
    stocked = make(D, 12, lots=3)
    li = held(D, "li", stocked[0])
    holds.claim(li.id, account="li", order_id="o1")
    with writing() as session:
        drops.close(session, D, actor="zhao", reason="")
    with writing() as session, pytest.raises(Fact):
        drops.settle(session, D, actor="zhao", reason="")
    holds.settle(D, "o1", stocked[0])
    with writing() as session:
        drops.settle(session, D, actor="zhao", reason="")
        assert numbers.facts_of(session, stocked[0]).state == "sold"
        assert numbers.facts_of(session, stocked[1]).state == "available"


def test_a_drop_with_handsets_lies_in_one_lot(make: Make) -> None:
    with pytest.raises(Invalid) as fact:
        make(D, 4, lots=2, skus={"ip4": 2})
    assert set(fact.value.errors) == {"lots"}
    with pytest.raises(Invalid) as fact:
        make("d2", 4, lots=33)
    assert set(fact.value.errors) == {"lots"}


def test_a_number_like_a_taken_one_comes_from_its_own_lot(make: Make) -> None:
    stocked = make(D, 60, lots=3)
    held(D, "li", stocked[0])
    near = held(D, "wang", stocked[0], like=True)
    assert near.number != stocked[0]
    assert verbs.lot_of(D, near.number) == verbs.lot_of(D, stocked[0])


def test_the_lot_of_a_number_is_known_from_the_number(make: Make, redis: Redis) -> None:
    stocked = make(D, 400, lots=4)
    for lot, mine in spread(stocked).items():
        assert redis.smembers(verbs.key(D, "free", lot)) == set(mine)
        assert 60 < len(mine) < 140  # popular endings do not crowd one lot
    assert ordinary("110", 400) == stocked
    lapse(redis, D)
