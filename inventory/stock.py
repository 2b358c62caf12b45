"""Making Redis agree with SQL about a drop: stock loaded, rules in force, and a lost Redis rebuilt."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from sqlalchemy import event, update
from sqlalchemy.orm import Session

from inventory import campaigns, loading, lots, verbs
from inventory.facts import Stale
from inventory.models import Drop
from runtime import clock
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import Unavailable, WrongMove
from runtime.log import log
from runtime.redis import asking

LIVE = ("warming", "open", "paused", "sold_out", "closed")
FENCE = (
    "fen_"  # an epoch that begins so is in no Redis: the drop is being rebuilt, and nothing of before counts
)
_RULE = {"warming": "open", "sold_out": "open"}  # what Redis calls these; it judges the times by itself
_RESTORED = 500  # orders a call


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
    marks = _marks(drop)
    if any(mark.of(drop) == "lost" for mark in marks):
        log.error("drop.lost", drop=drop_id, rebuilding=drop.epoch.startswith(FENCE))
        raise Stale
    if any(mark.of(drop) == "loaded" or mark.version < drop.version for mark in marks):
        rule(drop)


def rule(drop: Drop, state: str = "", version: int | None = None) -> list[Any]:
    """Put the drop's rules in force in all lots; the answer of rule.lua, the first that is not done. Raises Stale."""
    answers: list[list[Any]] = [
        verbs.run(
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
            drop.lots,
            lot=lot,
        )
        for lot in range(drop.lots)
    ]
    if ["stale"] in answers:
        raise Stale
    return next((answer for answer in answers if answer[0] != "done"), answers[0])


def is_lost(drop_id: str) -> bool:
    """Did Redis lose this published drop, or a lot of it?"""
    drop = _read(drop_id)
    if drop is None or drop.epoch is None or drop.state not in LIVE:
        return False
    return any(mark.of(drop) == "lost" for mark in _marks(drop))


def fence(drop_id: str) -> None:
    """Begin the rebuild of a lost drop: from this commit on no order that claimed before can be written any more
    (who inserts one compares the drop's epoch), so the live orders can be read. Raises WrongMove when the drop is
    not lost: never over a live drop."""
    if not is_lost(drop_id):
        raise WrongMove
    with writing() as session:
        session.execute(
            update(Drop)
            .where(Drop.id == drop_id, Drop.epoch.is_not(None), ~Drop.epoch.startswith(FENCE))
            .values(epoch=FENCE + Drop.epoch)
        )
    point("drop.fenced")


def rebuild(drop_id: str, orders: Sequence[LiveOrder]) -> list[str]:
    """Load a fenced drop again from SQL: live orders keep their numbers, holds are over. Gives the orders whose
    number was not there to give. Raises WrongMove when it is not fenced or somebody else has rebuilt it.

    SQL learns the new epoch after all is loaded and before it is published, so a rebuild that dies midway
    leaves the drop lost and is simply begun again."""
    drop = _read(drop_id)
    if drop is None or not (drop.epoch or "").startswith(FENCE):
        raise WrongMove
    fenced = str(drop.epoch)
    epoch = loading.begin(drop_id, lost=fenced.removeprefix(FENCE))
    loading.load(drop_id, epoch, [order.number for order in orders])
    refused = _restore(drop, epoch, orders)
    with writing() as session:
        rebuilt = session.scalars(
            update(Drop)
            .where(Drop.id == drop_id, Drop.epoch == fenced)
            .values(epoch=epoch, version=Drop.version + 1)
            .returning(Drop.id)
        ).all()
    if not rebuilt:
        raise WrongMove
    point("drop.rebuilt")
    fresh = _read(drop_id)
    assert fresh is not None
    rule(fresh)
    log.warning("drop.rebuilt", drop=drop_id, orders=len(orders), refused=len(refused))
    return refused


@dataclass(frozen=True)
class _Mark:
    """What Redis says of a lot: its epoch, the one it is being loaded under, the version of its rules."""

    epoch: str | None
    loading: str | None
    version: int

    def of(self, drop: Drop) -> str:
        """live, loaded (not published yet), or lost."""
        if self.epoch == drop.epoch:
            return "live"
        return "loaded" if self.epoch is None and self.loading == drop.epoch else "lost"


def _publish_first(drop: Drop) -> None:
    """A load that died midway, or runs in another process at once, goes on under the epoch it has."""
    if lost := campaigns.uncounted(drop):
        # Without them the limits over the campaign's rounds would begin anew.
        log.error("campaign.lost", drop=drop.id, rounds=[one.id for one in lost])
        raise Stale
    try:
        epoch = loading.begin(drop.id)
    except WrongMove:  # another process was faster
        return
    loading.load(drop.id, epoch)
    point("drop.loaded")
    with writing() as session:
        session.execute(update(Drop).where(Drop.id == drop.id, Drop.epoch.is_(None)).values(epoch=epoch))
    point("drop.epoch_written")
    fresh = _read(drop.id)
    if fresh is not None and fresh.epoch == epoch:
        rule(fresh)


def _restore(drop: Drop, epoch: str, orders: Sequence[LiveOrder]) -> list[str]:
    by_lot: dict[int, list[LiveOrder]] = defaultdict(list)
    for order in orders:
        by_lot[verbs.lot_of(drop.id, order.number)].append(order)
    refused: list[str] = []
    for lot, owned in by_lot.items():
        for start in range(0, len(owned), _RESTORED):
            chunk = [json.dumps(asdict(order)) for order in owned[start : start + _RESTORED]]
            where = "home" if drop.lots > 1 else "here"
            answer = verbs.run("restore", drop.id, epoch, where, *chunk, lot=lot)
            if answer[0] == "stale":
                raise Stale
            refused += answer[2:]
    if drop.lots > 1:
        stood = [one for one in orders if one.order not in refused]
        lots.restore(drop.id, epoch, [(one.hold, one.account, one.person, one.number) for one in stood])
    return refused


def _marks(drop: Drop) -> list[_Mark]:
    marks = []
    for lot in range(drop.lots):
        with asking() as client:
            epoch, loads = client.mget(verbs.key(drop.id, "epoch", lot), verbs.key(drop.id, "loading", lot))
            version = client.hget(verbs.key(drop.id, "rules", lot), "version")
        marks.append(_Mark(cast(str | None, epoch), cast(str | None, loads), int(version or -1)))
    return marks


def _read(drop_id: str) -> Drop | None:
    with reading() as session:
        return session.get(Drop, drop_id)
