"""Races on a real Redis, with real threads and tasks (CASES.md rows 1, 4, 5, 7, 8, 9, 16, 18)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest
from redis import Redis

from inventory import audit, drops, holds, verbs
from inventory.facts import Lapsed, LimitReached, Ordered, Taken
from tests.inventory.small_drop import Make, assert_conserved, held, hold, in_own_loop, lapse


def outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except (Lapsed, LimitReached, Ordered, Taken) as fact:
        return fact.code
    return "done"


@pytest.mark.anyio
async def test_one_number_and_fifty_buyers_in_one_process(make: Make) -> None:
    numbers = await asyncio.to_thread(make, "d1", 5)
    answers = await asyncio.gather(
        *(hold("d1", f"s{i}", numbers[2]) for i in range(50)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Hold"] + ["Taken"] * 49
    assert drops.tally("d1").free == 4


def test_one_number_and_fifty_buyers_in_many_threads(make: Make) -> None:
    """Each thread has its own loop and connection, as web processes have: nothing is coalesced between them."""
    numbers = make("d1", 5)
    with ThreadPoolExecutor(12) as threads:
        told = list(threads.map(lambda i: outcome(lambda: held("d1", f"s{i}", numbers[2])), range(50)))
    assert sorted(told) == ["done"] + ["taken"] * 49
    assert_conserved("d1")


def test_one_buyer_fifty_times_at_once(make: Make) -> None:
    numbers = make("d1", 50, limit_account=50)
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda i: held("d1", "li", numbers[i]), range(50)))
    assert len(set(answers)) == 1
    assert drops.tally("d1").held == 1


def test_ten_accounts_of_one_person_get_one_order(make: Make) -> None:
    make("d1", 10)
    ids = [held("d1", f"s{i}").id for i in range(10)]
    with ThreadPoolExecutor(10) as threads:
        told = list(
            threads.map(
                lambda i: outcome(lambda: holds.claim(ids[i], account=f"s{i}", order_id=f"o{i}", person="p")),
                range(10),
            )
        )
    assert sorted(told) == ["done"] + ["limit_reached"] * 9
    assert_conserved("d1")


def test_release_many_times_at_once_frees_once(make: Make) -> None:
    make("d1", 3)
    li = held("d1", "li")
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda _: holds.release(li.id, "li"), range(20)))
    assert (drops.tally("d1").free, drops.tally("d1").held) == (3, 0)


@pytest.mark.parametrize("order", list(permutations(["expire", "claim", "release"])), ids="-".join)
def test_the_ends_of_a_hold_crossing(make: Make, redis: Redis, order: tuple[str, ...]) -> None:
    numbers = make("d1", 3)
    li = held("d1", "li", numbers[0])
    lapse(redis, "d1")
    steps: dict[str, Callable[[], object]] = {
        "expire": lambda: holds.expire("d1"),
        "claim": lambda: holds.claim(li.id, account="li", order_id="o1"),
        "release": lambda: holds.release(li.id, "li"),
    }
    told = {step: outcome(steps[step]) for step in order}
    assert told["claim"] == ("done" if order[0] == "claim" else "lapsed")
    tally = drops.tally("d1")
    assert (tally.free, tally.held, tally.ordered) == ((2, 0, 1) if order[0] == "claim" else (3, 0, 0))
    owned = {"o1": (numbers[0], "ordered")} if order[0] == "claim" else {}
    assert audit.journal_audit("d1", owned).differences == []


@pytest.mark.parametrize("order", list(permutations(["settle", "give_back", "settle again"])), ids="-".join)
def test_payment_and_giving_back_crossing(make: Make, order: tuple[str, ...]) -> None:
    numbers = make("d1", 3)
    holds.claim(held("d1", "li", numbers[0]).id, account="li", order_id="o1")
    steps: dict[str, Callable[[], object]] = {
        "settle": lambda: holds.settle("d1", "o1", numbers[0]),
        "settle again": lambda: holds.settle("d1", "o1", numbers[0]),
        "give_back": lambda: holds.give_back("d1", "o1", numbers[0]),
    }
    told = [outcome(steps[step]) for step in order]
    gone = order.index("give_back")
    assert told == ["done"] * (gone + 1) + ["lapsed"] * (2 - gone)
    assert audit.journal_audit("d1", {"o1": (numbers[0], "returned")}).differences == []


def test_a_number_given_back_late_is_not_taken_from_its_next_owner(make: Make) -> None:
    numbers = make("d1", 1)
    holds.claim(held("d1", "li").id, account="li", order_id="o1")
    holds.give_back("d1", "o1", numbers[0])
    holds.claim(held("d1", "wang").id, account="wang", order_id="o2")
    holds.give_back("d1", "o1", numbers[0])
    with pytest.raises(Lapsed):
        holds.settle("d1", "o1", numbers[0])
    holds.settle("d1", "o2", numbers[0])
    assert drops.tally("d1").paid == 1


def test_three_hundred_buyers_and_a_hundred_numbers_sell_out_exactly(make: Make) -> None:
    make("d1", 100)

    async def rush(first: int) -> int:
        answers = await asyncio.gather(
            *(hold("d1", f"s{i}") for i in range(first, first + 100)), return_exceptions=True
        )
        return sum(isinstance(answer, holds.Hold) for answer in answers)

    with ThreadPoolExecutor(3) as threads:
        got = list(threads.map(lambda first: in_own_loop(rush(first)), (0, 100, 200)))
    assert sum(got) == 100
    assert audit.journal_audit("d1", {}).differences == []


def test_a_lost_reply_of_a_batch_is_sent_again(make: Make, redis: Redis) -> None:
    """The verb ran, its reply was lost: the same batch again gives the same holds."""
    numbers = make("d1", 4)
    batch = [
        part
        for i in range(3)
        for part in (holds.new_token("d1", f"s{i}"), f"s{i}", "", numbers[i], "card", "")
    ]
    epoch = verbs.fetch_epoch("d1")
    first = verbs.run("hold", "d1", epoch, *batch)
    assert verbs.run("hold", "d1", epoch, *batch) == first
    assert drops.tally("d1").held == 3
    assert redis.xlen(verbs.key("d1", "journal")) == 3  # one load, one rule, one batch of holds
