"""Refunds: a row first, then Stripe, once for each payment, however often it is asked for."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout import orders, stripe_api
from checkout.models import Order, Payment, Refund
from checkout.moves import move
from checkout.stripe_api import NotNow, PaymentsUnavailable, Repayment, StoredError
from runtime import clock, outbox
from runtime.bulk import insert_new
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import WrongMove
from runtime.ids import derived_id
from runtime.log import log

ASK_AGAIN = 20  # seconds until Stripe is asked again after it gave no answer
ARRIVES = 300  # seconds between looks at a refund that is on its way through the banks
_OVER = ("failed", "canceled")


def refund(order_id: str, actor: str, reason: str) -> Refund | None:
    """Give an order's money back whole. An order that is still going is undone first, and its money follows
    (then None is answered); one already undone gets its refund now, a failed one is tried again, also that of
    money which came too late for an order that was never paid.

    Raises NotFound, WrongMove for an order without money at Stripe (unpaid, cash on delivery) or beyond undoing,
    OnItsWay when a courier has the parcel."""
    with writing() as session:
        order = orders.find(session, order_id)
        payment = session.get(Payment, order.payment_id) if order.payment_id else _owed(session, order_id)
        if payment is None or payment.intent_id is None:
            raise WrongMove(state=order.state, wanted="refunding")
        found = _of_payment(session, payment.id)
        undone = payment.state == "late" or order.state in ("refunding", "refund_failed", "cancelled")
        if undone:
            found = _ask_for(session, order, payment, found, actor, reason)
    if not undone:
        orders.cancel(order_id, actor, reason)
    return found


def sent_back(session: Session, order_id: str) -> bool:
    """Did the bank refuse a refund of this order for good, so that a person must try again?"""
    failed = select(Refund.id).where(Refund.order_id == order_id, Refund.state == "failed")
    return session.scalar(failed.limit(1)) is not None


def request(session: Session, payment: Payment, amount_fen: int, *, actor: str, reason: str) -> bool:
    """Write the payment's refund and its work; False when there is one already."""
    refund_id = derived_id("ref", payment.id)
    new = _insert(session, refund_id, payment, amount_fen, actor, reason, "requested")
    if new:
        outbox.add(session, "refund.send", refund_id)
    return new


def note_foreign(session: Session, payment: Payment, amount_fen: int) -> bool:
    """Write down a refund that a person made at Stripe; False when the payment's refund is our own."""
    refund_id = derived_id("ref", payment.id)
    new = _insert(session, refund_id, payment, amount_fen, "stripe", "refunded at Stripe", "succeeded")
    if new:
        done = update(Payment).where(Payment.id == payment.id, Payment.state == "succeeded")
        session.execute(done.values(state="refunded", updated_at=clock.now()))
    return session.get_one(Refund, refund_id).actor == "stripe"


def of_order(session: Session, order_id: str) -> list[Refund]:
    """An order's refunds, oldest first."""
    return list(
        session.scalars(select(Refund).where(Refund.order_id == order_id).order_by(Refund.created_at))
    )


def send(refund_id: str) -> None:
    """Have Stripe send the money back, or learn that it was. Repeating it does nothing.

    It looks before it sends: a key older than a day, or one with a stored 500, must not be trusted alone."""
    with reading() as session:
        refund = session.get_one(Refund, refund_id)
        payment = session.get_one(Payment, refund.payment_id)
    if refund.state == "succeeded":
        _arrived(refund)
        return
    if refund.state == "failed" or payment.intent_id is None:
        return
    try:
        repaid = _known(payment.intent_id, refund) or _send(payment, refund)
    except PaymentsUnavailable as silence:
        raise outbox.NotYet(ASK_AGAIN) from silence
    _note(refund, repaid)


def follow(payment_id: str) -> None:
    """Stripe has news of a payment's refund: look at it, also when it seemed done (a bank may send it back)."""
    with reading() as session:
        refund = _of_payment(session, payment_id)
        payment = session.get_one(Payment, payment_id)
    if refund is None or payment.intent_id is None or refund.state == "failed":
        return
    known = next((r for r in stripe_api.refunds_of(payment.intent_id) if r.refund_id == _mark(refund)), None)
    if known is not None and not (refund.state == "requested" and known.status == "pending"):
        try:
            _note(refund, known)
        except outbox.NotYet:
            log.info("refund.pending", refund=refund.id)


def give_up(refund_id: str) -> None:
    """After the last try: the order says so, and ops may ask again."""
    with reading() as session:
        refund = session.get_one(Refund, refund_id)
    _failed(refund, "gave_up", ("requested", "pending"))


