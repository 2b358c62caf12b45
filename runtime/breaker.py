"""A breaker: calls to a server that does not answer are refused at once, until a thread of its own finds it well."""

import threading
import time
from collections.abc import Callable

from runtime.facts import Unavailable
from runtime.log import log

FAILURES = 5  # in a row, with no answer between, open it
SILENCE = 3  # a wait without an answer weighs as many: two of them open it
PERIOD = 0.25  # seconds between two tries of the healer


class Refused(Unavailable):
    """Not even sent: the server is known not to answer. Sending again at once is in vain."""


class Breaker:
    """Closed, calls go through and tell how they fared. Open, `check` raises Refused, and the healer asks every
    quarter of a second; the first answer closes it. No caller ever waits to find out.

    `ask` raises as long as the server is not well and must end by itself within about a second."""

    def __init__(self, server: str, ask: Callable[[], object]) -> None:
        self.server = server
        self.is_open = False
        self.failures = 0
        self._ask = ask
        self._changing = threading.Lock()
        self._closed_at = 0.0
        self._ended = threading.Event()

    def check(self) -> None:
        if self.is_open:
            raise Refused

    def passed(self) -> None:
        self.failures = 0

    def failed(self, began: float, *, weight: int = 1, why: str = "") -> None:
        """A call that began at that monotonic second got no answer; one from before the last healing says nothing."""
        with self._changing:
            if self.is_open or began < self._closed_at or self._ended.is_set():
                return
            self.failures += weight
            if self.failures < FAILURES:
                return
            self.is_open = True
        log.warning("redis.away", server=self.server, why=why)
        threading.Thread(target=self._heal, name=f"healer of {self.server}", daemon=True).start()

    def end(self) -> None:
        """Nobody will call any more."""
        self._ended.set()

    def _heal(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(PERIOD):
            try:
                self._ask()
            except Exception:  # noqa: S112 - whatever is wrong with it, it is not well yet
                continue
            with self._changing:
                self.failures = 0
                self._closed_at = time.monotonic()
                self.is_open = False
            log.warning("redis.back", server=self.server, seconds=round(self._closed_at - began, 1))
            return
