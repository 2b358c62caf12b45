"""Redis: the client for plain commands, and a Lua verb loaded from its file.

What every caller may count on, whatever happens to Redis, its network or its cluster:
- `Verb.__call__` and `Verb.awaited` take at most `deadline()` seconds and by themselves send again what got no
  answer, since every verb is idempotent by its token. Callers do not send again.
- When the server is known not to answer they raise `Refused`, an Unavailable, at once and without sending; every
  quarter of a second it is asked whether it is well again. `healthy(key)` tells the same without calling.
- A plain command is sent once and waits at most `timeout()` seconds; its trouble is Unavailable or Refused too."""

import asyncio
import hashlib
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import hiredis
import redis
from redis.exceptions import NoScriptError, ResponseError

from runtime.breaker import Refused as Refused
from runtime.facts import Unavailable
from runtime.redis_clients import calls as calls
from runtime.redis_clients import client, deadline, within
from runtime.redis_clients import follows as follows
from runtime.redis_line import Command, Lines
from runtime.redis_place import place
from runtime.redis_stock import REDIRECTS, Stock
from runtime.redis_trouble import ASTRAY, WEATHER
from runtime.settings import settings

_RESENDS = 2


@lru_cache(maxsize=1)
def _stock() -> Stock:
    return Stock(place(settings().redis_url))


def hot() -> redis.Redis:
    """The stock's Redis for plain commands, by a cluster's or a Sentinel's client where it is one. The keys of one
    command share a slot, those of a pipeline need not, if it is no transaction. Trouble is raised as Unavailable."""
    return _stock().client()


@contextmanager
def asking() -> Iterator[redis.Redis]:
    """hot() for the commands of a block."""
    yield hot()


def healthy(key: str = "") -> bool:
    """Would a verb on that key be sent at all? False while its server is known not to answer."""
    stock = _stock()
    if not stock.is_known:
        return not stock.breaker().is_open
    try:
        return not stock.breaker(stock.server_of(key)).is_open
    except Unavailable:
        return False


def queue() -> redis.Redis:
    """The job queue's Redis, never a cluster; RQ wants raw bytes, and in a worker it waits longer for its jobs."""
    at = place(settings().queue_redis_url)
    return client(at, redis.Redis, timely=False, socket_timeout=1, socket_connect_timeout=1, protocol=2)


def forget() -> None:
    """Drop the client; tests that change the settings call it."""
    if _stock.cache_info().currsize:
        _stock().close()
        _stock.cache_clear()


class Verb:
    """One Lua file. Called with all its keys, which share a slot, and its arguments it gives the script's answer."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.source = path.read_text(encoding="utf-8")
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """In the caller's thread."""
        until = time.monotonic() + deadline()
        with within(deadline()):
            for resend in range(_RESENDS + 1):
                try:
                    return self._run(keys, args)
                except Unavailable as trouble:
                    pause = _pause(trouble, resend, until - time.monotonic())
                time.sleep(pause)
        raise AssertionError

    async def awaited(self, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        """On the event loop, on the line all its calls share."""
        loop = asyncio.get_running_loop()
        until = loop.time() + deadline()
        for resend in range(_RESENDS + 1):
            try:
                return await self._run_on_line(keys, args, until)
            except Unavailable as trouble:
                pause = _pause(trouble, resend, until - loop.time())
            await asyncio.sleep(pause)
        raise AssertionError

    def _run(self, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        stock = hot()
        try:
            return stock.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return stock.eval(self.source, len(keys), *keys, *args)

    async def _run_on_line(self, keys: Sequence[str], args: Sequence[str | int], until: float) -> Any:
        lines = _lines()
        line = await lines.to(keys[0] if keys else "", until)
        rest: Command = (len(keys), *keys, *args)
        verb: Command = ("EVALSHA", self.sha, *rest)
        before: list[Command] = []
        for _ in range(REDIRECTS):
            answer = await line.ask(until, *before, verb)
            if not isinstance(answer, hiredis.ReplyError):
                return answer
            word, _, told = str(answer).partition(" ")
            if word == "NOSCRIPT":
                verb = ("EVAL", self.source, *rest)
            elif word == "MOVED":
                line, before = lines.at(lines.stock.moved(told)), []
            elif word == "ASK":
                line, before = lines.at(told.partition(" ")[2]), [("ASKING",)]
            elif word in WEATHER:
                if word in ASTRAY:
                    line.astray(str(answer))
                raise Unavailable
            else:
                raise ResponseError(str(answer))
        raise Unavailable


_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, Lines] = WeakKeyDictionary()


def _lines() -> Lines:
    loop, stock = asyncio.get_running_loop(), _stock()
    found = _loops.get(loop)
    if found is None or found.stock is not stock:
        found = _loops[loop] = Lines(stock)
    return found


async def close_async() -> None:
    """Close the running loop's lines, before the loop ends."""
    if found := _loops.pop(asyncio.get_running_loop(), None):
        found.cut()
        await asyncio.sleep(0)  # the loop closes their sockets in its next turn


def _pause(trouble: Unavailable, resend: int, left: float) -> float:
    """Seconds before a verb is sent again, another for each of the many that failed together. Raises the trouble when
    it is no use."""
    pause = random.uniform(0.02, 0.1)
    if isinstance(trouble, Refused) or resend == _RESENDS or pause >= left:
        raise trouble
    return pause
