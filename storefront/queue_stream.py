"""The queue's event streams (`text/event-stream`), for tens of thousands at once: plain ASGI, and one event for all.

Everybody gets the same `news`; a `place` of one's own comes at the beginning, when it changes (the draw, being
called, the end), and otherwise follows from the news: ahead = place - served - 1. The more streams there are the
seldomer the news, so that telling never takes more than a tenth of the process; what changes a place is told at once.

An open stream keeps as little as it can: no task beside its own, and nothing of the request. A client that went away
is not noticed, which would cost half as much memory again; each stream ends after some minutes, and a browser opens
the next one by itself."""

import asyncio
import random
from collections import defaultdict
from typing import Any

import msgspec
from starlette.requests import HTTPConnection
from starlette.types import Message, Scope, Send

from inventory import queue_follow, queueing
from inventory.queue_view import View
from runtime import clock
from runtime.facts import Unauthorized
from storefront import accounts, security

SIGNED = "place"  # the cookie with the signed place, of one drop
LIFE_S = (480.0, 720.0)  # seconds after which a stream ends
_NEWS_S = 1.0  # between two news, at least
_NEWS_PER_STREAM_S = 0.0004  # and so much for each stream
_SILENCE_S = 20.0  # after which the news is told though nothing changed: proxies cut silent streams
_RETRY_MS = (1_000, 4_000)
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]
_encode = msgspec.json.Encoder().encode


