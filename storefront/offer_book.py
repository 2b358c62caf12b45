"""The offers of the drops, kept in memory: holding a number must not wait for SQL."""

import time

from starlette.concurrency import run_in_threadpool

from checkout import offers
from runtime.db import reading
from runtime.facts import Invalid, N_

_book: dict[str, dict[str, str]] = {}
_asked: dict[str, float] = {}
_PAUSE = 1.0  # seconds between two looks for an offer that is not there


async def sku_of(drop: str, offer: str) -> str:
    """The handset sku of an offer of this drop, empty for a card; raises Invalid(offer).

    An offer, once in a drop, never changes, so only an unknown one is looked up."""
    if offer not in _book.get(drop, {}) and time.monotonic() - _asked.get(drop, -_PAUSE) >= _PAUSE:
        _asked[drop] = time.monotonic()
        _book[drop] = await run_in_threadpool(_read, drop)
    try:
        return _book[drop][offer]
    except KeyError:
        raise Invalid(offer=N_("This drop has no such offer; choose one of its offers.")) from None


def _read(drop: str) -> dict[str, str]:
    with reading() as session:
        return {one.id: one.sku_code or "" for one in offers.of_drop(session, drop)}
