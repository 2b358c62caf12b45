"""Undoing an order: units back, number cooling, contract ended, money back, and the number let go in Redis."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout import moves, orders, payments, refunds
from checkout.models import Contract, Order, OrderEvent, Payment
from inventory import holds, numbers, units
from runtime import clock, outbox
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import N_

ASK_AGAIN = 20  # seconds until Stripe is asked again after it gave no answer
STARTS = ("cancel_requested", "refused", "returned")


def reverse(order_id: str) -> None:
    """Take a cancelled, refused or returned order to its end. Run again, it goes on where it stopped."""
    with reading() as session:
        order = orders.find(session, order_id)
    if order.state in STARTS:
        # Nobody can start a payment in this state; what was started before is voided, or its money sent back.
        if order.paid_at is None and payments.settle_or_void(order_id) == "unknown":
            raise outbox.NotYet(ASK_AGAIN)
        with writing() as session:
            order = orders.find(session, order_id)
            if order.state in STARTS:
                moves.move(session, order, "reversing")
        point("order.reversing")
    if order.state == "reversing":
        with writing() as session:
            order = orders.find(session, order_id)
            if order.state == "reversing":
                _undo(session, order)
        point("order.reversed")
    if order.state == "refunding":
        _send_money_back(order)


def let_go(order_id: str) -> None:
    """Give the number of an ended order back in Redis: to cooling where an account was opened on it, else free.

    Runs after the commit that ended the order; Redis knows the order by its id, so again changes nothing."""
    with reading() as session:
        order = orders.find(session, order_id)
        opened = went_through(session, order_id, "account_opened")
    if not order.live:
        holds.give_back(order.drop_id, order_id, order.number, to="cooling" if opened else "free")
        point("order.let_go")


def went_through(session: Session, order_id: str, state: str) -> bool:
    """Was the order ever in that state?"""
    once = select(OrderEvent.id).where(OrderEvent.order_id == order_id, OrderEvent.to_state == state)
    return session.scalar(once.limit(1)) is not None


def _undo(session: Session, order: Order) -> None:
    """All that one transaction can take back; what money there was is refunded after it."""
    opened = went_through(session, order.id, "account_opened")
    if went_through(session, order.id, "shipped"):
        units.inspect(session, order.id)
    else:
        units.release(session, order.id, withdrawn=opened)
    if opened:
        numbers.cool(session, order.number)
    session.execute(update(Contract).where(Contract.order_id == order.id).values(state="ended"))
    session.execute(
        update(Payment)
        .where(Payment.order_id == order.id, Payment.method == "cod", Payment.state == "pending")
        .values(state="cancelled", updated_at=clock.now())
    )
    if order.paid_at is None:
        moves.move(session, order, "cancelled", note=N_("Undone; there was no money to send back."))
    else:
        moves.move(session, order, "refunding", note=N_("Undone; the money is on its way back."))


def _send_money_back(order: Order) -> None:
    if order.payment != "cod":
        refunds.refund(order.id, moves.SHOP, _reason(order.id))
        return
    with writing() as session:  # there is no way back for cash but by hand
        orders.refund_failed(session, order.id, N_("Cash was collected; it is paid back by hand."))


def _reason(order_id: str) -> str:
    with reading() as session:
        for event in orders.timeline(session, order_id):
            if event.to_state in STARTS:
                return event.note or event.to_state
    return "reversed"
