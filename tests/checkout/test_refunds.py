"""Refunds: once, whole, through every lost reply; what was never paid or has left the house stays as it is."""

import pytest

from checkout import audit, expiry, moves, orders, payments, refunds, stripe_api
from checkout.models import Order, Payment, Refund
from runtime import outbox
from runtime.db import reading, writing
from runtime.facts import WrongMove
from runtime.settings import settings
from tests.checkout.paying import BACK, at_once, at_stripe, pay_by_card, press, ready
from tests.checkout.shop import DROP, Shop, later
from tests.checkout.stripe_twin import http

ZHAO = "ops:zhao"


def paid(shop: Shop) -> tuple[Order, str]:
    """An order paid by card, and its intent."""
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    pay_by_card(started)
    payments.reconcile(started.payment_id)
    return order, started.intent_id


def trouble(**switches: str) -> None:
    http.post(f"{settings().stripe_url}/switches", data=switches)


def refund_of(order: Order) -> Refund:
    with reading() as session:
        (found,) = refunds.of_order(session, order.id)
        return found


def at_bank(refund: Refund, word: str) -> None:
    http.post(f"{settings().stripe_url}/refunds/{refund.stripe_refund_id}", data={"do": word})


def assert_back(shop: Shop, order: Order, intent_id: str) -> None:
    assert shop.state(order) == "cancelled"
    assert at_stripe(intent_id) == ("succeeded", order.due_now_fen, order.due_now_fen)
    assert [one.status for one in stripe_api.refunds_of(intent_id)] == ["succeeded"]
    with reading() as session:
        payment = session.get_one(Payment, str(shop.order(order.id).payment_id))
        assert (payment.state, refund_of(order).state) == ("refunded", "succeeded")
    assert shop.clean()


def test_paid_order_is_undone_and_refunded_once_however_often_it_is_asked(shop: Shop) -> None:
    order, intent_id = paid(shop)
    shop.settle_down()
    assert shop.state(order) == "packed"
    answers = at_once(*(lambda: refunds.refund(order.id, ZHAO, "changed their mind") for _ in range(4)))
    assert [a for a in answers if isinstance(a, Exception) and not isinstance(a, WrongMove)] == []
    shop.settle_down()
    found = refunds.refund(order.id, ZHAO, "again")
    assert found is not None
    for _ in range(2):
        refunds.send(found.id)
        shop.settle_down()
    assert_back(shop, order, intent_id)
    assert shop.trail(order)[-4:] == ["cancel_requested", "reversing", "refunding", "cancelled"]


@pytest.mark.parametrize(("method", "state"), [("card", "awaiting_payment"), ("cod", "packed")])
def test_nothing_to_refund_for_unpaid_and_cash_on_delivery(shop: Shop, method: str, state: str) -> None:
    order = ready(shop, method)
    shop.settle_down()
    with pytest.raises(WrongMove):
        refunds.refund(order.id, ZHAO, "no")
    assert shop.state(order) == state


def test_parcel_on_its_way_is_never_refunded_automatically(shop: Shop) -> None:
    order, intent_id = paid(shop)
    shop.settle_down()
    shop.scan(order, "handed_over")
    with pytest.raises(orders.OnItsWay):
        refunds.refund(order.id, "li", "too late")
    shop.settle_down()
    assert shop.state(order) == "shipped"
    assert at_stripe(intent_id) == ("succeeded", order.due_now_fen, 0)


@pytest.mark.parametrize("fault", ["lost_reply", "error_500", "rate_limit"])
def test_refund_survives_trouble_at_stripe_and_is_sent_once(shop: Shop, fault: str) -> None:
    order, intent_id = paid(shop)
    orders.cancel(order.id, ZHAO, "trouble")
    trouble(**{fault: "1"})
    shop.settle_down()
    with later(refunds.ASK_AGAIN + 1):
        shop.settle_down()
    with later(3 * refunds.ASK_AGAIN):
        shop.settle_down()
    assert_back(shop, order, intent_id)


def test_lost_reply_is_found_after_the_key_is_forgotten(shop: Shop) -> None:
    order, intent_id = paid(shop)
    orders.cancel(order.id, ZHAO, "trouble")
    trouble(lost_reply="1")
    shop.settle_down()
    with later(3 * 24 * 3600):
        shop.settle_down()
    assert_back(shop, order, intent_id)


