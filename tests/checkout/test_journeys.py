"""Whole journeys at the level of functions: card, cash and bundle to the door, and every way back."""

import pytest
from sqlalchemy import select

from checkout import contracts, delivering, orders, preparing
from checkout.models import Order, Payment, Refund
from checkout.orders import OnItsWay
from inventory import drops, numbers
from inventory.models import HandsetUnit, SimCard
from kyc.models import IdQuota, Person
from logistics import parcels
from logistics.models import Parcel
from runtime import outbox
from runtime.db import reading, writing
from runtime.facts import NotFound, WrongMove
from tests.checkout.shop import BUNDLE, DROP, SKU, Shop, later

TO_THE_DOOR = ["allocated", "account_opened", "packed", "shipped", "delivered", "activated"]


def number_state(order: Order) -> str:
    with reading() as session:
        return numbers.facts_of(session, order.number).state


def units(order: Order) -> tuple[list[str], list[str]]:
    """States of the SIM cards and handsets that are not plain stock."""
    with reading() as session:
        sims = session.scalars(select(SimCard.state).where(SimCard.state != "available")).all()
        sets = session.scalars(select(HandsetUnit.state).where(HandsetUnit.state != "available")).all()
    return list(sims), list(sets)


def money(order: Order) -> list[tuple[str, str, int]]:
    with reading() as session:
        found = session.scalars(select(Payment).where(Payment.order_id == order.id).order_by(Payment.attempt))
        return [(payment.method, payment.state, payment.captured_fen) for payment in found]


def tally() -> tuple[int, int, int, int]:
    now = drops.tally(DROP)
    return now.free, now.ordered, now.paid, now.withdrawn


def used() -> list[int]:
    with reading() as session:
        return list(session.scalars(select(IdQuota.used)))


def test_a_card_order_to_the_door(shop: Shop) -> None:
    order = shop.activated()
    assert shop.trail(order) == ["awaiting_kyc", "awaiting_payment", "paid", *TO_THE_DOOR]
    assert number_state(order) == "active"
    assert money(order) == [("card", "succeeded", 5_000)]
    assert (units(order), tally(), used()) == ((["bound"], []), (39, 0, 1, 0), [1])
    with reading() as session:
        contract = contracts.of_order(session, order.id)
    assert contract is not None
    assert (contract.state, contract.ends_on) == ("in_force", None)
    assert contract.starts_on is not None
    assert "已激活" in shop.sms()[0]
    assert shop.clean()


def test_a_cash_order_is_paid_at_the_door(shop: Shop) -> None:
    order = shop.ready(payment="cod")
    assert shop.state(order) == "packed"
    assert (money(order), tally()) == ([("cod", "pending", 0)], (39, 0, 1, 0))
    assert shop.clean()
    shop.scan(order, "handed_over", "out_for_delivery")
    shop.scan(order, "delivered", door_code=shop.code())
    assert shop.trail(order) == ["awaiting_kyc", "awaiting_payment", "cod_confirmed", *TO_THE_DOOR]
    assert money(order) == [("cod", "succeeded", 5_000)]
    assert shop.clean()


def test_a_bundle_brings_a_handset_insured_and_a_contract_of_24_months(shop: Shop) -> None:
    order = shop.activated(offer=BUNDLE)
    assert units(order) == (["bound"], ["bound"])
    with reading() as session:
        parcel = parcels.of_order(session, order.id)
        contract = contracts.of_order(session, order.id)
    assert parcel is not None
    assert (parcel.goods, parcel.insured_fen, parcel.cod_fen) == ("SIM kit, phone", 499_900, 0)
    assert (parcel.id_holder, parcel.id_last4) == ("李*", "0019")
    assert contract is not None
    assert contract.starts_on is not None
    assert contract.ends_on == contract.starts_on.replace(year=contract.starts_on.year + 2)
    assert drops.tally(DROP).skus[SKU].paid == 1
    assert shop.clean()


def test_scans_all_at_once_and_late_ones_end_the_same(shop: Shop) -> None:
    order = shop.ready(payment="cod")
    shop.scan(order, "out_for_delivery")
    shop.scan(order, "delivered", door_code=shop.code())
    assert shop.trail(order)[-3:] == ["shipped", "delivered", "activated"]


def test_left_without_a_check_the_number_stays_inactive_until_the_id_is_checked(shop: Shop) -> None:
    order = shop.ready(payment="cod")
    shop.scan(order, "handed_over", "out_for_delivery", "delivered")
    assert shop.state(order) == "delivered"
    assert number_state(order) == "assigned"
    assert money(order) == [("cod", "succeeded", 5_000)]
    assert "尚未激活" in shop.sms()[0]
    delivering.activate(order.id, actor="ops:zhao", reason="ID seen in the shop")
    assert (shop.state(order), number_state(order)) == ("activated", "active")
    assert shop.clean()


