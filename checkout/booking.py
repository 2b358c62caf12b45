"""The one transaction of many claimed orders: each with its claim, place in the quota, first moves and work."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout import claims, moves, prices
from checkout.asked import Asked
from checkout.drafts import Draft
from checkout.models import Order, OrderEvent
from inventory.facts import Lapsed, Stale
from inventory.models import Drop
from kyc import people, phones, quota
from kyc.models import Person
from kyc.people import Busy, Buyer
from kyc.quota import IdLimitReached
from runtime import clock, outbox
from runtime.bulk import insert_all
from runtime.crash import point
from runtime.db import among, reading, table, writing
from runtime.facts import N_, Fact, NotFound
from runtime.log import log
from runtime.settings import settings


class KeyReused(Fact):
    """The Idempotency-Key came before with another body."""

    code = "key_reused"
    text = N_("This Idempotency-Key was used for another order.")


class NumberSlipped(Fact):
    """SQL knows another live order of this number: the last guard."""

    code = "number_slipped"
    text = N_("This number is no longer available. Please pick another one.")


@dataclass(frozen=True, repr=False)
class Placed:
    """An order: `known`, or when it was written just now the columns that were written, and its whole timeline, which
    has the order's own time."""

    written: dict[str, Any] = field(default_factory=dict)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    known: Order | None = None

    @property
    def order(self) -> Order:
        return self.known or Order(**self.written)

    @property
    def digest(self) -> str:
        return self.known.request_digest if self.known else str(self.written["request_digest"])


@dataclass(frozen=True, repr=False)
class Ready:
    """A draft that has its number: Redis decided so in `epoch`."""

    draft: Draft
    epoch: str


Answer = Placed | Fact | Busy


def book(claimed: Sequence[Ready], *, waits: bool) -> dict[str, Answer]:
    """Write the orders in one transaction; answers each by its id, after the commit.

    Whom a fact refuses takes nothing: the claim is voided in the same transaction and its number given back after
    it. Where SQL refuses the whole (the last guard) each half is tried, until only the guilty one is left."""
    try:
        with writing() as session:
            answers, voided = _write(session, claimed, waits)
            point("order.written")
    except IntegrityError as error:
        if len(claimed) == 1:
            return {claimed[0].draft.id: _slipped(claimed[0].draft, error)}
        middle = len(claimed) // 2
        return book(claimed[:middle], waits=waits) | book(claimed[middle:], waits=waits)
    point("order.committed")
    if voided:
        claims.give_back_many([(draft.drop_id, draft.id, draft.number) for draft in voided])
        point("order.given_back")
    return answers


class _TakenBack(Exception):
    """What was rehearsed is over."""


def rehearse(claimed: Sequence[Ready], *, waits: bool) -> dict[str, Answer]:
    """As `book`, to the last statement, and then all of it is taken back: a rehearsal of a drop leaves no order, no
    person's quota and no work behind."""
    answers: dict[str, Answer] = {}
    with suppress(_TakenBack), writing() as session:
        answers, _ = _write(session, claimed, waits)
        raise _TakenBack
    return answers


def repeated(order: Order, asked: Asked) -> Placed | KeyReused:
    """What another request with the key of this order is told."""
    return Placed(known=order) if order.request_digest == asked.digest else KeyReused(order=order.id)


def _slipped(draft: Draft, error: IntegrityError) -> Answer:
    """one_live_order_per_number, or one order per hold. Redis let something slip: never silent."""
    log.error("order.number_slipped", order=draft.id, number=draft.number, drop=draft.drop_id)
    # There will be no order: give the number back, unless a parallel call placed it.
    if claims.void(draft.drop_id, draft.id, draft.number) == claims.PLACED:
        with reading() as session:
            return _elsewhere(session, [draft])[draft.id]
    slipped = NumberSlipped(number=draft.number)
    slipped.__cause__ = error
    return slipped


def _write(session: Session, claimed: Sequence[Ready], waits: bool) -> tuple[dict[str, Answer], list[Draft]]:
    """The answers, and the drafts whose claims were voided.

    Rows are locked in one order everywhere: drops, people, claims, quota, numbers, and each kind by its ids. Of
    people only those are taken whom nobody else has (see enrol_many), so that one never keeps many waiting."""
    drafts, answers = _of_this_life(session, claimed)
    buyers = _buyers(session, drafts, waits)
    answers |= {order_id: told for order_id, told in buyers.items() if isinstance(told, Busy)}
    drafts = [draft for draft in drafts if draft.id not in answers]
    taken = claims.take(session, [draft.id for draft in drafts])
    answers |= _elsewhere(session, [draft for draft in drafts if draft.id not in taken])
    drafts = [draft for draft in drafts if draft.id in taken]

    refused: dict[str, Answer] = {d.id: fact for d in drafts if isinstance(fact := buyers[d.id], Fact)}
    buying = {draft.id: buyer for draft in drafts if isinstance(buyer := buyers[draft.id], Person | Buyer)}
    limit = settings().max_numbers_per_id
    places = quota.take_many(session, [buyer.id_index for buyer in buying.values()], limit)
    for order_id, place in zip(list(buying), places, strict=True):
        if not place:
            del buying[order_id]
            refused[order_id] = IdLimitReached(limit=limit)
    claims.forgo(session, refused)
    placed = _insert(session, [(draft, buying[draft.id]) for draft in drafts if draft.id in buying])
    return answers | refused | placed, [draft for draft in drafts if draft.id in refused]


