"""The made-up shoppers of a rehearsal: each joins, waits for its turn, looks, holds and orders as fast as the shop
answers, so many at once. HTTP only, from one process beside the shop.

python -m loadtests.rehearsal URL DROP OFFER PEOPLE --at-once N

PEOPLE is a file of JSON lines: token, phone. Prints {"joined": n} when all have a place and waits for a line on its
standard input, which says that the drop is open; then {"ordered": n} every second, and last {"answers": ...}."""

import argparse
import json
import os
import random
import statistics
import sys
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from loadtests.proof import solved
from loadtests.wire import Lost, Wire

_LONGEST = 180.0  # seconds a shopper waits for its turn
_TRIES = 60  # to join, four a second, until the shop knows the queue
_LOOKS = (0.2, 0.6)  # seconds between two looks at one's place


class Heard:
    """What was answered and how long it took, by name."""

    def __init__(self) -> None:
        self.took: defaultdict[str, list[float]] = defaultdict(list)
        self.codes: Counter[str] = Counter()
        self.ordered: Counter[int] = Counter()  # by second
        self._lock = threading.Lock()

    def note(self, name: str, seconds: float, status: int, code: str) -> None:
        with self._lock:
            self.took[name].append(seconds)
            self.codes[f"{name} {status} {code}".strip()] += 1
            if (name, status) == ("order", 201):
                self.ordered[int(time.monotonic())] += 1

    def clear(self) -> None:
        self.took.clear()
        self.codes.clear()

    def told(self, name: str) -> dict[str, float]:
        """Milliseconds."""
        took = sorted(1000 * seconds for seconds in self.took[name])
        if not took:
            return {"count": 0}
        return {
            "count": len(took),
            "p50_ms": round(took[len(took) // 2], 1),
            "p99_ms": round(took[len(took) * 99 // 100], 1),
        }

    def orders_a_second(self) -> float:
        """In the middle one of the busy seconds; the first and the last are not whole."""
        whole = range(min(self.ordered) + 1, max(self.ordered)) if self.ordered else ()
        busy = [self.ordered[second] for second in whole]
        return statistics.median(busy) if busy else float(sum(self.ordered.values()))


class Shopper:
    """One of them, with a connection of its own."""

    def __init__(self, url: str, drop: str, offer: str, told: dict[str, Any], heard: Heard) -> None:
        self.wire = Wire(url, heard.note, token=told["token"])
        self.drop, self.offer, self.phone = f"/api/v1/drops/{drop}", offer, told["phone"]
        self.chance = random.Random(told["phone"])

    def join(self) -> None:
        """Take a place. Raises Lost when there is none to be had."""
        answer = self.wire.ask("join", "POST", f"{self.drop}/queue")
        if answer.code == "challenge_needed":
            proof = solved(answer.json["challenge"])
            answer = self.wire.ask("join", "POST", f"{self.drop}/queue", None, f"X-Haoka-Proof: {proof}\r\n")
        self.wire.place = answer.json.get("signed", "")
        self.wire.close()
        if not self.wire.place:
            raise Lost(f"join: {answer.status} {answer.code}")

    def buy(self) -> None:
        """Once it is their turn: look, hold, order."""
        if not self.wire.place:
            return
        try:
            until = time.monotonic() + _LONGEST
            while time.monotonic() < until:
                state = self.wire.ask("place", "GET", f"{self.drop}/queue").json.get("state", "")
                if state in ("called", "inside"):
                    hold = self.hold()
                    if hold:
                        self.order(hold)
                        return
                if state in ("gone", "ended"):
                    return
                time.sleep(self.chance.uniform(*_LOOKS))
        finally:
            self.wire.close()

    def hold(self) -> str:
        path = f"{self.drop}/numbers?limit=20&batch={self.chance.random()}"
        shown = self.wire.ask("search", "GET", path).json.get("numbers") or [{"number": "10000000000"}]
        wish = {"offer": self.offer, "number": shown[0]["number"], "like": shown[0]["number"]}
        return str(self.wire.ask("hold", "POST", f"{self.drop}/holds", wish).json.get("hold", ""))

    def order(self, hold: str) -> None:
        body = {
            "hold": hold, "payment": "cod",
            "receiver": {
                "name": "试一", "mobile": self.phone, "province": "广东省", "city": "440100", "district": "天河区",
                "address": "示范路8号2单元301室",
            },
        }  # fmt: skip
        self.wire.ask("order", "POST", "/api/v1/orders", body, f"Idempotency-Key: rehearsal-{hold}\r\n")


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("url")
    given.add_argument("drop")
    given.add_argument("offer")
    given.add_argument("people", type=Path)
    given.add_argument("--at-once", type=int, default=64)
    asked = given.parse_args()
    heard = Heard()
    with asked.people.open() as lines:
        shoppers = [Shopper(asked.url, asked.drop, asked.offer, json.loads(line), heard) for line in lines]
    _until_known(shoppers[0])
    heard.clear()
    with ThreadPoolExecutor(asked.at_once) as pool:
        began = time.monotonic()
        lost = _all(pool, shoppers, Shopper.join)
        joining = time.monotonic() - began
        print(json.dumps({"joined": len(shoppers) - lost}), flush=True)
        sys.stdin.readline()
        threading.Thread(target=_end_with_who_started, daemon=True).start()
        telling = threading.Event()
        threading.Thread(target=_tell, args=(heard, telling), daemon=True).start()
        lost += _all(pool, shoppers, Shopper.buy)
        telling.set()
    print(
        json.dumps(
            {
                "answers": heard.codes, "joins_a_second": round(len(shoppers) / joining, 1),
                "orders_a_second": heard.orders_a_second(), "lost": lost,
                "took": {name: heard.told(name) for name in ("join", "place", "search", "hold", "order")},
            }
        ),
        flush=True,
    )  # fmt: skip


def _until_known(first: Shopper) -> None:
    """The shop's processes hear of a new queue within a second."""
    for tries in range(_TRIES, -1, -1):
        try:
            return first.join()
        except Lost:
            if not tries:
                raise
            time.sleep(0.25)


def _all(pool: ThreadPoolExecutor, shoppers: list[Shopper], do: Any) -> int:
    """Everybody does it; how many got no answer."""

    def one(shopper: Shopper) -> int:
        try:
            do(shopper)
        except Lost:
            return 1
        return 0

    return sum(pool.map(one, shoppers))


def _end_with_who_started() -> None:
    """Nobody is left to tell."""
    sys.stdin.read()
    os._exit(1)


def _tell(heard: Heard, over: threading.Event) -> None:
    while not over.wait(1):
        print(json.dumps({"ordered": sum(heard.ordered.values())}), flush=True)


if __name__ == "__main__":
    main()
