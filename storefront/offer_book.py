"""The offers of the drops, kept in memory: holding a number must not wait for SQL."""

import asyncio
import time
from weakref import WeakKeyDictionary

from starlette.concurrency import run_in_threadpool

from checkout import offers
from runtime.db import reading
from runtime.facts import N_, Invalid

_book: dict[str, dict[str, str]] = {}
_read_at: dict[str, float] = {}
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
_PAUSE = 1.0  # seconds between two looks for an offer that is not there


_NO_OFFERS: dict[str, str] = {}


def known_sku(drop: str, offer: str) -> str | None:
    """What sku_of() would give, where it was asked before. An offer, once in a drop, never changes."""
    return _book.get(drop, _NO_OFFERS).get(offer)


async def sku_of(drop: str, offer: str) -> str:
    """The handset sku of an offer of this drop, empty for a card; raises Invalid(offer).

    Only an unknown one is looked up, by one request for all that wait."""
    if known_sku(drop, offer) is None:
        loop = asyncio.get_running_loop()
        async with _locks.setdefault(loop, asyncio.Lock()):
            known = known_sku(drop, offer) is not None
            if not known and time.monotonic() - _read_at.get(drop, -_PAUSE) >= _PAUSE:
                found = await run_in_threadpool(_read, drop)
                if found:  # names of no drop at all would fill the memory
                    _book[drop], _read_at[drop] = found, time.monotonic()
    try:
        return _book[drop][offer]
    except KeyError:
        raise Invalid(offer=N_("This drop has no such offer; choose one of its offers.")) from None


def _read(drop: str) -> dict[str, str]:
    with reading() as session:
        return {one.id: one.sku_code or "" for one in offers.of_drop(session, drop)}
