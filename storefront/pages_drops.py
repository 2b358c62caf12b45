"""A drop's page: its state, what it offers, its numbers; picking one, and letting it go again."""

import secrets
from functools import partial
from typing import Any, Unpack
from urllib.parse import urlencode

from anyio import from_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import offers
from inventory import drops, holds, queueing, shelf
from inventory.facts import (
    DropClosed,
    DropPaused,
    Lapsed,
    LimitReached,
    NotAdmitted,
    NotOpen,
    Ordered,
    SoldOut,
    Stale,
    Taken,
)
from runtime.db import reading
from runtime.facts import Fact, Invalid, NotFound, Unavailable
from storefront import (
    api_drops,
    api_queue,
    bundles,
    favourites,
    filters,
    forms,
    i18n,
    live_hold,
    reservation_turns,
    shown,
)
from storefront.forms import Form, page
from storefront.pages_home import local
from storefront.rendering import render
from storefront.reservations import NotReserved

SHOWN_AT_ONCE = 18
# `has`, not `contains`: a field of that name would hide the form's own contains() in the browser.
FIND = ("city", "pattern", "has", "ending", "segment", "birthday", "no4", "love", "lucky", "couple")
_REFUSED = {"not_open": 425, "stale": 503, "invalid": 422, "not_reserved": 403}
_ANSWERED_HERE = (NotReserved, Taken, SoldOut, LimitReached, NotOpen, DropClosed, DropPaused, Stale)


@page("GET", "/drops/{drop}", name="drop")
def drop_page(request: Request, form: Form) -> Response:
    return show(request, dict(request.query_params))


@page("GET", "/drops/{drop}/live", name="drop_live")
def live(request: Request, form: Form) -> Response:
    """The state and the stock alone, fetched again by the open page."""
    with i18n.speaking(request.state.lang), reading() as session:
        seen = shown.drop(public(drops.find(session, request.path_params["drop"])))
    return render(request, "_drop_status.html", drop=seen)


@page("POST", "/drops/{drop}/holds", name="pick")
def pick(request: Request, form: Form) -> Response:
    """Hold a number. Who is not signed in does that first, and finds the choice again afterwards."""
    drop_id, number, offer = request.path_params["drop"], form.get("number", ""), form.get("offer", "")
    query = {name: form[name] for name in (*FIND, "seed") if form.get(name)}
    if request.state.account is None:
        back = f"/drops/{drop_id}?{urlencode({**query, 'offer': offer, 'pick': number})}"
        return RedirectResponse(f"/login?{urlencode({'next': back})}", 303)
    account = request.state.account.id
    with reading() as session:
        chosen = offers.find(session, offer)
        public(drops.find(session, drop_id))
        if chosen.drop_id != drop_id:
            raise NotFound
    try:
        hold = from_thread.run(
            partial(
                _hold,
                drop_id,
                token=holds.new_token(drop_id, account, secrets.token_urlsafe(12)),
                account=account,
                person=request.state.identity.person,
                number=number,
                offer=offer,
                sku=chosen.sku_code or "",
            )
        )
    except NotAdmitted:
        return RedirectResponse(f"/drops/{drop_id}/queue", 303)
    except _ANSWERED_HERE as fact:
        return show(request, {**query, "offer": offer}, refused=fact, wanted=number)
    return RedirectResponse(f"/checkout/{hold.id}", 303)


async def _hold(drop_id: str, **wished: Unpack[holds.Wished]) -> holds.Hold:
    """Past the queue, if there is one, and then as the stock decides."""
    if refused := await queueing.gate(drop_id, wished["account"]):
        raise refused
    if reservation_turns.is_gated(drop_id) and (
        refused := await api_drops.turn(drop_id, wished["account"], wished["sku"])
    ):
        raise refused
    held = await holds.hold(drop_id, **wished)
    queueing.bought(drop_id, wished["account"])
    return held


@page("POST", "/holds/{hold}/release", login=True, name="release")
def release(request: Request, form: Form) -> Response:
    hold_id = request.path_params["hold"]
    try:
        holds.release(hold_id, request.state.account.id)
        back = f"/drops/{holds.drop_of(hold_id)}"
    except Ordered as fact:
        back = f"/orders/{fact.details['order_id']}" if "order_id" in fact.details else "/account"
    except (NotFound, Lapsed):
        back = "/"
    return RedirectResponse(local(back), 303)


def show(
    request: Request, query: dict[str, str], *, refused: Fact | None = None, wanted: str = ""
) -> Response:
    """The page of a drop for a search; with `refused`, why the number `wanted` could not be held."""
    with i18n.speaking(request.state.lang):
        given = contents(request, query)
        alternatives, notice = [], None
        if refused is not None:
            notice = _notice(request, refused, wanted)
            if isinstance(refused, Taken) and wanted and given["offer"]:
                near = shelf.similar(request.path_params["drop"], wanted, limit=6)
                alternatives = [shown.number(one, given["offer"]) for one in near]
    status = _REFUSED.get(refused.code, 409) if refused else given.pop("status", 200)
    given.pop("status", None)
    place = turn(request)
    barred = place is not None and place.state != "inside"
    return render(
        request,
        "drop.html",
        status,
        **given,
        alternatives=alternatives,
        notice=notice,
        turn=place,
        barred=barred,
    )


