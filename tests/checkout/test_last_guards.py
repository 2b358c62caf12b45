"""SQL's own guards, after Redis's: one owner a number, so many numbers an ID, no order of an earlier life."""

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import event, func, select, update

from checkout import orphans
from checkout.asked import Asked
from checkout.models import Order
from checkout.placing import NumberSlipped, place_all
from inventory import holds
from inventory.models import Drop
from kyc.models import IdQuota, Person
from runtime.db import engine, writing
from runtime.settings import settings
from tests.checkout.crowd import (
    fates,
    held,
    ids_of,
    kinds,
    let_one_id_buy_many,
    live,
    tally,
    used,
    verified,
    wants,
)
from tests.checkout.shop import DROP, Shop


def one_place_left(accounts: list[str]) -> None:
    """The accounts are of one ID number, which may have one number more."""
    verified(accounts, ids=1)
    let_one_id_buy_many()
    with writing() as session:
        index = session.scalars(select(Person.id_index).limit(1)).one()
        session.add(IdQuota(person_index=index, used=settings().max_numbers_per_id - 1))


def test_the_last_place_of_an_id_wanted_by_two_in_a_batch(shop: Shop) -> None:
    one_place_left(["a", "b"])
    answers = place_all([wants(one, hold) for one, hold in zip("ab", held(["a", "b"]), strict=True)])
    assert kinds(answers) == ["Placed", "IdLimitReached"]
    assert (len(live()), used(), fates()) == (1, [5], ["placed", "voided"])
    assert tally() == (39, 0, 1, 0)


def test_the_last_place_of_an_id_wanted_by_two_threads(shop: Shop) -> None:
    one_place_left(["a", "b"])
    asked = [[wants(one, hold)] for one, hold in zip("ab", held(["a", "b"]), strict=True)]
    start = threading.Barrier(2)

    def go(batch: list[Asked]) -> str:
        start.wait()
        return kinds(place_all(batch))[0]

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(go, asked)) == ["IdLimitReached", "Placed"]
    assert (len(live()), used(), fates()) == (1, [5], ["placed", "voided"])
    assert tally() == (39, 0, 1, 0)


def test_one_id_gets_as_many_as_it_may_in_one_batch(shop: Shop) -> None:
    crowd = [f"acc-{n}" for n in range(7)]
    verified(crowd, ids=1)
    let_one_id_buy_many()
    answers = place_all([wants(one, hold) for one, hold in zip(crowd, held(crowd), strict=True)])
    assert kinds(answers) == ["Placed"] * 5 + ["IdLimitReached"] * 2
    assert (used(), tally()) == ([5], (35, 0, 5, 0))


def test_the_last_guard_refuses_the_guilty_one_alone(shop: Shop) -> None:
    crowd = [f"acc-{n}" for n in range(9)]
    verified([*crowd, "owner"])
    owner = held(["owner"])[0]
    [mine] = ids_of(place_all([wants("owner", owner)]))
    batch = [wants(one, hold) for one, hold in zip(crowd, held(crowd), strict=True)]
    with writing() as session:  # as if Redis had let it slip
        slipped = holds.find(batch[3].hold_id).number
        session.get_one(Order, mine).number = slipped
    answers = place_all(batch)
    assert kinds(answers) == ["Placed"] * 3 + ["NumberSlipped"] + ["Placed"] * 5
    assert isinstance(refused := answers[3], NumberSlipped)
    assert refused.details == {"number": slipped}
    assert len(live()) == 9
    assert (fates(), used()) == (["placed"] * 9 + ["voided"], [1] * 9)
    assert tally() == (30, 0, 10, 0)  # SQL has an owner of that number, so it is not given back


def test_a_claim_of_an_earlier_life_of_the_stock_makes_no_order(shop: Shop) -> None:
    verified(["a", "b"])
    asked = [wants(one, hold) for one, hold in zip("ab", held(["a", "b"]), strict=True)]
    [first] = ids_of(place_all(asked[:1]))
    with writing() as session:  # a rebuild has begun: Redis may still know the old life, SQL has fenced it
        drop = session.get_one(Drop, DROP)
        epoch, drop.epoch = drop.epoch, "fen_test"
    assert kinds(place_all(asked)) == ["Placed", "Stale"]
    assert (live(), fates()) == ([first], ["placed"])
    # Nothing was given back or voided: what becomes of the claim is the rebuild's to say.
    assert tally() == (38, 0, 2, 0)
    with writing() as session:
        session.get_one(Drop, DROP).epoch = epoch
    assert len(ids_of(place_all(asked))) == 2
    assert orphans.tick(0) == 0
    shop.settle_down()
    assert shop.clean()


def test_a_rebuild_waits_for_the_orders_before_it(shop: Shop) -> None:
    """Orders that saw the old epoch are committed before the fence is."""
    verified(["a"])
    [hold] = held(["a"])
    entered, fenced = threading.Event(), threading.Event()

    def fence() -> int:
        assert entered.wait(10)
        with writing() as session:
            session.execute(update(Drop).where(Drop.id == DROP).values(epoch="fen_test"))
            fenced.set()
            return session.scalar(select(func.count()).select_from(Order)) or 0

    def crash_point_of_a_slow_order(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO orders"):
            entered.set()
            assert not fenced.wait(0.3)

    event.listen(engine(), "before_cursor_execute", crash_point_of_a_slow_order)
    try:
        with ThreadPoolExecutor(1) as pool:
            seen = pool.submit(fence)
            assert kinds(place_all([wants("a", hold)])) == ["Placed"]
            assert seen.result() == 1
    finally:
        event.remove(engine(), "before_cursor_execute", crash_point_of_a_slow_order)
