"""Holding a number for a shopper, and letting it go. Redis decides; nothing here touches SQL on the way."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Required, TypedDict, Unpack, cast

import msgspec

from inventory import coalesce, emptied, lots, shelf, verbs
from inventory.claims import Claimed as Claimed
from inventory.claims import Wish as Wish
from inventory.claims import claim as claim
from inventory.claims import claim_many as claim_many
from inventory.claims import give_back as give_back
from inventory.claims import orphans as orphans
from inventory.claims import settle as settle
from inventory.facts import DropClosed as DropClosed
from inventory.facts import DropPaused as DropPaused
from inventory.facts import Lapsed as Lapsed
from inventory.facts import LimitReached as LimitReached
from inventory.facts import NotOpen as NotOpen
from inventory.facts import Ordered as Ordered
from inventory.facts import SoldOut as SoldOut
from inventory.facts import Stale as Stale
from inventory.facts import Taken as Taken
from inventory.verbs import drop_of as drop_of
from runtime import clock
from runtime.facts import Fact, NotFound
from runtime.ids import derived_id, new_id
from runtime.redis import asking

_LIKE_ROUNDS = 4  # calls at most for one wish, with other similar numbers each time when others were faster
_EMPTY = ["sold_out", "number"]
_NEAR = 12  # similar numbers that go along with a wish


class Hold(msgspec.Struct, frozen=True):
    """A number kept for an account until `expires_at` (UTC). State: held | ordered | released | expired."""

    id: str
    drop: str
    number: str
    offer: str
    sku: str
    account: str
    expires_at: datetime
    state: str
    order: str = ""


def new_token(drop_id: str, account: str, key: str | None = None) -> str:
    """The id a hold will have. The same key of the same account gives the same token, for a client's retries."""
    made = derived_id("hld", drop_id, account, key) if key else new_id("hld")
    return f"hld_{drop_id}_{made[4:]}"


class Wished(TypedDict, total=False):
    """What `hold` is asked, beside the drop. `account` and `offer` must be there."""

    account: Required[str]
    offer: Required[str]
    token: str
    person: str
    number: str
    like: bool
    sku: str


async def hold(drop_id: str, **wished: Unpack[Wished]) -> Hold:
    """Hold a number, with a handset unit of `sku` or not at all; no number means any. `like`: when the number
    is gone take the most similar free one, in one call that decides both; which those are is looked up only when the
    shelf or a first call says that it is gone. An account with a live hold in the drop gets that one.
    Without a `token`, the id the hold will have, it gets a new one.

    Raises Taken, SoldOut, LimitReached, NotOpen, DropClosed, DropPaused, Stale, NotFound, Unavailable."""
    decided = await decide(drop_id, **wished)
    if isinstance(decided, Fact):
        raise decided
    return decided


async def decide(
    drop_id: str,
    *,
    account: str,
    offer: str,
    token: str = "",
    person: str = "",
    number: str = "",
    like: bool = False,
    sku: str = "",
) -> Hold | Fact:
    """As `hold`, but what the verb refuses is given, not raised: when a drop is sold out most are refused, and
    raising costs more than deciding."""
    if not token:
        if emptied.is_so(drop_id, account):
            return SoldOut(what="number")
        token = new_token(drop_id, account)
    asked = time.monotonic()
    for nth in range(_LIKE_ROUNDS if like and number else 1):
        wanted = [number] if number else []
        if like and number and (nth or not shelf.shows(drop_id, number)):
            wanted += shelf.alike(drop_id, number, _NEAR)
        if verbs.lots(drop_id) > 1:
            answer = await lots.hold(drop_id, token, account, person, wanted, offer, sku)
        else:
            request = (token, account, person, ",".join(wanted), offer, sku)
            answer = await coalesce.decide("hold", drop_id, request)
            if answer == _EMPTY:
                emptied.told(drop_id, asked)
        if answer[0] != "taken":
            break
    if answer[0] != "held":
        return _refusal(answer, number)
    shelf.holds(drop_id, account)
    return _told(drop_id, answer, account)


def find(hold_id: str) -> Hold:
    """The hold as it is now, live or over. Raises NotFound."""
    found = find_many([hold_id]).get(hold_id)
    if found is None:
        raise NotFound
    return found


def find_many(hold_ids: Iterable[str]) -> dict[str, Hold]:
    """Holds as they are now, live or over, asked for together; those that are not there are left out."""
    by_drop: dict[str, list[str]] = defaultdict(list)
    for hold_id in hold_ids:
        with contextlib.suppress(NotFound):
            by_drop[verbs.drop_of(hold_id)].append(hold_id)
    return {
        hold_id: _recorded(drop_id, hold_id, found[1])
        for drop_id, asked in by_drop.items()
        for hold_id, found in zip(asked, lots.find_many(drop_id, asked), strict=True)
        if found is not None and found[1]["number"]
    }


def current(drop_id: str, account: str) -> Hold | None:
    """The account's live hold in the drop."""
    with asking() as client:
        home = verbs.lot_of(drop_id, account)
        hold_id = cast(str | None, client.hget(verbs.key(drop_id, "live", home), account))
    if not hold_id:
        return None
    [found] = lots.find_many(drop_id, [hold_id])
    # It may have ended between the two look-ups.
    return _recorded(drop_id, hold_id, found[1]) if found and found[1]["state"] == "held" else None


def release(hold_id: str, account: str) -> None:
    """Let go; one that is over, or another account's, changes nothing. Raises Ordered when it became an order."""
    drop_id = verbs.drop_of(hold_id)
    lot = 0
    if verbs.lots(drop_id) > 1:
        [found] = lots.find_many(drop_id, [hold_id])
        if found is None:
            return
        lot = found[0]
    try:
        answer = verbs.call("release", drop_id, hold_id, account, lot=lot)
    except DropClosed:
        return
    emptied.over(drop_id)
    if answer[0] == "ordered":
        raise Ordered(order_id=answer[1])
    if verbs.lots(drop_id) > 1:
        lots.follow_up(drop_id, lot)


def expire(drop_id: str) -> int:
    """End the drop's holds that are due; gives how many. The clock's guarded way is expire.tick."""
    freed = 0
    for lot in range(verbs.lots(drop_id)):
        while count := int(verbs.call("expire", drop_id, 500, "", "", "", "", lot=lot)[1]):
            freed += count
        if verbs.lots(drop_id) > 1:
            lots.follow_up(drop_id, lot)
    return freed


def _refusal(answer: list[str], number: str) -> Fact:
    match answer:
        case ["taken"]:
            return Taken(number=number)
        case ["sold_out", what]:
            return SoldOut(what=what)
        case ["limit", whose]:
            return LimitReached(whose=whose)
        case ["not_open", opens_at]:
            return NotOpen(opens_at=clock.from_ms(int(opens_at)).isoformat())
        case ["paused"]:
            return DropPaused()
        case ["closed"]:
            return DropClosed()
        case ["stranger"]:
            return NotFound()
    raise AssertionError(answer)


def _told(drop_id: str, answer: list[str], account: str) -> Hold:
    _, hold_id, number, offer, sku, due, state = answer
    return Hold(hold_id, drop_id, number, offer, sku, account, clock.from_ms(int(due)), state)


def _recorded(drop_id: str, hold_id: str, known: dict[str, Any]) -> Hold:
    return Hold(
        hold_id,
        drop_id,
        known["number"],
        known["offer"],
        known["sku"],
        known["account"],
        clock.from_ms(int(known["due"])),
        known["state"],
        known.get("order", ""),
    )
