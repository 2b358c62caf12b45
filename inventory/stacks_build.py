"""From numbers to a stack: rows in groups of one head, and a bit a row for every digit and every fact asked for."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]  # a bit a row, row 0 the lowest bit of the first
Numbers = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.integer]  # of each row the place of its facts in a list
DIGITS = 11
TAIL = 4  # digits; the rest of a number is its segment
_HEADLESS = 65_536  # numbers: below it one group is as fast
_PADDING = 1.125  # slots a number, at most
_CHUNK = 1 << 18  # slots worked on at once: short calls, so that other threads get their turn
_EMPTY: Numbers = np.empty(0, dtype=np.int64)


class Facts(NamedTuple):
    """What is known of a number besides its digits; many numbers share it. Money in fen, the term in months."""

    city: str
    pattern: str
    grade: int
    prestore_fen: int
    min_spend_fen: int
    term_months: int
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """Numbers ascending, and of each the place of its facts in `facts`."""

    numbers: Numbers
    kind: Kinds
    facts: list[Facts]


@dataclass(frozen=True)
class Groups:
    """Rows with the same first `head` digits, filled up to whole words with copies of the last row, which are
    never free. `digits`: the head's digits by place and group; `first_word`: where each group begins, and the end."""

    head: int
    digits: npt.NDArray[np.uint8]
    first_word: Numbers
    numbers: Numbers
    kind: Kinds


def gather(chunks: Iterable[Sequence[tuple[str, str]]]) -> Rows:
    """Rows of numbers and their facts as text (see facts_text), in any order, a chunk at a time: of a chunk that was
    taken in only arrays are kept."""
    known: defaultdict[str, int] = defaultdict(lambda: len(known))
    numbers, kinds = [_EMPTY], [_EMPTY.astype(np.uint32)]
    for chunk in chunks:
        texts = [text for _, text in chunk]
        numbers.append(np.array([int(number) for number, _ in chunk], dtype=np.int64))
        kinds.append(np.fromiter(map(known.__getitem__, texts), dtype=np.uint32, count=len(texts)))
    return in_order(np.concatenate(numbers), np.concatenate(kinds), [_facts(text) for text in known])


def facts_text(facts: Facts) -> str:
    """Facts in one text, the way SQL gives them too: a column a number costs a third of eight of them."""
    return "|".join(map(str, (*facts[:6], ",".join(facts.tags))))


def _facts(text: str) -> Facts:
    city, pattern, *money, tags = text.split("|")
    return Facts._make((city, pattern, *map(int, money), tuple(tags.split(",")) if tags else ()))


def in_order(numbers: Numbers, kind: Kinds, facts: Sequence[Facts]) -> Rows:
    """Rows of numbers in any order."""
    kind = kind.astype(np.uint16 if len(facts) <= 1 << 16 else np.uint32)
    if len(numbers) > 1 and not bool((numbers[1:] > numbers[:-1]).all()):
        order = np.argsort(numbers, kind="stable")
        numbers, kind = numbers[order], kind[order]
    return Rows(numbers, kind, list(facts))


