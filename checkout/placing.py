"""Placing an order: everything checked first, the number claimed in Redis, then one transaction in SQL."""

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout import claims, drafts, moves, prices
from checkout.drafts import Draft
from checkout.drafts import OrderRequest as OrderRequest
from checkout.drafts import check_receiver as check_receiver
from checkout.drafts import number_facts as number_facts
from checkout.models import Order
from inventory import holds
from inventory.facts import Lapsed
from kyc import people, phones, quota
from kyc.models import Person
from runtime import clock
from runtime.crash import point
from runtime.crypto import digest
from runtime.db import reading, writing
from runtime.facts import N_, Fact, Invalid
from runtime.ids import derived_id
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


def place(*, account: str, phone: str, hold_id: str, key: str, request: OrderRequest) -> Order:
    """Turn a hold into an order; the same key gives the same order, however often and at once it is sent.

    Nothing is claimed before everything that can be wrong was checked, so a mistake costs no hold. Raises
    Invalid, NotFound, KeyReused, Ordered, Lapsed, NoCourier, the price's facts, LimitReached,
    IdLimitReached. After any other error the caller sends the same again: the claim waits for it
    `orphan_seconds`, then the number is given back (orphans.tick)."""
    order_id = derived_id("ord", account, _key(key))
    asked = _digest(hold_id, phone, request)
    with reading() as session:
        if known := _known(session, order_id, asked):
            return known
        draft = drafts.check(session, order_id, account, phone, hold_id, key, asked, request)
    with writing() as session:
        person = _buyer(session, draft)
    holds.claim(hold_id, account=account, order_id=order_id, person=person.id_index)
    point("order.claimed")
    try:
        with writing() as session:
            order = _insert(session, draft)
    except Fact:
        # The hold is gone and there will be no order: give the number back, unless a parallel call placed it.
        if claims.void(draft.drop.id, order_id, draft.number) == claims.PLACED:
            with reading() as session:
                if known := _known(session, order_id, asked):
                    return known
        raise
    point("order.committed")
    return order


def _key(key: str) -> str:
    if not 1 <= len(key) <= 200:
        raise Invalid(**{"Idempotency-Key": N_("Send an Idempotency-Key of 1 to 200 characters.")})
    return key


def _digest(hold_id: str, phone: str, request: OrderRequest) -> str:
    whole = msgspec.json.encode(
        [hold_id, phone, request.name, request.id_number, request.receiver, request.payment]
    )
    return digest("order", whole.decode())


def _known(session: Session, order_id: str, asked: str) -> Order | None:
    """The order this key made already. Raises KeyReused, or Lapsed when its claim was given back."""
    order = session.get(Order, order_id)
    if order is not None:
        if order.request_digest != asked:
            raise KeyReused(order=order_id)
        return order
    if claims.fate(session, order_id) == claims.VOIDED:
        raise Lapsed
    return None


def _buyer(session: Session, draft: Draft) -> Person:
    """Who was typed, enrolled; with nothing typed the verified person, who starts no check. Both by age."""
    least = settings().min_age_bundle if draft.offer.kind == "bundle" else settings().min_age_card
    if draft.person_id:
        return people.of_age(session, draft.person_id, least)
    return people.enrol(session, draft.account, draft.request.name, draft.request.id_number, min_age=least)


def _insert(session: Session, draft: Draft) -> Order:
    """The order, its claim, the quota and the first work, in the caller's one transaction."""
    if not claims.take(session, draft.id):
        if known := _known(session, draft.id, draft.digest):
            return known  # a parallel call with this key was faster
        raise Lapsed
    # Enrolled again in this transaction: a verdict that came since the first time is seen here, and the person's
    # row is locked until the commit, so a verdict that comes now finds the order (see people.enrol).
    person = _buyer(session, draft)
    quota.take(session, person.id_index, settings().max_numbers_per_id)
    at = clock.now()
    order = Order(
        id=draft.id,
        account=draft.account,
        key=draft.key,
        request_digest=draft.digest,
        drop_id=draft.drop.id,
        hold_id=draft.hold_id,
        offer_id=draft.offer.id,
        kind=draft.offer.kind,
        number=draft.number,
        sku=draft.sku,
        state="created",
        live=True,
        person_id=person.id,
        id_index=person.id_index,
        name_masked=person.masked_name,
        phone=draft.phone,
        phone_masked=phones.mask(draft.phone),
        receiver=msgspec.json.encode(draft.request.receiver).decode(),
        city=draft.request.receiver.city,
        courier=draft.courier,
        payment=draft.request.payment,
        price=prices.freeze(draft.price),
        price_version=draft.price.version,
        due_now_fen=draft.price.due_now_fen,
        created_at=at,
        updated_at=at,
    )
    session.add(order)
    try:
        session.flush()
    except IntegrityError as error:
        # one_live_order_per_number, or one order per hold. Redis let something slip: never silent.
        log.error("order.number_slipped", order=draft.id, number=draft.number, drop=draft.drop.id)
        raise NumberSlipped(number=draft.number) from error
    moves.record(session, order.id, "created", "created", draft.account, N_("Order placed."))
    if person.state == "verified":
        moves.ready_to_pay(session, order)
    else:
        moves.move(session, order, "awaiting_kyc", note=N_("We are checking the identity."))
    return order
