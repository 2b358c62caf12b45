"""What time alone does to orders: unpaid ones expire after Stripe was asked, activated ones are completed."""

from datetime import timedelta

from sqlalchemy import select, update

from checkout import moves, orders, payments
from checkout.models import Order
from runtime import clock, outbox
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import N_, WrongMove
from runtime.log import log

ASK_AGAIN = 20  # seconds until Stripe is asked again after it gave no answer
COMPLETE_AFTER = timedelta(days=7)  # from activation; until then ops look at complaints
_BATCH = 200


def tick() -> None:
    """Put every order past its time to pay on the way to expiry, once; complete what was activated long ago."""
    while _ask_for_expiry() == _BATCH:
        pass
    _complete()


def expire(order_id: str) -> None:
    """Expire an unpaid order, Stripe's word first. Repeating it does nothing.

    "void" means nothing can be paid any more: what there was is cancelled, and nothing new starts after pay_by
    (orders.payable). Paid meanwhile: the conditional move loses, and the order goes on as paid."""
    with reading() as session:
        order = orders.find(session, order_id)
    if order.state != "awaiting_payment" or order.pay_by is None or order.pay_by > clock.now():
        return
    verdict = payments.settle_or_void(order_id)
    if verdict == "unknown":
        raise outbox.NotYet(ASK_AGAIN)
    if verdict == "paid":
        return
    point("expiry.voided")
    try:
        with writing() as session:
            order = orders.find(session, order_id)
            moves.move(
                session, order, "payment_expired", note=N_("Not paid in time; the number was given back.")
            )
    except WrongMove as crossed:
        log.info("expiry.crossed", order=order_id, state=crossed.details.get("state"))


def _ask_for_expiry() -> int:
    """Claim a batch of orders past pay_by and write their work, in one transaction."""
    late = (
        select(Order.id)
        .where(
            Order.state == "awaiting_payment", Order.pay_by <= clock.now(), Order.expiry_asked_at.is_(None)
        )
        .order_by(Order.pay_by)
        .limit(_BATCH)
    )
    with reading() as session:
        ids = session.scalars(late).all()
    if not ids:
        return 0
    with writing() as session:
        claimed = session.scalars(
            update(Order)
            .where(Order.id.in_(ids), Order.expiry_asked_at.is_(None))
            .values(expiry_asked_at=clock.now())
            .returning(Order.id)
            .execution_options(synchronize_session=False)
        ).all()
        for order_id in claimed:
            outbox.add(session, "order.expire", order_id)
    return len(ids)


def _complete() -> None:
    old = select(Order).where(Order.state == "activated", Order.updated_at <= clock.now() - COMPLETE_AFTER)
    with reading() as session:
        ids = [order.id for order in session.scalars(old.limit(_BATCH))]
    for order_id in ids:
        with writing() as session:
            order = orders.find(session, order_id)
            if order.state == "activated":
                moves.move(session, order, "completed")
