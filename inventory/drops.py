"""Drops: timed sales that own their stock, from draft to settled."""

from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from inventory import jobs, moving, stock
from inventory.drafts import create as create
from inventory.drafts import note
from inventory.facts import Stale
from inventory.models import Drop, DropAction, DropSku, Number
from inventory.tallies import Tally as Tally
from inventory.tallies import tally as tally
from runtime import clock, outbox
from runtime.db import reading, writing
from runtime.facts import N_, NotFound, Unavailable, WrongMove
from runtime.log import log

MOVES: dict[str, tuple[str, ...]] = {
    "draft": ("scheduled", "closed"),
    "scheduled": ("warming", "closed"),
    "warming": ("open", "paused", "closed"),
    "open": ("paused", "sold_out", "closed"),
    "paused": ("open", "closed"),
    "sold_out": ("open", "paused", "closed"),
    "closed": ("settled",),
    "settled": (),
}


def schedule(session: Session, drop_id: str, *, actor: str, reason: str) -> Drop:
    """The drop is announced with its time."""
    return _move(session, drop_id, "schedule", "scheduled", actor, reason)


def warm(session: Session, drop_id: str, *, actor: str, reason: str) -> Drop:
    """Move the stock in: in SQL with this transaction, in Redis right after its commit. May be run again when
    it died in the middle; drops.tick goes on with it too. Raises Invalid when the stock is not there."""
    drop = find(session, drop_id)
    if drop.state not in ("scheduled", "warming"):
        raise WrongMove(state=drop.state, to="warming")
    if drop.state == "scheduled":
        drop = _move(session, drop_id, "warm", "warming", actor, reason, moving.into(session, drop))
    stock.sync_after_commit(session, drop_id)
    return drop


def open_now(session: Session, drop_id: str, *, actor: str, reason: str) -> Drop:
    """Sell from this moment: warms a scheduled drop, moves the opening of a warming one, resumes a paused one."""
    drop = find(session, drop_id)
    if drop.state == "paused":
        return resume(session, drop_id, actor=actor, reason=reason)
    if drop.state not in ("scheduled", "warming"):
        raise WrongMove(state=drop.state, to="open")
    if drop.opens_at > clock.now():
        _move_opening(session, drop, clock.now(), "open", actor, reason)
    return warm(session, drop_id, actor=actor, reason=reason)


def move_opening(session: Session, drop_id: str, opens_at: datetime, *, actor: str, reason: str) -> Drop:
    """Open at another time, of a drop whose own has not come; one that is loaded is told at once. Raises
    WrongMove."""
    drop = find(session, drop_id)
    if drop.state not in ("draft", "scheduled", "warming") or drop.opens_at <= clock.now():
        raise WrongMove(state=drop.state, to="open")
    _move_opening(session, drop, opens_at, "opening", actor, reason)
    if drop.state == "warming":
        stock.sync_after_commit(session, drop_id)
    return drop


def _move_opening(
    session: Session, drop: Drop, opens_at: datetime, action: str, actor: str, reason: str
) -> None:
    before = {"opens_at": drop.opens_at.isoformat()}
    drop.opens_at, drop.version = opens_at, Drop.version + 1  # two at once are two versions
    session.flush()
    note(session, drop, action, actor, reason, before, {"opens_at": drop.opens_at.isoformat()})


def pause(session: Session, drop_id: str, *, actor: str, reason: str) -> Drop:
    """No new holds; those that stand can still be ordered."""
    return _move(session, drop_id, "pause", "paused", actor, reason)


def resume(session: Session, drop_id: str, *, actor: str, reason: str) -> Drop:
    if find(session, drop_id).state != "paused":
        raise WrongMove(state=find(session, drop_id).state, to="open")
    return _move(session, drop_id, "resume", "open", actor, reason)


def close(session: Session, drop_id: str, *, actor: str, reason: str) -> Drop:
    """No more holds for good; those that stand can still be ordered until they lapse."""
    return _move(session, drop_id, "close", "closed", actor, reason)


def cash_off(session: Session, drop_id: str, *, actor: str, reason: str) -> Drop:
    """No more orders with cash on delivery, from this moment; those that stand go on."""
    return _take_cash(session, drop_id, False, actor, reason)


def cash_on(session: Session, drop_id: str, *, actor: str, reason: str) -> Drop:
    """Orders with cash on delivery again."""
    return _take_cash(session, drop_id, True, actor, reason)


def _take_cash(session: Session, drop_id: str, allowed: bool, actor: str, reason: str) -> Drop:
    """Raises NotFound, WrongMove when the drop is over or it is so already."""
    drop = find(session, drop_id)
    changed = session.scalars(
        update(Drop)
        .where(Drop.id == drop_id, Drop.cod.is_(not allowed), Drop.state.not_in(("closed", "settled")))
        .values(cod=allowed)
        .returning(Drop.id)
        .execution_options(synchronize_session=False)
    ).all()
    session.refresh(drop)
    if not changed:
        raise WrongMove(state=drop.state, cod=drop.cod)
    action = "cash_on" if allowed else "cash_off"
    note(session, drop, action, actor, reason, {"cod": not allowed}, {"cod": allowed})
    return drop


