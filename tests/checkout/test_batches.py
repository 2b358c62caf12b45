"""Orders that are placed together: one transaction for all, and each gets what it would get alone."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import event, func, select, update

from checkout import booking, claims, orders, orphans, prices
from checkout.asked import Asked
from checkout.at_hand import at_hand, before
from checkout.booking import Placed
from checkout.drafts import check
from checkout.models import Claim, Order
from checkout.placing import KeyReused, NumberSlipped, place_all
from inventory import holds
from inventory.facts import Lapsed, LimitReached, Ordered
from inventory.models import Drop
from kyc import people
from kyc.models import IdQuota, Person
from kyc.people import TooYoung
from kyc.quota import IdLimitReached
from logistics.couriers import NoCourier
from runtime import outbox
from runtime.db import engine, reading, writing
from runtime.facts import Invalid, NotFound
from runtime.settings import settings
from tests.checkout.crowd import held, let_one_id_buy_many, set_person, tally, verified, wants
from tests.checkout.shop import BUNDLE, DROP, HOME, LI, WANG, ZHOU, Shop, open_shop


@pytest.fixture
def market(db: None, redis: Redis, twins: str, tmp_path: Path) -> Shop:
    """A shop with more numbers."""
    return open_shop(tmp_path, twins, 120)


def ids_of(answers: list[Placed | Exception]) -> list[str]:
    """All of them were placed."""
    ids = []
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
        ids.append(answer.order.id)
    return ids


def kinds(answers: list[Placed | Exception]) -> list[str]:
    return [type(answer).__name__ for answer in answers]


def live() -> list[str]:
    with reading() as session:
        return list(session.scalars(select(Order.id).where(Order.live).order_by(Order.id)))


def fates() -> list[str]:
    with reading() as session:
        return sorted(session.scalars(select(Claim.fate)))


def used() -> list[int]:
    with reading() as session:
        return sorted(session.scalars(select(IdQuota.used)))


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


def test_a_batch_costs_as_many_statements_as_one_order(market: Shop, statements: list[str]) -> None:
    crowd = [f"acc-{n}" for n in range(52)]
    verified(crowd)
    asked = [wants(one, hold) for one, hold in zip(crowd, held(crowd), strict=True)]
    place_all(asked[:1])
    counts = []
    for batch in (asked[1:2], asked[2:]):
        statements.clear()
        ids_of(place_all(batch))
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 16, statements


def test_of_new_people_too(market: Shop, statements: list[str]) -> None:
    crowd = [f"acc-{n}" for n in range(52)]
    asked = [
        wants(one, hold, market.anyone(n))
        for n, (one, hold) in enumerate(zip(crowd, held(crowd), strict=True))
    ]
    place_all(asked[:1])
    counts = []
    for batch in (asked[1:2], asked[2:]):
        statements.clear()
        ids_of(place_all(batch))
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 30, statements
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
        "no courier": wants("stranger", hold["stranger"], WANG, key="k4", to=replace(HOME, city="310100")),
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


def ready(one: Asked) -> booking.Ready:
    """Checked and claimed; what comes next is the order's own transaction."""
    with reading() as session:
        draft = check(at_hand(session, [one]), before(session, [one]), one)
    claimed = holds.claim(one.hold_id, account=one.account, order_id=one.order_id)
    return booking.Ready(draft, claimed.epoch)


def test_a_verdict_that_came_since_the_check_is_seen(shop: Shop) -> None:
    with writing() as session:
        person = people.enrol(session, "li", *LI, min_age=16)
    one = ready(wants("li", shop.hold("li"), LI))
    set_person(person.id, state="verified")
    placed = booking.book([one], waits=False)[one.draft.id]
    assert isinstance(placed, Placed)
    assert placed.order.state == "awaiting_payment"


def test_a_refusal_that_came_since_the_check_starts_another_case(shop: Shop) -> None:
    with writing() as session:
        person = people.enrol(session, "zhou", *ZHOU, min_age=16)
    one = ready(wants("zhou", shop.hold("zhou"), ZHOU))
    shop.settle_down()
    with reading() as session:
        assert people.find(session, person.id).state == "refused"
    placed = booking.book([one], waits=False)[one.draft.id]
    assert isinstance(placed, Placed)
    assert placed.order.state == "awaiting_kyc"
    shop.settle_down()
    assert shop.state(placed.order) == "kyc_failed"
    assert shop.clean()


def test_an_erased_person_buys_nothing(shop: Shop) -> None:
    [person] = verified(["a"])
    one = ready(wants("a", held(["a"])[0]))
    set_person(person, state="erased", dek=None, name=None, id_number=None, birth=None)
    told = booking.book([one], waits=False)
    assert {order_id: type(answer) for order_id, answer in told.items()} == {one.draft.id: NotFound}
    assert (live(), fates(), tally()) == ([], ["voided"], (40, 0, 0, 0))


def test_whom_somebody_else_has_is_placed_aside_and_keeps_nobody_waiting(shop: Shop) -> None:
    if engine().dialect.name == "sqlite":
        pytest.skip("SQLite has one lock for all")
    persons = verified(["a", "b"])
    asked = [wants(one, hold) for one, hold in zip("ab", held(["a", "b"]), strict=True)]
    with writing() as session:
        session.scalars(select(Person).where(Person.id == persons[0]).with_for_update()).one()
        assert kinds(place_all(asked)) == ["Aside", "Placed"]
    assert len(ids_of(place_all(asked))) == 2
    assert (tally(), used(), fates()) == ((38, 0, 2, 0), [1, 1], ["placed"] * 2)
