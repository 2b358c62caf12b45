"""Every named crash point: a process dies there, then the jobs run, then whoever asked asks again.

On SQLite and on PostgreSQL, as the suite is. What was acknowledged before the kill stands; what was not is done once,
by the one who asks again or by the jobs alone."""

import multiprocessing
import os
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from redis import Redis

from checkout import orders as order_book
from checkout import orphans, payments, repairing
from checkout.audit import audit
from inventory import drops, holds, stock, verbs
from inventory.journal import pages
from runtime import clock
from runtime.db import reading, writing
from runtime.settings import settings
from tests.checkout import crash_walks
from tests.checkout.crash_walks import Me
from tests.checkout.shop import DROP, Shop
from tests.inventory.small_drop import add_numbers, ordinary
from tests.shop import ROOT

# walk -> the points on it, how it is paid, and the state it ends in
WALKS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "bought": (
        (
            *("order.enrolled", "order.claimed", "order.written", "order.committed"),
            *("kyc.asking", "kyc.answered", "kyc.decided", "contract.drafted", "sms.sending", "sms.sent"),
            *("payment.begun", "payment.created", "payment.stored", "payment.settled", "payment.captured"),
            *("payment.paying", "payment.paid", "manifest.sealed"),
        ),
        "card",
        "packed",
    ),
    "told_by_stripe": (
        ("payment.confirmed", "stripe.event_stored", "stripe.event_worked"),
        "alipay",
        "packed",
    ),
    "cancelled": (
        ("payment.cancelling", "payment.cancelled", "order.reversing", "order.reversed", "order.let_go"),
        "card",
        "cancelled",
    ),
    "refunded": (("refund.sending", "refund.sent", "refund.noted"), "card", "cancelled"),
    "expired": (("expiry.voided",), "card", "payment_expired"),
    "too_late": (("payment.sent_back",), "alipay", "payment_expired"),
}
STOCK = (
    *(
        "orphan.voided",
        "drop.chunk_loaded",
        "drop.loaded",
        "drop.epoch_written",
        "drop.fenced",
        "drop.rebuilt",
    ),
    "audit.mended",
)
ELSEWHERE = {
    "order.given_back": "tests/checkout/test_batch_trouble.py",
    "journal.archived": "tests/inventory/test_archive.py",
    "journal.trimmed": "tests/inventory/test_archive.py",
}
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.checkout.crash_walks"])


def test_every_crash_point_of_the_code_has_a_kill() -> None:
    packages = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"]
    named = {
        point
        for package in packages
        for path in package.rglob("*.py")
        for point in re.findall(r"^\s+point\(\"([a-z_.]+)\"\)", path.read_text(), re.M)
    }
    here = {point for points, _, _ in WALKS.values() for point in points} | set(STOCK)
    assert named == here | set(ELSEWHERE)
    for point, where in ELSEWHERE.items():
        assert f'"{point}"' in (ROOT / where).read_text()


@pytest.fixture(autouse=True)
def _time_stands_again() -> Iterator[None]:
    yield
    clock.shift(timedelta())


@pytest.mark.parametrize("walk", WALKS)
def test_killed_on_the_way_of_an_order(shop: Shop, walk: str) -> None:
    points, payment, goal = WALKS[walk]
    for nth, point in enumerate(points):
        phone = f"1870000{nth:04}"
        account = f"{walk}-{nth}"
        me = Me(account, shop.anyone(nth), phone, shop.hold(account).id, payment)
        killed_at(point, walk, shop, me)
        known = [(order, number) for order, number, _ in _orders(account)]
        for _ in range(3):  # the jobs alone: leases end, the poller asks
            _later(120)
            shop.settle_down()
            payments.tick()
        assert [(order, number) for order, number, _ in _orders(account)] == known, point
        for _ in range(4):
            getattr(crash_walks, walk)(shop, me)
            _later(120)
        assert [(state, number) for _, number, state in _orders(account)] == [
            (goal, holds.find(me.hold).number)
        ], point
        assert audit(DROP).differences == [], point
    assert orphans.tick(0) == 0


