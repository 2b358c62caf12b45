"""The audit of a drop: Redis, its journal and SQL must tell one story about every number, order and payment."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from checkout.models import Claim, Order, OrderEvent, Payment, Refund
from checkout.moves import OVER
from inventory import audit as stock
from kyc.models import IdQuota, Person
from runtime import outbox
from runtime.db import reading

# From here on an order has an account on its number, so its buyer must be verified.
_NEEDS_PERSON = frozenset(
    {"allocated", "account_opened", "packed", "shipped", "delivered", "activated", "completed"}
)
_PAID = frozenset({"paid", *_NEEDS_PERSON})


@dataclass(frozen=True)
class AuditReport:
    """What was counted, and every difference found; none is what everybody wants."""

    lines: list[str]
    differences: list[str]

    @property
    def clean(self) -> bool:
        return not self.differences


def audit(drop_id: str) -> AuditReport:
    """Compare everything that is known about a drop. Reads only; may be run at any time.

    An order placed while it runs can look like a difference; run it again before believing one."""
    with reading() as session:
        orders = list(session.scalars(select(Order).where(Order.drop_id == drop_id).order_by(Order.id)))
        differences = [
            *_numbers(session, drop_id),
            *_claims(session, orders),
            *_histories(session, drop_id, orders),
            *_money(session, drop_id, orders),
            *_quota(session, orders),
            *_people(session, orders),
        ]
        dead = len(outbox.dead(session))
    if dead:
        differences.append(f"outbox: {dead} dead letters wait for ops")
    told = {order.id: (order.number, in_redis(order)) for order in orders}
    counted = stock.journal_audit(drop_id, told)
    live = sum(order.live for order in orders)
    lines = [
        *counted.lines,
        f"orders: {len(orders)} in all, {live} live",
        *(f"orders {state}: {count}" for state, count in sorted(Counter(o.state for o in orders).items())),
    ]
    return AuditReport(lines, [*counted.differences, *differences])


def in_redis(order: Order) -> str:
    """What Redis should say of an order: paid, ordered, or returned."""
    if not order.live:
        return "returned"
    settled = order.paid_at is not None or order.state in _PAID
    return "paid" if settled else "ordered"


def _numbers(session: Session, drop_id: str) -> Iterator[str]:
    twice = (
        select(Order.number)
        .where(Order.live)
        .group_by(Order.number)
        .having(func.count() > 1)
        .having(func.count(Order.id).filter(Order.drop_id == drop_id) > 0)
    )
    for number in session.scalars(twice):
        yield f"number {number}: more than one live order"


def _claims(session: Session, orders: list[Order]) -> Iterator[str]:
    placed = set(session.scalars(select(Claim.order_id).where(Claim.fate == "placed")))
    for order in orders:
        if order.id not in placed:
            yield f"order {order.id}: no claim says it was placed"
        if order.live == (order.state in OVER):
            yield f"order {order.id}: live={order.live} in state {order.state}"
    everywhere = set(session.scalars(select(Order.id)))
    for order_id in sorted(placed - everywhere):
        yield f"claim {order_id}: placed, but there is no order"


def _histories(session: Session, drop_id: str, orders: list[Order]) -> Iterator[str]:
    """Every order's events form one chain that ends in its state."""
    rows = session.execute(
        select(OrderEvent.order_id, OrderEvent.from_state, OrderEvent.to_state)
        .join(Order, Order.id == OrderEvent.order_id)
        .where(Order.drop_id == drop_id)
        .order_by(OrderEvent.id)
    )
    at: dict[str, str] = {}
    for order_id, was, to in rows:
        if at.setdefault(order_id, "created") != was:
            yield f"order {order_id}: its history jumps from {at[order_id]} to {was}"
        at[order_id] = to
    for order in orders:
        if at.get(order.id) != order.state:
            yield f"order {order.id}: state {order.state}, its history ends in {at.get(order.id)}"


def _money(session: Session, drop_id: str, orders: list[Order]) -> Iterator[str]:
    """Each paid order has exactly one payment of its exact amount; what ended was refunded whole."""
    payments: dict[str, list[Payment]] = defaultdict(list)
    for payment in session.scalars(
        select(Payment).join(Order, Order.id == Payment.order_id).where(Order.drop_id == drop_id)
    ):
        payments[payment.order_id].append(payment)
    done = select(Refund.payment_id, Refund.amount_fen).where(Refund.state == "succeeded")
    back = dict(session.execute(done).all())
    stuck = set(session.scalars(select(Refund.payment_id).where(Refund.state == "failed")))
    for order in orders:
        kept = [one for one in payments[order.id] if one.state == "succeeded"]
        collects = order.payment == "cod" and order.paid_at is None
        if order.state in _PAID and not collects:
            if [one.id for one in kept] != [order.payment_id]:
                yield f"order {order.id}: {len(kept)} payments for a paid order"
            elif (kept[0].captured_fen, kept[0].currency) != (order.due_now_fen, "cny"):
                yield f"order {order.id}: {kept[0].captured_fen} fen paid, {order.due_now_fen} due"
        elif order.state not in ("reversing", "refunding", "refund_failed", *_STOPPED) and kept:
            yield f"order {order.id}: money kept in state {order.state}"
        for one in payments[order.id]:
            if one.state == "refunded" and back.get(one.id) != one.captured_fen:
                yield f"payment {one.id}: {back.get(one.id, 0)} of {one.captured_fen} fen refunded"
            elif one.state == "late" and one.id in stuck:
                yield f"payment {one.id}: late money was not sent back"


_STOPPED = ("cancel_requested", "refused", "returned")


def _quota(session: Session, orders: list[Order]) -> Iterator[str]:
    """Each ID's quota counts its live orders, of all drops."""
    mine = {order.id_index for order in orders}
    live: Counter[str] = Counter(session.scalars(select(Order.id_index).where(Order.live)))
    used = dict(session.execute(select(IdQuota.person_index, IdQuota.used)).all())
    for index in sorted(mine):
        if used.get(index, 0) != live[index]:
            yield f"ID {index[:8]}: quota {used.get(index, 0)}, live orders {live[index]}"


def _people(session: Session, orders: list[Order]) -> Iterator[str]:
    needed = {order.person_id: order for order in orders if order.state in _NEEDS_PERSON}
    known = {
        person_id: (state, index)
        for person_id, state, index in session.execute(
            select(Person.id, Person.state, Person.id_index)
            .join(Order, Order.person_id == Person.id)
            .distinct()
        )
    }
    for person_id, order in sorted(needed.items()):
        if known.get(person_id) not in (("verified", order.id_index), ("erased", order.id_index)):
            yield f"order {order.id}: prepared for a person who is not verified"
