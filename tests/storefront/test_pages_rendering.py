"""How money, numbers and times read."""

from datetime import UTC, datetime, timedelta

import pytest

from runtime import clock
from storefront import i18n
from storefront.rendering import grouped, left, money, share, when


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        (499_900, '<span class="money">¥4,999<span class="cents">.00</span></span>'),
        (5, '<span class="money">¥0<span class="cents">.05</span></span>'),
        (-15_050, '<span class="money">-¥150<span class="cents">.50</span></span>'),
    ],
)
def test_money_is_told_in_yuan(fen: int, text: str) -> None:
    assert money(fen) == text


def test_a_number_is_grouped_three_four_four() -> None:
    assert grouped("18600123456") == '<span class="number">186 0012 3456</span>'


def test_the_digits_searched_for_are_marked_across_the_gap() -> None:
    assert grouped("18600123456", contains="123") == (
        '<span class="number">186 00<mark>12 3</mark>456</span>'
    )
    assert grouped("18600123488", ending="88") == '<span class="number">186 0012 34<mark>88</mark></span>'


def test_times_are_shanghais() -> None:
    at = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    with i18n.speaking("zh"):
        assert ">11月22日 20:00</time>" in when(at)
    with i18n.speaking("en"):
        assert ">22 Nov, 20:00</time>" in when(at)


def test_time_left_never_runs_below_zero() -> None:
    with i18n.speaking("en"):
        assert left(clock.now() - timedelta(seconds=5)) == "00:00"
        assert left(clock.now() + timedelta(days=2, seconds=2)).startswith("2 d 00:00:0")


def test_the_share_of_nothing_is_nothing() -> None:
    assert [share(1, 4), share(0, 0)] == [25.0, 0.0]
