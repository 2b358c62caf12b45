"""What every request passes: hosts, cross-site forms, headers, sessions."""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta

import pytest
from redis import Redis
from starlette.testclient import TestClient

from runtime import clock, outbox
from runtime.api import MAX_BODY
from runtime.db import writing
from runtime.facts import Invalid
from runtime.settings import settings
from storefront import accounts, staff
from storefront.app import create, table
from storefront.security import policy


@pytest.fixture
def shop(db: None, redis: Redis) -> Iterator[TestClient]:
    with TestClient(create(), follow_redirects=False) as client:
        yield client


def _code(phone: str) -> str:
    """The code that is on its way: read where the gateway would take it from."""
    from sqlalchemy import select

    from kyc.models import SmsMessage
    from runtime.db import reading

    with reading() as session:
        text = session.scalars(select(SmsMessage.text).order_by(SmsMessage.id.desc())).first()
    assert text
    return next(word for word in text.replace("，", " ").split() if word.isdigit() and len(word) == 6)


def _token(shop: TestClient, phone: str = "13800138000") -> str:
    assert shop.post("/api/v1/codes", json={"phone": phone}).status_code == 200
    signed = shop.post("/api/v1/sessions", json={"phone": phone, "code": _code(phone)})
    assert signed.status_code == 201, signed.text
    token: str = signed.json()["token"]
    return token


HOSTS = [
    "",
    "evil.example",
    "testserver.evil.example",
    "testserver/../x",
    "testserver@evil.example",
    "a b",
    "[::1",
    "testserver:[",
    "testserver:80@evil.example",
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_not_ours_is_refused(shop: TestClient, host: str) -> None:
    assert shop.get("/healthz", headers={"host": host}).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "none"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://testserver"}, 303),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://testserver"}, 403),
    ],
)
def test_forms_come_from_our_own_pages_only(shop: TestClient, headers: dict[str, str], status: int) -> None:
    assert shop.post("/lang/en", headers=headers, data={"next": "/"}).status_code == status


