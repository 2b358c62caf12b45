"""Shadows of drops, for rehearsals: the same rules and made-up numbers, beside the real stock and never of it."""

import secrets
from datetime import timedelta

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from inventory import drops, patterns, verbs
from inventory.models import Drop, DropAction, DropQueue, DropSku, JournalPage, Number, QueuePage
from runtime import clock
from runtime.db import table, writing
from runtime.redis import asking

MOST = 10_000  # numbers of a shadow; what a rehearsal asks for is cut to it
_LATER = timedelta(days=1)
_FREE = 9  # the grade that costs nothing
_ROWS = 5_000  # a statement
_OF_A_DROP = (DropAction, DropQueue, QueuePage, JournalPage, DropSku)


def make(session: Session, drop: Drop, count: int, *, actor: str, reason: str) -> Drop:
    """A loaded shadow of the drop with so many made-up numbers (100..., which no operator has), to be opened by
    drops.open_now; its handsets are left out, its campaign too, so that nobody's limits change."""
    shadow_id = f"rehearsal-{secrets.token_hex(8)}"
    city = drop.cities[0]
    rows = [_row(nth, shadow_id, city) for nth in range(count)]
    rows[0] |= {"state": "available", "drop_id": None}  # one is moved in by loading, as always
    for start in range(0, len(rows), _ROWS):
        session.execute(insert(table(Number)), rows[start : start + _ROWS])
    shadow = drops.create(
        session, id=shadow_id, name=drop.name, opens_at=clock.now() + _LATER, pool=shadow_id, cities=[city],
        limit_account=drop.limit_account, limit_person=drop.limit_person, hold_seconds=drop.hold_seconds,
        pay_seconds=drop.pay_seconds, lots=drop.lots, actor=actor, reason=reason,
    )  # fmt: skip
    shadow.shadow_of = drop.id
    return shadow


def clear(shadow_id: str) -> None:
    """Take a shadow away, with all that was written of it; may be done again."""
    with writing() as session:
        shadow = session.get(Drop, shadow_id)
        if shadow is None:
            return
        lots, shadow.state = shadow.lots, "settled"  # from here no process brings it back
    for lot in range(lots):
        with asking() as client:
            client.unlink(*(verbs.key(shadow_id, name, lot) for name in verbs.ALL_KEYS))
    with writing() as session:
        for model in _OF_A_DROP:
            session.execute(delete(model).where(model.drop_id == shadow_id))
        session.execute(delete(Number).where(Number.pool == shadow_id))
        session.execute(delete(Drop).where(Drop.id == shadow_id))


def _row(nth: int, shadow_id: str, city: str) -> dict[str, object]:
    number = f"100{nth:08}"
    grade = patterns.GRADES[_FREE]
    return {
        "number": number, "city": city, "pool": shadow_id, "segment7": number[:7],
        "pattern": patterns.classify(number), "grade": grade.grade, "prestore_fen": 0, "min_spend_fen": 0,
        "term_months": 0, "no4": patterns.no4(number), "tags": patterns.tags(number), "state": "in_drop",
        "drop_id": shadow_id, "moved_at": clock.now(),
    }  # fmt: skip
