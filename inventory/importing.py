"""Reading a stock file into the numbers table, row by row, as large as it comes."""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory import grades, patterns, rows
from inventory.models import Number
from inventory.rows import BadRow, Columns, Fault, Row
from runtime import clock
from runtime.bulk import insert_new
from runtime.db import reading, writing
from runtime.facts import N_, Invalid

BATCH = 5_000
_UNDECODED = re.compile("[\udc80-\udcff]")  # what errors="surrogateescape" makes of a stray byte
_LONGEST = 10_000  # characters a line
_SHOWN = 60  # characters of a bad value

Progress = Callable[[int, int, int], None]
Store = Callable[[Sequence[Row]], tuple[int, list[BadRow]]]


@dataclass
class ImportReport:
    """Rows read, loaded now, known from before; `bad` in the order of the file."""

    rows: int = 0
    loaded: int = 0
    known: int = 0
    bad: list[BadRow] = field(default_factory=list)


def import_file(
    path: Path | str, *, all_or_nothing: bool = False, progress: Progress | None = None
) -> ImportReport:
    """Load the good rows of a CSV file (gzip too) and report each bad one; may be run again without harm.

    Columns number, city, pool, optional grade and prestore (yuan). Each batch is a transaction of its own, so
    a run that dies leaves whole batches and the next run finds them known. With `all_or_nothing` the file is
    first only checked; if any row is bad none is loaded, else all are in one transaction.
    Raises Invalid(file=...) when the file as a whole cannot be read."""
    path = Path(path)
    if not all_or_nothing:
        return _pass(path, _store_batch, progress)
    report = _pass(path, _check_batch, progress)
    if report.bad:
        report.loaded = 0
        return report
    with writing() as session:
        return _pass(path, lambda batch: _insert(session, batch), progress)


def _pass(path: Path, store: Store, progress: Progress | None) -> ImportReport:
    report = ImportReport()
    seen: dict[int, int] = {}
    batch: list[Row] = []
    with reading() as session:
        asked = grades.table(session)
    try:
        with _opened(path) as file:
            lines = _lines(file)
            columns = _columns(next(lines, (1, "")), asked)
            for line, text in lines:
                report.rows += 1
                try:
                    batch.append(columns.row(line, _fields(text), seen))
                except Fault as fault:
                    report.bad.append(_bad(line, fault.column, fault.value, fault.reason))
                if len(batch) >= BATCH:
                    _settle(batch, store, report, progress)
    except (EOFError, OSError, zlib.error) as error:
        _settle(batch, store, report, progress)
        raise Invalid(
            file=N_(
                "The file cannot be read to its end; send it again, what was loaded stays: {error}"
            ).format(error=error)
        ) from error
    _settle(batch, store, report, progress)
    report.bad.sort(key=lambda bad: bad.line)
    return report


def _settle(batch: list[Row], store: Store, report: ImportReport, progress: Progress | None) -> None:
    if batch:
        loaded, bad = store(batch)
        report.loaded += loaded
        report.known += len(batch) - loaded - len(bad)
        report.bad += bad
        batch.clear()
    if progress:
        progress(report.rows, report.loaded, len(report.bad))


