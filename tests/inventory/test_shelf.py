"""The shelf of a drop on real SQL and real Redis: what is shown, and how it follows what happens."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import insert

from inventory import drops, holds, journal, patterns, shelf, shelf_follow, shelf_read, stock, verbs
from inventory.models import Number
from runtime import clock
from runtime.db import writing
from runtime.facts import NotFound
from tests.inventory.naive_shelf import made_up
from tests.inventory.small_drop import OPS, Make, add_numbers, held, in_own_loop, lapse, ordinary


@pytest.fixture(autouse=True)
def _empty() -> Iterator[None]:
    shelf._shelves.clear()
    yield
    shelf.stop()


def shown(drop: str, **asked: Any) -> list[str]:
    return [n.number for n in shelf.search(drop, limit=10_000, **asked)]


def until_shown(drop: str, numbers: list[str]) -> None:
    deadline = time.monotonic() + 10
    while shown(drop) != numbers:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_input_that_is_no_digits_or_too_long_finds_nothing(make: Make) -> None:
    make("d1", 5)
    for text in ("x", "１", "-1", "1" * 12):
        for field in ("segment", "contains", "ending", "birthday"):
            assert shown("d1", **{field: text}) == []
    for unknown in ("city", "pattern"):
        assert shown("d1", **{unknown: "nonsense"}) == []


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
    assert shown("d1") == []
    stock.fence("d1")
    stock.rebuild("d1", [])
    assert shown("d1") == numbers


def scheduled(count: int) -> None:
    """Drop d1 of that many numbers, not loaded yet."""
    add_numbers(ordinary("110", count), "110")
    with writing() as session:
        drops.create(
            session, id="d1", name="d1", pool="spring", cities=["110"], opens_at=clock.now(), actor="zhao"
        )
        drops.schedule(session, "d1", **OPS)


def test_numbers_of_a_drop_not_loaded_are_not_shown(make: Make) -> None:
    with pytest.raises(NotFound):
        shelf.search("none")
    assert "none" not in shelf._locks
    scheduled(3)
    assert shown("d1") == []
    with writing() as session:
        drops.warm(session, "d1", **OPS)
    assert len(shown("d1")) == 3


def test_a_drop_first_seen_before_it_had_stock_and_next_when_all_was_held(make: Make) -> None:
    scheduled(1)
    assert shown("d1") == []
    with writing() as session:
        drops.warm(session, "d1", **OPS)
    hold = held("d1", "li", ordinary("110", 1)[0])
    assert shown("d1") == []
    holds.release(hold.id, "li")
    assert shown("d1") == ordinary("110", 1)


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


def test_similar_are_free_of_the_same_city_and_end_alike(make: Make) -> None:
    beijing = ordinary("110", 300)
    add_numbers(beijing, "110")
    add_numbers(ordinary("310", 300), "310")
    with writing() as session:
        drops.create(
            session, id="d1", name="d1", pool="spring", cities=["110", "310"], opens_at=clock.now(),
            actor="zhao",
        )  # fmt: skip
        drops.schedule(session, "d1", **OPS)
        drops.warm(session, "d1", **OPS)
    wanted = beijing[57]
    held("d1", "li", wanted)
    near = shelf.similar("d1", wanted, limit=6)
    assert {n.city for n in near} == {"110"}

    def common(number: str) -> int:
        return next(k for k in range(11, -1, -1) if number.endswith(wanted[11 - k :]))

    best = sorted((common(number) for number in beijing if number != wanted), reverse=True)[:6]
    assert [common(n.number) for n in near] == best
    assert shelf.similar("d1", "nonsense") == []


@pytest.mark.parametrize("lots", [1, 3])
def test_the_thread_follows_by_itself(make: Make, lots: int) -> None:
    numbers = make("d1", 30, lots=lots)
    shelf.start()
    shelf.start()
    until_shown("d1", numbers)
    one = held("d1", "li", numbers[0])
    other = held("d1", "wang", numbers[1])
    until_shown("d1", numbers[2:])
    holds.release(one.id, "li")
    holds.release(other.id, "wang")
    until_shown("d1", numbers)


def test_on_an_event_loop_a_drop_not_read_yet_has_no_similar_ones_and_is_read(make: Make) -> None:
    numbers = make("d1", 30)
    shelf.start()

    async def like() -> tuple[list[str], list[str]]:
        shelf._shelves.clear()
        at_once = shelf.similar("d1", numbers[0])
        await shelf.ready("d1")
        return [n.number for n in at_once], [n.number for n in shelf.similar("d1", numbers[0], 100)]

    at_once, later = in_own_loop(like())
    assert (at_once, sorted(later)) == ([], numbers[1:])


def test_every_lot_is_followed_from_its_own_place(make: Make) -> None:
    numbers = make("d1", 60, lots=3, limit_account=60)
    assert {verbs.lot_of("d1", number) for number in numbers} == {0, 1, 2}
    assert shown("d1") == numbers
    for i, number in enumerate(numbers[:9]):
        held("d1", f"account{i}", number)
        assert shown("d1") == numbers[i + 1 :]


def test_a_reader_behind_the_cut_reads_the_drop_anew(make: Make, redis: Redis) -> None:
    numbers = make("d1", 9)
    assert shown("d1") == numbers
    for i in range(4):
        held("d1", f"account{i}", numbers[i])
    stream = verbs.key("d1", "journal")
    end = journal.last_id("d1")
    redis.xtrim(stream, maxlen=0)
    redis.set(verbs.key("d1", "trimmed"), end)
    assert shown("d1") == numbers[4:]
    assert shelf._shelves["d1"].read_to == [end]
    held("d1", "zhang", numbers[4])
    assert shown("d1") == numbers[5:]


def test_a_batch_tells_the_last_of_each_number() -> None:
    hold = {"verb": "hold", "rows": "18600000001\th1\t\ta\t\n18600000002\th2\t\tb\t"}
    entries = [
        ("1-1", {"verb": "load", "numbers": "18600000001,18600000002,18600000003,18600000004"}),
        ("1-2", hold),
        ("1-3", {"verb": "release", "number": "18600000001"}),
        ("1-4", {"verb": "claim", "rows": "18600000002\th2\to1\t\tb\t"}),
        ("1-5", {"verb": "give_back", "number": "18600000002", "to": "cooling"}),
        ("1-6", {"verb": "restore", "number": "18600000003"}),
        ("1-7", {"verb": "rule", "state": "open"}),
        ("1-8", {"verb": "load", "sku": "ip4", "quantity": "3"}),
    ]
    told = {"18600000001": True, "18600000002": False, "18600000003": False, "18600000004": True}
    assert shelf_follow.changes(entries) == told
    assert shelf_follow.changes([("2-1", {"verb": "give_back", "number": "1", "to": "free"})]) == {"1": True}


def test_what_changes_while_the_free_numbers_are_read_is_put_right(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = make("d1", 20)
    taken = iter(numbers[:3])
    read = shelf_read.free

    def meanwhile(drop_id: str, lot: int) -> Iterator[Any]:
        for some in read(drop_id, lot):
            held("d1", f"li{len(numbers)}", next(taken))
            yield some

    monkeypatch.setattr(shelf_read, "free", meanwhile)
    shelf.refresh("d1")
    assert shown("d1") == numbers[1:]


def test_a_hundred_thousand_numbers_come_from_sql_and_redis_in_pieces(db: None, redis: Redis) -> None:
    naive = made_up(5, 130_000, 60, 1.0)
    numbers = list(naive.rows)[:110_000]
    for start in range(0, len(numbers), 10_000):
        _add([naive.rows[number] for number in numbers[start : start + 10_000]])
    with writing() as session:
        drops.create(
            session,
            id="d1",
            name="d1",
            pool="spring",
            cities=["110", "310", "510", "710"],
            opens_at=clock.now(),
            grades=list(patterns.GRADES),
            actor="zhao",
        )
        drops.schedule(session, "d1", **OPS)
        drops.warm(session, "d1", **OPS)
    loaded = shelf.refresh("d1")
    assert loaded.rows().numbers.tolist() == [int(number) for number in numbers]
    for one in shelf.search("d1", limit=200, seed="li"):
        assert (one.number, one.city, one.pattern, one.grade) == naive.rows[one.number][:4]
    assert len(shown("d1", no4=True)) == min(10_000, sum("4" not in number[-8:] for number in numbers))
    held("d1", "li", numbers[7])
    assert shown("d1", ending=numbers[7]) == []


def test_a_search_of_a_drop_being_read_waits_for_it_without_reading_it_twice(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = make("d1", 5)
    reads, read = [], shelf._read

    def slowly(drop_id: str) -> shelf._Shelf:
        reads.append(drop_id)
        time.sleep(0.3)
        return read(drop_id)

    monkeypatch.setattr(shelf, "_read", slowly)
    found: list[list[str]] = []
    searching = [threading.Thread(target=lambda: found.append(shown("d1"))) for _ in range(4)]
    for one in searching:
        one.start()
    for one in searching:
        one.join()
    assert (reads, found) == (["d1"], [numbers] * 4)


def _add(rows: list[Any]) -> None:
    with writing() as session:
        session.execute(
            insert(Number),
            [
                {
                    "number": number, "city": city, "pool": "spring", "segment7": number[:7], "pattern": pattern,
                    "grade": grade, "prestore_fen": prestore, "min_spend_fen": spend, "term_months": term,
                    "no4": "4" not in number[-8:], "tags": tags, "state": "available", "drop_id": None,
                    "moved_at": clock.now(),
                }
                for number, city, pattern, grade, prestore, spend, term, tags in rows
            ],
        )  # fmt: skip