def group(rows: Rows, head: int | None = None) -> Groups:
    """The longest head that wastes little; a small stack has none."""
    count = len(rows.numbers)
    longest = 0 if count <= _HEADLESS else DIGITS - TAIL
    for length in range(longest, -1, -1) if head is None else (head,):
        heads = rows.numbers // 10 ** (DIGITS - length)
        begins = np.flatnonzero(np.concatenate((np.ones(min(count, 1), np.bool_), heads[1:] != heads[:-1])))
        bounds = [*begins.tolist(), count]
        words = (np.diff(bounds) + 63) // 64
        if length == 0 or int(words.sum()) * 64 <= _PADDING * count:
            break
    first_word = np.concatenate(([0], np.cumsum(words))).astype(np.int64)
    numbers = np.empty(int(first_word[-1]) * 64, dtype=np.int64)
    kind = np.zeros(len(numbers), dtype=rows.kind.dtype)
    for i, (begin, end) in enumerate(pairwise(bounds)):
        at, after = int(first_word[i]) * 64, int(first_word[i + 1]) * 64
        numbers[at : at + end - begin] = rows.numbers[begin:end]
        numbers[at + end - begin : after] = rows.numbers[end - 1]
        kind[at : at + end - begin] = rows.kind[begin:end]
    places = 10 ** np.arange(length - 1, -1, -1, dtype=np.int64)
    digits = (heads[begins] // places[:, None] % 10).astype(np.uint8)
    return Groups(length, digits, first_word, numbers, kind)


def digit_bits(groups: Groups) -> Words:
    """[place after the head, digit, word]: the rows that have this digit there."""
    places = DIGITS - groups.head
    bits = np.zeros((places, 10, len(groups.numbers) // 64), dtype=np.uint64)
    for begin in range(0, len(groups.numbers), _CHUNK):
        rest = groups.numbers[begin : begin + _CHUNK] % 10**places
        words = slice(begin // 64, begin // 64 + len(rest) // 64)
        for place in range(places - 1, -1, -1):
            rest, digit = np.divmod(rest, 10)
            for each in range(10):
                bits[place, each, words] = packed(digit == each)
    return bits


def fact_bits(groups: Groups, facts: Sequence[Facts]) -> dict[tuple[str, object], Words]:
    """Rows by city, pattern, grade and tag, and those without a 4 in the last eight digits, under "no4"."""
    wanted: dict[tuple[str, object], npt.NDArray[np.bool_]] = {}
    for i, one in enumerate(facts):
        tags = (("tag", tag) for tag in one.tags)
        for name in (("city", one.city), ("pattern", one.pattern), ("grade", one.grade), *tags):
            wanted.setdefault(name, np.zeros(len(facts), dtype=np.bool_))[i] = True
    bits = {name: np.zeros(len(groups.numbers) // 64, dtype=np.uint64) for name in wanted}
    no4 = bits[("no4", True)] = np.zeros(len(groups.numbers) // 64, dtype=np.uint64)
    fours = np.array(["4" in f"{four:04}" for four in range(10_000)])
    for begin in range(0, len(groups.numbers), _CHUNK):
        numbers, kind = groups.numbers[begin : begin + _CHUNK], groups.kind[begin : begin + _CHUNK]
        words = slice(begin // 64, begin // 64 + len(numbers) // 64)
        for name, kinds in wanted.items():
            bits[name][words] = packed(kinds[kind])
        no4[words] = packed(~(fours[numbers % 10_000] | fours[numbers // 10_000 % 10_000]))
    return bits


def packed(rows: npt.NDArray[np.bool_]) -> Words:
    """A bit a row; as many rows as fill words."""
    return np.packbits(rows, bitorder="little").view(np.uint64)


def by_tail(groups: Groups) -> tuple[npt.NDArray[np.uint32], Numbers]:
    """The rows sorted by their last four digits read from the end, ascending within, so that rows with a common end
    of one to four digits stand together; and where each of the 10,000 tails, read from the end, begins."""
    if not len(groups.numbers):
        return np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.int64)
    rows = np.flatnonzero(real(groups)).astype(np.uint32)
    left, tails = groups.numbers[rows] % 10**TAIL, np.zeros(len(rows), dtype=np.int64)
    for _ in range(TAIL):
        tails = tails * 10 + left % 10
        left //= 10
    tails = tails.astype(np.uint16)
    starts = np.concatenate(([0], np.cumsum(np.bincount(tails, minlength=10**TAIL)))).astype(np.int64)
    return rows[np.argsort(tails, kind="stable")], starts


def real(groups: Groups) -> npt.NDArray[np.bool_]:
    """Which rows are numbers and no padding."""
    numbers = groups.numbers
    return np.concatenate((np.ones(min(len(numbers), 1), np.bool_), numbers[1:] != numbers[:-1]))
