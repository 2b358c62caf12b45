"""Repair closes what is safe in the one safe direction, and leaves alone what a person must decide."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from redis import Redis
from sqlalchemy import delete, insert, select, update

from checkout import repairing
from checkout.audit import audit
from checkout.models import Claim, Order
from inventory import drops, holds, verbs
from inventory.models import Number
from runtime import clock
from runtime.db import writing
from runtime.outbox import OutboxRow
from runtime.settings import settings
from storefront.cli import main
from tests.checkout.shop import DROP, WANG, Shop


@dataclass
class Sale:
    """Li has paid, Wang has ordered, Zhao holds, Zhou let go, all else is free."""

    shop: Shop
    redis: Any  # the library's types ask about bytes and None at every step
    paid: Order
    ordered: Order
    hold: holds.Hold
    free: str

    def key(self, name: str) -> str:
        return verbs.key(DROP, name)

    def snapshot(self) -> dict[str, object]:
        """All of Redis that a repair could change."""
        read = {
            "hash": self.redis.hgetall, "set": self.redis.smembers, "string": self.redis.get,
            "zset": lambda key: self.redis.zrange(key, 0, -1, withscores=True),
            "stream": lambda key: self.redis.xrange(key),
        }  # fmt: skip
        keys = list(self.redis.scan_iter(f"*{DROP}*"))
        return {key: read[self.redis.type(key)](key) for key in keys}


@pytest.fixture
def sale(shop: Shop, redis: Redis) -> Sale:
    paid = shop.ready()
    shop.pay(paid)
    shop.settle_down()
    ordered = shop.place("wang", WANG, phone="18600002222")
    shop.settle_down()
    hold = shop.hold("zhao")
    holds.release(shop.hold("zhou").id, "zhou")
    taken = {paid.number, ordered.number, hold.number}
    free = str(sorted(set(redis.smembers(verbs.key(DROP, "free"))) - taken)[0])
    assert shop.clean()
    return Sale(shop, redis, shop.order(paid.id), shop.order(ordered.id), hold, free)


def record(sale: Sale, name: str, about: str, **changes: str) -> object:
    known = msgspec.json.decode(sale.redis.hget(sale.key(name), about))
    return sale.redis.hset(sale.key(name), about, msgspec.json.encode(known | changes).decode())


def end_in_sql(sale: Sale) -> None:
    """Wang's order is over, and the work that tells Redis so was lost."""
    from checkout import moves, orders

    with writing() as session:
        order = orders.find(session, sale.ordered.id)
        moves.move(session, order, "payment_expired" if order.state == "awaiting_payment" else "kyc_failed")
    with writing() as session:
        session.execute(delete(OutboxRow).where(OutboxRow.job == "order.let_go"))


def forget_order(sale: Sale, order: Order) -> object:
    """Redis gave the order's number back, though SQL never ended it."""
    return verbs.call("give_back", DROP, order.id, order.number, "free")


def claim_and_die(sale: Sale) -> object:
    holds.claim(sale.hold.id, account="zhao", order_id="ord_ghost")
    return sale.redis.zadd(sale.key("unpaid"), {"ord_ghost": 1})


