"""The surge's oracle: what shoppers were told, held against what may be told. Pure: stories in, faults out.

A story is what came of one visit, as loadtests/people.py writes it: times are seconds since 1970 of the shopper's
clock, which is the shop's own machine."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inventory import draw
from inventory.draw import Draw

Story = Mapping[str, Any]
_LEAST = 1.0  # seconds somebody must have been waiting to be among those who are told


@dataclass(frozen=True)
class Fairness:
    """How many places were judged, and of how many shoppers each rule was broken."""

    early: int
    late: int
    called: int
    not_drawn: int  # an early place that is not the drawn one
    not_first_come: int  # a later place before that of somebody whose answer had come before they asked
    out_of_order: int  # called before somebody who stood before them
    changed: int  # places that changed while they waited

    @property
    def error(self) -> int:
        return self.not_drawn + self.not_first_come + self.out_of_order + self.changed


def fairness(stories: Sequence[Story], published: Draw) -> Fairness:
    """Judge every place and every call. Who came again has a second place, and is judged by it as one who came late
    is not. Of an account with many connections the first that was given a ticket counts, if it ever looked at its
    place: the others are given the same one, which says nothing of when they came. When any came again, all did."""
    rank = {ticket: place for place, ticket in enumerate(published.order, 1)}
    again = {one.get("ticket") for one in stories if one.get("again")}
    known = _first_of_each(one for one in stories if one.get("ticket") and one["ticket"] not in again)
    once = [one for one in known if one.get("place")]
    early = [one for one in once if one["early"]]
    late = [one for one in once if not one["early"]]
    called = sorted((one["place"], _seconds(one["come_by"])) for one in once if one.get("come_by"))
    return Fairness(
        len(early), len(late), len(called),
        sum(rank.get(one["ticket"]) != one["place"] for one in early),
        _not_first_come(late),
        sum(1 for _ in _falls(come_by for _, come_by in called)),
        sum(one["changes"] for one in stories),
    )  # fmt: skip


def _first_of_each(stories: Iterable[Story]) -> list[Story]:
    """For each ticket the story of who asked for it first."""
    first: dict[str, Story] = {}
    for one in sorted(stories, key=lambda one: one["joining_at"]):
        first.setdefault(one["ticket"], one)
    return list(first.values())


def _not_first_come(late: Sequence[Story]) -> int:
    """Of how many was the place better than that of somebody who had theirs before these asked."""
    answered = sorted(late, key=lambda one: one["joined_at"])
    wrong, best, nth = 0, 0, 0
    for one in sorted(late, key=lambda one: one["joining_at"]):
        while nth < len(answered) and answered[nth]["joined_at"] < one["joining_at"]:
            best = max(best, answered[nth]["place"])
            nth += 1
        wrong += one["place"] < best
    return wrong


def _falls(values: Iterable[float]) -> Iterator[float]:
    """Those before which a greater one came."""
    greatest = float("-inf")
    for value in values:
        if value < greatest:
            yield value
        greatest = max(greatest, value)


@dataclass(frozen=True)
class Stock:
    """What was sold, as the shoppers were told."""

    sold: int
    oversold: int
    undersold: int
    doubles: int


def stock(stories: Sequence[Story], numbers: Collection[str], *, exhausted: bool) -> Stock:
    """Count what was promised: orders over the drop's numbers. `exhausted`: did more people want one than there were?
    Then each that was not ordered is undersold."""
    ordered = [one["number"] for one in stories if one.get("order")]
    twice = sum(count - 1 for count in Counter(ordered).values())
    orders = Counter(one["order"] for one in stories if one.get("order"))
    twice += sum(count - 1 for count in orders.values())
    strange = len(set(ordered) - set(numbers))
    short = len(numbers) - len(set(ordered)) if exhausted else 0
    return Stock(len(ordered), max(0, len(ordered) - len(numbers)) + strange, max(0, short), twice)


@dataclass(frozen=True)
class Told:
    """Who waited when something happened: how many, how many were not told of it, and seconds until the first, half
    of them and the last one were."""

    waiting: int
    untold: int
    first: float
    half: float
    last: float


def told(stories: Sequence[Story], what: str, at: float) -> Told:
    """Of those who kept their page open and waited when it happened. `what`: gone | ended."""
    waiting = [one for one in stories if _waited(one, at)]
    heard = sorted(one[f"{what}_at"] - at for one in waiting if one.get(f"{what}_at"))
    first, half, last = (heard[0], heard[len(heard) // 2], heard[-1]) if heard else (0.0, 0.0, 0.0)
    return Told(len(waiting), len(waiting) - len(heard), first, half, last)


def _waited(one: Story, at: float) -> bool:
    if one.get("by") != "stream" or one.get("joined_at", at) > at - _LEAST:
        return False
    for lost, *back in one.get("offline", ()):
        if lost <= at + _LEAST and (not back or at <= back[0]):
            return False  # the line was broken then: told when it stands again
    return bool(one.get("called_at", float("inf")) > at + _LEAST)


def kept(stories: Sequence[Story], since: float) -> int:
    """How many numbers those who never order kept from others at once, at any moment from then on."""
    changes = []
    for one in stories:
        for _, begun, *ended in one.get("held", ()):
            if not ended or ended[0] > since:
                changes += [(max(begun, since), 1), (ended[0] if ended else float("inf"), -1)]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def draw_faults(published: Draw, commitment: str) -> list[str]:
    """The published draw against what was promised before the opening."""
    return [f"draw: {fault}" for fault in draw.faults(published, commitment)]


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
