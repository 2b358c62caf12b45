"""Numbers as SQL remembers them: their facts, and what became of them after the drop decided."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inventory.importing import ImportReport as ImportReport
from inventory.importing import import_file as import_file
from inventory.models import Drop, Number
from inventory.rows import BadRow as BadRow
from runtime import clock
from runtime.db import among, table
from runtime.facts import NotFound, WrongMove

# available -> in_drop (a drop owns it) -> sold (paid when the drop was settled) -> assigned (account opened)
# -> active. cooling: came back after it was out, and is not sold for a while. Who holds or has ordered a number
# of a drop is Redis's to say, not this table's.
MOVES: dict[str, tuple[str, ...]] = {
    "available": ("in_drop",),
    "in_drop": ("available", "sold", "assigned", "cooling"),
    "sold": ("available", "assigned", "cooling"),
    "assigned": ("active", "cooling"),
    "active": ("cooling",),
    "cooling": ("available",),
}


def facts_of(session: Session, number: str) -> Number:
    """Raises NotFound."""
    found = session.get(Number, number)
    if found is None:
        raise NotFound
    return found


def facts_of_many(session: Session, numbers: Collection[str]) -> dict[str, Any]:
    """Of those that are there: number, drop_id, prestore_fen, min_spend_fen, term_months, grade."""
    return {row.number: row for row in session.execute(_FACTS, {"numbers": list(numbers)})}


_TABLE = table(Number).c
_FACTS = select(
    _TABLE.number, _TABLE.drop_id, _TABLE.prestore_fen, _TABLE.min_spend_fen, _TABLE.term_months, _TABLE.grade
).where(among(_TABLE.number, "numbers"))


def assign(session: Session, number: str) -> None:
    """The account of a paid number was opened. May be run again. Raises NotFound, WrongMove."""
    _move(session, number, "assigned", done=("active",))


def activate(session: Session, number: str) -> None:
    """The card was handed over after the ID check and works. May be run again. Raises NotFound, WrongMove."""
    _move(session, number, "active")


def cool(session: Session, number: str) -> None:
    """The number came back (refused, returned) and rests before it is sold again. May be run again."""
    _move(session, number, "cooling")


def put_back(session: Session, number: str) -> None:
    """A number of a settled drop that its buyer gave back unused is plain stock again. May be run again."""
    session.execute(
        update(Number)
        .where(Number.number == number, Number.state.in_(("in_drop", "sold")))
        .values(state="available", drop_id=None, moved_at=clock.now())
    )


def thaw(session: Session, rest: timedelta) -> int:
    """Numbers that cooled for `rest` become plain stock, unless their drop still counts them; gives how many."""
    live = select(Drop.id).where(Drop.state != "settled")
    return len(
        session.scalars(
            update(Number)
            .where(Number.state == "cooling", Number.moved_at <= clock.now() - rest)
            .where(Number.drop_id.is_(None) | Number.drop_id.not_in(live))
            .values(state="available", drop_id=None, moved_at=clock.now())
            .returning(Number.number)
            .execution_options(synchronize_session=False)
        ).all()
    )


def _move(session: Session, number: str, to: str, done: Sequence[str] = ()) -> None:
    """One conditional UPDATE; a number that is there already stays as it is."""
    moved = session.scalars(
        update(Number)
        .where(Number.number == number, Number.state.in_(_before(to)))
        .values(state=to, moved_at=clock.now())
        .returning(Number.number)
    ).all()
    if not moved:
        state = session.scalar(select(Number.state).where(Number.number == number))
        if state is None:
            raise NotFound
        if state not in (to, *done):
            raise WrongMove(state=state, to=to)


def _before(to: str) -> list[str]:
    return [state for state, moves in MOVES.items() if to in moves]
