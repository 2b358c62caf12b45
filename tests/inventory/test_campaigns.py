"""Campaigns: the limits of one round hold in the next, whatever became of the first."""

import pytest
from redis import Redis

from inventory import audit, campaigns, drops, holds, stock, verbs
from inventory.facts import LimitReached, Stale
from inventory.jobs import clear
from inventory.stock import LiveOrder
from runtime.db import writing
from runtime.facts import Invalid
from tests.inventory.small_drop import OPS, Make, add_numbers, held, ordinary, reload


def second_round(make: Make, lots: int = 1) -> list[str]:
    """Another round with numbers of another city."""
    return make("r2", 6, city="810", campaign="spring", lots=lots)


def bought(drop: str, account: str, number: str, order: str, person: str = "") -> holds.Hold:
    mine = held(drop, account, number, person=person)
    holds.claim(mine.id, account=account, order_id=order)
    return mine


def over(drop: str) -> None:
    """Close and settle a round."""
    for verb in (drops.close, drops.settle):
        with writing() as session:
            verb(session, drop, **OPS)
    clear(drop)


@pytest.mark.parametrize("lots", [1, 3])
def test_limits_hold_over_the_rounds(make: Make, lots: int) -> None:
    first = make("r1", 6, campaign="spring", lots=lots)
    second = second_round(make, lots)
    bought("r1", "li", first[0], "o1", "p1")
    for account, person in (("li", ""), ("new", "p1")):
        with pytest.raises(LimitReached):
            held("r2", account, second[0], person=person)
    holds.give_back("r1", "o1", first[0])
    assert held("r2", "li", second[0], person="p1").state == "held"
    with pytest.raises(LimitReached):
        held("r1", "li", first[1])
    assert audit.journal_audit("r1", {"o1": (first[0], "returned")}).differences == []
    assert audit.journal_audit("r2", {}).differences == []


def test_a_live_hold_is_one_for_each_round_but_counts_in_all(make: Make) -> None:
    first = make("r1", 6, campaign="spring", limit_account=2)
    second = make("r2", 6, city="810", campaign="spring", limit_account=2)
    held("r1", "li", first[0])
    bought("r2", "li", second[0], "o2")
    with pytest.raises(LimitReached):
        held("r2", "li", second[1])


@pytest.mark.parametrize("lots", [1, 3])
def test_a_settled_round_counts_on(make: Make, redis: Redis, lots: int) -> None:
    first = make("r1", 6, campaign="spring", lots=lots)
    bought("r1", "li", first[0], "o1", "p1")
    holds.settle("r1", "o1", first[0])
    over("r1")
    assert not redis.exists(verbs.key("r1", "tally"))
    second = second_round(make, lots)
    with pytest.raises(LimitReached):
        held("r2", "new", second[0], person="p1")


@pytest.mark.parametrize("lots", [1, 3])
def test_after_a_loss_no_round_opens_before_the_settled_ones_count_again(
    make: Make, redis: Redis, lots: int
) -> None:
    first = make("r1", 6, campaign="spring", lots=lots)
    bought("r1", "li", first[0], "o1", "p1")
    holds.settle("r1", "o1", first[0])
    over("r1")
    redis.flushall()
    second = second_round(make, lots)
    drops.tick()
    assert reload("r2").epoch is None
    with pytest.raises(Stale):
        held("r2", "li", second[0])
    [lost] = campaigns.uncounted(reload("r2"))
    assert lost.id == "r1"
    for _ in range(2):  # again changes nothing
        campaigns.recall(lost, {"a:li": 1, "p:p1": 1})
    drops.tick()
    for account, person in (("li", ""), ("new", "p1")):
        with pytest.raises(LimitReached):
            held("r2", account, second[0], person=person)
    assert held("r2", "wang", second[0]).state == "held"


@pytest.mark.parametrize("lots", [1, 3])
def test_both_rounds_are_rebuilt(make: Make, redis: Redis, lots: int) -> None:
    first = make("r1", 6, campaign="spring", lots=lots)
    second = second_round(make, lots)
    mine = bought("r1", "li", first[0], "o1", "p1")
    redis.flushall()
    for drop, orders in (
        ("r1", [LiveOrder("o1", first[0], "li", "ordered", "p1", "card", "", mine.id)]),
        ("r2", []),
    ):
        stock.fence(drop)
        assert stock.rebuild(drop, orders) == []
    with pytest.raises(LimitReached):
        held("r2", "li", second[0])
    assert audit.journal_audit("r1", {"o1": (first[0], "ordered")}).differences == []
    assert audit.journal_audit("r2", {}).differences == []


def test_the_rounds_of_a_campaign_lie_in_as_many_lots(make: Make) -> None:
    make("r1", 6, campaign="spring", lots=2)
    add_numbers(ordinary("810", 2), "810", "r2")
    with pytest.raises(Invalid) as fact:
        second_round(make, 3)
    assert set(fact.value.errors) == {"campaign"}
    with pytest.raises(Invalid) as fact:
        make("r3", 2, city="310", campaign="no such name!")
    assert set(fact.value.errors) == {"campaign"}
