"""`python -m tests.pictures`: the pictures of docs/pictures, taken in a real browser from a shop of its own."""

from collections.abc import Callable
from functools import partial

from playwright.sync_api import Page

from tests import browser as steps
from tests.journey import test_queue as queue
from tests.shop import ROOT, running, until

FOLDER = ROOT / "docs/pictures"
SIZES = {"phone": (steps.PHONE, 2), "desktop": (steps.DESKTOP, 1)}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running() as shop, steps.chromium() as browser:
        for nth, (size, (viewport, scale)) in enumerate(SIZES.items()):
            context = browser.new_context(
                viewport=viewport, locale="zh-CN" if size == "phone" else "en-GB", device_scale_factor=scale
            )
            page = context.new_page()
            show = _camera(size)
            phone = f"1360000000{nth}"
            steps.sign_in(page, shop, phone)
            person = [("李雷", "110100199001010019"), ("韩梅梅", "310100199203080020")][nth]
            payment = ["card", "cod"][nth]
            order = steps.pick_and_order(page, shop, payment=payment, phone=phone, person=person, show=show)
            steps.sign(page, shop, order, phone, but_not="")
            if payment == "card":
                steps.pay_by_card(page)
            until(partial(_packed, page), every=0.5)
            show("order", page)
            ops = shop.demo["ops"]
            page.goto(f"{shop.base}/ops/login")
            page.fill("#login", ops["login"])
            page.fill("#password", ops["password"])
            page.click("form[action='/ops/login'] button")
            page.goto(f"{shop.base}/ops/drops/first-round")
            show("ops-drop", page)
            context.close()
        queue.walk(shop, browser, _camera("phone"))


def _packed(page: Page) -> bool:
    page.reload()
    return page.locator(".track li.now h3, .track li[aria-current=step]").count() > 0 and (
        page.locator(".track li.done").count() >= 3
    )


def _camera(size: str) -> Callable[[str, Page], None]:
    """Takes what a person sees first; of the drop page enough to see the numbers too."""
    viewport, _ = SIZES[size]

    def show(name: str, page: Page) -> None:
        page.evaluate("window.scrollTo(0, 0)")
        page.set_viewport_size(
            {"width": viewport["width"], "height": 1480 if name == "drop" else viewport["height"]}
        )
        page.screenshot(path=FOLDER / f"{name}-{size}.png")

    return show


if __name__ == "__main__":
    main()
