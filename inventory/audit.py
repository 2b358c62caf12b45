"""The audit of a drop's stock: its journal is played again and compared with Redis and with SQL's orders."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from sqlalchemy import func, select

from inventory import journal, tallies, verbs
from inventory.models import Drop, Number
from inventory.replaying import Replay
from inventory.tallies import Tally
from runtime.db import reading
from runtime.facts import NotFound
from runtime.redis import asking

_MOST = 200  # differences told one by one; more only repeat what went wrong


@dataclass(frozen=True)
class AuditReport:
    """What was counted, and every difference found; none is what everybody wants."""

    lines: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Redis:
    """All of a drop's keys as they are now."""

    tally: Tally
    free: set[str]
    owner: dict[str, str]
    holds: dict[str, dict[str, Any]]
    orders: dict[str, dict[str, Any]]
    due: set[str]
    unpaid: set[str]
    live: dict[str, str]
    used: dict[str, int]


def journal_audit(drop_id: str, orders: Mapping[str, tuple[str, str]]) -> AuditReport:
    """`orders` are SQL's orders of the drop: id -> (number, "ordered" | "paid" | "returned", as Redis should say).

    Reads only. An order placed between the reading of SQL and of Redis looks like a difference: ask again before
    believing one. A settled drop is audited from its archived journal. Raises NotFound, Unavailable."""
    with reading() as session:
        drop = session.get(Drop, drop_id)
        if drop is None:
            raise NotFound
        owned = session.scalar(select(func.count()).select_from(Number).where(Number.drop_id == drop_id)) or 0
    replay = Replay()
    redis = _read_still(drop_id, replay) if _is_in_redis(drop_id) else None
    if redis is None:
        _play(replay, journal.archived(drop_id))
    found = [*replay.differences, *_with_orders(replay, orders)]
    if redis is not None:
        found += _with_redis(replay, redis)
        if drop.state != "settled" and drop.epoch and redis.tally.loaded > owned:
            found.append(f"loaded {redis.tally.loaded}, but SQL gave the drop {owned} numbers")
    elif drop.epoch and drop.state != "settled":
        found.append("Redis has lost this drop: rebuild it")
    lines = [
        f"journal: {replay.entries} entries",
        _equation("numbers", replay.tally()),
        *(_equation(sku, counts) for sku, counts in replay.tally().skus.items()),
        f"SQL: {len(orders)} orders",
    ]
    told = found[:_MOST]
    if len(found) > _MOST:
        told.append(f"and {len(found) - _MOST} more differences")
    return AuditReport(lines, told)


def _equation(what: str, counts: Tally) -> str:
    return (
        f"{what}: loaded {counts.loaded} = free {counts.free} + held {counts.held} + ordered {counts.ordered}"
        f" + paid {counts.paid} + withdrawn {counts.withdrawn}"
    )


def _with_orders(replay: Replay, orders: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    owner_of: dict[str, str] = {}
    for order_id, (number, state) in orders.items():
        known = replay.orders.get(order_id)
        if state != "returned":
            other = owner_of.setdefault(number, order_id)
            if other != order_id:
                yield f"number {number}: two owners in SQL, {other} and {order_id}"
        if known is None:
            if state != "returned":
                yield f"order {order_id}: live in SQL, unknown to Redis"
        elif known.number != number:
            yield f"order {order_id}: number {number} in SQL, {known.number} in the journal"
        elif known.state != state:
            yield f"order {order_id}: {state} in SQL, {known.state} in the journal"
    for order_id, order in replay.orders.items():
        if order.state != "returned" and order_id not in orders:
            yield f"order {order_id}: owns {order.number} in Redis, unknown to SQL"


def _with_redis(replay: Replay, redis: _Redis) -> Iterator[str]:
    expected = replay.tally()
    yield from _tallies("tally", expected, redis.tally)
    for sku in expected.skus.keys() | redis.tally.skus.keys():
        yield from _tallies(
            f"tally of {sku}", expected.skus.get(sku, Tally()), redis.tally.skus.get(sku, Tally())
        )
    free = {number for number, owner in replay.owner.items() if not owner}
    owners = {number: owner for number, owner in replay.owner.items() if owner}
    for number in sorted(free ^ redis.free):
        yield f"number {number}: {'free' if number in redis.free else 'not free'} in Redis, the journal differs"
    yield from _differing("number", owners, redis.owner)
    yield from _differing(
        "hold", replay.held(), {k: h["number"] for k, h in redis.holds.items() if h["state"] == "held"}
    )
    yield from _differing(
        "order",
        {k: (o.number, o.state) for k, o in replay.orders.items()},
        {k: (o["number"], o["state"]) for k, o in redis.orders.items()},
    )
    yield from _differing("live hold of account", replay.live(), redis.live)
    yield from _differing("limit", replay.limits(), {k: n for k, n in redis.used.items() if n})
    for hold_id in sorted(replay.held().keys() ^ redis.due):
        yield f"hold {hold_id}: its expiry differs from the journal"
    unpaid = {order_id for order_id, order in replay.orders.items() if order.state == "ordered"}
    for order_id in sorted(unpaid ^ redis.unpaid):
        yield f"order {order_id}: its place among the unpaid differs from the journal"


def _tallies(what: str, expected: Tally, counted: Tally) -> Iterator[str]:
    for place in tallies.PLACES:
        if getattr(expected, place) != getattr(counted, place):
            yield f"{what}: {place} {getattr(counted, place)}, the journal says {getattr(expected, place)}"
    if counted.loaded != sum(getattr(counted, place) for place in tallies.PLACES[1:]):
        yield f"{what}: the equation does not hold"


def _differing(what: str, expected: Mapping[str, object], found: Mapping[str, object]) -> Iterator[str]:
    if expected == found:
        return
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            there, told = found.get(name, "nothing"), expected.get(name, "nothing")
            yield f"{what} {name}: {there} in Redis, {told} in the journal"


def _read_still(drop_id: str, replay: Replay) -> _Redis:
    """Play the journal to its end and read Redis while nothing happens; in a busy drop at the third try as is."""
    for _ in range(3):
        _play(replay, journal.pages(drop_id, replay.last_id))
        redis = _read(drop_id)
        if journal.last_id(drop_id) == replay.last_id:
            break
    return redis


def _play(replay: Replay, pages: Iterator[list[journal.Entry]]) -> None:
    for page in pages:
        for entry_id, entry in page:
            replay.play(entry_id, entry)


def _is_in_redis(drop_id: str) -> bool:
    with asking() as client:
        return bool(client.exists(verbs.key(drop_id, "epoch")))


def _read(drop_id: str) -> _Redis:
    def key(name: str) -> str:
        return verbs.key(drop_id, name)

    with asking() as client:
        holds = cast(dict[str, str], client.hgetall(key("holds")))
        orders = cast(dict[str, str], client.hgetall(key("orders")))
        return _Redis(
            tallies.tally(drop_id),
            cast(set[str], client.smembers(key("free"))),
            cast(dict[str, str], client.hgetall(key("owner"))),
            {hold_id: msgspec.json.decode(record) for hold_id, record in holds.items()},
            {order_id: msgspec.json.decode(record) for order_id, record in orders.items()},
            set(cast(list[str], client.zrange(key("due"), 0, -1))),
            set(cast(list[str], client.zrange(key("unpaid"), 0, -1))),
            cast(dict[str, str], client.hgetall(key("live"))),
            {who: int(count) for who, count in cast(dict[str, str], client.hgetall(key("used"))).items()},
        )
