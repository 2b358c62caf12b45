"""JSON API, reservations of coming handsets."""

from datetime import datetime

import msgspec
from starlette.requests import Request

from inventory.draw import Draw
from runtime.api import endpoint, routes
from runtime.db import reading
from runtime.facts import Invalid, NotFound, Unavailable, WrongMove
from storefront import reservation_turns, reservations
from storefront.api_account import shopper
from storefront.models import Reservation
from storefront.reservations import NotKnown, NotReserving


class CampaignOut(msgspec.Struct):
    """A coming handset that can be reserved."""

    id: str
    handset: str
    """Its code in the catalogue."""
    drop: str
    """Where those who qualify buy it; its handsets are the campaign's."""
    state: str
    """`before`, `open`, `closed` or `drawn`."""
    rule: str
    """`draw` or `first`: who qualifies when there are more than handsets."""
    opens_at: datetime
    closes_at: datetime
    redeem_minutes: int
    """How long a turn lasts; what lapses passes on."""
    count: int
    """Reservations that stand."""
    commitment: str
    """SHA-256 of the seed, published before the draw."""


class ReservationIn(msgspec.Struct):
    """What is wanted: `sku` the colour and storage, `city` a GB/T 2260 code or a city's name."""

    sku: str
    city: str


class ReservationOut(msgspec.Struct):
    """A reservation. `state`: registered, qualified (buy until `redeem_by`), redeemed, lapsed or cancelled."""

    id: str
    sku: str
    city: str
    ticket: str
    """The pseudonym in the published draw."""
    state: str
    place: int | None
    redeem_by: datetime | None
    at: datetime


@endpoint("GET", "/reservations/{campaign}", answer=CampaignOut, facts=(NotFound,), summary="A campaign")
def show_campaign(request: Request) -> CampaignOut:
    with reading() as session:
        found = reservations.find(session, request.path_params["campaign"])
        return CampaignOut(
            found.id, found.handset, found.drop_id, reservations.face(found), found.rule, found.opens_at,
            found.closes_at, found.redeem_minutes, reservations.count(session, found.id), found.commitment,
        )  # fmt: skip


@endpoint(
    "POST", "/reservations/{campaign}", body=ReservationIn, answer=ReservationOut, auth="shopper",
    facts=(NotFound, Invalid, NotReserving, NotKnown, Unavailable), summary="Reserve",
)  # fmt: skip
def make_reservation(request: Request, body: ReservationIn) -> ReservationOut:
    """One a person: a second one, on whatever account, is answered with the first. The person must be verified."""
    wish = reservations.Wish(request.path_params["campaign"], shopper(request), body.sku, body.city)
    return _told(reservations.register(wish))


@endpoint(
    "GET", "/reservations/{campaign}/mine", answer=ReservationOut, auth="shopper", facts=(NotFound,),
    summary="My reservation",
)  # fmt: skip
def show_reservation(request: Request) -> ReservationOut:
    with reading() as session:
        found = reservations.of_account(session, request.path_params["campaign"], shopper(request))
    if found is None:
        raise NotFound
    return _told(found)


@endpoint(
    "DELETE", "/reservations/{campaign}/mine", status=204, auth="shopper", facts=(NotFound, WrongMove),
    summary="Give a reservation back",
)  # fmt: skip
def give_reservation_back(request: Request) -> None:
    """As long as it was not redeemed; reserving again is possible until the end."""
    reservations.cancel(request.path_params["campaign"], shopper(request))


@endpoint(
    "GET", "/reservations/{campaign}/draw", answer=Draw, facts=(NotFound,),
    summary="The draw of a campaign, for anybody to check",
)  # fmt: skip
def show_reservation_draw(request: Request) -> Draw:
    """Before the draw the commitment alone; afterwards seed, tickets and order. `haoka draw verify URL` checks it."""
    with reading() as session:
        return reservation_turns.published(session, request.path_params["campaign"])


def _told(found: Reservation) -> ReservationOut:
    return ReservationOut(
        found.id, found.sku, found.city, found.ticket, found.state, found.place, found.redeem_by, found.at
    )


api_routes = routes(
    [show_campaign, make_reservation, show_reservation, give_reservation_back, show_reservation_draw]
)
