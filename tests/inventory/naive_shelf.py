"""What a search must find, told in the plainest Python."""

import random
from collections import Counter
from dataclasses import dataclass

from inventory import patterns
from inventory.stacks import Stack, Wish, of_rows

Row = tuple[str, str, str, int, int, int, int, str]


@dataclass
class Naive:
    """Rows by number, and the free numbers."""

    rows: dict[str, Row]
    free: set[str]

    def found(self, wish: Wish) -> list[str]:
        """Every free number that fits, ascending; for a couple, those of one tail together."""
        fit = sorted(number for number in self.free if _fits(self.rows[number], wish))
        if not wish.couple:
            return fit
        tails = Counter(number[-4:] for number in fit)
        shared = [number for number in fit if tails[number[-4:]] > 1]
        return sorted(shared, key=lambda number: (number[-4:], number))

    def closeness(self, number: str, other: str) -> tuple[int, bool, bool]:
        """How much another number is like this one; more is greater."""
        end = next(length for length in range(11, -1, -1) if other.endswith(number[11 - length :]))
        pattern = self.rows[number][2] if number in self.rows else patterns.classify(number)
        return end, self.rows[other][2] == pattern, other[:7] == number[:7]

    def stack(self, head: int | None = None, large: bool | None = None) -> Stack:
        """The same as a stack; laid out otherwise where told."""
        chunks = [(row[0], "|".join(map(str, row[1:]))) for row in self.rows.values()]
        random.Random(1).shuffle(chunks)
        made = of_rows([chunks[:100], chunks[100:]])
        if head is not None or large is not None:
            made = Stack(made.rows(), head=head, large=large)
        assert made.mark(self.free, True) == 0
        return made


def row(number: str, city: str) -> Row:
    pattern = patterns.classify(number)
    money = patterns.grade_of(pattern)
    amounts = (money.prestore_fen, money.min_spend_fen, money.term_months)
    return (number, city, pattern, money.grade, *amounts, patterns.tags(number))


def made_up(seed: int, count: int, segments: int, free: float = 0.7) -> Naive:
    """Some thousand numbers of a few segments, with more beautiful ones than chance would give."""
    chance = random.Random(seed)
    heads = [f"1{chance.randrange(3, 10)}{chance.randrange(10**5):05}" for _ in range(segments)]
    ends = ["1314", "0520", "8888", "4444", "1234", "0229", "0512", "1212", "5188"]
    numbers = {
        chance.choice(heads)
        + (chance.choice(ends) if chance.random() < 0.1 else f"{chance.randrange(10**4):04}")
        for _ in range(count)
    }
    city_of = {head: chance.choice(["110", "310", "510"]) for head in heads}
    rows = {
        number: row(number, city_of[number[:7]] if chance.random() < 0.9 else "710")
        for number in sorted(numbers)
    }
    return Naive(rows, {number for number in rows if chance.random() < free})


def _fits(row: Row, wish: Wish) -> bool:
    number, city, pattern, grade, *_, tags = row
    return (
        wish.city in ("", city)
        and number.startswith(wish.segment)
        and wish.contains in number
        and number.endswith(wish.ending)
        and wish.pattern in ("", pattern)
        and wish.grade in (None, grade)
        and _has_day(number, wish.birthday)
        and not (wish.no4 and "4" in number[-8:])
        and not (wish.love and "love" not in tags.split(","))
        and not (wish.lucky and "lucky" not in tags.split(","))
    )


def _has_day(number: str, day: str) -> bool:
    return number[-4:] in patterns.DAYS if day == "1" else number.endswith(day)
