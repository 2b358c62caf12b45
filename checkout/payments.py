"""Paying an order at Stripe: one open attempt at a time, and only Stripe's own word makes an order paid."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout import orders, settling, stripe_api
from checkout.models import Order, Payment
from checkout.orders import NotSigned as NotSigned
from checkout.orders import PaidTooLate as PaidTooLate
from checkout.stripe_api import Intent, NotNow, Refused, StoredError
from checkout.stripe_api import PaymentDeclined as PaymentDeclined
from checkout.stripe_api import PaymentsUnavailable as PaymentsUnavailable
from runtime import clock, outbox
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import N_, Invalid, WrongMove
from runtime.ids import new_id
from runtime.log import log
from runtime.settings import settings

METHODS = ("card", "alipay", "wechat_pay")
ASK_FIRST, ASK_LAST = timedelta(seconds=60), timedelta(minutes=10)  # the poller's shortest and longest wait
_BATCH = 100


class AlreadyPaying(WrongMove):
    """Money for this order is taken or under way; a second payment could only be charged twice."""

    text = N_("This order is being paid already. Please wait for the confirmation.")


@dataclass(frozen=True)
class PaymentStart:
    """What the browser needs: secret and publishable key for Stripe.js, or the wallet's address."""

    intent_id: str
    client_secret: str
    publishable_key: str
    redirect_url: str | None
    payment_id: str = ""

    def __repr__(self) -> str:
        return f"PaymentStart({self.intent_id})"


def start(order_id: str, method: str, return_url: str) -> PaymentStart:
    """Start, or go on, paying an order. The same method again gives the same intent; another one first ends the
    attempt before, and is refused when that one can't be ended any more.

    Raises NotFound, WrongMove, PaidTooLate, NotSigned, AlreadyPaying, PaymentDeclined, PaymentsUnavailable."""
    if method not in METHODS:
        raise Invalid(method=N_("Choose card, alipay or wechat_pay."))
    for _ in range(5):
        with reading() as session:
            orders.payable(session, order_id)
            current = of_order(session, order_id)
        if current is None:
            current = _begin(order_id, method)
            if current is None:
                continue  # another tab was faster; go on with its attempt
        state = reconcile(current.id)
        if state in ("processing", "authorised", "succeeded"):
            raise AlreadyPaying(state=state, wanted="pending")
        if current.method == method and _payment(current.id).problem == "refused":
            raise PaymentDeclined(reason="refused")
        if state == "pending" and current.method != method:
            state = settling.end(_payment(current.id), "method_changed")
            if state in ("processing", "authorised", "succeeded"):
                raise AlreadyPaying(state=state, wanted="cancelled")
        elif state == "pending" and (started := _started(current.id, return_url)):
            return started
    raise PaymentsUnavailable


def of_order(session: Session, order_id: str) -> Payment | None:
    """The order's attempt that is open or that paid it."""
    return session.scalar(
        select(Payment).where(
            Payment.order_id == order_id,
            Payment.method.in_(METHODS),
            Payment.state.in_((*settling.OPEN, "succeeded")),
        )
    )


def returned(order_id: str) -> None:
    """The browser came back from paying: ask Stripe now, for the page; webhook and poller come anyway."""
    with reading() as session:
        current = of_order(session, order_id)
    if current is not None and current.state != "succeeded":
        try:
            reconcile(current.id)
        except PaymentsUnavailable:
            log.info("payment.return_unanswered", order=order_id)


def reconcile(payment_id: str) -> str:
    """Ask Stripe how a payment stands and act by its answer; gives the payment's state.

    Safe to run anywhere, any number of times, at once. Raises PaymentsUnavailable."""
    payment = _payment(payment_id)
    if payment.method == "cod":
        return payment.state
    if payment.intent_id is None:
        if payment.state != "created" or not _adopt(payment):
            return _payment(payment_id).state
        payment = _payment(payment_id)
    assert payment.intent_id is not None
    try:
        return settling.act(payment, stripe_api.retrieve(payment.intent_id))
    except NotNow as refused:
        raise PaymentsUnavailable from refused


def settle_or_void(order_id: str) -> str:
    """ "paid", "void" (nothing can become money any more) or "unknown" (ask again later), after asking Stripe.

    Called before an unpaid order's number is given back. An attempt that can be ended is ended."""
    with writing() as session:
        # Behind this lock a start that was under way has written its row, and no new one passes orders.payable.
        session.scalar(select(Order.id).where(Order.id == order_id).with_for_update())
        current = of_order(session, order_id)
    if current is not None and current.state in settling.OPEN:
        try:
            state = reconcile(current.id)
            if state == "pending":
                state = settling.end(_payment(current.id), "expired")
        except PaymentsUnavailable:
            return "unknown"
        if state in settling.OPEN:
            return "unknown"
    with reading() as session:
        return "paid" if orders.find(session, order_id).payment_id else "void"


