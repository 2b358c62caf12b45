"""The longer proof, one command each: prints one closing line, or says what was wrong and ends with exit code 1."""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from tests.shop import ROOT


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/prove", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    crash = commands.add_parser("crash", help="kill -9 of random processes while fifty clients buy")
    crash.add_argument("--kills", type=int, default=100)
    crash.add_argument("--orders", type=int, default=3_000, help="acknowledged orders, at least")
    truths = commands.add_parser(
        "truths", help="slow and full disks, lost files, FLUSHALL, a clock that jumps"
    )
    truths.add_argument("--kind", choices=("redis", "valkey"), default="redis")
    truths.add_argument("--rounds", type=int, default=1, help="of 51 events each")
    for one in (crash, truths):
        one.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    model = commands.add_parser("model", help="every verb against the book of the stock, on Redis and Valkey")
    model.add_argument("--steps", type=int, default=2_000_000)
    many = commands.add_parser("reservations", help="a million reservations of a handset, drawn and checked")
    many.add_argument("--count", type=int, default=1_000_000)
    many.add_argument("--stock", type=int, default=10_000)
    imported = commands.add_parser(
        "import", help="a million numbers imported, a sample held against the regexes"
    )
    imported.add_argument("--count", type=int, default=1_000_000)
    imported.add_argument("--sample", type=int, default=100_000)
    commands.add_parser("guard", help="the contention tests without the guard: they must all fail")
    given = parser.parse_args()
    if given.command == "crash":
        from tests.proof import crash as crash_run

        return crash_run.prove(given.kills, given.orders, given.seed)
    if given.command == "truths":
        return _alone("truths", given.kind, given.rounds, given.seed)
    if given.command == "reservations":
        return _alone("reservations", given.count, given.stock)
    if given.command == "import":
        return _alone("importing", given.count, given.sample)
    if given.command == "model":
        os.environ["HAOKA_MODEL_STEPS"] = str(given.steps)
        return _pytest("tests/inventory/test_model.py")
    return _without_guard()


def _alone(module: str, *asked: object) -> int:
    """In a folder and a database of its own, but where one was given."""
    for name in [name for name in os.environ if name.startswith("HAOKA_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="haoka-truths-") as home:
        os.environ["HAOKA_HOME"] = str(Path(home) / "home")
        from runtime import db, log
        from storefront.migrating import upgrade

        log.configure("CRITICAL")  # jumps of the clock, lost drops: all of it is meant
        upgrade()
        try:
            proof: int = import_module(f"tests.proof.{module}").prove(*asked)
            return proof
        finally:
            db.dispose()


def _without_guard() -> int:
    """0 when every contention test failed, which is what shows that they see overselling."""
    where = ("tests/inventory/test_contention.py", "tests/journey/test_contention.py")
    told = _pytest("--without-guard", "-k", "not without_the_guard and not leaves_nothing", *where)
    print("the guard is out, and the contention tests fail" if told == 1 else "WRONG: they did not fail")
    return 0 if told == 1 else 1


def _pytest(*args: str) -> int:
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *args], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
