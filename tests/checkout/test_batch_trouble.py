"""A batch in trouble: its process is killed at every point, the database does not answer, too many wait."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import DataError

from checkout import orders, orphans, placing
from checkout.asked import Asked, OrderRequest
from checkout.models import Order
from checkout.placing import place_all
from inventory.models import Drop
from kyc.models import IdQuota, Person, VerificationCase
from runtime.db import engine, reading, writing
from runtime.facts import Unavailable
from runtime.settings import settings
from tests.checkout.crowd import held, live, set_person, tally, verified, wants
from tests.checkout.shop import HOME, LI, Shop
from tests.dying import runs_into
from tests.patience import as_delivered

PLACE = """
import sys
from checkout import jobs
from checkout.placing import place_all
from tests.checkout.crowd import wants
who = tuple(sys.argv[1].split("="))
place_all([wants(*one.split("="), who) for one in sys.argv[2:]])
"""


def place_and_die(asked: list[Asked], point: str, who: tuple[str, str] = ("", "")) -> None:
    """Another process places them together and is killed at the point."""
    names = [f"{one.account}={one.hold_id}" for one in asked]
    assert runs_into(point, PLACE, "=".join(who), *names)


@pytest.mark.parametrize(
    ("point", "there", "retried", "left"),
    [
        ("order.claimed", 0, True, 0),
        ("order.claimed", 0, False, 4),
        ("order.written", 0, True, 0),
        ("order.written", 0, False, 4),
        ("order.committed", 3, True, 1),
        ("order.committed", 3, False, 1),
        ("order.given_back", 3, True, 0),
        ("order.given_back", 3, False, 0),
    ],
)
def test_killed_in_the_middle_of_a_batch(
    shop: Shop, point: str, there: int, retried: bool, left: int
) -> None:
    """Three good ones, and one too many for its ID. `there` orders stand after the kill, `left` claims are the
    sweep's to give back."""
    crowd = ["a", "b", "c", "full"]
    verified(crowd)
    fill_quota("full")
    asked = [wants(one, hold) for one, hold in zip(crowd, held(crowd), strict=True)]
    place_and_die(asked, point)
    assert count() == there
    if retried:
        told = [type(one).__name__ for one in place_all(asked)]
        assert told == ["Placed"] * 3 + ["Lapsed" if there else "IdLimitReached"]
    assert orphans.tick(0) == left
    placed = 3 if there or retried else 0
    assert (count(), tally()) == (placed, (40 - placed, 0, placed, 0))
    assert orphans.tick(0) == 0
    empty_quota("full")
    shop.settle_down()
    assert shop.clean()


def test_killed_after_enrolling_the_same_again_is_one_person_and_one_order(shop: Shop) -> None:
    hold = shop.hold("li")
    one = wants("li", hold, LI)
    place_and_die([one], "order.enrolled", LI)
    assert (count(), tally()) == (0, (39, 1, 0, 0))
    assert [type(told).__name__ for told in place_all([one])] == ["Placed"]
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Person)) == 1
        assert session.scalar(select(func.count()).select_from(VerificationCase)) == 1
    shop.settle_down()
    assert shop.clean()


@contextmanager
def database_that_does_not_answer() -> Iterator[None]:
    """Somebody has the drop's row, on SQLite the whole database, and does not let go."""
    taken, done = threading.Event(), threading.Event()

    def hang() -> None:
        with writing() as session:
            session.scalars(select(Drop).with_for_update()).all()
            taken.set()
            assert done.wait(30)

    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(hang)
        assert taken.wait(10)
        try:
            yield
        finally:
            done.set()
            hanging.result()


def test_while_the_database_does_not_answer_nobody_waits_longer_than_the_deadline(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_delivered(monkeypatch)
    settings.cache_clear()
    deadline = settings().answer_ms / 1000
    verified(["a", "b"])
    first, second = held(["a", "b"])
    with database_that_does_not_answer(), ThreadPoolExecutor(2) as pool:
        began = time.monotonic()
        told = [pool.submit(place, "a", first.id), pool.submit(place, "b", second.id)]
        assert [type(one.exception()) for one in told] == [Unavailable, Unavailable]
        assert deadline <= time.monotonic() - began < 5 * deadline
    orders_of = [place("a", first.id), place("b", second.id)]  # the same keys: the work may be done already
    assert sorted(order.id for order in orders_of) == live()
    assert tally() == (38, 0, 2, 0)
    assert orphans.tick(0) == 0
    shop.settle_down()
    assert shop.clean()


def test_a_fault_in_the_data_of_one_is_told_to_that_one(shop: Shop) -> None:
    """A date of birth that does not open is a fault of ours."""
    persons = verified(["a", "b", "c"])
    asked = [wants(one, hold) for one, hold in zip("abc", held(["a", "b", "c"]), strict=True)]
    set_person(persons[1], birth=b"damaged" * 5)
    told = place_all(asked)
    assert [type(one).__name__ for one in told] == ["Placed", "SealError", "Placed"]
    assert tally() == (37, 1, 2, 0)


def test_a_batch_that_fails_as_a_whole_is_placed_one_by_one(shop: Shop) -> None:
    if engine().dialect.name == "sqlite":
        pytest.skip("only PostgreSQL refuses this text")
    verified(["a", "b", "c"])
    first, second, third = held(["a", "b", "c"])
    with ThreadPoolExecutor(3) as pool:
        with database_that_does_not_answer():
            alone = pool.submit(place, "c", third.id)
            until(lambda: busy() == (0, True))
            told = [pool.submit(place, "a", first.id, "k\0"), pool.submit(place, "b", second.id)]
            until(lambda: busy() == (2, True))
        assert type(told[0].exception()) is DataError
        assert sorted([alone.result().id, told[1].result().id]) == live()
    assert tally() == (37, 0, 3, 0)  # the bad one's claim waits for the sweep
    assert orphans.tick(0) == 1
    assert shop.clean()


def busy() -> tuple[int, bool]:
    """How many wait for the next batch, and whether one is at work."""
    return placing._counter._gathered.qsize(), tally()[2] > 0


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 2
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def place(account: str, hold_id: str, key: str = "k1") -> Order:
    request = OrderRequest("", "", HOME, "cod")
    return orders.place(account=account, phone="18600001111", hold_id=hold_id, key=key, request=request)


def count() -> int:
    return len(live())


def fill_quota(account: str) -> None:
    """The account's ID number has as many numbers as it may."""
    with writing() as session:
        index = session.scalars(select(Person.id_index).where(Person.account == account)).one()
        session.add(IdQuota(person_index=index, used=settings().max_numbers_per_id))


def empty_quota(account: str) -> None:
    """The numbers of fill_quota had no orders, so the audit must not find them."""
    with writing() as session:
        index = session.scalars(select(Person.id_index).where(Person.account == account)).one()
        session.get_one(IdQuota, index).used = 0
