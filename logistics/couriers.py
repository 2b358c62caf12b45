"""Couriers and which of them brings a parcel: by area of the receiver's city, then by priority."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from logistics import regions
from logistics.models import Courier
from runtime.db import table
from runtime.facts import N_, Fact, Invalid

_TABLE = table(Courier).c
_REACH = select(_TABLE.code, _TABLE.areas, _TABLE.cod, _TABLE.priority, _TABLE.active).order_by(_TABLE.code)


class NoCourier(Fact):
    """Nobody delivers there, or nobody collects cash there."""

    code = "no_courier"
    text = N_("No courier delivers to this city that way. Pay online or choose another address.")


def choose(session: Session, *, city: str, cod: bool, but_not: Collection[str] = ()) -> Courier:
    """The active courier for a GB/T 2260 city (six digits, or the city's name).

    The longest area prefix wins, then the higher priority, then the code. `cod` asks for cash on delivery,
    `but_not` leaves out couriers that turned the parcel down. Raises NoCourier, Invalid(city=)."""
    chosen: Courier = choose_among(listing(session), city=city, cod=cod, but_not=but_not)
    return chosen


def choose_among(listed: Sequence[Any], *, city: str, cod: bool, but_not: Collection[str] = ()) -> Any:
    """The same with the couriers of `listing`, or the rows of `reach`, in hand."""
    code = regions.city_code(city)
    fitting = [
        (len(area), courier.priority, courier)
        for courier in listed
        if courier.active and courier.code not in but_not and (courier.cod or not cod)
        for area in courier.areas
        if code.startswith(area)
    ]
    if not fitting:
        raise NoCourier(city=code, cod=cod)
    # They are listed by code and max() keeps the first of equals, so a tie is decided the same way every time.
    return max(fitting, key=lambda one: one[:2])[2]


def reach(session: Session) -> Sequence[Any]:
    """By code, what the choice of a courier depends on: code, areas, cod, priority, active."""
    return session.execute(_REACH).all()


def add(
    session: Session,
    *,
    code: str,
    name_zh: str,
    name_en: str,
    areas: Sequence[str],
    cod: bool = True,
    priority: int = 0,
    active: bool = True,
) -> Courier:
    """Add a courier or change it. `areas` are GB/T 2260 codes of provinces or cities with or without their closing
    zeros ("44", "440000", "4401"); "" is the whole country. Raises Invalid."""
    if not (code.isascii() and code.isalnum() and code.isupper() and len(code) <= 8):
        raise Invalid(code=N_("Use up to eight capital letters and digits."))
    return session.merge(
        Courier(
            code=code,
            name_zh=name_zh,
            name_en=name_en,
            areas=sorted({_prefix(area) for area in areas}),
            cod=cod,
            priority=priority,
            active=active,
        )
    )


def _prefix(area: str) -> str:
    prefix = area
    while prefix.endswith("00"):
        prefix = prefix[:-2]
    if area and not (area.isascii() and area.isdigit() and len(prefix) in (2, 4)):
        raise Invalid(areas=N_("Use GB/T 2260 codes of provinces (44) and cities (4401)."))
    return prefix


def listing(session: Session) -> list[Courier]:
    """All couriers by code, inactive ones too."""
    return list(session.scalars(select(Courier).order_by(Courier.code)))
