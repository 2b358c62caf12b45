"""The lines of a price: each thing that is paid or given, with its reason."""

from collections.abc import Iterator, Sequence

from checkout.catalogue_shape import Promotion
from checkout.price_shape import Line, NumberFacts, OfferFacts
from runtime.facts import N_


def lines(
    offer: OfferFacts, number: NumberFacts, first_month: str, applied: Sequence[Promotion], term: int
) -> Iterator[Line]:
    """In the order they are shown. `applied`: the promotions; `term` in months, 0 for none."""
    yield from _lines_of_offer(offer)
    if number.prestore_fen:
        months = number_months(number)
        each = whole_yuan(number.prestore_fen, months)
        yield Line(
            "number_prestore", N_("Prestored credit of the number"), number.prestore_fen, "now",
            N_("A special number; returns to your account over {months} months, {yuan} yuan each"),
            {"months": str(months), "yuan": yuan(each)}, number.number, number.number,
        )  # fmt: skip
    yield from _lines_of_promotions(offer, applied, term)
    if first_month != "full":
        yield Line(
            "first_month", N_("First month"), first_fee(offer.fee_fen, first_month), "first",
            FIRST_MONTHS[first_month], units(offer) if first_month == "usage" else {},
        )  # fmt: skip
    yield Line(
        "plan", N_("Monthly fee"), offer.fee_fen, "monthly", N_("Counted from activation"), {}, offer.plan_zh,
        offer.plan_en,
    )  # fmt: skip
    if offer.policy == "credit" and offer.return_fen:
        yield Line(
            "credit_each_month", N_("Credit from us"), -offer.return_fen, "monthly",
            N_("Given to your account for {months} months"), {"months": str(offer.months)},
        )  # fmt: skip


def _lines_of_offer(offer: OfferFacts) -> Iterator[Line]:
    if offer.kind == "bundle":
        full = offer.policy == "credit"
        reason = N_("Contract price with this plan and term")
        if full:
            reason = N_("Full price; credit comes back month by month")
        yield Line(
            "handset", N_("Handset"), offer.handset_fen, "now", reason, {}, offer.handset_zh, offer.handset_en,
        )  # fmt: skip
        if not full:
            spread = {"months": str(offer.months), "yuan": yuan(offer.return_fen)}
            yield Line(
                "prestore", N_("Prestored credit"), offer.prestore_fen, "now",
                N_("Returns to your account over {months} months, {yuan} yuan each"), spread,
            )  # fmt: skip
    elif offer.topup_fen:
        yield Line(
            "topup", N_("First credit"), offer.topup_fen, "now",
            N_("On your account from activation; pays the first fees"), {},
        )  # fmt: skip


def _lines_of_promotions(offer: OfferFacts, applied: Sequence[Promotion], term: int) -> Iterator[Line]:
    left = (
        offer.handset_fen if offer.kind == "bundle" else offer.topup_fen
    )  # discounts take no more than that
    for one in applied:
        named = (one.zh, one.en)
        if one.kind == "gift":
            worth = {"yuan": yuan(one.amount_fen)}
            reason = N_("For nothing; worth {yuan} yuan") if one.amount_fen else N_("For nothing")
            yield Line("gift", N_("Gift"), 0, "now", reason, worth, *named)
        elif one.kind == "discount":
            off = min(one.amount_fen, left)
            left -= off
            yield Line("discount", N_("Discount"), -off, "now", N_("Off the price now"), {}, *named)
        elif one.kind == "credit":
            months = credit_months(one, term)
            spread = {"months": str(months), "yuan": yuan(one.amount_fen)}
            reason = N_("{yuan} yuan for your account, over {months} months")
            yield Line("credit", N_("Extra credit"), 0, "now", reason, spread, *named)
        else:
            yield Line("bundle", N_("Extra"), one.amount_fen, "now", N_("You chose it with this"), {}, *named)


FIRST_MONTHS = {
    "full": N_("A whole month's fee, with all that is included"),
    "half": N_("Half the fee, with half of what is included"),
    "usage": N_("No fee: a minute {minute}, a text {text}, a megabyte {mb} yuan"),
}


def units(offer: OfferFacts) -> dict[str, str]:
    """What a minute, a text and a megabyte beyond the plan cost, in yuan, as FIRST_MONTHS names them."""
    return {
        "minute": yuan(offer.minute_unit_fen), "text": yuan(offer.text_unit_fen), "mb": yuan(offer.mb_unit_fen),
    }  # fmt: skip


def first_fee(fee_fen: int, first_month: str) -> int:
    """Of the month of joining, in fen; half is rounded up."""
    return {"full": fee_fen, "half": fee_fen - fee_fen // 2, "usage": 0}[first_month]


def credit_months(one: Promotion, term: int) -> int:
    """Over how many months a promotion's credit is given: within the term, where there is one."""
    return min(one.months, term) if term else one.months


def number_months(number: NumberFacts) -> int:
    """A number's prestore returns over the number's own term; without one, at once."""
    return number.term_months or 1


def whole_yuan(prestore_fen: int, months: int) -> int:
    """The monthly return of a prestore: an equal part, rounded down to whole yuan, in fen."""
    return prestore_fen // months // 100 * 100


def yuan(fen: int) -> str:
    """Fen as yuan for people: '4,999' or '0.50'."""
    return f"{fen // 100:,}" if fen % 100 == 0 else f"{fen / 100:,.2f}"
