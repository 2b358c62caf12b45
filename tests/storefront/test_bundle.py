"""The bundle page: plans and terms side by side, the least over a term marked, and why a contract cannot be had."""

import re

import pytest

from checkout import catalogue, offers
from checkout.models import Offer
from runtime.db import reading, writing
from runtime.facts import NotFound
from storefront import bundles, i18n
from tests.checkout.shop import DROP, SKU
from tests.storefront.conftest import Site

AT = f"/drops/{DROP}/bundles/iphone-4-8"


@pytest.fixture
def contracts(site: Site) -> Site:
    """All twenty contracts of the iPhone 4 in both colours; of the white one the drop has no unit."""
    with writing() as session:
        known = catalogue.current(session)
        for sku in known.skus_of("iphone-4-8"):
            for nth, one in enumerate(known.policies_of("iphone-4-8")):
                name = f"{sku.code}-{nth}"
                offers.add(
                    session, id=name, drop_id=DROP, plan_id=one.plan, sku=sku.code, months=one.months,
                    position=10 + nth,
                )  # fmt: skip
    return site


def found() -> list[Offer]:
    with reading() as session:
        return offers.of_drop(session, DROP)


def cells(table: bundles.Table) -> dict[tuple[str, int], bundles.Cell]:
    return {(row.plan, cell.months): cell for row in table.rows for cell in row.cells if cell}


def test_every_contract_stands_with_its_price_and_its_whole_cost(contracts: Site) -> None:
    with i18n.speaking("en"):
        table = bundles.table(found(), "iphone-4-8", f"{SKU}-0", None, {}, {})
    assert table.terms == (12, 24)
    assert [row.plan for row in table.rows][:2] == ["3G plan 66", "3G plan 96"]
    assert len(cells(table)) == 20
    one = cells(table)["3G plan 186", 24]
    assert (one.due_fen, one.monthly_fen, one.total_fen, one.left_fen) == (499_900, 3_600, 586_300, 0)


def test_the_least_over_each_term_is_marked_and_nothing_else(contracts: Site) -> None:
    with i18n.speaking("en"):
        shown = cells(bundles.table(found(), "iphone-4-8", f"{SKU}-0", None, {}, {}))
    for months in (12, 24):
        spent = {key: cell.total_fen - cell.left_fen for key, cell in shown.items() if key[1] == months}
        least = {key for key, fen in spent.items() if fen == min(spent.values())}
        assert {key for key, cell in shown.items() if key[1] == months and cell.cheapest} == least
    assert [key for key, cell in shown.items() if cell.cheapest] == [("3G plan 66", 12), ("3G plan 66", 24)]


def test_what_a_number_asks_for_rules_contracts_out_and_says_why(contracts: Site) -> None:
    class Asks:
        prestore_fen, min_spend_fen, term_months = 100_000, 18_600, 24

    with i18n.speaking("en"):
        shown = cells(bundles.table(found(), "iphone-4-8", f"{SKU}-0", Asks(), {}, {}))
    assert shown["3G plan 96", 24].why == "This number needs a plan with a higher monthly fee."
    assert shown["3G plan 286", 12].why == "This number needs a contract with a longer term."
    assert shown["3G plan 186", 24].why == ""
    assert shown["3G plan 186", 24].due_fen == 599_900
    assert not shown["3G plan 66", 24].cheapest


def test_the_page_has_it_all_without_javascript_and_leads_to_the_numbers(contracts: Site) -> None:
    page = contracts.browser.get(AT).text
    assert "iPhone 4" in page
    assert page.count('class="contract"') == 20
    assert "Sold out" in page  # the white one
    chosen = re.findall(r'href="(\?offer=[^"]+)" data-swap aria-current="true"', page)
    assert len(chosen) >= 1
    picks = re.findall(r'name="number" value="(\d{11})"', page)
    assert picks
    contracts.sign_in()
    held = contracts.browser.post(f"/drops/{DROP}/holds", data={"number": picks[0], "offer": f"{SKU}-14"})
    assert held.url.path.startswith("/checkout/")
    assert "iPhone 4 8 GB black" in held.text


def test_the_drop_page_shows_a_handset_once_and_leads_to_it(contracts: Site) -> None:
    page = contracts.browser.get(f"/drops/{DROP}").text
    assert page.count(f'href="{AT}') == 1
    assert "41 contracts to choose from" in page


def test_a_handset_the_drop_does_not_sell_is_not_there(contracts: Site) -> None:
    assert contracts.browser.get(f"/drops/{DROP}/bundles/other").status_code == 404
    with pytest.raises(NotFound), i18n.speaking("en"):
        bundles.table(found(), "other", "", None, {}, {})
