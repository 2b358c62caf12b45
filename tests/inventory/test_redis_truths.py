"""A little of bin/prove truths: after each fault all that was acknowledged stands, and the audit is clean."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runtime import log
from tests import servers
from tests.proof import truths
from tests.proof.truths import HOUR, Sale


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    log.configure("CRITICAL")
    yield
    log.configure("WARNING")


EVENTS: dict[str, Callable[[Sale], list[str]]] = {
    "killed with a slow disk": truths.killed_with_a_slow_disk,
    "an hour forward": lambda sale: truths.its_clock_jumps(sale, HOUR),
    "a day back": lambda sale: truths.its_clock_jumps(sale, -24 * HOUR),
    "its files deleted": truths.its_files_deleted,
    "flushed": truths.flushed,
    "its disk full": truths.its_disk_full,
}
_WEATHER = {"killed with a slow disk", "an hour forward", "a day back"}


@pytest.mark.parametrize("kind", servers.KINDS)
def test_what_was_acknowledged_stands_whatever_happens_to_redis(
    kind: str, db: None, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    if not servers.program(kind):
        pytest.skip(f"no {kind}-server on this machine")
    with truths.sale(tmp_path, kind, 3_000) as sale:
        tried = [name for name in EVENTS if sale.weather or name not in _WEATHER]
        assert {name: found for name in tried if (found := EVENTS[name](sale))} == {}
    record_property("proof", f"truths, {kind}: {', '.join(tried)}: nothing lost, audits clean")


def test_with_everysec_a_slow_disk_loses_what_was_acknowledged(db: None, tmp_path: Path) -> None:
    """The twin: the check above sees it when the shop's policy is not `always`."""
    if not servers.program("redis"):
        pytest.skip("no redis-server on this machine")
    with truths.sale(tmp_path, "redis", 3_000) as sale:
        if not sale.weather:
            pytest.skip("no C compiler on this machine: a disk cannot be made slow")
        sale.kill()
        policy = ("--appendfsync", "everysec")
        sale.start(*policy)
        assert truths.killed_with_a_slow_disk(sale, *policy, slow=1_500) != []
