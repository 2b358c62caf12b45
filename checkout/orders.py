"""Orders as everybody else sees them: finding, paying, cancelling, and their timeline."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from checkout import moves
from checkout.asked import OrderRequest as OrderRequest
from checkout.models import Contract, Order, OrderEvent, Payment
from checkout.moves import MOVES as MOVES
from checkout.placing import KeyReused as KeyReused
from checkout.placing import place as place
from logistics import parcels
from runtime import clock, outbox
from runtime.db import writing
from runtime.facts import N_, Fact, NotFound, WrongMove
from runtime.ids import derived_id

STAFF = "ops:"  # actors whose name starts so are people of the shop


class NotSigned(Fact):
    """Money is taken after the contract is signed, never before."""

    code = "not_signed"
    text = N_("Please sign the contract first.")


class PaidTooLate(Fact):
    """The time to pay is over; the order is about to expire."""

    code = "paid_too_late"
    text = N_("The time to pay this order is over.")


class OnItsWay(WrongMove):
    """The parcel left the house; the courier was asked to bring it back."""

    text = N_("The parcel has already left. We asked the courier to bring it back; your money follows then.")


def find(session: Session, order_id: str, account: str | None = None) -> Order:
    """Raises NotFound, for another account's order too."""
    order = session.get(Order, order_id)
    if order is None or (account is not None and order.account != account):
        raise NotFound(N_("There is no such order."))
    return order


def of_account(session: Session, account: str, limit: int = 50) -> list[Order]:
    """A shopper's orders, newest first."""
    newest = select(Order).where(Order.account == account).order_by(Order.created_at.desc(), Order.id)
    return list(session.scalars(newest.limit(limit)))


def has_live(session: Session, account: str) -> bool:
    """Has the account an order that stands?"""
    return session.scalar(select(Order.id).where(Order.account == account, Order.live).limit(1)) is not None


def of_drop(session: Session, drop_id: str, *, state: str = "", limit: int = 100) -> list[Order]:
    """A drop's orders for ops, newest first."""
    query = select(Order).where(Order.drop_id == drop_id)
    if state:
        query = query.where(Order.state == state)
    return list(session.scalars(query.order_by(Order.created_at.desc(), Order.id).limit(limit)))


def counts(session: Session, drop_id: str) -> dict[str, int]:
    """How many orders of a drop are in each state."""
    query = select(Order.state, func.count()).where(Order.drop_id == drop_id).group_by(Order.state)
    return dict(session.execute(query).all())


def timeline(session: Session, order_id: str) -> list[OrderEvent]:
    """All that happened to an order, oldest first."""
    return list(
        session.scalars(select(OrderEvent).where(OrderEvent.order_id == order_id).order_by(OrderEvent.id))
    )


def payable(session: Session, order_id: str, account: str | None = None) -> Order:
    """The order, if it may be paid now. Raises NotFound, WrongMove, PaidTooLate, NotSigned.

    After pay_by no payment starts any more: so when expiry has voided what there was, nothing new comes."""
    order = find(session, order_id, account)
    if order.state != "awaiting_payment" or order.payment == "cod":
        raise WrongMove(state=order.state, wanted="paid")
    if order.pay_by is None or clock.now() >= order.pay_by:
        raise PaidTooLate
    if not signed(session, order_id):
        raise NotSigned
    return order


def signed(session: Session, order_id: str) -> bool:
    """Has the shopper signed the contract?"""
    state = session.scalar(select(Contract.state).where(Contract.order_id == order_id))
    return state in ("signed", "in_force")


def mark_paid(session: Session, order_id: str, payment_id: str) -> Order:
    """The whole amount is there. Raises WrongMove when the order does not wait for money."""
    order = find(session, order_id)
    moves.move(session, order, "paid", paid_at=clock.now(), payment_id=payment_id)
    outbox.add(session, "order.prepare", order_id)
    return order


def confirm_cod(session: Session, order: Order) -> None:
    """A signed order that is paid at the door goes to be prepared. Raises WrongMove."""
    moves.move(session, order, "cod_confirmed", note=N_("To be paid to the courier."))
    at = clock.now()
    session.add(
        Payment(
            id=derived_id("pay", order.id, "cod"),
            order_id=order.id,
            attempt=1,
            method="cod",
            state="pending",
            amount_fen=order.due_now_fen,
            ask_at=at,
            created_at=at,
            updated_at=at,
        )
    )
    outbox.add(session, "order.prepare", order.id)


def cancel(order_id: str, actor: str, reason: str, account: str | None = None) -> Order:
    """Ask for an order to be undone; number and money go back step by step in the background.

    Up to packing anybody may; a shipped order only staff (a lost parcel). Asked again: the same answer.
    Raises NotFound, WrongMove, and OnItsWay when a courier has the parcel: the recall it asked for stands."""
    with writing() as session:
        order = find(session, order_id, account)
        session.refresh(order, with_for_update=True)  # of two at once the second sees what the first did
        if order.state in ("cancel_requested", "reversing", "refunding", "cancelled"):
            return order
        if order.state == "shipped" and not actor.startswith(STAFF):
            raise OnItsWay(state=order.state)
        on_its_way = order.state == "packed" and not parcels.cancel(session, order_id)
        if on_its_way:
            moves.remark(session, order, N_("The courier was asked to bring the parcel back."), actor=actor)
        else:
            moves.move(session, order, "cancel_requested", actor=actor, note=reason)
            outbox.add(session, "order.reverse", order_id)
    if on_its_way:
        raise OnItsWay(state=order.state)
    return order


def refunded(session: Session, order_id: str) -> None:
    """The money is back with the shopper. Repeating it does nothing."""
    order = find(session, order_id)
    if order.state != "cancelled":
        moves.move(session, order, "cancelled", note=N_("The money was refunded."))


def refund_failed(session: Session, order_id: str, note: str) -> None:
    """The refund was refused for good; ops see it and try again with refunds.refund."""
    order = find(session, order_id)
    if order.state == "refunding":
        moves.move(session, order, "refund_failed", note=note)


def awaiting(session: Session, state: str, limit: int = 100) -> Sequence[str]:
    """Ids of orders in a state, oldest first."""
    return session.scalars(
        select(Order.id).where(Order.state == state).order_by(Order.updated_at).limit(limit)
    ).all()
