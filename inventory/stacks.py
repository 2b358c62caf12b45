"""One drop's numbers as NumPy arrays, and which of them are free."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inventory import patterns

Mask = npt.NDArray[np.bool_]
_DIGITS = 11
_CLOSELY = 4_096  # rows compared closely in a search for similar ones
_MIX = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9)  # splitmix64


@dataclass(frozen=True)
class ShelfNumber:
    """A number as a shopper sees it; money in fen, the spend a month, the term in months."""

    number: str
    city: str
    pattern: str
    grade: int
    prestore_fen: int
    min_spend_fen: int
    term_months: int
    tags: tuple[str, ...]


class Stack:
    """Numbers in ascending order; row i of every array is the same number. `free` alone ever changes."""

    def __init__(self, rows: Sequence[tuple[str, str, str, int, int, int, int, bool, str]]) -> None:
        """Rows ascending: number, city, pattern, grade, prestore, min spend, term, no4, tags."""
        self.numbers = np.array([int(row[0]) for row in rows], dtype=np.int64)
        # Digits lie by place, so that comparing one place reads one stretch of memory.
        powers = 10 ** np.arange(_DIGITS - 1, -1, -1, dtype=np.int64)
        self.digits = (self.numbers[None, :] // powers[:, None] % 10).astype(np.uint8)
        self.cities = sorted({row[1] for row in rows})
        city_of = {city: i for i, city in enumerate(self.cities)}
        class_of = {name: i for i, name in enumerate(patterns.NAMES)}
        self.city = np.array([city_of[row[1]] for row in rows], dtype=np.uint8)
        self.pattern = np.array([class_of[row[2]] for row in rows], dtype=np.uint8)
        self.grade = np.array([row[3] for row in rows], dtype=np.uint8)
        self.money = np.array([row[4:7] for row in rows], dtype=np.int32).reshape(-1, 3)
        self.no4 = np.array([row[7] for row in rows], dtype=np.bool_)
        self.tags = {i: tuple(row[8].split(",")) for i, row in enumerate(rows) if row[8]}
        self.free: Mask = np.zeros(len(rows), dtype=np.bool_)

    def mark(self, numbers: Iterable[str], free: bool) -> int:
        """These numbers are free now, or not; how many of them are not of this stack."""
        wanted = np.array([int(number) for number in numbers], dtype=np.int64)
        at = np.searchsorted(self.numbers, wanted)
        at[at == len(self.numbers)] = 0
        ours = self.numbers[at] == wanted if len(self.numbers) else np.zeros(len(wanted), dtype=np.bool_)
        self.free[at[ours]] = free
        return int(len(wanted) - ours.sum())

    def search(
        self, city: str, segment: str, contains: str, ending: str, pattern: str, grade: int | None, no4: bool
    ) -> npt.NDArray[np.intp]:
        """Rows that are free and fit all that is asked."""
        fits = self.free.copy()
        if city:
            if city not in self.cities:
                return np.empty(0, dtype=np.intp)
            fits &= self.city == self.cities.index(city)
        if pattern:
            if pattern not in patterns.NAMES:
                return np.empty(0, dtype=np.intp)
            fits &= self.pattern == patterns.NAMES.index(pattern)
        if grade is not None:
            fits &= self.grade == grade
        if no4:
            fits &= self.no4
        if any(text and not (text.isascii() and text.isdigit()) for text in (segment, contains, ending)):
            return np.empty(0, dtype=np.intp)
        if max(len(segment), len(contains), len(ending)) > _DIGITS:
            return np.empty(0, dtype=np.intp)
        fits &= self._at(0, segment)
        fits &= self._at(_DIGITS - len(ending), ending)
        if contains:
            places = range(_DIGITS - len(contains) + 1)
            fits &= np.logical_or.reduce([self._at(place, contains) for place in places])
        return np.flatnonzero(fits)

    def sample(self, rows: npt.NDArray[np.intp], limit: int, seed: int) -> npt.NDArray[np.intp]:
        """At most `limit` of the rows, another choice for another seed. Each number has a rank of its own for
        a seed, so a shopper's sample stays the same but for those that were taken."""
        if len(rows) <= limit:
            return rows
        rank = self.numbers[rows].astype(np.uint64) ^ np.uint64(seed & 0xFFFFFFFFFFFFFFFF)
        for factor in _MIX:
            rank *= np.uint64(factor)
            rank ^= rank >> np.uint64(31)
        return np.sort(rows[np.argpartition(rank, limit)[:limit]])

    def similar(self, number: str, limit: int, seed: int) -> npt.NDArray[np.intp]:
        """Free rows most like the number, best first: same city, longest common end, then same class and
        segment. The seed parts equals, so that those who lost one race do not all run the next."""
        fits = self.free & (self.numbers != int(number))
        at = int(np.searchsorted(self.numbers, int(number)))
        if at < len(self.numbers) and self.numbers[at] == int(number):
            fits &= self.city == self.city[at]
        # Narrow down digit by digit from the end while enough are left; only those few are then compared closely.
        for place in range(_DIGITS - 1, 2, -1):
            closer = fits & (self.digits[place] == int(number[place]))
            if np.count_nonzero(closer) < limit:
                break
            fits = closer
        rows = np.flatnonzero(fits)
        chance = np.random.default_rng(seed)
        if len(rows) > _CLOSELY:
            rows = chance.choice(rows, _CLOSELY, replace=False)
        same = self.digits[::-1, rows] == np.array(
            [[int(digit)] for digit in reversed(number)], dtype=np.uint8
        )
        score = np.logical_and.accumulate(same, axis=0).sum(axis=0) + 0.3 * chance.random(len(rows))
        score += 0.4 * (self.pattern[rows] == patterns.NAMES.index(patterns.classify(number)))
        score += 0.2 * same[4:].all(axis=0)
        return rows[np.argsort(-score)[:limit]]

    def shown(self, rows: npt.NDArray[np.intp]) -> list[ShelfNumber]:
        return [
            ShelfNumber(
                str(self.numbers[i]),
                self.cities[self.city[i]],
                patterns.NAMES[self.pattern[i]],
                int(self.grade[i]),
                int(self.money[i, 0]),
                int(self.money[i, 1]),
                int(self.money[i, 2]),
                self.tags.get(int(i), ()),
            )
            for i in rows
        ]

    def _at(self, place: int, text: str) -> Mask:
        """Do the digits from that place on read like this?"""
        fits = np.ones(len(self.numbers), dtype=np.bool_)
        for i, digit in enumerate(text):
            fits &= self.digits[place + i] == int(digit)
        return fits


def seed_of(text: str) -> int:
    """64 bits for a text: crc32 of it twice is plenty to tell shoppers' samples apart."""
    data = text.encode()
    return zlib.crc32(data) << 32 | zlib.crc32(data, 0x5EED)
