"""A line: one asyncio connection to a server, on which all calls of an event loop go out and are answered in order.

redis-py's own asyncio client takes 140 us of this process for one small call and 2,900 us for a batch of 256 holds,
most of it for packing in Python; the line takes 13-28 and 540. It packs and parses with redis-py's hiredis."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar, cast

import hiredis

from runtime.breaker import SILENCE, Breaker
from runtime.facts import Unavailable
from runtime.redis_clients import sent, timeout
from runtime.redis_place import Node
from runtime.redis_stock import Stock

Command = tuple[str | int, ...]
_MORE = object()
_pack = cast(Callable[[Command], bytes], hiredis.pack_command)  # its stub knows tuples of one only
_Told = TypeVar("_Told")
# When a wait is over the loop takes so many more turns: where it was late itself, the answer has come meanwhile and
# lies there unread. Where nothing comes they take no time.
_TURNS = 8
_FULL = 4 << 20  # bytes the server has not read yet; above that calls are refused


class Lines:
    """An event loop's lines: one to each server it has dealt with."""

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        self._lines: dict[str, Line] = {}

    async def to(self, key: str, until: float) -> "Line":
        """The line to the key's server. Raises Unavailable when a cluster does not say which that is."""
        if not self.stock.is_known:
            try:
                async with asyncio.timeout_at(until):
                    await asyncio.to_thread(self.stock.client)
            except TimeoutError as trouble:
                raise Unavailable from trouble
        return self.at(self.stock.server_of(key))

    def at(self, server: str) -> "Line":
        found = self._lines.get(server)
        if found is None:
            found = self._lines[server] = Line(self.stock, server)
        return found

    def cut(self) -> None:
        for line in self._lines.values():
            line.cut()


class Line:
    """Connects at the first call and again after a loss. A server that is silent for `timeout()` seconds loses the
    connection, and with it every call that waits on it: Unavailable, and the caller sends again or not."""

    def __init__(self, stock: Stock, server: str) -> None:
        self._stock = stock
        self._server = server
        self._breaker = stock.breaker(server)
        self._wire: _Wire | None = None
        self._connecting: asyncio.Task[_Wire] | None = None

    async def ask(self, until: float, *commands: Command) -> Any:
        """The last command's answer; one that is an error is given as a hiredis.ReplyError, not raised. `until` is in
        the loop's seconds. Raises Refused without trying when the breaker is open, Unavailable without an answer."""
        self._breaker.check()
        wire = self._wire
        if wire is None or wire.is_lost:
            wire = await self._connect(until)
        sent()
        answer = await wire.ask(until, *commands)
        if self._breaker.failures:
            self._breaker.passed()
        return answer

    def astray(self, why: str) -> None:
        """The server said that it is not the primary; whom the address means may be another by now."""
        self._breaker.failed(time.monotonic(), why=why)
        self.cut()

    def cut(self) -> None:
        """Lose the connection, so that the next call looks up anew where the server is."""
        if self._wire is not None:
            self._wire.lose()
        self._wire = None

    async def _connect(self, until: float) -> "_Wire":
        """All who wait share one try; one whose time is up goes, the try goes on."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._open())
            self._connecting.add_done_callback(self._opened)
        began = asyncio.get_running_loop().time()
        try:
            return await _in_time(self._connecting, until)
        except TimeoutError as trouble:
            self._breaker.failed(began, weight=SILENCE, why="silent while connecting")
            raise Unavailable from trouble

    def _opened(self, done: "asyncio.Task[_Wire]") -> None:
        self._connecting = None
        if not done.cancelled() and done.exception() is None:
            self._wire = done.result()

    async def _open(self) -> "_Wire":
        loop = asyncio.get_running_loop()
        began = loop.time()
        wire = _Wire(self._breaker)
        meeting = asyncio.ensure_future(self._meet(wire))
        try:
            answer = await _in_time(meeting, began + timeout())
        except TimeoutError as trouble:
            meeting.cancel()
            wire.lose()
            self._breaker.failed(began, weight=SILENCE, why="silent while connecting")
            raise Unavailable from trouble
        except OSError as trouble:
            self._breaker.failed(began, why=str(trouble))
            raise Unavailable from trouble
        if isinstance(answer, hiredis.ReplyError):
            wire.lose()
            self._breaker.failed(began, why=str(answer))
            raise Unavailable
        return wire

    async def _meet(self, wire: "_Wire") -> Any:
        loop = asyncio.get_running_loop()
        at = await self._address()
        if isinstance(at, str):
            await loop.create_unix_connection(lambda: wire, at)
        else:
            await loop.create_connection(lambda: wire, *at, ssl=self._stock.place.ssl_context())
        return await wire.ask(loop.time() + timeout(), *self._greeting())

    async def _address(self) -> Node | str:
        if self._stock.place.kind == "sentinel":
            return await asyncio.to_thread(self._stock.address, self._server)
        return self._stock.address(self._server)

    def _greeting(self) -> list[Command]:
        hello: Command = ("HELLO", 3)
        if self._stock.place.password:
            hello += ("AUTH", self._stock.place.username or "default", self._stock.place.password)
        return [hello, *([("SELECT", self._stock.place.db)] if self._stock.place.db else [])]


async def _in_time(task: asyncio.Task[_Told], until: float) -> _Told:
    """The task's result; it is not cancelled. Raises TimeoutError, and what the task raises."""
    await asyncio.wait({task}, timeout=until - asyncio.get_running_loop().time())
    for _ in range(_TURNS):
        if task.done():
            break
        await asyncio.sleep(0)
    if not task.done():
        raise TimeoutError
    return task.result()


