"""A stock file: good rows in, every bad row told by line, column, value and fix."""

import gzip
from pathlib import Path

import pytest

from inventory import importing, numbers
from inventory.models import Number
from inventory.rows import ENCODING, BadRow
from runtime.db import reading
from runtime.facts import Invalid
from tests.inventory.small_drop import ordinary

pytestmark = pytest.mark.usefixtures("db")


def file(tmp_path: Path, *lines: str, header: str = "number,city,pool,grade,prestore") -> Path:
    path = tmp_path / "stock.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def stock() -> dict[str, Number]:
    with reading() as session:
        return {row.number: row for row in session.query(Number)}


BAD = {
    "18600138021,110,spring": ("", "3 fields where the header has 5"),
    "1860013802,110,spring,,": ("number", "Not 11 digits"),
    "1.86E+10,110,spring,,": ("number", "Not 11 digits"),
    "12600138021,110,spring,,": ("number", "No mainland mobile number starts like this"),
    "18600138021,Atlantis,spring,,": ("city", "Unknown city"),
    "18600138021,,spring,,": ("city", "Unknown city"),
    "18600138021,110,,,": ("pool", "The pool is empty"),
    f"18600138021,110,{'p' * 41},,": ("pool", "The pool's name has 41 characters"),
    "18600138021,110,spring sale,,": ("pool", "Ill-formed pool name"),
    "18600138021,110,spring,7,": ("grade", "Not a grade"),
    "18600138021,110,spring,best,": ("grade", "Not a grade"),
    "18600138021,110,spring,,-1": ("prestore", "A prestore cannot be negative"),
    "18600138021,110,spring,,much": ("prestore", "Not an amount"),
    "18600138021,110,spring,,1.005": ("prestore", "Not an amount"),
    "18600138021,110,spring,,1000001": ("prestore", "More than a million yuan"),
    "18600138021,310,spring,,": ("city", "Segment 1860013 belongs to 110"),
    '18600138021,110,"spring,,': ("", "Quotation marks do not match"),
    "18600138021,110,spr\0ing,,": ("", "Holds NUL characters"),
    "18600138021,110,spring,," + "9" * 10_001: ("", "The line is longer than 10000 characters"),
}


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:40].replace("\0", "NUL"))
def test_a_bad_row_names_line_column_and_fix_and_the_others_load(tmp_path: Path, line: str) -> None:
    report = numbers.import_file(
        file(tmp_path, "18600138013,北京,spring,,", line, "18600138015,Beijing,spring,,")
    )
    column, reason = BAD[line]
    assert [(bad.line, bad.column) for bad in report.bad] == [(3, column)]
    assert report.bad[0].reason.startswith(reason)
    assert len(report.bad[0].value) <= 61
    assert (report.rows, report.loaded, report.known) == (3, 2, 0)
    assert sorted(stock()) == ["18600138013", "18600138015"]


def test_bytes_that_are_no_utf8_spoil_their_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "gbk.csv"
    path.write_bytes(
        b"number,city,pool\n18600138021," + "北京".encode("gbk") + b",spring\n18600138013,110,spring\n"
    )
    report = numbers.import_file(path)
    assert [(bad.line, bad.reason) for bad in report.bad] == [(2, ENCODING)]
    assert list(stock()) == ["18600138013"]


def test_a_number_twice_in_the_file_names_the_first_line(tmp_path: Path) -> None:
    report = numbers.import_file(file(tmp_path, "18600138021,110,spring,,", "+86 186 0013 8021,110,spring,,"))
    assert report.bad == [
        BadRow(3, "number", "+86 186 0013 8021", "The number stands in line 2 already: remove one of the two")
    ]
    assert report.loaded == 1


