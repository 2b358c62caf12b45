"""The front page, the server's clock, and the choice of language."""

from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from checkout import catalogue
from inventory import drops
from runtime import clock
from runtime.db import reading
from runtime.facts import NotFound
from runtime.settings import settings
from storefront import forms, i18n, reservations, shown
from storefront.forms import Form, page
from storefront.models import ReservationCampaign
from storefront.rendering import render


@page("GET", "/", name="home")
def home(request: Request, form: Form) -> Response:
    with i18n.speaking(request.state.lang), reading() as session:
        listed = shown.front(drops.listing(session))
        campaigns = [
            _campaign(session, one) for one in reservations.listing(session) if one.closes_at > clock.now()
        ]
    minutes = settings().hold_seconds // 60
    return render(request, "home.html", drops=listed, campaigns=campaigns, hold_minutes=minutes)


def _campaign(session: Session, found: ReservationCampaign) -> dict[str, Any]:
    handset = catalogue.current(session).handset[found.handset]
    swatches = [one.swatch for one in catalogue.current(session).skus_of(handset.code)]
    return {
        "id": found.id, "name": shown.name_of(handset), "shape": handset.shape, "swatches": swatches,
        "state": reservations.face(found), "opens_at": found.opens_at, "closes_at": found.closes_at,
    }  # fmt: skip


@page("GET", "/clock", name="clock")
def server_clock(request: Request, form: Form) -> Response:
    """The time, for browsers whose own clock is wrong."""
    return JSONResponse({"now": clock.epoch_ms(clock.now())}, headers={"Cache-Control": "no-store"})


@page("POST", "/lang/{code}", name="language")
def choose_language(request: Request, form: Form) -> Response:
    code = request.path_params["code"]
    if code not in i18n.LANGUAGES:
        raise NotFound
    answer = RedirectResponse(local(form.get("next", "")), 303)
    answer.set_cookie("lang", code, max_age=365 * 86_400, path="/", samesite="lax", secure=settings().secure)
    return answer


def local(address: str) -> str:
    """An address of our own to go on to; anything else, such as //other.example, means the front page."""
    # Browsers skip any number of slashes before a host: ///other.example is as foreign as //other.example.
    ours = address.startswith("/") and not address.startswith("//") and "\\" not in address
    return address if ours and address.isprintable() else "/"


routes = forms.routes([home, server_clock, choose_language])
