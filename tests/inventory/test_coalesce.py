"""Holds that arrive together: few calls, each shopper's own answer, a bound on how many wait."""

import asyncio
import contextlib

import pytest
from redis import Redis

from inventory import coalesce, drops, holds, verbs
from inventory.facts import Taken
from runtime.facts import Unavailable
from tests.inventory.small_drop import Make, hold, in_own_loop


def calls(redis: Redis) -> int:
    """How often Redis was asked to run a verb since config_resetstat."""
    stats = redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval"))


def test_six_hundred_holds_are_a_handful_of_calls(make: Make, redis: Redis) -> None:
    numbers = make("d1", 600)
    verbs.fetch_epoch("d1")
    redis.config_resetstat()

    async def all_of_them() -> list[str]:
        return [h.number for h in await asyncio.gather(*(hold("d1", f"s{n}", n) for n in numbers))]

    assert in_own_loop(all_of_them()) == numbers
    assert (
        calls(redis) <= 12
    )  # some of 64, then fuller ones, and each once more where the script is not known yet
    assert redis.xlen(verbs.key("d1", "journal")) <= 2 + 8  # load, rule, some batches


def test_one_shopper_alone_does_not_wait_for_others(make: Make, redis: Redis) -> None:
    numbers = make("d1", 3)

    async def one_after_the_other() -> None:
        for i, number in enumerate(numbers):
            await hold("d1", f"s{i}", number)

    in_own_loop(one_after_the_other())
    assert redis.xlen(verbs.key("d1", "journal")) == 2 + 3


def test_a_batch_answers_each_by_itself(make: Make) -> None:
    numbers = make("d1", 4)

    async def mixed() -> list[object]:
        wishes = [("li", numbers[0]), ("wang", numbers[0]), ("li", numbers[1]), ("chen", numbers[2])]
        return await asyncio.gather(*(hold("d1", who, n) for who, n in wishes), return_exceptions=True)

    told = in_own_loop(mixed())
    assert [t.number if isinstance(t, holds.Hold) else type(t) for t in told] == [
        numbers[0],
        Taken,
        numbers[0],  # the same shopper again: his hold
        numbers[2],
    ]
    assert drops.tally("d1").held == 2


def test_too_many_waiting_are_refused_at_once_and_the_others_served(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = make("d1", 40)
    monkeypatch.setattr(coalesce, "WAITING", 30)

    async def all_of_them() -> list[object]:
        return await asyncio.gather(*(hold("d1", f"s{n}", n) for n in numbers), return_exceptions=True)

    told = in_own_loop(all_of_them())
    assert [type(one) for one in told] == [holds.Hold] * 30 + [Unavailable] * 10
    assert drops.tally("d1").held == 30


def test_a_shopper_who_leaves_takes_no_one_along(make: Make) -> None:
    numbers = make("d1", 3)

    async def one_leaves() -> list[str]:
        waiting = [asyncio.ensure_future(hold("d1", f"s{i}", n)) for i, n in enumerate(numbers)]
        await asyncio.sleep(0)
        waiting[1].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting[1]
        return [(await waiting[i]).number for i in (0, 2)]

    assert in_own_loop(one_leaves()) == [numbers[0], numbers[2]]


def test_several_calls_under_way_decide_all(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = make("d1", 60)
    monkeypatch.setattr(coalesce, "ENOUGH", 4)
    monkeypatch.setattr(coalesce, "BATCH", 10)

    async def all_of_them() -> list[str]:
        return [h.number for h in await asyncio.gather(*(hold("d1", f"s{n}", n) for n in numbers))]

    assert in_own_loop(all_of_them()) == numbers
    assert drops.tally("d1").held == 60
