"""Who comes to a drop. Run: locust -f loadtests/people.py --host http://127.0.0.1:8000 (against bin/run).

Weights: a carrier's hall of 2012-14 saw about 5 million visits on a day of 100,000 sold cards, so about fifty look
for one who buys; here 10 : 1 keep a short run interesting. Figures of buyers are accepted orders; a number that was
taken is counted by itself, under the name of its answer, and is no failure."""

import itertools
import time
import uuid
from datetime import date

from locust import HttpUser, between, task

_people = itertools.count(1)
_WEIGHTS = ["7", "9", "10", "5", "8", "4", "2", "1", "6", "3", "7", "9", "10", "5", "8", "4", "2"]


def made_up_id(nth: int) -> str:
    """An ID number of nobody that the identity twin matches to any name: city-level area, sequence from 900 on."""
    born = date.fromordinal(date(1960, 1, 1).toordinal() + nth // 100)
    body = f"440100{born:%Y%m%d}{900 + nth % 100}"
    return body + "10X98765432"[sum(int(d) * int(w) for d, w in zip(body, _WEIGHTS, strict=True)) % 11]


class Shopper(HttpUser):
    """Somebody on the drop page."""

    abstract = True
    wait_time = between(0.5, 3)
    drop = "first-round"

    def numbers(self, **query: str) -> list[str]:
        asked = self.client.get(f"/api/v1/drops/{self.drop}/numbers", params=query, name="search")
        return [one["number"] for one in asked.json()["numbers"]] if asked.ok else []


class Looker(Shopper):
    """Looks at the page, searches, looks again."""

    weight = 10

    @task(2)
    def page(self) -> None:
        self.client.get(f"/drops/{self.drop}", name="drop page")

    @task(3)
    def search(self) -> None:
        self.numbers(ending="88", batch=uuid.uuid4().hex)


class Buyer(Shopper):
    """Signs in, picks a number, orders by cash on delivery, and is done."""

    weight = 1

    def on_start(self) -> None:
        self.nth = next(_people)
        phone = f"137{self.nth:08d}"
        self.client.post("/api/v1/codes", json={"phone": phone}, name="code")
        code = self._code(phone)
        signed = self.client.post("/api/v1/sessions", json={"phone": phone, "code": code}, name="sign in")
        self.client.headers["Authorization"] = f"Bearer {signed.json()['token']}"
        self.phone, self.done = phone, False
        offers = self.client.get(f"/api/v1/drops/{self.drop}", name="drop").json()["offers"]
        self.offer = offers[0]["id"]

    @task
    def buy(self) -> None:
        if self.done or not (found := self.numbers(batch=uuid.uuid4().hex)):
            return
        wish = {"number": found[0], "offer": self.offer}
        with self.client.post(
            f"/api/v1/drops/{self.drop}/holds", json=wish, name="hold", catch_response=True
        ) as held:
            if held.status_code in {409, 425}:
                held.request_meta["name"] = f"hold: {held.json()['code']}"
                held.success()
            if held.status_code != 201:
                return
            hold = held.json()["hold"]
        ordered = self.client.post(
            "/api/v1/orders",
            json=self._order(hold),
            headers={"Idempotency-Key": f"load-{hold}"},
            name="order",
        )
        self.done = ordered.status_code == 201

    def _order(self, hold: str) -> dict[str, object]:
        name = "试" + chr(0x4E00 + self.nth % 2000)
        receiver = {
            "name": name, "mobile": self.phone, "province": "广东省", "city": "440100", "district": "天河区",
            "address": "示范路8号2单元301室",
        }  # fmt: skip
        return {
            "hold": hold, "name": name, "id_number": made_up_id(self.nth), "payment": "cod", "receiver": receiver,
        }  # fmt: skip

    def _code(self, phone: str) -> str:
        for _ in range(100):
            sent = self.client.get("/sandbox/sms", params={"phone": phone}, name="sms twin").json()[
                "messages"
            ]
            if sent:
                return str(sent[0]["code"])
            time.sleep(0.2)
        raise TimeoutError(f"no code for {phone}")
