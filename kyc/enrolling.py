"""Enrolment: who is typed becomes a person of the account, one row each, and is verified once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from kyc import cases, names, vault
from kyc.id_number import IdNumber, mask, parse, years
from kyc.models import Person, VerificationCase
from runtime import clock
from runtime.bulk import insert_new
from runtime.crypto import blind_index
from runtime.facts import N_, Fact, Invalid, TooMany
from runtime.ids import new_id

QUESTIONS_PER_DAY = (
    10  # verifications one account may cause; each costs money, and a list of guesses is abuse
)


class TooYoung(Invalid):
    """The holder is younger than the goods allow; `min_age` is in the details."""

    def __init__(self, min_age: int) -> None:
        super().__init__(id_number=N_("The holder of this ID card is too young for this purchase."))
        self.details["min_age"] = min_age


class Busy(Exception):
    """Another transaction has this person's row at the moment."""


@dataclass(frozen=True)
class Named:
    """A buyer as typed, and the age in years that the goods ask for."""

    account: str
    name: str = field(repr=False)
    id_number: str = field(repr=False)
    min_age: int


def enrol(session: Session, account: str, name: str, id_number: str, *, min_age: int) -> Person:
    """The account's person of that name and number: the same row each time, verified once.

    A new person starts a verification. One that was refused starts another, which for a day is answered from
    memory: so every enrolment of somebody not yet verified ends in news (cases.take_news). Other data is another
    row. Raises Invalid(name=, id_number=), TooYoung, TooMany.
    """
    [told] = enrol_many(session, [Named(account, name, id_number, min_age)])
    if isinstance(told, Exception):
        raise told
    return told


def enrol_many(session: Session, named: Sequence[Named], *, waits: bool = True) -> list[Person | Fact | Busy]:
    """Each enrolled as by `enrol`, in this order and all in one go: the person, or the fact that one would raise.

    With `waits` off it waits for nobody: whose row another transaction has is told as Busy."""
    read = [_read(one) for one in named]
    typed = {who.key: who for who in read if isinstance(who, _Who)}
    # The lock is held until the caller's order is committed. A verdict that came between reading `pending` here
    # and that commit would be told to nobody.
    found = _locked(session, typed, waits)
    new = {key: who for key, who in typed.items() if key not in found}
    if new and not waits:
        for key in _there(session, new):
            del new[key]
    refused: set[_Key] = set()
    if new:
        rows = [_row(who) for who in _within_limit(session, new, refused)]
        made = set(
            insert_new(session, Person, sorted(rows, key=lambda row: [str(row[name]) for name in _KEY]))
        )
        found |= _locked(session, new, waits)
        for person in found.values():
            if person.id in made:
                cases.start(session, person.id)
    again = {key: typed[key] for key, person in found.items() if person.state == "refused"}
    for who in _within_limit(session, again, refused) if again else ():
        person = found[who.key]
        person.state, person.refusal, person.decided_at = "pending", "", None
        session.flush()
        cases.start(session, person.id)
    return [one if isinstance(one, Fact) else _told(one.key, found, refused) for one in read]


def index(id_number: str) -> str:
    """The blind index of a normalised ID number: what limits and quotas count by."""
    return blind_index(id_number)


_KEY = ("account", "id_index", "name_index")
_COLUMNS = [getattr(Person, name) for name in _KEY]
_Key = tuple[str, ...]


@dataclass(frozen=True)
class _Who:
    """What was typed, read."""

    key: _Key
    name: str = field(repr=False)
    number: IdNumber = field(repr=False)


def _read(one: Named) -> _Who | Fact:
    """Both fields read; when both are wrong, both are named."""
    errors: dict[str, str] = {}
    clean, parsed = "", None
    try:
        clean = names.normalise(one.name)
    except Invalid as wrong:
        errors |= wrong.errors
    try:
        parsed = parse(one.id_number, clock.shanghai_date())
    except Invalid as wrong:
        errors |= wrong.errors
    if errors or parsed is None:
        return Invalid(**errors)
    if one.min_age > years(parsed.birth, clock.shanghai_date()):
        return TooYoung(one.min_age)
    return _Who((one.account, index(parsed.value), blind_index(f"name\x1f{clean}")), clean, parsed)


def _locked(session: Session, keys: Iterable[_Key], waits: bool) -> dict[_Key, Person]:
    """Their rows, locked in the order of their ids: no two that lock several can wait for each other."""
    rows = session.scalars(
        select(Person)
        .where(tuple_(*_COLUMNS).in_(list(keys)))
        .order_by(Person.id)
        .with_for_update(skip_locked=not waits)
        .execution_options(populate_existing=True)
    )
    return {(person.account, person.id_index, person.name_index): person for person in rows}


def _there(session: Session, keys: Iterable[_Key]) -> list[_Key]:
    """Who of these has a row, locked or not."""
    rows = session.execute(select(*_COLUMNS).where(tuple_(*_COLUMNS).in_(list(keys))))
    return [tuple(row) for row in rows]


def _row(who: _Who) -> dict[str, object]:
    person_id, number = new_id("per"), who.number
    return {
        "id": person_id,
        **dict(zip(_KEY, who.key, strict=True)),
        "state": "pending",
        "refusal": "",
        "masked_name": names.mask(who.name),
        "masked_id": mask(number.value),
        "enrolled_at": clock.now(),
        **vault.seal_person(person_id, name=who.name, id_number=number.value, birth=number.birth),
    }


def _within_limit(session: Session, people: dict[_Key, _Who], refused: set[_Key]) -> Iterator[_Who]:
    """Those whose account may cause one more verification today; the others go into `refused`."""
    accounts = {account for account, _, _ in people}
    since = clock.now() - timedelta(days=1)
    rows = session.execute(
        select(Person.account, func.count())
        .join(VerificationCase, Person.id == VerificationCase.person_id)
        .where(Person.account.in_(accounts), VerificationCase.opened_at > since)
        .group_by(Person.account)
    )
    asked: Counter[str] = Counter(dict(rows.all()))
    for key, who in people.items():
        if asked[key[0]] >= QUESTIONS_PER_DAY:
            refused.add(key)
        else:
            asked[key[0]] += 1
            yield who


def _told(key: _Key, found: dict[_Key, Person], refused: set[_Key]) -> Person | Fact | Busy:
    if key in refused:
        return TooMany(
            N_("You have tried too many names or ID numbers today. Please go on tomorrow."),
            retry_after=86_400,
        )
    return found.get(key) or Busy()
