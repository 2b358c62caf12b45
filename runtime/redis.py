"""Redis: the two kinds of client, and a Lua verb loaded from its file."""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from runtime.facts import Unavailable
from runtime.settings import settings

# The library would re-send a command up to ten times, scripts too. We retry nowhere but in the verbs' callers.
_HOT: dict[str, Any] = {
    "socket_timeout": 0.8,
    "socket_connect_timeout": 0.8,
    "decode_responses": True,
    "protocol": 3,
    "health_check_interval": 0,
}


def _sync(url: str, **options: Any) -> redis.Redis:
    return redis.Redis.from_url(url, retry=redis.retry.Retry(NoBackoff(), 0), **options)


@lru_cache(maxsize=1)
def hot() -> redis.Redis:
    """The stock's Redis, short timeouts, no hidden retries."""
    return _sync(settings().redis_url, **_HOT)


@contextmanager
def asking() -> Iterator[redis.Redis]:
    """hot() for plain commands: connection trouble inside the block is raised as Unavailable."""
    try:
        yield hot()
    except (RedisConnectionError, RedisTimeoutError) as trouble:
        raise Unavailable from trouble
    except ResponseError as trouble:
        raise _unavailable_or_bug(trouble) from trouble


_async_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


def hot_async() -> redis.asyncio.Redis:
    """The same for the running event loop."""
    loop = asyncio.get_running_loop()
    found = _async_clients.get(loop)
    if found is None:
        no_retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
        found = redis.asyncio.Redis.from_url(settings().redis_url, retry=no_retry, **_HOT)
        _async_clients[loop] = found
    return found


async def close_async() -> None:
    """Close the running loop's client, before the loop ends."""
    if found := _async_clients.pop(asyncio.get_running_loop(), None):
        await found.aclose()


def queue() -> redis.Redis:
    """The job queue's Redis; RQ wants raw bytes, and in a worker it waits longer than this for its jobs."""
    return _sync(settings().queue_redis_url, socket_timeout=1, socket_connect_timeout=1, protocol=2)


def forget() -> None:
    """Drop the clients; tests that change the settings call it."""
    if hot.cache_info().currsize:
        hot().close()
        hot.cache_clear()


class Verb:
    """One Lua file. Called with all its keys and its arguments it gives the script's answer.

    Connection trouble is raised as Unavailable: the verb may or may not have run, and since every verb is
    idempotent by its token the caller simply sends it again."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self.source = path.read_text(encoding="utf-8")
        self.sha = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def __call__(self, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        client = hot()
        try:
            try:
                return client.evalsha(self.sha, len(keys), *keys, *args)
            except NoScriptError:
                return client.eval(self.source, len(keys), *keys, *args)
        except (RedisConnectionError, RedisTimeoutError) as trouble:
            raise Unavailable from trouble
        except ResponseError as trouble:
            raise _unavailable_or_bug(trouble) from trouble

    async def awaited(self, keys: Sequence[str], args: Sequence[str | int]) -> Any:
        client = hot_async()
        try:
            try:
                return await client.evalsha(self.sha, len(keys), *keys, *args)
            except NoScriptError:
                return await client.eval(self.source, len(keys), *keys, *args)
        except (RedisConnectionError, RedisTimeoutError) as trouble:
            raise Unavailable from trouble
        except ResponseError as trouble:
            raise _unavailable_or_bug(trouble) from trouble


def _unavailable_or_bug(error: ResponseError) -> Exception:
    """A server that loads its files, lost its disk or is full refuses writes: that is weather, not a bug.

    The library cuts the words it knows off the text and keeps them as the status code."""
    if (error.status_code or str(error).split(" ")[0]) in {
        "LOADING",
        "MISCONF",
        "OOM",
        "READONLY",
        "BUSY",
        "CLUSTERDOWN",
        "MASTERDOWN",
    }:
        return Unavailable()
    return error
