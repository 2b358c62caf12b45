"""Scans: each recorded once, converging in any order; the door code; news claimed once."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from logistics import manifests, parcels, scans
from logistics.scans import ScanNews, Seen
from runtime import clock
from runtime.db import reading, writing
from runtime.facts import NotFound, WrongMove
from tests.logistics.courier_world import (
    Courier,
    create,
    cut,
    door_code,
    hire,
    parcel_of,
    scan_of,
    send,
    together,
    wrong,
)

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def sf(world: None) -> Courier:
    return Courier("SF")


def dispatched(*orders: str) -> None:
    for order in orders:
        send(order)
    cut()


def outcomes(answers: list[dict[str, Any]]) -> list[str]:
    return [one["outcome"] for one in answers]


def news() -> list[ScanNews]:
    with writing() as session:
        return scans.take_news(session)


def test_a_batch_is_answered_row_by_row(sf: Courier) -> None:
    dispatched("ord_1", "ord_2")
    send("ord_uncut")
    answers = sf.scan(
        scan_of("ord_1", "in_transit"),
        scan_of("ord_1", "handed_over"),
        scan_of("ord_1", "in_transit"),
        scan_of("ord_9", "lost"),
        scan_of("ord_uncut", "handed_over"),
        scan_of("ord_2", "teleported"),
        scan_of("ord_2", "manifested"),
        scan_of("ord_2", "handed_over"),
    )
    assert outcomes(answers) == [
        "recorded", "ignored_late", "duplicate", "unknown_order", "unknown_order", "unknown_status",
        "unknown_status", "recorded",
    ]  # fmt: skip
    assert [one.get("state", "") for one in answers[:3]] == ["in_transit"] * 3
    assert [one.status for one in parcel_of("ord_1").scans] == ["in_transit", "handed_over"]


def test_an_unknown_order_is_taken_when_it_comes_again_later(sf: Courier) -> None:
    early = scan_of("ord_1", "handed_over")
    assert outcomes(sf.scan(early)) == ["unknown_order"]
    dispatched("ord_1")
    assert outcomes(sf.scan(early)) == ["recorded"]


def test_the_partners_time_is_data_and_not_order(sf: Courier) -> None:
    dispatched("ord_1")
    sf.scan({**scan_of("ord_1", "in_transit"), "at": "2026-11-22T10:00:00+08:00"})
    sf.scan({**scan_of("ord_1", "out_for_delivery"), "at": "1999-01-01T00:00:00Z"})
    assert [(one.status, one.at.isoformat()) for one in news()] == [
        ("in_transit", "2026-11-22T02:00:00+00:00"),
        ("out_for_delivery", "1999-01-01T00:00:00+00:00"),
    ]


def test_a_batch_has_at_most_500_scans_and_times_have_zones(sf: Courier) -> None:
    many = [scan_of("ord_1", "lost", f"e{n}") for n in range(501)]
    assert sf.http.post("scans", json={"scans": many}).status_code == 422
    assert len(sf.scan(*many[:500])) == 500
    for bad in (
        {"at": "2026-11-22T10:00:00"},
        {"at": "yesterday"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"event_id": ""},
        {"event_id": "e" * 81},
        {"order_no": "a b"},
        {"place": "a\x00b"},
    ):
        answer = sf.http.post("scans", json={"scans": [{**scan_of("ord_1", "lost"), **bad}]})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_eight_senders_of_one_scan_record_it_once(sf: Courier) -> None:
    dispatched("ord_1")
    got = together(lambda _: sf.scan(scan_of("ord_1", "handed_over"))[0]["outcome"], 8)
    assert sorted(got) == ["duplicate"] * 7 + ["recorded"]
    assert len(parcel_of("ord_1").scans) == 1


def test_event_ids_belong_to_their_courier(sf: Courier) -> None:
    ems = Courier("EMS")
    dispatched("ord_1")
    send("ord_far", "540100")
    cut("EMS")
    assert outcomes(sf.scan(scan_of("ord_1", "handed_over", "e1"))) == ["recorded"]
    assert outcomes(ems.scan(scan_of("ord_far", "handed_over", "e1"))) == ["recorded"]


def test_the_right_door_code_delivers_and_is_used_up(sf: Courier) -> None:
    dispatched("ord_1")
    code = door_code("ord_1")
    [done] = sf.scan(scan_of("ord_1", "delivered", door_code=code))
    assert done == {
        "event_id": "ord_1-delivered",
        "outcome": "recorded",
        "state": "delivered",
        "door": "checked",
    }
    assert [(one.status, one.door_checked) for one in news()] == [("delivered", True)]
    assert parcel_of("ord_1").door_digest is None
    [late] = sf.scan(scan_of("ord_1", "delivered", "again", door_code=wrong(code)))
    assert (late["outcome"], late["state"]) == ("ignored_late", "delivered")
    with pytest.raises(WrongMove):
        door_code("ord_1")


def test_a_wrong_or_missing_code_leaves_it_unverified_until_the_right_one_comes(sf: Courier) -> None:
    dispatched("ord_1")
    code = door_code("ord_1")
    [missing] = sf.scan(scan_of("ord_1", "delivered", "e1"))
    [bad] = sf.scan(scan_of("ord_1", "delivered", "e2", door_code=wrong(code)))
    [repeat] = sf.scan(scan_of("ord_1", "delivered", "e2", door_code=code))
    [right] = sf.scan(scan_of("ord_1", "delivered", "e3", door_code=f" {code} "))
    assert [
        (a["outcome"], a["state"], a["door"], a.get("tries_left")) for a in (missing, bad, repeat, right)
    ] == [
        ("recorded", "delivered_unverified", "no_code", 5),
        ("ignored_late", "delivered_unverified", "wrong_code", 4),
        ("duplicate", "delivered_unverified", "wrong_code", 4),
        ("recorded", "delivered", "checked", None),
    ]
    assert bad["reason"] == "The door code is wrong. Ask the receiver again and send a new scan."
    assert [(one.status, one.door_checked) for one in news()] == [
        ("delivered_unverified", False), ("delivered", True),
    ]  # fmt: skip


def test_five_wrong_codes_burn_it_and_a_new_one_works(sf: Courier) -> None:
    dispatched("ord_1")
    code = door_code("ord_1")
    tries = [sf.scan(scan_of("ord_1", "delivered", f"e{n}", door_code=wrong(code)))[0] for n in range(6)]
    assert [(one["door"], one["tries_left"]) for one in tries] == [
        ("wrong_code", 4), ("wrong_code", 3), ("wrong_code", 2), ("wrong_code", 1), ("wrong_code", 0), ("burnt", 0),
    ]  # fmt: skip
    assert sf.scan(scan_of("ord_1", "delivered", "right", door_code=code))[0]["door"] == "burnt"
    fresh = door_code("ord_1")
    assert sf.scan(scan_of("ord_1", "delivered", "fresh", door_code=fresh))[0]["state"] == "delivered"


def test_twenty_guesses_at_once_get_five_tries(sf: Courier) -> None:
    dispatched("ord_1")
    code = door_code("ord_1")
    got = together(
        lambda n: sf.scan(scan_of("ord_1", "delivered", f"e{n}", door_code=wrong(code)))[0]["door"], 20
    )
    assert sorted(got) == ["burnt"] * 15 + ["wrong_code"] * 5


def test_without_a_code_ever_made_the_courier_is_told(sf: Courier) -> None:
    dispatched("ord_1")
    assert sf.scan(scan_of("ord_1", "delivered", door_code="123456"))[0]["door"] == "none_made"
    with pytest.raises(NotFound):
        door_code("ord_9")


def test_the_code_is_kept_as_a_digest_and_belongs_to_its_order(sf: Courier) -> None:
    dispatched("ord_1", "ord_2")
    code = door_code("ord_1")
    with reading() as session:
        row = session.execute(text("SELECT door_digest FROM parcels WHERE order_id = 'ord_1'")).scalar_one()
    assert (len(row), code in row) == (64, False)
    with writing() as session:
        session.execute(text("UPDATE parcels SET door_digest = :d WHERE order_id = 'ord_2'"), {"d": row})
    assert sf.scan(scan_of("ord_2", "delivered", door_code=code))[0]["door"] == "wrong_code"


def test_two_takers_at_once_never_get_the_same_news(sf: Courier) -> None:
    orders = [f"ord_{n}" for n in range(30)]
    dispatched(*orders)
    sf.scan(*[scan_of(order, "handed_over") for order in orders])

    def take(_who: int) -> list[str]:
        got: list[str] = []
        while True:
            with writing() as session:
                some = scans.take_news(session, 4)
            if not some:
                return got
            got += [one.order_id for one in some]

    taken = [order for got in together(take, 3) for order in got]
    assert sorted(taken) == sorted(orders)
    assert news() == []


def test_news_of_a_failed_taker_is_news_again(sf: Courier) -> None:
    dispatched("ord_1")
    sf.scan(scan_of("ord_1", "handed_over"))

    def take_and_fail() -> None:
        with writing() as session:
            assert len(scans.take_news(session)) == 1
            raise RuntimeError

    with pytest.raises(RuntimeError):
        take_and_fail()
    assert [one.order_id for one in news()] == ["ord_1"]


REPORTS = [*sorted(parcels.REPORTED), "right", "wrong"]


ROUNDS = itertools.count()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seen=st.sets(st.sampled_from(REPORTS), min_size=1, max_size=7), data=st.data())
def test_scans_in_any_order_and_any_number_end_in_one_state(world: None, seen: set[str], data: Any) -> None:
    """The same reports, shuffled and doubled for each of three parcels: all end alike and only ever climb."""
    round_ = next(ROUNDS)
    ends = []
    with writing() as session:
        for n in range(3):
            order = f"ord_{round_}_{n}"
            made = create(session, order)
            manifests.cut(session, "SF")
            code = parcels.door_code(session, order)
            doubled = data.draw(st.lists(st.sampled_from(sorted(seen)), max_size=4))
            batch = []
            for report in data.draw(st.permutations(sorted(seen) + doubled)):
                status = "delivered" if report in ("right", "wrong") else report
                shown = {"right": code, "wrong": wrong(code)}.get(report, "")
                batch.append(Seen(f"{order}-{report}", order, status, clock.now(), door_code=shown))
            rungs = [parcels.LADDER.index(one.state) for one in scans.record(session, "SF", batch)]
            assert rungs == sorted(rungs)
            session.refresh(made)
            ends.append((made.state, len(made.scans)))
    assert ends == [(expected(seen), len(seen))] * 3


def expected(seen: set[str]) -> str:
    """The highest rung among the reports; a delivery counts as verified only with the right code."""
    taken = {"right": "delivered", "wrong": "delivered_unverified", "delivered": "delivered_unverified"}
    return max((taken.get(report, report) for report in seen), key=parcels.LADDER.index)


def test_hiring_again_changes_nothing_on_the_road(sf: Courier) -> None:
    dispatched("ord_1")
    hire()
    assert outcomes(sf.scan(scan_of("ord_1", "handed_over"))) == ["recorded"]
