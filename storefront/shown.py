"""What pages show of drops, offers and numbers: names in the reader's language, prices, whether it can be had."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from checkout.models import Offer
from inventory import drops, queue_follow, regions
from inventory.drops import Tally
from inventory.models import Drop
from inventory.shelf import ShelfNumber
from logistics import couriers
from logistics import regions as post
from runtime import clock
from runtime.facts import Fact
from storefront import i18n, words

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
    plan, policy = found.plan, found.policy
    handset = name_of(found.sku) if found.sku else ""
    now = policy.handset_fen + policy.prestore_fen if policy else plan.topup_fen
    back = policy.return_fen if policy else 0
    title = name_of(plan)
    if policy:
        title = i18n.gettext("%(handset)s, %(months)s months") % {
            "handset": handset, "months": policy.months,
        }  # fmt: skip
    return ShownOffer(
        id=found.id,
        kind=found.kind,
        name=title,
        plan=name_of(plan),
        handset=handset,
        allowance=(f"{name_of(plan)} · " if policy else "") + allowance(plan),
        due_fen=now,
        fee_fen=plan.monthly_fen,
        monthly_fen=max(0, plan.monthly_fen - back),
        months=policy.months if policy else 0,
        gone=bool(found.sku_code) and found.sku_code in stock and _free(stock[found.sku_code or ""]) <= 0,
        href=f"?{urlencode({**query, 'offer': found.id})}",
    )


def _free(of_sku: Any) -> int:
    return int(of_sku if isinstance(of_sku, int) else of_sku.free)


def allowance(plan: Any) -> str:
    """What a plan includes each month, the way shops print it."""
    parts = []
    if plan.data_mb:
        data = f"{plan.data_mb / 1024:g} GB" if plan.data_mb >= 1024 else f"{plan.data_mb} MB"
        parts.append(i18n.gettext("%(amount)s data") % {"amount": data})
    if plan.minutes:
        parts.append(i18n.gettext("%(count)s minutes") % {"count": plan.minutes})
    if plan.texts:
        parts.append(i18n.gettext("%(count)s texts") % {"count": plan.texts})
    return " · ".join(parts)


def number(found: ShelfNumber, chosen: ShownOffer) -> dict[str, Any]:
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


def pattern_name(pattern: str) -> str:
    return i18n.gettext(words.PATTERNS[pattern]) if pattern in words.PATTERNS else ""


def pattern_options() -> list[tuple[str, str]]:
    return [(code, i18n.gettext(name)) for code, name in words.PATTERNS.items()]


def city_name(code: str) -> str:
    city = regions.CITIES.get(code)
    return (city.zh if i18n.spoken() == "zh" else city.en) if city else code


def name_of(thing: Any) -> str:
    """The name of a plan, handset or courier in the reader's language."""
    name: str = thing.name_zh if i18n.spoken() == "zh" else thing.name_en
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
