"""The bench's world: drops full of ordinary numbers, and verified shoppers who are signed in, made in bulk."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import insert

from checkout import catalogue, offers
from inventory import drops, patterns, segments
from inventory.models import Number
from kyc import names, people, phones, vault
from kyc.id_number import made_up, mask
from kyc.models import Person
from logistics import couriers
from runtime import clock
from runtime.crypto import blind_index
from runtime.db import Base, analyse, table, writing
from runtime.ids import new_id
from storefront import accounts
from storefront.models import Account, ShopperSession

_CITY = "110"
_AREAS = ("110100", "310100", "440100", "510100", "330100", "320100", "420100", "610100")
_GRADE = 9  # the one that costs nothing
_BATCH = 5_000  # rows a transaction
_HOURS = (
    4 * 3600
)  # seconds a hold and an unpaid order stand: longer than any bench, so that every count stays


@dataclass(frozen=True)
class Shopper:
    """Somebody signed in, and mostly verified: the token is a real sealed one, the ID number nobody's."""

    account: str
    token: str
    phone: str
    verified: bool = True


def counter() -> None:
    """What orders need beside stock: plans and a courier who collects cash everywhere."""
    with writing() as session:
        catalogue.add(session, [catalogue.DATA / "plans.toml"], actor="bench", reason="bench")
        couriers.add(session, code="SF", name_zh="顺丰速运", name_en="SF Express", areas=[""], cod=True)


def drop(
    drop_id: str,
    count: int,
    stock: Iterator[str],
    *,
    opens_at: datetime | None = None,
    hold_seconds: int = _HOURS,
) -> list[str]:
    """A drop with the next `count` numbers of the stock, loaded into Redis, open at once or when said; gives them.
    Limits are the usual ones: one an account, one a person. Its one offer is DROP-card. All but one number are the
    drop's from the start: moving a million there in one statement takes longer than PostgreSQL is given for one."""
    numbers = list(islice(stock, count))
    if len(numbers) < count:
        raise ValueError(f"only {len(numbers):,} ordinary numbers left for {drop_id}, not {count:,}")
    _insert(Number, (_row(number, drop_id, drop_id if nth else None) for nth, number in enumerate(numbers)))
    analyse()
    with writing() as session:
        drops.create(
            session, id=drop_id, name=drop_id, opens_at=opens_at or clock.now(), pool=drop_id, cities=[_CITY],
            hold_seconds=hold_seconds, pay_seconds=_HOURS, actor="bench",
        )  # fmt: skip
        offers.add(session, id=f"{drop_id}-card", drop_id=drop_id, plan_id="prepaid-46")
    for verb in (drops.schedule, drops.warm):
        with writing() as session:
            verb(session, drop_id, actor="bench", reason="bench")
    return numbers


def ordinary_numbers() -> Iterator[str]:
    """Numbers of one city whose pattern costs nothing, ascending; some millions."""
    for code in sorted(code for code, city in segments.table().items() if city == _CITY):
        for tail in range(10_000):
            number = f"{code}{tail:04}"
            if patterns.grade_of(_pattern(number[5:])).grade == _GRADE:
                yield number


def shoppers(count: int, *, verified: int | None = None) -> list[Shopper]:
    """So many accounts, each with a live session and, all or the first `verified`, a verified person of its own."""
    known, at = [_known(nth, verified is None or nth < verified) for nth in range(count)], clock.now()
    _insert(Account, (
        {
            "id": one.account, "phone_index": blind_index(one.phone), "phone": one.phone,
            "phone_masked": phones.mask(one.phone), "created_at": at,
        }
        for one, _, _ in known
    ))  # fmt: skip
    _insert(ShopperSession, (
        {"id": session, "account": one.account, "created_at": at, "seen_at": at, "revoked_at": None}
        for one, session, _ in known
    ))  # fmt: skip
    _insert(Person, (row for _, _, row in known if row))
    analyse()
    return [one for one, _, _ in known]


def _known(nth: int, is_verified: bool) -> tuple[Shopper, str, dict[str, Any] | None]:
    at, account, session = clock.now(), new_id("acc"), new_id("ses")
    row = made_up_person(nth, account, at) if is_verified else None
    person = row["id_index"] if row else ""
    token = accounts.sealed(
        accounts.Identity(session, account, person, clock.epoch_ms(at + accounts.LIFETIME))
    )
    return Shopper(account, token, f"137{nth:08}", is_verified), session, row


def made_up_person(nth: int, account: str, at: datetime) -> dict[str, Any]:
    """The row of a verified person who is nobody: the ID number has a sequence no office gives."""
    name, born = "测" + chr(0x4E00 + nth % 20_000), date(1960, 1, 1) + timedelta(nth // 800)
    number = made_up(_AREAS[nth % 8], born, 900 + nth // 8 % 100)
    index = people.index(number)
    person = new_id("per")
    return {
        "id": person, "account": account, "state": "verified", "refusal": "", "id_index": index,
        "name_index": blind_index(f"name\x1f{name}"), "masked_name": names.mask(name), "masked_id": mask(number),
        "enrolled_at": at, "decided_at": at, "verified_at": at,
        **vault.seal_person(person, name=name, id_number=number, birth=born),
    }  # fmt: skip


@lru_cache(maxsize=10**6)
def _pattern(tail: str) -> str:
    """A class depends on the last six digits only."""
    return patterns.classify(f"13000{tail}")


def _row(number: str, pool: str, owner: str | None) -> dict[str, Any]:
    grade = patterns.GRADES[_GRADE]
    return {
        "number": number, "city": _CITY, "pool": pool, "segment7": number[:7], "pattern": _pattern(number[5:]),
        "grade": grade.grade, "prestore_fen": grade.prestore_fen, "min_spend_fen": grade.min_spend_fen,
        "term_months": grade.term_months, "no4": patterns.no4(number), "tags": patterns.tags(number),
        "state": "in_drop" if owner else "available", "drop_id": owner, "moved_at": clock.now(),
    }  # fmt: skip


def _insert(model: type[Base], rows: Iterator[dict[str, Any]]) -> None:
    while batch := list(islice(rows, _BATCH)):
        with writing() as session:
            session.execute(insert(table(model)), batch)
