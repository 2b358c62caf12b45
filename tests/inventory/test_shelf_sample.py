"""Samples: another for every shopper, and every number as likely as any other."""

from collections import Counter

import pytest

from inventory import stacks_order
from inventory.stacks import Wish, seed_of
from tests.inventory.naive_shelf import made_up

NAIVE = made_up(1, 4_000, 30)
SHOPPERS = 4_000


@pytest.mark.parametrize(("head", "large"), [(None, None), (7, True)])
@pytest.mark.parametrize(
    "wish", [Wish(), Wish(no4=True), Wish(contains="8"), Wish(ending="8"), Wish(grade=6)]
)
def test_every_number_that_fits_is_as_likely_as_any_other(
    wish: Wish, head: int | None, large: bool | None
) -> None:
    """Chi-square of how often each is shown; fixed seeds. Of k numbers it is k - 1 on average, with a standard
    deviation of sqrt(2k); five of them are allowed."""
    stack, fitting = NAIVE.stack(head, large), NAIVE.found(wish)
    shown: Counter[str] = Counter()
    for shopper in range(SHOPPERS):
        shown.update(n.number for n in stack.search(wish, 20, seed_of(f"acc_{shopper}")))
    assert set(shown) <= set(fitting)
    expected = SHOPPERS * 20 / len(fitting)
    chi_square = sum((shown[number] - expected) ** 2 / expected for number in fitting)
    # Without putting back: the chi-square is smaller by the share that is drawn.
    degrees = (len(fitting) - 1) * (1 - 20 / len(fitting))
    assert abs(chi_square - degrees) < 5 * (2 * degrees) ** 0.5


def test_two_shoppers_share_as_many_as_chance_gives() -> None:
    stack, fitting = NAIVE.stack(), NAIVE.found(Wish())
    samples = [{n.number for n in stack.search(Wish(), 20, seed_of(f"acc_{i}"))} for i in range(600)]
    shared = sum(len(one & other) for one, other in zip(samples[::2], samples[1::2], strict=True))
    expected = 300 * 20 * 20 / len(fitting)
    assert abs(shared - expected) < 5 * expected**0.5


@pytest.mark.parametrize("total", [1, 2, 3, 64, 100, 1_000, 4_096, 99_999])
def test_an_order_has_every_row_once_and_knows_its_place(total: int) -> None:
    for seed in (0, 1, 2**64 - 1, seed_of("li")):
        order = stacks_order.of(seed, total)
        rows = order.rows(0, 1 << order.bits, total)
        assert sorted(rows.tolist()) == list(range(total))
        places = order.places(rows).tolist()
        assert places == sorted(places)
        assert [order.rows(place, place + 1, total).tolist() for place in places[:20]] == [
            [row] for row in rows.tolist()[:20]
        ]


def test_tails_of_couples_are_as_likely_as_any_other() -> None:
    stack = NAIVE.stack()
    fitting = Counter(number[-4:] for number in NAIVE.found(Wish(couple=True)))
    seen: Counter[str] = Counter()
    for shopper in range(2_000):
        seen.update({n.number[-4:] for n in stack.search(Wish(couple=True), 20, seed_of(f"acc_{shopper}"))})
    assert set(seen) == set(fitting)
