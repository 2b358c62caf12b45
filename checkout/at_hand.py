"""What is known of many requests at once, laid out before each is checked: a handful of questions for all."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from checkout import claims
from checkout.asked import Asked, named
from checkout.models import Claim, Offer, Order
from inventory import holds, numbers
from inventory.holds import Hold
from inventory.models import Drop, Number
from kyc import people
from kyc.people import Buyer
from logistics import couriers
from logistics.models import Courier


@dataclass(frozen=True)
class Before:
    """What SQL has of keys and holds from before: orders by their id, claims given back, orders of holds."""

    digests: dict[str, str]
    voided: set[str]
    of_hold: dict[str, str]


@dataclass(frozen=True)
class AtHand:
    """What the check of a request needs, by the id the request names; people by account."""

    holds: dict[str, Hold]
    people: dict[str, Buyer]
    drops: dict[str, Drop]
    offers: dict[str, Offer]
    numbers: dict[str, Number]
    couriers: list[Courier]


def before(session: Session, asked: Sequence[Asked]) -> Before:
    """Were these keys or holds here before?"""
    ids = {one.order_id for one in asked}
    orders = session.execute(
        select(Order.id, Order.hold_id, Order.request_digest).where(
            or_(Order.id.in_(ids), Order.hold_id.in_({one.hold_id for one in asked}))
        )
    ).all()
    fates = select(Claim.order_id).where(Claim.order_id.in_(ids), Claim.fate == claims.VOIDED)
    return Before(
        digests={order_id: digest for order_id, _, digest in orders},
        voided=set(session.scalars(fates)),
        of_hold={hold_id: order_id for order_id, hold_id, _ in orders},
    )


def at_hand(session: Session, asked: Sequence[Asked]) -> AtHand:
    """Read it. Raises Unavailable when Redis does not answer."""
    held = holds.find_many({one.hold_id for one in asked})
    mine = [hold for one in asked if (hold := held.get(one.hold_id)) and hold.account == one.account]
    unnamed = {one.account for one in asked if not named(one.request)}
    drops = session.scalars(select(Drop).where(Drop.id.in_({hold.drop for hold in mine})))
    offers = session.scalars(select(Offer).where(Offer.id.in_({hold.offer for hold in mine})))
    return AtHand(
        holds=held,
        people=people.verified(session, unnamed) if unnamed else {},
        drops={drop.id: drop for drop in drops},
        offers={offer.id: offer for offer in offers},
        numbers=numbers.facts_of_many(session, {hold.number for hold in mine}),
        couriers=couriers.listing(session),
    )