def settle(session: Session, drop_id: str, *, actor: str, reason: str) -> Drop:
    """What is unsold goes back to the pool; the journal is archived and Redis's keys are removed after the
    commit. Raises WrongMove with `held` and `ordered` while a hold or an unpaid order stands."""
    drop = find(session, drop_id)
    if drop.state != "closed":
        raise WrongMove(state=drop.state, to="settled")
    handsets = skus(session, drop_id)
    if drop.epoch:
        # No hold can begin in a closed drop, so none in any lot now is none for good.
        stand = tally(drop_id)
        if stand.held or stand.ordered or stock.rule(drop, "settled", drop.version + 1)[0] == "busy":
            raise WrongMove(N_("Holds or unpaid orders still stand."), held=stand.held, ordered=stand.ordered)
        # From here Redis moves nothing of this drop any more, so what is read below stays true.
        handsets = {sku: count.free for sku, count in tally(drop_id).skus.items()}
    # Warmed but never published, all that was moved in is unsold.
    left = moving.out_of(session, drop, handsets)
    outbox.add(session, jobs.CLEAR, drop_id)
    return _move(session, drop_id, "settle", "settled", actor, reason, left)


def find(session: Session, drop_id: str) -> Drop:
    """Raises NotFound."""
    drop = session.get(Drop, drop_id)
    if drop is None:
        raise NotFound
    return drop


def listing(session: Session) -> list[Drop]:
    """All drops but rehearsals, the next to open first among those not over, then the rest, newest first."""
    drops = session.scalars(
        select(Drop).where(Drop.shadow_of.is_(None)).order_by(Drop.opens_at, Drop.id)
    ).all()
    over = [drop for drop in drops if face(drop) in ("closed", "settled")]
    return [drop for drop in drops if drop not in over] + over[::-1]


def planned(session: Session, drop: Drop) -> int:
    """How many numbers the drop sells, or would if it were loaded now."""
    if drop.epoch:
        return tally(drop.id).loaded
    wanted = select(func.count()).select_from(Number).where(
        Number.pool == drop.pool, Number.state == "available", Number.city.in_(drop.cities),
        Number.grade.in_(drop.grades),
    )  # fmt: skip
    found = session.scalars(wanted).one()
    return min(found, drop.quota) if drop.quota else found


def next_round(session: Session, drop: Drop) -> Drop | None:
    """The next drop to open that is announced already: of the same campaign, if it has one."""
    following = select(Drop).where(
        Drop.state.in_(("scheduled", "warming")), Drop.opens_at > clock.now(), Drop.id != drop.id,
        Drop.shadow_of.is_(None),
    )  # fmt: skip
    if drop.campaign:
        following = following.where(Drop.campaign == drop.campaign)
    return session.scalars(following.order_by(Drop.opens_at).limit(1)).first()


def actions(session: Session, drop_id: str) -> list[DropAction]:
    """What was done to a drop, oldest first."""
    query = select(DropAction).where(DropAction.drop_id == drop_id).order_by(DropAction.id)
    return list(session.scalars(query))


def skus(session: Session, drop_id: str) -> dict[str, int]:
    """SKU -> how many the drop has to sell."""
    query = select(DropSku.sku, DropSku.quantity).where(DropSku.drop_id == drop_id)
    return dict(session.execute(query).all())


def face(drop: Drop) -> str:
    """The state as it is at this moment: the clock's moves count before anybody has written them down."""
    at = clock.now()
    if drop.state in ("warming", "open", "paused", "sold_out") and drop.closes_at and drop.closes_at <= at:
        return "closed"
    if drop.state == "warming" and drop.epoch and drop.opens_at <= at:
        return "open"
    return "warming" if drop.state == "open" and drop.opens_at > at else drop.state


def tick() -> None:
    """What the clock does to drops: SQL's states follow the time and the stock, Redis follows SQL."""
    with reading() as session:
        drops = session.scalars(select(Drop).where(Drop.state.in_(stock.LIVE))).all()
    for drop in drops:
        try:
            stock.sync(drop.id)
            _follow(drop)
        except Stale:
            continue  # told in the log by sync; nothing is sold until it is rebuilt
        except Unavailable as trouble:
            log.warning("drop.unsynced", drop=drop.id, code=trouble.code)


def _follow(drop: Drop) -> None:
    shown = face(drop)
    if shown == "open" and drop.state in ("open", "sold_out", "warming"):
        shown = "open" if tally(drop.id).free else "sold_out"
    elif shown == "sold_out" and tally(drop.id).free:
        shown = "open"
    if shown == drop.state or shown == "warming":
        return
    with writing() as session:
        try:
            if drop.state == "warming" and shown == "sold_out":
                _move(session, drop.id, "open", "open", "clock", "opening time")
            _move(session, drop.id, "close" if shown == "closed" else shown, shown, "clock", "")
        except WrongMove:
            log.info("drop.moved_meanwhile", drop=drop.id, to=shown)


def _move(
    session: Session,
    drop_id: str,
    action: str,
    to: str,
    actor: str,
    reason: str,
    more: dict[str, Any] | None = None,
) -> Drop:
    """One conditional UPDATE; of two people pressing at once one gets WrongMove. Redis is told after the commit."""
    drop = find(session, drop_id)
    before = drop.state
    moved = session.scalars(
        update(Drop)
        .where(Drop.id == drop_id, Drop.state == before, Drop.state.in_(_before(to)))
        .values(state=to, version=Drop.version + 1)
        .returning(Drop.id)
        .execution_options(synchronize_session=False)
    ).all()
    session.refresh(drop)
    if not moved:
        raise WrongMove(state=drop.state, to=to)
    note(session, drop, action, actor, reason, {"state": before}, {"state": to, **(more or {})})
    stock.sync_after_commit(session, drop_id)
    return drop


def _before(to: str) -> list[str]:
    return [state for state, moves in MOVES.items() if to in moves]
