"""The one clock: aware UTC for everything that is stored, Shanghai dates for what people read."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")

_offset = timedelta()


def now() -> datetime:
    """The time, aware, in UTC, to the millisecond (so that it survives any store unchanged)."""
    at = datetime.now(UTC) + _offset
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def shift(by: timedelta) -> None:
    """Move this process's clock; only tests and the simulator do."""
    global _offset
    _offset = by


def shanghai_date(at: datetime | None = None) -> date:
    return (at or now()).astimezone(SHANGHAI).date()


def epoch_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def from_ms(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
