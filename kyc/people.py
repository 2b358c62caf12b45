"""People as buyers: enrolled with name and ID number, then pending, verified or refused."""

from datetime import date, timedelta

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from kyc import cases, names, vault
from kyc.id_number import IdNumber, mask, parse, years
from kyc.models import Person, VerificationCase
from runtime import clock
from runtime.crypto import blind_index
from runtime.db import insert_new
from runtime.facts import N_, Invalid, NotFound, TooMany
from runtime.ids import new_id

QUESTIONS_PER_DAY = (
    10  # verifications one account may cause; each costs money, and a list of guesses is abuse
)


class TooYoung(Invalid):
    """The holder is younger than the goods allow; `min_age` is in the details."""

    def __init__(self, min_age: int) -> None:
        super().__init__(id_number=N_("The holder of this ID card is too young for this purchase."))
        self.details["min_age"] = min_age


def enrol(session: Session, account: str, name: str, id_number: str, *, min_age: int) -> Person:
    """The account's person of that name and number: the same row each time, verified once.

    A new person starts a verification. One that was refused starts another, which for a day is answered from
    memory: so every enrolment of somebody not yet verified ends in news (cases.take_news). Other data is another
    row. Raises Invalid(name=, id_number=), TooYoung, TooMany.
    """
    name, number = _read(name, id_number)
    if min_age > years(number.birth, clock.shanghai_date()):
        raise TooYoung(min_age)
    id_index, name_index = index(number.value), blind_index(f"name\x1f{name}")
    # The lock is held until the caller's order is committed. A verdict that came between reading `pending` here
    # and that commit would be told to nobody.
    mine = (
        select(Person)
        .where(Person.account == account, Person.id_index == id_index, Person.name_index == name_index)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    person = session.scalar(mine)
    if person is None:
        _within_limit(session, account)
        row = _row(account, name, number, id_index, name_index)
        made = insert_new(session, Person, [row])
        person = session.scalars(mine).one()
        if made:
            cases.start(session, person.id)
    if person.state == "refused":
        _within_limit(session, account)
        person.state, person.refusal, person.decided_at = "pending", "", None
        session.flush()
        cases.start(session, person.id)
    return person


def index(id_number: str) -> str:
    """The blind index of a normalised ID number: what limits and quotas count by."""
    return blind_index(id_number)


def _read(name: str, number: str) -> tuple[str, IdNumber]:
    """Both fields read; when both are wrong, both are named."""
    errors: dict[str, str] = {}
    clean, parsed = "", None
    try:
        clean = names.normalise(name)
    except Invalid as wrong:
        errors |= wrong.errors
    try:
        parsed = parse(number, clock.shanghai_date())
    except Invalid as wrong:
        errors |= wrong.errors
    if errors or parsed is None:
        raise Invalid(**errors)
    return clean, parsed


def _row(account: str, name: str, number: IdNumber, id_index: str, name_index: str) -> dict[str, object]:
    person_id = new_id("per")
    return {
        "id": person_id,
        "account": account,
        "state": "pending",
        "refusal": "",
        "id_index": id_index,
        "name_index": name_index,
        "masked_name": names.mask(name),
        "masked_id": mask(number.value),
        "enrolled_at": clock.now(),
        **vault.seal_person(person_id, name=name, id_number=number.value, birth=number.birth),
    }


def _within_limit(session: Session, account: str) -> None:
    since = clock.now() - timedelta(days=1)
    asked = session.scalar(
        select(func.count())
        .select_from(VerificationCase)
        .join(Person, Person.id == VerificationCase.person_id)
        .where(Person.account == account, VerificationCase.opened_at > since)
    )
    if (asked or 0) >= QUESTIONS_PER_DAY:
        raise TooMany(
            N_("You have tried too many names or ID numbers today. Please go on tomorrow."),
            retry_after=86_400,
        )


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


def verified(session: Session, account: str) -> Person:
    """Who the account buys as when nobody is named. Raises Invalid(name=, id_number=) when nobody is verified."""
    person = of_account(session, account)
    if person is None or person.state != "verified":
        raise Invalid(
            name=N_("Please enter the name of who will hold the number."),
            id_number=N_("Please enter the ID number of who will hold the number."),
        )
    return person


def of_age(session: Session, person_id: str, min_age: int) -> Person:
    """A person enrolled before, old enough today. Raises NotFound (also once erased), TooYoung."""
    if min_age > age_on(session, person_id, clock.shanghai_date()):
        raise TooYoung(min_age)
    return find(session, person_id)


def age_on(session: Session, person_id: str, day: date) -> int:
    """Full years of age on a Shanghai date. Raises NotFound."""
    return years(vault.birth_of(session, person_id), day)
