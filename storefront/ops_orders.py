"""The ops console's orders: found by id, number or state; one with its story, its money and its parcel."""

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from checkout import addresses, contracts, offers, orders, prices, refunds
from checkout.models import Order, Payment, Refund
from inventory import segments
from logistics import parcels, regions
from runtime.db import reading
from runtime.facts import N_, Fact, Forbidden
from storefront import forms, i18n, shown, staff, words
from storefront.forms import Form, ops_page
from storefront.rendering import render

LIMIT = 100
_REFUNDABLE = frozenset({"paid", "allocated", "account_opened", "packed", "shipped", "refund_failed"})
_CANCELLABLE = frozenset(
    {"awaiting_kyc", "awaiting_payment", "cod_confirmed", "allocated", "account_opened", "packed", "shipped"}
)
_DONE = {
    "refund": N_("The order is being undone; the refund follows by itself."),
    "cancel": N_("The order is being cancelled."),
}


@ops_page("GET", "/ops/orders", name="ops_orders")
def listing(request: Request, form: Form) -> Response:
    asked: dict[str, Any] = {
        name: request.query_params.get(name, "").strip() for name in ("q", "state", "drop")
    }
    with i18n.speaking(request.state.lang), reading() as session:
        found = list(session.scalars(_search(**asked).limit(LIMIT)))
        states = [(state, i18n.gettext(words.of(state).label)) for state in orders.MOVES]
    if len(found) == 1 and found[0].id == asked["q"]:
        return RedirectResponse(f"/ops/orders/{found[0].id}", 303)
    return render(
        request, "ops/orders.html",
        orders=found, states=states, limit=LIMIT, methods=words.METHODS, problem=None, **asked,
    )  # fmt: skip


@ops_page("GET", "/ops/orders/{order}", name="ops_order")
def order_page(request: Request, form: Form) -> Response:
    return _show(request, {})


@ops_page("POST", "/ops/orders/{order}/moves", name="ops_order_move")
def move(request: Request, form: Form) -> Response:
    """Refund needs the role for it; cancelling an order nobody paid needs the launcher's."""
    order_id, what, reason = (
        request.path_params["order"],
        form.get("move", ""),
        form.get("reason", "").strip(),
    )
    user = request.state.ops
    if len(reason) < 3:
        return _show(request, form, errors={"reason": N_("Say why, in a few words.")}, status=422)
    try:
        with reading() as session:
            order = orders.find(session, order_id)
            may_refund = _can_refund(session, order, user)
        if what == "refund" and may_refund:
            refunds.refund(order_id, f"ops:{user.login}", reason[:200])
        elif what == "cancel" and _can_cancel(order, user):
            orders.cancel(order_id, f"ops:{user.login}", reason[:200])
        else:
            raise Forbidden(N_("Your role does not allow this."))
    except Forbidden:
        raise
    except Fact as fact:
        return _show(request, form, problem=fact, status=409)
    return RedirectResponse(f"/ops/orders/{order_id}?done={what}", 303)


def _search(*, q: str, state: str, drop: str) -> Select[Order]:
    """Newest first. `q` is an order's id or a phone number that was sold, typed in any way."""
    query = select(Order).order_by(Order.created_at.desc(), Order.id)
    if state:
        query = query.where(Order.state == state)
    if drop:
        query = query.where(Order.drop_id == drop)
    if q:
        digits = segments.bare(q)
        query = query.where(Order.number == digits if digits.isdigit() else Order.id == q)
    return query


def _show(
    request: Request,
    form: Form,
    *,
    errors: dict[str, str] | None = None,
    problem: Fact | None = None,
    status: int = 200,
) -> Response:
    with i18n.speaking(request.state.lang), reading() as session:
        order = orders.find(session, request.path_params["order"])
        user = request.state.ops
        given = _contents(session, order) | {"can_refund": _can_refund(session, order, user)}
    return render(
        request, "ops/order.html", status, form=form, errors=errors or {}, problem=problem,
        done=_DONE.get(request.query_params.get("done", ""), ""),
        can_cancel=_can_cancel(order, user), **given,
    )  # fmt: skip


def _contents(session: Session, order: Order) -> dict[str, Any]:
    paid = select(Payment).where(Payment.order_id == order.id).order_by(Payment.attempt)
    returned = select(Refund).where(Refund.order_id == order.id).order_by(Refund.created_at)
    to = addresses.receiver(order)
    return {
        "order": order,
        "offer_name": shown.offer(offers.find(session, order.offer_id), {}, {}).name,
        "quote": prices.thaw(order.price),
        "events": orders.timeline(session, order.id),
        "payments": list(session.scalars(paid)),
        "refunds": list(session.scalars(returned)),
        "parcel": parcels.of_order(session, order.id),
        "contract": contracts.of_order(session, order.id),
        "place": " ".join(dict.fromkeys((to.province, regions.city_name(to.city), to.district))),
        "methods": words.METHODS,
        "parcel_words": words.PARCEL,
    }


def _can_refund(session: Session, order: Order, user: Any) -> bool:
    """A paid order, or money that came too late and whose refund the bank sent back."""
    owed = order.state in _REFUNDABLE or refunds.sent_back(session, order.id)
    return order.payment != "cod" and owed and staff.may(user, "refund")


def _can_cancel(order: Order, user: Any) -> bool:
    unpaid = order.payment == "cod" or order.state in ("awaiting_kyc", "awaiting_payment")
    return unpaid and order.state in _CANCELLABLE and staff.may(user, "launch")


routes = forms.routes([listing, order_page, move])
