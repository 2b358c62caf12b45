"""How many live numbers one ID number has, over all accounts: the law's limit, kept in one row each."""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.orm import Session

from kyc.models import IdQuota
from runtime.bulk import insert_or_add
from runtime.facts import N_, Fact


class IdLimitReached(Fact):
    """The ID number has as many live numbers as it may; `limit` is in the details."""

    code = "id_limit_reached"
    text = N_("This ID has reached the number of phone numbers one person may have with us.")


def take(session: Session, person_index: str, limit: int) -> None:
    """Count one more live number. Raises IdLimitReached."""
    if take_many(session, [person_index], limit) != [True]:
        raise IdLimitReached(limit=limit)


def take_many(session: Session, people: Sequence[str], limit: int) -> list[bool]:
    """Count one more live number for each that is named, in this order; says who got a place. Named twice, a person
    takes two.

    The comparison stands in the statement that counts: of parallel orders for the last place one gets it. The caller
    counts an order once, in the transaction of the order's own move."""
    wanted = Counter(people)
    left: Counter[str] = Counter()
    asked = {index: min(count, limit) for index, count in wanted.items()}
    # Who wants more places than there are asks again for one less. Only who is named twice can come to a second turn.
    while asked := {index: count for index, count in asked.items() if count > 0}:
        got = insert_or_add(session, IdQuota, "used", asked, limit)
        left.update({index: asked.pop(index) for index in got})
        asked = {index: count - 1 for index, count in asked.items()}
    told = []
    for index in people:
        told.append(left[index] > 0)
        left[index] -= 1
    return told


def give_back(session: Session, person_index: str) -> None:
    """Count one less, never below none; once for each take, in the transaction of the order's own move."""
    held = update(IdQuota).where(IdQuota.person_index == person_index, IdQuota.used > 0)
    session.execute(held.values(used=IdQuota.used - 1))


def used(session: Session, person_index: str) -> int:
    row = session.get(IdQuota, person_index, populate_existing=True)
    return row.used if row else 0
