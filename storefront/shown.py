"""What pages show of drops, offers and numbers: names in the reader's language, prices, whether it can be had."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from checkout import offers, prices
from checkout.catalogue_shape import Catalogue, Sku
from checkout.models import Offer
from inventory import drops, queue_follow, regions
from inventory.drops import Tally
from inventory.models import Drop, Number
from inventory.shelf import ShelfNumber
from logistics import couriers
from logistics import regions as post
from logistics.models import Courier
from runtime import clock
from runtime.facts import Fact
from storefront import i18n, words
from storefront.favourites import Marked

BEFORE = frozenset({"scheduled", "warming"})
_NOBODY_KNOWS = Tally(loaded=0, free=0, held=0, ordered=0, paid=0, withdrawn=0, skus={})


@dataclass(frozen=True)
class ShownDrop:
    """A drop as its page tells it. `shown`: its numbers can be looked at; `selling`: and picked."""

    id: str
    name: str
    state: str
    opens_at: datetime
    closes_at: datetime | None
    limit: int
    cities: list[str]
    city_options: list[tuple[str, str]]
    tally: Tally
    offers_line: str = ""

    @property
    def before(self) -> bool:
        return self.state in BEFORE

    @property
    def selling(self) -> bool:
        return self.state == "open"

    @property
    def shown(self) -> bool:
        return self.state in {"warming", "open", "paused", "sold_out"}


@dataclass(frozen=True)
class ShownOffer:
    """An offer as a choice. Money in fen; `monthly_fen` is what an ordinary number costs in a usual month."""

    id: str
    kind: str
    name: str
    plan: str
    handset: str
    allowance: str
    due_fen: int
    fee_fen: int
    monthly_fen: int
    months: int
    gone: bool
    href: str


def drop(found: Drop) -> ShownDrop:
    """Raises nothing: while Redis cannot count, the figures are zero and the page stays up."""
    options = [(code, city_name(code)) for code in found.cities]
    return ShownDrop(
        id=found.id,
        name=found.name,
        state=drops.face(found),
        opens_at=found.opens_at,
        closes_at=found.closes_at,
        limit=found.limit_account,
        cities=[name for _, name in options],
        city_options=options,
        tally=tally(found),
    )


def tally(found: Drop) -> Tally:
    if found.state in {"draft", "scheduled"}:
        return _NOBODY_KNOWS
    try:
        return queue_follow.tally(found.id)
    except Fact:
        return _NOBODY_KNOWS


def front(found: Sequence[Drop]) -> list[ShownDrop]:
    """The drops of the front page: on sale first, then the next ones, then what ended in the last day."""
    recent = clock.now() - timedelta(days=1)
    rank = {"open": 0, "sold_out": 1, "paused": 1, "warming": 2, "scheduled": 2, "closed": 3, "settled": 3}
    seen = [
        (rank[state], one)
        for one in found
        if (state := drops.face(one)) in rank
        and (rank[state] < 3 or (one.closes_at or one.opens_at) > recent)
    ]
    seen.sort(key=lambda ranked: (ranked[0], ranked[1].opens_at))
    return [drop(one) for _, one in seen[:12]]


def offer(found: Offer, stock: dict[str, Any], query: dict[str, str]) -> ShownOffer:
    terms = offers.facts(found)
    plan, handset = (in_language(terms, "plan"), in_language(terms, "handset"))
    title = plan
    if handset:
        title = i18n.gettext("%(handset)s, %(months)s months") % {
            "handset": handset, "months": terms.months,
        }  # fmt: skip
    price = prices.quote(terms, prices.NumberFacts("", terms.drop_id), prices.Choice(at=clock.now()))
    return ShownOffer(
        id=found.id,
        kind=found.kind,
        name=title,
        plan=plan,
        handset=handset,
        allowance=(f"{plan} · " if handset else "") + allowance(terms),
        due_fen=price.due_now_fen,
        fee_fen=terms.fee_fen,
        monthly_fen=max(0, terms.fee_fen - terms.return_fen),
        months=terms.months,
        gone=bool(found.sku_code) and found.sku_code in stock and _free(stock[found.sku_code or ""]) <= 0,
        href=f"?{urlencode({**query, 'offer': found.id})}",
    )


def _free(of_sku: Any) -> int:
    return int(of_sku if isinstance(of_sku, int) else of_sku.free)


def allowance(plan: Any) -> str:
    """What a plan includes each month, the way shops print it."""
    parts = []
    if plan.data_mb:
        data = f"{plan.data_mb // 1024} GB" if plan.data_mb % 1024 == 0 else f"{plan.data_mb:,} MB"
        parts.append(i18n.gettext("%(amount)s data") % {"amount": data})
    if plan.minutes:
        parts.append(i18n.gettext("%(count)s minutes") % {"count": plan.minutes})
    if plan.texts:
        parts.append(i18n.gettext("%(count)s texts") % {"count": plan.texts})
    return " · ".join(parts)


def number(found: ShelfNumber | Number, chosen: ShownOffer) -> dict[str, Any]:
    """A number on the shelf; `fits` tells whether the chosen offer may carry it (checked again at the price)."""
    short = chosen.kind == "bundle" and chosen.months < found.term_months
    return {
        "number": found.number,
        "city_name": city_name(found.city),
        "pattern_name": pattern_name(found.pattern),
        "prestore_fen": found.prestore_fen,
        "min_spend_fen": found.min_spend_fen,
        "fits": chosen.fee_fen >= found.min_spend_fen and not short,
    }


def favourite(marked: Marked, chosen: ShownOffer) -> dict[str, Any]:
    """A marked number, as on the shelf; `free` is how it looks from here."""
    return {**number(marked.number, chosen), "free": marked.free}


def pattern_name(pattern: str) -> str:
    return i18n.gettext(words.PATTERNS[pattern]) if pattern in words.PATTERNS else ""


def pattern_options() -> list[tuple[str, str]]:
    return [(code, i18n.gettext(name)) for code, name in words.PATTERNS.items()]


def city_name(code: str) -> str:
    city = regions.CITIES.get(code)
    return (city.zh if i18n.spoken() == "zh" else city.en) if city else code


def name_of(thing: Any) -> str:
    """The name of a plan, handset, promotion or courier in the reader's language."""
    zh = i18n.spoken() == "zh"
    if isinstance(thing, Courier):
        return thing.name_zh if zh else thing.name_en
    name: str = thing.zh if zh else thing.en
    return name


