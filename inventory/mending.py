"""Mending Redis: one thing that went wrong is brought back to what the journal says, where it is still as seen."""

from typing import Any, cast

import msgspec

from inventory import lots, verbs
from inventory.differences import Difference
from inventory.models import Number
from inventory.stock import LiveOrder
from runtime.db import reading
from runtime.redis import asking


def mend(drop_id: str, lot: int, what: str, *args: str | int) -> bool:
    """mend.lua; False when it is not as the caller saw it any more. Raises Stale, Unavailable."""
    return bool(verbs.call("mend", drop_id, what, *args, lot=lot)[0] == "mended")


def count(drop_id: str, one: Difference) -> bool:
    """A counter of the lot: `tally`, `used`, or a campaign's `total`."""
    if one.kind == "used" and verbs.lots(drop_id) > 1:
        return mend(drop_id, one.lot, "recount", one.about)
    off = int(one.said or 0) - int(one.found or 0)
    return mend(drop_id, one.lot, "count", one.kind, one.about, off, one.mends)


def place(drop_id: str, one: Difference) -> bool:
    """A place within a limit that is missing, or that nobody has."""
    hold, _, who = one.about.partition("\t")
    if one.said is None:
        lots.give_up(drop_id, [(hold, who)])
    else:
        verbs.call("place", drop_id, hold, who, "restore", one.said, lot=one.lot)
    return True


def own(drop_id: str, order: LiveOrder) -> bool:
    """A live order of SQL takes its number again; False when somebody has it, or it is not free."""
    lot = verbs.lot_of(drop_id, order.number)
    where = "home" if verbs.lots(drop_id) > 1 else "here"
    taken = mend(drop_id, lot, "order", order.order, msgspec.json.encode(order).decode(), where)
    if taken and where == "home":
        epoch = verbs.fetch_epoch(drop_id)
        lots.restore(drop_id, epoch, [(order.hold, order.account, order.person, order.number)])
    return taken


def record(drop_id: str, order: LiveOrder) -> bool:
    """An order that has its number lost its record."""
    lot = verbs.lot_of(drop_id, order.number)
    return mend(drop_id, lot, "record", order.order, msgspec.json.encode(order).decode())


def owner(drop_id: str, number: str) -> str:
    """Who has the number in Redis, as the key `owner` says; empty: nobody."""
    with asking() as client:
        key = verbs.key(drop_id, "owner", verbs.lot_of(drop_id, number))
        return cast(str | None, client.hget(key, number)) or ""


def has(drop_id: str, mark: str, number: str) -> bool:
    """Does the record of this owner say that it has the number, live?"""
    name = "holds" if mark.startswith("h:") else "orders"
    with asking() as client:
        key = verbs.key(drop_id, name, verbs.lot_of(drop_id, number))
        raw = cast(str | None, client.hget(key, mark[2:]))
    told: dict[str, Any] = msgspec.json.decode(raw) if raw else {}
    return told.get("number") == number and told.get("state") in ("held", "ordered", "paid")


def is_free(drop_id: str, number: str) -> bool:
    """Is it among the free ones in Redis?"""
    with asking() as client:
        return bool(client.sismember(verbs.key(drop_id, "free", verbs.lot_of(drop_id, number)), number))


def is_stock(drop_id: str, number: str) -> bool:
    """Is it a number SQL gave to this drop, and not sold or withdrawn?"""
    with reading() as session:
        known = session.get(Number, number)
    return known is not None and known.drop_id == drop_id and known.state == "in_drop"
