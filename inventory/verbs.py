"""A drop's keys in Redis and the Lua verbs over them. Every call carries the drop's epoch."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any

from inventory.facts import DropClosed, NotOpen, Stale
from inventory.models import Drop
from runtime import clock
from runtime.db import reading
from runtime.facts import NotFound, Unavailable
from runtime.redis import Verb

KEYS: dict[str, tuple[str, ...]] = {
    "begin": (
        *("epoch", "loading", "rules", "tally", "free", "owner", "holds", "due", "live", "used"),
        *("orders", "unpaid", "journal", "trimmed"),
    ),
    "load": ("epoch", "loading", "tally", "free", "owner", "journal"),
    "restore": ("epoch", "loading", "tally", "free", "owner", "journal", "orders", "unpaid", "used"),
    "rule": ("epoch", "loading", "rules", "tally", "journal"),
    "hold": ("epoch", "rules", "tally", "free", "owner", "holds", "due", "live", "used", "journal"),
    "release": ("epoch", "tally", "free", "owner", "holds", "due", "live", "used", "journal"),
    "claim": (
        *("epoch", "rules", "tally", "owner", "holds", "due", "live", "used"),
        *("orders", "unpaid", "journal"),
    ),
    "settle": ("epoch", "tally", "owner", "orders", "unpaid", "journal"),
    "give_back": ("epoch", "rules", "tally", "free", "owner", "used", "orders", "unpaid", "journal"),
    "expire": ("epoch", "tally", "free", "owner", "holds", "due", "live", "used", "journal"),
    "trim": ("epoch", "journal", "trimmed"),
}
ALL_KEYS = sorted({name for names in KEYS.values() for name in names})
_VERBS = {name: Verb(Path(__file__).parent / "lua" / f"{name}.lua") for name in KEYS}
_RESENDS = 2

_epochs: dict[str, str] = {}  # of the drops this process has dealt with; a stale answer makes it look again


def key(drop_id: str, name: str, lot: int = 0) -> str:
    """All keys of a drop's lot share its hash tag, so they live in one slot of a cluster."""
    return f"{{{drop_id}.{lot}}}:{name}" if lot else f"{{{drop_id}}}:{name}"


def drop_of(hold_id: str) -> str:
    """The drop a hold id belongs to; raises NotFound when it is no hold id."""
    prefix, _, rest = hold_id.partition("_")
    drop_id, _, tail = rest.rpartition("_")
    if prefix != "hld" or not drop_id or len(tail) != 26:
        raise NotFound
    return drop_id


def call(verb: str, drop_id: str, *args: str | int) -> Any:
    """The verb's answer, a list that begins with a word. Raises NotFound, Stale, Unavailable, and NotOpen or
    DropClosed where the drop is not in Redis yet or no more."""
    answer = run(verb, drop_id, known_epoch(drop_id), *args)
    if answer[0] == "stale":
        answer = run(verb, drop_id, fetch_epoch(drop_id), *args)
    if answer[0] == "stale":
        raise Stale
    return answer


def run(verb: str, drop_id: str, epoch: str, *args: str | int) -> Any:
    """One verb under that epoch. A lost reply is asked for again: every verb is idempotent by its token."""
    keys = [key(drop_id, name) for name in KEYS[verb]]
    for resend in range(_RESENDS + 1):
        try:
            return _VERBS[verb](keys, [epoch, *args])
        except Unavailable:
            if resend == _RESENDS:
                raise
            time.sleep(_pause())
    raise AssertionError


async def awaited(verb: str, drop_id: str, *args: str | int) -> Any:
    """`call` for the event loop; SQL is asked in a thread and only when the epoch is not known."""
    epoch = _epochs.get(drop_id)
    if epoch is None:
        epoch = await asyncio.to_thread(fetch_epoch, drop_id)
    answer = await _awaited(verb, drop_id, epoch, *args)
    if answer[0] == "stale":
        answer = await _awaited(verb, drop_id, await asyncio.to_thread(fetch_epoch, drop_id), *args)
    if answer[0] == "stale":
        raise Stale
    return answer


async def _awaited(verb: str, drop_id: str, epoch: str, *args: str | int) -> Any:
    keys = [key(drop_id, name) for name in KEYS[verb]]
    for resend in range(_RESENDS + 1):
        try:
            return await _VERBS[verb].awaited(keys, [epoch, *args])
        except Unavailable:
            if resend == _RESENDS:
                raise
            await asyncio.sleep(_pause())
    raise AssertionError


def known_epoch(drop_id: str) -> str:
    return _epochs.get(drop_id) or fetch_epoch(drop_id)


def fetch_epoch(drop_id: str) -> str:
    """The epoch as SQL has it now. Raises NotFound, NotOpen before the stock is loaded, DropClosed after the
    drop was settled, Stale in between."""
    with reading() as session:
        drop = session.get(Drop, drop_id)
    _epochs.pop(drop_id, None)
    if drop is None:
        raise NotFound
    if drop.state == "settled":
        raise DropClosed
    if drop.epoch is None:
        raise _absent(drop)
    _epochs[drop_id] = drop.epoch
    return drop.epoch


def _absent(drop: Drop) -> Exception:
    if drop.state == "closed":
        return DropClosed()
    if drop.state in ("draft", "scheduled") or drop.opens_at > clock.now():
        return NotOpen(opens_at=drop.opens_at.isoformat())
    return Stale()


def _pause() -> float:
    """Seconds before a call is sent again, different for each of the many that failed together."""
    return random.uniform(0.02, 0.1)
