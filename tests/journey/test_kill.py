"""kill -9 in the middle of a drop: what was acknowledged stands, and the audit is clean.

HAOKA_KILL_ORDERS sets how many orders are placed while each process is killed (default 60)."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import psutil
import pytest

from tests.shop import Shop, Shopper, running, until

ORDERS = int(os.environ.get("HAOKA_KILL_ORDERS", "60"))
VICTIMS = [("redis",), ("web",), ("checks", "dispatch", "clock")]
BUYERS = 16  # at once
_KEPT = ("number", "due_now_fen", "price", "created_at")


@pytest.fixture(scope="module")
def small() -> Iterator[Shop]:
    """A shop of its own, since its processes are killed."""
    with running() as started:
        yield started


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("nth", range(len(VICTIMS)), ids=["-".join(v) for v in VICTIMS])
def test_every_acknowledged_order_survives(small: Shop, nth: int) -> None:
    first = nth * ORDERS + 1
    with ThreadPoolExecutor(8) as pool:
        shoppers = list(pool.map(lambda n: Shopper.sign_in(small, n), range(first, first + ORDERS)))
    offer = shoppers[0].offer("first-round")["id"]
    numbers = _shelf(shoppers[0], ORDERS)
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
        for victim in VICTIMS[nth]:
            small.kill(victim)
        for one in bought:
            one.result()

    assert len(acknowledged) == ORDERS
    for order, (shopper, placed) in acknowledged.items():
        now = shopper.until_state(order, "awaiting_payment")  # the workers are back too
        assert [now[f] for f in _KEPT] == [placed[f] for f in _KEPT]
    until(lambda: small.haoka("audit", "first-round").returncode == 0, seconds=60, every=1)
    last = small.haoka("audit", "first-round")
    assert last.stdout.splitlines()[-1] == "first-round: 0 differences", last.stdout


def test_a_shop_killed_whole_starts_again_by_itself(small: Shop) -> None:
    li = Shopper.sign_in(small, 3 * ORDERS + 1)
    offer = li.offer("first-round")["id"]
    number = li.numbers("first-round", limit=1)[0]["number"]
    hold = li.hold("first-round", number, offer).json()
    assert small.process
    children = [small.part(name) for name in ("redis", "web", "twins", "clock", "checks")]
    small.process.kill()
    small.process.wait()
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() for child in children)
    small.start()
    assert li.http.get(f"/api/v1/holds/{hold['hold']}").json()["number"] == number
    assert small.haoka("audit", "first-round").returncode == 0


def _again(ask: Callable[[], httpx2.Response]) -> httpx2.Response:
    """What any client does: the same request once more while the shop does not answer or says 503."""

    def answered() -> httpx2.Response | None:
        answer = ask()
        return None if answer.status_code in {500, 502, 503, 504} else answer

    answer: httpx2.Response = until(answered, seconds=90)
    assert answer.status_code == 201, answer.text
    return answer


def _shelf(shopper: Shopper, count: int) -> list[str]:
    """So many numbers that are free now."""
    found: dict[str, None] = {}
    for batch in range(1000):
        found.update(
            dict.fromkeys(n["number"] for n in shopper.numbers("first-round", limit=100, batch=str(batch)))
        )
        if len(found) >= count:
            return list(found)[:count]
    raise AssertionError(f"only {len(found)} numbers were shown")