def test_pending_refund_is_followed_until_it_arrives(shop: Shop) -> None:
    order, intent_id = paid(shop)
    trouble(refunds_pending="on")
    orders.cancel(order.id, ZHAO, "slow bank")
    shop.settle_down()
    assert (shop.state(order), refund_of(order).state) == ("refunding", "pending")
    at_bank(refund_of(order), "succeeded")
    with later(refunds.ARRIVES + 1):
        shop.settle_down()
    assert_back(shop, order, intent_id)


def test_refund_the_bank_sent_back_is_tried_again_by_ops(shop: Shop) -> None:
    order, intent_id = paid(shop)
    trouble(refunds_pending="on")
    orders.cancel(order.id, ZHAO, "closed card")
    shop.settle_down()
    at_bank(refund_of(order), "failed")
    with later(refunds.ARRIVES + 1):
        shop.settle_down()
        assert (shop.state(order), refund_of(order).state) == ("refund_failed", "failed")
        trouble()
        refunds.refund(order.id, ZHAO, "once more")
        shop.settle_down()
    assert shop.state(order) == "cancelled"
    assert at_stripe(intent_id) == ("succeeded", order.due_now_fen, order.due_now_fen)
    assert sorted(one.status for one in stripe_api.refunds_of(intent_id)) == ["failed", "succeeded"]


def test_refund_a_person_made_at_stripe_undoes_the_order(shop: Shop) -> None:
    order, intent_id = paid(shop)
    http.post(f"{settings().stripe_url}/payments/{intent_id}", data={"do": "refund"})
    payments.reconcile(str(shop.order(order.id).payment_id))
    shop.settle_down()
    assert_back(shop, order, intent_id)
    assert refund_of(order).actor == "stripe"


def test_refund_made_at_stripe_undoes_the_order_though_a_process_died_over_it(shop: Shop) -> None:
    order, intent_id = paid(shop)
    http.post(f"{settings().stripe_url}/payments/{intent_id}", data={"do": "refund"})
    with writing() as session:  # noted, and then the process was gone
        payment = session.get_one(Payment, str(shop.order(order.id).payment_id))
        refunds.note_foreign(session, payment, order.due_now_fen)
    payments.reconcile(payment.id)
    shop.settle_down()
    assert_back(shop, order, intent_id)


def test_last_try_of_an_old_run_takes_nothing_back_from_a_refund_that_arrived(shop: Shop) -> None:
    order, intent_id = paid(shop)
    orders.cancel(order.id, ZHAO, "changed their mind")
    shop.settle_down()
    refunds.give_up(refund_of(order).id)
    assert_back(shop, order, intent_id)


def test_late_money_the_bank_sent_back_is_told_by_the_audit_and_tried_again_by_ops(shop: Shop) -> None:
    order = ready(shop, "alipay")
    started = payments.start(order.id, "alipay", BACK)
    with later(31 * 60):
        expiry.tick()
        with writing() as session:  # Stripe was asked a moment before the shopper approved
            moves.move(session, orders.find(session, order.id), "payment_expired")
        press(started, "pay")
        trouble(refunds_pending="on")
        shop.settle_down()
        assert payments.reconcile(started.payment_id) == "late"
        outbox.drain_all()
    at_bank(refund_of(order), "failed")
    with later(3600):
        shop.settle_down()
        assert refund_of(order).state == "failed"
        assert audit.audit(DROP).differences == [
            f"payment {started.payment_id}: late money was not sent back"
        ]
        trouble()
        refunds.refund(order.id, ZHAO, "once more")
        shop.settle_down()
    assert at_stripe(started.intent_id) == ("succeeded", order.due_now_fen, order.due_now_fen)
    assert (shop.state(order), refund_of(order).state) == ("payment_expired", "succeeded")
    assert shop.clean()


def test_refund_waiting_for_stripe_is_not_counted_as_a_failure(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, intent_id = paid(shop)
    orders.cancel(order.id, ZHAO, "outage")
    monkeypatch.setattr(stripe_api, "_rests_until", float("inf"))
    for hours in range(12):
        with later(hours * 3600):
            outbox.drain("money")
    monkeypatch.setattr(stripe_api, "_rests_until", 0.0)
    with later(13 * 3600):
        shop.settle_down()
    assert_back(shop, order, intent_id)
