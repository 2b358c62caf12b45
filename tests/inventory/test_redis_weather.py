"""Redis behind bad weather: no call is long, the breaker opens and closes, nothing is lost and nothing done twice."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop
from redis import Redis

from inventory import drops, holds, journal, verbs
from inventory.holds import Hold
from runtime import redis as redis_clients
from runtime.breaker import FAILURES, Refused
from runtime.facts import Unavailable
from runtime.settings import settings
from tests.inventory.small_drop import Make, assert_conserved, hold
from tests.patience import as_delivered
from tests.weather_proxy import TOXICS, Proxy, proxy

BUYERS = 12
LONGEST = 25  # seconds no call comes near; the library's own default would be minutes
HEALS = 25  # seconds; it takes about one, and machines that run tests are slow


@pytest.fixture
def weather(one_server: Redis, make: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """An open drop d1 of 40 numbers in a Redis that is reached through the weather."""
    make("d1", 40)
    with proxy(str(settings().home / "redis" / "redis.sock")) as made:
        as_delivered(monkeypatch)
        monkeypatch.setenv("HAOKA_REDIS_URL", f"redis://127.0.0.1:{made.port}")
        settings.cache_clear()
        redis_clients.forget()
        yield made
        made.turn()
        redis_clients.forget()
        monkeypatch.undo()
        settings.cache_clear()


def test_a_process_that_was_late_itself_does_not_take_redis_for_silent(weather: Proxy) -> None:
    async def late() -> tuple[Hold, bool]:
        await hold("d1", "first")
        [line] = redis_clients._lines()._lines.values()
        wire = line._wire
        asked = asyncio.ensure_future(hold("d1", "second"))
        while wire is not None and not wire._waiting:
            await asyncio.sleep(0)
        time.sleep(1.5)
        return await asked, line._wire is wire and wire is not None and not wire.is_lost

    held, kept = asyncio.run(late())
    assert (held.state, kept) == ("held", True)


async def _buy(buyer: str, took: list[float], until: float) -> Hold | None:
    """Ask with the same token until there is an answer, or the time is up."""
    token = holds.new_token("d1", buyer)
    while True:
        began = time.monotonic()
        try:
            return await hold("d1", buyer, token=token)
        except Unavailable:
            pass
        finally:
            took.append(time.monotonic() - began)
        if time.monotonic() > until:
            return None
        await asyncio.sleep(0.01)


def _current() -> object:
    return holds.current("d1", "buyer0")


def _expire() -> object:
    return holds.expire("d1")


def _read() -> object:
    return list(journal.pages("d1"))


def _look(took: list[float], end: threading.Event) -> None:
    """What the pages do: plain commands, verbs and pipelines in threads."""
    while not end.is_set():
        for call in (_current, _expire, _read):
            began = time.monotonic()
            try:
                call()
            except Unavailable:
                time.sleep(0.01)
            took.append(time.monotonic() - began)


@pytest.mark.parametrize("toxic", TOXICS)
def test_whatever_the_weather_no_call_is_long_and_nothing_is_lost_or_doubled(
    weather: Proxy, toxic: str
) -> None:
    took: list[float] = []
    end = threading.Event()
    lookers = [threading.Thread(target=_look, args=(took, end)) for _ in range(4)]
    for looker in lookers:
        looker.start()

    async def drop() -> list[Hold | None]:
        loop = asyncio.get_running_loop()
        loop.call_later(0.1, lambda: threading.Thread(target=weather.turn, args=(toxic,)).start())
        loop.call_later(2.1, lambda: threading.Thread(target=weather.turn).start())
        try:
            given = [_buy(f"buyer{n}", took, time.monotonic() + 2.1 + HEALS) for n in range(BUYERS)]
            first = asyncio.gather(*given[: BUYERS // 2])
            await asyncio.sleep(0.3)  # the others come when it storms
            return [*await asyncio.gather(*given[BUYERS // 2 :]), *await first]
        finally:
            await redis_clients.close_async()

    got = uvloop.run(drop())
    end.set()
    for looker in lookers:
        looker.join()
    assert max(took) < LONGEST
    assert None not in got
    numbers = [one.number for one in got if one]
    assert len(set(numbers)) == BUYERS
    assert drops.tally("d1").held == BUYERS
    assert {holds.current("d1", f"buyer{n}").number for n in range(BUYERS)} == set(numbers)  # type: ignore[union-attr]
    assert_conserved("d1")


@pytest.mark.parametrize("toxic", ["refuse", "blackhole", "latency", "reset"])
def test_after_five_failures_calls_are_refused_at_once_and_soon_after_the_weather_they_work(
    weather: Proxy, toxic: str
) -> None:
    assert verbs.call("expire", "d1", 1, "", "", "", "")
    weather.turn(toxic)
    assert _calls_until_refused() <= FAILURES
    assert not redis_clients.healthy()
    threads = threading.active_count()
    began = time.monotonic()
    for n in range(300):
        with pytest.raises(Refused):
            holds.current("d1", f"buyer{n}")
    assert asyncio.run(_refused(300)) == 300
    assert time.monotonic() - began < LONGEST  # six hundred that waited would take minutes
    assert threading.active_count() <= threads + 1
    weather.turn()
    began = time.monotonic()
    while not redis_clients.healthy():
        assert time.monotonic() - began < HEALS
        time.sleep(0.02)
    assert holds.expire("d1") == 0


def _calls_until_refused() -> int:
    for calls in range(100):
        try:
            holds.expire("d1")
        except Refused:
            return calls
        except Unavailable:
            pass
    raise AssertionError("never refused")


async def _refused(calls: int) -> int:
    async def one(n: int) -> bool:
        try:
            await hold("d1", f"many{n}")
        except Refused:
            return True
        return False

    try:
        return sum(await asyncio.gather(*map(one, range(calls))))
    finally:
        await redis_clients.close_async()


def test_one_lost_connection_is_nobodys_failure(weather: Proxy, tmp_path: Path) -> None:
    """The verb is sent again by itself, in threads and on the loop, and answers what it did the first time."""

    async def drop() -> list[Hold]:
        try:
            before = await hold("d1", "li")
            turned = threading.Thread(target=_gust, args=(weather,))
            turned.start()
            after = await asyncio.gather(*(hold("d1", f"buyer{n}") for n in range(20)))
            await asyncio.to_thread(turned.join)
            return [before, *after]
        finally:
            await redis_clients.close_async()

    assert len({one.number for one in asyncio.run(drop())}) == 21
    assert drops.tally("d1").held == 21


def _gust(weather: Proxy) -> None:
    weather.turn("reset")
    weather.turn()
