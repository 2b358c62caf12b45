"""Placing an order: everything checked first, the number claimed in Redis, then one transaction in SQL."""

import unicodedata
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from checkout import claims, moves, offers, prices
from checkout.models import Offer, Order
from checkout.prices import NumberFacts, Quote
from inventory import drops, holds, numbers
from inventory.facts import Lapsed, Ordered
from inventory.models import Drop, Number
from kyc import people, phones, quota
from kyc.models import Person
from logistics import couriers, regions
from logistics.parcels import Receiver
from runtime import clock
from runtime.crash import point
from runtime.crypto import digest
from runtime.db import reading, writing
from runtime.facts import N_, Fact, Invalid, NotFound
from runtime.ids import derived_id
from runtime.log import log
from runtime.settings import settings

METHODS = ("card", "alipay", "wechat_pay", "cod")


class KeyReused(Fact):
    """The Idempotency-Key came before with another body."""

    code = "key_reused"
    text = N_("This Idempotency-Key was used for another order.")


class NumberSlipped(Fact):
    """SQL knows another live order of this number: the last guard."""

    code = "number_slipped"
    text = N_("This number is no longer available. Please pick another one.")


@dataclass(frozen=True)
class OrderRequest:
    """What the shopper fills in. Its repr shows nothing of it."""

    name: str
    id_number: str
    receiver: Receiver
    payment: str

    def __repr__(self) -> str:
        return f"OrderRequest(payment={self.payment!r})"


@dataclass(frozen=True, repr=False)
class _Draft:
    """A checked order before its number is claimed."""

    id: str
    account: str
    key: str
    digest: str
    phone: str
    hold_id: str
    number: str
    sku: str
    drop: Drop
    offer: Offer
    price: Quote
    courier: str
    request: OrderRequest


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
        draft = _check(session, order_id, account, phone, hold_id, key, asked, request)
    with writing() as session:
        person = _enrol(session, draft)
    holds.claim(hold_id, account=account, order_id=order_id, person=person.id_index)
    point("order.claimed")
    try:
        with writing() as session:
            order = _insert(session, draft)
    except Fact:
        # The hold is gone and there will be no order: give the number back, unless a parallel call placed it.
        if claims.void(draft.drop.id, order_id, draft.number) == claims.PLACED:
            with reading() as session:
                return session.get_one(Order, order_id)
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


def _check(
    session: Session,
    order_id: str,
    account: str,
    phone: str,
    hold_id: str,
    key: str,
    asked: str,
    request: OrderRequest,
) -> _Draft:
    """Everything that can be wrong with a request, before anything is taken."""
    hold = holds.find(hold_id)
    if hold.account != account:
        raise NotFound(N_("There is no such hold."))
    if other := claims.order_of_hold(session, hold_id):
        raise Ordered(order_id=other)
    drop = drops.find(session, hold.drop)
    receiver = check_receiver(request.receiver)
    if request.payment not in METHODS:
        raise Invalid(payment=N_("Choose card, alipay, wechat_pay or cod."))
    if request.payment == "cod" and not drop.cod:
        raise Invalid(payment=N_("This drop is not sold by cash on delivery."))
    courier = couriers.choose(session, city=receiver.city, cod=request.payment == "cod")
    offer = offers.find(session, hold.offer)
    price = prices.quote(offers.facts(offer), number_facts(numbers.facts_of(session, hold.number)))
    return _Draft(
        id=order_id,
        account=account,
        key=key,
        digest=asked,
        phone=phones.normalise(phone),
        hold_id=hold_id,
        number=hold.number,
        sku=(offer.sku_code or ""),
        drop=drop,
        offer=offer,
        price=price,
        courier=courier.code,
        request=replace(request, receiver=receiver),
    )


def number_facts(number: Number) -> NumberFacts:
    """What the price depends on."""
    return NumberFacts(
        number=number.number,
        drop_id=number.drop_id,
        prestore_fen=number.prestore_fen,
        min_spend_fen=number.min_spend_fen,
        term_months=number.term_months,
    )


def check_receiver(given: Receiver) -> Receiver:
    """The address cleaned up; Invalid names each field that is wrong, as receiver.FIELD."""
    clean = {
        name: " ".join(unicodedata.normalize("NFC", getattr(given, name)).split())
        for name in ("name", "mobile", "province", "city", "district", "address")
    }
    wrong: dict[str, str] = {}
    for name, least, most in (("name", 2, 50), ("district", 0, 50), ("address", 4, 200)):
        if not least <= len(clean[name]) <= most or not clean[name].isprintable():
            wrong[f"receiver.{name}"] = _WRONG[name]
    try:
        clean["mobile"] = phones.normalise(clean["mobile"])
    except Invalid as error:
        wrong["receiver.mobile"] = next(iter(error.errors.values()))
    try:
        clean["city"] = regions.city_code(clean["city"])
        clean["province"] = regions.province_name(clean["city"])
    except Invalid as error:
        wrong["receiver.city"] = next(iter(error.errors.values()))
    if wrong:
        raise Invalid(**wrong)
    return Receiver(**clean)


_WRONG = {
    "name": N_("Write the name of who receives the parcel, 2 to 50 characters."),
    "district": N_("Write the district with at most 50 characters."),
    "address": N_("Write street, building and room, 4 to 200 characters."),
}


def _enrol(session: Session, draft: _Draft) -> Person:
    least = settings().min_age_bundle if draft.offer.kind == "bundle" else settings().min_age_card
    return people.enrol(session, draft.account, draft.request.name, draft.request.id_number, min_age=least)


def _insert(session: Session, draft: _Draft) -> Order:
    """The order, its claim, the quota and the first work, in the caller's one transaction."""
    if not claims.take(session, draft.id):
        if known := _known(session, draft.id, draft.digest):
            return known  # a parallel call with this key was faster
        raise Lapsed
    # Enrolled again in this transaction: a verdict that came since the first time is seen here, and the person's
    # row is locked until the commit, so a verdict that comes now finds the order (see people.enrol).
    person = _enrol(session, draft)
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
