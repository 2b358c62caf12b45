"""A checked order before its number is claimed: all that can be wrong with a request is found here."""

import unicodedata
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from checkout import claims, offers, prices
from checkout.models import Offer
from checkout.prices import NumberFacts, Quote
from inventory import drops, holds, numbers
from inventory.facts import Ordered
from inventory.models import Drop, Number
from kyc import people, phones
from logistics import couriers, regions
from logistics.parcels import Receiver
from runtime.facts import N_, Invalid, NotFound

METHODS = ("card", "alipay", "wechat_pay", "cod")


@dataclass(frozen=True)
class OrderRequest:
    """What the shopper fills in. Name and ID number both empty: the account's verified person buys.

    Its repr shows nothing of it."""

    name: str
    id_number: str
    receiver: Receiver
    payment: str

    def __repr__(self) -> str:
        return f"OrderRequest(payment={self.payment!r})"


@dataclass(frozen=True, repr=False)
class Draft:
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
    person_id: (
        str  # of the account's verified person, chosen here once; "" where name and ID number were typed
    )


def check(
    session: Session,
    order_id: str,
    account: str,
    phone: str,
    hold_id: str,
    key: str,
    asked: str,
    request: OrderRequest,
) -> Draft:
    """Everything that can be wrong with a request, before anything is taken."""
    hold = holds.find(hold_id)
    if hold.account != account:
        raise NotFound(N_("There is no such hold."))
    if other := claims.order_of_hold(session, hold_id):
        raise Ordered(order_id=other)
    person_id = "" if named(request) else people.verified(session, account).id
    drop = drops.find(session, hold.drop)
    receiver = check_receiver(request.receiver)
    if request.payment not in METHODS:
        raise Invalid(payment=N_("Choose card, alipay, wechat_pay or cod."))
    if request.payment == "cod" and not drop.cod:
        raise Invalid(payment=N_("This drop is not sold by cash on delivery."))
    courier = couriers.choose(session, city=receiver.city, cod=request.payment == "cod")
    offer = offers.find(session, hold.offer)
    if hold.sku != (offer.sku_code or ""):
        raise prices.WrongStock(number=hold.number)  # the handset of this offer was not held with the number
    price = prices.quote(offers.facts(offer), number_facts(numbers.facts_of(session, hold.number)))
    return Draft(
        id=order_id,
        account=account,
        key=key,
        digest=asked,
        phone=phones.normalise(phone),
        hold_id=hold_id,
        number=hold.number,
        sku=hold.sku,
        drop=drop,
        offer=offer,
        price=price,
        courier=courier.code,
        request=replace(request, receiver=receiver),
        person_id=person_id,
    )


def named(request: OrderRequest) -> bool:
    """Does the request name its buyer? With one field filled in it does, and the other is a mistake."""
    return bool(request.name.strip() or request.id_number.strip())


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
