"""Remedies: how a difference of the audit could be closed, or why a person must decide. Looking changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from checkout import claims, reversing
from checkout.audit import AuditReport, Difference, in_redis
from checkout.models import Claim, Order
from inventory import holds, mending
from inventory.facts import Lapsed
from inventory.stock import LiveOrder
from runtime.db import reading
from runtime.settings import settings


@dataclass(frozen=True)
class Remedy:
    """What closes a difference, in words; without `act` the words say why a person must decide."""

    difference: Difference
    words: str
    act: Callable[[], bool] | None = None


def remedies(drop_id: str, report: AuditReport, most: int | None = None) -> list[Remedy]:
    """How each difference (the first `most`) could be closed, in the order it would be done. Changes nothing."""
    claimed = _claimed(drop_id) if any(one.kind == "unknown to SQL" for one in report.found) else {}
    chosen = [_remedy(drop_id, one, claimed) for one in report.found[:most]]
    return sorted(chosen, key=lambda one: _ORDER.index(one.difference.kind) if one.act else len(_ORDER))


# Records before the marks that lean on them, and counters last.
_ORDER = [
    *("orders", "holds", "owner", "free", "due", "unpaid", "live", "place"),
    *("order in SQL", "unknown to SQL", "unknown to Redis", "tally", "used", "total"),
]


def _claimed(drop_id: str) -> dict[str, bool]:
    """Claimed and unpaid orders, and whether each was claimed so long ago that no order will come."""
    old = {order_id for order_id, _ in holds.orphans(drop_id, settings().orphan_seconds)}
    return {order_id: order_id in old for order_id, _ in holds.orphans(drop_id, 0)}


def _remedy(drop_id: str, one: Difference, claimed: dict[str, bool]) -> Remedy:
    match one.kind:
        case "tally" | "used" | "total":
            return Remedy(one, f"counted as {one.said or 0}", partial(mending.count, drop_id, one))
        case "place":
            words = "the place is given up" if one.said is None else "the place is taken"
            return Remedy(one, words, partial(mending.place, drop_id, one))
        case "due" | "unpaid":
            words = f"{'put among' if one.said is not None else 'taken from'} the {one.kind}"
            return Remedy(one, words, partial(mending.mend, drop_id, one.lot, one.kind, one.about))
        case "live":
            act = partial(mending.mend, drop_id, one.lot, "live", one.about, one.found or "", one.said or "")
            return Remedy(one, f"set to {one.said or 'nothing'}", act)
        case "owner":
            return _owner(drop_id, one)
        case "free":
            return _free(drop_id, one)
        case "holds":
            return _hold(drop_id, one)
        case "orders":
            return _record(drop_id, one)
        case "order in SQL":
            return _other_state(drop_id, one)
        case "unknown to SQL":
            return _orphan(drop_id, one, claimed)
        case "unknown to Redis":
            return _own(drop_id, one)
        case "lost":
            return Remedy(one, f"run haoka rebuild {drop_id}")
        case "doubted":
            return Remedy(one, "the journal contradicts itself here: a person must decide")
    return Remedy(one, "a person must decide")


def _owner(drop_id: str, one: Difference) -> Remedy:
    """The mark of who has a number: as the journal says, when neither SQL nor another record speaks against it."""
    number, said, found = one.about, one.said or "", one.found or ""
    if why := _spoken_for(drop_id, number, said):
        return Remedy(one, why)
    if found and mending.has(drop_id, found, number):
        return Remedy(
            one, f"two owners: {said or 'nobody'} in the journal, {found} in Redis: a person must decide"
        )
    act = partial(mending.mend, drop_id, one.lot, "owner", number, found, said)
    return Remedy(one, f"given to {said}" if said else "free", act)


def _free(drop_id: str, one: Difference) -> Remedy:
    owner = mending.owner(drop_id, one.about)
    if one.said is None and not owner:
        return Remedy(one, "nobody has it in Redis, though the journal says so: see its owner")
    if one.said is not None and (why := _spoken_for(drop_id, one.about, "")):
        return Remedy(one, why)
    if one.said is not None and owner:
        return Remedy(one, f"free in the journal, but {owner} has it: see its owner")
    act = partial(mending.mend, drop_id, one.lot, "free", one.about)
    return Remedy(one, "free" if one.said is not None else f"not free: {owner} has it", act)


def _spoken_for(drop_id: str, number: str, mark: str) -> str:
    """Why a number must not be given to this owner (none: made free); empty when nothing speaks against it."""
    order = _live_order_of(number)
    if order is not None and not mark:
        return f"live order {order.id} of SQL has it, so it is never freed: a person must decide"
    if order is not None and mark[2:] != order.id:
        return f"two owners: {mark} in the journal, live order {order.id} in SQL: a person must decide"
    if not mark and not mending.is_stock(drop_id, number):
        return "SQL does not have it as unsold stock of this drop: a person must decide"
    return ""


def _hold(drop_id: str, one: Difference) -> Remedy:
    """A hold's record: its state as in the journal; one that was lost ends, since nobody can claim it any more."""
    if one.said is None:
        return Remedy(one, "the journal does not know this hold: a person must decide")
    number, state, sku, account, person = one.said.split("\t")
    if one.found is None:
        if state != "held":
            return Remedy(one, "it was over; a repeated call will not be answered any more")
        if why := _spoken_for(drop_id, number, ""):
            return Remedy(one, why)
        lapse = partial(
            mending.mend, drop_id, one.lot, "lapse", one.about, number, sku, account, person
        )  # fmt: skip
        return Remedy(one, "ended: its record was lost, the number is free", lapse)
    return _state(drop_id, one, "hold")


