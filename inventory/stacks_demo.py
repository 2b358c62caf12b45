"""A stack of made-up numbers of any size, made quickly, and what to ask of it: for measuring."""

from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt

from inventory import patterns, segments, stacks
from inventory.stacks import Stack
from inventory.stacks_build import Facts

_FILLED = 0.8  # of a segment, once single numbers were sold
_TAGS = ("birthday", "love", "lucky")
_CHUNK = 1 << 20
_CONTAINED = ("4", "88", "520", "1314", "13145", "520131", "1860112", "88881234")
_ENDINGS = (
    "8",
    "88",
    "520",
    "1314",
    "01314",
    "401314",
    "7401314",
    "87401314",
    "687401314",
    "8687401314",
    "18687401314",
)

# Every filter alone, and mixes of them: arguments of stacks_wish.Wish.
QUERIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "city": {"city": "310"},
    "segment of 3": {"segment": "186"},
    "segment of 5": {"segment": "18601"},
    "segment of 7": {"segment": "1860112"},
    **{f"contains {text}": {"contains": text} for text in _CONTAINED},
    **{f"ending {text}": {"ending": text} for text in _ENDINGS},
    **{f"pattern {name}": {"pattern": name} for name in (*patterns.CLASSES, patterns.ORDINARY)},
    **{f"grade {grade}": {"grade": grade} for grade in patterns.GRADES},
    "birthday": {"birthday": "1"},
    "birthday 0512": {"birthday": "0512"},
    "birthday 19900512": {"birthday": "19900512"},
    "no 4": {"no4": True},
    "love": {"love": True},
    "lucky": {"lucky": True},
    "couple": {"couple": True},
    "city, no 4, pattern AABB": {"city": "110", "no4": True, "pattern": "AABB"},
    "city, contains 520, no 4": {"city": "310", "contains": "520", "no4": True},
    "segment, ending 88, no 4": {"segment": "186", "ending": "88", "no4": True},
    "couple, city, birthday": {"couple": True, "city": "510", "birthday": "1"},
    "grade 6, contains 1314, love": {"grade": 6, "contains": "1314", "love": True},
    "city, pattern AAA, lucky": {"city": "810", "pattern": "AAA", "lucky": True},
    "no 4, contains 4": {"no4": True, "contains": "4"},
    "pattern AABB, ending 1234": {"pattern": "AABB", "ending": "1234"},
    "ordinary, ending 88, contains 6": {"pattern": patterns.ORDINARY, "ending": "88", "contains": "6"},
    "another city's segment": {"city": "841", "segment": "1860112"},
}  # fmt: skip


def made_up(count: int, seed: int = 0) -> Stack:
    """That many made-up numbers, all free, in segments of our cities that are four fifths full; at most 160 million.

    Class, grade, money and tags are what patterns.py makes of each number."""
    chance = np.random.default_rng(seed)
    known = segments.table()
    every = np.array(sorted(known), dtype=np.int64)
    chosen = chance.choice(every, min(len(every), -(-count // int(10_000 * _FILLED))), replace=False)
    return _stack(chance, np.sort(chosen), count)


def scattered(count: int, seed: int = 0) -> Stack:
    """That many, all free, scattered over all segments of our cities."""
    return _stack(np.random.default_rng(seed), np.array(sorted(segments.table()), dtype=np.int64), count)


def _stack(chance: np.random.Generator, chosen: npt.NDArray[np.int64], count: int) -> Stack:
    """Numbers of these segments, any as likely as any other."""
    left = np.sort(chance.choice(len(chosen) * 10_000, count, replace=False, shuffle=False))
    numbers = chosen[left // 10_000] * 10_000 + left % 10_000
    known = segments.table()
    codes = sorted(set(known.values()))
    city_of = np.array([codes.index(known[int(segment)]) for segment in chosen], dtype=np.int64)
    kind = np.empty(count, dtype=np.uint16)
    for begin in range(0, count, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        kind[part] = (city_of[left[part] // 10_000] * len(patterns.NAMES) + classes(numbers[part])) * 8
        kind[part] += tags(numbers[part])
    made = stacks.of_arrays(numbers, kind, _facts(codes))
    made.free = made.all_free()
    return made


def query(stack: Stack, asked: Mapping[str, Any], shopper: str, limit: int = 20) -> list[stacks.ShelfNumber]:
    """One search as shelf.search does it."""
    return stack.search(stacks.Wish(**asked), limit, stacks.seed_of(shopper))


def classes(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.integer]:
    """patterns.classify of many at once, as places in patterns.NAMES."""
    tails = numbers % 1_000_000
    a, b, c, d, e, f = (tails // 10**i % 10 for i in range(5, -1, -1))

    def run(*places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        steps = [after - before for before, after in pairwise(places)]
        up, down = ([step == by for step in steps] for by in (1, -1))
        found: npt.NDArray[np.bool_] = np.logical_and.reduce(up) | np.logical_and.reduce(down)
        return found

    fits = {
        "A6+": (a == b) & (b == c) & (c == d) & (d == e) & (e == f),
        "AAAAA": (b == c) & (c == d) & (d == e) & (e == f),
        "AAABBB": (a == b) & (b == c) & (c != d) & (d == e) & (e == f),
        "ABCABC": (a == d) & (b == e) & (c == f),
        "ABABAB": (a != b) & (a == c) & (c == e) & (b == d) & (d == f),
        "AABBCC": (a == b) & (c == d) & (e == f) & (a != c) & (a != e) & (c != e),
        "AAAA": (c == d) & (d == e) & (e == f),
        "ABCDEF": run(a, b, c, d, e, f),
        "ABCDE": run(b, c, d, e, f),
        "ABCD": run(c, d, e, f),
        "AABB": (c == d) & (e == f) & (c != e),
        "ABAB": (c != d) & (c == e) & (d == f),
        "ABBA": (c != d) & (c == f) & (d == e),
        "AAA": (d == e) & (e == f),
        "AAAB": (c == d) & (d == e) & (e != f),
        "ABC": run(d, e, f),
        "AA": e == f,
    }
    names = list(patterns.CLASSES)
    return np.select([fits[name] for name in names], range(len(names)), len(names))


def tags(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.integer]:
    """patterns.tags of many at once, a bit each: 1 birthday, 2 love, 4 lucky."""
    fours = [f"{four:04}" for four in range(10_000)]
    inside = np.array([_bits(patterns.tags(four)) & 6 for four in fours], dtype=np.uint8)
    found = np.array([four in patterns.DAYS for four in fours], dtype=np.uint8)[numbers % 10_000]
    for shift in range(8):
        found |= inside[numbers // 10**shift % 10_000]
    return found


def _bits(text: str) -> int:
    return sum(1 << _TAGS.index(tag) for tag in text.split(",") if tag)


def _facts(codes: Sequence[str]) -> list[Facts]:
    made = []
    for city, pattern, bits in product(codes, patterns.NAMES, range(8)):
        money = patterns.grade_of(pattern)
        tagged = tuple(tag for i, tag in enumerate(_TAGS) if bits >> i & 1)
        made.append(
            Facts(
                city, pattern, money.grade, money.prestore_fen, money.min_spend_fen, money.term_months, tagged
            )
        )
    return made
