"""Races over HTTP: one number, many shoppers; one shopper, many clicks."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from tests.shop import Shop, Shopper


def test_fifty_shoppers_want_one_number(shop: Shop) -> None:
    with ThreadPoolExecutor(10) as pool:
        shoppers = list(pool.map(lambda n: Shopper.sign_in(shop, n), range(200, 250)))
    offer = shoppers[0].offer("first-round")["id"]
    number = shoppers[0].numbers("first-round", limit=1)[0]["number"]
    start = threading.Barrier(50)

    def press(shopper: Shopper) -> tuple[int, str, int]:
        start.wait()
        answer = shopper.hold("first-round", number, offer)
        body = answer.json()
        return answer.status_code, body.get("code", ""), len(body.get("alternatives", []))

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(press, shoppers))
    assert Counter((status, code) for status, code, _ in answers) == {(201, ""): 1, (409, "taken"): 49}
    assert all(alternatives > 0 for status, _, alternatives in answers if status == 409)


def test_one_shopper_presses_fifty_times_at_once(shop: Shop) -> None:
    li = Shopper.sign_in(shop, 260)
    offer = li.offer("first-round")["id"]
    number = li.numbers("first-round", limit=1)[0]["number"]
    before = shop.haoka("drop", "status", "first-round").stdout
    start = threading.Barrier(50)

    def press(_: int) -> tuple[int, str, str, str]:
        start.wait()
        answer = li.hold("first-round", number, offer)
        body = answer.json()
        return answer.status_code, body["hold"], body["number"], body["expires_at"]

    with ThreadPoolExecutor(50) as pool:
        answers = set(pool.map(press, range(50)))
    assert len(answers) == 1
    [(status, hold, _, _)] = answers
    assert status == 201
    held = shop.haoka("drop", "status", "first-round").stdout
    assert _free(held) == _free(before) - 1
    assert li.http.delete(f"/api/v1/holds/{hold}").status_code == 204
    assert li.http.delete(f"/api/v1/holds/{hold}").status_code == 204
    assert _free(shop.haoka("drop", "status", "first-round").stdout) == _free(before)


def _free(status: str) -> int:
    return int(status.split("free ")[1].split(" ")[0])
