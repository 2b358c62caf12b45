"""A new drop, checked before it is written; and the record of what is done to drops."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory import regions
from inventory.lots import MOST
from inventory.models import Drop, DropAction, DropSku
from inventory.patterns import GRADES
from runtime import clock
from runtime.facts import N_, Invalid
from runtime.ids import new_id
from runtime.settings import settings


def create(
    session: Session,
    *,
    id: str,
    name: str,
    opens_at: datetime,
    closes_at: datetime | None = None,
    pool: str,
    cities: Sequence[str],
    limit_account: int = 1,
    limit_person: int = 1,
    hold_seconds: int | None = None,
    pay_seconds: int | None = None,
    quota: int | None = None,
    skus: dict[str, int] | None = None,
    cod: bool = True,
    grades: Sequence[int] = (9,),
    campaign: str | None = None,
    lots: int = 1,
    actor: str,
    reason: str = "",
) -> Drop:
    """A draft. Cities by code or name; `quota` at most so many numbers; beautiful ones only if `grades` says so.
    The limits hold over all rounds of a `campaign`; a drop hotter than one Redis core lies in several `lots`.

    Raises Invalid with a sentence for each field."""
    known = [regions.named(city) for city in cities]
    hold_seconds = settings().hold_seconds if hold_seconds is None else hold_seconds
    pay_seconds = settings().pay_seconds if pay_seconds is None else pay_seconds
    positive = N_("Give a whole number of 1 or more.")
    faults = {
        "id": "" if _fits(id) else N_("Use 1 to 60 letters, digits, dashes and underscores."),
        "name": "" if 0 < len(name.strip()) <= 120 else N_("Give the drop a name of at most 120 characters."),
        "pool": "" if pool.strip() else N_("Name the pool the numbers come from."),
        "cities": ""
        if known and None not in known
        else N_("Name at least one city we know, by code or name."),
        "closes_at": N_("The drop must close after it opens.") if closes_at and closes_at <= opens_at else "",
        "limit_account": "" if limit_account > 0 else positive,
        "limit_person": "" if limit_person > 0 else positive,
        "hold_seconds": "" if hold_seconds > 0 else positive,
        "pay_seconds": "" if pay_seconds > 0 else positive,
        "quota": "" if quota is None or quota > 0 else positive,
        "skus": "" if all(quantity > 0 for quantity in (skus or {}).values()) else positive,
        "campaign": _wrong_campaign(session, id, campaign, lots),
        "lots": "" if 1 <= lots <= MOST else N_("Give a whole number from 1 to 32."),
        "grades": "" if grades and set(grades) <= set(GRADES) else N_("Grades are 1 to 6 and 9."),
    }
    if not faults["id"] and _exists(session, id):
        faults["id"] = N_("There is a drop of this id already.")
    if lots > 1 and skus:
        # The units of a handset would be split too: one lot could run out while another has some left.
        faults["lots"] = N_("A drop with handsets lies in one lot; sell them in a round of their own.")
    if wrong := {name: sentence for name, sentence in faults.items() if sentence}:
        raise Invalid(**wrong)
    drop = Drop(
        id=id,
        name=name.strip(),
        pool=pool.strip(),
        cities=sorted({city.code for city in known if city}),
        grades=sorted(set(grades)),
        opens_at=opens_at,
        closes_at=closes_at,
        limit_account=limit_account,
        limit_person=limit_person,
        hold_seconds=hold_seconds,
        pay_seconds=pay_seconds,
        quota=quota,
        cod=cod,
        campaign=campaign or None,
        lots=lots,
        state="draft",
        created_at=clock.now(),
    )
    session.add(drop)
    session.add_all(DropSku(drop_id=id, sku=sku, quantity=n) for sku, n in (skus or {}).items())
    session.flush()
    note(session, drop, "create", actor, reason, {}, {"quota": quota, "skus": skus or {}})
    return drop


def note(
    session: Session,
    drop: Drop,
    action: str,
    actor: str,
    reason: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> None:
    """Write down who did what to a drop, and why."""
    session.add(
        DropAction(
            id=new_id("act"),
            drop_id=drop.id,
            action=action,
            actor=actor,
            reason=reason,
            before=before,
            after=after,
            at=clock.now(),
        )
    )


def _fits(drop_id: str) -> bool:
    plain = drop_id.replace("-", "").replace("_", "")
    return 0 < len(drop_id) <= 60 and plain.isascii() and plain.isalnum()


def _wrong_campaign(session: Session, drop_id: str, campaign: str | None, lots: int) -> str:
    if not campaign:
        return ""
    if not _fits(campaign):
        return N_("Use 1 to 60 letters, digits, dashes and underscores.")
    # A shopper's limits are counted in a home lot, which must be the same in every round.
    others = session.scalars(select(Drop.lots).where(Drop.campaign == campaign, Drop.id != drop_id)).all()
    if any(other != lots for other in others):
        return N_("All rounds of a campaign lie in the same number of lots.")
    return ""


def _exists(session: Session, drop_id: str) -> bool:
    return session.get(Drop, drop_id) is not None
