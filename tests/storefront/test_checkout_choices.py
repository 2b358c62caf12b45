"""Checkout: first month and extras are priced as they are chosen, and what was seen is what is charged."""

import re
from datetime import timedelta

import pytest

from checkout import addresses, catalogue, drafts, offers, orders, prices
from checkout.models import Offer, Order
from inventory import drops, holds
from runtime import clock
from runtime.db import reading, writing
from tests.checkout.shop import DROP
from tests.storefront.conftest import Site
from tests.storefront.test_pages_shopper import FORM

OFFER = "with-extras"
MORE = """
[[promotion]]
code = "film"
kind = "bundle"
zh = "贴膜"
en = "Film"
amount = 19

[[promotion]]
code = "cup"
kind = "gift"
zh = "水杯"
en = "Cup"

[[promotion]]
code = "hello"
kind = "discount"
zh = "见面礼"
en = "Hello"
amount = 10
audience = "first_order"
ends = "{ends}"
"""


@pytest.fixture
def extras(site: Site) -> Site:
    """An offer on a post-paid plan with a bundle, a gift and a discount on a first order that ends in an hour."""
    ends = (clock.now() + timedelta(hours=1)).astimezone(clock.SHANGHAI).isoformat()
    with writing() as session:
        seen = catalogue.preview(session, [("more.toml", MORE.format(ends=ends).encode())])
        catalogue.publish(session, seen, actor="zhao", reason="test")
        offers.add(session, id=OFFER, drop_id=DROP, plan_id="3g-66", position=9)
    site.sign_in()
    return site


def pick(site: Site) -> str:
    page = site.browser.get(f"/drops/{DROP}?offer={OFFER}").text
    number = re.findall(r'name="number" value="(\d{11})"', page)[0]
    held = site.browser.post(f"/drops/{DROP}/holds", data={"number": number, "offer": OFFER})
    assert held.url.path.startswith("/checkout/")
    return str(held.url.path)


def hidden(page: str) -> dict[str, str]:
    names = re.findall(r'type="hidden" name="(key|due|csrf)" value="([^"]*)"', page)
    return dict(names)


def placed(site: Site, at: str, **more: str) -> Order:
    found = site.browser.post(at, data={**FORM, **hidden(site.browser.get(at).text), **more})
    assert found.url.path.startswith("/orders/"), found.text
    with reading() as session:
        return orders.find(session, found.url.path.rpartition("/")[2])


def test_the_choices_are_on_the_page_with_their_prices(extras: Site) -> None:
    page = extras.browser.get(pick(extras)).text
    assert re.findall(r'name="first_month" value="(\w+)"', page) == ["full", "half", "usage"]
    assert 'name="extra_film"' in page
    assert "Cup" in page
    assert hidden(page)["due"] == "9000"


def test_a_choice_is_priced_by_itself_without_javascript(extras: Site) -> None:
    at = pick(extras)
    fragment = extras.browser.get(f"{at}/price?first_month=half&extra_film=1").text
    assert 'data-due="10900"' in fragment
    assert "Half the fee" in fragment
    sent = {**FORM, **hidden(extras.browser.get(at).text), "extra_film": "1"}
    looked = extras.browser.post(at, data={**sent, "look": "1"})
    assert looked.status_code == 200
    assert hidden(looked.text)["due"] == "10900"
    assert 'value="18600001111"' in looked.text


def test_what_was_chosen_is_charged_and_goes_into_the_parcel(extras: Site) -> None:
    order = placed(extras, pick(extras), first_month="usage", extra_film="1", due="10900")
    price = prices.thaw(order.price)
    assert (order.due_now_fen, price.first_month, price.promotions) == (
        10_900,
        "usage",
        ("cup", "hello", "film"),
    )
    assert price.months[0].fee_fen == 0
    assert price.catalogue == 2
    assert addresses.goods(order) == "SIM kit, Cup, Film"


def test_a_price_that_was_not_the_one_shown_is_shown_again(extras: Site) -> None:
    at = pick(extras)
    sent = {**FORM, **hidden(extras.browser.get(at).text), "extra_film": "1"}
    again = extras.browser.post(at, data=sent)
    assert again.status_code == 409
    assert "no longer what you saw" in again.text
    assert hidden(again.text)["due"] == "10900"
    assert 'value="中关村大街 1 号 2 单元 301"' in again.text
    done = extras.browser.post(at, data={**sent, **hidden(again.text)})
    assert done.url.path.startswith("/orders/")


def test_a_promotion_that_was_on_when_the_number_was_held_stays(extras: Site) -> None:
    at = pick(extras)
    hold = holds.find(at.rpartition("/")[2])
    terms, number = offers.facts(_offer()), prices.NumberFacts(hold.number, DROP)
    newcomer = frozenset({"everyone", "first_order"})
    with reading() as session:
        held_for = drops.find(session, DROP).hold_seconds
    chosen = drafts.choice("", (), newcomer, hold, held_for)
    assert chosen.at is not None
    assert abs((chosen.at - clock.now()).total_seconds()) < 60  # when it was held, not when it is looked at
    assert prices.quote(terms, number, chosen).due_now_fen == 9_000


def test_who_has_an_order_is_no_newcomer(extras: Site) -> None:
    terms = offers.facts(_offer())
    number = prices.NumberFacts("18600138021", DROP)
    first = prices.Choice(audience=frozenset({"everyone", "first_order"}), at=clock.now())
    assert prices.quote(terms, number, first).due_now_fen == 9_000
    assert prices.quote(terms, number, prices.Choice(at=clock.now())).due_now_fen == 10_000
    late = prices.Choice(audience=first.audience, at=clock.now() + timedelta(hours=2))
    assert prices.quote(terms, number, late).due_now_fen == 10_000
    order = placed(extras, pick(extras))
    assert order.due_now_fen == 9_000
    with reading() as session:
        assert orders.has_live(session, order.account)


def _offer() -> Offer:
    with reading() as session:
        return offers.find(session, OFFER)


def test_an_extra_or_first_month_that_is_not_on_offer_is_named_at_its_field(extras: Site) -> None:
    at = pick(extras)
    sent = {**FORM, **hidden(extras.browser.get(at).text)}
    strange = extras.browser.post(at, data={**sent, "extra_car": "1"})
    assert strange.status_code == 422
    assert "is not on offer with this choice" in strange.text
    odd = extras.browser.post(at, data={**sent, "first_month": "never"})
    assert odd.status_code == 422
    assert "does not charge the first month that way" in odd.text
