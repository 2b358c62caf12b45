"""The hot routes' own entrance: searching, holding, ordering and queueing skip router and middleware, by the same
rules.

What is not plainly a good request for one of them goes the long way, and is refused there. Plain ASGI."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import msgspec
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inventory import queue_follow
from runtime import api
from runtime.facts import Fact, Unauthorized
from storefront import accounts, language, metrics, problems, queue_stream, security
from storefront.api_drops import HoldIn, HoldOut, decide, hold_number
from storefront.api_orders import OrderIn, OrderOut, place_order
from storefront.api_queue import join_queue, show_place
from storefront.api_shelf import NumbersOut, search_numbers

Headers = dict[bytes, bytes]
_API, _DROPS = "/api/v1", "/drops/"
_DROP = "/drops/{drop}/"  # as the endpoints name it
_LARGE = len(str(api.MAX_BODY))  # a Content-Length as long as that may be too much
_STREAM = re.compile(r"/api/v1/drops/([^/]+)/queue/stream")
_ENCODER = msgspec.json.Encoder()
_JSON: tuple[security.Raw, ...] = ((b"content-type", b"application/json"),)


class Entrance:
    """Around the app and all its middleware: answers the hot routes, hands everything else on."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        if scope["type"] != "http" or not scope["path"].startswith(_API) or scope["root_path"]:
            return await self.app(scope, receive, send)
        (route, drop), headers = _route(scope["method"], scope["path"]), security.given(scope)
        if route is None and scope["method"] == "GET" and (matched := _STREAM.fullmatch(scope["path"])):
            over = await _stream(matched[1], scope, headers, send)
            del receive, send, headers, matched
            if over is not None:
                await over  # with nothing of the request but this
            return None
        large = len(headers.get(b"content-length", b"")) >= _LARGE
        if route is None or large or security.refusal(scope, headers):
            return await self.app(scope, receive, send)
        endpoint, call = route
        body = b""
        if endpoint.body is not None:
            first = await receive()
            body = first.get("body", b"")
            if first.get("more_body") or first["type"] != "http.request" or len(body) > api.MAX_BODY:
                received = [first]
                whole = await _whole(received, receive, headers)
                if whole is None:
                    return await self.app(scope, _again(received, receive), send)
                body = whole
        try:
            answer = await call(scope, headers, drop, body)
            if isinstance(answer, Fact):
                status, own, told = problems.told(answer, _language(scope, headers))
            elif isinstance(answer, Response):
                status, told = answer.status_code, bytes(answer.body)
                own = tuple(header for header in answer.raw_headers if header[0] != b"content-length")
            else:
                status, own, told = endpoint.status, _JSON, _ENCODER.encode(answer)
        except Fact as fact:
            status, own, told = problems.told(fact, _language(scope, headers))
        except Exception as bug:
            return await ServerErrorMiddleware(_raising(bug), problems.on_bug)(scope, receive, send)
        took = time.perf_counter() - started
        metrics.count(endpoint.name, status, took)
        if endpoint in _INSIDE:  # what those do who were let in: too much of it, and fewer are let in
            queue_follow.felt(took * 1000)
        length = (b"content-length", b"%d" % len(told))
        sent = [*own, length, *security.json_headers()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": told})


async def _stream(drop: str, scope: Scope, headers: Headers, send: Send) -> "asyncio.Future[None] | None":
    """The queue's events: a request that lasts. Gives what to wait for, or None when it was refused."""
    if refused := security.refusal(scope, headers):
        await refused(scope, _nothing, send)
        return None
    lang = _language(scope, headers)
    try:
        return await queue_stream.begin(drop, scope, send)
    except Fact as fact:
        status, own, told = problems.told(fact, lang)
    sent = [*own, (b"content-length", b"%d" % len(told)), *security.json_headers()]
    await send({"type": "http.response.start", "status": status, "headers": sent})
    await send({"type": "http.response.body", "body": told})
    return None


def _hold(scope: Scope, headers: Headers, drop: str, body: bytes) -> Awaitable[HoldOut | Fact]:
    wish = api.decoded(body, HoldIn)
    proof = headers.get(b"authorization", b"")
    if proof[:7].lower() == b"bearer ":
        identity = accounts.speaks_for(proof[7:].decode("latin-1").strip())
    else:
        identity = accounts.identify(HTTPConnection(scope))
    if identity is None:
        raise Unauthorized
    key = headers.get(b"idempotency-key")
    return decide(identity, drop, wish, None if key is None else key.decode("latin-1"))


def _search(scope: Scope, headers: Headers, drop: str, body: bytes) -> Awaitable[NumbersOut]:
    scope["path_params"] = {"drop": drop}
    found: Awaitable[NumbersOut] = search_numbers.call(Request(scope))
    return found


def _order(scope: Scope, headers: Headers, _drop: str, body: bytes) -> Awaitable[OrderOut]:
    placed: Awaitable[OrderOut] = place_order.call(Request(scope), api.decoded(body, OrderIn))
    return placed


def _queue(endpoint: api.Endpoint) -> "Call":
    """An endpoint of the queue: it reads the request, and gives what is told or a whole answer with its cookie."""

    def call(scope: Scope, headers: Headers, drop: str, _body: bytes) -> Awaitable[Any]:
        scope["path_params"] = {"drop": drop}
        answer: Awaitable[Any] = endpoint.call(Request(scope))
        return answer

    return call


# Gives the answer, or a refusal; raises refusals too.
Call = Callable[[Scope, Headers, str, bytes], Awaitable[Any]]
_ROUTES: dict[tuple[str, str], tuple[api.Endpoint, Call]] = {
    (one.method, one.path): (one, call)
    for one, call in (
        (hold_number, _hold), (search_numbers, _search), (place_order, _order), (join_queue, _queue(join_queue)),
        (show_place, _queue(show_place)),
    )
}  # fmt: skip
_INSIDE = (hold_number, place_order)


@lru_cache(maxsize=1_024)
def _route(method: str, path: str) -> tuple[tuple[api.Endpoint, Call] | None, str]:
    """The hot route of a path under the API, and the drop named there."""
    path, drop = path[len(_API) :], ""
    if path.startswith(_DROPS):
        drop, _, what = path[len(_DROPS) :].partition("/")
        path = _DROP + what if drop else ""
    return _ROUTES.get((method, path)), drop


def _raising(bug: Exception) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise bug

    return app


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _whole(received: list[Message], receive: Receive, headers: Headers) -> bytes | None:
    """A body that comes in pieces, put together; None when it is too large or the client went away. A server may say
    that there is more before it knows: by its length a body is whole without waiting for an empty last piece."""
    body = b""
    for message in received:
        body += message.get("body", b"")
        if message["type"] != "http.request" or len(body) > api.MAX_BODY:
            return None
        if message.get("more_body") and b"%d" % len(body) != headers.get(b"content-length"):
            received.append(await receive())
    return body


def _again(received: list[Message], receive: Receive) -> Receive:
    """What was received already, then what comes after it."""
    waiting = received[::-1]

    async def receive_again() -> Message:
        return waiting.pop() if waiting else await receive()

    return receive_again


def _language(scope: Scope, headers: Headers) -> str:
    if b"cookie" in headers:
        return language.of(HTTPConnection(scope))
    return _spoken(headers.get(b"accept-language"), headers.get(b"accept"))


@lru_cache(maxsize=256)
def _spoken(wanted: bytes | None, accepted: bytes | None) -> str:
    """language.of() for a client without cookies."""
    said = ((b"accept-language", wanted), (b"accept", accepted))
    headers = [(name, value) for name, value in said if value is not None]
    return language.of(HTTPConnection({"type": "http", "headers": headers}))
