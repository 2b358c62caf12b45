"""A process that dies between the claim in Redis and the commit in SQL: the number is owned or free again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from checkout import claims, orphans
from checkout.models import Claim, Order
from inventory import drops, holds
from inventory.facts import Lapsed
from runtime.db import reading
from runtime.ids import derived_id
from tests.checkout.shop import DROP, Shop
from tests.dying import runs_into

PLACE = """
import sys
from checkout import jobs, orders
from checkout.orders import OrderRequest
from logistics.parcels import Receiver
home = Receiver("李雷", "18600001111", "北京市", "110100", "海淀区", "中关村大街 1 号 2 单元 301")
request = OrderRequest("李雷", "110100199001010019", home, "card")
orders.place(account="li", phone="18600001111", hold_id=sys.argv[1], key="k1", request=request)
"""


def place_and_die(hold_id: str, point: str) -> None:
    """Another process places the order and is killed at the point."""
    assert runs_into(point, PLACE, hold_id)


def rows() -> tuple[int, list[str]]:
    with reading() as session:
        return len(session.scalars(select(Order.id)).all()), list(session.scalars(select(Claim.fate)))


def test_killed_after_the_claim_a_retry_with_the_same_key_gets_the_order(shop: Shop) -> None:
    hold = shop.hold("li")
    place_and_die(hold.id, "order.claimed")
    assert rows() == (0, [])
    order = shop.place(hold=hold.id)
    assert (order.number, order.state) == (hold.number, "awaiting_kyc")
    assert orphans.tick(0) == 0
    assert rows() == (1, ["placed"])


def test_killed_after_the_claim_and_never_retried_the_number_is_free_again(shop: Shop) -> None:
    hold = shop.hold("li")
    place_and_die(hold.id, "order.claimed")
    assert orphans.tick() == 0  # too young: the shopper may yet try again
    assert orphans.tick(0) == 1
    assert orphans.tick(0) == 0
    assert (drops.tally(DROP).free, drops.tally(DROP).ordered) == (40, 0)
    with pytest.raises(Lapsed):
        shop.place(hold=hold.id)
    assert rows() == (0, ["voided"])
    assert shop.place(key="k2", hold=shop.hold("li").id).state == "awaiting_kyc"
    assert shop.clean()


def test_killed_after_the_commit_the_order_stands(shop: Shop) -> None:
    hold = shop.hold("li")
    place_and_die(hold.id, "order.committed")
    assert orphans.tick(0) == 0
    assert shop.place(hold=hold.id).number == hold.number
    assert rows() == (1, ["placed"])


def test_killed_between_voiding_and_giving_back_the_next_sweep_ends_it(shop: Shop) -> None:
    hold = shop.hold("li")
    place_and_die(hold.id, "order.claimed")
    order_id = derived_id("ord", "li", "k1")
    give_back, claims.give_back = claims.give_back, lambda *_: None  # the process died here
    try:
        claims.void(DROP, order_id, hold.number)
    finally:
        claims.give_back = give_back
    assert drops.tally(DROP).ordered == 1
    assert orphans.tick(0) == 1
    assert (drops.tally(DROP).free, drops.tally(DROP).ordered) == (40, 0)


def test_a_retry_and_the_sweep_at_once_end_in_one_of_two_ways(shop: Shop) -> None:
    for turn in range(6):
        account = f"li-{turn}"
        hold = shop.hold(account)
        order_id = derived_id("ord", account, "k1")
        holds.claim(hold.id, account=account, order_id=order_id)
        with ThreadPoolExecutor(2) as pool:
            placing = pool.submit(_retry, shop, account, shop.anyone(turn), hold.id)
            sweeping = pool.submit(orphans.tick, 0)
            placed, swept = placing.result(), sweeping.result()
        assert placed != bool(swept)
    assert shop.clean()


def _retry(shop: Shop, account: str, who: tuple[str, str], hold_id: str) -> bool:
    try:
        shop.place(account, who, hold=hold_id)
    except Lapsed:
        return False
    return True
