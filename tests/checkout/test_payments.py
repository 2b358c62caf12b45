"""Paying an order against the twin: card, wallets, two methods, races, late money."""

from urllib.parse import parse_qs, urlsplit

import pytest

from checkout import expiry, moves, orders, payments, stripe_api
from checkout.models import Payment
from inventory import holds
from runtime import outbox
from runtime.db import reading, writing
from runtime.facts import Invalid
from runtime.settings import settings
from tests.checkout.paying import BACK, at_once, at_stripe, call, pay_by_card, press, ready, rows
from tests.checkout.shop import Shop, later
from tests.checkout.stripe_twin import http


def test_card_is_authorised_then_captured_when_the_number_is_settled(shop: Shop) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    assert payments.start(order.id, "card", BACK) == started
    assert started.publishable_key == settings().stripe_publishable_key
    assert pay_by_card(started).json()["status"] == "requires_capture"
    assert shop.state(order) == "awaiting_payment"
    assert payments.reconcile(started.payment_id) == "succeeded"
    assert payments.reconcile(started.payment_id) == "succeeded"
    assert shop.state(order) == "paid"
    assert at_stripe(started.intent_id) == ("succeeded", order.due_now_fen, 0)
    shop.settle_down()
    assert shop.state(order) == "packed"
    assert shop.clean()


@pytest.mark.parametrize("method", ["alipay", "wechat_pay"])
def test_wallet_is_paid_on_its_own_page(shop: Shop, method: str) -> None:
    order = ready(shop, method)
    started = payments.start(order.id, method, BACK)
    assert payments.start(order.id, method, BACK).redirect_url == started.redirect_url
    press(started, "decline")
    assert payments.reconcile(started.payment_id) == "pending"
    again = payments.start(order.id, method, BACK)
    assert again.intent_id == started.intent_id
    assert again.redirect_url != started.redirect_url
    press(again, "pay")
    payments.returned(order.id)
    assert shop.state(order) == "paid"


def test_nothing_starts_unsigned_late_or_for_another_method_name(shop: Shop) -> None:
    order = shop.place()
    shop.settle_down()
    with pytest.raises(payments.NotSigned):
        payments.start(order.id, "card", BACK)
    shop.sign(order)
    with pytest.raises(Invalid):
        payments.start(order.id, "cheque", BACK)
    with later(1801), pytest.raises(payments.PaidTooLate):
        payments.start(order.id, "card", BACK)
    assert rows(order) == []


def test_declined_card_may_be_followed_by_a_good_one_on_the_same_intent(shop: Shop) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    assert pay_by_card(started, "pm_card_chargeDeclined").status_code == 402
    assert payments.reconcile(started.payment_id) == "pending"
    with reading() as session:
        assert session.get_one(Payment, started.payment_id).problem == "generic_decline"
    assert pay_by_card(started).status_code == 200
    assert payments.reconcile(started.payment_id) == "succeeded"


def test_three_d_secure_returns_to_the_shop_and_is_captured(shop: Shop) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    answer = call(
        "POST", f"payment_intents/{started.intent_id}/confirm", client_secret=started.client_secret,
        payment_method="pm_card_authenticationRequired", return_url=BACK,
    ).json()  # fmt: skip
    assert payments.reconcile(started.payment_id) == "pending"
    back = http.post(answer["next_action"]["redirect_to_url"]["url"], data={"do": "pay"}).headers["location"]
    assert parse_qs(urlsplit(back).query)["redirect_status"] == ["succeeded"]
    payments.returned(order.id)
    assert shop.state(order) == "paid"


def test_another_method_ends_the_attempt_before_it(shop: Shop) -> None:
    order = ready(shop)
    first = payments.start(order.id, "card", BACK)
    second = payments.start(order.id, "alipay", BACK)
    assert rows(order) == [("card", "cancelled"), ("alipay", "pending")]
    assert pay_by_card(first).status_code == 400
    press(second, "pay")
    payments.returned(order.id)
    assert rows(order) == [("card", "cancelled"), ("alipay", "succeeded")]
    assert (shop.state(order), shop.order(order.id).payment) == ("paid", "alipay")


@pytest.mark.parametrize("word", ["pay", "process"])
def test_another_method_is_refused_while_the_first_takes_money(shop: Shop, word: str) -> None:
    order = ready(shop, "alipay")
    first = payments.start(order.id, "alipay", BACK)
    press(first, word)
    with pytest.raises(payments.AlreadyPaying):
        payments.start(order.id, "card", BACK)
    assert [method for method, _ in rows(order)] == ["alipay"]


def test_two_methods_at_once_leave_one_open_intent(shop: Shop) -> None:
    order = ready(shop)
    answers = at_once(
        *(lambda method=method: payments.start(order.id, method, BACK) for method in payments.METHODS * 2)
    )
    started = [answer for answer in answers if isinstance(answer, payments.PaymentStart)]
    assert started
    alive = [one for one in {s.intent_id for s in started} if stripe_api.retrieve(one).status != "canceled"]
    assert len(alive) <= 1
    states = [state for _, state in rows(order)]
    assert states.count("pending") + states.count("created") <= 1
    final = payments.start(order.id, "card", BACK)
    pay_by_card(final)
    payments.returned(order.id)
    assert shop.state(order) == "paid"
    assert (
        sum(at_stripe(one)[1] for one in {s.intent_id for s in started} | {final.intent_id})
        == order.due_now_fen
    )


