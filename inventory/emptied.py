"""Drops that Redis has just said are sold out: who has nothing there is told so without asking again.

While no number is free nobody can come to hold one, so those who hold one only become fewer: for who is not among
them when the drop was found empty it is sold out for as long as it stays so. That it stays so is believed for a tenth
of a second after Redis said it last, and no longer than until the journal, which the shelf follows, tells of a number
held or come back. Where no journal is followed nothing is believed."""

import time
from dataclasses import dataclass
from typing import cast

from inventory import verbs
from runtime.redis import asking

KEPT = 0.1  # seconds
_PAGE = 2_000  # accounts a call: some milliseconds in which no other thread of Python's runs


@dataclass
class _Empty:
    """Until when it is believed, in monotonic seconds, and who held a number; None: not read yet."""

    until: float
    holders: set[str] | None = None


_empty: dict[str, _Empty] = {}


def is_so(drop_id: str, account: str) -> bool:
    """Is it known, without asking, that this account has nothing in the drop and can get nothing?"""
    found = _empty.get(drop_id)
    if found is None or found.holders is None or account in found.holders:
        return False
    return time.monotonic() < found.until


def told(drop_id: str, asked: float) -> None:
    """Redis said so to a call that began at that monotonic second."""
    found = _empty.get(drop_id)
    if found is None:
        found = _empty[drop_id] = _Empty(0)
    found.until = asked + KEPT


def over(drop_id: str) -> None:
    """A number was held or came back."""
    _empty.pop(drop_id, None)


def quiet(drop_id: str) -> None:
    """The journal has nothing new; find out who holds a number, where that is not known yet. Raises Unavailable."""
    found = _empty.get(drop_id)
    if found is None or found.holders is not None:
        return
    holders: set[str] = set()
    cursor = -1
    while cursor:
        with asking() as client:
            scanned = client.hscan(verbs.key(drop_id, "live"), max(cursor, 0), count=_PAGE)
        cursor, page = cast(tuple[int, dict[str, str]], scanned)
        holders.update(page)
    found.holders = holders  # of one that is over by now nobody hears
