"""What a bench run measures; apart from what measures, since every command reads it."""

from dataclasses import dataclass

SECTIONS = ("hold", "sold-out", "pools", "search", "order", "stacks")


@dataclass(frozen=True)
class Plan:
    """What to measure and how large: seconds of each measurement, rounds of each section, numbers of each drop."""

    database: str = "sqlite"
    seconds: float = 2.0
    rounds: int = 8
    only: tuple[str, ...] = SECTIONS
    web: int = 1
    connections: int = 256
    usual: int = 120_000  # numbers of a usual drop, and shoppers
    shoppers: int = 512  # who order at once; between two requests each waits for SQL
    small: int = 10_000
    big: int = 1_000_000
    stacks: tuple[int, ...] = (10_000, 1_000_000, 10_000_000)  # numbers searched at the function
