"""JSON API, the drop: drops and holds. Holding is the hot path: async, no SQL."""

from datetime import datetime

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from checkout import offers, prices
from checkout.models import Offer
from inventory import drops, holds, queue_follow, queueing
from inventory.facts import (
    DropClosed,
    DropPaused,
    LimitReached,
    NotAdmitted,
    NotOpen,
    Ordered,
    SoldOut,
    Taken,
)
from inventory.models import Drop
from runtime import clock
from runtime.api import Parameter, endpoint, routes
from runtime.db import reading
from runtime.facts import N_, Fact, Invalid, NotFound, Unauthorized, Unavailable
from storefront import accounts, nearest, offer_book, reservation_turns
from storefront.api_account import shopper


class ExtraOut(msgspec.Struct):
    """A thing that can be added to an order."""

    code: str
    name_zh: str
    name_en: str
    amount_fen: int


class OfferOut(msgspec.Struct):
    """What can be bought with a number of this drop."""

    id: str
    kind: str
    """`card` or `bundle`."""
    name_zh: str
    name_en: str
    plan_zh: str
    plan_en: str
    monthly_fee_fen: int
    due_now_fen: int
    """For an ordinary number, without the number's own prestored fee."""
    monthly_return_fen: int
    """Comes back to the account each month of the term."""
    term_months: int
    sku: str
    """The handset's stock-keeping unit, empty for a card."""
    contract: str
    """`prestore` (money comes back month by month), `credit` (a gift month by month), empty for a card."""
    first_months: list[str]
    """How the month of joining may be charged: full, half, usage; the first one where nothing is said."""
    extras: list[ExtraOut]
    """What can be had with it for an amount, as long as its promotion goes on."""


class DropOut(msgspec.Struct):
    """A timed round. `state` is what holds at this moment: scheduled, warming, open, paused, sold_out, closed."""

    id: str
    name: str
    state: str
    opens_at: datetime
    closes_at: datetime | None
    server_time: datetime
    cities: list[str]
    limit_account: int
    limit_person: int
    cod: bool
    """May it be paid in cash at the door?"""


class DropDetail(DropOut):
    """A drop with its figures and offers."""

    free: int
    loaded: int
    offers: list[OfferOut]


class DropsOut(msgspec.Struct):
    drops: list[DropOut]


class HoldIn(msgspec.Struct):
    """Hold a number for a while. With `like`, the nearest free number is offered when this one is gone."""

    offer: str
    number: str = ""
    like: str = ""


class HoldOut(msgspec.Struct):
    """A number kept for this shopper until `expires_at`."""

    hold: str
    drop: str
    number: str
    offer: str
    expires_at: datetime
    server_time: datetime


@endpoint("GET", "/drops", answer=DropsOut, summary="All drops that shoppers may see")
def list_drops(request: Request) -> DropsOut:
    with reading() as session:
        return DropsOut([_drop(d) for d in drops.listing(session) if drops.face(d) != "draft"])


@endpoint("GET", "/drops/{drop}", answer=DropDetail, facts=(NotFound,), summary="One drop with its offers")
def show_drop(request: Request) -> DropDetail:
    with reading() as session:
        found = drops.find(session, request.path_params["drop"])
        if drops.face(found) == "draft":
            raise NotFound
        on_offer = [_offer(o) for o in offers.of_drop(session, found.id)]
    tally = queue_follow.tally(found.id)
    brief = _drop(found)
    return DropDetail(
        **{f: getattr(brief, f) for f in DropOut.__struct_fields__},
        free=tally.free, loaded=tally.loaded, offers=on_offer,
    )  # fmt: skip