def _record(drop_id: str, one: Difference) -> Remedy:
    if one.said is None:
        return Remedy(one, "the journal does not know this order: a person must decide")
    if one.found is None:
        number, state, *_ = one.said.split("\t")
        order = _order(one.about)
        if order is None or order.number != number or not order.live or state == "returned":
            return Remedy(one, "SQL has no such live order: a person must decide")
        return Remedy(one, "written anew from SQL", partial(mending.record, drop_id, _live(order, state)))
    return _state(drop_id, one, "order")


def _state(drop_id: str, one: Difference, what: str) -> Remedy:
    said, found = (one.said or "").split("\t"), (one.found or "").split("\t")
    if said[0] != found[0] or said[2:] != found[2:]:
        return Remedy(one, "another number, SKU or person: a person must decide")
    act = partial(mending.mend, drop_id, one.lot, "state", what, one.about, found[1], said[1])
    return Remedy(one, f"set to {said[1]}", act)


def _other_state(drop_id: str, one: Difference) -> Remedy:
    """SQL and Redis tell the state of one order differently: Redis follows, where that takes nobody's number."""
    order = _order(one.about)
    match one.found, one.said:
        case "paid", "ordered" if order:
            return Remedy(one, "settled", partial(_settle, drop_id, order.id, order.number))
        case "returned", _:
            return Remedy(one, "its number is given back", partial(_let_go, one.about))
        case _, "returned":
            return _own(drop_id, one)
    return Remedy(one, "its number is theirs for good, but SQL knows no money: a person must decide")


def _own(drop_id: str, one: Difference) -> Remedy:
    """A live order of SQL that Redis does not have: the number is its own, if nobody else has it."""
    order = _order(one.about)
    if order is None or not order.live:
        return Remedy(one, "it is over in SQL by now: look again")
    if owner := mending.owner(drop_id, order.number):
        return Remedy(one, f"two owners: {owner} has {order.number} in Redis: a person must decide")
    if not mending.is_free(drop_id, order.number):
        return Remedy(one, f"{order.number} is not free in Redis: a person must decide")
    act = partial(mending.own, drop_id, _live(order, in_redis(order)))
    return Remedy(one, f"number {order.number} is taken from the free ones and given to it", act)


def _orphan(drop_id: str, one: Difference, claimed: dict[str, bool]) -> Remedy:
    """A claim that never became an order goes the way of orphans.tick: voided in SQL first."""
    number, age = one.said or "", settings().orphan_seconds
    with reading() as session:
        fate = session.scalar(select(Claim.fate).where(Claim.order_id == one.about))
    if fate == claims.PLACED:
        return Remedy(one, "its claim was placed, but the order is gone: a person must decide")
    if other := _live_order_of(number):
        return Remedy(one, f"two owners: live order {other.id} has {number} in SQL: a person must decide")
    if one.about not in claimed:
        return Remedy(one, "paid in Redis without an order: a person must decide")
    if not claimed[one.about]:
        return Remedy(
            one, f"claimed less than {age} s ago: its order may yet come, else it is given back by itself"
        )
    return Remedy(one, "voided, its number is free", partial(_void, drop_id, one.about, number))


def _settle(drop_id: str, order_id: str, number: str) -> bool:
    try:
        holds.settle(drop_id, order_id, number)
    except Lapsed:
        return False
    return True


def _let_go(order_id: str) -> bool:
    reversing.let_go(order_id)
    return True


def _void(drop_id: str, order_id: str, number: str) -> bool:
    return claims.void(drop_id, order_id, number) == claims.VOIDED


def _order(order_id: str) -> Order | None:
    with reading() as session:
        return session.get(Order, order_id)


def _live_order_of(number: str) -> Order | None:
    with reading() as session:
        return session.scalar(select(Order).where(Order.number == number, Order.live))


def _live(order: Order, state: str) -> LiveOrder:
    return LiveOrder(
        order=order.id, number=order.number, account=order.account, state=state, person=order.id_index,
        offer=order.offer_id, sku=order.sku, hold=order.hold_id,
    )  # fmt: skip
