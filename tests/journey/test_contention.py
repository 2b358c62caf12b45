"""Fifteen thousand buyers and five thousand numbers over HTTP: sold out exactly.

The twin sells from a copy of the code without the guard line of hold.lua, and there the same check must find two
owners. With --without-guard the first test itself runs on that copy, and fails."""

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.proof import guard
from tests.proof.sellout import sell_out
from tests.shop import ROOT, running


def test_five_thousand_numbers_and_fifteen_thousand_attempts_on_two_hundred_connections(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> None:
    with ExitStack() as stack:
        bare = request.config.getoption("--without-guard")
        root = stack.enter_context(guard.copy_without()) if bare else ROOT
        shop = stack.enter_context(running(root=root))
        assert sell_out(shop, 5_000, 15_000, 200) == []
    record_property("proof", "contention over HTTP: 5,000 numbers, 15,000 attempts: 0 over, 0 under")


def test_without_the_guard_numbers_have_two_owners() -> None:
    with guard.copy_without() as root, running(root=root) as shop:
        found = sell_out(shop, 200, 800, 50)
    assert [line for line in found if "was promised to" in line] != []
