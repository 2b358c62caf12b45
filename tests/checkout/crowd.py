"""A crowd for tests of many orders at once: verified people in bulk, their holds, and their requests."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import insert, select, update

from checkout import asked
from checkout.asked import Asked, OrderRequest
from checkout.booking import Placed
from checkout.models import Claim, Order
from inventory import drops, holds, verbs
from kyc import names, people, vault
from kyc.id_number import made_up, mask
from kyc.models import IdQuota, Person
from logistics.parcels import Receiver
from runtime import clock
from runtime.crypto import blind_index
from runtime.db import reading, writing
from runtime.ids import derived_id
from runtime.redis import hot
from tests.checkout.shop import CARD, DROP, HOME
from tests.loops import in_own_loop


def verified(accounts: Sequence[str], *, ids: int = 0, born: date = date(1980, 1, 1)) -> list[str]:
    """A verified person for each account; with `ids` they share so many ID numbers. Gives the persons' ids."""
    rows, at = [], clock.now()
    for nth, account in enumerate(accounts):
        name, birth = "众某", born + timedelta(nth % (ids or len(accounts)))
        number, person_id = made_up("110000", birth, 901), derived_id("per", account)
        rows.append(
            {
                "id": person_id, "account": account, "state": "verified", "refusal": "",
                "id_index": people.index(number), "name_index": blind_index(f"name\x1f{name}"),
                "masked_name": names.mask(name), "masked_id": mask(number), "enrolled_at": at, "verified_at": at,
                **vault.seal_person(person_id, name=name, id_number=number, birth=birth),
            }
        )  # fmt: skip
    with writing() as session:
        session.execute(insert(Person), rows)
    return [str(row["id"]) for row in rows]


def held(accounts: Sequence[str], drop_id: str = DROP, offer: str = CARD) -> list[holds.Hold]:
    """A hold for each account, made together."""

    async def hold_all() -> list[holds.Hold]:
        return list(
            await asyncio.gather(
                *(
                    holds.hold(drop_id, token=holds.new_token(drop_id, one), account=one, offer=offer)
                    for one in accounts
                )
            )
        )

    return in_own_loop(hold_all())


def wants(
    account: str,
    hold: holds.Hold | str,
    who: tuple[str, str] = ("", ""),
    *,
    key: str = "k1",
    payment: str = "cod",
    to: Receiver = HOME,
) -> Asked:
    """A request for an order; nobody named, the account's verified person buys."""
    hold_id = hold if isinstance(hold, str) else hold.id
    request = OrderRequest(*who, to, payment)
    return asked.read(account=account, phone="18600001111", hold_id=hold_id, key=key, request=request)


def let_one_id_buy_many(drop_id: str = DROP) -> None:
    """Take the round's limit of one number a person away, so that the law's limit in SQL speaks."""
    hot().hset(verbs.key(drop_id, "rules"), "limit_person", 99)


def tally() -> tuple[int, int, int, int]:
    """Of the drop's numbers: free, held, ordered, paid."""
    now = drops.tally(DROP)
    return now.free, now.held, now.ordered, now.paid


def set_person(person_id: str, **values: object) -> None:
    with writing() as session:
        session.execute(update(Person).where(Person.id == person_id).values(**values))


def ids_of(answers: list[Placed | Exception]) -> list[str]:
    """All of them were placed."""
    ids = []
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
        ids.append(answer.order.id)
    return ids


def kinds(answers: list[Placed | Exception]) -> list[str]:
    return [type(answer).__name__ for answer in answers]


def live() -> list[str]:
    with reading() as session:
        return list(session.scalars(select(Order.id).where(Order.live).order_by(Order.id)))


def fates() -> list[str]:
    with reading() as session:
        return sorted(session.scalars(select(Claim.fate)))


def used() -> list[int]:
    with reading() as session:
        return sorted(session.scalars(select(IdQuota.used)))
