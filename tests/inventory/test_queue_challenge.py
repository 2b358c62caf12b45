"""Proof of work on joining, and places of one person."""

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from altcha.v1 import Challenge, solve_challenge
from redis import Redis

from inventory import queue_challenge, queue_follow, queue_rules, queueing
from inventory.facts import ChallengeNeeded, QueueFull
from loadtests.proof import solved
from runtime import clock
from runtime.db import writing
from tests.inventory.queue_desk import SOON, join, where
from tests.inventory.queue_desk import queue as queue
from tests.inventory.small_drop import OPS


def asked(drop_id: str, account: str, **more: Any) -> dict[str, Any]:
    """The challenge this account is given."""
    with pytest.raises(ChallengeNeeded) as refused:
        join(drop_id, account, **more)
    given: dict[str, Any] = refused.value.details["challenge"]
    return given


def change(**rules: Any) -> None:
    with writing() as session:
        queue_rules.change(session, "d1", **OPS, **rules)
    queue_follow.refresh()


def test_who_joins_proves_work_and_nothing_is_asked_of_redis_before(queue: Any, redis: Redis) -> None:
    queue("d1", 10, opens_in=SOON, challenge=1)
    challenge = asked("d1", "li")
    assert challenge["maxnumber"] == queue_challenge.LEVELS[1]
    assert where("d1", "li").state == "none"
    join("d1", "li", proof=solved(challenge))
    assert where("d1", "li").state == "early"
    join("d1", "li")  # whoever has a place is not asked again


def test_the_scheme_is_the_one_its_clients_know(queue: Any) -> None:
    queue("d1", 10, opens_in=SOON, challenge=1)
    challenge = asked("d1", "li")
    told = Challenge(
        *(challenge[name] for name in ("algorithm", "challenge", "maxnumber", "salt", "signature"))
    )
    found = solve_challenge(told)
    assert found is not None
    text = f"{challenge['salt']}{found.number}"
    assert hashlib.sha256(text.encode()).hexdigest() == challenge["challenge"]
    assert json.loads(base64.b64decode(solved(challenge)))["number"] == found.number


def test_a_solution_is_of_use_to_nobody_else(queue: Any) -> None:
    queue("d1", 10, opens_in=SOON, challenge=1)
    proof = solved(asked("d1", "li"))
    asked("d1", "wang", proof=proof)
    assert not queue_challenge.is_solved("d2", queueing.ticket("d1", "li"), 1, proof)
    join("d1", "li", proof=proof)


def test_a_solution_does_not_outlive_its_time_or_a_harder_level(queue: Any, monkeypatch: Any) -> None:
    queue("d1", 10, opens_in=SOON, challenge=1)
    light = solved(asked("d1", "li"))
    later = clock.now_ms() + int(queue_challenge.GOOD_FOR / timedelta(milliseconds=1))
    with monkeypatch.context() as then:
        then.setattr(clock, "now_ms", lambda: later + 1)
        asked("d1", "li", proof=light)
    change(challenge=2)
    assert asked("d1", "li", proof=light)["maxnumber"] == queue_challenge.LEVELS[2]
    change(challenge=0)
    join("d1", "li")


@pytest.mark.parametrize(
    "change_one",
    [
        {"number": -1}, {"number": "7"}, {"number": None}, {"salt": 5}, {"salt": "x?level=3&until=9999999999999&"},
        {"signature": "0" * 64}, {"challenge": ""}, {"algorithm": "MD5"}, {"algorithm": "SHA-1"},
    ],
    ids=str,
)  # fmt: skip
def test_what_was_made_up_or_changed_is_no_proof(queue: Any, change_one: dict[str, Any]) -> None:
    queue("d1", 10, opens_in=SOON, challenge=1)
    right = json.loads(base64.b64decode(solved(asked("d1", "li"))))
    asked("d1", "li", proof=base64.b64encode(json.dumps(right | change_one).encode()).decode())


@pytest.mark.parametrize("noise", ["x", "====", "e30=", "bnVsbA==", "/////w==", "W10=", "A" * 5_000])
def test_noise_is_no_proof(queue: Any, noise: str) -> None:
    queue("d1", 10, opens_in=SOON, challenge=1)
    asked("d1", "li", proof=noise)


def test_who_is_verified_is_not_asked(queue: Any) -> None:
    queue("d1", 10, opens_in=SOON, challenge=3)
    join("d1", "li", person="p1")


def test_one_person_has_one_place_whatever_the_accounts(queue: Any) -> None:
    queue("d1", 10, opens_in=SOON)
    join("d1", "li", person="p1")
    join("d1", "li", person="p1")  # the same place
    with pytest.raises(QueueFull, match="another account") as full:
        join("d1", "li-2", person="p1")
    assert full.value.details == {"whose": "person"}
    change(limit_person=2)
    join("d1", "li-2", person="p1")
    join("d1", "wang")  # not verified yet: the hold's own limits stand
