"""What an offer with a number costs: now, each month, what returns when, and over the whole term."""

from dataclasses import dataclass
from typing import Any

import msgspec

from runtime.facts import N_, Fact, Invalid

VERSION = 1  # of the rules and of the frozen form; an order keeps the one it was made with


class PlanTooSmall(Fact):
    """The number asks for a higher monthly spend than the plan has."""

    code = "plan_too_small"
    text = N_("This number needs a plan with a higher monthly fee.")


class TermTooShort(Fact):
    """The number asks for a longer term than the contract has."""

    code = "term_too_short"
    text = N_("This number needs a contract with a longer term.")


class WrongStock(Fact):
    """Number and offer belong to different drops."""

    code = "wrong_stock"
    text = N_("This number is not sold with that offer.")


@dataclass(frozen=True)
class OfferFacts:
    """Of an offer, what the price depends on. Money in fen; months is 0 for a bare card."""

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


@dataclass(frozen=True)
class NumberFacts:
    """Of a number, what the price depends on: its grade's prestore, least monthly spend and term."""

    number: str
    drop_id: str | None
    prestore_fen: int = 0
    min_spend_fen: int = 0
    term_months: int = 0


@dataclass(frozen=True)
class Line:
    """One line of the price. `label` and `reason` are N_ sentences; `reason` is formatted with `args`."""

    code: str
    label: str
    amount_fen: int
    when: str  # now | monthly
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
    """A whole price. `months` has one entry a month of the term, or the first month alone without a term."""

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

    @property
    def monthly_due_fen(self) -> int:
        """The usual month: the last one, since odd amounts come with the first."""
        return self.months[-1].due_fen


def quote(offer: OfferFacts, number: NumberFacts) -> Quote:
    """The price of this number with this offer, in fen.

    Prestored money returns in equal monthly parts, what does not divide with the first part (the printed
    practice of carriers); a month costs what the fee leaves after returns and earlier unused credit.
    Raises WrongStock, PlanTooSmall, TermTooShort (DOMAIN invariants 7 and 8)."""
    if number.drop_id != offer.drop_id:
        raise WrongStock(number=number.number)
    if offer.fee_fen < number.min_spend_fen:
        raise PlanTooSmall(min_spend_fen=number.min_spend_fen, fee_fen=offer.fee_fen)
    if offer.kind == "bundle" and offer.months < number.term_months:
        raise TermTooShort(term_months=number.term_months, months=offer.months)
    term = offer.months or number.term_months
    lines = tuple(_lines(offer, number))
    due_now = sum(line.amount_fen for line in lines if line.when == "now")
    months, left = _months(offer, number, max(term, 1))
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
    )


def returns(prestore_fen: int, months: int, monthly_fen: int) -> list[int]:
    """The monthly parts in which a prestore comes back; they sum to it exactly."""
    residue = prestore_fen - months * monthly_fen
    if residue < 0:
        raise ValueError("returns exceed the prestore")
    return [monthly_fen + residue] + [monthly_fen] * (months - 1)


def whole_yuan(prestore_fen: int, months: int) -> int:
    """The monthly return of a prestore: an equal part, rounded down to whole yuan, in fen."""
    return prestore_fen // months // 100 * 100


def freeze(price: Quote) -> dict[str, object]:
    """The quote as JSON, for the order."""
    frozen: dict[str, object] = msgspec.to_builtins(price)
    return frozen


def thaw(frozen: dict[str, Any]) -> Quote:
    """The quote an order was made with."""
    return msgspec.convert(frozen, Quote)


def _lines(offer: OfferFacts, number: NumberFacts) -> list[Line]:
    lines = []
    if offer.kind == "bundle":
        spread = {"months": str(offer.months), "yuan": yuan(offer.return_fen)}
        lines += [
            Line(
                "handset", N_("Handset"), offer.handset_fen, "now",
                N_("Contract price with this plan and term"), {}, offer.handset_zh, offer.handset_en,
            ),
            Line(
                "prestore", N_("Prestored credit"), offer.prestore_fen, "now",
                N_("Returns to your account over {months} months, {yuan} yuan each"), spread,
            ),
        ]  # fmt: skip
    elif offer.topup_fen:
        lines.append(
            Line(
                "topup", N_("First credit"), offer.topup_fen, "now",
                N_("On your account from activation; pays the first fees"), {},
            )
        )  # fmt: skip
    if number.prestore_fen:
        months = _number_months(number)
        each = whole_yuan(number.prestore_fen, months)
        lines.append(
            Line(
                "number_prestore", N_("Prestored credit of the number"), number.prestore_fen, "now",
                N_("A special number; returns to your account over {months} months, {yuan} yuan each"),
                {"months": str(months), "yuan": yuan(each)}, number.number, number.number,
            )
        )  # fmt: skip
    lines.append(
        Line(
            "plan", N_("Monthly fee"), offer.fee_fen, "monthly",
            N_("Counted from activation"), {}, offer.plan_zh, offer.plan_en,
        )
    )  # fmt: skip
    return lines


def _months(offer: OfferFacts, number: NumberFacts, count: int) -> tuple[tuple[Month, ...], int]:
    """The months and the credit that no fee used up."""
    back = [0] * count
    back[0] += offer.topup_fen if offer.kind == "card" else 0
    parts = [returns(offer.prestore_fen, offer.months, offer.return_fen)] if offer.kind == "bundle" else []
    if number.prestore_fen:
        months = _number_months(number)
        parts.append(returns(number.prestore_fen, months, whole_yuan(number.prestore_fen, months)))
    for part in parts:
        for i, amount in enumerate(part):
            back[i] += amount
    credit, made = 0, []
    for i, amount in enumerate(back):
        credit += amount
        used = min(credit, offer.fee_fen)
        credit -= used
        made.append(Month(i + 1, offer.fee_fen, amount, offer.fee_fen - used))
    return tuple(made), credit


def _number_months(number: NumberFacts) -> int:
    """A number's prestore returns over the number's own term; without one, at once."""
    return number.term_months or 1


def yuan(fen: int) -> str:
    """Fen as yuan for people: '4,999' or '0.50'."""
    return f"{fen // 100:,}" if fen % 100 == 0 else f"{fen / 100:,.2f}"


def check_policy(handset_fen: int, prestore_fen: int, return_fen: int, months: int) -> None:
    """Raises Invalid when a contract row is not `prestore = months x return + residue`, all not negative."""
    if min(handset_fen, prestore_fen, return_fen) < 0 or months < 1:
        raise Invalid(policy=N_("Amounts must not be negative and the term at least one month."))
    if return_fen * months > prestore_fen:
        raise Invalid(policy=N_("The monthly returns must not exceed the prestored credit."))
