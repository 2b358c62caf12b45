"""A shopper's way through a drop's queue: join, look, come in, hold. A place is bound to the account; looking it up
asks nobody."""

import asyncio
import hmac
import random
from functools import partial

from starlette.concurrency import run_in_threadpool

from inventory import coalesce, holds, queue_challenge, queue_follow
from inventory.facts import (
    ChallengeNeeded,
    DropClosed,
    DropPaused,
    NotAdmitted,
    NotOpen,
    QueueFull,
    SoldOut,
    Stale,
)
from inventory.queue_challenge import Challenge
from inventory.queue_view import Place as Place
from inventory.queue_view import View
from runtime import clock
from runtime.crypto import digest
from runtime.facts import N_, Fact, NotFound, Unavailable
from runtime.log import log

EARLY = "early"
_STAYS_AT_MOST_MS = 3_600_000  # as queue_rules has it
_AGAIN_S = (0.5, 1.5)  # between two tries to tell of who left
_FULL = {
    "network": N_(
        "As many people as may be have queued from this address. Try another connection, or come back later."
    ),
    "device": N_(
        "As many people as may be have queued from this browser. Use another device, or come back later."
    ),
    "person": N_("You stand in this queue already, with another account. One person has one place."),
}


def ticket(drop_id: str, account: str) -> str:
    """The account's pseudonym in this drop's queue, 24 hex characters. It says nothing of the account to who lacks
    the signing key, nobody can choose it, and it can be worked out anywhere."""
    return digest("ticket", drop_id, account)[:24]


async def join(
    drop_id: str, account: str, *, network: str = "", device: str = "", person: str = "", signed: str = "",
    proof: str = "",
) -> str:  # fmt: skip
    """Take a place; gives it signed, for `where` to know before the news of it has come round. Joining again gives
    the same place, unless its turn was missed or is over. `person` is the digest of a verified ID; `signed` what an
    earlier join gave, which a Redis that lost its newest writes is healed with; `proof` a challenge's solution.

    Raises NotFound where the drop has no queue, ChallengeNeeded before anything is asked of Redis, QueueFull,
    DropClosed, Stale, Unavailable. One call to Redis."""
    found = await view(drop_id)
    mine = ticket(drop_id, account)
    told = _signed_place(drop_id, mine, signed)
    if (asked := _challenge(found, mine, person, told, proof)) is not None:
        raise ChallengeNeeded(challenge=asked)
    rank = found.places.get(mine, 0)
    request = (mine, str(rank) if rank else "", network, device, person, told)
    answer = await coalesce.decide("join", drop_id, request)
    match answer:
        case ["place", place, _]:
            return f"{place}-{_mac(drop_id, mine, place)}"
        case ["limit", whose]:
            raise QueueFull(_FULL[whose], whose=whose)
        case ["closed"]:
            raise DropClosed
    raise AssertionError(answer)


async def challenge(drop_id: str, account: str, *, person: str = "", signed: str = "") -> Challenge | None:
    """What this shopper must solve before joining; None where they need not. Raises NotFound, Unavailable."""
    found = await view(drop_id)
    mine = ticket(drop_id, account)
    return _challenge(found, mine, person, _signed_place(drop_id, mine, signed), "")


def _challenge(view: View, mine: str, person: str, told: str, proof: str) -> Challenge | None:
    """Who proved who they are, or has a place, proves no work."""
    level = int(view.line.get("challenge", 0))
    if not level or person or told or mine in view.places or view.state == "over":
        return None
    if queue_challenge.is_solved(view.drop_id, mine, level, proof):
        return None
    return queue_challenge.make(view.drop_id, mine, level)


async def where(drop_id: str, account: str, signed: str = "") -> Place:
    """Where the shopper stands now, from this process's memory. Raises NotFound, Unavailable before it knows."""
    return place_in(await view(drop_id), ticket(drop_id, account), signed)


def place_in(view: View, mine: str, signed: str) -> Place:
    """Where a ticket stands in this view, or as its signed place says while the news of it is under way."""
    told = _signed_place(view.drop_id, mine, signed)
    return view.place(mine, None if not told else 0 if told == EARLY else int(told))


