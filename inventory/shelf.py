"""The shelf: which numbers of a drop are free, kept in this process's memory and searched there.

A drop is read once from SQL and Redis; then its journal is followed by the thread of start() (web processes) or,
where none runs, at each search. What a search shows promises nothing: the hold decides."""

import asyncio
import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Unpack

from sqlalchemy import select

from inventory import emptied, shelf_follow, shelf_read, stock
from inventory.models import Drop
from inventory.stacks import ShelfNumber as ShelfNumber
from inventory.stacks import Stack, Wish, seed_of, set_bits
from inventory.stacks_wish import Asked as Asked
from runtime.db import reading
from runtime.facts import Fact, NotFound, Unavailable
from runtime.log import log
from runtime.redis import follows

_PERIOD = 0.05  # seconds between two looks at the journals
_DROPS_PERIOD = 2.0  # seconds between two looks at which drops are live
_PATIENCE = 2.0  # seconds a search waits for a drop that is being read


@dataclass
class _Shelf:
    """A drop's stack, and for each lot the epoch it was read under and how far its journal was followed. `holders`:
    accounts that have or had a hold."""

    stack: Stack
    holders: set[str] = field(default_factory=set)
    epochs: list[str] = field(default_factory=list)
    read_to: list[str] = field(default_factory=list)


_shelves: dict[str, _Shelf] = {}
_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)  # one thread reads or follows a drop
_readers: dict[str, threading.Thread] = {}  # reading drops for the follower
_waiting: "dict[str, asyncio.Task[Stack]]" = {}
_follower: threading.Thread | None = None
_stop = threading.Event()


def search(drop_id: str, *, limit: int = 20, seed: str = "", **asked: Unpack[Asked]) -> list[ShelfNumber]:
    """Free numbers that fit everything asked (stacks_wish.Wish says what can be), at most `limit`, ascending; for a
    couple those with one tail together. Another seed shows other numbers, the same seed the same ones; no seed means
    chance. Raises NotFound for a drop that is not, Unavailable while a large one is read. On an event loop await
    ready() first."""
    return _stack(drop_id).search(Wish(**asked), limit, seed_of(seed) if seed else random.getrandbits(64))


def similar(drop_id: str, number: str, limit: int = 6) -> list[ShelfNumber]:
    """Free numbers most like this one, best first, of its city if it is the drop's: the longest common end, then
    the same class, then the same segment. Never waits: of a drop that a web process has not read yet, none.

    Raises NotFound, and Unavailable where no thread follows."""
    stack = _at_once(drop_id, number)
    return stack.similar(number, limit, random.getrandbits(64)) if stack else []


def shows(drop_id: str, number: str) -> bool:
    """Is this number free, as far as this process knows?"""
    stack = _at_once(drop_id, number)
    return stack is not None and stack.is_free(number)


def alike(drop_id: str, number: str, limit: int) -> list[str]:
    """The numbers of `similar`, and nothing else of them."""
    stack = _at_once(drop_id, number)
    return stack.alike(number, limit, random.getrandbits(64)) if stack else []


def may_hold(drop_id: str, account: str) -> bool:
    """Can this account have a live hold? No is sure, but for one that another process gave in this very moment."""
    shelf = _shelves.get(drop_id)
    return shelf is None or _follower is None or account in shelf.holders


def holds(drop_id: str, account: str) -> None:
    """This process gave the account a hold: known at once, before the journal tells."""
    shelf = _shelves.get(drop_id)
    if shelf is not None:
        shelf.holders.add(account)


async def ready(drop_id: str) -> None:
    """Wait until the drop is read, without holding up the event loop. Raises NotFound, and Unavailable when it takes
    long; it is read nevertheless."""
    if drop_id in _shelves:
        return
    task = _waiting.get(drop_id)
    if task is None or task.get_loop() is not asyncio.get_running_loop():
        task = _waiting[drop_id] = asyncio.create_task(asyncio.to_thread(refresh, drop_id))
        task.add_done_callback(lambda done: _done_waiting(drop_id, done))
    try:
        await asyncio.wait_for(asyncio.shield(task), _PATIENCE)
    except TimeoutError:
        raise Unavailable from None


def refresh(drop_id: str) -> Stack:
    """Bring this process's shelf up to the journals' ends; reads the drop where it is new or was rebuilt.

    Raises NotFound, Unavailable (also while another thread reads it)."""
    lock = _locks[drop_id]
    if not lock.acquire(timeout=_PATIENCE):
        raise Unavailable
    try:
        shelf = _shelves.get(drop_id)
        if shelf is None or not (_follow(drop_id, shelf) or (shelf.stack.count and _fill(drop_id, shelf))):
            shelf = _shelves[drop_id] = _read(drop_id)
        return shelf.stack
    except NotFound:
        _locks.pop(drop_id, None)
        raise
    finally:
        lock.release()


def start() -> None:
    """Follow the journals of all live drops in a thread of this process."""
    global _follower
    if _follower is None:
        _stop.clear()
        _follower = threading.Thread(target=_run, name="shelf", daemon=True)
        _follower.start()


def stop() -> None:
    """End the thread; searches refresh by themselves again."""
    global _follower
    if _follower is not None:
        _stop.set()
        _follower.join(5)
        for reader in list(_readers.values()):
            reader.join(5)
        _follower = None


