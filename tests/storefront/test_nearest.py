"""A number that is gone and that many want: each is offered something near, not all the same."""

from pathlib import Path

import pytest
from redis import Redis

from inventory import verbs
from runtime.facts import NotFound
from storefront import nearest
from tests.checkout.shop import DROP, open_shop

WISHED = "18600131024"


@pytest.fixture(autouse=True)
def _drop(db: None, redis: Redis, tmp_path: Path) -> None:
    verbs.forget()
    nearest._found.clear()
    open_shop(tmp_path, "")


def test_a_crowd_is_spread_over_what_is_near() -> None:
    first = [one.number for one in nearest.alternatives(DROP, WISHED)]
    crowd = [[one.number for one in nearest.alternatives(DROP, WISHED)] for _ in range(50)]
    assert {len(one) for one in (first, *crowd)} == {nearest.SHOWN}
    near = [one.number for one in nearest._found[DROP, WISHED][1]]
    assert first == near[: nearest.SHOWN]
    assert {number for one in crowd for number in one} == set(near)
    assert all(one == sorted(one, key=near.index) for one in crowd)  # best first


def test_what_was_found_is_soon_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "_KEPT", -1.0)
    for _ in range(3):
        assert len(nearest.alternatives(DROP, WISHED)) == nearest.SHOWN
    for nth in range(2 * nearest._NUMBERS):
        nearest.alternatives(DROP, f"186{nth:08d}")
    assert len(nearest._found) <= nearest._NUMBERS


def test_nothing_is_near_what_is_no_number() -> None:
    assert [nearest.alternatives(DROP, "abc") for _ in range(2)] == [[], []]


def test_no_such_drop() -> None:
    with pytest.raises(NotFound):
        nearest.alternatives("none", WISHED)
