"""Stripe's offline twin: the part of Stripe's API that the shop uses, over HTTP, with a dashboard for people.

The official SDK and our `stripe.js` run against it unchanged. It is the outside world: its state is its own
SQLite file under `state_dir`, it imports nothing of the shop's, and the shop knows it by its address only.
`state_dir/webhook.json` tells where webhooks go: {"url", "secret", "public_url"}; public_url (this twin as a
browser sees it) is only needed behind a proxy.
"""

import base64
import binascii
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from checkout import sandbox_stripe_cards as cards
from checkout import sandbox_stripe_intents as intents
from checkout import sandbox_stripe_pages as pages
from checkout import sandbox_stripe_refunds as refunds
from checkout.sandbox_stripe_hooks import API_VERSION, Postman, endpoint, set_endpoint
from checkout.sandbox_stripe_store import Json, Store
from checkout.sandbox_stripe_wire import (
    Call,
    StripeFault,
    expanded,
    listing,
    missing,
    nested,
    once,
    strikes,
)

Handler = Callable[..., Json]


def listen(state_dir: Path, *, url: str, secret: str, public_url: str = "") -> None:
    """Point the twin's webhooks at a shop, before or while it runs."""
    state_dir.mkdir(parents=True, exist_ok=True)
    set_endpoint(state_dir, url=url, secret=secret, public_url=public_url)


def app(state_dir: Path, *, now: Callable[[], float] = time.time) -> Starlette:
    """The twin. Mounted apps get no lifespan, so delivery starts here; `app.state.postman.stop()` ends it."""
    store = Store(state_dir, now)
    postman = Postman(store)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        postman.stop()

    made = Starlette(
        routes=[*API, *pages.routes],
        middleware=[
            Middleware(CORSMiddleware, allow_origins=["*"], allow_headers=["*"], allow_methods=["*"])
        ],
        lifespan=lifespan,
    )
    made.state.store, made.state.postman = store, postman
    return made


