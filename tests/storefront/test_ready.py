"""Getting ready: saved beforehand, everything is filled in at checkout; nothing typed is lost."""

import re
from dataclasses import replace
from typing import Any

from checkout import orders, prepared
from inventory import holds
from kyc import people
from runtime.db import reading
from tests.checkout.shop import LI, WANG
from tests.storefront.conftest import Site

READY = {
    "receiver_name": "李雷", "mobile": "18600001111", "city": "110100", "district": "海淀区",
    "address": "示范路8号2单元301室", "payment": "alipay", "name": LI[0], "id_number": LI[1], "consent": "yes",
}  # fmt: skip


def save(site: Site, **typed: str) -> Any:
    return site.browser.post("/account/ready", data={**READY, **typed, "csrf": site.csrf("/account/ready")})


def errors(page: str) -> list[str]:
    return re.findall(r'id="(\w+)-error"', page)


def test_what_was_prepared_is_all_a_checkout_needs(site: Site) -> None:
    site.sign_in()
    saved = save(site)
    assert (saved.status_code, saved.url.path) == (200, "/account/ready")
    assert "Saved." in saved.text
    assert "being checked" in saved.text
    site.shop.settle_down()
    ready = site.browser.get("/account/ready").text
    assert "being checked" not in ready
    assert 'value="alipay" checked' in ready
    checkout = site.pick()
    page = site.browser.get(checkout).text
    assert "As you prepared it." in page
    form = {
        name: re.findall(rf'name="{name}"[^>]* value="([^"]*)"', page)[-1]
        for name in ("csrf", "key", "due", "receiver_name", "mobile", "address")
    }
    form |= {"holder": "known", "city": "110100", "district": "海淀区", "payment": "alipay"}
    placed = site.browser.post(checkout, data=form)
    assert placed.url.path.startswith("/orders/")
    with reading() as session:
        order = orders.find(session, placed.url.path.rpartition("/")[2])
    assert (order.name_masked, order.payment) == ("李*", "alipay")


def test_each_mistake_is_named_and_what_was_right_is_kept(site: Site) -> None:
    site.sign_in()
    refused = save(site, id_number="11010019900101001X", district="南山区", payment="barter")
    assert refused.status_code == 422
    assert set(errors(refused.text)) == {"id_number", "district", "payment"}
    assert 'value="示范路8号2单元301室"' in refused.text
    with reading() as session:
        assert prepared.of_account(session, site.account()) is None
        assert people.of_account(session, site.account()) is None


def test_an_identity_is_checked_only_with_consent(site: Site) -> None:
    site.sign_in()
    refused = save(site, consent="")
    assert errors(refused.text) == ["consent"]
    with reading() as session:
        assert people.of_account(session, site.account()) is None


def test_a_pasted_address_is_split_into_the_fields_without_javascript(site: Site) -> None:
    site.sign_in()
    text = "王小明 13800138000 广东省深圳市南山区示范路1号502"
    page = save(site, split="1", pasted=text).text
    for value in ("王小明", "13800138000", "示范路1号502"):
        assert f'value="{value}"' in page
    assert '<option value="440300" selected>' not in page  # no courier of this shop goes there
    page = save(site, split="1", pasted=text.replace("广东省深圳市南山区", "北京市朝阳区")).text
    assert '<option value="110100" selected>' in page
    assert "<option selected>朝阳区" in page
    assert errors(page) == []
    with reading() as session:
        assert prepared.of_account(session, site.account()) is None  # nothing is saved by splitting


def test_a_pasted_city_of_another_province_is_refused_at_the_city(site: Site) -> None:
    site.sign_in()
    page = save(site, split="1", pasted="广东省杭州市西湖区示范路8号").text
    assert errors(page) == ["city"]
    assert "杭州市 does not lie in 广东省" in page
    assert "广东省杭州市西湖区示范路8号</textarea>" in page
    assert errors(save(site, split="1", pasted="").text) == ["pasted"]
    assert errors(save(site, split="1", pasted="北京市示范路8号").text) == ["district"]


def test_what_was_typed_for_a_hold_that_is_over_is_there_with_the_next(site: Site) -> None:
    site.sign_in()
    checkout = site.pick()
    csrf = site.csrf(checkout)
    holds.release(checkout.rpartition("/")[2], site.account())
    typed = {
        **READY,
        "name": WANG[0],
        "id_number": WANG[1],
        "payment": "wechat_pay",
        "csrf": csrf,
        "key": "a-key",
    }
    over = site.browser.post(checkout, data=typed)
    assert over.status_code == 410
    assert "What you typed is kept" in over.text
    site.shop.settle_down()
    page = site.browser.get(site.pick()).text
    assert "示范路8号2单元301室" in page
    assert 'value="wechat_pay" checked' in page
    assert "王**" in page  # who agreed to be checked is known by now


def test_what_was_typed_by_halves_is_kept_too_but_not_in_place_of_a_whole_one(site: Site) -> None:
    site.sign_in()

    def lapse(**typed: str) -> str:
        checkout = site.pick()
        csrf = site.csrf(checkout)
        holds.release(checkout.rpartition("/")[2], site.account())
        form = {**READY, "consent": "", "look": "1", "csrf": csrf, "key": "a-key", **typed}
        assert site.browser.post(checkout, data=form).status_code == 410
        return str(site.browser.get(site.pick()).text)

    page = lapse(address="示", district="", id_number="110")
    assert "As you typed it before." in page
    assert 'value="示"' in page
    assert 'value="110"' not in page  # an ID number is kept by nobody but the register's desk
    assert "not given yet" in site.browser.get("/account/ready").text
    site.browser.post("/holds/none/release", data={"csrf": site.csrf("/account")})
    save(site, name="", id_number="")
    with reading() as session:
        whole = prepared.of_account(session, site.account())
    prepared.keep(site.account(), replace(whole.receiver, address=""), "card")  # type: ignore[union-attr]
    with reading() as session:
        assert prepared.of_account(session, site.account()) == whole


def test_another_account_sees_nothing_of_it(site: Site) -> None:
    site.sign_in()
    save(site)
    site.sign_in("18600002222")
    page = site.browser.get("/account/ready").text
    assert "示范路8号" not in page
    assert "李*" not in page
