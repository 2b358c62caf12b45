"""Mainland mobile numbers: their form, and which city of ours a number segment belongs to.

segments.txt holds the China Unicom segments (first seven digits) of our cities, made from the PyPI package
phonenumbers by tests/inventory/segments_oracle.py. A segment that is not in it is simply unknown."""

import re
from functools import cache
from pathlib import Path

from runtime.facts import N_, Invalid

# libphonenumber 9.0.43, DOMAIN 1.
_MOBILE = re.compile(
    r"1(?:610[0-9]|740[0-5])[0-9]{6}|1(?:[38][0-9]|4[57]|[59][0-35-9]|6[25-7]|7[0-35-8])[0-9]{8}"
)
_ELEVEN = re.compile(r"[0-9]{11}")
_PREFIX = re.compile(r"^(?:\+|00)?86(?=1[0-9]{10}$)")
_DECORATION = str.maketrans("", "", " -\u00a0\u2010\u2011\u2013()")


def bare(text: str) -> str:
    """The text without country code, spaces and dashes; not checked."""
    return text if len(text) == 11 else _PREFIX.sub("", text.translate(_DECORATION))


def has_eleven_digits(number: str) -> bool:
    return _ELEVEN.fullmatch(number) is not None


def is_mobile(number: str) -> bool:
    """Is it a mainland mobile number, by libphonenumber's strict rule?"""
    return _MOBILE.fullmatch(number) is not None


def normalise(text: str) -> str:
    """The eleven digits of a mobile number written in any usual way. Raises Invalid(number=...)."""
    number = bare(text)
    if not is_mobile(number):
        raise Invalid(number=N_("Please give a mainland mobile number of 11 digits."))
    return number


@cache
def table() -> dict[int, str]:
    """Seven-digit segment -> city code."""
    found: dict[int, str] = {}
    text = (Path(__file__).parent / "segments.txt").read_text(encoding="ascii")
    for line in text.splitlines():
        code, *runs = line.split()
        for run in runs:
            first, _, last = run.partition("-")
            found.update(dict.fromkeys(range(int(first), int(last or first) + 1), code))
    return found


def city_of(number: str) -> str:
    """The city code a number's segment is known to belong to; empty if unknown."""
    return table().get(int(number[:7]), "")


def of_city(code: str) -> list[str]:
    """The seven-digit segments of a city, ascending."""
    return [str(segment) for segment, city in sorted(table().items()) if city == code]
