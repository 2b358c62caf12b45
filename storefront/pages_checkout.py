"""Checkout: one page from a held number to an order, where nothing typed is lost."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import addresses, claims, drafts, offers, orders, placing, prepared, prices
from checkout.catalogue_shape import Promotion
from checkout.models import Offer
from inventory import drops, holds, numbers
from inventory.facts import Lapsed, Ordered
from inventory.holds import Hold
from inventory.models import Drop
from kyc import id_number, names, people
from runtime import clock
from runtime.db import reading, writing
from runtime.facts import N_, Fact, Invalid, NotFound, TooMany, Unavailable
from runtime.settings import settings
from storefront import address_form, forms, i18n, shown, words
from storefront.forms import Form, page
from storefront.rendering import render

LABELS = {
    "name": N_("Name as on the ID card"),
    "id_number": N_("ID number"),
    **address_form.LABELS,
    "first_month": N_("First month"),
    "extras": N_("Extras"),
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
    """What lies on the counter: the hold, its drop and offer, what can be chosen with it, and the price."""

    hold: Hold
    drop: Drop
    offer: Offer
    terms: prices.OfferFacts
    extras: list[Promotion]
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
            fresh = {"key": secrets.token_urlsafe(16), "payment": "card", "holder": KNOWN}
            fresh |= _kept(session, account.id) or {"mobile": account.phone}
            counter = _counter(session, hold_id, account.id, fresh)
    except (Lapsed, NotFound):
        return _over(request, hold_id)
    return _show(request, counter, fresh, {})


@page("GET", "/checkout/{hold}/price", login=True, name="checkout_price")
def price(request: Request, form: Form) -> Response:
    """The price alone, for choices as they are made on the page."""
    chosen = dict(request.query_params)
    try:
        with reading() as session:
            counter = _counter(session, request.path_params["hold"], request.state.account.id, chosen)
    except Lapsed:
        raise NotFound from None
    return render(request, "_checkout_price.html", quote=counter.quote)


def _kept(session: Session, account: str) -> Form:
    """The fields as the account prepared them, else the receiver's as in its last order."""
    if ready := prepared.of_account(session, account):
        return {**address_form.ready(ready), "from": "prepared" if ready.whole else "typed"}
    last = addresses.last(session, account)
    return {**address_form.fields(last), "from": "last"} if last else {}


@page("POST", "/checkout/{hold}", login=True, name="place")
def place(request: Request, form: Form) -> Response:
    """Place the order; the key in the form makes a second press the same order."""
    hold_id, account = request.path_params["hold"], request.state.account
    if form.get("split"):
        filled, unsure = address_form.split(form)
        return _again(request, hold_id, filled, unsure, None, 200)
    if form.get("look"):
        return _again(request, hold_id, form, {}, None, 200)
    try:
        errors = _mistakes(form)
        if errors:
            raise Invalid(**errors)
        order = orders.place(
            account=account.id, phone=account.phone, hold_id=hold_id, key=form.get("key", ""),
            request=_request(form),
        )  # fmt: skip
    except Invalid as wrong:
        named = {address_form.field(name): sentence for name, sentence in wrong.errors.items()}
        # Too young, or nobody is verified: the way on is to name another person.
        shown_form = {**form, "holder": "other"} if {"name", "id_number"} & named.keys() else form
        return _again(request, hold_id, shown_form, named, None, 422)
    except Ordered as fact:
        return RedirectResponse(f"/orders/{fact.details['order']}", 303)
    except Lapsed:
        return _over(request, hold_id, form)
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
    if form.get("holder") != KNOWN and form.get("consent") != "yes":  # who is checked already agreed then
        errors["consent"] = N_("Please agree to the terms to place the order.")
    return errors


def _request(form: Form) -> orders.OrderRequest:
    typed = {name: form.get(name, "").strip() for name in LABELS}
    if form.get("holder") == KNOWN:
        typed |= {"name": "", "id_number": ""}
    receiver = address_form.receiver(form)
    if not receiver.name:
        receiver = replace(receiver, name=typed["name"])
    due = form.get("due", "")
    return orders.OrderRequest(
        name=typed["name"], id_number=typed["id_number"], receiver=receiver, payment=typed["payment"],
        first_month=form.get("first_month", ""), extras=_extras(form),
        due_now_fen=int(due) if due.isdecimal() else None,
    )  # fmt: skip


