"""Following the queues of all live drops in a thread of each web process, and letting people in.

Whoever follows also asks Redis a few times a second to let people in: the verb itself minds the pace, so any number
of processes may, and one that dies is missed by nobody."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import cast

from sqlalchemy import select

from inventory import drops, queue_rules, tallies, verbs
from inventory.draw import Draw, make
from inventory.journal import Entry
from inventory.models import Drop, DropQueue
from inventory.queue_view import View
from inventory.tallies import Tally
from runtime import clock
from runtime.db import reading
from runtime.facts import Fact, NotFound, Unavailable
from runtime.log import log
from runtime.redis import asking, follows

_PERIOD = 0.1  # seconds between two looks at the queues
_ADMIT = 0.25  # seconds between two times people are let in
_DROPS_PERIOD = 1.0  # seconds between two looks at which drops have a queue
_FELT_FOR = 2.0  # seconds that an answer's slowness counts
_PAGE = 500  # entries a call; one may carry 256 places

Listener = Callable[[View], None]

views: dict[str, View] = {}
_drops: dict[str, tuple[str, Drop]] = {}  # drop -> the queue's epoch, the drop as SQL has it
_listeners: list[Listener] = []
_asked: dict[str, float] = {}
_felt: deque[tuple[float, float]] = deque(maxlen=1_000)  # when (monotonic), and ms
_lock = threading.Lock()  # one thread follows
_follower: threading.Thread | None = None
_looked = False
_stop = threading.Event()
_known = threading.Event()


def is_following() -> bool:
    """Does a thread of this process follow? Without one, a queue is read whenever it is asked for."""
    return _follower is not None


def view(drop_id: str) -> View | None:
    """The drop's queue as it is known here; None where it has none. Raises Unavailable before the first look."""
    if _follower is None:
        refresh()
    elif not _looked:
        raise Unavailable
    return views.get(drop_id)


def tally(drop_id: str) -> Tally:
    """The drop's tally: where this process follows its queue, as it was a moment ago, and Redis is not asked. Raises
    Unavailable."""
    known = views.get(drop_id) if is_following() else None
    return known.tally if known is not None and known.tally is not None else tallies.tally(drop_id)


def listen(listener: Listener) -> Callable[[], None]:
    """Be told, in the follower's thread, of each queue that changed; gives what ends it."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def felt(ms: float) -> None:
    """A hold or an order took so long to answer; the pace follows."""
    _felt.append((time.monotonic(), ms))


def start() -> None:
    """Follow in a thread of this process."""
    global _follower
    if _follower is None:
        _stop.clear()
        _follower = threading.Thread(target=_run, name="queue", daemon=True)
        _follower.start()


def wait(seconds: float = 5.0) -> None:
    """Until the first look, so long at most: a web process that serves before it refuses holds."""
    _known.wait(seconds)


def stop() -> None:
    global _follower, _looked
    if _follower is not None:
        _stop.set()
        _follower.join(5)
        _follower, _looked = None, False
        _known.clear()


def forget() -> None:
    """Forget all queues; tests that make another drop under the same id call it."""
    views.clear()
    _drops.clear()
    _asked.clear()


def refresh() -> None:
    """One look at which drops have a queue, and at each of them. Raises Unavailable."""
    with _lock:
        _look()
        for drop_id in list(views):
            _follow(views[drop_id])


def admit(drop_id: str) -> list[str]:
    """Let people in now, as many as may be; the verb's answer. Raises Unavailable, Stale."""
    tally = tallies.tally(drop_id)
    taken = tally.loaded - tally.withdrawn - tally.free
    answer: list[str] = verbs.call(
        "admit", drop_id, tally.free, tally.held + tally.ordered, taken, round(_slow())
    )
    return answer


