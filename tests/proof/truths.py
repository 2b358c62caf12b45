"""What a Redis can do to a shop, on a real server: slow disks, lost files, FLUSHALL, a full disk, a clock that jumps.

Each event sells, breaks something, and asks: does all that was acknowledged stand, and is the audit clean?"""

import random
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

from inventory import audit, drops, expire, holds, stock, verbs
from inventory.stock import LiveOrder
from runtime import redis as redis_clients
from runtime.facts import Fact, Unavailable
from tests import servers
from tests.inventory.small_drop import make_drop
from tests.loops import in_own_loop

DROP = "truths"
SLOW = 300  # milliseconds a slow fsync takes longer
HOUR = 3_600_000
_FULL = 3_000  # KB of files a full disk has room for
_SELLERS = 3
_HERE = Path(__file__).parent
T = TypeVar("T")


class Gone(Exception):
    """Redis lost the drop: whoever waits for an answer about it goes away."""


@dataclass
class Sale:
    """A server of its own, a drop on it, and what shoppers were told."""

    folder: Path
    kind: str
    weather: Path | None = None  # what tests/proof/weather.c reads
    server: subprocess.Popen[bytes] | None = None
    holds: dict[str, str] = field(default_factory=dict)  # acknowledged: hold -> number
    orders: dict[str, LiveOrder] = field(default_factory=dict)
    is_lost: bool = False
    next: "count[int]" = field(default_factory=count)

    def start(self, *options: str, before: tuple[str, ...] = ()) -> None:
        library = str(self.folder.parent / "weather.so")
        env = {"LD_PRELOAD": library, "WEATHER": str(self.weather)} if self.weather else {}
        self.server = servers.start(self.kind, self.folder, *options, before=before, env=env)

    def kill(self) -> None:
        assert self.server
        self.server.kill()
        self.server.wait()

    def be(self, *, slow: int = 0, off: int = 0) -> None:
        """The weather: each fsync takes so much longer, the clock is so far off; milliseconds."""
        assert self.weather
        with open(self.weather, "r+b") as told:  # written in place: the server has it mapped
            told.write(struct.pack("<qq", slow, off))

    @contextmanager
    def selling(self, seconds: float) -> Iterator[None]:
        """Shoppers hold, and every second one orders, for so long and while the block runs."""
        over = threading.Event()
        with ThreadPoolExecutor(_SELLERS) as pool:
            sellers = [pool.submit(self._sell, over) for _ in range(_SELLERS)]
            try:
                time.sleep(seconds)
                yield
            finally:
                over.set()
        for one in sellers:
            one.result()

    def wrong(self) -> list[str]:
        """Acknowledged and not there, or not as it was; and what the audit finds."""
        found = []
        for hold_id, number in self.holds.items():
            try:
                now = holds.find(hold_id)
            except Fact as fact:
                found.append(f"{hold_id}: {fact.code}")
            else:
                if (now.number, now.state) != (number, "held"):
                    found.append(f"{hold_id}: {now.number} {now.state}, but {number} was held")
        told = {order: (one.number, one.state) for order, one in self.orders.items()}
        return found + audit.journal_audit(DROP, told).differences

    def _sell(self, over: threading.Event) -> None:
        while not over.is_set():
            nth = next(self.next)
            account, order = f"s{nth}", f"o{nth}"
            token = holds.new_token(DROP, account)
            try:
                held = self._told(lambda: in_own_loop(_hold(token, account)))  # noqa: B023 - called at once
                self.holds[held.id] = held.number
                if nth % 2:
                    continue
                mine = self.holds.pop(held.id)
                self._told(lambda: holds.claim(token, account=account, order_id=order))  # noqa: B023
            except Gone:
                continue
            except Fact:  # not open yet, by a clock that went back; lapsed, where Redis lost the hold
                time.sleep(0.01)
                continue
            self.orders[order] = LiveOrder(order, mine, account, "ordered", offer="card", hold=token)

    def _told(self, ask: Callable[[], T]) -> T:
        """The answer, asked for until it comes."""
        end = time.monotonic() + 60
        while not self.is_lost:
            try:
                return ask()
            except Unavailable:
                assert time.monotonic() < end, "no answer in a minute"
                time.sleep(0.02)
        raise Gone


async def _hold(token: str, account: str) -> holds.Hold:
    return await holds.hold(DROP, token=token, account=account, offer="card")


@contextmanager
def sale(folder: Path, kind: str, numbers: int = 20_000) -> Iterator[Sale]:
    """A drop on a server of that kind; with weather where this machine has a C compiler."""
    folder.mkdir(parents=True, exist_ok=True)
    verbs.forget()
    expire._last.clear()
    made = Sale(folder / kind, kind)
    if shutil.which("cc"):
        made.weather = folder / "weather"
        made.weather.write_bytes(bytes(16))
        command = [
            "cc",
            "-shared",
            "-fPIC",
            "-O1",
            "-o",
            str(folder / "weather.so"),
            str(_HERE / "weather.c"),
            "-ldl",
        ]
        subprocess.run(command, check=True)
    made.start()
    try:
        with servers.using(servers.url(made.folder)):
            make_drop(DROP, numbers)
            yield made
    finally:
        made.kill()
        verbs.forget()


