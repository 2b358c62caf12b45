"""The one clock: aware UTC for everything that is stored, Shanghai dates for what people read."""

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")

_offset, _offset_ms = timedelta(), 0


def now() -> datetime:
    """The time, aware, in UTC, to the millisecond (so that it survives any store unchanged)."""
    return from_ms(now_ms())


def now_ms() -> int:
    """The same, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000 + _offset_ms


def shift(by: timedelta) -> None:
    """Move this process's clock; only tests and the simulator do."""
    global _offset, _offset_ms
    _offset, _offset_ms = by, by // timedelta(milliseconds=1)


def shanghai_date(at: datetime | None = None) -> date:
    return (at or now()).astimezone(SHANGHAI).date()


def epoch_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
