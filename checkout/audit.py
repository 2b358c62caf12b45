"""The audit of a drop: Redis, its journal and SQL must tell one story about every number, order and payment."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from checkout.models import Claim, Order, OrderEvent, Payment, Refund
from checkout.moves import OVER
from inventory import audit as stock
from inventory.audit import MOST as MOST
from inventory.differences import Difference as Difference
from inventory.models import Drop
from kyc.models import IdQuota, Person
from runtime import outbox
from runtime.db import reading
from runtime.outbox import OutboxRow

# From here on an order has an account on its number, so its buyer must be verified.
_NEEDS_PERSON = frozenset(
    {"allocated", "account_opened", "packed", "shipped", "delivered", "activated", "completed"}
)
_PAID = frozenset({"paid", *_NEEDS_PERSON})
_STOPPED = ("cancel_requested", "refused", "returned")
_IN = 500  # values in one IN (...)

Say = Callable[[str], None]


@dataclass(frozen=True)
class AuditReport:
    """What was counted, and every difference found; none is what everybody wants."""

    lines: list[str]
    found: list[Difference]

    @property
    def clean(self) -> bool:
        return not self.found

    @property
    def differences(self) -> list[str]:
        """In words, at most MOST and a line that says how many more."""
        told = [one.text for one in self.found[:MOST]]
        return told if len(self.found) <= MOST else [*told, f"and {len(self.found) - MOST} more differences"]


def audit(drop_id: str, say: Say = lambda _: None) -> AuditReport:
    """Compare everything that is known about a drop; `say` hears how far it is. Reads only, and may be run at any
    time, over a busy drop too: what SQL is asked in one statement it answers of one moment, and an order that is
    told differently by SQL and Redis is looked at again before it is called a difference.

    Raises NotFound, Unavailable."""
    with reading() as session:
        told, states, live = {}, Counter[str](), 0
        for order_id, number, state, word in session.execute(_orders(Order.drop_id == drop_id)):
            told[order_id] = (number, word)
            states[state] += 1
            live += word not in ("returned", "leaving")
        say(f"SQL: {len(told):,} orders read")
        found = [
            Difference(text)
            for check in (_numbers, _claims, _histories, _money, _quota, _people)
            for text in check(session, drop_id)
        ]
        dead = len(outbox.dead(session))
        say("SQL: orders, histories, money and quota checked")
    if dead:
        found.append(Difference(f"outbox: {dead} dead letters wait for ops"))
    counted = stock.journal_audit(drop_id, told, look_again=_look_again, say=say)
    lines = [
        *counted.lines,
        f"orders: {len(told)} in all, {live} live",
        *(f"orders {state}: {count}" for state, count in sorted(states.items())),
    ]
    return AuditReport(lines, [*counted.found, *found])


def in_redis(order: Order) -> str:
    """What Redis should say of an order: paid, ordered, or returned."""
    if not order.live:
        return "returned"
    settled = order.paid_at is not None or order.state in _PAID
    return "paid" if settled else "ordered"


def _orders(which: ColumnElement[bool]) -> Select[Any]:
    """Each order's number, state, and its word in inventory.audit.AGREES."""
    letting_go = exists().where(
        OutboxRow.ref == Order.id, OutboxRow.job == "order.let_go", OutboxRow.state == "due"
    )
    word = case(
        (and_(~Order.live, letting_go), "leaving"),
        (~Order.live, "returned"),
        (or_(Order.paid_at.is_not(None), Order.state.in_(_PAID)), "paid"),
        (exists().where(Payment.order_id == Order.id), "paying"),
        else_="ordered",
    )
    return select(Order.id, Order.number, Order.state, word).where(which)


