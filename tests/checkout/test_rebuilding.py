"""A Redis that lost everything: holds are refused until the drop is rebuilt, then every order has its number."""

import pytest
from redis import Redis

from checkout import rebuilding
from checkout.audit import audit
from inventory import holds
from inventory.facts import Stale
from runtime.facts import WrongMove
from tests.checkout.shop import DROP, WANG, Shop


def test_a_lost_drop_is_refused_then_rebuilt_with_its_orders(shop: Shop, redis: Redis) -> None:
    li = shop.place()
    wang = shop.place("wang", WANG, key="k2")
    shop.settle_down()
    redis.flushall()
    with pytest.raises(Stale):
        shop.hold("zhao")
    assert rebuilding.rebuild(DROP) == []
    assert audit(DROP).differences == []
    held = shop.hold("zhao")
    assert held.number not in {li.number, wang.number}
    assert holds.find(held.id).state == "held"


def test_a_live_drop_is_never_loaded_over(shop: Shop) -> None:
    with pytest.raises(WrongMove):
        rebuilding.rebuild(DROP)
