"""Scans: what couriers saw, recorded once each, moved along the parcel's lattice, and told to checkout as news."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from logistics import door, parcels
from logistics.models import Parcel, Scan
from runtime import clock
from runtime.bulk import insert_new
from runtime.facts import N_


@dataclass(frozen=True)
class Seen:
    """One scan as a courier sends it. `at` is the courier's clock: data, never order."""

    event_id: str
    order_id: str
    status: str
    at: datetime
    place: str = ""
    note: str = ""
    door_code: str = ""


@dataclass(frozen=True)
class Outcome:
    """The answer to one scan: recorded, ignored_late (kept, but the parcel is further on), duplicate,
    unknown_order or unknown_status. `state` is the parcel's state now, `door` what the door code proved."""

    event_id: str
    outcome: str
    state: str = ""
    door: str = ""
    tries_left: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class ScanNews:
    """A parcel moved. `at` is the courier's time in UTC; `door_checked`: the right door code was given."""

    order_id: str
    status: str
    at: datetime
    door_checked: bool


DOOR_REASONS = {
    "wrong_code": N_("The door code is wrong. Ask the receiver again and send a new scan."),
    "no_code": N_("Without a door code the card stays inactive. Ask the receiver and send a new scan."),
    "burnt": N_("The door code is burnt after five tries. The receiver must ask for a new one."),
    "none_made": N_("This parcel has no live door code. The receiver must ask for one."),
}


def record(session: Session, courier: str, seen: Sequence[Seen]) -> list[Outcome]:
    """Record a batch from one courier, one outcome for each in its order; the same batch may come again.

    A scan is known by (courier, event_id). A parcel only climbs parcels.LADDER, so a batch in any order ends in the
    same state; only wrong door codes count in the order in which they come."""
    wanted = {one.order_id for one in seen}
    # Locked in one order, so that two batches about the same parcels never wait for each other in a circle.
    held = session.scalars(
        select(Parcel)
        .where(Parcel.order_id.in_(wanted), Parcel.courier == courier, Parcel.manifest_id.is_not(None))
        .order_by(Parcel.order_id, Parcel.attempt)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    by_order = {parcel.order_id: parcel for parcel in held}  # the newest attempt stays
    return _record(session, courier, [(one, by_order.get(one.order_id)) for one in seen])


def _record(session: Session, courier: str, seen: Sequence[tuple[Seen, Parcel | None]]) -> list[Outcome]:
    new = _insert(session, courier, [(one, parcel) for one, parcel in seen if parcel and _known(one)])
    proofs = _earlier_proofs(session, courier, [one.event_id for one, _ in seen if one.event_id not in new])
    taken, outcomes = [], []
    for one, parcel in seen:
        if parcel is None:
            # Nothing is kept, so the courier can send it again when the order is known.
            reason = N_("You have no parcel of this order.")
            outcomes.append(Outcome(one.event_id, "unknown_order", reason=reason))
        elif not _known(one):
            reason = N_("There is no such status.")
            outcomes.append(Outcome(one.event_id, "unknown_status", parcel.state, reason=reason))
        elif (scan_id := new.pop(one.event_id, None)) is None:
            outcomes.append(_answer("duplicate", parcel, one.event_id, proofs.get(one.event_id)))
        else:
            state, proof = _prove(session, parcel, one)
            moved = parcels.move(session, parcel, state)
            proofs[one.event_id] = proof
            taken.append({"id": scan_id, "state": state, "door": proof, "moved": moved})
            outcome = "recorded" if moved else "ignored_late"
            outcomes.append(_answer(outcome, parcel, one.event_id, proof))
    if taken:
        session.execute(update(Scan), taken)
    return outcomes


def _known(one: Seen) -> bool:
    return one.status in parcels.REPORTED


def _prove(session: Session, parcel: Parcel, one: Seen) -> tuple[str, str | None]:
    """(state, proof): what the scan makes of the parcel. Only a delivery tries the door code."""
    if one.status != "delivered" or parcel.state == "delivered":
        return one.status, None
    proof = door.check(session, parcel, one.door_code)
    return ("delivered" if proof == "checked" else "delivered_unverified"), proof


def _insert(session: Session, courier: str, seen: Sequence[tuple[Seen, Parcel]]) -> dict[str, int]:
    """The new scans' ids by event: the unique index decides which are new, before any door code is tried."""
    rows = [
        {
            "courier": courier,
            "event_id": one.event_id,
            "parcel_id": parcel.id,
            "order_id": parcel.order_id,
            "status": one.status,
            "state": one.status,
            "moved": False,
            "place": one.place,
            "note": one.note,
            "at": one.at,
            "received_at": clock.now(),
        }
        for one, parcel in seen
    ]
    made = select(Scan.event_id, Scan.id).where(Scan.id.in_(insert_new(session, Scan, rows)))
    return dict(session.execute(made).all())


def _earlier_proofs(session: Session, courier: str, event_ids: Sequence[str]) -> dict[str, str | None]:
    """What the door code proved in scans that are known already."""
    earlier = select(Scan.event_id, Scan.door).where(Scan.courier == courier, Scan.event_id.in_(event_ids))
    return dict(session.execute(earlier).all()) if event_ids else {}


def _answer(outcome: str, parcel: Parcel, event_id: str, proof: str | None) -> Outcome:
    if proof is None:
        return Outcome(event_id, outcome, parcel.state)
    left = None if proof == "checked" else door.tries_left(parcel)
    return Outcome(event_id, outcome, parcel.state, proof, left, DOOR_REASONS.get(proof, ""))


def record_own(session: Session, parcel: Parcel, *, event_id: str, status: str) -> None:
    """A scan of our own warehouse about a parcel."""
    one = Seen(event_id, parcel.order_id, status, clock.now())
    _record(session, parcel.courier, [(one, parcel)])


def take_news(session: Session, limit: int = 100) -> list[ScanNews]:
    """Moves nobody has claimed yet, oldest first, claimed for the caller's transaction: rolled back, they are news
    again. Two takers at once never get the same one: each claims by an UPDATE that holds only on unclaimed rows."""
    oldest = (
        select(Scan.id).where(Scan.moved.is_(True), Scan.taken_at.is_(None)).order_by(Scan.id).limit(limit)
    )
    candidates = session.scalars(oldest.with_for_update(skip_locked=True)).all()
    won = session.scalars(
        update(Scan)
        .where(Scan.id.in_(candidates), Scan.taken_at.is_(None))
        .values(taken_at=clock.now())
        .returning(Scan.id)
        .execution_options(synchronize_session=False)
    ).all()
    taken = session.scalars(select(Scan).where(Scan.id.in_(won)).order_by(Scan.id)).all()
    return [ScanNews(scan.order_id, scan.state, scan.at, scan.door == "checked") for scan in taken]
