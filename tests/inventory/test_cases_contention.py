"""Failures that other shops had when many wanted the same, each named as it was told; and where every row is tested.

| CASES.md row | tests |
|---|---|
| 1 two buyers get the last unit | here; tests/inventory/test_contention.py |
| 2 a lock was skipped | here; the twins in tests/inventory/test_contention.py, tests/journey/test_contention.py |
| 3 paid after the hold lapsed | tests/checkout/test_payments.py (money after expiry), test_expiry.py |
| 4 expiry and confirmation cross | tests/inventory/test_cases.py, tests/checkout/test_cases.py |
| 5 a double click decrements twice | here; tests/journey/test_races.py |
| 6 death between Redis and the order | tests/checkout/test_crash_points.py, test_orphans.py |
| 7 a release runs twice | tests/inventory/test_cases.py |
| 8 failed orders never give back | tests/checkout/test_cases.py |
| 9 sold out sticks | tests/inventory/test_cases.py |
| 13 two baskets in opposite order | here |
| 14 partial failure leaves orphans | here; the audit after every fault of tests/proof |
| 15 blocked by one's own stale hold | here |
| 16 the hold's timer is reset | here |
| 17 everything held, nothing paid | here |
| 18 a limit counted late | here |
| 20 stock loaded again, 21 a resync overwrites holds | tests/inventory/test_cases.py |
| 22 a retry loop on a shared key | here |
"""

import re
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis import Redis

from inventory import audit, coalesce, drops, expire, holds, lots, verbs
from inventory.facts import Lapsed, LimitReached, Taken
from runtime import clock
from runtime.facts import Fact, NotFound
from tests.inventory.small_drop import Make, assert_conserved, held, hold, in_own_loop, lapse
from tests.proof import guard
from tests.proof.rush import in_processes, in_threads, rush, wrong
from tests.shop import ROOT


def test_check_and_allocate_in_different_transactions_two_buyers_get_the_last_unit(make: Make) -> None:
    """Four processes, one unit: exactly one hold, the others a typed refusal."""
    make("d1", 1)
    told = in_processes("d1", 40, 4, seed=1)
    assert wrong("d1", told, 40, sold=1) == []
    assert told.refused == {"sold_out": 39}


@pytest.mark.parametrize("way", ["by number", "in a list", "with a handset", "with its token", "like it"])
def test_a_lock_was_skipped_every_path_to_a_held_number_passes_the_gate(make: Make, way: str) -> None:
    numbers = make("d1", 3, skus={"ip4": 3})
    li = held("d1", "li", numbers[0])
    if way == "by number":
        with pytest.raises(Taken):
            held("d1", "wang", numbers[0])
    elif way == "in a list":
        request = (holds.new_token("d1", "wang"), "wang", "", numbers[0], "card", "")
        assert in_own_loop(coalesce.decide("hold", "d1", request)) == ["taken"]
    elif way == "with a handset":
        with pytest.raises(Taken):
            held("d1", "wang", numbers[0], sku="ip4")
        assert drops.tally("d1").skus["ip4"].free == 3
    elif way == "with its token":
        with pytest.raises(NotFound):
            held("d1", "wang", numbers[0], token=li.id)
        with pytest.raises(Lapsed):
            holds.claim(li.id, account="wang", order_id="o1")
    else:
        assert held("d1", "wang", numbers[0], like=True).number != numbers[0]
    assert holds.find(li.id).state == "held"
    assert_conserved("d1")


def test_a_lock_was_skipped_the_gate_is_one_line_of_one_verb() -> None:
    """While a drop sells no other verb takes numbers out of `free`, but mend, which repairs what audits find."""
    taker = re.compile(r"redis\.call\('(?:SREM|SPOP|SMOVE)', KEYS\[(\d+)\]")
    found = {
        verb
        for verb, keys in verbs.KEYS.items()
        for place in taker.findall((ROOT / f"inventory/lua/{verb}.lua").read_text())
        if keys[int(place) - 1] == "free"
    }
    assert found == {"hold", "restore", "mend"}
    assert (ROOT / "inventory/lua/hold.lua").read_text().count(guard.MARK) == 1


