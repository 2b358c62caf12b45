"""Paying at the twin, as a browser and the SDK would."""

import threading
from collections.abc import Callable
from typing import Any

import httpx2
from sqlalchemy import select

from checkout import payments, stripe_api
from checkout.models import Order, Payment
from runtime.db import reading
from runtime.settings import settings
from tests.checkout.shop import Shop
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
