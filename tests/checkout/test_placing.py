"""Placing an order: checked first, claimed once, inserted once, whatever is repeated or at once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from shop import BUNDLE, CARD, DROP, HOME, LI, MINOR, SKU, WANG, Shop
from sqlalchemy import func, select

from checkout import orders, placing, prices
from checkout.models import Claim, Order
from checkout.orders import KeyReused, OrderRequest
from inventory import drops, holds
from inventory.facts import LimitReached, Ordered
from kyc.models import IdQuota
from kyc.people import TooYoung
from kyc.quota import IdLimitReached
from logistics.couriers import NoCourier
from runtime.db import reading, writing
from runtime.facts import Invalid, NotFound
from runtime.redis import hot, hot_async
from runtime.settings import settings


def tally() -> tuple[int, int, int, int]:
    now = drops.tally(DROP)
    return now.free, now.held, now.ordered, now.paid


def test_an_order_takes_the_held_number_its_price_and_a_place_in_the_quota(shop: Shop) -> None:
    hold = shop.hold("li")
    order = shop.place(hold=hold.id)
    assert (order.state, order.number, order.due_now_fen, order.live) == (
        "awaiting_kyc",
        hold.number,
        5_000,
        True,
    )
    assert (order.name_masked, order.phone_masked, order.courier) == ("李*", "186****1111", "SF")
    assert tally() == (39, 0, 1, 0)
    with reading() as session:
        assert session.scalars(select(IdQuota.used)).all() == [1]
        assert session.scalars(select(Claim.fate)).all() == ["placed"]
        assert [event.to_state for event in orders.timeline(session, order.id)] == ["created", "awaiting_kyc"]


def test_the_same_key_gives_the_same_order(shop: Shop) -> None:
    hold = shop.hold("li")
    first = shop.place(hold=hold.id)
    again = shop.place(hold=hold.id)
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert tally() == (39, 0, 1, 0)


def test_the_same_key_with_another_body_is_refused(shop: Shop) -> None:
    hold = shop.hold("li")
    shop.place(hold=hold.id)
    with pytest.raises(KeyReused):
        shop.place(hold=hold.id, payment="cod")


def test_two_keys_on_one_hold_make_one_order(shop: Shop) -> None:
    hold = shop.hold("li")
    order = shop.place(hold=hold.id)
    with pytest.raises(Ordered) as refused:
        shop.place(hold=hold.id, key="k2")
    assert refused.value.details == {"order_id": order.id}
    assert tally() == (39, 0, 1, 0)


def test_a_double_click_in_parallel_makes_one_order(shop: Shop) -> None:
    hold = shop.hold("li")
    with ThreadPoolExecutor(8) as pool:
        placed = list(pool.map(lambda _: shop.place(hold=hold.id).id, range(16)))
    assert len(set(placed)) == 1
    assert tally() == (39, 0, 1, 0)
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Order)) == 1
        assert session.scalars(select(IdQuota.used)).all() == [1]


def test_two_keys_in_parallel_on_one_hold_make_one_order(shop: Shop) -> None:
    hold = shop.hold("li")

    def place(key: str) -> str:
        try:
            return shop.place(hold=hold.id, key=key).id
        except Ordered as other:
            return str(other.details["order_id"])

    with ThreadPoolExecutor(4) as pool:
        placed = set(pool.map(place, ["a", "b", "c", "d"]))
    assert len(placed) == 1
    assert tally() == (39, 0, 1, 0)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"id_number": "110100199001010010"}, "id_number"),
        ({"name": "L"}, "name"),
        ({"payment": "barter"}, "payment"),
        ({"receiver": replace(HOME, mobile="12345")}, "receiver.mobile"),
        ({"receiver": replace(HOME, city="999999")}, "receiver.city"),
        ({"receiver": replace(HOME, address="1")}, "receiver.address"),
    ],
)
def test_a_mistake_is_named_and_costs_no_hold(shop: Shop, wrong: dict[str, object], field: str) -> None:
    hold = shop.hold("li")
    good = {"name": LI[0], "id_number": LI[1], "receiver": HOME, "payment": "card"}
    request = OrderRequest(**(good | wrong))  # type: ignore[arg-type]
    with pytest.raises(Invalid) as refused:
        orders.place(account="li", phone="18600001111", hold_id=hold.id, key="k1", request=request)
    assert list(refused.value.errors) == [field]
    assert holds.find(hold.id).state == "held"
    assert shop.place(hold=hold.id).state == "awaiting_kyc"  # mended, with the same key


def test_a_city_no_courier_serves_costs_no_hold(shop: Shop) -> None:
    hold = shop.hold("li")
    request = OrderRequest(*LI, replace(HOME, city="310100"), "card")
    with pytest.raises(NoCourier):
        orders.place(account="li", phone="18600001111", hold_id=hold.id, key="k1", request=request)
    assert holds.find(hold.id).state == "held"


def test_another_account_s_hold_is_not_there(shop: Shop) -> None:
    hold = shop.hold("li")
    with pytest.raises(NotFound):
        shop.place("wang", WANG, hold=hold.id)


def test_17_years_are_enough_for_a_card_but_not_for_a_contract_handset(shop: Shop) -> None:
    with pytest.raises(TooYoung):
        shop.place("sun", MINOR, offer=BUNDLE)
    holds.release(shop.hold("sun", BUNDLE).id, "sun")
    assert shop.place("sun", MINOR, offer=CARD).state == "awaiting_kyc"


def test_a_bundle_takes_a_handset_and_costs_its_package_price(shop: Shop) -> None:
    order = shop.place(offer=BUNDLE)
    assert (order.kind, order.sku, order.due_now_fen) == ("bundle", SKU, 499_900)
    assert drops.tally(DROP).skus[SKU].ordered == 1


def test_a_bundle_whose_handset_was_not_held_is_refused(shop: Shop) -> None:
    token = holds.new_token(DROP, "li")
    held = asyncio.run(hold_without_handset(token))
    with pytest.raises(prices.WrongStock):
        shop.place(hold=held.id)
    assert holds.find(held.id).state == "held"


async def hold_without_handset(token: str) -> holds.Hold:
    try:
        return await holds.hold(DROP, token=token, account="li", offer=BUNDLE)
    finally:
        await hot_async().aclose()


def test_two_accounts_of_one_id_get_one_number_in_a_drop(shop: Shop) -> None:
    shop.place("li")
    other = shop.hold("li-again")
    with pytest.raises(LimitReached):
        shop.place("li-again", hold=other.id)
    assert holds.find(other.id).state == "held"


def test_an_id_with_its_five_numbers_gives_the_claim_back(shop: Shop) -> None:
    order = shop.place("wang", WANG)
    with writing() as session:
        index = session.scalars(select(IdQuota)).one()
        index.used = settings().max_numbers_per_id
    # Another round's limit would not count this one; here only the law's limit shall speak.
    hot().delete(f"{{{DROP}}}:used")
    with pytest.raises(IdLimitReached):
        shop.place("wang-again", WANG)
    assert tally() == (39, 0, 1, 0)
    with reading() as session:
        assert sorted(session.scalars(select(Claim.fate))) == ["placed", "voided"]
        assert session.scalars(select(Order.id)).all() == [order.id]


def test_a_number_that_sql_knows_as_sold_is_refused_by_the_last_guard(shop: Shop) -> None:
    mine = shop.place("li")
    hold = shop.hold("wang")
    with writing() as session:
        session.get_one(Order, mine.id).number = hold.number  # as if Redis had let it slip
    with pytest.raises(placing.NumberSlipped):
        shop.place("wang", WANG, hold=hold.id)
    with reading() as session:
        assert session.scalars(select(Order.id)).all() == [mine.id]
