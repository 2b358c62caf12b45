"""Stock moves into a drop before it opens, and what is unsold moves back when it is settled (SQL's side)."""

from typing import Any, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inventory import verbs
from inventory.models import Drop, DropSku, HandsetUnit, Number
from runtime import clock
from runtime.db import patient
from runtime.facts import N_, Invalid
from runtime.redis import asking

_IN = 500  # values in one IN (...)


def into(session: Session, drop: Drop) -> dict[str, int]:
    """Numbers of the drop's pool, cities and grades, lowest first, at most its quota, and its handsets.

    Raises Invalid(pool=...) without a single number, Invalid(skus=...) when handsets are missing."""
    patient(session)
    wanted = (
        select(Number.number)
        .where(Number.pool == drop.pool, Number.state == "available")
        .where(Number.city.in_(drop.cities), Number.grade.in_(drop.grades))
        .order_by(Number.number)
        .limit(drop.quota)
    )
    # The state is asked again outside: on PostgreSQL two drops may have chosen the same rows at once.
    moved = session.execute(
        update(Number)
        .where(Number.number.in_(wanted), Number.state == "available")
        .values(state="in_drop", drop_id=drop.id, moved_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    numbers = int(cast(Any, moved).rowcount)
    if not numbers:
        raise Invalid(
            pool=N_("No number of this pool, these cities and grades is available. Import some first.")
        )
    for sku, quantity in session.execute(
        select(DropSku.sku, DropSku.quantity).where(DropSku.drop_id == drop.id)
    ).all():
        found = _move_units(session, sku, None, drop.id, quantity)
        if found < quantity:
            text = N_("{sku}: {found} handsets in stock, the drop wants {quantity}. Add units first.")
            raise Invalid(skus=text.format(sku=sku, found=found, quantity=quantity))
    return {"numbers": numbers}


def out_of(session: Session, drop: Drop, handsets_left: dict[str, int]) -> dict[str, int]:
    """Sold numbers are marked, withdrawn ones cool, the others are stock of the pool again."""
    patient(session)
    owners: dict[str, str] = {}
    for lot in range(drop.lots):
        with asking() as client:
            owners |= cast(dict[str, str], client.hgetall(verbs.key(drop.id, "owner", lot)))
    sold = sorted(number for number, owner in owners.items() if owner.startswith("p:"))
    withdrawn = sorted(number for number, owner in owners.items() if owner.startswith("w:"))
    for numbers, state in ((sold, "sold"), (withdrawn, "cooling")):
        for start in range(0, len(numbers), _IN):
            session.execute(
                update(Number)
                .where(Number.number.in_(numbers[start : start + _IN]))
                .where(Number.drop_id == drop.id, Number.state == "in_drop")
                .values(state=state, moved_at=clock.now())
                .execution_options(synchronize_session=False)
            )
    back = session.execute(
        update(Number)
        .where(Number.drop_id == drop.id, Number.state == "in_drop")
        .values(state="available", drop_id=None, moved_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    for sku, left in handsets_left.items():
        _move_units(session, sku, drop.id, None, left)
    return {"sold": len(sold), "withdrawn": len(withdrawn), "back": int(cast(Any, back).rowcount)}


def _move_units(session: Session, sku: str, before: str | None, after: str | None, count: int) -> int:
    chosen = (
        select(HandsetUnit.imei)
        .where(HandsetUnit.sku == sku, HandsetUnit.state == "available")
        .where(HandsetUnit.drop_id.is_(None) if before is None else HandsetUnit.drop_id == before)
        .order_by(HandsetUnit.imei)
        .limit(count)
    )
    moved = session.execute(
        update(HandsetUnit)
        .where(HandsetUnit.imei.in_(chosen), HandsetUnit.state == "available")
        .where(HandsetUnit.drop_id.is_(None) if before is None else HandsetUnit.drop_id == before)
        .values(drop_id=after)
        .execution_options(synchronize_session=False)
    )
    return int(cast(Any, moved).rowcount)