@pytest.mark.parametrize("point", ["order.claimed", "order.written", "order.committed"])
def test_killed_while_ordering_and_nobody_asks_again(shop: Shop, point: str) -> None:
    me = Me("li", shop.anyone(0), "18700000000", shop.hold("li").id)
    killed_at(point, "bought", shop, me)
    written = len(_orders("li"))
    assert written == (1 if point == "order.committed" else 0)
    assert orphans.tick(0) == 1 - written
    assert orphans.tick(0) == 0
    _later(120)
    shop.settle_down()
    assert drops.tally(DROP).free == 40 - written
    assert audit(DROP).differences == []


def test_killed_while_an_orphan_is_given_back(shop: Shop) -> None:
    me = Me("li", shop.anyone(0), "", shop.hold("li").id)
    killed_at("orphan.voided", "never_written", shop, me)
    orphans.tick(0)
    assert drops.tally(DROP).free == 40
    assert audit(DROP).differences == []


@pytest.mark.parametrize("point", ["drop.chunk_loaded", "drop.loaded", "drop.epoch_written"])
def test_killed_while_a_drop_is_loaded(shop: Shop, point: str) -> None:
    numbers = ordinary("310", 30)
    add_numbers(numbers, "310", "second")
    with writing() as session:
        drops.create(
            session,
            id="second",
            name="second",
            pool="second",
            cities=["310"],
            actor="zhao",
            opens_at=clock.now(),
        )
        drops.schedule(session, "second", actor="zhao", reason="test")
    killed_at(point, "loaded", shop, Me("second", ("", ""), "", ""))
    drops.tick()
    assert drops.tally("second").free == 30
    assert [entry["verb"] for page in pages("second") for _, entry in page].count("load") == 1
    assert audit("second").differences == []


@pytest.mark.parametrize("point", ["drop.fenced", "drop.rebuilt"])
def test_killed_while_a_lost_drop_is_rebuilt(shop: Shop, redis: Redis, point: str) -> None:
    orders = [shop.place(f"s{nth}", shop.anyone(nth), key=f"key-{nth}") for nth in range(3)]
    shop.settle_down()
    redis.flushall()
    killed_at(point, "rebuilt", shop, Me("", ("", ""), "", ""))
    assert stock.is_lost(DROP) == (point == "drop.fenced")
    crash_walks.rebuilt(shop, Me("", ("", ""), "", ""))
    assert [shop.order(order.id).number for order in orders] == [order.number for order in orders]
    assert (drops.tally(DROP).free, drops.tally(DROP).ordered) == (37, 3)
    assert audit(DROP).differences == []


def test_killed_while_the_audit_mends(shop: Shop, redis: Redis) -> None:
    order = shop.place("li", shop.anyone(0))
    shop.settle_down()
    redis.sadd(verbs.key(DROP, "free"), order.number)
    killed_at("audit.mended", "repaired", shop, Me("", ("", ""), "", ""))
    assert repairing.repair(DROP).refused == []
    assert (audit(DROP).differences, shop.order(order.id).number) == ([], order.number)


def killed_at(point: str, walk: str, shop: Shop, me: Me) -> None:
    """Another process walks, and dies there."""
    known = settings()
    env = {name: value for name, value in os.environ.items() if name.startswith("HAOKA_")} | {
        "HAOKA_HOME": str(known.home), "HAOKA_CRASH_POINT": point, "HAOKA_LOG_LEVEL": "CRITICAL",
    }  # fmt: skip
    process = _processes.Process(target=_walk, args=(walk, env, clock._offset, shop, me))
    process.start()
    process.join(60)
    assert process.exitcode == -9, f"{walk} did not die at {point}, it ended with {process.exitcode}"
    process.close()


def _walk(walk: str, env: dict[str, str], offset: timedelta, shop: Shop, me: Me) -> None:
    for name in [name for name in os.environ if name.startswith("HAOKA_")]:
        del os.environ[name]
    os.environ.update(env)
    settings.cache_clear()
    clock.shift(offset)
    getattr(crash_walks, walk)(shop, me)


def _orders(account: str) -> list[tuple[str, str, str]]:
    with reading() as session:
        return [(order.id, order.number, order.state) for order in order_book.of_account(session, account)]


def _later(seconds: float) -> None:
    clock.shift(clock._offset + timedelta(seconds=seconds))
