"""The audit of a drop: Redis, its journal and SQL must tell one story about every number, order and payment."""

from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, or_, select

from checkout import books
from checkout.books import PAID
from checkout.models import Order, Payment
from inventory import audit as stock
from inventory.audit import MOST as MOST
from inventory.audit import AuditReport as AuditReport
from inventory.differences import Difference as Difference
from runtime import outbox
from runtime.db import reading
from runtime.outbox import OutboxRow

_IN = 500  # values in one IN (...)

Say = Callable[[str], None]


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
        found = [Difference(text) for text in books.differences(session, drop_id)]
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
    settled = order.paid_at is not None or order.state in PAID
    return "paid" if settled else "ordered"


def _orders(which: ColumnElement[bool]) -> Select[Any]:
    """Each order's number, state, and its word in inventory.audit.AGREES."""
    letting_go = exists().where(
        OutboxRow.ref == Order.id, OutboxRow.job == "order.let_go", OutboxRow.state == "due"
    )
    word = case(
        (and_(~Order.live, letting_go), "leaving"),
        (~Order.live, "returned"),
        (or_(Order.paid_at.is_not(None), Order.state.in_(PAID)), "paid"),
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
