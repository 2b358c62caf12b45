"""A shopper whose identity is verified: shown masked, asked nothing more, another person one choice away."""

import re
from dataclasses import asdict
from typing import Any

from checkout import addresses, orders
from kyc import people
from runtime.db import reading, writing
from tests.checkout.shop import BUNDLE, HOME, LI, MINOR, WANG
from tests.storefront.conftest import Site

KNOWN = {"holder": "known", "name": "", "id_number": "", "payment": "cod", "consent": "yes"}
OTHER = {"holder": "other", "name": WANG[0], "id_number": WANG[1], "payment": "cod", "consent": "yes"}
FIELDS = ("receiver_name", "mobile", "district", "address")


def known(site: Site, who: tuple[str, str] = LI) -> None:
    """Signed in, verified with an order that was undone since."""
    site.sign_in()
    order = site.shop.place(site.account(), who)
    site.shop.settle_down()
    orders.cancel(order.id, order.account, "only the person is wanted")
    site.shop.settle_down()


def value(page: str, name: str) -> str:
    found: list[str] = re.findall(rf'name="{name}" type="\w+" value="([^"]*)"', page)
    chosen: list[str] = re.findall(r"<option selected>([^<]*)", page) if name == "district" else []
    return (found or chosen)[0]


def checked(page: str) -> list[str]:
    return re.findall(r'name="holder" value="(\w+)" checked', page)


def send(site: Site, checkout: str, typed: dict[str, str]) -> Any:
    """The form as the page gives it, with some of its fields changed."""
    page = site.browser.get(checkout).text
    filled = {name: value(page, name) for name in FIELDS}
    filled |= {"city": re.findall(r'<option value="(\d+)" selected>', page)[0]}
    filled |= {name: re.findall(rf'name="{name}" value="([^"]+)"', page)[-1] for name in ("csrf", "key")}
    return site.browser.post(checkout, data=filled | typed)


def test_the_checkout_shows_the_person_masked_and_the_last_receiver(site: Site) -> None:
    known(site)
    page = site.browser.get(site.pick()).text
    assert "李*" in page
    assert f"{LI[1][:3]}{'*' * 11}{LI[1][-4:]}" in page
    assert LI[1] not in page
    assert checked(page) == ["known"]
    assert "Use another person" in page
    assert (value(page, "name"), value(page, "id_number")) == ("", "")
    assert [value(page, name) for name in FIELDS] == [HOME.name, HOME.mobile, HOME.district, HOME.address]
    assert '<option value="110100" selected>' in page
    assert "Filled in from your last order" in page


def test_who_is_new_is_asked_for_everything_and_sees_nobody_elses_address(site: Site) -> None:
    site.shop.place("wang", WANG)
    site.sign_in()
    page = site.browser.get(site.pick()).text
    assert 'name="holder"' not in page
    assert [value(page, name) for name in FIELDS] == ["", "18600001111", "", ""]
    assert "Filled in from your last order" not in page


def test_a_person_who_is_still_checked_is_no_choice_yet(site: Site) -> None:
    site.sign_in()
    with writing() as session:
        people.enrol(session, site.account(), *LI, min_age=16)
    assert 'name="holder"' not in site.browser.get(site.pick()).text


def test_the_known_person_orders_with_one_press(site: Site) -> None:
    known(site)
    placed = send(site, site.pick(), KNOWN)
    assert placed.url.path.startswith("/orders/")
    with reading() as session:
        order = orders.find(session, placed.url.path.rpartition("/")[2])
        assert (order.state, order.name_masked) == ("awaiting_payment", "李*")
        assert addresses.receiver(order) == HOME


def test_what_was_typed_about_another_counts_only_when_another_is_chosen(site: Site) -> None:
    known(site)
    checkout = site.pick()
    placed = send(site, checkout, OTHER | {"holder": "known"})
    with reading() as session:
        order = orders.find(session, placed.url.path.rpartition("/")[2])
    assert order.name_masked == "李*"


def test_another_person_is_checked_first(site: Site) -> None:
    known(site)
    placed = send(site, site.pick(), OTHER)
    with reading() as session:
        order = orders.find(session, placed.url.path.rpartition("/")[2])
    assert (order.name_masked, order.state) == ("王**", "awaiting_kyc")


def test_a_mistake_about_another_keeps_the_choice_and_what_was_typed(site: Site) -> None:
    known(site)
    answer = send(site, site.pick(), OTHER | {"id_number": ""})
    assert (answer.status_code, checked(answer.text)) == (422, ["other"])
    assert re.findall(r'id="(\w+)-error"', answer.text) == ["id_number"]
    assert value(answer.text, "name") == WANG[0]


def test_a_mistake_elsewhere_keeps_the_known_person(site: Site) -> None:
    known(site)
    answer = send(site, site.pick(), KNOWN | {"receiver_name": "", "address": ""})
    assert (answer.status_code, checked(answer.text)) == (422, ["known"])
    assert re.findall(r'id="(\w+)-error"', answer.text) == ["receiver_name", "address"]


def test_a_known_minor_is_told_so_and_may_name_another(site: Site) -> None:
    known(site, MINOR)
    answer = send(site, f"/checkout/{site.shop.hold(site.account(), BUNDLE).id}", KNOWN)
    assert (answer.status_code, checked(answer.text)) == (422, ["other"])
    assert "too young for this purchase" in answer.text


def test_the_api_takes_an_order_without_a_name(site: Site) -> None:
    known(site)
    hold = site.pick().rpartition("/")[2]
    body = {"hold": hold, "payment": "cod", "receiver": asdict(HOME)}
    key = {"Idempotency-Key": "one-order-1"}
    half = site.browser.post("/api/v1/orders", json=body | {"name": LI[0]}, headers=key)
    assert (half.status_code, list(half.json()["errors"])) == (422, ["id_number"])
    placed = site.browser.post("/api/v1/orders", json=body, headers=key)
    assert (placed.status_code, placed.json()["state"]) == (201, "awaiting_payment")
    full = site.browser.post("/api/v1/orders", json=body | {"name": LI[0], "id_number": LI[1]}, headers=key)
    assert (full.status_code, full.json()["code"]) == (422, "key_reused")
    site.shop.settle_down()
    paper = site.browser.get(f"/api/v1/orders/{placed.json()['order']}/contract.pdf")
    assert paper.headers["content-type"] == "application/pdf"


def test_the_api_names_both_fields_while_nobody_is_verified(site: Site) -> None:
    site.sign_in()
    hold = site.pick().rpartition("/")[2]
    body = {"hold": hold, "payment": "cod", "receiver": asdict(HOME)}
    answer = site.browser.post("/api/v1/orders", json=body, headers={"Idempotency-Key": "one-order-1"})
    assert (answer.status_code, list(answer.json()["errors"])) == (422, ["name", "id_number"])
