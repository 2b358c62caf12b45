"""Staff signing in and out of the ops console."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from runtime.facts import Invalid, TooMany
from storefront import forms, i18n, staff
from storefront.forms import Form, ops_page
from storefront.pages_home import local
from storefront.rendering import render


@ops_page("GET", "/ops/login", login=False, name="ops_login")
def login(request: Request, form: Form) -> Response:
    onward = _console(request.query_params.get("next", "/ops"))
    if request.state.ops:
        return RedirectResponse(onward, 303)
    return render(request, "ops/login.html", next=onward, form={}, errors={})


@ops_page("POST", "/ops/login", login=False, name="ops_enter")
def enter(request: Request, form: Form) -> Response:
    onward = _console(form.get("next", "/ops"))
    try:
        _, token = staff.log_in(form.get("login", "").strip(), form.get("password", ""))
    except Invalid as wrong:
        return render(request, "ops/login.html", 422, next=onward, form=form, errors=wrong.errors)
    except TooMany as fast:
        with i18n.speaking(request.state.lang):
            errors = {"password": i18n.sentence(fast)}
        return render(request, "ops/login.html", 429, next=onward, form=form, errors=errors)
    answer = RedirectResponse(onward, 303)
    staff.set_cookie(answer, token)
    return answer


@ops_page("POST", "/ops/logout", name="ops_leave")
def leave(request: Request, form: Form) -> Response:
    staff.log_out(request.cookies.get(staff.cookie_name(), ""))
    answer = RedirectResponse("/ops/login", 303)
    staff.clear_cookie(answer)
    return answer


def _console(address: str) -> str:
    onward = local(address)
    return onward if onward.startswith("/ops") else "/ops"


routes = forms.routes([login, enter, leave])
