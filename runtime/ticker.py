"""The ticker: runs periodic work in one process at a time, under a lease in SQL."""

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Mapped, mapped_column

from runtime import clock
from runtime.bulk import insert_new
from runtime.db import Base, UtcDateTime, writing
from runtime.ids import new_id
from runtime.log import log

_LEASE = timedelta(seconds=15)
_RENEW = 4.0  # seconds


class Lease(Base):
    """Who may do a kind of work until when."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(primary_key=True)
    holder: Mapped[str]
    until: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Tick:
    """A piece of periodic work: its name, its period in seconds, its function."""

    name: str
    every: float
    run: Callable[[], object]


def take_lease(name: str, holder: str) -> bool:
    """Take or renew a lease; the conditional UPDATE decides between two that try at once.

    One that lasts longer than any lease was written before the clock was set back, and counts as over."""
    at = clock.now()
    with writing() as session:
        insert_new(session, Lease, [{"name": name, "holder": "", "until": at - _LEASE}])
        taken = session.execute(
            update(Lease)
            .where(Lease.name == name)
            .where((Lease.holder == holder) | (Lease.until < at) | (Lease.until > at + 4 * _LEASE))
            .values(holder=holder, until=at + _LEASE)
            .returning(Lease.name)
        ).first()
    return taken is not None


def run(name: str, schedule: Sequence[Tick], stopping: threading.Event) -> None:
    """Run the schedule while this process holds the lease, until `stopping` is set.

    A piece that fails is logged and comes again at its next turn; it stops no other."""
    holder = f"{os.getpid()}-{new_id('tck')}"
    due = {tick.name: time.monotonic() for tick in schedule}
    renew_at, ours = 0.0, False
    while not stopping.is_set():
        if time.monotonic() >= renew_at:
            ours = _try("lease", lambda: take_lease(name, holder)) is True
            renew_at = time.monotonic() + _RENEW
        for tick in schedule:
            if ours and time.monotonic() >= due[tick.name] and not stopping.is_set():
                _try(tick.name, tick.run)
                due[tick.name] = time.monotonic() + tick.every
        stopping.wait(0.05)
    if ours:
        _try("lease", lambda: _let_go(name, holder))


def _let_go(name: str, holder: str) -> None:
    with writing() as session:
        session.execute(
            update(Lease).where(Lease.name == name, Lease.holder == holder).values(until=clock.now() - _LEASE)
        )


def _try(name: str, work: Callable[[], object]) -> object:
    try:
        return work()
    except Exception as error:  # the loop must outlive any failure of its parts; each is told
        log.error("tick.failed", tick=name, error=f"{type(error).__name__}: {error}"[:300])
        return None