def tick() -> None:
    """Have Stripe asked about payments that have been open for a while: webhooks get lost. The asking is a
    worker's, since a slow Stripe must not keep the clock from ending holds."""
    due = select(Payment.id, Payment.ask_at, Payment.created_at).where(
        Payment.state.in_(settling.OPEN), Payment.method.in_(METHODS), Payment.ask_at <= clock.now()
    )
    with reading() as session:
        rows = session.execute(due.order_by(Payment.ask_at).limit(_BATCH)).all()
    for payment_id, ask_at, created_at in rows:
        wait = min(max(clock.now() - created_at, ASK_FIRST), ASK_LAST)
        claim = update(Payment).where(Payment.id == payment_id, Payment.ask_at == ask_at)
        with writing() as session:
            # Of two clocks that saw the row one claims it.
            if session.scalar(claim.values(ask_at=clock.now() + wait).returning(Payment.id)):
                outbox.add(session, "payment.ask", payment_id)


def ask(payment_id: str) -> None:
    """One question of the poller's: without an answer its next turn asks again."""
    try:
        reconcile(payment_id)
    except PaymentsUnavailable:
        log.warning("payment.unanswered", payment=payment_id)


def _begin(order_id: str, method: str) -> Payment | None:
    """The row of a new attempt, before Stripe hears of it; None when another attempt is open."""
    at = clock.now()
    try:
        with writing() as session:
            session.scalar(select(Order.id).where(Order.id == order_id).with_for_update())
            order = orders.payable(session, order_id)
            last = session.scalar(select(func.max(Payment.attempt)).where(Payment.order_id == order_id))
            payment = Payment(
                id=new_id("pay"),
                order_id=order_id,
                attempt=(last or 0) + 1,
                method=method,
                state="created",
                amount_fen=order.due_now_fen,
                minted_at=at,
                ask_at=at + ASK_FIRST,
                created_at=at,
                updated_at=at,
            )
            session.add(payment)
            order.payment = method
            session.flush()
    except IntegrityError:
        return None
    point("payment.begun")
    return payment


def _adopt(payment: Payment) -> bool:
    """Give a payment its intent: by its key, or by looking when Stripe may have forgotten the key. False: there
    is none, and the attempt has failed."""
    assert payment.minted_at is not None
    intent: Intent | None
    problem = "not_created"
    try:
        if clock.now() - payment.minted_at >= timedelta(hours=stripe_api.KEY_HOURS):
            intent = stripe_api.find_intent(payment.id, payment.minted_at)
        else:
            intent = stripe_api.create_intent(
                amount_fen=payment.amount_fen,
                method=payment.method,
                order_id=payment.order_id,
                payment_id=payment.id,
                key=f"{payment.order_id}-{payment.attempt}",
            )
    except StoredError:
        intent = stripe_api.find_intent(payment.id, payment.minted_at)
    except Refused:
        intent, problem = None, "refused"
    point("payment.created")
    made = {"state": "failed", "problem": problem}
    if intent is not None:
        made = {"state": "pending", "intent_id": intent.id, "client_secret": intent.client_secret}
    with writing() as session:
        session.execute(
            update(Payment)
            .where(Payment.id == payment.id, Payment.state == "created")
            .values(**made, updated_at=clock.now())
        )
    point("payment.stored")
    return intent is not None


def _started(payment_id: str, return_url: str) -> PaymentStart | None:
    """The pending attempt as the browser needs it; None when it was ended just now."""
    payment = _payment(payment_id)
    if payment.intent_id is None or payment.client_secret is None:
        return None
    url = payment.redirect_url
    if payment.method != "card" and url is None:
        try:
            intent = stripe_api.confirm_wallet(payment.intent_id, payment.method, return_url)
        except NotNow:
            return None
        point("payment.confirmed")
        settling.act(payment, intent)
        url = intent.redirect_url
    return PaymentStart(
        payment.intent_id, payment.client_secret, settings().stripe_publishable_key, url, payment.id
    )


def _payment(payment_id: str) -> Payment:
    with reading() as session:
        return session.get_one(Payment, payment_id)
