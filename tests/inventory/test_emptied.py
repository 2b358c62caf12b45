"""A drop that is sold out: refusals without Redis, which end with the first number that comes back."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from inventory import emptied, holds, shelf, verbs
from inventory.facts import SoldOut
from tests.inventory.small_drop import Make, held, lapse


@pytest.fixture
def followed(make: Make) -> Iterator[list[str]]:
    """The three numbers of an open drop d1, in a process that follows its journal."""
    numbers = make("d1", 3)
    shelf.refresh("d1")
    shelf.start()
    yield numbers
    shelf.stop()
    emptied.over("d1")


def until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def sold_out(account: str, **how: Any) -> bool:
    try:
        held("d1", account, **how)
    except SoldOut:
        return True
    return False


def known() -> bool:
    """Is it known who holds something? What is believed lasts a tenth of a second: ask again meanwhile."""
    assert sold_out("asks", token="")
    return emptied.is_so("d1", "asks")


def sell_out() -> list[holds.Hold]:
    sold = [held("d1", f"b{nth}") for nth in range(3)]
    until(known)
    return sold


def test_who_has_nothing_is_refused_without_redis(
    followed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sell_out()
    monkeypatch.setattr(emptied, "KEPT", 60)
    assert sold_out("asks")  # Redis says it once more

    async def nobody_asks(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("Redis was asked")

    monkeypatch.setattr(verbs, "awaited", nobody_asks)
    assert all(sold_out(f"late{nth}", token="") for nth in range(20))
    with pytest.raises(AssertionError, match="was asked"):
        held("d1", "late")  # a token that may have been answered before


def test_who_holds_a_number_gets_it_again(followed: list[str]) -> None:
    sold = sell_out()
    for hold in sold:
        assert held("d1", hold.account, token="") == hold


def test_a_number_let_go_here_is_the_next_ones(followed: list[str]) -> None:
    sold = sell_out()
    holds.release(sold[1].id, "b1")
    assert held("d1", "late", token="").number == sold[1].number


def test_a_number_that_came_back_elsewhere_ends_it(
    followed: list[str], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sell_out()
    monkeypatch.setattr(emptied, "KEPT", 60)
    assert sold_out("asks", token="")
    lapse(redis, "d1")
    assert verbs.call("expire", "d1", 500, "", "", "", "")[1] == 3  # as another process would
    until(lambda: not sold_out("late", token=""))


def test_it_is_believed_for_a_moment_only(followed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sell_out()
    monkeypatch.setattr(emptied, "KEPT", 0)
    emptied.told("d1", time.monotonic())
    assert not emptied.is_so("d1", "late")


def test_where_no_journal_is_followed_nothing_is_believed(make: Make) -> None:
    make("d1", 1)
    held("d1", "b0")
    assert sold_out("late", token="")
    assert not emptied.is_so("d1", "late")


def test_who_may_have_a_hold_is_known_from_the_journal(followed: list[str]) -> None:
    assert not shelf.may_hold("d1", "li")
    held("d1", "li")
    assert shelf.may_hold("d1", "li"), "what this process gave is known at once"
    shelf.refresh("d1")  # the journal has told of it too
    shelf._shelves["d1"].holders.clear()
    held("d1", "wang")
    shelf._shelves["d1"].holders.discard("wang")  # as another process's
    shelf.refresh("d1")
    until(lambda: shelf.may_hold("d1", "wang"))
    assert not shelf.may_hold("d1", "li"), "was before what was read"
    shelf._shelves["d1"] = shelf._read("d1")  # as a process that starts now
    assert shelf.may_hold("d1", "li")
    shelf.stop()
    assert shelf.may_hold("d1", "nobody"), "where nobody follows, Redis is asked"
