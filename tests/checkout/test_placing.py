"""Placing an order: checked first, claimed once, inserted once, whatever is repeated or at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from checkout import contracts, orders, placing, prices
from checkout.models import Claim, Order
from checkout.orders import KeyReused, OrderRequest
from inventory import drops, holds, verbs
from inventory.facts import LimitReached, Ordered
from kyc import people
from kyc.models import IdQuota
from kyc.people import TooYoung
from kyc.quota import IdLimitReached
from logistics.couriers import NoCourier
from runtime.db import reading, writing
from runtime.facts import Invalid, NotFound
from runtime.redis import close_async, hot
from runtime.settings import settings
from tests.checkout.shop import BUNDLE, CARD, DROP, HOME, LI, MINOR, SHANGHAI, SKU, WANG, ZHOU, Shop
from tests.loops import in_own_loop


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
    request = OrderRequest(*LI, replace(HOME, **SHANGHAI), "card")
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


def unnamed(account: str, hold: holds.Hold, key: str, name: str = "", id_number: str = "") -> Order:
    """An order that leaves the buyer's fields empty, or fills in one of them."""
    request = OrderRequest(name, id_number, HOME, "card")
    return orders.place(account=account, phone="18600001111", hold_id=hold.id, key=key, request=request)


def verified(shop: Shop, account: str, who: tuple[str, str]) -> str:
    """An order that got its account a verified person, undone again; gives the person's id."""
    order = shop.place(account, who)
    shop.settle_down()
    orders.cancel(order.id, account, "only the person is wanted")
    shop.settle_down()
    return order.person_id


def test_a_verified_person_needs_nothing_more(shop: Shop) -> None:
    person = verified(shop, "li", LI)
    order = unnamed("li", shop.hold("li"), "k2")
    assert (order.state, order.person_id, order.name_masked) == ("awaiting_payment", person, "李*")
    shop.settle_down()
    with reading() as session:
        paper = contracts.of_order(session, order.id)
        assert paper
        assert paper.state == "drafted"
    assert shop.clean()


def test_the_newest_verified_person_buys(shop: Shop) -> None:
    verified(shop, "li", LI)
    wang = shop.place("li", WANG, key="k2")
    shop.settle_down()
    orders.cancel(wang.id, "li", "again")
    shop.settle_down()
    assert unnamed("li", shop.hold("li"), "k3").person_id == wang.person_id


@pytest.mark.parametrize("who", [None, ZHOU])
def test_with_nobody_verified_both_fields_are_named(shop: Shop, who: tuple[str, str] | None) -> None:
    if who:
        with writing() as session:
            people.enrol(session, "li", *who, min_age=16)  # pending, then refused
    hold = shop.hold("li")
    for _ in range(2):
        with pytest.raises(Invalid) as refused:
            unnamed("li", hold, "k2", " ", "")
        assert list(refused.value.errors) == ["name", "id_number"]
        shop.settle_down()
    assert holds.find(hold.id).state == "held"


def test_another_account_s_verified_person_is_not_mine(shop: Shop) -> None:
    verified(shop, "li", LI)
    with pytest.raises(Invalid):
        unnamed("wang", shop.hold("wang"), "k2")


@pytest.mark.parametrize(("given", "field"), [((LI[0], ""), "id_number"), (("", LI[1]), "name")])
def test_one_field_without_the_other_is_a_mistake(shop: Shop, given: tuple[str, str], field: str) -> None:
    verified(shop, "li", LI)
    hold = shop.hold("li")
    with pytest.raises(Invalid) as refused:
        unnamed("li", hold, "k2", *given)
    assert list(refused.value.errors) == [field]
    assert holds.find(hold.id).state == "held"


def test_a_verified_minor_still_gets_no_contract_handset(shop: Shop) -> None:
    verified(shop, "sun", MINOR)
    bundle = shop.hold("sun", BUNDLE)
    with pytest.raises(TooYoung):
        unnamed("sun", bundle, "k2")
    assert holds.find(bundle.id).state == "held"
    holds.release(bundle.id, "sun")
    assert unnamed("sun", shop.hold("sun"), "k3").state == "awaiting_payment"


def test_the_same_key_tells_an_order_with_names_from_one_without(shop: Shop) -> None:
    verified(shop, "li", LI)
    hold = shop.hold("li")
    order = unnamed("li", hold, "k2")
    assert unnamed("li", hold, "k2").id == order.id
    with pytest.raises(KeyReused):
        unnamed("li", hold, "k2", *LI)


def test_an_id_that_has_its_five_numbers_is_refused_without_being_named_too(shop: Shop) -> None:
    verified(shop, "wang", WANG)
    with writing() as session:
        session.scalars(select(IdQuota)).one().used = settings().max_numbers_per_id
    with pytest.raises(IdLimitReached):
        unnamed("wang", shop.hold("wang"), "k2")
    assert tally() == (40, 0, 0, 0)


def test_a_bundle_takes_a_handset_and_costs_its_package_price(shop: Shop) -> None:
    order = shop.place(offer=BUNDLE)
    assert (order.kind, order.sku, order.due_now_fen) == ("bundle", SKU, 499_900)
    assert drops.tally(DROP).skus[SKU].ordered == 1


def test_a_bundle_whose_handset_was_not_held_is_refused(shop: Shop) -> None:
    token = holds.new_token(DROP, "li")
    held = in_own_loop(hold_without_handset(token))
    with pytest.raises(prices.WrongStock):
        shop.place(hold=held.id)
    assert holds.find(held.id).state == "held"


async def hold_without_handset(token: str) -> holds.Hold:
    try:
        return await holds.hold(DROP, token=token, account="li", offer=BUNDLE)
    finally:
        await close_async()


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
    hot().delete(verbs.key(DROP, "used"))
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