MENDED: dict[str, tuple[str, Callable[[Sale], object]]] = {
    "paid in SQL, ordered in Redis": (
        "paid in SQL, ordered in the journal",
        lambda s: unsettle(s),
    ),
    "claimed and never ordered": ("unknown to SQL", claim_and_die),
    "over in SQL, ordered in Redis": ("returned in SQL, ordered in the journal", end_in_sql),
    "live in SQL, given back in Redis": (
        "in SQL, returned in the journal",
        lambda s: forget_order(s, s.ordered),
    ),
    "paid in SQL, given back in Redis": ("paid in SQL, returned", lambda s: forget_order(s, s.paid)),
    "tally off": ("tally: free", lambda s: s.redis.hincrby(s.key("tally"), "free", 3)),
    "limit off": ("limit a:li", lambda s: s.redis.hincrby(s.key("used"), "a:li", 2)),
    "limit lost": ("limit a:wang", lambda s: s.redis.hdel(s.key("used"), "a:wang")),
    "hold without its due time": ("its expiry", lambda s: s.redis.delete(s.key("due"))),
    "due time without a hold": ("its expiry", lambda s: s.redis.zadd(s.key("due"), {"hld_gone": 1})),
    "not among the unpaid": ("among the unpaid", lambda s: s.redis.zrem(s.key("unpaid"), s.ordered.id)),
    "paid, yet among the unpaid": (
        "among the unpaid",
        lambda s: s.redis.zadd(s.key("unpaid"), {s.paid.id: 1}),
    ),
    "live hold of the account lost": ("live hold of account zhao", lambda s: s.redis.delete(s.key("live"))),
    "a live hold that is none": (
        "live hold of account zhou",
        lambda s: s.redis.hset(s.key("live"), "zhou", "hld_gone"),
    ),
    "free and sold": ("free in Redis", lambda s: s.redis.sadd(s.key("free"), s.paid.number)),
    "owner of a sold number lost": ("nothing in Redis, p:", lambda s: s.redis.hdel(s.key("owner"), s.paid.number)),
    "sold number lost and free": (
        "nothing in Redis, p:",
        lambda s: (s.redis.hdel(s.key("owner"), s.paid.number), s.redis.sadd(s.key("free"), s.paid.number)),
    ),
    "owner of a held number lost": ("nothing in Redis, h:", lambda s: s.redis.hdel(s.key("owner"), s.hold.number)),
    "owner is nobody known": (
        "o:ord_gone in Redis, o:",
        lambda s: s.redis.hset(s.key("owner"), s.ordered.number, "o:ord_gone"),
    ),
    "neither free nor owned": ("not free in Redis", lambda s: s.redis.srem(s.key("free"), s.free)),
    "free number owned by nobody known": (
        "h:hld_gone in Redis, nothing",
        lambda s: (s.redis.srem(s.key("free"), s.free), s.redis.hset(s.key("owner"), s.free, "h:hld_gone")),
    ),
    "record of an order lost": ("order ord_", lambda s: s.redis.hdel(s.key("orders"), s.ordered.id)),
    "record of a live hold lost": ("hold hld_", lambda s: s.redis.hdel(s.key("holds"), s.hold.id)),
    "state of an order wrong": ("order ord_", lambda s: record(s, "orders", s.paid.id, state="ordered")),
    "state of a hold wrong": ("hold hld_", lambda s: record(s, "holds", s.hold.id, state="released")),
}  # fmt: skip


def unsettle(sale: Sale) -> None:
    """Redis came back from before the payment: an older journal, an older state."""
    stream = sale.key("journal")
    settled = [i for i, entry in sale.redis.xrange(stream) if entry["verb"] == "settle"]
    entry = sale.redis.xrange(stream, settled[0], settled[0])[0][1]
    assert entry["order"] == sale.paid.id
    # Every entry is written again into a stream that never had the settling.
    kept = [(i, entry) for i, entry in sale.redis.xrange(stream) if i not in settled]
    sale.redis.delete(stream)
    for i, one in kept:
        sale.redis.xadd(stream, one, id=i)
    sale.redis.hset(sale.key("owner"), sale.paid.number, f"o:{sale.paid.id}")
    record(sale, "orders", sale.paid.id, state="ordered")
    sale.redis.zadd(sale.key("unpaid"), {sale.paid.id: 1})
    sale.redis.hincrby(sale.key("tally"), "paid", -1)
    sale.redis.hincrby(sale.key("tally"), "ordered", 1)


@pytest.mark.parametrize("damage", MENDED)
def test_it_is_told_then_repaired_then_clean_and_a_second_repair_does_nothing(
    sale: Sale, damage: str
) -> None:
    told, plant = MENDED[damage]
    plant(sale)
    report = audit(DROP)
    found = [one for one in repairing.remedies(DROP, report) if told in one.difference.text]
    assert found != [], report.differences
    assert [one.words for one in found if one.act is None] == []
    done = repairing.repair(DROP)
    assert done.after.differences == []
    assert (done.steps != [], done.refused) == (True, [])
    before = sale.snapshot()
    again = repairing.repair(DROP)
    assert (again.steps, again.refused, again.after.clean) == ([], [], True)
    assert sale.snapshot() == before


def test_a_repaired_order_can_go_on_and_a_repaired_hold_be_ordered(sale: Sale) -> None:
    sale.redis.hdel(sale.key("owner"), sale.hold.number)
    sale.redis.zrem(sale.key("due"), sale.hold.id)
    sale.redis.hdel(sale.key("orders"), sale.ordered.id)
    repairing.repair(DROP)
    placed = sale.shop.place("zhao", sale.shop.anyone(3), hold=sale.hold.id)
    assert placed.number == sale.hold.number
    holds.settle(DROP, sale.ordered.id, sale.ordered.number)


def other_order(sale: Sale) -> None:
    """SQL gives the number Zhao holds to Wang's order."""
    with writing() as session:
        session.execute(update(Order).where(Order.id == sale.ordered.id).values(number=sale.hold.number))


