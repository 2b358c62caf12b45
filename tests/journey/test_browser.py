"""The journey in a real browser: with JavaScript by card, without it by cash on delivery."""

import os
import re
from collections.abc import Iterator
from datetime import date

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from kyc.id_number import made_up
from tests import browser as steps
from tests.shop import Shop, Shopper, anybody, until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        steps.CHROMIUM is None and not os.environ.get("CI"),  # under CI they must run
        reason="no Chromium on PATH and no root to install it: apt-get install chromium",
    ),
]
# The tour in the docs buys as Li and Han in the same drop, where a person may have one number.
WANG = ("王小明", made_up("440100", date(1988, 8, 18), 3))
CHEN = ("陈静", made_up("510100", date(2000, 2, 29), 4))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with steps.chromium() as browser:
        yield browser


def _nothing(_name: str, _page: Page) -> None:
    """No picture wanted."""


def _state(shop: Shop, page: Page, order: str) -> str:
    cookie = next(c["value"] for c in page.context.cookies() if c["name"] == "sid")
    with shop.client(Authorization=f"Bearer {cookie}") as client:
        state: str = client.get(f"/api/v1/orders/{order}").raise_for_status().json()["state"]
    return state


def test_from_pick_to_paid_by_card_on_a_phone(shop: Shop, chromium: Browser) -> None:
    context = chromium.new_context(viewport=steps.PHONE, locale="zh-CN")
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    steps.sign_in(page, shop, "13700000001")
    order = steps.pick_and_order(page, shop, payment="card", phone="13700000001", person=WANG, show=_nothing)
    steps.sign(page, shop, order, "13700000001", but_not="")
    steps.pay_by_card(page)
    until(lambda: _state(shop, page, order) == "packed", seconds=60, every=0.3)
    assert wrong == []
    assert WANG[1] not in page.content()
    context.close()


def test_without_javascript_by_cash_on_delivery(shop: Shop, chromium: Browser) -> None:
    context = chromium.new_context(viewport=steps.DESKTOP, locale="en-GB", java_script_enabled=False)
    page = context.new_page()
    steps.sign_in(page, shop, "13700000002")
    order = steps.pick_and_order(
        page, shop, payment="cod", phone="13700000002", person=CHEN, show=_nothing, script=False
    )
    steps.sign(page, shop, order, "13700000002", but_not="")
    until(lambda: _state(shop, page, order) == "packed", seconds=60, every=0.3)
    page.goto(f"{shop.base}/account")
    expect(page.locator(f"a[href='/orders/{order}']").first).to_be_visible()
    context.close()


class Loads:
    """Counts what a page's shopper has to wait for and to do: documents that were loaded, and taps."""

    def __init__(self, page: Page) -> None:
        self.page, self.loads, self.taps = page, 0, 0
        page.on("response", self._answered)

    def _answered(self, answer: Response) -> None:
        of_page = answer.request.is_navigation_request() and answer.frame == self.page.main_frame
        self.loads += of_page and not 300 <= answer.status < 400

    def tap(self, selector: str) -> None:
        self.taps += 1
        self.page.locator(selector).first.click()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_new_shopper_orders_within_three_pages(shop: Shop, chromium: Browser, script: bool) -> None:
    context = chromium.new_context(viewport=steps.PHONE, locale="zh-CN", java_script_enabled=script)
    page, phone, nth = context.new_page(), f"1370000001{script:d}", 40 + script
    steps.sign_in(page, shop, phone)
    counted = Loads(page)
    page.goto(f"{shop.base}/drops/first-round")
    counted.tap("button.pick:enabled")
    page.wait_for_url(re.compile("/checkout/"))
    page.fill("#name", "测试")
    page.fill("#id_number", anybody(nth))
    steps.fill_place(page, script=script)
    page.fill("#address", "示范路8号2单元301室")
    page.check("input[name='payment'][value='cod']")
    page.check("#consent")
    counted.tap("#order .buybar button")
    page.wait_for_url(re.compile("/orders/ord_"))
    assert counted.loads == 3
    context.close()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_prepared_shopper_needs_two_taps(shop: Shop, chromium: Browser, script: bool) -> None:
    context = chromium.new_context(viewport=steps.PHONE, locale="zh-CN", java_script_enabled=script)
    page, phone, nth = context.new_page(), f"1370000002{script:d}", 50 + script
    steps.sign_in(page, shop, phone)
    page.goto(f"{shop.base}/account/ready")
    page.fill("#name", "测试")
    page.fill("#id_number", anybody(nth))
    page.check("#consent")
    page.click("details.paste summary")
    page.fill("#pasted", "测试 13800138000 北京市朝阳区示范路8号2单元301室")
    page.click("button[name='split']")
    expect(page.locator("select#district")).to_have_value("朝阳区")
    expect(page.locator("#name")).to_have_value("测试")  # nothing typed is lost by splitting
    page.check("input[name='payment'][value='cod']")
    page.click(".buybar button")

    def checked() -> bool:
        page.goto(f"{shop.base}/account/ready")
        return page.locator(".checks .done").count() == 3

    until(checked, every=0.5)
    page.goto(f"{shop.base}/drops/first-round")
    counted = Loads(page)
    counted.tap("button.pick:enabled")
    page.wait_for_url(re.compile("/checkout/"))
    counted.tap("#order .buybar button")
    page.wait_for_url(re.compile("/orders/ord_"))
    assert (counted.taps, counted.loads) == (2, 2)
    context.close()


