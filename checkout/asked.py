"""A request for an order as it came, and what its key makes of it."""

from dataclasses import dataclass

import msgspec

from logistics.parcels import Receiver
from runtime.crypto import digest
from runtime.facts import N_, Invalid
from runtime.ids import derived_id


@dataclass(frozen=True)
class OrderRequest:
    """What the shopper fills in. Name and ID number both empty: the account's verified person buys.

    Its repr shows nothing of it."""

    name: str
    id_number: str
    receiver: Receiver
    payment: str
    first_month: str = ""  # "" for the plan's usual way
    extras: tuple[str, ...] = ()  # promotions' codes
    due_now_fen: int | None = None  # as the shopper was shown it; None: whatever it is

    def __repr__(self) -> str:
        return f"OrderRequest(payment={self.payment!r})"


@dataclass(frozen=True, repr=False)
class Asked:
    """A request with its key. The key makes the order's id; `digest` is of all that must come with it again."""

    account: str
    phone: str
    hold_id: str
    key: str
    request: OrderRequest
    order_id: str
    digest: str


def read(*, account: str, phone: str, hold_id: str, key: str, request: OrderRequest) -> Asked:
    """Raises Invalid when the key is none."""
    if not 1 <= len(key) <= 200:
        raise Invalid(**{"Idempotency-Key": N_("Send an Idempotency-Key of 1 to 200 characters.")})
    said = [hold_id, phone, request.name, request.id_number, request.receiver, request.payment]
    if request.first_month or request.extras:
        said.append([request.first_month, *sorted(request.extras)])
    whole = msgspec.json.encode(said)
    order_id = derived_id("ord", account, key)
    return Asked(account, phone, hold_id, key, request, order_id, digest("order", whole.decode()))


def named(request: OrderRequest) -> bool:
    """Does the request name its buyer? With one field filled in it does, and the other is a mistake."""
    return bool(request.name.strip() or request.id_number.strip())
