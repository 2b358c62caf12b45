"""The fate of a claim: an order, or nothing for ever. The first row in `claims` decides between two who try."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout.models import Claim, Order
from inventory import holds
from runtime import clock
from runtime.db import insert_new, reading, writing
from runtime.log import log

PLACED, VOIDED = "placed", "voided"


def take(session: Session, order_id: str) -> bool:
    """Say in the order's transaction that this claim becomes an order; False when it has a fate already."""
    return bool(insert_new(session, Claim, [{"order_id": order_id, "fate": PLACED, "at": clock.now()}]))


def fate(session: Session, order_id: str) -> str | None:
    """placed, voided, or None while it is open."""
    return session.scalar(select(Claim.fate).where(Claim.order_id == order_id))


def order_of_hold(session: Session, hold_id: str) -> str | None:
    """The order a hold became."""
    return session.scalar(select(Order.id).where(Order.hold_id == hold_id))


def void(drop_id: str, order_id: str, number: str) -> str:
    """Give a claimed number back that has no order. Gives the claim's fate: PLACED means it was left alone.

    First the row, then Redis: after the row is committed no retry can insert the order any more, so the number
    can't be given back under it. Killed in between, the next orphans.tick does the second half."""
    with writing() as session:
        insert_new(session, Claim, [{"order_id": order_id, "fate": VOIDED, "at": clock.now()}])
        decided = fate(session, order_id)
    assert decided is not None
    if decided == VOIDED:
        give_back(drop_id, order_id, number)
    return decided


def give_back(drop_id: str, order_id: str, number: str) -> None:
    """Free the number of a voided claim, unless SQL knows a live order of it: then ops must look (audit)."""
    with reading() as session:
        owner = session.scalar(select(Order.id).where(Order.number == number, Order.live))
    if owner is not None:
        log.error("claim.number_has_owner", drop=drop_id, order=order_id, owner=owner)
        return
    holds.give_back(drop_id, order_id, number, to="free")
