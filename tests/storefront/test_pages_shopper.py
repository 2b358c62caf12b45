"""The shopper's pages: in both languages, without JavaScript, and never losing what was typed."""

import re

import pytest

from tests.checkout.shop import DROP, LI
from tests.storefront.conftest import Site

FORM = {
    "name": LI[0],
    "id_number": LI[1],
    "receiver_name": "",
    "mobile": "18600001111",
    "city": "110100",
    "district": "海淀区",
    "address": "中关村大街 1 号 2 单元 301",
    "payment": "cod",
    "consent": "yes",
}
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", re.IGNORECASE)


@pytest.mark.parametrize(("language", "tag"), [("en", "en"), ("zh", "zh-CN")])
@pytest.mark.parametrize("path", ["/", f"/drops/{DROP}", "/login", "/nothing-here"])
def test_pages_speak_both_languages_and_hold_nothing_inline(
    site: Site, path: str, language: str, tag: str
) -> None:
    answer = site.browser.get(path, headers={"Accept-Language": language})
    assert f'<html lang="{tag}">' in answer.text
    assert ("登录" in answer.text) == (language == "zh")
    assert INLINE.findall(answer.text) == []


def test_the_chosen_language_is_kept_and_leads_back_to_the_page(site: Site) -> None:
    answer = site.browser.post("/lang/zh", data={"next": f"/drops/{DROP}"})
    assert answer.url.path == f"/drops/{DROP}"
    assert "选择号码" in answer.text


def test_no_language_switch_leads_off_to_another_site(site: Site) -> None:
    for elsewhere in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        sent = site.browser.post("/lang/en", data={"next": elsewhere}, follow_redirects=False)
        assert sent.headers["location"] == "/"


def test_who_picks_before_signing_in_finds_the_choice_afterwards(site: Site) -> None:
    page = site.browser.get(f"/drops/{DROP}").text
    number = re.findall(r'name="number" value="(\d{11})"', page)[0]
    offer = re.findall(r'name="offer" value="([^"]+)"', page)[0]
    asked = site.browser.post(f"/drops/{DROP}/holds", data={"number": number, "offer": offer})
    assert asked.url.path == "/login"
    assert f"{number[:3]} {number[3:7]} {number[7:]}" in asked.text
    onward = asked.url.params["next"]
    site.browser.post("/login", data={"phone": "18600001111", "next": onward})
    code = site.shop.code()
    back = site.browser.post("/login/code", data={"phone": "18600001111", "code": code, "next": onward})
    assert back.url.path == f"/drops/{DROP}"
    assert "Hold this number for me" in back.text


def test_a_wrong_code_asks_again_for_the_same_phone(site: Site) -> None:
    site.browser.post("/login", data={"phone": "18600001111"})
    answer = site.browser.post("/login/code", data={"phone": "18600001111", "code": "000000"})
    assert answer.status_code == 422
    assert 'name="phone" value="18600001111"' in answer.text


def test_a_phone_that_is_none_is_named_at_its_field(site: Site) -> None:
    answer = site.browser.post("/login", data={"phone": "12"})
    assert answer.status_code == 422
    assert 'value="12"' in answer.text
    assert 'aria-describedby="phone-error"' in answer.text


def test_search_digits_are_checked_in_place(site: Site) -> None:
    answer = site.browser.get(f"/drops/{DROP}", params={"has": "abc"})
    assert answer.status_code == 422
    assert 'value="abc"' in answer.text


def test_the_live_hold_shows_its_timer_on_every_page_and_can_be_let_go(site: Site) -> None:
    site.sign_in()
    checkout = site.pick()
    hold = checkout.rpartition("/")[2]
    for path in ("/", f"/drops/{DROP}", "/account", checkout, "/nothing-here"):
        assert "data-hold-until" in site.browser.get(path).text, path
    site.browser.post(f"/holds/{hold}/release", data={"csrf": site.csrf("/account")})
    assert "data-hold-until" not in site.browser.get("/").text
    assert site.browser.get(checkout).status_code == 410


def test_a_taken_number_offers_others_on_the_same_page(site: Site) -> None:
    number = site.shop.hold("wang").number
    site.sign_in()
    page = site.browser.get(f"/drops/{DROP}").text
    offer = re.findall(r'name="offer" value="([^"]+)"', page)[0]
    answer = site.browser.post(f"/drops/{DROP}/holds", data={"number": number, "offer": offer})
    assert answer.status_code == 409
    assert "was taken a moment ago" in answer.text
    assert "The most similar numbers that are free" in answer.text


def test_checkout_keeps_all_that_was_typed_and_names_each_mistake(site: Site) -> None:
    site.sign_in()
    checkout = site.pick()
    key = re.findall(r'name="key" value="([^"]+)"', site.browser.get(checkout).text)[0]
    typed = {
        **FORM,
        "id_number": "11010019900101001X",
        "consent": "",
        "csrf": site.csrf(checkout),
        "key": key,
    }
    answer = site.browser.post(checkout, data=typed)
    assert answer.status_code == 422
    assert re.findall(r'id="(\w+)-error"', answer.text) == ["id_number", "consent"]
    for kept in (FORM["name"], typed["id_number"], FORM["address"], key):
        assert f'value="{kept}"' in answer.text
    assert f"<option selected>{FORM['district']}" in answer.text
    assert '<option value="110100" selected>' in answer.text
    assert 'value="cod" checked' in answer.text


def test_from_pick_to_signed_in_three_pages(site: Site) -> None:
    site.sign_in()
    checkout = site.pick()
    key = re.findall(r'name="key" value="([^"]+)"', site.browser.get(checkout).text)[0]
    sent = {**FORM, "key": key, "csrf": site.csrf(checkout)}
    placed = site.browser.post(checkout, data=sent)
    assert placed.url.path.startswith("/orders/")
    assert "We are checking your identity" in placed.text
    assert 'http-equiv="refresh"' in placed.text
    assert site.browser.post(checkout, data=sent).url.path == placed.url.path
    assert site.browser.get(checkout).url.path == placed.url.path
    site.shop.settle_down()
    ready = site.browser.get(placed.url.path).text
    assert "Sign your contract" in ready
    csrf = site.csrf(placed.url.path)
    wrong = site.browser.post(f"{placed.url.path}/signature", data={"code": "0", "csrf": csrf})
    assert (wrong.status_code, "code-error" in wrong.text) == (422, True)
    signed = site.browser.post(f"{placed.url.path}/signature", data={"code": site.shop.code(), "csrf": csrf})
    assert "Confirmed. You pay at the door" in signed.text
    paper = site.browser.get(f"{placed.url.path}/contract.pdf")
    assert paper.headers["content-type"] == "application/pdf"
    for page in (signed.text, site.browser.get("/account").text):
        assert LI[1] not in page
        assert INLINE.findall(page) == []


def test_another_shoppers_order_is_not_there(site: Site) -> None:
    order = site.shop.place("wang")
    site.sign_in()
    assert site.browser.get(f"/orders/{order.id}").status_code == 404


def test_the_pay_page_hands_stripe_what_it_needs(site: Site) -> None:
    site.sign_in()
    order = site.shop.ready(account=site.account())
    page = site.browser.get(f"/orders/{order.id}/pay")
    assert 'data-publishable-key="pk_' in page.text
    assert f'data-return-url="http://testserver/orders/{order.id}/paid"' in page.text
    assert "<noscript>" in page.text
    assert INLINE.findall(page.text) == []
    site.shop.pay(order)
    assert "Paid. The number is yours" in site.browser.get(f"/orders/{order.id}/paid").text
