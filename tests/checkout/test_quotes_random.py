"""Random catalogues and choices: what must hold for every price, and that every refusal names its rule."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import permutations
from random import Random
from typing import Any

from checkout import catalogue_shape, offers, prices
from checkout.catalogue_shape import Catalogue, Handset, Plan, Policy, Promotion, Sku
from checkout.prices import (
    Choice,
    NumberFacts,
    OfferFacts,
    PlanTooSmall,
    Quote,
    TermTooShort,
    WrongStock,
    quote,
)
from runtime.facts import Invalid

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
SOME = 20_000
WINDOWS = (None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1))
GRADES = ((9, 0, 0, 0), (6, 10_000, 6_600, 12), (5, 30_000, 9_600, 12), (3, 100_001, 18_600, 24))


def catalogue_of(chance: Random) -> Catalogue:
    """A small one: two plans, a handset, contracts of one or two terms, up to four promotions."""
    pick, number = chance.choice, chance.randint
    plan = {
        code: Plan(
            code, "postpaid", "一", "One", number(1, 90_000), topup_fen=number(1, 90_000),
            first_months=tuple(chance.sample(catalogue_shape.FIRST_MONTHS, number(1, 3))),
        )
        for code in ("p", "q")
    }  # fmt: skip
    policies = []
    for months in pick([(12,), (24,), (12, 24), (30, 36)]):
        if chance.random() < 0.5:
            prestore = number(0, 1_000_000)
            each = number(0, prestore // months)
            policies.append(Policy("h", "p", months, "prestore", number(0, 1_000_000), prestore, each))
        else:
            policies.append(Policy("h", "p", months, "credit", number(0, 1_000_000), 0, number(0, 50_000)))
    promotion = {
        code: Promotion(
            code, pick(catalogue_shape.KINDS), "一", "One", number(1, 300_000), months=number(1, 40),
            starts_at=pick(WINDOWS), ends_at=pick(WINDOWS), audience=pick(catalogue_shape.AUDIENCES),
            group=pick(["", "", "g"]), plans=pick([(), ("p",), ("q",)]), handsets=pick([(), ("h",)]),
            terms=pick([(), (12, 24), (36,)]), grades=pick([(), (9,), (5, 6)]),
        )
        for code in pick(["", "a", "ab", "abcd"])
    }  # fmt: skip
    return Catalogue(
        plan, {"h": Handset("h", "一", "One")}, {"S": Sku("S", "h", "黑", "black", 8)},
        {one.code: one for one in policies}, {}, promotion,
    )  # fmt: skip


def purchase(found: Catalogue, chance: Random) -> tuple[OfferFacts, NumberFacts, Choice]:
    pick = chance.choice
    months = pick([0, *(one.months for one in found.policy.values())])
    plan = "p" if months else pick("pq")
    terms = offers.terms_of(found, 1, "d", plan, "S" if months else "", months)
    grade, prestore, spend, term = pick(GRADES)
    number = NumberFacts("18600138021", pick("d" * 19 + "e"), prestore, spend, term, grade)
    usual = chance.random() < 0.6
    choice = Choice(
        "" if usual else pick(catalogue_shape.FIRST_MONTHS),
        frozenset() if usual else frozenset(chance.sample("abc", chance.randint(0, 2))),
        frozenset({"everyone", *chance.sample(catalogue_shape.AUDIENCES, chance.randint(0, 3))}),
        pick([NOW, NOW, None]),
    )  # fmt: skip
    return terms, number, choice


def test_no_choice_of_any_catalogue_breaks_a_rule(record_property: Any) -> None:
    seen: Counter[str] = Counter()
    for nth in range(SOME):
        chance = Random(f"catalogue {nth}")
        found = catalogue_of(chance)
        terms, number, choice = purchase(found, chance)
        try:
            seen[_judged(found, terms, number, choice, chance)] += 1
        except AssertionError as wrong:
            raise AssertionError(f"catalogue {nth}: {terms}, {number}, {choice}: {wrong}") from wrong
    assert set(seen) == {"quoted", "wrong_stock", "plan_too_small", "term_too_short", "first_month", "extras"}
    assert seen["quoted"] > SOME / 2
    record_property("proof", f"quotes: {SOME:,} catalogues and choices, {dict(seen)}")


def _judged(found: Catalogue, terms: OfferFacts, number: NumberFacts, choice: Choice, chance: Random) -> str:
    """What came of it; the rule that a refusal named, or that it was quoted."""
    try:
        price = quote(terms, number, choice)
    except (WrongStock, PlanTooSmall, TermTooShort, Invalid) as refused:
        return _rule(refused, terms, number, choice)
    _adds_up(price, terms, number)
    assert quote(_shuffled(found, terms, chance), number, choice) == price, "the order changed the price"
    assert prices.thaw(json.loads(json.dumps(prices.freeze(price)))) == price
    return "quoted"


def _rule(refused: Exception, terms: OfferFacts, number: NumberFacts, choice: Choice) -> str:
    """Which rule was named; and it is really broken."""
    match refused:
        case WrongStock():
            assert number.drop_id != terms.drop_id
        case PlanTooSmall():
            assert refused.details == {"min_spend_fen": number.min_spend_fen, "fee_fen": terms.fee_fen}
            assert terms.fee_fen < number.min_spend_fen
        case TermTooShort():
            assert 0 < terms.months < number.term_months
        case Invalid():
            [field] = refused.errors
            if field == "first_month":
                assert choice.first_month not in terms.first_months
            else:
                fits = {one.code for one in prices.fitting(terms, number, choice) if one.kind == "bundle"}
                assert field == "extras"
                assert choice.extras - fits
            return field
    return str(refused.code)  # type: ignore[attr-defined]


def _adds_up(price: Quote, terms: OfferFacts, number: NumberFacts) -> None:
    lines = Counter[str]()
    for line in price.lines:
        if line.when == "now":
            lines[line.code] += line.amount_fen
    credits_fen = sum(
        one.amount_fen for one in terms.promotions if one.code in price.promotions and one.kind == "credit"
    )
    assert price.due_now_fen == sum(lines.values()) >= 0
    assert price.package_fen == terms.handset_fen + terms.prestore_fen == lines["handset"] + lines["prestore"]
    off = -lines["discount"]
    assert 0 <= off <= (terms.handset_fen if terms.months else terms.topup_fen)
    extra, goods = (
        lines["bundle"],
        terms.handset_fen + terms.prestore_fen + terms.topup_fen + number.prestore_fen,
    )
    assert price.due_now_fen == goods + extra - off
    back = sum(month.return_fen for month in price.months)
    gift = terms.return_fen * terms.months if terms.policy == "credit" else 0
    assert back == terms.prestore_fen + number.prestore_fen + terms.topup_fen + gift + credits_fen
    assert min(month.due_fen for month in price.months) >= 0
    assert min(month.return_fen for month in price.months) >= 0
    assert len(price.months) >= max(1, price.term_months)
    assert price.total_fen == price.due_now_fen + sum(month.due_fen for month in price.months)
    fees = sum(month.fee_fen for month in price.months)
    assert (
        price.total_fen == terms.handset_fen + extra - off + fees + price.credit_left_fen - gift - credits_fen
    )


def _shuffled(found: Catalogue, terms: OfferFacts, chance: Random) -> OfferFacts:
    """The same catalogue written down in another order."""
    promotions = list(found.promotion.items())
    chance.shuffle(promotions)
    other = Catalogue(found.plan, found.handset, found.sku, found.policy, {}, dict(promotions))
    return offers.terms_of(other, 1, "d", terms.plan, "S" if terms.months else "", terms.months)


def test_extras_cost_the_same_in_any_order() -> None:
    bundles = [
        Promotion(code, "bundle", "一", "One", amount) for code, amount in (("a", 5), ("b", 7), ("c", 11))
    ]
    found = {
        quote(
            OfferFacts("card", "d", "一", "One", 100, 100, promotions=tuple(order)), NumberFacts("18600138021", "d"),
            Choice(extras=frozenset("abc")),
        ).due_now_fen
        for order in permutations(bundles)
    }  # fmt: skip
    assert found == {123}
