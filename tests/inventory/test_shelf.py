"""The shelf against a brute-force search, and following the journal."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from inventory import drops, holds, patterns, shelf
from inventory.stacks import Stack
from runtime import clock
from runtime.db import writing
from runtime.facts import NotFound
from tests.inventory.small_drop import OPS, Make, add_numbers, held, lapse, ordinary


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    shelf._shelves.clear()
    yield
    shelf.stop()


def shown(drop: str, **asked: Any) -> list[str]:
    return [n.number for n in shelf.search(drop, limit=10_000, **asked)]


def test_any_combination_finds_what_brute_force_finds() -> None:
    chance = random.Random(7)
    numbers = sorted({f"186{chance.randrange(10**8):08}" for _ in range(3_000)})
    rows = []
    for number in numbers:
        pattern = patterns.classify(number)
        grade = patterns.grade_of(pattern)
        city = chance.choice(["110", "310", "510"])
        rows.append(
            (number, city, pattern, grade.grade, 0, 0, 0, patterns.no4(number), patterns.tags(number))
        )
    stack = Stack(rows)
    free = {number for number in numbers if chance.random() < 0.7}
    assert stack.mark(free, True) == 0
    for _ in range(300):
        number = chance.choice(numbers)
        place = chance.randrange(11)
        asked: dict[str, Any] = {
            "city": chance.choice(["", "110", "510", "810"]),
            "segment": chance.choice(["", number[: chance.randrange(8)]]),
            "contains": chance.choice(["", number[place : place + chance.randrange(4)]]),
            "ending": chance.choice(["", number[11 - chance.randrange(4) :]]),
            "pattern": chance.choice(["", "", "AA", "ordinary", "AAA", "nonsense"]),
            "grade": chance.choice([None, None, 9, 6]),
            "no4": chance.random() < 0.3,
        }
        want = [
            row[0]
            for row in rows
            if row[0] in free
            and asked["city"] in ("", row[1])
            and row[0].startswith(asked["segment"])
            and asked["contains"] in row[0]
            and row[0].endswith(asked["ending"])
            and asked["pattern"] in ("", row[2])
            and asked["grade"] in (None, row[3])
            and (row[7] or not asked["no4"])
        ]
        assert [n.number for n in stack.shown(stack.search(**asked))] == want


def test_input_that_is_no_digits_or_too_long_finds_nothing(make: Make) -> None:
    make("d1", 5)
    for text in ("x", "１", "-1", "1" * 12):
        for field in ("segment", "contains", "ending"):
            assert shown("d1", **{field: text}) == []


def test_what_is_taken_and_given_back(make: Make, redis: Redis) -> None:
    numbers = make("d1", 6, limit_account=9)
    assert shown("d1") == numbers
    li = held("d1", "li", numbers[0])
    wang = held("d1", "wang", numbers[1])
    assert shown("d1") == numbers[2:]
    holds.release(li.id, "li")
    assert shown("d1") == [numbers[0], *numbers[2:]]
    holds.claim(wang.id, account="wang", order_id="o1")
    holds.settle("d1", "o1", numbers[1])
    assert shown("d1") == [numbers[0], *numbers[2:]]
    holds.give_back("d1", "o1", numbers[1])
    assert shown("d1") == numbers
    holds.claim(held("d1", "li", numbers[2]).id, account="li", order_id="o2")
    holds.give_back("d1", "o2", numbers[2], to="cooling")
    held("d1", "zhang", numbers[3])
    lapse(redis, "d1")
    holds.expire("d1")
    assert shown("d1") == [*numbers[:2], *numbers[3:]]


def test_who_starts_late_catches_up_and_a_new_life_is_read_anew(make: Make, redis: Redis) -> None:
    numbers = make("d1", 5)
    held("d1", "li", numbers[0])
    assert shown("d1") == numbers[1:]
    redis.flushall()
    with writing() as session:
        found = drops.find(session, "d1")
        found.epoch = None
    drops.tick()
    assert shown("d1") == numbers


def test_numbers_of_a_drop_not_loaded_are_not_shown(make: Make) -> None:
    with pytest.raises(NotFound):
        shelf.search("none")
    add_numbers(ordinary("110", 3), "110")
    with writing() as session:
        drops.create(
            session, id="d1", name="d1", pool="spring", cities=["110"], opens_at=clock.now(), actor="zhao"
        )
        drops.schedule(session, "d1", **OPS)
    assert shown("d1") == []
    with writing() as session:
        drops.warm(session, "d1", **OPS)
    assert len(shown("d1")) == 3


def test_seeds_show_different_samples_that_stay(make: Make) -> None:
    make("d1", 400)
    first = [n.number for n in shelf.search("d1", limit=20, seed="li")]
    assert [n.number for n in shelf.search("d1", limit=20, seed="li")] == first == sorted(first)
    other = {n.number for n in shelf.search("d1", limit=20, seed="wang")}
    assert len(other & set(first)) < 10
    held("d1", "zhang", first[0])
    after = [n.number for n in shelf.search("d1", limit=20, seed="li")]
    assert after != first
    assert set(first[1:]) < set(after)


def test_similar_are_free_of_the_same_city_and_end_alike(make: Make, redis: Redis) -> None:
    beijing = ordinary("110", 300)
    add_numbers(beijing, "110")
    add_numbers(ordinary("310", 300), "310")
    with writing() as session:
        drops.create(
            session,
            id="d1",
            name="d1",
            pool="spring",
            cities=["110", "310"],
            opens_at=clock.now(),
            actor="zhao",
        )
        drops.schedule(session, "d1", **OPS)
        drops.warm(session, "d1", **OPS)
    wanted = beijing[57]
    held("d1", "li", wanted)
    near = shelf.similar("d1", wanted, limit=6)
    assert len(near) == 6
    assert wanted not in [n.number for n in near]
    assert {n.city for n in near} == {"110"}

    def common(number: str) -> int:
        return next(k for k in range(11, -1, -1) if number.endswith(wanted[11 - k :]))

    best = max(common(number) for number in beijing if number != wanted)
    assert common(near[0].number) >= best - 1
    assert shelf.similar("d1", "nonsense") == []


def test_the_thread_follows_by_itself(make: Make) -> None:
    numbers = make("d1", 5)
    shelf.start()
    shelf.start()
    assert shown("d1") == numbers
    held("d1", "li", numbers[0])
    deadline = time.monotonic() + 5
    while shown("d1") != numbers[1:]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_search_of_a_hundred_thousand_is_fast() -> None:
    rows = [(f"186{i:08}", "110", "ordinary", 9, 0, 0, 0, True, "") for i in range(100_000)]
    stack = Stack(rows)
    stack.free[:] = True
    start = time.perf_counter()
    for _ in range(10):
        stack.shown(stack.sample(stack.search("110", "186", "88", "8", "ordinary", 9, True), 20, 1))
    assert (time.perf_counter() - start) / 10 < 0.05  # some 3 ms on an idle core
