"""Getting ready before a drop: identity, address and payment are settled, so that two taps buy a number."""

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import addresses, prepared
from kyc import people
from runtime.db import reading, writing
from runtime.facts import N_, Fact, Invalid, TooMany
from runtime.settings import settings
from storefront import address_form, forms, i18n
from storefront.forms import Form, page
from storefront.pages_checkout import LABELS, methods
from storefront.rendering import render

_SAVED = N_("Saved. The next order has it all filled in.")


@page("GET", "/account/ready", login=True, name="ready")
def ready(request: Request, form: Form) -> Response:
    return _show(request, None, {})


@page("POST", "/account/ready", login=True, name="prepare")
def prepare(request: Request, form: Form) -> Response:
    """Keep address and payment, and have a typed identity checked; nothing of it is lost by a mistake in another."""
    if form.get("split"):
        filled, unsure = address_form.split(form)
        return _show(request, filled, unsure)
    if form.get("look"):
        return _show(request, form, {})
    account = request.state.account.id
    wrong: dict[str, str] = {}
    try:
        prepared.save(account, address_form.receiver(form), form.get("payment", ""))
    except Invalid as error:
        wrong |= {address_form.field(name): sentence for name, sentence in error.errors.items()}
    try:
        wrong |= _identity(account, form)
    except TooMany as fact:
        return _show(request, form, wrong, fact, 429)
    if wrong:
        return _show(request, form, wrong, None, 422)
    return RedirectResponse("/account/ready?done=saved", 303)


def _identity(account: str, form: Form) -> dict[str, str]:
    """Enrol who was typed, if anybody; what is wrong with it. Raises TooMany."""
    name, id_number = form.get("name", "").strip(), form.get("id_number", "").strip()
    if not name and not id_number:
        return {}
    if form.get("consent") != "yes":
        return {"consent": N_("Please agree to the check of your identity.")}
    try:
        with writing() as session:
            people.enrol(session, account, name, id_number, min_age=settings().min_age_card)
    except Invalid as error:
        return dict(error.errors)
    return {}


def _show(
    request: Request,
    form: Form | None,
    errors: dict[str, str],
    problem: Fact | None = None,
    status: int = 200,
) -> Response:
    account = request.state.account
    with i18n.speaking(request.state.lang), reading() as session:
        kept, person = prepared.of_account(session, account.id), people.of_account(session, account.id)
        if form is None:
            last = addresses.last(session, account.id)
            fresh = address_form.ready(kept) if kept else address_form.fields(last) if last else {}
            form = {"mobile": account.phone, "payment": "card", **fresh}
        given: dict[str, Any] = {
            "person": person,
            "kept": kept,
            "form": form,
            **address_form.choices(session, form.get("city", "")),
            "methods": methods(cod=True),
            "labels": {name: i18n.gettext(label) for name, label in LABELS.items()},
        }
    done = _SAVED if request.query_params.get("done") == "saved" else ""
    return render(request, "ready.html", status, errors=errors, problem=problem, done=done, **given)


routes = forms.routes([ready, prepare])
