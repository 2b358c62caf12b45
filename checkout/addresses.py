"""What the courier is told about an order: where it goes and what it is worth."""

import msgspec

from checkout import prices
from checkout.models import Order
from logistics.parcels import Receiver


def receiver(order: Order) -> Receiver:
    """Where the parcel goes."""
    return msgspec.json.decode(order.receiver, type=Receiver)


def insured_fen(order: Order) -> int:
    """Declared value in fen: the package price of a handset, nothing for a bare card."""
    return prices.thaw(order.price).package_fen
