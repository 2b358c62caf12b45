"""Stock moves into a drop before it opens, and what is unsold moves back when it is settled (SQL's side)."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from inventory import verbs
from inventory.models import Drop, DropSku, HandsetUnit, Number
from runtime import clock
from runtime.db import patient
from runtime.facts import N_, Invalid
from runtime.redis import asking

_IN = 5_000  # values in one IN (...)


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
    available = (Number.state == "available",)
    numbers = _paged(
        session, Number.number, session.scalars(wanted).all(), available,
        state="in_drop", drop_id=drop.id, moved_at=clock.now(),
    )  # fmt: skip
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
    ours = (Number.drop_id == drop.id, Number.state == "in_drop")
    for numbers, state in ((sold, "sold"), (withdrawn, "cooling")):
        _paged(session, Number.number, numbers, ours, state=state, moved_at=clock.now())
    back = session.execute(
        update(Number)
        .where(*ours)
        .values(state="available", drop_id=None, moved_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    for sku, left in handsets_left.items():
        _move_units(session, sku, drop.id, None, left)
    return {"sold": len(sold), "withdrawn": len(withdrawn), "back": int(cast(Any, back).rowcount)}


def _move_units(session: Session, sku: str, before: str | None, after: str | None, count: int) -> int:
    here = HandsetUnit.drop_id.is_(None) if before is None else HandsetUnit.drop_id == before
    free = (HandsetUnit.sku == sku, HandsetUnit.state == "available", here)
    chosen = session.scalars(select(HandsetUnit.imei).where(*free).order_by(HandsetUnit.imei).limit(count))
    return _paged(session, HandsetUnit.imei, chosen.all(), free, drop_id=after)


def _paged(
    session: Session,
    key: InstrumentedAttribute[str],
    chosen: Sequence[str],
    still: Sequence[ColumnElement[bool]],
    **values: Any,
) -> int:
    """Set values in the rows of those keys for which that still holds: on PostgreSQL somebody else may have chosen
    the same ones at once. Gives how many. In pages, not by a subquery: a database that guesses its size wrongly makes
    something quadratic of it."""
    count = 0
    for start in range(0, len(chosen), _IN):
        moved = session.execute(
            update(key.class_)
            .where(key.in_(chosen[start : start + _IN]), *still)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        count += int(cast(Any, moved).rowcount)
    return count
