"""The courier's twin: a small system of its own that pulls manifests, answers them and scans parcels to the door."""

import secrets
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from logistics import sandbox_courier_client as client
from logistics.sandbox_courier_book import Account, Book
from runtime.settings import settings

_FOLDER = Path(__file__).parent / "sandbox_courier_static"
_SCREENS = Environment(
    loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_SCREENS.filters["yuan"] = lambda fen: f"¥{fen / 100:,.2f}"
_SCREENS.filters["words"] = lambda state: str(state).replace("_", " ")
_NAMES = {"EMS": "邮政速递 EMS", "SF": "顺丰 SF Express", "ZJS": "宅急送 ZJS"}
# The usual next scan of a parcel, and what the button says.
NEXT = {
    "manifested": ("handed_over", "Picked up at the warehouse"),
    "handed_over": ("in_transit", "On the road"),
    "in_transit": ("out_for_delivery", "Out for delivery"),
    "refused": ("returning", "On the way back"),
    "id_mismatch": ("returning", "On the way back"),
    "returning": ("returned_to_warehouse", "Back in the warehouse"),
    "damaged": ("returned_to_warehouse", "Back in the warehouse"),
}
AT_THE_DOOR = ("out_for_delivery", "attempt_failed", "id_mismatch", "delivered_unverified")
GROUPS = (
    ("At the door", AT_THE_DOOR),
    ("On the road", ("handed_over", "in_transit")),
    ("To pick up", ("manifested",)),
    ("Coming back", ("refused", "returning", "lost", "damaged")),
    ("Done", ("delivered", "returned_to_warehouse")),
)
_Form = dict[str, str]
_Work = Callable[[Book, Account, Request, _Form], tuple[str, int]]


def app(state_dir: Path) -> Starlette:
    """The twin. Its book is courier.db in that folder; couriers.json there presets {courier: {client_id,
    client_secret}}."""
    twin = Starlette(
        routes=[
            Route("/", front),
            Route("/courier.css", style),
            Route("/accounts", keep_account, methods=["POST"]),
            Route("/{courier}", board),
            Route("/{courier}/pull", partial(_act, pull), methods=["POST"]),
            Route("/{courier}/manifests/{number}/receipt", partial(_act, send_receipt), methods=["POST"]),
            Route("/{courier}/parcels/{line}", parcel),
            Route("/{courier}/parcels/{line}/answer", partial(_act, send_answer), methods=["POST"]),
            Route("/{courier}/parcels/{line}/scan", partial(_act, send_scan), methods=["POST"]),
        ]
    )
    twin.state.book = Book(state_dir)
    return twin


def front(request: Request) -> Response:
    """Choose a courier, or type in its credentials."""
    book: Book = request.app.state.book
    accounts = book.accounts()
    waiting = {code: sum(m["unanswered"] for m in book.manifests(code)) for code in accounts}
    base_url = f"{settings().public_url}/partner/v1"
    return _screen(request, "front.html", accounts=accounts, waiting=waiting, base_url=base_url)


def board(request: Request) -> Response:
    """A courier's manifests and parcels."""
    book: Book = request.app.state.book
    account = book.accounts().get(request.path_params["courier"])
    if account is None:
        return _nothing(request, "There is no courier of that name here.")
    lines = [line for line in book.lines(account.courier) if line["answer"] != "rejected"]
    parcels = [line for line in lines if line["kind"] == "normal"]
    return _screen(
        request,
        "board.html",
        account=account,
        manifests=book.manifests(account.courier),
        recalls=[line for line in lines if line["kind"] == "cancelled" and not line["answer"]],
        groups=[(title, [one for one in parcels if one["state"] in states]) for title, states in GROUPS],
        exchanges=book.exchanges(account.courier),
    )


def parcel(request: Request) -> Response:
    """One parcel and the buttons that fit its state."""
    book: Book = request.app.state.book
    account = book.accounts().get(request.path_params["courier"])
    line = book.line(account.courier, request.path_params["line"]) if account else None
    if account is None or line is None:
        return _nothing(request, "There is no parcel of that name here.")
    return _screen(
        request,
        "parcel.html",
        account=account,
        line=line,
        next=NEXT.get(line["state"]),
        at_the_door=line["state"] in AT_THE_DOOR,
        # Sent with the form: pressed twice, one scan goes out twice and the shop calls the second a duplicate.
        event_id=secrets.token_hex(8),
        exchanges=book.exchanges(account.courier),
    )


def style(_request: Request) -> Response:
    return FileResponse(
        _FOLDER / "courier.css", media_type="text/css", headers={"Cache-Control": "max-age=300"}
    )


def pull(book: Book, account: Account, _request: Request, _form: _Form) -> tuple[str, int]:
    return f"/{account.courier}", client.pull(book, account)


def send_receipt(book: Book, account: Account, request: Request, _form: _Form) -> tuple[str, int]:
    """Accept every line of a manifest that has no answer yet."""
    number = request.path_params["number"]
    lines = [line for line in book.lines(account.courier, manifest=number) if not line["answer"]]
    if not lines:
        return f"/{account.courier}", 0
    return f"/{account.courier}", client.answer(book, account, number, lines, "accepted", "")


def send_answer(book: Book, account: Account, request: Request, form: _Form) -> tuple[str, int]:
    """Accept or reject one line."""
    line = book.line(account.courier, request.path_params["line"])
    if line is None:
        return f"/{account.courier}", 0
    result = "rejected" if form.get("result") == "rejected" else "accepted"
    reason = form.get("reason", "").strip() or ("not served" if result == "rejected" else "")
    return _page_of(account, line), client.answer(book, account, line["manifest"], [line], result, reason)


def send_scan(book: Book, account: Account, request: Request, form: _Form) -> tuple[str, int]:
    line = book.line(account.courier, request.path_params["line"])
    if line is None:
        return f"/{account.courier}", 0
    said = client.scan(
        book,
        account,
        line,
        form.get("status", ""),
        event_id=form.get("event_id") or secrets.token_hex(8),
        door_code=form.get("door_code", "").strip(),
        note=form.get("note", ""),
    )
    return _page_of(account, line), said


async def keep_account(request: Request) -> Response:
    """Credentials typed in; they win over the preset ones."""
    if _from_elsewhere(request):
        return PlainTextResponse("Press the button on this twin's own page.", 403)
    form = {key: str(value).strip() for key, value in (await request.form()).items()}
    code = form.get("courier", "").upper()
    fields = [form.get(name, "") for name in ("base_url", "client_id", "client_secret")]
    if not (
        code.isascii() and code.isalnum() and all(fields) and fields[0].startswith(("http://", "https://"))
    ):
        return _nothing(
            request, "Give the courier's code, an http address, client_id and client_secret.", 422
        )
    book: Book = request.app.state.book
    await run_in_threadpool(book.keep_account, Account(code, fields[0].rstrip("/"), fields[1], fields[2]))
    return RedirectResponse(f"{_home(request)}/{code}", 303)


async def _act(work: _Work, request: Request) -> Response:
    """Do a form's work in a thread, then show the page that says what came back."""
    if _from_elsewhere(request):
        return PlainTextResponse("Press the button on this twin's own page.", 403)
    form = {key: str(value) for key, value in (await request.form()).items()}

    def run() -> tuple[str, int] | None:
        book: Book = request.app.state.book
        account = book.accounts().get(request.path_params["courier"])
        return work(book, account, request, form) if account else None

    done = await run_in_threadpool(run)
    if done is None:
        return _nothing(request, "There is no courier of that name here.")
    page, said = done
    return RedirectResponse(f"{_home(request)}{page}" + (f"?said={said}" if said else ""), 303)


def _page_of(account: Account, line: dict[str, Any]) -> str:
    return f"/{account.courier}/parcels/{line['id']}"


def _from_elsewhere(request: Request) -> bool:
    return request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")


def _home(request: Request) -> str:
    """The path this twin is mounted at, without a slash at its end: every link starts with it."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def _nothing(request: Request, sentence: str, status: int = 404) -> Response:
    return _screen(request, "nothing.html", status, sentence=sentence)


def _screen(request: Request, name: str, status: int = 200, **shown: Any) -> Response:
    book: Book = request.app.state.book
    said = book.exchange(request.path_params.get("courier", ""), request.query_params.get("said", ""))
    page = _SCREENS.get_template(name).render(home=_home(request), names=_NAMES, said=said, **shown)
    return HTMLResponse(page, status, {"Cache-Control": "no-store"})
