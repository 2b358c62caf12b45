"""Favourites: numbers of a drop that a shopper marked, to fall back on at the opening."""

from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from inventory import numbers, shelf
from inventory.models import Number
from runtime import clock
from runtime.bulk import insert_new
from runtime.db import writing
from runtime.facts import N_, Fact, Invalid, NotFound
from storefront.models import Favourite

MOST = 30  # of one drop


@dataclass(frozen=True)
class Marked:
    """A marked number and whether it is free, as far as this process knows."""

    number: Number
    free: bool


def mark(account: str, drop_id: str, number: str) -> None:
    """Remember it; again changes nothing. Raises NotFound for a number of another drop, Invalid beyond MOST."""
    with writing() as session:
        if numbers.facts_of(session, number).drop_id != drop_id:
            raise NotFound
        kept = select(func.count()).where(Favourite.account == account, Favourite.drop_id == drop_id)
        if session.scalars(kept).one() >= MOST:
            raise Invalid(number=N_("You have as many favourites as fit here. Take one away first."))
        row = {"account": account, "drop_id": drop_id, "number": number, "at": clock.now()}
        insert_new(session, Favourite, [row])


def unmark(account: str, drop_id: str, number: str) -> None:
    """Forget it; again changes nothing."""
    theirs = (Favourite.account == account, Favourite.drop_id == drop_id, Favourite.number == number)
    with writing() as session:
        session.execute(delete(Favourite).where(*theirs))


def of_drop(session: Session, account: str, drop_id: str) -> list[Marked]:
    """An account's favourites of a drop, the first marked first."""
    rows = session.scalars(
        select(Number)
        .join(Favourite, Favourite.number == Number.number)
        .where(Favourite.account == account, Favourite.drop_id == drop_id)
        .order_by(Favourite.at, Favourite.number)
    )
    return [Marked(one, _free(drop_id, one.number)) for one in rows]


def of_account(session: Session, account: str) -> list[Favourite]:
    """All an account's favourites, newest first."""
    theirs = select(Favourite).where(Favourite.account == account)
    return list(session.scalars(theirs.order_by(Favourite.at.desc(), Favourite.number)))


def forget(session: Session, account: str) -> None:
    """An account's favourites are gone, of every drop."""
    session.execute(delete(Favourite).where(Favourite.account == account))


def _free(drop_id: str, number: str) -> bool:
    try:
        return shelf.shows(drop_id, number)
    except Fact:  # nobody knows at the moment: the hold tells
        return True
