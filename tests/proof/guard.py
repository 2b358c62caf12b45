"""The test's own switch: copies of the code in which hold.lua takes a number whether it is free or not.

Nothing in the shop can do this. With the guard gone the contention tests must fail; else they prove nothing."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inventory import verbs
from runtime.redis import Verb
from tests.shop import ROOT

MARK = "-- the guard"
_LUA = Path("inventory/lua/hold.lua")


def always_takes(source: str) -> str:
    """hold.lua without its guard: the marked line is true for every number."""
    [guard] = [line for line in source.splitlines() if MARK in line]
    assert guard.count("== 1") == 1, f"the guard has another form now: {guard}"
    return source.replace(guard, guard.replace("== 1", ">= 0"))


@contextmanager
def taken_out() -> Iterator[None]:
    """In this process hold.lua has no guard."""
    kept = verbs._VERBS["hold"]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "hold.lua"
        copy.write_text(always_takes((ROOT / _LUA).read_text()))
        verbs._VERBS["hold"] = Verb(copy)
    try:
        yield
    finally:
        verbs._VERBS["hold"] = kept


@contextmanager
def copy_without() -> Iterator[Path]:
    """A copy of the whole code without the guard, to start a shop from."""
    with tempfile.TemporaryDirectory(prefix="haoka-no-guard-") as folder:
        for package in sorted(path.parent for path in ROOT.glob("*/__init__.py")):
            shutil.copytree(
                package, Path(folder) / package.name, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copy(ROOT / "Procfile", folder)
        lua = Path(folder) / _LUA
        lua.write_text(always_takes(lua.read_text()))
        yield Path(folder)
