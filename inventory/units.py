"""SIM cards and handset units: taken into stock by their serials, bound to an order when it is packed."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from inventory import serials
from inventory.facts import SoldOut
from inventory.models import Drop, HandsetUnit, SimCard
from runtime.bulk import insert_new

_TRIES = 5


@dataclass(frozen=True)
class Bound:
    """The serials an order got; no IMEI for a card alone."""

    iccid: str
    imei: str | None


def add_sims(session: Session, iccids: Iterable[str]) -> int:
    """Take blank SIM cards into stock; how many were new. Raises Invalid(iccid=...)."""
    rows = [{"iccid": serials.iccid(text), "state": "available"} for text in iccids]
    return len(insert_new(session, SimCard, rows))


def add_handsets(session: Session, sku: str, imeis: Iterable[str]) -> int:
    """Take handsets of a SKU into stock; how many were new. Raises Invalid(imei=...)."""
    rows = [{"imei": serials.imei(text), "sku": sku, "state": "available"} for text in imeis]
    return len(insert_new(session, HandsetUnit, rows))


def bind(session: Session, order_id: str, sku: str = "", drop_id: str | None = None) -> Bound:
    """Give the order a SIM card and, for a SKU, a handset: the drop's own, else one that is no drop's. Asked again
    it answers the same.

    Raises SoldOut naming "sim" or the SKU when the shelf in the warehouse is empty."""
    return Bound(
        _bind_sim(session, order_id), _bind_handset(session, order_id, sku, drop_id) if sku else None
    )


def release(session: Session, order_id: str, *, withdrawn: bool = False) -> None:
    """The parcel was never sent: its serials are stock again. May be run again.

    A handset stays its drop's while the drop sells it; of a settled drop, or when the drop counts the order as
    withdrawn (its number cools), it is nobody's, so that another drop can have it."""
    over = select(Drop.id).where(Drop.state == "settled")
    theirs = case((HandsetUnit.drop_id.in_(over), None), else_=HandsetUnit.drop_id)
    session.execute(
        update(HandsetUnit)
        .where(HandsetUnit.order_id == order_id)
        .values(state="available", order_id=None, drop_id=None if withdrawn else theirs)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(SimCard).where(SimCard.order_id == order_id).values(state="available", order_id=None)
    )


def inspect(session: Session, order_id: str) -> None:
    """The parcel came home from the road: its handset waits for inspection, its SIM card is spent.

    May be run again."""
    session.execute(
        update(HandsetUnit).where(HandsetUnit.order_id == order_id).values(state="inspect", order_id=None)
    )
    session.execute(update(SimCard).where(SimCard.order_id == order_id).values(state="spent", order_id=None))


def passed(session: Session, imei: str) -> bool:
    """An inspected handset is as new and stock again; False when it does not wait for inspection."""
    again = update(HandsetUnit).where(HandsetUnit.imei == imei, HandsetUnit.state == "inspect")
    return (
        session.scalar(again.values(state="available", drop_id=None).returning(HandsetUnit.imei)) is not None
    )


def in_stock(session: Session) -> dict[str, int]:
    """Units not bound: by SKU, and "sim" for cards."""
    query = select(HandsetUnit.sku, func.count()).where(HandsetUnit.state == "available")
    counts = dict(session.execute(query.group_by(HandsetUnit.sku)).all())
    sims = session.scalar(select(func.count()).select_from(SimCard).where(SimCard.state == "available"))
    return {**counts, "sim": sims or 0}


def made_up_iccids(count: int) -> list[str]:
    """Valid ICCIDs for demo and test stock, the same at every call."""
    return [serials.made_up_iccid(serial) for serial in range(count)]


def made_up_imeis(sku: str, count: int) -> list[str]:
    """Valid IMEIs for demo and test stock, the same for a SKU at every call, of a model of its own."""
    model = f"86{zlib.crc32(sku.encode()) % 1_000_000:06}"
    return [serials.made_up_imei(serial, model) for serial in range(count)]


def _bind_sim(session: Session, order_id: str) -> str:
    bound = session.scalar(select(SimCard.iccid).where(SimCard.order_id == order_id))
    for _ in range(_TRIES):
        if bound:
            return bound
        free = session.scalar(
            select(SimCard.iccid)
            .where(SimCard.state == "available")
            .order_by(SimCard.iccid)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if free is None:
            break
        bound = session.scalar(
            update(SimCard)
            .where(SimCard.iccid == free, SimCard.state == "available")
            .values(state="bound", order_id=order_id)
            .returning(SimCard.iccid)
        )
    raise SoldOut(what="sim")


def _bind_handset(session: Session, order_id: str, sku: str, drop_id: str | None) -> str:
    bound = session.scalar(select(HandsetUnit.imei).where(HandsetUnit.order_id == order_id))
    for _ in range(_TRIES):
        if bound:
            return bound
        free = session.scalar(
            select(HandsetUnit.imei)
            .where(HandsetUnit.sku == sku, HandsetUnit.state == "available")
            .where(HandsetUnit.drop_id.is_(None) | (HandsetUnit.drop_id == drop_id))
            .order_by(HandsetUnit.drop_id.is_(None), HandsetUnit.imei)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if free is None:
            break
        bound = session.scalar(
            update(HandsetUnit)
            .where(HandsetUnit.imei == free, HandsetUnit.state == "available")
            .values(state="bound", order_id=order_id)
            .returning(HandsetUnit.imei)
        )
    raise SoldOut(what=sku)
