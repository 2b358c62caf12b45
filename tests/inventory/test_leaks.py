"""Stock that could be lost for ever: drops that were never published, handsets whose drop is over."""

from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import func, select

from inventory import drops, holds, shelf, stock, units
from inventory.facts import SoldOut
from inventory.models import Drop, HandsetUnit, Number
from runtime import clock
from runtime.db import reading, writing
from runtime.facts import NotFound, Unavailable
from tests.inventory.small_drop import OPS, Make, add_numbers, held, make_drop, ordinary


def of_drop(drop_id: str) -> tuple[int, int]:
    """Numbers and handsets that are a drop's."""
    with reading() as session:
        return (
            session.scalar(select(func.count()).where(Number.drop_id == drop_id)) or 0,
            session.scalar(select(func.count()).where(HandsetUnit.drop_id == drop_id)) or 0,
        )


def over(drop_id: str) -> None:
    for move in (drops.close, drops.settle):
        with writing() as session:
            move(session, drop_id, **OPS)


def test_a_drop_that_was_warmed_and_never_published_gives_its_stock_back(
    db: None, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_drop: object) -> None:
        raise Unavailable

    with monkeypatch.context() as patched:
        patched.setattr(stock, "_publish_first", away)
        make_drop("d1", 5, skus={"ip4": 2})
    assert of_drop("d1") == (5, 2)
    over("d1")
    assert of_drop("d1") == (0, 0)
    with writing() as session:
        drops.create(
            session, id="d2", name="d2", pool="d1", cities=["110"], opens_at=clock.now(), skus={"ip4": 2},
            actor="zhao",
        )  # fmt: skip
        drops.schedule(session, "d2", **OPS)
        drops.warm(session, "d2", **OPS)
    assert of_drop("d2") == (5, 2)


def bought(drop_id: str, number: str, order_id: str) -> None:
    hold = held(drop_id, order_id, number, sku="ip4")
    holds.claim(hold.id, account=order_id, order_id=order_id)
    holds.settle(drop_id, order_id, number)
    with writing() as session:
        units.bind(session, order_id, "ip4", drop_id)


def test_a_drop_sells_its_own_handsets_first_and_never_those_of_another(make: Make) -> None:
    stocked = make("d1", 3, skus={"ip4": 1})
    with writing() as session:
        units.add_sims(session, units.made_up_iccids(5))
        units.add_handsets(session, "ip4", units.made_up_imeis("ip4", 2)[1:])  # nobody's yet
    bought("d1", stocked[0], "o1")
    with reading() as session:
        assert session.scalar(select(HandsetUnit.drop_id).where(HandsetUnit.order_id == "o1")) == "d1"
    with writing() as session:
        units.bind(session, "o2", "ip4", "d2")
        assert session.scalar(select(HandsetUnit.drop_id).where(HandsetUnit.order_id == "o2")) is None
        units.release(session, "o1")
        with pytest.raises(SoldOut):
            units.bind(session, "o3", "ip4", "d2")


@pytest.mark.parametrize("end", ["settled", "withdrawn"])
def test_an_unsent_handset_its_drop_counts_no_more_is_stock_for_the_next(make: Make, end: str) -> None:
    stocked = make("d1", 3, skus={"ip4": 1})
    with writing() as session:
        units.add_sims(session, units.made_up_iccids(5))
    bought("d1", stocked[0], "o1")
    if end == "settled":
        over("d1")
    with writing() as session:
        units.release(session, "o1", withdrawn=end == "withdrawn")
    assert of_drop("d1")[1] == 0


def test_a_rebuilt_drop_sells_only_the_handsets_that_are_there(make: Make, redis: Redis) -> None:
    stocked = make("d1", 4, skus={"ip4": 2})
    with writing() as session:
        units.add_sims(session, units.made_up_iccids(5))
    bought("d1", stocked[0], "o1")
    holds.give_back("d1", "o1", stocked[0], to="cooling")
    with writing() as session:
        units.inspect(session, "o1")  # it came home from the road
    assert drops.tally("d1").skus["ip4"].free == 1
    redis.flushall()
    stock.fence("d1")
    stock.rebuild("d1", [])
    assert drops.tally("d1").skus["ip4"].free == 1


def test_two_changes_of_a_drop_at_once_are_two_versions(db: None) -> None:
    add_numbers(ordinary("110", 2), "110", "d1")
    later = clock.now() + timedelta(hours=1)
    with writing() as session:
        drops.create(session, id="d1", name="d1", pool="d1", cities=["110"], opens_at=later, actor="zhao")
        drops.schedule(session, "d1", **OPS)
    with reading() as session:
        before = session.get_one(Drop, "d1").version
    with writing() as session:
        read = drops.find(session, "d1")
        session.connection().exec_driver_sql("UPDATE drops SET version = version + 1 WHERE id = 'd1'")
        assert read.version == before  # somebody else was faster
        drops.open_now(session, "d1", **OPS)
    with reading() as session:
        assert session.get_one(Drop, "d1").version == before + 3  # theirs, the opening, the warming


def test_a_shelf_that_is_forgotten_while_it_is_read_is_no_fault(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("d1", 3)
    follow = shelf._read

    def forgotten(drop_id: str) -> object:
        """The follower's thread finds the drop over just after a search has read it."""
        monkeypatch.setattr(shelf, "_shelves", Forgetful())
        return follow(drop_id)

    class Forgetful(dict[str, object]):
        def __setitem__(self, key: str, value: object) -> None:
            pass

    monkeypatch.setattr(shelf, "_read", forgotten)
    assert len(shelf.search("d1")) == 3
    with pytest.raises(NotFound):
        shelf.search("d9")
