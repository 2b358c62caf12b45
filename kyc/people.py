"""People as buyers: enrolled with name and ID number, then pending, verified or refused."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from kyc import vault
from kyc.enrolling import QUESTIONS_PER_DAY as QUESTIONS_PER_DAY
from kyc.enrolling import Busy as Busy
from kyc.enrolling import Named as Named
from kyc.enrolling import TooYoung as TooYoung
from kyc.enrolling import enrol as enrol
from kyc.enrolling import enrol_many as enrol_many
from kyc.enrolling import index as index
from kyc.id_number import years
from kyc.models import Person
from runtime.db import among, table
from runtime.facts import N_, Invalid, NotFound


@dataclass(frozen=True)
class Buyer:
    """Of a person, what an order needs to know; what is sealed stays sealed."""

    id: str
    id_index: str
    masked_name: str
    state: str
    dek: bytes | None = field(repr=False)
    birth: bytes | None = field(repr=False)


def find(session: Session, person_id: str) -> Person:
    """Raises NotFound."""
    person = session.get(Person, person_id)
    if person is None:
        raise NotFound
    return person


def of_account(session: Session, account: str) -> Person | None:
    """The account's newest verified person, else its newest pending one."""
    rank = case((Person.state == "verified", 0), else_=1)
    return session.scalar(
        select(Person)
        .where(Person.account == account, Person.state.in_(("verified", "pending")))
        .order_by(rank, Person.enrolled_at.desc(), Person.id.desc())
        .limit(1)
    )


def verified(session: Session, accounts: Collection[str]) -> dict[str, Buyer]:
    """Who each of the accounts buys as when nobody is named: the newest verified person, if there is one."""
    rows = session.execute(_OF_ACCOUNTS, {"accounts": list(accounts)}) if accounts else ()
    return {row.account: Buyer(*row[1:]) for row in rows if row.state == "verified"}


def nobody() -> Invalid:
    """What an account without a verified person is told when it names nobody."""
    return Invalid(
        name=N_("Please enter the name of who will hold the number."),
        id_number=N_("Please enter the ID number of who will hold the number."),
    )


def locked(session: Session, ids: Collection[str], *, waits: bool = True) -> dict[str, Buyer]:
    """These people as they are now, their rows locked until the commit (see enrol_many), in the order of their ids.
    With `waits` off those are left out whose row another transaction has."""
    rows = session.execute(_LOCKED if waits else _UNLOCKED, {"ids": list(ids)}) if ids else ()
    return {buyer[0]: Buyer(*buyer) for buyer in rows}


_TABLE = table(Person).c
_BUYER = (_TABLE.id, _TABLE.id_index, _TABLE.masked_name, _TABLE.state, _TABLE.dek, _TABLE.birth)
# The state is not asked for: a database might think the verified a better way in than these accounts.
_OF_ACCOUNTS = (
    select(_TABLE.account, *_BUYER)
    .where(among(_TABLE.account, "accounts"))
    .order_by(_TABLE.enrolled_at, _TABLE.id)
)
_THESE = select(*_BUYER).where(among(_TABLE.id, "ids")).order_by(_TABLE.id)
_LOCKED, _UNLOCKED = _THESE.with_for_update(), _THESE.with_for_update(skip_locked=True)


def check_age(buyer: Buyer, min_age: int, day: date) -> None:
    """Raises TooYoung on that Shanghai date, NotFound once erased."""
    if min_age > years(vault.birth_in(buyer.id, buyer.dek, buyer.birth), day):
        raise TooYoung(min_age)


def age_on(session: Session, person_id: str, day: date) -> int:
    """Full years of age on a Shanghai date. Raises NotFound."""
    return years(vault.birth_of(session, person_id), day)


def of_account_all(session: Session, account: str) -> list[Person]:
    """Everybody an account ever named, who was not erased; the newest first."""
    theirs = select(Person).where(Person.account == account, Person.dek.is_not(None))
    return list(session.scalars(theirs.order_by(Person.enrolled_at.desc(), Person.id)))


def erase_account(session: Session, account: str, keep: Collection[str]) -> int:
    """Forget everybody an account named but those in `keep`, for good; how many were forgotten."""
    gone = [person.id for person in of_account_all(session, account) if person.id not in keep]
    for person_id in gone:
        vault.erase_person(session, person_id, who="shopper", why="the shopper erased their data")
    return len(gone)
