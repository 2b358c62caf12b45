"""Buyers at the verb: many at once, from several processes, each after a number of his own choice.

`python -m tests.proof.rush DROP FIRST COUNT SEED [--without-guard]` is one process of buyers; it prints what they
were told."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field

from sqlalchemy import select

from inventory import audit, drops, holds
from inventory.models import Number
from runtime.db import reading
from runtime.facts import Fact
from runtime.settings import settings
from tests.loops import in_own_loop
from tests.proof import guard
from tests.shop import ROOT

AT_ONCE = 1_000  # buyers of one process who wait at the same time


@dataclass
class Told:
    """What buyers were told: the number each holds, and how many were refused with which code."""

    held: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Told") -> "Told":
        return Told(self.held | other.held, self.refused + other.refused)


async def wish(drop: str, account: str, number: str, *, else_any: bool = True) -> tuple[str, str]:
    """Ask for that number, then for any; "held" and the number, or why not and ""."""
    for wanted in (number, "") if else_any else (number,):
        try:
            held = await holds.hold(
                drop, token=holds.new_token(drop, account), account=account, number=wanted, offer="card"
            )
        except Fact as fact:
            refusal = fact.code
        else:
            return "held", held.number
    return refusal, ""


async def rush(drop: str, wishes: Sequence[tuple[str, str]], *, else_any: bool = True) -> Told:
    """All of (account, number) at once, AT_ONCE at a time."""
    told = Told()
    for start in range(0, len(wishes), AT_ONCE):
        chunk = wishes[start : start + AT_ONCE]
        answers = await asyncio.gather(*(wish(drop, who, number, else_any=else_any) for who, number in chunk))
        for (account, _), (word, number) in zip(chunk, answers, strict=True):
            if word == "held":
                told.held[account] = number
            else:
                told.refused[word] += 1
    return told


def in_threads(drop: str, wishes: Sequence[tuple[str, str]], threads: int = 2, **how: bool) -> Told:
    """The same from several loops with connections of their own, as web processes have."""
    parts = [wishes[nth::threads] for nth in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(lambda part: in_own_loop(rush(drop, part, **how)), parts), Told())


def in_processes(drop: str, buyers: int, processes: int, seed: int, *, guarded: bool = True) -> Told:
    """So many buyers from several processes, each with a random wish, and content with any other number."""
    known = settings()
    env = {name: value for name, value in os.environ.items() if not name.startswith("HAOKA_")} | {
        "HAOKA_HOME": str(known.home), "HAOKA_REDIS_URL": known.redis_url,
        "HAOKA_DATABASE_URL": known.database_url, "HAOKA_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    each = -(-buyers // processes)
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.proof.rush", drop, str(first), str(min(each, buyers - first))),
                *(str(seed), *(() if guarded else ("--without-guard",))),
            ],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True,
        )
        for first in range(0, buyers, each)
    ]  # fmt: skip
    told = Told()
    for process in started:
        out, _ = process.communicate()
        assert process.returncode == 0, f"a process of buyers ended with {process.returncode}"
        held, refused = json.loads(out.splitlines()[-1])
        told += Told(held, Counter(refused))
    return told


def wrong(drop: str, told: Told, buyers: int, *, sold: int) -> list[str]:
    """Everything that is not as it must be after `sold` numbers were to be sold, none twice and none left."""
    tally, numbers = drops.tally(drop), Counter(told.held.values())
    found = [f"{number} was promised to {count}" for number, count in numbers.items() if count > 1]
    if len(told.held) != sold:
        found.append(f"{len(told.held)} hold a number, {sold} should")
    if len(told.held) + told.refused.total() != buyers:
        found.append(f"{len(told.held)} held and {told.refused.total()} refused are not {buyers}")
    if tally.held != sold:
        found.append(f"{tally.held} are held at the end, {sold} should be")
    return found + audit.journal_audit(drop, {}).differences


def main() -> int:
    drop, first, count, seed = sys.argv[1], *map(int, sys.argv[2:5])
    with reading() as session:
        numbers = list(session.scalars(select(Number.number).where(Number.drop_id == drop)))
    chance = random.Random(seed * 1_000_003 + first)
    wishes = [(f"b{nth}", chance.choice(numbers)) for nth in range(first, first + count)]
    with guard.taken_out() if "--without-guard" in sys.argv else nullcontext():
        told = in_own_loop(rush(drop, wishes))
    print(json.dumps([told.held, told.refused]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
