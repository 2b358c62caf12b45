"""The fields of a catalogue's file: how each is written, and what it becomes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from checkout.catalogue_shape import AUDIENCES, FIRST_MONTHS, KINDS
from runtime import clock
from runtime.facts import N_, fill

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_YUAN = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,2})?")
_COLOUR = re.compile(r"#[0-9a-f]{6}")


class Unfit(Exception):
    """The value cannot be used; `fix` says what would do."""

    def __init__(self, fix: str) -> None:
        super().__init__(fix)
        self.fix = fix


@dataclass(frozen=True)
class Field:
    """`into` is the attribute of the thing that it becomes, "" where it is only checked."""

    into: str
    convert: Callable[[Any], Any]


def _code(value: Any) -> str:
    text = str(value).strip()
    if not _CODE.fullmatch(text):
        raise Unfit(N_("Use up to 40 letters, digits, dots, dashes or underlines."))
    return text


def _text(most: int) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        text = " ".join(str(value).split())
        if not 1 <= len(text) <= most or not text.isprintable():
            raise Unfit(fill(N_("Write 1 to {most} characters."), most=most))
        return text

    return convert


def _yuan(value: Any) -> int:
    text = str(value).strip().replace(",", "")
    if isinstance(value, bool) or not _YUAN.fullmatch(text):
        raise Unfit(N_("Give an amount in yuan such as 66 or 0.15, not negative."))
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def _whole(least: int, most: int) -> Callable[[Any], int]:
    def convert(value: Any) -> int:
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise Unfit(fill(N_("Give a whole number from {least} to {most}."), least=least, most=most))
        return int(text)

    return convert


def _one_of(*known: str) -> Callable[[Any], str]:
    def convert(value: Any) -> str:
        text = str(value).strip()
        if text not in known:
            raise Unfit(fill(N_("Use one of: {known}."), known=", ".join(known)))
        return text

    return convert


def _all_of(convert_one: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    """A list, or a text with spaces between."""

    def convert(value: Any) -> tuple[Any, ...]:
        listed = value if isinstance(value, list) else str(value).split()
        return tuple(dict.fromkeys(convert_one(one) for one in listed))

    return convert


def _first_months(value: Any) -> tuple[str, ...]:
    found = _all_of(_one_of(*FIRST_MONTHS))(value)
    if not found:
        raise Unfit(N_("Name at least one: full, half or usage."))
    return found


def _grade(value: Any) -> int:
    found = _whole(1, 9)(value)
    if found in (7, 8):
        raise Unfit(N_("Grades are 1 to 6, and 9 for ordinary numbers."))
    return found


def _colour(value: Any) -> str:
    text = str(value).strip().lower()
    if not _COLOUR.fullmatch(text):
        raise Unfit(N_("Give a colour such as #1f2937."))
    return text


def _from(value: Any) -> datetime:
    return _moment(value, timedelta())


def _until(value: Any) -> datetime:
    """A day alone is included."""
    return _moment(value, timedelta(days=1))


def _moment(value: Any, day_ends: timedelta) -> datetime:
    found = value
    if not isinstance(value, date):
        try:
            found = datetime.fromisoformat(str(value).strip())
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", str(value).strip()):
                found = found.date()
        except ValueError:
            fix = N_("Give a day such as 2026-12-01, or a time such as 2026-12-01T10:00, of Beijing.")
            raise Unfit(fix) from None
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day) + day_ends  # noqa: DTZ001 - its zone follows
    if found.tzinfo is None:
        found = found.replace(tzinfo=clock.SHANGHAI)
    return found.astimezone(UTC)


_NAMES = {"zh": Field("zh", _text(60)), "en": Field("en", _text(60))}
FIELDS: dict[str, dict[str, Field]] = {
    "plan": {
        "code": Field("code", _code), **_NAMES, "kind": Field("kind", _one_of("prepaid", "postpaid")),
        "fee": Field("fee_fen", _yuan), "topup": Field("topup_fen", _yuan),
        "minutes": Field("minutes", _whole(0, 10**6)), "data": Field("data_mb", _whole(0, 10**8)),
        "texts": Field("texts", _whole(0, 10**6)), "first_months": Field("first_months", _first_months),
        "minute": Field("minute_unit_fen", _yuan), "mb": Field("mb_unit_fen", _yuan),
        "text": Field("text_unit_fen", _yuan),
    },
    "handset": {
        "code": Field("code", _code), **_NAMES, "shape": Field("shape", _one_of("slab", "button", "fold")),
    },
    "sku": {
        "code": Field("code", _code), "handset": Field("handset", _code),
        "colour_zh": Field("colour_zh", _text(20)), "colour_en": Field("colour_en", _text(20)),
        "storage": Field("storage_gb", _whole(1, 10**5)), "swatch": Field("swatch", _colour),
    },
    "policy": {
        "handset": Field("handset", _code), "plan": Field("plan", _code),
        "months": Field("months", _whole(1, 60)), "kind": Field("kind", _one_of("prestore", "credit")),
        "price": Field("price_fen", _yuan), "prestore": Field("prestore_fen", _yuan),
        "return": Field("return_fen", _yuan), "package": Field("", _yuan),
        "penalty_months": Field("penalty_months", _whole(0, 60)), "source": Field("source", _text(120)),
    },
    "grade": {
        "grade": Field("grade", _grade), "prestore": Field("prestore_fen", _yuan),
        "spend": Field("spend_fen", _yuan), "months": Field("months", _whole(0, 60)),
    },
    "promotion": {
        "code": Field("code", _code), **_NAMES, "kind": Field("kind", _one_of(*KINDS)),
        "amount": Field("amount_fen", _yuan), "months": Field("months", _whole(1, 60)),
        "starts": Field("starts_at", _from), "ends": Field("ends_at", _until),
        "audience": Field("audience", _one_of(*AUDIENCES)), "group": Field("group", _code),
        "plans": Field("plans", _all_of(_code)), "handsets": Field("handsets", _all_of(_code)),
        "terms": Field("terms", _all_of(_whole(0, 60))), "grades": Field("grades", _all_of(_grade)),
    },
}  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "plan": ("code",), "handset": ("code",), "sku": ("code",), "policy": ("handset", "plan", "months"),
    "grade": ("grade",), "promotion": ("code",),
}  # fmt: skip
_YES = {"1": True, "true": True, "yes": True, "": False, "0": False, "false": False, "no": False}


def retires(value: Any) -> bool:
    """Does the row take the thing out of the catalogue?"""
    said = _YES.get(str(value).strip().lower())
    if said is None:
        raise Unfit(N_("Write yes to take it out of the catalogue, or leave it empty."))
    return said
