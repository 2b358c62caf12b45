"""Signing in with a code sent to the phone, and signing out."""

from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kyc import phones
from runtime.facts import Fact, Invalid, TooMany
from storefront import accounts, forms, i18n
from storefront.forms import Form, page
from storefront.pages_home import local
from storefront.rendering import render


@page("GET", "/login", name="login")
def login(request: Request, form: Form) -> Response:
    onward = local(request.query_params.get("next", "/"))
    if request.state.account:
        return RedirectResponse(onward, 303)
    return _ask_phone(request, onward, {}, {})


@page("POST", "/login", name="login_phone")
def send_code(request: Request, form: Form) -> Response:
    onward = local(form.get("next", "/"))
    draft = Response()
    bound = accounts.binding(request, draft)
    again = "again" in form
    try:
        phone = accounts.request_code(
            form.get("phone", ""), bound, address=request.client.host if request.client else ""
        )
    except Invalid as wrong:
        return _ask_phone(request, onward, form, wrong.errors, 422)
    except TooMany as fast:
        if not again:
            return _ask_phone(request, onward, form, {"phone": _told(request, fast)}, 429)
        return _ask_code(request, onward, form, {"code": _told(request, fast)}, status=429)
    answer = _ask_code(request, onward, {**form, "phone": phone}, {}, resent=again)
    answer.raw_headers.extend(header for header in draft.raw_headers if header[0] == b"set-cookie")
    return answer


@page("POST", "/login/code", name="login_code")
def enter_code(request: Request, form: Form) -> Response:
    onward = local(form.get("next", "/"))
    try:
        _, token = accounts.log_in(form.get("phone", ""), form.get("code", ""), accounts.binding(request))
    except Invalid as wrong:
        if "phone" in wrong.errors:
            return _ask_phone(request, onward, form, wrong.errors, 422)
        return _ask_code(request, onward, form, wrong.errors, status=422)
    answer = RedirectResponse(onward, 303)
    accounts.set_cookie(answer, token)
    return answer


@page("POST", "/logout", login=True, name="logout")
def logout(request: Request, form: Form) -> Response:
    accounts.log_out(accounts.token_of(request))
    answer = RedirectResponse("/", 303)
    accounts.clear_cookie(answer)
    return answer


def _ask_phone(
    request: Request, onward: str, form: Form, errors: dict[str, str], status: int = 200
) -> Response:
    return render(
        request, "login.html", status,
        step="phone", next=onward, form=form, errors=errors, chosen=_chosen(onward),
    )  # fmt: skip


def _ask_code(
    request: Request,
    onward: str,
    form: Form,
    errors: dict[str, str],
    *,
    resent: bool = False,
    status: int = 200,
) -> Response:
    try:
        masked = phones.mask(phones.normalise(form.get("phone", "")))
    except Invalid as wrong:
        return _ask_phone(request, onward, form, wrong.errors, 422)
    return render(
        request, "login.html", status,
        step="code", next=onward, form=form, errors=errors, resent=resent, phone_masked=masked,
    )  # fmt: skip


def _chosen(onward: str) -> str:
    """The number a shopper pressed before signing in; it travels in the address they return to."""
    picked = parse_qs(urlsplit(onward).query).get("pick", [""])[0]
    return picked if len(picked) == 11 and picked.isascii() and picked.isdigit() else ""


def _told(request: Request, fact: Fact) -> str:
    with i18n.speaking(request.state.lang):
        return i18n.sentence(fact)


routes = forms.routes([login, send_code, enter_code, logout])
