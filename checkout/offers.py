"""What a drop sells: number cards on a plan, and handsets with plan and term."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout import catalogue
from checkout.models import HandsetSku, Offer, Plan
from checkout.prices import OfferFacts
from runtime.bulk import insert_new
from runtime.facts import N_, Invalid, NotFound


def add(
    session: Session,
    *,
    id: str,
    drop_id: str,
    plan_id: str,
    sku: str = "",
    months: int = 0,
    position: int = 0,
) -> Offer:
    """Put an offer into a drop: a card, or with `sku` and `months` a bundle. Adding it again changes nothing.

    Raises NotFound for a plan, sku or contract row that is not there, Invalid for a card without a price."""
    plan = session.get(Plan, plan_id)
    if plan is None:
        raise NotFound(N_("There is no such plan."))
    policy = None
    if sku:
        handset = session.get(HandsetSku, sku)
        if handset is None:
            raise NotFound(N_("There is no such handset."))
        policy = catalogue.policy(session, handset.handset_id, plan_id, months)
    elif plan.topup_fen <= 0:
        raise Invalid(
            plan_id=N_("A card on this plan would cost nothing; choose a plan with a first credit.")
        )
    insert_new(
        session,
        Offer,
        [
            {
                "id": id,
                "drop_id": drop_id,
                "kind": "bundle" if sku else "card",
                "position": position,
                "plan_id": plan_id,
                "sku_code": sku or None,
                "policy_id": policy.id if policy else None,
            }
        ],
    )
    return find(session, id)


def of_drop(session: Session, drop_id: str) -> list[Offer]:
    """The offers of a drop in the order they are shown."""
    return list(
        session.scalars(select(Offer).where(Offer.drop_id == drop_id).order_by(Offer.position, Offer.id))
    )


def find(session: Session, offer_id: str) -> Offer:
    """Raises NotFound."""
    found = session.get(Offer, offer_id)
    if found is None:
        raise NotFound(N_("There is no such offer."))
    return found


@dataclass(frozen=True)
class OnSale:
    """An offer without its rows: what it is, and what its price depends on."""

    id: str
    kind: str
    sku: str
    facts: OfferFacts


def on_sale(session: Session, ids: Collection[str]) -> dict[str, OnSale]:
    """Those that are there. They are kept in memory: nothing of an offer ever changes."""
    if new := [one for one in ids if one not in _on_sale]:
        for offer in session.scalars(select(Offer).where(Offer.id.in_(new))):
            _on_sale[offer.id] = OnSale(offer.id, offer.kind, offer.sku_code or "", facts(offer))
    return {one: _on_sale[one] for one in ids if one in _on_sale}


def forget() -> None:
    """Forget the offers in memory; tests that make others under the same ids call it."""
    _on_sale.clear()


_on_sale: dict[str, OnSale] = {}


def facts(offer: Offer) -> OfferFacts:
    """What the price depends on."""
    plan, policy, sku = offer.plan, offer.policy, offer.sku
    return OfferFacts(
        kind=offer.kind,
        drop_id=offer.drop_id,
        plan_zh=plan.name_zh,
        plan_en=plan.name_en,
        fee_fen=plan.monthly_fen,
        topup_fen=0 if policy else plan.topup_fen,
        handset_zh=sku.name_zh if sku else "",
        handset_en=sku.name_en if sku else "",
        months=policy.months if policy else 0,
        handset_fen=policy.handset_fen if policy else 0,
        prestore_fen=policy.prestore_fen if policy else 0,
        return_fen=policy.return_fen if policy else 0,
    )
