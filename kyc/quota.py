"""How many live numbers one ID number has, over all accounts: the law's limit, kept in one row each."""

from sqlalchemy import update
from sqlalchemy.orm import Session

from kyc.models import IdQuota
from runtime.db import insert_new
from runtime.facts import N_, Fact


class IdLimitReached(Fact):
    """The ID number has as many live numbers as it may; `limit` is in the details."""

    code = "id_limit_reached"
    text = N_("This ID has reached the number of phone numbers one person may have with us.")


def take(session: Session, person_index: str, limit: int) -> None:
    """Count one more live number. Raises IdLimitReached.

    The comparison stands in the UPDATE: of parallel orders for the last place one gets it. The caller counts an
    order once, in the transaction of the order's own move.
    """
    insert_new(session, IdQuota, [{"person_index": person_index, "used": 0}])
    taken = update(IdQuota).where(IdQuota.person_index == person_index, IdQuota.used < limit)
    if session.scalar(taken.values(used=IdQuota.used + 1).returning(IdQuota.used)) is None:
        raise IdLimitReached(limit=limit)


def give_back(session: Session, person_index: str) -> None:
    """Count one less, never below none; once for each take, in the transaction of the order's own move."""
    held = update(IdQuota).where(IdQuota.person_index == person_index, IdQuota.used > 0)
    session.execute(held.values(used=IdQuota.used - 1))


def used(session: Session, person_index: str) -> int:
    row = session.get(IdQuota, person_index, populate_existing=True)
    return row.used if row else 0
