"""How many are let in, and when: who does not come, answers that are late, a queue only while it is busy."""

from typing import Any, cast

import pytest

from inventory import queue_follow, queueing, verbs
from runtime import clock
from runtime.redis import asking
from tests.inventory.queue_desk import SOON, admit, called_earlier, gate, join, open_now
from tests.inventory.queue_desk import queue as queue
from tests.inventory.small_drop import in_own_loop


@pytest.mark.parametrize(("one_in", "let"), [(1, 100), (2, 183), (5, 366)])  # 100 over (came + 5) / (50 + 5)
def test_when_some_do_not_come_so_many_more_are_called(queue: Any, one_in: int, let: int) -> None:
    queue("d1", 5_000, opens_in=SOON, rate=50, cap=10_000)
    join("d1", *(f"a{n}" for n in range(1_000)))
    open_now("d1")
    assert admit("d1")[:2] == ["let", 50]
    view = queue_follow.views["d1"]
    for account in (f"a{n}" for n in range(1_000)):
        if view.places[queueing.ticket("d1", account)] in range(1, 51, one_in):
            assert gate("d1", account) is None
    called_earlier("d1", seconds=6)
    with asking() as client:
        client.hset(
            verbs.key("d1", "line"), "at", str(clock.now_ms() - 5_000)
        )  # two seconds of credit at most
    assert admit("d1")[:2] == ["let", let]


def test_in_mode_busy_nobody_queues_until_it_is(queue: Any) -> None:
    queue("d1", 10, mode="busy")
    admit("d1")
    assert gate("d1", "li") is None
    queue_follow.felt(900)
    assert admit("d1")[0] == "let"
    assert gate("d1", "li").details == {"state": "none"}
    join("d1", "li")
    queue_follow._felt.clear()
    admit("d1")
    assert gate("d1", "li") is None


def test_while_answers_are_late_few_are_let_in_and_nobody_who_is_missing_counts_as_gone(queue: Any) -> None:
    queue("d1", 2_000, opens_in=SOON, rate=50, cap=2_000)
    join("d1", *(f"a{n}" for n in range(2_000)))
    open_now("d1")
    admit("d1")

    def served() -> int:
        return queue_follow.views["d1"].served

    try:
        for _ in range(8):
            for _ in range(4):
                queue_follow.felt(900)
            queue_follow.felt(1)  # that one in five is quick says little
            admit("d1")
            with asking() as client:  # two seconds go by: it has had its effect
                slowed = client.hincrby(verbs.key("d1", "line"), "slowed", -2_000)
        slow = served()
        admit("d1")
        with asking() as client:
            assert int(client.hget(verbs.key("d1", "line"), "slowed") or 0) > slowed
            factor = client.hget(verbs.key("d1", "line"), "factor")
        queue_follow.felt(900)
        admit("d1")
        with asking() as client:
            assert client.hget(verbs.key("d1", "line"), "factor") == factor  # not before its effect
            assert float(client.hget(verbs.key("d1", "line"), "factor") or 1) < 0.2
            assert not client.hget(verbs.key("d1", "line"), "due")
        for _ in range(8):
            admit("d1")
        assert served() - slow < 10 * 0.21 * 50 * 0.5
    finally:
        queue_follow._felt.clear()


def test_who_comes_after_they_were_given_up_is_counted_and_people_are_waited_for_as_long_as_they_take(
    queue: Any,
) -> None:
    queue("d1", 100, opens_in=SOON, rate=100)
    join("d1", *(f"a{n}" for n in range(20)))
    open_now("d1")
    admit("d1")
    line = verbs.key("d1", "line")
    with asking() as client:  # they were called ten seconds ago
        [[called, served]] = cast(
            list[tuple[str, float]], client.zrange(verbs.key("d1", "called"), 0, -1, withscores=True)
        )
        client.zrem(verbs.key("d1", "called"), called)
        at = int(called.partition(":")[0]) - 10_000
        client.zadd(verbs.key("d1", "called"), {f"{at}:{served:.0f}": served})
    admit("d1")
    with asking() as client:
        assert client.hmget(line, "due", "came") == ["20", "0.000"]
    assert [in_own_loop(queueing.enter("d1", f"a{n}")).state for n in range(20)] == ["inside"] * 20
    with asking() as client:
        came, delay = client.hmget(line, "came", "delay")
    assert came == "20.000"
    assert 2_500 < float(delay or 0) < 10_500  # a mean that follows slowly


@pytest.mark.parametrize(
    ("seconds", "least", "most"),
    [(0, 150, 160), (10, 172, 180), (30, 194, 198)],  # (100 - 25, 13 and 2 of the fifty) / 0.5
)
def test_who_is_missing_is_expected_the_less_the_longer_they_are(
    queue: Any, seconds: int, least: int, most: int
) -> None:
    queue("d1", 5_000, opens_in=SOON, rate=50, cap=100)
    join("d1", *(f"a{n}" for n in range(1_000)))
    open_now("d1")
    assert admit("d1")[:2] == ["let", 50]
    called_earlier("d1", seconds)
    half_come: dict[Any, Any] = {"came": 45, "asked": 95, "delay": 10_000, "credit": 100}
    with asking() as client:
        client.hset(verbs.key("d1", "line"), mapping=half_come)
    assert least <= int(admit("d1")[1]) <= most
