"""A checked order before its number is claimed: all that can be wrong with a request is found here."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from checkout import prices
from checkout.asked import Asked, named
from checkout.at_hand import AtHand, Before
from checkout.offers import OnSale
from checkout.prices import NumberFacts, Quote
from inventory.facts import Ordered
from inventory.holds import Hold
from kyc import people, phones
from logistics import couriers, regions
from logistics.parcels import Receiver
from runtime import clock
from runtime.facts import N_, Invalid, NotFound
from runtime.settings import settings

METHODS = ("card", "alipay", "wechat_pay", "cod")


@dataclass(frozen=True, repr=False)
class Draft:
    """A checked order before its number is claimed."""

    asked: Asked
    phone: str
    hold: Hold
    offer: OnSale
    price: Quote
    courier: str
    receiver: Receiver
    pay_seconds: int
    min_age: int  # years the goods ask for
    person_id: (
        str  # of the account's verified person, chosen here once; "" where name and ID number were typed
    )
    id_index: str  # of the same
    rehearsed: bool  # in a shadow drop: all is done, and taken back

    @property
    def id(self) -> str:
        """Of the order it becomes."""
        return self.asked.order_id

    @property
    def drop_id(self) -> str:
        return self.hold.drop

    @property
    def number(self) -> str:
        return self.hold.number

    @property
    def named(self) -> people.Named:
        """The buyer as typed."""
        request = self.asked.request
        return people.Named(self.asked.account, request.name, request.id_number, self.min_age)


def check(known: AtHand, before: Before, asked: Asked) -> Draft:
    """Everything that can be wrong with a request, before anything is taken.

    Raises Invalid, NotFound, Ordered, NoCourier, TooYoung and the price's facts."""
    request, hold = asked.request, known.holds.get(asked.hold_id)
    if hold is None:
        raise NotFound
    if hold.account != asked.account:
        raise NotFound(N_("There is no such hold."))
    if other := before.of_hold.get(asked.hold_id):
        raise Ordered(order_id=other)
    buyer = None
    if not named(request):
        buyer = known.people.get(asked.account)
        if buyer is None:
            raise people.nobody()
    drop = known.drops.get(hold.drop)
    if drop is None:
        raise NotFound
    receiver = check_receiver(request.receiver)
    if request.payment not in METHODS:
        raise Invalid(payment=N_("Choose card, alipay, wechat_pay or cod."))
    if request.payment == "cod" and not drop.cod:
        raise Invalid(payment=N_("This drop is not sold by cash on delivery."))
    courier = couriers.choose_among(known.couriers, city=receiver.city, cod=request.payment == "cod")
    offer, number = known.offers.get(hold.offer), known.numbers.get(hold.number)
    if offer is None:
        raise NotFound(N_("There is no such offer."))
    if hold.sku != offer.sku:
        raise prices.WrongStock(number=hold.number)  # the handset of this offer was not held with the number
    if number is None:
        raise NotFound
    who = audience(first_order=asked.account not in known.ordered, verified=buyer is not None)
    chosen = choice(request.first_month, request.extras, who, hold, drop.hold_seconds)
    price = prices.quote(offer.facts, number_facts(number), chosen)
    if request.due_now_fen is not None and request.due_now_fen != price.due_now_fen:
        raise prices.PriceChanged(due_now_fen=price.due_now_fen)
    phone = phones.normalise(asked.phone)
    min_age = settings().min_age_bundle if offer.kind == "bundle" else settings().min_age_card
    if buyer:
        people.check_age(buyer, min_age, clock.shanghai_date())
    return Draft(
        asked=asked,
        phone=phone,
        hold=hold,
        offer=offer,
        price=price,
        courier=courier.code,
        receiver=receiver,
        pay_seconds=drop.pay_seconds,
        min_age=min_age,
        person_id=buyer.id if buyer else "",
        id_index=buyer.id_index if buyer else "",
        rehearsed=drop.shadow_of is not None,
    )


def choice(
    first_month: str, extras: Iterable[str], audience: frozenset[str], hold: Hold, hold_seconds: int
) -> prices.Choice:
    """What was chosen with a hold. Promotions count that were on when it began: a price that was shown stays."""
    at = hold.expires_at - timedelta(seconds=hold_seconds)
    return prices.Choice(first_month, frozenset(extras), audience, at)


def audience(*, first_order: bool, verified: bool) -> frozenset[str]:
    """Whom of the promotions' audiences a shopper belongs to. `verified`: it is their verified person who buys."""
    also = {"first_order": first_order, "verified": verified}
    return frozenset({"everyone", *(name for name, is_so in also.items() if is_so)})


def number_facts(number: Any) -> NumberFacts:
    """What the price depends on."""
    return NumberFacts(
        number=number.number,
        drop_id=number.drop_id,
        prestore_fen=number.prestore_fen,
        min_spend_fen=number.min_spend_fen,
        term_months=number.term_months,
        grade=number.grade,
    )


def check_receiver(given: Receiver) -> Receiver:
    """The address cleaned up; Invalid names each field that is wrong, as receiver.FIELD."""
    clean = {
        name: " ".join(unicodedata.normalize("NFC", getattr(given, name)).split())
        for name in ("name", "mobile", "province", "city", "district", "address")
    }
    wrong: dict[str, str] = {}
    for name, least, most in (("name", 2, 50), ("address", 4, 200)):
        if not least <= len(clean[name]) <= most or not clean[name].isprintable():
            wrong[f"receiver.{name}"] = _WRONG[name]
    try:
        clean["mobile"] = phones.normalise(clean["mobile"])
    except Invalid as error:
        wrong["receiver.mobile"] = next(iter(error.errors.values()))
    try:
        place = regions.place(clean["province"], clean["city"], clean["district"])
        clean |= {"province": place.province, "city": place.city_code, "district": place.district}
    except Invalid as error:
        wrong |= {f"receiver.{name}": sentence for name, sentence in error.errors.items()}
    if wrong:
        raise Invalid(**wrong)
    return Receiver(**clean)


_WRONG = {
    "name": N_("Write the name of who receives the parcel, 2 to 50 characters."),
    "address": N_("Write street, building and room, 4 to 200 characters."),
}
