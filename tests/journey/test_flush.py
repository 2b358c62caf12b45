"""FLUSHALL in mid-drop: not one hold is accepted until the rebuild, and after it no order has changed."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from inventory import verbs
from runtime.redis import hot
from tests import servers
from tests.proof.wire import AWAY, Wire
from tests.proof.world import Buyer, World, made
from tests.shop import Shop, running, until

DROP = "flushed"
_KEPT = ("number", "state", "due_now_fen", "price", "payment", "created_at")


@dataclass
class Sale:
    """Buyers who hold and order one after the other, and do not give up."""

    shop: Shop
    world: World
    orders: dict[str, Buyer] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)  # of every attempt to hold
    next: int = 0
    stopped: bool = False

    async def buy(self) -> None:
        wire = Wire(self.shop.port)
        while not self.stopped:
            nth, self.next = self.next, self.next + 1
            buyer, wish = (
                self.world.buyers[nth],
                {"offer": self.world.offer, "number": self.world.numbers[nth]},
            )
            status, held = 503, None
            while status in AWAY and not self.stopped:
                status, held = await wire.ask("POST", f"/api/v1/drops/{DROP}/holds", wish, token=buyer.token)
                self.answers.append(status)
            if held is None or status != 201:
                continue
            body = buyer.order_body(held["hold"], "cod" if nth % 2 else "card")
            status, order = await wire.ask(
                "POST", "/api/v1/orders", body, token=buyer.token, key=f"order-{nth}"
            )
            if status == 201:
                self.orders[order["order"]] = buyer
        wire.close()

    async def look(self) -> dict[str, list[Any]]:
        wire = Wire(self.shop.port)
        seen = {}
        for order, buyer in self.orders.items():
            status, told = await wire.until_told("GET", f"/api/v1/orders/{order}", token=buyer.token)
            assert status == 200
            seen[order] = [told[name] for name in _KEPT]
        wire.close()
        return seen


async def flushed_while_selling(shop: Shop, sale: Sale) -> dict[str, list[Any]]:
    """The orders as they were before the rebuild."""
    buyers = [asyncio.create_task(sale.buy()) for _ in range(12)]
    while len(sale.orders) < 40:
        await asyncio.sleep(0.01)
    with servers.using(shop.env.get("HAOKA_REDIS_URL") or servers.url(shop.home / "redis")):
        await asyncio.to_thread(hot().flushall)
        accepted, asked = sale.answers.count(201), len(sale.answers)
        # What was in flight at that moment is answered; whoever comes later is refused.
        while len(sale.answers) < asked + 300:
            await asyncio.sleep(0.01)
        assert sale.answers.count(201) - accepted <= len(buyers)
        assert set(sale.answers[-250:]) <= AWAY
        assert hot().exists(verbs.key(DROP, "epoch")) == 0
    sale.stopped = True
    await asyncio.gather(*buyers)
    return await sale.look()


def test_redis_flushed_in_mid_drop_sells_nothing_until_it_is_rebuilt_and_no_order_changes(
    schema: None,
) -> None:
    with running() as shop:
        sale = Sale(shop, made(shop, DROP, 4_000, 4_000))
        before = asyncio.run(flushed_while_selling(shop, sale))
        with shop.client() as anybody:
            assert anybody.get(f"/drops/{DROP}").status_code == 200  # pages stay up
        assert shop.haoka("audit", DROP).returncode == 1
        rebuilt = shop.haoka("rebuild", DROP)
        assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
        until(lambda: shop.haoka("audit", DROP).returncode == 0, seconds=60, every=0.5)
        assert shop.haoka("rebuild", DROP).returncode == 1  # never over a live drop
        assert asyncio.run(sale.look()) == before
        accepted = len(sale.orders)
        sale.stopped = False
        asyncio.run(_sell_on(sale, accepted + 10))
        until(lambda: shop.haoka("audit", DROP).returncode == 0, seconds=60, every=0.5)


async def _sell_on(sale: Sale, orders: int) -> None:
    """The shop sells again, and no number that was ordered."""
    known = {told[0] for told in (await sale.look()).values()}
    buyers = [asyncio.create_task(sale.buy()) for _ in range(4)]
    while len(sale.orders) < orders:
        await asyncio.sleep(0.01)
    sale.stopped = True
    await asyncio.gather(*buyers)
    numbers = [told[0] for told in (await sale.look()).values()]
    assert len(numbers) == len(set(numbers))
    assert known < set(numbers)
