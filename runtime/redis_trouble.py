"""What goes wrong at a Redis: Unavailable for the caller, a word for the breaker, and what is a bug stays one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from runtime.breaker import SILENCE, Breaker
from runtime.facts import Unavailable

# Such a server is not the primary, or no more: the primary is to be looked for.
ASTRAY = frozenset({"READONLY", "CLUSTERDOWN", "MASTERDOWN"})
# A server that loads its files, is full, busy, without disk or replicas, refuses: that is weather, not a bug.
WEATHER = ASTRAY | {"LOADING", "MISCONF", "OOM", "BUSY", "NOREPLICAS", "TRYAGAIN"}


@contextmanager
def telling(breaker: Breaker) -> Iterator[None]:
    """One command to the breaker's server. Raises Refused without trying when it is open, Unavailable when there is
    no answer or the server refuses; any other answer that is an error is a bug, and raised as it is."""
    breaker.check()
    began = time.monotonic()
    try:
        yield
    except RedisTimeoutError as trouble:
        breaker.failed(began, weight=SILENCE, why=str(trouble))
        raise Unavailable from trouble
    except (RedisConnectionError, RedisClusterException) as trouble:
        breaker.failed(began, why=str(trouble))
        raise Unavailable from trouble
    except ResponseError as trouble:
        if is_astray(trouble):
            breaker.failed(began, why=str(trouble))
        if word_of(trouble) in WEATHER:
            raise Unavailable from trouble
        raise
    breaker.passed()


def is_astray(trouble: BaseException | None) -> bool:
    return isinstance(trouble, ResponseError) and word_of(trouble) in ASTRAY


def word_of(error: ResponseError) -> str:
    """The library cuts the words it knows off the text and keeps them as the status code."""
    return error.status_code or str(error).partition(" ")[0]
