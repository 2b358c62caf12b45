"""Reads, judges, masks and makes up Chinese resident ID numbers (GB 11643-1999)."""

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from runtime.facts import N_, Invalid

OLDEST = 120  # years; above that a number is taken for a slip of the pen

_FORM = re.compile(r"[0-9]{17}[0-9X]")
_OLD_FORM = re.compile(r"[1-9][0-9]{14}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"
# GB/T 2260 provinces, and 81-83: residence permits for people of Hong Kong, Macau and Taiwan.
_PROVINCES = frozenset(
    str(code)
    for span in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 83))
    for code in range(span[0], span[1] + 1)
)

_LENGTH = N_("An ID number has 18 characters: 17 digits and a last digit or X.")
_OLD = N_("This is an old 15-digit number. Please enter the 18-digit number of your current ID card.")
_AREA = N_("The first six digits are not a place in China. Please compare them with your card.")
_BIRTH = N_("Digits 7 to 14 are not a date of birth. Please compare them with your card.")
_CHECK = N_("The last character does not fit the other 17. Please compare the number with your card.")


@dataclass(frozen=True)
class IdNumber:
    """A number that passed every check; its repr leaves the number out, so that no traceback carries it."""

    value: str = field(repr=False)
    birth: date = field(repr=False)
    sex: Literal["female", "male"]
    area: str


def parse(text: str, today: date) -> IdNumber:
    """The number as the card prints it; `today` is the Shanghai date. Raises Invalid(id_number=...)."""
    value = _clean(text)
    if _OLD_FORM.fullmatch(value):
        raise Invalid(id_number=_OLD)
    if not _FORM.fullmatch(value):
        raise Invalid(id_number=_LENGTH)
    if value[:2] not in _PROVINCES:
        raise Invalid(id_number=_AREA)
    birth = _birth(value[6:14])
    if birth is None or birth > today or years(birth, today) > OLDEST:
        raise Invalid(id_number=_BIRTH)
    if value[17] != check_character(value[:17]):
        raise Invalid(id_number=_CHECK)
    return IdNumber(value, birth, "male" if int(value[16]) % 2 else "female", value[:6])


def _clean(text: str) -> str:
    """NFKC folds the full-width digits of a Chinese keyboard; spaces and dashes are how people group digits."""
    return re.sub(r"[\s\-\u2010-\u2015]", "", unicodedata.normalize("NFKC", text)).upper()


def _birth(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def check_character(first17: str) -> str:
    return _CHECKS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first17, strict=True)) % 11]


def years(birth: date, day: date) -> int:
    """Full years of age on `day`: the birthday counts, and 29 February falls on 1 March in other years."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def mask(value: str) -> str:
    """The first three and the last four characters: 110***********0019."""
    return f"{value[:3]}{'*' * (len(value) - 7)}{value[-4:]}"


def convert_old(text: str) -> str:
    """The 18-character form of a 15-digit number, for imports of old records. Raises Invalid(id_number=...)."""
    value = _clean(text)
    if not _OLD_FORM.fullmatch(value):
        raise Invalid(id_number=N_("An old ID number has 15 digits."))
    first17 = f"{value[:6]}19{value[6:]}"
    return first17 + check_character(first17)


def made_up(area_city: str, birth: date, seq: int) -> str:
    """A valid number of nobody, for demos and tests.

    `area_city` is a city-level GB/T 2260 code ending in 00, which no issued card carries (cards carry county
    codes); `seq` is 1-999, odd for a man.
    """
    if not re.fullmatch(r"[1-9][0-9]{3}00", area_city) or area_city[:2] not in _PROVINCES:
        raise ValueError("made-up ID numbers take a city-level area code that ends in 00")
    if not 1 <= seq <= 999:
        raise ValueError("the sequence of an ID number is 1 to 999")
    first17 = f"{area_city}{birth:%Y%m%d}{seq:03d}"
    return first17 + check_character(first17)
