"""A real headless Chromium, and the steps a person takes in it from the drop to the paid order."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.shop import Shop, last_code, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
Step = Callable[[str, Page], None]


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, shop: Shop, phone: str) -> None:
    page.goto(f"{shop.base}/login")
    page.fill("#phone", phone)
    page.click("main form[action='/login'] button")
    expect(page.locator("#code")).to_be_visible()
    with shop.client() as client:
        page.fill("#code", last_code(client, phone))
    page.click("form[action='/login/code'] button")
    page.wait_for_url(lambda url: "/login" not in url)


def pick_and_order(
    page: Page,
    shop: Shop,
    *,
    payment: str,
    phone: str,
    person: tuple[str, str],
    show: Step,
    script: bool = True,
) -> str:
    """From the front page to the order; gives the order id. `script`: does the browser run JavaScript?"""
    page.goto(f"{shop.base}/")
    page.click("a[href^='/drops/first-round']")
    page.fill("#ending", "8")
    page.click("form.finder button")
    expect(page.locator("button.pick mark").first).to_have_text("8")
    show("drop", page)
    page.locator("button.pick:enabled").first.click()
    page.wait_for_url(re.compile("/checkout/"))
    name, id_number = person
    page.fill("#name", name)
    page.fill("#id_number", id_number)
    page.fill("#mobile", phone)
    fill_place(page, script=script)
    page.fill("#address", "示范路8号2单元301室")
    page.check(f"input[name='payment'][value='{payment}']")
    page.check("#consent")
    show("checkout", page)
    page.click("#order .buybar button")
    page.wait_for_url(re.compile("/orders/ord_"))
    return page.url.rstrip("/").split("/")[-1].split("?")[0]


def fill_place(page: Page, *, script: bool) -> None:
    """City and district: the districts of a city come with a script, without one the name is typed."""
    page.select_option("#city", "110100")
    if script:
        page.select_option("select#district", "朝阳区")
    else:
        page.fill("input#district", "朝阳区")


def sign(page: Page, shop: Shop, order: str, phone: str, *, but_not: str) -> str:
    """Wait until the identity is confirmed, then sign with the code; gives the code."""

    def ready() -> bool:
        page.goto(f"{shop.base}/orders/{order}")
        return page.locator("#sign #code").count() > 0

    until(ready, every=0.5)
    with shop.client() as client:
        code = last_code(client, phone, but_not=but_not)
    page.fill("#sign #code", code)
    page.click("#sign form[action$='/signature'] button")
    expect(page.locator("#sign")).to_have_count(0)
    return code


def pay_by_card(page: Page) -> None:
    """Through the twin's Stripe.js, as a person types a card."""
    page.check("input[name='method'][value='card']")
    page.click("form[action$='/pay'] button")
    page.wait_for_url(re.compile("/pay$"))
    fields = page.locator("[data-pay-fields] input")
    expect(fields.first).to_be_visible()
    for field, value in zip(fields.all(), ("4242 4242 4242 4242", "12 / 34", "123"), strict=False):
        field.fill(value)
    page.click("form[data-pay] button.wide")
    page.wait_for_url(re.compile(r"/orders/ord_[a-z0-9]+(\?.*)?$"))


def until_headline(page: Page, wanted: str) -> None:
    """The order page refreshes itself; we only look again."""

    def there() -> bool:
        page.reload()
        return wanted in page.locator("h1").first.inner_text()

    until(there, every=0.5)
