"""An order's page: where it stands, what to do next, its contract, and undoing it."""

from typing import Any

from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import addresses, contracts, offers, orders, prices
from checkout.models import Contract, Order, OrderEvent
from inventory import numbers
from logistics import couriers, parcels, regions, warehouse
from logistics.models import Courier, Parcel
from runtime.db import reading, writing
from runtime.facts import N_, Fact, NotFound
from storefront import forms, i18n, order_steps, reviews, shown, words
from storefront.forms import Form, page
from storefront.pages_checkout import methods
from storefront.rendering import render

_WAITING = {
    "created": 2,
    "awaiting_kyc": 2,
    "cancel_requested": 3,
    "reversing": 3,
    "paid": 15,
    "cod_confirmed": 15,
    "allocated": 15,
    "account_opened": 15,
    "packed": 30,
    "shipped": 30,
    "delivered": 15,
    "refunding": 15,
}  # seconds after which the page looks again by itself, where nothing is to be typed
_CANCELLABLE = frozenset(
    {"awaiting_kyc", "awaiting_payment", "paid", "cod_confirmed", "allocated", "account_opened", "packed"}
)
_DONE = {
    "signed": N_("Signed. Thank you."),
    "code": N_("The code is on its way to your phone."),
    "reviewed": N_("Thank you for your review."),
    "paying": N_("The payment is being confirmed. This takes a few seconds."),
}


@page("GET", "/orders/{order}", login=True, name="order")
def order_page(request: Request, form: Form) -> Response:
    return show(request)


@page("POST", "/orders/{order}/signature-code", login=True, name="signature_code")
def send_signature_code(request: Request, form: Form) -> Response:
    order_id = request.path_params["order"]
    try:
        with writing() as session:
            contracts.send_code(session, orders.find(session, order_id, request.state.account.id))
    except NotFound:
        raise
    except Fact as fact:
        return show(request, problem=fact)
    return RedirectResponse(f"/orders/{order_id}?done=code#sign", 303)


@page("POST", "/orders/{order}/signature", login=True, name="signature")
def sign(request: Request, form: Form) -> Response:
    order_id = request.path_params["order"]
    try:
        contracts.sign(order_id, form.get("code", "").strip(), request.state.account.id)
    except contracts.WrongCode as wrong:
        return show(request, errors={"code": wrong.sentence})
    except NotFound:
        raise
    except Fact as fact:
        return show(request, problem=fact)
    return RedirectResponse(f"/orders/{order_id}?done=signed", 303)


@page("GET", "/orders/{order}/contract.pdf", login=True, name="contract_pdf")
def contract_pdf(request: Request, form: Form) -> Response:
    order = _mine(request)
    paper = contracts.pdf(order.id, f"account:{order.account}", "the shopper reads the contract")
    return Response(
        paper,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="haoka-{order.id}.pdf"',
            "Cache-Control": "no-store",
        },
    )


@page("GET", "/orders/{order}/receipt", login=True, name="receipt")
def receipt(request: Request, form: Form) -> Response:
    """What was paid, for printing; there is none before money came."""
    order = _mine(request)
    if order.paid_at is None:
        raise NotFound(N_("There is a receipt once the order is paid."))
    with i18n.speaking(request.state.lang), reading() as session:
        offer, seller = shown.offer(offers.find(session, order.offer_id), {}, {}), warehouse.sender(session)
    return render(
        request, "receipt.html", order=order, quote=prices.thaw(order.price), plan_name=offer.plan,
        handset_name=offer.handset, seller=seller, method_name=words.METHODS.get(order.payment, order.payment),
    )  # fmt: skip


@page("POST", "/orders/{order}/cancellation", login=True, name="cancel")
def cancel(request: Request, form: Form) -> Response:
    order_id, account = request.path_params["order"], request.state.account.id
    try:
        orders.cancel(order_id, f"account:{account}", "cancelled by the shopper", account)
    except NotFound:
        raise
    except Fact as fact:
        return show(request, problem=fact)
    return RedirectResponse(f"/orders/{order_id}", 303)


