"""Which promotions a purchase has, and what each is worth. Pure: the order in which they are written changes
nothing."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from checkout.catalogue_shape import KINDS, Promotion
from runtime.facts import N_, Invalid


@dataclass(frozen=True)
class Bought:
    """What promotions look at: plan and handset by code, the term, the number's grade; who buys, and when (None:
    only what has no window applies)."""

    plan: str
    handset: str
    months: int
    grade: int
    audience: Collection[str] = ("everyone",)
    at: datetime | None = None


def fitting(promotions: Iterable[Promotion], bought: Bought) -> list[Promotion]:
    """Those that fit, by kind and then by code. Of a group's the most valuable alone, bundles aside: those are
    for the shopper to choose."""
    fits = [one for one in promotions if _fits(one, bought)]
    best: dict[str, Promotion] = {}
    for one in fits:
        if one.group and one.kind != "bundle":
            rival = best.setdefault(one.group, one)
            if (-one.amount_fen, one.code) < (-rival.amount_fen, rival.code):
                best[one.group] = one
    alone = [one for one in fits if not one.group or one.kind == "bundle" or best[one.group] is one]
    return sorted(alone, key=lambda one: (KINDS.index(one.kind), one.code))


def chosen(fitting: Iterable[Promotion], extras: Collection[str]) -> list[Promotion]:
    """What applies of what fits: all but the bundles that were not asked for. Raises Invalid(extras) where
    something was asked for that is not to be had with this."""
    fits = list(fitting)
    if set(extras) - {one.code for one in fits if one.kind == "bundle"}:
        raise Invalid(extras=N_("One of the extras is not on offer with this choice; take it out."))
    return [one for one in fits if one.kind != "bundle" or one.code in extras]


def _fits(one: Promotion, bought: Bought) -> bool:
    return (
        one.audience in bought.audience
        and _is_on(one, bought.at)
        and (not one.plans or bought.plan in one.plans)
        and (not one.handsets or bought.handset in one.handsets)
        and (not one.terms or bought.months in one.terms)
        and (not one.grades or bought.grade in one.grades)
    )


def _is_on(one: Promotion, at: datetime | None) -> bool:
    if at is None:
        return one.starts_at is None and one.ends_at is None
    return (one.starts_at is None or one.starts_at <= at) and (one.ends_at is None or at < one.ends_at)
