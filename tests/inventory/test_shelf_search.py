"""Searching a stack against the naive search, however the stack is laid out."""

import time
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inventory import patterns, shelf_follow, stacks, stacks_demo
from inventory.stacks import Stack, Wish
from inventory.stacks_wish import birthday_ending
from tests.inventory.naive_shelf import Naive, made_up

# (numbers, segments, share free, head, large): dense and sparse segments, one group or many, all of it looked at or
# a part; and a drop that is nearly sold out.
LAYOUTS = (
    (3_000, 4, 0.7, None, None),
    (3_000, 4, 0.7, 7, True),
    (3_000, 400, 0.7, 4, True),
    (3_000, 400, 0.7, 1, False),
    (3_000, 40, 0.01, 7, True),
    (1, 1, 1.0, 7, True),
)


@cache
def laid_out(which: int) -> tuple[Naive, Stack]:
    count, segments, free, head, large = LAYOUTS[which]
    naive = made_up(which, count, segments, free)
    return naive, naive.stack(head, large)


@st.composite
def wishes(draw: st.DrawFn, numbers: list[str]) -> Wish:
    """What a number that is there has, mostly; sometimes what none has."""
    number = draw(st.sampled_from(numbers))
    place = draw(st.integers(0, 10))
    asked: dict[str, Any] = {
        "city": st.sampled_from(["110", "310", "710", "810"]),
        "segment": st.sampled_from([number[:length] for length in range(1, 8)] + ["999"]),
        "contains": st.integers(1, 8).map(lambda length: number[place : place + length] or "4"),
        "ending": st.integers(1, 11).map(lambda length: number[-length:]),
        "pattern": st.sampled_from([*patterns.NAMES, "nonsense"]),
        "grade": st.sampled_from([1, 2, 5, 6, 9, 7]),
        "birthday": st.sampled_from(
            ["1", "0512", "0229", number[-4:] if number[-4:] in patterns.DAYS else "1"]
        ),
        "no4": st.just(True),
        "love": st.just(True),
        "lucky": st.just(True),
        "couple": st.just(True),
    }
    names = draw(st.lists(st.sampled_from(sorted(asked)), max_size=5, unique=True))
    return Wish(**{name: draw(asked[name]) for name in names})


@pytest.mark.parametrize("which", range(len(LAYOUTS)))
@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_any_combination_finds_what_the_naive_search_finds(which: int, data: st.DataObject) -> None:
    naive, stack = laid_out(which)
    wish = data.draw(wishes(list(naive.rows)))
    every = naive.found(wish)
    assert [n.number for n in stack.search(wish, 10_000, 5)] == every
    limit = data.draw(st.integers(1, 30))
    some = [n.number for n in stack.search(wish, limit, 9)]
    assert len(some) == min(limit, len(every))
    assert some == [number for number in every if number in set(some)]
    if wish.couple and limit % 2 == 0:
        tails = [number[-4:] for number in some]
        assert all(tails.count(tail) > 1 for tail in tails)


@pytest.mark.parametrize("field", ["contains", "ending"])
@pytest.mark.parametrize("length", range(1, 12))
def test_every_count_of_digits(field: str, length: int) -> None:
    for which in range(len(LAYOUTS)):
        naive, stack = laid_out(which)
        for number in list(naive.rows)[::311]:
            for place in range(12 - length):
                text = number[place : place + length] if field == "contains" else number[-length:]
                wish = Wish(contains=text) if field == "contains" else Wish(ending=text)
                assert [n.number for n in stack.search(wish, 10_000, 1)] == naive.found(wish)


@pytest.mark.parametrize("which", range(len(LAYOUTS)))
def test_the_same_shopper_sees_the_same_but_for_what_was_taken(which: int) -> None:
    stack = laid_out(which)[1]
    free = stack.free.copy()
    for wish in (Wish(), Wish(no4=True), Wish(contains="8"), Wish(ending="8"), Wish(pattern="AA")):
        before = [n.number for n in stack.search(wish, 20, 77)]
        for gone in (before[:1], before[1:3]):
            stack.mark(gone, False)
            after = [n.number for n in stack.search(wish, 20, 77)]
            assert set(before) - set(gone) <= set(after)
            assert not set(gone) & set(after)
            before = after
        stack.free = free.copy()


@pytest.mark.parametrize("which", range(5))
def test_what_is_shown_does_not_depend_on_the_layout(which: int) -> None:
    naive = laid_out(0)[0]
    head, large = LAYOUTS[which][3:]
    one, other = naive.stack(None, None), naive.stack(head, large)
    assert one.search(Wish(no4=True), 10_000, 1) == other.search(Wish(no4=True), 10_000, 1)
    assert one.search(Wish(ending="88"), 10_000, 1) == other.search(Wish(ending="88"), 10_000, 1)


