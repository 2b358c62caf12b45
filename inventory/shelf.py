"""The shelf: which numbers of a drop are free, kept in this process's memory and searched there.

A drop is read once from SQL and Redis; then its journal is followed by the thread of start() (web processes) or,
where none runs, at each search. What a search shows promises nothing: the hold decides."""

import random
import threading
import time
from dataclasses import dataclass
from typing import cast

from sqlalchemy import select

from inventory import journal, stock, verbs
from inventory.models import Drop, Number
from inventory.stacks import ShelfNumber as ShelfNumber
from inventory.stacks import Stack, seed_of
from runtime.db import reading
from runtime.facts import Fact, NotFound
from runtime.log import log
from runtime.redis import asking

_PERIOD = 0.05  # seconds between two looks at the journals
_DROPS_PERIOD = 2.0  # seconds between two looks at which drops are live
_FREE = frozenset({"release", "expire"})
_NOT_FREE = frozenset({"hold", "restore"})


@dataclass
class _Shelf:
    """A drop's stack and how far its journal was followed."""

    stack: Stack
    epoch: str
    read_to: str


_shelves: dict[str, _Shelf] = {}
_refreshing = threading.RLock()  # one thread follows at a time; searches take no lock
_follower: "threading.Thread | None" = None
_stop = threading.Event()


def search(
    drop_id: str,
    *,
    city: str = "",
    segment: str = "",
    contains: str = "",
    ending: str = "",
    pattern: str = "",
    grade: int | None = None,
    no4: bool = False,
    limit: int = 20,
    seed: str = "",
) -> list[ShelfNumber]:
    """Free numbers that fit everything asked, at most `limit`, ascending. Another seed shows other numbers, the
    same seed the same ones; no seed means chance. Raises NotFound for a drop that is not."""
    stack = _stack(drop_id)
    rows = stack.search(city, segment, contains, ending, pattern, grade, no4)
    return stack.shown(stack.sample(rows, max(limit, 0), seed_of(seed) if seed else random.getrandbits(64)))


def similar(drop_id: str, number: str, limit: int = 6) -> list[ShelfNumber]:
    """Free numbers most like this one, best first, of its city if it is the drop's. Raises NotFound."""
    stack = _stack(drop_id)
    if len(number) != 11 or not (number.isascii() and number.isdigit()):
        return []
    return stack.shown(stack.similar(number, max(limit, 0), random.getrandbits(64)))


def refresh(drop_id: str) -> Stack:
    """Bring this process's shelf up to the journal's end; reads the drop where it is new or was rebuilt.

    Raises NotFound, Unavailable."""
    with _refreshing:
        shelf = _shelves.get(drop_id)
        if shelf is None or shelf.epoch != _epoch(drop_id) or not _follow(drop_id, shelf):
            shelf = _shelves[drop_id] = _read(drop_id)
        return shelf.stack


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
        _follower = None


def _stack(drop_id: str) -> Stack:
    shelf = _shelves.get(drop_id)
    return refresh(drop_id) if shelf is None or _follower is None else shelf.stack


def _run() -> None:
    looked, live = -_DROPS_PERIOD, set[str]()
    while not _stop.wait(_PERIOD):
        try:
            if time.monotonic() - looked >= _DROPS_PERIOD:
                live, looked = _live(), time.monotonic()
                with _refreshing:
                    for over in _shelves.keys() - live:
                        del _shelves[over]
            for drop_id in live:
                refresh(drop_id)
        except Exception as trouble:
            # Redis or SQL away: the shelf stays as it was and follows on when they are back.
            code = trouble.code if isinstance(trouble, Fact) else type(trouble).__name__
            log.warning("shelf.behind", code=code)
            _stop.wait(1)


def _live() -> set[str]:
    with reading() as session:
        return set(
            session.scalars(select(Drop.id).where(Drop.state.in_(stock.LIVE), Drop.epoch.is_not(None)))
        )


def _read(drop_id: str) -> _Shelf:
    """The whole drop. The journal's end is noted before the free numbers are read: what happens in between is
    read twice, and an entry only says what is so after it, so reading it again changes nothing."""
    with reading() as session:
        if session.get(Drop, drop_id) is None:
            raise NotFound
        query = select(
            *(Number.number, Number.city, Number.pattern, Number.grade, Number.prestore_fen),
            *(Number.min_spend_fen, Number.term_months, Number.no4, Number.tags),
        )
        rows = session.execute(query.where(Number.drop_id == drop_id).order_by(Number.number)).all()
    stack, epoch, read_to = Stack(rows), _epoch(drop_id), journal.last_id(drop_id)
    if epoch:
        with asking() as client:
            stack.mark(cast(set[str], client.smembers(verbs.key(drop_id, "free"))), True)
    return _Shelf(stack, epoch, read_to)


def _epoch(drop_id: str) -> str:
    with asking() as client:
        return cast(str | None, client.get(verbs.key(drop_id, "epoch"))) or ""


def _follow(drop_id: str, shelf: _Shelf) -> bool:
    """Apply what is new in the journal; False when it tells of numbers we have not read."""
    for entries in journal.pages(drop_id, shelf.read_to):
        changed: dict[str, bool] = {}
        for _, entry in entries:
            verb = entry["verb"]
            if verb == "load" and "numbers" in entry:
                changed.update(dict.fromkeys(entry["numbers"].split(","), True))
            elif verb in _FREE or (verb == "give_back" and entry["to"] == "free"):
                changed[entry["number"]] = True
            elif verb in _NOT_FREE:
                changed[entry["number"]] = False
        unknown = shelf.stack.mark((n for n, free in changed.items() if free), True)
        unknown += shelf.stack.mark((n for n, free in changed.items() if not free), False)
        if unknown:
            return False
        shelf.read_to = entries[-1][0]
    return True