def _of_this_life(session: Session, claimed: Sequence[Ready]) -> tuple[list[Draft], dict[str, Answer]]:
    """The drafts whose drop is still in the epoch that their claim was made in, and Stale for the others.

    A rebuild fences the drop in SQL before it reads the orders there. The row is shared until our commit, so either
    the rebuild sees these orders, or we see the fence; then the new Redis knows nothing of the claim, and nothing is
    given back."""
    drops = session.execute(_SHARED, {"ids": list({one.draft.drop_id for one in claimed})})
    epochs = dict(drops.all())
    drafts = [one.draft for one in claimed if epochs.get(one.draft.drop_id) == one.epoch]
    stale = {one.draft.id for one in claimed} - {draft.id for draft in drafts}
    return drafts, {order_id: Stale() for order_id in stale}


def _buyers(
    session: Session, drafts: Sequence[Draft], waits: bool
) -> dict[str, Person | Buyer | Fact | Busy]:
    """Who buys, as they are now, locked until the commit: a verdict that came since they were enrolled is seen here,
    and one that comes now finds the order (see enrol_many)."""
    known = [draft for draft in drafts if draft.person_id]
    typed = [draft for draft in drafts if not draft.person_id]
    locked = people.locked(session, {draft.person_id for draft in known}, waits=waits)
    buyers: dict[str, Person | Buyer | Fact | Busy] = {}
    for draft in known:
        buyer = locked.get(draft.person_id)
        buyers[draft.id] = Busy() if buyer is None else NotFound() if buyer.state == "erased" else buyer
    if typed:
        enrolled = people.enrol_many(session, [draft.named for draft in typed], waits=waits)
        buyers |= {draft.id: told for draft, told in zip(typed, enrolled, strict=True)}
    return buyers


def _elsewhere(session: Session, drafts: Sequence[Draft]) -> dict[str, Answer]:
    """The claim had a fate already: a parallel call with this key was faster, or it was given back."""
    if not drafts:
        return {}
    orders = session.scalars(select(Order).where(Order.id.in_([draft.id for draft in drafts])))
    known = {order.id: order for order in orders}
    return {d.id: repeated(known[d.id], d.asked) if d.id in known else Lapsed() for d in drafts}


def _insert(session: Session, buying: Sequence[tuple[Draft, Person | Buyer]]) -> dict[str, Answer]:
    """Orders, their first moves and their first work, four statements for all."""
    if not buying:
        return {}
    at = clock.now()
    same = {"live": True, "created_at": at, "updated_at": at}
    rows, lines, placed = [], [], {}
    for draft, buyer in sorted(buying, key=lambda one: one[0].number):
        timeline = moves.first(draft.id, draft.asked.account, verified=buyer.state == "verified")
        row = _row(draft, buyer, str(timeline[-1]["to_state"]), at)
        rows.append(row)
        lines += timeline
        placed[draft.id] = Placed(row | same, timeline)
    insert_all(session, Order, rows, **same)
    insert_all(session, OrderEvent, lines, at=at)
    outbox.add_many(session, moves.DRAFT, [row["id"] for row in rows if row["pay_by"] is not None])
    return dict(placed)


def _row(draft: Draft, buyer: Person | Buyer, state: str, at: datetime) -> dict[str, Any]:
    asked, price = draft.asked, draft.price
    return {
        "id": draft.id,
        "account": asked.account,
        "key": asked.key,
        "request_digest": asked.digest,
        "drop_id": draft.drop_id,
        "hold_id": asked.hold_id,
        "offer_id": draft.offer.id,
        "kind": draft.offer.kind,
        "number": draft.number,
        "sku": draft.hold.sku,
        "state": state,
        "person_id": buyer.id,
        "id_index": buyer.id_index,
        "name_masked": buyer.masked_name,
        "phone": draft.phone,
        "phone_masked": phones.mask(draft.phone),
        "receiver": msgspec.json.encode(draft.receiver).decode(),
        "city": draft.receiver.city,
        "courier": draft.courier,
        "payment": asked.request.payment,
        "price": prices.freeze(price),
        "price_version": price.version,
        "due_now_fen": price.due_now_fen,
        "pay_by": moves.pay_by(draft.pay_seconds, at) if state == "awaiting_payment" else None,
    }


_DROP = table(Drop).c
_SHARED = (
    select(_DROP.id, _DROP.epoch).where(among(_DROP.id, "ids")).order_by(_DROP.id).with_for_update(read=True)
)
