"""The front page, the server's clock, and the choice of language."""

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from inventory import drops
from runtime import clock
from runtime.db import reading
from runtime.facts import NotFound
from runtime.settings import settings
from storefront import forms, i18n, shown
from storefront.forms import Form, page
from storefront.rendering import render


@page("GET", "/", name="home")
def home(request: Request, form: Form) -> Response:
    with i18n.speaking(request.state.lang), reading() as session:
        listed = shown.front(drops.listing(session))
    return render(request, "home.html", drops=listed, hold_minutes=settings().hold_seconds // 60)


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