def test_a_double_click_decrements_before_the_duplicate_check(make: Make) -> None:
    """One buyer fifty times in parallel, another number each time: one hold, and the stock moves by one."""
    numbers = make("d1", 60, limit_account=60)
    with ThreadPoolExecutor(10) as threads:
        answers = set(threads.map(lambda nth: held("d1", "li", numbers[nth]), range(50)))
    assert len(answers) == 1
    tally = drops.tally("d1")
    assert (tally.free, tally.held) == (59, 1)


def test_two_baskets_lock_the_same_rows_in_opposite_order(make: Make) -> None:
    """Bundles of a number and a handset, crossed: Li has the number and wants the last handset, Wang the other way
    about. Nobody waits for the other, nothing is lost, nothing is held in part."""
    numbers = make("d1", 2, skus={"black": 1, "white": 1}, limit_account=9)
    wishes = [(number, sku) for number in numbers for sku in ("black", "white")]

    async def basket(nth: int) -> str:
        number, sku = wishes[nth % 4] if nth % 2 else wishes[3 - nth % 4]
        try:
            return (await hold("d1", f"b{nth}", number, sku=sku)).id
        except Fact as fact:
            return fact.code

    for _ in range(10):
        with ThreadPoolExecutor(4) as threads:
            told = list(threads.map(lambda nth: in_own_loop(basket(nth)), range(16)))
        mine = [one for one in told if one.startswith("hld_")]
        tally = drops.tally("d1")
        assert 1 <= len(mine) <= 2
        assert (tally.held, sum(units.held for units in tally.skus.values())) == (len(mine), len(mine))
        assert max(units.held for units in tally.skus.values()) == 1
        assert set(told) - set(mine) <= {"taken", "sold_out"}
        for one in mine:
            holds.release(one, holds.find(one).account)
    assert drops.tally("d1").free == 2
    assert audit.journal_audit("d1", {}).differences == []


def test_partial_failure_leaves_an_order_with_no_stock(make: Make, redis: Redis) -> None:
    """A claim whose order was never written is found by its age, and given back it leaves nothing behind."""
    numbers = make("d1", 3, skus={"ip4": 3})
    one, other = held("d1", "li", numbers[0], sku="ip4", person="p1"), held("d1", "wang", numbers[1])
    holds.claim(one.id, account="li", order_id="never-written")
    holds.claim(other.id, account="wang", order_id="written")
    assert holds.orphans("d1", 60) == []
    assert sorted(holds.orphans("d1", -1)) == [("never-written", numbers[0]), ("written", numbers[1])]
    for _ in range(2):
        holds.give_back("d1", "never-written", numbers[0])
    assert holds.orphans("d1", -1) == [("written", numbers[1])]
    owned = {"written": (numbers[1], "ordered"), "never-written": (numbers[0], "returned")}
    assert audit.journal_audit("d1", owned).differences == []
    assert drops.tally("d1").skus["ip4"].free == 3
    assert held("d1", "chen", numbers[0], person="p1").state == "held"


def test_a_shopper_is_blocked_by_his_own_stale_hold(make: Make, redis: Redis) -> None:
    """A new tab, another device, another number: the same hold. When it lapsed it blocks nobody, him neither."""
    numbers = make("d1", 2)
    first = held("d1", "li", numbers[0], key="the first tab")
    assert held("d1", "li", numbers[1], key="another device") == first
    assert holds.current("d1", "li") == first
    lapse(redis, "d1")
    expire.run("d1")
    again = held("d1", "li", numbers[1], key="a third tab")
    assert (again.number, again.state) == (numbers[1], "held")
    assert held("d1", "wang", numbers[0]).state == "held"
    with pytest.raises(Lapsed):
        holds.claim(first.id, account="li", order_id="o1")  # superseded: it can't settle any more
    assert_conserved("d1")


