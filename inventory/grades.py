"""What each grade of a beautiful number asks for: the carrier's own table, or until there is one the demo's."""

from collections.abc import Iterable, Mapping

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from inventory import patterns
from inventory.models import Number, NumberGrade
from inventory.patterns import Grade as Grade


def table(session: Session) -> Mapping[int, Grade]:
    """By grade; money in fen."""
    own = {
        row.grade: Grade(row.grade, row.prestore_fen, row.min_spend_fen, row.term_months)
        for row in session.scalars(select(NumberGrade))
    }
    return {**patterns.GRADES, **own}


def put(session: Session, grades: Iterable[Grade]) -> int:
    """Make this the table. Numbers in stock that ask for what their grade asked so far ask for the new; those in
    a drop keep theirs, and so do those that were imported with a prestore of their own. Gives how many
    changed."""
    before, changed = table(session), 0
    for new in grades:
        old = before[new.grade]
        if new == old:
            continue
        money = {
            "prestore_fen": new.prestore_fen, "min_spend_fen": new.min_spend_fen, "term_months": new.term_months,
        }  # fmt: skip
        session.merge(NumberGrade(grade=new.grade, **money))
        moved = session.execute(
            update(Number)
            .where(Number.state == "available", Number.drop_id.is_(None), Number.grade == new.grade)
            .where(Number.prestore_fen == old.prestore_fen)
            .values(**money)
            .execution_options(synchronize_session=False)
        )
        changed += int(moved.rowcount)  # type: ignore[attr-defined]
    session.flush()
    return changed
