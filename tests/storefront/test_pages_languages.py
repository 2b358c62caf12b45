"""English pages have no Chinese and Chinese pages no English words, but for names."""

import re
from html.parser import HTMLParser

import pytest

from storefront import favourites, reviews
from tests.checkout.shop import DROP
from tests.storefront.conftest import Site
from tests.storefront.test_my_data import mine
from tests.storefront.test_ready import save

HAN = re.compile(r"[\u4e00-\u9fff]+")
WORD = re.compile(r"[A-Za-z]{2,}")
TOLD = ("placeholder", "aria-label", "title", "alt")  # attributes that people read or hear
CODES = re.compile(r"\b[a-z]{3}_\w+|\b(?=[\w-]*\d)\w+(?:-\w+)+", re.ASCII)  # ord_..., IP4-8-BLACK
# Names: of places and people, of goods and firms, of formats, of what this test and staff named themselves.
HAN_NAMES = {"号卡", "李", "王", "北京市", "海淀区", "北京市海淀区", "北京市大兴区示范仓库路", "号"}
WORD_NAMES = {
    "Haoka", "Round", "iPhone", "GB", "MB", "KB", "SIM", "PDF", "SHA", "SF", "EMS", "Express", "Visa", "Mastercard",
    "JSON", "TOML", "CSV", "Redis", "SQL", "API", "RQ", "ord", "prepaid", "zhao", "SMS", "admin", "round", "spring",
    "IPv", "test",
}  # fmt: skip


class Text(HTMLParser):
    """What is told in the page's own language: all text but code, what has a language of its own, and lists of
    places."""

    SKIPPED = frozenset({"script", "style", "code", "option", "optgroup", "textarea", "mark"})
    VOID = frozenset({"meta", "link", "input", "br", "img", "hr", "use", "path", "rect", "circle"})

    def __init__(self, language: str) -> None:
        super().__init__()
        self.language, self.depth, self.open, self.told = language, 0, list[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        foreign = "lang" in given and not (given["lang"] or "").startswith(self.language)
        if tag in self.VOID:
            if not self.depth:
                self._attributes(given)
            return
        if self.depth or tag in self.SKIPPED or foreign:
            self.depth += 1
        else:
            self._attributes(given)

    def handle_endtag(self, tag: str) -> None:
        if self.depth and tag not in self.VOID:
            self.depth -= 1

    def handle_data(self, data: str) -> None:
        if not self.depth and data.strip():
            self.told.append(data.strip())

    def _attributes(self, given: dict[str, str | None]) -> None:
        self.told += [value for name in TOLD if (value := given.get(name))]


def told(page: str, language: str) -> str:
    parser = Text(language)
    parser.feed(page)
    return CODES.sub(" ", "\n".join(parser.told))


@pytest.fixture
def addresses(site: Site) -> list[str]:
    """Every kind of page that a shopper and staff see, with something on each."""
    site.sign_in()
    order = mine(site, site.shop.activated())
    save(site, name="", id_number="")
    review = reviews.write(site.account(), order, stars=1, text="")
    number = re.findall(r'name="number" value="(\d{11})"', site.browser.get(f"/drops/{DROP}").text)[0]
    favourites.mark(site.account(), DROP, number)
    waiting = site.shop.place(site.account(), ("王小明", "440100198808180037"), key="k2").id
    site.staff()
    return [
        "/", f"/drops/{DROP}", f"/drops/{DROP}?has=40404040", f"/drops/{DROP}/bundles/iphone-4-8",
        f"/orders/{order}", f"/orders/{waiting}", f"/orders/{order}/receipt", "/account", "/account/ready",
        "/account/data", f"/reviews/{review.goods}", "/offline", "/nothing-here", "/ops", f"/ops/drops/{DROP}",
        "/ops/drops/new", "/ops/orders", f"/ops/orders/{order}", "/ops/catalogue", "/ops/manifests", "/ops/identity",
        "/ops/reviews", "/login",
    ]  # fmt: skip


def test_each_page_speaks_one_language(site: Site, addresses: list[str]) -> None:
    wrong = {}
    for language, strange, names in (("en", HAN, HAN_NAMES), ("zh", WORD, WORD_NAMES)):
        for address in addresses:
            page = site.browser.get(address, headers={"Accept-Language": language}).text
            found = set(strange.findall(told(page, language))) - names
            if found:
                wrong[f"{language} {address}"] = sorted(found)
    assert wrong == {}
