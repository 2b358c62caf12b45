"""Calls that arrive together are worked off together: while one batch is at work, the next one gathers."""

import asyncio
import concurrent.futures
import contextlib
import itertools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from runtime.facts import Unavailable
from runtime.log import log
from runtime.settings import settings

Asked = TypeVar("Asked")
Told = TypeVar("Told")

BATCH = 256  # calls worked off at once
WAITING = 2_000  # calls that may wait; more are refused at once, so that a slow database piles nothing up

_Future = asyncio.Future[Any] | concurrent.futures.Future[Any]


@dataclass(slots=True)
class _Waiter(Generic[Asked]):
    asked: Asked
    future: _Future
    loop: asyncio.AbstractEventLoop | None  # of an awaiting caller


class Gathering(Generic[Asked, Told]):
    """A thread that works off what has gathered: the first call starts a batch at once, those that come while it is
    at work are the next one.

    `work` answers each call of a batch in its place, with an exception where that call shall raise it; what `work`
    itself raises, all of them raise. `pause`: seconds in which calls gather after each batch, where nobody waits."""

    def __init__(
        self,
        name: str,
        work: Callable[[list[Asked]], Sequence[Told | Exception]],
        *,
        batch: int = BATCH,
        waiting: int = WAITING,
        deadline: float | None = None,
        pause: float = 0.0,
    ) -> None:
        self.name, self.work = name, work
        self.batch, self.waiting, self._deadline, self._pause = batch, waiting, deadline, pause
        self._gathered: SimpleQueue[_Waiter[Asked]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def deadline(self) -> float:
        """Seconds a caller waits for its answer."""
        return settings().answer_ms / 1000 if self._deadline is None else self._deadline

    def call(self, asked: Asked) -> Told:
        """This call's own answer. Raises Unavailable when too many wait or no answer came in time: the work may be
        done all the same, so the caller sends the same again."""
        future: concurrent.futures.Future[Told] = concurrent.futures.Future()
        self._add(_Waiter(asked, future, None))
        try:
            return future.result(self.deadline)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise Unavailable from None

    async def awaited(self, asked: Asked) -> Told:
        """The same for the event loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Told] = loop.create_future()
        self._add(_Waiter(asked, future, loop))
        timer = loop.call_later(self.deadline, _late, future)
        try:
            return await future
        finally:
            timer.cancel()

    def tell(self, asked: Asked) -> None:
        """Nobody waits for this one. Raises Unavailable when too many wait."""
        self._add(_Waiter(asked, concurrent.futures.Future(), None))

    def _add(self, waiter: _Waiter[Asked]) -> None:
        if self._gathered.qsize() >= self.waiting:
            raise Unavailable
        self._gathered.put(waiter)
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            batch = self._next()
            began = time.monotonic()
            answers: Sequence[Told | BaseException]
            try:
                answers = self.work([waiter.asked for waiter in batch]) if batch else []
            except Exception as trouble:
                # The one place that may catch everything: the callers hear of it, and the next ones are served.
                if not isinstance(trouble, Unavailable):
                    log.error(f"{self.name}.failed", calls=len(batch), exc_info=trouble)
                answers = [own(trouble) for _ in batch]
            if (took := time.monotonic() - began) > 1:
                log.warning(f"{self.name}.slow", calls=len(batch), seconds=round(took, 1))
            self._answer(batch, answers)
            if self._pause:
                time.sleep(self._pause)

    def _next(self) -> list[_Waiter[Asked]]:
        """Waits for the first call and takes what came with it, without those whose caller has gone."""
        batch = [self._gathered.get()]
        try:
            for _ in itertools.repeat(None, self.batch - 1):
                batch.append(self._gathered.get_nowait())
        except Empty:
            pass
        return [waiter for waiter in batch if not waiter.future.done()]

    @staticmethod
    def _answer(batch: list[_Waiter[Asked]], answers: Sequence[Told | BaseException]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop | None, list[tuple[_Future, Any]]] = defaultdict(list)
        for waiter, answer in zip(batch, answers, strict=True):
            by_loop[waiter.loop].append((waiter.future, answer))
        for loop, told in by_loop.items():
            if loop is None:
                _tell(told)
            else:
                with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                    loop.call_soon_threadsafe(_tell, told)


def _late(future: asyncio.Future[Any]) -> None:
    _tell([(future, Unavailable())])


def _tell(told: Sequence[tuple[_Future, Any]]) -> None:
    for future, answer in told:
        try:
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        except (asyncio.InvalidStateError, concurrent.futures.InvalidStateError):
            continue  # the caller has gone


def own(trouble: Exception) -> Exception:
    """Each caller raises an exception of its own: one object raised in many places would mix up its traceback."""
    fresh = trouble.__class__.__new__(trouble.__class__)
    fresh.__dict__.update(trouble.__dict__)
    fresh.args = trouble.args
    fresh.__cause__ = trouble
    return fresh
