"""A failover that loses what the primary had acknowledged: no number is sold twice, and a rebuild mends the drop."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkout import rebuilding
from checkout.audit import audit
from inventory import holds, verbs
from inventory.facts import Stale
from runtime import redis as redis_clients
from runtime.facts import Fact, Unavailable
from runtime.settings import settings
from tests.checkout.shop import DROP, WANG, Shop, open_shop
from tests.redis_cluster import ask, until
from tests.redis_sentinel import Pair, sentinel_pair


@pytest.fixture
def pair(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    if os.environ.get("HAOKA_TEST_REDIS"):
        pytest.skip("has servers of its own, whatever the run is for")
    with sentinel_pair(tmp_path / "redis") as made:
        monkeypatch.setenv("HAOKA_REDIS_URL", made.url)
        settings.cache_clear()
        redis_clients.forget()
        verbs.forget()
        yield made
        redis_clients.forget()
        monkeypatch.undo()
        settings.cache_clear()
        verbs.forget()


def test_what_a_failover_lost_is_sold_to_nobody_else_and_comes_back_by_a_rebuild(
    pair: Pair, tmp_path: Path, twins: str
) -> None:
    shop = open_shop(tmp_path, twins)
    before = shop.place("wang", WANG, key="k2")
    shop.settle_down()
    lost = _lost(pair, shop)
    again = _held(shop, "zhao", lost)
    assert again.number == lost  # the new primary knows nothing of the order
    with pytest.raises(Fact):
        shop.place("zhao", hold=again.id, key="k3")  # SQL does
    assert audit(DROP).differences != []
    redis_clients.hot().unlink(verbs.key(DROP, "epoch"), verbs.key(DROP, "loading"))
    with pytest.raises(Stale):
        shop.hold("zhao")
    assert rebuilding.rebuild(DROP) == []
    assert audit(DROP).differences == []
    assert shop.hold("zhao").number not in {lost, before.number}


def _lost(pair: Pair, shop: Shop) -> str:
    """The number of an order that was acknowledged and that the promoted replica never heard of."""
    old = pair.primary
    until(lambda: bool(ask(old, "WAIT", 1, 100) == 1))
    [replica] = [server for port, server in pair.servers.items() if port != old]
    os.kill(replica.pid, signal.SIGSTOP)
    ask(old, "CLIENT", "KILL", "TYPE", "replica")
    order = shop.place()
    pair.servers[old].kill()
    os.kill(replica.pid, signal.SIGCONT)
    until(lambda: pair.primary != old, seconds=60)
    return order.number


def _held(shop: Shop, account: str, number: str) -> holds.Hold:
    end = time.monotonic() + 30
    while True:
        try:
            return shop.hold(account, number=number)
        except Unavailable:
            assert time.monotonic() < end
            time.sleep(0.05)
