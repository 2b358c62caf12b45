"""Verdicts of the identity service: matched goes on to paying, anything else gives the number back, once."""

from sqlalchemy import select

from checkout import news, orders
from checkout.models import Order
from inventory import drops
from kyc import cases
from kyc.models import IdQuota, VerificationCase
from runtime import outbox
from runtime.db import reading, writing
from tests.checkout.shop import DROP, LI, WU, ZHOU, Shop


def used() -> dict[int, int]:
    with reading() as session:
        counts = list(session.scalars(select(IdQuota.used)))
    return {count: counts.count(count) for count in counts}


def test_matched_the_contract_is_drafted_and_the_time_to_pay_runs(shop: Shop) -> None:
    order = shop.place()
    shop.settle_down()
    assert shop.trail(order) == ["awaiting_kyc", "awaiting_payment"]
    assert shop.order(order.id).pay_by is not None
    assert "签署入网协议" in shop.sms()[0]


def test_a_verified_person_s_next_order_waits_for_nothing(shop: Shop) -> None:
    first = shop.place()
    shop.settle_down()
    orders.cancel(first.id, "li", "another number please")
    shop.settle_down()
    assert shop.place(key="k2").state == "awaiting_payment"


def test_mismatched_gives_number_and_quota_back_exactly_once(shop: Shop) -> None:
    order = shop.place("zhou", ZHOU, phone="18600002222")
    shop.settle_down()
    with writing() as session:  # the same verdict once more, as after a lost commit
        case = session.scalars(select(VerificationCase)).one()
        case.news_at = None
    shop.settle_down()
    assert shop.trail(order) == ["awaiting_kyc", "kyc_failed"]
    tally = drops.tally(DROP)
    assert (tally.free, tally.held, tally.ordered) == (40, 0, 0)
    assert used() == {0: 1}
    assert [text for text in shop.sms("18600002222") if "不一致" in text] == shop.sms("18600002222")
    assert len(shop.sms("18600002222")) == 1
    assert shop.clean()


def test_not_found_says_so(shop: Shop) -> None:
    order = shop.place("wu", WU, phone="18600003333")
    shop.settle_down()
    assert shop.state(order) == "kyc_failed"
    assert "未查到" in shop.sms("18600003333")[0]


def test_a_verdict_between_enrolment_and_the_order_s_commit_is_not_lost(shop: Shop) -> None:
    """The person was verified after the first look at them and before the order was inserted."""
    from kyc import people

    hold = shop.hold("li")
    with writing() as session:
        people.enrol(session, "li", *LI, min_age=16)
    outbox.drain("checks")
    assert news.tick() == 1  # nobody's order yet
    assert shop.place(hold=hold.id).state == "awaiting_payment"


def test_an_effect_that_fails_is_tried_again_and_stops_nobody_else(shop: Shop) -> None:
    li = shop.place()
    zhou = shop.place("zhou", ZHOU, phone="18600002222")
    with writing() as session:  # a drop that cannot be read: the verdict on li has no way to act
        session.get_one(Order, li.id).drop_id = "gone"
    outbox.drain("checks")
    news.tick()
    assert (shop.state(li), shop.state(zhou)) == ("awaiting_kyc", "kyc_failed")
    with reading() as session:
        assert cases.take_news(session) == []
    with writing() as session:
        session.get_one(Order, li.id).drop_id = DROP
    shop.settle_down()
    assert shop.state(li) == "awaiting_payment"