def _look_again(order_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    wanted, told = sorted(order_ids), {}
    with reading() as session:
        for start in range(0, len(wanted), _IN):
            query = _orders(Order.id.in_(wanted[start : start + _IN]))
            for order_id, number, _, word in session.execute(query):
                told[order_id] = (number, word)
    return told


def _numbers(session: Session, drop_id: str) -> Iterator[str]:
    mine = select(Order.number).where(Order.drop_id == drop_id, Order.live)
    twice = (
        select(Order.number)
        .where(Order.live, Order.number.in_(mine))
        .group_by(Order.number)
        .having(func.count() > 1)
    )
    for number in session.scalars(twice):
        yield f"number {number}: more than one live order"


def _claims(session: Session, drop_id: str) -> Iterator[str]:
    over = Order.state.in_(OVER)
    rows = session.execute(
        select(Order.id, Order.live, Order.state, Claim.fate)
        .outerjoin(Claim, Claim.order_id == Order.id)
        .where(Order.drop_id == drop_id)
        .where(
            or_(Claim.fate.is_(None), Claim.fate != "placed", and_(Order.live, over), ~or_(Order.live, over))
        )
        .order_by(Order.id)
    )
    for order_id, live, state, fate in rows:
        if fate != "placed":
            yield f"order {order_id}: no claim says it was placed"
        if live == (state in OVER):
            yield f"order {order_id}: live={live} in state {state}"
    # A claim does not know its drop: those older than the drop are not its.
    made = session.scalar(select(Drop.created_at).where(Drop.id == drop_id))
    ghosts = (
        select(Claim.order_id)
        .outerjoin(Order, Order.id == Claim.order_id)
        .where(Claim.fate == "placed", Order.id.is_(None), Claim.at >= made)
    )
    for order_id in session.scalars(ghosts.order_by(Claim.order_id)):
        yield f"claim {order_id}: placed, but there is no order"


def _histories(session: Session, drop_id: str) -> Iterator[str]:
    """Every order's events form one chain that ends in its state."""
    earlier = aliased(OrderEvent)
    newest = select(earlier.to_state).where(earlier.order_id == Order.id).order_by(earlier.id.desc()).limit(1)
    before = func.coalesce(newest.where(earlier.id < OrderEvent.id).scalar_subquery(), "created")
    torn = session.execute(
        select(OrderEvent.order_id, before, OrderEvent.from_state)
        .join(Order, Order.id == OrderEvent.order_id)
        .where(Order.drop_id == drop_id, OrderEvent.from_state != before)
        .order_by(OrderEvent.id)
    )
    for order_id, was, to in torn:
        yield f"order {order_id}: its history jumps from {was} to {to}"
    end = func.coalesce(newest.scalar_subquery(), "nothing")
    ends = select(Order.id, Order.state, end).where(Order.drop_id == drop_id, Order.state != end)
    for order_id, state, found in session.execute(ends.order_by(Order.id)):
        yield f"order {order_id}: state {state}, its history ends in {found}"


def _money(session: Session, drop_id: str) -> Iterator[str]:
    """Each paid order has exactly one payment of its exact amount; what ended was refunded whole."""
    one = aliased(Payment)
    its_own = exists().where(
        one.id == Order.payment_id, one.order_id == Order.id, one.state == "succeeded",
        one.captured_fen == Order.due_now_fen, one.currency == "cny",
    )  # fmt: skip
    other = exists().where(
        one.order_id == Order.id, one.state.in_(("succeeded", "refunded", "late")),
        or_(one.id != func.coalesce(Order.payment_id, ""), ~Order.state.in_(_PAID)),
    )  # fmt: skip
    unpaid = and_(Order.state.in_(_PAID), ~its_own)
    rows = session.execute(
        select(
            *(Order.id, Order.state, Order.payment, Order.paid_at.is_not(None).label("has_paid")),
            *(
                Order.payment_id,
                Order.due_now_fen,
                Payment.id.label("one"),
                Payment.state.label("of_payment"),
            ),
            *(Payment.captured_fen, Payment.currency),
            *(Refund.state.label("of_refund"), Refund.amount_fen),
        )
        .outerjoin(Payment, Payment.order_id == Order.id)
        .outerjoin(Refund, Refund.payment_id == Payment.id)
        .where(Order.drop_id == drop_id, or_(unpaid, other))  # all others are as they should be
        .order_by(Order.id, Payment.id)
    )
    for _, group in groupby(rows, key=lambda row: row.id):
        yield from _money_of(list(group))


def _money_of(payments: Sequence[Any]) -> Iterator[str]:
    """Of one order, a row a payment; one row without a payment where it has none."""
    order = payments[0]
    kept = [one for one in payments if one.of_payment == "succeeded"]
    collects = order.payment == "cod" and not order.has_paid
    if order.state in _PAID and not collects:
        if [one.one for one in kept] != [order.payment_id]:
            yield f"order {order.id}: {len(kept)} payments for a paid order"
        elif (kept[0].captured_fen, kept[0].currency) != (order.due_now_fen, "cny"):
            yield f"order {order.id}: {kept[0].captured_fen} fen paid, {order.due_now_fen} due"
    elif order.state not in ("reversing", "refunding", "refund_failed", *_STOPPED) and kept:
        yield f"order {order.id}: money kept in state {order.state}"
    for one in payments:
        back = one.amount_fen if one.of_refund == "succeeded" else None
        if one.of_payment == "refunded" and back != one.captured_fen:
            yield f"payment {one.one}: {back or 0} of {one.captured_fen} fen refunded"
        elif one.of_payment == "late" and one.of_refund == "failed":
            yield f"payment {one.one}: late money was not sent back"


def _quota(session: Session, drop_id: str) -> Iterator[str]:
    """Each ID's quota counts its live orders, of all drops."""
    other = aliased(Order)
    used = func.coalesce(IdQuota.used, 0)
    live = (
        select(func.count())
        .where(other.id_index == Order.id_index, other.live)
        .correlate(Order)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Order.id_index, used, live)
        .outerjoin(IdQuota, IdQuota.person_index == Order.id_index)
        .where(Order.drop_id == drop_id, used != live)
        .distinct()
        .order_by(Order.id_index)
    )
    for index, quota, count in rows:
        yield f"ID {index[:8]}: quota {quota}, live orders {count}"


def _people(session: Session, drop_id: str) -> Iterator[str]:
    verified = and_(Person.state.in_(("verified", "erased")), Person.id_index == Order.id_index)
    rows = session.scalars(
        select(Order.id)
        .outerjoin(Person, and_(Person.id == Order.person_id, verified))
        .where(Order.drop_id == drop_id, Order.state.in_(_NEEDS_PERSON), Person.id.is_(None))
        .order_by(Order.id)
    )
    for order_id in rows:
        yield f"order {order_id}: prepared for a person who is not verified"
