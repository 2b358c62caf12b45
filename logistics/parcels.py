"""Parcels: made for an order, moved along one lattice, cancelled or called back."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from logistics import couriers, door, regions
from logistics.couriers import NoCourier
from logistics.models import Parcel
from runtime import clock
from runtime.bulk import insert_new
from runtime.facts import N_, Invalid, NotFound, WrongMove
from runtime.ids import derived_id
from runtime.log import log

# What a courier reports, in the order in which one report outweighs another. A parcel only ever climbs, so scans
# that come late, twice or shuffled end in the same state. A delivery proven by the shopper's code outweighs
# everything; being back in our warehouse outweighs every guess of the road.
LADDER = (
    "manifested",
    "handed_over",
    "in_transit",
    "out_for_delivery",
    "attempt_failed",
    "id_mismatch",
    "refused",
    "delivered_unverified",
    "returning",
    "lost",
    "damaged",
    "returned_to_warehouse",
    "delivered",
)
MOVES: dict[str, frozenset[str]] = {
    "created": frozenset({"manifested", "cancelled"}),
    **{state: frozenset(LADDER[rung + 1 :]) for rung, state in enumerate(LADDER)},
    "cancelled": frozenset(),
    "rejected": frozenset(),
}
MOVES["manifested"] |= {"rejected"}
REPORTED = frozenset(LADDER[1:])  # what a scan may say
FINAL = frozenset({"delivered", "returned_to_warehouse", "cancelled", "rejected"})
_RESENDABLE = frozenset({"returned_to_warehouse", "lost", "damaged"})


@dataclass(frozen=True)
class Receiver:
    """Where a parcel goes. `city` is a GB/T 2260 code or a city's name; `province` and `district` are text."""

    name: str
    mobile: str
    province: str
    city: str
    district: str
    address: str


def create(
    session: Session,
    *,
    order_id: str,
    receiver: Receiver,
    goods: str,
    cod_fen: int,
    insured_fen: int,
    id_holder: str,
    id_last4: str,
    sign_back: bool = False,
    attempt: int = 1,
) -> Parcel:
    """The parcel of this attempt for an order; asked again, the same parcel.

    `cod_fen` is collected at the door (0: prepaid), `insured_fen` the declared value (0: none), `id_holder` the
    masked name, `id_last4` the only part of the ID number that ever leaves the vault, `goods` neutral words.
    A later attempt needs the earlier parcel home, lost or damaged. Raises NoCourier, Invalid, WrongMove."""
    parcel_id = derived_id("par", order_id, str(attempt))
    if known := session.get(Parcel, parcel_id):
        return known
    if len(id_last4) != 4:
        raise Invalid(id_last4=N_("Give the last four characters of the ID number and nothing more."))
    code = regions.city_code(receiver.city)
    courier = couriers.choose(session, city=code, cod=cod_fen > 0)
    session.execute(
        update(Parcel)
        .where(Parcel.live_order_id == order_id, Parcel.state.in_(_RESENDABLE))
        .values(live_order_id=None)
    )
    facts = {
        "courier": courier.code,
        "receiver_name": receiver.name,
        "receiver_mobile": receiver.mobile,
        "receiver_address": receiver.address,
        "province": regions.province_name(code),
        "city": regions.city_name(code),
        "city_code": code,
        "district": receiver.district,
        "goods": goods,
        "cod_fen": cod_fen,
        "insured_fen": insured_fen,
        "sign_back": sign_back,
        "id_holder": id_holder,
        "id_last4": id_last4,
    }
    return _insert(session, order_id, attempt, facts)


def _insert(session: Session, order_id: str, attempt: int, facts: dict[str, object]) -> Parcel:
    """Two makers of one attempt: the primary key lets one in. Of two attempts: the index on the live order does."""
    at = clock.now()
    parcel_id = derived_id("par", order_id, str(attempt))
    fixed = {
        "state": "created",
        "live_order_id": order_id,
        "door_tries": 0,
        "created_at": at,
        "changed_at": at,
    }
    insert_new(
        session, Parcel, [{"id": parcel_id, "order_id": order_id, "attempt": attempt, **fixed, **facts}]
    )
    made = session.get(Parcel, parcel_id)
    if made is None:
        raise WrongMove(N_("This order already has a parcel on its way."), order=order_id)
    return made


