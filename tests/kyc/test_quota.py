"""The limit of numbers per ID: parallel orders for the last places, and places given back."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from kyc import quota
from kyc.quota import IdLimitReached
from runtime.db import reading, writing


def take(_n: int) -> bool:
    try:
        with writing() as session:
            quota.take(session, "li", 5)
    except IdLimitReached:
        return False
    return True


def used() -> int:
    with reading() as session:
        return quota.used(session, "li")


def test_of_twenty_at_once_five_pass(db: None) -> None:
    assert used() == 0
    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(take, range(20))) == 5
    assert used() == 5


def test_a_place_given_back_is_there_once(db: None) -> None:
    for n in range(5):
        assert take(n)
    with writing() as session:
        quota.give_back(session, "li")
    assert [take(0), take(1)] == [True, False]


def test_giving_back_never_goes_below_none(db: None) -> None:
    with writing() as session:
        quota.give_back(session, "li")
        quota.take(session, "li", 5)
        quota.give_back(session, "li")
        quota.give_back(session, "li")
    assert used() == 0


def test_an_order_that_fails_takes_no_place(db: None) -> None:
    with pytest.raises(RuntimeError):
        take_and_fail()
    assert used() == 0


def take_and_fail() -> None:
    with writing() as session:
        quota.take(session, "li", 5)
        raise RuntimeError


def test_the_limit_is_told(db: None) -> None:
    with writing() as session, pytest.raises(IdLimitReached) as reached:
        quota.take(session, "li", 0)
    assert (reached.value.code, reached.value.details) == ("id_limit_reached", {"limit": 0})
