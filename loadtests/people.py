"""Who comes to a drop, with names: how many of each there are and when they come stands in curves.py. HTTP only.

Against a shop that runs (bin/run), as a locustfile; they sign in through the SMS twin, each once:

    locust -f loadtests/people.py --host http://127.0.0.1:8000 --drop first-round

`bin/surge` runs the same people (surge/run.py): they are signed in already, and what came of each is written down."""

import time
from contextlib import suppress
from typing import Any

from gevent import sleep
from locust import events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from loadtests import curves
from loadtests.crowd import SOURCES, Crowd
from loadtests.person import Person
from loadtests.wire import Lost, Wire


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--drop", default="first-round", help="Which drop they come to.")


@events.init.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Environment, **_: Any) -> None:
    """As a locustfile: nobody is known beforehand."""
    asked = environment.parsed_options
    if asked is not None:
        Person.crowd = Crowd(asked.drop, [])


class VerifiedBuyer(Person):
    """Prepared everything beforehand: two taps from number to order."""


class Buyer(Person):
    """Gives name and ID number with the order."""


class Picker(Person):
    """Looks again and again, and may give a number back for another."""

    def pick(self) -> list[str]:
        numbers: list[str] = []
        for _ in range(self.chance.randint(2, 4)):
            numbers = super().pick() or numbers
            sleep(self.chance.uniform(*curves.THINKS))
        return numbers

    def order(self, hold: str) -> None:
        if not self.story.get("let_go") and self.chance.random() < curves.LETS_GO:
            self.story["let_go"] = True
            self.wire.ask("release", "DELETE", f"/api/v1/holds/{hold}")
            self.story.pop("number", None)
            if hold := self.hold(self.pick()):
                super().order(hold)
        else:
            super().order(hold)


class Waiter(Person):
    """Waits; and some of them are gone when they are called."""

    def walks_away(self) -> bool:
        return self.chance.random() < max(curves.WALKS_AWAY, self.crowd.walk_away)


class Hoarder(Person):
    """Holds and never orders; when the hold has lapsed, queues again for another. `held` tells when and how long."""

    def buy(self) -> None:
        self.story["call"] = ""
        if hold := self.hold(self.pick()):
            self.story.setdefault("held", []).append([self.story["number"], time.time()])
            while self.wire.ask("look at hold", "GET", f"/api/v1/holds/{hold}").json.get("state") == "held":
                sleep(self.chance.uniform(1, 2))
                if self.crowd.over:
                    self.story["outcome"] = "hoarded"
                    return
            self.story["held"][-1].append(time.time())
            self.story.pop("place", None)
        self.join()


class Bot(Person):
    """One of many connections of an account: never waits its turn, tries to hold again and again."""

    def come(self) -> None:
        self.join()
        self.story["outcome"] = ""  # no place, too many from there: it tries all the same
        while not self.story["outcome"] and not self.crowd.over:
            if hold := self._grab():
                self.order(hold)
            sleep(self.chance.uniform(*curves.BOT_PAUSE))

    def _grab(self) -> str:
        number = "1380000" + f"{self.chance.randrange(10**4):04}"
        wish = {"offer": self.offer(), "number": number, "like": number}
        answer = self.wire.ask("hold (bot)", "POST", self.at("/holds"), wish)
        if answer.status == 201:
            self.story["number"], self.story["held_at"] = answer.json["number"], time.time()
            return str(answer.json["hold"])
        if answer.code in ("limit_reached", "drop_closed"):  # another of the account's connections has it
            self.story["outcome"] = answer.code
        return ""


class Looker(Person):
    """Looks at the page, searches, looks again; is nobody the shop knows."""

    @task
    def visit(self) -> None:
        if not hasattr(self, "wire"):
            self.wire = Wire(self.url(), self.heard, source=SOURCES[self.nth % len(SOURCES)])
        path = self.at(f"/numbers?ending={self.chance.randrange(100):02}&limit=20")
        for name, looked_at in (("page", f"/drops/{self.crowd.drop}"), ("search", path)):
            with suppress(Lost):
                self.wire.ask(name, "GET", looked_at, patient=False)
            sleep(self.chance.uniform(*curves.LOOKS))


PEOPLE: tuple[type[Person], ...] = (VerifiedBuyer, Buyer, Picker, Waiter, Hoarder, Bot, Looker)


def _weigh() -> None:
    for somebody in PEOPLE:
        somebody.weight = curves.WEIGHTS.get(somebody.__name__, 0)
    Looker.weight = 5 * sum(curves.WEIGHTS.values())  # as a locustfile: somebody who buys among five who look


_weigh()
