"""The audit is silent when all is well and finds each planted difference."""

from collections.abc import Callable

import pytest
from redis import Redis

from inventory import audit, holds, verbs
from tests.inventory.small_drop import Make, held

Orders = dict[str, tuple[str, str]]


@pytest.fixture
def sale(make: Make) -> tuple[list[str], Orders]:
    """Seven numbers: 0 held, 1 ordered, 2 paid, 3 returned, 4 cooling, 5 and 6 free."""
    numbers = make("d1", 7, limit_account=9, skus={"ip4": 3})
    held("d1", "li", numbers[0], sku="ip4")
    for i in (1, 2, 3, 4):
        holds.claim(held("d1", f"s{i}", numbers[i], person=f"p{i}").id, account=f"s{i}", order_id=f"o{i}")
    for i in (2, 4):
        holds.settle("d1", f"o{i}", numbers[i])
    holds.give_back("d1", "o3", numbers[3])
    holds.give_back("d1", "o4", numbers[4], to="cooling")
    return numbers, {
        "o1": (numbers[1], "ordered"),
        "o2": (numbers[2], "paid"),
        "o3": (numbers[3], "returned"),
        "o4": (numbers[4], "returned"),
    }


def test_nothing_to_tell(sale: tuple[list[str], Orders]) -> None:
    report = audit.journal_audit("d1", sale[1])
    assert report.differences == []
    assert report.lines[1:] == [
        "numbers: loaded 7 = free 3 + held 1 + ordered 1 + paid 1 + withdrawn 1",
        "ip4: loaded 3 = free 2 + held 1 + ordered 0 + paid 0 + withdrawn 0",
        "SQL: 4 orders",
    ]


def planted(name: str, numbers: list[str], orders: Orders, redis: Redis) -> str:
    """Do the damage; gives how a difference must begin."""

    def key(of: str) -> str:
        return verbs.key("d1", of)

    damage: dict[str, tuple[Callable[[], object], str]] = {
        "free and owned": (
            lambda: redis.sadd(key("free"), numbers[2]),
            f"number {numbers[2]}: free in Redis",
        ),
        "lost from free": (lambda: redis.srem(key("free"), numbers[5]), f"number {numbers[5]}: not free"),
        "owner changed": (
            lambda: redis.hset(key("owner"), numbers[1], "o:other"),
            f"number {numbers[1]}: o:other",
        ),
        "owner lost": (
            lambda: redis.hdel(key("owner"), numbers[2]),
            f"number {numbers[2]}: nothing in Redis",
        ),
        "tally off": (lambda: redis.hincrby(key("tally"), "free", 1), "tally: free 4, the journal says 3"),
        "sku tally off": (lambda: redis.hincrby(key("tally"), "free:ip4", -1), "tally of ip4: free 1"),
        "hold without expiry": (lambda: redis.delete(key("due")), "hold hld_d1_"),
        "live hold lost": (lambda: redis.hdel(key("live"), "li"), "live hold of account li"),
        "limit off": (lambda: redis.hincrby(key("used"), "p:p1", -1), "limit p:p1: nothing in Redis, 1"),
        "order lost in Redis": (lambda: redis.hdel(key("orders"), "o1"), "order o1: nothing in Redis"),
        "not among the unpaid": (
            lambda: redis.zrem(key("unpaid"), "o1"),
            "order o1: its place among the unpaid",
        ),
        "journal with a stranger": (
            lambda: redis.xadd(
                key("journal"),
                {"verb": "settle", "number": numbers[6], "order": "o9", "sku": ""},
            ),
            f"number {numbers[6]}: settle at",
        ),
        "SQL order unknown to Redis": (
            lambda: orders.update(o9=(numbers[6], "ordered")),
            "order o9: live in SQL, unknown to Redis",
        ),
        "Redis order unknown to SQL": (
            lambda: orders.pop("o1"),
            f"order o1: owns {numbers[1]} in Redis, unknown to SQL",
        ),
        "another number in SQL": (
            lambda: orders.update(o1=(numbers[6], "ordered")),
            f"order o1: number {numbers[6]} in SQL, {numbers[1]} in the journal",
        ),
        "another state in SQL": (
            lambda: orders.update(o1=(numbers[1], "paid")),
            "order o1: paid in SQL, ordered in the journal",
        ),
        "two owners in SQL": (
            lambda: orders.update(o8=(numbers[2], "ordered")),
            f"number {numbers[2]}: two owners in SQL, o2 and o8",
        ),
        "ended in SQL, live in Redis": (
            lambda: orders.update(o2=(numbers[2], "returned")),
            "order o2: returned in SQL, paid in the journal",
        ),
        "redis lost": (lambda: redis.flushall(), "Redis has lost this drop"),
    }
    do, told = damage[name]
    do()
    return told


@pytest.mark.parametrize(
    "name",
    [
        *("free and owned", "lost from free", "owner changed", "owner lost", "tally off", "sku tally off"),
        *(
            "hold without expiry",
            "live hold lost",
            "limit off",
            "order lost in Redis",
            "not among the unpaid",
        ),
        *("journal with a stranger", "SQL order unknown to Redis", "Redis order unknown to SQL"),
        *(
            "another number in SQL",
            "another state in SQL",
            "two owners in SQL",
            "ended in SQL, live in Redis",
        ),
        "redis lost",
    ],
)
def test_a_planted_difference_is_found(sale: tuple[list[str], Orders], redis: Redis, name: str) -> None:
    numbers, orders = sale
    told = planted(name, numbers, orders, redis)
    differences = audit.journal_audit("d1", orders).differences
    assert [line for line in differences if line.startswith(told)] != [], differences


def test_more_loaded_than_sql_gave(sale: tuple[list[str], Orders], redis: Redis) -> None:
    epoch = verbs.fetch_epoch("d1")
    verbs.run("load", "d1", epoch, "18600000000")
    assert audit.journal_audit("d1", sale[1]).differences == ["loaded 8, but SQL gave the drop 7 numbers"]


def test_very_many_differences_are_cut_short(sale: tuple[list[str], Orders]) -> None:
    orders = sale[1] | {f"x{i}": ("18600000000", "ordered") for i in range(300)}
    differences = audit.journal_audit("d1", orders).differences
    assert len(differences) == 201
    assert differences[-1].endswith("more differences")