def test_same_method_eight_times_at_once_is_one_intent(shop: Shop) -> None:
    order = ready(shop)
    answers = at_once(*(lambda: payments.start(order.id, "card", BACK) for _ in range(8)))
    assert len({a.intent_id for a in answers if isinstance(a, payments.PaymentStart)}) == 1
    assert [a for a in answers if not isinstance(a, payments.PaymentStart)] == []
    assert rows(order) == [("card", "pending")]


def test_browser_return_and_webhook_at_once_capture_once(shop: Shop) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    pay_by_card(started)
    answers = at_once(
        *(lambda: payments.reconcile(started.payment_id) for _ in range(4)),
        *(lambda: payments.returned(order.id) for _ in range(2)),
    )
    assert [a for a in answers if isinstance(a, Exception)] == []
    assert at_stripe(started.intent_id) == ("succeeded", order.due_now_fen, 0)
    assert shop.trail(order).count("paid") == 1
    shop.settle_down()
    assert shop.clean()


def test_unpaid_order_expires_after_its_intent_was_ended(shop: Shop) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    with later(1801):
        expiry.tick()
        shop.settle_down()
    assert shop.state(order) == "payment_expired"
    assert at_stripe(started.intent_id) == ("canceled", 0, 0)
    assert pay_by_card(started).status_code == 400
    assert shop.clean()


@pytest.mark.parametrize("method", ["card", "alipay"])
def test_money_that_came_before_expiry_wins(shop: Shop, method: str) -> None:
    order = ready(shop, method)
    started = payments.start(order.id, method, BACK)
    pay_by_card(started) if method == "card" else press(started, "pay")
    with later(1801):
        expiry.tick()
        shop.settle_down()
    assert shop.order(order.id).payment_id == started.payment_id
    assert at_stripe(started.intent_id) == ("succeeded", order.due_now_fen, 0)


def test_expiry_waits_while_the_bank_is_undecided(shop: Shop) -> None:
    order = ready(shop, "alipay")
    started = payments.start(order.id, "alipay", BACK)
    press(started, "process")
    with later(1801):
        expiry.tick()
        outbox.drain_all()
        assert shop.state(order) == "awaiting_payment"
    http.post(f"{settings().stripe_url}/payments/{started.intent_id}", data={"do": "pay"})
    with later(1900):
        outbox.drain_all()
    assert shop.order(order.id).payment_id == started.payment_id


def test_money_after_expiry_is_refunded_once(shop: Shop) -> None:
    """The cancel is lost to the race: Stripe has the money when the order is already over."""
    order = ready(shop, "alipay")
    started = payments.start(order.id, "alipay", BACK)
    with writing() as session:
        moves.move(session, orders.find(session, order.id), "payment_expired")
    shop.settle_down()
    press(started, "pay")
    answers = at_once(*(lambda: payments.reconcile(started.payment_id) for _ in range(4)))
    assert [a for a in answers if isinstance(a, Exception)] == []
    for _ in range(3):
        shop.settle_down()
        payments.reconcile(started.payment_id)
    assert rows(order) == [("alipay", "refunded")]
    assert at_stripe(started.intent_id) == ("succeeded", order.due_now_fen, order.due_now_fen)
    assert len(stripe_api.refunds_of(started.intent_id)) == 1
    assert shop.state(order) == "payment_expired"
    assert shop.clean()


def test_late_card_is_let_go_without_a_charge(shop: Shop) -> None:
    order = ready(shop)
    started = payments.start(order.id, "card", BACK)
    pay_by_card(started)
    with writing() as session:
        moves.move(session, orders.find(session, order.id), "payment_expired")
    assert payments.reconcile(started.payment_id) == "cancelled"
    assert at_stripe(started.intent_id) == ("canceled", 0, 0)


@pytest.mark.parametrize(("method", "state"), [("card", "cancelled"), ("alipay", "refunded")])
def test_number_lost_before_the_money_came_ends_the_order(shop: Shop, method: str, state: str) -> None:
    order = ready(shop, method)
    started = payments.start(order.id, method, BACK)
    pay_by_card(started) if method == "card" else press(started, "pay")
    holds.give_back(order.drop_id, order.id, order.number, to="free")
    payments.reconcile(started.payment_id)
    shop.settle_down()
    assert shop.state(order) == "payment_expired"
    assert rows(order) == [(method, state)]
    assert at_stripe(started.intent_id)[1:] in ((0, 0), (order.due_now_fen, order.due_now_fen))


@pytest.mark.parametrize("method", ["card", "alipay"])
def test_wrong_amount_is_never_kept(shop: Shop, method: str) -> None:
    order = ready(shop, method)
    started = payments.start(order.id, method, BACK)
    with writing() as session:
        session.get_one(Payment, started.payment_id).amount_fen += 1
    pay_by_card(started) if method == "card" else press(started, "pay")
    payments.reconcile(started.payment_id)
    shop.settle_down()
    assert shop.state(order) == "awaiting_payment"
    assert at_stripe(started.intent_id) in (
        ("canceled", 0, 0),
        ("succeeded", order.due_now_fen, order.due_now_fen),
    )
    with reading() as session:
        assert session.get_one(Payment, started.payment_id).problem == "mismatch"
