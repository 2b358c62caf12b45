"""Checkout: one page from a held number to an order, where nothing typed is lost."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import addresses, claims, offers, orders, placing, prices
from checkout.models import Offer
from inventory import drops, holds, numbers
from inventory.facts import Lapsed, Ordered
from inventory.holds import Hold
from inventory.models import Drop
from kyc import id_number, names, people
from logistics.parcels import Receiver
from runtime import clock
from runtime.db import reading
from runtime.facts import N_, Fact, Invalid, NotFound, TooMany, Unavailable
from storefront import forms, i18n, shown, words
from storefront.forms import Form, page
from storefront.rendering import render

LABELS = {
    "name": N_("Name as on the ID card"),
    "id_number": N_("ID number"),
    "receiver_name": N_("Recipient"),
    "mobile": N_("Mobile number for the courier"),
    "city": N_("Province and city"),
    "district": N_("District or county"),
    "address": N_("Street, house, room"),
    "payment": N_("How you pay"),
    "consent": N_("Agreement"),
}
KNOWN = (
    "known"  # the form's holder is the account's verified person, and what is typed about another is ignored
)
HINTS = {
    "card": N_("Visa, Mastercard, UnionPay"),
    "alipay": N_("You confirm in Alipay"),
    "wechat_pay": N_("You scan a code with WeChat"),
    "cod": N_("You pay the courier"),
}


@dataclass(frozen=True)
class Counter:
    """What lies on the counter: the hold, its drop and offer, and the price."""

    hold: Hold
    drop: Drop
    offer: Offer
    quote: prices.Quote
    city: str


@page("GET", "/checkout/{hold}", login=True, name="checkout")
def checkout(request: Request, form: Form) -> Response:
    hold_id, account = request.path_params["hold"], request.state.account
    try:
        with reading() as session:
            if placed := claims.order_of_hold(session, hold_id):
                orders.find(session, placed, account.id)
                return RedirectResponse(f"/orders/{placed}", 303)
            counter = _counter(session, hold_id, account.id)
            fresh = {"key": secrets.token_urlsafe(16), "payment": "card", "holder": KNOWN}
            fresh |= _last(session, account.id) or {"mobile": account.phone}
    except (Lapsed, NotFound):
        return _over(request, hold_id)
    return _show(request, counter, fresh, {})


def _last(session: Session, account: str) -> Form:
    """The receiver's fields as in the account's last order."""
    last = addresses.last(session, account)
    if last is None:
        return {}
    kept = {"mobile": last.mobile, "city": last.city, "district": last.district, "address": last.address}
    return {"receiver_name": last.name, **kept, "from_last": "yes"}


@page("POST", "/checkout/{hold}", login=True, name="place")
def place(request: Request, form: Form) -> Response:
    """Place the order; the key in the form makes a second press the same order."""
    hold_id, account = request.path_params["hold"], request.state.account
    try:
        errors = _mistakes(form)
        if errors:
            raise Invalid(**errors)
        order = orders.place(
            account=account.id, phone=account.phone, hold_id=hold_id, key=form.get("key", ""),
            request=_request(form),
        )  # fmt: skip
    except Invalid as wrong:
        named = {_field(name): sentence for name, sentence in wrong.errors.items()}
        # Too young, or nobody is verified: the way on is to name another person.
        shown_form = {**form, "holder": "other"} if {"name", "id_number"} & named.keys() else form
        return _again(request, hold_id, shown_form, named, None, 422)
    except Ordered as fact:
        return RedirectResponse(f"/orders/{fact.details['order']}", 303)
    except Lapsed:
        return _over(request, hold_id)
    except (Unavailable, TooMany, placing.KeyReused) as fact:
        # The same key goes back into the form: pressing again finishes the same order. After KeyReused a new one.
        kept = {**form, "key": secrets.token_urlsafe(16)} if isinstance(fact, placing.KeyReused) else form
        return _again(request, hold_id, kept, {}, fact, 429 if isinstance(fact, TooMany) else 503)
    except NotFound:
        raise
    except Fact as fact:
        return _again(request, hold_id, form, {}, fact, 409)
    return RedirectResponse(f"/orders/{order.id}", 303)


def _mistakes(form: Form) -> dict[str, str]:
    """Everything that can be said about the form at once, so that nobody corrects it twice."""
    errors: dict[str, str] = {}
    asked = _request(form)
    checks: list[Callable[[], object]] = [lambda: placing.check_receiver(asked.receiver)]
    if form.get("holder") != KNOWN:
        today = clock.shanghai_date()
        checks = [
            lambda: names.normalise(asked.name),
            lambda: id_number.parse(asked.id_number, today),
            *checks,
        ]
    for check in checks:
        try:
            check()
        except Invalid as wrong:
            errors |= wrong.errors
    if form.get("payment") not in words.METHODS:
        errors["payment"] = N_("Choose how you want to pay.")
    if form.get("consent") != "yes":
        errors["consent"] = N_("Please agree to the terms to place the order.")
    return errors


def _request(form: Form) -> orders.OrderRequest:
    typed = {name: form.get(name, "").strip() for name in LABELS}
    if form.get("holder") == KNOWN:
        typed |= {"name": "", "id_number": ""}
    receiver = Receiver(
        name=typed["receiver_name"] or typed["name"],
        mobile=typed["mobile"],
        province="",
        city=typed["city"],
        district=typed["district"],
        address=typed["address"],
    )
    return orders.OrderRequest(
        name=typed["name"], id_number=typed["id_number"], receiver=receiver, payment=typed["payment"]
    )


def _field(name: str) -> str:
    """The field on the page for a field of the request."""
    return {"receiver.name": "receiver_name"}.get(name, name.removeprefix("receiver."))


def _counter(session: Session, hold_id: str, account: str) -> Counter:
    """Raises NotFound (a stranger's hold too) or Lapsed."""
    hold = holds.find(hold_id)
    if hold.account != account:
        raise NotFound
    if hold.state != "held" or hold.expires_at <= clock.now():
        raise Lapsed
    number = numbers.facts_of(session, hold.number)
    offer = offers.find(session, hold.offer)
    price = prices.quote(offers.facts(offer), placing.number_facts(number))
    return Counter(hold, drops.find(session, hold.drop), offer, price, number.city)


def _again(
    request: Request, hold_id: str, form: Form, errors: dict[str, str], problem: Fact | None, status: int
) -> Response:
    try:
        with reading() as session:
            counter = _counter(session, hold_id, request.state.account.id)
    except (Lapsed, NotFound):
        return _over(request, hold_id)
    return _show(request, counter, form, errors, problem, status)


def _show(
    request: Request,
    counter: Counter,
    form: Form,
    errors: dict[str, str],
    problem: Fact | None = None,
    status: int = 200,
) -> Response:
    with i18n.speaking(request.state.lang), reading() as session:
        offer = shown.offer(counter.offer, {}, {})
        person = people.of_account(session, request.state.account.id)
        given: dict[str, Any] = {
            "hold_id": counter.hold.id,
            "person": person if person and person.state == "verified" else None,
            "number": counter.hold.number,
            "quote": counter.quote,
            "plan_name": offer.plan,
            "handset_name": offer.handset,
            "city_name": shown.city_name(counter.city),
            "provinces": shown.provinces(session),
            "methods": methods(cod=counter.drop.cod),
            "labels": {name: i18n.gettext(label) for name, label in LABELS.items()},
        }
    return render(request, "checkout.html", status, form=form, errors=errors, problem=problem, **given)


def methods(*, cod: bool) -> list[tuple[str, str, str]]:
    """Code, name and hint of each way to pay."""
    return [
        (code, i18n.gettext(name), i18n.gettext(HINTS[code]))
        for code, name in words.METHODS.items()
        if cod or code != "cod"
    ]


def _over(request: Request, hold_id: str) -> Response:
    try:
        back = f"/drops/{holds.drop_of(hold_id)}"
    except Fact:
        back = "/"
    return render(request, "hold_over.html", 410, back=back)


routes = forms.routes([checkout, place])
