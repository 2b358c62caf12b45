"""Reserving a coming handset: its page, one's own reservation, and the draw for anybody to check."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import catalogue
from inventory import drops
from logistics import regions
from runtime.db import reading
from runtime.facts import N_, Fact, Invalid, NotFound
from storefront import address_form, forms, i18n, reservation_turns, reservations, shown
from storefront.forms import Form, page
from storefront.rendering import render

_LABELS = {"sku": N_("Colour and storage"), "city": N_("City")}


@page("GET", "/reservations/{campaign}", name="reservation")
def campaign_page(request: Request, form: Form) -> Response:
    return _show(request)


@page("POST", "/reservations/{campaign}", login=True, name="reserve")
def reserve(request: Request, form: Form) -> Response:
    """One a person: pressing twice, or on another account, shows the first."""
    campaign = request.path_params["campaign"]
    wish = reservations.Wish(campaign, request.state.account.id, form.get("sku", ""), form.get("city", ""))
    try:
        reservations.register(wish)
    except NotFound:
        raise
    except Invalid as wrong:
        return _show(request, form, 422, errors=wrong.errors)
    except Fact as fact:
        return _show(request, form, 409, problem=fact)
    return RedirectResponse(f"/reservations/{campaign}", 303)


@page("POST", "/reservations/{campaign}/cancellation", login=True, name="unreserve")
def cancel(request: Request, form: Form) -> Response:
    campaign = request.path_params["campaign"]
    try:
        reservations.cancel(campaign, request.state.account.id)
    except NotFound:
        raise
    except Fact as fact:
        return _show(request, form, 409, problem=fact)
    return RedirectResponse(f"/reservations/{campaign}", 303)


@page("GET", "/reservations/{campaign}/draw", name="reservation_draw")
def draw(request: Request, form: Form) -> Response:
    """The figures of the draw, checked in the reader's own browser."""
    account = request.state.account
    with i18n.speaking(request.state.lang), reading() as session:
        found = reservations.find(session, request.path_params["campaign"])
        if found.rule != "draw":
            raise NotFound(N_("This handset goes to those who come first; nothing is drawn."))
        mine = reservations.of_account(session, found.id, account.id) if account else None
        handset = catalogue.current(session).handset[found.handset]
        held = reservation_turns.summary(found)
        about = {
            "id": found.id, "name": shown.name_of(handset), "href": f"/reservations/{found.id}",
            "at": found.closes_at, "reserved": True, "api": f"/api/v1/reservations/{found.id}/draw",
        }  # fmt: skip
    ticket, place = (mine.ticket, mine.place) if mine else ("", None)
    return render(request, "draw.html", about=about, draw=held, mine=ticket, place=place)


def _show(
    request: Request,
    form: Form | None = None,
    status: int = 200,
    *,
    errors: dict[str, str] | None = None,
    problem: Fact | None = None,
) -> Response:
    account = request.state.account
    with i18n.speaking(request.state.lang), reading() as session:
        found = reservations.find(session, request.path_params["campaign"])
        now, stock = catalogue.current(session), drops.skus(session, found.drop_id)
        handset, mine = now.handset[found.handset], None
        if account:
            mine = reservations.of_account(session, found.id, account.id)
        given: dict[str, Any] = {
            "campaign": found,
            "state": reservations.face(found),
            "drop_opens_at": drops.find(session, found.drop_id).opens_at,
            "model": shown.name_of(handset),
            "shape": handset.shape,
            "skus": [(one, shown.variant(one)) for one in now.skus_of(handset.code) if one.code in stock],
            "pieces": sum(stock.values()),
            "count": reservations.count(session, found.id),
            "mine": mine if mine and mine.state != "cancelled" else None,
            "mine_variant": shown.variant(now.sku[mine.sku]) if mine else "",
            "mine_city": regions.city_name(mine.city) if mine else "",
            "labels": {name: i18n.gettext(label) for name, label in _LABELS.items()},
            **address_form.choices(session, ""),
        }
    return render(
        request, "reservation.html", status, form=form or {}, errors=errors or {}, problem=problem, **given
    )


routes = forms.routes([campaign_page, reserve, cancel, draw])
