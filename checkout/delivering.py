"""What a courier's scan means for the order: shipped, the door code, delivered, activated, or on its way back."""

from collections.abc import Callable
from contextlib import suppress

from sqlalchemy import update
from sqlalchemy.orm import Session

from checkout import contracts, moves, orders
from checkout.models import Order, Payment
from inventory import numbers
from kyc import sms
from logistics import parcels
from logistics.scans import ScanNews
from runtime import clock, outbox
from runtime.db import writing
from runtime.facts import N_, WrongMove
from runtime.log import log

COURIER = "courier"
DOOR_CODE_LASTS = 24 * 3600  # seconds an SMS with a door code is worth sending
REMARKS = {
    "in_transit": N_("On its way."),
    "out_for_delivery": N_("The courier is on the way to you."),
    "attempt_failed": N_("The courier could not reach you and will try again."),
    "returning": N_("The parcel is on its way back to us."),
    "lost": N_("The parcel is lost; we are looking into it."),
    "damaged": N_("The parcel is damaged; we are looking into it."),
}


def scanned(session: Session, news: ScanNews) -> None:
    """Act on one scan. Scans come in any order: each one first takes the order as far as it implies."""
    order = session.get(Order, news.order_id)
    if order is None:
        log.error("scan.unknown_order", order=news.order_id, status=news.status)
        return
    if order.state == "packed":
        moves.move(session, order, "shipped", actor=COURIER, note=N_("Handed to the courier."))
    if news.status in REMARKS:
        moves.remark(session, order, REMARKS[news.status], actor=COURIER)
    if act := _ACTS.get(news.status):
        act(session, order)


def new_door_code(order_id: str, account: str) -> None:
    """Send the shopper a new door code; the old one dies. Raises NotFound, WrongMove when none is needed."""
    with writing() as session:
        order = orders.find(session, order_id, account)
        if order.state not in ("packed", "shipped", "delivered"):
            raise WrongMove(state=order.state, wanted="door_code")
        _send_door_code(session, order)
        moves.remark(session, order, N_("A new door code was sent."), actor=account)


def activate(order_id: str, *, actor: str, reason: str) -> Order:
    """Staff checked the ID of a parcel that was left unchecked: the number works from now. Raises WrongMove."""
    with writing() as session:
        order = orders.find(session, order_id)
        _activate(session, order, actor=actor, note=reason)
    return order


def _out_for_delivery(session: Session, order: Order) -> None:
    if order.state == "shipped":
        with suppress(WrongMove):  # several scans came at once: the parcel needs no code any more
            _send_door_code(session, order)


def _send_door_code(session: Session, order: Order) -> None:
    code = parcels.door_code(session, order.id)
    sms.text(
        session,
        order.phone,
        f"【号卡】您的号卡正在派送。取件码 {code}，请核对证件后当面告诉快递员，勿转告他人。",
        lasts=DOOR_CODE_LASTS,
    )


def _delivered(session: Session, order: Order) -> None:
    _handed_over(session, order)
    if order.state == "delivered":
        _activate(session, order, actor=COURIER, note=N_("ID checked at the door; the number works."))


def _left_unchecked(session: Session, order: Order) -> None:
    if not _handed_over(session, order):
        return
    note = N_("Left without an ID check. The number stays inactive until the courier checks the ID.")
    moves.remark(session, order, note)
    sms.text(
        session,
        order.phone,
        "【号卡】您的包裹未核对证件即签收，号码尚未激活。请在订单页获取取件码，并联系快递员当面核对证件。",
    )


def _handed_over(session: Session, order: Order) -> bool:
    """Shipped becomes delivered, and cash was taken; False when it is not in shipped."""
    if order.state != "shipped":
        return False
    moves.move(session, order, "delivered", actor=COURIER, note=N_("Delivered."))
    if order.payment == "cod":
        _collected(session, order)
    return True


def _collected(session: Session, order: Order) -> None:
    at = clock.now()
    paid = session.scalars(
        update(Payment)
        .where(Payment.order_id == order.id, Payment.method == "cod", Payment.state == "pending")
        .values(state="succeeded", captured_fen=Payment.amount_fen, updated_at=at)
        .returning(Payment.id)
    ).one()
    session.execute(update(Order).where(Order.id == order.id).values(paid_at=at, payment_id=paid))
    session.refresh(order)
    moves.remark(session, order, N_("Cash collected by the courier."), actor=COURIER)


def _activate(session: Session, order: Order, *, actor: str, note: str) -> None:
    moves.move(session, order, "activated", actor=actor, note=note)
    numbers.activate(session, order.number)
    contracts.begin(session, order)
    sms.text(
        session, order.phone, f"【号卡】您的号码 {order.number[:3]}****{order.number[-4:]} 已激活，欢迎使用。"
    )


def _refused(session: Session, order: Order) -> None:
    if order.state == "shipped":
        moves.move(session, order, "refused", actor=COURIER, note=N_("Refused at the door."))
        outbox.add(session, "order.reverse", order.id)


def _id_mismatch(session: Session, order: Order) -> None:
    if order.state == "shipped":
        moves.move(
            session, order, "refused", actor=COURIER, note=N_("The ID shown at the door did not match.")
        )
        outbox.add(session, "order.reverse", order.id)


def _home_again(session: Session, order: Order) -> None:
    if order.state in ("shipped", "delivered"):
        moves.move(session, order, "returned", actor=COURIER, note=N_("Back in our warehouse."))
        outbox.add(session, "order.reverse", order.id)
    else:
        moves.remark(session, order, N_("Back in our warehouse."), actor=COURIER)


def _alarm(_session: Session, order: Order) -> None:
    log.error("parcel.needs_ops", order=order.id, state=order.state)


_ACTS: dict[str, Callable[[Session, Order], None]] = {
    "out_for_delivery": _out_for_delivery,
    "delivered": _delivered,
    "delivered_unverified": _left_unchecked,
    "refused": _refused,
    "id_mismatch": _id_mismatch,
    "returned_to_warehouse": _home_again,
    "lost": _alarm,
    "damaged": _alarm,
}
