"""JSON API, the order: place, look, sign, pay, cancel, the contract."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from checkout import contracts, orders, payments, placing, prices
from checkout.models import Order
from inventory import holds
from kyc.quota import IdLimitReached
from logistics import parcels
from logistics.couriers import NoCourier
from logistics.parcels import Receiver
from runtime.api import Parameter, endpoint, routes
from runtime.db import reading, writing
from runtime.facts import N_, Invalid, NotFound, TooMany, Unauthorized, Unavailable, WrongMove
from runtime.settings import settings
from storefront import accounts, sessions
from storefront.models import Account

_ACCESS = (Unauthorized, NotFound)


class ReceiverIn(msgspec.Struct):
    """Where the parcel goes. `city` is the six-digit GB/T 2260 code of the city."""

    name: str
    mobile: str
    province: str
    city: str
    district: str
    address: str


class OrderIn(msgspec.Struct):
    """Turn a hold into an order. `name` and `id_number` are those of the buyer's ID card. Leave both empty and the
    account's verified person buys, with nothing more to check; before somebody is verified both are asked for."""

    hold: str
    receiver: ReceiverIn
    payment: str
    """`card`, `alipay`, `wechat_pay` or `cod` (cash on delivery)."""
    name: str = ""
    """As the ID card prints it; empty with an empty `id_number`: the account's verified person."""
    id_number: str = ""
    """18 characters; empty with an empty `name`: the account's verified person."""
    first_month: str = ""
    """How the month of joining is charged, one of the offer's `first_months`; empty for its first."""
    extras: list[str] = []
    """Codes of the offer's `extras` to be added."""
    due_now_fen: int | None = None
    """What the shopper was shown. Where the order would cost another amount it is refused with `price_changed`."""


class EventOut(msgspec.Struct):
    """A line of the timeline."""

    at: datetime
    state: str
    note: str


class ParcelOut(msgspec.Struct):
    """The parcel on its way."""

    courier: str
    state: str
    waybill: str


class OrderOut(msgspec.Struct):
    """An order. Money in fen; `price` is the quote frozen when it was placed."""

    order: str
    state: str
    number: str
    drop: str
    offer: str
    payment: str
    due_now_fen: int
    pay_by: datetime | None
    name: str
    """Masked."""
    contract: str
    """none, drafted, signed, in_force or ended."""
    contract_sha256: str
    price: dict[str, Any]
    parcel: ParcelOut | None
    timeline: list[EventOut]
    created_at: datetime


class OrderBrief(msgspec.Struct):
    """An order in a list."""

    order: str
    state: str
    number: str
    due_now_fen: int
    created_at: datetime


class OrdersOut(msgspec.Struct):
    orders: list[OrderBrief]


class SignatureIn(msgspec.Struct):
    """The code that was sent when the identity was matched."""

    code: str


class PaymentIn(msgspec.Struct):
    """How to pay; empty: as chosen in the order."""

    method: str = ""
    return_url: str = ""


class PaymentOut(msgspec.Struct):
    """`card`: confirm the intent with `client_secret` and the publishable key, as Stripe.js does.
    Others: send the shopper to `redirect_url`."""

    intent: str
    client_secret: str
    publishable_key: str
    redirect_url: str | None


class CancellationIn(msgspec.Struct):
    reason: str = ""


@endpoint(
    "POST", "/orders", body=OrderIn, answer=OrderOut, status=201, auth="shopper", summary="Order what is held",
    facts=(
        *_ACCESS, TooMany, placing.KeyReused, holds.Ordered, placing.NumberSlipped, holds.Lapsed,
        holds.LimitReached, IdLimitReached, NoCourier, prices.PlanTooSmall, prices.TermTooShort,
        prices.PriceChanged, Unavailable,
    ),
    parameters=(
        Parameter("Idempotency-Key", "Yours; the same key and body give the same order", "header", required=True),
    ),
)  # fmt: skip
async def place_order(request: Request, body: OrderIn) -> OrderOut:
    """The hold becomes the order's, answered after the order is on disk. Bad input leaves the hold as it is."""
    key = request.headers.get("idempotency-key", "").strip()
    if not 8 <= len(key) <= 200:
        raise Invalid(**{"Idempotency-Key": N_("Send a header Idempotency-Key of 8 to 200 characters.")})
    signed_in, to = await sessions.of_request(request), body.receiver
    receiver = Receiver(to.name, to.mobile, to.province, to.city, to.district, to.address)
    placed = await placing.awaited(
        account=signed_in.account, phone=signed_in.phone, hold_id=body.hold, key=key,
        request=placing.OrderRequest(
            body.name, body.id_number, receiver, body.payment, body.first_month, tuple(body.extras), body.due_now_fen
        ),
    )  # fmt: skip
    if placed.known is None:
        return _new(placed.written, placed.timeline)
    return await run_in_threadpool(_as_it_is, placed.known)


@endpoint("GET", "/orders", answer=OrdersOut, auth="shopper", facts=(Unauthorized,), summary="Your orders")
def list_orders(request: Request) -> OrdersOut:
    account = who(request)
    with reading() as session:
        mine = orders.of_account(session, account.id)
    return OrdersOut([OrderBrief(o.id, o.state, o.number, o.due_now_fen, o.created_at) for o in mine])