def show(
    request: Request,
    *,
    problem: Fact | None = None,
    errors: dict[str, str] | None = None,
    typed: Form | None = None,
) -> Response:
    """The order's page, with what went wrong where something did, and what was typed there."""
    with i18n.speaking(request.state.lang), reading() as session:
        order = orders.find(session, request.path_params["order"], request.state.account.id)
        given = _contents(session, order, request.query_params.get("done", ""))
    status = 200 if not (problem or errors) else 422 if errors else 409
    return render(
        request,
        "order.html",
        status,
        problem=None if errors else problem,
        errors=errors or {},
        typed=typed or {},
        **given,
    )


def _contents(session: Session, order: Order, done: str) -> dict[str, Any]:
    contract = contracts.of_order(session, order.id)
    offer = shown.offer(offers.find(session, order.offer_id), {}, {})
    events = orders.timeline(session, order.id)
    parcel = parcels.of_order(session, order.id)
    open_now = order.state == "awaiting_payment"
    to_sign = open_now and contract is not None and contract.signed_at is None
    to_pay = open_now and contract is not None and contract.signed_at is not None and order.payment != "cod"
    waiting = 2 if open_now and contract is None else _WAITING.get(order.state, 0)
    if done == "paying" and to_pay:
        waiting = 3
    return {
        "order": order,
        "word": words.TO_SIGN if open_now and not to_pay else words.of(order.state),
        "quote": prices.thaw(order.price),
        "plan_name": offer.plan,
        "handset_name": offer.handset,
        "city_name": shown.city_name(numbers.facts_of(session, order.number).city),
        "address": _address(order),
        "method_name": words.METHODS.get(order.payment, order.payment),
        "contract": contract and _paper(contract),
        "parcel": parcel and _parcel(session, parcel),
        "steps": order_steps.of(order, contract, events, parcel),
        "events": [_event(event) for event in events],
        "to_sign": to_sign,
        "code_sent": to_sign and contract is not None and contract.code_sent_at is not None,
        "to_pay": to_pay,
        "methods": methods(cod=False),
        "waiting": waiting,
        "busy": 0 < waiting <= 3,
        "done": _DONE.get(done, "") if done != "paying" or to_pay else "",
        "can_cancel": order.state in _CANCELLABLE,
        "review": reviews.of_order(session, order.id),
        "reviewable": order.state in reviews.DELIVERED,
        "goods": reviews.goods_of(session, order),
    }


def _address(order: Order) -> str:
    """Enough to know one's own address by, and no more: name, province, city, district, the rest starred."""
    to = addresses.receiver(order)
    place = regions.city_name(to.city)
    province = to.province if to.province != place else ""
    return f"{to.name[:1]}{'*' * max(1, len(to.name) - 1)}, {province}{place}{to.district}****"


def _paper(contract: Contract) -> dict[str, Any]:
    return {
        "signed_at": contract.signed_at,
        "sha256": contract.signed_sha256 or contract.draft_sha256,
    }


def _parcel(session: Session, parcel: Parcel) -> dict[str, str]:
    courier = next((one for one in couriers.listing(session) if one.code == parcel.courier), None)
    return {
        "courier": shown.name_of(courier) if isinstance(courier, Courier) else parcel.courier,
        "waybill": parcel.waybill or "",
    }


def _event(event: OrderEvent) -> dict[str, Any]:
    moved = event.from_state != event.to_state
    text = words.of(event.to_state).label if moved or not event.note else event.note
    return {"text": text, "note": event.note if moved else "", "at": event.at}


def _mine(request: Request) -> Order:
    """Raises NotFound for a stranger."""
    with reading() as session:
        return orders.find(session, request.path_params["order"], request.state.account.id)


routes = forms.routes([order_page, send_signature_code, sign, contract_pdf, receipt, cancel])
