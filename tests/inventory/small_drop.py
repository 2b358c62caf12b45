"""A small drop on real SQL and real Redis, and what tests do with it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from redis import Redis

from inventory import drops, holds, patterns, stock, units, verbs
from inventory.holds import Hold
from inventory.models import Drop, Number
from inventory.segments import of_city
from runtime import clock
from runtime.bulk import insert_new
from runtime.db import writing
from tests.loops import in_own_loop as in_own_loop

OPS = {"actor": "zhao", "reason": "test"}


def ordinary(city: str, count: int, grade: int = 9) -> list[str]:
    """The first numbers of a city of that grade."""
    found: list[str] = []
    for segment in of_city(city):
        for end in range(10_000):
            number = f"{segment}{end:04}"
            if len(found) == count:
                return found
            if patterns.grade_of(patterns.classify(number)).grade == grade:
                found.append(number)
    return found


def add_numbers(numbers: list[str], city: str, pool: str = "spring") -> None:
    rows = []
    for number in numbers:
        pattern = patterns.classify(number)
        grade = patterns.grade_of(pattern)
        rows.append(
            {
                "number": number,
                "city": city,
                "pool": pool,
                "segment7": number[:7],
                "pattern": pattern,
                "grade": grade.grade,
                "prestore_fen": grade.prestore_fen,
                "min_spend_fen": grade.min_spend_fen,
                "term_months": grade.term_months,
                "no4": patterns.no4(number),
                "tags": patterns.tags(number),
                "state": "available",
                "drop_id": None,
                "moved_at": clock.now(),
            }
        )
    with writing() as session:
        insert_new(session, Number, rows)


Make = Callable[..., list[str]]


def make_drop(drop_id: str, count: int, city: str = "110", **rules: Any) -> list[str]:
    numbers = ordinary(city, count)
    add_numbers(numbers, city, drop_id)
    skus = rules.get("skus") or {}
    given = {"opens_at": clock.now() - timedelta(seconds=5), "cities": [city], **rules}
    with writing() as session:
        for sku, quantity in skus.items():
            units.add_handsets(session, sku, units.made_up_imeis(sku, quantity))
        drops.create(session, id=drop_id, name=drop_id, pool=drop_id, actor="zhao", **given)
        drops.schedule(session, drop_id, **OPS)
    with writing() as session:
        drops.warm(session, drop_id, **OPS)
    return numbers


async def hold(drop: str, account: str, number: str = "", key: str | None = None, **more: Any) -> Hold:
    token = more.pop("token", None)
    if token is None:  # an empty one: make one, if it comes to that
        token = holds.new_token(drop, account, key)
    return await holds.hold(drop, token=token, account=account, number=number, offer="card", **more)


def held(drop: str, account: str, number: str = "", **more: Any) -> Hold:
    return in_own_loop(hold(drop, account, number, **more))


def lapse(redis: Redis, drop: str) -> None:
    """Let all live holds of a drop be due now."""
    for hold_id, _ in redis.zscan_iter(verbs.key(drop, "due")):
        redis.zadd(verbs.key(drop, "due"), {hold_id: 1})


def assert_conserved(drop: str) -> None:
    tally = drops.tally(drop)
    for counts in (tally, *tally.skus.values()):
        places = (counts.free, counts.held, counts.ordered, counts.paid, counts.withdrawn)
        assert min(places) >= 0
        assert sum(places) == counts.loaded


def reload(drop_id: str) -> Drop:
    found = stock._read(drop_id)
    assert found is not None
    return found