def turn(request: Request) -> queueing.Place | None:
    """Where the shopper stands, if people must queue for this drop now and it is not over."""
    drop_id, account = request.path_params["drop"], request.state.account
    asked = partial(
        queueing.turn, drop_id, account.id if account else "", api_queue.signed_place(request, drop_id)
    )
    try:
        return from_thread.run(asked)
    except Unavailable:
        return None


def contents(request: Request, query: dict[str, str], only: str = "") -> dict[str, Any]:
    """What the page of a drop shows for a search; `only`: of its offers those with one handset."""
    drop_id = request.path_params["drop"]
    with reading() as session:
        seen = shown.drop(public(drops.find(session, drop_id)))
        find = {name: query.get(name, "").strip() for name in FIND}
        seed = query.get("seed", "")[:16] or secrets.token_hex(4)
        kept = {name: value for name, value in {**find, "seed": seed}.items() if value}
        found = offers.of_drop(session, drop_id)
        if only:
            found = [one for one in found if offers.facts(one).handset == only]
        stock = seen.tally.skus or {}
        wanted = [one for one in found if only or one.kind == "card" or one.id == query.get("offer")]
        choices = [shown.offer(one, stock, kept) for one in wanted or found[:1]]
        account = request.state.account
        marked = favourites.of_drop(session, account.id, drop_id) if account and seen.shown else []
    chosen = next((one for one in choices if one.id == query.get("offer")), choices[0] if choices else None)
    numbers, errors = _numbers(seen, find, seed) if chosen and seen.shown else ([], {})
    another = {**find, "offer": chosen.id if chosen else "", "seed": secrets.token_hex(4)}
    return {
        "status": 422 if errors else 200,
        "drop": seen,
        "offers": [one for one in choices if one.kind == "card"],
        "models": bundles.models(found, stock),
        "kept": f"?{urlencode(kept)}",
        "offer": chosen,
        "numbers": [shown.number(one, chosen) for one in numbers] if chosen else [],
        "favourites": [shown.favourite(one, chosen) for one in marked] if chosen else [],
        "marked": {one.number.number for one in marked},
        "find": {**find, "query": kept},
        "errors": errors,
        "patterns": shown.pattern_options(),
        "another": f"?{urlencode({name: value for name, value in another.items() if value})}",
        "pick": digits(query.get("pick", "")),
        "refresh_seconds": 10,
    }


def _numbers(seen: shown.ShownDrop, find: dict[str, str], seed: str) -> tuple[list[Any], dict[str, str]]:
    try:
        wished = filters.wished({**find, "contains": find["has"]})
        return list(shelf.search(seen.id, limit=SHOWN_AT_ONCE, seed=seed, **wished)), {}
    except Invalid as wrong:
        return [], {"has" if name == "contains" else name: text for name, text in wrong.errors.items()}
    except Unavailable:
        return [], {}


def _notice(request: Request, fact: Fact, wanted: str) -> dict[str, Any]:
    """Why the pick did not work, and what to do instead."""
    notice: dict[str, Any] = {
        "tone": "warn",
        "title": i18n.sentence(fact),
        "text": "",
        "href": "",
        "link": "",
    }
    if isinstance(fact, Taken):
        notice["title"] = i18n.gettext("%(number)s was taken a moment ago.") % {"number": _spaced(wanted)}
        notice["text"] = i18n.gettext("Nothing is lost: pick another one.")
    elif isinstance(fact, Invalid):
        notice["title"] = i18n.gettext(next(iter(fact.errors.values())))
    elif isinstance(fact, NotReserved):
        notice["href"] = f"/reservations/{fact.details['campaign']}"
        notice["link"] = i18n.gettext("My reservation")
    elif isinstance(fact, LimitReached):
        hold = live_hold.of(request.state.account.id)
        notice["href"] = f"/checkout/{hold.id}" if hold else "/account"
        notice["link"] = i18n.gettext("Go on to checkout") if hold else i18n.gettext("See my orders")
    return notice


def _spaced(number: str) -> str:
    return f"{number[:3]} {number[3:7]} {number[7:]}"


def digits(text: str) -> str:
    return text if len(text) == 11 and text.isascii() and text.isdigit() else ""


def public_drop(drop_id: str) -> None:
    """Raises NotFound for a drop that shoppers must not see."""
    with reading() as session:
        public(drops.find(session, drop_id))


def public(drop: Any) -> Any:
    """A draft is nobody's business but staff's."""
    if drop.state == "draft":
        raise NotFound
    return drop


routes = forms.routes([drop_page, live, pick, release])
