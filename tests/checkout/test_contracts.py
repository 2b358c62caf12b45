"""The e-contract: drafted from the frozen price, signed by code, kept by hash, read only on record."""

import hashlib
import io
from datetime import date

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from checkout import catalogue, contracts, orders
from checkout.contracts import WrongCode
from checkout.models import Contract, Order
from kyc.models import VaultRead
from runtime.db import reading, writing
from runtime.facts import NotFound, WrongMove
from tests.checkout.shop import BUNDLE, LI, Shop, later


def text_of(order: Order) -> str:
    content = contracts.pdf(order.id, "account:li", "the shopper reads the contract")
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def paper(order: Order) -> Contract:
    with reading() as session:
        found = contracts.of_order(session, order.id)
    assert found is not None
    return found


@pytest.fixture
def order(shop: Shop) -> Order:
    placed = shop.place(offer=BUNDLE)
    shop.settle_down()
    return placed


def test_the_draft_names_the_buyer_with_a_masked_id_and_the_frozen_price(shop: Shop, order: Order) -> None:
    with writing() as session:  # a later change of the plan changes no contract
        dearer = catalogue.preview(session, [("dearer.toml", b'[[plan]]\ncode = "3g-186"\nfee = 187\n')])
        catalogue.publish(session, dearer, actor="zhao", reason="test")
    text = text_of(order)
    assert [
        part for part in ("李雷", "110***********0019", order.number, "5,863", "待签署") if part not in text
    ] == []
    assert LI[1] not in text
    content = contracts.pdf(order.id, "account:li", "again")
    assert paper(order).draft_sha256 == hashlib.sha256(content).hexdigest()


def test_drafting_twice_changes_nothing(shop: Shop, order: Order) -> None:
    before = paper(order)
    contracts.draft(order.id)
    after = paper(order)
    assert (after.id, after.draft_sha256, after.code_sent_at) == (
        before.id,
        before.draft_sha256,
        before.code_sent_at,
    )
    assert len(shop.sms()) == 1


def test_signing_with_the_code_seals_a_paper_with_the_draft_s_hash(shop: Shop, order: Order) -> None:
    shop.sign(order)
    text = text_of(order)  # made on demand, before the job had its turn
    assert paper(order).draft_sha256 in text.replace("\n", "")
    assert "186****1111" in text
    sealed = paper(order).signed_sha256
    shop.settle_down()
    contracts.seal(order.id)
    assert (paper(order).state, paper(order).signed_sha256) == ("signed", sealed)
    assert shop.state(order) == "awaiting_payment"


def test_signing_again_keeps_the_first_signature(shop: Shop, order: Order) -> None:
    code = shop.code()
    contracts.sign(order.id, code)
    first = paper(order).signed_at
    contracts.sign(order.id, code)
    contracts.sign(order.id, "000000")
    assert paper(order).signed_at == first


def test_a_wrong_code_signs_nothing_and_five_burn_it(shop: Shop, order: Order) -> None:
    code = shop.code()
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for _ in range(5):
        with pytest.raises(WrongCode):
            contracts.sign(order.id, wrong)
    with pytest.raises(WrongCode):
        contracts.sign(order.id, code)
    assert paper(order).state == "drafted"
    with later(61):
        with writing() as session:
            contracts.send_code(session, orders.find(session, order.id))
        shop.settle_down()
        assert contracts.sign(order.id, shop.code()).state == "awaiting_payment"


def test_another_order_s_code_does_not_sign(shop: Shop, order: Order) -> None:
    other = shop.place("wang", shop.anyone(1), phone="18600002222")
    shop.settle_down()
    with pytest.raises(WrongCode):
        contracts.sign(order.id, shop.code("18600002222"))
    assert paper(other).state == "drafted"


def test_nobody_else_signs_and_nothing_is_paid_unsigned(shop: Shop, order: Order) -> None:
    with pytest.raises(NotFound):
        contracts.sign(order.id, shop.code(), account="wang")
    with reading() as session, pytest.raises(orders.NotSigned):
        orders.payable(session, order.id)


def test_an_expired_order_cannot_be_signed(shop: Shop, order: Order) -> None:
    code = shop.code()
    with later(1801), pytest.raises(orders.PaidTooLate):
        contracts.sign(order.id, code)
    orders.cancel(order.id, "li", "changed my mind")
    shop.settle_down()
    with pytest.raises(WrongMove):
        contracts.sign(order.id, code)


def test_a_cash_order_is_confirmed_by_its_signature(shop: Shop) -> None:
    order = shop.place(payment="cod")
    shop.settle_down()
    assert shop.sign(order).state == "cod_confirmed"


def test_a_name_the_font_cannot_draw_is_marked_for_ops(shop: Shop) -> None:
    name, number = "李\U00020164", shop.anyone(3)[1]
    order = shop.place("rare", (name, number))
    shop.settle_down()
    assert paper(order).needs_font is True
    assert "李□" in text_of(order)


def test_every_read_of_the_paper_is_on_record(shop: Shop, order: Order) -> None:
    text_of(order)
    with reading() as session:
        reads = session.scalars(select(VaultRead).order_by(VaultRead.at, VaultRead.id)).all()
    assert (reads[-1].who, reads[-1].why) == ("account:li", "the shopper reads the contract")
    assert reads[-1].subject == paper(order).draft_document


@pytest.mark.parametrize(
    ("day", "months", "end"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 11, 22), 24, date(2028, 11, 22)),
        (date(2026, 12, 31), 12, date(2027, 12, 31)),
    ],
)
def test_a_term_ends_on_the_same_day_of_its_month_or_on_the_last(day: date, months: int, end: date) -> None:
    assert contracts._months_later(day, months) == end
