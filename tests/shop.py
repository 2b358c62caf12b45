"""A whole shop, started as bin/run does, and shoppers who know nothing but its HTTP face."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import psutil

from kyc.id_number import made_up
from tests.patience import PATIENT
from tests.postgres import create_database

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(what: Callable[[], Any], *, seconds: float = 60, every: float = 0.1) -> Any:
    """Ask until the answer is true; gives it. Transport errors are a no: the shop may be starting again."""
    end = time.monotonic() + seconds
    last: object = None
    while time.monotonic() < end:
        try:
            if found := what():
                return found
        except httpx2.TransportError as error:
            last = error
        time.sleep(every)
    raise AssertionError(f"not in {seconds} s: {getattr(what, '__name__', what)} ({last})")


@dataclass
class Shop:
    """One running shop with its data folder."""

    home: Path
    port: int
    env: dict[str, str] = field(default_factory=dict)
    root: Path = ROOT  # where its code is
    process: subprocess.Popen[str] | None = None
    clients: list[httpx2.Client] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def demo(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.home / "demo.json").read_text())
        return loaded

    def start(self) -> None:
        if self.process and self.process.stdout:
            self.process.stdout.close()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("HAOKA_")}
        env = kept | {"HAOKA_HOME": str(self.home), "HAOKA_PORT": str(self.port)} | PATIENT | self.env
        errors = open(self.home.with_suffix(".log"), "a")  # noqa: SIM115 - the child's
        self.process = subprocess.Popen(
            [sys.executable, "-m", "storefront", "run"],
            cwd=self.root, env=env, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        errors.close()
        assert self.process.stdout
        for line in self.process.stdout:
            if line.startswith("Haoka is ready"):
                return
        raise AssertionError(self.home.with_suffix(".log").read_text()[-3000:])

    def stop(self) -> None:
        while self.clients:
            self.clients.pop().close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(40)
        if self.process and self.process.stdout:
            self.process.stdout.close()

    def part(self, name: str) -> psutil.Process:
        """A process of the shop: redis, web, twins, clock, or a worker's queue."""
        assert self.process

        def found() -> psutil.Process | None:
            assert self.process
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):  # ended since, or not reaped yet
                    line = child.cmdline()
                    ours = "storefront" in line
                    if (ours and name in line) or (
                        not ours and name == "redis" and "redis.sock" in " ".join(line)
                    ):
                        return child
            return None

        process: psutil.Process = until(found, seconds=20)
        return process

    def kill(self, name: str) -> None:
        """kill -9; the supervisor starts it again."""
        self.part(name).kill()

    def haoka(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run the command line on this shop's data."""
        env = os.environ | {"HAOKA_HOME": str(self.home), "HAOKA_PORT": str(self.port)} | self.env
        if "HAOKA_DATABASE_URL" not in self.env:
            env.pop("HAOKA_DATABASE_URL", None)
        env.pop("HAOKA_PUBLIC_URL", None)
        return subprocess.run(
            [sys.executable, "-m", "storefront", *args],
            cwd=self.root,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def client(self, **headers: str) -> httpx2.Client:
        made = httpx2.Client(base_url=self.base, timeout=20, trust_env=False, headers=headers)
        self.clients.append(made)  # closed with the shop
        return made

    def partner(self, courier: str = "SF") -> httpx2.Client:
        """A courier's client with a fresh token."""
        known = self.demo["partners"][courier]
        with self.client() as anyone:
            answer = anyone.post(
                "/partner/v1/token", data={"grant_type": "client_credentials"},
                auth=(known["client_id"], known["client_secret"]),
            )  # fmt: skip
        return self.client(Authorization=f"Bearer {answer.raise_for_status().json()['access_token']}")


def last_code(client: httpx2.Client, phone: str, *, but_not: str = "") -> str:
    """The newest code in the SMS twin's outbox for a phone."""

    def arrived() -> str:
        messages = client.get("/sandbox/sms", params={"phone": phone}).json()["messages"]
        code: str = (messages[0].get("code") or "") if messages else ""
        return "" if code == but_not else code

    code: str = until(arrived)
    return code


@dataclass
class Shopper:
    """Li, Wang or anybody: a phone, a signed-in client, a made-up identity."""

    shop: Shop
    phone: str
    http: httpx2.Client
    name: str
    id_number: str
    code: str = ""

    @classmethod
    def sign_in(
        cls, shop: Shop, nth: int, *, phone: str = "", name: str = "", id_number: str = ""
    ) -> "Shopper":
        """The nth shopper of a test; by default with an ID number that matches any name."""
        phone = phone or f"139{nth:08d}"
        name = name or "测" + chr(0x4E00 + nth % 2000)
        id_number = id_number or anybody(nth)
        client = shop.client()
        client.post("/api/v1/codes", json={"phone": phone}).raise_for_status()
        code = last_code(client, phone)
        signed = client.post("/api/v1/sessions", json={"phone": phone, "code": code}).raise_for_status()
        client.headers["Authorization"] = f"Bearer {signed.json()['token']}"
        return cls(shop, phone, client, name, id_number, code)

    def new_code(self) -> str:
        self.code = last_code(self.http, self.phone, but_not=self.code)
        return self.code

    def numbers(self, drop: str, **query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get(f"/api/v1/drops/{drop}/numbers", params=query).json()[
            "numbers"
        ]
        return found

    def offer(self, drop: str, kind: str = "card") -> dict[str, Any]:
        offers = self.http.get(f"/api/v1/drops/{drop}").raise_for_status().json()["offers"]
        return next(o for o in offers if o["kind"] == kind)

    def hold(self, drop: str, number: str, offer: str) -> httpx2.Response:
        return self.http.post(f"/api/v1/drops/{drop}/holds", json={"number": number, "offer": offer})

    def order_body(self, hold: str, payment: str) -> dict[str, Any]:
        return {
            "hold": hold,
            "name": self.name,
            "id_number": self.id_number,
            "payment": payment,
            "receiver": {
                "name": self.name, "mobile": self.phone, "province": "北京市", "city": "110100",
                "district": "朝阳区", "address": "示范路8号2单元301室",
            },
        }  # fmt: skip

    def place(self, hold: str, payment: str, *, key: str = "") -> httpx2.Response:
        return self.http.post(
            "/api/v1/orders",
            json=self.order_body(hold, payment),
            headers={"Idempotency-Key": key or f"test-{hold}"},
        )

    def order(self, order: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/api/v1/orders/{order}").raise_for_status().json()
        return found

    def until_state(self, order: str, state: str) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            found = self.order(order)
            return found if found["state"] == state else None

        try:
            reached: dict[str, Any] = until(there, seconds=90)
        except AssertionError:
            raise AssertionError(f"not {state} but {self.order(order)}") from None
        return reached

    def sign(self, order: str) -> dict[str, Any]:
        answer = self.http.post(f"/api/v1/orders/{order}/signature", json={"code": self.new_code()})
        signed: dict[str, Any] = answer.raise_for_status().json()
        return signed


def anybody(nth: int) -> str:
    """A made-up ID number that the identity twin matches to any name."""
    day = date.fromordinal(date(1960, 1, 1).toordinal() + nth // 100)
    return made_up("110100", day, 900 + nth % 100)


@contextmanager
def running(*, root: Path = ROOT, **env: str) -> Iterator[Shop]:
    """A shop of its own on a free port and a new folder; on PostgreSQL and a cluster where the run is for them."""
    with tempfile.TemporaryDirectory(prefix="haoka-shop-") as folder, _own_redis(Path(folder)) as redis:
        quick = {"HAOKA_CODES_PER_ADDRESS": "1000000", "HAOKA_MANIFEST_SECONDS": "2"}
        shop = Shop(Path(folder) / "home", free_port(), quick | _own_database() | redis | env, root)
        try:
            shop.start()
            yield shop
        finally:
            shop.stop()


@contextmanager
def _own_redis(folder: Path) -> Iterator[dict[str, str]]:
    if os.environ.get("HAOKA_TEST_REDIS") != "cluster":
        yield {}
        return
    from tests.redis_cluster import cluster

    with cluster(folder / "cluster") as url:
        yield {"HAOKA_REDIS_URL": url}


def _own_database() -> dict[str, str]:
    url = os.environ.get("HAOKA_TEST_DATABASE_URL", "")
    if not url:
        return {}
    return {"HAOKA_DATABASE_URL": create_database(url, f"shop_{free_port()}")}