def _extras(form: Form) -> tuple[str, ...]:
    return tuple(name.removeprefix("extra_") for name in form if name.startswith("extra_"))


def _counter(session: Session, hold_id: str, account: str, form: Form) -> Counter:
    """With the choices of the form, as far as they are to be had. Raises NotFound (a stranger's hold too) or
    Lapsed."""
    hold = holds.find(hold_id)
    if hold.account != account:
        raise NotFound
    if hold.state != "held" or hold.expires_at <= clock.now():
        raise Lapsed
    drop, offer = drops.find(session, hold.drop), offers.find(session, hold.offer)
    number, terms = numbers.facts_of(session, hold.number), offers.facts(offer)
    person = people.of_account(session, account)
    who = drafts.audience(
        first_order=not orders.has_live(session, account),
        verified=form.get("holder") == KNOWN and person is not None and person.state == "verified",
    )
    facts, first_month = placing.number_facts(number), form.get("first_month", "")
    plain = drafts.choice("", (), who, hold, drop.hold_seconds)
    extras = [one for one in prices.fitting(terms, facts, plain) if one.kind == "bundle"]
    chosen = replace(
        plain,
        first_month=first_month if first_month in terms.first_months else "",
        extras=frozenset(_extras(form)) & {one.code for one in extras},
    )
    return Counter(hold, drop, offer, terms, extras, prices.quote(terms, facts, chosen), number.city)


def _again(
    request: Request, hold_id: str, form: Form, errors: dict[str, str], problem: Fact | None, status: int
) -> Response:
    try:
        with reading() as session:
            counter = _counter(session, hold_id, request.state.account.id, form)
    except (Lapsed, NotFound):
        return _over(request, hold_id, form)
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
            "first_months": first_months(counter.terms),
            "extras": [(one.code, shown.name_of(one), one.amount_fen) for one in counter.extras],
            "plan_name": offer.plan,
            "handset_name": offer.handset,
            "city_name": shown.city_name(counter.city),
            **address_form.choices(session, form.get("city", "")),
            "methods": methods(cod=counter.drop.cod),
            "labels": {name: i18n.gettext(label) for name, label in LABELS.items()},
        }
    return render(request, "checkout.html", status, form=form, errors=errors, problem=problem, **given)


def first_months(terms: prices.OfferFacts) -> list[tuple[str, str, str]]:
    """Code, name and hint of each way in which the month of joining may be charged."""
    units = prices.units(terms)
    return [
        (one, i18n.gettext(words.FIRST_MONTHS[one]), i18n.gettext(prices.FIRST_MONTHS[one]).format(**units))
        for one in terms.first_months
    ]


def methods(*, cod: bool) -> list[tuple[str, str, str]]:
    """Code, name and hint of each way to pay."""
    return [
        (code, i18n.gettext(name), i18n.gettext(HINTS[code]))
        for code, name in words.METHODS.items()
        if cod or code != "cod"
    ]


def _over(request: Request, hold_id: str, form: Form | None = None) -> Response:
    """The hold is over; what was typed is there again with the next number."""
    try:
        back = f"/drops/{holds.drop_of(hold_id)}"
    except Fact:
        back = "/"
    return render(request, "hold_over.html", 410, back=back, kept=_keep(request, form) if form else False)


def _keep(request: Request, form: Form) -> bool:
    """Keep what was typed for a number that is gone. Who agreed to be checked is enrolled; an ID number that cannot
    be, or without that agreement, is kept nowhere."""
    asked, account = _request(form), request.state.account.id
    prepared.keep(account, asked.receiver, asked.payment)
    if form.get("holder") != KNOWN and form.get("consent") == "yes":
        with suppress(Invalid, TooMany), writing() as session:
            people.enrol(session, account, asked.name, asked.id_number, min_age=settings().min_age_card)
    return True


routes = forms.routes([checkout, price, place])
