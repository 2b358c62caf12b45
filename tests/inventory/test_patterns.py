"""Pattern classes, grades and tags, by the vectors of the trade."""

import pytest

from inventory import patterns


@pytest.mark.parametrize(
    ("number", "pattern", "grade"),
    [
        ("18600666666", "A6+", 1),
        ("18666666666", "A6+", 1),
        ("18600077777", "AAAAA", 1),
        ("18600111222", "AAABBB", 2),
        ("18600123123", "ABCABC", 3),
        ("18600121212", "ABABAB", 2),
        ("18600112233", "AABBCC", 3),
        ("18600008888", "AAAA", 2),
        ("18612345678", "ABCDEF", 2),
        ("18600987654", "ABCDEF", 2),
        ("18600001234", "ABCDE", 3),  # a nought stands before it: no ABCD
        ("18600098765", "ABCDE", 3),
        ("18600009876", "ABCD", 4),
        ("18600005678", "ABCD", 4),
        ("18600131155", "AABB", 6),
        ("18600001212", "ABAB", 6),
        ("18600001221", "ABBA", 6),
        ("18600138111", "AAA", 5),
        ("18600005554", "AAAB", 9),
        ("18600135678", "ABCD", 4),
        ("18600138345", "ABC", 9),
        ("18600138543", "ABC", 9),
        ("18600138890", "ordinary", 9),  # runs do not wrap
        ("18600138022", "AA", 9),
        ("18600138021", "ordinary", 9),
        ("18600112211", "AABB", 6),  # C must differ from A: no AABBCC
    ],
)
def test_class_and_grade(number: str, pattern: str, grade: int) -> None:
    assert patterns.classify(number) == pattern
    assert patterns.grade_of(pattern).grade == grade


def test_every_tail_has_the_first_class_that_fits_the_whole_number() -> None:
    for tail in range(0, 1_000_000, 37):
        number = f"18613{tail:06}"
        fitting = [name for name, regex in patterns.CLASSES.items() if regex.search(number)]
        assert patterns.classify(number) == (fitting[0] if fitting else "ordinary")


def test_money_of_the_grades_in_fen() -> None:
    assert {g.grade: (g.prestore_fen, g.min_spend_fen, g.term_months) for g in patterns.GRADES.values()} == {
        1: (500_000, 58_600, 36),
        2: (200_000, 28_600, 24),
        3: (100_000, 18_600, 24),
        4: (50_000, 12_600, 24),
        5: (30_000, 9_600, 12),
        6: (10_000, 6_600, 12),
        9: (0, 0, 0),
    }


@pytest.mark.parametrize(
    ("number", "tags"),
    [
        ("18613130229", "birthday"),
        ("18613130230", ""),
        ("18613131301", ""),
        ("18619991231", "birthday"),
        ("18613152013", "love"),
        ("18621314013", "love"),
        ("18613168001", "lucky"),
        ("18652188813", "love,lucky"),
        ("18652018808", "love"),
    ],
)
def test_tags(number: str, tags: str) -> None:
    assert patterns.tags(number) == tags


def test_no4_looks_at_the_last_eight_digits() -> None:
    assert patterns.no4("13413138021")
    assert not patterns.no4("13143138021")
    assert not patterns.no4("18600138024")