def test_a_favourite_is_marked_in_place_and_found_again(shop: Shop, chromium: Browser) -> None:
    context = chromium.new_context(viewport=steps.PHONE, locale="en-GB")
    page = context.new_page()
    steps.sign_in(page, shop, "13700000030")
    page.goto(f"{shop.base}/drops/second-round")
    star = page.locator("button.star").first
    number = star.get_attribute("value")
    star.click()
    expect(page.locator(f"button.star[value='{number}']").first).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator(f"#favourites button.star[value='{number}']")).to_have_attribute(
        "aria-pressed", "true"
    )
    context.close()


def test_without_a_connection_a_page_says_so(shop: Shop, chromium: Browser) -> None:
    context = chromium.new_context(viewport=steps.PHONE, locale="en-GB")
    page = context.new_page()
    page.goto(f"{shop.base}/")
    page.evaluate("navigator.serviceWorker.ready")
    context.set_offline(True)
    page.goto(f"{shop.base}/account")
    expect(page.locator("h1")).to_have_text("No connection")
    expect(page.locator(".brand")).to_have_css("font-weight", "700")  # its style is kept too
    context.set_offline(False)
    page.goto(f"{shop.base}/")
    expect(page.locator("h1")).not_to_have_text("No connection")
    manifest = page.evaluate(
        "fetch(document.querySelector('link[rel=manifest]').href).then((told) => told.json())"
    )
    assert (manifest["display"], len(manifest["icons"])) == ("standalone", 3)
    context.close()


def test_a_live_hold_shows_its_timer_on_every_page_and_can_be_let_go(shop: Shop, chromium: Browser) -> None:
    context = chromium.new_context(viewport=steps.PHONE, locale="en-GB")
    page = context.new_page()
    steps.sign_in(page, shop, "13700000003")
    page.goto(f"{shop.base}/drops/first-round")
    page.locator("button.pick:enabled").first.click()
    page.wait_for_url(re.compile("/checkout/"))
    for path in ("/", "/drops/first-round", "/drops/second-round", "/account"):
        page.goto(f"{shop.base}{path}")
        expect(page.locator("[data-hold], .holdbar").first).to_be_visible()
        expect(page.locator("a[href^='/checkout/']").first).to_be_visible()
    page.locator(
        "form[action*='/holds/'][method='post'] button, form[action*='release'] button"
    ).first.click()
    expect(page.locator("a[href^='/checkout/']")).to_have_count(0)
    context.close()


def test_a_taken_number_is_answered_with_the_nearest_free_ones(shop: Shop, chromium: Browser) -> None:
    context = chromium.new_context(viewport=steps.PHONE, locale="en-GB")
    page = context.new_page()
    steps.sign_in(page, shop, "13700000004")
    page.goto(f"{shop.base}/drops/first-round")
    pick = page.locator("button.pick:enabled").first
    number = pick.get_attribute("value")
    assert number
    faster = Shopper.sign_in(shop, 301)
    assert faster.hold("first-round", number, faster.offer("first-round")["id"]).status_code == 201
    pick.click()
    expect(page.locator("[role=alert]").first).to_be_visible()
    expect(page.locator("section[aria-labelledby=alike] button.pick").first).to_be_visible()
    context.close()


def test_what_was_typed_survives_an_error(shop: Shop, chromium: Browser) -> None:
    context = chromium.new_context(viewport=steps.DESKTOP, locale="zh-CN")
    page = context.new_page()
    steps.sign_in(page, shop, "13700000005")
    page.goto(f"{shop.base}/drops/first-round")
    page.locator("button.pick:enabled").first.click()
    page.wait_for_url(re.compile("/checkout/"))
    page.fill("#name", "李雷")
    page.fill("#id_number", "110100199001010010")
    page.fill("#address", "示范路8号")
    page.click("#order .buybar button")
    expect(page.locator("#id_number-error")).to_be_visible()
    expect(page.locator("#name")).to_have_value("李雷")
    expect(page.locator("#address")).to_have_value("示范路8号")
    context.close()