REFUSED: dict[str, tuple[str, str, Callable[[Sale], object]]] = {
    "one number held in Redis and ordered in SQL": ("in SQL", "a person must decide", other_order),
    "two orders with one number": (
        "number {paid}: p:",
        "two owners",
        lambda s: (
            s.redis.hset(s.key("owner"), s.ordered.number, f"p:{s.paid.id}"),
            s.redis.hset(s.key("owner"), s.paid.number, f"p:{s.ordered.id}"),
            record(s, "orders", s.ordered.id, number=s.paid.number, state="paid"),
        ),
    ),
    "two holds with one number": (
        "number {hold}: h:",
        "two owners",
        lambda s: (
            s.redis.hset(s.key("owner"), s.hold.number, "h:hld_other"),
            s.redis.hset(s.key("holds"), "hld_other", msgspec.json.encode(
                {"state": "held", "number": s.hold.number, "sku": "", "account": "x", "person": ""}
            ).decode()),
        ),
    ),
    "not free, and sold by SQL elsewhere": (
        "number {free}: not free",
        "not have it as unsold stock",
        lambda s: (s.redis.srem(s.key("free"), s.free), sold(s.free)),
    ),
    "live in SQL, and another holds its number": (
        "in SQL, returned in the journal",
        "two owners",
        lambda s: (forget_order(s, s.ordered), s.shop.hold("chen", number=s.ordered.number)),
    ),
    "claimed just now": (
        "unknown to SQL",
        "its order may yet come",
        lambda s: holds.claim(s.hold.id, account="zhao", order_id="ord_ghost"),
    ),
    "placed by its claim, and no order": (
        "unknown to SQL",
        "the order is gone",
        lambda s: (claim_and_die(s), placed("ord_ghost")),
    ),
    "paid in Redis, unpaid in SQL": (
        "ordered in SQL, paid in the journal",
        "SQL knows no money",
        lambda s: holds.settle(DROP, s.ordered.id, s.ordered.number),
    ),
    "the journal contradicts itself": (
        "number {free}: settle at",
        "a person must decide",
        lambda s: s.redis.xadd(
            s.key("journal"), {"verb": "settle", "number": s.free, "order": "ord_gone", "sku": ""}
        ),
    ),
    "money missing": (
        "0 payments for a paid order",
        "a person must decide",
        lambda s: drop_payment(s),
    ),
}  # fmt: skip


def sold(number: str) -> object:
    with writing() as session:
        return session.execute(update(Number).where(Number.number == number).values(state="sold"))


def placed(order_id: str) -> object:
    with writing() as session:
        return session.execute(insert(Claim).values(order_id=order_id, fate="placed", at=clock.now()))


def drop_payment(sale: Sale) -> None:
    from checkout.models import Payment

    with writing() as session:
        session.execute(update(Payment).where(Payment.order_id == sale.paid.id).values(state="failed"))


@pytest.mark.parametrize("damage", REFUSED)
def test_what_a_person_must_decide_is_refused_with_the_reason_and_unchanged(sale: Sale, damage: str) -> None:
    told, why, plant = REFUSED[damage]
    plant(sale)
    about = {"paid": sale.paid.number, "hold": sale.hold.number, "free": sale.free}
    before = sale.snapshot()
    done = repairing.repair(DROP)
    refused = [one for one in done.refused if told.format(**about) in one.difference.text]
    assert refused != [], done.after.differences
    assert [one.words for one in refused if why in one.words] != [], refused
    assert done.after.clean is False
    assert (done.steps, sale.snapshot()) == ([], before)


def test_the_command_marks_what_repair_would_do_and_then_does_it(sale: Sale) -> None:
    sale.redis.sadd(sale.key("free"), sale.paid.number)
    dry = CliRunner().invoke(main, ["audit", DROP])
    told = f"DIFFERENCE number {sale.paid.number}: free in Redis, the journal differs"
    assert dry.exit_code == 1
    assert f"{told} [--repair: not free: p:{sale.paid.id} has it]" in dry.stdout.splitlines()
    assert sale.redis.sismember(sale.key("free"), sale.paid.number) == 1
    told = msgspec.json.decode(CliRunner().invoke(main, ["audit", DROP, "--json"]).stdout)
    assert (told["clean"], told["count"], told["differences"][0]["repairable"]) == (False, 1, True)
    repaired = CliRunner().invoke(main, ["audit", DROP, "--repair"])
    assert repaired.exit_code == 0
    assert [one[:8] for one in repaired.stdout.splitlines() if one.startswith("REPAIRED")] == ["REPAIRED"]
    assert repaired.stdout.splitlines()[-1] == f"{DROP}: 0 differences"


def test_the_command_says_why_it_cannot(sale: Sale) -> None:
    other_order(sale)
    refused = CliRunner().invoke(main, ["audit", DROP, "--repair"])
    assert refused.exit_code == 1
    assert "not repairable" in refused.stdout


def test_tallies_are_right_after_each_kind_of_repair(sale: Sale) -> None:
    for _, plant in list(MENDED.values())[5:12]:
        plant(sale)
    repairing.repair(DROP)
    tally = drops.tally(DROP)
    assert (tally.free, tally.held, tally.ordered, tally.paid) == (37, 1, 1, 1)
    assert settings().orphan_seconds == 60
    with writing() as session:
        assert len(session.scalars(select(Order)).all()) == 2
