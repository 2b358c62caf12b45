"""SQL's own books of a drop's orders: claims, histories, money, quotas and persons must agree with each other.

Each check is one statement, so it is true of one moment, and gives what is off in words; what is right never leaves
the database."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from checkout.models import Claim, Order, OrderEvent, Payment, Refund
from checkout.moves import OVER
from inventory.models import Drop
from kyc.models import IdQuota, Person

# From here on an order has an account on its number, so its buyer must be verified.
_NEEDS_PERSON = frozenset(
    {"allocated", "account_opened", "packed", "shipped", "delivered", "activated", "completed"}
)
PAID = frozenset({"paid", *_NEEDS_PERSON})  # an order's money is safe, or the courier collects it
_STOPPED = ("cancel_requested", "refused", "returned")


def differences(session: Session, drop_id: str) -> Iterator[str]:
    """What is off, in words. Another drop's orders are only looked at where they share a number or an ID."""
    for check in (_numbers, _claims, _histories, _money, _quota, _people):
        yield from check(session, drop_id)


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
        or_(one.id != func.coalesce(Order.payment_id, ""), ~Order.state.in_(PAID)),
    )  # fmt: skip
    unpaid = and_(Order.state.in_(PAID), ~its_own)
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
    if order.state in PAID and not collects:
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
