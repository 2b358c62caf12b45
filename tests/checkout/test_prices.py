"""Prices: the worked examples of the trade, and what must hold for every price."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkout import prices
from checkout.prices import NumberFacts, OfferFacts, PlanTooSmall, TermTooShort, WrongStock, quote, returns

ORDINARY = NumberFacts("18600138021", "d")
GRADES = [(0, 0, 0), (10_000, 6_600, 12), (30_000, 9_600, 12), (100_000, 18_600, 24), (500_000, 58_600, 36)]


def bundle(fee: int, handset: int, prestore: int, months: int) -> OfferFacts:
    """Amounts in whole yuan, as the printed table has them."""
    return OfferFacts(
        "bundle", "d", "套餐", "Plan", fee * 100, 0, "手机", "Phone",
        months, handset * 100, prestore * 100, prices.whole_yuan(prestore * 100, months),
    )  # fmt: skip


def card(fee: int, topup: int) -> OfferFacts:
    return OfferFacts("card", "d", "套餐", "Plan", fee * 100, topup * 100)


def test_the_186_plan_for_24_months_costs_5863_yuan() -> None:
    price = quote(bundle(186, 1_399, 3_600, 24), ORDINARY)
    assert (price.due_now_fen, price.monthly_due_fen, price.total_fen) == (499_900, 3_600, 586_300)


def test_the_zero_yuan_handset_costs_6864_yuan_its_residue_comes_with_the_first_return() -> None:
    price = quote(bundle(286, 0, 4_999, 24), ORDINARY)
    assert (price.due_now_fen, price.monthly_due_fen) == (499_900, 7_800)
    assert 499_900 + 24 * price.monthly_due_fen == 687_100  # what the poster says
    assert price.total_fen == 686_400 == 28_600 * 24  # what it comes to, the residue of 7 yuan returned
    assert [month.return_fen for month in price.months] == [21_500] + [20_800] * 23


def test_months_that_cost_the_same_are_told_together() -> None:
    assert quote(bundle(286, 0, 4_999, 24), ORDINARY).runs == ((1, 1, 7_100), (2, 24, 7_800))
    assert quote(bundle(186, 1_399, 3_600, 24), ORDINARY).runs == ((1, 24, 3_600),)
    assert quote(card(20, 50), ORDINARY).runs == ((1, 1, 0),)


def test_returns_above_the_fee_stay_on_the_account() -> None:
    price = quote(bundle(186, 2_599, 2_400, 12), ORDINARY)
    assert [month.due_fen for month in price.months] == [0] * 12
    assert (price.total_fen, price.credit_left_fen) == (499_900, 240_000 - 12 * 18_600)


def test_a_bare_card_costs_its_first_credit_now_which_pays_the_first_fees() -> None:
    price = quote(card(20, 50), ORDINARY)
    assert [(line.code, line.amount_fen, line.when) for line in price.lines] == [
        ("topup", 5_000, "now"),
        ("plan", 2_000, "monthly"),
    ]
    assert (price.due_now_fen, price.term_months, price.package_fen) == (5_000, 0, 0)
    assert [(m.due_fen, m.return_fen) for m in price.months] == [(0, 5_000)]


def test_a_beautiful_number_adds_its_prestore_and_returns_it_over_its_own_term() -> None:
    price = quote(bundle(286, 0, 4_999, 24), NumberFacts("18600121212", "d", 30_000, 9_600, 12))
    assert price.due_now_fen == 499_900 + 30_000
    assert [m.return_fen for m in price.months] == [20_800 + 700 + 2_500] + [20_800 + 2_500] * 11 + [
        20_800
    ] * 12


def test_a_plan_below_the_number_s_least_spend_is_refused() -> None:
    with pytest.raises(PlanTooSmall) as refused:
        quote(card(66, 100), NumberFacts("18600111111", "d", 500_000, 58_600, 36))
    assert refused.value.details == {"min_spend_fen": 58_600, "fee_fen": 6_600}


def test_a_contract_shorter_than_the_number_s_term_is_refused() -> None:
    with pytest.raises(TermTooShort) as refused:
        quote(bundle(586, 0, 4_999, 12), NumberFacts("18600111111", "d", 500_000, 58_600, 36))
    assert refused.value.details == {"term_months": 36, "months": 12}


def test_a_number_of_another_drop_is_refused() -> None:
    with pytest.raises(WrongStock):
        quote(card(20, 50), NumberFacts("18600138021", "another"))


yuan = st.integers(0, 9_999)


@given(prestore=st.integers(0, 1_000_000), months=st.integers(1, 48))
def test_returns_sum_to_the_prestore_and_are_never_negative(prestore: int, months: int) -> None:
    parts = returns(prestore, months, prices.whole_yuan(prestore, months))
    assert sum(parts) == prestore
    assert len(parts) == months
    assert min(parts) >= 0
    assert parts[1:] == [parts[-1]] * (months - 1)


@settings(max_examples=200)
@given(
    fee=st.integers(1, 886),
    handset=yuan,
    prestore=yuan,
    months=st.sampled_from([12, 24, 36]),
    grade=st.sampled_from(GRADES),
    is_card=st.booleans(),
    topup=st.integers(1, 900),
)
def test_every_price_adds_up(
    fee: int, handset: int, prestore: int, months: int, grade: tuple[int, int, int], is_card: bool, topup: int
) -> None:
    offer = card(fee, topup) if is_card else bundle(fee, handset, prestore, months)
    number = NumberFacts("18600138021", "d", *grade)
    if offer.fee_fen < number.min_spend_fen or (not is_card and months < number.term_months):
        with pytest.raises((PlanTooSmall, TermTooShort)):
            quote(offer, number)
        return
    price = quote(offer, number)
    assert price.package_fen == offer.handset_fen + offer.prestore_fen
    assert price.due_now_fen == price.package_fen + offer.topup_fen + number.prestore_fen
    assert sum(month.return_fen for month in price.months) == (
        offer.prestore_fen + number.prestore_fen + offer.topup_fen
    )
    assert min(month.due_fen for month in price.months) >= 0
    assert price.total_fen == price.due_now_fen + sum(month.due_fen for month in price.months)
    # What was paid is what the months cost, the handset, and what is left on the account.
    fees = sum(month.fee_fen for month in price.months)
    assert price.total_fen == offer.handset_fen + fees + price.credit_left_fen
    assert prices.thaw(json.loads(json.dumps(prices.freeze(price)))) == price
