"""A queue on real SQL and real Redis, and what tests do with it."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from inventory import drops, queue_follow, queue_rules, queueing, verbs
from inventory.queueing import Place
from runtime import clock
from runtime.db import writing
from runtime.redis import asking
from tests.inventory.small_drop import OPS, Make, in_own_loop

SOON = timedelta(hours=1)


@pytest.fixture
def queue(make: Make, redis: Redis) -> Any:
    """queue("d1", 10, ...) makes an open drop with that queue; `opens_at` may be given."""

    def begin(drop_id: str, count: int, *, opens_in: timedelta | None = None, **rules: Any) -> list[str]:
        queue_follow.forget()
        given = {"opens_at": clock.now() + opens_in} if opens_in else {}
        given |= {"hold_seconds": rules.pop("hold_seconds", 900)}
        numbers = make(drop_id, count, **given)
        with writing() as session:
            queue_rules.change(session, drop_id, **OPS, **{"rate": 1_000, "cap": 1_000, **rules})
        return numbers

    return begin


def join(drop_id: str, *accounts: str, **more: Any) -> list[str]:
    async def all_of_them() -> list[str]:
        return list(await asyncio.gather(*(queueing.join(drop_id, one, **more) for one in accounts)))

    return in_own_loop(all_of_them())


def where(drop_id: str, account: str, signed: str = "") -> Place:
    return in_own_loop(queueing.where(drop_id, account, signed))


def gate(drop_id: str, account: str) -> Any:
    return in_own_loop(queueing.gate(drop_id, account))


def open_now(drop_id: str) -> None:
    with writing() as session:
        drops.open_now(session, drop_id, **OPS)


def admit(drop_id: str) -> list[str]:
    """One step of letting people in, after the time a step takes at least."""
    time.sleep(0.21)
    queue_follow.refresh()
    answer = queue_follow.admit(drop_id)
    queue_follow.refresh()
    return answer


def called_earlier(drop_id: str, seconds: int) -> None:
    """The calls of this drop, in Redis and its stream, happened so much earlier."""

    def earlier(ms: str) -> str:
        return str(int(ms) - seconds * 1000)

    with asking() as client:
        plain: Any = client
        called, stream = verbs.key(drop_id, "called"), verbs.key(drop_id, "queue")
        for member, score in plain.zrange(called, 0, -1, withscores=True):
            at, served = member.split(":")
            plain.zrem(called, member)
            plain.zadd(called, {f"{earlier(at)}:{served}": score})
        entries = plain.xrange(stream)
        plain.delete(stream)
        for entry_id, entry in entries:
            at, n = entry_id.split("-")
            plain.xadd(stream, entry, id=f"{earlier(at)}-{n}")
