"""A drop's keys in Redis and the Lua verbs over them. Every call carries the drop's epoch.

A drop lies in one lot, or in several that share nothing but the epoch: each has a hash tag of its own, so that they
can be on different nodes of a cluster. The rounds of a campaign share a tag, so that limits hold over them."""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from inventory.facts import DropClosed, NotOpen, Stale
from inventory.models import Drop, DropQueue
from runtime import clock
from runtime.db import reading
from runtime.facts import NotFound
from runtime.redis import Verb

_LIMITS = ("used", "total")
_MOVE = ("epoch", "rules", "tally", "free", "owner")
KEYS: dict[str, tuple[str, ...]] = {
    "begin": (
        *("epoch", "loading", "used", "total", "rules", "tally", "free", "owner", "holds", "due", "live"),
        *("orders", "unpaid", "places", "unsure", "ended", "journal", "trimmed"),
    ),
    "load": ("epoch", "loading", "tally", "free", "owner", "journal"),
    "restore": (
        *("epoch", "loading", "tally", "free", "owner", "journal", "orders", "unpaid"),
        *_LIMITS,
    ),
    "recall": _LIMITS,
    "rule": ("epoch", "loading", "rules", "tally", *_LIMITS, "journal"),
    "hold": (*_MOVE, "holds", "due", "live", *_LIMITS, "journal"),
    "release": (*_MOVE, "holds", "due", "live", *_LIMITS, "ended", "journal"),
    "claim": (
        *("epoch", "rules", "tally", "owner", "holds", "due", "live"),
        *(*_LIMITS, "orders", "unpaid", "journal"),
    ),
    "settle": ("epoch", "tally", "owner", "orders", "unpaid", "journal"),
    "give_back": (*_MOVE, *_LIMITS, "ended", "orders", "unpaid", "journal"),
    "expire": (*_MOVE, "holds", "due", "live", *_LIMITS, "ended", "journal"),
    "trim": ("epoch", "journal", "trimmed"),
    "mend": (
        *("epoch", "tally", "free", "owner", "holds", "due", "live"),
        *(*_LIMITS, "orders", "unpaid", "places", "journal"),
    ),
    "place": ("epoch", "rules", "live", *_LIMITS, "places", "unsure", "loading"),
    "unplace": ("epoch", "live", *_LIMITS, "places", "unsure"),
    "void": ("epoch", "holds", "orders"),
    "line": ("line", "queue"),
    "join": ("line", "rules", "tickets", "called", "entered", "stays", "guests", "queue"),
    "enter": ("line", "tickets", "called", "entered", "stays", "queue"),
    "leave": ("line", "stays", "buyers", "queue"),
    "admit": ("line", "rules", "tickets", "called", "entered", "stays", "buyers", "queue"),
}
_OF_QUEUE = frozenset({"line", "join", "enter", "leave", "admit"})  # their epoch is the queue's
QUEUE_KEYS = sorted({name for verb in _OF_QUEUE for name in KEYS[verb]} - {"rules"})
ALL_KEYS = sorted({name for names in KEYS.values() for name in names})
LASTING = ("used", "total")  # of a campaign's round these outlive its settling: the next round counts on
_VERBS = {name: Verb(Path(__file__).parent / "lua" / f"{name}.lua") for name in KEYS}


@dataclass(frozen=True)
class Layout:
    """Where a drop's keys are; never changes once the drop was made."""

    campaign: str
    lots: int


_epochs: dict[str, str] = {}  # of the drops this process has dealt with; a stale answer makes it look again
_queue_epochs: dict[str, str] = {}
_layouts: dict[str, Layout] = {}


def layout(drop_id: str) -> Layout:
    """Asks SQL once for each drop; a drop that is not in SQL lies in one lot."""
    found = _layouts.get(drop_id)
    if found is None:
        with reading() as session:
            drop = session.get(Drop, drop_id)
        found = _remember(drop) if drop else Layout("", 1)
    return found


def lots(drop_id: str) -> int:
    return layout(drop_id).lots


def lot_of(drop_id: str, name: str) -> int:
    """The lot of a number, or the home lot of an account or person. The checksum spreads popular endings."""
    count = layout(drop_id).lots
    return zlib.crc32(name.encode()) % count if count > 1 else 0


def key(drop_id: str, name: str, lot: int = 0) -> str:
    """All keys of a lot share its hash tag, so they live in one slot of a cluster."""
    return _key(drop_id, name, lot, layout(drop_id))


def forget() -> None:
    """Forget what is known of drops; tests that make another one under the same id call it."""
    _epochs.clear()
    _queue_epochs.clear()
    _layouts.clear()


def drop_of(hold_id: str) -> str:
    """The drop a hold id belongs to; raises NotFound when it is no hold id."""
    prefix, _, rest = hold_id.partition("_")
    drop_id, _, tail = rest.rpartition("_")
    if prefix != "hld" or not drop_id or len(tail) != 26:
        raise NotFound
    return drop_id


