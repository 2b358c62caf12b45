"""Who may do what: every route of the shop asked by every actor. A route that no table here names fails."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from redis import Redis
from sqlalchemy import select
from starlette.testclient import TestClient

from inventory import holds
from kyc.models import VaultRead
from runtime.db import reading
from storefront import app
from tests.checkout.shop import CARD, DROP, SKU, open_shop
from tests.storefront.actors import ACTORS, World, body_of, every_route, settle
from tests.storefront.test_pages_shopper import FORM

# nobody, A, B, viewer, launcher, finance, admin, SF, EMS. `in`: let through, whatever comes of it; `login`: sent
# there; a number: that status. Everything named in a path (but drops) is shopper A's or courier SF's.
ROWS = {
    "anyone": "in in in in in in in in in",
    "no one": "403 403 403 403 403 403 403 403 403",
    "a shopper": "login in in login login login login login login",
    "A's page": "login in 404 login login login login login login",
    "A's counter": "login in 410 login login login login login login",  # as for a hold that never was
    "a shopper's client": "401 in in 401 401 401 401 401 401",
    "A's client": "401 in 404 401 401 401 401 401 401",
    "staff": "login login login in in in in login login",
    "launchers": "login login login 403 in 403 in login login",
    "admins": "login login login 403 403 403 in login login",
    "a courier's client": "401 401 401 401 401 401 401 in in",
    "SF's client": "401 401 401 401 401 401 401 in 404",
    "token": "400 400 400 400 400 400 400 401 401",
}
MAY = {
    "anyone": """
        GET /api/v1/drops  GET /api/v1/drops/{drop}  GET /api/v1/drops/{drop}/numbers
        POST /api/v1/codes  POST /api/v1/sessions  DELETE /api/v1/sessions
        GET /static/site.css  GET /openapi.json  GET /healthz  GET /metrics
        GET /  GET /clock  POST /lang/{code}  GET /drops/{drop}  GET /drops/{drop}/live
        GET /drops/{drop}/bundles/{handset}
        GET /drops/{drop}/queue  GET /drops/{drop}/draw  GET /api/v1/drops/{drop}/draw
        GET /reservations/{campaign}  GET /reservations/{campaign}/draw  GET /reviews/{goods}
        GET /api/v1/reservations/{campaign}  GET /api/v1/reservations/{campaign}/draw
        GET /app.webmanifest  GET /worker.js  GET /offline
        GET /login  POST /login  POST /login/code  GET /ops/login  POST /ops/login
        GET /sandbox/{rest:path}""",
    "no one": "POST /stripe/webhook",
    "a shopper": """POST /drops/{drop}/holds  POST /holds/{hold}/release  GET /account  POST /logout
        POST /drops/{drop}/queue  POST /drops/{drop}/queue/entry
        POST /drops/{drop}/favourites  GET /account/ready  POST /account/ready  POST /account/sessions/end
        GET /account/data  POST /account/data/export  POST /account/data/erasure
        POST /reservations/{campaign}  POST /reservations/{campaign}/cancellation""",
    "A's page": """
        POST /checkout/{hold}  GET /checkout/{hold}/price
        GET /orders/{order}  GET /orders/{order}/contract.pdf  POST /orders/{order}/cancellation
        POST /orders/{order}/signature-code  POST /orders/{order}/signature
        GET /orders/{order}/receipt  POST /orders/{order}/review
        POST /orders/{order}/pay  GET /orders/{order}/pay  GET /orders/{order}/paid""",
    "A's counter": "GET /checkout/{hold}",
    "a shopper's client": """
        POST /api/v1/drops/{drop}/holds  GET /api/v1/orders
        POST /api/v1/reservations/{campaign}  GET /api/v1/reservations/{campaign}/mine
        DELETE /api/v1/reservations/{campaign}/mine
        POST /api/v1/drops/{drop}/queue  GET /api/v1/drops/{drop}/queue  POST /api/v1/drops/{drop}/queue/entry""",
    "A's client": """
        GET /api/v1/holds/{hold}  DELETE /api/v1/holds/{hold}
        POST /api/v1/orders  GET /api/v1/orders/{order}  GET /api/v1/orders/{order}/contract.pdf
        POST /api/v1/orders/{order}/signature  POST /api/v1/orders/{order}/signature/code
        POST /api/v1/orders/{order}/payment  POST /api/v1/orders/{order}/cancellation""",
    "staff": """
        POST /ops/logout  GET /ops  GET /ops/drops/{drop}  GET /ops/drops/{drop}/figures
        POST /ops/drops/{drop}/audit  GET /ops/orders  GET /ops/orders/{order}
        POST /ops/orders/{order}/moves  GET /ops/manifests  GET /ops/catalogue  GET /ops/reviews""",
    "launchers": """
        GET /ops/drops/new  POST /ops/drops/new  POST /ops/drops/{drop}/moves
        POST /ops/drops/{drop}/queue  POST /ops/drops/{drop}/rehearsal  POST /ops/manifests/{courier}
        POST /ops/catalogue  POST /ops/catalogue/versions
        POST /ops/reviews/{review}/answer""",
    "admins": "GET /ops/identity  GET /ops/identity/{case}  POST /ops/identity/{case}/verdict",
    "token": "POST /partner/v1/token",
    "a courier's client": "GET /partner/v1/manifests  POST /partner/v1/scans",
    "SF's client": "GET /partner/v1/manifests/{no}  POST /partner/v1/manifests/{no}/receipt",
}


def expected() -> dict[tuple[str, str], str]:
    pairs = {group: routes.split() for group, routes in MAY.items()}
    return {pair: group for group, one in pairs.items() for pair in zip(one[::2], one[1::2], strict=True)}


@pytest.fixture
def world(db: None, redis: Redis, twins: str, tmp_path: Path) -> World:
    return settle(open_shop(tmp_path, twins))


@pytest.fixture
def browser(world: World) -> Iterator[TestClient]:
    with TestClient(app.create(), raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def ask(
    browser: TestClient, world: World, actor: str, method: str, path: str, *, csrf: bool = True
) -> httpx2.Response:
    headers, token = world.proof(actor)
    if "{hold}" in path or path == "/api/v1/orders":
        world.hold()
    address = path
    for name, value in world.params.items():
        address = address.replace(f"{{{name}}}", value)
    headers |= {"Idempotency-Key": "a key that is long enough"}
    browser.cookies.clear()
    try:
        if method != "POST" or (body := body_of(path, world)) is not None:
            json = body if method == "POST" else None
            return browser.request(method, address, headers=headers, json=json)
        form = FORM | {"csrf": token if csrf else "", "number": "18600131024", "offer": CARD, "key": "k"}
        form |= {"mark": "18600131024", "sku": SKU, "stars": "4"}
        return browser.request(method, address, headers=headers, data=form)
    finally:
        world.forget(actor)


def word(answer: httpx2.Response) -> str:
    if "login?next=" in answer.headers.get("location", ""):
        return "login"
    return "in" if answer.status_code in (200, 201, 204, 303, 304, 409, 422) else str(answer.status_code)


def test_every_route_lets_in_whom_it_should_and_nobody_else(browser: TestClient, world: World) -> None:
    may = expected()
    routes = every_route()
    assert set(routes) == set(may)
    wrong = {}
    for method, path in routes:
        told = [word(ask(browser, world, actor, method, path)) for actor in sorted(ACTORS, key="A".__eq__)]
        told.insert(ACTORS.index("A"), told.pop())  # asked last: what A does changes A's things
        if told != (row := ROWS[may[method, path]].split()):
            wrong[method, path] = dict(zip(ACTORS, zip(told, row, strict=True), strict=True))
    assert wrong == {}


def test_a_strangers_release_frees_nothing(browser: TestClient, world: World) -> None:
    hold = world.hold()
    ask(browser, world, "B", "POST", "/holds/{hold}/release")
    ask(browser, world, "B", "DELETE", "/api/v1/holds/{hold}")
    assert holds.find(hold).state == "held"


def test_no_form_behind_a_login_is_taken_without_its_token(browser: TestClient, world: World) -> None:
    of = {"a shopper": "A", "A's page": "A", "staff": "admin", "launchers": "admin", "admins": "admin"}
    wrong = {}
    for (method, path), group in expected().items():
        if method == "POST" and group in of and path != "/drops/{drop}/holds":
            answer = ask(browser, world, of[group], method, path, csrf=False)
            if answer.status_code != 403:
                wrong[path] = answer.status_code
    assert wrong == {}


def test_a_number_is_not_picked_for_a_shopper_by_another_site(browser: TestClient, world: World) -> None:
    headers, _ = world.proof("B")
    for site in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}, {"Origin": "http://["}):
        for path in (f"/drops/{DROP}/holds", f"/api/v1/drops/{DROP}/holds"):
            sent = {"content-type": "text/plain"} | headers | site
            body = b'{"offer": "card-20", "number": "18600131024"}'
            assert browser.post(path, headers=sent, content=body).status_code == 403


def test_a_contract_is_read_by_its_shopper_and_the_read_is_written_down(
    browser: TestClient, world: World
) -> None:
    for actor in ("nobody", "B", "admin", "SF"):
        assert not ask(browser, world, actor, "GET", "/orders/{order}/contract.pdf").content.startswith(
            b"%PDF"
        )
    assert ask(browser, world, "A", "GET", "/orders/{order}/contract.pdf").content.startswith(b"%PDF")
    with reading() as session:
        readers = session.scalars(select(VaultRead.who).where(VaultRead.who.startswith("account:"))).all()
    assert readers == ["account:acc_A"]
