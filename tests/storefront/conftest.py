"""Page tests get an open shop and a browser without JavaScript; staff may sign in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from starlette.testclient import TestClient

from runtime.db import writing
from storefront import accounts, app, staff
from tests.checkout.shop import DROP, Shop, open_shop

PASSWORD = "a long enough password"


@dataclass
class Site:
    """A shop and one visitor's browser."""

    shop: Shop
    browser: TestClient

    def csrf(self, path: str) -> str:
        """The token in the forms of a page."""
        tokens: list[str] = re.findall(r'name="csrf" value="(\w+)"', self.browser.get(path).text)
        return tokens[-1]

    def sign_in(self, phone: str = "18600001111") -> None:
        self.browser.post("/login", data={"phone": phone})
        entered = {"phone": phone, "code": self.shop.code(phone), "next": "/account"}
        assert self.browser.post("/login/code", data=entered).url.path == "/account"

    def account(self) -> str:
        """The id of the account that is signed in."""
        identity = accounts._open(self.browser.cookies["sid"])
        assert identity
        return identity.account

    def staff(self, role: str = "admin") -> None:
        with writing() as session:
            staff.add(session, "zhao", PASSWORD, role)
        entered = self.browser.post("/ops/login", data={"login": "zhao", "password": PASSWORD})
        assert entered.url.path == "/ops"

    def pick(self, number: str = "") -> str:
        """Hold a number; gives the address of the checkout."""
        page = self.browser.get(f"/drops/{DROP}").text
        number = number or re.findall(r'name="number" value="(\d{11})"', page)[0]
        offer = re.findall(r'name="offer" value="([^"]+)"', page)[0]
        held = self.browser.post(f"/drops/{DROP}/holds", data={"number": number, "offer": offer})
        assert held.url.path.startswith("/checkout/")
        return str(held.url.path)


@pytest.fixture
def site(db: None, redis: Redis, twins: str, tmp_path: Path) -> Iterator[Site]:
    shop = open_shop(tmp_path, twins)
    with TestClient(app.create(), headers={"Accept": "text/html", "Accept-Language": "en"}) as browser:
        yield Site(shop, browser)