def _opened(path: Path) -> TextIO:
    """The file as text; bytes that are no UTF-8 are let through here and told of at their line."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape")
    return path.open(encoding="utf-8-sig", errors="surrogateescape")


def _lines(file: TextIO) -> Iterator[tuple[int, str]]:
    """Line number and text; blank lines are left out. A field holds no line break, so a line is a row and an
    unclosed quote spoils one row only; a line without end is not read into memory."""
    number = 0
    while text := file.readline(_LONGEST):
        number += 1
        if len(text) >= _LONGEST and not text.endswith("\n"):
            while (rest := file.readline(_LONGEST)) and not rest.endswith("\n"):
                pass
        if not text.isspace():
            yield number, text


def _fields(text: str) -> list[str]:
    if not text.isascii() and _UNDECODED.search(text):
        raise Fault("", text, rows.ENCODING)
    if "\0" in text:
        raise Fault("", text, rows.NUL)
    if len(text) >= _LONGEST:
        raise Fault("", text, rows.TOO_LONG.format(most=_LONGEST))
    if '"' not in text:
        return text.rstrip("\r\n").split(",")
    try:
        return next(csv.reader([text.rstrip("\r\n")], strict=True))
    except csv.Error:
        raise Fault("", text, rows.QUOTES) from None


def _columns(first: tuple[int, str], asked: Mapping[int, grades.Grade]) -> Columns:
    try:
        header = [name.strip().casefold() for name in _fields(first[1])]
    except Fault as fault:
        raise Invalid(file=fault.reason) from None
    missing = [name for name in rows.REQUIRED if name not in header]
    if missing:
        raise Invalid(
            file=N_(
                "The first line names no column {missing}: it must name number, city, pool, by commas"
            ).format(missing=", ".join(missing))
        )
    strange = [name for name in header if name not in rows.REQUIRED + rows.OPTIONAL]
    if strange or len(set(header)) < len(header):
        raise Invalid(
            file=N_(
                "Each of number, city, pool, grade, prestore may stand once in the first line, not {header}"
            ).format(header=", ".join(header))
        )
    return Columns(header, asked)


def _store_batch(batch: Sequence[Row]) -> tuple[int, list[BadRow]]:
    with writing() as session:
        return _insert(session, batch)


def _check_batch(batch: Sequence[Row]) -> tuple[int, list[BadRow]]:
    with reading() as session:
        stock = _in_stock(session, [row.number for row in batch])
    return len(batch) - len(stock), _conflicts(batch, stock)


def _insert(session: Session, batch: Sequence[Row]) -> tuple[int, list[BadRow]]:
    new = set(insert_new(session, Number, [_values(row) for row in batch]))
    if len(new) == len(batch):
        return len(new), []
    old = [row for row in batch if row.number not in new]
    return len(new), _conflicts(old, _in_stock(session, [row.number for row in old]))


def _values(row: Row) -> dict[str, Any]:
    return {
        "number": row.number,
        "city": row.city,
        "pool": row.pool,
        "segment7": row.number[:7],
        "pattern": row.pattern,
        "grade": row.grade,
        "prestore_fen": row.prestore_fen,
        "min_spend_fen": row.min_spend_fen,
        "term_months": row.term_months,
        "no4": patterns.no4(row.number),
        "tags": patterns.tags(row.number),
        "state": "available",
        "drop_id": None,
        "moved_at": clock.now(),
    }


def _in_stock(session: Session, numbers: Sequence[str]) -> dict[str, tuple[str, str, int, int]]:
    found: dict[str, tuple[str, str, int, int]] = {}
    for start in range(0, len(numbers), 900):
        query = select(Number.number, Number.city, Number.pool, Number.grade, Number.prestore_fen)
        asked = query.where(Number.number.in_(numbers[start : start + 900]))
        for number, city, pool, grade, prestore in session.execute(asked):
            found[number] = (city, pool, grade, prestore)
    return found


def _conflicts(batch: Sequence[Row], stock: dict[str, tuple[str, str, int, int]]) -> list[BadRow]:
    """Rows whose number is in stock as something else; the same again is no fault."""
    bad = []
    for row in batch:
        given = (row.city, row.pool, row.grade, row.prestore_fen)
        known = stock.get(row.number, given)
        if known != given:
            column, there, here = next(
                (column, there, here)
                for column, there, here in zip(_COMPARED, _shown(*known), _shown(*given), strict=True)
                if there != here
            )
            bad.append(_bad(row.line, column, here, rows.IN_STOCK.format(column=column, known=there)))
    return bad


_COMPARED = ("city", "pool", "grade", "prestore")


def _shown(city: str, pool: str, grade: int, prestore_fen: int) -> tuple[str, ...]:
    return city, pool, str(grade), f"{prestore_fen / 100:.2f}"


def _bad(line: int, column: str, value: str, reason: str) -> BadRow:
    """The value shortened and made printable."""
    plain = value.rstrip("\r\n").encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return BadRow(line, column, plain if len(plain) <= _SHOWN else plain[:_SHOWN] + "…", reason)
