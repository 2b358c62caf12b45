"""What Stripe's state means for an order: capture, mark paid, end the attempt, or send late money back."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from checkout import moves, orders, refunds, stripe_api
from checkout.models import Order, Payment
from checkout.stripe_api import Intent, NotNow, PaymentDeclined, PaymentsUnavailable
from inventory import holds
from inventory.facts import Lapsed
from runtime import clock
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import N_, WrongMove
from runtime.log import log

OPEN = ("created", "pending", "processing", "authorised")  # may still become money
WAITS = {"processing": "processing"}  # Stripe's word -> ours; all other waiting words are pending


def act(payment: Payment, intent: Intent) -> str:
    """Bring order and payment to where the intent is; gives the payment's state. Repeating it does nothing.

    Stripe's state wins every race: whatever was meant when the intent was read, a refusal is read again.
    Raises PaymentsUnavailable."""
    if intent.status == "canceled":
        return _note(payment, "cancelled", intent.problem)
    if not _matches(payment, intent):
        return _mismatched(payment, intent)
    if intent.status == "requires_capture":
        return _capture(payment, intent)
    if intent.status == "succeeded":
        return _paid(payment, intent)
    state = WAITS.get(intent.status, "pending")
    return _note(payment, state, intent.problem, redirect_url=intent.redirect_url)


def end(payment: Payment, problem: str = "") -> str:
    """Cancel the attempt at Stripe, so that it can never become money; gives the state it came to instead."""
    assert payment.intent_id is not None
    point("payment.cancelling")
    try:
        intent = stripe_api.cancel(payment.intent_id)
    except NotNow:
        # Paid, captured or cancelled by somebody else in the meantime.
        intent = stripe_api.retrieve(payment.intent_id)
        if intent.status == "requires_capture":
            raise PaymentsUnavailable from None
        return act(payment, intent)
    point("payment.cancelled")
    return _note(payment, "cancelled", problem or intent.problem)


def _matches(payment: Payment, intent: Intent) -> bool:
    """Exactly the order's money, in the mode we sell in. What was received is judged once it is received."""
    received = intent.status != "succeeded" or intent.received == payment.amount_fen
    return (intent.amount, intent.currency, intent.livemode, received) == (
        payment.amount_fen,
        payment.currency,
        stripe_api.livemode(),
        True,
    )


def _mismatched(payment: Payment, intent: Intent) -> str:
    log.error(
        "payment.mismatch", payment=payment.id, order=payment.order_id, status=intent.status,
        amount=intent.amount, received=intent.received, currency=intent.currency, livemode=intent.livemode,
    )  # fmt: skip
    if intent.status == "succeeded":
        return _send_back(payment, intent, "mismatch")
    return "processing" if intent.status == "processing" else end(payment, "mismatch")


def _capture(payment: Payment, intent: Intent) -> str:
    """The card is authorised: make the number theirs for good, then take the money."""
    order = _order(payment)
    if order.state != "awaiting_payment":
        return end(payment, "too_late")
    _note(payment, "authorised")
    try:
        holds.settle(order.drop_id, order.id, order.number)
    except Lapsed:
        state = end(payment, "number_lost")
        _give_up(order)
        return state
    point("payment.settled")
    try:
        captured = stripe_api.capture(intent.id)
    except NotNow:
        # The other of browser return and webhook was faster, or a cancellation was.
        captured = stripe_api.retrieve(intent.id)
        if captured.status == "requires_capture":
            raise PaymentsUnavailable from None
        return act(payment, captured)
    except PaymentDeclined as declined:
        # The order goes on and may be paid otherwise.
        return end(payment, str(declined.details["reason"])[:60])
    point("payment.captured")
    return act(payment, captured)


def _paid(payment: Payment, intent: Intent) -> str:
    order = _order(payment)
    if order.state == "awaiting_payment":
        try:
            holds.settle(order.drop_id, order.id, order.number)
        except Lapsed:
            state = _send_back(payment, intent, "number_lost")
            _give_up(order)
            return state
        point("payment.paying")
        try:
            with writing() as session:
                if _change(session, payment, OPEN, "succeeded", captured_fen=intent.received):
                    orders.mark_paid(session, order.id, payment.id)
        except WrongMove:
            log.info("payment.crossed", payment=payment.id, order=order.id)  # cancelled in this moment
        else:
            point("payment.paid")
        order = _order(payment)
    if order.payment_id != payment.id:
        return _send_back(payment, intent, "too_late")
    if intent.refunded >= intent.received:
        _refunded_at_stripe(payment, intent)
    return _state(payment)


def _send_back(payment: Payment, intent: Intent, problem: str) -> str:
    """Money that no order can take any more: refunded once, whole, in one transaction with saying so."""
    with writing() as session:
        late = _change(
            session,
            payment,
            (*OPEN, "failed", "cancelled"),
            "late",
            problem=problem,
            captured_fen=intent.received,
        )
        if late:
            log.warning("payment.late", payment=payment.id, order=payment.order_id, problem=problem)
            refunds.request(session, payment, intent.received, actor=moves.SHOP, reason=problem)
    point("payment.sent_back")
    return _state(payment)


def _give_up(order: Order) -> None:
    """The number is not theirs any more though nobody ended the order: it can't be paid, so it ends here."""
    log.error("payment.number_lost", order=order.id, drop=order.drop_id)
    try:
        with writing() as session:
            found = orders.find(session, order.id)
            moves.move(session, found, "payment_expired", note=N_("The number was lost; no money is kept."))
    except WrongMove:
        log.info("payment.crossed", order=order.id)


def _refunded_at_stripe(payment: Payment, intent: Intent) -> None:
    """A person sent the money back in Stripe's own dashboard: the order is undone; a sent parcel asks for ops.

    Both halves are done again each time Stripe tells it: a process may have died between them."""
    with writing() as session:
        if not refunds.note_foreign(session, payment, intent.refunded):
            return
    log.error("payment.refunded_at_stripe", payment=payment.id, order=payment.order_id)
    try:
        orders.cancel(payment.order_id, "stripe", N_("Refunded at Stripe."))
    except WrongMove as refused:
        log.error("payment.refunded_but_sent", order=payment.order_id, state=refused.details.get("state"))


def _note(payment: Payment, state: str, problem: str = "", **values: Any) -> str:
    told: dict[str, Any] = {"state": state, "problem": problem, **values}
    if payment.state not in OPEN or all(getattr(payment, name) == value for name, value in told.items()):
        return payment.state  # the usual case: nothing new since the last time
    with writing() as session:
        _change(session, payment, OPEN, **told)
    return _state(payment)


def _change(session: Session, payment: Payment, was: tuple[str, ...], state: str, **values: Any) -> bool:
    """Only from these states: a late report of an earlier one finds no row and changes nothing."""
    if state in ("pending", "processing"):
        was = tuple(word for word in was if word != "authorised")
    changed = session.scalars(
        update(Payment)
        .where(Payment.id == payment.id, Payment.state.in_(was))
        .values(state=state, updated_at=clock.now(), **values)
        .returning(Payment.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(changed) == 1


def _state(payment: Payment) -> str:
    with reading() as session:
        return session.get_one(Payment, payment.id).state


def _order(payment: Payment) -> Order:
    with reading() as session:
        return orders.find(session, payment.order_id)
