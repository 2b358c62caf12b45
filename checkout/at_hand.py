"""What is known of many requests at once, laid out before each is checked: a handful of questions for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import literal, select, union_all
from sqlalchemy.orm import Session

from checkout import claims, offers
from checkout.asked import Asked, named
from checkout.models import Claim, Order
from checkout.offers import OnSale
from inventory import holds, numbers
from inventory.holds import Hold
from inventory.models import Drop
from kyc import people
from kyc.people import Buyer
from logistics import couriers
from runtime.db import among, table


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
    drops: dict[str, Any]  # id, cod, pay_seconds, shadow_of, hold_seconds
    offers: dict[str, OnSale]
    numbers: dict[str, Any]
    couriers: Sequence[Any]
    ordered: set[str]  # accounts with a live order; asked for only where a promotion is for who has none


def before(session: Session, asked: Sequence[Asked]) -> Before:
    """Were these keys or holds here before?"""
    ids = [one.order_id for one in asked]
    found = session.execute(_BEFORE, {"ids": ids, "holds": [one.hold_id for one in asked]}).all()
    return Before(
        digests={order_id: digest for order_id, hold_id, digest in found if hold_id},
        voided={order_id for order_id, hold_id, _ in found if not hold_id},
        of_hold={hold_id: order_id for order_id, hold_id, _ in found if hold_id},
    )


def at_hand(session: Session, asked: Sequence[Asked]) -> AtHand:
    """Read it. Raises Unavailable when Redis does not answer."""
    held = holds.find_many({one.hold_id for one in asked})
    mine = [hold for one in asked if (hold := held.get(one.hold_id)) and hold.account == one.account]
    drops = session.execute(_DROPS, {"ids": list({hold.drop for hold in mine})})
    on_sale = offers.on_sale(session, {hold.offer for hold in mine})
    welcoming = {
        id
        for id, offer in on_sale.items()
        if any(promotion.audience == "first_order" for promotion in offer.facts.promotions)
    }
    newcomers = {hold.account for hold in mine if hold.offer in welcoming}
    return AtHand(
        holds=held,
        people=people.verified(session, {one.account for one in asked if not named(one.request)}),
        drops={drop.id: drop for drop in drops},
        offers=on_sale,
        numbers=numbers.facts_of_many(session, {hold.number for hold in mine}),
        couriers=couriers.reach(session),
        ordered=set(session.scalars(_ORDERED, {"accounts": list(newcomers)})) if newcomers else set(),
    )


_ORDER, _CLAIM, _DROP = table(Order).c, table(Claim).c, table(Drop).c
_KNOWN = select(_ORDER.id, _ORDER.hold_id, _ORDER.request_digest)
_BEFORE = union_all(
    _KNOWN.where(among(_ORDER.id, "ids")),
    _KNOWN.where(among(_ORDER.hold_id, "holds")),
    select(_CLAIM.order_id, literal(""), literal("")).where(
        among(_CLAIM.order_id, "ids"), _CLAIM.fate == claims.VOIDED
    ),
)
_ORDERED = select(_ORDER.account).where(among(_ORDER.account, "accounts"), _ORDER.live).distinct()
_DROPS = select(_DROP.id, _DROP.cod, _DROP.pay_seconds, _DROP.shadow_of, _DROP.hold_seconds).where(
    among(_DROP.id, "ids")
)