async def turn(drop_id: str, account: str, signed: str = "") -> Place | None:
    """As `where`, for the drop's own page; None where nobody needs a place: no queue, not busy, over, or this account
    holds a number already. Raises Unavailable before it knows."""
    found = await _view_or_none(drop_id)
    if found is None or not found.gates or found.ended or ticket(drop_id, account) in found.buyers:
        return None
    return place_in(found, ticket(drop_id, account), signed)


async def enter(drop_id: str, account: str) -> Place:
    """Come in, if it is their turn; where they stand then. Raises NotFound, Stale, Unavailable."""
    found = await view(drop_id)
    mine = ticket(drop_id, account)
    rank = found.places.get(mine, 0)
    answer = await coalesce.decide("enter", drop_id, (mine, str(rank) if rank else ""))
    if answer[0] == "in":
        found.entered[mine] = (rank, int(answer[1]))  # the news of it may take a moment to come round
        return Place("inside", rank, until=clock.from_ms(int(answer[1])), opens_at=found.opens_at)
    return found.place(mine)


async def gate(drop_id: str, account: str) -> Fact | None:
    """May this account hold a number now? None: yes, or the hold itself will tell. Whoever was called comes in by
    this, which is a call to Redis; all else is answered from memory. Raises Unavailable where it is not known yet."""
    known = await _view_or_none(drop_id)
    if known is None or not known.gates:
        return None
    mine = ticket(drop_id, account)
    if known.state == "over" or (mine in known.buyers and await _buys_on(known, mine, account)):
        return None
    if known.state == "paused":
        return DropPaused()
    if known.state == "before" and known.opens_at is not None:
        return NotOpen(opens_at=known.opens_at.isoformat())
    standing = known.place(mine)
    if standing.state == "called":
        standing = await enter(drop_id, account)
    if standing.state == "inside" and known.second_at is None:
        return None
    if standing.state in ("inside", "ended"):
        return SoldOut(what="number")  # what comes back is offered at its time, in the order of places
    return NotAdmitted(state=standing.state)


async def _buys_on(known: View, mine: str, account: str) -> bool:
    """Who got a number may let it go and take another while they are inside, and always ask for what they hold. With
    a hold that lapsed they are out: what comes back is for those who wait."""
    if known.stay(mine) > clock.now_ms() and known.second_at is None:
        return True
    return await run_in_threadpool(holds.current, known.drop_id, account) is not None


def bought(drop_id: str, account: str) -> None:
    """They hold a number: their room inside is another's. Told to Redis apart, since nobody waits for it, and again
    while it is away; with a process that ends meanwhile the room is free when their stay ends."""
    known = queue_follow.views.get(drop_id)
    if known is None or not known.gates:
        return
    mine = ticket(drop_id, account)
    if mine not in known.buyers:
        known.buyers.add(mine)
        telling = asyncio.ensure_future(_leave(drop_id, mine))
        _telling.add(telling)
        telling.add_done_callback(_telling.discard)


_telling: set[asyncio.Future[None]] = set()


async def _leave(drop_id: str, mine: str) -> None:
    until = clock.now_ms() + _STAYS_AT_MOST_MS
    while clock.now_ms() < until:
        try:
            await coalesce.decide("leave", drop_id, (mine,))
        except Stale:  # another life of the queue, which knows of nobody inside
            return
        except Unavailable:
            await asyncio.sleep(random.uniform(*_AGAIN_S))
        else:
            return
    log.warning("queue.not_left", drop=drop_id)


async def view(drop_id: str) -> View:
    """The drop's queue as this process knows it. Raises NotFound where it has none, Unavailable before it knows."""
    found = await _view_or_none(drop_id)
    if found is None:
        raise NotFound
    return found


async def _view_or_none(drop_id: str) -> View | None:
    if queue_follow.is_following():
        return queue_follow.view(drop_id)
    return await run_in_threadpool(partial(queue_follow.view, drop_id))


def _signed_place(drop_id: str, mine: str, signed: str) -> str:
    """The place a signed ticket names; empty when it is not ours, or another's."""
    place, _, mac = signed.partition("-")
    good = hmac.compare_digest(mac.encode(), _mac(drop_id, mine, place).encode())
    return place if good and (place == EARLY or place.isdecimal()) else ""


def _mac(drop_id: str, mine: str, place: str) -> str:
    return digest("place", drop_id, mine, place)[:32]
