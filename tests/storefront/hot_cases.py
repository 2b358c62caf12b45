"""What may come in at the hot entrance: bodies, headers, queries, paths, bodies in pieces."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from runtime import clock
from runtime.api import MAX_BODY
from storefront import accounts
from tests.checkout.shop import BUNDLE, CARD, DROP
from tests.storefront.asgi import HOST, Asked

HOLDS = f"/api/v1/drops/{DROP}/holds"
NUMBERS = f"/api/v1/drops/{DROP}/numbers"
QUEUE = f"/api/v1/drops/{DROP}/queue"
ORDERS = "/api/v1/orders"
FIRST, SECOND = "18600131024", "18600131025"  # two of the drop
ZH = (b"accept-language", b"zh-CN,zh;q=0.9,en;q=0.8")
EN = (b"accept-language", b"en")
JSON = (b"content-type", b"application/json")


def token(account: str = "acc_li", **other: Any) -> bytes:
    ends = other.pop("ends", clock.now() + accounts.LIFETIME)
    identity = accounts.Identity(other.pop("session", account), account, "", clock.epoch_ms(ends))
    return accounts.sealed(identity).encode()


def bearer(account: str = "acc_li", **other: Any) -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + token(account, **other)


def wish(number: str = FIRST, offer: str = CARD, **more: Any) -> bytes:
    return json.dumps({"number": number, "offer": offer, **more}).encode()


def post(body: bytes = b"", *headers: tuple[bytes, bytes], path: str = HOLDS, who: str = "acc_li") -> Asked:
    return Asked("POST", path, (HOST, bearer(who), JSON, *headers), (body,))


GOOD = wish()
ORDER = json.dumps({
    "hold": "hld_none", "payment": "cod",
    "receiver": dict.fromkeys(("name", "mobile", "province", "city", "district", "address"), "x"),
}).encode()  # fmt: skip
BODIES = {
    "good": GOOD,
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "cut off": b'{"offer": "card',
    "no offer": b'{"number": "18600131024"}',
    "no number": b'{"offer": "card-20"}',
    "number is a figure": b'{"offer": "card-20", "number": 18600131024}',
    "number is null": b'{"offer": "card-20", "number": null}',
    "not UTF-8": b'{"offer": "\xff"}',
    "NUL": wish("1\0"),
    "a backslash, then u0000": b'{"offer": "card-20", "number": "1\\\\u0000"}',
    "brackets a thousand deep": b'{"offer": "card-20", "x": ' + b"[" * 50_000,
    "more than it knows": wish(x=[1, {"y": None}]),
    "unknown offer": wish(offer="none"),
    "an offer of a bundle": wish(offer=BUNDLE),
    "not a number of the drop": wish("13800138000"),
    "no number at all": wish("abc"),
    "many numbers": wish(f"{SECOND},{FIRST}"),
    "taken": wish(SECOND),
    "the nearest": wish("", like=SECOND),
    "padded with blanks": GOOD + b" " * 5000,
    "too large": GOOD + b" " * MAX_BODY,
    "as large as may be": GOOD + b" " * (MAX_BODY - len(GOOD)),
}


LI = bearer
HEADERS: dict[str, Callable[[], tuple[tuple[bytes, bytes], ...]]] = {
    "good": lambda: (HOST, LI()),
    "host is not ours": lambda: ((b"host", b"evil.example"), LI()),
    "no host": lambda: (LI(),),
    "host is empty": lambda: ((b"host", b""), LI()),
    "host with a port": lambda: ((b"host", b"testserver:8000"), LI()),
    "host with no port": lambda: ((b"host", b"testserver:x"), LI()),
    "host is not ASCII": lambda: ((b"host", b"\xff"), LI()),
    "two hosts": lambda: (HOST, (b"host", b"evil.example"), LI()),
    "two hosts, ours second": lambda: ((b"host", b"evil.example"), HOST, LI()),
    "nobody": lambda: (HOST,),
    "nobody, a bearer of nothing": lambda: (HOST, (b"authorization", b"Bearer ")),
    "a bare word": lambda: (HOST, (b"authorization", b"Bearer")),
    "no token": lambda: (HOST, (b"authorization", b"Bearer \xff\xfe")),
    "a changed token": lambda: (HOST, (b"authorization", b"Bearer A" + token()[1:])),
    "a cut token": lambda: (HOST, (b"authorization", b"Bearer " + token()[:-2])),
    "a long token": lambda: (HOST, (b"authorization", b"Bearer " + b"A" * 500)),
    "blanks around the token": lambda: (HOST, (b"authorization", b"bEARER   " + token() + b"  ")),
    "basic": lambda: (HOST, (b"authorization", b"Basic /w==")),
    "an expired token": lambda: (HOST, LI(ends=clock.now() - timedelta(seconds=1))),
    "a revoked token": lambda: (HOST, LI(session="ended")),
    "a cookie": lambda: (HOST, (b"cookie", b"lang=en; sid=" + token())),
    "a cookie in two parts": lambda: (HOST, (b"cookie", b"lang=zh"), (b"cookie", b"sid=" + token())),
    "a cookie and a bearer of nobody": lambda: (
        HOST, (b"cookie", b"sid=" + token()), (b"authorization", b"Bearer AAAA"),
    ),
    "a cookie, the same site": lambda: (
        HOST, (b"cookie", b"sid=" + token()), (b"sec-fetch-site", b"same-origin"),
    ),
    "a cookie, another site": lambda: (
        HOST, (b"cookie", b"sid=" + token()), (b"sec-fetch-site", b"cross-site"),
    ),
    "a cookie, our origin": lambda: (HOST, (b"cookie", b"sid=" + token()), (b"origin", b"http://testserver")),
    "a cookie, another origin": lambda: (HOST, (b"cookie", b"sid=" + token()), (b"origin", b"null")),
    "a bearer, another site": lambda: (HOST, LI(), (b"sec-fetch-site", b"cross-site")),
    "another site and nobody": lambda: (HOST, (b"sec-fetch-site", b"cross-site")),
    "a length that is none": lambda: (HOST, LI(), (b"content-length", b"-")),
    "a length that is too much": lambda: (HOST, LI(), (b"content-length", b"1000001")),
    "a length that is just all right": lambda: (HOST, LI(), (b"content-length", b"1000000")),
    "an odd key": lambda: (HOST, LI(), (b"idempotency-key", b"\xff" * 200)),
    "an empty key": lambda: (HOST, LI(), (b"idempotency-key", b"")),
    "odd languages": lambda: (HOST, LI(), (b"accept-language", b",;q=,*-*;;zh\xff" + b"en," * 900)),
    "a browser": lambda: (HOST, (b"accept", b"text/html")),
}  # fmt: skip
REFUSED = {
    "host is not ours": 400,
    "a cookie, another site": 403,
    "an expired token": 401,
    "a revoked token": 401,
}


QUERIES = (
    *(
        b"",
        b"limit=5",
        b"limit=0",
        b"limit=\xff",
        b"city=110&contains=13&no4=1",
        b"contains=x",
        b"pattern=AABB",
    ),
    *(b"%00", b"a=\0", b"batch=%F0%9F%8C%8D", b"&&=&limit=3&limit=4", b"ending=" + b"1" * 5000),
)


PATHS = (
    *(
        HOLDS + "/",
        NUMBERS + "/",
        HOLDS + "\n",
        "/api/v1/drops//holds",
        "/api/v1/drops/a/b/holds",
        "/api/v1/drops/",
    ),
    *(
        "/api/v1/drops/none/holds",
        "/api/v1/drops/none/numbers",
        "/api/v1/drops/\0/holds",
        "/api/v1/drops/*/holds",
    ),
    *("/api/v1/drops/" + "x" * 5000 + "/holds", "/api/v1/drops/轮/holds", "/api/v1/drops/round-1/HOLDS"),
    *("/api/v1/drops/..%2f/numbers", "/api/v1/drops/round-1/holds/x", "/api/v1/drops/round-1//orders"),
    *("/api/v1/orders/", "/api/v1/orders/x", "/api/v1/orders\n", "/api/v1", "/api/v1/drops/{drop}/holds"),
)


PIECES = (
    *((GOOD[:5], GOOD[5:]), (b"", GOOD), (GOOD, b""), (b"", b"")),
    *((b"a" * 600_000,) * 2, (GOOD, b" " * MAX_BODY), (GOOD + b" " * MAX_BODY,)),
)
