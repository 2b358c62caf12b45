"""Paying an order: the choice of method, the card page, and the way back from the payment provider."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import orders, payments
from runtime.db import reading
from runtime.facts import Fact, NotFound
from runtime.log import log
from runtime.settings import settings
from storefront import forms, pages_orders
from storefront.forms import Form, page
from storefront.rendering import render

ONLINE = ("card", "alipay", "wechat_pay")


@page("POST", "/orders/{order}/pay", login=True, name="start_payment")
def start_payment(request: Request, form: Form) -> Response:
    """Begin to pay: cards on our page with Stripe's fields, wallets at the wallet's own page."""
    order_id = request.path_params["order"]
    method = form.get("method", "card")
    if method not in ONLINE:
        return RedirectResponse(f"/orders/{order_id}", 303)
    try:
        with reading() as session:
            orders.payable(session, order_id, request.state.account.id)
        start = payments.start(order_id, method, _back_to(order_id))
    except NotFound:
        raise
    except Fact as fact:
        return pages_orders.show(request, problem=fact)
    return RedirectResponse(start.redirect_url or f"/orders/{order_id}/pay", 303)


@page("GET", "/orders/{order}/pay", login=True, name="pay")
def pay(request: Request, form: Form) -> Response:
    order_id = request.path_params["order"]
    try:
        with reading() as session:
            order = orders.payable(session, order_id, request.state.account.id)
        start = payments.start(order_id, "card", _back_to(order_id))
    except NotFound:
        raise
    except Fact:
        return RedirectResponse(f"/orders/{order_id}", 303)
    return render(
        request,
        "pay.html",
        order=order,
        start=start,
        failed=request.query_params.get("redirect_status") == "failed",
        stripe_js=settings().stripe_js_url,
        return_url=_back_to(order_id),
    )


@page("GET", "/orders/{order}/paid", login=True, name="paid")
def back_from_paying(request: Request, form: Form) -> Response:
    """Where the provider sends the browser. What it says counts for nothing: we ask for ourselves."""
    order_id = request.path_params["order"]
    with reading() as session:
        orders.find(session, order_id, request.state.account.id)
    try:
        payments.returned(order_id)
    except Fact as fact:
        log.info("payment.not_asked", order=order_id, code=fact.code)  # the webhook or the sweeper finds it
    if request.query_params.get("redirect_status") == "failed":
        return RedirectResponse(f"/orders/{order_id}/pay?redirect_status=failed", 303)
    return RedirectResponse(f"/orders/{order_id}?done=paying", 303)


def _back_to(order_id: str) -> str:
    return f"{settings().public_url}/orders/{order_id}/paid"


routes = forms.routes([start_payment, pay, back_from_paying])
