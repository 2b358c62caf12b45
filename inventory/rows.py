"""One row of a stock file: checked field by field, every fault told with its fix."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from inventory import patterns, regions, segments
from inventory.patterns import Grade
from runtime.facts import N_

REQUIRED = ("number", "city", "pool")
OPTIONAL = ("grade", "prestore")


@dataclass(frozen=True)
class BadRow:
    """A row that was not loaded: its line in the file (the header is 1), the column, what stood there, and why."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True)
class Row:
    """A good row; money in fen, by the grade where the file does not say otherwise."""

    line: int
    number: str
    city: str
    pool: str
    pattern: str
    grade: int
    prestore_fen: int
    min_spend_fen: int
    term_months: int


class Fault(Exception):
    """What is wrong with a field."""

    def __init__(self, column: str, value: str, reason: str) -> None:
        self.column, self.value, self.reason = column, value, reason
        super().__init__(reason)


FIELDS = N_("{found} fields where the header has {wanted}: add or remove commas, put quotes around commas")
ENCODING = N_("Not UTF-8 text: save the file as CSV UTF-8 and send it again")
NUL = N_("Holds NUL characters: the line is damaged, export it again")
QUOTES = N_("Quotation marks do not match: close them, or double a mark that is part of the text")
TOO_LONG = N_("The line is longer than {most} characters: it cannot be a row of this file")
NOT_ELEVEN = N_("Not 11 digits: give the number as 11 digits, with or without +86")
NOT_MOBILE = N_("No mainland mobile number starts like this: check the first digits")
CITY = N_("Unknown city: use its code, Chinese or English name, one of {known}")
POOL_EMPTY = N_("The pool is empty: name the pool the number belongs to")
POOL_LONG = N_("The pool's name has {found} characters: use at most {most}")
POOL_FORM = N_(
    "Ill-formed pool name: use small letters, digits, dot, dash and underscore, a letter or digit first"
)
GRADE = N_("Not a grade: use 1 to 6 for a beautiful number, 9 for an ordinary one, or leave it empty")
PRESTORE_NAN = N_("Not an amount: give yuan such as 300 or 300.50, or leave it empty")
PRESTORE_NEGATIVE = N_("A prestore cannot be negative: give 0 or more yuan")
PRESTORE_MUCH = N_("More than a million yuan: the prestore is in yuan, not fen")
DUPLICATE = N_("The number stands in line {first} already: remove one of the two")
SEGMENT = N_("Segment {segment} belongs to {known}: correct the city, or remove the number")
IN_STOCK = N_("Already in stock with {column} {known}: correct the row, or leave it out")

POOL_MOST = 40
_POOL = re.compile(r"[a-z0-9][a-z0-9._-]*")
_AMOUNT = re.compile(r"-?[0-9]+(?:\.[0-9]{1,2})?")
_MILLION = 100_000_000  # fen


class Columns:
    """Where the columns stand in this file, what grades ask for, and the cities and pools already judged."""

    def __init__(self, header: Sequence[str], grades: Mapping[int, Grade] = patterns.GRADES) -> None:
        self.grades = grades
        self.width = len(header)
        self.number, self.city, self.pool = (header.index(name) for name in REQUIRED)
        self.grade, self.prestore = (header.index(name) if name in header else None for name in OPTIONAL)
        self._cities: dict[str, str] = {}
        self._pools: set[str] = set()

    def row(self, line: int, fields: Sequence[str], seen: dict[int, int]) -> Row:
        """The row, or a Fault. A good row is noted in `seen` (number -> line)."""
        if len(fields) != self.width:
            text = FIELDS.format(found=len(fields), wanted=self.width)
            raise Fault("", ",".join(fields), text)
        number = _number(fields[self.number])
        city = self._city(fields[self.city])
        pool = self._pool(fields[self.pool])
        belongs = segments.city_of(number)
        if belongs and belongs != city:
            text = SEGMENT.format(segment=number[:7], known=_spelled(belongs))
            raise Fault("city", fields[self.city], text)
        pattern = patterns.classify(number)
        grade = (
            patterns.grade_of(pattern).grade if self.grade is None else _grade(fields[self.grade], pattern)
        )
        prestore = "" if self.prestore is None else fields[self.prestore]
        asks = self.grades[grade]
        fen = _fen(prestore, asks.prestore_fen)
        first = seen.setdefault(int(number), line)
        if first != line:
            raise Fault("number", fields[self.number], DUPLICATE.format(first=first))
        return Row(line, number, city, pool, pattern, grade, fen, asks.min_spend_fen, asks.term_months)

    def _city(self, text: str) -> str:
        code = self._cities.get(text)
        if code is None:
            city = regions.named(text)
            if city is None:
                known = ", ".join(_spelled(code) for code in regions.CITIES)
                raise Fault("city", text, CITY.format(known=known))
            code = self._cities[text] = city.code
        return code

    def _pool(self, text: str) -> str:
        pool = text.strip()
        if pool in self._pools:
            return pool
        if not pool:
            raise Fault("pool", text, POOL_EMPTY)
        if len(pool) > POOL_MOST:
            raise Fault("pool", text, POOL_LONG.format(found=len(pool), most=POOL_MOST))
        if not _POOL.fullmatch(pool):
            raise Fault("pool", text, POOL_FORM)
        self._pools.add(pool)
        return pool


def _number(text: str) -> str:
    number = segments.bare(text)
    if segments.is_mobile(number):
        return number
    raise Fault("number", text, NOT_MOBILE if segments.has_eleven_digits(number) else NOT_ELEVEN)


def _grade(text: str, pattern: str) -> int:
    text = text.strip()
    if not text:
        return patterns.grade_of(pattern).grade
    if len(text) != 1 or text not in "1234569":
        raise Fault("grade", text, GRADE)
    return int(text)


def _fen(text: str, usual: int) -> int:
    text = text.strip()
    if not text:
        return usual
    try:
        fen = int(Decimal(text) * 100) if _AMOUNT.fullmatch(text) else None
    except InvalidOperation:
        fen = None
    if fen is None:
        raise Fault("prestore", text, PRESTORE_NAN)
    if text.startswith("-"):
        raise Fault("prestore", text, PRESTORE_NEGATIVE)
    if fen > _MILLION:
        raise Fault("prestore", text, PRESTORE_MUCH)
    return fen


def _spelled(code: str) -> str:
    city = regions.CITIES[code]
    return f"{code} {city.zh} {city.en}"
