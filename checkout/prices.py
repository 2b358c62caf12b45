"""What an offer with a number costs: now, each month, what returns when, and over the whole term."""

from collections.abc import Sequence
from typing import Any

import msgspec

from checkout import price_lines, promotions
from checkout.catalogue_shape import Promotion
from checkout.price_lines import FIRST_MONTHS as FIRST_MONTHS
from checkout.price_lines import units as units
from checkout.price_lines import whole_yuan as whole_yuan
from checkout.price_lines import yuan as yuan
from checkout.price_shape import USUAL
from checkout.price_shape import Choice as Choice
from checkout.price_shape import Line as Line
from checkout.price_shape import Month as Month
from checkout.price_shape import NumberFacts as NumberFacts
from checkout.price_shape import OfferFacts as OfferFacts
from checkout.price_shape import Quote as Quote
from runtime.facts import N_, Fact, Invalid

VERSION = 2  # of the rules and of the frozen form; an order keeps the one it was made with


class PlanTooSmall(Fact):
    """The number asks for a higher monthly spend than the plan has."""

    code = "plan_too_small"
    text = N_("This number needs a plan with a higher monthly fee.")


class TermTooShort(Fact):
    """The number asks for a longer term than the contract has."""

    code = "term_too_short"
    text = N_("This number needs a contract with a longer term.")


class PriceChanged(Fact):
    """What is due now is not what the shopper was shown."""

    code = "price_changed"
    text = N_("The price is no longer what you saw. Please look at it again before you order.")


class WrongStock(Fact):
    """Number and offer belong to different drops."""

    code = "wrong_stock"
    text = N_("This number is not sold with that offer.")


def quote(offer: OfferFacts, number: NumberFacts, choice: Choice = USUAL) -> Quote:
    """The price of this number with this offer, in fen.

    Prestored money returns in equal monthly parts, what does not divide with the first part (the printed
    practice of carriers); a month costs what the fee leaves after returns and earlier unused credit.
    Raises WrongStock, PlanTooSmall, TermTooShort (DOMAIN invariants 7 and 8); Invalid(first_month) and
    Invalid(extras) where what was chosen is not on offer."""
    if number.drop_id != offer.drop_id:
        raise WrongStock(number=number.number)
    if offer.fee_fen < number.min_spend_fen:
        raise PlanTooSmall(min_spend_fen=number.min_spend_fen, fee_fen=offer.fee_fen)
    if offer.kind == "bundle" and offer.months < number.term_months:
        raise TermTooShort(term_months=number.term_months, months=offer.months)
    first_month = choice.first_month or offer.first_months[0]
    if first_month not in offer.first_months:
        raise Invalid(first_month=N_("This plan does not charge the first month that way; choose another."))
    term = offer.months or number.term_months
    applied = promotions.chosen(fitting(offer, number, choice), choice.extras)
    lines = tuple(price_lines.lines(offer, number, first_month, applied, term))
    due_now = sum(line.amount_fen for line in lines if line.when == "now")
    months, left = _months(offer, number, first_month, applied, term)
    return Quote(
        version=VERSION,
        number=number.number,
        lines=lines,
        due_now_fen=due_now,
        package_fen=offer.handset_fen + offer.prestore_fen,
        fee_fen=offer.fee_fen,
        term_months=term,
        months=months,
        total_fen=due_now + sum(month.due_fen for month in months),
        credit_left_fen=left,
        first_month=first_month,
        promotions=tuple(one.code for one in applied),
        catalogue=offer.catalogue,
    )


def fitting(offer: OfferFacts, number: NumberFacts, choice: Choice) -> list[Promotion]:
    """The promotions that such a purchase has, the bundles that could be chosen with it among them."""
    bought = promotions.Bought(
        offer.plan, offer.handset, offer.months, number.grade, choice.audience, choice.at
    )
    return promotions.fitting(offer.promotions, bought)


def returns(prestore_fen: int, months: int, monthly_fen: int) -> list[int]:
    """The monthly parts in which a prestore comes back; they sum to it exactly."""
    residue = prestore_fen - months * monthly_fen
    if residue < 0:
        raise ValueError("returns exceed the prestore")
    return [monthly_fen + residue] + [monthly_fen] * (months - 1)


def freeze(price: Quote) -> dict[str, object]:
    """The quote as JSON, for the order."""
    frozen: dict[str, object] = msgspec.to_builtins(price)
    return frozen


def thaw(frozen: dict[str, Any]) -> Quote:
    """The quote an order was made with."""
    return msgspec.convert(frozen, Quote)


def _months(
    offer: OfferFacts, number: NumberFacts, first_month: str, applied: Sequence[Promotion], term: int
) -> tuple[tuple[Month, ...], int]:
    """The months and the credit that no fee used up."""
    parts = [[offer.topup_fen]] if offer.kind == "card" else []
    if offer.kind == "bundle" and offer.policy == "credit":
        parts.append([offer.return_fen] * offer.months)
    elif offer.kind == "bundle":
        parts.append(returns(offer.prestore_fen, offer.months, offer.return_fen))
    if number.prestore_fen:
        months = price_lines.number_months(number)
        parts.append(
            returns(number.prestore_fen, months, price_lines.whole_yuan(number.prestore_fen, months))
        )
    for one in applied:
        if one.kind == "credit":
            months = price_lines.credit_months(one, term)
            parts.append(returns(one.amount_fen, months, price_lines.whole_yuan(one.amount_fen, months)))
    credit, made = 0, []
    for nth in range(max(1, term, *map(len, parts)) if parts else max(1, term)):
        back = sum(part[nth] for part in parts if nth < len(part))
        fee = price_lines.first_fee(offer.fee_fen, first_month) if nth == 0 else offer.fee_fen
        credit += back
        used = min(credit, fee)
        credit -= used
        made.append(Month(nth + 1, fee, back, fee - used))
    return tuple(made), credit
