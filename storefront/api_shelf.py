"""JSON API, the shelf: searching the free numbers. The hot path: async, no SQL, no Redis."""

import msgspec
from starlette.requests import Request

from inventory import shelf
from inventory.shelf import ShelfNumber
from runtime.api import Parameter, endpoint, routes
from runtime.facts import Invalid, NotFound, Unavailable
from storefront import accounts, filters


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
    wished = filters.wished(asked)
    limit = filters.whole("limit", asked.get("limit", "20"), 100)
    await shelf.ready(drop)
    return NumbersOut(shelf.search(drop, limit=limit, seed=f"{who}{asked.get('batch', '')}", **wished))


api_routes = routes([search_numbers])