def forget() -> None:
    """Forget all drops; tests that make another one under the same id call it."""
    _shelves.clear()


def _at_once(drop_id: str, number: str) -> Stack | None:
    """The stack for what is like this number; None where it is no number, or that would have to be waited for."""
    if len(number) != 11 or not (number.isascii() and number.isdigit()):
        return None
    if drop_id not in _shelves and _follower is not None and _on_event_loop():
        _read_apart(drop_id)
        return None
    return _stack(drop_id)


def _stack(drop_id: str) -> Stack:
    shelf = _shelves.get(drop_id)
    return refresh(drop_id) if shelf is None or _follower is None else shelf.stack


def _on_event_loop() -> bool:
    return asyncio._get_running_loop() is not None


def _done_waiting(drop_id: str, task: "asyncio.Task[Stack]") -> None:
    if _waiting.get(drop_id) is task:
        del _waiting[drop_id]
    if not task.cancelled():
        task.exception()  # whoever still waits has it; nobody may


def _run() -> None:
    follows()
    looked, live = -_DROPS_PERIOD, set[str]()
    while not _stop.wait(_PERIOD):
        try:
            if time.monotonic() - looked >= _DROPS_PERIOD:
                live, looked = _live(), time.monotonic()
                for over in set(_shelves) - live:
                    _shelves.pop(over, None)
                    emptied.over(over)
                    _locks.pop(over, None)
            for drop_id in live:
                _keep_up(drop_id)
        except Exception as trouble:
            _behind(trouble)
            _stop.wait(1)


def _keep_up(drop_id: str) -> None:
    """Follow the drop. What takes long, reading it, is done apart, so that the others are followed meanwhile."""
    shelf = _shelves.get(drop_id)
    if shelf is None:
        _read_apart(drop_id)
    elif _locks[drop_id].acquire(blocking=False):
        try:
            up_to_date = _follow(drop_id, shelf)
        finally:
            _locks[drop_id].release()
        emptied.quiet(drop_id)
        if not up_to_date:
            _read_apart(drop_id)


def _read_apart(drop_id: str) -> None:
    def read() -> None:
        follows()
        try:
            refresh(drop_id)
        except Exception as trouble:
            _behind(trouble)
        finally:
            _readers.pop(drop_id, None)

    if drop_id not in _readers and not _stop.is_set():
        _readers[drop_id] = threading.Thread(target=read, name=f"shelf {drop_id}", daemon=True)
        _readers[drop_id].start()


def _behind(trouble: Exception) -> None:
    """Redis or SQL away: the shelf stays as it was and follows on when they are back."""
    log.warning("shelf.behind", code=trouble.code if isinstance(trouble, Fact) else type(trouble).__name__)


def _live() -> set[str]:
    with reading() as session:
        return set(
            session.scalars(select(Drop.id).where(Drop.state.in_(stock.LIVE), Drop.epoch.is_not(None)))
        )


def _read(drop_id: str) -> _Shelf:
    """The whole drop, from SQL and Redis. Raises NotFound, Unavailable."""
    shelf = _Shelf(shelf_read.stack_of(drop_id))
    _fill(drop_id, shelf)
    return shelf


def _fill(drop_id: str, shelf: _Shelf) -> bool:
    """What is free, read anew; False when numbers are that we do not know. Searches see what was free before until
    it is complete.

    The journals' ends are noted before the free numbers are read: what happens in between is read twice, and an
    entry only says what is so after it, so reading it again changes nothing."""
    epochs, read_to = shelf_read.epochs(drop_id), shelf_read.ends(drop_id)
    for lot in range(len(epochs)):
        shelf.holders.update(shelf_read.holders(drop_id, lot))
    free, unknown = shelf.stack.none_free(), 0
    for lot, epoch in enumerate(epochs):
        for numbers in shelf_read.free(drop_id, lot) if epoch else ():
            rows, others = shelf.stack.rows_of(numbers)
            set_bits(free, rows, True)
            unknown += others
    shelf.epochs, shelf.read_to, shelf.stack.free = epochs, read_to, free
    return not unknown


def _follow(drop_id: str, shelf: _Shelf) -> bool:
    """Apply what is new in the journals; False where that is not enough: a lot was lost or rebuilt, entries were
    cut away before we read them, or they tell of numbers we do not know."""
    more = True
    while more:
        told = shelf_follow.news(drop_id, shelf.read_to)
        if any(one.lost or one.epoch != epoch for one, epoch in zip(told, shelf.epochs, strict=True)):
            return False
        changed: dict[str, bool] = {}
        for one in told:
            changed.update(shelf_follow.changes(one.entries) if one.epoch else {})
            shelf.holders |= shelf_follow.holders(one.entries)
        if changed:
            emptied.over(drop_id)
        unknown = shelf.stack.mark([number for number, free in changed.items() if free], True)
        unknown += shelf.stack.mark([number for number, free in changed.items() if not free], False)
        if unknown:
            return False
        shelf.read_to = [
            one.entries[-1][0] if one.entries else after
            for one, after in zip(told, shelf.read_to, strict=True)
        ]
        more = any(one.more for one in told)
    return True
