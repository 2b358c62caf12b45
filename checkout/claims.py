"""The fate of a claim: an order, or nothing for ever. The first row in `claims` decides between two who try."""

from collections.abc import Collection, Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout.models import Claim, Order
from inventory import holds
from runtime import clock
from runtime.bulk import insert_new
from runtime.db import reading, writing
from runtime.facts import Unavailable
from runtime.log import log

PLACED, VOIDED = "placed", "voided"


def take(session: Session, order_ids: Collection[str]) -> set[str]:
    """Say in the orders' transaction that these claims become orders; gives those that had no fate before.

    In one order of ids, since of two that insert one id the second waits for the first to commit."""
    at = clock.now()
    rows = [{"order_id": order_id, "fate": PLACED, "at": at} for order_id in sorted(order_ids)]
    return set(insert_new(session, Claim, rows))


def forgo(session: Session, order_ids: Collection[str]) -> None:
    """Of claims taken in this same transaction: there will be no order after all. Whoever reads the row, reads
    voided."""
    if order_ids:
        session.execute(update(Claim).where(Claim.order_id.in_(order_ids)).values(fate=VOIDED))


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
    _give_back([(drop_id, order_id, number)])


def give_back_many(voided: Sequence[tuple[str, str, str]]) -> None:
    """Free the numbers of voided claims: (drop, order id, number) of each. Where Redis does not answer the next
    orphans.tick does it."""
    try:
        _give_back(voided)
    except Unavailable as trouble:
        log.warning("claim.given_back_later", claims=len(voided), code=trouble.code)


def _give_back(voided: Sequence[tuple[str, str, str]]) -> None:
    numbers = {number for _, _, number in voided}
    with reading() as session:
        rows = session.execute(select(Order.number, Order.id).where(Order.number.in_(numbers), Order.live))
        owners = dict(rows.all())
    for drop_id, order_id, number in voided:
        if owner := owners.get(number):
            log.error("claim.number_has_owner", drop=drop_id, order=order_id, owner=owner)
        else:
            holds.give_back(drop_id, order_id, number, to="free")
