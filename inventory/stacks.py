"""One drop's numbers as NumPy arrays, and which of them are free.

A row is a number; rows ascend. Everything that can be asked of a number is a bit of its row: a search is a few ANDs
over whole words, so the worst one costs what a few passes over the stack cost, whatever the numbers are. What is
dense is found sooner by trying rows in the shopper's order, and what is known to be rare by looking only where it
can be (stacks_find.py)."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

import msgspec
import numpy as np

from inventory import stacks_build, stacks_find, stacks_order
from inventory.stacks_build import Facts, Kinds, Numbers, Rows, Words
from inventory.stacks_order import seed_of as seed_of
from inventory.stacks_wish import Wish as Wish
from inventory.stacks_wish import plan_of

_LARGE = 8_192  # words from which on it pays to look at a part only


class ShelfNumber(msgspec.Struct, frozen=True):
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
    """`free` alone ever changes: one thread at a time marks, searches read it as it is."""

    def __init__(self, rows: Rows, *, head: int | None = None, large: bool | None = None) -> None:
        """`head` and `large` are found out by themselves; the answers do not depend on them, only the time."""
        self.count = len(rows.numbers)
        self.facts = rows.facts
        self.groups = stacks_build.group(rows, head)
        self.digit_bits = stacks_build.digit_bits(self.groups)
        self.has_digit = [[bool(bits.any()) for bits in place] for place in self.digit_bits]
        self.facts_bits = stacks_build.fact_bits(self.groups, rows.facts)
        self.words = len(self.groups.numbers) // 64
        self.large = self.words > _LARGE if large is None else large
        self.group_words = np.diff(self.groups.first_word)
        self.group_of_word = np.repeat(np.arange(len(self.group_words)), self.group_words)
        self.by_tail, self.tail_starts = stacks_build.by_tail(self.groups)
        self.free: Words = self.none_free()

    def search(self, wish: Wish, limit: int, seed: int) -> list[ShelfNumber]:
        """Free numbers that fit, at most `limit`: ascending, or for a couple those of one tail together. Each seed
        has an order of its own in which all numbers stand; the first that fit are shown."""
        plan = plan_of(self, wish)
        if plan is None or limit <= 0 or not self.count:
            return []
        order = stacks_order.of(seed, self.words * 64)
        if wish.couple:
            return self.shown(stacks_find.couples(self, plan, limit, order))
        found = stacks_find.first(self, plan, limit, order)
        found.sort()
        return self.shown(found)

    def similar(self, number: str, limit: int, seed: int) -> list[ShelfNumber]:
        """Free numbers most like this one, best first: of its city if it is one of ours, the longest common end
        first, then the same class, then the same segment. The seed parts equals, so that those who lost one race
        do not all run the next."""
        return self.shown(stacks_find.similar(self, number, limit, seed))

    def alike(self, number: str, limit: int, seed: int) -> list[str]:
        """The numbers of `similar` without what is known of them."""
        rows = stacks_find.similar(self, number, limit, seed)
        return [str(one) for one in self.groups.numbers[rows].tolist()]

    def is_free(self, number: str) -> bool:
        """Is it one of ours, and free?"""
        row = self.row_of(number)
        return row is not None and bool(self.free[row >> 6] >> np.uint64(row & 63) & np.uint64(1))

    def row_of(self, number: str) -> int | None:
        """The row of a number; None where it is not ours."""
        ours, wanted = self.groups.numbers, int(number)
        row = int(ours.searchsorted(wanted))
        return row if row < len(ours) and int(ours[row]) == wanted else None

    def mark(self, numbers: Iterable[str], free: bool) -> int:
        """These numbers are free now, or not; how many of them are not of this stack."""
        rows, unknown = self.rows_of(np.array([int(number) for number in numbers], dtype=np.int64))
        set_bits(self.free, rows, free)
        return unknown

    def rows_of(self, numbers: Numbers) -> tuple[Numbers, int]:
        """The rows of those that are ours, and how many are not."""
        ours = self.groups.numbers
        if not len(ours):
            return np.empty(0, dtype=np.int64), len(numbers)
        at = np.searchsorted(ours, numbers)
        at[at == len(ours)] = 0
        known = at[ours[at] == numbers]
        return known, len(numbers) - len(known)

    def rows(self) -> Rows:
        """What it was made of."""
        real = stacks_build.real(self.groups)
        return Rows(self.groups.numbers[real], self.groups.kind[real], self.facts)

    def none_free(self) -> Words:
        return np.zeros(self.words, dtype=np.uint64)

    def all_free(self) -> Words:
        """Every number, and no padding."""
        return stacks_build.packed(stacks_build.real(self.groups))

    def shown(self, rows: Numbers) -> list[ShelfNumber]:
        """The numbers of these rows, in this order."""
        facts = self.facts
        numbers, kinds = self.groups.numbers[rows].tolist(), self.groups.kind[rows].tolist()
        return [ShelfNumber(str(n), *facts[k]) for n, k in zip(numbers, kinds, strict=True)]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = [getattr(self.groups, each.name) for each in fields(self.groups)]
        arrays += [self.digit_bits, *self.facts_bits.values(), self.group_words, self.group_of_word]
        arrays += [self.by_tail, self.tail_starts, self.free]
        return sum(one.nbytes for one in arrays if isinstance(one, np.ndarray))


def of_rows(chunks: Iterable[Sequence[tuple[str, str]]]) -> Stack:
    """A stack of numbers in any order, each with its facts as text (stacks_build.facts_text)."""
    return Stack(stacks_build.gather(chunks))


def of_arrays(numbers: Numbers, kind: Kinds, facts: Sequence[Facts]) -> Stack:
    """A stack of numbers in any order, none twice, and the place of each one's facts."""
    return Stack(stacks_build.in_order(numbers, kind, facts))


def set_bits(words: Words, rows: Numbers, to: bool) -> None:
    """Set the bits of these rows, or clear them."""
    bits = np.left_shift(np.uint64(1), (rows & 63).astype(np.uint64))
    if to:
        np.bitwise_or.at(words, rows >> 6, bits)
    else:
        np.bitwise_and.at(words, rows >> 6, ~bits)