def test_a_shopper_may_ask_for_a_new_door_code(shop: Shop) -> None:
    order = shop.ready(payment="cod")
    shop.scan(order, "handed_over", "out_for_delivery")
    old = shop.code()
    with pytest.raises(NotFound):
        delivering.new_door_code(order.id, "wang")
    delivering.new_door_code(order.id, "li")
    assert shop.code() != old or len(shop.sms()) == 3
    shop.scan(order, "delivered", door_code=shop.code())
    assert shop.state(order) == "activated"


def test_refused_at_the_door_a_paid_order_is_undone_and_refunded(shop: Shop) -> None:
    order = shop.ready(offer=BUNDLE)
    shop.pay(order)
    shop.settle_down()
    shop.scan(order, "handed_over", "refused", "returning", "returned_to_warehouse")
    assert shop.trail(order)[-5:] == ["shipped", "refused", "reversing", "refunding", "cancelled"]
    assert money(order) == [("card", "refunded", 499_900)]
    with reading() as session:
        refunds = session.scalars(select(Refund)).all()
    assert [(one.state, one.amount_fen) for one in refunds] == [("succeeded", 499_900)]
    assert number_state(order) == "cooling"
    assert (units(order), tally(), used()) == ((["spent"], ["inspect"]), (39, 0, 0, 1), [0])
    assert shop.clean()


@pytest.mark.parametrize("why", ["refused", "id_mismatch"])
def test_a_cash_order_not_taken_costs_nothing(shop: Shop, why: str) -> None:
    order = shop.ready(payment="cod")
    shop.scan(order, "handed_over", why)
    assert shop.trail(order)[-3:] == ["refused", "reversing", "cancelled"]
    assert (money(order), tally(), used()) == ([("cod", "cancelled", 0)], (39, 0, 0, 1), [0])
    assert shop.clean()


@pytest.mark.parametrize("after", ["awaiting_kyc", "awaiting_payment", "packed"])
def test_cancelled_before_it_leaves_everything_comes_back(shop: Shop, after: str) -> None:
    order = shop.place()
    if after != "awaiting_kyc":
        shop.settle_down()
        shop.sign(order)
    if after == "packed":
        shop.pay(order)
        shop.settle_down()
    assert shop.state(order) == after
    orders.cancel(order.id, "li", "changed my mind")
    orders.cancel(order.id, "li", "changed my mind")
    shop.settle_down()
    assert shop.state(order) == "cancelled"
    if after == "packed":  # an account was open on it: it rests before it is sold again
        assert (tally(), number_state(order)) == ((39, 0, 0, 1), "cooling")
        assert money(order) == [("card", "refunded", 5_000)]
    else:
        assert tally() == (40, 0, 0, 0)
    assert (units(order), used()) == (([], []), [0])
    assert shop.clean()


def test_once_the_courier_has_it_cancelling_recalls_the_parcel(shop: Shop) -> None:
    order = shop.ready(payment="cod")
    shop.scan(order)  # into a manifest
    with pytest.raises(OnItsWay):
        orders.cancel(order.id, "li", "changed my mind")
    assert shop.state(order) == "packed"
    with reading() as session:
        parcel = session.scalars(select(Parcel)).one()
    assert parcel.recall_requested_at is not None
    shop.scan(order, "handed_over", "returned_to_warehouse")
    assert shop.state(order) == "cancelled"
    assert shop.clean()


def test_only_staff_undo_a_shipped_order(shop: Shop) -> None:
    order = shop.ready(payment="cod")
    shop.scan(order, "handed_over", "lost")
    with pytest.raises(OnItsWay):
        orders.cancel(order.id, "li", "where is it")
    orders.cancel(order.id, "ops:zhao", "lost by the courier")
    shop.settle_down()
    assert shop.state(order) == "cancelled"
    assert shop.clean()


def test_an_activated_order_cannot_be_cancelled(shop: Shop) -> None:
    order = shop.activated(payment="cod")
    with pytest.raises(WrongMove):
        orders.cancel(order.id, "li", "too late")


def test_nothing_is_prepared_for_a_person_who_is_not_verified(shop: Shop) -> None:
    order = shop.ready()
    shop.pay(order)
    with writing() as session:
        session.get_one(Person, order.person_id).state = "pending"
    with pytest.raises(preparing.NotVerified):
        preparing.prepare(order.id)
    assert shop.state(order) == "paid"


def test_an_empty_warehouse_holds_the_order_up_until_there_is_stock(shop: Shop) -> None:
    with writing() as session:
        session.query(SimCard).update({"state": "spent"})
    order = shop.ready(payment="cod")
    assert shop.state(order) == "cod_confirmed"
    with writing() as session:
        session.query(SimCard).update({"state": "available"})
    with later(120):
        outbox.drain("dispatch")
    assert shop.state(order) == "packed"


def test_a_cancelled_order_s_number_is_sold_again(shop: Shop) -> None:
    hold = shop.hold("li")
    order = shop.place(hold=hold.id)
    orders.cancel(order.id, "li", "changed my mind")
    shop.settle_down()
    again = shop.hold("wang", number=order.number)
    assert shop.place("wang", shop.anyone(5), hold=again.id).number == order.number
    assert shop.clean()
