"""The audit names every difference that is planted, and none that is not there."""

from collections.abc import Callable

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from checkout import audit
from checkout.models import Claim, Order, OrderEvent, Payment
from inventory import verbs
from kyc.models import IdQuota, Person
from runtime import clock
from runtime.db import writing
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
