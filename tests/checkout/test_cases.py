"""Failures that other shops had between an order and its stock; each named as it was told."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType

import httpx2
import pytest
from redis import Redis
from sqlalchemy import select

from checkout import expiry, orders, payments, reversing, settling
from checkout.audit import audit
from checkout.models import Order, Payment
from inventory import drops, verbs
from runtime import outbox
from runtime.db import reading
from tests.checkout.shop import DROP, ZHOU, Shop, later

Point = tuple[ModuleType, str]


def kyc_failed(shop: Shop) -> Order:
    return shop.place("zhou", ZHOU)


def payment_expired(shop: Shop) -> Order:
    order = shop.ready()
    with later(1801):
        expiry.tick()
        shop.settle_down()
    return order


def cancelled_unpaid(shop: Shop) -> Order:
    order = shop.ready()
    orders.cancel(order.id, "li", "changed my mind")
    return order


def cancelled_paid(shop: Shop) -> Order:
    order = shop.ready()
    shop.pay(order)
    orders.cancel(order.id, "li", "changed my mind")
    return order


def refused_at_the_door(shop: Shop) -> Order:
    order = shop.ready()
    shop.pay(order)
    shop.settle_down()
    shop.scan(order, "handed_over", "out_for_delivery", "refused")
    return order


ENDS: dict[Callable[[Shop], Order], tuple[str, int]] = {  # state, numbers free at the end
    kyc_failed: ("kyc_failed", 40),
    payment_expired: ("payment_expired", 40),
    cancelled_unpaid: ("cancelled", 40),
    cancelled_paid: ("cancelled", 40),
    refused_at_the_door: ("cancelled", 39),  # an account was opened on it: it cools
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
@pytest.mark.parametrize("trouble", [False, True], ids=["smoothly", "with Redis lost in the middle"])
def test_failed_or_cancelled_orders_never_give_stock_back(
    shop: Shop, redis: Redis, end: Callable[[Shop], Order], trouble: bool
) -> None:
    """Every terminal state returns the unit exactly once, also with an exception in the middle."""
    order = end(shop)
    epoch = verbs.key(DROP, "epoch")
    if trouble:  # every verb fails, the work is put off
        kept = str(redis.getdel(epoch))
        verbs.forget()
        shop.settle_down()
        assert drops.tally(DROP).free == (39 if shop.state(order) != "payment_expired" else 40)
        redis.set(epoch, kept)
    with later(4_000):
        for _ in range(3):
            shop.settle_down()
            reversing.reverse(order.id)
            if not shop.order(order.id).live:
                reversing.let_go(order.id)
    state, free = ENDS[end]
    assert shop.state(order) == state
    tally = drops.tally(DROP)
    assert (tally.free, tally.withdrawn) == (free, 40 - free)
    assert (tally.held, tally.ordered, tally.paid) == (0, 0, 0)
    assert redis.scard(verbs.key(DROP, "free")) == free
    assert [line for line in audit(DROP).differences if "dead letters" not in line] == []


STEPS: dict[str, list[Point]] = {
    "expiry": [(expiry, "expiry.voided"), (settling, "payment.cancelling"), (settling, "payment.cancelled"),
               (reversing, "order.let_go")],
    "payment": [(settling, "payment.settled"), (settling, "payment.captured"), (settling, "payment.paying"),
                (settling, "payment.paid")],
}  # fmt: skip


@dataclass
class Crossing:
    """An order whose time to pay is over, and whose shopper is just about to approve the payment."""

    shop: Shop
    order: Order
    started: payments.PaymentStart

    def expiry(self) -> None:
        """All that time does to the order, up to the number given back."""
        with suppress(outbox.NotYet):  # Stripe had no final word yet: it is asked again
            expiry.expire(self.order.id)
        if not self.shop.order(self.order.id).live:
            reversing.let_go(self.order.id)

    def payment(self) -> None:
        """The shopper approves, if Stripe still lets him; then what webhook and browser both do."""
        httpx2.post(
            f"{self.shop.twins}/stripe/v1/payment_intents/{self.started.intent_id}/confirm",
            data={"client_secret": self.started.client_secret, "payment_method": "pm_card_visa"},
            headers={"Authorization": f"Bearer {self.started.publishable_key}"},
        )
        payments.reconcile(self.started.payment_id)


CROSSINGS = [(outer, step) for outer, steps in STEPS.items() for step in range(-1, len(steps))]


@pytest.mark.parametrize(("outer", "step"), CROSSINGS, ids=str)
def test_the_expiry_sweep_and_the_confirmation_cross(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, outer: str, step: int
) -> None:
    """One runs whole before the other, or at each of the other's steps: one terminal state."""
    order = shop.ready()
    crossing = Crossing(shop, order, payments.start(order.id, "card", "http://testserver/orders/1"))
    inner = "payment" if outer == "expiry" else "expiry"
    ran: list[str] = []

    def at(name: str) -> None:
        if name == STEPS[outer][step][1] and not ran:
            ran.append(name)
            getattr(crossing, inner)()

    with later(1801):
        if step < 0:
            getattr(crossing, inner)()
        with monkeypatch.context() as patch:
            for module in {module for steps in STEPS.values() for module, _ in steps} if step >= 0 else ():
                patch.setattr(module, "point", at)
            getattr(crossing, outer)()
        assert step < 0 or ran != []
        for _ in range(2):
            shop.settle_down()
            crossing.payment()
            crossing.expiry()
        shop.settle_down()
    tally = drops.tally(DROP)
    with reading() as session:
        [payment] = session.scalars(select(Payment).where(Payment.order_id == order.id))
    if shop.state(order) == "payment_expired":
        assert (tally.free, tally.paid, tally.ordered) == (40, 0, 0)
        assert payment.state in ("cancelled", "refunded")
    else:
        assert shop.trail(order)[-4:] == ["paid", "allocated", "account_opened", "packed"]
        assert (tally.free, tally.paid, tally.ordered) == (39, 1, 0)
        assert payment.state == "succeeded"
    assert shop.clean()
