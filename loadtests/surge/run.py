"""The people of a whole drop, in one process: each comes when the curve says, and what came of them is written down.

python -m loadtests.surge.run SHOPPERS DROP RECORDS --ports P,P --opens-at SECONDS [--first 0 --count N] ...

Prints a line of JSON now and then, how many are there and how many are through; ends when all are."""

import argparse
import json
import random
import resource
import time
from pathlib import Path

from locust import LoadTestShape, User, events
from locust.env import Environment

from loadtests.crowd import Crowd, read
from loadtests.curves import Curve
from loadtests.people import PEOPLE, Looker
from loadtests.person import Person

_TELLS = 2.0  # seconds between two lines
_IN_ONE_GO = 2_000  # people who come at once, at most


class Door(LoadTestShape):
    """Lets them come as the curve says; the run is over when everybody was here."""

    abstract = True

    def __init__(self, crowd: Crowd, curve: Curve, opens_at: float, most: int, lookers: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.crowd, self.curve, self.opens_at, self.most, self.lookers = crowd, curve, opens_at, most, lookers
        self.come, self.told = 1, 0.0

    def tick(self) -> tuple[int, float] | None:
        assert self.runner
        standing = self.runner.user_count - self.crowd.resting
        if time.monotonic() - self.told >= _TELLS:
            self.told = time.monotonic()
            print(json.dumps({"standing": standing, "through": self.crowd.done}), flush=True)
        if self.crowd.done >= self.crowd.people:
            return None
        due = round((self.most + self.lookers) * self.curve.share(time.time() - self.opens_at))
        self.come = max(self.come, min(due, self.come + _IN_ONE_GO))
        return self.come, _IN_ONE_GO


def run(crowd: Crowd, curve: Curve, opens_at: float, at_once: int, lookers: int, host: str) -> None:
    """Until everybody was here."""
    Person.crowd = crowd
    most = 0
    for somebody in PEOPLE:
        mine = len(crowd.waiting[somebody.__name__])
        somebody.fixed_count = max(1, round(mine * at_once / crowd.people)) if mine else 0
        most += somebody.fixed_count
    Looker.fixed_count = lookers
    coming: list[type[User]] = [somebody for somebody in PEOPLE if somebody.fixed_count]
    door = Door(crowd, curve, opens_at, most, lookers)
    environment = Environment(user_classes=coming, host=host, events=events, shape_class=door)
    door.runner = runner = environment.create_local_runner()
    runner.start_shape()
    assert runner.shape_greenlet
    runner.shape_greenlet.join()
    runner.quit()
    crowd.close()


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("shoppers", type=Path, help="who comes (see crowd.py)")
    given.add_argument("drop")
    given.add_argument("records", type=Path)
    given.add_argument("--ports", required=True, help="of the shop's web processes, by comma")
    given.add_argument("--opens-at", type=float, required=True, help="seconds since 1970")
    given.add_argument("--quiet", type=float, default=10.0, help="seconds before it in which they come")
    given.add_argument(
        "--calm", type=float, default=2.0, help="seconds before it in which nobody comes any more"
    )
    given.add_argument("--first", type=int, default=0, help="the first line that is this process's")
    given.add_argument("--count", type=int, default=10**9)
    given.add_argument("--at-once", type=int, default=10**9, help="people there at once")
    given.add_argument("--walk-away", type=float, default=0.0, help="which part never comes when called")
    given.add_argument("--lookers", type=int, default=0)
    given.add_argument("--seed", type=int, default=1)
    asked = given.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    chance = random.Random(f"{asked.seed} {asked.first}")
    known = read(asked.shoppers, asked.first, asked.count, chance)
    ports = [int(port) for port in asked.ports.split(",")]
    with asked.records.open("w") as records:
        crowd = Crowd(asked.drop, known, ports, asked.walk_away, records, chance)
        run(
            crowd, Curve(asked.quiet, asked.calm), asked.opens_at, min(asked.at_once, len(known)), asked.lookers,
            f"http://127.0.0.1:{ports[0]}",
        )  # fmt: skip
    print(json.dumps({"standing": 0, "through": crowd.done, "over": True}), flush=True)


if __name__ == "__main__":
    main()
