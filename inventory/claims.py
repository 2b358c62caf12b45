"""A hold's way through the counter: claimed by an order, settled when the money is safe, or given back."""

from dataclasses import dataclass
from typing import Literal, cast

import msgspec

from inventory import numbers, verbs
from inventory.facts import DropClosed, Lapsed, LimitReached, Ordered
from inventory.models import Number
from runtime.db import reading, writing
from runtime.redis import asking


@dataclass(frozen=True)
class Claimed:
    number: str
    offer: str
    sku: str


def claim(hold_id: str, *, account: str, order_id: str, person: str = "") -> Claimed:
    """The hold becomes the order's. Asked again by the same order it answers the same; the time is not judged.

    `person` is a keyed digest of who buys. Raises Lapsed, LimitReached, Ordered (by another order)."""
    try:
        answer = verbs.call("claim", verbs.drop_of(hold_id), hold_id, account, order_id, person)
    except DropClosed as settled:
        raise Lapsed from settled
    match answer:
        case ["claimed", number, offer, sku]:
            return Claimed(number, offer, sku)
        case ["limit", whose]:
            raise LimitReached(whose=whose)
        case ["ordered", other]:
            raise Ordered(order_id=other)
    raise Lapsed


def settle(drop_id: str, order_id: str, number: str) -> None:
    """The order's number is paid. May be run again. Raises Lapsed when the number is not the order's any more."""
    try:
        answer = verbs.call("settle", drop_id, order_id, number)
    except DropClosed as settled:
        # A settled drop has no unpaid order, so this is a repetition, if the number was sold at all.
        with reading() as session:
            known = session.get(Number, number)
        if known is None or known.drop_id != drop_id or known.state not in ("sold", "assigned", "active"):
            raise Lapsed from settled
        return
    if answer[0] != "paid":
        raise Lapsed


def give_back(drop_id: str, order_id: str, number: str, *, to: Literal["free", "cooling"] = "free") -> None:
    """An order that ended gives its number (and handset) back: free for the next shopper, or out of the drop to
    cool. May be run again; a number that is not the order's stays where it is.

    Once the drop is settled SQL moves the number; it then opens a transaction of its own, so call it outside."""
    try:
        answer = verbs.call("give_back", drop_id, order_id, number, to)
    except DropClosed:
        answer = ["settled"]
    if answer[0] == "settled":
        with writing() as session:
            known = session.get(Number, number)
            if known is None or known.drop_id != drop_id:
                return
            if to == "free":
                numbers.put_back(session, number)
            else:
                numbers.cool(session, number)


def orphans(drop_id: str, older_than_s: float) -> list[tuple[str, str]]:
    """(order id, number) of orders that claimed longer ago than that many seconds and are not paid, oldest
    first; whoever calls compares them with SQL before giving anything back."""
    with asking() as client:
        seconds, micro = client.time()
        before = seconds * 1000 + micro // 1000 - round(older_than_s * 1000)
        order_ids = cast(list[str], client.zrangebyscore(verbs.key(drop_id, "unpaid"), "-inf", before))
        records = (
            cast(list[str | None], client.hmget(verbs.key(drop_id, "orders"), order_ids)) if order_ids else []
        )
    return [(order["order"], order["number"]) for order in map(msgspec.json.decode, filter(None, records))]