@pytest.mark.parametrize("which", range(len(LAYOUTS)))
def test_similar_ones_have_the_longest_common_end_then_the_class_then_the_segment(which: int) -> None:
    naive, stack = laid_out(which)
    for wanted in [*list(naive.rows)[::97], "13912345678", "18612348888"]:
        city = naive.rows[wanted][1] if wanted in naive.rows else ""
        others = [n for n in naive.free if n != wanted and city in ("", naive.rows[n][1])]
        best = sorted((naive.closeness(wanted, other) for other in others), reverse=True)[:6]
        assert [naive.closeness(wanted, n.number) for n in stack.similar(wanted, 6, 3)] == best


def test_birthdays_as_they_are_written() -> None:
    asked = (
        "1",
        "true",
        "0512",
        "0229",
        "0230",
        "1301",
        "900512",
        "19900512",
        "19900229",
        "2000022",
        "x",
        "512",
    )
    told = ["", "", "0512", "0229", None, None, "900512", "19900512", None, None, None, None]
    assert [birthday_ending(value) for value in asked] == told


def test_nothing_in_stock_and_nothing_free() -> None:
    empty = stacks.of_rows([])
    assert (empty.search(Wish(), 20, 1), empty.similar("18612345678", 6, 1), empty.nbytes) == ([], [], 8)
    for which in range(len(LAYOUTS)):
        naive, _ = laid_out(which)
        stack = Naive(naive.rows, set()).stack(*LAYOUTS[which][3:])
        for wish in (Wish(), Wish(couple=True), Wish(contains="8"), Wish(ending="1314"), Wish(birthday="1")):
            assert stack.search(wish, 20, 1) == []
        assert stack.similar("18612345678", 6, 1) == []


@pytest.fixture(scope="module")
def million() -> Stack:
    return stacks_demo.made_up(1_000_000, 3)


def test_made_up_numbers_are_what_patterns_make_of_them(million: Stack) -> None:
    assert million.count == 1_000_000
    shown = million.search(Wish(), 3_000, 1)
    shown += [one for name in patterns.NAMES for one in million.search(Wish(pattern=name), 50, 2)]
    shown += million.search(Wish(love=True), 200, 3) + million.search(Wish(lucky=True), 200, 4)
    for one in shown:
        money = patterns.grade_of(patterns.classify(one.number))
        assert (one.pattern, ",".join(one.tags)) == (patterns.classify(one.number), patterns.tags(one.number))
        assert (one.grade, one.prestore_fen, one.term_months) == (
            money.grade,
            money.prestore_fen,
            money.term_months,
        )


def test_a_million_numbers_take_forty_bytes_each_at_most(million: Stack) -> None:
    assert million.nbytes <= 40 * million.count
    spread = stacks_demo.scattered(1_000_000, 3)
    assert spread.nbytes <= 40 * spread.count


def test_every_query_of_a_million_is_fast(million: Stack) -> None:
    """Time of this thread's own, since the machine may be busy: some 0.3 ms on an idle core, 50 allowed."""
    for asked in stacks_demo.QUERIES.values():
        took = []
        for shopper in range(5):
            start = time.thread_time()
            stacks_demo.query(million, asked, f"{shopper}")
            took.append(time.thread_time() - start)
        assert min(took) < 0.05, asked


def test_five_thousand_decisions_cost_a_follower_little(million: Stack) -> None:
    """A second of a drop's fastest, in batches of fifty: some 10 ms of this thread's time on an idle core."""
    numbers = [str(number) for number in million.rows().numbers[::199][:5_000].tolist()]
    lines = [f"{number}\thld_round-1_{i:026}\tsku\tacc_{i:026}\t" for i, number in enumerate(numbers)]
    entries = [
        (f"1-{i}", {"verb": "hold", "rows": "\n".join(lines[i : i + 50])}) for i in range(0, len(lines), 50)
    ]
    free = million.free.copy()
    start = time.thread_time()
    changed = shelf_follow.changes(entries)
    assert million.mark([number for number, is_free in changed.items() if not is_free], False) == 0
    took = time.thread_time() - start
    left = sum(int(np.bitwise_count(words).sum()) for words in (million.free, free ^ million.free))
    assert (len(changed), left) == (5_000, 1_000_000)
    million.mark(changed, True)
    assert (million.free == free).all()
    assert took < 0.2


def test_a_hundred_free_of_a_million_are_found() -> None:
    stack = stacks_demo.made_up(1_000_000, 4)
    left = [n.number for n in stack.search(Wish(), 100, 1)]
    stack.free = stack.none_free()
    stack.mark(left, True)
    assert [n.number for n in stack.search(Wish(), 1_000, 2)] == left
    assert len(stack.search(Wish(), 20, 2)) == 20
    wanted = [number for number in left if "8" in number and "4" not in number[-8:]]
    assert [n.number for n in stack.search(Wish(contains="8", no4=True), 1_000, 2)] == wanted