def of_order(session: Session, order_id: str) -> Parcel | None:
    """The newest parcel of an order with its scans in order of arrival, or None."""
    return session.scalars(
        select(Parcel)
        .where(Parcel.order_id == order_id)
        .order_by(Parcel.attempt.desc())
        .limit(1)
        .options(selectinload(Parcel.scans))
        .execution_options(populate_existing=True)
    ).first()


def cancel(session: Session, order_id: str) -> bool:
    """Stop an order's parcel: True when nothing left the house, so the order may be undone now.

    False when it stands in a manifest already. Then the courier is asked to give it back, by a tombstone line in
    the next manifest, and the order may be undone when news says returned_to_warehouse. Closes the race with the
    cutter: both change the parcel only from `created`, so one of them finds it gone. May be repeated."""
    parcel = of_order(session, order_id)
    if parcel is None or parcel.state == "cancelled":
        return True
    if (
        move(session, parcel, "cancelled") or parcel.state == "cancelled"
    ):  # by another, between look and UPDATE
        return True
    session.execute(
        update(Parcel)
        .where(Parcel.id == parcel.id, Parcel.recall_requested_at.is_(None), Parcel.state.not_in(FINAL))
        .values(recall_requested_at=clock.now())
    )
    return False


def move(session: Session, parcel: Parcel, to: str) -> bool:
    """Move a parcel when MOVES lists it from the state it is in by now; tells whether it moved.

    A conditional UPDATE: what another transaction did meanwhile is seen, not overwritten."""
    froms = [state for state, after in MOVES.items() if to in after]
    values: dict[str, object] = {"state": to, "changed_at": clock.now()}
    if to in ("cancelled", "rejected"):
        values["live_order_id"] = None
    moved = session.scalars(
        update(Parcel)
        .where(Parcel.id == parcel.id, Parcel.state.in_(froms))
        .values(values)
        .returning(Parcel.id)
        .execution_options(synchronize_session=False)
    ).all()
    if not moved:
        session.refresh(parcel)
        return False
    for name, value in values.items():
        set_committed_value(parcel, name, value)  # as the row is now, without asking for it again
    return True


def turn_down(session: Session, parcel: Parcel) -> Parcel | None:
    """The courier rejected this parcel: send it with the next courier that fits, as a new attempt.

    None when the parcel is on the road already or nobody else delivers there (ops are told in the log)."""
    if not move(session, parcel, "rejected"):
        return None
    refused_by: Collection[str] = session.scalars(
        select(Parcel.courier).where(Parcel.order_id == parcel.order_id, Parcel.state == "rejected")
    ).all()
    try:
        other = couriers.choose(session, city=parcel.city_code, cod=parcel.cod_fen > 0, but_not=refused_by)
    except NoCourier:
        log.error("parcel.unplaced", order=parcel.order_id, city=parcel.city_code)
        return None
    attempt = session.scalar(select(func.max(Parcel.attempt)).where(Parcel.order_id == parcel.order_id)) or 0
    facts = {name: getattr(parcel, name) for name in _CARRIED_OVER}
    return _insert(session, parcel.order_id, attempt + 1, {**facts, "courier": other.code})


_CARRIED_OVER = (
    "receiver_name", "receiver_mobile", "receiver_address", "province", "city", "city_code", "district", "goods",
    "cod_fen", "insured_fen", "sign_back", "id_holder", "id_last4", "door_digest",
)  # fmt: skip


def door_code(session: Session, order_id: str) -> str:
    """A new one-time door code of six digits for the order's parcel; the one before it dies.

    The caller sends it to the shopper by SMS: we keep its HMAC only. Raises NotFound, WrongMove when the parcel
    is delivered, home or cancelled."""
    parcel = of_order(session, order_id)
    if parcel is None:
        raise NotFound(order=order_id)
    if parcel.state in FINAL:
        raise WrongMove(N_("This parcel needs no door code any more."), state=parcel.state)
    return door.new_code(session, parcel)
