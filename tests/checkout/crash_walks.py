"""Ways through the counter that can be walked again from wherever they broke off, for test_crash_points.py."""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from checkout import contracts, expiry, moves, orders, orphans, payments, rebuilding, repairing, webhooks
from checkout.models import Order, Payment
from inventory import drops, holds, stock
from logistics import manifests
from runtime import clock
from runtime.db import reading, writing
from runtime.facts import Unavailable, WrongMove
from runtime.settings import settings
from tests.checkout.shop import DROP, Shop
from tests.checkout.stripe_twin import http

BACK = "http://testserver/orders/1"
PAID = ("paid", "allocated", "account_opened", "packed")


@dataclass(frozen=True)
class Me:
    """One buyer with a hold, and how this walk is to be paid."""

    account: str
    who: tuple[str, str]
    phone: str
    hold: str
    payment: str = "card"

    @property
    def order_id(self) -> str:
        with reading() as session:
            return next(o.id for o in orders.of_account(session, self.account))


Walk = Callable[[Shop, Me], None]


def bought(shop: Shop, me: Me) -> None:
    """Ordered, verified, signed, paid, packed, in a manifest."""
    order = _signed(shop, me)
    if order.state == "awaiting_payment":
        _pay(shop, me, order)
    shop.settle_down()
    manifests.tick()


def told_by_stripe(shop: Shop, me: Me) -> None:
    """Paid in a wallet; the webhooks alone bring the news."""
    order = _signed(shop, me)
    if order.state == "awaiting_payment":
        _press_pay(payments.start(order.id, me.payment, BACK))
    answer = http.get(f"{settings().stripe_url}/v1/events?limit=100", auth=(settings().stripe_key, ""))
    for event in answer.json()["data"]:
        body = json.dumps(event).encode()
        at = round(clock.now().timestamp())
        key = settings().stripe_webhook_secret.encode()
        webhooks.receive(
            body, f"t={at},v1={hmac.new(key, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"
        )
    shop.settle_down()


def cancelled(shop: Shop, me: Me) -> None:
    """Cancelled while a payment is open."""
    order = _signed(shop, me)
    if order.state == "awaiting_payment":
        payments.start(order.id, me.payment, BACK)
        orders.cancel(order.id, me.account, "changed my mind")
    shop.settle_down()


def refunded(shop: Shop, me: Me) -> None:
    """Cancelled after it was paid."""
    order = _signed(shop, me)
    if order.state == "awaiting_payment":
        _pay(shop, me, order)
        order = shop.order(order.id)
    if order.state in PAID:
        orders.cancel(order.id, me.account, "changed my mind")
    shop.settle_down()


def expired(shop: Shop, me: Me) -> None:
    """Never paid, and its time is over."""
    order = _signed(shop, me)
    if order.state == "awaiting_payment":
        payments.start(order.id, me.payment, BACK)
        assert order.pay_by is not None
        clock.shift(order.pay_by - clock.now() + clock._offset)
        expiry.tick()
    shop.settle_down()


def too_late(shop: Shop, me: Me) -> None:
    """The money comes when the order is over."""
    order = _signed(shop, me)
    if order.state == "awaiting_payment":
        started = payments.start(order.id, me.payment, BACK)
        with writing() as session:
            moves.move(session, orders.find(session, order.id), "payment_expired")
        _press_pay(started)
        payments.reconcile(started.payment_id)
    with reading() as session:
        attempts = session.scalars(select(Payment.id).where(Payment.order_id == order.id)).all()
    for attempt in attempts:
        payments.reconcile(attempt)
    shop.settle_down()


def never_written(shop: Shop, me: Me) -> None:
    """A claim without an order."""
    if holds.find(me.hold).state == "held":
        holds.claim(me.hold, account=me.account, order_id=f"lost-{me.account}")
    orphans.tick(0)


def loaded(shop: Shop, me: Me) -> None:
    """Another drop is announced and loaded; its id is the account."""
    with writing() as session:
        if drops.find(session, me.account).state in ("scheduled", "warming"):
            drops.warm(session, me.account, actor="zhao", reason="test")
    drops.tick()


def rebuilt(shop: Shop, me: Me) -> None:
    """Redis lost the drop."""
    if stock.is_lost(DROP):
        rebuilding.rebuild(DROP)
    drops.tick()


def repaired(shop: Shop, me: Me) -> None:
    """What the audit found is mended."""
    repairing.repair(DROP)


def _placed(shop: Shop, me: Me) -> Order:
    """As any client does: the same once more while the answer is "back in a moment" (a cold start, say)."""
    for _ in range(20):
        try:
            return shop.place(
                me.account, me.who, hold=me.hold, key=f"key-{me.account}", phone=me.phone, payment=me.payment
            )
        except Unavailable:
            continue
    raise AssertionError("the shop never came back")


def _signed(shop: Shop, me: Me) -> Order:
    """The order, placed and signed as far as it goes."""
    order = _placed(shop, me)
    for _ in range(2):
        shop.settle_down()
        payments.tick()
    with reading() as session:
        paper = contracts.of_order(session, order.id)
    if paper is not None and paper.state == "drafted" and shop.state(order) == "awaiting_payment":
        try:
            contracts.sign(order.id, shop.code(me.phone))
        except contracts.WrongCode:  # it took too long
            with writing() as session:
                contracts.send_code(session, orders.find(session, order.id))
            contracts.sign(order.id, shop.code(me.phone))
        shop.settle_down()
    return shop.order(order.id)


def _pay(shop: Shop, me: Me, order: Order) -> None:
    try:
        started = payments.start(order.id, me.payment, BACK)
    except WrongMove:  # it is being paid
        return
    if me.payment != "card":
        _press_pay(started)
    else:
        http.post(
            f"{shop.twins}/stripe/v1/payment_intents/{started.intent_id}/confirm",
            data={"client_secret": started.client_secret, "payment_method": "pm_card_visa"},
            headers={"Authorization": f"Bearer {started.publishable_key}"},
        )
    payments.reconcile(started.payment_id)


def _press_pay(started: payments.PaymentStart) -> None:
    assert started.redirect_url is not None
    http.post(started.redirect_url, data={"do": "pay"})
