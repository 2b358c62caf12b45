"""Calls that gather: one batch at a time, an answer for each, and an end to waiting."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from runtime.facts import Invalid, Unavailable
from runtime.gathering import Gathering


class Till:
    """Doubles what it is given, batch by batch; `open` lets the next batch go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = threading.Event()
        self.at_work = threading.Event()

    def work(self, asked: Sequence[int]) -> list[int | Exception]:
        self.at_work.set()
        assert self.open.wait(10)
        self.batches.append(sorted(asked))
        if 13 in asked:
            raise Invalid(number="13")
        return [Invalid(number="0") if one == 0 else 2 * one for one in asked]


def until_gathered(gathering: Gathering[int, int], count: int) -> None:
    end = time.monotonic() + 10
    while gathering._gathered.qsize() < count:
        assert time.monotonic() < end
        time.sleep(0.001)


def test_what_comes_during_a_batch_is_the_next_one_and_each_gets_its_own_answer() -> None:
    till = Till()
    gathering: Gathering[int, int] = Gathering("test", till.work)
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(gathering.call, 1)
        assert till.at_work.wait(10)
        rest = [pool.submit(gathering.call, one) for one in (2, 3, 0, 5)]
        until_gathered(gathering, 4)
        till.open.set()
        assert first.result() == 2
        assert [rest[0].result(), rest[1].result(), rest[3].result()] == [4, 6, 10]
        with pytest.raises(Invalid) as refused:
            rest[2].result()
    assert refused.value.errors == {"number": "0"}
    assert till.batches == [[1], [0, 2, 3, 5]]


def test_a_batch_has_an_upper_size() -> None:
    till = Till()
    gathering: Gathering[int, int] = Gathering("test", till.work, batch=2)
    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(gathering.call, 1)]
        assert till.at_work.wait(10)
        asked += [pool.submit(gathering.call, one) for one in (2, 3, 4)]
        until_gathered(gathering, 3)
        till.open.set()
        assert sorted(one.result() for one in asked) == [2, 4, 6, 8]
    assert sorted(len(batch) for batch in till.batches) == [1, 1, 2]


def test_what_the_work_raises_all_of_the_batch_raise_each_its_own() -> None:
    till = Till()
    gathering: Gathering[int, int] = Gathering("test", till.work)
    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(gathering.call, 1)]
        assert till.at_work.wait(10)
        asked += [pool.submit(gathering.call, one) for one in (13, 14)]
        until_gathered(gathering, 2)
        till.open.set()
        raised = [one.exception() for one in asked]
    assert raised[0] is None
    assert [type(one) for one in raised[1:]] == [Invalid, Invalid]
    assert raised[1] is not raised[2]
    assert [one.errors for one in raised[1:]] == [{"number": "13"}, {"number": "13"}]  # type: ignore[union-attr]
    assert gathering.call(4) == 8  # the next ones are served


def test_too_many_that_wait_are_refused_at_once() -> None:
    till = Till()
    gathering: Gathering[int, int] = Gathering("test", till.work, waiting=2)
    with ThreadPoolExecutor(9) as pool:
        asked = [pool.submit(gathering.call, 1)]
        assert till.at_work.wait(10)
        asked += [pool.submit(gathering.call, one) for one in (2, 3)]
        until_gathered(gathering, 2)
        with pytest.raises(Unavailable) as refused:
            gathering.call(4)
        till.open.set()
        assert [one.result() for one in asked] == [2, 4, 6]
    assert refused.value.retry_after == 2


def test_nobody_waits_longer_than_the_deadline_and_who_has_gone_is_left_out() -> None:
    till = Till()
    gathering: Gathering[int, int] = Gathering("test", till.work, deadline=0.05)
    for one in (1, 2):
        with pytest.raises(Unavailable):
            gathering.call(one)
    till.open.set()
    assert gathering.call(3) == 6
    assert till.batches == [[1], [3]]


def test_awaiting_callers_of_several_loops_share_a_batch_with_threads() -> None:
    till = Till()
    gathering: Gathering[int, int] = Gathering("test", till.work)

    async def two(first: int) -> list[int]:
        return list(await asyncio.gather(gathering.awaited(first), gathering.awaited(first + 1)))

    with ThreadPoolExecutor(9) as pool:
        waiting = pool.submit(gathering.call, 1)
        assert till.at_work.wait(10)
        loops = [pool.submit(asyncio.run, two(10)), pool.submit(asyncio.run, two(20))]
        plain = pool.submit(gathering.call, 30)
        until_gathered(gathering, 5)
        till.open.set()
        assert [waiting.result(), plain.result()] == [2, 60]
        assert [loop.result() for loop in loops] == [[20, 22], [40, 42]]
    assert till.batches == [[1], [10, 11, 20, 21, 30]]


def test_an_awaiting_caller_has_the_same_deadline() -> None:
    till = Till()
    gathering: Gathering[int, int] = Gathering("test", till.work, deadline=0.05)

    async def late() -> None:
        with pytest.raises(Unavailable):
            await gathering.awaited(1)
        gone = asyncio.ensure_future(gathering.awaited(2))
        await asyncio.sleep(0)
        gone.cancel()

    asyncio.run(late())
    till.open.set()
    assert gathering.call(3) == 6
    assert till.batches == [[1], [3]]
