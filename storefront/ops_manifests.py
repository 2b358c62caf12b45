"""The ops console's manifests: what waits for which courier, cutting one now, and all that were cut."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from logistics import couriers, manifests
from logistics.models import Manifest, Parcel
from runtime.db import reading, writing
from runtime.facts import N_
from storefront import forms, i18n, shown
from storefront.forms import Form, ops_page
from storefront.rendering import render

_STATES = {
    "open": N_("Open"),
    "sealed": N_("Sealed"),
    "pulled": N_("Pulled"),
    "acknowledged": N_("Acknowledged"),
    "closed": N_("Closed"),
}


@ops_page("GET", "/ops/manifests", name="ops_manifests")
def listing(request: Request, form: Form) -> Response:
    with i18n.speaking(request.state.lang), reading() as session:
        newest = (
            select(Manifest).where(Manifest.state != "open").order_by(Manifest.sealed_at.desc()).limit(100)
        )
        given: dict[str, Any] = {
            "couriers": _waiting(session),
            "manifests": list(session.scalars(newest)),
            "states": {state: i18n.gettext(name) for state, name in _STATES.items()},
            "done": _told(request.query_params.get("cut")),
        }
    return render(request, "ops/manifests.html", problem=None, **given)


@ops_page("POST", "/ops/manifests/{courier}", needs="launch", name="ops_cut")
def cut(request: Request, form: Form) -> Response:
    with writing() as session:
        made = manifests.cut(session, request.path_params["courier"])
    return RedirectResponse(f"/ops/manifests?cut={made.number if made else ''}", 303)


def _waiting(session: Session) -> list[dict[str, Any]]:
    query = select(Parcel.courier, func.count()).where(Parcel.state == "created").group_by(Parcel.courier)
    counts: dict[str, int] = {courier: count for courier, count in session.execute(query)}  # noqa: C416
    return [
        {"code": one.code, "name": shown.name_of(one), "waiting": counts.get(one.code, 0)}
        for one in couriers.listing(session)
    ]


def _told(number: str | None) -> str:
    if number is None:
        return ""
    if not number:
        return i18n.gettext("Nothing was waiting, so no manifest was cut.")
    return i18n.gettext("Manifest %(number)s is cut.") % {"number": number}


routes = forms.routes([listing, cut])
