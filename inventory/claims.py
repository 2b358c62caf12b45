"""A hold's way through the counter: claimed by an order, settled when the money is safe, or given back."""

from collections.abc import Sequence
from typing import Literal, cast

import msgspec

from inventory import lots, numbers, verbs
from inventory.facts import DropClosed, Lapsed
from inventory.models import Number
from inventory.wishes import Claimed as Claimed
from inventory.wishes import Wish as Wish
from inventory.wishes import outcome
from runtime.db import reading, writing
from runtime.facts import Fact
from runtime.redis import asking

BATCH = 256  # claims a call: some milliseconds of Redis's time


def claim_many(drop_id: str, wishes: Sequence[Wish]) -> list[Claimed | Fact]:
    """Holds become orders, each decided by itself in the order given: Claimed, or the fact that refuses it (Lapsed,
    LimitReached, Ordered by another order). Asked again by the same order it answers the same; the time is not
    judged. Raises Stale, Unavailable, NotFound, NotOpen for all."""
    if verbs.lots(drop_id) > 1:
        return lots.claim(drop_id, wishes)
    told: list[Claimed | Fact] = []
    for start in range(0, len(wishes), BATCH):
        batch = wishes[start : start + BATCH]
        args = [part for w in batch for part in (w.hold_id, w.account, w.order_id, w.person)]
        try:
            epoch, answers = verbs.told("claim", drop_id, *args)
        except DropClosed:
            told += [Lapsed() for _ in batch]
        else:
            told += [outcome(answer, epoch) for answer in answers]
    return told


def claim(hold_id: str, *, account: str, order_id: str, person: str = "") -> Claimed:
    """One hold becomes an order's, as claim_many; what refuses it is raised."""
    [told] = claim_many(verbs.drop_of(hold_id), [Wish(hold_id, account, order_id, person)])
    if isinstance(told, Fact):
        raise told
    return told


def settle(drop_id: str, order_id: str, number: str) -> None:
    """The order's number is paid. May be run again. Raises Lapsed when the number is not the order's any more."""
    try:
        answer = verbs.call("settle", drop_id, order_id, number, lot=verbs.lot_of(drop_id, number))
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
    lot = verbs.lot_of(drop_id, number)
    try:
        answer = verbs.call("give_back", drop_id, order_id, number, to, lot=lot)
    except DropClosed:
        answer = ["settled"]
    if answer[0] == "returned" and verbs.lots(drop_id) > 1:
        lots.follow_up(drop_id, lot)
    elif answer[0] == "settled":
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
    found: list[tuple[str, str]] = []
    for lot in range(verbs.lots(drop_id)):
        try:
            before = verbs.redis_ms(drop_id, lot) - round(older_than_s * 1000)
        except DropClosed:
            return []
        with asking() as client:
            order_ids = cast(
                list[str], client.zrangebyscore(verbs.key(drop_id, "unpaid", lot), "-inf", before)
            )
            records = (
                cast(list[str | None], client.hmget(verbs.key(drop_id, "orders", lot), order_ids))
                if order_ids
                else []
            )
        found += [
            (order["order"], order["number"]) for order in map(msgspec.json.decode, filter(None, records))
        ]
    return found