@endpoint("GET", "/orders/{order}", answer=OrderOut, auth="shopper", facts=_ACCESS, summary="An order")
def show_order(request: Request) -> OrderOut:
    with reading() as session:
        return _order(session, _mine(session, request))


@endpoint(
    "POST", "/orders/{order}/signature", body=SignatureIn, answer=OrderOut, auth="shopper",
    facts=(*_ACCESS, contracts.WrongCode, WrongMove), summary="Sign the contract",
)  # fmt: skip
def sign_order(request: Request, body: SignatureIn) -> OrderOut:
    """The code was sent by SMS when the identity was matched. A cash-on-delivery order is confirmed by this."""
    with reading() as session:
        order = _mine(session, request)
    contracts.sign(order.id, body.code)
    with reading() as session:
        return _order(session, orders.find(session, order.id))


@endpoint(
    "POST", "/orders/{order}/signature/code", status=204, auth="shopper", facts=(*_ACCESS, TooMany, WrongMove),
    summary="Send the signing code again",
)  # fmt: skip
def send_signing_code(request: Request) -> None:
    with writing() as session:
        contracts.send_code(session, _mine(session, request))


@endpoint(
    "POST", "/orders/{order}/payment", body=PaymentIn, answer=PaymentOut, status=201, auth="shopper",
    facts=(*_ACCESS, orders.NotSigned, WrongMove, Unavailable), summary="Start paying",
)  # fmt: skip
def pay_order(request: Request, body: PaymentIn) -> PaymentOut:
    """Asking again gives the same intent. Another method cancels the one before, so nobody pays twice."""
    with reading() as session:
        order = _mine(session, request)
    back = f"{settings().public_url}/orders/{order.id}"
    if body.return_url and not body.return_url.startswith(f"{settings().public_url}/"):
        raise Invalid(return_url=N_("Must be an address of this shop."))
    started = payments.start(order.id, body.method or order.payment, body.return_url or back)
    return PaymentOut(started.intent_id, started.client_secret, started.publishable_key, started.redirect_url)


@endpoint(
    "POST", "/orders/{order}/cancellation", body=CancellationIn, answer=OrderOut, auth="shopper",
    facts=(*_ACCESS, WrongMove), summary="Cancel an unpaid order",
)  # fmt: skip
def cancel_order(request: Request, body: CancellationIn) -> OrderOut:
    with reading() as session:
        order = _mine(session, request)
    orders.cancel(order.id, actor=order.account, reason=body.reason[:200] or "shopper")
    with reading() as session:
        return _order(session, orders.find(session, order.id))


@endpoint(
    "GET", "/orders/{order}/contract.pdf", media=("application/pdf",), auth="shopper", facts=_ACCESS,
    summary="The contract as PDF",
)  # fmt: skip
def show_contract(request: Request) -> Response:
    with reading() as session:
        order = _mine(session, request)
    content = contracts.pdf(
        order.id, who=f"account:{order.account}", why="the shopper downloads the contract"
    )
    return Response(
        content, media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{order.id}.pdf"', "Cache-Control": "no-store"},
    )  # fmt: skip


def who(request: Request) -> Account:
    """The account that asks, its session checked; raises Unauthorized."""
    known = accounts.of_request(request)
    if known is None:
        raise Unauthorized
    return known[0]


def _mine(session: Session, request: Request) -> Order:
    return orders.find(session, request.path_params["order"], account=who(request).id)


def _new(row: dict[str, Any], timeline: list[dict[str, Any]]) -> OrderOut:
    """An order that was written just now: it has no contract and no parcel yet."""
    return OrderOut(
        order=row["id"], state=row["state"], number=row["number"], drop=row["drop_id"], offer=row["offer_id"],
        payment=row["payment"], due_now_fen=row["due_now_fen"], pay_by=row["pay_by"], name=row["name_masked"],
        contract="none", contract_sha256="", price=row["price"], parcel=None,
        timeline=[EventOut(row["created_at"], line["to_state"], line["note"]) for line in timeline],
        created_at=row["created_at"],
    )  # fmt: skip


def _as_it_is(order: Order) -> OrderOut:
    with reading() as session:
        return _order(session, order)


def _order(session: Session, o: Order) -> OrderOut:
    paper = contracts.of_order(session, o.id)
    parcel = parcels.of_order(session, o.id)
    return OrderOut(
        order=o.id, state=o.state, number=o.number, drop=o.drop_id, offer=o.offer_id, payment=o.payment,
        due_now_fen=o.due_now_fen, pay_by=o.pay_by, name=o.name_masked,
        contract=paper.state if paper else "none",
        contract_sha256=(paper.signed_sha256 or paper.draft_sha256) if paper else "",
        price=o.price,
        parcel=ParcelOut(parcel.courier, parcel.state, parcel.waybill or "") if parcel else None,
        timeline=[EventOut(e.at, e.to_state, e.note) for e in orders.timeline(session, o.id)],
        created_at=o.created_at,
    )  # fmt: skip


api_routes = routes(
    [
        place_order,
        list_orders,
        show_order,
        sign_order,
        send_signing_code,
        pay_order,
        cancel_order,
        show_contract,
    ]
)
