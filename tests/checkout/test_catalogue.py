"""The catalogue: read from files, previewed, published in versions; what was priced stays as it was."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout import catalogue, catalogue_shape, offers, prices
from checkout.catalogue_shape import Catalogue
from checkout.models import CatalogueVersion
from inventory import grades, numbers, patterns
from inventory.models import Number
from runtime import clock
from runtime.db import reading, writing
from runtime.facts import Invalid, NotFound, WrongMove

# The carrier's notice as it was printed: months, then handset + prestore -> return for each monthly fee (DOMAIN 3.3).
PRINTED = {
    12: {
        66: (3499, 1500, 125), 96: (3299, 1700, 141), 126: (3099, 1900, 158), 156: (2799, 2200, 183),
        186: (2599, 2400, 200), 226: (2399, 2600, 216), 286: (1899, 3100, 258), 386: (1299, 3700, 308),
        586: (0, 4999, 416), 886: (0, 4999, 416),
    },
    24: {
        66: (3199, 1800, 75), 96: (2699, 2300, 95), 126: (2399, 2600, 108), 156: (1799, 3200, 133),
        186: (1399, 3600, 150), 226: (799, 4200, 175), 286: (0, 4999, 208), 386: (0, 4999, 208),
        586: (0, 4999, 208), 886: (0, 4999, 208),
    },
}  # fmt: skip
CELLS = [(months, fee, *cell) for months, row in PRINTED.items() for fee, cell in row.items()]
FILES = [catalogue.DATA / name for name in ("plans.toml", "iphone4_8gb.toml")]

UNSEEN = """
[[plan]]
code = "sky-58"
kind = "postpaid"
zh = "天空58"
en = "Sky 58"
fee = 58.5
topup = 60
first_months = ["half", "full"]

[[handset]]
code = "heron-3"
zh = "苍鹭 3"
en = "Heron 3"

[[sku]]
code = "HERON3-64"
handset = "heron-3"
colour_zh = "蓝"
colour_en = "blue"
storage = 64

[[policy]]
handset = "heron-3"
plan = "sky-58"
months = 18
kind = "prestore"
price = 1000
prestore = 505

[[policy]]
handset = "heron-3"
plan = "sky-58"
months = 36
kind = "credit"
price = 1800
return = 20

