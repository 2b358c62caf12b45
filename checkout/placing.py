"""Placing an order: everything checked first, the number claimed in Redis, then one transaction in SQL.

Requests that arrive together go this way together, and each is answered by itself."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from checkout import asked as requests
from checkout import booking
from checkout.asked import Asked
from checkout.asked import OrderRequest as OrderRequest
from checkout.at_hand import Before, at_hand, before
from checkout.booking import KeyReused as KeyReused
from checkout.booking import NumberSlipped as NumberSlipped
from checkout.booking import Placed, Ready
from checkout.drafts import Draft, check
from checkout.drafts import check_receiver as check_receiver
from checkout.drafts import number_facts as number_facts
from checkout.models import Order
from inventory import holds
from inventory.facts import Lapsed
from kyc import people
from kyc.people import Busy
from runtime.crash import point
from runtime.db import deadlocked, reading, writing
from runtime.facts import Fact, Unavailable
from runtime.gathering import Gathering, own
from runtime.log import log


class Aside(Exception):
    """This one is placed alone, since among others it would spoil or delay them."""


def place(*, account: str, phone: str, hold_id: str, key: str, request: OrderRequest) -> Order:
    """Turn a hold into an order; the same key gives the same order, however often and at once it is sent.

    Nothing is claimed before everything that can be wrong was checked, so a mistake costs no hold. Raises
    Invalid, NotFound, KeyReused, Ordered, Lapsed, NoCourier, the price's facts, LimitReached, IdLimitReached, and
    Unavailable when too many wait or no answer came in time. After that or any other error the caller sends the
    same again: the claim waits for it `orphan_seconds`, then the number is given back (orphans.tick)."""
    asked = requests.read(account=account, phone=phone, hold_id=hold_id, key=key, request=request)
    try:
        return _counter.call(asked).order
    except Aside:
        return _desk.call(asked).order


async def awaited(*, account: str, phone: str, hold_id: str, key: str, request: OrderRequest) -> Placed:
    """`place` for the event loop."""
    asked = requests.read(account=account, phone=phone, hold_id=hold_id, key=key, request=request)
    try:
        return await _counter.awaited(asked)
    except Aside:
        return await _desk.awaited(asked)


def place_all(asked: Sequence[Asked], *, waits: bool = False) -> list[Placed | Exception]:
    """What each would get by itself, in its place, with a fixed number of questions to Redis and SQL for all.

    Aside: this one must be placed alone. That is with `waits`, which lets it wait for rows that another transaction
    has; many must not wait for one."""
    first: dict[str, Asked] = {}
    for one in asked:
        first.setdefault(one.order_id, one)
    answers = _place(list(first.values()), waits)
    told: list[Placed | Exception] = []
    for one in asked:
        answer: Placed | Exception = answers[one.order_id]
        if one is not first[one.order_id]:  # the same key again: what the first did decides
            same = one.digest == first[one.order_id].digest
            answer = (
                Aside()
                if isinstance(answer, Exception)
                else answer
                if same
                else KeyReused(order=one.order_id)
            )
        told.append(answer)
    return told


def _place(asked: Sequence[Asked], waits: bool) -> dict[str, Placed | Exception]:
    """Each key once; the answers by order id."""
    answers: dict[str, Placed | Exception] = {}
    drafts = _check(asked, answers)
    people_of = _enrol(drafts, waits, answers)
    ready = _claim([draft for draft in drafts if draft.id in people_of], people_of, answers)
    if rehearsed := [one for one in ready if one.draft.rehearsed]:
        answers |= booking.rehearse(rehearsed, waits=waits)
    if ready := [one for one in ready if not one.draft.rehearsed]:
        point("order.claimed")
        answers |= booking.book(ready, waits=waits)
    return {order_id: Aside() if isinstance(told, Busy) else told for order_id, told in answers.items()}


def _check(asked: Sequence[Asked], answers: dict[str, Placed | Exception]) -> list[Draft]:
    """All that can be wrong, before anything is taken."""
    drafts = []
    with reading() as session:
        known = before(session, asked)
        orders = _known(session, asked, known) if known.digests else {}
        for one in asked:
            if order := orders.get(one.order_id):
                answers[one.order_id] = booking.repeated(order, one)
            elif one.order_id in known.voided:
                answers[one.order_id] = Lapsed()
        new = [one for one in asked if one.order_id not in answers]
        try:
            hand = at_hand(session, new)
        except Unavailable as away:
            answers |= {one.order_id: own(away) for one in new}
            return []
    for one in new:
        try:
            drafts.append(check(hand, known, one))
        except Exception as wrong:  # a fact, or a fault of this one's data: told to this one alone
            answers[one.order_id] = wrong
    return drafts


def _known(session: Session, asked: Sequence[Asked], known: Before) -> dict[str, Order]:
    ids = [one.order_id for one in asked if one.order_id in known.digests]
    return {order.id: order for order in session.scalars(select(Order).where(Order.id.in_(ids)))}


def _enrol(drafts: Sequence[Draft], waits: bool, answers: dict[str, Placed | Exception]) -> dict[str, str]:
    """The index of each order's buyer. Who was typed is enrolled, in a transaction of their own."""
    people_of = {draft.id: draft.id_index for draft in drafts if draft.person_id}
    typed = [draft for draft in drafts if not draft.person_id]
    if typed:
        with writing() as session:
            enrolled = people.enrol_many(session, [draft.named for draft in typed], waits=waits)
        point("order.enrolled")
        for draft, told in zip(typed, enrolled, strict=True):
            if isinstance(told, Exception):
                answers[draft.id] = told
            else:
                people_of[draft.id] = told.id_index
    return people_of


def _claim(
    drafts: Sequence[Draft], people_of: dict[str, str], answers: dict[str, Placed | Exception]
) -> list[Ready]:
    """The numbers are theirs from here on, one call a drop."""
    ready = []
    by_drop: dict[str, list[Draft]] = defaultdict(list)
    for draft in drafts:
        by_drop[draft.drop_id].append(draft)
    for drop_id, chosen in by_drop.items():
        wishes = [
            holds.Wish(draft.asked.hold_id, draft.asked.account, draft.id, people_of[draft.id])
            for draft in chosen
        ]
        try:
            told = holds.claim_many(drop_id, wishes)
        except Fact as refusal:
            answers |= {draft.id: own(refusal) for draft in chosen}
            continue
        for draft, one in zip(chosen, told, strict=True):
            if isinstance(one, Fact):
                answers[draft.id] = one
            else:
                ready.append(Ready(draft, one.epoch))
    return ready


def _together(asked: Sequence[Asked], *, waits: bool = False) -> list[Placed | Exception]:
    """A batch. What fails as a whole is done again one by one, so that only the guilty one fails."""
    try:
        return place_all(asked, waits=waits)
    except OperationalError as trouble:
        log.error("orders.failed", orders=len(asked), error=type(trouble.orig).__name__)
        if not deadlocked(trouble):
            # Committed or not is not known either: the same key finds out.
            raise Unavailable from trouble
    except Exception as trouble:
        if len(asked) == 1:
            raise
        log.error("orders.failed", orders=len(asked), error=type(trouble).__name__)
    return [Aside() for _ in asked]


def _alone(asked: Sequence[Asked]) -> list[Placed | Exception]:
    return _together(asked, waits=True)


_counter: Gathering[Asked, Placed] = Gathering("orders", _together)
_desk: Gathering[Asked, Placed] = Gathering("orders.aside", _alone, batch=1)
