"""The schedule: every piece of periodic work and its period, in one place."""

from datetime import timedelta

from checkout import expiry, news, orphans, payments
from inventory import archive, drops, expire, numbers, queue_rules
from kyc import retention
from logistics import manifests
from runtime import jobs
from runtime.db import writing
from runtime.settings import settings
from runtime.ticker import Tick
from storefront import rehearsing, reservation_turns


def schedule() -> list[Tick]:
    """What the clock process does; periods in seconds."""
    return [
        Tick("expire holds", 1, expire.tick),
        Tick("take news", 0.5, news.tick),
        Tick("wake queues", 1, jobs.sweep),
        Tick("drop states", 1, drops.tick),
        Tick("queues and draws", 1, queue_rules.tick),
        Tick("archive journals", 5, archive.tick),
        Tick("expire orders", 2, expiry.tick),
        Tick("poll payments", 20, payments.tick),
        Tick("give back orphans", max(2, settings().orphan_seconds / 4), orphans.tick),
        Tick("cut manifests", settings().manifest_seconds, manifests.tick),
        Tick("forget personal data", 300, retention.tick),
        Tick("reservations", 5, reservation_turns.tick),
        Tick("thaw numbers", 600, thaw),
        Tick("clear rehearsals", 300, rehearsing.clear_stuck),
    ]


def thaw() -> None:
    """Numbers that came back from the road and have rested long enough are stock again."""
    with writing() as session:
        numbers.thaw(session, timedelta(days=settings().cooling_days))