def _api(handler: Handler, *, public: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """An address of the API. `public`: Stripe.js may call it with the publishable key."""

    async def address(request: Request) -> Response:
        body = (await request.body()).decode("utf-8", "replace") if request.method == "POST" else ""
        return await run_in_threadpool(_answer, request, body, handler, public)

    return address


def _answer(request: Request, body: str, handler: Handler, public: bool) -> Response:
    store: Store = request.app.state.store
    call, replayed = _call(request, {}), False
    try:
        publishable = _authenticate(request, public)
        if strikes(store, "rate_limit"):
            raise StripeFault(
                429, "invalid_request_error", "Too many requests in too short a time.", code="rate_limit"
            )
        params = nested(body or request.scope["query_string"].decode())
        call = _call(request, params, publishable)
        status, answer, replayed = _execute(store, call, handler, request.path_params)
    except StripeFault as fault:
        status, answer = fault.status, {"error": fault.error}
    except Exception as error:  # the outside world answers 500, it does not fall over
        status, answer = 500, {"error": {"type": "api_error", "message": f"Twin failed: {error!r}"}}
    headers = {"Request-Id": call.request_id or "", "Stripe-Version": API_VERSION}
    if call.key:
        headers["Idempotency-Key"] = call.key
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    if request.method == "POST" and strikes(store, "lost_reply"):
        # Done, but nobody hears of it: the connection breaks in the middle of the answer.
        return Response(b"", headers={**headers, "Content-Length": "1000"})
    return JSONResponse(answer, status, headers)


def _execute(store: Store, call: Call, handler: Handler, path: Json) -> tuple[int, Json, bool]:
    if call.method == "GET":
        with store.lock:
            return 200, expanded(store, handler(store, call, **path), call), False
    return once(store, call, lambda: expanded(store, handler(store, call, **path), call))


def _call(request: Request, params: Json, publishable: bool = False) -> Call:
    root = str(request.scope.get("root_path", ""))
    base = (
        endpoint(request.app.state.store.folder).get("public_url")
        or f"{request.url.scheme}://{request.url.netloc}{root}"
    )
    path = request.scope["path"].removeprefix(root)
    key = request.headers.get("idempotency-key") if request.method == "POST" else None
    account = "pk" if publishable else "sk"
    return Call(request.method, path, params, base.rstrip("/"), account, publishable, key)


def _authenticate(request: Request, public: bool) -> bool:
    """Is it the publishable key? Raises 401 without a key Stripe would know, 403 where that key may not go."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            given = ""
    if not given:
        raise StripeFault(
            401,
            "invalid_request_error",
            "You did not provide an API key. You need to provide your API"
            " key in the Authorization header, using Bearer auth.",
        )
    if not given.startswith(("sk_test_", "rk_test_", "pk_test_")):
        raise StripeFault(401, "invalid_request_error", f"Invalid API Key provided: {given[:8]}****")
    if given.startswith("pk_") and not public:
        raise StripeFault(
            403,
            "invalid_request_error",
            "This API call cannot be made with a publishable API key. Please use a secret API key.",
            code="secret_key_required",
        )
    return given.startswith("pk_")


def _unknown(_: Store, call: Call, rest: str) -> Json:
    raise StripeFault(404, "invalid_request_error", f"Unrecognized request URL ({call.method}: /v1/{rest}).")


def _list_intents(store: Store, call: Call) -> Json:
    return listing(store, call, "payment_intent")


def _list_of_intent(kind: str) -> Handler:
    """Charges or refunds, all or those of one PaymentIntent."""

    def listed(store: Store, call: Call) -> Json:
        parent = call.params.get("payment_intent")
        return (
            listing(store, call, kind, " AND parent = ?", (parent,)) if parent else listing(store, call, kind)
        )

    return listed


def _list_events(store: Store, call: Call) -> Json:
    wanted = call.params.get("types") or ([call.params["type"]] if "type" in call.params else [])
    where = f" AND json_extract(body, '$.type') IN ({','.join('?' * len(wanted))})" if wanted else ""
    return listing(store, call, "event", where, tuple(wanted))


def _retrieve(kind: str) -> Handler:
    def retrieved(store: Store, _: Call, identity: str) -> Json:
        found = store.get(kind, identity)
        if found is None:
            raise missing(kind, identity)
        return found

    return retrieved


def _create_method(store: Store, call: Call) -> Json:
    return cards.from_data(store, call, call.params)


API = [
    Route("/v1/payment_intents", _api(intents.create), methods=["POST"]),
    Route("/v1/payment_intents", _api(_list_intents)),
    Route("/v1/payment_intents/{identity}", _api(intents.retrieve, public=True)),
    Route("/v1/payment_intents/{identity}", _api(intents.update), methods=["POST"]),
    Route("/v1/payment_intents/{identity}/confirm", _api(intents.confirm, public=True), methods=["POST"]),
    Route("/v1/payment_intents/{identity}/capture", _api(intents.capture), methods=["POST"]),
    Route("/v1/payment_intents/{identity}/cancel", _api(intents.cancel), methods=["POST"]),
    Route("/v1/refunds", _api(refunds.create), methods=["POST"]),
    Route("/v1/refunds", _api(_list_of_intent("refund"))),
    Route("/v1/refunds/{identity}", _api(_retrieve("refund"))),
    Route("/v1/refunds/{identity}", _api(refunds.update), methods=["POST"]),
    Route("/v1/charges", _api(_list_of_intent("charge"))),
    Route("/v1/charges/{identity}", _api(_retrieve("charge"))),
    Route("/v1/payment_methods", _api(_create_method, public=True), methods=["POST"]),
    Route("/v1/payment_methods/{identity}", _api(_retrieve("payment_method"))),
    Route("/v1/events", _api(_list_events)),
    Route("/v1/events/{identity}", _api(_retrieve("event"))),
    Route("/v1/{rest:path}", _api(_unknown), methods=["GET", "POST", "DELETE"]),
]
