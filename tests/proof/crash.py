"""kill -9 of any process, again and again, while fifty clients buy: what was acknowledged stands.

`python -m tests.proof crash --kills 100 --orders 3000 --seed 42` (bin/prove crash). Prints one closing line."""

import asyncio
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select

from checkout import audit
from checkout.models import Order
from runtime import db, log, redis
from runtime.db import reading
from runtime.facts import Fact
from runtime.settings import settings
from tests.proof.wire import Stuck, Wire
from tests.proof.world import Buyer, World, environment, made
from tests.shop import Shop, anybody, running

CLIENTS = 50
VICTIMS = ("redis", "web", "checks", "money", "papers", "dispatch", "notices", "clock")
DROP = "crash-run"
CALM = 60  # seconds after a fault in which everything must have settled
_PROMISED = ("number", "due_now_fen", "price", "created_at")
_UNDECIDED = ("created", "awaiting_kyc", "cancel_requested", "reversing", "refunding")
_OVER = ("cancelled",)


@dataclass
class Ledger:
    """What clients were told."""

    orders: dict[str, tuple[Buyer, dict[str, Any]]] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)  # promises not kept


@dataclass
class Crowd:
    """The clients: each takes the next buyer, searches, holds and orders, and asks again until it is answered."""

    shop: Shop
    world: World
    chance: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    inside: int = 0
    nth: Any = field(default_factory=count)

    async def client(self) -> None:
        wire = Wire(self.shop.port)
        while True:
            await self.open.wait()
            nth = next(self.nth)
            self.inside += 1
            try:
                await self._buy(wire, self.world.buyers[nth], nth)
            finally:
                self.inside -= 1

    async def pause(self) -> None:
        """Let everybody inside finish; nobody else begins."""
        self.open.clear()
        end = time.monotonic() + 180
        while self.inside:
            if time.monotonic() > end:
                raise Stuck(f"{self.inside} clients are still without an answer")
            await asyncio.sleep(0.02)

    async def _buy(self, wire: Wire, buyer: Buyer, nth: int) -> None:
        held = await self._hold(wire, buyer, f"{buyer.account}-1")
        if self.chance.random() < 0.1:
            status, _ = await wire.until_told("DELETE", f"/api/v1/holds/{held['hold']}", token=buyer.token)
            assert status == 204, status
            held = await self._hold(wire, buyer, f"{buyer.account}-2")
        body = buyer.order_body(held["hold"], "cod" if self.chance.random() < 0.5 else "card")
        if self.chance.random() < 0.1:  # for somebody who has yet to be verified
            body |= {"name": "测" + chr(0x4E00 + nth % 20_000), "id_number": anybody(500_000 + nth)}
        key = f"order-{buyer.account}"
        status, placed = await wire.until_told("POST", "/api/v1/orders", body, token=buyer.token, key=key)
        if status != 201 or placed["number"] != held["number"]:
            self.ledger.broken.append(f"{held['hold']} was held, its order was answered {status} {placed}")
            return
        self.ledger.orders[placed["order"]] = (buyer, placed)
        if self.chance.random() < 0.05:
            path = f"/api/v1/orders/{placed['order']}/cancellation"
            status, told = await wire.until_told("POST", path, {}, token=buyer.token)
            # Asked again after a lost answer it is on its way already.
            assert status == 200 or told["code"] == "wrong_move", told
            self.ledger.cancelled.add(placed["order"])

    async def _hold(self, wire: Wire, buyer: Buyer, key: str) -> dict[str, Any]:
        for turn in range(200):
            query = urlencode({"limit": 30, "batch": f"{buyer.account}-{turn}"})
            status, shown = await wire.until_told("GET", f"/api/v1/drops/{DROP}/numbers?{query}")
            numbers = [one["number"] for one in shown["numbers"]] if status == 200 else []
            if not numbers:  # the web process has just started and reads the drop
                await asyncio.sleep(0.1)
                continue
            wish = {"offer": self.world.offer, "number": self.chance.choice(numbers)}
            status, held = await wire.until_told(
                "POST", f"/api/v1/drops/{DROP}/holds", wish, token=buyer.token, key=f"{key}-{turn}"
            )
            if status == 201:
                return dict(held)
            assert held["code"] in ("taken", "invalid"), held
        raise Stuck(f"{buyer.account} found no number")


