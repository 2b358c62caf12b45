"""kill -9 in the middle of a drop: what was acknowledged stands, and the audit is clean.

HAOKA_KILL_ORDERS sets how many orders are placed while each process is killed (default 60)."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import psutil
import pytest

from tests.shop import Shopper, running, until

ORDERS = int(os.environ.get("HAOKA_KILL_ORDERS", "60"))
BUYERS = 16  # at once


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("victims", [("redis",), ("web",), ("checks", "dispatch", "clock")], ids="-".join)
def test_every_acknowledged_order_survives(victims: tuple[str, ...]) -> None:
    with running() as shop:
        with ThreadPoolExecutor(8) as pool:
            shoppers = list(pool.map(lambda n: Shopper.sign_in(shop, n), range(1, ORDERS + 1)))
        offer = shoppers[0].offer("first-round")["id"]
        numbers = [str(n["number"]) for n in _shelf(shoppers[0], ORDERS)]
        acknowledged: dict[str, tuple[Shopper, dict[str, object]]] = {}
        reached = threading.Event()

        def buy(shopper: Shopper, number: str) -> None:
            hold = _again(lambda: shopper.hold("first-round", number, offer)).json()
            payment = "cod" if int(number) % 2 else "card"
            placed = _again(lambda: shopper.place(hold["hold"], payment)).json()
            acknowledged[placed["order"]] = (shopper, placed)
            if len(acknowledged) >= ORDERS // 3:
                reached.set()

        with ThreadPoolExecutor(BUYERS) as pool:
            bought = [pool.submit(buy, s, n) for s, n in zip(shoppers, numbers, strict=True)]
            assert reached.wait(300)
            for victim in victims:
                shop.kill(victim)
            for one in bought:
                one.result()

        assert len(acknowledged) == ORDERS
        for order, (shopper, placed) in acknowledged.items():
            now = shopper.until_state(order, "awaiting_payment")  # the workers are back too
            assert (now["number"], now["due_now_fen"], now["price"]) == (
                placed["number"],
                placed["due_now_fen"],
                placed["price"],
            )
        until(lambda: shop.haoka("audit", "first-round").returncode == 0, seconds=60, every=1)
        last = shop.haoka("audit", "first-round")
        assert last.stdout.splitlines()[-1] == "first-round: 0 differences", last.stdout


def test_a_shop_killed_whole_starts_again_by_itself() -> None:
    with running() as shop:
        li = Shopper.sign_in(shop, 1)
        offer = li.offer("first-round")["id"]
        number = li.numbers("first-round", limit=1)[0]["number"]
        hold = li.hold("first-round", number, offer).json()
        assert shop.process
        children = [shop.part(name) for name in ("redis", "web", "twins", "clock", "checks")]
        shop.process.kill()
        shop.process.wait()
        psutil.wait_procs(children, timeout=10)
        assert not any(child.is_running() for child in children)
        shop.start()
        assert li.http.get(f"/api/v1/holds/{hold['hold']}").json()["number"] == number
        assert shop.haoka("audit", "first-round").returncode == 0


def _again(ask: Callable[[], httpx2.Response]) -> httpx2.Response:
    """What any client does: the same request once more while the shop does not answer or says 503."""

    def answered() -> httpx2.Response | None:
        answer = ask()
        return None if answer.status_code in {500, 502, 503, 504} else answer

    answer: httpx2.Response = until(answered, seconds=90)
    assert answer.status_code == 201, answer.text
    return answer


def _shelf(shopper: Shopper, count: int) -> list[dict[str, object]]:
    found: dict[object, dict[str, object]] = {}
    for batch in range(1000):
        for one in shopper.numbers("first-round", limit=100, batch=str(batch)):
            found.setdefault(one["number"], one)
        if len(found) >= count:
            return list(found.values())[:count]
    raise AssertionError(f"only {len(found)} numbers were shown")
