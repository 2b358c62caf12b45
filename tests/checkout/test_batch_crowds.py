"""Many batches at once over the same people and ID numbers: nobody waits for ever, no order is lost or doubled.

HAOKA_CROWD_ORDERS sets how many orders are placed (default 192)."""

import os
import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import func, select

from checkout import orphans
from checkout.asked import Asked
from checkout.booking import Placed
from checkout.models import Claim, Order
from checkout.placing import Aside, place_all
from kyc.models import IdQuota, Person
from runtime.db import reading, writing
from runtime.facts import Unavailable
from runtime.settings import settings
from tests.checkout.crowd import held, let_one_id_buy_many, tally, verified, wants
from tests.checkout.shop import Shop, open_shop

THREADS = 64
ORDERS = int(os.environ.get("HAOKA_CROWD_ORDERS", "192"))
EACH = 3  # times that every order is asked for, with the same key


@pytest.fixture
def market(db: None, redis: Redis, twins: str, tmp_path: Path) -> Shop:
    return open_shop(tmp_path, twins, ORDERS)


def test_random_batches_of_64_threads(market: Shop, record_property: Callable[[str, object], None]) -> None:
    """Three accounts to an ID, each order wanted three times in batches of random sizes and orders; the waiting that
    a batch leaves to others is done alone. Every fifth ID has places for two of its three."""
    seed = random.randrange(10**9)
    print(f"seed {seed}")  # of a failure
    dice = random.Random(seed)
    crowd = [f"acc-{n}" for n in range(ORDERS)]
    ids = ORDERS // 3
    verified(crowd, ids=ids)
    let_one_id_buy_many()
    limit = settings().max_numbers_per_id
    with reading() as session:
        indexes = sorted(session.scalars(select(Person.id_index).distinct()))
    with writing() as session:
        session.add_all(IdQuota(person_index=index, used=limit - 2) for index in indexes[::5])
    asked = [wants(one, hold) for one, hold in zip(crowd, held(crowd), strict=True)] * EACH
    dice.shuffle(asked)
    batches: list[list[Asked]] = []
    while asked:
        size = dice.randint(1, 12)
        batches.append(asked[:size])
        asked = asked[size:]
    told: list[tuple[Asked, Placed | Exception]] = []
    aside = Counter[str]()

    def go(batch: list[Asked]) -> None:
        for one, answer in zip(batch, place_all(batch), strict=True):
            while isinstance(answer, Aside | Unavailable):  # what any client does: the same once more
                aside[type(answer).__name__] += 1
                [answer] = place_all([one], waits=True)
            told.append((one, answer))

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(go, batch) for batch in batches]:
            done.result()

    assert len(told) == ORDERS * EACH
    kinds = {one.order_id: set[str]() for one, _ in told}
    for one, answer in told:
        kinds[one.order_id].add(type(answer).__name__)
        assert not isinstance(answer, Placed) or answer.order.id == one.order_id
    placed = {order_id for order_id, seen in kinds.items() if seen == {"Placed"}}
    refused = {order_id for order_id, seen in kinds.items() if "IdLimitReached" in seen}
    assert {frozenset(seen) for seen in kinds.values()} <= {
        frozenset({"Placed"}),
        frozenset({"IdLimitReached"}),
        frozenset({"IdLimitReached", "Lapsed"}),
    }
    assert (len(refused), len(placed)) == (len(indexes[::5]), ORDERS - len(indexes[::5]))
    with reading() as session:
        assert set(session.scalars(select(Order.id).where(Order.live))) == placed
        assert session.scalar(select(func.count()).select_from(Claim)) == ORDERS
        assert dict(session.execute(select(IdQuota.used, func.count()).group_by(IdQuota.used)).all()) == {
            limit: len(indexes[::5]),
            3: ids - len(indexes[::5]),
        }
    assert tally() == (len(refused), 0, len(placed), 0)
    assert orphans.tick(0) == 0
    with writing() as session:
        for row in session.scalars(select(IdQuota).where(IdQuota.used == limit)):
            row.used = 2
    assert market.clean()
    record_property(
        "proof",
        f"{len(told)} requests for {ORDERS} orders in {len(batches)} batches of {THREADS} threads, "
        f"{aside['Aside']} placed aside: {len(placed)} orders, none lost or doubled, no deadlock; seed {seed}",
    )
