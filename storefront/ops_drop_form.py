"""The form of a new drop: what can be chosen, and how what was typed becomes a drop with its offers."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from checkout import catalogue, offers
from inventory import drops, regions
from inventory.models import Drop, Number
from runtime import clock
from runtime.facts import N_, Invalid
from runtime.settings import settings
from storefront import i18n, shown
from storefront.forms import Form

_WHOLE = N_("Give a whole number of 1 or more.")
LABELS = {
    "name": N_("Name of the drop"),
    "id": N_("Short name for addresses"),
    "opens_at": N_("Opens (Beijing time)"),
    "closes_at": N_("Closes (Beijing time)"),
    "pool": N_("Pool"),
    "quota": N_("At most so many numbers"),
    "cities": N_("Cities"),
    "plans": N_("Number cards on these plans"),
    "limit_account": N_("Numbers an account"),
    "limit_person": N_("Numbers a person"),
    "hold_minutes": N_("Hold, minutes"),
    "pay_minutes": N_("Time to pay, minutes"),
    "reason": N_("Reason"),
}
_RENAMED = {"hold_seconds": "hold_minutes", "pay_seconds": "pay_minutes"}


def fresh() -> Form:
    """What an empty form proposes: tomorrow at ten, the shop's usual rules."""
    tomorrow = clock.now().astimezone(clock.SHANGHAI) + timedelta(days=1)
    return {
        "opens_at": tomorrow.strftime("%Y-%m-%dT10:00"),
        "limit_account": "1",
        "limit_person": "1",
        "hold_minutes": str(settings().hold_seconds // 60),
        "pay_minutes": str(settings().pay_seconds // 60),
        "cod": "1",
    }


def choices(session: Session) -> dict[str, Any]:
    """Pools with what is free in them, cities, plans for cards, handsets with their contract rows."""
    free = (
        select(Number.pool, func.count())
        .where(Number.state == "available")
        .group_by(Number.pool)
        .order_by(Number.pool)
    )
    known = catalogue.current(session)
    named = {plan.code: shown.name_of(plan) for plan in known.plans}
    bundles = [
        (
            sku.code,
            shown.sku_name(known, sku),
            [
                (
                    f"{row.plan}:{row.months}",
                    i18n.gettext("%(plan)s, %(months)s months")
                    % {"plan": named[row.plan], "months": row.months},
                )
                for row in known.policies_of(sku.handset)
            ],
        )
        for sku in sorted(known.sku.values(), key=lambda one: one.code)
    ]
    return {
        "pools": [(pool, count) for pool, count in session.execute(free)],
        "cities": [(code, shown.city_name(code)) for code in regions.CITIES],
        "plans": [(plan.code, named[plan.code]) for plan in known.plans if plan.topup_fen > 0],
        "bundles": bundles,
        "labels": {name: i18n.gettext(label) for name, label in LABELS.items()},
    }


def create(session: Session, form: Form, *, actor: str) -> Drop:
    """The drop as a draft, with its offers. Raises Invalid with a sentence for each field of the form."""
    errors: dict[str, str] = {}
    numbers = {
        name: _whole(form, name, errors)
        for name in ("limit_account", "limit_person", "hold_minutes", "pay_minutes", "quota")
    }
    opens_at = _shanghai(form, "opens_at", errors)
    if opens_at is None and "opens_at" not in errors:
        errors["opens_at"] = N_("Say when it opens.")
    bundles = _bundles(form, errors)
    cards = [name.removeprefix("plan_") for name in form if name.startswith("plan_")]
    if not cards and not bundles:
        errors["plans"] = N_("Choose at least one plan or handset.")
    if len(form.get("reason", "").strip()) < 3:
        errors["reason"] = N_("Say why, in a few words.")
    closes_at = _shanghai(form, "closes_at", errors)
    if errors or opens_at is None:
        raise Invalid(**errors)
    try:
        drop = drops.create(
            session,
            id=form.get("id", "").strip(),
            name=form.get("name", ""),
            opens_at=opens_at,
            closes_at=closes_at,
            pool=form.get("pool", ""),
            cities=[name.removeprefix("city_") for name in form if name.startswith("city_")],
            limit_account=numbers["limit_account"] or 1,
            limit_person=numbers["limit_person"] or 1,
            hold_seconds=(numbers["hold_minutes"] or 15) * 60,
            pay_seconds=(numbers["pay_minutes"] or 30) * 60,
            quota=numbers["quota"],
            skus={sku: units for sku, (_, _, units) in bundles.items()} or None,
            cod="cod" in form,
            grades=(1, 2, 3, 4, 5, 6, 9) if "beautiful" in form else (9,),
            actor=actor,
            reason=form["reason"].strip()[:400],
        )
    except Invalid as wrong:
        raise Invalid(**{_RENAMED.get(name, name): text for name, text in wrong.errors.items()}) from None
    for position, plan in enumerate(cards):
        offers.add(session, id=f"{drop.id}.{plan}"[:40], drop_id=drop.id, plan_id=plan, position=position)
    for position, (sku, (plan, months, _)) in enumerate(bundles.items(), len(cards)):
        offers.add(
            session, id=f"{drop.id}.{sku.lower()}"[:40], drop_id=drop.id, plan_id=plan, sku=sku, months=months,
            position=position,
        )  # fmt: skip
    return drop


def _bundles(form: Form, errors: dict[str, str]) -> dict[str, tuple[str, int, int]]:
    """SKU -> plan, months, units."""
    out: dict[str, tuple[str, int, int]] = {}
    for name, value in form.items():
        if name.startswith("terms_") and value:
            sku = name.removeprefix("terms_")
            plan, _, months = value.rpartition(":")
            units = _whole(form, f"units_{sku}", errors)
            if units is None or not (months.isdecimal() and len(months) <= 3):
                errors.setdefault(f"units_{sku}", _WHOLE)
            else:
                out[sku] = (plan, int(months), units)
    return out


def _whole(form: Form, name: str, errors: dict[str, str]) -> int | None:
    text = form.get(name, "").replace(",", "").strip()
    if not text:
        return None
    # Seven digits: as minutes in seconds that still fits a column.
    if not (text.isascii() and text.isdigit() and len(text) < 8 and int(text) > 0):
        errors[name] = _WHOLE
        return None
    return int(text)


def _shanghai(form: Form, name: str, errors: dict[str, str]) -> datetime | None:
    """A time as typed in a datetime-local field, in Asia/Shanghai."""
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        given = datetime.fromisoformat(text).replace(tzinfo=clock.SHANGHAI)
        if 2000 <= given.year < 2200:  # far beyond lie times that UTC has no date for
            return given
    except ValueError:
        pass
    errors[name] = N_("Give date and time, such as 2026-12-01 10:00.")
    return None