def sku_name(known: Catalogue, sku: Sku) -> str:
    """Model, storage and colour."""
    return f"{name_of(known.handset[sku.handset])} {variant(sku)}"


def variant(sku: Sku) -> str:
    """Storage and colour."""
    zh = i18n.spoken() == "zh"
    return f"{sku.storage_gb}GB {sku.colour_zh}" if zh else f"{sku.storage_gb} GB {sku.colour_en}"


def model_name(terms: prices.OfferFacts) -> str:
    """The handset without colour and storage."""
    return in_language(terms, "model") or in_language(terms, "handset")


def variant_name(terms: prices.OfferFacts) -> str:
    """Its storage and colour."""
    return in_language(terms, "variant") or in_language(terms, "handset")


def in_language(terms: prices.OfferFacts, what: str) -> str:
    """The offer's `plan`, `handset`, `model` or `variant` by name; "" where it has none."""
    name: str = getattr(terms, f"{what}_{'zh' if i18n.spoken() == 'zh' else 'en'}")
    return name


def provinces(session: Session) -> list[dict[str, Any]]:
    """The cities some courier serves, by province, for an address form without JavaScript."""
    areas = [area for courier in couriers.listing(session) if courier.active for area in courier.areas]
    out = []
    for code, name in post.PROVINCES.items():
        cities = [
            (city, city_zh)
            for city, city_zh in post.CITIES.items()
            if city[:2] == code[:2] and city.startswith(tuple(areas))
        ]
        if cities:
            out.append({"zh": name, "en": words.PROVINCES_EN.get(code[:2], ""), "cities": cities})
    return out