class _Stream:
    """One open stream. `over` is what its request waits for; `twin` another stream of the same person."""

    __slots__ = ("ends", "over", "place", "send", "ticket", "twin")

    def __init__(self, ticket: str, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self.ticket = ticket
        self.send = send
        self.place = 0
        self.twin: _Stream | None = None
        self.ends = loop.time() + random.uniform(*LIFE_S)
        self.over: asyncio.Future[None] = loop.create_future()


class _Hub:
    """The streams of a drop in this process, and what they were told last."""

    def __init__(self) -> None:
        self.streams: set[_Stream] = set()
        self.by_place: dict[int, _Stream] = {}  # of those who have not been called
        self.placeless: set[_Stream] = set()  # after the draw: the news of their place may be under way
        self.moved = 0  # how many of the view's moved tickets were told
        self.served = 0
        self.order: tuple[Any, ...] = ()  # what decides where everybody stands
        self.phase: tuple[Any, ...] = ()  # what all must hear of at once
        self.told_at = 0.0


class Streams:
    """All streams of a web process."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._hubs: defaultdict[str, _Hub] = defaultdict(_Hub)
        self._sending: set[asyncio.Task[Any]] = set()
        self._deaf = queue_follow.listen(self._heard)
        self._beat = self._loop.create_task(self._beats())

    def count(self) -> int:
        """How many streams are open."""
        return sum(len(hub.streams) for hub in self._hubs.values())

    async def open(self, view: View, ticket: str, signed: str, send: Send) -> asyncio.Future[None]:
        """Begin a stream; gives what to wait for: it has lived its time, or the shop stops. `signed`: the place as
        the client kept it."""
        await send(
            {"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *security.json_headers()]}
        )
        hub, stream = self._hubs[view.drop_id], _Stream(ticket, send)
        first = b"retry: %d\n\n" % random.randint(*_RETRY_MS) + _place(view, ticket, signed) + _news(view)
        await send({"type": "http.response.body", "body": first, "more_body": True})
        hub.streams.add(stream)
        self._stand(hub, stream, view)
        return stream.over

    async def close(self) -> None:
        """End all streams; their clients come back to another process, or to this one started again."""
        self._deaf()
        self._beat.cancel()
        for hub in self._hubs.values():
            for stream in list(hub.streams):
                self._end(hub, stream)
        if self._sending:
            await asyncio.wait(self._sending, timeout=1)

    def _heard(self, view: View) -> None:
        """In the follower's thread."""
        self._loop.call_soon_threadsafe(self._changed, view)

    def _changed(self, view: View) -> None:
        """Tell who must hear at once: all, when the drop's phase changed; else those who are called."""
        hub = self._hubs.get(view.drop_id)
        if hub is None or not hub.streams:
            return
        order, phase = (view.epoch, view.drawn), (view.state, view.second_at, view.ended, view.mode)
        if order != hub.order:
            hub.order, hub.phase, hub.served, hub.moved = order, phase, view.served, len(view.moved)
            hub.told_at, news = self._loop.time(), _news(view)
            for stream in hub.streams:
                self._stand(hub, stream, view)
                self._tell(stream, _body(_place(view, stream.ticket) + news))
            return
        self._follow_moves(hub, view)
        called = range(hub.served + 1, view.served + 1)
        hub.served = view.served
        for place in called if len(called) <= len(hub.by_place) else [p for p in hub.by_place if p in called]:
            theirs = hub.by_place.pop(place, None)
            while theirs is not None:
                self._tell(theirs, _body(_place(view, theirs.ticket)))
                theirs = theirs.twin
        often = max(_NEWS_S, _NEWS_PER_STREAM_S * len(hub.streams))
        if phase != hub.phase or self._loop.time() - hub.told_at >= often:
            hub.phase = phase
            self._tell_all(hub, view)

    def _follow_moves(self, hub: _Hub, view: View) -> None:
        """Those whose place is news: it came round after they had begun to listen, or they queued again."""
        come = [one for one in hub.placeless if view.places.get(one.ticket)]
        if len(view.moved) > hub.moved:
            again = set(view.moved[hub.moved :])
            hub.moved = len(view.moved)
            come += [one for one in hub.streams if one.ticket in again and one not in come]
        for stream in come:
            self._stand(hub, stream, view)
            self._tell(stream, _body(_place(view, stream.ticket)))

    async def _beats(self) -> None:
        """Keep silent streams alive and end the old ones."""
        while True:
            await asyncio.sleep(1)
            now = self._loop.time()
            for drop_id, hub in list(self._hubs.items()):
                for stream in [one for one in hub.streams if one.ends <= now]:
                    self._end(hub, stream)
                view = queue_follow.views.get(drop_id)
                if view is not None and now - hub.told_at >= _SILENCE_S:
                    self._tell_all(hub, view)

    def _tell_all(self, hub: _Hub, view: View) -> None:
        hub.told_at, event = self._loop.time(), _body(_news(view))
        for stream in hub.streams:
            self._tell(stream, event)

    def _tell(self, stream: _Stream, message: Message) -> None:
        """granian takes a message at once and gives nothing to wait for, so 15,000 are told in some 40 ms; other
        servers give a coroutine."""
        sending: Any = stream.send(message)
        if asyncio.iscoroutine(sending):
            task = self._loop.create_task(sending)
            self._sending.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[Any]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # the connection is gone; the stream ends in its time

    def _end(self, hub: _Hub, stream: _Stream) -> None:
        hub.streams.discard(stream)
        self._forget_place(hub, stream)
        if not stream.over.done():
            self._tell(stream, {"type": "http.response.body", "body": b""})
            stream.over.set_result(None)

    def _stand(self, hub: _Hub, stream: _Stream, view: View) -> None:
        self._forget_place(hub, stream)
        stream.place = view.places.get(stream.ticket, 0)
        if stream.place > view.served:
            stream.twin = hub.by_place.get(stream.place)
            hub.by_place[stream.place] = stream
        elif not stream.place and view.drawn:
            hub.placeless.add(stream)

    def _forget_place(self, hub: _Hub, stream: _Stream) -> None:
        hub.placeless.discard(stream)
        at, before = hub.by_place.get(stream.place), None
        while at is not None and at is not stream:
            at, before = at.twin, at
        if at is not None and before is not None:
            before.twin = stream.twin
        elif at is not None and stream.twin is not None:
            hub.by_place[stream.place] = stream.twin
        elif at is not None:
            del hub.by_place[stream.place]
        stream.twin = None


_streams: Streams | None = None


async def begin(drop_id: str, scope: Scope, send: Send) -> asyncio.Future[None]:
    """`GET /api/v1/drops/{drop}/queue/stream`, for who is signed in: sends its beginning and gives what to wait for.
    Raises Unauthorized, NotFound, Unavailable before anything was sent."""
    global _streams
    connection = HTTPConnection(scope)
    identity = accounts.identify(connection)
    if identity is None:
        raise Unauthorized
    view, signed = await queueing.view(drop_id), signed_place(connection, drop_id)
    if _streams is None:
        _streams = Streams()
    scope.clear()  # a server holds on to it as long as the stream is open
    return await _streams.open(view, queueing.ticket(drop_id, identity.account), signed, send)


def count() -> int:
    """How many streams this process has open."""
    return _streams.count() if _streams else 0


async def close() -> None:
    """End all streams of this process."""
    global _streams
    if _streams is not None:
        await _streams.close()
        _streams = None


def signed_place(connection: HTTPConnection, drop_id: str) -> str:
    """The signed place that the client kept for this drop."""
    told: str = connection.headers.get("x-haoka-place", "") or connection.cookies.get(
        f"{SIGNED}_{drop_id}", ""
    )
    return told[:60]


def _place(view: View, ticket: str, signed: str = "") -> bytes:
    return b"event: place\ndata: " + _encode(queueing.place_in(view, ticket, signed)) + b"\n\n"


def _news(view: View) -> bytes:
    told = {
        "state": view.state,
        "drawn": view.drawn,
        "ended": view.ended,
        "queued": view.last,
        "served": view.served,
        "pace": round(view.pace(clock.now_ms()), 2),
        "free": view.free,
        "loaded": view.loaded,
        "unsold": view.unsold,
        "second_at": int(view.second_at) if view.second_at else None,
        "opens_at": clock.epoch_ms(view.opens_at) if view.opens_at else None,
        "now": clock.now_ms(),
    }
    return b"event: news\ndata: " + _encode(told) + b"\n\n"


def _body(event: bytes) -> Message:
    return {"type": "http.response.body", "body": event, "more_body": True}
