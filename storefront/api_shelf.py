"""JSON API, the shelf: searching the free numbers. The hot path: async, no SQL, no Redis."""

import msgspec
from starlette.requests import Request

from inventory import shelf
from runtime.api import Parameter, endpoint, routes
from runtime.facts import N_, Invalid, NotFound
from storefront import accounts


class NumberOut(msgspec.Struct):
    """A number on the shelf. Being shown promises nothing: the hold decides."""

    number: str
    city: str
    pattern: str
    grade: int
    prestore_fen: int
    min_spend_fen: int
    term_months: int
    tags: list[str]


class NumbersOut(msgspec.Struct):
    numbers: list[NumberOut]


@endpoint(
    "GET", "/drops/{drop}/numbers", answer=NumbersOut, facts=(NotFound,), summary="Search the free numbers",
    parameters=(
        Parameter("city", "City code, e.g. 110"),
        Parameter("segment", "First digits, e.g. 186"),
        Parameter("contains", "1-8 digits anywhere"),
        Parameter("ending", "Last digits"),
        Parameter("pattern", "Pattern class, e.g. AABB"),
        Parameter("no4", "1: no digit 4 in the last eight"),
        Parameter("limit", "How many, 1-100; 20 unless told", schema={"type": "integer"}),
        Parameter("batch", "Any text: another text, another sample"),
    ),
)  # fmt: skip
async def search_numbers(request: Request) -> NumbersOut:
    """Different shoppers see different samples. Free at the moment of asking; only a hold is a promise."""
    asked = request.query_params
    identity = accounts.identify(request)
    who = identity.account if identity else (request.client.host if request.client else "")
    found = shelf.search(
        request.path_params["drop"], city=asked.get("city", ""), segment=_digits(asked, "segment", 7),
        contains=_digits(asked, "contains", 8), ending=_digits(asked, "ending", 11),
        pattern=asked.get("pattern", ""), no4=asked.get("no4", "") in {"1", "true"},
        limit=_limit(asked.get("limit", "20")), seed=f"{who}{asked.get('batch', '')}",
    )  # fmt: skip
    return NumbersOut([number_out(n) for n in found])


def number_out(n: shelf.ShelfNumber) -> NumberOut:
    """A number as the API tells it."""
    return NumberOut(
        n.number, n.city, n.pattern, n.grade, n.prestore_fen, n.min_spend_fen, n.term_months, list(n.tags)
    )


def _digits(asked: object, name: str, most: int) -> str:
    value = str(asked.get(name, "")).replace(" ", "")  # type: ignore[attr-defined]
    if value and not (value.isascii() and value.isdigit() and len(value) <= most):
        raise Invalid(**{name: N_("Only digits, and not too many of them.")})
    return value


def _limit(raw: str) -> int:
    if raw.isascii() and raw.isdigit() and len(raw) <= 3 and 1 <= int(raw) <= 100:
        return int(raw)
    raise Invalid(limit=N_("A whole number from 1 to 100."))


api_routes = routes([search_numbers])