def test_the_hold_s_timer_is_reset_by_a_second_code_path(make: Make, redis: Redis) -> None:
    """Nothing a shopper does moves the time; the time that is shown is the time that is enforced."""
    numbers = make("d1", 2, hold_seconds=2)
    li = held("d1", "li", numbers[0], key="k")
    assert held("d1", "li", numbers[0], key="k") == li
    assert held("d1", "li", numbers[1]) == li
    assert holds.find(li.id) == holds.current("d1", "li") == li
    assert redis.zscore(verbs.key("d1", "due"), li.id) == round(li.expires_at.timestamp() * 1000)
    while (now := clock.now()) < li.expires_at - timedelta(milliseconds=300):
        assert expire.run("d1") == 0, now
        time.sleep(0.1)
    time.sleep(0.4)
    assert clock.now() >= li.expires_at
    assert expire.run("d1") == 1
    assert holds.find(li.id).state == "expired"


def test_everything_is_held_and_nothing_paid(make: Make, redis: Redis) -> None:
    """A hostile twentieth asks for all there is, again and again: each account keeps its limit and no more, for no
    longer than one hold; and what is let go is free at once."""
    numbers = make("d1", 100)
    hostile = [f"evil{nth}" for nth in range(5)]

    async def hoard() -> None:
        for start in range(0, 100, 10):
            await rush(
                "d1",
                [(who, number) for who in hostile for number in numbers[start : start + 10]],
                else_any=False,
            )

    in_own_loop(hoard())
    assert drops.tally("d1").held == len(hostile)
    told = in_threads("d1", [(f"s{nth}", numbers[nth]) for nth in range(95)])
    assert len(told.held) == 95
    kept = holds.current("d1", "evil0")
    assert kept is not None
    holds.release(kept.id, "evil0")
    assert held("d1", "chen", kept.number).number == kept.number
    due = {who: found.expires_at for who in hostile[1:] if (found := holds.current("d1", who))}
    in_own_loop(hoard())  # asking on makes no hold last longer
    assert {who: one.expires_at for who in due if (one := holds.current("d1", who))} == due
    lapse(redis, "d1")
    expire.run("d1")
    assert drops.tally("d1").held == 0


@pytest.mark.parametrize("parts", [1, 3])
def test_a_limit_is_counted_asynchronously(make: Make, parts: int) -> None:
    """Thirty accounts of one ID at once, in ten threads: limits count holds, so one gets one."""
    numbers = make("d1", 60, lots=parts)

    def press(nth: int) -> str:
        try:
            return held("d1", f"a{nth}", numbers[nth], person="one-id").state
        except Fact as fact:
            return fact.code

    for _ in range(3):
        with ThreadPoolExecutor(10) as threads:
            told = Counter(threads.map(press, range(30)))
        if parts > 1:
            lots.tick("d1", -1)
        assert told["held"] <= 1
        assert told["held"] + told["limit_reached"] == 30
    assert drops.tally("d1").held == 1
    with pytest.raises(LimitReached):
        held("d1", "another", numbers[50], person="one-id")
    assert audit.journal_audit("d1", {}).differences == []


def test_a_retry_loop_on_a_shared_key_makes_the_limiter_the_bottleneck(make: Make, redis: Redis) -> None:
    """However many want one number, each request is decided in one call, shared with others, and never tried again:
    the calls do not grow with the contention."""
    numbers = make("d1", 1_000)

    def calls(wishes: list[tuple[str, str]]) -> int:
        redis.config_resetstat()
        in_threads("d1", wishes, 1, else_any=False)
        stats = redis.info("commandstats")
        return sum(int(stats.get(f"cmdstat_{name}", {}).get("calls", 0)) for name in ("evalsha", "eval"))

    quiet = calls([(f"q{nth}", numbers[nth]) for nth in range(900)])
    crowded = calls([(f"c{nth}", numbers[999]) for nth in range(900)])
    assert crowded <= quiet + 2 <= 900 // coalesce.BATCH + 6
    for path in sorted((ROOT / "inventory").rglob("*.py")):
        text = path.read_text()
        assert "WATCH" not in text, path
        assert ".watch(" not in text, path
