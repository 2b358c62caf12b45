"""The filters of a search as people and programs write them."""

from collections.abc import Mapping

from inventory.shelf import Asked
from inventory.stacks_wish import birthday_ending
from runtime.facts import N_, Invalid

_MOST = {"segment": 7, "contains": 8, "ending": 11}  # digits
_YES = frozenset({"1", "true"})
_WHOLE = {9: N_("A whole number from 1 to 9."), 100: N_("A whole number from 1 to 100.")}


def wished(asked: Mapping[str, str]) -> Asked:
    """The filters among these fields; others are not looked at. Raises Invalid naming all that cannot be used."""
    wish: Asked = {}
    errors: dict[str, str] = {}
    for name, value in asked.items():
        if not value:
            continue
        try:
            match name:
                case "city" | "pattern":
                    wish[name] = value
                case "segment" | "contains" | "ending":
                    wish[name] = _digits(name, value)
                case "grade":
                    wish["grade"] = whole(name, value, 9)
                case "birthday":
                    wish["birthday"] = _birthday(value)
                case "no4" | "love" | "lucky" | "couple":
                    wish[name] = value in _YES
        except Invalid as wrong:
            errors |= wrong.errors
    if errors:
        raise Invalid(**errors)
    return wish


def whole(name: str, raw: str, most: int) -> int:
    """A number from 1 to `most`, 9 or 100. Raises Invalid."""
    if raw.isascii() and raw.isdigit() and len(raw) <= 3 and 1 <= int(raw) <= most:
        return int(raw)
    raise Invalid(**{name: _WHOLE[most]})


def _digits(name: str, value: str) -> str:
    value = value.replace(" ", "")
    if value and not (value.isascii() and value.isdigit() and len(value) <= _MOST[name]):
        raise Invalid(**{name: N_("Only digits, and not too many of them.")})
    return value


def _birthday(value: str) -> str:
    day = value.replace("-", "").strip()
    if birthday_ending(day) is None:
        raise Invalid(birthday=N_("The day as the number ends in it, such as 0512 or 19900512."))
    return day