def _slow() -> float:
    """Milliseconds within which three in four of late were answered; that a single one takes long says little."""
    since = time.monotonic() - _FELT_FOR
    lately = sorted(ms for at, ms in tuple(_felt) if at >= since)
    return lately[len(lately) * 3 // 4] if lately else 0.0


def _run() -> None:
    global _looked
    follows()
    looked = -_DROPS_PERIOD
    while not _stop.wait(_PERIOD if _looked else 0):
        try:
            with _lock:
                if time.monotonic() - looked >= _DROPS_PERIOD:
                    _look()
                    looked = time.monotonic()
                for drop_id in list(views):
                    _keep_up(drop_id)
            _looked = True
            _known.set()
        except Exception as trouble:
            log.warning(
                "queue.behind", code=trouble.code if isinstance(trouble, Fact) else type(trouble).__name__
            )
            _stop.wait(0.5)


def _look() -> None:
    """Which drops have a queue; one that is over is told once more and then forgotten."""
    with reading() as session:
        found = session.execute(
            select(Drop, DropQueue.epoch)
            .join(DropQueue, DropQueue.drop_id == Drop.id)
            .where(Drop.state.not_in(("draft", "settled")))
        ).all()
    _drops.clear()
    _drops.update({drop.id: (epoch, drop) for drop, epoch in found})
    for drop_id in set(views) - set(_drops):
        over = views.pop(drop_id)
        over.state = "over"
        _tell(over)
    for drop_id in _drops:
        views.setdefault(drop_id, View(drop_id))


def _keep_up(drop_id: str) -> None:
    found = views[drop_id]
    try:
        may = found.mode != "off" and (found.state == "open" or _is_due(found))
        if may and time.monotonic() - _asked.get(drop_id, 0.0) >= _ADMIT:
            _asked[drop_id] = time.monotonic()
            admit(drop_id)
        if _follow(found):
            _tell(views[drop_id])
    except Fact as trouble:  # lost or unreachable: the other queues go on
        log.warning("queue.not_followed", drop=drop_id, code=trouble.code)


def _is_due(found: View) -> bool:
    return found.state == "before" and found.opens_at is not None and found.opens_at <= clock.now()


def _tell(found: View) -> None:
    for listener in list(_listeners):
        listener(found)


def _follow(found: View) -> bool:
    """Bring the view up to date; did anything change? Of a queue that began anew another view is filled, and takes
    the place of this one when it is complete."""
    drop_id, known = found.drop_id, found
    _, drop = _drops[drop_id]
    before = (found.state, found.free, found.line, found.read_to, found.opens_at)
    more = True
    while more:
        with asking() as client, client.pipeline(transaction=False) as pipe:
            stream = verbs.key(drop_id, "queue")
            pipe.xrange(stream, f"({found.read_to}" if found.read_to else "-", "+", count=_PAGE)
            # Asked after the entries: of another life than they are, it is noticed.
            pipe.hgetall(verbs.key(drop_id, "line"))
            pipe.hmget(verbs.key(drop_id, "rules"), ["state", "opens_at", "closes_at"])
            entries, line, rules = cast(
                tuple[list[Entry], dict[str, str], list[str | None]], tuple(pipe.execute())
            )
        epoch = line.get("epoch")
        if not epoch:
            return False  # not published yet, or lost; the clock sees to it
        if epoch != found.epoch:
            found = View(drop_id, epoch=epoch)
            continue
        for entry in entries:
            order = _order(drop_id, found) if entry[1]["verb"] == "draw" else None
            found.apply(entry, order)
            found.read_to = entry[0]
        more = len(entries) == _PAGE
    found.line = line
    _note(found, drop, rules)
    if found is not known:
        views[drop_id] = found
        return True
    return before != (found.state, found.free, found.line, found.read_to, found.opens_at)


def _note(found: View, drop: Drop, rules: list[str | None]) -> None:
    """The drop's state and stock, as Redis has them; before it is loaded, as SQL has them."""
    state, opens_at, closes_at = rules
    now = clock.now_ms()
    if state is None:
        found.opens_at = drop.opens_at
        found.state = "over" if drops.face(drop) in ("closed", "settled") else "before"
        return
    opens_ms = int(opens_at or 0)
    found.opens_at = clock.from_ms(opens_ms)
    if state in ("closed", "settled") or (closes_at and int(closes_at) <= now):
        found.state = "over"
    elif state == "paused":
        found.state = "paused"
    else:
        found.state = "open" if found.drawn or (found.mode == "off" and opens_ms <= now) else "before"
    found.tally = tally = tallies.tally(found.drop_id)
    found.free, found.loaded = tally.free, tally.loaded - tally.withdrawn
    found.unsold, found.taken = tally.held + tally.ordered, found.loaded - tally.free


def _order(drop_id: str, found: View) -> Draw:
    """The drawn order of those who are in the view; every process works out the same."""
    with reading() as session:
        queue = session.get(DropQueue, drop_id)
    if queue is None:
        raise NotFound
    return make(
        drop_id, queue_rules.seed(queue), [ticket for ticket, place in found.places.items() if not place]
    )
