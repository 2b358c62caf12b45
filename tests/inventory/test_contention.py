"""Many buyers and few numbers: sold out exactly, whoever is how fast.

Each test has a twin in which the guard line of hold.lua is taken out; there it must find what is wrong. With
`pytest --without-guard tests/inventory/test_contention.py` the tests themselves run without it, and fail."""

import os
import random
from collections.abc import Callable, Iterator

import pytest

from inventory import holds
from tests.inventory.small_drop import Make
from tests.proof import guard
from tests.proof.rush import Told, in_processes, in_threads, wrong

Proof = Callable[[str, object], None]


@pytest.fixture
def guarded(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Is the guard there? Not with --without-guard."""
    if request.config.getoption("--without-guard"):
        with guard.taken_out():
            yield False
    else:
        yield True


def one_number(make: Make, rounds: int, buyers: int = 1_000) -> list[str]:
    """Of two numbers they all want one; who gets it lets it go, and the next round begins."""
    wanted, _ = make("d1", 2)
    found: list[str] = []
    for turn in range(rounds):
        told = in_threads("d1", [(f"b{nth}", wanted) for nth in range(buyers)], else_any=False)
        found += [f"round {turn}: {len(told.held)} got it"] if len(told.held) != 1 else []
        found += wrong("d1", told, buyers, sold=1)
        for account in told.held:
            held = holds.current("d1", account)
            if held:
                holds.release(held.id, account)
    return found


def a_hundred_numbers(make: Make, buyers: int = 5_000) -> list[str]:
    numbers = make("d1", 100)
    wishes = [(f"b{nth}", numbers[nth % 100]) for nth in range(buyers)]
    random.Random(7).shuffle(wishes)
    return wrong("d1", in_threads("d1", wishes, 4, else_any=False), buyers, sold=100)


def many_numbers(make: Make, numbers: int, buyers: int, *, guarded: bool) -> tuple[list[str], Told]:
    make("d1", numbers)
    told = in_processes("d1", buyers, 3, seed=11, guarded=guarded)
    return wrong("d1", told, buyers, sold=numbers), told


def test_one_number_and_a_thousand_buyers_in_fifty_rounds(make: Make, guarded: bool) -> None:
    assert one_number(make, 50) == []


def test_a_hundred_numbers_and_five_thousand_buyers(make: Make, guarded: bool) -> None:
    assert a_hundred_numbers(make) == []


def test_a_hundred_thousand_numbers_and_more_buyers_from_three_processes(
    make: Make, guarded: bool, record_property: Proof
) -> None:
    numbers = 20_000 if "HAOKA_TEST_REDIS" in os.environ else 100_000  # in full once
    buyers = numbers * 6 // 5
    found, told = many_numbers(make, numbers, buyers, guarded=guarded)
    assert found == []
    assert told.refused == {"sold_out": buyers - numbers}
    proof = f"contention: {numbers:,} numbers, {buyers:,} buyers, 3 processes: 0 over, 0 under"
    record_property("proof", proof)


def test_without_the_guard_one_number_goes_to_many(make: Make) -> None:
    with guard.taken_out():
        assert one_number(make, 1) != []


def test_without_the_guard_a_hundred_numbers_are_oversold(make: Make) -> None:
    with guard.taken_out():
        assert a_hundred_numbers(make) != []


def test_without_the_guard_many_processes_oversell(make: Make) -> None:
    found, told = many_numbers(make, 1_000, 1_200, guarded=False)
    assert found != []
    assert len(set(told.held.values())) < len(told.held)  # two owners of one number


def test_the_switch_leaves_nothing_behind(make: Make) -> None:
    with guard.taken_out():
        pass
    assert a_hundred_numbers(make, 1_000) == []