async def run(shop: Shop, *, kills: int, orders: int, seed: int, say: Callable[[str], None]) -> list[str]:
    """Everything that went wrong; nothing is what everybody wants. Says the closing line."""
    most = orders + (kills + 10) * 2 * CLIENTS  # whoever is inside when it is enough buys on
    world = made(shop, DROP, most, most)
    _be_part_of(shop)
    chance = random.Random(seed)
    crowd = Crowd(shop, world, chance)
    clients = [asyncio.create_task(crowd.client()) for _ in range(CLIENTS)]
    # A Redis that is not the shop's own is nobody's to start again.
    alive = VICTIMS if "HAOKA_REDIS_URL" not in shop.env else VICTIMS[1:]
    victims, clean, buying = Counter[str](), 0, 0.0
    deck: list[str] = []
    try:
        for turn in range(kills):
            wanted = round(orders * (turn + 1) / kills)
            already, began = len(crowd.ledger.orders), time.monotonic()
            strike_at = already + chance.randrange(max(1, wanted - already))
            crowd.open.set()
            await _until(clients, crowd.ledger, strike_at)
            await asyncio.sleep(chance.uniform(0, 0.1))
            deck = deck or chance.sample(alive, len(alive))  # each as often as the others
            victim = deck.pop()
            await asyncio.to_thread(shop.kill, victim)
            victims[victim] += 1
            await _until(clients, crowd.ledger, wanted)
            await crowd.pause()
            buying += time.monotonic() - began
            differences = await asyncio.to_thread(_audited)
            clean += not differences
            if differences:
                crowd.ledger.broken += [
                    f"after kill {turn + 1} ({victim}): {one}" for one in differences[:20]
                ]
            if (turn + 1) % 10 == 0 or differences:
                say(f"{turn + 1} kills, {len(crowd.ledger.orders):,} orders, {clean} audits clean")
        lost, doubled = await _compared(shop, crowd)
    finally:
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    acknowledged = len(crowd.ledger.orders)
    say(
        ", ".join(f"{name} {victims[name]}" for name in VICTIMS)
        + f"; {acknowledged / buying:.0f} orders a second"
    )
    say(
        f"{kills} kills, {acknowledged:,} acknowledged orders, {len(lost)} lost, {len(doubled)} doubled, "
        f"{clean} audits clean, seed {seed}"
    )
    return [*crowd.ledger.broken, *lost, *doubled]


async def _until(clients: list[asyncio.Task[None]], ledger: Ledger, orders: int) -> None:
    """A client that ended has failed: its error is everybody's."""
    while len(ledger.orders) < orders:
        for client in clients:
            if client.done():
                client.result()
        await asyncio.sleep(0.005)


def _be_part_of(shop: Shop) -> None:
    """This process audits the shop from inside, which is quicker than a command each time."""
    os.environ |= {name: value for name, value in environment(shop).items() if name.startswith("HAOKA_")}
    settings.cache_clear()
    redis.forget()
    db.dispose()
    log.configure("CRITICAL")


def _audited() -> list[str]:
    """The audit's differences when everything has settled, or CALM seconds are over."""
    end, found = time.monotonic() + CALM, ["no audit"]
    while found and time.monotonic() < end:
        try:
            found = audit.audit(DROP).differences
        except Fact as away:
            found = [f"{type(away).__name__}: {away}"]
        if found:
            time.sleep(0.2)
    return found


async def _compared(shop: Shop, crowd: Crowd) -> tuple[list[str], list[str]]:
    """Each acknowledged order as the shop tells it now: those lost or changed, and what was sold or placed twice."""
    lost, left = [], list(crowd.ledger.orders.items())
    moved = time.monotonic()  # as long as orders get on, on a busy machine, the others are waited for

    async def look() -> None:
        nonlocal moved
        wire = Wire(shop.port)
        while left:
            order, (buyer, placed) = left.pop()
            while True:
                status, now = await wire.until_told("GET", f"/api/v1/orders/{order}", token=buyer.token)
                if status != 200 or now["state"] not in _UNDECIDED:
                    moved = time.monotonic()
                    break
                if time.monotonic() > moved + CALM:
                    break
                await asyncio.sleep(0.5)
            if status != 200 or [now[f] for f in _PROMISED] != [placed[f] for f in _PROMISED]:
                lost.append(f"{order}: {status} {now}, placed as {placed}")
            elif now["state"] not in (_OVER if order in crowd.ledger.cancelled else ("awaiting_payment",)):
                lost.append(f"{order}: {now['state']}")
        wire.close()

    await asyncio.gather(*(look() for _ in range(CLIENTS)))
    with reading() as session:
        known = session.execute(select(Order.id, Order.number, Order.live, Order.account)).all()
    owners = Counter(row.number for row in known if row.live)
    doubled = [f"number {number}: {n} live orders" for number, n in owners.items() if n > 1]
    doubled += [
        f"order {row.id}: nobody was told of it" for row in known if row.id not in crowd.ledger.orders
    ]
    placed_by = Counter(row.account for row in known)
    doubled += [f"account {account}: {n} orders" for account, n in placed_by.items() if n > 1]
    return lost, doubled


def prove(kills: int, orders: int, seed: int) -> int:
    """Exit code 1 when anything was lost, doubled, or an audit found a difference."""
    began = time.monotonic()

    def say(line: str) -> None:
        print(
            line if line.endswith(f"seed {seed}") else f"[{time.monotonic() - began:5.0f} s] {line}",
            flush=True,
        )

    with running(HAOKA_MANIFEST_SECONDS="30") as shop:
        wrong = asyncio.run(run(shop, kills=kills, orders=orders, seed=seed, say=say))
    for one in wrong[:50]:
        print(f"WRONG {one}", file=sys.stderr)
    return 1 if wrong else 0