def test_every_unsafe_route_refuses_another_site(shop: TestClient) -> None:
    from starlette.routing import Mount, Route

    def unsafe(routes: object, prefix: str = "") -> Iterator[str]:
        assert isinstance(routes, list)
        for route in routes:
            if isinstance(route, Mount):
                yield from unsafe(list(route.routes), prefix + route.path)
            elif isinstance(route, Route) and (route.methods or set()) & {"POST", "DELETE", "PUT"}:
                yield prefix + route.path

    paths = [p for p in unsafe(table()) if not p.startswith(("/partner/", "/stripe/"))]
    assert len(paths) > 15
    for path in paths:
        filled = path.replace("{rest:path}", "sms/x").replace("{", "").replace("}", "")
        answer = shop.post(filled, headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 403, path


@pytest.mark.parametrize(
    "path", ["/", "/login", "/ops/login", "/nothing", "/api/v1/drops", "/api/v1/nothing"]
)
def test_headers_stand_on_every_answer(shop: TestClient, path: str) -> None:
    answer = shop.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"]


def test_only_the_pay_page_lets_stripe_in() -> None:
    assert settings().stripe_js_url == "https://js.stripe.com/v3/"
    order_page = policy("/orders/ord_1", "n")
    assert "script-src 'self' 'nonce-n';" in order_page
    assert "form-action 'self' https://*.stripe.com https://*.alipay.com;" in order_page
    assert "stripe.com" not in policy("/checkout/hld_1", "n")
    assert "script-src 'self' 'nonce-n' https://js.stripe.com;" in policy("/orders/ord_1/pay", "n")


def test_problems_are_problem_json_for_machines_and_pages_for_people(shop: TestClient) -> None:
    machine = shop.get("/api/v1/orders/ord_1")
    assert machine.status_code == 401
    assert machine.headers["content-type"] == "application/problem+json"
    assert machine.json()["code"] == "unauthorized"
    person = shop.get("/nothing", headers={"accept": "text/html", "accept-language": "en"})
    assert person.status_code == 404
    assert person.headers["content-type"].startswith("text/html")


def test_bad_json_names_the_field(shop: TestClient) -> None:
    answer = shop.post("/api/v1/codes", json={"phone": 12})
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == ["phone"]
    assert list(shop.post("/api/v1/codes", json={}).json()["errors"]) == ["phone"]
    assert list(shop.post("/api/v1/codes", content=b"{").json()["errors"]) == ["body"]


def test_a_session_ends_with_signing_out(shop: TestClient) -> None:
    token = _token(shop)
    bearer = {"authorization": f"Bearer {token}"}
    shop.cookies.clear()
    assert shop.get("/api/v1/orders", headers=bearer).status_code == 200
    assert shop.delete("/api/v1/sessions", headers=bearer).status_code == 204
    assert shop.get("/api/v1/orders", headers=bearer).status_code == 401
    accounts._revoked.clear()  # another process learns of it from SQL
    accounts._revoked_seen.clear()
    accounts.refresh_revoked()
    assert accounts._revoked


def test_a_session_ends_by_idling_and_by_age(shop: TestClient) -> None:
    bearer = {"authorization": f"Bearer {_token(shop)}"}
    shop.cookies.clear()
    clock.shift(accounts.IDLE - timedelta(minutes=1))
    assert shop.get("/api/v1/orders", headers=bearer).status_code == 200
    clock.shift(2 * accounts.IDLE)
    assert shop.get("/api/v1/orders", headers=bearer).status_code == 401
    clock.shift(accounts.LIFETIME + timedelta(minutes=1))
    assert shop.get("/api/v1/holds/hld_x", headers=bearer).status_code == 401


@pytest.mark.parametrize("cut", [0, 5, -1])
def test_a_changed_token_is_nobody(shop: TestClient, cut: int) -> None:
    token = _token(shop)
    shop.cookies.clear()
    changed = token[:cut] + ("A" if token[cut] != "A" else "B") + token[cut:][1:]
    if cut == -1:
        changed = token[:-2]
    assert shop.get("/api/v1/orders", headers={"authorization": f"Bearer {changed}"}).status_code == 401


def test_a_wrong_code_signs_nobody_in_and_counts(shop: TestClient) -> None:
    shop.post("/api/v1/codes", json={"phone": "13800138000"})
    right = _code("13800138000")
    wrong = "000000" if right != "000000" else "111111"
    for _ in range(5):
        answer = shop.post("/api/v1/sessions", json={"phone": "13800138000", "code": wrong})
        assert (answer.status_code, list(answer.json()["errors"])) == (422, ["code"])
    burnt = shop.post("/api/v1/sessions", json={"phone": "13800138000", "code": right})
    assert burnt.status_code == 422


def test_one_address_may_not_ask_for_codes_for_ever(shop: TestClient) -> None:
    asked = [
        shop.post("/api/v1/codes", json={"phone": f"138001{n:05d}"}).status_code
        for n in range(settings().codes_per_address + 1)
    ]
    assert asked == [200] * settings().codes_per_address + [429]


def test_staff_is_locked_out_after_five_wrong_passwords(shop: TestClient) -> None:
    from runtime.facts import Invalid, TooMany

    with writing() as session:
        staff.add(session, "zhao", "a long password", "viewer")
    for _ in range(5):
        with pytest.raises(Invalid):
            staff.log_in("zhao", "not the password")
    with pytest.raises(TooMany):
        staff.log_in("zhao", "a long password")
    clock.shift(timedelta(minutes=6))
    assert staff.log_in("zhao", "a long password")[0].login == "zhao"


OPS = ["/ops", "/ops/drops/new", "/ops/orders", "/ops/manifests", "/ops/identity"]


@pytest.mark.parametrize("path", OPS)
def test_ops_pages_are_for_staff(shop: TestClient, path: str) -> None:
    assert shop.get(path).headers["location"].startswith("/ops/login")
    shop.cookies.set("sid", _token(shop))
    assert shop.get(path).headers["location"].startswith("/ops/login")


def test_a_viewer_may_look_but_not_touch(shop: TestClient) -> None:
    with writing() as session:
        staff.add(session, "qian", "a long password", "viewer")
    _, token = staff.log_in("qian", "a long password")
    shop.cookies.set("ops", token)
    assert shop.get("/ops").status_code == 200
    refused = shop.post("/ops/drops/x/moves", data={"move": "pause", "reason": "r", "csrf": "x"})
    assert refused.status_code == 403
    outbox.drain_all()


@pytest.mark.parametrize(
    "elsewhere",
    ["///evil.example", "////evil.example", "//evil.example", "//[", "/\\evil.example", "/\t/evil.example"],
)
def test_no_address_to_go_on_to_leads_off_to_another_site(shop: TestClient, elsewhere: str) -> None:
    assert shop.post("/lang/en", data={"next": elsewhere}).headers["location"] == "/"
    assert shop.post("/ops/login", data={"next": elsewhere, "login": "x", "password": "x"}).status_code == 422
    shop.cookies.set("sid", _token(shop))
    assert shop.get("/login", params={"next": elsewhere}).headers["location"] == "/"


@pytest.mark.parametrize(
    "path", ["/login", "/api/v1/codes", "/stripe/webhook", "/partner/v1/scans", "/sandbox/x/y"]
)
def test_no_body_is_larger_than_a_megabyte(shop: TestClient, path: str) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(11):
            yield b"a" * 100_000

    form = {"content-type": "application/x-www-form-urlencoded"}
    assert shop.post(path, content=b"a" * (MAX_BODY + 1), headers=form).status_code == 413
    if not path.startswith("/sandbox"):  # there is none here, so nobody reads the body
        assert shop.post(path, content=pieces(), headers=form).status_code == 413


def test_text_that_no_store_can_keep_is_refused(shop: TestClient) -> None:
    assert shop.get("/drops/%00").status_code == 400
    assert shop.get("/ops/orders?q=%00").status_code == 400
    assert shop.post("/login", data={"phone": "\0"}).status_code == 400
    bare = shop.post("/api/v1/codes", content=b'{"phone": "1\\u0000"}')
    assert (bare.status_code, list(bare.json()["errors"])) == (422, ["body"])
    escaped = shop.post("/api/v1/codes", content=b'{"phone": "1\\\\u0000"}')  # a backslash, then u0000
    assert list(escaped.json()["errors"]) == ["phone"]
    for body in (b'{"phone": "\xff"}', b'{"phone": "1", "x": ' + b"[" * 50_000):
        assert list(shop.post("/api/v1/codes", content=body).json()["errors"]) == ["body"]


@pytest.mark.parametrize(
    "path", ["/sandbox/sms", "/sandbox/sms/", "/sandbox/../sandbox/sms", "/sandbox/stripe/v1/x"]
)
def test_without_twins_there_is_no_sandbox(shop: TestClient, path: str) -> None:
    assert settings().sandbox_url == ""
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert shop.request(method, path).status_code == 404


def test_without_a_secret_of_its_own_the_shop_believes_no_webhook(shop: TestClient) -> None:
    body, at = b'{"object": "event"}', int(clock.now().timestamp())
    for known in ("whsec_haoka_sandbox", ""):  # the twins' secret stands in this source for all to read
        signed = hmac.new(known.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        sent = {"stripe-signature": f"t={at},v1={signed}"}
        assert shop.post("/stripe/webhook", content=body, headers=sent).status_code == 403


def test_a_network_of_version_6_counts_as_one_address() -> None:
    assert accounts._network("2001:db8::1") == accounts._network("2001:db8::ffff:1")
    assert accounts._network("2001:db8::1") != accounts._network("2001:db8:0:1::1")
    assert accounts._network("192.0.2.1") == "192.0.2.1"
    assert accounts._network("::no address") == "::no address"


def test_cookies_behind_https_belong_to_this_host_alone(
    monkeypatch: pytest.MonkeyPatch, shop: TestClient
) -> None:
    monkeypatch.setenv("HAOKA_PUBLIC_URL", "https://testserver")
    settings.cache_clear()
    try:
        set_cookie = shop.post("/login", data={"phone": "13800138000"}).headers["set-cookie"]
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert set_cookie.startswith("__Host-bind=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(set_cookie.split("; "))


def test_a_new_password_ends_the_sessions_of_the_old_one(shop: TestClient) -> None:
    with writing() as session:
        staff.add(session, "sun", "a long password", "admin")
    _, token = staff.log_in("sun", "a long password")
    shop.cookies.set("ops", token)
    assert shop.get("/ops").status_code == 200
    with writing() as session:
        staff.add(session, "sun", "another long password", "viewer")
    assert shop.get("/ops").status_code == 303


def test_an_unknown_login_costs_one_hash_like_a_known_one(
    shop: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing() as session:
        staff.add(session, "li", "a long password", "viewer")
    staff._nobodys_hash()
    counted: list[bytes] = []
    hashed = staff._scrypt

    def counting(password: str, salt: bytes) -> bytes:
        counted.append(salt)
        return hashed(password, salt)

    monkeypatch.setattr(staff, "_scrypt", counting)
    for login in ("li", "nobody"):
        counted.clear()
        with pytest.raises(Invalid):
            staff.log_in(login, "not the password")
        assert len(counted) == 1, login
