"""The way of an order in seven steps, as its page draws it: done, now, still to come, or where it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from checkout.models import Contract, Order, OrderEvent
from logistics.models import Parcel
from storefront import words

_OVER = frozenset({"kyc_failed", "payment_expired", "cancelled", "refund_failed"})
_STEP_OF = {
    "created": 0,
    "awaiting_payment": 1,
    "paid": 2,
    "packed": 3,
    "shipped": 4,
    "delivered": 5,
    "activated": 6,
}


@dataclass(frozen=True)
class Line:
    at: datetime
    text: str
    place: str = ""


@dataclass(frozen=True)
class Step:
    """`state` is done, now, todo or bad; `lines` are the courier's scans under the step they belong to."""

    name: str
    state: str
    at: datetime | None
    lines: tuple[Line, ...] = ()


def of(
    order: Order, contract: Contract | None, events: Sequence[OrderEvent], parcel: Parcel | None
) -> list[Step]:
    """Cash is paid at the door, so there the third step is the signature."""
    reached: dict[int, datetime] = {0: order.created_at}
    for event in events:
        step = _STEP_OF.get(event.to_state)
        if step is not None and event.from_state != event.to_state:
            reached.setdefault(step, event.at)
    names = list(words.STEPS)
    if order.payment == "cod":
        names[2] = words.SIGNED_STEP
        if contract is not None and contract.signed_at:
            reached[2] = contract.signed_at
    last = max(reached)
    over = order.state in _OVER
    steps = []
    for index, name in enumerate(names):
        if index <= last:
            steps.append(Step(name, "done", reached.get(index), _scans(parcel) if index == 4 else ()))
        elif over:
            break
        else:
            steps.append(Step(name, "now" if index == last + 1 else "todo", None))
    if over:
        ended = max((event.at for event in events if event.to_state == order.state), default=order.updated_at)
        steps.append(Step(words.of(order.state).label, "bad", ended))
    return steps


def _scans(parcel: Parcel | None) -> tuple[Line, ...]:
    if parcel is None:
        return ()
    newest = sorted(parcel.scans, key=lambda scan: scan.at, reverse=True)
    return tuple(
        Line(scan.at, words.PARCEL.get(scan.state, words.PARCEL["in_transit"]), scan.place) for scan in newest
    )