def _ask_for(
    session: Session, order: Order, payment: Payment, found: Refund | None, actor: str, reason: str
) -> Refund:
    """The refund of an undone order: a new one, the one there is, or another round of one that failed."""
    if order.state == "refund_failed":
        move(session, order, "refunding", actor=actor, note=reason)
    if found is None:
        request(session, payment, payment.captured_fen, actor=actor, reason=reason)
        return session.get_one(Refund, derived_id("ref", payment.id))
    if found.state == "failed":
        found.state, found.round, found.problem = "requested", found.round + 1, ""
        outbox.add(session, "refund.send", found.id)
    elif found.state == "succeeded" and order.state == "refunding":
        orders.refunded(session, order.id)
    return found


def _insert(
    session: Session, refund_id: str, payment: Payment, amount_fen: int, actor: str, reason: str, state: str
) -> bool:
    at = clock.now()
    row = {
        "id": refund_id, "order_id": payment.order_id, "payment_id": payment.id, "amount_fen": amount_fen,
        "reason": reason[:200], "actor": actor, "state": state, "round": 1, "problem": "", "created_at": at,
        "done_at": at if state == "succeeded" else None,
    }  # fmt: skip
    return bool(insert_new(session, Refund, [row]))


def _known(intent_id: str, refund: Refund) -> Repayment | None:
    """This refund as Stripe has it, or the one a person made there in its stead."""
    made = stripe_api.refunds_of(intent_id)
    own = next((r for r in made if r.refund_id == _mark(refund)), None)
    if own is not None:
        return own
    foreign = [r for r in made if r.status not in _OVER]
    return foreign[0] if sum(r.amount for r in foreign) >= refund.amount_fen else None


def _send(payment: Payment, refund: Refund) -> Repayment:
    assert payment.intent_id is not None
    key = f"refund-{payment.order_id}-{payment.attempt}" + (f"-{refund.round}" if refund.round > 1 else "")
    point("refund.sending")
    try:
        repaid = stripe_api.refund(
            payment.intent_id, refund_id=_mark(refund), amount_fen=refund.amount_fen, key=key
        )
    except StoredError:
        with writing() as session:
            session.execute(
                update(Refund)
                .where(Refund.id == refund.id, Refund.round == refund.round)
                .values(round=refund.round + 1)
            )
        raise
    except NotNow as refused:
        log.error("refund.refused", refund=refund.id, order=refund.order_id, code=str(refused))
        raise
    point("refund.sent")
    return repaid


def _note(refund: Refund, repaid: Repayment) -> None:
    if repaid.status in _OVER:
        _failed(refund, repaid.problem or repaid.status)
        return
    state = "succeeded" if repaid.status == "succeeded" else "pending"
    with writing() as session:
        session.execute(
            update(Refund)
            .where(Refund.id == refund.id, Refund.state.in_(("requested", "pending")))
            .values(
                state=state, stripe_refund_id=repaid.id, done_at=clock.now() if state == "succeeded" else None
            )
        )
    point("refund.noted")
    if state == "pending":
        raise outbox.NotYet(ARRIVES)
    _arrived(refund)


def _arrived(refund: Refund) -> None:
    with writing() as session:
        payment = session.get_one(Payment, refund.payment_id)
        payment.state, payment.updated_at = "refunded", clock.now()
        order = orders.find(session, refund.order_id)
        if order.payment_id == payment.id and order.state == "refunding":
            orders.refunded(session, order.id)


def _failed(
    refund: Refund, problem: str, was: tuple[str, ...] = ("requested", "pending", "succeeded")
) -> None:
    """A bank may send back what had succeeded; giving up can't undo what meanwhile did."""
    with writing() as session:
        failed = session.scalars(
            update(Refund)
            .where(Refund.id == refund.id, Refund.state.in_(was))
            .values(state="failed", problem=problem[:60])
            .returning(Refund.id)
        ).all()
        if not failed:
            return
        log.error("refund.failed", refund=refund.id, order=refund.order_id, problem=problem)
        order = orders.find(session, refund.order_id)
        if order.payment_id == refund.payment_id:
            orders.refund_failed(session, order.id, problem)


def _of_payment(session: Session, payment_id: str) -> Refund | None:
    return session.scalar(select(Refund).where(Refund.payment_id == payment_id))


def _owed(session: Session, order_id: str) -> Payment | None:
    """Money that came too late and whose refund failed."""
    return session.scalar(
        select(Payment)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(Payment.order_id == order_id, Payment.state == "late", Refund.state == "failed")
        .limit(1)
    )


def _mark(refund: Refund) -> str:
    return f"{refund.id}.{refund.round}"
