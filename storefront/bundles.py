"""A drop's handsets side by side: each plan and term with what it costs now, each month and over the whole term."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from checkout import offers, prices
from checkout.models import Offer
from inventory.facts import SoldOut
from runtime import clock
from runtime.facts import Fact, NotFound
from storefront import i18n, shown

_GREY = "#6b7280"  # of a handset whose colour nobody wrote down


@dataclass(frozen=True)
class Model:
    """A handset that a drop sells: in how many colours and storages, and from what price."""

    code: str
    name: str
    skus: int
    contracts: int
    from_fen: int
    gone: bool
    shape: str
    swatches: tuple[str, ...]


@dataclass(frozen=True)
class Variant:
    """One colour and storage. `swatch` is its colour."""

    sku: str
    name: str
    left: int
    chosen: bool
    href: str
    swatch: str


@dataclass(frozen=True)
class Cell:
    """A plan for a term. Money in fen; `left_fen` of the whole is on the account when the term is over, and what
    costs least is judged without it. `why` says what keeps it from being chosen, "" where nothing does."""

    offer: str
    months: int
    due_fen: int
    monthly_fen: int
    total_fen: int
    left_fen: int
    cheapest: bool
    chosen: bool
    why: str
    href: str


@dataclass(frozen=True)
class Row:
    """A plan with its contracts, one for each term of the table, None where there is none."""

    plan: str
    fee_fen: int
    allowance: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Table:
    """A handset's contracts in one colour and storage."""

    model: str
    variants: tuple[Variant, ...]
    terms: tuple[int, ...]
    rows: tuple[Row, ...]
    kind: str  # prestore | credit
    shape: str
    swatch: str


def models(found: Sequence[Offer], stock: Mapping[str, Any]) -> list[Model]:
    """The handsets among a drop's offers, in their order."""
    by_handset: dict[str, list[Offer]] = {}
    for one in found:
        if one.kind == "bundle":
            by_handset.setdefault(offers.facts(one).handset, []).append(one)
    return [_model(code, mine, stock) for code, mine in by_handset.items()]


def _model(code: str, mine: Sequence[Offer], stock: Mapping[str, Any]) -> Model:
    minute = clock.now_ms() // 60_000
    skus = {one.sku_code or "" for one in mine}
    return Model(
        code, shown.model_name(offers.facts(mine[0])), len(skus), len(mine),
        min(_due_fen(offers.facts(one), minute) for one in mine),
        all(_left(stock, sku) <= 0 for sku in skus), offers.facts(mine[0]).shape,
        tuple(dict.fromkeys(offers.facts(one).swatch or _GREY for one in mine)),
    )  # fmt: skip


@lru_cache(maxsize=4096)
def _due_fen(terms: prices.OfferFacts, minute: int) -> int:
    """What an offer costs now with an ordinary number, by the minute (since 1970): pages of drops ask often."""
    now = prices.Choice(at=clock.from_ms(minute * 60_000))
    return prices.quote(terms, prices.NumberFacts("", terms.drop_id), now).due_now_fen


def table(
    found: Sequence[Offer],
    handset: str,
    chosen: str,
    number: Any,
    stock: Mapping[str, Any],
    query: dict[str, str],
) -> Table:
    """The contracts of a handset. `chosen`: an offer's id, which says the colour and storage too; `number`: one on
    the shelf whose demands a contract must meet, or None. Raises NotFound where the drop has no such handset."""
    mine = [one for one in found if one.kind == "bundle" and offers.facts(one).handset == handset]
    if not mine:
        raise NotFound
    picked = next((one for one in mine if one.id == chosen), mine[0])
    of_sku = [one for one in mine if one.sku_code == picked.sku_code]
    asks = (number.prestore_fen, number.min_spend_fen, number.term_months) if number else (0, 0, 0)
    cells = {one.id: _cell(one, picked, asks, stock, query) for one in of_sku}
    terms = tuple(sorted({cell.months for cell in cells.values()}))
    for months in terms:
        able = [cell for cell in cells.values() if cell.months == months and not cell.why]
        least = min((cell.total_fen - cell.left_fen for cell in able), default=0)
        cells |= {
            cell.offer: replace(cell, cheapest=True)
            for cell in able
            if cell.total_fen - cell.left_fen == least
        }
    return Table(
        shown.model_name(offers.facts(picked)), tuple(_variants(mine, picked, stock, query)), terms,
        tuple(_rows(of_sku, cells, terms)), offers.facts(picked).policy, offers.facts(picked).shape,
        offers.facts(picked).swatch or _GREY,
    )  # fmt: skip


def _variants(
    mine: Sequence[Offer], picked: Offer, stock: Mapping[str, Any], query: dict[str, str]
) -> list[Variant]:
    """Each colour and storage once; choosing another keeps plan and term, where it has them."""
    wanted, out = offers.facts(picked), dict[str, Variant]()
    for one in mine:
        terms, sku = offers.facts(one), one.sku_code or ""
        same = (terms.plan, terms.months) == (wanted.plan, wanted.months)
        if sku not in out or same:
            name = shown.variant_name(terms)
            href = f"?{urlencode({**query, 'offer': one.id})}"
            out[sku] = Variant(
                sku, name, _left(stock, sku), sku == picked.sku_code, href, terms.swatch or _GREY
            )
    return list(out.values())


def _rows(of_sku: Sequence[Offer], cells: dict[str, Cell], terms: Sequence[int]) -> list[Row]:
    by_plan: dict[str, list[Offer]] = {}
    for one in of_sku:
        by_plan.setdefault(one.plan_id, []).append(one)
    out = []
    for mine in by_plan.values():
        facts = offers.facts(mine[0])
        by_term = {cells[one.id].months: cells[one.id] for one in mine}
        out.append(
            Row(
                shown.in_language(facts, "plan"), facts.fee_fen, shown.allowance(facts),
                tuple(by_term.get(months) for months in terms),
            )
        )  # fmt: skip
    return sorted(out, key=lambda row: row.fee_fen)


def _cell(
    one: Offer, picked: Offer, asks: tuple[int, int, int], stock: Mapping[str, Any], query: dict[str, str]
) -> Cell:
    terms, why = offers.facts(one), ""
    try:
        price = _quote(one, "", *asks)
        if _left(stock, one.sku_code or "") <= 0:
            why = i18n.sentence(SoldOut(what=one.sku_code))
    except Fact as fact:
        price, why = _quote(one, "", 0, 0, 0), i18n.sentence(fact)
    usual = max(0, terms.fee_fen - terms.return_fen)
    href = f"?{urlencode({**query, 'offer': one.id})}"
    return Cell(
        one.id, terms.months, price.due_now_fen, usual, price.total_fen, price.credit_left_fen, False,
        one.id == picked.id, why, href,
    )  # fmt: skip


def _quote(one: Offer, number: str, prestore_fen: int, min_spend_fen: int, term_months: int) -> prices.Quote:
    terms = offers.facts(one)
    asked = prices.NumberFacts(number, terms.drop_id, prestore_fen, min_spend_fen, term_months)
    return prices.quote(terms, asked, prices.Choice(at=clock.now()))


def _left(stock: Mapping[str, Any], sku: str) -> int:
    """Units that are free; where nobody has counted the drop's handsets yet, one as far as is known."""
    if not stock:
        return 1
    of_sku = stock.get(sku, 0)
    return int(of_sku if isinstance(of_sku, int) else of_sku.free)
