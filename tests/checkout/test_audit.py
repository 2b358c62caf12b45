"""The audit names every difference that is planted, and none that is not there."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from checkout import audit, orders
from checkout.models import Claim, Order, OrderEvent, Payment
from inventory import archive, drops, holds, journal, verbs
from inventory.facts import SoldOut
from inventory.models import JournalPage
from kyc.models import IdQuota, Person
from runtime import clock
from runtime.db import reading, writing
from runtime.outbox import OutboxRow
from runtime.redis import hot
from tests.checkout.shop import DROP, Shop


@pytest.fixture
def order(shop: Shop) -> Order:
    """One order to the door, another that only waits for money."""
    shop.place("wang", shop.anyone(1), phone="18600002222")
    done = shop.activated()
    assert shop.clean()
    return done


def test_a_clean_drop_is_counted(order: Order) -> None:
    report = audit.audit(DROP)
    assert report.clean
    assert "orders: 2 in all, 2 live" in report.lines
    assert "orders activated: 1" in report.lines


def dead_letter(session: Session, order: Order) -> None:
    at = clock.now()
    row = OutboxRow(id="obx_1", job="x", ref=order.id, queue="papers", state="dead", due_at=at, made_at=at)
    session.add(row)


PLANTED: dict[str, Callable[[Session, Order], object]] = {
    "no claim says it was placed": lambda s, o: s.execute(delete(Claim).where(Claim.order_id == o.id)),
    "placed, but there is no order": lambda s, _: s.add(
        Claim(order_id="ord_ghost", fate="placed", at=clock.now())
    ),
    "live=False in state activated": lambda s, o: s.execute(
        update(Order).where(Order.id == o.id).values(live=False)
    ),
    "its history ends in activated": lambda s, o: s.execute(
        update(Order).where(Order.id == o.id).values(state="completed")
    ),
    "its history jumps from paid to account_opened": lambda s, o: s.execute(
        delete(OrderEvent).where(
            OrderEvent.order_id == o.id, OrderEvent.to_state.in_(("allocated", "account_opened"))
        )
    ),
    "0 payments for a paid order": lambda s, o: s.execute(
        update(Payment).where(Payment.order_id == o.id).values(state="failed")
    ),
    "4999 fen paid, 5000 due": lambda s, o: s.execute(
        update(Payment).where(Payment.order_id == o.id).values(captured_fen=4_999)
    ),
    "0 of 5000 fen refunded": lambda s, o: s.execute(
        update(Payment).where(Payment.order_id == o.id).values(state="refunded")
    ),
    "quota 3, live orders 1": lambda s, o: s.execute(
        update(IdQuota).where(IdQuota.person_index == o.id_index).values(used=3)
    ),
    "prepared for a person who is not verified": lambda s, o: s.execute(
        update(Person).where(Person.id == o.person_id).values(state="pending")
    ),
    "1 dead letters wait for ops": dead_letter,
}


@pytest.mark.parametrize("difference", PLANTED)
def test_a_planted_difference_is_named(order: Order, difference: str) -> None:
    with writing() as session:
        PLANTED[difference](session, order)
    found = audit.audit(DROP).differences
    assert [line for line in found if difference in line] != []


def test_an_order_whose_number_redis_gave_to_another_is_named(order: Order) -> None:
    with writing() as session:
        other = session.scalars(select(Order).where(Order.account == "wang")).one()
    hot().hset(verbs.key(DROP, "owner"), order.number, f"p:{other.id}")
    assert [line for line in audit.audit(DROP).differences if order.number in line] != []


def test_the_audit_of_a_busy_drop_is_clean_all_the_while(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """People hold, order, cancel and let go, the journal is archived and cut: never a difference that is none."""
    monkeypatch.setattr(journal, "PAGE", 5)
    monkeypatch.setattr(archive, "KEEP", 5)
    over = threading.Event()

    def shopper(i: int) -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            account, who = f"s{i}-{turn}", shop.anyone(1_000 * i + turn)
            try:
                hold = shop.hold(account)
            except SoldOut:
                continue
            if turn % 3 == 0:
                holds.release(hold.id, account)
                continue
            order = shop.place(account, who, hold=hold.id, phone=f"1860000{i:04}")
            orders.cancel(order.id, account, "changed my mind")

    def worker() -> None:
        while not over.is_set():
            shop.settle_down()
            archive.tick()

    with ThreadPoolExecutor(6) as pool:
        busy = [pool.submit(shopper, i) for i in range(4)] + [pool.submit(worker)]
        reports = [audit.audit(DROP) for _ in range(6)]
        over.set()
        for one in busy:
            one.result()
    shop.settle_down()
    assert [report.differences for report in reports if not report.clean] == []
    assert shop.clean()
    with reading() as session:
        assert len(session.scalars(select(JournalPage.page)).all()) > 2


def test_an_order_that_comes_back_after_its_drop_was_settled_is_no_difference(shop: Shop) -> None:
    order = shop.ready()
    shop.pay(order)
    shop.settle_down()
    for move in (drops.close, drops.settle):
        with writing() as session:
            move(session, DROP, actor="zhao", reason="test")
    shop.settle_down()
    assert shop.clean()
    shop.scan(order, "handed_over", "out_for_delivery", "refused")
    assert shop.state(order) == "cancelled"
    assert shop.clean()
