"""The twin's pages: a dashboard for who plays Stripe's side, and the page where a shopper approves a payment."""

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from jinja2 import Environment, FileSystemLoader
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from checkout import sandbox_stripe_intents as intents
from checkout import sandbox_stripe_refunds as refunds
from checkout.sandbox_stripe_hooks import deliveries, endpoint, send, set_endpoint
from checkout.sandbox_stripe_store import Json, Store
from checkout.sandbox_stripe_wire import Call, StripeFault

FOLDER = Path(__file__).parent / "sandbox_stripe_static"
SWITCHES = ("hold", "twice", "refunds_pending")
COUNTS = ("delay_seconds", "slow_seconds", "rate_limit", "error_500", "lost_reply")
WORDS = {"pay": "succeeded", "decline": "failed", "process": "pending"}
STAYS = "This payment is waiting for you. Leave the page to keep it so."


def front(request: Request) -> Response:
    store: Store = request.app.state.store
    return _page(
        request,
        "payments.html",
        payments=store.newest("payment_intent", 50),
        endpoint=endpoint(store.folder),
        held=store.rows("SELECT count(*) FROM deliveries WHERE state = 'held'")[0][0],
        switches={name: store.switch(name) for name in SWITCHES},
        counts={name: store.switch(name, "0") for name in COUNTS},
    )


def payment(request: Request) -> Response:
    store: Store = request.app.state.store
    intent = store.get("payment_intent", request.path_params["identity"])
    if intent is None:
        return PlainTextResponse("No such payment.", 404)
    events = store.children("event", intent["id"])
    return _page(request, "payment.html", intent=intent, refunds=store.children("refund", intent["id"]),
                 events=[(event, deliveries(store, event["id"])) for event in events])  # fmt: skip


async def act(request: Request) -> Response:
    """A button of the dashboard, or on the approval page: what Stripe, the bank or the shopper does."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return PlainTextResponse("Press the button on this twin's own page.", 403)
    form = await request.form()
    return await run_in_threadpool(_act, request, form)


def approval(request: Request) -> Response:
    """Where Stripe sends the shopper: approve in the wallet, or pass the bank's 3-D Secure."""
    store: Store = request.app.state.store
    intent = _redirected(store, request)
    if intent is None:
        return PlainTextResponse("This payment page has expired.", 404)
    if intent["status"] != "requires_action":
        return RedirectResponse(_back(store, intent), 303)
    kind = (store.get("payment_method", intent["payment_method"] or "") or {"type": "card"})["type"]
    return _page(request, "redirect.html", intent=intent, kind=kind, back=_back(store, intent), stays=STAYS)


def _act(request: Request, form: FormData) -> Response:
    store: Store = request.app.state.store
    noun, identity = request.path_params["noun"], request.path_params.get("identity", "")
    word = str(form.get("do", ""))
    call = Call("POST", "", {}, str(request.scope.get("root_path", "")), request_id=None)
    try:
        with store.writing():
            if noun == "redirect":
                intent = _redirected(store, request)
                if intent and word in WORDS:
                    intent = intents.answer(store, call, intent["id"], word)
                return RedirectResponse(_back(store, intent) if intent else _root(request), 303)
            _do(store, call, noun, identity, word, form)
    except StripeFault as fault:
        return _page(request, "refused.html", message=fault.error["message"], status_code=409)
    back = str(form.get("back", ""))
    return RedirectResponse(f"{_root(request)}/{back}", 303)


def _do(store: Store, call: Call, noun: str, identity: str, word: str, form: FormData) -> None:
    if noun == "payments":
        _move(store, call, identity, word)
    elif noun == "refunds" and word in ("succeeded", "failed"):
        refunds.settle(store, call, identity, word)
    elif noun == "events":
        for _ in range({"resend": 1, "twice": 2}.get(word, 0)):
            send(store, identity, at_once=True)
    elif noun == "deliveries":
        where = ("id", int(identity)) if identity.isdigit() else ("state", "held")
        store.sql.execute(
            f"UPDATE deliveries SET state = 'waiting', due = ? WHERE {where[0]} = ?",  # noqa: S608
            (store.now(), where[1]),
        )
    elif noun == "switches":
        for name in SWITCHES:
            store.set_switch(name, "on" if form.get(name) else "")
        for name in COUNTS:
            text = str(form.get(name, "0"))
            store.set_switch(name, text if text.replace(".", "", 1).isdigit() else "0")
    elif noun == "endpoint":
        set_endpoint(store.folder, **{name: str(form.get(name, "")).strip() for name in ("url", "secret")})


def _move(store: Store, call: Call, identity: str, word: str) -> None:
    status = intents.find(store, identity)["status"]
    if word in WORDS and status in ("requires_action", "processing"):
        intents.answer(store, call, identity, word)
    elif word == "pay":
        paying = Call("POST", "", {"payment_method": "pm_card_visa"}, call.base, request_id=None)
        intents.confirm(store, paying, identity)
    elif word == "capture":
        intents.capture(store, call, identity)
    elif word == "cancel":
        intents.cancel(store, call, identity)
    elif word == "refund":
        refunded = Call("POST", "", {"payment_intent": identity}, call.base, request_id=None)
        refunds.create(store, refunded)


def _redirected(store: Store, request: Request) -> Json | None:
    identity = store.switch(f"redirect:{request.path_params['identity']}")
    return store.get("payment_intent", identity) if identity else None


def _back(store: Store, intent: Json) -> str:
    """The shop's return_url with what Stripe adds to it; our own page when the shop gave none."""
    to = store.switch(f"return:{intent['id']}")
    parts = urlsplit(to)
    if parts.scheme not in ("http", "https"):
        return "../"
    status = {"succeeded": "succeeded", "requires_capture": "succeeded", "requires_payment_method": "failed"}
    added = {"payment_intent": intent["id"], "payment_intent_client_secret": intent["client_secret"],
             "redirect_status": status.get(intent["status"], "pending")}  # fmt: skip
    query = urlencode([*((k, v) for k, vs in parse_qs(parts.query).items() for v in vs), *added.items()])
    return urlunsplit(parts._replace(query=query))


def _page(request: Request, name: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(_templates().get_template(name).render(root=_root(request), **values), status_code)


def _root(request: Request) -> str:
    return str(request.scope.get("root_path", ""))


def _yuan(fen: int) -> str:
    return f"¥{fen // 100:,}.{fen % 100:02d}"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    made = Environment(loader=FileSystemLoader(FOLDER), autoescape=True)
    made.filters["yuan"] = _yuan
    return made


def _stripe_js(_: Request) -> Response:
    return FileResponse(FOLDER / "stripe.js", media_type="text/javascript")


routes: list[BaseRoute] = [
    Route("/", front),
    Route("/v3", _stripe_js),
    Route("/v3/", _stripe_js),
    Route("/redirect/{identity}", approval),
    Route("/payments/{identity}", payment),
    Route("/{noun:str}/{identity:str}", act, methods=["POST"]),
    Route("/{noun:str}", act, methods=["POST"]),
    Mount("/static", StaticFiles(directory=FOLDER)),
]
