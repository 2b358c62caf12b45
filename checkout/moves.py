"""How an order moves: the one table of moves, each a conditional UPDATE with its event in one transaction."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from checkout.models import Order, OrderEvent
from inventory import drops
from kyc import quota
from runtime import clock, outbox
from runtime.facts import N_, WrongMove
from runtime.settings import settings

MOVES: dict[str, tuple[str, ...]] = {
    "created": ("awaiting_kyc", "awaiting_payment"),
    "awaiting_kyc": ("awaiting_payment", "kyc_failed", "cancel_requested"),
    "awaiting_payment": ("paid", "cod_confirmed", "payment_expired", "cancel_requested"),
    "paid": ("allocated", "cancel_requested"),
    "cod_confirmed": ("allocated", "cancel_requested"),
    "allocated": ("account_opened", "cancel_requested"),
    "account_opened": ("packed", "cancel_requested"),
    "packed": ("shipped", "cancel_requested"),
    "shipped": ("delivered", "refused", "returned", "cancel_requested"),
    "delivered": ("activated", "returned"),
    "activated": ("completed",),
    "completed": (),
    "cancel_requested": ("reversing",),
    "refused": ("reversing",),
    "returned": ("reversing",),
    "reversing": ("refunding", "cancelled"),
    "refunding": ("cancelled", "refund_failed"),
    "refund_failed": ("refunding",),
    "kyc_failed": (),
    "payment_expired": (),
    "cancelled": (),
}

# The number is no longer this order's: whoever moves here gives number and quota back in the same transaction.
OVER = frozenset({"kyc_failed", "payment_expired", "refunding", "refund_failed", "cancelled"})
PREPARED = ("allocated", "account_opened", "packed")

SHOP = "shop"  # the actor of moves nobody asked for by name


def move(
    session: Session, order: Order, to: str, *, actor: str = SHOP, note: str = "", **values: object
) -> None:
    """Move an order from the state it was read in, writing `values` with it. Raises WrongMove.

    The UPDATE asks for the old state, so of two that read the same state one loses here, before any of its
    other effects is committed. The first move into OVER also gives the quota back and, after the commit, the
    number: `live` is what makes that happen once."""
    was = order.state
    if to not in MOVES[was]:
        raise WrongMove(state=was, wanted=to)
    ends = order.live and to in OVER
    if ends:
        values["live"] = False
    moved = session.scalars(
        update(Order)
        .where(Order.id == order.id, Order.state == was)
        .values(state=to, updated_at=clock.now(), **values)
        .returning(Order.id)
        .execution_options(synchronize_session=False)
    ).all()
    if len(moved) != 1:
        raise WrongMove(state=was, wanted=to)
    record(session, order.id, was, to, actor, note)
    session.refresh(order)
    if ends:
        quota.give_back(session, order.id_index)
        outbox.add(session, "order.let_go", order.id)


def record(session: Session, order_id: str, was: str, to: str, actor: str, note: str) -> None:
    """A line of the timeline."""
    session.add(OrderEvent(**_line(order_id, was, to, actor, note), at=clock.now()))


def _line(order_id: str, was: str, to: str, actor: str, note: str) -> dict[str, Any]:
    return {"order_id": order_id, "from_state": was, "to_state": to, "actor": actor, "note": note[:200]}


def remark(session: Session, order: Order, note: str, *, actor: str = SHOP) -> None:
    """A line of the timeline that moves nothing."""
    record(session, order.id, order.state, order.state, actor, note)


def ready_to_pay(session: Session, order: Order, *, actor: str = SHOP) -> None:
    """The buyer is verified: the contract is drafted and the time to pay runs."""
    drop = drops.find(session, order.drop_id)
    move(
        session, order, "awaiting_payment", actor=actor, note=_READY, pay_by=pay_by(drop.pay_seconds, clock.now())
    )  # fmt: skip
    outbox.add(session, DRAFT, order.id)


def pay_by(seconds: int, at: datetime) -> datetime:
    """Until when an order of a drop may be paid; 0 seconds: as the settings say."""
    return at + timedelta(seconds=seconds or settings().pay_seconds)


def first(order_id: str, account: str, *, verified: bool) -> list[dict[str, Any]]:
    """The lines of a new order's timeline, inserted with it and its time; the last one has the order's state."""
    to, note = ("awaiting_payment", _READY) if verified else ("awaiting_kyc", _CHECKING)
    return [
        _line(order_id, "created", "created", account, N_("Order placed.")),
        _line(order_id, "created", to, SHOP, note),
    ]


DRAFT = "contract.draft"  # the work of an order that may be paid
_READY = N_("Identity verified. Please sign the contract and pay.")
_CHECKING = N_("We are checking the identity.")
