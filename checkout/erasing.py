"""What the counter forgets of a shopper who wants to be forgotten, and what it must keep."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout import addresses, prepared
from checkout.models import Contract, Order
from checkout.moves import MOVES
from kyc import vault
from logistics.parcels import Receiver
from runtime.facts import N_, WrongMove


class OrderOpen(WrongMove):
    """An order is under way: it needs the data."""

    text = N_("An order is still under way. When it has arrived or is cancelled, your data can be erased.")


@dataclass(frozen=True)
class Kept:
    """What stays: the orders whose number somebody uses, and the people who hold those numbers."""

    orders: tuple[str, ...]
    people: frozenset[str]


def erase(session: Session, account: str) -> Kept:
    """Forget what the account prepared, and of its orders that came to nothing everything but the amounts. Orders
    that were completed stay as they are: who holds a number is kept while it is used and two years longer (MIIT order
    25 of 2013). Raises OrderOpen."""
    found = session.scalars(select(Order).where(Order.account == account).with_for_update()).all()
    if under_way := [order.id for order in found if MOVES[order.state]]:
        raise OrderOpen(orders=under_way)
    prepared.forget(session, account)
    kept = [order for order in found if order.live]
    for order in found:
        if not order.live:
            _forget(session, order)
    return Kept(tuple(order.id for order in kept), frozenset(order.person_id for order in kept))


def _forget(session: Session, order: Order) -> None:
    city = addresses.receiver(order)
    empty = Receiver("", "", city.province, city.city, "", "")
    order.receiver = msgspec.json.encode(empty).decode()
    order.phone = order.phone_masked = order.name_masked = ""
    papers = session.scalars(select(Contract).where(Contract.order_id == order.id)).all()
    for paper in papers:
        for document in filter(None, (paper.draft_document, paper.signed_document)):
            vault.erase_document(session, document, who="shopper", why="the shopper erased their data")
