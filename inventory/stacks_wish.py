"""What a shopper asks of a number, worked out for a stack: which groups may have it, which bits a row must have."""

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, TypedDict

import msgspec
import numpy as np
import numpy.typing as npt

from inventory import patterns
from inventory.stacks_build import DIGITS, TAIL, Words

if TYPE_CHECKING:
    from inventory.stacks import Stack

Some = npt.NDArray[np.bool_]  # which groups


class Asked(TypedDict, total=False):
    """A Wish in words of a call."""

    city: str
    segment: str
    contains: str
    ending: str
    pattern: str
    grade: int | None
    birthday: str
    no4: bool
    love: bool
    lucky: bool
    couple: bool


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Everything asked must hold; what is left empty is not asked. Texts that are no digits, or too long, fit
    nothing. `birthday` is as in birthday_ending. `couple`: another free number that fits everything has the same last
    four digits."""

    city: str = ""
    segment: str = ""
    contains: str = ""
    ending: str = ""
    pattern: str = ""
    grade: int | None = None
    birthday: str = ""
    no4: bool = False
    love: bool = False
    lucky: bool = False
    couple: bool = False


@dataclass
class Way:
    """One way a text may stand in a number: in groups of these heads (None: any), in rows with all these bits."""

    heads: Some | None
    bits: list[Words]


@dataclass
class Plan:
    """A row fits when its group is one of `heads`, it has all of `bits`, and one of `ways` holds if there are any.

    `tail`: the last four digits where they are known; `way_tail`: of the one way that is nothing but they."""

    heads: Some | None = None
    bits: list[Words] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    tail: int | None = None
    way_tail: int | None = None

    @property
    def asks(self) -> bool:
        """Does it ask for anything?"""
        return self.heads is not None or bool(self.bits or self.ways)


def birthday_ending(value: str) -> str | None:
    """The digits a number of that day ends in, "" for any day; None where the value is no day.

    1 (or true) asks for any day. 0512, 900512 and 19900512 are asked for as they are written."""
    if value in ("1", "true"):
        return ""
    if not _is_digits(value) or len(value) not in (4, 6, 8):
        return None
    if len(value) < 8:  # the 29th of February stands in some year
        return value if value[-4:] in patterns.DAYS else None
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return None
    return value


def plan_of(stack: "Stack", wish: Wish) -> Plan | None:
    """None where nothing can fit."""
    plan = Plan()
    named: list[tuple[str, object]] = []
    if wish.city:
        named.append(("city", wish.city))
    if wish.pattern:
        named.append(("pattern", wish.pattern))
    if wish.grade is not None:
        named.append(("grade", wish.grade))
    if wish.no4:
        named.append(("no4", True))
    if wish.love:
        named.append(("tag", "love"))
    if wish.lucky:
        named.append(("tag", "lucky"))
    endings = [wish.ending] if wish.ending else []
    if wish.birthday:
        day = birthday_ending(wish.birthday)
        if day is None:
            return None
        if day:
            endings.append(day)
        else:
            named.append(("tag", "birthday"))
    for name in named:
        bits = stack.facts_bits.get(name)
        if bits is None:
            return None
        plan.bits.append(bits)
    for place, text in ((0, wish.segment), *((DIGITS - len(end), end) for end in endings)):
        if text and not must(stack, plan, place, text):
            return None
    if wish.contains and not _contains(stack, plan, wish.contains):
        return None
    return plan


def must(stack: "Stack", plan: Plan, place: int, text: str) -> bool:
    """The plan with this text at that place; False where no number has it."""
    way = _way(stack, place, text) if _is_digits(text) and place >= 0 else None
    if way is None:
        return False
    plan.bits += way.bits
    if way.heads is not None:
        plan.heads = way.heads if plan.heads is None else plan.heads & way.heads
    if place + len(text) == DIGITS and len(text) >= TAIL:
        plan.tail = int(text[-TAIL:])
    return True


def _contains(stack: "Stack", plan: Plan, text: str) -> bool:
    if not _is_digits(text):
        return False
    whole: Some | None = None  # groups whose head has it
    for place in range(DIGITS - len(text) + 1):
        way = _way(stack, place, text)
        if way is None:
            continue
        if not way.bits and way.heads is not None:
            whole = way.heads if whole is None else whole | way.heads
            continue
        plan.ways.append(way)
        if place == DIGITS - TAIL and len(text) == TAIL:
            plan.way_tail = int(text)
    if whole is not None:
        plan.ways.append(Way(whole, []))
    return bool(plan.ways)


def _way(stack: "Stack", place: int, text: str) -> Way | None:
    """The text from that place on; None where no number has it there."""
    head = stack.groups.head
    inside = min(len(text), max(head - place, 0))
    heads, bits = None, []
    for i, letter in enumerate(text[inside:], place + inside - head):
        if not stack.has_digit[i][int(letter)]:
            return None
        bits.append(stack.digit_bits[i, int(letter)])
    if inside:
        digits = np.frombuffer(text[:inside].encode(), dtype=np.uint8) - 48
        heads = (stack.groups.digits[place : place + inside] == digits[:, None]).all(axis=0)
        if not heads.any():
            return None
    return Way(heads, bits)


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= DIGITS
