"""Paying an order against the twin: card, wallets, two methods, races, late money, lost webhooks."""

import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from sqlalchemy import select

from checkout import contracts, expiry, moves, orders, payments, stripe_api
from checkout.models import Order, Payment
from inventory import holds
from runtime import outbox
from runtime.db import reading, writing
from runtime.facts import Invalid
from runtime.settings import settings
from tests.checkout.shop import WANG, Shop, later
from tests.checkout.stripe_twin import http

BACK = "http://testserver/orders/1"


def ready(shop: Shop, method: str = "card", **more: Any) -> Order:
    order = shop.place(payment=method, **more)
    shop.settle_down()
    return shop.sign(order)


def call(verb: str, path: str, **form: str) -> httpx2.Response:
    """The twin's API as the SDK or a browser would call it."""
    key = settings().stripe_publishable_key if "client_secret" in form else settings().stripe_key
    return http.request(
        verb, f"{settings().stripe_url}/v1/{path}", data=form, headers={"Authorization": f"Bearer {key}"}
    )


def pay_by_card(started: payments.PaymentStart, token: str = "pm_card_visa") -> httpx2.Response:
    path = f"payment_intents/{started.intent_id}/confirm"
    return call("POST", path, client_secret=started.client_secret, payment_method=token)


def press(started: payments.PaymentStart, word: str) -> None:
    assert started.redirect_url is not None
    assert http.post(started.redirect_url, data={"do": word}).status_code == 303


def at_stripe(intent_id: str) -> tuple[str, int, int]:
    """(status, received, refunded)"""
    intent = stripe_api.retrieve(intent_id)
    return intent.status, intent.received, intent.refunded


def rows(order: Order) -> list[tuple[str, str]]:
    with reading() as session:
        found = session.scalars(select(Payment).where(Payment.order_id == order.id).order_by(Payment.attempt))
        return [(payment.method, payment.state) for payment in found]


def at_once(*jobs: Callable[[], object]) -> list[object]:
    """Run them at the same moment; gives what each returned or raised."""
    answers: list[object] = [None] * len(jobs)
    barrier = threading.Barrier(len(jobs))

    def run(place: int, job: Callable[[], object]) -> None:
        barrier.wait()
        try:
            answers[place] = job()
        except Exception as error:
            answers[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


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
