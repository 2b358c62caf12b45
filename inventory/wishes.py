"""What is wished of a claim, and what it is told."""

from dataclasses import dataclass

from inventory.facts import Lapsed, LimitReached, Ordered
from runtime.facts import Fact


@dataclass(frozen=True)
class Wish:
    """A hold that shall become an order's. `person` is a keyed digest of who buys; empty: as at the hold."""

    hold_id: str
    account: str
    order_id: str
    person: str = ""


@dataclass(frozen=True)
class Claimed:
    """What the order has. `epoch` is the life of the stock in which it got it: after a rebuild under another one
    an order that is not in SQL yet has nothing."""

    number: str
    offer: str
    sku: str
    epoch: str


def outcome(answer: list[str], epoch: str) -> Claimed | Fact:
    """An answer of claim.lua in words of ours."""
    match answer:
        case ["claimed", number, offer, sku]:
            return Claimed(number, offer, sku, epoch)
        case ["limit", whose]:
            return LimitReached(whose=whose)
        case ["ordered", other]:
            return Ordered(order_id=other)
    return Lapsed()