def killed_with_a_slow_disk(sale: Sale, *policy: str, slow: int = SLOW) -> list[str]:
    """kill -9 while every fsync takes its time."""
    sale.be(slow=slow)
    with sale.selling(0.3 + slow / 1000):
        sale.kill()
        sale.be()
        sale.start(*policy)
    return sale.wrong()


def its_files_deleted(sale: Sale) -> list[str]:
    """Redis comes back empty: nothing is accepted until the rebuild, and no order changes."""

    def fault() -> None:
        sale.kill()
        shutil.rmtree(sale.folder / "appendonlydir")
        sale.start()

    return _lost(sale, fault)


def flushed(sale: Sale) -> list[str]:
    def fault() -> None:
        redis_clients.hot().flushall()

    return _lost(sale, fault)


def its_disk_full(sale: Sale) -> list[str]:
    """The append-only file can grow no more: the server ends rather than promise what it cannot keep."""
    sale.kill()
    used = sum(path.stat().st_size for path in (sale.folder / "appendonlydir").iterdir()) // 1024
    limit = f'trap "" XFSZ; ulimit -f {max(_FULL, used + 60)}; exec "$@"'
    sale.start("--auto-aof-rewrite-percentage", "0", before=("sh", "-c", limit, "sh"))
    assert sale.server
    with sale.selling(0):
        ended = sale.server.wait(60)
        sale.start()
    return [*sale.wrong(), *([] if ended == 1 else [f"the server ended with {ended}"])]


def its_clock_jumps(sale: Sale, ms: int) -> list[str]:
    """Nothing is freed; the holds move along with the clock."""
    expire.run(DROP)
    with sale.selling(0.3):
        pass
    expire.run(DROP)
    held, some = drops.tally(DROP).held, next(iter(sale.holds))
    found = []
    for off, moved in ((ms, ms), (0, -ms)):
        due = holds.find(some).expires_at
        sale.be(off=off)
        time.sleep(0.25)  # a Valkey asks the system's clock ten times a second
        if ended := expire.run(DROP) + expire.run(DROP):
            found.append(f"{ended} holds ended by a jump of {moved} ms")
        if abs((holds.find(some).expires_at - due).total_seconds() * 1000 - moved) > 2_000:
            found.append(f"{some} did not move by {moved} ms")
    found += [] if drops.tally(DROP).held == held else [f"{drops.tally(DROP).held} held, {held} before"]
    return [*found, *sale.wrong()]


def _lost(sale: Sale, fault: Callable[[], None]) -> list[str]:
    with sale.selling(0.4):
        fault()
        sale.is_lost = True
        time.sleep(0.1)
        known = len(sale.holds), len(sale.orders)
        time.sleep(0.2)
    found = [] if (len(sale.holds), len(sale.orders)) == known else ["a lost Redis accepted more"]
    found += [] if stock.is_lost(DROP) else ["nobody sees that it is lost"]
    try:
        in_own_loop(_hold(holds.new_token(DROP, "late"), "late"))
        found.append("a lost Redis held a number")
    except Unavailable:
        stock.fence(DROP)
    refused = stock.rebuild(DROP, list(sale.orders.values()))
    found += [f"{order}: its number was not there" for order in refused]
    sale.holds.clear()  # promises for minutes: over
    sale.is_lost = False
    return found + sale.wrong()


def prove(kind: str, rounds: int, seed: int) -> int:
    """Each event as often as the table says, times `rounds`, in an order the seed gives."""
    wishes: dict[str, tuple[int, Callable[[Sale], list[str]]]] = {
        "kills with a slow disk": (20, killed_with_a_slow_disk),
        "clock steps": (12, lambda sale: its_clock_jumps(sale, chance.choice((1, -1, 24, -24)) * HOUR)),
        "append-only files deleted": (10, its_files_deleted),
        "FLUSHALLs": (5, flushed),
        "full disks": (4, its_disk_full),
    }
    chance = random.Random(seed)
    deck = [name for name, (times, _) in wishes.items() for _ in range(times * rounds)]
    chance.shuffle(deck)
    done, wrong, began = Counter[str](), 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="haoka-truths-") as home, sale(Path(home) / "redis", kind) as one:
        for turn, name in enumerate(deck):
            if not one.weather and name in ("kills with a slow disk", "clock steps"):
                continue
            found = wishes[name][1](one)
            done[name] += 1
            wrong += bool(found)
            for line in found[:20]:
                print(f"WRONG after {turn + 1} events, {name}: {line}", file=sys.stderr)
        if not one.weather:
            print("no C compiler on this machine: neither slow disks nor a jumping clock could be tried")
    told = ", ".join(f"{done[name]} {name}" for name in wishes)
    print(f"[{time.monotonic() - began:5.0f} s] {kind}: {told}")
    print(
        f"{done.total()} events, {done.total() - wrong} audits clean and nothing acknowledged lost, seed {seed}"
    )
    return 1 if wrong else 0
