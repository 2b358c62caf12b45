"""The draw: nobody can choose it, everybody can check it."""

import random
from collections import Counter

import msgspec
import pytest

from inventory import draw
from inventory.draw import Draw

SEED = "5e" * 32
TICKETS = [f"{n:024x}" for n in range(1_000)]
HELD = draw.make("d1", SEED, TICKETS)


def changed(**what: object) -> Draw:
    return msgspec.structs.replace(HELD, **what)


def test_a_draw_that_was_made_by_the_rule_has_no_fault() -> None:
    assert draw.faults(HELD) == []
    assert draw.faults(HELD, draw.commitment(SEED)) == []
    assert sorted(HELD.order) == sorted(TICKETS)


def test_the_order_the_tickets_came_in_does_not_count() -> None:
    shuffled = random.Random(1).sample(TICKETS, len(TICKETS))
    assert draw.make("d1", SEED, shuffled) == HELD


def test_it_is_worked_out_as_the_docs_say() -> None:
    """By hand, with three tickets; the figures stand in docs/fairness.md too."""
    made = draw.make("spring", "00" * 32, ["aaa", "bbb", "ccc"])
    assert made.commitment == "60e05bd1b195af2f94112fa7197a5c88289058840ce7c6df9693756bc6250f55"
    assert made.digest == draw._hash("aaa\nbbb\nccc\n")
    assert made.final_seed == draw._hash(f"haoka-draw-1\nspring\n{'00' * 32}\n3\n{made.digest}")
    assert list(made.order) == sorted(
        ["aaa", "bbb", "ccc"], key=lambda one: draw._hash(f"{made.final_seed}:{one}")
    )


def test_another_ticket_another_seed_or_another_drop_makes_another_order() -> None:
    orders = {
        tuple(one for one in made.order if one in set(TICKETS))
        for made in (
            HELD,
            draw.make("d2", SEED, TICKETS),
            draw.make("d1", "5f" * 32, TICKETS),
            draw.make("d1", SEED, [*TICKETS, "f" * 24]),
        )
    }
    assert len(orders) == 4


def test_every_place_is_as_likely_for_every_ticket() -> None:
    """3,000 draws of three tickets: each of the six orders about 500 times (chi-square, 5 degrees, p < 0.0001)."""
    found = Counter(tuple(draw.make("d", f"{n:064x}", ["a", "b", "c"]).order) for n in range(3_000))
    assert len(found) == 6
    assert sum((count - 500) ** 2 / 500 for count in found.values()) < 25.7


two_swapped = [HELD.order[1], HELD.order[0], *HELD.order[2:]]


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        (changed(order=two_swapped), "the order is not the drawn one, from place 1 on"),
        (changed(order=HELD.order[:-1]), "the list has 999 tickets"),
        (changed(order=[*HELD.order, "f" * 24]), "the list has 1,001 tickets"),
        (changed(order=[*HELD.order[:-1], "f" * 24]), "the list of tickets is another one"),
        (changed(order=[*HELD.order, HELD.order[0]]), "1 tickets stand in the list twice"),
        (changed(seed="5f" * 32), "the seed does not fit the commitment"),
        (changed(tickets=1_001), "1,001 were announced"),
        (changed(final_seed="00" * 32), "the final seed does not follow"),
        (changed(rule="haoka-draw-0"), "the rule is 'haoka-draw-0'"),
        (Draw("d1", HELD.commitment), "the draw was not held yet"),
    ],
)  # fmt: skip
def test_whatever_is_changed_is_found(told: Draw, fault: str) -> None:
    assert any(fault in sentence for sentence in draw.faults(told)), draw.faults(told)


def test_a_seed_chosen_afterwards_does_not_fit_what_was_published_before() -> None:
    other = draw.make("d1", "77" * 32, TICKETS)
    assert draw.faults(other) == []
    assert draw.faults(other, HELD.commitment) == [
        f"the commitment is {other.commitment}, before the opening it was {HELD.commitment}"
    ]
