"""JSON API, the shelf: searching the free numbers. The hot path: async, no SQL, no Redis."""

from collections.abc import Mapping

import msgspec
from starlette.requests import Request

from inventory import shelf
from inventory.shelf import ShelfNumber
from inventory.stacks_wish import birthday_ending
from runtime.api import Parameter, endpoint, routes
from runtime.facts import N_, Invalid, NotFound, Unavailable
from storefront import accounts

_YES = frozenset({"1", "true"})


class NumbersOut(msgspec.Struct):
    """Being shown promises nothing: the hold decides."""

    numbers: list[ShelfNumber]


@endpoint(
    "GET", "/drops/{drop}/numbers", answer=NumbersOut, facts=(NotFound, Invalid, Unavailable),
    summary="Search the free numbers",
    parameters=(
        Parameter("city", "City code, e.g. 110"),
        Parameter("segment", "First digits, 1-7, e.g. 186"),
        Parameter("contains", "1-8 digits anywhere"),
        Parameter("ending", "Last digits"),
        Parameter("pattern", "Pattern class, e.g. AABB"),
        Parameter("grade", "1 best to 6, 9 ordinary", schema={"type": "integer"}),
        Parameter("birthday", "1: ends in a month and day; or the day it ends in: MMDD, YYMMDD or YYYYMMDD"),
        Parameter("no4", "1: no digit 4 in the last eight"),
        Parameter("love", "1: has 520, 521 or 1314"),
        Parameter("lucky", "1: has 168, 666, 888 or 518"),
        Parameter("couple", "1: pairs with the same last four digits, side by side"),
        Parameter("limit", "How many, 1-100; 20 unless told", schema={"type": "integer"}),
        Parameter("batch", "Any text: another text, another sample"),
    ),
)  # fmt: skip
async def search_numbers(request: Request) -> NumbersOut:
    """Different shoppers see different samples. Free at the moment of asking; only a hold is a promise."""
    drop, asked = request.path_params["drop"], request.query_params
    identity = accounts.identify(request)
    who = identity.account if identity else (request.client.host if request.client else "")
    filters = wished(asked)
    limit = _whole(asked, "limit", 1, 100) or 20
    await shelf.ready(drop)
    return NumbersOut(shelf.search(drop, limit=limit, seed=f"{who}{asked.get('batch', '')}", **filters))


def wished(asked: Mapping[str, str]) -> shelf.Asked:
    """The filters among these fields; Invalid names those that cannot be used."""
    filters: shelf.Asked = {}
    for name, value in asked.items():
        if not value:
            continue
        match name:
            case "city" | "pattern":
                filters[name] = value
            case "segment":
                filters["segment"] = _digits(name, value, 7)
            case "contains":
                filters["contains"] = _digits(name, value, 8)
            case "ending":
                filters["ending"] = _digits(name, value, 11)
            case "grade":
                filters["grade"] = _whole(asked, "grade", 1, 9)
            case "birthday":
                filters["birthday"] = _birthday(value)
            case "no4" | "love" | "lucky" | "couple":
                filters[name] = value in _YES
    return filters


def _digits(name: str, value: str, most: int) -> str:
    value = value.replace(" ", "")
    if value and not (value.isascii() and value.isdigit() and len(value) <= most):
        raise Invalid(**{name: N_("Only digits, and not too many of them.")})
    return value


def _birthday(value: str) -> str:
    day = value.replace("-", "").strip()
    if birthday_ending(day) is None:
        raise Invalid(birthday=N_("A day as the number ends in it: 0512, 900512 or 19900512."))
    return day


def _whole(asked: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    raw = asked.get(name)
    if raw is None:
        return None
    if raw.isascii() and raw.isdigit() and len(raw) <= 3 and least <= int(raw) <= most:
        return int(raw)
    sentence = N_("A whole number from 1 to 100.") if most == 100 else N_("A whole number from 1 to 9.")
    raise Invalid(**{name: sentence})


api_routes = routes([search_numbers])
