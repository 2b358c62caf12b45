"""What a drop sells: number cards on a plan, and handsets with plan and term."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout import catalogue
from checkout.catalogue_shape import Catalogue
from checkout.models import Offer
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
    """Put an offer into a drop, on the terms of the newest catalogue: a card, or with `sku` and `months` a bundle.
    Adding it again changes nothing.

    Raises NotFound for a plan, sku or contract that is not there, Invalid for a card without a price."""
    version = catalogue.newest(session)
    terms = terms_of(catalogue.at(session, version), version, drop_id, plan_id, sku, months)
    row = {
        "id": id,
        "drop_id": drop_id,
        "kind": terms.kind,
        "position": position,
        "plan_id": plan_id,
        "sku_code": sku or None,
        "terms": msgspec.to_builtins(terms),
    }
    insert_new(session, Offer, [row])
    return find(session, id)


def terms_of(
    known: Catalogue, version: int, drop_id: str, plan_id: str, sku: str = "", months: int = 0
) -> OfferFacts:
    """What an offer of that catalogue is, and what its price depends on. Raises as `add` does."""
    plan = known.plan.get(plan_id)
    if plan is None:
        raise NotFound(N_("There is no such plan."))
    given: dict[str, Any] = {"kind": "card", "topup_fen": plan.topup_fen}
    if sku:
        one = known.sku.get(sku)
        if one is None:
            raise NotFound(N_("There is no such handset."))
        handset, policy = known.handset[one.handset], catalogue.policy(known, one.handset, plan_id, months)
        given = {
            "kind": "bundle", "handset": handset.code, "months": months, "policy": policy.kind,
            "model_zh": handset.zh, "model_en": handset.en, "swatch": one.swatch, "shape": handset.shape,
            "variant_zh": f"{one.storage_gb}GB {one.colour_zh}", "variant_en": f"{one.storage_gb} GB {one.colour_en}",
            "handset_zh": f"{handset.zh} {one.storage_gb}GB {one.colour_zh}",
            "handset_en": f"{handset.en} {one.storage_gb} GB {one.colour_en}",
            "handset_fen": policy.price_fen, "prestore_fen": policy.prestore_fen, "return_fen": policy.return_fen,
            "penalty_months": policy.penalty_months,
        }  # fmt: skip
    elif plan.topup_fen <= 0:
        raise Invalid(
            plan_id=N_("A card on this plan would cost nothing; choose a plan with a first credit.")
        )
    mine = tuple(
        promotion
        for promotion in known.promotion.values()
        if (not promotion.plans or plan_id in promotion.plans)
        and (not promotion.handsets or given.get("handset") in promotion.handsets)
        and (not promotion.terms or months in promotion.terms)
    )
    return OfferFacts(
        drop_id=drop_id, plan_zh=plan.zh, plan_en=plan.en, fee_fen=plan.fee_fen, plan=plan.code,
        minutes=plan.minutes, data_mb=plan.data_mb, texts=plan.texts, first_months=plan.first_months,
        minute_unit_fen=plan.minute_unit_fen, mb_unit_fen=plan.mb_unit_fen, text_unit_fen=plan.text_unit_fen,
        promotions=mine, catalogue=version, **given,
    )  # fmt: skip


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
    _facts.clear()


_on_sale: dict[str, OnSale] = {}
_facts: dict[str, OfferFacts] = {}


def facts(offer: Offer) -> OfferFacts:
    """What it is, and what its price depends on. Kept in memory: nothing of an offer ever changes."""
    known = _facts.get(offer.id)
    if known is None:
        known = _facts[offer.id] = msgspec.convert(offer.terms, OfferFacts)
    return known
