"""What goes into a price and what comes out: values only, frozen with the order they were made for."""

from dataclasses import dataclass
from datetime import datetime

from checkout.catalogue_shape import Promotion


@dataclass(frozen=True)
class OfferFacts:
    """Of an offer, what the price depends on, and what is shown of it. Money in fen; months is 0 for a bare card.
    `policy` is the contract's kind, prestore or credit; with credit `return_fen` is a gift each month."""

    kind: str
    drop_id: str
    plan_zh: str
    plan_en: str
    fee_fen: int
    topup_fen: int = 0
    handset_zh: str = ""
    handset_en: str = ""
    months: int = 0
    handset_fen: int = 0
    prestore_fen: int = 0
    return_fen: int = 0
    plan: str = ""
    handset: str = ""
    policy: str = "prestore"
    penalty_months: int = 0
    minutes: int = 0
    data_mb: int = 0
    texts: int = 0
    first_months: tuple[str, ...] = ("full",)
    minute_unit_fen: int = 0
    mb_unit_fen: int = 0
    text_unit_fen: int = 0
    promotions: tuple[Promotion, ...] = ()
    catalogue: int = 0  # the version it comes from
    model_zh: str = ""  # the handset without colour and storage, and those alone
    model_en: str = ""
    variant_zh: str = ""
    variant_en: str = ""
    swatch: str = ""
    shape: str = "slab"


@dataclass(frozen=True)
class NumberFacts:
    """Of a number, what the price depends on: its grade, and that grade's prestore, least monthly spend and
    term."""

    number: str
    drop_id: str | None
    prestore_fen: int = 0
    min_spend_fen: int = 0
    term_months: int = 0
    grade: int = 9


@dataclass(frozen=True)
class Choice:
    """What the shopper chose beside offer and number, who they are and when they chose the number (UTC).
    `first_month`: how the month of joining is charged, "" for the plan's usual way; `extras`: bundles by
    code."""

    first_month: str = ""
    extras: frozenset[str] = frozenset()
    audience: frozenset[str] = frozenset({"everyone"})
    at: datetime | None = None


USUAL = Choice()


@dataclass(frozen=True)
class Line:
    """One line of the price. `label` and `reason` are N_ sentences; `reason` is formatted with `args`."""

    code: str
    label: str
    amount_fen: int
    when: str  # now | monthly | first
    reason: str
    args: dict[str, str]
    zh: str = ""  # the thing's own name, beside the label
    en: str = ""


@dataclass(frozen=True)
class Month:
    """One month after activation: the fee, what returns to the account, what is left to pay."""

    month: int
    fee_fen: int
    return_fen: int
    due_fen: int


@dataclass(frozen=True)
class Quote:
    """A whole price. `months` has one entry a month of the term; without a term the first month alone, or as many
    as a promotion gives credit for."""

    version: int
    number: str
    lines: tuple[Line, ...]
    due_now_fen: int
    package_fen: int  # handset + its prestore, 0 for a card
    fee_fen: int
    term_months: int
    months: tuple[Month, ...]
    total_fen: int  # due now and all months
    credit_left_fen: int  # returned but not used up by fees, stays on the account
    first_month: str = "full"
    promotions: tuple[str, ...] = ()  # those that applied, by code
    catalogue: int = 0  # the version it was priced with

    @property
    def runs(self) -> tuple[tuple[int, int, int], ...]:
        """Months in a row that cost the same: the first, the last, and what is due in each."""
        found: list[tuple[int, int, int]] = []
        for one in self.months:
            if found and found[-1][2] == one.due_fen:
                found[-1] = (found[-1][0], one.month, one.due_fen)
            else:
                found.append((one.month, one.month, one.due_fen))
        return tuple(found)

    @property
    def monthly_due_fen(self) -> int:
        """The usual month: the last one, since odd amounts come with the first."""
        return self.months[-1].due_fen
