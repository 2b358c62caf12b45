"""Makes inventory/segments.txt from the `phonenumbers` package, and is its oracle in the tests.

Run `python tests/inventory/segments_oracle.py` from the root after an update of phonenumbers.
"""

from itertools import groupby
from pathlib import Path
from typing import Any

from phonenumbers.carrierdata import CARRIER_DATA
from phonenumbers.geodata import GEOCODE_DATA

from inventory.regions import named

TARGET = Path(__file__).parents[2] / "inventory" / "segments.txt"


def unicom_segments() -> dict[str, list[int]]:
    """City code -> its seven-digit China Unicom segments, ascending; cities we do not sell in are left out."""
    cities = {
        key[2:]: _city(value.get("en", "")) for key, value in GEOCODE_DATA.items() if key.startswith("861")
    }
    carriers = {
        key[2:]: value.get("en") == "China Unicom"
        for key, value in CARRIER_DATA.items()
        if key.startswith("861")
    }
    found: dict[str, list[int]] = {}
    for segment in range(1300000, 2000000):
        if _longest(carriers, str(segment)) and (code := _longest(cities, str(segment))):
            found.setdefault(code, []).append(segment)
    return found


def as_text(segments: dict[str, list[int]]) -> str:
    """One line a city: its code, then runs `first` or `first-last`."""
    return "".join(f"{code} {' '.join(_runs(found))}\n" for code, found in sorted(segments.items()))


def _city(english: str) -> str:
    first = english.split(",")[0].replace("XiAn", "Xian")
    city = named(first)
    return city.code if city else ""


def _longest(table: dict[str, Any], digits: str) -> Any:
    return next((table[digits[:n]] for n in range(7, 2, -1) if digits[:n] in table), None)


def _runs(found: list[int]) -> list[str]:
    runs = []
    for _, group in groupby(enumerate(found), lambda pair: pair[1] - pair[0]):
        run = [segment for _, segment in group]
        runs.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return runs


if __name__ == "__main__":
    TARGET.write_text(as_text(unicom_segments()), encoding="ascii")
