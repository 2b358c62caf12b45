"""What a catalogue holds: plans, handsets with their skus, contract policies, number grades, promotions.
Values only: a catalogue never changes, the next version is another one."""

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec

FIRST_MONTHS = ("full", "half", "usage")  # how the month of joining is charged
AUDIENCES = ("everyone", "first_order", "verified")
KINDS = ("gift", "discount", "credit", "bundle")  # of promotions, in the order they are applied


class Plan(msgspec.Struct, frozen=True):
    """A tariff. Prepaid plans take the fee from credit, post-paid plans bill it; both ask it monthly. `topup_fen`
    is credit bought with a bare card. Allowances are a month's; *_unit_fen is what one beyond them costs, or
    any in a first month by usage."""

    code: str
    kind: str  # prepaid | postpaid
    zh: str
    en: str
    fee_fen: int
    topup_fen: int = 0
    minutes: int = 0
    data_mb: int = 0
    texts: int = 0
    first_months: tuple[str, ...] = ("full",)  # the first one where nobody chooses
    minute_unit_fen: int = 0
    mb_unit_fen: int = 0
    text_unit_fen: int = 0


class Handset(msgspec.Struct, frozen=True):
    """A model of phone; what is sold and counted is one of its skus. `maker` chooses its drawing."""

    code: str
    zh: str
    en: str
    shape: str = "slab"  # slab | button | fold: how it is drawn


class Sku(msgspec.Struct, frozen=True):
    """One colour and storage of a handset, the thing in a box."""

    code: str
    handset: str
    colour_zh: str
    colour_en: str
    storage_gb: int
    swatch: str = "#6b7280"  # its colour, as #rrggbb


class Policy(msgspec.Struct, frozen=True):
    """A contract: this handset on this plan for so many months (DOMAIN 3.2). `prestore`: the handset at
    `price_fen` and credit of `prestore_fen` that comes back in parts of `return_fen`, what does not divide
    with the first. `credit`: the handset at its full price, and a gift of `return_fen` a month.
    `penalty_months`: of the plan's fee, for leaving early; 0 means that what has not come back is
    forfeited."""

    handset: str
    plan: str
    months: int
    kind: str  # prestore | credit
    price_fen: int
    prestore_fen: int
    return_fen: int
    penalty_months: int = 0
    source: str = ""

    @property
    def code(self) -> str:
        return f"{self.handset}:{self.plan}:{self.months}"


class Grade(msgspec.Struct, frozen=True):
    """What a beautiful number asks for: credit that comes back over the term, a least monthly spend, a term."""

    grade: int
    prestore_fen: int
    spend_fen: int
    months: int

    @property
    def code(self) -> str:
        return str(self.grade)


class Promotion(msgspec.Struct, frozen=True):
    """Something on top, from `starts_at` until before `ends_at` (UTC; none: no end), for an audience and for what
    fits: an empty tuple fits all. `gift`: a thing for nothing, worth `amount_fen`. `discount`: so much off
    the handset, or off a bare card's first credit. `credit`: so much on the account, in equal parts over
    `months`. `bundle`: a thing for `amount_fen`, if the shopper wants it. Of those in one `group` the most
    valuable applies alone."""

    code: str
    kind: str
    zh: str
    en: str
    amount_fen: int = 0
    months: int = 1
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    audience: str = "everyone"
    group: str = ""
    plans: tuple[str, ...] = ()
    handsets: tuple[str, ...] = ()
    terms: tuple[int, ...] = ()
    grades: tuple[int, ...] = ()


Thing = Plan | Handset | Sku | Policy | Grade | Promotion
THINGS: dict[str, type[Thing]] = {
    "plan": Plan, "handset": Handset, "sku": Sku, "policy": Policy, "grade": Grade, "promotion": Promotion,
}  # fmt: skip


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """Everything that can be on offer, each by its code; a policy's is handset:plan:months."""

    plan: dict[str, Plan] = {}
    handset: dict[str, Handset] = {}
    sku: dict[str, Sku] = {}
    policy: dict[str, Policy] = {}
    grade: dict[str, Grade] = {}
    promotion: dict[str, Promotion] = {}

    def of(self, thing: str) -> Mapping[str, Any]:
        """All of a kind."""
        found: Mapping[str, Any] = getattr(self, thing)
        return found

    @cached_property
    def plans(self) -> list[Plan]:
        """Prepaid first, then by fee."""
        return sorted(self.plan.values(), key=lambda one: (one.kind != "prepaid", one.fee_fen, one.code))

    def skus_of(self, handset: str) -> list[Sku]:
        """By storage, then as they are named."""
        mine = [one for one in self.sku.values() if one.handset == handset]
        return sorted(mine, key=lambda one: (one.storage_gb, one.code))

    def policies_of(self, handset: str) -> list[Policy]:
        """By term, then by the plan's fee."""
        mine = [one for one in self.policy.values() if one.handset == handset]
        return sorted(mine, key=lambda one: (one.months, self.plan[one.plan].fee_fen, one.plan))


def written(catalogue: Catalogue) -> dict[str, Any]:
    """As plain JSON."""
    plain: dict[str, Any] = msgspec.to_builtins(catalogue)
    return plain


def read(plain: Mapping[str, Any]) -> Catalogue:
    return msgspec.convert(plain, Catalogue)
