"""JSON API, the queue: joining, looking, coming in, and the draw anybody can check. Async, no SQL; looking asks
nobody."""

from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from inventory import queue_rules, queueing
from inventory.draw import Draw
from inventory.facts import ChallengeNeeded, DropClosed, QueueFull
from inventory.queueing import Place
from runtime import clock
from runtime.api import Parameter, endpoint, json_response, routes
from runtime.crypto import digest
from runtime.db import reading
from runtime.facts import NotFound, Unauthorized, Unavailable
from runtime.settings import settings
from storefront import accounts
from storefront.queue_stream import SIGNED
from storefront.queue_stream import signed_place as signed_place

PROOF = "X-Haoka-Proof"


class QueueOut(msgspec.Struct):
    """Where this shopper stands. `state`:

    `none`: has no place, join to get one; `early`: the draw at the opening decides; `waiting`; `called`: come in
    until `come_by`; `inside`: pick and hold until `until`; `missed`, `over`: may join again at the end; `gone`:
    nothing is free now, what comes back is offered from `second_at` on in the order of places; `ended`."""

    state: str
    place: int
    """From 1; 0 before the draw."""
    ahead: int
    queued: int
    """The last place, or how many wait for the draw."""
    served: int
    """All places up to this one have been called."""
    pace: float
    """People called a second, of late."""
    estimate_s: int | None
    """Seconds until the call at that pace."""
    chance: str
    """Will there be a number left: `likely`, `even` or `unlikely`; empty when it cannot be said."""
    free: int
    loaded: int
    opens_at: datetime | None
    come_by: datetime | None
    until: datetime | None
    second_at: datetime | None
    ticket: str
    """The pseudonym in the published draw."""
    signed: str
    """The place signed: send it as `X-Haoka-Place` where the cookie is not kept, and the place outlives even a Redis
    that lost its newest writes."""
    stream: str
    """Where the events are: `place` (this answer's fields) and `news` (what is the same for all)."""
    server_time: datetime


@endpoint(
    "POST", "/drops/{drop}/queue", answer=QueueOut, auth="shopper", summary="Join the queue",
    facts=(Unauthorized, NotFound, ChallengeNeeded, QueueFull, DropClosed, Unavailable),
    parameters=(Parameter(PROOF, "The solution of a challenge, where one was asked for", where="header"),),
)  # fmt: skip
async def join_queue(request: Request) -> Response:
    """One place for an account and drop; joining again gives the same. Who missed the call, or whose time inside is
    over, gets a new place at the end.

    When ops ask for work, the answer is `challenge_needed` with a `challenge` in ALTCHA's first scheme: try numbers
    from 0 to `maxnumber` until the SHA-256 of `salt` and the number, in hex, is `challenge`. Join again with the
    header `X-Haoka-Proof`: base64 of the JSON of `algorithm`, `challenge`, `number`, `salt` and `signature`. Who has
    verified an ID, or has a place, is not asked."""
    drop, account = request.path_params["drop"], _account(request)
    signed = await join(request, drop, proof=request.headers.get(PROOF, ""))
    answer = json_response(_out(await queueing.where(drop, account, signed), drop, account, signed))
    keep(answer, drop, signed)
    return answer


@endpoint(
    "GET", "/drops/{drop}/queue", answer=QueueOut, auth="shopper", summary="My place in the queue",
    facts=(Unauthorized, NotFound, Unavailable),
)  # fmt: skip
async def show_place(request: Request) -> QueueOut:
    """Answered from memory: ask as often as the page needs, better follow `stream`."""
    drop, account = request.path_params["drop"], _account(request)
    signed = signed_place(request, drop)
    return _out(await queueing.where(drop, account, signed), drop, account, signed)


@endpoint(
    "POST", "/drops/{drop}/queue/entry", answer=QueueOut, auth="shopper", summary="Come in when called",
    facts=(Unauthorized, NotFound, Unavailable),
)  # fmt: skip
async def enter(request: Request) -> QueueOut:
    """Starts the time inside. A hold does the same by itself; whoever wants to look first comes in here. The answer
    says where they stand if it is not their turn."""
    drop, account = request.path_params["drop"], _account(request)
    return _out(await queueing.enter(drop, account), drop, account, signed_place(request, drop))


@endpoint(
    "GET", "/drops/{drop}/draw", answer=Draw, facts=(NotFound,), summary="The draw, for anybody to check"
)
def show_draw(request: Request) -> Draw:
    """Before the opening the commitment alone; afterwards seed, tickets and order. `haoka draw verify URL` checks
    it."""
    with reading() as session:
        return queue_rules.published(session, request.path_params["drop"])


async def join(request: Request, drop: str, *, proof: str) -> str:
    """Join as who the request says and from where it comes; gives the signed place."""
    identity = accounts.identify(request)
    if identity is None:
        raise Unauthorized
    host = request.client.host if request.client else ""
    device = accounts.binding(request)
    return await queueing.join(
        drop, identity.account, network=accounts.network_digest(host) if host else "",
        device=digest("device", device)[:24] if device else "", person=identity.person,
        signed=signed_place(request, drop), proof=proof,
    )  # fmt: skip


def keep(answer: Response, drop: str, signed: str) -> None:
    """Let the browser keep the signed place."""
    answer.set_cookie(
        f"{SIGNED}_{drop}",
        signed,
        max_age=86_400,
        path="/",
        secure=settings().secure,
        httponly=True,
        samesite="lax",
    )


def _account(request: Request) -> str:
    identity = accounts.identify(request)
    if identity is None:
        raise Unauthorized
    return identity.account


def _out(place: Place, drop: str, account: str, signed: str) -> QueueOut:
    fields = {name: getattr(place, name) for name in Place.__dataclass_fields__}
    return QueueOut(
        **fields, ticket=queueing.ticket(drop, account), signed=signed,
        stream=f"/api/v1/drops/{drop}/queue/stream", server_time=clock.now(),
    )  # fmt: skip


api_routes = routes([join_queue, show_place, enter, show_draw])