[[promotion]]
code = "heron-off"
kind = "discount"
zh = "立减"
en = "Off"
amount = 100
handsets = ["heron-3"]
"""
UNSEEN_CSV = """thing,code,kind,zh,en,fee,topup,handset,plan,months,price,return,colour_zh,colour_en,storage
plan,sky-58,postpaid,天空58,Sky 58,58.50,60,,,,,,,,
handset,heron-3,,苍鹭 3,Heron 3,,,,,,,,,,
sku,HERON3-64,,,,,,heron-3,,,,,蓝,blue,64
policy,,credit,,,,,heron-3,sky-58,36,1800,20,,,
"""


def seen(*files: tuple[str, str]) -> catalogue.Preview:
    with reading() as session:
        return catalogue.preview(session, [(name, text.encode()) for name, text in files])


def publish(*files: tuple[str, str]) -> int:
    preview = seen(*files)
    with writing() as session:
        return catalogue.publish(session, preview, actor="zhao", reason="test")


def known() -> Catalogue:
    with reading() as session:
        return catalogue.current(session)


def quoted(plan: str, sku: str = "", months: int = 0, **choice: Any) -> prices.Quote:
    terms = offers.terms_of(known(), 1, "d", plan, sku, months)
    return prices.quote(terms, prices.NumberFacts("18600138021", "d"), prices.Choice(**choice))


@pytest.fixture
def printed(db: None) -> None:
    with writing() as session:
        assert catalogue.add(session, FILES, actor="zhao", reason="test") == 1


@pytest.mark.parametrize(("months", "fee", "handset", "prestore", "each"), CELLS)
def test_all_cells_of_the_printed_table_are_quoted_with_their_total(
    printed: None, months: int, fee: int, handset: int, prestore: int, each: int
) -> None:
    price = quoted(f"3g-{fee}", "IP4-8-BLACK", months)
    lines = {line.code: line.amount_fen for line in price.lines}
    assert (lines["handset"], lines["prestore"]) == (handset * 100, prestore * 100)
    assert (price.due_now_fen, price.package_fen, price.term_months) == (499_900, 499_900, months)
    back = [month.return_fen for month in price.months]
    assert back == [(prestore - each * (months - 1)) * 100] + [each * 100] * (months - 1)
    dues, credit = [], 0  # by hand: what returns pays the fee, what is over pays later ones
    for part in back:
        credit += part
        dues.append(fee * 100 - min(credit, fee * 100))
        credit -= min(credit, fee * 100)
    assert [month.due_fen for month in price.months] == dues
    assert (price.total_fen, price.credit_left_fen) == (499_900 + sum(dues), credit)


def test_the_table_has_all_twenty_cells(printed: None) -> None:
    assert len(CELLS) == len(known().policies_of("iphone-4-8")) == 20


def test_a_catalogue_never_seen_before_is_imported_and_quoted(db: None) -> None:
    assert publish(("unseen.toml", UNSEEN)) == 1
    short = quoted("sky-58", "HERON3-64", 18)
    assert short.due_now_fen == 150_500 - 10_000
    assert [month.fee_fen for month in short.months[:2]] == [2_925, 5_850]
    assert [month.return_fen for month in short.months[:2]] == [2_900, 2_800]  # 505 = 18 x 28 + 1
    long = quoted("sky-58", "HERON3-64", 36, first_month="full")
    assert (long.due_now_fen, long.monthly_due_fen) == (170_000, 3_850)
    assert long.total_fen == 170_000 + 36 * 3_850
    assert quoted("sky-58").due_now_fen == 6_000


def test_a_table_of_a_spreadsheet_makes_the_same_catalogue(db: None) -> None:
    publish(("unseen.csv", UNSEEN_CSV))
    assert quoted("sky-58", "HERON3-64", 36).total_fen == 180_000 + 36 * 3_850
    assert known().plan["sky-58"].fee_fen == 5_850


def test_a_preview_names_what_changes_and_writes_nothing(printed: None) -> None:
    more = '[[plan]]\ncode = "3g-66"\nfee = 69\n[[sku]]\ncode = "IP4-8-WHITE"\nretired = true\n'
    found = seen(("change.toml", more + "[[grade]]\ngrade = 5\nprestore = 250\nspend = 96\nmonths = 12\n"))
    told = [(one.thing, one.code, one.what, one.fields) for one in found.changes]
    assert told == [
        ("plan", "3g-66", "changed", (("fee_fen", "66.00", "69.00"),)),
        ("sku", "IP4-8-WHITE", "retired", ()),
        (
            "grade", "5", "added",
            (("prestore_fen", "", "250.00"), ("spend_fen", "", "96.00"), ("months", "", "12")),
        ),
    ]  # fmt: skip
    with reading() as session:
        assert catalogue.newest(session) == 1
    assert known().plan["3g-66"].fee_fen == 6_600


def test_the_same_file_again_is_no_new_version(printed: None) -> None:
    with writing() as session:
        assert catalogue.add(session, FILES, actor="zhao", reason="again") == 1
        assert len(session.scalars(select(CatalogueVersion)).all()) == 1


def test_of_two_who_previewed_the_same_version_one_publishes(printed: None) -> None:
    first, second = (seen(("a.toml", f'[[plan]]\ncode = "3g-66"\nfee = {fee}\n')) for fee in (67, 68))
    with writing() as session:
        assert catalogue.publish(session, first, actor="zhao", reason="first") == 2
    with pytest.raises(WrongMove), writing() as session:
        catalogue.publish(session, second, actor="qian", reason="second")
    assert known().plan["3g-66"].fee_fen == 6_700


def test_an_offer_keeps_the_version_it_was_made_from(printed: None) -> None:
    def offer(session: Session, id: str) -> prices.OfferFacts:
        return offers.facts(offers.add(session, id=id, drop_id="d", plan_id="3g-66"))

    with writing() as session:
        before = offer(session, "before")
    assert publish(("dearer.toml", '[[plan]]\ncode = "3g-66"\nfee = 69\n')) == 2
    with writing() as session:
        after = offer(session, "after")
        assert (offer(session, "before"), before.catalogue, before.fee_fen) == (before, 1, 6_600)
    assert (after.catalogue, after.fee_fen) == (2, 6_900)
    with reading() as session:
        assert catalogue.at(session, 1).plan["3g-66"].fee_fen == 6_600
        with pytest.raises(NotFound):
            catalogue.at(session, 3)


PLAN = '[[plan]]\ncode = "p"\nkind = "postpaid"\nzh = "一"\nen = "One"\nfee = 66\n'
HANDSET = '[[handset]]\ncode = "h"\nzh = "一"\nen = "One"\n'
POLICY = PLAN + HANDSET + '[[policy]]\nhandset = "h"\nplan = "p"\nmonths = 12\nkind = "prestore"\n'
PROMOTION = PLAN + '[[promotion]]\ncode = "x"\nzh = "一"\nen = "One"\n'


@pytest.mark.parametrize(
    ("name", "text", "field"),
    [
        ("a.toml", "[[plan]\n", "file"),
        ("a.toml", "", "file"),
        ("a.xlsx", "anything", "file"),
        ("a.toml", '[[phone]]\ncode = "x"\n', "phone"),
        ("a.toml", 'plan = "x"\n', "plan"),
        ("a.toml", PLAN.replace("66", '"cheap"'), "plan 1, fee"),
        ("a.toml", PLAN.replace("66", "-1"), "plan 1, fee"),
        ("a.toml", PLAN.replace("66", "true"), "plan 1, fee"),
        ("a.toml", PLAN.replace('kind = "postpaid"', 'kind = "later"'), "plan 1, kind"),
        ("a.toml", PLAN.replace('en = "One"\n', ""), "plan 1, en"),
        ("a.toml", PLAN + "colour = 3\n", "plan 1, colour"),
        ("a.toml", PLAN.replace('code = "p"', 'code = "p p"'), "plan 1, code"),
        ("a.toml", PLAN + PLAN, "plan 2, code"),
        ("a.toml", PLAN + 'first_months = ["never"]\n', "plan 1, first_months"),
        ("a.toml", '[[plan]]\ncode = "p"\nretired = true\n', "plan 1, retired"),
        ("a.toml", '[[plan]]\ncolumns = ["code"]\nrows = [["a", "b"]]\n', "plan 1 row 1"),
        ("a.toml", '[[sku]]\ncode = "S"\nhandset = "h"\ncolour_zh = "黑"\ncolour_en = "black"\nstorage = 8\n',
         "sku 1, handset"),
        ("a.toml", POLICY + "package = 4999\nprice = 3000\nprestore = 2000\nreturn = 100\n", "policy 1, package"),
        ("a.toml", POLICY + "package = 100\nprice = 3000\n", "policy 1, package"),
        ("a.toml", POLICY + "price = 1\nprestore = 100\nreturn = 9\n", "policy 1, return"),
        ("a.toml", POLICY.replace('"prestore"', '"credit"') + "price = 1\nprestore = 5\nreturn = 1\n",
         "policy 1, prestore"),
        ("a.toml", POLICY.replace("months = 12", "months = 0") + "price = 1\nprestore = 5\n", "policy 1, months"),
        ("a.toml", PROMOTION + 'kind = "discount"\n', "promotion 1, amount"),
        ("a.toml", PROMOTION + 'kind = "gift"\nstarts = "2026-12-02"\nends = "2026-12-01"\n', "promotion 1, ends"),
        ("a.toml", PROMOTION + 'kind = "gift"\nstarts = "soon"\n', "promotion 1, starts"),
        ("a.toml", PROMOTION + 'kind = "gift"\nplans = ["nothing"]\n', "promotion 1, plan"),
        ("a.toml", PROMOTION + 'kind = "gift"\naudience = "friends"\n', "promotion 1, audience"),
        ("a.toml", "[[grade]]\ngrade = 8\nprestore = 1\nspend = 1\nmonths = 1\n", "grade 1, grade"),
        ("a.toml", "[[grade]]\ngrade = 5\nprestore = 1\nspend = 1\nmonths = 0\n", "grade 1, months"),
        ("a.csv", "code,zh\np,x\n", "file"),
        ("a.csv", "thing,code,code\nplan,p,p\n", "file"),
        ("a.csv", "thing,code\nphone,p\n", "line 2"),
        ("a.csv", "thing,code\nplan,p,q\n", "line 2"),
        ("a.csv", 'thing,code\nplan,"p\n', "file"),
        ("a.csv", "thing,code,fee\n\nplan,p,much\n", "line 3, fee"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_named_with_its_place(
    db: None, name: str, text: str, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        seen((name, text))
    assert field in refused.value.errors
    assert all(refused.value.errors.values())


def test_a_file_that_is_not_utf8_is_told_with_its_line(db: None) -> None:
    with pytest.raises(Invalid) as refused, reading() as session:
        catalogue.preview(session, [("a.csv", "thing,code\nplan,套餐\n".encode("gb18030"))])
    assert refused.value.errors["file"].startswith("Line 2 ")


def test_a_plan_that_a_contract_needs_cannot_be_taken_out_alone(printed: None) -> None:
    with pytest.raises(Invalid) as refused:
        seen(("a.toml", '[[plan]]\ncode = "3g-66"\nretired = true\n'))
    assert list(refused.value.errors) == [
        "policy iphone-4-8:3g-66:12, plan",
        "policy iphone-4-8:3g-66:24, plan",
    ]


def test_days_are_beijing_s_and_the_last_one_counts(db: None) -> None:
    window = 'kind = "gift"\nstarts = "2026-12-01"\nends = "2026-12-02"\n'
    publish(("a.toml", PROMOTION + window))
    one = known().promotion["x"]
    assert (one.starts_at, one.ends_at) == (
        datetime(2026, 11, 30, 16, tzinfo=UTC), datetime(2026, 12, 2, 16, tzinfo=UTC),
    )  # fmt: skip


def asked_of(session: Session) -> dict[str, tuple[int, int, int]]:
    rows = session.scalars(select(Number))
    return {one.number: (one.prestore_fen, one.min_spend_fen, one.term_months) for one in rows}


def test_another_table_of_grades_is_asked_of_stock_and_not_of_a_drop(db: None) -> None:
    row = {
        "city": "110", "pool": "p", "segment7": "1860013", "pattern": "AAA", "grade": 5, "prestore_fen": 30_000,
        "min_spend_fen": 9_600, "term_months": 12, "no4": True, "tags": "", "moved_at": clock.now(),
    }  # fmt: skip
    with writing() as session:
        session.add(Number(**row, number="18600138111", state="available", drop_id=None))
        session.add(Number(**row, number="18600138222", state="in_drop", drop_id="d"))
        session.add(
            Number(**{**row, "prestore_fen": 99_900}, number="18600138333", state="available", drop_id=None)
        )
    publish(("a.csv", "thing,grade,prestore,spend,months\ngrade,5,250,88,18\n"))
    with reading() as session:
        asked = asked_of(session)
        assert grades.table(session)[5] == grades.Grade(5, 25_000, 8_800, 18)
        assert grades.table(session)[4] == patterns.GRADES[4]
    assert asked == {
        "18600138111": (25_000, 8_800, 18), "18600138222": (30_000, 9_600, 12), "18600138333": (99_900, 9_600, 12),
    }  # fmt: skip


def test_numbers_imported_later_ask_for_what_the_table_says(db: None, tmp_path: Any) -> None:
    publish(("a.csv", "thing,grade,prestore,spend,months\ngrade,5,250,88,18\n"))
    table = tmp_path / "numbers.csv"
    table.write_text("number,city,pool\n18600138111,110,p\n18600138112,110,p\n")
    assert numbers.import_file(table).loaded == 2
    with reading() as session:
        asked = asked_of(session)
    assert asked["18600138111"] == (25_000, 8_800, 18)


def test_a_catalogue_is_read_as_it_was_written(printed: None) -> None:
    assert catalogue_shape.read(catalogue_shape.written(known())) == known()
