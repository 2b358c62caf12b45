"""Requests that wait for Redis at the same time go there as one call that decides them in order.

One call a lot is under way; what arrives meanwhile makes the next one, which goes as soon as there are enough for it,
so that Redis decides on some while the web reads the others' wishes. So a quiet shop answers at once, and a busy one
shares each round trip and each fsync among many."""

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import cast

from inventory import verbs
from runtime.facts import Unavailable

BATCH = 256  # requests a call: some milliseconds of Redis's time
WAITING = 8_192  # requests of one lot that may wait in this process; more are refused at once
ENOUGH = 64  # requests that go although another call is under way
_CALLS = 4  # under way at a time for one lot

Request = tuple[str, ...]  # the arguments of one request, as the verb's file lists them
_Waiter = tuple[Request, asyncio.Future[list[str]]]
_Desk = tuple[str, str, int]  # verb, drop, lot


@dataclass
class _Line:
    """Who waits for one verb of one lot, and the calls under way."""

    waiting: deque[_Waiter] = field(default_factory=deque)
    calls: set[asyncio.Task[None]] = field(default_factory=set)
    soon: bool = False


class _Here(threading.local):
    """The lines of this thread's event loop."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.lines: dict[_Desk, _Line] = {}


_here = _Here()


async def decide(verb: str, drop_id: str, request: Request, lot: int = 0) -> list[str]:
    """This request's own answer of the verb; raises what the call raised, Unavailable when too many wait."""
    loop = asyncio.get_running_loop()
    if _here.loop is not loop:
        _here.loop, _here.lines = loop, {}
    desk = (verb, drop_id, lot)
    line = _here.lines.get(desk)
    if line is None:
        line = _here.lines[desk] = _Line()
    if len(line.waiting) >= WAITING:
        raise Unavailable
    answer: asyncio.Future[list[str]] = loop.create_future()
    line.waiting.append((request, answer))
    if len(line.waiting) >= ENOUGH:
        _send(line, desk)
    elif not line.soon and not line.calls:
        line.soon = True
        loop.call_soon(_soon, line, desk)  # after all that arrived in this turn of the loop
    return await answer


def _may_call(line: _Line) -> bool:
    """Another call only for enough: fewer gain more by growing while the first is under way."""
    return not line.calls or (len(line.calls) < _CALLS and len(line.waiting) >= ENOUGH)


def _soon(line: _Line, desk: _Desk) -> None:
    line.soon = False
    _send(line, desk)


def _send(line: _Line, desk: _Desk) -> None:
    while line.waiting and _may_call(line):
        batch = [line.waiting.popleft() for _ in range(min(BATCH, len(line.waiting)))]
        line.calls.add(asyncio.ensure_future(_call(line, desk, batch)))


async def _call(line: _Line, desk: _Desk, batch: list[_Waiter]) -> None:
    """A waiter whose client has gone away is left out of the telling; its hold stands for its account. The next call
    goes before anybody is told of this one: Redis works on it while the answers go out."""
    verb, drop_id, lot = desk
    told: list[list[str]] | BaseException
    try:
        told = await verbs.awaited(
            verb, drop_id, *(part for request, _ in batch for part in request), lot=lot
        )
    except BaseException as trouble:
        told = trouble
    line.calls.discard(cast(asyncio.Task[None], asyncio.current_task()))
    _send(line, desk)
    if isinstance(told, BaseException):
        for _, waiter in batch:
            if not waiter.done():
                waiter.set_exception(_again(told))
        if not isinstance(told, Exception):
            raise told
        return
    for (_, waiter), answer in zip(batch, told, strict=True):
        if not waiter.done():
            waiter.set_result(answer)


def _again(trouble: BaseException) -> BaseException:
    """Each waiter raises an exception of its own: one object raised in many tasks would mix up its traceback."""
    if isinstance(trouble, asyncio.CancelledError):
        return asyncio.CancelledError()
    fresh = trouble.__class__.__new__(trouble.__class__)
    fresh.__dict__.update(trouble.__dict__)
    fresh.args = trouble.args
    fresh.__cause__ = trouble
    return fresh