class _Wire(asyncio.Protocol):
    """One connection from its making to its loss. Its clock is the loop's, which is time.monotonic."""

    def __init__(self, breaker: Breaker) -> None:
        self.is_lost = False
        self._breaker = breaker
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[Any] | None] = deque()  # None: an answer nobody waits for
        self._reader = hiredis.Reader(encoding="utf-8", notEnoughData=_MORE)
        self._transport: asyncio.Transport | None = None
        self._full = False

    async def ask(self, until: float, *commands: Command) -> Any:
        if self.is_lost or self._full or self._transport is None:
            raise Unavailable
        began = self._loop.time()
        answer: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.extend(None for _ in commands[1:])
        self._waiting.append(answer)
        self._transport.write(b"".join([_pack(command) for command in commands]))
        late = self._loop.call_at(min(until, began + timeout()), self._silent, began, answer)
        try:
            return await answer
        finally:
            late.cancel()

    def lose(self) -> None:
        """Every call that waits is told so."""
        self.is_lost = True
        if self._transport is not None:
            self._transport.abort()
        waiting, self._waiting = self._waiting, deque()
        for answer in waiting:
            if answer is not None and not answer.done():
                answer.set_exception(Unavailable())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self._transport.set_write_buffer_limits(high=_FULL)

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (answer := self._reader.gets()) is not _MORE:
                if isinstance(answer, hiredis.PushNotification):
                    continue
                waiter = self._waiting.popleft()
                if waiter is not None and not waiter.done():
                    waiter.set_result(answer)
        except (hiredis.HiredisError, IndexError, UnicodeDecodeError) as trouble:  # not what a Redis says
            self._fail(repr(trouble))

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_lost and self._waiting:
            self._fail(f"lost the connection: {error}")
        self.lose()

    def _silent(self, began: float, answer: asyncio.Future[Any], turns: int = _TURNS) -> None:
        if answer.done() or self.is_lost:
            return
        if turns:
            self._loop.call_soon(self._silent, began, answer, turns - 1)
            return
        self._breaker.failed(began, weight=SILENCE, why="silent")
        self.lose()

    def _fail(self, why: str) -> None:
        self._breaker.failed(time.monotonic(), why=why)
        self.lose()
