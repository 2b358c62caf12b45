"""Every verb, in any order, on a real Redis and a real Valkey, against the book of the counter (stock_book.py).

Each answer is what the book says, and so is every unit's place after each step; three steps in ten send an earlier
call again, which must move nothing. HAOKA_MODEL_STEPS sets how many steps are taken in all (60,000)."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from redis import Redis

from inventory import holds, verbs
from runtime import log
from runtime.redis import close_async
from tests import servers
from tests.inventory.sale_machine import DROP, SKU, UNITS, Sale
from tests.inventory.small_drop import held, make_drop, reload

# No verb touches SQL: once in full is enough.
_ENOUGH = "6000" if "HAOKA_TEST_DATABASE_URL" in os.environ else "60000"
STEPS = int(os.environ.get("HAOKA_MODEL_STEPS", _ENOUGH))
AT_ONCE = 40  # steps of one example
# Of all steps, on each kind of server.
LAYOUTS = {"one lot": 0.42, "a round of a campaign": 0.05, "three lots": 0.03}
REACHED = (
    *("hold held", "hold taken", "hold sold_out", "hold limit_reached", "hold not_found", "hold drop_paused"),
    *("hold drop_closed", "release ", "release ordered", "claim claimed", "claim lapsed", "claim ordered"),
    *("claim limit_reached", "settle ", "settle lapsed", "expired"),
)


def load(layout: str) -> None:
    """The drop every example begins with."""
    verbs.forget()
    Sale.units, Sale.earlier = {SKU: UNITS}, Counter()
    rules: dict[str, Any] = {"limit_account": 2, "limit_person": 1}
    if layout == "three lots":
        Sale.units, rules["lots"] = {}, 3  # handsets are sold in one lot alone
    elif layout == "a round of a campaign":
        rules = {"campaign": "spring", "limit_account": 3, "limit_person": 2}
        [number] = make_drop("d0", 1, city="540", **rules)
        holds.claim(held("d0", "li", number, person="p1").id, account="li", order_id="o-earlier")
        Sale.earlier = Counter({"li": 1, "p1": 1})
    Sale.numbers = tuple(make_drop(DROP, 4, skus=Sale.units, **rules))
    Sale.drop, Sale.quick = reload(DROP), reload(DROP)
    Sale.quick.hold_seconds = 0
    Sale.loaded = tuple((key, Sale.server.dump(key) or b"") for key in Sale.server.scan_iter())
    Sale.seen = Counter()


@pytest.mark.timeout(0)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", servers.KINDS)
def test_every_verb_does_what_the_book_says(
    kind: str, layout: str, db: None, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    if not servers.program(kind):
        pytest.skip(f"no {kind}-server on this machine: the other kind alone was tried")
    steps = round(STEPS * LAYOUTS[layout])
    server = servers.start(kind, tmp_path / kind, "--appendonly", "no")
    log.configure("CRITICAL")  # thousands of jumps of the clock
    runner = asyncio.Runner()
    began = time.monotonic()
    try:
        with servers.using(servers.url(tmp_path / kind)):
            Sale.server = Redis.from_url(servers.url(tmp_path / kind))
            load(layout)
            Sale.run = staticmethod(runner.run)
            run_state_machine_as_test(
                Sale,
                settings=settings(
                    max_examples=5 + steps * 6 // (5 * AT_ONCE), stateful_step_count=AT_ONCE, deadline=None,
                    database=None, print_blob=True, suppress_health_check=list(HealthCheck),
                    phases=(Phase.generate, Phase.shrink),
                ),
            )  # fmt: skip
            runner.run(close_async())
    finally:
        log.configure("WARNING")
        verbs.forget()
        runner.close()
        Sale.server.close()
        servers.stop(server)
    taken, again = Sale.seen["steps"], Sale.seen["replays"]
    record_property(
        "proof",
        f"model, {kind}, {layout}: {taken:,} steps, {again:,} replays, {time.monotonic() - began:.0f} s",
    )
    assert taken >= steps
    reached = [word for word in REACHED if layout != "three lots" or word != "hold not_found"]
    if steps >= 10_000:  # with fewer, much is left to luck
        assert again >= taken * 0.3
        assert [word for word in reached if Sale.seen[word] < 1 + steps // 2_000] == []
