"""Unpaid orders expire after Stripe was asked, and exactly once, whichever way payment and expiry cross."""

import pytest
from sqlalchemy import select

from checkout import expiry, orders
from checkout.models import Order
from inventory import drops, holds
from inventory.facts import Lapsed
from kyc.models import IdQuota
from runtime.db import reading, writing
from runtime.facts import WrongMove
from tests.checkout.shop import DROP, Shop, later


@pytest.fixture
def order(shop: Shop) -> Order:
    """A signed order that waits for money."""
    placed = shop.place()
    shop.settle_down()
    return shop.sign(placed)


def used() -> list[int]:
    with reading() as session:
        return list(session.scalars(select(IdQuota.used)))


def test_an_unpaid_order_expires_and_gives_everything_back_once(shop: Shop, order: Order) -> None:
    with later(1801):
        for _ in range(3):
            expiry.tick()
            shop.settle_down()
            expiry.expire(order.id)
    assert shop.state(order) == "payment_expired"
    assert used() == [0]
    tally = drops.tally(DROP)
    assert (tally.free, tally.ordered, tally.paid) == (40, 0, 0)
    assert shop.clean()


def test_an_order_within_its_time_does_not_expire(shop: Shop, order: Order) -> None:
    with later(1790):
        expiry.tick()
        expiry.expire(order.id)
    assert shop.state(order) == "awaiting_payment"


def test_no_payment_starts_after_the_time_to_pay(shop: Shop, order: Order) -> None:
    with reading() as session:
        assert orders.payable(session, order.id).id == order.id
    with later(1801), reading() as session, pytest.raises(orders.PaidTooLate):
        orders.payable(session, order.id)


def test_paid_first_expiry_comes_too_late(shop: Shop, order: Order) -> None:
    shop.pay(order)
    with later(1801):
        expiry.tick()
        expiry.expire(order.id)
        shop.settle_down()
    assert shop.trail(order)[-4:] == ["paid", "allocated", "account_opened", "packed"]
    assert shop.clean()


def test_expired_first_payment_finds_the_number_gone(shop: Shop, order: Order) -> None:
    with later(1801):
        expiry.tick()
        shop.settle_down()
    with pytest.raises(Lapsed):
        holds.settle(DROP, order.id, order.number)
    with writing() as session, pytest.raises(WrongMove):
        orders.mark_paid(session, order.id, "pay_late")
    assert shop.state(order) == "payment_expired"
    assert shop.clean()


def test_paid_in_redis_while_expiry_commits_the_number_still_comes_back(shop: Shop, order: Order) -> None:
    """settle | expire | mark_paid: SQL refuses the money, and the number that Redis calls paid is given back."""
    with later(1801):
        holds.settle(DROP, order.id, order.number)
        expiry.expire(order.id)
        with writing() as session, pytest.raises(WrongMove):
            orders.mark_paid(session, order.id, "pay_late")
        shop.settle_down()
    tally = drops.tally(DROP)
    assert (tally.free, tally.ordered, tally.paid) == (40, 0, 0)
    assert shop.clean()


def test_an_unsigned_cash_order_expires_too(shop: Shop) -> None:
    order = shop.place(payment="cod")
    shop.settle_down()
    with later(1801):
        expiry.tick()
        shop.settle_down()
    assert shop.state(order) == "payment_expired"
    assert drops.tally(DROP).free == 40


def test_a_week_after_activation_the_order_is_completed(shop: Shop) -> None:
    order = shop.activated()
    with later(6 * 86_400):
        expiry.tick()
    assert shop.state(order) == "activated"
    with later(8 * 86_400):
        expiry.tick()
    assert shop.trail(order)[-2:] == ["activated", "completed"]
