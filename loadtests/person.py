"""Somebody who comes to a drop: signs in, queues, waits, picks, holds, orders. HTTP only. Who does
otherwise stands in people.py."""

import itertools
import json
import random
import time
from contextlib import closing
from datetime import date
from functools import lru_cache
from typing import Any, ClassVar

from gevent import sleep
from locust import User, task
from locust.exception import StopUser

from loadtests import curves
from loadtests.crowd import Crowd, Shopper, kind
from loadtests.proof import solved
from loadtests.wire import Answer, Lost, Wire

_ID_WEIGHTS = ["7", "9", "10", "5", "8", "4", "2", "1", "6", "3", "7", "9", "10", "5", "8", "4", "2"]
_FOR_EVER = 86_400.0  # seconds
_visitors = itertools.count(1)


class Person(User):
    """Somebody who comes to the drop: joins its queue, waits, picks, orders. `story` is what the oracle reads."""

    abstract = True
    crowd: ClassVar[Crowd]

    def on_start(self) -> None:
        self.nth = next(_visitors)
        self.chance = random.Random(f"{self.crowd.chance.random()}")

    @task
    def visit(self) -> None:
        """One shopper, from the door to the end; then the next of the same kind."""
        shopper = self.crowd.next(type(self).__name__) or self.stranger()
        self.shopper, self.looked = shopper, False
        self.wire = Wire(self.url(), self.heard, token=shopper.token, source=shopper.source)
        self.story: dict[str, Any] = {"nth": shopper.nth, "role": shopper.role, "outcome": "", "changes": 0}
        try:
            if not shopper.token:
                self.sign_in()
            self.come()
            if not self.looked:
                sleep(self.chance.uniform(*curves.LEAVES))
        except Lost as trouble:
            self.story["outcome"] = f"lost: {trouble}"
        finally:
            self.wire.close()
        self.crowd.write(self.story)

    def stranger(self) -> Shopper:
        """Somebody the shop has not seen, once. Where all are known beforehand and were here, nobody: who is left of
        Locust's users rests, since one that ended would be followed by another."""
        if self.crowd.people:
            self.crowd.resting += 1
            sleep(_FOR_EVER)
        if hasattr(self, "shopper"):
            raise StopUser
        return Shopper(self.nth, "", f"137{self.nth:08d}", False, type(self).__name__, "")

    def sign_in(self) -> None:
        """With the code that the SMS twin shows."""
        phone = self.shopper.phone
        self.wire.ask("code", "POST", "/api/v1/codes", {"phone": phone})
        sent: list[dict[str, Any]] = []
        while not sent:
            sleep(0.2)
            sent = self.wire.ask("sms twin", "GET", f"/sandbox/sms?phone={phone}").json["messages"]
        entered = {"phone": phone, "code": sent[0]["code"]}
        self.wire.token = self.wire.ask("sign in", "POST", "/api/v1/sessions", entered).json["token"]

    def come(self) -> None:
        """The usual way: a place, the wait, a number, the order."""
        self.join()
        while not self.story["outcome"]:
            self.wait_for_call()
            if self.story["outcome"]:
                return
            if self.walks_away():
                self.story["outcome"] = "walked away"
                return
            self.buy()

    def walks_away(self) -> bool:
        return self.chance.random() < self.crowd.walk_away

    # The queue

    def join(self) -> None:
        """Take a place; the same again is the same place."""
        self.story.setdefault("joining_at", time.time())
        answer = self.wire.ask("join", "POST", self.at("/queue"))
        if answer.code == "challenge_needed":
            proof = solved(answer.json["challenge"])
            answer = self.wire.ask("join", "POST", self.at("/queue"), None, f"X-Haoka-Proof: {proof}\r\n")
        self.story.setdefault("joined_at", time.time())
        if answer.ok:
            told = answer.json
            self.wire.place = told["signed"]
            self.story.setdefault("ticket", told["ticket"])
            self.story.setdefault("early", told["state"] == "early")
            self.stands(told)
        elif answer.status == 404:  # no queue: straight in
            self.story["call"] = "open"
        else:
            self.stopped(answer)

    def wait_for_call(self) -> None:
        """Until it is their turn, by the stream of events; who closed the tab looks again now and then."""
        if self.story.get("call"):
            return
        way = "looking" if self.chance.random() < curves.COMES_BACK else "stream"
        while not self.story["outcome"] and not self.story.get("call"):
            if self.story.setdefault("by", way) == "stream":
                self.follow()
            else:
                self.look()

    def follow(self) -> None:
        """Keep the page open until something is decided. A stream that ends is opened again, as a browser does."""
        try:
            with closing(self.wire.events("stream", self.at("/queue/stream"), self.reads)) as stream:
                for event, told in stream:
                    self.back()
                    if event == "place":
                        self.stands(json.loads(told))
                    if self.story["outcome"] or self.story.get("call"):
                        break
        except Lost:
            self.story.setdefault("offline", []).append([time.time()])
            sleep(self.chance.uniform(1, 4))
        if not self.story["outcome"]:
            self.wire.close()

    def back(self) -> None:
        """The stream says something again."""
        for gap in self.story.get("offline", ()):
            if len(gap) == 1:
                gap.append(time.time())

    def look(self) -> None:
        sleep(self.chance.uniform(*curves.RETURNS))
        answer = self.wire.ask("place", "GET", self.at("/queue"))
        if answer.ok:
            self.stands(answer.json)

    def stands(self, told: dict[str, Any]) -> None:
        """Where they stand, as the shop says it."""
        state, place = told["state"], told["place"]
        before = self.story.get("place", 0)
        if place and place != before:
            self.story["changes"] += bool(before)
            self.story["place"] = place
        if state in ("called", "inside"):
            self.story["call"] = state
            self.story.setdefault("called_at", time.time())
            self.story.setdefault("come_by", told.get("come_by"))
        elif state in ("missed", "over", "none"):  # too late; or a lost Redis forgot it, and nobody else knew
            self.story["again"] = self.story.get("again", 0) + 1
            self.story.pop("place", None)
            self.wire.close()
            self.wire.place = ""
            self.join()
        elif state in ("gone", "ended"):
            self.told_of_end(state)

    def reads(self, event: str, told: bytes, at: float) -> float | None:
        """In the loop: news of the end is noted when it comes, and looked at for a while before they go."""
        if event == "place":
            return 0.0
        if not (what := _what(told)):
            return None
        self.told_of_end(what, at)
        self.looked = what == "ended"
        return self.chance.uniform(*curves.LEAVES) if self.looked else None

    def told_of_end(self, what: str, at: float = 0.0) -> None:
        """`gone`: nothing is free, and they stay for what comes back; `ended`: they go."""
        self.story.setdefault(f"{what}_at", at or time.time())
        if what == "ended":
            self.crowd.over = True
            self.story["outcome"] = self.story["outcome"] or "told it is over"

    # The shelf

    def buy(self) -> None:
        """Pick, hold and order."""
        self.story["call"] = ""
        self.story.setdefault("in_at", time.time())
        hold = self.hold(self.pick())
        if hold:
            self.order(hold)

    def pick(self) -> list[str]:
        """Some numbers to choose from."""
        answer = self.wire.ask("search", "GET", self.at(f"/numbers?limit=20&batch={self.chance.random()}"))
        return [one["number"] for one in answer.json.get("numbers", [])]

    def hold(self, numbers: list[str]) -> str:
        """Hold one of them, or one like it; gives the hold, "" when the wait goes on or is over."""
        while True:
            wished = (
                numbers[0] if numbers else "13000000000"
            )  # none shown: whether all are gone is the hold's to say
            wish = {"offer": self.offer(), "number": wished, "like": wished}
            answer = self.wire.ask("hold", "POST", self.at("/holds"), wish)
            if answer.status == 201:
                self.story["number"], self.story["held_at"] = answer.json["number"], time.time()
                return str(answer.json["hold"])
            if answer.code == "taken":
                numbers = [one["number"] for one in answer.json.get("alternatives", [])] or self.pick()
                continue
            if answer.code == "not_open":
                sleep(self.chance.uniform(0.2, 1))
                continue
            self.stopped(answer)
            return ""

    def order(self, hold: str) -> None:
        """By cash on delivery; who is not verified gives name and ID number."""
        nth, shopper = self.shopper.nth, self.shopper
        name = "试" + chr(0x4E00 + nth % 2000)
        body: dict[str, Any] = {
            "hold": hold, "payment": "cod",
            "receiver": {
                "name": name, "mobile": shopper.phone, "province": "广东省", "city": "440100",
                "district": "天河区", "address": "示范路8号2单元301室",
            },
        }  # fmt: skip
        if not shopper.verified:
            body |= {"name": name, "id_number": made_up_id(nth)}
        answer = self.wire.ask("order", "POST", "/api/v1/orders", body, f"Idempotency-Key: load-{hold}\r\n")
        if answer.ok:
            self.story |= {"order": answer.json["order"], "ordered_at": time.time(), "outcome": "ordered"}
        else:
            self.story["outcome"] = f"order: {answer.status} {answer.code}"

    def stopped(self, answer: Answer) -> None:
        """A refusal that is not about the number: they wait on, join again, or it is over."""
        code = answer.code
        if code == "drop_closed":
            self.crowd.over = True
            self.told_of_end("ended")
        elif code == "sold_out":
            self.told_of_end("gone")
            sleep(self.chance.uniform(1, 3))
        elif code == "not_admitted":
            sleep(self.chance.uniform(0.5, 1.5))
        elif code == "drop_paused":
            sleep(self.chance.uniform(1, 3))
        else:
            self.story["outcome"] = f"{answer.status} {code}"

    def offer(self) -> str:
        """What is on offer stands on the page that everybody has open: asked for once."""
        if not self.crowd.offer:
            self.crowd.offer = str(self.wire.ask("drop", "GET", self.at("")).json["offers"][0]["id"])
        return self.crowd.offer

    # The line

    def at(self, path: str) -> str:
        return f"/api/v1/drops/{self.crowd.drop}{path}"

    def url(self) -> str:
        """Whoever comes goes to one web process or the other, as a balancer sends them."""
        ports = self.crowd.ports
        return f"http://127.0.0.1:{ports[self.nth % len(ports)]}" if ports else str(self.environment.host)

    def heard(self, name: str, seconds: float, status: int, code: str) -> None:
        self.crowd.heard(name, seconds, status, code)
        good = kind(status) in ("accepted", "refused")
        self.environment.events.request.fire(
            request_type="HTTP", name=f"{name}: {code}" if code else name, response_time=seconds * 1000,
            response_length=0, exception=None if good else Lost(f"{status} {code}"), context={},
        )  # fmt: skip


@lru_cache(maxsize=64)
def _what(news: bytes) -> str:
    """What news for all says of the end: ended, gone or nothing. Thirty thousand pages hear the same."""
    told = json.loads(news)
    if told["ended"]:
        return "ended"
    gone = told["second_at"] is not None or (told["drawn"] and told["free"] < 1 and told["loaded"])
    return "gone" if gone else ""


def made_up_id(nth: int) -> str:
    """An ID number of nobody that the identity twin matches to any name: city-level area, sequence from 900 on."""
    born = date.fromordinal(date(1960, 1, 1).toordinal() + nth // 100)
    body = f"440100{born:%Y%m%d}{900 + nth % 100}"
    return body + "10X98765432"[sum(int(d) * int(w) for d, w in zip(body, _ID_WEIGHTS, strict=True)) % 11]
