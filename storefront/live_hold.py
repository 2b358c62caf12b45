"""The hold a shopper has now, in whichever drop, for the timer on every page."""

from functools import lru_cache
from time import monotonic

from inventory import drops, holds, shelf
from inventory.holds import Hold
from runtime.db import reading
from runtime.facts import Fact

_SELLING = {"warming", "open", "paused", "sold_out"}


def of(account: str) -> Hold | None:
    """None as well while Redis cannot say: the page matters more than its timer. It is asked only for who may hold
    something, as far as this process's shelf knows."""
    try:
        found = [
            hold
            for drop_id in _selling(int(monotonic() / 2))
            if shelf.may_hold(drop_id, account) and (hold := holds.current(drop_id, account))
        ]
    except Fact:
        return None
    return min(found, key=lambda hold: hold.expires_at) if found else None


@lru_cache(maxsize=1)
def _selling(_two_seconds: int) -> tuple[str, ...]:
    """Drops that can have live holds; asked of SQL once in two seconds, not once a page."""
    with reading() as session:
        return tuple(drop.id for drop in drops.listing(session) if drops.face(drop) in _SELLING)
