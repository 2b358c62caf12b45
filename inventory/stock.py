"""Making Redis agree with SQL about a drop: stock loaded, rules in force, and a lost Redis rebuilt."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from inventory import verbs
from inventory.facts import Stale
from inventory.models import Drop, DropSku, HandsetUnit, Number
from runtime import clock
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import Unavailable, WrongMove
from runtime.ids import new_id
from runtime.log import log
from runtime.redis import asking

CHUNK = 2_000  # numbers a call: a few milliseconds of Redis's time
LIVE = ("warming", "open", "paused", "sold_out", "closed")
_RULE = {"warming": "open", "sold_out": "open"}  # what Redis calls these; it judges the times by itself


@dataclass(frozen=True)
class LiveOrder:
    """An order that owns a number, as the counter remembers it; state is "ordered" or "paid"."""

    order: str
    number: str
    account: str
    state: str
    person: str = ""
    offer: str = ""
    sku: str = ""
    hold: str = ""


def sync_after_commit(session: Session, drop_id: str) -> None:
    """Tell Redis once SQL has decided. If the process dies in between, or Redis is away, drops.tick does it."""

    def told(_session: Session) -> None:
        try:
            sync(drop_id)
        except Unavailable as trouble:
            log.warning("drop.unsynced", drop=drop_id, code=trouble.code)

    event.listen(session, "after_commit", told, once=True)


def sync(drop_id: str) -> None:
    """Load what is not loaded, publish what is not published, bring the rules to SQL's version.

    May run at any time and in several processes at once. Raises Stale when Redis lost a drop that was already
    published: that takes `rebuild`, since only the counter knows the orders."""
    drop = _read(drop_id)
    if drop is None or drop.state not in LIVE:
        return
    if drop.epoch is None:
        if drop.state != "closed":
            _publish_first(drop)
        return
    with asking() as client:
        epoch, loading, version = _marks(client, drop_id)
    if epoch == drop.epoch:
        if version < drop.version:
            rule(drop)
    elif epoch is None and loading == drop.epoch:
        rule(drop)
    else:
        log.error("drop.lost", drop=drop_id)
        raise Stale


def rule(drop: Drop, state: str = "", version: int | None = None) -> list[Any]:
    """Put the drop's rules in force; the answer of rule.lua. Raises Stale."""
    answer: list[Any] = verbs.run(
        "rule",
        drop.id,
        drop.epoch or "",
        drop.version if version is None else version,
        state or _RULE.get(drop.state, drop.state),
        clock.epoch_ms(drop.opens_at),
        clock.epoch_ms(drop.closes_at) if drop.closes_at else "",
        drop.hold_seconds * 1000,
        drop.limit_account,
        drop.limit_person,
    )
    if answer[0] == "stale":
        raise Stale
    return answer


def is_lost(drop_id: str) -> bool:
    """Did Redis lose this published drop?"""
    drop = _read(drop_id)
    if drop is None or drop.epoch is None or drop.state not in LIVE:
        return False
    with asking() as client:
        epoch, loading, _ = _marks(client, drop_id)
    return drop.epoch not in (epoch, loading)


def rebuild(drop_id: str, orders: Sequence[LiveOrder]) -> list[str]:
    """Load a lost drop again from SQL: live orders keep their numbers, holds are over. Gives the orders whose
    number was not there to give. Raises WrongMove when the drop is not lost: never over a live drop.

    SQL learns the new epoch after all is loaded and before it is published, so a rebuild that dies midway
    leaves the drop lost and is simply begun again."""
    if not is_lost(drop_id):
        raise WrongMove
    answer = verbs.run("begin", drop_id, new_id("epo"), "again")
    if answer[0] == "live":
        raise WrongMove
    epoch = answer[1]
    _load(drop_id, epoch, [order.number for order in orders])
    refused: list[str] = []
    for start in range(0, len(orders), 500):
        chunk = [json.dumps(asdict(order)) for order in orders[start : start + 500]]
        answer = verbs.run("restore", drop_id, epoch, *chunk)
        if answer[0] == "stale":
            raise Stale
        refused += answer[2:]
    with writing() as session:
        session.execute(update(Drop).where(Drop.id == drop_id).values(epoch=epoch, version=Drop.version + 1))
    drop = _read(drop_id)
    assert drop is not None
    rule(drop)
    log.warning("drop.rebuilt", drop=drop_id, orders=len(orders), refused=len(refused))
    return refused


def _publish_first(drop: Drop) -> None:
    """A load that died midway, or runs in another process at once, goes on under the epoch it has."""
    answer = verbs.run("begin", drop.id, new_id("epo"), "first")
    if answer[0] == "live":  # another process was faster
        return
    epoch = answer[1]
    _load(drop.id, epoch)
    point("drop.loaded")
    with writing() as session:
        session.execute(update(Drop).where(Drop.id == drop.id, Drop.epoch.is_(None)).values(epoch=epoch))
    point("drop.epoch_written")
    fresh = _read(drop.id)
    if fresh is not None and fresh.epoch == epoch:
        rule(fresh)


def _load(drop_id: str, epoch: str, owned: Sequence[str] = ()) -> None:
    """Numbers the drop has and has not sold, and those `owned` by live orders; then the handsets."""
    with reading() as session:
        unsold = session.scalars(
            select(Number.number).where(Number.drop_id == drop_id, Number.state == "in_drop")
        ).all()
        skus = session.execute(
            # Not what the drop was given once: of a lost drop, handsets may have come home to be inspected.
            select(DropSku.sku, func.count(HandsetUnit.imei))
            .outerjoin(
                HandsetUnit,
                (HandsetUnit.drop_id == DropSku.drop_id)
                & (HandsetUnit.sku == DropSku.sku)
                & HandsetUnit.state.in_(("available", "bound")),
            )
            .where(DropSku.drop_id == drop_id)
            .group_by(DropSku.sku)
        ).all()
    numbers = sorted({*unsold, *owned})
    wares = [part for sku, quantity in skus for part in (sku, quantity)]
    for start in range(0, max(1, len(numbers)), CHUNK):
        chunk = ",".join(numbers[start : start + CHUNK])
        if verbs.run("load", drop_id, epoch, chunk, *([] if start else wares))[0] == "stale":
            raise Stale
        point("drop.chunk_loaded")
    with asking() as client:
        loaded = int(cast(str, client.hget(verbs.key(drop_id, "tally"), "loaded")) or 0)
    if loaded != len(numbers):  # Redis lost what it had in the middle of the load: do not publish, load again
        raise Unavailable


def _marks(client: Any, drop_id: str) -> tuple[str | None, str | None, int]:
    epoch, loading = client.mget(verbs.key(drop_id, "epoch"), verbs.key(drop_id, "loading"))
    return epoch, loading, int(client.hget(verbs.key(drop_id, "rules"), "version") or -1)


def _read(drop_id: str) -> Drop | None:
    with reading() as session:
        return session.get(Drop, drop_id)
