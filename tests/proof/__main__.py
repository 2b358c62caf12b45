"""bin/prove: the longer proof, one command each."""

import argparse
import secrets
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/prove", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    crash = commands.add_parser("crash", help="kill -9 of random processes while fifty clients buy")
    crash.add_argument("--kills", type=int, default=100)
    crash.add_argument("--orders", type=int, default=3_000, help="acknowledged orders, at least")
    crash.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    given = parser.parse_args()
    from tests.proof import crash as crash_run

    return crash_run.prove(given.kills, given.orders, given.seed)


if __name__ == "__main__":
    sys.exit(main())
