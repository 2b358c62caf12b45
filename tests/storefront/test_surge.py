"""The surge's oracle finds what is planted, and a small surge is sold out exactly, in the drawn order."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from inventory import draw
from storefront import surge_oracle
from tests.shop import ROOT

SEED = "5e" * 32
TICKETS = [f"t{n}" for n in range(6)]
DRAWN = draw.make("d1", SEED, TICKETS)
NUMBERS = [f"1860000100{n}" for n in range(4)]


def early(place: int, **more: Any) -> dict[str, Any]:
    call = {"come_by": f"2026-11-22T12:00:{place:02}+00:00", "called_at": 100.0 + place, "joining_at": 1.0}
    return {"ticket": DRAWN.order[place - 1], "place": place, "early": True, "changes": 0, **call, **more}


def late(place: int, asked: float, answered: float, **more: Any) -> dict[str, Any]:
    story = {"ticket": f"l{place}", "place": place, "early": False, "changes": 0}
    return {**story, "joining_at": asked, "joined_at": answered, **more}


def fair_stories() -> list[dict[str, Any]]:
    return [early(place) for place in range(1, 7)] + [late(7, 10, 11), late(8, 12, 13), late(9, 12.5, 12.6)]


def test_a_fair_queue_has_no_fault() -> None:
    fair = surge_oracle.fairness(fair_stories(), DRAWN)
    assert (fair.error, fair.early, fair.late, fair.called) == (0, 6, 3, 6)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("not_drawn", lambda told: told[0].update(place=2)),
        ("not_drawn", lambda told: told[0].update(ticket="nobody")),
        ("not_first_come", lambda told: told[8].update(joining_at=13.5, joined_at=14.0, place=7)),
        ("out_of_order", lambda told: told[2].update(come_by="2026-11-22T12:00:00+00:00")),
        ("changed", lambda told: told[7].update(changes=1)),
    ],
)
def test_each_broken_rule_of_the_queue_is_found(rule: str, change: Any) -> None:
    told = fair_stories()
    change(told)
    assert getattr(surge_oracle.fairness(told, DRAWN), rule) == 1


def test_who_came_again_is_judged_as_nobody_else() -> None:
    told = [*fair_stories(), early(1) | {"place": 12, "again": 1}]
    assert surge_oracle.fairness(told, DRAWN).error == 0


def test_of_an_account_s_many_connections_the_first_that_asked_counts() -> None:
    again = [late(7, 20, 21), early(3, joining_at=20.0) | {"early": False, "joined_at": 21.0}]
    fair = surge_oracle.fairness([*fair_stories(), *again], DRAWN)
    assert (fair.error, fair.early, fair.late) == (0, 6, 3)


def test_a_place_first_looked_at_by_a_later_connection_is_not_judged_as_a_late_one() -> None:
    never_looked = early(4) | {"place": 0}
    looked = early(4, joining_at=20.0) | {"early": False, "joined_at": 21.0}
    fair = surge_oracle.fairness([*fair_stories()[:3], *fair_stories()[4:], never_looked, looked], DRAWN)
    assert (fair.error, fair.early, fair.late) == (0, 5, 3)


def test_an_account_of_which_one_connection_queued_again_is_judged_as_nobody_else() -> None:
    told = [*fair_stories(), late(7, 9, 9.5, again=1) | {"place": 30}, late(7, 5, 6) | {"place": 30}]
    assert surge_oracle.fairness(told, DRAWN).error == 0


def sold(*numbers: str) -> list[dict[str, Any]]:
    return [{"order": f"o{nth}", "number": number} for nth, number in enumerate(numbers)]


@pytest.mark.parametrize(
    ("stories", "found"),
    [
        (sold(*NUMBERS), (4, 0, 0, 0)),
        (sold(*NUMBERS[:3]), (3, 0, 1, 0)),
        (sold(*NUMBERS[:3], NUMBERS[0]), (4, 0, 1, 1)),
        (sold(*NUMBERS, NUMBERS[0]), (5, 1, 0, 1)),
        (sold(*NUMBERS[:3], "18600009999"), (4, 1, 0, 0)),
        ([*sold(*NUMBERS), {"outcome": "told it is over"}], (4, 0, 0, 0)),
    ],
)
def test_stock_is_counted_from_what_shoppers_were_told(
    stories: list[dict[str, Any]], found: tuple[int, ...]
) -> None:
    judged = surge_oracle.stock(stories, NUMBERS, exhausted=True)
    assert (judged.sold, judged.oversold, judged.undersold, judged.doubles) == found
    assert surge_oracle.stock(stories[:2], NUMBERS, exhausted=False).undersold == 0


def test_only_who_kept_the_page_open_and_waited_must_be_told() -> None:
    def waiter(**more: Any) -> dict[str, Any]:
        return {"by": "stream", "joined_at": 10.0, **more}

    stories = [
        waiter(gone_at=100.5), waiter(gone_at=101.7), waiter(), waiter(called_at=90.0), waiter(by="looking"),
        waiter(joined_at=99.5), waiter(offline=[[99.0, 103.0]], gone_at=103.0),
        waiter(offline=[[50.0, 55.0]], gone_at=101.0),
    ]  # fmt: skip
    told = surge_oracle.told(stories, "gone", 100.0)
    assert (told.waiting, told.untold) == (4, 1)
    assert [round(one, 6) for one in (told.first, told.half, told.last)] == [0.5, 1.0, 1.7]


def test_what_hoarders_keep_is_counted_from_then_on() -> None:
    stories = [
        {"held": [["18600001001", 0.0, 60.0], ["18600001002", 70.0, 90.0]]},
        {"held": [["18600001003", 75.0]]},
        {"held": [["18600001004", 0.0, 59.0]]},
        {},
    ]
    assert [surge_oracle.kept(stories, since) for since in (0.0, 61.0, 95.0)] == [2, 2, 1]


@pytest.mark.timeout(300)
def test_a_small_surge_is_exact_and_fair(tmp_path: Path, record_property: Any) -> None:
    """As people run it, with half as many again as there are numbers, some of whom walk away, and a killed web."""
    told, page = tmp_path / "told.json", tmp_path / "report"
    command = [
        *(sys.executable, "-m", "storefront", "surge", "--drop", "120", "--shoppers", "180", "--no-workers"),
        *("--walk-away", "0.1", "--kill-web", "1", "--rate", "100", "--inside", "60", "--minutes", "2"),
        *("--calm", "6", "--json", str(told), "--report", str(page)),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(told.read_text())
    figures = ("sold", "oversold", "undersold", "doubles", "fairness_error", "audit_clean", "wrong")
    assert [found[name] for name in figures] == [120, 0, 0, 0, 0, True, []]
    assert found["details"]["killed"] == 1
    assert found["details"]["fairness"]["early"] > 60
    assert found["details"]["waiting"]["people"] > 60
    assert "$ bin/surge --drop 120 --shoppers 180" in page.with_suffix(".md").read_text()
    assert page.with_suffix(".svg").read_text().startswith("<svg ")
    record_property("proof", f"surge: {done.stdout.splitlines()[0]}")