def call(verb: str, drop_id: str, *args: str | int, lot: int = 0) -> Any:
    """The verb's answer, a list that begins with a word. Raises NotFound, Stale, Unavailable, and NotOpen or
    DropClosed where the drop is not in Redis yet or no more."""
    return told(verb, drop_id, *args, lot=lot)[1]


def told(verb: str, drop_id: str, *args: str | int, lot: int = 0) -> tuple[str, Any]:
    """`call` that also tells the epoch under which the answer is true."""
    known, fetch = _lives(verb)
    epoch = known.get(drop_id) or fetch(drop_id)
    answer = run(verb, drop_id, epoch, *args, lot=lot)
    if answer[0] == "stale":
        epoch = fetch(drop_id)
        answer = run(verb, drop_id, epoch, *args, lot=lot)
    if answer[0] == "stale":
        raise Stale
    return epoch, answer


def run(verb: str, drop_id: str, epoch: str, *args: str | int, lot: int = 0) -> Any:
    """One verb under that epoch. What got no answer is sent again below: every verb is idempotent by its token."""
    return _VERBS[verb](_keys(verb, drop_id, lot, layout(drop_id)), [epoch, *args])


async def awaited(verb: str, drop_id: str, *args: str | int, lot: int = 0) -> Any:
    """`call` for the event loop; SQL is asked in a thread and only when the epoch is not known."""
    known, fetch = _lives(verb)
    epoch = known.get(drop_id)
    if epoch is None:
        epoch = await asyncio.to_thread(fetch, drop_id)
    answer = await _awaited(verb, drop_id, epoch, *args, lot=lot)
    if answer[0] == "stale":
        answer = await _awaited(verb, drop_id, await asyncio.to_thread(fetch, drop_id), *args, lot=lot)
    if answer[0] == "stale":
        raise Stale
    return answer


async def _awaited(verb: str, drop_id: str, epoch: str, *args: str | int, lot: int) -> Any:
    return await _VERBS[verb].awaited(_keys(verb, drop_id, lot, layout(drop_id)), [epoch, *args])


def redis_ms(drop_id: str, lot: int = 0) -> int:
    """The clock of the Redis that has this lot, in milliseconds."""
    return int(call("expire", drop_id, 0, "", "", "", "", lot=lot)[2])


def fetch_epoch(drop_id: str) -> str:
    """The epoch as SQL has it now. Raises NotFound, NotOpen before the stock is loaded, DropClosed after the
    drop was settled, Stale in between and while it is rebuilt."""
    with reading() as session:
        drop = session.get(Drop, drop_id)
    _epochs.pop(drop_id, None)
    if drop is None:
        raise NotFound
    _remember(drop)
    if drop.state == "settled":
        raise DropClosed
    if drop.epoch is None:
        raise _absent(drop)
    _epochs[drop_id] = drop.epoch
    return drop.epoch


def fetch_queue_epoch(drop_id: str) -> str:
    """The epoch of the drop's queue as SQL has it now. Raises NotFound where it has no queue."""
    with reading() as session:
        drop, queue = session.get(Drop, drop_id), session.get(DropQueue, drop_id)
    _queue_epochs.pop(drop_id, None)
    if drop is None or queue is None:
        raise NotFound
    _remember(drop)
    _queue_epochs[drop_id] = queue.epoch
    return queue.epoch


def _lives(verb: str) -> tuple[dict[str, str], Callable[[str], str]]:
    """The epochs that this process knows of what the verb works on, and how one is looked up."""
    return (_queue_epochs, fetch_queue_epoch) if verb in _OF_QUEUE else (_epochs, fetch_epoch)


def _remember(drop: Drop) -> Layout:
    made = _layouts[drop.id] = Layout(drop.campaign or "", drop.lots)
    return made


@lru_cache(maxsize=4096)
def _keys(verb: str, drop_id: str, lot: int, where: Layout) -> list[str]:
    return [_key(drop_id, name, lot, where) for name in KEYS[verb]]


def _key(drop_id: str, name: str, lot: int, where: Layout) -> str:
    tag = where.campaign or drop_id
    if where.lots > 1:
        tag += f".{lot}"
    if name == "total":
        # One for all rounds of a campaign; without a campaign a drop's own count is the whole.
        return f"{{{tag}}}:total" if where.campaign else f"{{{tag}}}:{drop_id}:used"
    return f"{{{tag}}}:{drop_id}:{name}"


def _absent(drop: Drop) -> Exception:
    if drop.state == "closed":
        return DropClosed()
    if drop.state in ("draft", "scheduled") or drop.opens_at > clock.now():
        return NotOpen(opens_at=drop.opens_at.isoformat())
    return Stale()
