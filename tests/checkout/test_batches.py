"""Orders that are placed together: one transaction for all, and each gets what it would get alone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import event, func, select, update

from checkout import claims, orders, prices
from checkout.asked import Asked
from checkout.booking import Placed
from checkout.models import Order
from checkout.placing import KeyReused, place_all
from inventory import holds
from inventory.facts import Lapsed, LimitReached, Ordered
from kyc.models import IdQuota, Person
from kyc.people import TooYoung
from kyc.quota import IdLimitReached
from logistics.couriers import NoCourier
from runtime import outbox
from runtime.db import engine, reading, writing
from runtime.facts import Invalid, NotFound
from runtime.settings import settings
from tests.checkout.crowd import fates, held, ids_of, kinds, live, tally, used, verified, wants
from tests.checkout.shop import BUNDLE, DROP, HOME, LI, SHANGHAI, WANG, Shop, open_shop


@pytest.fixture
def market(db: None, redis: Redis, twins: str, tmp_path: Path) -> Shop:
    """A shop with more numbers."""
    return open_shop(tmp_path, twins, 120)


def test_many_verified_shoppers_share_one_transaction(market: Shop) -> None:
    crowd = [f"acc-{n}" for n in range(30)]
    verified(crowd)
    answers = place_all([wants(one, hold) for one, hold in zip(crowd, held(crowd), strict=True)])
    assert sorted(ids_of(answers)) == live()
    assert tally() == (90, 0, 30, 0)
    assert (fates(), used()) == (["placed"] * 30, [1] * 30)
    with reading() as session:
        rows = session.scalars(select(Order)).all()
        assert {(row.state, row.payment, row.courier) for row in rows} == {("awaiting_payment", "cod", "SF")}
        assert all(row.pay_by and row.pay_by > row.created_at for row in rows)
        trails = {tuple(e.to_state for e in orders.timeline(session, row.id)) for row in rows}
        assert trails == {("created", "awaiting_payment")}
        work = session.execute(
            select(outbox.OutboxRow.job, func.count()).group_by(outbox.OutboxRow.job)
        ).all()
        assert [tuple(row) for row in work] == [("contract.draft", 30)]
    market.settle_down()
    assert market.clean()


def test_what_is_answered_is_what_sql_has(shop: Shop) -> None:
    verified(["acc"])
    [placed] = place_all([wants("acc", held(["acc"])[0])])
    assert isinstance(placed, Placed)
    with reading() as session:
        kept = orders.find(session, placed.order.id)
        lines = [(e.from_state, e.to_state, e.actor, e.note, e.at) for e in orders.timeline(session, kept.id)]
    told = placed.order
    columns = [column.key for column in Order.__table__.columns if column.key != "price"]
    assert [getattr(told, name) for name in columns] == [getattr(kept, name) for name in columns]
    assert prices.thaw(told.price) == prices.thaw(kept.price)
    told_lines = [
        (line["from_state"], line["to_state"], line["actor"], line["note"]) for line in placed.timeline
    ]
    assert [(*line, told.created_at) for line in told_lines] == lines


@pytest.fixture
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine(), "before_cursor_execute", note)
    yield seen
    event.remove(engine(), "before_cursor_execute", note)


def assert_equal_cost(asked: list[Asked], statements: list[str]) -> None:
    """After a first order of the drop, one more costs as many statements as all the others together."""
    place_all(asked[:1])
    counts = []
    for batch in (asked[1:2], asked[2:]):
        statements.clear()
        ids_of(place_all(batch))
        counts.append(len(statements))
    assert counts[0] == counts[1]


def test_a_batch_costs_as_many_statements_as_one_order(market: Shop, statements: list[str]) -> None:
    crowd = [f"acc-{n}" for n in range(52)]
    verified(crowd)
    asked = [wants(one, hold) for one, hold in zip(crowd, held(crowd), strict=True)]
    assert_equal_cost(asked, statements)
    assert len(statements) <= 16, statements


def test_of_new_people_too(market: Shop, statements: list[str]) -> None:
    crowd = [f"acc-{n}" for n in range(52)]
    asked = [
        wants(one, hold, market.anyone(n))
        for n, (one, hold) in enumerate(zip(crowd, held(crowd), strict=True))
    ]
    assert_equal_cost(asked, statements)
    assert len(statements) <= 30, statements
    market.settle_down()
    with reading() as session:
        assert set(session.scalars(select(Order.state))) == {"awaiting_payment"}
    assert market.clean()


def test_each_kind_of_bad_order_spoils_no_other(shop: Shop) -> None:
    good, names = ["good-0", "good-1", "good-2"], ["twice", "again", "voided", "nobody", "full", "full-too"]
    verified([*good, *names[:3], "full", "same-id"])
    verified(["minor"], born=date(date.today().year - 17, 1, 1))  # noqa: DTZ011
    before = held([*good, *names, "stranger", "same-id", "new"])
    hold = dict(zip([*good, *names, "stranger", "same-id", "new"], before, strict=True))
    bundle = shop.hold("minor", BUNDLE)
    bare = held(["bare"], offer=BUNDLE)[0]
    with writing() as session:
        index = session.scalars(select(Person.id_index).where(Person.account == "full")).one()
        session.add(IdQuota(person_index=index, used=settings().max_numbers_per_id))
        same = session.scalars(select(Person).where(Person.account == "same-id")).one()
        same.id_index = session.scalars(select(Person.id_index).where(Person.account == "twice")).one()
    first = ids_of(place_all([wants("twice", hold["twice"]), wants("again", hold["again"])]))
    gone = wants("voided", hold["voided"])
    holds.claim(gone.hold_id, account="voided", order_id=gone.order_id)
    assert claims.void(DROP, gone.order_id, hold["voided"].number) == claims.VOIDED

    asked = {
        "good-0": wants("good-0", hold["good-0"]),
        "another's hold": wants("good-0", hold["stranger"], key="k2"),
        "no such hold": wants("stranger", holds.new_token(DROP, "stranger"), WANG),
        "not a hold": wants("stranger", "hold", WANG, key="k3"),
        "a bad address": wants("stranger", hold["stranger"], WANG, key="k2", to=replace(HOME, address="1")),
        "no courier": wants("stranger", hold["stranger"], WANG, key="k4", to=replace(HOME, **SHANGHAI)),
        "a bad way to pay": wants("stranger", hold["stranger"], WANG, key="k5", payment="barter"),
        "nobody named": wants("nobody", hold["nobody"]),
        "good-1": wants("good-1", hold["good-1"]),
        "an ID number that is none": wants("nobody", hold["nobody"], (LI[0], "110"), key="k2"),
        "too young": wants("minor", bundle),
        "no handset held": wants("bare", bare, LI),
        "five numbers already": wants("full", hold["full"]),
        "the ID has one": wants("same-id", hold["same-id"]),
        "key with another body": wants("twice", hold["twice"], payment="card"),
        "ordered under another key": wants("twice", hold["twice"], key="k2"),
        "the same again": wants("again", hold["again"]),
        "given back": gone,
        "new": wants("new", hold["new"], shop.anyone(500)),
        "good-2": wants("good-2", hold["good-2"]),
    }
    answers = dict(zip(asked, place_all(list(asked.values())), strict=True))
    told = {name: type(answer) for name, answer in answers.items()}
    assert told == {
        "good-0": Placed, "good-1": Placed, "good-2": Placed, "new": Placed, "the same again": Placed,
        "another's hold": NotFound, "no such hold": NotFound, "not a hold": NotFound,
        "a bad address": Invalid, "no courier": NoCourier, "a bad way to pay": Invalid, "nobody named": Invalid,
        "an ID number that is none": Invalid, "too young": TooYoung, "no handset held": prices.WrongStock,
        "five numbers already": IdLimitReached, "the ID has one": LimitReached,
        "key with another body": KeyReused, "ordered under another key": Ordered, "given back": Lapsed,
    }  # fmt: skip
    assert answers["the same again"].order.id == first[1]  # type: ignore[union-attr]
    assert len(live()) == 6
    assert fates() == ["placed"] * 6 + ["voided"] * 2
    assert used() == [1] * 6 + [settings().max_numbers_per_id]
    # Held still: who made a mistake or has one already. The number of the fifth is free again, as is the voided one.
    still = ["stranger", "nobody", "same-id", "full-too"]
    assert {name for name, one in hold.items() if holds.find(one.id).state == "held"} == set(still)
    assert tally() == (40 - 6 - len(still) - 2, len(still) + 2, 6, 0)
    with writing() as session:
        session.execute(update(IdQuota).where(IdQuota.used > 1).values(used=0))
    shop.settle_down()
    assert shop.clean()


def test_the_same_key_twice_in_a_batch_is_one_order(shop: Shop) -> None:
    verified(["acc"])
    one = wants("acc", held(["acc"])[0])
    assert len(set(ids_of(place_all([one, one, one])))) == 1
    assert (len(live()), tally(), used()) == (1, (39, 0, 1, 0), [1])


def test_the_same_key_with_another_body_in_a_batch_is_refused(shop: Shop) -> None:
    verified(["acc"])
    [hold] = held(["acc"])
    answers = place_all([wants("acc", hold), wants("acc", hold, payment="card"), wants("acc", hold)])
    assert kinds(answers) == ["Placed", "KeyReused", "Placed"]
    assert len(live()) == 1


def test_after_a_mistake_the_same_key_in_the_batch_is_placed_by_itself(shop: Shop) -> None:
    verified(["acc"])
    [hold] = held(["acc"])
    mended = wants("acc", hold)
    answers = place_all([wants("acc", hold, payment="barter"), mended])
    assert kinds(answers) == ["Invalid", "Aside"]
    assert ids_of(place_all([mended], waits=True)) == live()


def test_one_hold_under_two_keys_in_a_batch_is_one_order(shop: Shop) -> None:
    verified(["acc"])
    [hold] = held(["acc"])
    first, second = place_all([wants("acc", hold), wants("acc", hold, key="k2")])
    assert isinstance(first, Placed)
    assert isinstance(second, Ordered)
    assert second.details == {"order_id": first.order.id}
    assert (tally(), used(), fates()) == ((39, 0, 1, 0), [1], ["placed"])
