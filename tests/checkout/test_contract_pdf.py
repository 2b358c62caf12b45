"""The contract's paper: Chinese text that can be read back, the same bytes every time, boxes for what is missing."""

import hashlib
import io
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pypdf import PdfReader

from checkout import contract_pdf
from checkout.contract_paper import Paper, Signature
from checkout.prices import NumberFacts, OfferFacts, quote

PRICE = quote(
    OfferFacts(
        "bundle", "d", "3G套餐286元", "Plan 286", 28_600, 0, "iPhone 4", "iPhone 4", 24, 0, 499_900, 20_800
    ),
    NumberFacts("18600138021", "d"),
)
PAPER = Paper(
    order_id="ord_1",
    made_at=datetime(2026, 1, 1, 17, tzinfo=UTC),
    name="买买提·吐尔逊",
    masked_id="650***********0059",
    phone="186****5678",
    number="18600138021",
    plan="3G套餐286元",
    allowances="900 分钟",
    handset="iPhone 4 8GB 黑色",
    price=PRICE,
)


def text_of(content: bytes) -> str:
    return "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def test_the_paper_says_who_what_and_how_much() -> None:
    text = text_of(contract_pdf.render(PAPER))
    said = (
        "买买提·吐尔逊",
        "650***********0059",
        "18600138021",
        "4,999",
        "第 2 至 24 个月",
        "6,864",
        "待签署",
    )
    assert [part for part in said if part not in text] == []
    assert "2026 年 1 月 2 日" in text  # Shanghai's date


def test_the_same_facts_give_the_same_bytes_in_another_process() -> None:
    program = (
        "import hashlib, test_contract_pdf as t;"
        "print(hashlib.sha256(t.contract_pdf.render(t.PAPER)).hexdigest())"
    )
    here = Path(__file__).parent
    other = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(here)!r}, {str(here.parent.parent)!r}]; {program}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    contract_pdf.render(replace(PAPER, name="李雷"))  # what was drawn before leaves no trace
    assert other.stdout.strip() == hashlib.sha256(contract_pdf.render(PAPER)).hexdigest()


def test_a_signature_names_time_phone_and_the_hash_of_what_was_signed() -> None:
    signature = Signature(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "186****5678", "ab" * 32)
    text = text_of(contract_pdf.render(replace(PAPER, signature=signature)))
    assert "2026-01-02 11:04:05" in text
    assert "ab" * 32 in text.replace("\n", "")


def test_a_character_the_font_lacks_is_a_box_and_is_named() -> None:
    rare = replace(PAPER, name="李\U00020164")
    assert contract_pdf.missing(rare.name) == "\U00020164"
    assert "李□" in text_of(contract_pdf.render(rare))
    assert contract_pdf.missing("买买提·吐尔逊镕喆堃") == ""


def test_markup_in_a_name_is_text() -> None:
    assert "<b>&amp;" in text_of(contract_pdf.render(replace(PAPER, name="<b>&amp;")))
