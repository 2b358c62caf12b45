"""What the courier is told about an order: where it goes and what it is worth."""

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout import prices
from checkout.models import Order
from logistics.parcels import Receiver


def receiver(order: Order) -> Receiver:
    """Where the parcel goes."""
    return msgspec.json.decode(order.receiver, type=Receiver)


def last(session: Session, account: str) -> Receiver | None:
    """Where the account's newest order goes; None before the first."""
    newest = select(Order).where(Order.account == account).order_by(Order.created_at.desc(), Order.id.desc())
    order = session.scalar(newest.limit(1))
    return receiver(order) if order else None


def goods(order: Order) -> str:
    """What lies in the parcel, in the courier's neutral words, with gifts and extras by name."""
    names = ["SIM kit", *(["phone"] if order.kind == "bundle" else [])]
    names += [line.en for line in prices.thaw(order.price).lines if line.code in ("gift", "bundle")]
    return ", ".join(names)[:80]


def insured_fen(order: Order) -> int:
    """Declared value in fen: the package price of a handset, nothing for a bare card."""
    return prices.thaw(order.price).package_fen
