"""Paying when a reply, a webhook or Stripe itself is lost: nothing is paid twice, nobody is stuck."""

import pytest

from checkout import contracts, expiry, payments, stripe_api
from checkout.models import Order
from runtime import outbox
from runtime.db import writing
from runtime.settings import settings
from tests.checkout.paying import BACK, at_stripe, call, pay_by_card, ready, rows
from tests.checkout.shop import WANG, Shop, later
from tests.checkout.stripe_twin import http


def test_poller_finds_what_no_webhook_told(shop: Shop) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    pay_by_card(started)
    payments.tick()
    outbox.drain("money")
    assert shop.state(order) == "awaiting_payment"
    with later(61):
        payments.tick()
        outbox.drain("money")
    assert shop.state(order) == "paid"


def test_poller_asks_on_when_one_payment_gets_no_answer(shop: Shop) -> None:
    first, second = ready(shop), shop.place("wang", WANG, key="k2", phone="18600002222")
    shop.settle_down()
    contracts.sign(second.id, shop.code("18600002222"))
    http.post(f"{settings().stripe_url}/switches", data={"lost_reply": "1"})
    with pytest.raises(payments.PaymentsUnavailable):
        payments.start(first.id, "card", BACK)
    pay_by_card(payments.start(second.id, "card", BACK))
    with later(90):
        http.post(f"{settings().stripe_url}/switches", data={"lost_reply": "1"})
        payments.tick()
        outbox.drain("money")
    assert shop.state(second) == "paid"


def test_a_method_stripe_does_not_take_leaves_the_order_free_for_another(shop: Shop) -> None:
    order = ready(shop)
    right = order.due_now_fen
    with writing() as session:
        session.get_one(Order, order.id).due_now_fen = 0
    with pytest.raises(payments.PaymentDeclined):
        payments.start(order.id, "card", BACK)
    assert rows(order) == [("card", "failed")]
    with writing() as session:
        session.get_one(Order, order.id).due_now_fen = right
    shop.pay(order)
    assert rows(order) == [("card", "failed"), ("card", "succeeded")]


def test_a_card_refused_at_capture_is_let_go_and_another_can_pay(shop: Shop) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    assert pay_by_card(started, "pm_card_captureDeclined").json()["status"] == "requires_capture"
    assert payments.reconcile(started.payment_id) == "cancelled"
    assert at_stripe(started.intent_id) == ("canceled", 0, 0)
    shop.pay(order)
    assert rows(order) == [("card", "cancelled"), ("card", "succeeded")]


def test_an_order_stripe_never_took_expires(shop: Shop) -> None:
    order = ready(shop)
    with writing() as session:
        session.get_one(Order, order.id).due_now_fen = 0
    with pytest.raises(payments.PaymentDeclined):
        payments.start(order.id, "card", BACK)
    with later(31 * 60):
        expiry.tick()
        shop.settle_down()
    assert shop.state(order) == "payment_expired"


def test_reply_lost_at_create_finds_the_same_intent_again(shop: Shop) -> None:
    order = ready(shop)
    http.post(f"{settings().stripe_url}/switches", data={"lost_reply": "1"})
    with pytest.raises(payments.PaymentsUnavailable):
        payments.start(order.id, "card", BACK)
    assert rows(order) == [("card", "created")]
    payments.start(order.id, "card", BACK)
    assert rows(order) == [("card", "pending")]
    assert len(call("GET", "payment_intents").json()["data"]) == 1


@pytest.mark.parametrize("lost", [False, True])
def test_key_older_than_23_hours_is_looked_up_not_sent(shop: Shop, lost: bool) -> None:
    order = ready(shop)
    http.post(f"{settings().stripe_url}/switches", data={"lost_reply" if lost else "error_500": "1"})
    with pytest.raises(payments.PaymentsUnavailable):
        payments.start(order.id, "card", BACK)
    with later(24 * 3600):
        payments.tick()
        outbox.drain("money")
    assert rows(order) == [("card", "pending" if lost else "failed")]
    assert len(call("GET", "payment_intents").json()["data"]) == int(lost)


def test_stored_500_does_not_block_the_order_for_a_day(shop: Shop) -> None:
    order = ready(shop)
    http.post(f"{settings().stripe_url}/switches", data={"error_500": "1"})
    with pytest.raises(payments.PaymentsUnavailable):
        payments.start(order.id, "card", BACK)
    started = payments.start(order.id, "card", BACK)
    assert rows(order) == [("card", "failed"), ("card", "pending")]
    pay_by_card(started)
    assert payments.reconcile(started.payment_id) == "succeeded"


def test_reply_lost_at_capture_is_found_by_asking(shop: Shop) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    pay_by_card(started)
    http.post(f"{settings().stripe_url}/switches", data={"lost_reply": "1"})
    with pytest.raises(payments.PaymentsUnavailable):
        payments.reconcile(started.payment_id)
    assert payments.reconcile(started.payment_id) == "succeeded"
    assert at_stripe(started.intent_id) == ("succeeded", order.due_now_fen, 0)


def test_silent_stripe_opens_the_breaker_and_expiry_waits(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    monkeypatch.setenv("HAOKA_STRIPE_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    monkeypatch.setattr(stripe_api, "_rests_until", 0.0)
    for _ in range(stripe_api.BREAKS_AFTER):
        with pytest.raises(payments.PaymentsUnavailable):
            payments.reconcile(started.payment_id)
    assert stripe_api._rests_until > 0
    with later(1801):
        assert payments.settle_or_void(order.id) == "unknown"
        expiry.tick()
        outbox.drain_all()
    assert shop.state(order) == "awaiting_payment"
