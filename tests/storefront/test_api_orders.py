"""Ordering by the API: what a new order answers, whose session lets it through, and a shop that is too busy."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis
from sqlalchemy import select, update
from starlette.testclient import TestClient

from checkout.models import Order
from inventory.models import Drop
from runtime import clock
from runtime.db import reading, writing
from runtime.settings import settings
from storefront import accounts, app
from storefront.models import Account, ShopperSession
from tests.checkout.crowd import held, verified
from tests.checkout.shop import DROP, open_shop
from tests.patience import as_delivered

RECEIVER = {
    "name": "李雷", "mobile": "18600001111", "province": "北京市", "city": "110100", "district": "海淀区",
    "address": "中关村大街 1 号 2 单元 301",
}  # fmt: skip


class Shopper:
    """Somebody signed in and verified, with a hold, at a shop that runs in this process."""

    def __init__(self, client: TestClient) -> None:
        self.client, self.session, at = client, "session-1", clock.now()
        verified(["acc"])
        with writing() as session:
            session.add(
                Account(
                    id="acc", phone_index="p", phone="18600001111", phone_masked="186****1111", created_at=at
                )
            )
            session.add(ShopperSession(id=self.session, account="acc", created_at=at, seen_at=at))
        self.token = accounts.sealed(
            accounts.Identity(self.session, "acc", "", clock.epoch_ms(at + accounts.LIFETIME))
        )
        [self.hold] = held(["acc"])

    def order(self, **other: str) -> tuple[int, dict[str, object], dict[str, str]]:
        answer = self.client.post(
            "/api/v1/orders",
            json={"hold": self.hold.id, "receiver": RECEIVER, "payment": "cod", **other},
            headers={"Authorization": f"Bearer {self.token}", "Idempotency-Key": "key-12345678"},
        )
        return answer.status_code, answer.json(), dict(answer.headers)

    def seen(self, **values: object) -> None:
        with writing() as session:
            session.execute(update(ShopperSession).where(ShopperSession.id == self.session).values(**values))

    def seen_at(self) -> float:
        with reading() as session:
            return session.scalars(select(ShopperSession.seen_at)).one().timestamp()


@pytest.fixture(params=["hot", "long"])
def shopper(
    db: None, redis: Redis, twins: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Shopper]:
    """By the hot entrance, and by the way all other routes go."""
    open_shop(tmp_path, twins)
    with TestClient(app.create(hot=request.param == "hot"), raise_server_exceptions=False) as client:
        yield Shopper(client)


def test_a_new_order_answers_what_it_answers_later(shopper: Shopper) -> None:
    status, placed, headers = shopper.order()
    assert (status, placed["state"], placed["contract"], placed["parcel"]) == (
        201,
        "awaiting_payment",
        "none",
        None,
    )
    assert headers["cache-control"] == "no-store"
    shown = shopper.client.get(
        f"/api/v1/orders/{placed['order']}", headers={"Authorization": f"Bearer {shopper.token}"}
    )
    assert shown.json() == placed
    assert shopper.order()[:2] == (201, placed)
    assert shopper.order(payment="card")[1]["code"] == "key_reused"


def test_an_idle_or_ended_session_orders_nothing(shopper: Shopper) -> None:
    shopper.seen(seen_at=clock.now() - accounts.IDLE - timedelta(seconds=1))
    assert shopper.order()[0] == 401
    shopper.seen(seen_at=clock.now(), revoked_at=clock.now())
    assert shopper.order()[0] == 401
    shopper.seen(revoked_at=None)
    assert shopper.order()[0] == 201


def test_who_orders_is_seen(shopper: Shopper) -> None:
    long_ago = clock.now() - timedelta(minutes=20)
    shopper.seen(seen_at=long_ago)
    assert shopper.order()[0] == 201
    until = time.monotonic() + 10
    while shopper.seen_at() == long_ago.timestamp():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert abs(shopper.seen_at() - clock.now().timestamp()) < 11


def test_a_strangers_token_orders_nothing(shopper: Shopper) -> None:
    shopper.token = accounts.sealed(
        accounts.Identity("no-such-session", "acc", "", clock.epoch_ms(clock.now() + accounts.LIFETIME))
    )
    assert shopper.order()[0] == 401
    shopper.token = "garbage"
    assert shopper.order()[0] == 401


@contextmanager
def drop_in_use() -> Iterator[None]:
    taken, done = threading.Event(), threading.Event()

    def use() -> None:
        with writing() as session:
            session.scalars(select(Drop).where(Drop.id == DROP).with_for_update()).one()
            taken.set()
            done.wait(30)

    using = threading.Thread(target=use)
    using.start()
    assert taken.wait(10)
    try:
        yield
    finally:
        done.set()
        using.join()


def test_while_the_database_does_not_answer_it_says_when_to_come_again(
    shopper: Shopper, monkeypatch: pytest.MonkeyPatch
) -> None:
    with drop_in_use(), monkeypatch.context() as patch:
        as_delivered(patch)
        settings.cache_clear()
        status, problem, headers = shopper.order()
    settings.cache_clear()
    assert (status, problem["code"], headers["retry-after"]) == (503, "unavailable", "2")
    status, placed, _ = shopper.order()
    assert status == 201
    with reading() as session:
        assert session.scalars(select(Order.id)).all() == [placed["order"]]
