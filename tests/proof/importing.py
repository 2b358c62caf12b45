"""A million numbers imported from a file, and a sample of them held against the classes' regexes one by one."""

import csv
import random
import resource
import tempfile
import time
from datetime import date
from pathlib import Path

from sqlalchemy import select

from inventory import numbers, patterns, segments
from inventory.models import Number
from runtime.db import reading
from runtime.settings import settings

_PER_SEGMENT = 2_500


def prove(count: int, sample: int) -> int:
    """Print what it took and what differs; exit code 1 when anything does."""
    chance = random.Random(count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "numbers.csv"
        listed = _write(path, count, chance)
        begun = time.monotonic()
        report = numbers.import_file(path)
        took = time.monotonic() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wrong = [] if (report.loaded, report.bad) == (count, []) else [f"{report.loaded:,} loaded of {count:,}"]
    chosen = sorted(chance.sample(listed, sample))
    with reading() as session:
        for start in range(0, sample, 5_000):
            part = chosen[start : start + 5_000]
            found = {
                one.number: one for one in session.scalars(select(Number).where(Number.number.in_(part)))
            }
            wrong += [f"{one} is not there" for one in part if one not in found]
            wrong += [fault for one in found.values() for fault in _faults(one)]
    for fault in wrong[:50]:
        print(f"wrong: {fault}")
    kind = settings().database_url.partition(":")[0]
    print(f"{count:,} numbers imported in {took:.1f} s ({kind}), at most {peak:,.0f} MB")
    print(f"{sample:,} of them held against the regexes one by one: {len(wrong):,} faults")
    return bool(wrong)


def _write(path: Path, count: int, chance: random.Random) -> list[str]:
    """A file of numbers of real segments, tails by chance, none twice."""
    codes, listed = sorted(segments.table().items()), []
    for code, city in chance.sample(codes, -(-count // _PER_SEGMENT)):
        listed += [(f"{code}{tail:04}", city) for tail in chance.sample(range(10_000), _PER_SEGMENT)]
    with path.open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(["number", "city", "pool"])
        table.writerows((number, city, "million") for number, city in listed[:count])
    return [number for number, _ in listed[:count]]


def _faults(row: Number) -> list[str]:
    """What is not as the rules say: the first regex that fits the whole number is its class, and so on."""
    fitting = next((name for name, regex in patterns.CLASSES.items() if regex.search(row.number)), "ordinary")
    grade = patterns.grade_of(fitting)
    tags = [
        name
        for name, has in (
            ("birthday", _is_day(row.number[-4:])),
            ("love", any(word in row.number for word in ("520", "521", "1314"))),
            ("lucky", any(word in row.number for word in ("168", "666", "888", "518"))),
        )
        if has
    ]
    pairs = {
        "class": (row.pattern, fitting), "grade": (row.grade, grade.grade), "tags": (row.tags, ",".join(tags)),
        "prestore": (row.prestore_fen, grade.prestore_fen), "spend": (row.min_spend_fen, grade.min_spend_fen),
        "term": (row.term_months, grade.term_months), "no4": (row.no4, "4" not in row.number[-8:]),
    }  # fmt: skip
    return [
        f"{row.number}: {name} {was!r}, not {must!r}" for name, (was, must) in pairs.items() if was != must
    ]


def _is_day(tail: str) -> bool:
    """Is it a month and a day of a leap year?"""
    try:
        return bool(date(2000, int(tail[:2]), int(tail[2:])))
    except ValueError:
        return False
