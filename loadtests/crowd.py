"""What the people of one Locust process share: who they are, when they come, and what was answered to them.

The shoppers' FILE holds one a line, as JSON: {"token", "phone", "verified"} and, where they differ from the rest,
"role" (a class of people.py) and "source" (the address they come from). What came of each is written to RECORDS,
a line each; the last line is what was answered in each second."""

import json
import math
import random
import time
from collections import Counter, defaultdict, deque
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from loadtests import curves

SOURCES = [f"127.0.0.{n}" for n in range(2, 10)]  # by turns, so that ports do not run out
_RULES = {403, 409, 410, 425, 429}  # the shop says no, as it must
_BUSY = {0, 502, 503, 504}


@dataclass
class Shopper:
    """A line of the file."""

    nth: int
    token: str
    phone: str
    verified: bool
    role: str
    source: str


def read(path: Path, first: int, count: int, chance: random.Random) -> list[Shopper]:
    """The shoppers of one process; who has no role is given one by weight."""
    names, weights = list(curves.WEIGHTS), list(curves.WEIGHTS.values())
    found = []
    with path.open() as lines:
        for nth, line in enumerate(lines):
            if not first <= nth < first + count:
                continue
            told = json.loads(line)
            role = told.get("role") or chance.choices(names, weights)[0]
            if role == "VerifiedBuyer" and not told["verified"]:
                role = "Buyer"
            source = told.get("source") or SOURCES[nth % len(SOURCES)]
            found.append(Shopper(nth, told["token"], told["phone"], told["verified"], role, source))
    return found


def kind(status: int) -> str:
    """An answer as the report tells it apart: accepted; refused by a rule; the client's fault; busy, so come again;
    the server's fault. 0 is no answer."""
    if 200 <= status < 400:
        return "accepted"
    if status in _RULES:
        return "refused"
    if status in _BUSY:
        return "busy"
    return "client fault" if status < 500 else "server fault"


def bucket(seconds: float) -> int:
    """Eight buckets for each doubling of milliseconds."""
    return int(8 * math.log2(1 + seconds * 1000))


@dataclass
class Crowd:
    """All shoppers of this process, by role, and what they heard. `ports`: of the shop's web processes, where there
    are several. `walk_away`: which part never comes when called."""

    drop: str
    shoppers: InitVar[list[Shopper]]
    ports: list[int] = field(default_factory=list)
    walk_away: float = 0.0
    records: TextIO | None = None
    chance: random.Random = field(default_factory=random.Random)
    waiting: defaultdict[str, deque[Shopper]] = field(default_factory=lambda: defaultdict(deque))
    offer: str = ""
    people: int = 0
    done: int = 0
    resting: int = 0  # of Locust's users, since everybody was here
    over: bool = False  # the drop is closed
    answers: defaultdict[int, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    took: defaultdict[int, dict[str, Counter[int]]] = field(default_factory=lambda: defaultdict(dict))
    codes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self, shoppers: list[Shopper]) -> None:
        self.people = len(shoppers)
        for shopper in shoppers:
            self.waiting[shopper.role].append(shopper)

    def next(self, role: str) -> Shopper | None:
        """The next of that role; None when all were here."""
        line = self.waiting[role]
        return line.popleft() if line else None

    def heard(self, name: str, seconds: float, status: int, code: str) -> None:
        now = int(time.time())
        self.answers[now][f"{name} {kind(status)}"] += 1
        self.codes[f"{name} {status} {code}".strip()] += 1
        self.took[now].setdefault(name, Counter())[bucket(seconds)] += 1

    def write(self, story: dict[str, Any]) -> None:
        """What came of one visit."""
        self.done += 1
        if self.records:
            self.records.write(json.dumps(story) + "\n")

    def close(self) -> None:
        """The last line: what was answered."""
        if self.records:
            told = {
                "seconds": {str(second): counts for second, counts in self.answers.items()},
                "took": {str(second): names for second, names in self.took.items()},
                "codes": self.codes,
            }
            self.records.write(json.dumps(told) + "\n")
            self.records.close()
            self.records = None
