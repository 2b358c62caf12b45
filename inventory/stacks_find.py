"""Finding rows of a stack: the first that fit in an order, couples of one tail, the ones most like a number."""

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from inventory import patterns, stacks_order
from inventory.stacks_build import DIGITS, TAIL, Words
from inventory.stacks_order import Order, Rows
from inventory.stacks_wish import Plan, Some, Way, Wish, must, plan_of

if TYPE_CHECKING:
    from inventory.stacks import Stack

_ALL, _NONE, _ONE, _LAST = (np.uint64(word) for word in (0xFFFF_FFFF_FFFF_FFFF, 0, 1, 63))
_MIX = np.uint64(0x9E37_79B9_7F4A_7C15)
_TRIED, _MOST_TRIED = 512, 8_192  # rows tried before a large stack is searched
_FEW = 8_192  # words, or rows, that are looked through at once
_CLOSELY = 256  # rows compared closely in a search for similar ones


def first(stack: "Stack", plan: Plan, count: int, order: Order) -> Rows:
    """The first `count` free rows that fit in that order, or all there are."""
    if not stack.large:
        hits = _tried(stack, plan, order, 4 * count)
        if len(hits) >= count:
            return hits[:count]
        return _drawn(_fitting(stack, plan, None) if plan.asks else stack.free, count, order)
    parts = _parts(stack, plan)
    if sum(len(at) for _, at in parts or ()) > _FEW or parts is None:
        # What many rows have, some of the first few thousand have; or some of as many as those let expect.
        tried = expected = _TRIED
        while expected <= _MOST_TRIED:
            hits = _tried(stack, plan, order, tried)
            if len(hits) >= count:
                return hits[:count]
            expected = max(2 * tried, tried * count * 3 // (2 * len(hits) + 2))
            tried = min(8 * tried, expected)
    if parts is None:
        return _drawn(_fitting(stack, plan, None) if plan.asks else stack.free, count, order)
    found = stack.none_free()
    for part, at in parts:
        found[at] |= _fitting(stack, part, at)
    return _drawn(found, count, order)


def _tried(stack: "Stack", plan: Plan, order: Order, count: int) -> Rows:
    """Those of the first `count` rows of the order that fit."""
    rows = order.rows(0, count, stack.words * 64)
    return rows[_bits_at(_fitting(stack, plan, rows >> 6), None, rows)]


def couples(stack: "Stack", plan: Plan, limit: int, order: Order) -> Rows:
    """Rows that fit and share their last four digits, pair by pair: tails ascending, rows ascending within."""
    # Of so many rows that share 10,000 tails, enough share one; where not, look at more.
    wanted = int(1.3 * math.sqrt(10_000 * limit)) + 2 * limit
    while True:
        rows = first(stack, plan, wanted, order)
        chosen = _paired(stack, rows, limit)
        if len(chosen) >= limit or len(rows) < wanted:
            return chosen
        wanted *= 8


def similar(stack: "Stack", number: str, limit: int, seed: int) -> Rows:
    """See Stack.similar."""
    if limit <= 0 or not stack.count:
        return np.empty(0, dtype=np.int64)
    row = stack.row_of(number)
    facts = None if row is None else stack.facts[int(stack.groups.kind[row])]
    pattern = facts.pattern if facts else patterns.classify(number)
    city = Plan(bits=[stack.facts_bits["city", facts.city]]) if facts else Plan()
    for length in range(TAIL, 0, -1):
        rows = _rows_of_end(stack, number[-length:])
        if len(rows) > _FEW:
            break  # few of many are free: their bits are looked through sooner than the rows
        rows = rows[_bits_at(_fitting(stack, city, rows >> 6), None, rows)]
        rows = rows if row is None else rows[rows != row]
        if len(rows) >= limit:
            return _ranked(stack, rows, number, pattern, limit, seed, length)
    near = _fitting(stack, city, None)
    if row is not None:
        near[row >> 6] &= ~(np.uint64(1) << np.uint64(row & 63))
    wide = near
    # Narrow down digit by digit from the end while there are too many to look at.
    for place in range(DIGITS - 1, -1, -1):
        if _counted(near) <= max(_CLOSELY, limit):
            break
        wide, plan = near, Plan()
        near = (
            _cut(stack, plan, wide.copy(), None)
            if must(stack, plan, place, number[place])
            else stack.none_free()
        )
    rows = _rows(near)
    if len(rows) < limit:
        rows = np.concatenate((rows, _more_like(stack, wide & ~near, number, pattern, limit, seed)))
    return _ranked(stack, rows, number, pattern, limit, seed)


def _more_like(stack: "Stack", wide: Words, number: str, pattern: str, limit: int, seed: int) -> Rows:
    """Some rows of many: of the same class and segment, of the same class, of the same segment, any."""
    order, found = stacks_order.of(seed, stack.words * 64), []
    for wish in (
        Wish(pattern=pattern, segment=number[:7]), Wish(pattern=pattern), Wish(segment=number[:7]), Wish(),
    ):  # fmt: skip
        plan = plan_of(stack, wish)
        if plan is not None:
            found.append(_drawn(_cut(stack, plan, wide.copy(), None), limit, order))
    return np.unique(np.concatenate(found))


def _ranked(
    stack: "Stack", rows: Rows, number: str, pattern: str, limit: int, seed: int, length: int = 0
) -> Rows:
    """The first `limit` of the rows, all ending in its last `length` digits: the longest common end first,
    then the class, then the segment, then chance."""
    numbers = stack.groups.numbers[rows]
    apart = numbers - int(number)  # the common end is as long as the difference has noughts
    score = _chance(rows, seed)
    for more in range(length + 1, DIGITS):
        same = apart % 10**more == 0
        if not np.count_nonzero(same):
            break
        score += same
    bits = stack.facts_bits.get(("pattern", pattern))
    if bits is not None:
        score += 0.5 * _bits_at(bits, rows >> 6, rows)
    score += 0.25 * (numbers // 10_000 == int(number[:7]))
    return _least(rows, -score, limit)


def _chance(rows: Rows, seed: int) -> npt.NDArray[np.float64]:
    """Of each row something below 0.2 that another seed has otherwise; a generator of numpy's takes longer to make
    than all the rest to do."""
    mixed = (rows.view(np.uint64) ^ np.uint64(seed)) * _MIX >> np.uint64(40)
    return mixed.astype(np.float64) * (0.2 / 2**24)


def _least(rows: Rows, places: npt.NDArray[Any], count: int) -> Rows:
    """The `count` rows with the lowest places, lowest first."""
    if len(rows) > count:
        best = places.argpartition(count)[:count]
        rows, places = rows[best], places[best]
    ranked: Rows = rows[places.argsort()]
    return ranked


def _parts(stack: "Stack", plan: Plan) -> list[tuple[Plan, Rows]] | None:
    """The plan in parts, each with the few words in which rows can be that fit it; None: anywhere."""
    known: list[list[tuple[Plan, Rows]]] = []
    if plan.heads is not None:
        known.append([(plan, _words_of(stack, plan.heads))])
    if plan.tail is not None:
        known.append([(plan, _words_of_tail(stack, plan.tail))])
    if plan.ways and sum(way.heads is None for way in plan.ways) == (plan.way_tail is not None):
        known.append([(replace(plan, ways=[way]), _words_of_way(stack, plan, way)) for way in plan.ways])
    return min(known, key=lambda parts: sum(len(at) for _, at in parts), default=None)


def _words_of_way(stack: "Stack", plan: Plan, way: Way) -> Rows:
    if way.heads is not None:
        return _words_of(stack, way.heads)
    assert plan.way_tail is not None
    return _words_of_tail(stack, plan.way_tail)


def _words_of(stack: "Stack", heads: Some) -> Rows:
    groups = np.flatnonzero(heads)
    begins, ends = stack.groups.first_word[groups], stack.groups.first_word[groups + 1]
    sizes = ends - begins
    stops = np.cumsum(sizes)
    words: Rows = np.arange(int(sizes.sum())) + np.repeat(begins - stops + sizes, sizes)
    return words


def _words_of_tail(stack: "Stack", tail: int) -> Rows:
    words = _rows_of_end(stack, f"{tail:04}") >> 6
    return words[np.concatenate(([True], words[1:] != words[:-1]))] if len(words) else words


def _rows_of_end(stack: "Stack", end: str) -> Rows:
    """The rows of the numbers with these last digits, four at most; those of one tail ascending."""
    span = 10 ** (TAIL - len(end))
    first = int(end[::-1]) * span
    return stack.by_tail[stack.tail_starts[first] : stack.tail_starts[first + span]].astype(np.int64)


def _fitting(stack: "Stack", plan: Plan, at: Rows | None) -> Words:
    """Free rows that fit, of all words or of these."""
    return _cut(stack, plan, stack.free.copy() if at is None else stack.free[at], at)


def _cut(stack: "Stack", plan: Plan, found: Words, at: Rows | None) -> Words:
    """What of `found` fits, at these words or all; done in place."""
    for bits in plan.bits:
        np.bitwise_and(found, _of(bits, at), out=found)
    if plan.heads is not None:
        np.bitwise_and(found, _spread(stack, plan.heads, at), out=found)
    if not plan.ways:
        return found
    if len(found) > _FEW:
        left = np.flatnonzero(found != 0)
        if len(left) < len(found) // 4:
            found[left] &= _some_way(stack, plan, left if at is None else at[left])
            return found
    np.bitwise_and(found, _some_way(stack, plan, at), out=found)
    return found


def _some_way(stack: "Stack", plan: Plan, at: Rows | None) -> Words:
    some = np.zeros(stack.words if at is None else len(at), dtype=np.uint64)
    part = np.empty_like(some)
    for way in plan.ways:
        one = _spread(stack, way.heads, at) if way.heads is not None else None
        for bits in way.bits:
            one = _of(bits, at) if one is None else np.bitwise_and(one, _of(bits, at), out=part)
        if one is not None:
            np.bitwise_or(some, one, out=some)
    return some


def _of(bits: Words, at: Rows | None) -> Words:
    return bits if at is None else bits[at]


def _spread(stack: "Stack", heads: Some, at: Rows | None) -> Words:
    """All ones for the words of these groups."""
    ones = np.where(heads, _ALL, _NONE)
    return np.repeat(ones, stack.group_words) if at is None else ones[stack.group_of_word[at]]


def _drawn(found: Words, count: int, order: Order) -> Rows:
    """The first `count` of these rows in that order."""
    total, size = _counted(found), 1 << order.bits
    if total <= count or 2 * total * total < count * size:
        rows = _rows(found)
        if len(rows) <= count:
            return rows
        return _least(rows, order.places(rows), count)
    drawn: list[Rows] = []
    begin, missing = 0, count
    while missing > 0 and begin < size:
        end = begin + missing * size * 5 // (total * 4) + 32
        rows = order.rows(begin, end, len(found) * 64)
        hits = rows[_bits_at(found, rows >> 6, rows)]
        drawn.append(hits[:missing])
        begin, missing = end, missing - len(hits)
    return drawn[0] if len(drawn) == 1 else np.concatenate(drawn)


def _bits_at(found: Words, words: Rows | None, rows: Rows) -> npt.NDArray[np.bool_]:
    """Whether these rows' bits are set, in `found` at `words`, or in `found` as it is."""
    of = found if words is None else found[words]
    hits: npt.NDArray[np.bool_] = of >> (rows.view(np.uint64) & _LAST) & _ONE != 0
    return hits


def _counted(found: Words) -> int:
    return int(np.bitwise_count(found).sum(dtype=np.uint32))


def _rows(found: Words) -> Rows:
    """Every row whose bit is set, ascending."""
    words = np.flatnonzero(found != 0)
    at = np.flatnonzero(np.unpackbits(found[words].view(np.uint8), bitorder="little").view(np.bool_))
    rows: Rows = (words[at >> 6] << 6) + (at & 63)
    return rows


def _paired(stack: "Stack", rows: Rows, limit: int) -> Rows:
    """Of rows in an order those that share their tail with another, the first pairs first, at most `limit`."""
    tails = stack.groups.numbers[rows] % 10_000
    by_tail = np.argsort(tails, kind="stable")
    tails, rank = tails[by_tail], by_tail
    begins = np.flatnonzero(np.concatenate(([True], tails[1:] != tails[:-1]))) if len(rows) else by_tail
    sizes = np.diff(np.concatenate((begins, [len(rows)])))
    inside = np.arange(len(rows)) - np.repeat(begins, sizes)
    shared = np.repeat(sizes, sizes) > 1
    pair_rank = rank[np.arange(len(rows)) - inside % 2]  # of the pair's first
    # The last of an odd tail has no partner of its own but shares one: it comes after all whole pairs.
    order = np.lexsort((inside, pair_rank, inside // 2))
    chosen = by_tail[order[shared[order]][:limit]]
    picked: Rows = rows[chosen]
    return picked[np.lexsort((picked, stack.groups.numbers[picked] % 10_000))]
