"""Input that no honest client sends: whatever comes, no route answers that it was our fault."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from redis import Redis
from starlette.testclient import TestClient

from storefront import app
from tests.checkout.shop import open_shop
from tests.storefront.actors import World, body_of, every_route, settle

ODD = (
    *("\0", "\ud800", "²", "٣", "9" * 4999, "-1", "1e9", "%00", "' OR 1=1 --", "=1+1", "\x7f\x1b[2J"),
    *("a" * 5000, "..", "{x}", "0001-01-01T00:00", "prepaid-20:" + "9" * 30),
)
PATHS = (
    *("%00", "%ff", "..%2f..%2fetc", "%e2%80%ae", "x" * 5000, "%5c", "[", "%0a"),
    *("hld_none_" + "0" * 26, "hld_%7d:x_" + "0" * 26),
)
HEADERS = (
    {"authorization": "Bearer \xff\xfe"},
    {"authorization": "Bearer " + "A" * 390},
    {"authorization": "Bearer AAAA"},
    {"authorization": "Basic !!!"},
    {"authorization": "Basic /w=="},
    {"cookie": "sid=AAAA; ops=\xff; lang=\xe9; bind=;;=;"},
    {"cookie": "sid=" + "A" * 380 + "; bind=" + "x" * 5000},
    {"accept-language": ",;q=,*-*;;zh\xff" + "en," * 900},
    {"referer": "http://["},
    {"origin": "http://["},
    {"host": "testserver:["},
    {"host": "testserver:99999999"},
    {"idempotency-key": "\xff" * 200},
    {"stripe-signature": "t=²,v1=\xff"},
    {"if-none-match": '"' * 99, "range": "bytes=9-1,-", "accept": "\xff"},
    {"content-type": "multipart/form-data"},
    {"content-type": "multipart/form-data; boundary=\xff; charset=raw_unicode_escape"},
    {"content-type": "application/x-www-form-urlencoded; charset=nothing"},
)
JSON = (
    b"",
    b"null",
    b"[]",
    b"\xff",
    b'{"phone": "\xff"}',
    b'{"phone": "1", "x": ' + b"[" * 50_000,
    b'{"limit": 1' + b"0" * 5000 + b"}",
)
MULTIPART = (
    b"",
    b"--x",
    b"--x\r\n\r\n\r\n--x--",
    b'--x\r\nContent-Disposition: form-data; name="phone"\r\n\r\n\\ud800\x00\xff\r\n--x--\r\n',
    b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n1\r\n--x--\r\n',
    b"--y\r\nContent-Disposition:\r\n\r\n",
)
FIELDS = """number offer next phone code login password key name id_number receiver_name mobile city district address
    payment consent holder method move reason id opens_at closes_at pool limit_account hold_minutes quota verdict
    plan_x terms_x units_x"""
QUERY = """city segment contains has ending pattern no4 limit batch seed offer pick next after format q state drop cut
    done phone"""


@pytest.fixture
def world(db: None, redis: Redis, twins: str, tmp_path: Path) -> World:
    return settle(open_shop(tmp_path, twins))


class Asker:
    """Asks as whom it wishes and remembers every answer that blames us."""

    def __init__(self, browser: TestClient, world: World) -> None:
        self.browser, self.world, self.faults = browser, world, list[str]()
        self.proofs: dict[str, tuple[dict[str, str], str]] = {}

    def __call__(self, actor: str, method: str, address: str, **given: object) -> None:
        if actor not in self.proofs:
            self.proofs[actor] = self.world.proof(actor)
        headers, csrf = self.proofs[actor]
        self.browser.cookies.clear()
        sent = headers | dict(given.pop("headers", None) or {})  # type: ignore[call-overload]
        if isinstance(form := given.pop("form", None), dict):
            sent |= {"content-type": "application/x-www-form-urlencoded"}
            given["content"] = urlencode({**form, "csrf": csrf})
        answer = self.browser.request(method, address, headers=sent, **given)  # type: ignore[arg-type]
        if answer.status_code >= 500:
            self.faults.append(
                f"{answer.status_code} {actor} {method} {address[:60]!r} {str(given or sent)[:100]}"
            )

    def routes(self) -> Iterator[tuple[str, str, str]]:
        """Actor who gets furthest, method, path with its own names filled in."""
        for method, path in every_route():
            actor = "SF" if "/partner/" in path else "admin" if path.startswith("/ops") else "A"
            if "logout" not in path and (method, path) != (
                "DELETE",
                "/api/v1/sessions",
            ):  # those end the proof
                yield actor, method, path


@pytest.fixture
def ask(world: World) -> Iterator[Asker]:
    world.hold()
    with TestClient(app.create(), raise_server_exceptions=False, follow_redirects=False) as browser:
        yield Asker(browser, world)


def filled(path: str, params: dict[str, str]) -> str:
    for name, value in params.items():
        path = path.replace(f"{{{name}}}", value)
    return path


def spoilt(body: object, odd: str) -> object:
    """The body with all its texts made odd, but those that lead to where the others are read."""
    if isinstance(body, dict):
        kept = ("hold", "offer", "order_no", "status", "result", "at")
        return {name: value if name in kept else spoilt(value, odd) for name, value in body.items()}
    return [spoilt(one, odd) for one in body] if isinstance(body, list) else odd


def test_odd_names_in_paths(ask: Asker) -> None:
    for actor, method, path in ask.routes():
        if "{" in path:
            for odd in PATHS:
                ask(actor, method, filled(path, dict.fromkeys(ask.world.params, odd)), json={})
    assert ask.faults == []


def test_odd_queries(ask: Asker) -> None:
    for actor, method, path in ask.routes():
        if method == "GET":
            address = filled(path, ask.world.params)
            for odd in ODD:
                value = quote(odd.encode("utf-8", "surrogatepass"))
                for names in (QUERY.split()[part::3] for part in range(3)):
                    ask(actor, method, f"{address}?" + "&".join(f"{name}={value}" for name in names))
            ask(actor, method, f"{address}?%00=%ff&&==&limit=%C2%B2")
    assert ask.faults == []


def test_odd_headers(ask: Asker) -> None:
    for actor, method, path in ask.routes():
        for odd in HEADERS:
            address = filled(path, ask.world.params)
            raw = {name: value.encode("latin-1") for name, value in odd.items()}
            ask(actor, method, address, headers=raw, content=b"--\xff\r\nx")
    assert ask.faults == []


def test_odd_forms(ask: Asker) -> None:
    for actor, method, path in ask.routes():
        if method == "POST" and "/api/" not in path:
            address = filled(path, ask.world.params)
            for odd in ODD:
                value = odd.encode("utf-8", "surrogatepass")
                ask(actor, method, address, form={**dict.fromkeys(FIELDS.split(), value), "consent": "yes"})
            for body in MULTIPART:
                for charset in ("utf-8", "raw_unicode_escape"):
                    kind = {"content-type": f"multipart/form-data; boundary=x; charset={charset}"}
                    ask(actor, method, address, headers=kind, content=body)
    assert ask.faults == []


def test_odd_json(ask: Asker) -> None:
    for actor, method, path in ask.routes():
        if method == "POST" and ("/api/" in path or "/partner/" in path):
            address = filled(path, ask.world.params)
            for body in JSON:
                ask(actor, method, address, content=body)
            for odd in ODD:
                ask(actor, method, address, content=json.dumps(spoilt(body_of(path, ask.world), odd)))
    assert ask.faults == []


def test_other_methods(ask: Asker) -> None:
    for actor, _, path in ask.routes():
        for method in ("HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"):
            ask(actor, method, filled(path, ask.world.params))
    assert ask.faults == []