@pytest.mark.parametrize(
    ("again", "column", "known"),
    [
        ("13800138000,310,spring,,", "city", "110"),
        ("13800138000,110,autumn,,", "pool", "spring"),
        ("13800138000,110,spring,6,0", "grade", "9"),
        ("13800138000,110,spring,9,30", "prestore", "0.00"),
    ],
)
def test_a_number_in_stock_as_something_else(tmp_path: Path, again: str, column: str, known: str) -> None:
    numbers.import_file(file(tmp_path, "13800138000,110,spring,9,0"))
    report = numbers.import_file(file(tmp_path, again))
    assert [(bad.line, bad.column) for bad in report.bad] == [(2, column)]
    assert report.bad[0].reason == f"Already in stock with {column} {known}: correct the row, or leave it out"
    assert (report.loaded, report.known) == (0, 0)


def test_a_second_run_knows_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 7)
    path = file(tmp_path, *(f"{number},110,spring,," for number in ordinary("110", 100)))
    seen: list[tuple[int, int, int]] = []
    first = numbers.import_file(path, progress=lambda *figures: seen.append(figures))
    second = numbers.import_file(path)
    assert (first.rows, first.loaded, first.known, first.bad) == (100, 100, 0, [])
    assert (second.rows, second.loaded, second.known, second.bad) == (100, 0, 100, [])
    assert seen[-1] == (100, 100, 0)


def test_gzip_with_a_byte_order_mark_crlf_quotes_and_blank_lines(tmp_path: Path) -> None:
    text = '\ufeffPool,Number,City\r\n\r\n"spring",18600138021,"北京市"\r\n'
    path = tmp_path / "stock.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    report = numbers.import_file(path)
    assert (report.rows, report.loaded, report.bad) == (1, 1, [])
    row = stock()["18600138021"]
    assert (row.city, row.pool, row.state, row.segment7) == ("110", "spring", "available", "1860013")


def test_all_or_nothing(tmp_path: Path) -> None:
    good = [f"{number},110,spring,," for number in ordinary("110", 50)]
    report = numbers.import_file(file(tmp_path, *good, "1,110,spring,,"), all_or_nothing=True)
    assert (report.loaded, len(report.bad), stock()) == (0, 1, {})
    numbers.import_file(file(tmp_path, good[0]))
    report = numbers.import_file(file(tmp_path, *good), all_or_nothing=True)
    assert (report.loaded, report.known, report.bad, len(stock())) == (49, 1, [], 50)


def test_grade_and_prestore_of_the_file_go_before_the_computed_ones(tmp_path: Path) -> None:
    lines = [
        "18600138111,110,spring,,",
        "18600138222,110,spring,4,",
        "18600138333,110,spring,,12.5",
        "18600138444,110,spring,9,",
    ]
    numbers.import_file(file(tmp_path, *lines))
    facts = {
        n: (r.pattern, r.grade, r.prestore_fen, r.min_spend_fen, r.term_months) for n, r in stock().items()
    }
    assert facts == {
        "18600138111": ("AAA", 5, 30_000, 9_600, 12),
        "18600138222": ("AAA", 4, 50_000, 12_600, 24),
        "18600138333": ("AAA", 5, 1_250, 9_600, 12),
        "18600138444": ("AAA", 9, 0, 0, 0),
    }


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("number,city", "no column pool"),
        ("", "no column number, city, pool"),
        ("number;city;pool", "no column number, city, pool"),
        ("number,city,pool,prestor", "may stand once"),
        ("number,city,pool,pool", "may stand once"),
    ],
)
def test_a_header_that_cannot_be_used_is_told_before_anything_loads(
    tmp_path: Path, header: str, told: str
) -> None:
    with pytest.raises(Invalid) as fact:
        numbers.import_file(file(tmp_path, "18600138021,110,spring", header=header))
    assert told in fact.value.errors["file"]
    assert stock() == {}


def test_a_cut_off_gzip_keeps_what_was_read_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "stock.csv.gz"
    lines = "\n".join(f"{number},110,spring" for number in ordinary("110", 3_000))
    path.write_bytes(gzip.compress(f"number,city,pool\n{lines}\n".encode())[:-2_000])
    with pytest.raises(Invalid) as fact:
        numbers.import_file(path)
    assert fact.value.errors["file"].startswith("The file cannot be read to its end")
    assert 0 < len(stock()) < 3_000


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        numbers.import_file(tmp_path / "none.csv")
