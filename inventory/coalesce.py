"""Holds that arrive in the same turn of the event loop go to Redis as one call that decides them in order."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from inventory import verbs

BATCH = 256  # requests a call: about 5 ms of Redis's time

Request = tuple[str, str, str, str, str, str]  # token, account, person, wanted, offer, sku


@dataclass
class _Turn:
    """What has arrived in this turn of one loop, by drop; `calls` keeps the tasks alive."""

    waiting: dict[str, list[tuple[Request, asyncio.Future[list[str]]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    calls: set[asyncio.Task[None]] = field(default_factory=set)


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turn] = WeakKeyDictionary()


async def decide(drop_id: str, request: Request) -> list[str]:
    """This request's own answer of hold.lua; raises what the call raised."""
    loop = asyncio.get_running_loop()
    turn = _turns.setdefault(loop, _Turn())
    if not turn.waiting[drop_id]:
        loop.call_soon(_send, turn, drop_id)
    answer: asyncio.Future[list[str]] = loop.create_future()
    turn.waiting[drop_id].append((request, answer))
    return await answer


def _send(turn: _Turn, drop_id: str) -> None:
    waiting = turn.waiting.pop(drop_id)
    for start in range(0, len(waiting), BATCH):
        call = asyncio.ensure_future(_call(drop_id, waiting[start : start + BATCH]))
        turn.calls.add(call)
        call.add_done_callback(turn.calls.discard)


async def _call(drop_id: str, batch: list[tuple[Request, asyncio.Future[list[str]]]]) -> None:
    """A waiter whose client has gone away is left out of the telling; its hold stands for its account."""
    try:
        answers = await verbs.awaited("hold", drop_id, *(part for request, _ in batch for part in request))
    except BaseException as trouble:
        for _, waiter in batch:
            if not waiter.done():
                waiter.set_exception(_again(trouble))
        if not isinstance(trouble, Exception):
            raise
        return
    for (_, waiter), answer in zip(batch, answers, strict=True):
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
