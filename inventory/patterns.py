"""What makes a number beautiful: its pattern class, grade, the grade's money, and its tags (DOMAIN 2.2, 2.3)."""

import re
from dataclasses import dataclass


def _runs(length: int) -> str:
    """All runs of that many digits, up and down; a run does not wrap, 890 is none."""
    ups = ["".join(str(first + i) for i in range(length)) for first in range(11 - length)]
    return "(?:" + "|".join(ups + [run[::-1] for run in ups]) + ")$"


# The order decides: the first class that fits the end of the number is its class.
CLASSES: dict[str, re.Pattern[str]] = {
    name: re.compile(regex)
    for name, regex in {
        "A6+": r"(\d)\1{5,}$",
        "AAAAA": r"(\d)\1{4}$",
        "AAABBB": r"(\d)\1\1(?!\1)(\d)\2\2$",
        "ABCABC": r"(?!(\d)\1{5}$)(\d)(\d)(\d)\2\3\4$",
        "ABABAB": r"(\d)(?!\1)(\d)(?:\1\2){2}$",
        "AABBCC": r"(\d)\1(?!\1)(\d)\2(?!\1|\2)(\d)\3$",
        "AAAA": r"(\d)\1{3}$",
        "ABCDEF": _runs(6),
        "ABCDE": _runs(5),
        "ABCD": _runs(4),
        "AABB": r"(\d)\1(?!\1)(\d)\2$",
        "ABAB": r"(\d)(?!\1)(\d)\1\2$",
        "ABBA": r"(\d)(?!\1)(\d)\2\1$",
        "AAA": r"(\d)\1\1$",
        "AAAB": r"(\d)\1\1(?!\1)\d$",
        "ABC": _runs(3),
        "AA": r"(\d)\1$",
    }.items()
}
ORDINARY = "ordinary"
NAMES = (*CLASSES, ORDINARY)
_IN_ORDER = tuple((name, regex.search) for name, regex in CLASSES.items())


def classify(number: str) -> str:
    """The pattern class of an 11-digit number. No class looks further left than the last six digits."""
    tail = number[-6:]
    for name, fits in _IN_ORDER:
        if fits(tail):
            return name
    return ORDINARY


@dataclass(frozen=True)
class Grade:
    """What a grade costs: prestore and minimum spend a month in fen, for a term in months."""

    grade: int
    prestore_fen: int
    min_spend_fen: int
    term_months: int


# Invented demo money: no national list of prices was ever published.
GRADES: dict[int, Grade] = {
    1: Grade(1, 500_000, 58_600, 36),
    2: Grade(2, 200_000, 28_600, 24),
    3: Grade(3, 100_000, 18_600, 24),
    4: Grade(4, 50_000, 12_600, 24),
    5: Grade(5, 30_000, 9_600, 12),
    6: Grade(6, 10_000, 6_600, 12),
    9: Grade(9, 0, 0, 0),
}
_GRADE_OF = {
    "A6+": 1,
    "AAAAA": 1,
    "AAAA": 2,
    "ABCDEF": 2,
    "AAABBB": 2,
    "ABABAB": 2,
    "ABCDE": 3,
    "ABCABC": 3,
    "AABBCC": 3,
    "ABCD": 4,
    "AAA": 5,
    "AABB": 6,
    "ABAB": 6,
    "ABBA": 6,
}


def grade_of(pattern: str) -> Grade:
    return GRADES[_GRADE_OF.get(pattern, 9)]


def no4(number: str) -> bool:
    """No 4 in the last eight digits."""
    return "4" not in number[-8:]


DAYS = frozenset(
    f"{month:02}{day:02}"
    for month, days in enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1)
    for day in range(1, days + 1)
)
_LOVE = re.compile("520|521|1314").search
_LUCKY = re.compile("168|666|888|518").search


def tags(number: str) -> str:
    """By comma: `birthday` (ends in a month and day), `love` (520, 521, 1314), `lucky` (168, 666, 888, 518).

    An end that spells a whole date, YYYYMMDD, ends in its month and day too."""
    found = []
    if number[-4:] in DAYS:
        found.append("birthday")
    if _LOVE(number):
        found.append("love")
    if _LUCKY(number):
        found.append("lucky")
    return ",".join(found)