@endpoint(
    "POST", "/drops/{drop}/holds", body=HoldIn, answer=HoldOut, status=201, auth="shopper",
    summary="Hold a number",
    facts=(
        Unauthorized, NotFound, Taken, SoldOut, LimitReached, NotOpen, DropPaused, DropClosed, NotAdmitted,
        Unavailable,
    ),
    parameters=(Parameter("Idempotency-Key", "Repeating a key repeats the answer", where="header"),),
)  # fmt: skip
async def hold_number(request: Request, body: HoldIn) -> HoldOut:
    """One live hold for a shopper and drop: asking again gives the same hold. `taken` lists alternatives."""
    identity = accounts.identify(request)
    if identity is None:
        raise Unauthorized
    key = request.headers.get("idempotency-key")
    decided = await decide(identity, request.path_params["drop"], body, key)
    if isinstance(decided, Fact):
        raise decided
    return decided


async def decide(identity: accounts.Identity, drop: str, wish: HoldIn, key: str | None) -> HoldOut | Fact:
    """Hold a number of a drop with an offer for who is signed in; a refusal of the stock is given, not raised."""
    number = wish.number or wish.like
    if not number:
        raise Invalid(number=N_("Name the number to hold."))
    sku = offer_book.known_sku(drop, wish.offer)
    if sku is None:
        sku = await offer_book.sku_of(drop, wish.offer)
    if refused := await queueing.gate(drop, identity.account):
        return refused
    if reservation_turns.is_gated(drop) and (refused := await turn(drop, identity.account, sku)):
        return refused
    decided = await holds.decide(
        drop, token=holds.new_token(drop, identity.account, key) if key else "", account=identity.account,
        person=identity.person, number=number, like=bool(wish.like), offer=wish.offer, sku=sku,
    )  # fmt: skip
    if isinstance(decided, Taken):
        return Taken(number=number, alternatives=nearest.alternatives(drop, number))
    if isinstance(decided, Fact):
        return decided
    queueing.bought(drop, identity.account)
    return _hold(decided)


async def turn(drop: str, account: str, sku: str) -> Fact | None:
    """Why somebody whose reservation did not qualify, or not yet, must not hold here."""

    def ask() -> Fact | None:
        with reading() as session:
            return reservation_turns.gate(session, drop, account, sku)

    return await run_in_threadpool(ask)


@endpoint("GET", "/holds/{hold}", answer=HoldOut, auth="shopper", facts=(NotFound,), summary="A hold")
def show_hold(request: Request) -> HoldOut:
    return _hold(_mine(request))


@endpoint(
    "DELETE", "/holds/{hold}", status=204, auth="shopper", facts=(NotFound, Ordered), summary="Let a hold go"
)
def release_hold(request: Request) -> None:
    """The number is free again at once. Letting go twice is harmless."""
    held = _mine(request)
    holds.release(held.id, held.account)


def _mine(request: Request) -> holds.Hold:
    """The hold in the path; a stranger's is not there."""
    account = shopper(request)
    held = holds.find(request.path_params["hold"])
    if held.account != account:
        raise NotFound
    return held


def _drop(d: Drop) -> DropOut:
    return DropOut(
        d.id, d.name, drops.face(d), d.opens_at, d.closes_at, clock.now(), list(d.cities), d.limit_account,
        d.limit_person, d.cod,
    )  # fmt: skip


def _offer(o: Offer) -> OfferOut:
    terms, bundle = offers.facts(o), o.sku_code is not None
    ordinary, now = prices.NumberFacts("", terms.drop_id), prices.Choice(at=clock.now())
    extras = [
        ExtraOut(one.code, one.zh, one.en, one.amount_fen)
        for one in prices.fitting(terms, ordinary, now)
        if one.kind == "bundle"
    ]
    return OfferOut(
        o.id, o.kind, terms.handset_zh if bundle else terms.plan_zh, terms.handset_en if bundle else terms.plan_en,
        terms.plan_zh, terms.plan_en, terms.fee_fen, prices.quote(terms, ordinary, now).due_now_fen,
        terms.return_fen, terms.months, o.sku_code or "", terms.policy if bundle else "",
        list(terms.first_months), extras,
    )  # fmt: skip


def _hold(h: holds.Hold) -> HoldOut:
    return HoldOut(h.id, h.drop, h.number, h.offer, h.expires_at, clock.now())


api_routes = routes([list_drops, show_drop, hold_number, show_hold, release_hold])
